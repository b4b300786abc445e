//! Each named query: a small log in, its whole table out.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use floodmark_query::{Answer, EngineOptions, Facts, RangeList, Settings, maintenance, ranges};
use floodmark_traffic::claims::operator;

use crate::logs::{TIMED, counts, engine, engine_with, window};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15";
const MONITOR: &str = "ELB-HealthChecker/2.0";

/// A log being written, on Monday 2026-11-09.
#[derive(Default)]
struct Log(String);

impl Log {
    fn ask(
        &mut self,
        client: &str,
        second: u32,
        request: &str,
        status: u16,
        agent: &str,
    ) -> &mut Self {
        let (day, hour) = (9 + second / 86_400, second / 3_600 % 24);
        let (minute, second) = (second / 60 % 60, second % 60);
        writeln!(
            self.0,
            r#"{client} - - [{day:02}/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000] "{request}" {status} 100 "-" "{agent}" 0.250 "{status}""#
        )
        .unwrap();
        self
    }

    fn visit(&mut self, client: &str, second: u32, status: u16, agent: &str) -> &mut Self {
        self.ask(client, second, "GET /shop HTTP/1.1", status, agent)
            .ask(client, second, "GET /site.css HTTP/1.1", 200, agent)
    }
}

/// Two people, a crawler, a scanner and a monitor in five minutes; the third of them fails for all but the style sheet.
fn five_minutes() -> Log {
    let mut log = Log::default();
    for minute in 0..5 {
        let status = if minute == 2 { 502 } else { 200 };
        let second = minute * 60;
        log.ask("192.0.2.9", second, "GET /health HTTP/1.1", status, MONITOR);
        log.visit("192.0.2.1", second + 10, status, FIREFOX);
    }
    log.visit("198.51.100.7", 30, 200, SAFARI);
    log.ask(
        "203.0.113.5",
        70,
        "GET /robots.txt HTTP/1.1",
        200,
        "Googlebot/2.1 (+http://www.google.com/bot.html)",
    );
    log.ask("203.0.113.66", 80, "GET /.env HTTP/1.1", 404, SAFARI);
    log.ask("203.0.113.66", 81, "GET /.git/config HTTP/1.1", 404, SAFARI);
    log
}

async fn answer(log: &Log, query: &str, settings: &Settings) -> Answer {
    answer_in(TIMED, log, query, settings).await
}

async fn answer_in(format: &str, log: &Log, query: &str, settings: &Settings) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let file: &Path = &folder.path().join("access.log");
    std::fs::write(file, &log.0).unwrap();
    engine(file, format)
        .await
        .query(query, settings)
        .await
        .unwrap()
}

async fn answer_knowing(facts: Facts, log: &Log, query: &str, settings: &Settings) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let file: &Path = &folder.path().join("access.log");
    std::fs::write(file, &log.0).unwrap();
    let options = EngineOptions {
        facts: Arc::new(facts),
        ..EngineOptions::default()
    };
    engine_with(file, TIMED, &options)
        .await
        .query(query, settings)
        .await
        .unwrap()
}

/// Columns by `|`, NULL as `∅`.
fn shown(answer: &Answer) -> Vec<String> {
    let names: Vec<&str> = answer
        .schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let mut lines = vec![names.join("|")];
    let options = FormatOptions::default().with_null("∅");
    for batch in &answer.batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        lines.extend((0..batch.num_rows()).map(|row| {
            columns
                .iter()
                .map(|column| column.value(row).to_string())
                .collect::<Vec<_>>()
                .join("|")
        }));
    }
    lines
}

async fn check_with(log: &Log, query: &str, settings: &Settings, expected: &[&str]) {
    let found = shown(&answer(log, query, settings).await);
    assert_eq!(found, expected, "query `{query}`");
}

async fn check(query: &str, expected: &[&str]) {
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    check_with(&five_minutes(), query, &settings, expected).await;
}

#[tokio::test]
async fn weekly_tells_what_minutes_tell() {
    check("weekly", &[
        "week|start|verdict|uptime|lower|upper|judged_share|up|degraded|down|silent|requests|request_ratio",
        "2026-W46|2026-11-09T00:00:00Z|FAIL|0.8|0.8|0.8|1.0|4|0|1|0|18|0.9230769230769231",
    ])
    .await;
}

#[tokio::test]
async fn uptime_counts_good_minutes_against_the_target() {
    check("uptime", &[
        "week|start|end|verdict|uptime|lower|upper|coverage|judged_share|up|degraded|down|suspect|idle|maint|uncovered|unseen|request_ratio|request_ratio_people|budget_left",
        "2026-W46|2026-11-09T00:00:00Z|2026-11-09T00:05:00Z|FAIL|0.8|0.8|0.8|1.0|1.0|4|0|1|0|0|0|0|0|0.9333333333333333|0.9166666666666666|-0.7499999999999998",
    ])
    .await;
}

