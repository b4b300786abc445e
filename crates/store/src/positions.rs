//! How far each source is read, kept as application transactions of the Delta log.
//!
//! Three numbers a source: the offset up to which it is read; the anchor, by which its bytes are known again; and how many of
//! its bytes stand in rows of the lake. The last is less than the offset by what no row stands for: blank lines that end a
//! block, and lines that were expired. It makes a loss evident: rows of a source that add up to less are not all there.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::Int64Type;
use deltalake::kernel::Transaction;
use floodmark_source::{KnownSource, SourceId};

use crate::Error;
use crate::delta_log::DeltaLog;
use crate::followed::LIVE;
use crate::part::RowBytes;

/// Application ids of ours begin so; the version is the offset.
pub(crate) const PREFIX: &str = "floodmark/";
/// And end so where the version is the anchor: the hash of the bytes just before the offset.
const ANCHOR: &str = "/anchor";
/// And so where it is the number of bytes in rows.
const ROWS: &str = "/rows";

/// All sources of a lake at one version.
#[derive(Debug, Clone, Default)]
pub(crate) struct Positions {
    /// By id.
    sources: BTreeMap<String, Position>,
}

/// How far one source is read.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub(crate) known: KnownSource,
    /// Bytes of it in rows; `None` if that was never recorded.
    pub(crate) row_bytes: Option<u64>,
}

impl Positions {
    /// Those at the log's version.
    pub(crate) fn of(log: &DeltaLog) -> Result<Self, Error> {
        let versions = log.transactions()?;
        let is_more = |id: &str| [ANCHOR, ROWS, LIVE].iter().any(|end| id.ends_with(end));
        let mut sources = BTreeMap::new();
        for (app_id, &offset) in versions {
            let Some(id) = app_id.strip_prefix(PREFIX).filter(|id| !is_more(id)) else {
                continue;
            };
            let more = |what: &str| versions.get(&format!("{app_id}{what}"));
            let (Some(anchor), Ok(source)) = (more(ANCHOR), id.parse::<SourceId>()) else {
                return Err(Error::BadPosition {
                    app_id: app_id.clone(),
                });
            };
            let known = KnownSource {
                id: source,
                offset: offset.unsigned_abs(),
                anchor: anchor.unsigned_abs(),
            };
            let row_bytes = more(ROWS).map(|bytes| bytes.unsigned_abs());
            sources.insert(id.to_owned(), Position { known, row_bytes });
        }
        Ok(Self { sources })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Position)> {
        self.sources
            .iter()
            .map(|(id, position)| (id.as_str(), position))
    }

    pub(crate) fn get(&self, source: &str) -> Option<&Position> {
        self.sources.get(source)
    }

    /// Whether all sources are read just as far: then whoever planned with one has planned with the other.
    pub(crate) fn reads_as(&self, other: &Self) -> bool {
        let known = |of: &Self| of.sources.values().map(|at| at.known.clone()).collect();
        let (ours, theirs): (Vec<KnownSource>, Vec<KnownSource>) = (known(self), known(other));
        ours == theirs
    }

    /// The sources that are not as they were.
    pub(crate) fn changed_since(&self, before: &Self) -> impl Iterator<Item = &KnownSource> {
        let known = self.sources.values().map(|position| &position.known);
        known.filter(|known| before.is_behind(std::slice::from_ref(*known)))
    }

    /// Whether a source is read to elsewhere than is said here.
    pub(crate) fn is_behind(&self, read_to: &[KnownSource]) -> bool {
        read_to.iter().any(|known| {
            let position = self.get(known.id.as_str());
            position.is_none_or(|position| position.known.offset != known.offset)
        })
    }

    /// Goes on to where sources are read now, `row_bytes` more of them in rows; gives what a commit has to say of it.
    pub(crate) fn advance(
        &mut self,
        read_to: impl IntoIterator<Item = KnownSource>,
        row_bytes: &RowBytes,
    ) -> Vec<Transaction> {
        let mut transactions = Vec::new();
        for known in read_to {
            let id = known.id.as_str().to_owned();
            let more = row_bytes.get(&id).copied().unwrap_or_default();
            let so_far = match self.sources.get(&id) {
                Some(position) if position.known.offset == known.offset => continue,
                Some(position) => position.row_bytes,
                None => Some(0),
            };
            let position = Position {
                known,
                row_bytes: so_far.map(|bytes| bytes + more),
            };
            transactions.extend(position.transactions());
            self.sources.insert(id, position);
        }
        transactions
    }

    /// Takes rows out of the lake; gives what a commit has to say of it. The offsets stay.
    pub(crate) fn expire(&mut self, row_bytes: &RowBytes) -> Vec<Transaction> {
        let mut transactions = Vec::new();
        for (source, bytes) in row_bytes {
            let Some(position) = self.sources.get_mut(source) else {
                continue;
            };
            position.row_bytes = position.row_bytes.map(|all| all.saturating_sub(*bytes));
            transactions.extend(position.transactions());
        }
        transactions
    }
}

impl Position {
    fn transactions(&self) -> impl Iterator<Item = Transaction> {
        let app_id = format!("{PREFIX}{}", self.known.id);
        let transaction = |app_id: String, number: u64| {
            Transaction::new(app_id, i64::try_from(number).unwrap_or(i64::MAX))
        };
        let rows = self.row_bytes;
        let rows = rows.map(|bytes| transaction(format!("{app_id}{ROWS}"), bytes));
        [
            transaction(format!("{app_id}{ANCHOR}"), self.known.anchor),
            transaction(app_id, self.known.offset),
        ]
        .into_iter()
        .chain(rows)
    }
}

/// The offset of each source at the log's version, by its id.
pub(crate) fn offsets(log: &DeltaLog) -> Result<BTreeMap<String, u64>, Error> {
    let versions = log.transactions()?.iter();
    let offset = |(app_id, offset): (&String, &i64)| {
        let id = app_id.strip_prefix(PREFIX)?;
        id.parse::<SourceId>().ok()?;
        Some((id.to_owned(), offset.unsigned_abs()))
    };
    Ok(versions.filter_map(offset).collect())
}

/// The transaction that says up to which offset a source is in a table.
pub(crate) fn offset_transaction(source: &str, offset: u64) -> Transaction {
    let version = i64::try_from(offset).unwrap_or(i64::MAX);
    Transaction::new(format!("{PREFIX}{source}"), version)
}

/// The application transactions in a batch of actions, by their ids.
pub(crate) fn transactions_in(batch: &RecordBatch) -> Vec<(String, i64)> {
    let column = |of: &StructArray, name| of.column_by_name(name).cloned();
    let Some(txn) = batch
        .column_by_name("txn")
        .and_then(|txn| txn.as_struct_opt())
    else {
        return Vec::new();
    };
    let (Some(ids), Some(versions)) = (column(txn, "appId"), column(txn, "version")) else {
        return Vec::new();
    };
    let (Some(ids), Some(versions)) = (
        ids.as_string_opt::<i32>(),
        versions.as_primitive_opt::<Int64Type>(),
    ) else {
        return Vec::new();
    };
    (0..txn.len())
        .filter(|&row| txn.is_valid(row) && ids.is_valid(row) && versions.is_valid(row))
        .map(|row| (ids.value(row).to_owned(), versions.value(row)))
        .collect()
}
