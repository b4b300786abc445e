//! What state the site was in, minute by minute.
//!
//! [`judge_minutes`] judges a whole range, since several rules look at neighbours: errors within five minutes, missed probes,
//! silence against earlier weeks, idle minutes between served ones. [`minute_state`] is the core of it, for one minute whose
//! evidence is already gathered.

use crate::Error;
use crate::probe::Probe;
use crate::silence::{History, Silence, silence_probability};

/// Share of bad requests from which a minute is DOWN, given enough witnesses.
pub const DOWN_SHARE: f64 = 0.5;
/// Share of bad requests from which a minute is DEGRADED.
pub const DEGRADED_SHARE: f64 = 0.05;
/// How far witnesses are sought: an outage's requests may be this many minutes apart.
pub const NEAR_MINUTES: usize = 5;
/// Silence less likely than this is DOWN.
pub const SILENCE_INCREDIBLE: f64 = 1e-6;
/// Silence less likely than this is SUSPECT.
pub const SILENCE_UNLIKELY: f64 = 1e-3;
/// Silence of so many minutes is to be explained, see [`UNEXPLAINED_SILENCE`].
pub const SILENCE_LONG_MINUTES: usize = 60;
/// Independent arrivals expected in a silence, up to which earlier weeks explain it: nobody comes at such times.
pub const SILENCE_EXPLAINED: f64 = 1.0;
/// The rule of the IDLE minutes of a long silence that earlier weeks do not explain: not unlikely enough to be SUSPECT, or nothing is known
/// yet of such times.
pub const UNEXPLAINED_SILENCE: &str = "unexplained_silence";
/// Idle minutes up to this many in a row take the state of the two minutes around them where those agree (UP or DOWN).
pub const IDLE_BRIDGE_MINUTES: usize = 15;
/// Probes that came in vain beside people who were served: from so many on, the probe is broken and not the site.
pub const PROBE_CONTRADICTED_MIN: usize = 3;

/// The state of one minute, in the order in which the rules are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MinuteState {
    /// Declared maintenance.
    Maint,
    /// No log covers it: unknown, never down.
    Uncovered,
    /// The site failed.
    Down,
    /// Part of the requests failed.
    Degraded,
    /// The site was served.
    Up,
    /// Silence that is unlikely but not incredible.
    Suspect,
    /// Nobody asked.
    Idle,
}

impl MinuteState {
    /// The state in upper case, as reports show it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Maint => "MAINT",
            Self::Uncovered => "UNCOVERED",
            Self::Down => "DOWN",
            Self::Degraded => "DEGRADED",
            Self::Up => "UP",
            Self::Suspect => "SUSPECT",
            Self::Idle => "IDLE",
        }
    }
}

/// What is known of one minute, gathered.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MinuteEvidence {
    /// Declared maintenance.
    pub maintenance: bool,
    /// A log covers the whole minute.
    pub covered: bool,
    /// Good requests that decide, probes included.
    pub good: u64,
    /// Bad requests that decide, probes included, shed ones too where none was good.
    pub bad: u64,
    /// Good requests of the witnessing window: the shortest stretch around this minute, at most [`NEAR_MINUTES`] longer than it,
    /// that makes it DOWN; this minute alone where none does.
    pub good_near: u64,
    /// Bad requests of that window.
    pub bad_near: u64,
    /// Distinct clients of those.
    pub bad_clients_near: u64,
    /// Those of them that probes made.
    pub probe_bad_near: u64,
    /// A probe misses two periods, and this minute is at or after the first probe that it missed.
    pub probe_missed: bool,
    /// Minutes of the silence that this minute belongs to.
    pub silence_minutes: usize,
    /// Requests expected in that silence, divided by their dispersion; `None` when unknown.
    pub silence_expected: Option<f64>,
    /// That expectation rests on at least one full earlier week.
    pub full_week_known: bool,
}

