//! Minutes counted anew from the lines.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use deltalake::kernel::Action;
use deltalake::protocol::{DeltaOperation, SaveMode};
use floodmark_ingest::MinuteCounts;
use futures::TryStreamExt;

use super::files::MonthFiles;
use super::merge::{counted_of, days_of};
use super::uncounted::Uncounted;
use super::{MINUTE, MONTH, Offsets, session};
use crate::commit::{CONFLICTS_MAX, add};
use crate::day::Day;
use crate::destination::Destination;
use crate::location::MINUTES;
use crate::part::Written;
use crate::table::{LakeFile, LakeTable};
use crate::{Error, Lake};

/// What became of the days that were to be counted anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Those that were, as `2026-11-16`, in order.
    pub rebuilt: Vec<String>,
    /// Those that were not, in order.
    pub refused: Vec<(String, Refusal)>,
}

/// Why the minutes of a day were left as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The lake has neither lines nor minutes of it.
    NotCovered,
    /// The lake does not have all of its lines any more: its minutes count more requests.
    Expired {
        /// Requests among its lines.
        lines: u64,
        /// Requests counted by its minutes.
        minutes: u64,
    },
    /// Some of its minutes are in a damaged file, beside those of days whose lines have expired: these would be lost.
    Damaged,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCovered => f.write_str("the lake has no lines of it"),
            Self::Damaged => f.write_str(
                "some are in a damaged file, beside those of days whose lines have expired; bring it back from a copy of the lake",
            ),
            Self::Expired { lines: 0, .. } => f.write_str("its lines have expired"),
            Self::Expired { lines, minutes } => write!(
                f,
                "the lake has lines of {lines} of the {minutes} requests that its minutes count"
            ),
        }
    }
}

/// What the lake holds at one version.
struct Held {
    /// Minutes, those of damaged files left out.
    counted: LakeTable,
    /// Files of minutes that do not hold what was written.
    damaged: Vec<LakeFile>,
    /// The last day whose lines were let go of.
    expired_to: Option<Day>,
    lines: Uncounted,
    /// Requests that minutes count, by day.
    requests: BTreeMap<Day, u64>,
    /// Days with lines.
    with_lines: Vec<Day>,
}

/// Months that are written anew.
#[derive(Default)]
struct Anew<'held> {
    files: Vec<Written>,
    /// What these take the place of.
    replaced: Vec<&'held LakeFile>,
    days: Rebuilt,
}

impl Anew<'_> {
    /// Whether the lines of a day are all there; says so in its account.
    fn takes(&mut self, day: Day, lines: u64, minutes: Option<u64>) -> bool {
        let name = day.text().unwrap_or_default();
        let minutes = minutes.unwrap_or_default();
        if lines < minutes {
            let refusal = Refusal::Expired { lines, minutes };
            self.days.refused.push((name, refusal));
        } else if lines == 0 {
            self.days.refused.push((name, Refusal::NotCovered));
        } else {
            self.days.rebuilt.push(name);
            return true;
        }
        false
    }

    fn refuse_damaged(&mut self, days: impl Iterator<Item = Day>) {
        let names = days.map(|day| day.text().unwrap_or_default());
        let refused = names.map(|name| (name, Refusal::Damaged));
        self.days.refused.extend(refused);
    }

    /// Drops what was written, as something failed.
    async fn dropped(self, destination: &Destination, error: Error) -> Error {
        destination.discard(&self.files).await;
        error
    }
}

impl Lake {
    /// Counts the minutes of days anew, of those whose lines are all in the lake, and puts them in place of the old ones in one commit.
    /// The other days are refused. `days` are written `2026-11-16`; without them all days that have lines or minutes are asked for.
    ///
    /// # Errors
    ///
    /// A text is no day, the lake cannot be read or written, or others kept committing to it.
    pub async fn rebuild_minutes(
        &mut self,
        days: &[String],
        threads: usize,
    ) -> Result<Rebuilt, Error> {
        let asked = days
            .iter()
            .map(|day| Day::parse(day).ok_or_else(|| Error::NotADay { found: day.clone() }));
        let asked: Vec<Day> = asked.collect::<Result<_, _>>()?;
        let session = session(threads);
        for _ in 0..CONFLICTS_MAX {
            self.count_minutes(threads).await?;
            let held = self.held(&session).await?;
            let asked = match asked.is_empty() {
                true => held.all_days(),
                false => asked.clone(),
            };
            let destination = self.root.destination(MINUTES);
            let anew = held.anew(&asked, &destination, &session).await?;
            if self.replace_minutes(&anew).await? {
                return Ok(anew.days);
            }
            destination.discard(&anew.files).await;
            self.refresh()?;
        }
        Err(Error::Conflict {
            committed: Box::default(),
        })
    }

    async fn held(&self, session: &SessionContext) -> Result<Held, Error> {
        let mut counted = self.counted().await?.ok_or(Error::NoMinutes)?;
        let damaged = self.damaged_minutes().await?;
        let is_damaged = |file: &mut LakeFile| damaged.contains(&file.relative);
        let damaged = counted.files.extract_if(.., is_damaged).collect();
        let all = self.read_to()?.into_keys().map(|id| (id, 0)).collect();
        let lines = Uncounted::new(self.lines().await?, all);
        Ok(Held {
            requests: requests(&counted, session).await?,
            damaged,
            expired_to: self.expired_to()?,
            with_lines: lines.days(),
            counted,
            lines,
        })
    }

