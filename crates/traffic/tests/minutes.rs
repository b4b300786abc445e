//! Whole ranges of minutes in, states, uptime and incidents out.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers made here"
)]

use floodmark_traffic::Error;
use floodmark_traffic::minute::{Judged, Minute, MinuteState, judge_minutes};
use floodmark_traffic::probe::Probe;
use floodmark_traffic::uptime::{Incident, IncidentKind, Verdict, incidents, uptime};
use proptest::prelude::*;

const DAY: i64 = 1_440;
const WEEK: i64 = 7 * DAY;

/// One letter a minute: `u` served, `1` one bad request, `x` many bad ones of many clients, `s` shed only, `.` nothing, `?` not
/// covered, `m` maintenance, `d` a tenth bad, `n` neutral only, `p` a probe is served, `b` a probe fails.
fn minute(letter: char, minute: i64) -> Minute {
    let base = Minute {
        minute,
        covered: letter != '?',
        maintenance: letter == 'm',
        ..Minute::default()
    };
    match letter {
        'u' => Minute { good: 30, ..base },
        '1' => Minute {
            bad: 1,
            bad_clients: 1,
            ..base
        },
        'x' => Minute {
            bad: 30,
            bad_clients: 12,
            ..base
        },
        's' => Minute {
            shed: 30,
            shed_clients: 12,
            ..base
        },
        'd' => Minute {
            good: 27,
            bad: 3,
            bad_clients: 3,
            ..base
        },
        'n' => Minute { neutral: 4, ..base },
        'p' => Minute {
            probe_good: 1,
            ..base
        },
        'b' => Minute {
            probe_bad: 1,
            ..base
        },
        'l' => Minute {
            good: 30,
            bad: 1,
            bad_clients: 1,
            ..base
        },
        'S' => Minute {
            good: 30,
            shed: 30,
            shed_clients: 12,
            ..base
        },
        _ => base,
    }
}

fn story(letters: &str) -> Vec<Minute> {
    letters
        .chars()
        .zip(0..)
        .map(|(letter, at)| minute(letter, at))
        .collect()
}

fn judge(minutes: &[Minute]) -> Vec<Judged> {
    judge_minutes(minutes, &[]).expect("every minute is there")
}

fn letters(judged: &[Judged]) -> String {
    judged
        .iter()
        .map(|minute| match minute.state {
            MinuteState::Maint => 'm',
            MinuteState::Uncovered => '?',
            MinuteState::Down => 'D',
            MinuteState::Degraded => 'd',
            MinuteState::Up => 'U',
            MinuteState::Suspect => 'S',
            MinuteState::Idle => '.',
        })
        .collect()
}

#[track_caller]
fn check(given: &str, expected: &str) {
    assert_eq!(letters(&judge(&story(given))), expected, "{given}");
}

#[test]
fn errors_decide_by_share_and_witnesses() {
    check("uuxxxuu", "UUDDDUU");
    check("uuduu", "UUdUU");
    check("uuluu", "UUUUU");
    check("uu1uu", "UUdUU");
    check("uu1.1uu", "UUd.dUU"); // one client, twice: not an outage
    check("uubuu", "UUdUU");
    check("uubbuu", "UUDDUU");
    check("uub....buu", "UUDDDDDDUU");
    check("uub.....1uu", "UUd.....dUU");
}

#[test]
fn two_clients_within_five_minutes_are_witnesses() {
    let mut minutes = story("uu1...1uu");
    for at in [2, 6] {
        minutes[at].bad_clients_near = 2;
    }
    assert_eq!(letters(&judge(&minutes)), "UUDDDDDUU");
}

#[test]
fn shed_requests_are_bad_where_nothing_was_good() {
    check("uussuu", "UUDDUU");
    check("uuSSuu", "UUUUUU");
}

#[test]
fn what_no_log_covers_is_never_down() {
    check("uu??uu", "UU??UU");
    check("mmuu", "mmUU");
    check("?", "?");
    check("", "");
}

#[test]
fn idle_between_two_served_minutes_is_up() {
    check("u...u", "UUUUU");
    check("u...............u", "UUUUUUUUUUUUUUUUU");
    check("u................u", "U................U");
    check("unnu", "UUUU");
    check("d...u", "d...U");
    check("u..", "U..");
}