#[tokio::test]
async fn minutes_after_the_last_line_leave_the_verdict_open() {
    let settings = window("2026-11-09T00:03:00Z", "2026-11-09T00:07:00Z");
    check_with(&five_minutes(), "uptime", &settings, &[
        "week|start|end|verdict|uptime|lower|upper|coverage|judged_share|up|degraded|down|suspect|idle|maint|uncovered|unseen|request_ratio|request_ratio_people|budget_left",
        "2026-W46|2026-11-09T00:03:00Z|2026-11-09T00:07:00Z|UNDETERMINED|1.0|0.5|1.0|0.5|0.5|2|0|0|0|0|0|2|0|1.0|1.0|0.20000000000000018",
    ])
    .await;
}

#[tokio::test]
async fn the_longest_silence_that_nothing_explains_may_be_an_outage() {
    let mut log = Log::default();
    // Two silences of an hour and more, the longer one in the first week without a like.
    let served = (0..60).chain(120..180).chain(270..360);
    for minute in served {
        log.visit("192.0.2.1", minute * 60, 200, FIREFOX);
    }
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T06:00:00Z");
    check_with(&log, "uptime", &settings, &[
        "week|start|end|verdict|uptime|lower|upper|coverage|judged_share|up|degraded|down|suspect|idle|maint|uncovered|unseen|request_ratio|request_ratio_people|budget_left",
        "2026-W46|2026-11-09T00:00:00Z|2026-11-09T06:00:00Z|UNDETERMINED|1.0|0.7|1.0|1.0|0.5833333333333334|210|0|0|0|150|0|0|90|1.0|1.0|10.500000000000009",
    ])
    .await;
}

#[tokio::test]
async fn windows_from_before_the_first_request_share_their_visitors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    std::fs::write(&file, &five_minutes().0).unwrap();
    let engine = engine(&file, TIMED).await;
    engine.time_range().await.unwrap();
    let bots = async |since: &str| {
        let settings = window(since, "2026-11-09T00:05:00Z");
        shown(&engine.query("bots", &settings).await.unwrap())
    };
    let early = bots("2026-10-12T00:00:00Z").await;
    let read = engine.lines_read();
    assert_eq!(bots("2026-11-02T00:00:00Z").await, early);
    assert_eq!(engine.lines_read(), read);
    // From the second minute on there are fewer.
    assert_ne!(bots("2026-11-09T00:01:00Z").await, early);
    assert!(engine.lines_read() > read);
}

#[tokio::test]
async fn incidents_join_the_minutes_that_failed() {
    check(
        "incidents",
        &[
            "start|end|kind|minutes|requests|bad|evidence",
            "2026-11-09T00:02:00Z|2026-11-09T00:03:00Z|outage|1|3|2|errors",
        ],
    )
    .await;
}

#[tokio::test]
async fn minutes_count_scanners_as_neutral() {
    check(
        "minutes",
        &[
            "minute|state|requests|good|bad|neutral|evidence",
            "2026-11-09T00:00:00Z|UP|5|5|0|0|served",
            "2026-11-09T00:01:00Z|UP|6|4|0|2|served",
            "2026-11-09T00:02:00Z|DOWN|3|1|2|0|errors",
            "2026-11-09T00:03:00Z|UP|3|3|0|0|served",
            "2026-11-09T00:04:00Z|UP|3|3|0|0|served",
        ],
    )
    .await;
}

/// Four clients ask for two pages each minute; for five minutes one of the pages fails.
fn broken_cart() -> Log {
    let mut log = Log::default();
    for minute in 0..40 {
        let status = if (20..25).contains(&minute) { 500 } else { 200 };
        for client in 10..14 {
            let client_name = format!("192.0.2.{client}");
            log.ask(
                &client_name,
                minute * 60 + client,
                "GET /item/7 HTTP/1.1",
                200,
                FIREFOX,
            );
            log.ask(
                &client_name,
                minute * 60 + client,
                "GET /cart/9 HTTP/1.1",
                status,
                FIREFOX,
            );
        }
    }
    log
}

#[tokio::test]
async fn an_error_spike_is_told_by_the_path_that_has_the_errors() {
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T01:00:00Z");
    check_with(&broken_cart(), "error_spikes", &settings, &[
        "start|end|server_name|path|requests|bad|rate|baseline|single_client|top_client|top_status|shape|opened",
        "2026-11-09T00:20:00Z|2026-11-09T00:25:00Z|∅|/cart/{id}|20|20|1.0|0.005|false|192.0.2.10|500|deploy|2026-11-09T00:22:00Z",
    ])
    .await;
}

