//! Uptime over a window, its bounds, its verdict and its incidents.

use crate::minute::{Judged, MinuteState, UNEXPLAINED_SILENCE};

/// Judged share below which a window can pass at best UNDETERMINED.
pub const JUDGED_SHARE_MIN: f64 = 0.5;
/// Minutes of other states that do not end an incident.
pub const BLIP_MINUTES: i64 = 5;
/// Minutes without one served request that do not end an outage: a site with few visitors fails only when asked.
pub const UNSERVED_BLIP_MINUTES: i64 = 15;
/// A degraded incident has at least this many bad requests …
pub const DEGRADED_BAD_MIN: u64 = 5;
/// … of this share of its requests …
pub const DEGRADED_SHARE_MIN: f64 = 0.05;
/// … from at least this many clients …
pub const DEGRADED_CLIENTS_MIN: u64 = 2;
/// … over at least this many minutes.
pub const DEGRADED_MINUTES_MIN: i64 = 3;

/// Whether a target was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Met, even if all that is unknown was down.
    Pass,
    /// Missed, even if all that is unknown was up.
    Fail,
    /// What is unknown decides.
    Undetermined,
}

impl Verdict {
    /// The verdict in upper case, as reports show it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Undetermined => "UNDETERMINED",
        }
    }
}

/// Uptime of a window of minutes.
#[derive(Debug, Clone, PartialEq)]
pub struct Uptime {
    /// Good minutes by good and bad ones, 0..=1; `None` when no minute could be judged.
    pub uptime: Option<f64>,
    /// The same if every UNCOVERED and SUSPECT minute was down, and the longest silence that nothing explains.
    pub lower: f64,
    /// The same if every UNCOVERED and SUSPECT minute was up.
    pub upper: f64,
    /// Covered minutes by all minutes.
    pub coverage: f64,
    /// Judged (UP, DEGRADED, DOWN) minutes by all minutes.
    pub judged_share: f64,
    /// Against the target.
    pub verdict: Verdict,
    /// Minutes in state UP.
    pub minutes_up: u64,
    /// Minutes in state DEGRADED.
    pub minutes_degraded: u64,
    /// Minutes in state DOWN.
    pub minutes_down: u64,
    /// Minutes in state SUSPECT.
    pub minutes_suspect: u64,
    /// Minutes in state IDLE.
    pub minutes_idle: u64,
    /// Minutes in state MAINT.
    pub minutes_maint: u64,
    /// Minutes in state UNCOVERED.
    pub minutes_uncovered: u64,
    /// Where the verdict is UNDETERMINED: the stretches that would decide it, as first minute and minute after the last.
    pub deciding: Vec<(i64, i64)>,
}

/// Uptime of the minutes given, against `target` (0..=1).
///
/// - uptime = Σ good fraction / (UP + DEGRADED + DOWN);
/// - lower and upper: UNCOVERED and SUSPECT minutes join the divisor, and count as down or as up;
/// - lower too: one outage may have gone unseen, which was at most the longest run of IDLE minutes by [`UNEXPLAINED_SILENCE`];
/// - verdict: PASS if lower >= target, FAIL if upper < target, else UNDETERMINED; PASS needs a judged share of
///   [`JUDGED_SHARE_MIN`].
///
/// Other IDLE minutes and MAINT ones count for neither side. An empty window is UNDETERMINED, with bounds 0 and 1 and shares 0.
#[must_use]
pub fn uptime(judged: &[Judged], target: f64) -> Uptime {
    let count = |state| judged.iter().filter(|minute| minute.state == state).count();
    let [up, degraded, down, suspect, idle, maint, uncovered] = [
        MinuteState::Up,
        MinuteState::Degraded,
        MinuteState::Down,
        MinuteState::Suspect,
        MinuteState::Idle,
        MinuteState::Maint,
        MinuteState::Uncovered,
    ]
    .map(count);
    let good: f64 = judged.iter().map(|minute| minute.good_fraction).sum();
    let decided = up + degraded + down;
    let unknown = suspect + uncovered;
    let unseen = longest_unexplained(judged);
    let is_unseen = |minute: &Judged| {
        unseen.is_some_and(|(from, until)| (from..until).contains(&minute.minute))
    };
    let with_unseen = decided + unknown + judged.iter().filter(|minute| is_unseen(minute)).count();
    let bound = |good: f64, of: usize| (of > 0).then(|| good / real(of));
    let lower = bound(good, with_unseen).unwrap_or(0.0);
    let upper = bound(good + real(unknown), decided + unknown).unwrap_or(1.0);
    let share = |part: usize| {
        if judged.is_empty() {
            0.0
        } else {
            real(part) / real(judged.len())
        }
    };
    let judged_share = share(decided);
    let verdict = verdict(lower, upper, judged_share, target);
    let deciding = if verdict == Verdict::Undetermined {
        runs(judged, |minute| {
            matches!(minute.state, MinuteState::Uncovered | MinuteState::Suspect)
                || is_unseen(minute)
        })
    } else {
        Vec::new()
    };
    Uptime {
        uptime: (decided > 0).then(|| good / real(decided)),
        lower,
        upper,
        coverage: share(judged.len() - uncovered),
        judged_share,
        verdict,
        minutes_up: whole(up),
        minutes_degraded: whole(degraded),
        minutes_down: whole(down),
        minutes_suspect: whole(suspect),
        minutes_idle: whole(idle),
        minutes_maint: whole(maint),
        minutes_uncovered: whole(uncovered),
        deciding,
    }
}

