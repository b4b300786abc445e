//! Five weeks of a small shop: one bad week, a flood, a client that breaks a path on its own, a gap.

use chrono::NaiveDate;
use floodmark_query::NamedQuery;
use floodmark_report::{
    Bot, Class, Incident, IncidentKind, LineCounts, Minute, Panel, Query, Report, Spike, State,
    TimeUs, Traffic, Value, Verdict, Week,
};

const MINUTE_US: i64 = 60_000_000;
const WEEK_MINUTES: i64 = 7 * 1440;

/// 2026-10-19 00:00 UTC, a Monday.
const START_US: i64 = 1_792_368_000_000_000;

/// The moment this many minutes after the start.
pub(crate) fn at(minute: i64) -> TimeUs {
    TimeUs(START_US + minute * MINUTE_US)
}

const OUTAGE: (i64, i64) = (
    3 * WEEK_MINUTES + 2 * 1440 + 842,
    3 * WEEK_MINUTES + 2 * 1440 + 1455,
);
const DEGRADED: (i64, i64) = (WEEK_MINUTES + 4 * 1440 + 600, WEEK_MINUTES + 4 * 1440 + 645);
const GAP: (i64, i64) = (4 * WEEK_MINUTES + 180, 4 * WEEK_MINUTES + 900);

fn within(minute: i64, (start, end): (i64, i64)) -> bool {
    (start..end).contains(&minute)
}

fn state(minute: i64) -> State {
    match minute {
        minute if within(minute, OUTAGE) => State::Down,
        minute if within(minute, DEGRADED) => State::Degraded,
        minute if within(minute, GAP) => State::Uncovered,
        minute if minute >= 4 * WEEK_MINUTES + 5 * 1440 => State::Uncovered,
        minute if (120..300).contains(&(minute % 1440)) && minute % 7 < 3 => State::Idle,
        minute if minute % 3001 == 0 => State::Suspect,
        _ => State::Up,
    }
}

fn minutes() -> Vec<Minute> {
    let minute = |index: i64| {
        let state = state(index);
        // People sleep: a wave over the day, lower on a week's last two days.
        let hour = index % 1440 / 60;
        let busy = (12 - (hour - 14).abs()).max(1)
            * if index % WEEK_MINUTES >= 5 * 1440 {
                1
            } else {
                2
            };
        let (good, bad) = match state {
            State::Up => (busy, 0),
            State::Degraded => (busy, busy / 4 + 1),
            State::Down => (busy / 5, busy),
            _ => (0, 0),
        };
        Minute {
            start: at(index),
            state,
            requests: good + bad,
            good,
            bad,
        }
    };
    (0..5 * WEEK_MINUTES).map(minute).collect()
}

fn week(index: i64, name: &str, verdict: Verdict, minutes: &[Minute]) -> Week {
    let minutes: Vec<&Minute> = minutes
        .iter()
        .filter(|minute| {
            minute.start >= at(index * WEEK_MINUTES)
                && minute.start < at((index + 1) * WEEK_MINUTES)
        })
        .collect();
    let number = |state| {
        i64::try_from(
            minutes
                .iter()
                .filter(|minute| minute.state == state)
                .count(),
        )
        .unwrap()
    };
    let [up, degraded, down, suspect, idle, uncovered] = [
        State::Up,
        State::Degraded,
        State::Down,
        State::Suspect,
        State::Idle,
        State::Uncovered,
    ]
    .map(number);
    let (good, bad) = minutes.iter().fold((0, 0), |(good, bad), minute| {
        (good + minute.good, bad + minute.bad)
    });
    let share = |part: i64, whole: i64| part as f64 / whole as f64;
    let judged = up + degraded + down;
    Week {
        week: name.to_owned(),
        start: at(index * WEEK_MINUTES),
        end: at((index + 1) * WEEK_MINUTES),
        verdict,
        uptime: Some((up as f64 + 0.75 * degraded as f64) / judged as f64),
        lower: Some((up as f64 + 0.75 * degraded as f64) / (judged + suspect + uncovered) as f64),
        upper: Some(
            (up as f64 + 0.75 * degraded as f64 + (suspect + uncovered) as f64)
                / (judged + suspect + uncovered) as f64,
        ),
        coverage: 1.0 - share(uncovered, WEEK_MINUTES),
        judged_share: share(judged, WEEK_MINUTES),
        up,
        degraded,
        down,
        suspect,
        idle,
        maint: 0,
        uncovered,
        unseen: 0,
        request_ratio: Some(share(good, good + bad)),
        request_ratio_people: Some(share(good, good + bad) - 0.0005),
    }
}