impl MinuteEvidence {
    // The share must hold over the window too: two stray errors in five busy minutes witness nothing.
    fn witnessed(&self) -> bool {
        self.bad_near >= 2
            && (self.bad_clients_near >= 2 || self.probe_bad_near >= 1)
            && 1.0 - good_fraction(self.good_near, self.bad_near) >= DOWN_SHARE
    }

    fn is_unexplained(&self) -> bool {
        self.silence_minutes >= SILENCE_LONG_MINUTES
            && self
                .silence_expected
                .is_none_or(|expected| expected > SILENCE_EXPLAINED)
    }
}

/// The state of one minute, and the name of the rule that decided.
#[must_use]
pub fn minute_state(evidence: &MinuteEvidence) -> (MinuteState, &'static str) {
    use MinuteState::{Degraded, Down, Idle, Maint, Suspect, Uncovered, Up};
    if evidence.maintenance {
        return (Maint, "maintenance");
    }
    if !evidence.covered {
        return (Uncovered, "uncovered");
    }
    if evidence.good + evidence.bad > 0 {
        let share = 1.0 - good_fraction(evidence.good, evidence.bad);
        let witnessed = evidence.witnessed();
        return match share {
            share if share >= DOWN_SHARE && witnessed => (Down, "errors"),
            share if share >= DEGRADED_SHARE => (Degraded, "some_errors"),
            _ => (Up, "served"),
        };
    }
    if evidence.probe_missed {
        return (Down, "missed_probe");
    }
    match evidence.silence_expected.map(silence_probability) {
        Some(chance) if chance <= SILENCE_INCREDIBLE && evidence.full_week_known => {
            (Down, "incredible_silence")
        }
        Some(chance) if chance <= SILENCE_UNLIKELY => (Suspect, "unlikely_silence"),
        _ if evidence.is_unexplained() => (Idle, UNEXPLAINED_SILENCE),
        _ => (Idle, "idle"),
    }
}

/// What was counted in one minute: one site, one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Minute {
    /// Minutes since the epoch, UTC.
    pub minute: i64,
    /// Good requests of visitors; scanners, floods and probes are left out of all four.
    pub good: u32,
    /// Bad requests of visitors.
    pub bad: u32,
    /// Shed requests of visitors.
    pub shed: u32,
    /// Neutral requests of visitors; they decide nothing.
    pub neutral: u32,
    /// Distinct visitors (clients and agents) of the good, bad and shed requests; 0 when not counted, then the requests stand for them.
    pub visitors: u32,
    /// Distinct clients of the bad requests.
    pub bad_clients: u32,
    /// Distinct clients of the bad requests from [`NEAR_MINUTES`] before to as many after; 0 when not counted, then the largest
    /// `bad_clients` among those minutes stands for it.
    pub bad_clients_near: u32,
    /// Distinct clients of the shed requests; 0 when not counted.
    pub shed_clients: u32,
    /// Good answers to probes of the whole log set.
    pub probe_good: u32,
    /// Bad (or shed) answers to probes of the whole log set.
    pub probe_bad: u32,
    /// A log covers the whole minute.
    pub covered: bool,
    /// Declared maintenance.
    pub maintenance: bool,
}

impl Minute {
    // Shed requests are neutral beside good ones, else bad.
    fn shed_as_bad(&self) -> u32 {
        if self.good + self.probe_good == 0 {
            self.shed
        } else {
            0
        }
    }

    fn good_all(&self) -> u64 {
        u64::from(self.good) + u64::from(self.probe_good)
    }

    fn bad_all(&self) -> u64 {
        u64::from(self.bad) + u64::from(self.probe_bad) + u64::from(self.shed_as_bad())
    }

    fn bad_clients_all(&self) -> u64 {
        let shed = if self.shed_as_bad() > 0 {
            self.shed_clients
        } else {
            0
        };
        u64::from(self.bad_clients) + u64::from(shed)
    }

