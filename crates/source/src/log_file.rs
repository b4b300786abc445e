//! One file of a log set, and what its name says: the set and the place in the rotation.

use std::path::{Path, PathBuf};

use crate::KnownSource;
use crate::seen::Stamp;

/// A file, pipe or standard input with log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Where it is; `-` is standard input.
    pub path: PathBuf,
    /// The set of a source that begins in this file. Bytes that belong to a known source keep that source's
    /// set: see [`SourceId::log_set`](crate::SourceId::log_set).
    pub log_set: String,
    /// By its first bytes. For a pipe or standard input it is known once [`plan`](crate::plan) has read them.
    pub compression: Compression,
    /// By its name.
    pub rotation: Rotation,
    /// Size on disk in bytes, compressed as it is; `None` for a pipe or standard input.
    pub disk_bytes: Option<u64>,
    /// Tells one file from another whatever their names; `None` for a pipe or standard input.
    pub identity: Option<FileIdentity>,
    /// Where it ends in its source, if it has not changed since it was read to its end.
    pub unchanged: Option<KnownSource>,
    /// What tells next time whether it has; `None` where nobody asks, and for a pipe or standard input.
    pub(crate) stamp: Option<Stamp>,
}

impl LogFile {
    /// Whether it can be read only once, from front to end.
    pub fn is_stream(&self) -> bool {
        self.identity.is_none()
    }

    /// Whether its path is `-`.
    pub fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Whether a server may still be writing it, as far as name and content show.
    pub fn is_live(&self) -> bool {
        self.rotation == Rotation::Live
            && self.compression == Compression::Plain
            && !self.is_stream()
    }
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// Any number of gzip members.
    Gzip,
    /// Any number of zstd frames.
    Zstd,
}

impl Compression {
    /// The command that makes such files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// The place of a file in the rotation of its log set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// `access.log`: the one being written.
    Live,
    /// `access.log.old`.
    Old,
    /// `access.log.3`: higher is older.
    Number(u64),
    /// `access.log-20240131`: the date and, where given, time in the name, read as UTC, in seconds since 1970.
    Date {
        /// Seconds since 1970.
        epoch_s: i64,
    },
}

impl Rotation {
    /// Sorts the oldest first.
    pub(crate) fn age(self) -> (u8, i64) {
        match self {
            Self::Date { epoch_s } => (0, epoch_s),
            Self::Number(number) => (1, -i64::try_from(number).unwrap_or(i64::MAX)),
            Self::Old => (2, 0),
            Self::Live => (3, 0),
        }
    }
}

/// Device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// The file name without what compression and rotation added, and the place in the rotation.
pub(crate) fn split_name(name: &str) -> (String, Rotation) {
    let name = [".gz", ".zst", ".zstd"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name);
    if let Some(set) = name.strip_suffix(".old").filter(|set| !set.is_empty()) {
        return (set.to_owned(), Rotation::Old);
    }
    if let Some((set, rotation)) = split_suffix(name, 4) {
        return (set.to_owned(), rotation);
    }
    // logrotate's `extension .log` and Tomcat keep the extension last: access-20240131.log.
    for extension in [".log", ".txt", ".json"] {
        if let Some((set, rotation)) = name
            .strip_suffix(extension)
            .and_then(|stem| split_suffix(stem, 3))
        {
            return (format!("{set}{extension}"), rotation);
        }
    }
    (name.to_owned(), Rotation::Live)
}

/// Splits the longest rotation suffix off. A number may have `digits_max` digits, so that a port in the middle
/// of a name (`access.8443.log`) is not taken for one.
fn split_suffix(name: &str, digits_max: usize) -> Option<(&str, Rotation)> {
    name.match_indices(['.', '-', '_'])
        .filter(|(at, _)| *at > 0)
        .find_map(|(at, separator)| {
            let suffix = &name[at + 1..];
            let number = || {
                let fits =
                    separator == "." && (1..=digits_max).contains(&suffix.len()) && digits(suffix);
                fits.then(|| suffix.parse().ok().map(Rotation::Number))
                    .flatten()
            };
            let rotation = date(suffix)
                .map(|epoch_s| Rotation::Date { epoch_s })
                .or_else(number)?;
            Some((&name[..at], rotation))
        })
}

