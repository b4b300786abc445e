//! Lines to rows: one block parsed by one format into one record batch.

mod chunk;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use floodmark_format::{Escape, Hit, LineError, unescape};
use memchr::memchr_iter;

use crate::Error;
use crate::batch::{Block, ColumnBuilder, TextBuilder, Value, finish};
use crate::columns::{LineSchema, Origin};
use crate::condition::Answer;
use crate::nuls::{NUL_BYTES, explained};
use crate::recipe::{Fill, LogSettings, Recipe, Way};
use crate::relay::{Heard, Teller};
use crate::scratch::{Judged, Scratch, TextAs};
use crate::secrets::redact;
use crate::tally::{FormatLines, RejectSample, Tally};
use crate::texts::{Texts, is_utf8};
use crate::value_set::NumberSet;
use crate::zone::Zones;
use chunk::{CHUNK_LINES, Chunk, Line};

/// Rows are guessed at this many bytes a line, so that arrays seldom grow.
const LINE_BYTES_GUESS: usize = 180;

/// The place of a block of whole lines.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) source: String,
    pub(crate) file: String,
    pub(crate) source_offset: u64,
    pub(crate) file_offset: u64,
}

/// Rows of one block and what became of its lines.
#[derive(Debug)]
pub struct LineBatch {
    /// The rows, in line order; text is as [`TextAs`] says.
    pub rows: RecordBatch,
    /// Indices of `client` and `remote_addr` where they are equal in every row.
    pub twins: Option<(usize, usize)>,
    /// The counts.
    pub tally: Tally,
}

/// The table that rows are made for.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) schema: LineSchema,
    pub(crate) arrow: SchemaRef,
    pub(crate) text_as: TextAs,
}

/// Parses a block of whole lines.
pub(crate) fn parse_block(
    layout: &Layout,
    recipe: &Recipe,
    place: &Place,
    bytes: Vec<u8>,
    times: (Heard, Teller),
    scratch: &mut Scratch,
) -> Result<LineBatch, Error> {
    let block = Buffer::from_vec(bytes);
    let mut rows = Rows::new(layout, recipe, place, &block, times.0, scratch);
    rows.tally.bytes = block.len() as u64;
    let mut start = 0;
    for end in memchr_iter(b'\n', &block)
        .map(|at| at + 1)
        .chain([block.len()])
    {
        if start == end {
            continue;
        }
        rows.line(start, end, &mut scratch.judged);
        start = end;
    }
    rows.settle(&mut scratch.judged);
    times.1.tell(rows.last_good_us);
    rows.finish(layout, &block, scratch)
}

/// One row for a line that is longer than lines may be; `head` is how it begins.
pub(crate) fn long_line(
    layout: &Layout,
    recipe: &Recipe,
    place: &Place,
    head: Vec<u8>,
    line_bytes: u64,
    times: (Heard, Teller),
    scratch: &mut Scratch,
) -> Result<LineBatch, Error> {
    let block = Buffer::from_vec(head);
    let mut rows = Rows::new(layout, recipe, place, &block, times.0, scratch);
    rows.tally.bytes = line_bytes;
    rows.tally.lines = 1;
    let (reason, message) = match block.first() {
        Some(0) => (NUL_BYTES, format!("a run of {line_bytes} NUL bytes")),
        _ => (
            LINE_TOO_LONG,
            format!("a line of {line_bytes} bytes, longer than lines may be"),
        ),
    };
    rows.reject(&Reject {
        reason,
        message,
        line: &block,
        offset: 0,
        line_bytes,
        rest: None,
    });
    times.1.tell(rows.last_good_us);
    rows.finish(layout, &block, scratch)
}

/// The reject reason of a line longer than lines may be.
pub const LINE_TOO_LONG: &str = "line_too_long";

/// Blank lines before a line that is none.
#[derive(Debug, Default)]
struct Blank {
    lines: i64,
    bytes: usize,
}

struct Reject<'r> {
    reason: &'static str,
    message: String,
    line: &'r [u8],
    offset: usize,
    line_bytes: u64,
    /// Where the lines after it begin, if they are here.
    rest: Option<usize>,
}