    fn decides(&self) -> bool {
        self.covered && !self.maintenance && self.good_all() + self.bad_all() > 0
    }

    /// What would be missed in a silence: visitors, since one of them asks for dozens of things at once.
    pub(crate) fn visits(&self) -> u64 {
        match self.visitors {
            0 => u64::from(self.good) + u64::from(self.bad) + u64::from(self.shed),
            visitors => u64::from(visitors),
        }
    }
}

/// One judged minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Minutes since the epoch, UTC.
    pub minute: i64,
    /// Its state.
    pub state: MinuteState,
    /// How much of the minute counts as good: 1 for UP, good / (good + bad) for DEGRADED, 0 for all others.
    pub good_fraction: f64,
    /// The rule that decided.
    pub evidence: &'static str,
    /// Good requests that decided, probes included.
    pub good: u64,
    /// Bad requests that decided, probes included.
    pub bad: u64,
    /// Distinct clients of the bad requests; probes count as one.
    pub bad_clients: u64,
}

/// Judges every minute of a range.
///
/// `minutes` holds every minute from the first to the last one, ascending; a minute without requests has zero counts. The
/// expectation of silence is learned from the range itself, so a range should begin up to four weeks before the first minute of
/// interest. `probes` are those of the log set, see [`Probe::known`] and [`Probe::learned`].
///
/// Beyond the definition of a minute's state, idle minutes of up to [`IDLE_BRIDGE_MINUTES`] between two DOWN minutes are DOWN, as
/// those between two UP minutes are UP: else a site with a request in five minutes could lose only a fifth of an outage.
///
/// # Errors
///
/// [`Error::MinutesNotDense`] where a minute does not follow its predecessor by one.
pub fn judge_minutes(minutes: &[Minute], probes: &[Probe]) -> Result<Vec<Judged>, Error> {
    for pair in minutes.windows(2) {
        if pair[1].minute != pair[0].minute + 1 {
            return Err(Error::MinutesNotDense {
                after: pair[0].minute,
                found: pair[1].minute,
            });
        }
    }
    let probe_missed = missed_minutes(minutes, probes);
    let mut history = History::new(minutes);
    let mut judged: Vec<Judged> = Vec::with_capacity(minutes.len());
    while judged.len() < minutes.len() {
        let from = judged.len();
        let silent = |at: &usize| {
            let minute = &minutes[*at];
            minute.covered && !minute.maintenance && !minute.decides() && !probe_missed[*at]
        };
        let silent_until = from + (from..minutes.len()).take_while(silent).count();
        let silence = match silent_until > from {
            true => history.silence(from, silent_until),
            false => None,
        };
        let until = silent_until.max(from + 1);
        for (at, &missed) in probe_missed.iter().enumerate().take(until).skip(from) {
            let silent = silent_until - from;
            let one = judge_one(minutes, at, missed, (silent, silence));
            history.push(matches!(one.state, MinuteState::Up | MinuteState::Idle));
            judged.push(one);
        }
    }
    bridge_idle(&mut judged);
    Ok(judged)
}

fn judge_one(
    minutes: &[Minute],
    at: usize,
    probe_missed: bool,
    (silence_minutes, silence): (usize, Option<Silence>),
) -> Judged {
    let minute = &minutes[at];
    let mut evidence = MinuteEvidence {
        maintenance: minute.maintenance,
        covered: minute.covered,
        good: minute.good_all(),
        bad: minute.bad_all(),
        probe_missed,
        silence_minutes,
        silence_expected: silence.map(|silence| silence.expected),
        full_week_known: silence.is_some_and(|silence| silence.full_week_known),
        ..MinuteEvidence::default()
    };
    call_witnesses(&mut evidence, minutes, at);
    let (state, rule) = minute_state(&evidence);
    let good_fraction = match state {
        MinuteState::Up => 1.0,
        MinuteState::Degraded => good_fraction(evidence.good, evidence.bad),
        _ => 0.0,
    };
    let probe_witness = u64::from(minute.probe_bad > 0);
    Judged {
        minute: minute.minute,
        state,
        good_fraction,
        evidence: rule,
        good: evidence.good,
        bad: evidence.bad,
        bad_clients: minute.bad_clients_all() + probe_witness,
    }
}

