//! The command as a shell sees it: standard output, standard error and the exit code together.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A command that takes longer hangs; the slowest here takes seconds, also on a busy machine.
const RUN_MAX: Duration = Duration::from_secs(120);

/// What a command did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The exit code; -1 if a signal ended it.
    pub(crate) code: i32,
}

impl Run {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("what is printed is UTF-8");
        let run = Self {
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            code: output.status.code().unwrap_or(-1),
        };
        assert!(!run.stderr.contains("panicked"), "{run:#?}");
        run
    }

    /// The standard output of a run that went well.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.stdout
    }

    /// All three in one text, the place's own path as `@`.
    pub(crate) fn shown(&self, place: &Place) -> String {
        let text = format!(
            "{}--- stderr\n{}--- code {}\n",
            self.stdout, self.stderr, self.code
        );
        text.replace(
            &place
                .path("")
                .display()
                .to_string()
                .trim_end_matches('/')
                .to_owned(),
            "@",
        )
    }
}

/// A folder to work in, with a home of its own: neither lake nor settings of the user are touched.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("floodmark-")
            .tempdir()
            .unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes on into a file, or a new one.
    pub(crate) fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let mut options = fs::OpenOptions::new();
        let file = options.append(true).create(true).open(self.path(name));
        file.unwrap().write_all(bytes.as_ref()).unwrap();
    }

    /// Runs a Python script that reads a lake with other libraries.
    #[track_caller]
    pub(crate) fn python(&self, script: &str, arguments: &[&str]) -> Run {
        let python = std::env::var_os("FLOODMARK_TEST_PYTHON").expect(
            "FLOODMARK_TEST_PYTHON names a Python with the package deltalake: run the tests with ./test, which sets it",
        );
        // Without this the threads of those libraries now and then abort the interpreter while it ends, after the script.
        let script = format!("{script}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n");
        end(self
            .program(python)
            .args(["-c", &script])
            .args(arguments)
            .spawn()
            .unwrap())
    }

    /// A program in this folder, with nothing of the caller's environment but where programs are.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let home = self.path("home");
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("XDG_DATA_HOME", home.join("data"))
            .env("TMPDIR", &home)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_floodmark"));
        command.args(arguments);
        command
    }

    #[track_caller]
    pub(crate) fn floodmark(&self, arguments: &[&str]) -> Run {
        end(self.command(arguments).spawn().unwrap())
    }

    #[track_caller]
    pub(crate) fn floodmark_reading(&self, arguments: &[&str], stdin: &[u8]) -> Run {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut input, bytes) = (child.stdin.take().unwrap(), stdin.to_vec());
        // A command that fails early does not read it.
        thread::spawn(move || input.write_all(&bytes));
        end(child)
    }
}

/// Waits for the end of a program, for a time.
#[track_caller]
pub(crate) fn end(child: Child) -> Run {
    let id = child.id();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(RUN_MAX) {
        Ok(output) => Run::of(output.unwrap()),
        Err(_) => {
            signal("KILL", id);
            panic!("still running after {} s", RUN_MAX.as_secs());
        }
    }
}

pub(crate) fn signal(name: &str, id: u32) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {id}")])
        .stderr(Stdio::null())
        .status();
    assert!(sent.is_ok());
}

/// Waits until something is there, for a time.
#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "only to give up on a process that hangs"
)]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            start.elapsed() < RUN_MAX,
            "no {what} after {} s",
            RUN_MAX.as_secs()
        );
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// Lines of the format `combined`, from `first` on: each has its number in its path and its own second.
pub(crate) fn combined(first: usize, lines: usize) -> Vec<u8> {
    let mut log = Vec::new();
    for line in first..first + lines {
        let (day, hour, minute, second) = (
            2 + line / 86_400,
            line / 3_600 % 24,
            line / 60 % 60,
            line % 60,
        );
        writeln!(
            log,
            r#"192.0.2.{} - - [{day:02}/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000] "GET /page/{line}?n={line} HTTP/1.1" 200 {} "-" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0""#,
            line % 250,
            line * 7 % 9_973,
        )
        .unwrap();
    }
    log
}