/// The rows of a block as they grow.
struct Rows<'block> {
    recipe: &'block Recipe,
    place: &'block Place,
    texts: Texts<'block>,
    builders: Vec<ColumnBuilder>,
    rows: usize,
    tally: Tally,
    /// What each format read, if there is more than one.
    read_by: Vec<Option<FormatLines>>,
    last_good_us: Option<i64>,
    heard: Option<Heard>,
    blank: Blank,
    zones: Zones,
    chunk: Chunk<'block>,
}

impl<'block> Rows<'block> {
    fn new(
        layout: &Layout,
        recipe: &'block Recipe,
        place: &'block Place,
        block: &'block Buffer,
        heard: Heard,
        scratch: &mut Scratch,
    ) -> Self {
        let escape = recipe.settings.format.escape();
        scratch.prepare(
            layout.schema.columns().len(),
            (escape, recipe.settings.secrets),
        );
        let rows_guess = block.len() / LINE_BYTES_GUESS + 16;
        Self {
            recipe,
            place,
            texts: Texts {
                base: block,
                block_is_utf8: recipe.is_rich_in_text && is_utf8(block),
                escape,
                is_foreign: false,
                redacts: recipe.redacts(),
            },
            builders: recipe.builders(&layout.schema, rows_guess, layout.text_as, scratch),
            rows: 0,
            tally: Tally::default(),
            read_by: match recipe.ways.len() {
                1 => Vec::new(),
                formats => vec![None; formats],
            },
            last_good_us: None,
            heard: Some(heard),
            blank: Blank::default(),
            zones: Zones::default(),
            chunk: Chunk::default(),
        }
    }

    fn finish(
        mut self,
        layout: &Layout,
        block: &Buffer,
        scratch: &mut Scratch,
    ) -> Result<LineBatch, Error> {
        self.tally.zones = self.zones.into_counts();
        for (format, lines) in self.read_by.iter().enumerate() {
            if let Some(lines) = lines {
                let file = self.place.file.clone();
                self.tally.formats.insert((file, format), *lines);
            }
        }
        let block = Block {
            bytes: block,
            source: &self.place.source,
            rows: self.rows,
            text_as: layout.text_as,
        };
        let twins = self.recipe.twins;
        Ok(LineBatch {
            rows: finish(&layout.arrow, self.builders, &block, twins, scratch)?,
            twins,
            tally: self.tally,
        })
    }

    fn line(&mut self, start: usize, end: usize, judged: &mut Judged) {
        let with_newline = &self.texts.base[start..end];
        let line = with_newline.strip_suffix(b"\n").unwrap_or(with_newline);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.tally.lines += 1;
        if line.is_empty() {
            self.tally.blank += 1;
            self.blank.lines += 1;
            self.blank.bytes += with_newline.len();
            return;
        }
        if self.chunk.lines.len() == CHUNK_LINES {
            self.settle(judged);
        }
        if self.chunk.hits.len() == self.chunk.lines.len() {
            self.chunk.hits.push(Hit::default());
        }
        let ways = &self.recipe.ways;
        let at = self.chunk.lines.len();
        match read(ways, line, &mut self.chunk.hits[at]) {
            Ok(format) => {
                let blank = std::mem::take(&mut self.blank);
                self.count(start, format);
                if !self.is_wanted(format) {
                    return;
                }
                if ways[format].filled.is_empty() && self.recipe.judged.count() == 0 {
                    self.rows += 1;
                    return;
                }
                if format != self.chunk.format {
                    self.settle(judged);
                    self.chunk.hits.swap(0, at);
                }
                self.chunk.format = format;
                self.chunk.lines.push(Line { start, end, blank });
            }
            Err(error) => {
                self.settle(judged);
                self.bad_line(line, start, end, error);
                self.blank = Blank::default();
            }
        }
    }