// Only minutes that could be DOWN are looked at: nobody asks who witnesses the others.
fn call_witnesses(evidence: &mut MinuteEvidence, minutes: &[Minute], at: usize) {
    if evidence.bad == 0 || 1.0 - good_fraction(evidence.good, evidence.bad) < DOWN_SHARE {
        return;
    }
    let windows =
        (0..=NEAR_MINUTES).flat_map(|more| (0..=more).map(move |before| (before, more - before)));
    for (before, after) in windows {
        let (from, until) = (
            at.saturating_sub(before),
            (at + after + 1).min(minutes.len()),
        );
        let found = with_window(*evidence, &minutes[from..until], &minutes[at]);
        if (before, after) == (0, 0) || found.witnessed() {
            *evidence = found;
        }
        if evidence.witnessed() {
            return;
        }
    }
}

fn with_window(evidence: MinuteEvidence, window: &[Minute], minute: &Minute) -> MinuteEvidence {
    let sum = |count: fn(&Minute) -> u64| window.iter().map(count).sum::<u64>();
    let bad_near = sum(Minute::bad_all);
    let in_one = window
        .iter()
        .map(Minute::bad_clients_all)
        .max()
        .unwrap_or(0);
    let counted = if window.len() > 1 {
        u64::from(minute.bad_clients_near).min(bad_near)
    } else {
        0
    };
    MinuteEvidence {
        good_near: sum(Minute::good_all),
        bad_near,
        bad_clients_near: in_one.max(counted),
        probe_bad_near: sum(|minute| u64::from(minute.probe_bad)),
        ..evidence
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "requests in a minute are far below 2^53"
)]
fn good_fraction(good: u64, bad: u64) -> f64 {
    good as f64 / (good + bad) as f64
}

fn bridge_idle(judged: &mut [Judged]) {
    let mut at = 0;
    while at < judged.len() {
        if judged[at].state != MinuteState::Idle {
            at += 1;
            continue;
        }
        let until = (at..judged.len())
            .find(|&next| judged[next].state != MinuteState::Idle)
            .unwrap_or(judged.len());
        let around = at
            .checked_sub(1)
            .map(|before| judged[before].state)
            .zip(judged.get(until).map(|after| after.state));
        let bridged = match around {
            Some((MinuteState::Up, MinuteState::Up)) => {
                Some((MinuteState::Up, 1.0, "idle_between_up"))
            }
            Some((MinuteState::Down, MinuteState::Down)) => {
                Some((MinuteState::Down, 0.0, "idle_between_down"))
            }
            _ => None,
        };
        if let Some((state, good_fraction, evidence)) =
            bridged.filter(|_| until - at <= IDLE_BRIDGE_MINUTES)
        {
            for minute in &mut judged[at..until] {
                (minute.state, minute.good_fraction, minute.evidence) =
                    (state, good_fraction, evidence);
            }
        }
        at = until;
    }
}

/// The minutes in which some probe is missing: from its first missed time on, where it misses two in a row.
fn missed_minutes(minutes: &[Minute], probes: &[Probe]) -> Vec<bool> {
    let mut missed = vec![false; minutes.len()];
    let Some(first) = minutes.first().map(|minute| minute.minute) else {
        return missed;
    };
    let last_covered = minutes.iter().rposition(|minute| minute.covered);
    let Some(until_s) = last_covered.map(|at| (minutes[at].minute + 1) * 60) else {
        return missed;
    };
    for probe in probes {
        let ends = probe.seen_s.iter().copied().skip(1).chain([until_s]);
        for (before, after) in probe.seen_s.iter().copied().zip(ends) {
            if probe.misses(after - before) {
                mark_missed(minutes, first, probe, (before, after), &mut missed);
            }
        }
    }
    missed
}

