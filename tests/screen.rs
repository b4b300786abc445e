//! The live screen in a real terminal (tmux): at several sizes, what it shows is what SQL answers.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;

use crate::command::{Place, wait_for};
use crate::faults::is_whole;
use crate::terminal::Terminal;

const LOG: &str = "access.log";
const FORMAT: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time "$upstream_addr""#;
const PERSON: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[expect(clippy::disallowed_methods, reason = "a screen shows what is now")]
fn now_s() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

/// Writes lines of this moment.
fn write(place: &Place, lines: usize, path: &str, status: u16, client: &str, agent: &str) {
    let time = DateTime::from_timestamp(now_s(), 0).unwrap();
    let time = time.format("%d/%b/%Y:%H:%M:%S +0000");
    let mut text = String::new();
    for line in 0..lines {
        writeln!(
            text,
            r#"{client} - - [{time}] "GET {path} HTTP/1.1" {status} 1000 "-" "{agent}" 0.{:03} "192.0.2.80:8080""#,
            line % 100 + 1
        )
        .unwrap();
    }
    place.append(LOG, text);
}

/// The command that follows the log, with the shell's quotes.
fn follow(options: &str) -> String {
    format!(
        "'{}' tail --flush 1 --format '{FORMAT}' {options} {LOG}",
        env!("CARGO_BIN_EXE_floodmark")
    )
}

/// Rows of a table on the screen: the key, and the numbers after it.
fn rows(shown: &str, keys: &[&str]) -> Vec<(String, Vec<String>)> {
    let lines = shown
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let lines = lines.filter(|words| words.first().is_some_and(|first| keys.contains(first)));
    let row = |words: Vec<&str>| {
        let numbers = words[1..].iter().map(|word| (*word).to_owned());
        (words[0].to_owned(), numbers.collect())
    };
    lines.map(row).collect()
}

/// Path, requests, 4xx and 5xx by SQL, in the order of the screen.
fn by_sql(place: &Place, condition: &str) -> Vec<(String, Vec<String>)> {
    let statement = format!(
        "SELECT path, count(*) AS requests, count(*) FILTER (WHERE status BETWEEN 400 AND 499) AS status_4xx,
                count(*) FILTER (WHERE status BETWEEN 500 AND 599) AS status_5xx
         FROM requests WHERE {condition} GROUP BY path ORDER BY requests DESC"
    );
    let answer = place
        .floodmark(&["sql", "-q", "-o", "csv", &statement])
        .done();
    let lines = answer.lines().skip(1).map(|line| line.split(','));
    let row = |mut cells: std::str::Split<'_, char>| {
        (
            cells.next().unwrap().to_owned(),
            cells.map(str::to_owned).collect(),
        )
    };
    lines.map(row).collect()
}

const PATHS: [&str; 4] = ["/", "/cart", "/api", "/login"];

#[test]
fn the_screen_shows_what_sql_answers_at_three_sizes() {
    let place = Place::new();
    write(&place, 400, "/", 200, "192.0.2.1", PERSON);
    write(&place, 30, "/cart", 502, "192.0.2.2", PERSON);
    let script = format!("{}; echo code $?; cat", follow(""));
    let terminal = Terminal::open(&place, (80, 24), &script);
    terminal.wait_for("the lines that were there", |shown| {
        rows(shown, &PATHS).len() == 2 && shown.contains(" 1 paths ")
    });
    write(&place, 200, "/api", 404, "198.51.100.3", "curl/8.5.0");
    write(&place, 7, "/login", 200, "192.0.2.1", PERSON);
    wait_for("the lines in the lake", || {
        let in_lake = by_sql(&place, "true");
        (in_lake.len() == PATHS.len()).then_some(())
    });
    for (width, height) in [(80, 24), (120, 40), (200, 50)] {
        terminal.resize(width, height);
        let shown = terminal.wait_for("all lines at the new size", |shown| {
            let last = shown.lines().nth(usize::from(height) - 1);
            last.is_some_and(|last| last.contains("? help"))
                && rows(shown, &PATHS).len() == PATHS.len()
        });
        let all = by_sql(&place, "true");
        for ((path, found), (expected_path, expected)) in rows(&shown, &PATHS).iter().zip(&all) {
            assert_eq!(path, expected_path, "{shown}");
            assert_eq!(found[0], expected[0], "{shown}");
            // A share and its sign stand between where there is room.
            let from = if width == 80 { 1 } else { 3 };
            assert_eq!(found[from..from + 2], expected[1..3], "{shown}");
        }
        assert!(
            shown.contains("people 68.6 %") && shown.contains("bots 31.4 %"),
            "{shown}"
        );
        assert!(
            shown.contains("5xx 4.7 %") && shown.contains("4xx 31.4 %"),
            "{shown}"
        );
        assert!(shown.contains("exact"), "{shown}");
    }
    // A filter, and the same by SQL.
    terminal.press(&["/", "5xx", "Enter"]);
    let shown = terminal.wait_for("the filtered lines", |shown| rows(shown, &PATHS).len() == 1);
    let failed = by_sql(&place, "status BETWEEN 500 AND 599");
    assert_eq!(rows(&shown, &PATHS)[0].1[0], failed[0].1[0], "{shown}");
    write(&place, 2, "/cart", 503, "192.0.2.2", PERSON);
    write(&place, 2, "/cart", 200, "192.0.2.2", PERSON);
    terminal.wait_for("new lines through the filter", |shown| {
        rows(shown, &PATHS)
            .first()
            .is_some_and(|(_, numbers)| numbers[0] == "32")
    });
    terminal.press(&["/", "Enter"]);
    terminal.wait_for("all lines again", |shown| {
        rows(shown, &PATHS).len() == PATHS.len()
    });
    // The lines behind a row, and the query.
    terminal.press(&["Enter"]);
    terminal.wait_for("lines", |shown| {
        shown.contains("the last lines of /")
            && shown.contains("192.0.2.1 \"GET / HTTP/1.1\" 200 1000 0.")
    });
    terminal.press(&["Escape"]);
    // Before that, Escape and the next key would be one key.
    terminal.wait_for("the table again", |shown| {
        !shown.contains("the last lines of /")
    });
    terminal.press(&["s"]);
    terminal.wait_for("the query", |shown| {
        shown.contains("SELECT path, count(*) AS requests")
    });
    terminal.press(&["Escape"]);
    terminal.wait_for("the table again", |shown| {
        !shown.contains("SELECT path, count(*) AS requests")
    });
    terminal.press(&["q"]);
    terminal.wait_for("the end", |shown| shown.contains("code 0"));
    is_whole(&place, &[]);
    assert_eq!(by_sql(&place, "path = '/cart'")[0].1[0], "34");
}

