//! What one client with one agent asked for: request by request, by minute, and in the sessions that its pauses cut.
//!
//! A visit is kept as bytes, [`ASKED_BYTES`] a request and sorted: in the order of time. So ten million requests are held in 250 MB.

use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;

use crate::outcome::Outcome;
use crate::session::IDLE_S;

/// How long a request is as bytes.
pub const ASKED_BYTES: usize = 25;

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;

/// What a visit keeps of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Microseconds since the epoch.
    pub time_us: i64,
    /// Stands for the path, see [`path_key`].
    pub path: u64,
    /// Of the answer's body.
    pub bytes: u64,
    /// What the answer says of the site.
    pub outcome: Outcome,
    /// For a style, script, image or font, see [`is_asset`](crate::path::is_asset).
    pub asset: bool,
    /// It has a referer.
    pub referred: bool,
    /// Answered 4xx.
    pub refused: bool,
    /// It looks for a weak spot.
    pub scans: bool,
    /// For `/robots.txt`.
    pub robots_txt: bool,
}

/// A number that stands for a path, the same for the same path; 0 for none. Not to be kept: another build may choose others.
///
/// Two paths share one by accident once in 10^19 pairs.
#[must_use]
pub fn path_key(path: Option<&[u8]>) -> u64 {
    path.map_or(0, |path| {
        let mut hasher = DefaultHasher::new();
        hasher.write(path);
        hasher.finish()
    })
}

impl Asked {
    /// As bytes that sort by time.
    #[must_use]
    pub fn encoded(&self) -> [u8; ASKED_BYTES] {
        let flags = [
            self.asset,
            self.referred,
            self.refused,
            self.scans,
            self.robots_txt,
        ];
        let flags = flags
            .iter()
            .rev()
            .fold(0, |bits, &flag| bits << 1 | u8::from(flag));
        let outcome = OUTCOMES.iter().position(|&known| known == self.outcome);
        let outcome = u8::try_from(outcome.unwrap_or(0)).unwrap_or(0);
        let mut bytes = [0; ASKED_BYTES];
        // With the sign turned, bytes are in the order of the numbers.
        bytes[..8].copy_from_slice(&(self.time_us ^ i64::MIN).to_be_bytes());
        bytes[8..16].copy_from_slice(&self.path.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.bytes.to_be_bytes());
        bytes[24] = outcome << 5 | flags;
        bytes
    }

    /// What [`Asked::encoded`] made.
    #[must_use]
    pub fn decoded(bytes: &[u8; ASKED_BYTES]) -> Self {
        let number = |from: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[from..from + 8]);
            u64::from_be_bytes(number)
        };
        let flag = |bit: u8| bytes[24] >> bit & 1 == 1;
        Self {
            time_us: number(0).cast_signed() ^ i64::MIN,
            path: number(8),
            bytes: number(16),
            outcome: OUTCOMES[usize::from(bytes[24] >> 5) % OUTCOMES.len()],
            asset: flag(0),
            referred: flag(1),
            refused: flag(2),
            scans: flag(3),
            robots_txt: flag(4),
        }
    }
}

const OUTCOMES: [Outcome; 4] = [Outcome::Good, Outcome::Bad, Outcome::Shed, Outcome::Neutral];

/// The requests of a visit, in the order of time; bytes behind the last whole request are left out.
pub fn asked(visit: &[u8]) -> impl ExactSizeIterator<Item = Asked> + Clone {
    let (requests, _) = visit.as_chunks::<ASKED_BYTES>();
    requests.iter().map(Asked::decoded)
}

/// What a visit asked for in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitMinute {
    /// Minutes since the epoch.
    pub minute: i64,
    /// When its first request came, in microseconds since the epoch.
    pub first_us: i64,
    /// When its last one did.
    pub last_us: i64,
    /// All requests.
    pub requests: u32,
    /// Those for no asset.
    pub pages: u32,
    /// Good answers.
    pub good: u32,
    /// Bad ones.
    pub bad: u32,
    /// Shed ones.
    pub shed: u32,
    /// Of bodies.
    pub bytes: u64,
    /// What it asked for, if that was nothing but a page and without a referer: people fetch more, and follow links. None where half of
    /// the answers or more were bad: in an outage people get no further, either.
    pub shape: Option<u64>,
}