#[tokio::test]
async fn errors_of_one_client_are_told_as_such() {
    let mut log = Log::default();
    for minute in 0..40 {
        let status = if (20..25).contains(&minute) { 500 } else { 200 };
        for second in [0, 9, 20, 31, 45] {
            log.ask(
                "192.0.2.10",
                minute * 60 + second,
                "GET /cart HTTP/1.1",
                status,
                FIREFOX,
            );
            log.ask(
                "192.0.2.11",
                minute * 60 + second,
                "GET /cart HTTP/1.1",
                200,
                SAFARI,
            );
        }
    }
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T01:00:00Z");
    check_with(&log, "error_spikes", &settings, &[
        "start|end|server_name|path|requests|bad|rate|baseline|single_client|top_client|top_status|shape|opened",
        "2026-11-09T00:20:00Z|2026-11-09T00:25:00Z|∅|/cart|50|25|0.5|0.005|true|192.0.2.10|500|client|2026-11-09T00:22:00Z",
    ])
    .await;
}

const BOTS: [&str; 4] = [
    "client|http_user_agent|class|rule|requests|bad|first|last|claim|list_age_days",
    "192.0.2.9|ELB-HealthChecker/2.0|probe|agent_probe|5|1|2026-11-09T00:00:00Z|2026-11-09T00:04:00Z|∅|∅",
    "203.0.113.66|Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15|scanner|scanner_rows|2|0|2026-11-09T00:01:20Z|2026-11-09T00:01:21Z|∅|∅",
    "203.0.113.5|Googlebot/2.1 (+http://www.google.com/bot.html)|declared|search|1|0|2026-11-09T00:01:10Z|2026-11-09T00:01:10Z|unverified|∅",
];

#[tokio::test]
async fn bots_leave_people_out() {
    check("bots", &BOTS).await;
}

#[tokio::test]
async fn bots_show_people_when_asked() {
    let mut settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    settings
        .parameters
        .insert("people".to_owned(), "1".to_owned());
    let found = shown(&answer(&five_minutes(), "bots", &settings).await);
    assert_eq!(found.len(), BOTS.len() + 2);
    assert_eq!(
        found[1],
        format!(
            "192.0.2.1|{FIREFOX}|human|human|10|1|2026-11-09T00:00:10Z|2026-11-09T00:04:10Z|∅|∅"
        )
    );
}

#[tokio::test]
async fn a_request_without_agent_is_a_robot_of_its_own() {
    let mut log = five_minutes();
    log.ask("192.0.2.1", 100, "GET /shop HTTP/1.1", 200, "-");
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    let found = shown(&answer(&log, "bots", &settings).await);
    assert!(
        found.contains(
            &"192.0.2.1|∅|robotic|no_agent|1|0|2026-11-09T00:01:40Z|2026-11-09T00:01:40Z|∅|∅"
                .to_owned()
        ),
        "{found:#?}"
    );
}

/// The week in which clocks go back has 169 hours.
#[tokio::test]
async fn a_week_is_as_long_as_its_zone_says() {
    for (since, until, minutes) in [
        ("2026-10-18T22:00:00Z", "2026-10-25T23:00:00Z", 169 * 60),
        ("2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z", 167 * 60),
    ] {
        let mut settings = window(since, until);
        settings.tz = chrono_tz::Europe::Berlin;
        let answer = answer(&five_minutes(), "uptime", &settings).await;
        assert_eq!(counts(&answer, "uncovered"), [minutes]);
    }
}

/// A list of Googlebot's ranges, made on the day of the logs.
fn googlebot(range: &str) -> Facts {
    let list = format!(
        r#"{{"creationTime": "2026-11-08T00:00:00.000000", "prefixes": [{{"ipv4Prefix": "{range}"}}]}}"#
    );
    let list = RangeList::read(&list).unwrap();
    let made_us = list.made_us.unwrap();
    let lists = vec![(operator("Googlebot").unwrap(), list.ranges, made_us)];
    Facts::new(lists, Vec::new(), Vec::new())
}

#[tokio::test]
async fn a_claim_is_held_against_the_ranges_of_its_operator() {
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    for (range, expected) in [
        (
            "203.0.113.0/28",
            "declared|verified|1|0|2026-11-09T00:01:10Z|2026-11-09T00:01:10Z|verified",
        ),
        (
            "192.0.2.0/28",
            "fake|outside_published_ranges|1|0|2026-11-09T00:01:10Z|2026-11-09T00:01:10Z|fake",
        ),
    ] {
        let answer = answer_knowing(googlebot(range), &five_minutes(), "bots", &settings).await;
        let found = shown(&answer);
        let expected = format!(
            "203.0.113.5|Googlebot/2.1 (+http://www.google.com/bot.html)|{expected}|1.0008101851851852"
        );
        assert!(found.contains(&expected), "{found:#?}");
    }
}

