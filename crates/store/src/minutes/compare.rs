//! Minutes beside the lines that they count.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::sum;
use arrow::datatypes::Int64Type;
use datafusion::prelude::SessionContext;
use floodmark_ingest::MinuteCounts;

use super::merge::{counted_of, days_of};
use super::session;
use super::uncounted::Uncounted;
use crate::day::Day;
use crate::table::{LakeFile, LakeTable};
use crate::{Error, Lake};

/// The minutes of a day beside its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Compared {
    /// They are what counting its lines gives.
    Equal,
    /// Its lines have expired, or some of them.
    Expired,
    /// A column adds up to something else.
    OtherSums {
        column: String,
        expected: i64,
        found: i64,
    },
    /// All columns add up, and one has other values.
    OtherValues { column: String },
}

/// What is compared, at one version.
pub(crate) struct Comparison {
    counted: LakeTable,
    /// All lines.
    lines: Uncounted,
    /// Those that the table of minutes has not counted yet, if any.
    uncounted: Option<Uncounted>,
    /// The days of the lines.
    with_lines: BTreeSet<Day>,
    /// The last day that was let go of.
    expired_to: Option<Day>,
    session: SessionContext,
}

impl Lake {
    /// What is needed to compare minutes with lines; `None` in a lake without a table of minutes. `threads` read files.
    pub(crate) async fn comparison(&self, threads: usize) -> Result<Option<Comparison>, Error> {
        let Some(counted) = self.counted().await? else {
            return Ok(None);
        };
        let all = self.read_to()?.into_keys().map(|id| (id, 0)).collect();
        let lines = Uncounted::new(self.lines().await?, all);
        Ok(Some(Comparison {
            counted,
            with_lines: lines.days().into_iter().collect(),
            lines,
            uncounted: self.uncounted().await?,
            expired_to: self.expired_to()?,
            session: session(threads),
        }))
    }
}

impl Comparison {
    /// All days that may have lines or minutes.
    pub(crate) fn days(&self) -> BTreeSet<Day> {
        let mut days = self.with_lines.clone();
        days.extend(days_of(&self.files()));
        days
    }

    /// Compares one of them; `None` if it has neither. In memory are its minutes, some times over.
    pub(crate) async fn day(&self, day: Day) -> Result<Option<Compared>, Error> {
        let lines = self.count(&self.lines, day).await?;
        let mut found = counted_of(&self.counted, &self.files(), day, &self.session).await?;
        if let Some(uncounted) = &self.uncounted {
            found.merge(self.count(uncounted, day).await?);
        }
        if lines.is_empty() && found.is_empty() {
            return Ok(None);
        }
        let has_expired = match self.expired_to {
            Some(last) => day <= last && day.0.is_some(),
            // Whoever let go of them did not say so.
            None => lines.is_empty(),
        };
        Ok(Some(match difference(&lines.rows()?, &found.rows()?) {
            None => Compared::Equal,
            Some(_) if has_expired && lines.requests() <= found.requests() => Compared::Expired,
            Some(difference) => difference,
        }))
    }

    fn files(&self) -> Vec<&LakeFile> {
        self.counted.files.iter().collect()
    }

    async fn count(&self, lines: &Uncounted, day: Day) -> Result<MinuteCounts, Error> {
        if !self.with_lines.contains(&day) {
            return Ok(MinuteCounts::default());
        }
        let day = lines.day(&self.session.state(), day)?;
        Ok(day.count(self.session.task_ctx()).await?)
    }
}

/// How rows of minutes differ, if they do.
fn difference(expected: &RecordBatch, found: &RecordBatch) -> Option<Compared> {
    let schema = expected.schema_ref();
    let columns = || {
        let names = schema.fields().iter().map(|field| field.name().clone());
        names.zip(expected.columns().iter().zip(found.columns()))
    };
    let sum_of = |column: &dyn Array| {
        let numbers = column.as_primitive_opt::<Int64Type>()?;
        Some(sum(numbers).unwrap_or_default())
    };
    let mut sums = columns()
        .filter_map(|(name, (expected, found))| Some((name, sum_of(expected)?, sum_of(found)?)));
    if let Some((column, expected, found)) = sums.find(|(_, expected, found)| expected != found) {
        return Some(Compared::OtherSums {
            column,
            expected,
            found,
        });
    }
    let (column, _) = columns().find(|(_, (expected, found))| expected != found)?;
    Some(Compared::OtherValues { column })
}
