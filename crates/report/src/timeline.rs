//! Minutes gathered for pictures: runs of one state per day, and requests per slot of a round length.

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;

use crate::model::{Minute, Report, State};
use crate::time::{DAY_US, HOUR_US, MINUTE_US, TimeUs, day_start};

/// Minutes that share a cell of a day's strip: 144 cells a day are what a phone can show, and bound the size of a page.
const CELL_MINUTES: i64 = 10;

/// Slots that a chart has at most: two pixels each on a laptop.
const SLOTS_MAX: i64 = 400;

/// A day and the states of its minutes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DayStrip {
    pub(crate) day: NaiveDate,
    /// Stretches of one state, in thousandths of the day, in order; what is not in one lies outside the window.
    pub(crate) runs: Vec<Run>,
    pub(crate) up: i64,
    pub(crate) degraded: i64,
    pub(crate) down: i64,
    pub(crate) suspect: i64,
    pub(crate) idle: i64,
    pub(crate) uncovered: i64,
    pub(crate) maint: i64,
}

/// A stretch of one state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Run {
    pub(crate) start: TimeUs,
    pub(crate) end: TimeUs,
    pub(crate) state: State,
    /// Where it starts, as a share of its day.
    pub(crate) from: f64,
    /// How much of its day it takes.
    pub(crate) share: f64,
}

impl DayStrip {
    /// The state that a person would remember the day by.
    pub(crate) fn mood(&self) -> State {
        let minutes = self.up
            + self.degraded
            + self.down
            + self.suspect
            + self.idle
            + self.uncovered
            + self.maint;
        let some = |number: i64| number > 0;
        match self {
            // A day is 1440 minutes: down for 5 % of it is more than an hour.
            day if day.down * 20 >= minutes && some(day.down) => State::Down,
            day if day.uncovered * 2 > minutes => State::Uncovered,
            day if some(day.down) || day.degraded * 20 >= minutes && some(day.degraded) => {
                State::Degraded
            }
            day if day.suspect * 20 >= minutes && some(day.suspect) => State::Suspect,
            day if day.uncovered * 20 >= minutes && some(day.uncovered) => State::Uncovered,
            day if day.maint * 2 > minutes => State::Maint,
            day if some(day.up) || some(day.degraded) => State::Up,
            _ => State::Idle,
        }
    }
}

/// The state that a cell of several minutes is drawn in: the worst that one of them has.
fn gravity(state: State) -> u8 {
    match state {
        State::Idle => 0,
        State::Up => 1,
        State::Maint => 2,
        State::Uncovered => 3,
        State::Suspect => 4,
        State::Degraded => 5,
        State::Down => 6,
    }
}

/// The days of the minutes, oldest first.
pub(crate) fn day_strips(minutes: &[Minute], tz: Tz) -> Vec<DayStrip> {
    let mut strips: Vec<DayStrip> = Vec::new();
    let (mut start, mut end) = (i64::MIN, i64::MIN);
    for minute in minutes {
        // The zone is asked once a day; a million minutes would otherwise each look it up.
        if minute.start.0 >= end || minute.start.0 < start {
            let day = minute.start.day(tz);
            start = day_start(day, tz).0;
            end = day
                .checked_add_days(Days::new(1))
                .map_or(start + DAY_US, |next| day_start(next, tz).0);
            let runs = Vec::new();
            strips.push(DayStrip {
                day,
                runs,
                up: 0,
                degraded: 0,
                down: 0,
                suspect: 0,
                idle: 0,
                uncovered: 0,
                maint: 0,
            });
        }
        let Some(strip) = strips.last_mut() else {
            continue;
        };
        strip.add(minute, start, end);
    }
    strips.iter_mut().for_each(DayStrip::join);
    strips
}

impl DayStrip {
    fn add(&mut self, minute: &Minute, start: i64, end: i64) {
        let counter = match minute.state {
            State::Up => &mut self.up,
            State::Degraded => &mut self.degraded,
            State::Down => &mut self.down,
            State::Suspect => &mut self.suspect,
            State::Idle => &mut self.idle,
            State::Uncovered => &mut self.uncovered,
            State::Maint => &mut self.maint,
        };
        *counter += 1;
        let cell_us = CELL_MINUTES * MINUTE_US;
        let cell = start + (minute.start.0 - start).div_euclid(cell_us) * cell_us;
        let minute_end = minute.start.0 + MINUTE_US;
        match self.runs.last_mut() {
            Some(run) if run.start.0 >= cell => {
                run.end = TimeUs(minute_end);
                if gravity(minute.state) > gravity(run.state) {
                    run.state = minute.state;
                }
            }
            _ => self.runs.push(Run {
                start: minute.start,
                end: TimeUs(minute_end),
                state: minute.state,
                from: 0.0,
                share: 0.0,
            }),
        }
        if let Some(run) = self.runs.last_mut() {
            run.from = share(run.start.0 - start, end - start);
            run.share = share(run.end.0 - run.start.0, end - start);
        }
    }