/// Five requests, a reject and a blank line: what fits on a page.
const TINY: &str = r#"192.0.2.1 - - [09/Nov/2026:08:00:00 +0000] "GET / HTTP/2.0" 200 5316 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
192.0.2.1 - - [09/Nov/2026:08:00:01 +0000] "GET /site.css?v=3 HTTP/2.0" 304 0 "https://www.example.org/" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
this is no line of an access log

198.51.100.7 - alice [09/Nov/2026:09:30:00 +0100] "POST /cart HTTP/1.1" 502 157 "-" "curl/8.5.0"
2001:db8::5 - - [09/Nov/2026:08:31:10 +0000] "GET /a|b?token=abc HTTP/1.1" 404 153 "-" "=1+\x22quoted\x22 | agent"
203.0.113.9 - - [09/Nov/2026:08:32:00 +0000] "\x16\x03\x01" 400 157 "-" "-"
"#;

const TINY_SQL: &str =
    "select time, client, path, args, status, http_user_agent from requests order by time";

/// Compares with the file of that name in `tests/snapshots`; with FLOODMARK_UPDATE_SNAPSHOTS set, writes it instead.
#[track_caller]
fn check(name: &str, place: &Place, run: &Run) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/snapshots")
        .join(name);
    let found = run.shown(place);
    if std::env::var_os("FLOODMARK_UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &found).unwrap();
        return;
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        expected == found,
        "expected, as in {}:\n{expected}\nfound:\n{found}\nhint: if that is right, run the tests again with FLOODMARK_UPDATE_SNAPSHOTS=1",
        file.display(),
    );
}

#[track_caller]
fn check_tiny(name: &str, arguments: &[&str]) {
    let place = Place::new();
    place.write("access.log", TINY);
    check(name, &place, &place.floodmark(arguments));
}

#[track_caller]
fn check_sql(output: &str) {
    check_tiny(
        &format!("sql_{output}.txt"),
        &["sql", "--from", "access.log", "-o", output, TINY_SQL],
    );
}

#[test]
fn sql_as_a_table() {
    check_sql("table");
}

#[test]
fn sql_as_csv_defuses_formulas() {
    check_sql("csv");
}

#[test]
fn sql_as_tsv() {
    check_sql("tsv");
}

#[test]
fn sql_as_json() {
    check_sql("json");
}

#[test]
fn sql_as_jsonl() {
    check_sql("jsonl");
}

#[test]
fn sql_as_markdown() {
    check_sql("md");
}

#[test]
fn sql_of_no_rows() {
    check_tiny(
        "sql_no_rows.txt",
        &[
            "sql",
            "--from",
            "access.log",
            "select path, status from requests where status = 299",
        ],
    );
}

#[test]
fn secrets_are_kept_when_asked_for() {
    let place = Place::new();
    place.write("access.log", TINY);
    let run = place.floodmark(&[
        "sql",
        "-q",
        "--from",
        "access.log",
        "-o",
        "csv",
        "--keep-secrets",
        "select args from requests where args like 'token%'",
    ]);
    assert_eq!(run.done(), "args\ntoken=abc\n");
}

#[test]
fn times_are_shown_in_the_zone() {
    check_tiny(
        "sql_zone.txt",
        &[
            "sql",
            "--from",
            "access.log",
            "--tz",
            "Europe/Berlin",
            "select time, status from requests order by time",
        ],
    );
}

#[test]
fn rejects_are_a_table() {
    check_tiny(
        "sql_rejects.txt",
        &[
            "sql",
            "--from",
            "access.log",
            "select time, time_inferred, line_offset, line_bytes, reason, raw from rejects",
        ],
    );
}

#[test]
fn query_lists_every_query_with_its_question() {
    check_tiny("query_list.txt", &["query"]);
}