#[test]
fn a_hole_in_the_range_is_an_error() {
    let minutes = [minute('u', 5), minute('u', 7)];
    assert_eq!(
        judge_minutes(&minutes, &[]),
        Err(Error::MinutesNotDense { after: 5, found: 7 })
    );
}

/// A probe each minute, silent from `from` to before `until`; visitors as `letters` says.
fn probed(letters: &str, silent: std::ops::Range<usize>) -> Vec<Judged> {
    let mut minutes = story(letters);
    let mut seen = Vec::new();
    for (at, minute) in minutes.iter_mut().enumerate() {
        if minute.covered && !silent.contains(&at) {
            minute.probe_good = 1;
            seen.push(minute.minute * 60 + 20);
        }
    }
    let probe = Probe::known(seen).expect("regular");
    judge_minutes(&minutes, &[probe]).expect("every minute is there")
}

#[test]
fn a_missed_probe_is_down_from_the_first_one_missed() {
    let judged = probed(&".".repeat(60), 30..40);
    assert_eq!(
        letters(&judged),
        format!("{}{}{}", "U".repeat(30), "D".repeat(10), "U".repeat(20))
    );
    assert_eq!(judged[30].evidence, "missed_probe");
}

#[test]
fn one_missed_probe_is_nothing() {
    assert_eq!(letters(&probed(&".".repeat(60), 30..31)), "U".repeat(60));
}

#[test]
fn an_outage_that_lasts_to_the_end_is_down() {
    assert_eq!(
        letters(&probed(&".".repeat(60), 50..60)),
        format!("{}{}", "U".repeat(50), "D".repeat(10))
    );
}

#[test]
fn a_probe_that_stops_while_people_are_served_is_broken() {
    let letters_given = format!("{}{}", "u".repeat(30), "u..u.".repeat(10));
    assert!(!letters(&probed(&letters_given, 30..80)).contains('D'));
}

/// A busy site: people are served in the minutes in which an outage begins and ends.
#[test]
fn people_beside_an_outage_do_not_make_the_probe_a_broken_one() {
    let given = format!("{}{}{}", "u".repeat(31), ".".repeat(500), "u".repeat(40));
    let judged = letters(&probed(&given, 30..532));
    assert_eq!(judged.matches('D').count(), 500, "{judged}");
}

#[test]
fn a_probe_removed_for_good_is_forgotten() {
    let given = format!(
        "{}{}",
        ".".repeat(100),
        ".........................................................u".repeat(60)
    );
    assert!(!letters(&probed(&given, 100..100 + 58 * 60)).contains('D'));
}

#[test]
fn a_probe_is_not_missed_where_no_log_covers() {
    let given = format!("{}{}{}", ".".repeat(40), "?".repeat(20), ".".repeat(40));
    assert!(!letters(&probed(&given, 40..60)).contains('D'));
}

/// Visitors that come in sessions, by a rhythm of day and week; the mean is `per_minute` requests.
fn visitors(minutes: i64, per_minute: f64, seed: u64) -> Vec<Minute> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut range: Vec<Minute> = (0..minutes).map(|at| minute('.', at)).collect();
    for at in 0..minutes {
        let hour = (at % DAY) as f64 / 60.0;
        let rhythm = 1.0 + 0.8 * ((hour - 9.0) / 24.0 * std::f64::consts::TAU).sin();
        let weekend = if at % WEEK >= 5 * DAY { 0.5 } else { 1.0 };
        // A session is six requests over some minutes; sessions arrive by Poisson.
        let none = (-per_minute / 6.0 * rhythm * weekend).exp();
        let mut left = random();
        while left > none {
            left *= random();
            for page in 0..6i64 {
                let when = at + page * 2 + (random() * 2.0) as i64;
                if let Some(minute) = usize::try_from(when)
                    .ok()
                    .and_then(|when| range.get_mut(when))
                {
                    minute.good += 1;
                }
            }
        }
    }
    range
}

fn silence(minutes: &mut [Minute], from: i64, until: i64) {
    for minute in &mut minutes[from as usize..until as usize] {
        minute.good = 0;
    }
}

