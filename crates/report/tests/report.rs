//! The whole report, in each of its forms, from rows that never change.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its stage may panic"
)]

mod sample;

use floodmark_report::{Report, Style, Verdict};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use sample::{HOSTILE, empty, report, report_saying};
use unicode_width::UnicodeWidthStr;

/// Compares with `tests/expected/<name>`; with FLOODMARK_BLESS set, writes it.
#[track_caller]
fn check(name: &str, actual: &str) {
    let path = format!("{}/tests/expected/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("FLOODMARK_BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{path} differs from what follows; look at it, then run with FLOODMARK_BLESS=1\n{actual}"
    );
}

fn plain(width: usize) -> Style {
    Style {
        width,
        color: false,
    }
}

#[test]
fn terminal_of_80_columns() {
    check("terminal-80.txt", &report().terminal(plain(80)));
}

#[test]
fn terminal_of_120_columns() {
    check("terminal-120.txt", &report().terminal(plain(120)));
}

#[test]
fn terminal_of_40_columns() {
    check("terminal-40.txt", &report().terminal(plain(40)));
}

#[test]
fn output_that_is_no_terminal_is_not_cut() {
    let text = report().terminal(Style::PLAIN);
    assert!(
        text.contains(
            "/a/rather/long/path/that/a/marketing/team/has/thought/of/for/the/autumn/sale"
        )
    );
    assert!(text.contains("(compatible; Googlebot/2.1; +http://www.google.com/bot.html)"));
    assert!(!text.contains('\x1b'));
}

#[test]
fn markdown_for_a_chat() {
    check("report.md", &report().markdown());
}

#[test]
fn json_for_machines() {
    let json = report().json();
    check("report.json", &json);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["weeks"][3]["week"], "2026-W46");
    assert_eq!(value["incidents"][1]["kind"], "outage");
    assert_eq!(value["spikes"][1]["single_client"], true);
    assert_eq!(value["spikes"][1]["path"], serde_json::Value::Null);
}

#[test]
fn nothing_at_all_is_a_report_too() {
    check("empty.txt", &empty().terminal(plain(80)));
    check("empty.md", &empty().markdown());
    let html = empty().html().unwrap();
    assert!(html.contains("No minute could be judged"));
    assert!(!html.contains("NaN"));
}

#[test]
fn every_form_is_the_same_when_made_again() {
    let forms = |report: Report| {
        [
            report.html().unwrap(),
            report.json(),
            report.markdown(),
            report.terminal(plain(80)),
        ]
    };
    assert!(forms(report()) == forms(report()));
}

#[test]
fn colours_change_nothing_but_colours() {
    let colored = report().terminal(Style {
        width: 80,
        color: true,
    });
    assert!(colored.contains("\x1b[1;31m"));
    assert_eq!(without_colors(&colored), report().terminal(plain(80)));
}

fn without_colors(text: &str) -> String {
    let mut rest = text.split("\x1b[");
    let mut out = rest.next().unwrap_or_default().to_owned();
    rest.for_each(|part| out.push_str(part.split_once('m').unwrap().1));
    out
}

#[test]
fn the_worst_week_that_was_judged_is_the_verdict() {
    let mut report = report();
    assert_eq!(report.verdict(), Verdict::Fail);
    report.weeks[3].uptime = None;
    assert_eq!(report.verdict(), Verdict::Undetermined);
    report.weeks.truncate(3);
    assert_eq!(report.verdict(), Verdict::Pass);
    assert_eq!(empty().verdict(), Verdict::Undetermined);
}

/// Opening tags of a page, in order: names and attribute names, without values.
fn tags(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    // Nothing of a log is in the script, whose `<` are no tags.
    let (mut rest, _) = html.split_once("<script>").unwrap();
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let name: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '/' || *c == '!')
            .collect();
        assert!(
            !name.is_empty(),
            "a bare `<`: {}",
            rest.chars().take(40).collect::<String>()
        );
        let mut quoted = false;
        let mut attributes = String::new();
        for c in rest.chars() {
            match c {
                '"' => quoted = !quoted,
                '>' if !quoted => break,
                '=' if !quoted => attributes.push('='),
                _ => {}
            }
        }
        tags.push(name + &attributes);
    }
    tags
}

#[test]
fn a_hostile_log_makes_the_same_elements_as_a_harmless_one() {
    let harmless = report_saying("harmless").html().unwrap();
    let hostile = report_saying(HOSTILE).html().unwrap();
    assert_eq!(tags(&harmless), tags(&hostile));
    assert!(!hostile.contains(['\x1b', '\u{9b}', '\u{202e}']));
    assert!(!hostile.contains("onerror=alert(2)>"));
}

