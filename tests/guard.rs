//! What SQL is not to do, however it is asked: change something, read a file, or run on for ever.

use std::collections::BTreeSet;
use std::fs;

use crate::command::{Place, combined};
use crate::faults::straced;

const LOG: &str = "access.log";

/// Statements that define, change, copy, set or run something.
const CHANGES: &[&str] = &[
    "create table t as select 1",
    "create table t (a int)",
    "create or replace table requests as select 1",
    "create temporary table t as select 1",
    "create unbounded external table t (a int) stored as csv location '/etc/passwd'",
    "create external table t stored as parquet location 's3://bucket/key'",
    "create view v as select * from requests",
    "create or replace view requests as select 1",
    "create schema s",
    "create database d",
    "create index i on requests (path)",
    "create function f() returns int return 1",
    "create sequence s",
    "create role r",
    "create type t as (a int)",
    "create trigger t after insert on requests execute function f()",
    "drop table requests",
    "drop table if exists requests",
    "drop view requests",
    "drop schema public cascade",
    "drop function bot",
    "alter table requests add column a int",
    "alter table requests rename to r",
    "alter session set x = 1",
    "insert into requests values (1)",
    "insert into requests select * from requests",
    "insert overwrite requests select * from requests",
    "replace into requests values (1)",
    "update requests set status = 1",
    "delete from requests",
    "delete from requests where true",
    "merge into requests using rejects on true when matched then delete",
    "truncate table requests",
    "copy requests to 'out.csv'",
    "copy (select * from requests) to 'out.parquet' stored as parquet",
    "copy requests from '/etc/passwd'",
    "unload ('select 1') to 's3://bucket'",
    "set datafusion.execution.batch_size = 1",
    "set time zone = 'UTC'",
    "reset datafusion.execution.batch_size",
    "begin",
    "start transaction",
    "commit",
    "rollback",
    "savepoint s",
    "use other",
    "prepare p as select 1",
    "execute p",
    "deallocate p",
    "declare c cursor for select 1",
    "analyze table requests compute statistics",
    "vacuum requests",
    "optimize table requests",
    "call f()",
    "load data inpath '/etc/passwd' into table requests",
    "install httpfs",
    "load httpfs",
    "attach database 'x.db' as x",
    "detach database x",
    "pragma table_info(requests)",
    "kill query 1",
    "grant select on requests to public",
    "revoke select on requests from public",
    "lock tables requests write",
    "flush tables",
    "listen channel",
    "notify channel",
    "refresh table requests",
    "cache table requests",
    "comment on table requests is 'x'",
    "msck repair table requests",
    "explain create table t as select 1",
    "explain analyze insert into requests select * from requests",
    "explain copy requests to 'out.csv'",
    "explain verbose delete from requests",
    "with x as (select 1) insert into requests select * from x",
    "with x as (delete from requests returning *) select * from x",
    "select 1 into t",
    "select * into outfile 'out.csv' from requests",
    "/* a question */ drop table requests",
    "-- a question\ndrop table requests",
    "(select 1) union drop table requests",
    ";;drop table requests",
    "\u{feff}drop table requests",
    "DrOp\tTaBlE\nrequests",
];

/// Statements that would read something else than the tables.
const FILES: &[&str] = &[
    "select * from '/etc/passwd'",
    "select * from \"/etc/passwd\"",
    "select * from `/etc/passwd`",
    "select * from 'file:///etc/passwd'",
    "select * from 'http://198.51.100.1/x.csv'",
    "select * from 's3://bucket/key.parquet'",
    "select * from 'access.log'",
    "select * from 'secret.csv'",
    "select * from \"secret.csv\"",
    "select * from 'secret.parquet'",
    "select * from './*.csv'",
    "select * from read_csv('secret.csv')",
    "select * from read_parquet('secret.parquet')",
    "select * from read_json('secret.json')",
    "select * from parquet_scan('secret.parquet')",
    "select * from parquet_metadata('secret.parquet')",
    "select * from metadata_cache()",
    "select * from statistics_cache()",
    "select * from list_files_cache()",
    "select * from glob('*')",
    "select pg_read_file('/etc/passwd')",
    "select load_file('/etc/passwd')",
    "select getenv('HOME')",
    "select * from (select * from '/etc/passwd') x",
    "with x as (select * from 'secret.csv') select * from x",
    "select * from requests where path in (select column_1 from 'secret.csv')",
    "explain select * from 'secret.csv'",
    "explain analyze select * from 'secret.csv'",
    "describe 'secret.csv'",
    "table 'secret.csv'",
    "select * from requests join 'secret.csv' on true",
    "select * from datafusion.public.\"secret.csv\"",
];

fn place() -> Place {
    let place = Place::new();
    place.write(LOG, combined(0, 10));
    place.write("secret.csv", "a,b\n1,2\n");
    assert_eq!(place.floodmark(&["ingest", "-q", LOG]).code, 0);
    place
}