fn traffic(minutes: &[Minute]) -> Vec<Traffic> {
    let first = NaiveDate::from_ymd_opt(2026, 10, 19).unwrap();
    let day = |(index, minutes): (usize, &[Minute])| {
        let people: i64 = minutes.iter().map(|minute| minute.requests).sum();
        let flood = if index == 24 { 31_000 } else { 0 };
        let bots = people / 3 + 700 + flood;
        let probes = i64::try_from(
            minutes
                .iter()
                .filter(|minute| minute.state != State::Uncovered)
                .count(),
        )
        .unwrap();
        Traffic {
            day: first + chrono::Days::new(u64::try_from(index).unwrap()),
            requests: people + bots + probes,
            people,
            bots,
            declared: people / 3 + 200,
            fake: 0,
            scanner: 350,
            flood,
            robotic: 100,
            package_client: 50,
            visitors: people / 17,
            bytes: people * 21_377 + bots * 4_100,
            errors: minutes.iter().map(|minute| minute.bad).sum(),
        }
    };
    minutes.chunks(1440).enumerate().map(day).collect()
}

fn incident(
    kind: IncidentKind,
    (start, end): (i64, i64),
    minutes: &[Minute],
    evidence: &str,
) -> Incident {
    let inside: Vec<&Minute> = minutes
        .iter()
        .filter(|minute| minute.start >= at(start) && minute.start < at(end))
        .collect();
    Incident {
        start: at(start),
        end: at(end),
        kind,
        minutes: end - start,
        requests: inside.iter().map(|minute| minute.requests).sum(),
        bad: inside.iter().map(|minute| minute.bad).sum(),
        evidence: evidence.to_owned(),
    }
}

