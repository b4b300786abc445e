//! The same question has one answer: over raw logs and over the lake made of them, with one thread and with some, in SQLite over the
//! same rows, and of `minutes` where these can tell.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use chrono_tz::Tz;
use floodmark_ingest::LogSettings;
use floodmark_query::{Answer, Engine, EngineOptions};
use floodmark_report::{Style, TableFormat, write_answer};
use floodmark_store::Lake;
use serde_json::Value;

use crate::command::{Place, end};
use crate::hostile;
use crate::logs::{TIMED, engine_of, settings};

/// A question, in words that all of them understand but where another text is given.
#[derive(Debug, Default)]
struct Question {
    text: &'static str,
    /// For SQLite; else the same text.
    sqlite: Option<&'static str>,
    /// Over `minutes`, with the same answer.
    minutes: Option<&'static str>,
}

const fn same(text: &'static str) -> Question {
    Question {
        text,
        sqlite: None,
        minutes: None,
    }
}

impl Question {
    const fn in_sqlite(self, text: &'static str) -> Self {
        Self {
            sqlite: Some(text),
            ..self
        }
    }

    const fn of_minutes(self, text: &'static str) -> Self {
        Self {
            minutes: Some(text),
            ..self
        }
    }
}

/// The day that questions ask about, to be replaced by one that a log is of.
const DAY: &str = "2026-11-09";

const QUESTIONS: &[Question] = &[
    same("select count(*) as n from requests").of_minutes("select sum(total) as n from minutes"),
    same("select sum(body_bytes_sent) as bytes from requests")
        .of_minutes("select sum(bytes) as bytes from minutes"),
    same("select count(*) as n from requests where status between 400 and 499")
        .of_minutes("select sum(status_4xx) as n from minutes"),
    same("select bot, count(*) as n from requests group by bot")
        .of_minutes("select bot, sum(total) as n from minutes group by bot"),
    same("select date_trunc('hour', time) as hour, count(*) as n from requests group by 1")
        .in_sqlite("select substr(time, 1, 13) || ':00:00Z' as hour, count(*) as n from requests group by 1")
        .of_minutes("select date_trunc('hour', minute) as hour, sum(total) as n from minutes group by 1"),
    // What minutes tell without being asked by name.
    same("select date_trunc('minute', time) as minute, bot, count(*) as n from requests where status between 400 and 599 group by 1, 2")
        .in_sqlite("select substr(time, 1, 16) || ':00Z' as minute, bot, count(*) as n from requests where status between 400 and 599 group by 1, 2"),
    same("select sum(case when status >= 500 then 1 else 0 end) as bad, count(*) filter (where status in (429, 444, 499)) as shed from requests where time >= '2026-11-09T06:00:00Z' and time < '2026-11-09T18:30:00Z'"),
    same("select status / 100 as class, bot, count(*) as n from requests where status >= 300 group by 1, 2"),
    // Conditions on time, status, method and client.
    same("select count(*) as n from requests where time >= '2026-11-09T12:00:00Z'"),
    same("select count(*) as n from requests where time between '2026-11-09T06:00:00Z' and '2026-11-09T18:30:00Z' and status <> 200"),
    same("select count(*) as n, min(time) as first, max(time) as last from requests where not (time < '2026-11-09T12:00:00Z')"),
    same("select line_offset, status, path from requests where status in (500, 503, 404) and request_method = 'GET'"),
    same("select status, count(*) as n from requests where status >= 500 or status < 300 group by status"),
    same("select line_offset, client from requests where client = '203.0.113.9' and status = 404"),
    same("select line_offset from requests where client in ('2001:db8::1', 'unix:') and request_method not in ('GET', 'POST')"),
    same("select count(*) as n from requests where status = 200 and request_method = 'GET' and client <> '192.0.2.1' and time >= '2026-11-09T06:00:00Z'"),
    // Groups.
    same("select status, count(*) as n from requests group by status"),
    same("select request_method, count(*) as n, sum(body_bytes_sent) as bytes from requests group by request_method"),
    same("select status / 100 as class, count(*) as n, avg(body_bytes_sent) as mean, min(body_bytes_sent) as least, max(body_bytes_sent) as most from requests group by 1"),
    same("select client, count(*) as n from requests group by client order by n desc, client limit 3"),
    same("select path, count(*) as n from requests group by path having count(*) > 20"),
    same("select http_user_agent, count(*) as n from requests where lower(http_user_agent) like '%bot%' group by 1"),
    same("select server_protocol, status, count(*) as n from requests group by 1, 2"),
    // What is different.
    same("select count(distinct client) as clients, count(distinct path) as paths, count(distinct args) as args from requests"),
    same("select request_method, count(distinct client) as clients from requests group by 1"),
    same("select distinct status, request_method from requests"),
    same("select count(distinct path) filter (where status = 404) as missing, count(*) filter (where args is not null) as asked from requests"),
    // NULL.
    same("select count(*) as n, count(args) as args, count(http_user_agent) as agents, count(remote_user) as users, count(status) as statuses from requests"),
    same("select args is null as none, args = '' as empty, count(*) as n from requests group by 1, 2"),
    same("select count(*) as n from requests where request_method not in ('GET', 'POST')"),
    same("select coalesce(remote_user, 'nobody') as who, nullif(request_method, 'GET') as method, count(*) as n from requests group by 1, 2"),
    same("select line_offset, args from requests order by args desc nulls last, line_offset limit 9"),
    // Texts.
    same("select sum(length(path)) as letters, max(length(http_user_agent)) as longest from requests"),
    same("select substr(path, 1, 5) as head, count(*) as n from requests where path is not null group by 1"),
    same("select upper(request_method) as method, replace(path, '/', '|') as path, count(*) as n from requests group by 1, 2"),
    // Quantiles.
    same("select body_bytes_sent as median from (select body_bytes_sent, row_number() over (order by body_bytes_sent) as place, count(*) over () as n from requests where body_bytes_sent is not null) as placed where place = (n + 1) / 2"),
    same("select median(body_bytes_sent) as median from requests where body_bytes_sent is not null and status = 404")
        .in_sqlite("select avg(body_bytes_sent) as median from (select body_bytes_sent, row_number() over (order by body_bytes_sent) as place, count(*) over () as n from requests where body_bytes_sent is not null and status = 404) where place in ((n + 1) / 2, (n + 2) / 2)"),
    // Joins with itself.
    same("select count(*) as pairs from requests a join requests b on a.client = b.client and a.path = b.path and a.line_offset < b.line_offset where a.status = 503 and b.status = 503"),
    same("select distinct client from requests a where not exists (select 1 from requests b where b.client = a.client and b.status = 499)"),
    same("select a.status, count(b.line_offset) as n from (select distinct status from requests) a left join requests b on a.status = b.status and b.request_method = 'HEAD' group by 1"),
    same("select client from requests where status = 200 except select client from requests where status = 444"),
    same("select count(*) as n from requests where body_bytes_sent > (select avg(body_bytes_sent) from requests)"),
    same("select count(*) as n from requests where path in (select path from requests where status = 500)"),
    // Windows.
    same("select client, path, time from (select client, path, time, row_number() over (partition by client order by time, line_offset) as place from requests) as visits where place = 1"),
    same("select count(*) as changes from (select status, lag(status) over (partition by client order by time, line_offset) as before from requests) as answers where status <> before"),
    same("select max(bytes) as bytes from (select sum(body_bytes_sent) over (partition by status order by line_offset) as bytes from requests where status <> 200) as running"),
    same("select client, status, rank() over (order by n desc, client, status) as place from (select client, status, count(*) as n from requests group by 1, 2) as counted"),
];

