//! Logs that lack what judgments rest on, or that are all the same: each query answers, and says no more than such a log shows.

use std::fmt::Write as _;

use floodmark_query::{Answer, Engine, Error, Settings, named_queries};

use crate::logs::{TIMED, counts, engine, texts, window};

const COMMON: &str =
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#;
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;
/// Queries whose rows name places in files, or of equal ones take those that stand first: these move with the lines.
const WITH_PLACES: &[&str] = &[
    "bot_evidence",
    "flood",
    "largest",
    "rejects",
    "slowest",
    "sources",
    "spike_causes",
];

/// Two days, from Monday 2026-11-09 on, in which four people look at a page each ten minutes.
struct Lines {
    format: &'static str,
    client: fn(u32) -> String,
    status: u16,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            format: TIMED,
            client: |person| format!("192.0.2.{person}"),
            status: 200,
        }
    }
}

impl Lines {
    fn text(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for visit in 0..2 * 24 * 6 {
            let (day, hour, minute) = (9 + visit / 144, visit / 6 % 24, visit % 6 * 10);
            for person in 1..5 {
                // Nobody comes like a clock.
                let minute = minute + (visit * 7 + person * 3) % 10;
                for (path, status) in [("/shop", self.status), ("/site.css", self.status)] {
                    let mut line = format!(
                        "{} - - [{day:02}/Nov/2026:{hour:02}:{minute:02}:{:02} +0000] \"GET {path} HTTP/1.1\" {status} 100",
                        (self.client)(person),
                        person * 11
                    );
                    let agent = "\"https://www.example.org/\" \"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\"";
                    if self.format != COMMON {
                        write!(line, " {agent}").unwrap();
                    }
                    if self.format == TIMED {
                        write!(line, " 0.010 \"{status}\"").unwrap();
                    }
                    lines.push(line);
                }
            }
        }
        lines
    }
}

/// The answers of all queries over the two days. None of them may refuse, but for a variable that is not logged.
async fn answers(format: &str, lines: &[String]) -> Vec<(String, Answer)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let engine: Engine = engine(&file, format).await;
    let settings: Settings = window("2026-11-09T00:00:00Z", "2026-11-11T00:00:00Z");
    let mut answers = Vec::new();
    for query in named_queries() {
        match engine.query(&query.name, &settings).await {
            Err(Error::NotLogged { .. }) => {}
            answer => answers.push((query.name.clone(), answer.unwrap())),
        }
    }
    answers
}

fn of<'a>(answers: &'a [(String, Answer)], query: &str) -> &'a Answer {
    let found = answers.iter().find(|(name, _)| name == query);
    &found.unwrap().1
}

#[track_caller]
fn check(answers: &[(String, Answer)], verdict: &str, class: &str) {
    let found = texts(of(answers, "uptime"), "verdict");
    assert_eq!(found, [Some(verdict.to_owned())]);
    let found = texts(of(answers, "classes"), "class");
    assert_eq!(found, [Some(class.to_owned())]);
}

#[tokio::test]
async fn all_served_passes() {
    let lines = Lines::default();
    check(&answers(TIMED, &lines.text()).await, "PASS", "human");
}

#[tokio::test]
async fn all_failed_fails() {
    let lines = Lines {
        status: 500,
        ..Lines::default()
    };
    let answers = answers(TIMED, &lines.text()).await;
    check(&answers, "FAIL", "human");
    assert_eq!(counts(of(&answers, "uptime"), "up"), [0]);
}

#[tokio::test]
async fn without_agents_nobody_is_a_robot_for_sending_none() {
    let lines = Lines {
        format: COMMON,
        ..Lines::default()
    };
    check(&answers(COMMON, &lines.text()).await, "PASS", "human");
}

#[tokio::test]
async fn without_request_time_and_upstream_there_are_verdicts() {
    let lines = Lines {
        format: COMBINED,
        ..Lines::default()
    };
    check(&answers(COMBINED, &lines.text()).await, "PASS", "human");
}

#[tokio::test]
async fn behind_one_address_people_are_people_and_errors_are_no_single_clients() {
    let lines = Lines {
        client: |_| "10.0.0.10".to_owned(),
        ..Lines::default()
    };
    let mut text = lines.text();
    // Whoever scans comes from there, too.
    text.push(
        text[400]
            .replace("/shop", "/.env")
            .replace("\" 200", "\" 404"),
    );
    for line in &mut text[600..760] {
        *line = line.replace("\" 200", "\" 502");
    }
    let answers = answers(TIMED, &text).await;
    assert_eq!(
        texts(of(&answers, "classes"), "class"),
        [Some("human".to_owned())]
    );
    let single = texts(of(&answers, "error_spikes"), "single_client");
    assert_eq!(single, [Some("false".to_owned())]);
}

#[tokio::test]
async fn one_line_proves_nothing() {
    let answers = answers(TIMED, &Lines::default().text()[..1]).await;
    check(&answers, "UNDETERMINED", "human");
}

#[tokio::test]
async fn a_hole_of_a_day_is_not_down() {
    let text = Lines::default().text();
    let lines = [&text[..200], &text[text.len() - 200..]].concat();
    let answers = answers(TIMED, &lines).await;
    assert_eq!(counts(of(&answers, "uptime"), "down"), [0]);
    assert!(of(&answers, "incidents").rows() == 0);
}

#[tokio::test]
async fn time_may_go_backwards() {
    let mut text = Lines::default().text();
    let forwards = answers(TIMED, &text).await;
    text.reverse();
    let backwards = answers(TIMED, &text).await;
    for ((query, one), (_, other)) in forwards.iter().zip(&backwards) {
        if !WITH_PLACES.contains(&query.as_str()) {
            let shown = |answer: &Answer| format!("{:?}", answer.batches);
            assert_eq!(shown(one), shown(other), "query `{query}`");
        }
    }
}