/// The settings of a terminal that raw mode changes.
const STTY: &str =
    "stty -a | tr ' ' '\\n' | grep -xE -e '-?(echo|icanon|isig|opost);?' | tr '\\n' ' '";

#[test]
fn the_terminal_is_as_it_was_after_each_end() {
    for (ends_by, code) in [("TERM", 0), ("HUP", 0), ("INT", 0), ("C-c", 0)] {
        let place = Place::new();
        write(&place, 50, "/", 200, "192.0.2.1", PERSON);
        place.write("follow", format!("echo $$ > id; exec {}", follow("")));
        let script = format!("{STTY}; echo; sh follow; echo code $?; {STTY}; echo; echo done; cat");
        let terminal = Terminal::open(&place, (80, 24), &script);
        terminal.wait_for("the screen", |shown| rows(shown, &PATHS).len() == 1);
        write(&place, 5, "/login", 200, "192.0.2.1", PERSON);
        match ends_by {
            "C-c" => terminal.press(&["C-c"]),
            name => {
                let id = std::fs::read_to_string(place.path("id")).unwrap();
                crate::command::signal(name, id.trim().parse().unwrap());
            }
        }
        let shown = terminal.wait_for("the end", |shown| shown.contains("done"));
        assert!(
            shown.contains(&format!("code {code}")),
            "{ends_by}: {shown}"
        );
        let settings: Vec<&str> = shown
            .lines()
            .filter(|line| line.contains("icanon"))
            .collect();
        assert!(
            settings.len() == 2 && settings[0].trim() == settings[1].trim(),
            "{ends_by}: {shown}"
        );
        assert!(!shown.contains(" 1 paths "), "{ends_by}: {shown}");
        assert_eq!(by_sql(&place, "true").len(), 2, "{ends_by}");
    }
}

/// As on NFS: the system tells of no write.
#[test]
fn without_notices_it_shows_the_same() {
    let place = Place::new();
    write(&place, 50, "/", 200, "192.0.2.1", PERSON);
    let strace = "strace -qq -f -o trace --trace=inotify_init,inotify_init1 --inject=inotify_init,inotify_init1:error=EMFILE";
    let terminal = Terminal::open(&place, (80, 24), &format!("{strace} {}; cat", follow("")));
    terminal.wait_for("the screen", |shown| rows(shown, &PATHS).len() == 1);
    write(&place, 5, "/login", 200, "192.0.2.1", PERSON);
    terminal.wait_for("the new lines", |shown| rows(shown, &PATHS).len() == 2);
    let trace = std::fs::read_to_string(place.path("trace")).unwrap();
    assert!(trace.contains("(INJECTED)"), "{trace}");
}

#[test]
fn without_colour_there_is_none_and_plain_prints_lines() {
    let place = Place::new();
    write(&place, 50, "/", 404, "192.0.2.1", PERSON);
    let has_color = |terminal: &Terminal<'_>| {
        let shown = terminal.tmux(&["capture-pane", "-p", "-e"]);
        let codes = shown
            .split("\u{1b}[")
            .filter_map(|part| part.split_once('m'));
        let mut codes = codes.flat_map(|(codes, _)| codes.split(';'));
        codes.any(|code| matches!(code.parse(), Ok(30..=38 | 90..=97)))
    };
    for (environment, color) in [("", false), ("env -u NO_COLOR ", true)] {
        let script = format!("{environment}{}; echo done; cat", follow(""));
        let terminal = Terminal::open(&place, (80, 24), &script);
        terminal.wait_for("the screen", |shown| rows(shown, &PATHS).len() == 1);
        assert_eq!(has_color(&terminal), color);
        terminal.press(&["q"]);
        terminal.wait_for("the end", |shown| shown.contains("done"));
    }
    let terminal = Terminal::open(&place, (80, 24), &format!("{}; cat", follow("--plain")));
    terminal.wait_for("plain words", |shown| {
        shown.contains("following; what comes in is committed") && !shown.contains(" 1 paths ")
    });
}
