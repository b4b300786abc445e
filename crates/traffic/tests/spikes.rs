//! Series of errors in, spikes out.

#![expect(clippy::cast_possible_truncation, reason = "small numbers made here")]

use floodmark_traffic::spike::{SpikeOptions, SpikePoint, robust_z, spikes};
use proptest::prelude::*;

struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn count(&mut self, n: u32, p: f64) -> u32 {
        (0..n).filter(|_| self.next() < p).count() as u32
    }
}

/// `minutes` minutes of `n` requests, bad with chance `rate(minute)`.
fn series(minutes: i64, n: u32, seed: u64, rate: impl Fn(i64) -> f64) -> Vec<SpikePoint> {
    let mut random = Random(seed | 1);
    (0..minutes)
        .map(|minute| SpikePoint {
            minute,
            bad: random.count(n, rate(minute)),
            n,
            ..SpikePoint::default()
        })
        .collect()
}

fn found(points: &[SpikePoint]) -> Vec<(i64, i64)> {
    spikes(points, &SpikeOptions::default())
        .iter()
        .map(|spike| (spike.start, spike.end))
        .collect()
}

#[test]
fn a_step_is_found_where_it_begins_and_ends() {
    let points = series(3_000, 60, 7, |minute| {
        if (2_000..2_020).contains(&minute) {
            0.3
        } else {
            0.002
        }
    });
    let spikes = spikes(&points, &SpikeOptions::default());
    assert_eq!(spikes.len(), 1);
    let spike = &spikes[0];
    assert!(
        (1_999..=2_001).contains(&spike.start) && (2_019..=2_022).contains(&spike.end),
        "{spike:?}"
    );
    assert!(spike.peak_rate > 0.3 && spike.p0 < 0.01 && spike.tail < 1e-6);
}

#[test]
fn normal_errors_are_no_spike() {
    for (seed, rate) in [(1, 0.001), (2, 0.005), (3, 0.007), (6, 0.0)] {
        assert_eq!(found(&series(20_000, 30, seed, |_| rate)), [], "{rate}");
    }
}

#[test]
fn a_slight_rise_is_found_by_a_longer_window() {
    let points = series(6_000, 40, 9, |minute| {
        if (4_000..4_120).contains(&minute) {
            0.06
        } else {
            0.005
        }
    });
    let found = found(&points);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        (3_990..=4_010).contains(&found[0].0) && (4_110..=4_140).contains(&found[0].1),
        "{found:?}"
    );
}

#[test]
fn few_requests_are_enough_if_they_all_fail() {
    let mut random = Random(5);
    let points: Vec<SpikePoint> = (0..20_000)
        .filter(|_| random.next() < 0.4)
        .map(|minute| SpikePoint {
            minute,
            bad: u32::from((15_000..15_120).contains(&minute)),
            n: 1,
            ..SpikePoint::default()
        })
        .collect();
    let found = found(&points);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        (15_000..15_015).contains(&found[0].0) && (15_100..=15_120).contains(&found[0].1),
        "{found:?}"
    );
}

#[test]
fn a_quiet_site_that_answers_nobody_is_told_at_the_fifth_error() {
    let points: Vec<SpikePoint> = (0..200)
        .map(|index| SpikePoint {
            minute: index * 10,
            bad: u32::from((150..160).contains(&index)),
            n: 1,
            ..SpikePoint::default()
        })
        .collect();
    let found = spikes(&points, &SpikeOptions::default());
    let told: Vec<_> = found
        .iter()
        .map(|spike| (spike.start, spike.opened))
        .collect();
    assert_eq!(told, [(1_500, 1_540)]);
}

#[test]
fn a_spike_begins_with_its_first_error_and_not_with_the_window_that_shows_it() {
    let errors = [1_500, 1_500, 1_506, 1_520, 1_521, 1_521, 1_521, 1_521];
    let bad = |minute| errors.iter().filter(|&&at| at == minute).count() as u32;
    let point = |minute| SpikePoint {
        minute,
        bad: bad(minute),
        n: if minute < 1_500 { 4 } else { bad(minute) },
        ..SpikePoint::default()
    };
    let mut points: Vec<SpikePoint> = (0..1_522).map(point).collect();
    let told = |points: &[SpikePoint]| -> Vec<_> {
        let found = spikes(points, &SpikeOptions::default());
        found
            .iter()
            .map(|spike| (spike.start, spike.opened))
            .collect()
    };
    assert_eq!(told(&points), [(1_500, 1_521)]);
    // That somebody is served meanwhile does not make chance of those before.
    points[1_515].n = 12;
    assert_eq!(told(&points), [(1_500, 1_521)]);
}