#[test]
fn query_runs_by_name() {
    check_tiny(
        "query_status.txt",
        &["query", "status", "--from", "access.log"],
    );
}

#[test]
fn inspect_accounts_for_each_line() {
    check_tiny("inspect.txt", &["inspect", "access.log"]);
}

#[test]
fn report_on_the_terminal() {
    check_tiny("report_terminal.txt", &["report", "access.log"]);
}

#[test]
fn report_as_markdown() {
    check_tiny("report_md.txt", &["report", "--md", "-", "access.log"]);
}

#[test]
fn report_as_json() {
    check_tiny("report_json.txt", &["report", "--json", "-", "access.log"]);
}

#[test]
fn report_into_files_is_the_same_twice() {
    let place = Place::new();
    place.write("access.log", TINY);
    let files = ["--html", "a.html", "--md", "a.md", "--json", "a.json"];
    let report = || {
        place
            .floodmark(&[&["report", "-q", "access.log"], &files[..]].concat())
            .done();
        ["a.html", "a.md", "a.json"].map(|name| fs::read_to_string(place.path(name)).unwrap())
    };
    let first = report();
    assert!(
        first[0].starts_with("<!doctype html>") || first[0].starts_with("<!DOCTYPE html>"),
        "{}",
        &first[0][..100]
    );
    assert_eq!(first, report());
}

#[test]
fn the_log_may_come_from_standard_input() {
    let place = Place::new();
    place.write("access.log", TINY);
    let run = place.floodmark_reading(
        &[
            "sql",
            "--from",
            "-",
            "-o",
            "csv",
            "select count(*) from requests",
        ],
        TINY.as_bytes(),
    );
    check("sql_stdin.txt", &place, &run);
}

#[test]
fn the_statement_may_come_from_standard_input() {
    let place = Place::new();
    place.write("access.log", TINY);
    let run = place.floodmark_reading(
        &["sql", "-q", "--from", "access.log", "-o", "csv", "-"],
        b"select count(*) as n\nfrom requests\n",
    );
    assert_eq!(run.done(), "n\n5\n");
}

#[test]
fn completions_are_a_script_for_the_shell() {
    let place = Place::new();
    let script = place.floodmark(&["completions", "bash"]).done();
    for word in [
        "_floodmark()",
        "complete -F _floodmark",
        "inspect",
        "--fail-on",
    ] {
        assert!(script.contains(word), "{word}");
    }
    let script = place.write("floodmark.bash", script);
    let checked = end(place.program("bash").arg("-n").arg(script).spawn().unwrap());
    assert_eq!((checked.stderr.as_str(), checked.code), ("", 0));
}

#[test]
fn man_is_a_page() {
    let page = Place::new().floodmark(&["man"]).done();
    assert!(page.contains(".TH floodmark 1"), "{page}");
}

#[test]
fn version_is_an_answer() {
    check_tiny("version.txt", &["--version"]);
}

#[test]
fn help_is_an_answer() {
    let help = Place::new().floodmark(&["--help"]).done();
    for command in [
        "report",
        "sql",
        "query",
        "ingest",
        "inspect",
        "simulate",
        "completions",
        "man",
    ] {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command}: {help}"
        );
    }
}

#[test]
fn an_unknown_option_could_not_run() {
    check_tiny(
        "unknown_option.txt",
        &["sql", "--form", "access.log", "select 1"],
    );
}