    /// The names of files of minutes that do not hold what was written.
    async fn damaged_minutes(&self) -> Result<HashSet<String>, Error> {
        let mut damaged = HashSet::new();
        let Some(table) = self.minute_table() else {
            return Ok(damaged);
        };
        for file in table.files().await? {
            if file.check(table.store().as_ref()).await.is_err() {
                damaged.insert(file.name().to_owned());
            }
        }
        Ok(damaged)
    }

    async fn replace_minutes(&mut self, anew: &Anew<'_>) -> Result<bool, Error> {
        let files = anew.files.iter();
        let adds = files.map(|file| Action::Add(add(file, MONTH, MINUTE)));
        let removed = self.removals(&anew.replaced, true).await?;
        let actions = adds.chain(removed.into_iter().map(Action::Remove));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Overwrite,
            partition_by: Some(vec![MONTH.to_owned()]),
            predicate: None,
        };
        let actions = actions.collect();
        self.commit_to_minutes(actions, &Offsets::new(), operation)
            .await
    }
}

impl Held {
    fn all_days(&self) -> Vec<Day> {
        let mut days: Vec<Day> = self.requests.keys().copied().collect();
        days.extend(&self.with_lines);
        days.retain(|day| day.0.is_some());
        days.sort_unstable();
        days.dedup();
        days
    }

    /// Writes the months of these days anew.
    async fn anew(
        &self,
        asked: &[Day],
        destination: &Destination,
        session: &SessionContext,
    ) -> Result<Anew<'_>, Error> {
        let mut months: BTreeMap<Day, Vec<Day>> = BTreeMap::new();
        for day in asked {
            months.entry(day.month()).or_default().push(*day);
        }
        let mut anew = Anew::default();
        for (month, asked) in months {
            let mut files = MonthFiles::new(destination);
            let written = self
                .month(month, &asked, &mut anew, &mut files, session)
                .await;
            match written {
                Ok(true) => match files.finish(Ok(())).await {
                    Ok(files) => anew.files.extend(files),
                    Err(error) => return Err(anew.dropped(destination, error).await),
                },
                Ok(false) => files.discard(),
                Err(error) => {
                    files.discard();
                    return Err(anew.dropped(destination, error).await);
                }
            }
        }
        Ok(anew)
    }

    /// Writes a month anew, days that are not asked for or are refused as they were; false if all are. A damaged file is replaced if the lines of
    /// all of its days are there, and these are counted as if they were asked for.
    async fn month<'held>(
        &'held self,
        month: Day,
        asked: &[Day],
        anew: &mut Anew<'held>,
        files: &mut MonthFiles<'_>,
        session: &SessionContext,
    ) -> Result<bool, Error> {
        let damaged = self.damaged.iter().filter(|file| file.day == month);
        let damaged: Vec<&LakeFile> = damaged.collect();
        let of_damaged = days_of(&damaged);
        let is_lost = of_damaged.iter().any(|day| self.has_expired(*day));
        let mut asked = asked.to_vec();
        if is_lost {
            anew.refuse_damaged(asked.extract_if(.., |day| of_damaged.contains(day)));
        } else {
            let with_lines = self.with_lines.iter();
            asked.extend(with_lines.filter(|day| of_damaged.contains(day)));
        }
        let has_lines = asked.iter().any(|day| self.with_lines.contains(day));
        let old = self.counted.files.iter().filter(|file| file.day == month);
        let old: Vec<&LakeFile> = old.collect();
        let mut days = match has_lines {
            true => days_of(&old),
            false => Vec::new(),
        };
        days.extend(&asked);
        days.sort_unstable();
        days.dedup();
        let mut is_new = false;
        for day in days {
            let lines = match asked.contains(&day) {
                true => Some(self.lines_of(day, session).await?),
                false => None,
            };
            if let Some(lines) = lines
                && anew.takes(day, lines.requests(), self.requests.get(&day).copied())
            {
                files.write(&lines.rows()?)?;
                is_new = true;
            } else if has_lines {
                let kept = counted_of(&self.counted, &old, day, session).await?;
                files.write(&kept.rows()?)?;
            }
        }
        if is_new {
            anew.replaced.extend(old);
        }
        if is_new && !is_lost {
            anew.replaced.extend(damaged);
        }
        Ok(is_new)
    }

    /// Whether lines of a day were let go of, by us or by another program.
    fn has_expired(&self, day: Day) -> bool {
        let is_left = self.requests.contains_key(&day) && !self.with_lines.contains(&day);
        is_left || Some(day) <= self.expired_to
    }

    async fn lines_of(&self, day: Day, session: &SessionContext) -> Result<MinuteCounts, Error> {
        if !self.with_lines.contains(&day) {
            return Ok(MinuteCounts::default());
        }
        let day = self.lines.day(&session.state(), day)?;
        Ok(day.count(session.task_ctx()).await?)
    }
}

/// Requests that minutes count, by day.
async fn requests(
    counted: &LakeTable,
    session: &SessionContext,
) -> Result<BTreeMap<Day, u64>, Error> {
    let columns = counted.places([MINUTE, "total"].into_iter());
    let files = counted.files.iter();
    let plan = counted.plan(&session.state(), files, None, Some(columns), None)?;
    let mut rows = execute_stream(plan, session.task_ctx())?;
    let mut requests: BTreeMap<Day, u64> = BTreeMap::new();
    while let Some(rows) = rows.try_next().await? {
        let minutes = rows.column(0).as_primitive::<TimestampMicrosecondType>();
        let totals = rows.column(1).as_primitive::<Int64Type>();
        for (minute, total) in minutes.iter().zip(totals) {
            let day = minute.map_or(Day(None), Day::of);
            *requests.entry(day).or_default() += total.unwrap_or_default().unsigned_abs();
        }
    }
    Ok(requests)
}