#[test]
fn fewer_than_five_errors_open_nothing() {
    let mut points = series(600, 30, 3, |_| 0.0);
    points[500].bad = 4;
    assert_eq!(found(&points), []);
}

#[test]
fn a_slow_creep_is_found() {
    let points = series(6_000, 20, 21, |minute| {
        if minute < 4_000 {
            0.01
        } else {
            0.01 + (minute - 4_000) as f64 * 0.000_04
        }
    });
    let found = found(&points);
    assert!(found.iter().any(|(start, _)| *start >= 4_000), "{found:?}");
    assert!(found.iter().all(|(start, _)| *start >= 3_900), "{found:?}");
}

#[test]
fn a_weekly_failure_is_a_spike_each_week() {
    // Earlier spikes are left out of the baseline, so that a failure does not become normal by coming back.
    let weekly = |minute: i64| {
        if (200..260).contains(&(minute % 10_080)) {
            0.1
        } else {
            0.002
        }
    };
    let found = found(&series(5 * 10_080, 30, 33, weekly));
    assert_eq!(found.len(), 5, "{found:?}");
}

#[test]
fn errors_that_are_usual_at_this_time_of_the_week_are_normal() {
    let weekly = |minute: i64| {
        if (200..260).contains(&(minute % 10_080)) {
            0.012
        } else {
            0.002
        }
    };
    assert_eq!(found(&series(5 * 10_080, 30, 33, weekly)), []);
}

#[test]
fn a_spike_is_left_out_of_the_baseline_that_follows() {
    let burst = |minute: i64| {
        if (2_000..2_060).contains(&minute) || (2_300..2_320).contains(&minute) {
            0.5
        } else {
            0.002
        }
    };
    assert_eq!(found(&series(4_000, 30, 44, burst)).len(), 2);
}

#[test]
fn one_client_with_most_errors_is_named_so() {
    let mut points = series(3_000, 60, 7, |minute| {
        if (2_000..2_020).contains(&minute) {
            0.3
        } else {
            0.002
        }
    });
    for point in &mut points {
        (point.bad_of_top_client, point.top_client) = (point.bad, 77);
    }
    assert!(spikes(&points, &SpikeOptions::default())[0].single_client);
    for point in &mut points {
        point.top_client = u64::try_from(point.minute).unwrap() + 1;
    }
    assert!(!spikes(&points, &SpikeOptions::default())[0].single_client);
}

#[test]
fn many_series_raise_the_bar() {
    let points = series(3_000, 25, 12, |minute| {
        if minute == 2_000 || minute == 2_001 {
            0.2
        } else {
            0.002
        }
    });
    let bar = |live_series| {
        spikes(
            &points,
            &SpikeOptions {
                live_series,
                ..SpikeOptions::default()
            },
        )
        .len()
    };
    assert!(bar(u32::MAX) <= bar(1));
}

#[test]
fn a_robust_z_counts_deviations_of_the_median() {
    assert!((robust_z(130.0, 100.0, 10.0, 0.0) - 30.0 / 14.826).abs() < 1e-12);
    assert_eq!(robust_z(130.0, 100.0, 0.0, 10.0), 3.0);
    assert_eq!(robust_z(5.0, 5.0, 0.0, 0.0), 0.0);
    assert_eq!(robust_z(6.0, 5.0, 0.0, 0.0), f64::INFINITY);
    assert!(robust_z(f64::NAN, 5.0, 1.0, 0.0).is_nan());
}

proptest! {
    #[test]
    fn spikes_are_disjoint_ascending_and_counted(
        counts in proptest::collection::vec((1i64..90, 0u32..40, 0u32..40), 0..400)
    ) {
        let mut minute = 0;
        let points: Vec<SpikePoint> = counts
            .iter()
            .map(|&(step, bad, good)| {
                minute += step;
                SpikePoint { minute, bad, n: bad + good, ..SpikePoint::default() }
            })
            .collect();
        let found = spikes(&points, &SpikeOptions::default());
        for pair in found.windows(2) {
            prop_assert!(pair[0].end <= pair[1].start);
        }
        for spike in &found {
            let within = points.iter().filter(|point| (spike.start..spike.end).contains(&point.minute));
            let (bad, n) = within.fold((0, 0), |(bad, n), point| (bad + u64::from(point.bad), n + u64::from(point.n)));
            prop_assert_eq!((bad, n), (spike.bad, spike.n));
            prop_assert!(spike.start < spike.end && spike.bad > 0);
        }
    }
}