#[test]
fn silence_of_a_busy_site_is_down_to_the_minute() {
    let mut minutes = visitors(5 * WEEK, 60.0, 1);
    let from = 4 * WEEK + 2 * DAY + 14 * 60;
    silence(&mut minutes, from, from + 30);
    let judged = judge(&minutes);
    let down: Vec<i64> = judged
        .iter()
        .filter(|minute| minute.state == MinuteState::Down)
        .map(|minute| minute.minute)
        .collect();
    assert_eq!(down, (from..from + 30).collect::<Vec<_>>());
}

#[test]
fn silence_in_the_first_week_is_at_most_suspect() {
    let mut minutes = visitors(6 * DAY, 60.0, 2);
    silence(&mut minutes, 4 * DAY + 600, 4 * DAY + 660);
    let judged = judge(&minutes);
    assert!(
        judged[(4 * DAY + 600) as usize..(4 * DAY + 660) as usize]
            .iter()
            .all(|minute| minute.state == MinuteState::Suspect)
    );
    assert!(
        judged
            .iter()
            .all(|minute| minute.state != MinuteState::Down)
    );
}

#[test]
fn quiet_sites_are_never_down_for_being_quiet() {
    let (mut all, mut suspect) = (0, 0);
    for per_minute in [0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 40.0] {
        for seed in 3..9 {
            let judged = judge(&visitors(5 * WEEK, per_minute, seed));
            let count = |state| judged.iter().filter(|minute| minute.state == state).count();
            assert_eq!(
                count(MinuteState::Down),
                0,
                "{per_minute} requests a minute, seed {seed}"
            );
            suspect += count(MinuteState::Suspect);
            all += judged.len();
        }
    }
    assert!(suspect * 500 < all, "{suspect} of {all} suspect");
}

#[test]
fn a_silence_of_half_a_day_is_down_where_a_request_a_minute_is_usual() {
    let mut minutes = visitors(5 * WEEK, 2.0, 10);
    let from = 4 * WEEK + DAY + 8 * 60;
    silence(&mut minutes, from, from + 12 * 60);
    let judged = judge(&minutes);
    let down = judged
        .iter()
        .filter(|minute| minute.state == MinuteState::Down)
        .count();
    assert!((720..=780).contains(&down), "{down}");
}

#[test]
fn an_outage_last_week_does_not_make_this_week_quiet() {
    let mut minutes = visitors(4 * WEEK, 60.0, 11);
    for week in [1, 3] {
        let from = week * WEEK + 2 * DAY + 14 * 60;
        silence(&mut minutes, from, from + 60);
    }
    let judged = judge(&minutes);
    assert_eq!(
        judged
            .iter()
            .filter(|minute| minute.state == MinuteState::Down)
            .count(),
        120
    );
}

#[track_caller]
fn check_uptime(given: &str, target: f64, expected: (Option<f64>, f64, f64, Verdict)) {
    let found = uptime(&judge(&story(given)), target);
    assert_eq!(
        (found.uptime, found.lower, found.upper, found.verdict),
        expected,
        "{given}"
    );
}

#[test]
fn uptime_counts_judged_minutes_and_bounds_the_unknown() {
    check_uptime("uuuuuuuuux", 0.9, (Some(0.9), 0.9, 0.9, Verdict::Pass));
    check_uptime("uuuuuuuuux", 0.95, (Some(0.9), 0.9, 0.9, Verdict::Fail));
    check_uptime(
        "uuuuuuuu?x",
        0.85,
        (Some(8.0 / 9.0), 0.8, 0.9, Verdict::Undetermined),
    );
    check_uptime("uuuuuuuuud", 0.95, (Some(0.99), 0.99, 0.99, Verdict::Pass));
    check_uptime(
        "u................u",
        0.95,
        (Some(1.0), 1.0, 1.0, Verdict::Undetermined),
    ); // judged too little
    check_uptime("", 0.95, (None, 0.0, 1.0, Verdict::Undetermined));
    check_uptime("????", 0.95, (None, 0.0, 1.0, Verdict::Undetermined));
}

