//! Questions to `requests` that are put to `minutes`: which are, and that the answer is that of the lines.

use std::io::Write;

use arrow::util::pretty::pretty_format_batches;
use floodmark_query::{Engine, EngineOptions};
use floodmark_store::Lake;

use crate::command::{Place, combined};
use crate::logs::{engine_of, settings};
use crate::same_answers::asked;

/// Of a log whose requests all have a status with a class.
const TOLD: &[&str] = &[
    "select count(*) as n from requests",
    "select date_trunc('hour', time) as hour, count(*) as n from requests group by 1",
    "select date_trunc('day', r.time) as day, r.bot, count(1) as n from requests r group by 1, 2 having count(1) > 10",
    "select date_bin(interval '15 minutes', time) as bin, count(*) filter (where status >= 500) as bad from requests group by 1",
    "select extract(hour from time) as hour, sum(case when status >= 400 then 1 else 0 end) as bad from requests where bot <> 'scanner' group by 1",
    "select local_date(time, 'Asia/Kolkata') as day, layer, server_port, count(*) as n from requests group by 1, 2, 3",
    "select count(*) as n from requests where time >= '2026-11-02T23:00:00Z' and time < '2026-11-03T01:30:00Z'",
    "select count(*) as n from requests where '2026-11-02T23:00:00Z' <= time and time <= '2026-11-02T23:59:59.999999Z'",
    "select count(*) as n from requests where time between '2026-11-02T23:00:00Z' and '2026-11-03T01:29:59.999999Z'",
    "select count(*) as n from requests where time > '2030-01-01T00:00:59.999999Z'",
    "select bot, count(*) as n from requests where status between 500 and 599 group by bot",
    "select bot, count(*) as n from requests where status = 429 or status = 404 and false group by bot",
    "select status_class(status) as class, count(*) as n from requests group by 1",
    "select date_trunc('hour', time) as hour, status / 100 as hundreds, status >= 400 as bad, count(*) as n, count(*) filter (where bot = 'none') as plain, sum(status / 100) as sum
     from requests where status >= 300 group by 1, 2, 3",
    "select sum(case when status >= 500 then 1 end) as some, sum(case when status < 100 then 1 end) as none, count(case when status >= 400 then 1 end) as n from requests",
    "with asked as (select date_trunc('minute', time) as minute, status >= 500 as bad, bot as kind from requests where bot in ('none', 'declared'))
     select minute, kind, count(*) as n from asked where not bad group by minute, kind",
    "select hour, n - lag(n) over (order by hour) as more from (select date_trunc('hour', time) as hour, count(*) as n from requests group by 1) as by_hour",
    "select (select count(*) from requests where bot = 'none') as people, (select count(*) from requests) as n",
];

/// Of the same log: here minutes do not say enough, or the same thing otherwise.
const NOT_TOLD: &[&str] = &[
    "select status, count(*) as n from requests group by 1",
    "select count(*) as n from requests where status = 200",
    "select count(*) as n from requests where time >= '2026-11-02T23:00:30Z'",
    "select count(*) as n from requests where time > '2026-11-02T23:00:00Z'",
    "select date_trunc('second', time) as second, count(*) as n from requests group by 1",
    "select date_bin(interval '90 seconds', time) as bin, count(*) as n from requests group by 1",
    "select date_bin(interval '1 hour', time, timestamp '2026-11-02T00:00:30Z') as bin, count(*) as n from requests group by 1",
    "select min(time) as first, count(*) as n from requests",
    "select count(distinct bot) as n from requests",
    "select client, count(*) as n from requests group by 1",
    "select count(*) as n from requests where status >= 500 or bot = 'probe'",
    "select bot, layer, count(*) as n from requests group by rollup(bot, layer)",
    "select count(*) as n from requests where path in (select path from requests where status = 404)",
    "select count(*) as n from (select bot from requests order by time, line_offset limit 10) as first",
    "with requests as (select * from lines) select count(*) as n from requests",
];