#[tokio::test]
async fn who_is_vouched_for_is_no_scanner() {
    let exempt = ranges("# our own checks\n203.0.113.64/29").unwrap();
    let facts = Facts::new(Vec::new(), exempt, Vec::new());
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    let answer = answer_knowing(facts, &five_minutes(), "classes", &settings).await;
    assert_eq!(
        shown(&answer),
        [
            "class|clients|requests|share|bytes|bad",
            "human|3|14|0.7|1400|1",
            "probe|1|5|0.25|500|1",
            "declared|1|1|0.05|100|0",
        ]
    );
}

#[tokio::test]
async fn declared_maintenance_is_no_outage() {
    let stretches = maintenance("2026-11-09T00:02Z 2026-11-09T00:03Z moved").unwrap();
    let facts = || Facts::new(Vec::new(), Vec::new(), stretches.clone());
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    let log = five_minutes();
    let answer = answer_knowing(facts(), &log, "incidents", &settings).await;
    assert_eq!(answer.rows(), 0);
    let answer = answer_knowing(facts(), &log, "uptime", &settings).await;
    let found = shown(&answer);
    assert_eq!(
        found[1],
        "2026-W46|2026-11-09T00:00:00Z|2026-11-09T00:05:00Z|PASS|1.0|1.0|1.0|1.0|0.8|4|0|0|0|0|1|0|0|0.9333333333333333|0.9166666666666666|0.20000000000000018"
    );
}

#[tokio::test]
async fn burn_rates_refuse_what_the_target_makes_impossible() {
    let mut settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    settings.target = 0.85;
    check_with(&five_minutes(), "burn_rate", &settings, &[
        "rule|severity|factor|long_minutes|short_minutes|state|burn_long|burn_short|uncovered_long|fired|fired_minutes|last_fired",
        "down for 3 minutes|page|∅|3|3|quiet|∅|∅|∅|0|0|∅",
        "burn 10x|page|10.0|30|5|impossible|1.3333333333333333|1.3333333333333333|25|0|0|∅",
        "burn 5x|page|5.0|120|15|quiet|1.3333333333333333|1.3333333333333333|115|0|0|∅",
        "burn 3.5x|page|3.5|360|30|quiet|1.3333333333333333|1.3333333333333333|355|0|0|∅",
        "burn 1.4x|ticket|1.4|1440|120|quiet|1.3333333333333333|1.3333333333333333|1435|1|2|2026-11-09T00:04:00Z",
        "burn 0.98x|ticket|0.98|4320|360|firing|1.3333333333333333|1.3333333333333333|4315|1|3|2026-11-09T00:05:00Z",
    ]).await;
}

#[tokio::test]
async fn causes_are_what_errors_have_and_other_requests_have_not() {
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T01:00:00Z");
    check_with(&broken_cart(), "spike_causes", &settings, &[
        "spike|start|end|server_name|dimension|value|errors|requests|error_share|lift|score|line",
        "1|2026-11-09T00:20:00Z|2026-11-09T00:25:00Z|∅|path|/cart/{id}|20|20|1.0|2.0|40.0|access.log/776fe21162d2b60e/1:26404",
        "1|2026-11-09T00:20:00Z|2026-11-09T00:25:00Z|∅|status|500|20|20|1.0|2.0|40.0|access.log/776fe21162d2b60e/1:26404",
        "1|2026-11-09T00:20:00Z|2026-11-09T00:25:00Z|∅|upstream_status|500|20|20|1.0|2.0|40.0|access.log/776fe21162d2b60e/1:26404",
    ]).await;
}

/// Eight days of three quarters of an hour, in which 240 requests are usual; the last day has 1,200 in its second and none in its third.
fn a_rise_and_a_drop() -> Log {
    let mut log = Log::default();
    for day in 0..8 {
        for quarter in 0..5 {
            let requests = match (day, quarter) {
                (7, 2) => 1_200,
                (7, 3) => 0,
                _ => 240,
            };
            for request in 0..requests {
                let second = day * 86_400 + 36_000 + quarter * 900 + request * 900 / requests;
                log.ask("192.0.2.1", second, "GET /shop HTTP/1.1", 200, FIREFOX);
            }
        }
    }
    log
}

#[tokio::test]
async fn volume_tells_surges_and_drops_from_the_usual() {
    let settings = window("2026-11-16T00:00:00Z", "2026-11-16T12:00:00Z");
    check_with(
        &a_rise_and_a_drop(),
        "volume",
        &settings,
        &[
            "start|end|server_name|kind|requests|usual|z",
            "2026-11-16T10:30:00Z|2026-11-16T10:45:00Z|∅|surge|1200|240.0|61.967733539318665",
            "2026-11-16T10:45:00Z|2026-11-16T11:00:00Z|∅|drop|0|240.0|-15.491933384829666",
        ],
    )
    .await;
}