    /// Counts a request, the next hit of the chunk.
    fn count(&mut self, start: usize, format: usize) {
        let way = &self.recipe.ways[format];
        let hit = &self.chunk.hits[self.chunk.lines.len()];
        if let Some(time_us) = hit.time_us {
            self.last_good_us = Some(time_us);
            self.tally.saw_time(time_us);
        }
        if let Some(stamp) = value_of(hit, way.slots.stamp) {
            self.zones.count(stamp);
        }
        if let Some(read_by) = self.read_by.get_mut(format) {
            let offset = self.place.file_offset + start as u64;
            let one = FormatLines::one(offset, hit.time_us);
            read_by
                .get_or_insert(FormatLines { count: 0, ..one })
                .add(one);
        }
        self.tally.requests += 1;
    }

    /// Whether a request, the next hit of the chunk, becomes a row.
    fn is_wanted(&mut self, format: usize) -> bool {
        let way = &self.recipe.ways[format];
        if !self.recipe.kinds.requests || way.checks.is_empty() {
            return self.recipe.kinds.requests;
        }
        let texts = self.texts_of(way);
        let hit = &self.chunk.hits[self.chunk.lines.len()];
        let trust = &self.recipe.settings.trust;
        let mut answers = way
            .checks
            .iter()
            .map(|check| check.ask(way, trust, hit, &texts));
        let unmet = answers.find(|answer| *answer != Answer::Met);
        self.tally.out_of_range += u64::from(unmet == Some(Answer::OutOfRange));
        unmet.is_none()
    }

    fn bad_line(&mut self, line: &[u8], start: usize, end: usize, error: LineError) {
        let nuls = explained(line);
        let reason = nuls
            .as_ref()
            .map_or_else(|| error.kind.reason(), |(reason, _)| *reason);
        let message = match nuls {
            _ if !self.tally.wants_sample(reason) => String::new(),
            Some((_, message)) => message,
            None => error.render(&self.recipe.settings.format, line),
        };
        self.reject(&Reject {
            reason,
            message,
            line,
            offset: start,
            line_bytes: (end - start) as u64,
            rest: Some(end),
        });
    }

    /// The time of the nearest earlier good line; at the head of a log, of the first later one in the block.
    fn time_of_reject(&mut self, rest: Option<usize>) -> Option<i64> {
        if self.last_good_us.is_none()
            && let Some(heard) = self.heard.take()
        {
            self.last_good_us = heard.wait();
        }
        self.last_good_us.or_else(|| {
            let ways = &self.recipe.ways;
            let mut hit = Hit::default();
            self.texts.base[rest?..]
                .split(|&b| b == b'\n')
                .find_map(|line| {
                    read(ways, line, &mut hit).ok()?;
                    hit.time_us
                })
        })
    }

    /// Counts a reject, and makes a row of it if it is asked for.
    fn reject(&mut self, reject: &Reject<'_>) {
        let place = self.place;
        self.tally.reject(reject.reason, || RejectSample {
            file: place.file.clone(),
            file_offset: place.file_offset + reject.offset as u64,
            message: reject.message.clone(),
        });
        let Some(times) = &self.recipe.kinds.rejects else {
            return;
        };
        let time_us = self.time_of_reject(reject.rest);
        let is_wanted = |times: &NumberSet| time_us.is_some_and(|time| times.contains(time));
        if times.iter().all(is_wanted) {
            self.reject_row(reject, time_us);
        }
    }

