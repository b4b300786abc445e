//! Which sources are followed, and until when their logs were looked at: application transactions of the Delta log.
//!
//! The first design had a row of kind `seen` for each look. A row says more than is asked: only the last look at a log tells how far it is
//! covered, and looks at a quiet log would be all that a lake's commits hold.

use std::collections::BTreeMap;

use deltalake::kernel::Transaction;
use floodmark_source::{Followed, SourceId};

use crate::delta_log::DeltaLog;
use crate::positions::PREFIX;

/// An id of a source ends so where the version is the time of the look at which it was live, or 0 once it has ended.
pub(crate) const LIVE: &str = "/live";
/// The id of a log set begins so; the version is the time of the last look at it.
const SEEN: &str = "floodmark-seen/";

/// The logs that are followed into a lake, as it knows them. Times are microseconds since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looks {
    /// When each live source was looked at.
    pub live: BTreeMap<SourceId, i64>,
    /// When each log set was looked at, by its name.
    pub seen: BTreeMap<String, i64>,
}

/// A look at logs that are followed, to be committed with what it found.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// When it began, microseconds since the epoch.
    pub at_us: i64,
    /// What it found.
    pub found: Followed,
    /// Whether it is to be committed although no line came.
    pub is_due: bool,
}

impl Looks {
    pub(crate) fn of(log: &DeltaLog) -> Result<Self, crate::Error> {
        let mut looks = Self::default();
        for (app_id, &at_us) in log.transactions()? {
            if let Some(log_set) = app_id.strip_prefix(SEEN) {
                looks.seen.insert(log_set.to_owned(), at_us);
            }
            let source = app_id.strip_prefix(PREFIX);
            let source = source.and_then(|id| id.strip_suffix(LIVE)?.parse().ok());
            if let Some(source) = source.filter(|_| at_us > 0) {
                looks.live.insert(source, at_us);
            }
        }
        Ok(looks)
    }
}

impl Look {
    /// What is true before any line is read: these sources are followed no more.
    pub(crate) fn before(&self) -> impl Iterator<Item = Transaction> {
        let lost = self.found.lost.iter().map(|lost| &lost.source);
        let over = self.found.ended.iter().chain(lost);
        over.map(|source| live(source, 0))
    }

    /// What is true when all lines are read.
    pub(crate) fn after(&self) -> impl Iterator<Item = Transaction> {
        let live = self
            .found
            .live
            .iter()
            .map(|source| live(source, self.at_us));
        let seen = self.found.log_sets.iter();
        let seen = seen.map(|log_set| Transaction::new(format!("{SEEN}{log_set}"), self.at_us));
        live.chain(seen)
    }
}

fn live(source: &SourceId, at_us: i64) -> Transaction {
    Transaction::new(format!("{PREFIX}{source}{LIVE}"), at_us)
}
