//! The screen drawn into cells, and its counts held against plain ones.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int16Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMicrosecondArray,
};
use chrono_tz::Tz;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::counts::{Counts, Dimension, MINUTE_US, SECOND_US};
use super::draw::{Popup, Scene, draw, help, tables};
use super::judgment::{Incident, Judged};
use super::past::Committed;
use super::theme::Theme;
use super::view::{Choice, Known, SortBy, View};

/// 2026-11-22 12:00:30 UTC.
const NOW_S: i64 = 1_795_348_830;

/// Time (seconds), path, client, status.
type Line<'text> = (i64, &'text str, &'text str, i16);

fn batch(lines: &[Line<'_>]) -> RecordBatch {
    let times = lines.iter().map(|line| line.0 * SECOND_US);
    let texts = |of: &dyn Fn(&Line<'_>) -> String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(lines.iter().map(of)))
    };
    let columns: [(&str, ArrayRef); 8] = [
        (
            "time",
            Arc::new(TimestampMicrosecondArray::from_iter_values(times)),
        ),
        ("path", texts(&|line| line.1.to_owned())),
        ("client", texts(&|line| line.2.to_owned())),
        ("http_user_agent", texts(&|_| "agent".to_owned())),
        ("bot", texts(&|_| "none".to_owned())),
        (
            "status",
            Arc::new(
                lines
                    .iter()
                    .map(|line| Some(line.3))
                    .collect::<Int16Array>(),
            ),
        ),
        (
            "body_bytes_sent",
            Arc::new(Int64Array::from(vec![100; lines.len()])),
        ),
        (
            "request_time",
            Arc::new(Float64Array::from(vec![0.25; lines.len()])),
        ),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn counts(lines: &[Line<'_>]) -> Counts {
    let minute = NOW_S.div_euclid(60);
    let mut counts = Counts::new(minute - 60, minute - 14);
    for some in lines.chunks(7) {
        counts.add(&batch(some), NOW_S * SECOND_US);
    }
    counts
}

fn view(counts: &Counts, judged: Option<&Judged>, dimensions: &[Dimension]) -> View {
    let known = Known {
        counts,
        judged,
        committed: Some(Committed {
            given_ms: 1_000 * (NOW_S - 8),
            version: 3,
        }),
        now_ms: 1_000 * NOW_S,
    };
    let choice = Choice {
        sort_by: SortBy::Requests,
        window: 15,
    };
    View::of(&known, choice, dimensions, None)
}

fn drawn(
    view: &View,
    popup: Option<&Popup>,
    typing: Option<&str>,
    (width, height): (u16, u16),
) -> Vec<String> {
    let scene = Scene {
        view,
        theme: Theme { has_color: false },
        tz: Tz::UTC,
        name: "access.log",
        is_paused: false,
        busy: None,
        filter: None,
        selected: Dimension::Paths,
        row: 0,
        sort_by: SortBy::Requests,
        rejected: 3,
        rotated_ms: None,
        message: None,
        typing,
        popup,
    };
    let mut terminal =
        Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
    terminal
        .draw(|frame| draw(frame, &scene))
        .expect("it is drawn");
    let buffer = terminal.backend().buffer();
    let cells = buffer.content().chunks(usize::from(width.max(1)));
    cells
        .map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>())
        .map(|row| row.trim_end().to_owned())
        .collect()
}

fn judged() -> Judged {
    let minute = NOW_S.div_euclid(60);
    Judged {
        until: minute,
        states: vec![
            (minute - 2, "DOWN".to_owned()),
            (minute - 1, "UP".to_owned()),
        ],
        incidents: vec![Incident {
            start: minute - 2,
            end: minute - 1,
            kind: "outage".to_owned(),
            requests: 40,
            bad: 38,
            evidence: "errors".to_owned(),
        }],
        normal_4xx: 0.05,
        normal_5xx: 0.005,
        ..Judged::default()
    }
}

#[test]
fn the_most_important_stands_first() {
    let lines: Vec<Line<'_>> = (0..60)
        .map(|at| {
            (
                NOW_S - 30 - at,
                if at % 3 == 0 { "/cart" } else { "/" },
                "192.0.2.1",
                if at < 2 { 502 } else { 200 },
            )
        })
        .collect();
    let counts = counts(&lines);
    let shown = drawn(
        &view(&counts, Some(&judged()), &[Dimension::Paths]),
        None,
        None,
        (80, 24),
    );
    assert_eq!(
        shown[..2],
        [
            " UP  access.log                                                     12:00:30 UTC",
            "incidents  outage over, 11:58 to 11:59: 38 of 40 requests failed (errors)",
        ]
    );
    assert!(shown[2].contains("✘█"), "{}", shown[2]);
    assert_eq!(
        shown[5..],
        [
            "errors     5xx 3.3 % above the normal 0.50 %   4xx 0 % normal up to 5.0 %",
            "took       p50 251 ms   p95 251 ms   p99 251 ms   ±0.79 %",
            "who        people 100.0 %   bots 0 %   scanners 0 %   probes 0 %",
            "read       last line 30 s ago · lake 8 s ago · 3 rejects · no rotation seen",
            "",
            " 1 paths  2 clients  3 agents  4 upstreams            15 min, since 11:46, exact",
            "path                                     requests▼    4xx    5xx    mean   bytes",
            "/                                               40      0      1  250 ms  4.0 kB",
            "/cart                                           20      0      1  250 ms  2.0 kB",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "? help  q quit  / filter  Enter lines  s SQL  Tab table  o sort  w window",
        ]
    );
}

#[test]
fn a_narrow_table_keeps_its_keys() {
    let counts = counts(&[(NOW_S, "/cart", "192.0.2.1", 200); 30]);
    let view = view(&counts, None, &[Dimension::Paths]);
    for width in [20, 30, 40, 60, 80, 100] {
        let shown = drawn(&view, None, None, (width, 12));
        let row = shown.iter().find(|row| row.starts_with("/cart"));
        assert!(row.is_some_and(|row| row.contains(" 30")), "{shown:#?}");
    }
}

#[test]
fn it_is_drawn_at_any_size() {
    let counts = counts(&[(NOW_S, "/", "192.0.2.1", 200); 30]);
    let judged = judged();
    let sizes = (1..40).flat_map(|width| (1..30).map(move |height| (width, height)));
    for size in sizes.chain([(79, 24), (80, 1), (150, 34), (160, 50), (300, 80)]) {
        let dimensions = tables(size.0, size.1, Dimension::Upstreams);
        let view = view(&counts, Some(&judged), &dimensions);
        let help = help();
        for (popup, typing) in [(None, None), (Some(&help), None), (None, Some("/cart"))] {
            assert_eq!(drawn(&view, popup, typing, size).len(), usize::from(size.1));
        }
    }
}

#[test]
fn texts_of_the_log_cannot_move_the_cursor() {
    let counts = counts(&[(NOW_S, "/\u{1b}[2J\u{202e}\r\n", "192.0.2.1", 200)]);
    let view = view(&counts, None, &[Dimension::Paths]);
    let popup = Popup {
        title: "\u{1b}]0;".to_owned(),
        lines: vec!["\u{9b}2J\u{7}".to_owned()],
        ..Popup::default()
    };
    let table = drawn(&view, None, None, (80, 24)).concat();
    assert!(table.contains(r"/\x1B[2J\u{202E}\x0D\x0A"), "{table}");
    let shown = drawn(&view, Some(&popup), Some("\u{1b}"), (80, 24)).concat();
    assert!(
        shown.contains(r"\u{009B}2J\x07") && shown.contains(r"\x1B]0;"),
        "{shown}"
    );
    assert!(!format!("{table}{shown}").chars().any(char::is_control));
}

/// Counts by path, client and minute, one by one.
#[test]
fn counts_are_those_of_the_lines() {
    let paths: Vec<String> = (0..40).map(|path| format!("/{path}")).collect();
    let mut dice = 7_u64;
    let mut roll = |sides: u64| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    let lines: Vec<Line<'_>> = (0..5_000)
        .map(|_| {
            let ago = i64::try_from(roll(14 * 60)).expect("seconds");
            let path = &paths[usize::try_from(roll(40).min(roll(40))).expect("a path")];
            let client = if roll(3) == 0 {
                "192.0.2.1"
            } else {
                "192.0.2.2"
            };
            (
                NOW_S - ago,
                path.as_str(),
                client,
                [200, 404, 500][usize::try_from(roll(3)).expect("a status")],
            )
        })
        .collect();
    let counts = counts(&lines);
    let this_minute = NOW_S.div_euclid(60);
    let window = this_minute - 4..this_minute + 1;
    let mut naive: HashMap<&str, u64> = HashMap::new();
    for line in lines
        .iter()
        .filter(|line| window.contains(&line.0.div_euclid(60)))
    {
        *naive.entry(line.1).or_default() += 1;
    }
    let keys = counts.keys(Dimension::Paths, window);
    let found: HashMap<&str, u64> = keys
        .iter()
        .map(|(key, counted)| (key, counted.count))
        .collect();
    assert_eq!((found, keys.floor()), (naive, 0));
    for (minute, sums) in
        (this_minute - 13..).zip(counts.minutes(this_minute - 13..this_minute + 1))
    {
        let of_minute = || lines.iter().filter(|line| line.0.div_euclid(60) == minute);
        assert_eq!(sums.requests, of_minute().count() as u64);
        assert_eq!(
            sums.status_5xx,
            of_minute().filter(|line| line.3 == 500).count() as u64
        );
    }
    for (second, count) in (NOW_S - 59..).zip(counts.seconds(NOW_S - 59..NOW_S + 1)) {
        assert_eq!(
            count,
            lines.iter().filter(|line| line.0 == second).count() as u64
        );
    }
}

#[test]
fn what_is_old_is_let_go_of() {
    let mut counts = counts(&[
        (NOW_S - 60, "/", "192.0.2.1", 200),
        (NOW_S - 7_200, "/old", "192.0.2.1", 200),
    ]);
    let minute = NOW_S.div_euclid(60);
    assert_eq!(counts.minutes(minute - 1..minute)[0].requests, 1);
    assert!(
        counts
            .minutes(minute - 121..minute - 1)
            .iter()
            .all(|sums| sums.requests == 0)
    );
    counts.add(
        &batch(&[(NOW_S + 1_200, "/", "192.0.2.1", 200)]),
        (minute + 20) * MINUTE_US,
    );
    let keys = counts.keys(Dimension::Paths, minute - 1..minute);
    assert_eq!(keys.iter().count(), 0);
    assert_eq!(counts.minutes(minute - 1..minute)[0].requests, 1);
}
