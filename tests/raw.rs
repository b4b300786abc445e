//! Raw logs as tables: what is asked of rows is asked of lines while they are parsed, and the answer is as if it were not.

use std::fs;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::pretty::pretty_format_batches;
use floodmark_query::{Answer, Engine, EngineOptions};
use tempfile::TempDir;

use crate::hostile;
use crate::logs::engine_of;

/// Some blocks of lines.
const MANY: usize = 20_000;
const FEW: usize = 3_000;

/// A hostile log of so many lines, asked by so many threads. The folder holds it.
async fn hostile_log(lines: usize, threads: usize) -> (TempDir, Engine) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    fs::write(&log, hostile::lines(lines, 7)).unwrap();
    let options = EngineOptions {
        threads,
        ..EngineOptions::default()
    };
    let engine = engine_of(&log, hostile::settings(), &options).await;
    (folder, engine)
}

fn rows(answer: &Answer) -> RecordBatch {
    concat_batches(&answer.schema, &answer.batches).unwrap()
}

fn shown(answer: &Answer) -> String {
    pretty_format_batches(&answer.batches).unwrap().to_string()
}

/// What is left to the engine of a condition once the table has taken its part.
async fn plan(engine: &Engine, statement: &str) -> String {
    shown(&engine.sql(&format!("EXPLAIN {statement}")).await.unwrap())
}

/// Conditions that lines are asked; columns stand in braces.
const CONDITIONS: &[&str] = &[
    "{kind} = 'request'",
    "{kind} = 'reject'",
    "{kind} <> 'request'",
    "{kind} in ('request', 'reject')",
    "{kind} = 'gap'",
    "{status} = 404",
    "{status} <> 200",
    "404 = {status}",
    "{status} in (200, 304, 404, 500, 503)",
    "{status} not in (200, 404)",
    "not ({status} between 200 and 399)",
    "{status} >= 500 or {status} = 404",
    "{status} < 100",
    "{status} > 300 and not ({status} <= 404)",
    "{time} >= '2026-11-09T12:00:00Z'",
    "{time} < '2026-11-09T12:00:00Z' and {time} > '2026-11-09T03:00:00+01:00'",
    "{time} between '2026-11-09T12:00:00Z' and '2026-11-09T13:00:00Z'",
    "{time} < '2026-11-09T05:00:00Z' or {time} >= '2026-11-09T20:00:00Z'",
    "not ({time} > '2026-11-09T20:00:00Z')",
    "{time} = '2026-11-09T12:00:00Z'",
    "{kind} = 'reject' and {time} >= '2026-11-09T12:00:00Z'",
    "{request_method} = 'GET'",
    "{request_method} <> 'GET'",
    "{request_method} in ('POST', 'HEAD', 'PRI', 'get', 'DELETE')",
    "not ({request_method} = 'GET' or {request_method} = 'POST')",
    "{client} = '203.0.113.9'",
    "{client} in ('192.0.2.1', '2001:db8::1', 'unix:', '192.0.2.99', '198.51.100.23')",
    "{client} <> '192.0.2.7' and {remote_addr} = '192.0.2.7'",
    "{path} = '/café'",
    "{args} = 'token=[redacted]'",
    "{args} = 'token=abc'",
    "{args} = ''",
    "{server_protocol} <> 'HTTP/1.1'",
    "{http_user_agent} in ('café \\xFF', 'a\\x5Cb', '')",
    "{remote_user} <> 'anna'",
    "{http_referer} <> ''",
    "{body_bytes_sent} > 2500",
    "{upstream_status} = '-'",
    "{upstream_status} <> '-'",
    "{http_x_forwarded_for} = 'unknown'",
    "{status} = 200 and {request_method} = 'GET' and {client} <> '192.0.2.1' and {time} >= '2026-11-09T06:00:00Z'",
];

/// A column as it is, and as no table can tell that it is one.
fn open(condition: &str) -> String {
    condition.replace(['{', '}'], "")
}

fn hidden(condition: &str) -> String {
    let mut text = String::new();
    for (part, rest) in condition
        .split('{')
        .map(|part| part.split_once('}').unwrap_or(("", part)))
    {
        match part {
            "" => text.push_str(rest),
            column => text.push_str(&format!("coalesce({column}, {column}){rest}")),
        }
    }
    text
}

/// Asks with a condition in the place of `{}`, which lines are asked, and once more, where columns are.
async fn check(engine: &Engine, statement: &str, condition: &str) {
    let of_lines = statement.replace("{}", &open(condition));
    let of_columns = statement.replace("{}", &hidden(condition));
    let expected = rows(&engine.sql(&of_columns).await.unwrap());
    let found = rows(&engine.sql(&of_lines).await.unwrap());
    assert_eq!(found.num_rows(), expected.num_rows(), "{of_lines}");
    assert!(found == expected, "{of_lines}");
}