#[test]
fn a_closed_pipe_is_a_quiet_success() {
    let place = Place::new();
    place.write("access.log", combined(0, 60_000));
    for output in ["table", "csv", "jsonl"] {
        let mut child = place
            .command(&[
                "sql",
                "-q",
                "--from",
                "access.log",
                "-o",
                output,
                "select path, http_user_agent from requests",
            ])
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::with_capacity(512, child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        assert!(!first.is_empty());
        let run = end(child);
        assert_eq!((run.stderr.as_str(), run.code), ("", 0), "{output}");
    }
}

#[test]
fn fail_on_rejects_is_said_by_the_exit_code() {
    let place = Place::new();
    place.write("access.log", TINY);
    let code = |condition: &str, command: &[&str]| {
        place
            .floodmark(&[command, &["--fail-on", condition]].concat())
            .code
    };
    let sql = [
        "sql",
        "--from",
        "access.log",
        "select count(*) from requests",
    ];
    for command in [
        &["inspect", "access.log"][..],
        &["ingest", "access.log"],
        &["report", "access.log"],
        &sql,
    ] {
        // 1 of 7 lines.
        assert_eq!(code("rejects=1%", command), 1, "{command:?}");
    }
    for command in [&["inspect", "access.log"][..], &sql] {
        assert_eq!(code("rejects=20%", command), 0, "{command:?}");
    }
}

#[test]
fn fail_on_verdict_is_said_by_the_exit_code() {
    // Two people all day, each minute; on the second day all of it fails.
    let day = |day: u32, status: u32| {
        let mut log = String::new();
        for minute in 0..1_440 {
            for client in 1..3 {
                log += &format!(
                    "192.0.2.{client} - - [{day:02}/Nov/2026:{:02}:{:02}:0{client} +0000] \"GET /page HTTP/1.1\" {status} 10 \"-\" \"Mozilla/5.0 (X11; Linux x86_64; rv:14{client}.0) Gecko/20100101 Firefox/14{client}.0\"\n",
                    minute / 60,
                    minute % 60,
                );
            }
        }
        log
    };
    let place = Place::new();
    place.write(
        "bad/access.log",
        (9..=15)
            .map(|date| day(date, if date == 10 { 502 } else { 200 }))
            .collect::<String>(),
    );
    place.write(
        "good/access.log",
        (9..=15).map(|date| day(date, 200)).collect::<String>(),
    );
    let run = place.floodmark(&["report", "--fail-on", "verdict", "bad"]);
    assert_eq!(run.code, 1, "{run:#?}");
    let run = place.floodmark(&["report", "--fail-on", "verdict", "good"]);
    assert_eq!(run.code, 0, "{run:#?}");
}

/// Whether a process has a handler for a signal.
pub(crate) fn catches(id: u32, signal: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    caught
        .is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal - 1) & 1 == 1)
}

#[test]
fn an_interrupt_commits_what_is_whole() {
    let place = Place::new();
    let log = combined(0, 60_000);
    let cut = log.len() - 40;
    let ingest = ["ingest", "--format", "combined", "--log-set", "site", "-"];
    let mut child = place
        .command(&ingest)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // Returns once all but a pipe's worth has been read. The writer then falls silent in the middle of a line.
    input.write_all(&log[..cut]).unwrap();
    let id = child.id();
    wait_for("handler for SIGINT", || catches(id, 2).then_some(()));
    signal("INT", id);
    let run = end(child);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        run.stderr
            .ends_with("warning: stopped by a signal; run it again to go on from here\n"),
        "{run:#?}"
    );
    drop(input);
    let count = || {
        place
            .floodmark(&[
                "sql",
                "-q",
                "-o",
                "csv",
                "select count(*), count(distinct path) from requests",
            ])
            .done()
    };
    let stopped = count();
    let rows: usize = stopped
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(rows > 50_000 && rows < 60_000, "{stopped}");
    place.write("site", log);
    let again = place.floodmark(&["ingest", "site"]);
    assert_eq!(again.code, 0, "{again:#?}");
    assert_eq!(count().lines().nth(1), Some("60000,60000"));
}