/// Twelve clients of one network and twelve from anywhere ask for the same page, ten times each in a minute.
fn two_floods() -> Log {
    let mut log = five_minutes();
    for time in 0..10 {
        for client in 0..12 {
            let second = 120 + time * 5;
            let neighbour = format!("203.0.113.{}", 128 + client);
            log.ask(&neighbour, second, "GET /search?q=a HTTP/1.1", 200, SAFARI);
            let stranger = format!("198.51.{client}.9");
            log.ask(&stranger, second, "GET /find HTTP/1.1", 200, SAFARI);
        }
    }
    log
}

#[tokio::test]
async fn floods_are_told_by_network_and_by_shape() {
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    check_with(&two_floods(), "flood", &settings, &[
        "start|end|by|what|requests|clients|peak|usual|asset_share|top_path|line",
        "2026-11-09T00:02:00Z|2026-11-09T00:03:00Z|prefix|203.0.113.0/24|120|12|120|0.0|0.0|/search|access.log/d46232d760b413bc/1:3201",
        "2026-11-09T00:02:00Z|2026-11-09T00:03:00Z|shape|/find|120|12|120|0.0|0.0|/find|access.log/d46232d760b413bc/1:3419",
    ]).await;
}

#[tokio::test]
async fn bots_are_shown_with_what_speaks_for_it() {
    check("bot_evidence", &[
        "client|http_user_agent|class|rule|claim|requests|assets_share|referer_share|refused_share|paths|busiest_minute|scans|scan_rule|neighbours|line|request",
        "192.0.2.9|ELB-HealthChecker/2.0|probe|agent_probe|∅|5|0.0|0.0|0.0|1|1|0|∅|2|access.log/d46232d760b413bc/1:0|GET /health",
        "203.0.113.66|Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15|scanner|scanner_rows|∅|2|0.0|0.0|1.0|2|2|2|sensitive_path|2|access.log/d46232d760b413bc/1:2772|GET /.env",
        "203.0.113.5|Googlebot/2.1 (+http://www.google.com/bot.html)|declared|search|unverified|1|0.0|0.0|0.0|1|1|0|∅|2|access.log/d46232d760b413bc/1:2626|GET /robots.txt",
    ]).await;
}

#[tokio::test]
async fn a_block_list_leaves_out_where_people_come_from() {
    let mut log = two_floods();
    // A person behind an address of the flood, and one in its network.
    log.visit("203.0.113.130", 200, 200, FIREFOX);
    let mut settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    settings
        .parameters
        .insert("requests".to_owned(), "2".to_owned());
    let mut expected = vec!["cidr|requests|clients|class|rule|last|deny|geo".to_owned()];
    expected.extend((128..140).filter(|last| *last != 130).map(|last| {
        format!(
            "203.0.113.{last}/32|10|1|flood|rate_of_prefix|2026-11-09T00:02:45Z|deny 203.0.113.{last}/32; # flood (rate_of_prefix), 10 requests|203.0.113.{last}/32 1;"
        )
    }));
    expected.push("203.0.113.66/32|2|1|scanner|scanner_rows|2026-11-09T00:01:21Z|deny 203.0.113.66/32; # scanner (scanner_rows), 2 requests|203.0.113.66/32 1;".to_owned());
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check_with(&log, "blocklist", &settings, &expected).await;
}

#[tokio::test]
async fn classes_share_all_requests() {
    check(
        "classes",
        &[
            "class|clients|requests|share|bytes|bad",
            "human|2|12|0.6|1200|1",
            "probe|1|5|0.25|500|1",
            "scanner|1|2|0.1|200|0",
            "declared|1|1|0.05|100|0",
        ],
    )
    .await;
}