#[tokio::test]
async fn a_condition_asked_of_lines_has_the_rows_of_one_asked_of_columns() {
    let (_folder, engine) = hostile_log(FEW, 1).await;
    for condition in CONDITIONS {
        let counting = |condition| format!("select count(*) from lines where {condition}");
        let of_lines = plan(&engine, &counting(open(condition))).await;
        assert!(!of_lines.contains("Filter"), "{of_lines}");
        let of_columns = plan(&engine, &counting(hidden(condition))).await;
        assert!(of_columns.contains("FilterExec"), "{of_columns}");
        for statement in [
            "select * from lines where {} order by line_offset",
            "select count(*) from lines where {}",
            "select kind, bot, server_name, count(*), max(body_bytes_sent) from lines where {} group by all order by 1, 2, 3",
        ] {
            check(&engine, statement, condition).await;
        }
    }
}

/// The time of a reject comes from a line that is in no row, and perhaps in another block.
#[tokio::test]
async fn a_condition_leaves_times_of_rejects_as_they_are() {
    let (_folder, engine) = hostile_log(MANY, 3).await;
    for condition in [
        "{kind} = 'reject'",
        "{kind} = 'reject' and {time} >= '2026-11-09T12:00:00Z'",
        "{status} = 404 or {status} = 500",
    ] {
        let statement =
            "select kind, time, line_offset, raw from lines where {} order by line_offset";
        check(&engine, statement, condition).await;
    }
}

/// What lines cannot be asked is left to the engine, all of it.
#[tokio::test]
async fn other_conditions_are_left_to_the_engine() {
    let (_folder, engine) = hostile_log(FEW, 1).await;
    for condition in [
        "status is null",
        "not (status is not null)",
        "status = 404 or request_method = 'HEAD'",
        "status = body_bytes_sent",
        "status + 1 = 405",
        "path like '/shop%'",
        "request_method > 'GET'",
        "bot = 'declared'",
        "layer = 'edge'",
        "time_inferred",
        "server_name = 'www.example.org'",
        "date_trunc('day', time) = '2026-11-09'",
        "line_offset < 1000",
    ] {
        let plan = plan(&engine, &format!("select * from lines where {condition}")).await;
        assert!(
            plan.contains("Filter") && !plan.contains("full_filters"),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn a_plan_shows_what_lines_are_asked() {
    let (_folder, engine) = hostile_log(FEW, 1).await;
    let plan = plan(
        &engine,
        "select count(*) from requests where status >= 500 and path like '/s%'",
    )
    .await;
    assert!(
        plan.contains("TableScan: lines projection=[path], full_filters=[lines.kind = Utf8View(\"request\"), lines.status >= Int16(500)]"),
        "{plan}"
    );
}

/// Rows that are only counted have no columns; their lines are accounted for all the same.
#[tokio::test]
async fn counting_builds_no_column() {
    let (_folder, engine) = hostile_log(MANY, 2).await;
    let statement = "select count(*) as requests from requests where status = 404";
    let plan = plan(&engine, statement).await;
    assert!(
        plan.contains("TableScan: lines projection=[], full_filters"),
        "{plan}"
    );
    engine.sql(statement).await.unwrap();
    let of_counting = engine.seen().unwrap().tally;
    engine.sql("select * from lines").await.unwrap();
    assert_eq!(of_counting.lines, MANY as u64);
    let of_rows = engine.seen().unwrap().tally;
    assert_eq!(
        of_counting.lines,
        of_counting.requests + of_counting.rejected() + of_counting.blank
    );
    assert_eq!(of_counting.rejects, of_rows.rejects);
    assert_eq!(of_counting.zones, of_rows.zones);
    assert_eq!(of_counting.formats, of_rows.formats);
}

/// The first rows are read, and no more blocks than hold them.
#[tokio::test]
async fn a_limit_stops_reading() {
    for statement in [
        "select * from requests limit 3",
        "select path from requests where status = 404 limit 3",
        "select path from requests where path like '/s%' limit 3",
        "select count(*) from (select * from requests where client = '203.0.113.9' limit 3)",
    ] {
        let (_folder, engine) = hostile_log(FEW, 1).await;
        engine.sql(statement).await.unwrap();
        let read = engine.lines_read();
        assert!(
            0 < read && read < MANY as u64 / 2,
            "{statement} read {read} lines"
        );
    }
}
