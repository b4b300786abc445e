//! The prompt of `floodmark sql`, in a real terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::command::{Place, combined};
use crate::terminal::Terminal;

const LOG: &str = "access.log";

/// The prompt over a lake with as many lines, and with variables of the environment before it.
fn prompt<'p>(place: &'p Place, environment: &str) -> Terminal<'p> {
    let program = env!("CARGO_BIN_EXE_floodmark");
    let script = format!("{environment} '{program}' sql; echo code $?; cat");
    let terminal = Terminal::open(place, (100, 30), &script);
    terminal.wait_for("prompt", |shown| shown.contains("floodmark>"));
    terminal
}

fn filled(lines: usize) -> Place {
    let place = Place::new();
    place.write(LOG, combined(0, lines));
    assert_eq!(place.floodmark(&["ingest", "-q", LOG]).code, 0);
    place
}

#[track_caller]
fn shows(terminal: &Terminal<'_>, expected: &str) {
    terminal.wait_for(expected, |shown| shown.contains(expected));
}

/// Waits for the next prompt and ends it. Before, Ctrl-D would be the end of nothing.
#[track_caller]
fn leave(terminal: &Terminal<'_>) {
    terminal.wait_for("the prompt", |shown| {
        shown.trim_end().ends_with("\nfloodmark>")
    });
    terminal.press(&["C-d"]);
    shows(terminal, "code 0");
}

#[test]
fn what_is_typed_is_answered() {
    let place = filled(40);
    let terminal = prompt(&place, "");
    terminal.enter("select count(*) as n,");
    terminal.enter("  count(distinct client) as who from requests;");
    shows(
        &terminal,
        " n  who\n  40   40\n1 row; 1 of 1 file of the lake opened, ",
    );
    // Each question is asked of the lake as it is then.
    place.append(LOG, combined(40, 2));
    assert_eq!(place.floodmark(&["ingest", "-q", LOG]).code, 0);
    terminal.enter("select 'now ' || count(*) from requests; select 'and ' || 1;");
    shows(&terminal, "now 42");
    shows(&terminal, "and 1");
    terminal.enter("select stauts from requests;");
    shows(
        &terminal,
        "error: 1:8: no column `stauts` in `requests`; did you mean `status`?",
    );
    terminal.enter("drop table requests;");
    shows(
        &terminal,
        "error: only questions are answered here, found `drop`",
    );
    terminal.enter(r"\nothing");
    shows(
        &terminal,
        "error: no command `\\nothing`\nhint: `\\?` lists them",
    );
    terminal.enter(r"\query status -p");
    shows(
        &terminal,
        "error: a value is required for '--param <NAME=VALUE>' but none was supplied",
    );
    terminal.enter(r"\query top_paths -p top=1");
    shows(&terminal, "/page/0");
    terminal.enter(r"\q");
    shows(&terminal, "code 0");
}

#[test]
fn names_are_completed_and_lines_remembered() {
    let place = filled(10);
    let terminal = prompt(&place, "");
    terminal.press(&["select http_us", "Tab"]);
    shows(&terminal, "floodmark> select http_user_agent");
    terminal.press(&["C-u"]);
    terminal.enter("select 6 * 7 as answer;");
    shows(&terminal, "    42\n");
    leave(&terminal);
    let history = place.path("home/.local/state/floodmark/sql_history");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&history), 0o600);
    assert_eq!(mode(history.parent().unwrap()), 0o700);
    let terminal = prompt(&place, "");
    terminal.press(&["Up"]);
    shows(&terminal, "floodmark> select 6 * 7 as answer;");
    terminal.press(&["Enter"]);
    shows(&terminal, "    42\n");
}

#[test]
fn ctrl_c_ends_the_statement_and_not_the_prompt() {
    let place = filled(2_000);
    let terminal = prompt(&place, "");
    terminal.press(&["select 'typed", "C-c"]);
    terminal.wait_for("a new line", |shown| {
        shown.matches("floodmark>").count() == 2
    });
    terminal.enter("select sum(a.value * b.value) from generate_series(1, 1000000) a, generate_series(1, 1000000) b;");
    shows(&terminal, "Ctrl-C ends it");
    terminal.press(&["C-c"]);
    shows(&terminal, "error: ended after ");
    terminal.enter("select 'still ' || 'here';");
    shows(&terminal, "still here");
    leave(&terminal);
}

#[test]
fn what_does_not_fit_is_paged_and_shown_otherwise_when_asked() {
    let place = filled(100);
    let terminal = prompt(&place, "PAGER='tail -n 2 | sed s/^/paged:/'");
    terminal.enter("select line_offset, path from requests order by time;");
    shows(&terminal, "paged:       15,");
    shows(&terminal, "100 rows; ");
    terminal.enter(r"\x");
    terminal.enter("select path, args from requests order by time limit 1;");
    shows(&terminal, "  row 1\n  path   /page/0\n  args   n=0\n");
    terminal.enter(r"\o jsonl");
    terminal.enter("select status from requests limit 1;");
    shows(&terminal, "{\"status\":200}");
}

#[test]
fn the_last_statement_is_edited() {
    let place = filled(10);
    place.write("editor", "sed -i s/1/2/ \"$1\"\n");
    let terminal = prompt(&place, "EDITOR='sh editor'");
    terminal.enter("select 'number ' || 1;");
    shows(&terminal, "number 1");
    terminal.enter(r"\e");
    shows(&terminal, "floodmark> select 'number ' || 2;");
    terminal.press(&["Enter"]);
    shows(&terminal, "number 2");
}

#[test]
fn there_is_no_prompt_without_a_terminal() {
    let place = filled(10);
    let run = place.floodmark_reading(
        &["sql", "-q", "-o", "csv"],
        b"-- two of them\nselect count(*) from requests;\nselect ';' as semicolon;\n",
    );
    assert_eq!(run.done(), "count(*)\n10\nsemicolon\n;\n");
    let run = place.floodmark_reading(
        &["sql", "-q", "-o", "csv"],
        b"select 1;\n\nselect x;\nselect 2",
    );
    assert_eq!((run.stdout.as_str(), run.code), ("Int64(1)\n1\n", 2));
    assert_eq!(
        run.stderr,
        "error: statement 2, which begins in line 3: 1:8: no column `x`\n"
    );
    let run = place.floodmark_reading(&["sql", "-q"], b" -- nothing\n");
    assert_eq!(
        (run.stderr.as_str(), run.code),
        ("error: expected a statement, found none\n", 2)
    );
}
