//! Each named query: a small log in, its whole table out.

use std::fmt::Write as _;
use std::path::Path;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use floodmark_query::{Answer, EngineOptions, Settings};

use crate::logs::{TIMED, engine, engine_with, window};

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
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        writeln!(
            self.0,
            r#"{client} - - [09/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000] "{request}" {status} 100 "-" "{agent}" 0.250 "{status}""#
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
    let folder = tempfile::tempdir().unwrap();
    let file: &Path = &folder.path().join("access.log");
    std::fs::write(file, &log.0).unwrap();
    engine(file, TIMED)
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
        "week|start|end|verdict|uptime|lower|upper|coverage|judged_share|up|degraded|down|suspect|idle|maint|uncovered|request_ratio|request_ratio_people",
        "2026-W46|2026-11-09T00:00:00Z|2026-11-09T00:05:00Z|FAIL|0.8|0.8|0.8|1.0|1.0|4|0|1|0|0|0|0|0.9333333333333333|0.9166666666666666",
    ])
    .await;
}

#[tokio::test]
async fn minutes_after_the_last_line_leave_the_verdict_open() {
    let settings = window("2026-11-09T00:03:00Z", "2026-11-09T00:07:00Z");
    check_with(&five_minutes(), "uptime", &settings, &[
        "week|start|end|verdict|uptime|lower|upper|coverage|judged_share|up|degraded|down|suspect|idle|maint|uncovered|request_ratio|request_ratio_people",
        "2026-W46|2026-11-09T00:03:00Z|2026-11-09T00:07:00Z|UNDETERMINED|1.0|0.5|1.0|0.5|0.5|2|0|0|0|0|0|2|1.0|1.0",
    ])
    .await;
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

#[tokio::test]
async fn an_error_spike_is_told_by_the_path_that_has_the_errors() {
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
    let settings = window("2026-11-09T00:00:00Z", "2026-11-09T01:00:00Z");
    check_with(&log, "error_spikes", &settings, &[
        "start|end|server_name|path|requests|bad|rate|baseline|single_client|top_client|top_status",
        "2026-11-09T00:20:00Z|2026-11-09T00:25:00Z|∅|/cart/{id}|20|20|1.0|0.005|false|192.0.2.10|500",
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
        "start|end|server_name|path|requests|bad|rate|baseline|single_client|top_client|top_status",
        "2026-11-09T00:20:00Z|2026-11-09T00:25:00Z|∅|/cart|50|25|0.5|0.005|true|192.0.2.10|500",
    ])
    .await;
}

const BOTS: [&str; 4] = [
    "client|http_user_agent|class|rule|requests|bad|first|last",
    "192.0.2.9|ELB-HealthChecker/2.0|probe|agent_probe|5|1|2026-11-09T00:00:00Z|2026-11-09T00:04:00Z",
    "203.0.113.66|Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15|scanner|scanner_rows|2|0|2026-11-09T00:01:20Z|2026-11-09T00:01:21Z",
    "203.0.113.5|Googlebot/2.1 (+http://www.google.com/bot.html)|declared|search|1|0|2026-11-09T00:01:10Z|2026-11-09T00:01:10Z",
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
        format!("192.0.2.1|{FIREFOX}|human|human|10|1|2026-11-09T00:00:10Z|2026-11-09T00:04:10Z")
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
            &"192.0.2.1|∅|robotic|no_agent|1|0|2026-11-09T00:01:40Z|2026-11-09T00:01:40Z"
                .to_owned()
        ),
        "{found:#?}"
    );
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
async fn traffic_counts_a_probe_as_neither_person_nor_bot() {
    check(
        "traffic",
        &[
            "day|requests|people|bots|visitors|bytes|errors",
            "2026-11-09|20|12|3|2|2000|2",
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
            "day|requests|people|bots|visitors|bytes|errors",
            "2026-11-08|20|12|3|2|2000|2",
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

#[tokio::test]
async fn every_query_answers_an_empty_window() {
    let settings = window("2026-12-01T00:00:00Z", "2026-12-01T00:05:00Z");
    let log = five_minutes();
    for query in floodmark_query::named_queries() {
        let rows = answer(&log, &query.name, &settings).await.rows();
        let expected = match query.name.as_str() {
            "uptime" => 1,
            "minutes" => 5,
            _ => 0,
        };
        assert_eq!(rows, expected, "query `{}`", query.name);
    }
}

/// A report's session keeps the rows of the tables that queries share, if they find room.
#[tokio::test]
async fn remembered_tables_answer_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-logs/access.log");
    let settings = window("2026-11-09T00:00:00Z", "2026-11-16T00:00:00Z");
    let options = |remembers_tables, memory_bytes| EngineOptions {
        remembers_tables,
        memory_bytes,
        ..EngineOptions::default()
    };
    let plain = engine_with(&folder, TIMED, &options(false, 1 << 30)).await;
    let kept = engine_with(&folder, TIMED, &options(true, 1 << 30)).await;
    for query in [
        "classes",
        "bots",
        "top_clients",
        "uptime",
        "incidents",
        "classes",
    ] {
        let expected = shown(&plain.query(query, &settings).await.unwrap());
        let found = shown(&kept.query(query, &settings).await.unwrap());
        assert_eq!(found, expected, "query `{query}`");
    }
}