#[test]
fn an_answer_is_a_parquet_file_with_its_types() {
    let place = Place::new();
    place.write("access.log", TINY);
    let output = place.path("answer.parquet");
    let mut command = place.command(&[
        "sql",
        "-q",
        "--from",
        "access.log",
        "-o",
        "parquet",
        TINY_SQL,
    ]);
    command.stdout(fs::File::create(&output).unwrap());
    assert_eq!(end(command.spawn().unwrap()).code, 0);
    let read = place.python(
        "import sys, pyarrow.parquet as pq\nt = pq.read_table(sys.argv[1])\nprint(t.num_rows, t.schema.field('time').type, t.schema.field('status').type, t['args'].to_pylist())",
        &[output.to_str().unwrap()],
    );
    assert_eq!(
        read.done(),
        "5 timestamp[us, tz=UTC] int16 [None, 'v=3', None, 'token=[redacted]', None]\n"
    );
    let several = place.floodmark(&[
        "sql",
        "--from",
        "access.log",
        "-o",
        "parquet",
        "select 1; select 2",
    ]);
    assert_eq!(
        several.stderr,
        "error: `--output parquet`: expected one statement, found 2\nhint: a Parquet file has one table\n"
    );
}

#[test]
fn an_answer_is_drawn() {
    let place = Place::new();
    place.write("access.log", TINY);
    let arguments = [
        "sql",
        "-q",
        "--from",
        "access.log",
        "--chart",
        "select status, count(*) as n from requests group by 1 order by 2 desc, 1 limit 3",
    ];
    assert_eq!(
        place.floodmark(&arguments).done(),
        "  n by status\n  200  1  ███████████████████████████████████████████████████████████████████████████████████████████\n  304  1  ███████████████████████████████████████████████████████████████████████████████████████████\n  400  1  ███████████████████████████████████████████████████████████████████████████████████████████\n".replace("███████████████████████████████████████████████████████████████████████████████████████████", &"█".repeat(90))
    );
    let lines = [
        "sql",
        "-q",
        "--from",
        "access.log",
        "--chart=line",
        "select time, status from requests",
    ];
    let drawn = place.floodmark(&lines).done();
    assert!(drawn.starts_with("  status by time\n  502 ┤"), "{drawn}");
    let refused = place.floodmark(&[
        "sql",
        "-q",
        "--from",
        "access.log",
        "--chart",
        "select path from requests",
    ]);
    assert_eq!(
        refused.stderr,
        "error: expected a column with numbers, found `path`\nhint: a chart has a name, a time or a number in its first column and a number in the next\n"
    );
}

#[test]
fn a_team_has_queries_of_its_own() {
    const QUERY: &str = "-- title: Teapots\n-- question: Who asked for tea?\n-- param: least int = 1 (requests)\n\
                         select client, count(*) as n from requests group by 1 having count(*) >= $least order by 1\n";
    let place = Place::new();
    place.write("access.log", TINY);
    fs::create_dir_all(place.path("home/.config/floodmark/queries")).unwrap();
    place.write("home/.config/floodmark/queries/teapots.sql", QUERY);
    fs::create_dir(place.path("own")).unwrap();
    place.write("own/kettles.sql", QUERY.replace("Teapots", "Kettles"));
    place.write("own/notes.txt", "no query");
    let list = place.floodmark(&["query", "--queries", "own"]).done();
    let last: Vec<&str> = list.lines().rev().take(4).collect();
    assert!(
        last[3].starts_with("kettles ") && last[1].ends_with("  Who asked for tea?"),
        "{list}"
    );
    let asked = |name| {
        place.floodmark(&[
            "query",
            name,
            "-q",
            "--queries",
            "own",
            "--from",
            "access.log",
            "-o",
            "csv",
            "-p",
            "least=2",
        ])
    };
    assert_eq!(asked("teapots").done(), "client,n\n192.0.2.1,2\n");
    assert_eq!(asked("kettles").done(), "client,n\n192.0.2.1,2\n");
    assert_eq!(
        asked("ketles").stderr,
        "error: no query `ketles`; did you mean `kettles`?\nhint: `floodmark query` lists them\n"
    );
    place.write("own/bots.sql", QUERY);
    assert_eq!(
        asked("kettles").stderr,
        "error: `own/bots.sql`: there is a query `bots` already\nhint: give the file another name; `floodmark query` lists them all\n"
    );
    place.write(
        "own/bots.sql",
        "-- title: T\n-- param: n number = 1\nselect 1",
    );
    let stderr = asked("kettles").stderr;
    assert!(
        stderr.starts_with("error: `own/bots.sql`: query `bots`, line 2: expected `param: "),
        "{stderr}"
    );
    let missing = place.floodmark(&["query", "--queries", "nowhere"]);
    assert_eq!(
        (missing.stderr.as_str(), missing.code),
        (
            "error: cannot read the queries in `nowhere`: no such file or directory\n",
            2
        )
    );
}