/// Lines from late in the evening of the 2nd of November 2026 on, one every five seconds, of people, crawlers and probes.
fn log(statuses: &[u16]) -> Vec<u8> {
    const AGENTS: &[&str] = &[
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Googlebot/2.1 (+http://www.google.com/bot.html)",
        "ELB-HealthChecker/2.0",
    ];
    let mut log = Vec::new();
    for line in 0..3_000 {
        let second = 22 * 3_600 + 5 * line;
        let (day, hour, minute, second) = (
            2 + second / 86_400,
            second / 3_600 % 24,
            second / 60 % 60,
            second % 60,
        );
        let status = statuses[line * 7 % 23 % statuses.len()];
        let agent = AGENTS[line * 5 % 17 % AGENTS.len()];
        writeln!(
            log,
            r#"192.0.2.{} - - [{day:02}/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000] "GET /page/{line} HTTP/1.1" {status:03} {line} "-" "{agent}""#,
            line % 250,
        )
        .unwrap();
    }
    log
}

const STATUSES: &[u16] = &[200, 404, 503, 301, 429, 499, 200, 444, 500, 101, 200];

async fn lake(place: &Place) -> Lake {
    let path = place.path("home/data/floodmark/lake");
    Lake::open(path.as_path()).await.unwrap().unwrap()
}

async fn is_told(engine: &Engine, statement: &str) -> bool {
    let plan = engine.sql(&format!("explain {statement}")).await.unwrap();
    let plan = pretty_format_batches(&plan.batches).unwrap().to_string();
    plan.contains("TableScan: minutes")
}

/// Both kinds of questions, of a lake and of the log that it was made of.
async fn check(statuses: &[u16], told: &[&str], not_told: &[&str]) {
    let place = Place::new();
    let file = place.write("access.log", log(statuses));
    place.floodmark(&["ingest", "-q", "access.log"]).done();
    let options = EngineOptions::default();
    let raw = engine_of(&file, settings("combined"), &options).await;
    let lake = Engine::over_lake(&lake(&place).await, &options)
        .await
        .unwrap();
    for (statements, is_expected) in [(told, true), (not_told, false)] {
        for statement in statements {
            assert_eq!(is_told(&lake, statement).await, is_expected, "{statement}");
            assert!(!is_told(&raw, statement).await, "{statement}");
            let (found, expected) = (asked(&lake, statement).await, asked(&raw, statement).await);
            assert_eq!(found, expected, "{statement}");
        }
    }
}

#[tokio::test]
async fn minutes_answer_what_they_know_and_the_same() {
    check(STATUSES, TOLD, NOT_TOLD).await;
}

#[tokio::test]
async fn a_status_without_a_class_is_told_from_others_in_the_lines() {
    let statuses = [STATUSES, &[0, 999]].concat();
    let (told, not_told): (Vec<&str>, Vec<&str>) = TOLD
        .iter()
        .partition(|statement| !statement.contains("status >") && !statement.contains("status <"));
    let (of_class, told): (Vec<&str>, Vec<&str>) = told
        .into_iter()
        .partition(|statement| statement.contains("status_class"));
    check(&statuses, &told, &[not_told, of_class].concat()).await;
}

const BY_HOUR: &str =
    "select date_trunc('hour', time) as hour, count(*) as n from requests group by 1 order by 1";

#[test]
fn days_whose_lines_have_expired_are_not_counted() {
    let place = Place::new();
    place.write("access.log", combined(80_000, 90_000));
    place.floodmark(&["ingest", "-q", "access.log"]).done();
    let by_hour = |is_told: bool| {
        let plan = place.floodmark(&["sql", "-q", &format!("explain {BY_HOUR}")]);
        assert_eq!(plan.done().contains("TableScan: minutes"), is_told);
        place.floodmark(&["sql", "-q", "-o", "csv", BY_HOUR]).done()
    };
    assert!(by_hour(true).contains("\n2026-11-02T22:00:00Z,2800\n"));
    let expire = ["lake", "expire", "--lines", "2026-11-03"];
    place.floodmark(&expire).done();
    let rest = by_hour(true);
    assert!(
        rest.starts_with("hour,n\n2026-11-03T00:00:00Z,3600\n"),
        "{rest}"
    );
    // A line of such a day that comes late is one, as there are no others any more.
    place.append("access.log", combined(40, 1));
    place.floodmark(&["ingest", "-q", "access.log"]).done();
    let with_late = rest.replacen("hour,n\n", "hour,n\n2026-11-02T00:00:00Z,1\n", 1);
    assert_eq!(by_hour(false), with_late);
}

#[test]
fn lines_that_are_not_in_the_lake_yet_are_counted_too() {
    let place = Place::new();
    place.write("access.log", combined(0, 5_000));
    place
        .floodmark(&["tail", "-q", "--once", "access.log"])
        .done();
    place.append("access.log", combined(5_000, 3_000));
    let plan = place.floodmark(&["sql", "-q", &format!("explain {BY_HOUR}")]);
    assert!(plan.done().contains("TableScan: minutes"));
    let by_hour = place.floodmark(&["sql", "-q", "-o", "csv", BY_HOUR]).done();
    assert_eq!(
        by_hour,
        "hour,n\n2026-11-02T00:00:00Z,3600\n2026-11-02T01:00:00Z,3600\n2026-11-02T02:00:00Z,800\n"
    );
}
