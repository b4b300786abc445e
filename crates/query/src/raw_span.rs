//! Which files of raw logs need not be read for a question about some time.
//!
//! A server writes a line when a request has ended, so that a log is in order of time but for some disorder. This much disorder is
//! reckoned with, a day of it ([`MARGIN_US`]): lines that wait in the buffers of several processes, requests that take hours and are
//! logged with the time they began (Apache, Tomcat), a file that goes on being written after its rotation, a clock that is set by
//! hours. What a file holds is then told without reading it, from a day before the earliest to a day after the latest time seen in
//!
//! - a plain file: the lines of some places, its first and its last ones among them;
//! - a compressed file: its first lines and those of the next newer file of the same log, as its own end lies behind all of it.
//!   Without a newer file there is no latest time.
//!
//! In doubt a file is read: where the times seen go back by more than a day, be it within a file or from one file to the next newer
//! one, as after a clock was wrong by days or where names are not in the order of time; where at some place no line has a time; where
//! two files hold parts of one source. The times of files are not looked at: a copy has another one, and so may a log that was compressed.
//!
//! What is left is a line whose time is wrong by more than a day, in a file that holds no such line at any place looked at. A
//! question about just that wrong time misses it; one that puts its condition where a table cannot see it, as in
//! `coalesce(time, time) > …`, reads all files.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use floodmark_ingest::{LogSettings, NumberSet};
use floodmark_source::{Compression, Extent, LogFile, Reading, Rotation, SourceId, sample};

/// A day: more than buffers, requests and hands at a clock put out of order, and no more than what most logs are rotated by.
const MARGIN_US: i64 = 86_400 * 1_000_000;

/// Bytes looked at in a plain file, in how many places: a window holds some dozen lines.
const PLAIN_BYTES: usize = 256 << 10;
const PLAIN_PLACES: usize = 16;
/// Bytes looked at in a compressed file, which are decompressed in a fifth of a millisecond.
const COMPRESSED_BYTES: usize = 64 << 10;

/// The readings without those of files that hold no line of the times asked for: of none that all sets have.
pub(crate) fn within(
    readings: Vec<Reading>,
    settings: &HashMap<PathBuf, Arc<LogSettings>>,
    times: &[&NumberSet],
) -> Vec<Reading> {
    let looks: Vec<Option<Look>> = readings
        .iter()
        .map(|reading| Look::at(&reading.file, settings.get(&reading.file.path)?))
        .collect();
    let mut files_of: HashMap<&SourceId, usize> = HashMap::new();
    for segment in readings
        .iter()
        .filter_map(|reading| reading.segment.as_ref())
    {
        *files_of.entry(&segment.source).or_default() += 1;
    }
    let may_have = |at: usize| {
        let segment = readings[at].segment.as_ref();
        let is_alone = segment.is_some_and(|segment| files_of[&segment.source] == 1);
        match span(at, &readings, &looks).filter(|_| is_alone) {
            Some(span) => times.iter().all(|times| times.meets(&span)),
            None => true,
        }
    };
    let is_read: Vec<bool> = (0..readings.len()).map(may_have).collect();
    let mut is_read = is_read.into_iter();
    let mut readings = readings;
    readings.retain(|_| is_read.next().unwrap_or(true));
    readings
}

/// The times seen in a file, microseconds since the epoch.
struct Look {
    first_us: i64,
    least_us: i64,
    greatest_us: i64,
    /// Whether the last lines are among those looked at.
    has_end: bool,
}

impl Look {
    /// `None` where the times cannot be told, or go back by more than the margin.
    fn at(file: &LogFile, settings: &LogSettings) -> Option<Self> {
        let (bytes_max, places) = match file.compression {
            Compression::Plain => (PLAIN_BYTES, PLAIN_PLACES),
            Compression::Gzip | Compression::Zstd => (COMPRESSED_BYTES, 1),
        };
        let sample = sample(file, bytes_max, places).ok()?;
        let mut look: Option<Self> = None;
        for place in sample.places() {
            let mut times = settings.times_us(place).peekable();
            times.peek()?;
            for time_us in times {
                let look = look.get_or_insert(Self {
                    first_us: time_us,
                    least_us: time_us,
                    greatest_us: time_us,
                    has_end: sample.extent != Extent::Head,
                });
                if time_us < look.greatest_us - MARGIN_US {
                    return None;
                }
                look.least_us = look.least_us.min(time_us);
                look.greatest_us = look.greatest_us.max(time_us);
            }
        }
        look
    }
}

/// From when to when the lines of a file can be; `None` if that cannot be told.
fn span(at: usize, readings: &[Reading], looks: &[Option<Look>]) -> Option<RangeInclusive<i64>> {
    let look = looks[at].as_ref()?;
    let end_us = match look.has_end {
        true => look.greatest_us + MARGIN_US,
        false => newer(at, readings, looks).map_or(i64::MAX, |newer| {
            newer.first_us.max(look.greatest_us) + MARGIN_US
        }),
    };
    Some(look.least_us - MARGIN_US..=end_us)
}

/// The next newer file of the same log whose times can be told; `None` if it seems to be older.
fn newer<'l>(at: usize, readings: &[Reading], looks: &'l [Option<Look>]) -> Option<&'l Look> {
    let (older, look) = (&readings[at].file, looks[at].as_ref()?);
    let mut later = readings.iter().zip(looks).skip(at + 1);
    let newer = later.find_map(|(reading, look)| {
        let look = look.as_ref()?;
        is_newer(&reading.file, older).then_some(look)
    });
    newer.filter(|newer| newer.first_us >= look.greatest_us - MARGIN_US)
}

/// Whether a file was begun when another one of the same log was rotated away, or later.
fn is_newer(file: &LogFile, older: &LogFile) -> bool {
    let is_of_log = file.log_set == older.log_set && file.path.parent() == older.path.parent();
    let is_newer = match (older.rotation, file.rotation) {
        (Rotation::Number(older), Rotation::Number(newer)) => newer < older,
        (Rotation::Date { epoch_s: older }, Rotation::Date { epoch_s: newer }) => newer > older,
        (Rotation::Number(_) | Rotation::Date { .. } | Rotation::Old, Rotation::Live) => true,
        _ => false,
    };
    is_of_log && is_newer
}