/// A visit by minute, in the order of time; minutes without a request have none.
///
/// `asked` is in the order of time.
#[must_use]
pub fn minutes(asked: &[Asked]) -> Vec<VisitMinute> {
    let minute_of = |asked: &Asked| asked.time_us.div_euclid(MINUTE_US);
    let by_minute = asked.chunk_by(|one, next| minute_of(one) == minute_of(next));
    by_minute
        .map(|asked| {
            let with = |outcome| count(asked, |asked| asked.outcome == outcome);
            let bad = with(Outcome::Bad);
            let is_bare = !asked.iter().any(|asked| asked.asset || asked.referred);
            let mostly_served = usize::try_from(bad).is_ok_and(|bad| 2 * bad < asked.len());
            VisitMinute {
                minute: minute_of(&asked[0]),
                first_us: asked[0].time_us,
                last_us: asked[asked.len() - 1].time_us,
                requests: count(asked, |_| true),
                pages: count(asked, |asked| !asked.asset),
                good: with(Outcome::Good),
                bad,
                shed: with(Outcome::Shed),
                bytes: total_bytes(asked),
                shape: asked
                    .iter()
                    .map(|asked| asked.path)
                    .min()
                    .filter(|_| is_bare && mostly_served),
            }
        })
        .collect()
}

/// A session of a visit: what it did, as far as the visit alone tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its requests among those of the visit.
    pub range: Range<usize>,
    /// All requests.
    pub requests: u32,
    /// Those for no asset.
    pub pages: u32,
    /// Distinct paths.
    pub distinct_paths: u32,
    /// Requests answered 4xx.
    pub refused: u32,
    /// Requests that look for weak spots.
    pub scans: u32,
    /// Whether one was for `/robots.txt`.
    pub robots_txt: bool,
    /// Requests with a referer.
    pub referred: u32,
    /// Mean gap between two pages, in seconds; `None` with fewer than two pages.
    pub gap_mean_s: Option<f64>,
    /// Standard deviation of those gaps by their mean; `None` with fewer than two gaps or a mean of 0.
    pub gap_cv: Option<f64>,
}

/// The sessions of a visit: a new one begins after a pause of [`IDLE_S`] seconds.
///
/// `asked` is in the order of time.
#[must_use]
pub fn sessions(asked: &[Asked]) -> Vec<Session> {
    let mut end = 0;
    let without_pause = asked.chunk_by(|one, next| next.time_us - one.time_us < IDLE_S * SECOND_US);
    without_pause
        .map(|asked| {
            let start = end;
            end += asked.len();
            session(asked, start..end)
        })
        .collect()
}

fn session(asked: &[Asked], range: Range<usize>) -> Session {
    let (gap_mean_s, gap_cv) = gaps(asked);
    Session {
        range,
        requests: count(asked, |_| true),
        pages: count(asked, |asked| !asked.asset),
        distinct_paths: distinct_paths(asked),
        refused: count(asked, |asked| asked.refused),
        scans: count(asked, |asked| asked.scans),
        robots_txt: asked.iter().any(|asked| asked.robots_txt),
        referred: count(asked, |asked| asked.referred),
        gap_mean_s,
        gap_cv,
    }
}

fn distinct_paths(asked: &[Asked]) -> u32 {
    let mut paths: Vec<u64> = asked.iter().map(|asked| asked.path).collect();
    paths.sort_unstable();
    paths.dedup();
    size(paths.len())
}