/// What is in the folder, and in the lake's.
fn files(place: &Place) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![place.path("")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.insert(path.display().to_string());
            folders.extend(path.is_dir().then_some(path));
        }
    }
    found
}

#[test]
fn nothing_is_changed() {
    let place = place();
    let before = files(&place);
    for statement in CHANGES {
        let run = place.floodmark_reading(&["sql", "-o", "csv", "-"], statement.as_bytes());
        assert_eq!(
            (run.stdout.as_str(), run.code),
            ("", 2),
            "{statement}: {run:#?}"
        );
        assert!(run.stderr.starts_with("error: "), "{statement}: {run:#?}");
        assert!(!run.stderr.contains("panicked"), "{statement}: {run:#?}");
    }
    assert_eq!(files(&place), before);
    let rows = place.floodmark(&[
        "sql",
        "-q",
        "-o",
        "csv",
        "select count(*) as n from requests",
    ]);
    assert_eq!(rows.done(), "n\n10\n");
}

/// Files that were opened, names that were looked for, and addresses that were called.
fn touched(place: &Place, statement: &str) -> (BTreeSet<String>, i32) {
    let options = [
        "-f",
        "--trace=open,openat,openat2,creat,stat,statx,newfstatat,access,readlink,connect",
    ];
    let run = straced(place, &options, &["sql", "-q", statement]);
    let lake = place.path("home/data/floodmark").display().to_string();
    let trace = fs::read_to_string(place.path("trace")).unwrap();
    let lines = trace.lines();
    let quoted = lines.filter_map(|line| Some(line.split('"').nth(1)?.to_owned()));
    // What the system's library asks the kernel about, now and then.
    let usual = [lake.as_str(), "/proc/", "/sys/"];
    let outside = quoted.filter(|path| !usual.iter().any(|usual| path.starts_with(usual)));
    (outside.collect(), run.code)
}

#[test]
fn no_file_but_the_lake_is_opened() {
    let place = place();
    let (usual, code) = touched(&place, "select count(*), min(path) from requests");
    assert!(code == 0 && usual.len() > 3, "{usual:?}");
    for statement in FILES {
        let (touched, code) = touched(&place, statement);
        assert_eq!(code, 2, "{statement}");
        let more: Vec<&String> = touched.difference(&usual).collect();
        assert!(more.is_empty(), "{statement}: {more:?}");
    }
}

/// The list is long enough to have been thought about.
#[test]
fn each_statement_is_asked_once() {
    let all: BTreeSet<&&str> = CHANGES.iter().chain(FILES).collect();
    assert!(all.len() == CHANGES.len() + FILES.len() && all.len() > 80);
}

#[test]
fn a_statement_that_is_planned_for_long_is_ended_in_time() {
    let place = place();
    // Below each bound, and still more than a planner can do in a second.
    let columns = (0..400).map(|number| format!("sum(status + {number}) over (partition by path, status order by time + interval '{number}' second)"));
    let statement = format!(
        "select {} from requests",
        columns.collect::<Vec<_>>().join(", ")
    );
    let run = place.floodmark(&["sql", "--timeout", "1", &statement]);
    let expected = "error: the query was ended after 1 s\n";
    assert_eq!((run.stderr.as_str(), run.code), (expected, 2));
}

#[test]
fn what_is_too_large_is_refused_before_it_is_planned() {
    let place = place();
    for (statement, expected) in [
        (
            format!("select 1{}", "+1".repeat(2_000)),
            "error: 1:1009: expected at most 500 operators in a row, found more\nhint: ",
        ),
        (
            format!(
                "select * from requests where {}true",
                "status=1 or ".repeat(20_000)
            ),
            "error: a statement may have 65536 bytes, this one has ",
        ),
        (
            format!("select {}1{}", "(".repeat(3_000), ")".repeat(3_000)),
            "error: 1:207: expected at most 200 brackets in brackets, found more\n",
        ),
        (
            format!("select {}1", "not ".repeat(3_000)),
            "error: 1:2008: expected at most 500 operators in a row",
        ),
        (
            format!("select 1{}", " union select 1".repeat(3_000)),
            "error: 1:1510: expected at most 100 queries and tables put together",
        ),
        (
            format!(
                "{}select 1{}",
                "select * from (".repeat(150),
                ")".repeat(150)
            ),
            "error: ",
        ),
        (
            format!("select {}1{}", "abs(".repeat(150), ")".repeat(150)),
            "error: ",
        ),
        (
            format!(
                "select {}1{}",
                "case when true then ".repeat(150),
                " end".repeat(150)
            ),
            "error: ",
        ),
    ] {
        let arguments = ["sql", "-q", "--timeout", "20"];
        let run = place.floodmark_reading(&arguments, statement.as_bytes());
        assert_eq!((run.stdout.as_str(), run.code), ("", 2), "{run:#?}");
        assert!(run.stderr.starts_with(expected), "{}", run.stderr);
    }
}
