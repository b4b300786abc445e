//! Which formats a log has: told unasked, mixed, changed in the middle, or given wrongly; and bytes that no server writes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::command::{Place, Run, combined};

/// Lines of `combined`, cut down to those of `common`.
fn common(first: usize, lines: usize) -> Vec<u8> {
    let text = String::from_utf8(combined(first, lines)).unwrap();
    let cut = text.lines().map(|line| {
        let end = line.find(r#" "-" "#).unwrap();
        format!("{}\n", &line[..end])
    });
    cut.collect::<String>().into_bytes()
}

/// Lines of JSON, with backslashes as JSON has them.
fn json(lines: usize) -> Vec<u8> {
    let lines = (0..lines).map(|line| {
        format!(
            r#"{{"time_iso8601":"2026-11-03T00:00:{:02}+00:00","remote_addr":"198.51.100.7","request":"GET /json/{line} HTTP/1.1","status":404,"http_user_agent":"a\\x22b \"c\" \u00e9"}}"#,
            line % 60
        ) + "\n"
    });
    lines.collect::<String>().into_bytes()
}

fn lines_by_turns(logs: &[&[u8]]) -> Vec<u8> {
    let mut logs: Vec<_> = logs
        .iter()
        .map(|log| log.split_inclusive(|byte| *byte == b'\n'))
        .collect();
    let mut mixed = Vec::new();
    loop {
        let before = mixed.len();
        for line in logs.iter_mut().filter_map(Iterator::next) {
            mixed.extend_from_slice(line);
        }
        if mixed.len() == before {
            return mixed;
        }
    }
}

/// The answer to a question about a log, by both ways to ask: where it lies, and in the lake.
#[track_caller]
fn answer(place: &Place, log: &str, statement: &str) -> String {
    let sql = ["sql", "-q", "-o", "csv", statement];
    let raw = place.floodmark(&[&sql[..], &["--from", log]].concat());
    let lake = format!("lake-of-{log}");
    let lake = ["--lake", &lake];
    let ingest = place.floodmark(&[&["ingest", "-q", log][..], &lake].concat());
    assert_eq!(ingest.code, 0, "{ingest:#?}");
    let stored = place.floodmark(&[&sql[..], &lake].concat()).done();
    assert_eq!(raw.done(), stored);
    stored
}

#[track_caller]
fn assert_said(run: &Run, text: &str) {
    assert!(run.stderr.contains(text), "{text}\n{run:#?}");
}

#[test]
fn two_formats_in_one_file_are_both_read() {
    let place = Place::new();
    let log = lines_by_turns(&[&combined(0, 60), &common(60, 40)]);
    place.write("access.log", log);
    let run = place.floodmark(&["inspect", "access.log"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_said(
        &run,
        "access.log: format `combined`, detected: it reads 60 of the first 100 lines\naccess.log: and `common`, detected: it reads 40 of the first 100 lines\n",
    );
    assert!(run.stdout.contains("    formats  access.log: 60 lines read by `combined`, 40 lines read by `common`; `common` is mixed in from byte 1"), "{run:#?}");
    assert!(
        run.stdout
            .contains("      lines  100 = 100 requests + 0 rejects + 0 blank\n"),
        "{run:#?}"
    );
    assert_eq!(
        answer(
            &place,
            "access.log",
            "select count(*) as lines, count(distinct path) as paths, count(http_user_agent) as agents, sum(line_bytes) = max(line_offset + line_bytes) as tiles from requests"
        ),
        "lines,paths,agents,tiles\n100,100,60,true\n"
    );
}

#[test]
fn a_text_is_unescaped_as_its_own_format_has_it() {
    let place = Place::new();
    let escaped = String::from_utf8(combined(0, 60)).unwrap();
    let escaped = escaped.replace("Mozilla/5.0 (X11; Linux", r"a\x5Cx22b \x22c\x22 \xC3\xA9 (");
    place.write(
        "access.log",
        lines_by_turns(&[escaped.as_bytes(), &json(50)]),
    );
    assert_eq!(
        answer(
            &place,
            "access.log",
            r#"select status, count(*) as lines, min(replace(replace(http_user_agent, '\', '/'), '"', '|')) as agent from requests group by status order by status"#
        ),
        "status,lines,agent\n\
         200,60,a/x5Cx22b |c| é ( x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\n\
         404,50,a/x5Cx22b |c| é\n"
    );
}

#[test]
fn a_change_in_the_middle_is_named() {
    let place = Place::new();
    let (before, after) = (common(0, 20_000), combined(20_000, 30_000));
    place.write("access.log", [&before[..], &after[..]].concat());
    let run = place.floodmark(&["inspect", "access.log"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_said(&run, "access.log: format `combined`, detected: it reads ");
    assert_said(
        &run,
        " lines at 16 places\naccess.log: and `common`, detected: it reads ",
    );
    let change = format!(
        "    formats  access.log: 20,000 lines read by `common`, 30,000 lines read by `combined`; it changes to `combined` at byte {}, 2026-11-02 05:33:20 UTC\n",
        separated(before.len())
    );
    assert!(run.stdout.contains(&change), "{change}{run:#?}");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&[before, after].concat()).unwrap();
    place.write("old.log.gz", encoder.finish().unwrap());
    let run = place.floodmark(&["inspect", "old.log.gz"]);
    assert_said(
        &run,
        "lines; a compressed log is looked at in front alone\n",
    );
}

fn separated(bytes: usize) -> String {
    let digits = bytes.to_string();
    let (first, last) = digits.split_at(digits.len() - 3);
    match first.len() {
        ..=3 => format!("{first},{last}"),
        at => format!("{},{},{last}", &first[..at - 3], &first[at - 3..]),
    }
}

#[test]
fn nginx_may_write_two_formats_into_one_file() {
    let place = Place::new();
    place.write(
        "logs/access.log",
        lines_by_turns(&[&combined(0, 10), &common(0, 1)]),
    );
    place.write(
        "logs/nginx.conf",
        "events {}\nhttp {\n log_format short '$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent';\n \
         server { listen 443 ssl; access_log logs/access.log; access_log logs/access.log short; }\n}\n",
    );
    let run = place.floodmark(&[
        "inspect",
        "--nginx-conf",
        "logs/nginx.conf",
        "--nginx-prefix",
        ".",
    ]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_said(&run, "access.log: and `short`, from logs/nginx.conf\n");
    assert!(
        run.stdout
            .contains("11 = 11 requests + 0 rejects + 0 blank\n"),
        "{run:#?}"
    );
}

const WRONG: &str = "error: `access.log`: expected lines of the format `common`, found 0 among the first 1,000; nothing was read\n\
    hint: these fit best: `combined` reads 1,000; for a log with lines of several formats repeat `--format`\n";

#[test]
fn a_wrong_format_stops_a_batch_and_leaves_nothing() {
    let place = Place::new();
    place.write("access.log", combined(0, 1_200));
    for command in [
        &["ingest", "access.log"][..],
        &["inspect", "access.log"],
        &["report", "access.log"],
        &["sql", "select 1", "--from", "access.log"],
        &["query", "traffic", "--from", "access.log"],
    ] {
        let run = place.floodmark(&[command, &["--format", "common"]].concat());
        assert_eq!(
            (run.stderr.as_str(), run.code, run.stdout.as_str()),
            (WRONG, 2, ""),
            "{command:?}"
        );
    }
    for command in [
        &["ingest", "-"][..],
        &["inspect", "-"],
        &["sql", "select 1", "--from", "-"],
    ] {
        let arguments = [command, &["--format", "common"]].concat();
        let run = place.floodmark_reading(&arguments, &combined(0, 60_000));
        assert_eq!(
            (run.stderr, run.code),
            (WRONG.replace("access.log", "-"), 2),
            "{command:?}"
        );
    }
    assert!(!place.path("home/data").exists());
    // A short log, and one that no other format reads better, are read as told.
    place.write("short.log", combined(0, 999));
    place.write(
        "odd.log",
        [b"rubbish\n".repeat(1_500), combined(0, 500)].concat(),
    );
    for (log, format, account) in [
        (
            "short.log",
            "common",
            "999 lines = 0 requests + 999 rejects + 0 blank\n",
        ),
        (
            "odd.log",
            "combined",
            "2,000 lines = 500 requests + 1,500 rejects + 0 blank\n",
        ),
    ] {
        let run = place.floodmark(&["ingest", "--lake", "lake", "--format", format, log]);
        assert_eq!(run.code, 0, "{run:#?}");
        assert_said(&run, account);
    }
}

#[test]
fn several_formats_may_be_given() {
    let place = Place::new();
    let log = [common(0, 1_500), combined(0, 500), b"rubbish\n".to_vec()].concat();
    place.write("access.log", &log);
    let both = ["--format", "combined", "--format", "common"];
    let run = place.floodmark(&[&["ingest", "access.log"][..], &both].concat());
    assert_eq!(run.code, 0, "{run:#?}");
    assert_said(&run, "2,001 lines = 2,000 requests + 1 reject + 0 blank\n");
    assert_said(
        &run,
        "access.log: 1,500 lines read by `common`, 500 lines read by `combined`; it changes to `combined` at byte ",
    );
    let piped = place.floodmark_reading(
        &[&["ingest", "--lake", "piped", "-"][..], &both].concat(),
        &log,
    );
    assert_said(
        &piped,
        "2,001 lines = 2,000 requests + 1 reject + 0 blank\n",
    );
    let four = ["--format", "main", "--format", "alb"];
    let run = place.floodmark(&[&["ingest", "access.log"][..], &both, &four].concat());
    assert_eq!(
        (run.stderr.as_str(), run.code),
        ("error: `--format`: expected at most 3, found 4\n", 2)
    );
}

/// What becomes of lines, by their bytes: `kind reason` of each row.
#[track_caller]
fn kinds(log: &[u8], expected: &str) {
    let place = Place::new();
    place.write("access.log", log);
    let rows = answer(
        &place,
        "access.log",
        "select kind || coalesce(' ' || reason, '') as row, line_bytes from lines order by line_offset",
    );
    let rows: Vec<&str> = rows.lines().skip(1).collect();
    assert_eq!(rows.join("\n"), expected);
}

#[test]
fn lines_after_a_hole_are_rows() {
    let line = combined(0, 1);
    let log = |hole: usize| [combined(0, 3), vec![0; hole], combined(3, 3)].concat();
    let bytes = line.len();
    let row = |bytes: usize| format!("request,{bytes}");
    for (hole, rows) in [(100, vec![row(bytes); 6]), (300_000, vec![row(bytes); 6])] {
        let mut rows = rows;
        let lengths: Vec<usize> = combined(0, 6)
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::len)
            .collect();
        for (row, length) in rows.iter_mut().zip(&lengths) {
            *row = format!("request,{length}");
        }
        if hole > 64 << 10 {
            rows.insert(3, format!("reject nul_bytes,{hole}"));
        } else {
            rows[3] = format!("request,{}", lengths[3] + hole);
        }
        kinds(&log(hole), &rows.join("\n"));
    }
}

/// Two lines torn into one another: the first half and a whole line read as a row whose user holds a time stamp, which no parser can tell
/// from a user who sent one; the other half is a reject.
#[test]
fn torn_lines_are_rejects_with_a_reason() {
    let text = String::from_utf8(combined(0, 8)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (head, tail) = lines[6].split_at(40);
    let log = format!(
        "{}\n{head}{}\n{tail}\n{head}\0\0\0\0{tail}\n",
        lines[..6].join("\n"),
        lines[7]
    );
    let place = Place::new();
    place.write("access.log", log);
    assert_eq!(
        answer(
            &place,
            "access.log",
            "select reason, count(*) as lines from lines where kind = 'reject' group by reason order by reason"
        ),
        "reason,lines\nmissing_literal,1\nnul_bytes,1\n"
    );
}

#[test]
fn marks_line_ends_and_odd_values_are_rows() {
    let line = |status: &str, bytes: &str| {
        format!(
            "192.0.2.1 - - [09/Nov/2026:08:00:00 +0000] \"GET / HTTP/1.1\" {status} {bytes} \"-\" \"-\"\r\n"
        )
    };
    let log = format!(
        "\u{feff}{}{}{}",
        line("200", "1"),
        line("999", "18446744073709551616"),
        line("000", "9223372036854775808")
    );
    let place = Place::new();
    place.write("access.log", log);
    assert_eq!(
        answer(
            &place,
            "access.log",
            "select remote_addr, status, body_bytes_sent from requests order by line_offset"
        ),
        "remote_addr,status,body_bytes_sent\n192.0.2.1,200,1\n192.0.2.1,999,\n192.0.2.1,0,\n"
    );
    let run = place.floodmark(&["ingest", "--lake", "lake", "access.log"]);
    assert_said(&run, "2 values did not fit their column and are NULL\n");
}

#[test]
fn two_hundred_forwarded_addresses_are_one_row() {
    let forwarded: Vec<String> = (0..200).map(|n| format!("203.0.113.{n}")).collect();
    let line = format!(
        "192.0.2.1 - - [09/Nov/2026:08:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\" \"{}\"\n",
        forwarded.join(", ")
    );
    let place = Place::new();
    place.write("access.log", line.repeat(5));
    let run = place.floodmark(&[
        "sql", "-q", "-o", "csv", "--trust", "192.0.2.0/24", "--from", "access.log",
        "select client, length(http_x_forwarded_for) as bytes, count(*) as lines from requests group by all",
    ]);
    assert_eq!(
        run.done(),
        "client,bytes,lines\n203.0.113.199,3,5\n"
            .replace(",3,", &format!(",{},", forwarded.join(", ").len()))
    );
}

#[test]
fn utf_16_is_named() {
    let place = Place::new();
    let wide: Vec<u8> = combined(0, 50)
        .into_iter()
        .flat_map(|byte| [byte, 0])
        .collect();
    place.write("access.log", [b"\xFF\xFE", &wide[..]].concat());
    place.write("unmarked.log", &wide);
    for log in ["access.log", "unmarked.log"] {
        let run = place.floodmark(&["ingest", log]);
        assert_eq!(
            (run.stderr, run.code),
            (
                format!(
                    "error: `{log}` is not a text log: it looks like UTF-16\nhint: convert it on the way in: `iconv -f utf-16 -t utf-8 {log} | floodmark ingest -`\n"
                ),
                2
            )
        );
    }
    // Further down in a log, each line is a reject.
    place.write("mixed.log", [combined(0, 500), wide].concat());
    let run = place.floodmark(&["inspect", "mixed.log"]);
    assert!(
        run.stdout.contains("   rejected  50 for utf_16\n"),
        "{run:#?}"
    );
    assert!(
        run.stdout
            .contains("looks like UTF-16: about every other byte is NUL\n"),
        "{run:#?}"
    );
}