/// `20240131`, `2024-01-31`, either with hour, minute, second, or `%s` after it, or `%s` alone.
fn date(text: &str) -> Option<i64> {
    if let Some((day, epoch)) = text.rsplit_once('-')
        && epoch.len() == 10
        && date(day).is_some()
    {
        return epoch_s(epoch);
    }
    let packed: String = text
        .chars()
        .filter(|c| !matches!(c, '-' | '_' | '.' | ':' | 'T'))
        .collect();
    // Between the parts at most one separator each, and none but there.
    if !digits(&packed)
        || text.starts_with(|c: char| !c.is_ascii_digit())
        || text.len() > packed.len() + 5
    {
        return None;
    }
    let part = |from: usize, to: usize| {
        packed
            .get(from..to)
            .map_or(Some(0), |digits| digits.parse::<i64>().ok())
    };
    if !matches!(packed.len(), 8 | 10 | 12 | 14) {
        return None;
    }
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let in_range = (1990..2200).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if in_range {
        Some(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
    } else {
        epoch_s(text)
    }
}

/// `%s` of the years 2001 to 2096.
fn epoch_s(text: &str) -> Option<i64> {
    (text.len() == 10 && digits(text))
        .then(|| text.parse().ok())
        .flatten()
        .filter(|s| *s < 4_000_000_000_i64)
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March, so that the leap day comes last.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, log_set: &str, rotation: Rotation) {
        assert_eq!(split_name(name), (log_set.to_owned(), rotation), "{name}");
    }

    const JAN_31: Rotation = Rotation::Date {
        epoch_s: 1_706_659_200,
    };

    #[test]
    fn names_without_rotation_are_live() {
        for name in [
            "access.log",
            "access_log",
            "edge",
            "access.8443.log",
            "site-8443-access.log",
            ".old",
            "access-v2.log",
        ] {
            check(name, name, Rotation::Live);
        }
        check("access.log.gz", "access.log", Rotation::Live);
    }

    #[test]
    fn numbers() {
        check("access.log.1", "access.log", Rotation::Number(1));
        check("access.log.12.gz", "access.log", Rotation::Number(12));
        check("access.log.3.zst", "access.log", Rotation::Number(3));
        check("access.2.log", "access.log", Rotation::Number(2));
        check("access.log.old", "access.log", Rotation::Old);
    }

    #[test]
    fn dates() {
        check("access.log-20240131", "access.log", JAN_31);
        check("access.log-20240131.gz", "access.log", JAN_31);
        check("access.log.2024-01-31", "access.log", JAN_31);
        check("access-20240131.log", "access.log", JAN_31);
        check(
            "site-8080_access.log-20240131",
            "site-8080_access.log",
            JAN_31,
        );
        check(
            "localhost_access_log.2024-01-31.txt",
            "localhost_access_log.txt",
            JAN_31,
        );
        check("access.log-20240131-1706659200.gz", "access.log", JAN_31);
        check("access.log.1706659200", "access.log", JAN_31);
        check(
            "access.log-2024013113",
            "access.log",
            Rotation::Date {
                epoch_s: 1_706_659_200 + 13 * 3_600,
            },
        );
        check(
            "access.log-2024-01-31_13-05",
            "access.log",
            Rotation::Date {
                epoch_s: 1_706_659_200 + 13 * 3_600 + 300,
            },
        );
    }

    #[test]
    fn days_agree_with_known_ones() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 2, 29), 11_016);
        assert_eq!(days_since_1970(2024, 3, 1), 19_783);
    }

    #[test]
    fn age_sorts_the_oldest_first() {
        let mut order = [
            Rotation::Live,
            Rotation::Number(2),
            Rotation::Number(10),
            Rotation::Old,
            Rotation::Date { epoch_s: 2 },
            Rotation::Date { epoch_s: 1 },
        ];
        order.sort_by_key(|rotation| rotation.age());
        assert_eq!(
            order,
            [
                Rotation::Date { epoch_s: 1 },
                Rotation::Date { epoch_s: 2 },
                Rotation::Number(10),
                Rotation::Number(2),
                Rotation::Old,
                Rotation::Live,
            ]
        );
    }
}