#[test]
fn floodmarks_own_functions_are_listed() {
    let list = Place::new().floodmark(&["sql", "--functions"]).done();
    let first = "approx_quantile(value, share)\n    a quantile of many groups at once.\n";
    assert!(list.starts_with(first), "{list}");
    assert!(
        list.contains("\nip_in(addr, cidr), ip_prefix(addr, bits), "),
        "{list}"
    );
}

/// What the owner knows is in a folder; a file that cannot be read is told and left out.
#[test]
fn lists_say_what_is_known_beyond_the_logs() {
    let place = Place::new();
    let config = place.path("config").display().to_string();
    let made = r#"{"creationTime": "2020-01-01T00:00:00.000000", "prefixes": [{"ipv4Prefix": "192.0.2.0/27"}]}"#;
    place.write("config/lists/googlebot.json", made);
    place.write("config/lists/bing_ipv4.txt", "192.0.2.64/27\n<html>\n");
    place.write("config/lists/nobody.txt", "192.0.2.64/27\n");
    place.write("config/exempt.txt", "192.0.2.96/28 # the office\n");
    let run = place.floodmark(&["lists", "--config", &config]);
    let stale = "1 range, ";
    let line = run.stdout.lines().find(|line| line.contains("googlebot"));
    let line = line.unwrap();
    assert!(
        line.contains(stale)
            && line.ends_with("lists/googlebot.json; too old to call anybody a fake"),
        "{line}"
    );
    for expected in [
        "       bing  none; https://www.bing.com/toolbox/bingbot.json\n",
        "     exempt  1 range\n",
        "maintenance  0 windows\n",
    ] {
        assert!(run.stdout.contains(expected), "{run:#?}");
    }
    for expected in [
        "config/lists/bing_ipv4.txt`: line 2: expected an address or a range such as `192.0.2.0/24`, found `<html>`\n",
        "config/lists/nobody.txt`: expected a name that begins with that of an operator (ahrefs, ",
    ] {
        assert!(run.stderr.contains(expected), "{run:#?}");
    }
    assert_eq!(run.code, 0, "{run:#?}");
    let run = place.floodmark(&["lists", "--config", "nowhere"]);
    assert_eq!(
        (run.stderr.as_str(), run.code),
        (
            "error: `--config`: expected a folder, found none at `nowhere`\n",
            2
        )
    );
}

/// One spike as a story.
#[test]
fn a_spike_is_explained() {
    let place = Place::new();
    let mut log = String::new();
    for minute in 0..40 {
        let status = if (20..25).contains(&minute) { 500 } else { 200 };
        for (client, path, status) in
            (10..16).flat_map(|client| [(client, "/cart/9", status), (client, "/item/7", 200)])
        {
            log += &format!(
                "192.0.2.{client} - - [09/Nov/2026:00:{minute:02}:{client} +0000] \"GET {path} HTTP/1.1\" {status} 100 \"-\" \"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\"\n"
            );
        }
    }
    place.write("access.log", log);
    let asked = [
        "query",
        "error_spikes",
        "--from",
        "access.log",
        "-q",
        "--explain",
    ];
    let explain = |number| place.floodmark(&[&asked[..], &[number]].concat());
    check("query_explain.txt", &place, &explain("1"));
    let run = explain("2");
    assert_eq!(
        (run.stderr.as_str(), run.code),
        (
            "error: `--explain`: expected one of 1 spike, found `2`\nhint: `floodmark query error_spikes` lists them, the first is 1\n",
            2
        )
    );
}