#[tokio::test]
async fn bots_are_told_by_kind_without_people_and_probes() {
    check(
        "bot_kinds",
        &[
            "class|rule|program|clients|requests|share|bad|bytes",
            "scanner|scanner_rows|∅|1|2|0.6666666666666666|0|200",
            "declared|search|Googlebot|1|1|0.3333333333333333|0|100",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_share_of_errors_has_its_wilson_interval_and_hours_without_requests_have_none() {
    let mut log = five_minutes();
    log.visit("192.0.2.1", 2 * 3600, 200, FIREFOX);
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T03:00:00Z");
    check_with(
        &log,
        "errors_over_time",
        &settings,
        &[
            "start|requests|bad|share|lower_share|upper_share",
            // Of 18: the two of the scanner do not decide.
            "2026-11-09T00:00:00Z|18|2|0.1111111111111111|0.031019|0.328002",
            "2026-11-09T01:00:00Z|0|0|∅|∅|∅",
            "2026-11-09T02:00:00Z|2|0|0.0|0.0|0.657628",
        ],
    )
    .await;
}

#[tokio::test]
async fn traffic_counts_a_probe_as_neither_person_nor_bot() {
    check(
        "traffic",
        &[
            "day|requests|people|bots|declared|fake|scanner|flood|robotic|package_client|visitors|bytes|errors",
            "2026-11-09|20|12|3|1|0|2|0|0|0|2|2000|2",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_day_begins_where_the_settings_say() {
    let mut settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    settings.tz = chrono_tz::America::New_York;
    check_with(
        &five_minutes(),
        "traffic",
        &settings,
        &[
            "day|requests|people|bots|declared|fake|scanner|flood|robotic|package_client|visitors|bytes|errors",
            "2026-11-08|20|12|3|1|0|2|0|0|0|2|2000|2",
        ],
    )
    .await;
}

#[tokio::test]
async fn status_counts_every_answer() {
    check(
        "status",
        &[
            "status|requests|share|bytes",
            "200|16|0.8|1600",
            "404|2|0.1|200",
            "502|2|0.1|200",
        ],
    )
    .await;
}

#[tokio::test]
async fn top_paths_leave_assets_out() {
    check(
        "top_paths",
        &[
            "path|requests|people|errors|bytes|p95_s",
            "/shop|6|6|1|600|0.25",
            "/health|5|0|1|500|0.25",
            "/.env|1|0|0|100|0.25",
            "/.git/config|1|0|0|100|0.25",
            "/robots.txt|1|0|0|100|0.25",
        ],
    )
    .await;
}

#[tokio::test]
async fn top_clients_say_who_they_are() {
    let human = format!("192.0.2.1|human|10|1|1000|{FIREFOX}");
    let visitor = format!("198.51.100.7|human|2|0|200|{SAFARI}");
    let scanner = format!("203.0.113.66|scanner|2|0|200|{SAFARI}");
    check(
        "top_clients",
        &[
            "client|class|requests|errors|bytes|http_user_agent",
            &human,
            "192.0.2.9|probe|5|1|500|ELB-HealthChecker/2.0",
            &visitor,
            &scanner,
            "203.0.113.5|declared|1|0|100|Googlebot/2.1 (+http://www.google.com/bot.html)",
        ],
    )
    .await;
}

/// A format with every variable that a named query needs.
const FULL: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time "$upstream_status" $ssl_protocol $upstream_cache_status "$upstream_addr""#;

/// A person, a crawler and a scanner on a Monday, and the same person a week before.
fn two_mondays() -> Log {
    let mut log = Log::default();
    let mut ask = |time: &str,
                   client: &str,
                   request: &str,
                   answer: &str,
                   referer: &str,
                   agent: &str,
                   rest: &str| {
        let user = if request.contains("/admin") {
            "mira"
        } else {
            "-"
        };
        let (request, from) = (format!("{request} HTTP/2.0"), format!("{client} - {user}"));
        writeln!(
            log.0,
            r#"{from} [{time} +0000] "{request}" {answer} "{referer}" "{agent}" {rest}"#
        )
        .unwrap();
    };
    let (one, two) = ("198.51.100.1:8080", "198.51.100.2:8080, 198.51.100.1:8080");
    let old = format!(r#"0.100 "200" TLSv1.2 MISS "{one}""#);
    let page = format!(r#"0.200 "200" TLSv1.3 MISS "{one}""#);
    let slow = format!(r#"2.500 "502, 200" TLSv1.3 MISS "{two}""#);
    let hit = r#"0.001 "-" TLSv1.3 HIT "-""#;
    ask(
        "02/Nov/2026:00:00:20",
        "192.0.2.1",
        "GET /shop/7",
        "200 100",
        "-",
        FIREFOX,
        &old,
    );
    ask(
        "02/Nov/2026:00:00:40",
        "192.0.2.1",
        "GET /gone",
        "404 10",
        "-",
        FIREFOX,
        &old,
    );
    ask(
        "09/Nov/2026:00:00:10",
        "192.0.2.1",
        "GET /shop/7",
        "200 300",
        "https://search.example/q",
        FIREFOX,
        &page,
    );
    ask(
        "09/Nov/2026:00:00:11",
        "192.0.2.1",
        "GET /site.css",
        "304 0",
        "https://www.example.org/shop/7",
        FIREFOX,
        hit,
    );
    ask(
        "09/Nov/2026:00:00:12",
        "192.0.2.1",
        "GET /site.css",
        "200 900",
        "-",
        FIREFOX,
        hit,
    );
    ask(
        "09/Nov/2026:00:00:30",
        "192.0.2.1",
        "GET /shop/8",
        "502 50",
        "-",
        FIREFOX,
        &slow,
    );
    ask(
        "09/Nov/2026:00:01:30",
        "192.0.2.1",
        "GET /old",
        "404 10",
        "https://search.example/q",
        FIREFOX,
        &page,
    );
    ask(
        "09/Nov/2026:00:02:00",
        "192.0.2.1",
        "GET /admin",
        "401 20",
        "-",
        FIREFOX,
        &page,
    );
    ask(
        "09/Nov/2026:00:02:10",
        "203.0.113.5",
        "GET /shop/7",
        "200 300",
        "-",
        "Googlebot/2.1 (+http://www.google.com/bot.html)",
        &old,
    );
    ask(
        "09/Nov/2026:00:03:00",
        "203.0.113.66",
        "GET /.env",
        "404 10",
        "-",
        SAFARI,
        &old,
    );
    log.0.push_str("what nginx never wrote\n");
    log
}

async fn check_panel(query: &str, expected: &[&str]) {
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    let found = shown(&answer_in(FULL, &two_mondays(), query, &settings).await);
    assert_eq!(found, expected, "query `{query}`");
}

#[tokio::test]
async fn servers_are_counted_with_their_errors() {
    check_panel(
        "servers",
        &["server_name|requests|share|errors|bytes", "∅|8|1.0|1|1590"],
    )
    .await;
}

#[tokio::test]
async fn hours_are_those_of_people() {
    check_panel("hours", &["weekday|hour|requests", "1|0|6"]).await;
}

#[tokio::test]
async fn latency_over_time_is_by_the_hour_in_a_short_window() {
    check_panel(
        "latency_over_time",
        &[
            "start|requests|p50_s|p95_s|p99_s",
            "2026-11-09T00:00:00Z|8|0.0998395|2.5067515|2.5067515",
        ],
    )
    .await;
}

#[tokio::test]
async fn latency_is_by_path_template_without_assets() {
    check_panel(
        "latency",
        &[
            "path|requests|p50_s|p90_s|p99_s|max_s",
            "/shop/{id}|3|0.2|2.04|2.454|2.5",
            "/.env|1|0.1|0.1|0.1|0.1",
            "/admin|1|0.2|0.2|0.2|0.2",
            "/old|1|0.2|0.2|0.2|0.2",
        ],
    )
    .await;
}

#[tokio::test]
async fn not_found_leaves_scanners_out() {
    check_panel(
        "not_found",
        &[
            "path|requests|clients|http_referer",
            "/old|1|1|https://search.example/q",
        ],
    )
    .await;
}

#[tokio::test]
async fn assets_cost_most_first() {
    check_panel(
        "assets",
        &[
            "path|requests|not_modified|errors|bytes",
            "/site.css|2|1|0|900",
        ],
    )
    .await;
}

#[tokio::test]
async fn referrers_are_sites() {
    check_panel(
        "referrers",
        &[
            "site|requests|people|path",
            "search.example|2|2|/old",
            "www.example.org|1|1|/site.css",
        ],
    )
    .await;
}

#[tokio::test]
async fn agents_are_browsers_and_named_bots() {
    check_panel(
        "agents",
        &[
            "program|people|requests|share|bytes",
            "Firefox|1|6|0.75|1280",
            "Googlebot|0|1|0.125|300",
            "Safari|0|1|0.125|10",
        ],
    )
    .await;
}

#[tokio::test]
async fn versions_are_those_of_peoples_browsers() {
    check_panel(
        "versions",
        &[
            "browser|version|people|requests|share",
            "Firefox|140|1|6|1.0",
        ],
    )
    .await;
}

#[tokio::test]
async fn systems_are_those_of_people() {
    check_panel(
        "systems",
        &["system|people|requests|share", "Linux|1|6|1.0"],
    )
    .await;
}

#[tokio::test]
async fn protocols_stand_with_methods() {
    check_panel(
        "protocols",
        &[
            "request_method|server_protocol|requests|share|errors",
            "GET|HTTP/2.0|8|1.0|1",
        ],
    )
    .await;
}

#[tokio::test]
async fn tls_versions_are_counted() {
    check_panel(
        "tls",
        &[
            "ssl_protocol|requests|share|clients|people",
            "TLSv1.3|6|0.75|1|6",
            "TLSv1.2|2|0.25|2|0",
        ],
    )
    .await;
}

#[tokio::test]
async fn cache_says_what_it_saved() {
    check_panel(
        "cache",
        &[
            "upstream_cache_status|requests|share|errors|bytes",
            "MISS|6|0.75|1|690",
            "HIT|2|0.25|0|900",
        ],
    )
    .await;
}

#[tokio::test]
async fn upstreams_are_as_they_were_tried() {
    check_panel(
        "upstreams",
        &[
            "upstream_addr|requests|share|errors|p95_s",
            "198.51.100.1:8080|5|0.625|0|0.2",
            "-|2|0.25|0|0.001",
            "198.51.100.2:8080, 198.51.100.1:8080|1|0.125|1|2.5",
        ],
    )
    .await;
}

#[tokio::test]
async fn remote_users_who_were_denied_are_counted() {
    check_panel(
        "remote_users",
        &[
            "remote_user|requests|denied|clients|last",
            "mira|1|1|1|2026-11-09T00:02:00Z",
        ],
    )
    .await;
}

#[tokio::test]
async fn slowest_requests_come_first() {
    check_panel(
        "slowest",
        &[
            "time|path|status|took_s|client",
            "2026-11-09T00:00:30Z|/shop/8|502|2.5|192.0.2.1",
            "2026-11-09T00:00:10Z|/shop/7|200|0.2|192.0.2.1",
            "2026-11-09T00:01:30Z|/old|404|0.2|192.0.2.1",
            "2026-11-09T00:02:00Z|/admin|401|0.2|192.0.2.1",
            "2026-11-09T00:02:10Z|/shop/7|200|0.1|203.0.113.5",
            "2026-11-09T00:03:00Z|/.env|404|0.1|203.0.113.66",
            "2026-11-09T00:00:11Z|/site.css|304|0.001|192.0.2.1",
            "2026-11-09T00:00:12Z|/site.css|200|0.001|192.0.2.1",
        ],
    )
    .await;
}

#[tokio::test]
async fn largest_answers_come_first() {
    check_panel(
        "largest",
        &[
            "time|path|status|bytes|client",
            "2026-11-09T00:00:12Z|/site.css|200|900|192.0.2.1",
            "2026-11-09T00:00:10Z|/shop/7|200|300|192.0.2.1",
            "2026-11-09T00:02:10Z|/shop/7|200|300|203.0.113.5",
            "2026-11-09T00:00:30Z|/shop/8|502|50|192.0.2.1",
            "2026-11-09T00:02:00Z|/admin|401|20|192.0.2.1",
            "2026-11-09T00:01:30Z|/old|404|10|192.0.2.1",
            "2026-11-09T00:03:00Z|/.env|404|10|203.0.113.66",
        ],
    )
    .await;
}

#[tokio::test]
async fn changes_compare_with_the_week_before() {
    check_panel(
        "changes",
        &[
            "measure|now|before|change_share",
            "requests|8|2|3.0",
            "requests of no known bot|6|2|2.0",
            "clients|3|1|2.0",
            "errors|1|0|∅",
            "answers 4xx|3|1|2.0",
            "bytes|1590|110|13.454545454545455",
        ],
    )
    .await;
}

#[tokio::test]
async fn changed_paths_come_by_how_much() {
    check_panel(
        "changed_paths",
        &[
            "path|now|before|change|errors|errors_before",
            "/shop/{id}|3|1|2|1|0",
            "/.env|1|0|1|0|0",
            "/admin|1|0|1|0|0",
            "/gone|0|1|-1|0|0",
            "/old|1|0|1|0|0",
        ],
    )
    .await;
}

#[tokio::test]
async fn sources_say_what_was_read() {
    check_panel(
        "sources",
        &[
            "source|requests|rejects|gaps|bytes|first|last",
            "access.log/112acd46f0cf6c58/1|8|1|0|1676|2026-11-09T00:00:10Z|2026-11-09T00:03:00Z",
        ],
    )
    .await;
}

#[tokio::test]
async fn rejects_come_with_their_first_line() {
    check_panel(
        "rejects",
        &[
            "reason|rejects|bytes|first|last|raw",
            "missing_literal|1|23|2026-11-09T00:03:00Z|2026-11-09T00:03:00Z|what nginx never wrote",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_query_whose_variable_is_not_logged_says_so() {
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T00:05:00Z");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    std::fs::write(&file, five_minutes().0).unwrap();
    let error = engine(&file, TIMED).await.query("tls", &settings).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "query `tls` needs `$ssl_protocol`, which no log has\nhint: add it to `log_format` in nginx.conf"
    );
}

#[tokio::test]
async fn every_query_answers_an_empty_window() {
    let settings = window("2026-12-01T00:00:00Z", "2026-12-01T00:05:00Z");
    let log = two_mondays();
    for query in floodmark_query::named_queries() {
        let rows = answer_in(FULL, &log, &query.name, &settings).await.rows();
        let expected = match query.name.as_str() {
            "uptime" => 1,
            "minutes" => 5,
            "burn_rate" => 6,
            "errors_over_time" => 1,
            _ => 0,
        };
        assert_eq!(rows, expected, "query `{}`", query.name);
    }
}

/// A session keeps the rows of the tables that queries share.
#[tokio::test]
async fn remembered_tables_answer_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-logs/access.log");
    let settings = window("2026-11-09T00:00:00Z", "2026-11-16T00:00:00Z");
    let kept = engine(&folder, TIMED).await;
    for query in [
        "classes",
        "bots",
        "top_clients",
        "uptime",
        "incidents",
        "classes",
    ] {
        let expected = shown(
            &engine(&folder, TIMED)
                .await
                .query(query, &settings)
                .await
                .unwrap(),
        );
        let found = shown(&kept.query(query, &settings).await.unwrap());
        assert_eq!(found, expected, "query `{query}`");
    }
}