fn mark_missed(
    minutes: &[Minute],
    first: i64,
    probe: &Probe,
    (before, after): (i64, i64),
    missed: &mut [bool],
) {
    let index_of = |second: i64| {
        usize::try_from(second.div_euclid(60) - first)
            .ok()
            .filter(|&at| at < minutes.len())
    };
    let served = |from: i64, to: i64| {
        let range = from.div_euclid(60)..=to.div_euclid(60);
        range
            .filter_map(|minute| index_of(minute * 60))
            .any(|at| minutes[at].good > 0)
    };
    let slots = slots(probe, before, after);
    if after - before >= crate::probe::REMOVED_AFTER_S && served(before + 60, after - 60) {
        return;
    }
    let half_s = slot_half_s(probe);
    let contradicted: Vec<bool> = slots
        .iter()
        .map(|&slot| served(slot - half_s, slot + half_s))
        .collect();
    // Not beside the two sightings: an outage begins after the last probe that was answered and ends before the next, with people served
    // on both sides of it, and all of that in minutes.
    let margin_s = 2 * half_s + 60;
    let is_inside =
        |slot: i64| slot - half_s >= before + margin_s && slot + half_s <= after - margin_s;
    let in_vain = slots.iter().zip(&contradicted);
    let in_vain = in_vain.filter(|&(&slot, &served)| served && is_inside(slot));
    if in_vain.count() >= PROBE_CONTRADICTED_MIN {
        return;
    }
    // Runs of two or more slots that nobody contradicts, each in a minute that a log covers.
    let mut run: Vec<i64> = Vec::new();
    let mut runs = Vec::new();
    for (&slot, contradicted) in slots.iter().zip(contradicted) {
        let unbroken = run
            .last()
            .is_none_or(|&previous| covered_between(minutes, index_of(previous), index_of(slot)));
        let covered = index_of(slot).is_some_and(|at| minutes[at].covered);
        if contradicted || !covered || !unbroken {
            runs.push(std::mem::take(&mut run));
        }
        if covered && !contradicted {
            run.push(slot);
        }
    }
    runs.push(run);
    for run in runs.iter().filter(|run| run.len() >= 2) {
        // From the first time that nobody was served from its minute on: whom the minute before served was there before it.
        let first = slots.iter().copied().find(|&slot| {
            !served(slot, run[0]) && covered_between(minutes, index_of(slot), index_of(run[0]))
        });
        let from = index_of(first.unwrap_or(run[0])).unwrap_or(0);
        // To the next sign of life, be it a person or the probe itself.
        let end = index_of(after).unwrap_or(minutes.len());
        let stop = (from + 1..end)
            .find(|&at| !minutes[at].covered || minutes[at].good > 0)
            .unwrap_or(end);
        missed[from..stop.max(from)].fill(true);
    }
}

fn covered_between(minutes: &[Minute], from: Option<usize>, until: Option<usize>) -> bool {
    match (from, until) {
        (Some(from), Some(until)) => minutes[from..=until].iter().all(|minute| minute.covered),
        _ => false,
    }
}

/// The times between two sightings at which the probe was due.
fn slots(probe: &Probe, before: i64, after: i64) -> Vec<i64> {
    let half_s = slot_half_s(probe);
    let period_s = half_s.saturating_mul(2).max(1);
    let mut slots = Vec::new();
    let mut slot = before + period_s;
    while slot <= after - half_s {
        slots.push(slot);
        slot += period_s;
    }
    slots
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a period is a gap between two i64 seconds; `as` saturates"
)]
fn slot_half_s(probe: &Probe) -> i64 {
    (probe.rhythm.period_s / 2.0).round().max(1.0) as i64
}