/// The verdict on a window whose uptime lies between `lower` and `upper` (0..=1), as [`uptime`] has it.
#[must_use]
pub fn verdict(lower: f64, upper: f64, judged_share: f64, target: f64) -> Verdict {
    match (lower >= target, upper < target) {
        (true, _) if judged_share >= JUDGED_SHARE_MIN => Verdict::Pass,
        (_, true) => Verdict::Fail,
        _ => Verdict::Undetermined,
    }
}

/// What kind of trouble an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IncidentKind {
    /// The site was down.
    Outage,
    /// Part of the requests failed.
    Degraded,
    /// No log tells.
    Gap,
}

impl IncidentKind {
    /// The kind in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Degraded => "degraded",
            Self::Gap => "gap",
        }
    }
}

/// A stretch of trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// First minute, since the epoch.
    pub start_minute: i64,
    /// Minute after the last one.
    pub end_minute: i64,
    /// What kind of trouble.
    pub kind: IncidentKind,
    /// The rule that decided most of its minutes; of equals, the first.
    pub evidence: &'static str,
    /// Bad requests within.
    pub bad: u64,
    /// Good requests within.
    pub good: u64,
}

/// The incidents in the minutes given, by start.
///
/// - outage: DOWN minutes, together with what lies between two of them if that is at most [`BLIP_MINUTES`], or at most
///   [`UNSERVED_BLIP_MINUTES`] without an UP minute;
/// - degraded: DEGRADED minutes outside outages, joined across at most [`BLIP_MINUTES`], if there are enough of errors, share,
///   clients and minutes (the `DEGRADED_…_MIN` constants): a lone bad request in a quiet minute is no incident;
/// - gap: UNCOVERED minutes between covered ones; what lies before the first and after the last covered minute is not in it.
#[must_use]
pub fn incidents(judged: &[Judged]) -> Vec<Incident> {
    let mut found = outages(judged);
    let outages: Vec<(i64, i64)> = found
        .iter()
        .map(|outage| (outage.start_minute, outage.end_minute))
        .collect();
    found.extend(degraded(judged, &outages));
    found.extend(gaps(judged));
    found.sort_by_key(|incident| (incident.start_minute, incident.kind));
    found
}

fn outages(judged: &[Judged]) -> Vec<Incident> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for at in (0..judged.len()).filter(|&at| judged[at].state == MinuteState::Down) {
        match spans.last_mut() {
            Some((_, last)) if joins(judged, *last, at) => *last = at,
            _ => spans.push((at, at)),
        }
    }
    spans
        .into_iter()
        .map(|(from, to)| incident(&judged[from..=to], IncidentKind::Outage, MinuteState::Down))
        .collect()
}

fn joins(judged: &[Judged], last: usize, next: usize) -> bool {
    let between = judged[next].minute - judged[last].minute - 1;
    let served = judged[last + 1..next]
        .iter()
        .any(|minute| minute.state == MinuteState::Up);
    between
        <= if served {
            BLIP_MINUTES
        } else {
            UNSERVED_BLIP_MINUTES
        }
}