#[test]
fn nothing_hidden_reaches_a_terminal_a_chat_or_a_reader_of_json() {
    let report = report_saying(HOSTILE);
    for text in [
        report.terminal(Style::PLAIN),
        report.terminal(plain(80)),
        report.markdown(),
        report.json(),
    ] {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
        assert!(!text.contains('\u{202e}'));
    }
    let value: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(value["bots"][0]["http_user_agent"], HOSTILE);
    let tables = report.markdown();
    assert!(!tables.contains("<script") && !tables.contains("<img"));
    let columns = |line: &str| {
        line.replace("\\\\", "")
            .replace("\\|", "")
            .matches('|')
            .count()
    };
    let of = |heading: &str| {
        let mut lines = tables.lines().skip_while(|line| !line.starts_with(heading));
        let expected = columns(lines.next().unwrap());
        assert!(
            lines
                .take_while(|line| line.starts_with('|'))
                .all(|line| columns(line) == expected),
            "{tables}"
        );
    };
    ["| bot", "| week", "| when"].into_iter().for_each(of);
}

/// What a reader of GitHub's Markdown makes of a text: the beginnings of its elements, and the texts of its cells.
fn rendered(markdown: &str) -> (Vec<String>, Vec<String>) {
    let (mut elements, mut cells) = (Vec::new(), Vec::new());
    let mut cell: Option<String> = None;
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(Tag::TableCell) => cell = Some(String::new()),
            Event::End(TagEnd::TableCell) => cells.extend(cell.take()),
            Event::Start(tag) => elements.push(format!("{tag:?}")),
            Event::Text(text) => cell.iter_mut().for_each(|cell| cell.push_str(&text)),
            Event::End(_) => {}
            // Code, HTML, rules, tasks, footnotes and line ends: nothing of these is ours.
            other => elements.push(format!("{other:?}")),
        }
    }
    (elements, cells)
}

#[test]
fn markdown_is_headings_tables_and_lists_of_plain_text() {
    let (elements, cells) = rendered(&report().markdown());
    let tables = elements.iter().filter(|tag| tag.starts_with("Table("));
    assert!(tables.count() >= 7, "{elements:#?}");
    let links = elements.iter().find(|tag| tag.starts_with("Link"));
    assert_eq!(links, None);
    let agent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    assert!(cells.iter().any(|cell| cell == agent), "{cells:#?}");
}

#[test]
fn a_hostile_log_makes_the_same_markdown_as_a_harmless_one() {
    let (hostile, cells) = rendered(&report_saying(HOSTILE).markdown());
    let (harmless, as_many) = rendered(&report_saying("harmless").markdown());
    assert_eq!(hostile, harmless);
    assert_eq!(cells.len(), as_many.len());
    let shown = floodmark_report::escape_control(HOSTILE);
    assert!(cells.iter().any(|cell| *cell == shown), "{cells:#?}");
}

#[test]
fn the_policy_allows_the_style_and_the_script_alone() {
    let html = report().html().unwrap();
    assert!(html.starts_with("<!DOCTYPE html>"));
    assert!(html.contains("default-src 'none'; style-src 'sha256-"));
    assert!(html.contains("'; script-src 'sha256-"));
    for absent in [
        "<script ",
        " style=",
        " onclick",
        "http://www.w3.org",
        "url(http",
        "<iframe",
        "href=\"http",
    ] {
        assert!(!html.contains(absent), "{absent}");
    }
    assert_eq!(html.matches("<style>").count(), 1);
    assert_eq!(html.matches("<script>").count(), 1);
    assert!(html.len() < 300_000, "{} bytes", html.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_keeps_the_page_and_the_width(text in "\\PC+|[<>&\"'|`*\\[\\]\\\\=\\x00-\\x1f\u{80}-\u{9f}\u{202a}-\u{202e}漢a ]{1,60}", width in 44_usize..200) {
        let report = report_saying(&text);
        prop_assert_eq!(tags(&report.html().unwrap()).len(), tags(&report_saying("x").html().unwrap()).len());
        let (elements, cells) = rendered(&report.markdown());
        let (harmless, as_many) = rendered(&report_saying("x").markdown());
        prop_assert_eq!((elements, cells.len()), (harmless, as_many.len()));
        for line in report.terminal(plain(width)).lines() {
            prop_assert!(line.width() <= width, "{} columns in {}: {}", line.width(), width, line);
        }
        prop_assert!(serde_json::from_str::<serde_json::Value>(&report.json()).is_ok());
    }
}