/// A panel as its query's header has it, with these rows.
fn panel(header: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> Panel {
    let query = NamedQuery::parse("panel", &format!("{header}\nSELECT 1")).unwrap();
    Panel {
        name: query.name,
        section: query.report.unwrap(),
        title: query.title,
        question: query.question,
        chart: query.chart,
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        none: rows.is_empty().then(|| {
            "No request of this window has `$ssl_protocol`: add it to `log_format` in nginx.conf."
                .to_owned()
        }),
        rows,
        failed: false,
    }
}

fn panels(requests: i64) -> Vec<Panel> {
    let text = |text: &str| Value::Text(text.to_owned());
    let hours = (1..=7_i64).flat_map(|weekday| {
        (6..23_i64).map(move |hour| vec![weekday, hour, (24 - (hour - 14).abs()) * (9 - weekday)])
    });
    let hours = hours.map(|row| row.into_iter().map(Value::Int).collect());
    let days = (0..35).map(|day| {
        let slow = if day == 23 { 4.0 } else { 1.0 };
        let quantiles = [0.012, 0.13, 0.42].map(|quantile| Value::Float(quantile * slow));
        [vec![Value::Time(at(day * 1440))], quantiles.to_vec()].concat()
    });
    let status = |status: i64, number: i64, bytes: i64| {
        let share = number as f64 / requests as f64;
        vec![
            Value::Int(status),
            Value::Int(number),
            Value::Float(share),
            Value::Int(bytes),
        ]
    };
    let path = |path: Value, requests: i64, errors: i64, p95_s: Option<f64>| {
        let p95_s = p95_s.map_or(Value::Null, Value::Float);
        vec![path, Value::Int(requests), Value::Int(errors), p95_s]
    };
    vec![
        panel(
            "-- title: Hours of the week\n-- question: When do they come?\n-- report: Traffic\n-- chart: heat x=hour y=weekday z=requests",
            &["weekday", "hour", "requests"],
            hours.collect(),
        ),
        panel(
            "-- title: Latency over time\n-- question: How long did it take?\n-- report: Latency\n-- chart: line x=start y=p50_s,p95_s,p99_s",
            &["start", "p50_s", "p95_s", "p99_s"],
            days.collect(),
        ),
        panel(
            "-- title: Status codes\n-- question: What did we answer?\n-- report: Requests\n-- chart: bar x=status y=requests",
            &["status", "requests", "share", "bytes"],
            vec![
                status(200, requests * 9 / 10, 3_900_000_000),
                status(304, requests / 12, 0),
                status(404, 4_801, 2_100_000),
                status(502, 4_420, 700_000),
            ],
        ),
        panel(
            "-- title: Top paths\n-- question: What was asked for most?\n-- report: Requests",
            &["path", "requests", "errors", "p95_s"],
            vec![
                path(text("/"), 60_120, 310, Some(0.048)),
                path(text("/product/{id}"), 44_900, 402, Some(0.12)),
                path(
                    text(
                        "/a/rather/long/path/that/a/marketing/team/has/thought/of/for/the/autumn/sale",
                    ),
                    9_000,
                    0,
                    None,
                ),
                path(Value::Null, 14, 0, None),
            ],
        ),
        panel(
            "-- title: TLS versions\n-- question: Who would be lost without an old one?\n-- report: Requests",
            &["ssl_protocol", "requests"],
            Vec::new(),
        ),
        panel(
            "-- title: Logs\n-- question: What do these numbers rest on?\n-- report: Small print",
            &["source", "requests", "first"],
            vec![vec![
                text("access.log/f00d/1"),
                Value::Int(requests),
                Value::Time(at(1)),
            ]],
        ),
    ]
}

pub(crate) fn report() -> Report {
    let minutes = minutes();
    let traffic = traffic(&minutes);
    let requests: i64 = traffic.iter().map(|day| day.requests).sum();
    let people: i64 = traffic.iter().map(|day| day.people).sum();
    let class = |class: &str, clients: i64, number: i64, bytes: i64, bad: i64| Class {
        class: class.to_owned(),
        clients,
        requests: number,
        share: number as f64 / requests as f64,
        bytes,
        bad,
    };
    let bot =
        |client: &str, agent: Option<&str>, class: &str, rule: &str, requests: i64, bad: i64| Bot {
            client: Some(client.to_owned()),
            http_user_agent: agent.map(str::to_owned),
            class: class.to_owned(),
            rule: rule.to_owned(),
            requests,
            bad,
            first: at(1),
            last: at(4 * WEEK_MINUTES),
        };
    Report {
        version: "0.1.0".to_owned(),
        since: at(0),
        until: at(5 * WEEK_MINUTES),
        tz: chrono_tz::UTC,
        target: 0.95,
        sources: vec!["sample-logs".to_owned()],
        lines: Some(LineCounts {
            lines: u64::try_from(requests).unwrap() + 14,
            requests: u64::try_from(requests).unwrap(),
            rejects: 12,
            blank: 2,
        }),
        notes: vec!["judged on the layer `edge`".to_owned()],
        weeks: vec![
            week(0, "2026-W43", Verdict::Pass, &minutes),
            week(1, "2026-W44", Verdict::Pass, &minutes),
            week(2, "2026-W45", Verdict::Pass, &minutes),
            week(3, "2026-W46", Verdict::Fail, &minutes),
            week(4, "2026-W47", Verdict::Undetermined, &minutes),
        ],
        incidents: vec![
            incident(IncidentKind::Degraded, DEGRADED, &minutes, "some_errors"),
            incident(IncidentKind::Outage, OUTAGE, &minutes, "502 from 214 clients, then 96 minutes of silence; P < 1e-9; the probe at 192.0.2.80 missed 96 periods"),
            incident(IncidentKind::Gap, GAP, &minutes, "no line in sample-logs/access.log.1 for this time"),
        ],
        spikes: vec![
            Spike {
                start: at(DEGRADED.0),
                end: at(DEGRADED.1),
                server_name: Some("shop.example".to_owned()),
                path: Some("/cart/{id}".to_owned()),
                requests: 412,
                bad: 301,
                rate: 0.7306,
                baseline: 0.0004,
                single_client: false,
                top_client: Some("198.51.100.23".to_owned()),
                top_status: Some(500),
            },
            Spike {
                start: at(2 * WEEK_MINUTES + 100),
                end: at(2 * WEEK_MINUTES + 130),
                server_name: Some("shop.example".to_owned()),
                path: None,
                requests: 560,
                bad: 124,
                rate: 0.2214,
                baseline: 0.011,
                single_client: true,
                top_client: Some("203.0.113.77".to_owned()),
                top_status: Some(502),
            },
        ],
        classes: vec![
            class("human", 8_412, people, people * 21_000, 4_911),
            class("declared", 91, (requests - people) / 2, 410_000_000, 63),
            class("flood", 212, 31_000, 127_000_000, 0),
            class("scanner", 38, 2_207, 9_100_000, 0),
            class("probe", 1, 48_960, 12_000_000, 577),
        ],
        bots: vec![
            bot("192.0.2.80", Some("UptimeRobot/2.0"), "probe", "agent:uptimerobot", 48_960, 577),
            bot("198.51.100.7", Some("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"), "declared", "agent:googlebot", 9_133, 12),
            bot("203.0.113.9", None, "scanner", "path:/.env", 1_204, 0),
        ],
        traffic,
        panels: panels(requests),
        minutes,
        queries: vec![
            Query { name: "uptime".to_owned(), sql: "SELECT week, verdict, uptime\nFROM uptime_by_week('2026-10-19', '2026-11-23', 0.95)\nORDER BY week".to_owned() },
            Query { name: "bots".to_owned(), sql: "SELECT client, http_user_agent\nFROM requests\nWHERE a < b AND \"c\" > 'd'".to_owned() },
        ],
    }
}

/// Bytes that mean something to a terminal, a page, a chat and a spreadsheet.
pub(crate) const HOSTILE: &str = "=\"'><script>alert(1)</script><img src=x onerror=alert(2)>\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}|`*[x](javascript:1)\r\n{{ page }}";

/// The same report with `text` wherever a log's text may stand.
pub(crate) fn report_saying(text: &str) -> Report {
    let mut report = report();
    report.sources = vec![text.to_owned(), text.to_owned()];
    report.notes = vec![text.to_owned()];
    report
        .weeks
        .iter_mut()
        .for_each(|week| week.week = text.to_owned());
    report
        .incidents
        .iter_mut()
        .for_each(|incident| incident.evidence = text.to_owned());
    for spike in &mut report.spikes {
        spike.server_name = Some(text.to_owned());
        spike.path = Some(text.to_owned());
        spike.top_client = Some(text.to_owned());
    }
    report
        .classes
        .iter_mut()
        .for_each(|class| class.class = text.to_owned());
    for bot in &mut report.bots {
        bot.client = Some(text.to_owned());
        bot.class = text.to_owned();
        bot.rule = text.to_owned();
        bot.http_user_agent = Some(text.to_owned());
    }
    for panel in &mut report.panels {
        for value in panel.rows.iter_mut().flatten() {
            if let Value::Text(said) = value {
                text.clone_into(said);
            }
        }
        panel.columns[0] = text.to_owned();
        panel.none = panel.none.as_ref().map(|_| text.to_owned());
        for said in [&mut panel.section, &mut panel.title, &mut panel.question] {
            text.clone_into(said);
        }
    }
    report
        .queries
        .iter_mut()
        .for_each(|query| query.sql = text.to_owned());
    report
}

/// A report on nothing at all.
pub(crate) fn empty() -> Report {
    let mut report = report();
    report.until = report.since;
    report.lines = None;
    report.sources.clear();
    report.notes.clear();
    report.weeks.clear();
    report.incidents.clear();
    report.spikes.clear();
    report.classes.clear();
    report.bots.clear();
    report.traffic.clear();
    report.panels.clear();
    report.minutes.clear();
    report
}