fn degraded(judged: &[Judged], outages: &[(i64, i64)]) -> Vec<Incident> {
    let in_outage = |minute: i64| {
        outages
            .iter()
            .any(|&(from, until)| (from..until).contains(&minute))
    };
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for at in (0..judged.len())
        .filter(|&at| judged[at].state == MinuteState::Degraded && !in_outage(judged[at].minute))
    {
        match spans.last_mut() {
            Some((_, last))
                if judged[at].minute - judged[*last].minute - 1 <= BLIP_MINUTES
                    && judged[*last..at]
                        .iter()
                        .all(|minute| minute.state != MinuteState::Down) =>
            {
                *last = at;
            }
            _ => spans.push((at, at)),
        }
    }
    spans
        .into_iter()
        .map(|(from, to)| &judged[from..=to])
        .filter(|minutes| is_degraded_incident(minutes))
        .map(|minutes| incident(minutes, IncidentKind::Degraded, MinuteState::Degraded))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "requests are far below 2^53")]
fn is_degraded_incident(minutes: &[Judged]) -> bool {
    let bad: u64 = minutes.iter().map(|minute| minute.bad).sum();
    let all: u64 = bad + minutes.iter().map(|minute| minute.good).sum::<u64>();
    let clients = minutes
        .iter()
        .map(|minute| minute.bad_clients)
        .max()
        .unwrap_or(0);
    let length = minutes
        .last()
        .map_or(0, |last| last.minute + 1 - minutes[0].minute);
    bad >= DEGRADED_BAD_MIN
        && bad as f64 >= DEGRADED_SHARE_MIN * all as f64
        && clients >= DEGRADED_CLIENTS_MIN
        && length >= DEGRADED_MINUTES_MIN
}

fn gaps(judged: &[Judged]) -> Vec<Incident> {
    let covered = |minute: &Judged| minute.state != MinuteState::Uncovered;
    let Some((first, last)) = judged
        .iter()
        .position(covered)
        .zip(judged.iter().rposition(covered))
    else {
        return Vec::new();
    };
    let inside = &judged[first..=last];
    let spans = runs(inside, |minute| minute.state == MinuteState::Uncovered);
    let gap = |(start_minute, end_minute)| Incident {
        start_minute,
        end_minute,
        kind: IncidentKind::Gap,
        evidence: "uncovered",
        bad: 0,
        good: 0,
    };
    spans.into_iter().map(gap).collect()
}

fn incident(minutes: &[Judged], kind: IncidentKind, state: MinuteState) -> Incident {
    let mut rules: Vec<(&'static str, usize)> = Vec::new();
    for minute in minutes.iter().filter(|minute| minute.state == state) {
        match rules.iter_mut().find(|(rule, _)| *rule == minute.evidence) {
            Some((_, count)) => *count += 1,
            None => rules.push((minute.evidence, 1)),
        }
    }
    // `max_by_key` takes the last of equals, so the order is turned round.
    let evidence = rules
        .iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or("", |(rule, _)| *rule);
    Incident {
        start_minute: minutes[0].minute,
        end_minute: minutes[minutes.len() - 1].minute + 1,
        kind,
        evidence,
        bad: minutes.iter().map(|minute| minute.bad).sum(),
        good: minutes.iter().map(|minute| minute.good).sum(),
    }
}

/// The longest silence that may hide an outage which nobody met, as first minute and minute after the last.
fn longest_unexplained(judged: &[Judged]) -> Option<(i64, i64)> {
    let silences = runs(judged, |minute| {
        minute.state == MinuteState::Idle && minute.evidence == UNEXPLAINED_SILENCE
    });
    silences
        .into_iter()
        .max_by_key(|(from, until)| until - from)
}

fn runs(judged: &[Judged], wanted: impl Fn(&Judged) -> bool) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for minute in judged.iter().filter(|minute| wanted(minute)) {
        match runs.last_mut() {
            Some((_, until)) if *until == minute.minute => *until += 1,
            _ => runs.push((minute.minute, minute.minute + 1)),
        }
    }
    runs
}

#[expect(
    clippy::cast_precision_loss,
    reason = "minutes of a window are far below 2^53"
)]
fn real(count: usize) -> f64 {
    count as f64
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