/// What questions ask about, for SQLite.
const ROWS: &str = "select time, client, remote_addr, remote_user, request_method, path, args, server_protocol, status, \
    body_bytes_sent, http_referer, http_user_agent, upstream_status, bot, line_offset from requests";

/// The rows of an answer: as sets, since nobody asks for an order but where it decides which rows there are.
pub(crate) type Rows = Vec<BTreeMap<String, String>>;

/// Numbers are compared as such, whether they are written as whole ones or not.
fn rows(json: &str) -> Rows {
    let rows: Vec<BTreeMap<String, Value>> = serde_json::from_str(json).unwrap();
    let text = |value: Value| match value {
        Value::Number(number) => format!("{:.9e}", number.as_f64().unwrap()),
        Value::Bool(is_true) => format!("{:.9e}", f64::from(is_true)),
        value => value.to_string(),
    };
    let row = |row: BTreeMap<String, Value>| {
        row.into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect()
    };
    let mut rows: Rows = rows.into_iter().map(row).collect();
    rows.sort();
    rows
}

fn json(answer: &Answer) -> String {
    let mut json = Vec::new();
    let batches = answer.batches.iter().cloned();
    let (format, style) = (TableFormat::Json, Style::PLAIN);
    write_answer(&mut json, &answer.schema, batches, format, Tz::UTC, style).unwrap();
    String::from_utf8(json).unwrap()
}

/// The rows of an answer.
pub(crate) async fn asked(engine: &Engine, statement: &str) -> Rows {
    let answer = engine
        .sql(statement)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
    rows(&json(&answer))
}