    fn reject_row(&mut self, reject: &Reject<'_>, time_us: Option<i64>) {
        let recipe = self.recipe;
        let (place, blank) = (self.place, &self.blank);
        let row = self.rows;
        // A line that no format reads counts as one of the first.
        let way = &recipe.ways[0];
        for (fill, builder) in way.fills.iter().zip(&mut self.builders) {
            let Fill::From(origin) = fill else {
                builder.null();
                continue;
            };
            match (origin, builder) {
                (Origin::Layer | Origin::ServerName, ColumnBuilder::Text(builder)) => {
                    put_setting(builder, *origin, way, &recipe.settings);
                }
                (Origin::ServerPort, ColumnBuilder::Small(builder)) => {
                    builder.append_value(recipe.settings.server_port);
                }
                (Origin::Kind, ColumnBuilder::Usual(builder)) => {
                    builder.at(row, Value::Text("reject".into()));
                }
                (Origin::Reason, ColumnBuilder::Usual(builder)) => {
                    builder.at(row, Value::Text(reject.reason.into()));
                }
                (Origin::Raw, ColumnBuilder::Usual(builder)) => {
                    // As read: only what is not UTF-8 is written as `\xHH`.
                    let raw = unescape(Escape::None, reject.line);
                    let redacted = if recipe.redacts() { redact(&raw) } else { None };
                    let raw = redacted.unwrap_or_else(|| raw.into_owned());
                    builder.at(row, Value::Text(raw.into()));
                }
                (Origin::TimeInferred, ColumnBuilder::Usual(builder)) => {
                    builder.at(row, Value::Flag(true));
                }
                (Origin::BlankBefore, ColumnBuilder::Usual(builder)) if blank.lines > 0 => {
                    builder.at(row, Value::Count(blank.lines));
                }
                (Origin::Time, ColumnBuilder::Time(builder)) => {
                    builder.append_option(time_us);
                }
                (Origin::LineOffset, ColumnBuilder::Count(builder)) => {
                    builder.append_value(offset_of(place, reject.offset - blank.bytes));
                }
                (Origin::LineBytes, ColumnBuilder::Count(builder)) => {
                    let line_bytes = i64::try_from(reject.line_bytes).unwrap_or(i64::MAX);
                    builder.append_value(line_bytes.saturating_add(count(blank.bytes)));
                }
                (_, builder) => builder.null(),
            }
        }
        self.rows += 1;
    }
}

/// The index of the first format that reads a line; what the first of all has against it, if none does.
fn read<'line>(ways: &[Way], line: &'line [u8], hit: &mut Hit<'line>) -> Result<usize, LineError> {
    let mut first_error = None;
    for (format, way) in ways.iter().enumerate() {
        let parsed = match way.needs_request {
            true => way.format.parse_into(line, hit),
            false => way.format.parse_values_into(line, hit),
        };
        match parsed {
            Ok(()) => return Ok(format),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.expect("a log has a format"))
}

fn offset_of(place: &Place, at: usize) -> i64 {
    i64::try_from(place.source_offset)
        .unwrap_or(i64::MAX)
        .saturating_add(count(at))
}

fn count(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

pub(crate) fn value_of<'line>(hit: &Hit<'line>, slot: Option<usize>) -> Option<&'line [u8]> {
    hit.values.get(slot?).copied().flatten()
}

