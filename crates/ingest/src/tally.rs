//! What became of the lines: `lines = requests + rejects + blank`.

use std::collections::BTreeMap;

/// A rejected line, kept as an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectSample {
    /// The file it was read from.
    pub file: String,
    /// Offset of its first byte in the file, decompressed.
    pub file_offset: u64,
    /// Why it was rejected, as a person reads it.
    pub message: String,
}

/// Rejects of one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejects {
    /// How many.
    pub count: u64,
    /// The first few in file order.
    pub samples: Vec<RejectSample>,
}

/// Lines of one file that one of its formats read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatLines {
    /// How many.
    pub count: u64,
    /// Offset of the first one in the file, decompressed.
    pub first_offset: u64,
    /// Time of the first one, microseconds since the epoch, if its format has a time.
    pub first_time_us: Option<i64>,
    /// Offset of the last one in the file, decompressed.
    pub last_offset: u64,
}

impl FormatLines {
    pub(crate) fn one(offset: u64, time_us: Option<i64>) -> Self {
        Self {
            count: 1,
            first_offset: offset,
            first_time_us: time_us,
            last_offset: offset,
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        if other.first_offset < self.first_offset {
            self.first_offset = other.first_offset;
            self.first_time_us = other.first_time_us;
        }
        self.last_offset = self.last_offset.max(other.last_offset);
    }
}

/// Samples kept for each reason.
pub const REJECT_SAMPLES_MAX: usize = 3;

/// Counts of lines by what became of them; adds up over blocks in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// All lines.
    pub lines: u64,
    /// Lines that are a row of `requests`.
    pub requests: u64,
    /// Empty lines.
    pub blank: u64,
    /// Lines that are a row of `rejects`, by reason.
    pub rejects: BTreeMap<&'static str, Rejects>,
    /// Requests of the files whose logs have more than one format, by the file and the format's index in
    /// [`LogSettings::formats`](crate::LogSettings::formats).
    pub formats: BTreeMap<(String, usize), FormatLines>,
    /// Values that did not fit their column and are NULL.
    pub out_of_range: u64,
    /// Time of the earliest and the latest request, microseconds since the epoch.
    pub time_range_us: Option<(i64, i64)>,
    /// Requests by the offset from UTC that their line was written with, in seconds east.
    pub zones: BTreeMap<i32, u64>,
    /// Bytes of all lines with their newlines, decompressed.
    pub bytes: u64,
}

impl Tally {
    /// Rejects of all reasons.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejects.values().map(|rejects| rejects.count).sum()
    }

    /// Adds the counts of another tally.
    pub fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.requests += other.requests;
        self.blank += other.blank;
        self.out_of_range += other.out_of_range;
        self.bytes += other.bytes;
        for (zone, lines) in other.zones {
            *self.zones.entry(zone).or_default() += lines;
        }
        for (format, lines) in other.formats {
            self.formats
                .entry(format)
                .and_modify(|ours| ours.add(lines))
                .or_insert(lines);
        }
        for (reason, theirs) in other.rejects {
            let ours = self.rejects.entry(reason).or_default();
            ours.count += theirs.count;
            ours.samples.extend(theirs.samples);
            ours.samples
                .sort_by(|a, b| (&a.file, a.file_offset).cmp(&(&b.file, b.file_offset)));
            ours.samples.truncate(REJECT_SAMPLES_MAX);
        }
        self.time_range_us = match (self.time_range_us, other.time_range_us) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (range, None) | (None, range) => range,
        };
    }

    pub(crate) fn saw_time(&mut self, time_us: i64) {
        self.time_range_us = Some(match self.time_range_us {
            Some((first, last)) => (first.min(time_us), last.max(time_us)),
            None => (time_us, time_us),
        });
    }

    /// Whether an example of this reason is still wanted.
    pub(crate) fn wants_sample(&self, reason: &str) -> bool {
        self.rejects
            .get(reason)
            .is_none_or(|rejects| rejects.samples.len() < REJECT_SAMPLES_MAX)
    }

    pub(crate) fn reject(&mut self, reason: &'static str, sample: impl FnOnce() -> RejectSample) {
        let rejects = self.rejects.entry(reason).or_default();
        rejects.count += 1;
        if rejects.samples.len() < REJECT_SAMPLES_MAX {
            rejects.samples.push(sample());
        }
    }
}
