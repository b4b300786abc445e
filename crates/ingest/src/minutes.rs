//! Lines counted by minute, while they are in the cache.
//!
//! [`MinuteCounts`] takes batches of lines and gives rows of the table `minutes`, one for each minute and [`Key`]. All of its sums commute:
//! whatever the order of the lines, and however they are split over threads and commits, rows of equal minute and key add up to the same
//! numbers and the same bytes.
//!
//! | column | Arrow type | meaning; missing values |
//! |---|---|---|
//! | `minute` | timestamp µs UTC | its beginning; NULL for lines without a time |
//! | `log_set` | text | of the lines' source |
//! | `server_name`, `server_port`, `layer`, `bot` | text, i32, text, text | as in `lines` |
//! | `total` | i64 | requests |
//! | `good`, `bad`, `shed`, `neutral` | i64 | those by what they say of the site (`floodmark_traffic::outcome`) |
//! | `status_1xx` … `status_5xx`, `status_none` | i64 | those by class of their status; none, 000 and what has no class |
//! | `status_429`, `status_444`, `status_499` | i64 | those with this status |
//! | `bytes` | i64 | sum of `body_bytes_sent`, of `bytes_sent` where that is missing |
//! | `request_time_sum_us`, `request_time_max_us` | i64 | of `request_time`, in microseconds; NULL where none was logged |
//! | `request_time_histogram` | binary | the same as [`Histogram`](floodmark_traffic::histogram::Histogram); NULL where none was logged |
//! | `clients` | binary | different `client`s, as [`HyperLogLog`](floodmark_traffic::hyper_log_log::HyperLogLog); NULL for none |
//! | `bad_clients` | binary | the same of bad requests |
//! | `probes` | list of struct | requests of each probe (`bot` is `probe`): `client`, `http_user_agent`, `count`, `first` and `last` (whole seconds); NULL for none |
//!
//! `host` is no key: it is a client's word.

mod columns;
mod rows;
mod sums;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use floodmark_source::SourceId;
use floodmark_traffic::row::RowBot;
use hashbrown::HashMap;

use crate::Error;
use crate::rows::LineBatch;
use crate::scratch::Scratch;
use columns::Lines;
use sums::Sums;

const MINUTE_US: i64 = 60_000_000;

/// Stands for the minute of lines without a time.
const NO_MINUTE: i64 = i64::MIN;

/// What rows of `minutes` are kept apart by, beside the minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    log_set: Option<String>,
    server_name: Option<String>,
    server_port: Option<i32>,
    layer: Option<String>,
    bot: Option<String>,
}

/// Requests counted by minute; see the module.
#[derive(Debug, Default)]
pub struct MinuteCounts {
    keys: Vec<Key>,
    ids: HashMap<Key, u32>,
    counted: Vec<Counted>,
    /// Places in `counted`, by key and minute.
    places: HashMap<(u32, i64), usize>,
    /// By key: the minute asked for last and its place. Lines are nearly in order.
    open: Vec<(i64, usize)>,
}

/// The key of a line, while its batch is counted.
#[derive(Debug, Clone, Copy)]
struct KeyHere {
    id: u32,
    is_probe: bool,
}

/// One row: the requests of a minute with a key.
#[derive(Debug)]
struct Counted {
    minute: i64,
    key: u32,
    sums: Sums,
}

impl MinuteCounts {
    /// The columns of `lines` that are counted.
    pub const LINE_COLUMNS: &[&str] = columns::NAMES;