/// What holds for all lines of a format, in a column that those of another have values of their own for.
fn put_setting(builder: &mut TextBuilder, origin: Origin, way: &Way, settings: &LogSettings) {
    match (origin, &settings.server_name) {
        (Origin::Layer, _) => builder.one_of_few(way.format.layer().as_str()),
        (Origin::ServerName, Some(name)) => builder.owned(name),
        _ => builder.null(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::UInt32Type;
    use floodmark_format::CompiledFormat;
    use proptest::prelude::*;

    use super::*;
    use crate::client::Trust;
    use crate::recipe::Secrets;
    use crate::relay::Chain;

    /// A thread's work on block after block of one log.
    struct Thread {
        layout: Layout,
        recipe: Recipe,
        scratch: Scratch,
    }

    impl Thread {
        fn new(format: &str, text_as: TextAs) -> Self {
            let format = CompiledFormat::named(format).unwrap();
            let names = format.variables().iter();
            let schema = LineSchema::new(names.map(|variable| variable.name.as_str()));
            let settings = LogSettings {
                format,
                further: Vec::new(),
                server_port: 443,
                server_name: None,
                trust: Trust::default(),
                secrets: Secrets::Redact,
            };
            Self {
                recipe: Recipe::new(settings, &schema, &[]),
                layout: Layout {
                    arrow: schema.arrow(),
                    schema,
                    text_as,
                },
                scratch: Scratch::default(),
            }
        }

        /// The rows of a block, column by column; texts looked up.
        fn rows(&mut self, block: &[u8]) -> Vec<String> {
            let place = Place {
                source: "access.log/0/0".to_owned(),
                file: "access.log".to_owned(),
                source_offset: 0,
                file_offset: 0,
            };
            let times = Chain::default().link();
            let (layout, scratch) = (&self.layout, &mut self.scratch);
            let batch =
                parse_block(layout, &self.recipe, &place, block.to_vec(), times, scratch).unwrap();
            let columns = batch.rows.columns().iter().enumerate();
            columns
                .map(
                    |(at, column)| match column.as_primitive_opt::<UInt32Type>() {
                        Some(codes) => {
                            let (_, of) = batch
                                .twins
                                .filter(|(twin, _)| *twin == at)
                                .unwrap_or((0, at));
                            let text =
                                |code| std::str::from_utf8(scratch.dictionary(of).text(code));
                            let texts =
                                codes.iter().map(|code| code.map(text).transpose().unwrap());
                            format!("{:?}", texts.collect::<Vec<_>>())
                        }
                        None => match (column.as_string_view_opt(), column.as_binary_view_opt()) {
                            (Some(texts), _) => format!("{:?}", texts.iter().collect::<Vec<_>>()),
                            (_, Some(texts)) => {
                                let text = |bytes| std::str::from_utf8(bytes).unwrap();
                                let texts = texts.iter().map(|bytes| bytes.map(text));
                                format!("{:?}", texts.collect::<Vec<_>>())
                            }
                            _ => format!("{column:?}"),
                        },
                    },
                )
                .collect()
        }
    }

    const LINES: &[&[u8]] = &[
        br#"192.0.2.1 - - [10/Jun/2024:06:13:21 +0000] "GET /a HTTP/1.1" 200 5 "-" "Mozilla/5.0""#,
        br#"192.0.2.2 - - [10/Jun/2024:06:13:22 +0000] "GET /a?token=1 HTTP/1.1" 200 5 "https://example.com/?key=2" "curl/8""#,
        br#"192.0.2.1 - - [10/Jun/2024:06:13:23 +0000] "GET /a?token=2 HTTP/1.1" 404 5 "" "caf\xC3\xA9 \xFF""#,
        br#"192.0.2.3 - a b [10/Jun/2024:06:13:24 +0000] "GET /.env HTTP/1.1" 404 5 "-" "-""#,
        br#"192.0.2.3 - - [10/Jun/2024:06:13:24 +0000] "\x16\x03\x01" 400 5 "-" "-""#,
        b"192.0.2.4 - - [10/Jun/2024:06:13:25 +0000] \"GET /\xFF HTTP/1.1\" 200 5 \"-\" \"Googlebot/2.1\"",
        b"no line of a log \xFE",
        b"",
    ];

    proptest! {
        #[test]
        fn codes_stand_for_the_texts(
            blocks in prop::collection::vec(prop::collection::vec(0..LINES.len(), 0..30), 1..6),
        ) {
            let mut views = Thread::new("combined", TextAs::Views);
            let mut codes = Thread::new("combined", TextAs::Codes);
            for block in blocks {
                let bytes = block.iter().flat_map(|&line| [LINES[line], b"\n"]).flatten();
                let bytes: Vec<u8> = bytes.copied().collect();
                prop_assert_eq!(codes.rows(&bytes), views.rows(&bytes));
            }
        }
    }

    #[test]
    fn columns_of_new_values_become_views() {
        let mut views = Thread::new("combined", TextAs::Views);
        let mut codes = Thread::new("combined", TextAs::Codes);
        for block in 0..5 {
            let lines = (0..60_000).map(|line| {
                format!(
                    "192.0.2.1 - - [10/Jun/2024:06:13:21 +0000] \"GET /a?n={block}-{line} HTTP/1.1\" 200 5 \"-\" \"-\"\n"
                )
            });
            let bytes = lines.collect::<String>().into_bytes();
            assert!(codes.rows(&bytes) == views.rows(&bytes));
        }
        let args = codes.recipe.judged.args.unwrap();
        assert!(codes.scratch.dictionaries[args].is_sparse());
    }
}