    /// Joins neighbours of one state.
    fn join(&mut self) {
        self.runs.dedup_by(|next, run| {
            let same = next.state == run.state && next.start == run.end;
            if same {
                run.end = next.end;
                run.share = next.from + next.share - run.from;
            }
            same
        });
    }
}

/// `part / whole` of two stretches of time.
#[expect(clippy::cast_precision_loss, reason = "a position in a picture")]
pub(crate) fn share(part: i64, whole: i64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// Requests of a slot of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) start: TimeUs,
    pub(crate) end: TimeUs,
    pub(crate) requests: i64,
    pub(crate) bad: i64,
}

/// The shortest round length that cuts the window into few enough slots, in microseconds.
pub(crate) fn slot_us(report: &Report) -> i64 {
    const ROUND_MINUTES: [i64; 11] = [
        1,
        5,
        15,
        60,
        3 * 60,
        6 * 60,
        12 * 60,
        1440,
        2 * 1440,
        7 * 1440,
        28 * 1440,
    ];
    let length = report.until.0.saturating_sub(report.since.0);
    let fits = ROUND_MINUTES
        .iter()
        .find(|&&minutes| length / (minutes * MINUTE_US) <= SLOTS_MAX);
    fits.map_or(length / SLOTS_MAX, |minutes| minutes * MINUTE_US)
}

/// Requests per slot, with a slot for every stretch of the minutes, empty ones too.
pub(crate) fn slots(report: &Report) -> Vec<Slot> {
    let length = slot_us(report).max(MINUTE_US);
    let mut slots: Vec<Slot> = Vec::new();
    for minute in &report.minutes {
        let start = report.since.0 + (minute.start.0 - report.since.0).div_euclid(length) * length;
        if slots.last().is_none_or(|slot| slot.start.0 != start) {
            let end = (start + length).min(report.until.0.max(start + MINUTE_US));
            slots.push(Slot {
                start: TimeUs(start),
                end: TimeUs(end),
                requests: 0,
                bad: 0,
            });
        }
        if let Some(slot) = slots.last_mut() {
            slot.requests += minute.requests;
            slot.bad += minute.bad;
        }
    }
    slots
}

/// A slot's length in words: `per hour`.
pub(crate) fn slot_name(length_us: i64) -> String {
    match length_us {
        MINUTE_US => "per minute".to_owned(),
        HOUR_US => "per hour".to_owned(),
        DAY_US => "per day".to_owned(),
        length if length % DAY_US == 0 => format!("per {} days", length / DAY_US),
        length if length % HOUR_US == 0 => format!("per {} hours", length / HOUR_US),
        length => format!("per {} minutes", length / MINUTE_US),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(states: &[(State, i64)]) -> Vec<Minute> {
        let states = states.iter().flat_map(|&(state, number)| {
            std::iter::repeat_n(state, usize::try_from(number).unwrap())
        });
        states
            .zip(0..)
            .map(|(state, index)| Minute {
                start: TimeUs(index * MINUTE_US),
                state,
                requests: 1,
                good: 1,
                bad: 0,
            })
            .collect()
    }

    #[test]
    fn a_day_is_cut_into_runs_of_the_worst_state_of_each_cell() {
        let strips = day_strips(
            &minutes(&[(State::Up, 63), (State::Down, 4), (State::Idle, 1373 + 10)]),
            chrono_tz::UTC,
        );
        assert_eq!(strips.len(), 2);
        let runs: Vec<(State, i64, i64)> = strips[0]
            .runs
            .iter()
            .map(|run| (run.state, run.start.0 / MINUTE_US, run.end.0 / MINUTE_US))
            .collect();
        assert_eq!(
            runs,
            [
                (State::Up, 0, 60),
                (State::Down, 60, 70),
                (State::Idle, 70, 1440)
            ]
        );
        assert_eq!(
            (strips[0].up, strips[0].down, strips[0].idle),
            (63, 4, 1373)
        );
        assert!((strips[0].runs.iter().map(|run| run.share).sum::<f64>() - 1.0).abs() < 1e-9);
        assert_eq!(strips[1].runs.len(), 1);
    }

    #[test]
    fn a_long_day_is_as_wide_as_any_other() {
        // The clocks of Berlin go back at 2026-10-25 01:00 UTC: the day has 25 hours.
        let start = day_start(
            NaiveDate::from_ymd_opt(2026, 10, 25).unwrap(),
            chrono_tz::Europe::Berlin,
        )
        .0;
        let mut minutes = minutes(&[(State::Up, 1500)]);
        minutes
            .iter_mut()
            .for_each(|minute| minute.start.0 += start);
        let strips = day_strips(&minutes, chrono_tz::Europe::Berlin);
        assert_eq!((strips.len(), strips[0].runs.len()), (1, 1));
        assert!((strips[0].runs[0].share - 1.0).abs() < 1e-9);
    }
}