/// Mean and variation of the gaps between pages. The sums are of whole microseconds, and so the same on every machine.
#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate; what is lost is the last of 53 bits"
)]
fn gaps(asked: &[Asked]) -> (Option<f64>, Option<f64>) {
    let mut pages = asked.iter().filter(|asked| !asked.asset);
    let Some(mut before) = pages.next().map(|page| page.time_us) else {
        return (None, None);
    };
    let (mut count, mut sum_us, mut squares) = (0_u32, 0_i64, 0_u128);
    for page in pages {
        let gap_us = page.time_us - before;
        before = page.time_us;
        count += 1;
        sum_us += gap_us;
        squares += u128::from(gap_us.unsigned_abs()).pow(2);
    }
    if count == 0 {
        return (None, None);
    }
    let (sum, squares, gaps) = (sum_us as f64 / 1e6, squares as f64 / 1e12, f64::from(count));
    let mean = sum / gaps;
    let variance = || (squares - sum * sum / gaps).max(0.0) / (gaps - 1.0);
    let variation = (count > 1 && sum > 0.0).then(|| variance().sqrt() / mean);
    (Some(mean), variation)
}

fn total_bytes(asked: &[Asked]) -> u64 {
    let bytes = asked.iter().map(|asked| asked.bytes);
    bytes.fold(0, u64::saturating_add)
}

fn count(asked: &[Asked], of: impl Fn(&Asked) -> bool) -> u32 {
    size(asked.iter().filter(|asked| of(asked)).count())
}

fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(second: i64, path: &str) -> Asked {
        Asked {
            time_us: second * SECOND_US,
            path: path_key(Some(path.as_bytes())),
            bytes: 100,
            outcome: Outcome::Good,
            asset: path.ends_with(".css"),
            referred: false,
            refused: false,
            scans: false,
            robots_txt: false,
        }
    }

    fn pages(asked: &[(i64, &str)]) -> Vec<Asked> {
        asked
            .iter()
            .map(|&(second, path)| page(second, path))
            .collect()
    }

    #[test]
    fn a_pause_of_half_an_hour_begins_a_session() {
        let sessions = sessions(&pages(&[
            (0, "/"),
            (1, "/a.css"),
            (10, "/"),
            (1_809, "/"),
            (3_609, "/"),
        ]));
        assert_eq!(sessions.len(), 2);
        let first = &sessions[0];
        assert_eq!(
            (first.range.clone(), first.pages, first.distinct_paths),
            (0..4, 3, 2)
        );
        // 10 and 1,799 seconds.
        assert_eq!(first.gap_mean_s, Some(904.5));
        assert!((first.gap_cv.unwrap() - 1.398_58).abs() < 1e-5);
        assert_eq!(sessions[1].gap_mean_s, None);
    }

    #[test]
    fn a_minute_has_a_shape_where_nothing_but_a_page_is_asked_for() {
        let shape = |asked: &[Asked]| minutes(asked)[0].shape;
        let bare = pages(&[(0, "/buy"), (5, "/buy")]);
        assert_eq!(shape(&bare), Some(path_key(Some(b"/buy"))));
        assert_eq!(shape(&pages(&[(0, "/buy"), (5, "/buy.css")])), None);
        let mut failed = bare;
        failed[0].outcome = Outcome::Bad;
        assert_eq!(shape(&failed), None);
    }

    fn any_asked() -> impl Strategy<Value = Asked> {
        let outcome = proptest::sample::select(OUTCOMES.to_vec());
        let flags = any::<[bool; 5]>();
        (any::<i64>(), any::<u64>(), any::<u64>(), outcome, flags).prop_map(
            |(time_us, path, bytes, outcome, flags)| Asked {
                time_us,
                path,
                bytes,
                outcome,
                asset: flags[0],
                referred: flags[1],
                refused: flags[2],
                scans: flags[3],
                robots_txt: flags[4],
            },
        )
    }

    proptest! {
        #[test]
        fn bytes_hold_a_request_and_sort_by_time(one in any_asked(), other in any_asked()) {
            prop_assert_eq!(Asked::decoded(&one.encoded()), one);
            let by_bytes = one.encoded()[..8].cmp(&other.encoded()[..8]);
            prop_assert_eq!(by_bytes, one.time_us.cmp(&other.time_us));
        }
    }
}