    /// The schema of the table `minutes`.
    #[must_use]
    pub fn schema() -> SchemaRef {
        rows::schema()
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counted.len()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// All requests that were counted.
    #[must_use]
    pub fn requests(&self) -> u64 {
        let requests = self.counted.iter().map(|counted| counted.sums.requests());
        requests.fold(0, u64::saturating_add)
    }

    /// Counts the requests of a batch; `scratch` is what it was made with.
    pub fn add(&mut self, batch: &LineBatch, scratch: &mut Scratch) {
        let (rows, twins) = (&batch.rows, batch.twins);
        let of = |name: &str| {
            let (at, _) = rows.schema_ref().column_with_name(name)?;
            Some(match twins {
                Some((twin, of)) if twin == at => of,
                _ => at,
            })
        };
        if let Some(client) = of("client") {
            scratch.dictionaries[client].hash_texts();
        }
        let dictionary = |name: &str| Some(scratch.dictionary(of(name)?));
        self.add_all(&Lines::new(rows, &dictionary));
    }

    /// Counts the requests of a batch whose texts are texts, such as rows of a lake.
    pub fn add_lines(&mut self, rows: &RecordBatch) {
        self.add_all(&Lines::new(rows, &|_| None));
    }

    fn add_all(&mut self, lines: &Lines<'_>) {
        let mut known: HashMap<_, Option<KeyHere>> = HashMap::new();
        let mut here = None;
        for row in 0..lines.rows {
            if lines.begins_key(row) {
                here = *known.entry(lines.codes(row)).or_insert_with(|| {
                    lines.is_request(row).then(|| {
                        let key = lines.key(row);
                        KeyHere {
                            is_probe: key.bot.as_deref() == Some(RowBot::Probe.as_str()),
                            id: self.id(key),
                        }
                    })
                });
            }
            let Some(KeyHere { id, is_probe }) = here else {
                continue;
            };
            let time_us = lines.time_us(row);
            let minute = time_us.map_or(NO_MINUTE, |time_us| time_us.div_euclid(MINUTE_US));
            let sums = self.sums(id, minute);
            sums.add(&lines.line(row));
            if let Some(time_us) = time_us.filter(|_| is_probe) {
                sums.add_probe(&lines.probe(row, time_us));
            }
        }
    }

    /// Adds all that another has counted.
    pub fn merge(&mut self, other: Self) {
        let ids: Vec<u32> = other.keys.into_iter().map(|key| self.id(key)).collect();
        for counted in other.counted {
            let key = ids[counted.key as usize];
            self.sums(key, counted.minute).merge(counted.sums);
        }
    }

    /// Adds rows of the table `minutes`.
    ///
    /// # Errors
    ///
    /// They are no such rows, or a sketch cannot be read.
    pub fn add_rows(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let rows = rows::Rows::new(rows)?;
        for row in 0..rows.len() {
            let key = self.id(rows.key(row));
            let sums = rows.sums(row)?;
            self.sums(key, rows.minute(row)).merge(sums);
        }
        Ok(())
    }

    /// The rows of the table `minutes`, by minute and then by key.
    ///
    /// # Errors
    ///
    /// A bug of ours only.
    pub fn rows(&self) -> Result<RecordBatch, Error> {
        let mut by_key: Vec<u32> = self.ids.values().copied().collect();
        by_key.sort_unstable_by_key(|id| &self.keys[*id as usize]);
        let mut ranks = vec![0; by_key.len()];
        for (rank, id) in by_key.into_iter().enumerate() {
            ranks[id as usize] = rank;
        }
        let mut ordered: Vec<&Counted> = self.counted.iter().collect();
        ordered.sort_unstable_by_key(|counted| (counted.minute, ranks[counted.key as usize]));
        rows::written(&ordered, &self.keys)
    }

    fn id(&mut self, key: Key) -> u32 {
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = u32::try_from(self.keys.len()).expect("fewer keys than lines of a commit");
        self.keys.push(key.clone());
        self.ids.insert(key, id);
        // A place that no minute asks for.
        self.open.push((i64::MAX, usize::MAX));
        id
    }

    fn sums(&mut self, key: u32, minute: i64) -> &mut Sums {
        let open = &mut self.open[key as usize];
        if open.0 != minute {
            let counted = &mut self.counted;
            let place = *self.places.entry((key, minute)).or_insert_with(|| {
                counted.push(Counted {
                    minute,
                    key,
                    sums: Sums::default(),
                });
                counted.len() - 1
            });
            *open = (minute, place);
        }
        &mut self.counted[open.1].sums
    }
}

/// The log set of a source's id.
fn log_set(source: &str) -> String {
    match source.parse::<SourceId>() {
        Ok(id) => id.log_set().to_owned(),
        Err(_) => source.to_owned(),
    }
}
