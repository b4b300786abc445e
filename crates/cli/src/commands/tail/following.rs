//! Logs that are followed: what a look at them says to the lake, and when the next one is due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use floodmark_ingest::Gap;
use floodmark_source::{Follower, KnownSource, Lost, Moment, Reading, sample};
use floodmark_store::{Lake, Look};
use tokio::time::Instant;

use crate::clock;
use crate::commands::tail::Supervised;
use crate::formats::shown;
use crate::logs::Logs;
use crate::plan::Plan;
use crate::say::{moment, number};

/// A look that found nothing new is committed this often, so that the lake knows a quiet log from one that nobody looks at.
const SEEN_EVERY: Duration = Duration::from_secs(5 * 60);
/// Where something is missing, the next look is not later than this.
const MISSING_AFTER: Duration = Duration::from_secs(1);
/// Of the log that took the place of a lost one, so much is looked at for its first time.
const HEAD_BYTES: usize = 64 << 10;

/// The looks at some logs.
#[derive(Debug)]
pub(crate) struct Following {
    follower: Follower,
    supervised: Arc<Supervised>,
    began: Instant,
    /// When the lake was told of one.
    told: Option<Instant>,
    /// When one began.
    looked: Option<Instant>,
    /// By log set, the formats that its log was read by.
    formats: BTreeMap<String, BTreeSet<String>>,
}

impl Following {
    pub(super) fn new(supervised: &Arc<Supervised>) -> Self {
        Self {
            follower: Follower::default(),
            supervised: Arc::clone(supervised),
            began: Instant::now(),
            told: None,
            looked: None,
            formats: BTreeMap::new(),
        }
    }

    /// Who is told of how it goes.
    pub(crate) fn supervised(&self) -> Arc<Supervised> {
        Arc::clone(&self.supervised)
    }

    /// Begins a look: the logs to look at.
    pub(super) fn begin(&mut self, logs: &[String]) -> Vec<String> {
        self.looked = Some(Instant::now());
        self.follower.with_earlier(logs)
    }

    /// Whether it is time for a look although nothing has changed.
    pub(super) fn is_due(&self) -> bool {
        let after = match self.is_missing_something() {
            true => MISSING_AFTER,
            false => SEEN_EVERY,
        };
        is_past(self.looked, after)
    }

    pub(super) fn is_missing_something(&self) -> bool {
        self.follower.is_missing_something()
    }

    /// What a pass over the logs is to commit beside their lines; `None` where a log cannot be read.
    pub(crate) fn look(
        &mut self,
        plan: &Plan,
        lake: &Lake,
        known: &[KnownSource],
        logs: &Logs,
        readings: &[Reading],
    ) -> Result<Option<(Look, Vec<Gap>)>> {
        if logs.failed() > 0 {
            return Ok(None);
        }
        self.say_new_formats(plan, logs);
        let now = Moment {
            time_us: clock::now_ms() * 1_000,
            running: self.began.elapsed(),
        };
        let looks = lake.looks()?;
        let found = self.follower.look(readings, &looks.live, now);
        let gaps: Vec<Gap> = found
            .lost
            .iter()
            .map(|lost| gap(lost, known, logs))
            .collect();
        for gap in &gaps {
            plan.voice.warn(&format!(
                "lines may be lost: {} was read up to byte {} until {}, and no file holds it any more; covered again from {} on",
                gap.source,
                number(gap.line_offset),
                moment(gap.since_us, plan.tz),
                moment(gap.until_us, plan.tz),
            ));
        }
        let is_news = |source| !looks.live.contains_key(source);
        let look = Look {
            at_us: now.time_us,
            is_due: found.live.iter().any(is_news)
                || !(found.ended.is_empty() && found.lost.is_empty())
                || is_past(self.told, SEEN_EVERY),
            found,
        };
        Ok(Some((look, gaps)))
    }

    /// Nginx was told to write another format, or something else writes into its log.
    fn say_new_formats(&mut self, plan: &Plan, logs: &Logs) {
        for (file, settings) in logs.files.iter().filter(|(file, _)| file.is_live()) {
            let formats: BTreeSet<String> =
                settings.formats().map(shown).map(str::to_owned).collect();
            let known = self.formats.entry(file.log_set.clone());
            let known = known.or_insert_with(|| formats.clone());
            for format in formats.difference(known) {
                plan.voice.warn_once(&format!(
                    "{}: lines of another format, `{format}`, from now on",
                    file.path.display()
                ));
            }
            known.extend(formats);
        }
    }

    /// A pass is over, and its look committed if it was due.
    pub(crate) fn committed(&mut self, look: &Look) {
        self.follower.committed(&look.found, look.at_us);
        if look.is_due {
            self.told = Some(Instant::now());
        }
    }
}

/// From when the source was known to its end until the first line of what took its place, or until it was missed.
fn gap(lost: &Lost, known: &[KnownSource], logs: &Logs) -> Gap {
    let known = known.iter().find(|known| known.id == lost.source);
    let first_us = first_time_us(logs, lost).unwrap_or(lost.missed_us);
    Gap {
        source: lost.source.clone(),
        line_offset: known.map_or(0, |known| known.offset),
        since_us: lost.since_us,
        until_us: first_us.min(lost.missed_us).max(lost.since_us),
    }
}

fn first_time_us(logs: &Logs, lost: &Lost) -> Option<i64> {
    let successor = lost.successor.as_ref()?;
    let mut files = logs.files.iter();
    let (file, settings) = files.find(|(file, _)| file.path == *successor)?;
    let head = sample(file, HEAD_BYTES, 1).ok()?;
    settings.times_us(&head.bytes).next()
}

/// Whether something was so long ago, or never.
fn is_past(then: Option<Instant>, after: Duration) -> bool {
    then.is_none_or(|then| then.elapsed() >= after)
}