/// The answers of SQLite over rows in a file of JSON, one for each question.
fn asked_of_sqlite(place: &Place, file: &Path, day: &str) -> Vec<Rows> {
    const MARK: &str = "an answer";
    let columns = ROWS
        .trim_start_matches("select ")
        .split(" from ")
        .next()
        .unwrap();
    let values = columns
        .split(", ")
        .map(|name| format!("value ->> '{name}' as {name}"));
    let values: Vec<String> = values.collect();
    let mut script = format!(
        ".mode json\ncreate table requests as select {} from json_each(readfile('{}'));\n",
        values.join(", "),
        file.display()
    );
    for question in QUESTIONS {
        let text = question.sqlite.unwrap_or(question.text);
        script += &format!(".print '{MARK}'\n{};\n", text.replace(DAY, day));
    }
    let mut child = place
        .program("sqlite3")
        .arg("-bail")
        .stdin(Stdio::piped())
        .spawn()
        .expect("the tests need the program sqlite3: run them with ./test, which installs it");
    let mut input = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || input.write_all(script.as_bytes()).unwrap());
    let run = end(child);
    writing.join().unwrap();
    assert_eq!((run.code, &*run.stderr), (0, ""));
    let mark = format!("{MARK}\n");
    let answers = run.stdout.split(&mark).skip(1);
    // Of an answer without rows it writes nothing.
    let answers = answers.map(|answer| match answer {
        "" => Vec::new(),
        answer => rows(answer),
    });
    answers.collect()
}

/// The first rows that are not in another answer.
fn first<'r>(rows: &'r Rows, other: &Rows) -> Vec<&'r BTreeMap<String, String>> {
    rows.iter()
        .filter(|row| !other.contains(row))
        .take(3)
        .collect()
}

/// Asks everything of a log of some day, which `floodmark ingest` reads with these arguments as the settings say.
async fn check(log: &[u8], day: &str, settings: LogSettings, arguments: &[&str]) {
    let place = Place::new();
    let file = place.write("access.log", log);
    let ingested = place.floodmark(&[&["ingest", "-q", "access.log"], arguments].concat());
    assert_eq!(ingested.code, 0, "{ingested:#?}");
    let lake = Lake::open(place.path("home/data/floodmark/lake").as_path())
        .await
        .unwrap()
        .unwrap();
    let mut engines = Vec::new();
    for threads in [1, 3] {
        let options = EngineOptions {
            threads,
            ..EngineOptions::default()
        };
        engines.push((
            "raw",
            threads,
            engine_of(&file, settings.clone(), &options).await,
        ));
        engines.push((
            "lake",
            threads,
            Engine::over_lake(&lake, &options).await.unwrap(),
        ));
    }
    let all = engines[0].2.sql(ROWS).await.unwrap();
    assert!(all.rows() > 1_000);
    let exported = place.write("rows.json", json(&all));
    let of_sqlite = asked_of_sqlite(&place, &exported, day);
    assert_eq!(of_sqlite.len(), QUESTIONS.len());
    let with_rows = of_sqlite.iter().filter(|rows| !rows.is_empty());
    assert!(with_rows.count() * 2 > QUESTIONS.len());
    let mut differing = Vec::new();
    for (question, expected) in QUESTIONS.iter().zip(&of_sqlite) {
        for text in std::iter::once(question.text).chain(question.minutes) {
            for (over, threads, engine) in &engines {
                let found = asked(engine, &text.replace(DAY, day)).await;
                if found != *expected {
                    differing.push(format!(
                        "{text}\nover {over} with {threads} threads:\n{:?}\nin SQLite:\n{:?}",
                        first(&found, expected),
                        first(expected, &found)
                    ));
                }
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
    // What is no request, SQLite knows nothing of.
    for text in [
        "select reason, raw, count(*) as n, min(time) as first, min(line_offset) as place from rejects group by 1, 2",
        "select kind, time_inferred, count(*) as n, sum(line_bytes) as bytes, sum(blank_before) as blank from lines group by 1, 2",
    ] {
        let expected = asked(&engines[0].2, text).await;
        for (over, threads, engine) in &engines[1..] {
            assert_eq!(
                asked(engine, text).await,
                expected,
                "{text}\nover {over} with {threads} threads"
            );
        }
    }
}

#[tokio::test]
async fn of_a_log_of_the_sample() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sample-logs/access.log");
    let log = std::fs::read(sample).unwrap();
    check(&log, "2026-11-15", settings(TIMED), &["--format", TIMED]).await;
}

#[tokio::test]
async fn of_a_hostile_log() {
    let arguments = [
        "--format",
        hostile::FORMAT,
        "--format",
        "json",
        "--trust",
        hostile::TRUSTED,
    ];
    let settings = LogSettings {
        server_name: None,
        ..hostile::settings()
    };
    check(&hostile::lines(3_000, 5), DAY, settings, &arguments).await;
}
