//! Bad questions: what SQL and named queries refuse, and in which words.

use crate::bad_input::{check, check_in};
use crate::command::{Place, combined};

/// The statement fails over a log.
#[track_caller]
fn check_sql(statement: &str, expected: &str) {
    check(&["sql", "--from", "access.log", statement], expected);
}

#[test]
fn an_unknown_query() {
    check(
        &["query", "eror_spikes", "--from", "access.log"],
        "error: no query `eror_spikes`; did you mean `error_spikes`?\nhint: `floodmark query` lists them\n",
    );
    check(
        &["query", "weather", "--from", "access.log"],
        "error: no query `weather`\nhint: `floodmark query` lists them\n",
    );
    check(
        &["query", "status", "--from", "access.log", "-p", "x=1"],
        "error: query `status` has no parameter `x`\n",
    );
    check(
        &["query", "status", "--from", "access.log", "-p", "x"],
        "error: `--param`: expected `NAME=VALUE`, found `x`\n",
    );
    check(
        &[
            "query",
            "top_paths",
            "--from",
            "access.log",
            "-p",
            "top=many",
        ],
        "error: query `top_paths`: expected a value of type int for `top`, found `many`\n",
    );
}

#[test]
fn a_misspelt_column() {
    check_sql(
        "select stauts from requests",
        "error: 1:8: no column `stauts` in `requests`; did you mean `status`?\n",
    );
    check_sql(
        "select weather from requests",
        "error: 1:8: no column `weather` in `requests`\n",
    );
}

#[test]
fn a_misspelt_table() {
    let tables = "hint: the tables are `requests`, `rejects`, `gaps`, `minutes` and `sources`\n";
    check_sql(
        "select status from reqests",
        &format!("error: 1:20: no table `reqests`; did you mean `requests`?\n{tables}"),
    );
    check_sql(
        "select * from weather",
        &format!("error: 1:15: no table `weather`\n{tables}"),
    );
}

#[test]
fn a_misspelt_function() {
    check_sql(
        "select status_clas(status) from requests",
        "error: 1:8: no function `status_clas`; did you mean `status_class`?\nhint: `floodmark sql --functions` lists Floodmark's own\n",
    );
    check_sql(
        "select weather(status) from requests",
        "error: 1:8: no function `weather`\nhint: `floodmark sql --functions` lists Floodmark's own\n",
    );
}

#[test]
fn a_function_of_the_wrong_type() {
    check_sql(
        "select sum(path) from requests",
        "error: no function takes `sum(Utf8View)`\nhint: `arrow_cast` and `cast` change a type, and `describe requests` shows those of columns\n",
    );
}

#[test]
fn what_is_no_sql() {
    check_sql(
        "select status form requests where",
        "error: cannot read the statement: 1:20: expected end of statement, found `requests`\n",
    );
    check_sql(
        "select\ncount(* from requests",
        "error: cannot read the statement: 2:9: expected ), found `from`\n",
    );
    check_sql(
        "select",
        "error: cannot read the statement: expected an expression, found the end\n",
    );
    check_sql("", "error: expected a statement, found none\n");
}

#[test]
fn a_statement_that_would_change_something() {
    let place = Place::new();
    place.write("access.log", combined(0, 10));
    for statement in [
        "create table t as select 1",
        "create external table t stored as csv location '/etc/passwd'",
        "drop table requests",
        "insert into requests values (1)",
        "update requests set status = 1",
        "delete from requests",
        "copy (select * from requests) to 'out.csv'",
        "COPY requests TO 'out.csv'",
        "set datafusion.execution.batch_size = 1",
        " truncate table requests",
    ] {
        let word = statement.split_whitespace().next().unwrap();
        check_in(
            &place,
            &["sql", "--from", "access.log", statement],
            &format!(
                "error: only questions are answered here, found `{word}`\nhint: a statement begins with `SELECT`, `WITH`, `VALUES` or `EXPLAIN`\n"
            ),
        );
    }
    for statement in [
        "/* */ copy requests to 'out.csv'",
        "explain analyze insert into requests select * from requests",
        "(select 1) union drop table requests",
    ] {
        let run = place.floodmark(&["sql", "--from", "access.log", statement]);
        assert_eq!((run.stdout.as_str(), run.code), ("", 2), "{run:#?}");
    }
    assert!(!place.path("out.csv").exists());
}

#[test]
fn a_file_is_no_table() {
    check_sql(
        "select * from '/etc/passwd'",
        "error: 1:15: no table `/etc/passwd`\nhint: the tables are `requests`, `rejects`, `gaps`, `minutes` and `sources`\n",
    );
    check_sql(
        "select * from 'access.log.csv'",
        "error: 1:15: no table `access.log.csv`\nhint: the tables are `requests`, `rejects`, `gaps`, `minutes` and `sources`\n",
    );
}

#[test]
fn a_question_that_needs_too_much_memory() {
    let place = Place::new();
    place.write("access.log", combined(0, 10));
    let cross = "select sum(a.value * b.value) from generate_series(1, 9000000) a, generate_series(1, 9000000) b";
    let run = place.floodmark(&["sql", "--memory", "16M", "--from", "access.log", cross]);
    let expected = "error: the query needs more memory than it may have: ";
    assert!(run.code == 2 && run.stderr.contains(expected), "{run:#?}");
    assert!(
        run.stderr.contains("\nhint: `--memory 4G` gives it more"),
        "{run:#?}"
    );
}
