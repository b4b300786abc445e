//! What was up, as numbers of pictures: the calendar of minutes and a week's gauge. The template only writes them down.

use chrono_tz::Tz;
use serde::Serialize;

use crate::charts::{Stretch, across};
use crate::model::{Report, State, Week};
use crate::text::{minutes as lasting, percent_target};
use crate::time::span;
use crate::timeline::{DayStrip, day_strips};

/// Days of the calendar: ten weeks fill two screens.
const CALENDAR_DAYS: usize = 70;

/// A week as a gauge from well below the target to 100 %.
#[derive(Debug, Serialize)]
pub(crate) struct Gauge {
    /// Between the lower and the upper bound.
    x: String,
    width: String,
    uptime: String,
    target: String,
    from: String,
}

pub(crate) fn gauge(week: &Week, target: f64) -> Option<Gauge> {
    let (uptime, lower, upper) = (week.uptime?, week.lower?, week.upper?);
    // Twice the distance from the target to the whole: the target stands in the middle, what lies below at the left edge.
    let from = (1.0 - 2.0 * (1.0 - target)).clamp(0.0, 0.999);
    let at = |share: f64| across((share.clamp(0.0, 1.0) - from).max(0.0) / (1.0 - from));
    let width = across((upper.min(1.0) - lower.max(from)).max(0.0) / (1.0 - from));
    let sign = if lower < from { "<" } else { "" };
    Some(Gauge {
        x: at(lower),
        width,
        uptime: at(uptime),
        target: at(target),
        from: format!("{sign}{}", percent_target(from)),
    })
}

/// A strip per day.
#[derive(Debug, Serialize)]
pub(crate) struct Calendar {
    days: Vec<Day>,
    /// Classes and names of the states drawn.
    keys: Vec<(&'static str, &'static str)>,
    /// Days that are left out.
    earlier: usize,
}

#[derive(Debug, Serialize)]
struct Day {
    name: String,
    weekday: String,
    /// Whether a week begins here.
    monday: bool,
    uptime: String,
    text: String,
    runs: Vec<Stretch>,
}

pub(crate) fn calendar(report: &Report) -> Option<Calendar> {
    let strips = day_strips(&report.minutes, report.tz);
    let earlier = strips.len().saturating_sub(CALENDAR_DAYS);
    let days: Vec<Day> = strips[earlier..]
        .iter()
        .map(|strip| day(strip, report.tz))
        .collect();
    let drawn = |class: &str| {
        days.iter()
            .any(|day| day.runs.iter().any(|run| run.class == class))
    };
    let states = [
        State::Up,
        State::Degraded,
        State::Down,
        State::Suspect,
        State::Idle,
        State::Uncovered,
        State::Maint,
    ];
    let keys = states
        .into_iter()
        .map(state_key)
        .filter(|&(class, _)| drawn(class))
        .collect();
    (!days.is_empty()).then_some(Calendar {
        days,
        keys,
        earlier,
    })
}

fn day(strip: &DayStrip, tz: Tz) -> Day {
    let runs = strip.runs.iter().map(|run| {
        let (class, name) = state_key(run.state);
        Stretch {
            x: across(run.from),
            width: across(run.share),
            class,
            text: format!("{name}: {}", span(run.start, run.end, tz)),
        }
    });
    let mut facts = Vec::new();
    for (number, name) in [
        (strip.up, "up"),
        (strip.degraded, "degraded"),
        (strip.down, "down"),
        (strip.suspect, "doubtful"),
        (strip.idle, "idle"),
        (strip.uncovered, "not covered"),
        (strip.maint, "maintenance"),
    ] {
        if number > 0 {
            facts.push(format!("{} {name}", lasting(number)));
        }
    }
    let uptime = match (strip.down, strip.degraded) {
        (0, 0) => String::new(),
        (0, degraded) => format!("{degraded} min degraded"),
        (down, _) => format!("{down} min down"),
    };
    Day {
        name: strip.day.to_string(),
        weekday: strip.day.format("%a %-d %b").to_string(),
        monday: chrono::Datelike::weekday(&strip.day) == chrono::Weekday::Mon,
        uptime,
        text: format!("{}: {}", strip.day, facts.join(", ")),
        runs: runs.collect(),
    }
}

fn state_key(state: State) -> (&'static str, &'static str) {
    match state {
        State::Up => ("up", "up"),
        State::Degraded => ("degraded", "degraded"),
        State::Down => ("down", "down"),
        State::Suspect => ("suspect", "doubtful"),
        State::Idle => ("idle", "idle"),
        State::Uncovered => ("uncovered", "not covered"),
        State::Maint => ("maint", "maintenance"),
    }
}
