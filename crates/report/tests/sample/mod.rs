//! Five weeks of a small shop: one bad week, a flood, a client that breaks a path on its own, a gap.

use chrono::NaiveDate;
use floodmark_report::{
    Bot, Class, Client, Incident, IncidentKind, LineCounts, Minute, PathRow, Query, Report, Spike,
    State, Status, TimeUs, Traffic, Verdict, Week,
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
    let status = |status: i64, number: i64, bytes: i64| Status {
        status: Some(status),
        requests: number,
        share: number as f64 / requests as f64,
        bytes,
    };
    let path = |path: Option<&str>, requests: i64, errors: i64, p95_s: Option<f64>| PathRow {
        path: path.map(str::to_owned),
        requests,
        people: requests * 2 / 3,
        errors,
        bytes: requests * 18_000,
        p95_s,
    };
    let client =
        |client: &str, class: &str, requests: i64, errors: i64, agent: Option<&str>| Client {
            client: Some(client.to_owned()),
            class: class.to_owned(),
            requests,
            errors,
            bytes: requests * 5_000,
            http_user_agent: agent.map(str::to_owned),
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
        statuses: vec![
            status(200, requests * 9 / 10, 3_900_000_000),
            status(304, requests / 12, 0),
            status(404, 4_801, 2_100_000),
            status(502, 4_420, 700_000),
        ],
        paths: vec![
            path(Some("/"), 60_120, 310, Some(0.048)),
            path(Some("/product/{id}"), 44_900, 402, Some(0.12)),
            path(Some("/a/rather/long/path/that/a/marketing/team/has/thought/of/for/the/autumn/sale"), 9_000, 3, None),
            path(None, 14, 0, None),
        ],
        clients: vec![
            client("192.0.2.80", "probe", 48_960, 577, Some("UptimeRobot/2.0")),
            client("2001:db8:17::1f", "human", 3_010, 9, Some("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0")),
            client("203.0.113.9", "scanner", 1_204, 0, None),
        ],
        minutes,
        queries: vec![
            Query { name: "uptime", sql: "SELECT week, verdict, uptime\nFROM uptime_by_week('2026-10-19', '2026-11-23', 0.95)\nORDER BY week".to_owned() },
            Query { name: "bots", sql: "SELECT client, http_user_agent\nFROM requests\nWHERE a < b AND \"c\" > 'd'".to_owned() },
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
    report
        .paths
        .iter_mut()
        .for_each(|path| path.path = Some(text.to_owned()));
    for client in &mut report.clients {
        client.client = Some(text.to_owned());
        client.class = text.to_owned();
        client.http_user_agent = Some(text.to_owned());
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
    report.statuses.clear();
    report.paths.clear();
    report.clients.clear();
    report.minutes.clear();
    report
}