#[test]
fn the_longest_silence_that_nothing_explains_may_have_been_an_outage() {
    let day = |silent: u16| {
        let silence = ".".repeat(usize::from(silent));
        format!("{silence}{}", "u".repeat(usize::from(1_440 - silent)))
    };
    // An hour, and as long less a minute, of which nothing is known yet.
    for (silent, unseen, verdict) in [
        (59, 0, Verdict::Pass),
        (60, 60, Verdict::Pass),
        (90, 90, Verdict::Undetermined),
    ] {
        let lower = f64::from(1_440 - silent) / f64::from(1_440 - silent + unseen);
        check_uptime(&day(silent), 0.95, (Some(1.0), lower, 1.0, verdict));
    }
    let two = judge(&story(&[day(90), day(60)].concat()));
    assert_eq!(uptime(&two, 0.99).deciding, vec![(0, 90)]);
    // Nobody ever comes at night: from the second day on that is known.
    let nights = judge(&story(&day(600).repeat(9)));
    let evidence = |minutes: &[Judged]| minutes[0].evidence;
    assert_eq!(evidence(&nights), "unexplained_silence");
    for day in nights.chunks(1_440).skip(2) {
        assert_eq!(evidence(day), "idle");
        assert_eq!(uptime(day, 0.95).verdict, Verdict::Pass);
    }
}

#[test]
fn an_open_verdict_names_the_minutes_that_decide() {
    let week = uptime(&judge(&story("uuuu??uuu?ux")), 0.8);
    assert_eq!(week.deciding, vec![(4, 6), (9, 10)]);
    assert_eq!(
        (week.minutes_up, week.minutes_down, week.minutes_uncovered),
        (8, 1, 3)
    );
    assert!((week.coverage - 0.75).abs() < 1e-12);
}

#[track_caller]
fn check_incidents(given: &str, expected: &[(i64, i64, IncidentKind)]) {
    let found = incidents(&judge(&story(given)));
    let found: Vec<_> = found
        .iter()
        .map(
            |Incident {
                 start_minute,
                 end_minute,
                 kind,
                 ..
             }| (*start_minute, *end_minute, *kind),
        )
        .collect();
    assert_eq!(found, expected, "{given}");
}

#[test]
fn incidents_are_stretches_and_not_single_minutes() {
    use IncidentKind::{Degraded, Gap, Outage};
    check_incidents("uuxxuuxxuu", &[(2, 8, Outage)]);
    check_incidents("uuxxuuuuuuxxuu", &[(2, 4, Outage), (10, 12, Outage)]);
    check_incidents("uu1uuu", &[]);
    check_incidents("uuduuu", &[]);
    check_incidents("uudddduu", &[(2, 6, Degraded)]);
    check_incidents("uuddddxxxxuu", &[(2, 6, Degraded), (6, 10, Outage)]);
    check_incidents("??uu??uu??", &[(4, 6, Gap)]);
    check_incidents("????", &[]);
}

proptest! {
    #[test]
    fn bounds_hold_the_uptime(given in "[u1xsd.?mnl]{0,80}", target in 0.0f64..=1.0) {
        let judged = judge(&story(&given));
        let found = uptime(&judged, target);
        prop_assert_eq!(judged.len(), given.len());
        prop_assert!(found.lower <= found.upper);
        if let Some(share) = found.uptime {
            prop_assert!(found.lower <= share + 1e-12 && share <= found.upper + 1e-12);
        }
        for incident in incidents(&judged) {
            prop_assert!(incident.start_minute < incident.end_minute);
        }
    }

    #[test]
    fn an_uncovered_minute_never_makes_another_one_worse(given in "[ux.?]{1,60}", at in 0usize..60) {
        let minutes = story(&given);
        let mut less = minutes.clone();
        let at = at % less.len();
        less[at] = minute('?', less[at].minute);
        let count = |minutes: &[Minute]| letters(&judge(minutes)).matches('D').count();
        prop_assert!(count(&less) <= count(&minutes));
    }
}

#[test]
fn scattered_errors_are_no_incident() {
    for per_minute in [0.3, 1.0, 3.0, 10.0, 40.0] {
        let mut minutes = visitors(4 * WEEK, per_minute, 17);
        let mut state = 99u32;
        for minute in &mut minutes {
            for _ in 0..minute.good {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Three in a thousand, each of another client.
                if state >> 16 < 197 {
                    minute.good -= 1;
                    minute.bad += 1;
                    minute.bad_clients += 1;
                }
            }
        }
        let judged = judge(&minutes);
        assert_eq!(incidents(&judged), [], "{per_minute} requests a minute");
        let found = uptime(&judged, 0.95);
        assert!(
            found.uptime.is_some_and(|share| share > 0.985),
            "{per_minute}: {found:?}"
        );
    }
}
