//! Simulated logs against their truth: weeks, incidents and bots must come out as they were.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use floodmark_query::Engine;
use floodmark_simulate::{Options, simulate};
use serde_json::Value;

use crate::command::{Place, end};
use crate::logs::{TIMED, counts, engine, micros, texts, times, window};
use crate::report::is_as_published;

/// How far the start and the end of an incident may be off.
const OFF_MAX_US: i64 = 2 * 60_000_000;
const BOTS_PRECISION_MIN: f64 = 0.95;
const BOTS_RECALL_MIN: f64 = 0.9;

/// What came out for one run of the simulator.
#[derive(Debug, Default)]
struct Evaluation {
    /// What is not as it was, a line each.
    wrong: Vec<String>,
    /// Of the lines called a bot's, the share that are.
    precision: f64,
    /// Of the lines that are a bot's, the share called so.
    recall: f64,
    /// Lines of people, by the class they were taken for.
    people_as: HashMap<String, u64>,
    /// Lines of bots taken for people, by their class.
    missed: HashMap<String, u64>,
}

async fn evaluate(folder: &Path) -> Evaluation {
    let truth: Value =
        serde_json::from_reader(File::open(folder.join("truth.json")).unwrap()).unwrap();
    let engine = engine(folder, TIMED).await;
    let mut found = Evaluation::default();
    compare_weeks(&engine, &truth, &mut found).await;
    compare_incidents(&engine, &truth, &mut found).await;
    compare_bots(&engine, folder, &mut found).await;
    found
}

/// The five weeks of a simulation.
const SINCE: &str = "2026-10-12T00:00:00Z";
const UNTIL: &str = "2026-11-16T00:00:00Z";

async fn compare_weeks(engine: &Engine, truth: &Value, found: &mut Evaluation) {
    let answer = engine.query("uptime", &window(SINCE, UNTIL)).await.unwrap();
    let ours: Vec<_> = texts(&answer, "week")
        .into_iter()
        .zip(texts(&answer, "verdict"))
        .collect();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let theirs: Vec<_> = truth["weeks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|week| (text(&week["week"]), text(&week["verdict"])))
        .collect();
    if ours != theirs {
        found
            .wrong
            .push(format!("weeks: expected {theirs:?}, found {ours:?}"));
    }
}

#[derive(Debug, Clone)]
struct Span {
    start_us: i64,
    end_us: i64,
    kind: String,
}

impl Span {
    fn overlaps(&self, other: &Self) -> bool {
        self.start_us < other.end_us && other.start_us < self.end_us
    }

    fn near(&self, other: &Self) -> bool {
        self.start_us.abs_diff(other.start_us) <= OFF_MAX_US.unsigned_abs()
            && self.end_us.abs_diff(other.end_us) <= OFF_MAX_US.unsigned_abs()
    }
}

async fn compare_incidents(engine: &Engine, truth: &Value, found: &mut Evaluation) {
    let answer = engine
        .query("incidents", &window(SINCE, UNTIL))
        .await
        .unwrap();
    let rows = times(&answer, "start")
        .into_iter()
        .zip(times(&answer, "end"))
        .zip(texts(&answer, "kind"));
    let ours: Vec<Span> = rows
        .map(|((start_us, end_us), kind)| Span {
            start_us,
            end_us,
            kind: kind.unwrap(),
        })
        .collect();
    let theirs: Vec<Span> = truth["incidents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|incident| Span {
            start_us: micros(incident["start"].as_str().unwrap()),
            end_us: micros(incident["end"].as_str().unwrap()),
            kind: incident["kind"].as_str().unwrap().to_owned(),
        })
        .collect();
    for truth in &theirs {
        let meeting: Vec<&Span> = ours.iter().filter(|span| span.overlaps(truth)).collect();
        // When a broken path was degraded is seen only when someone asks for it.
        let as_it_was = match truth.kind.as_str() {
            "outage" => meeting
                .iter()
                .any(|span| span.kind == "outage" && span.near(truth)),
            _ => !meeting.is_empty(),
        };
        if !as_it_was {
            found.wrong.push(format!(
                "{}: found {:?}",
                shown(truth),
                meeting.iter().map(|span| shown(span)).collect::<Vec<_>>()
            ));
        }
    }
    for span in ours
        .iter()
        .filter(|span| !theirs.iter().any(|truth| truth.overlaps(span)))
    {
        found
            .wrong
            .push(format!("no such incident: {}", shown(span)));
    }
}

fn shown(span: &Span) -> String {
    let time = |micros| {
        chrono::DateTime::from_timestamp_micros(micros)
            .unwrap()
            .format("%d.%m. %H:%M:%S")
    };
    format!(
        "{} {} to {}",
        span.kind,
        time(span.start_us),
        time(span.end_us)
    )
}

async fn compare_bots(engine: &Engine, folder: &Path, found: &mut Evaluation) {
    let answer = engine.query("bots", &window(SINCE, UNTIL)).await.unwrap();
    let rows = texts(&answer, "client")
        .into_iter()
        .zip(texts(&answer, "http_user_agent"))
        .zip(texts(&answer, "class"));
    let called: HashMap<(String, String), String> = rows
        .map(|((client, agent), class)| {
            (
                (client.unwrap(), agent.unwrap_or_else(|| "-".to_owned())),
                class.unwrap(),
            )
        })
        .collect();
    let mut seen = HashSet::new();
    let (mut both, mut ours, mut theirs) = (0u64, 0u64, 0u64);
    for [_, _, class, client, agent] in truth_rows(folder) {
        let key = (client, agent);
        let judged = called.get(&key).map_or("human", String::as_str);
        let (is, says) = (is_bot(&class), is_bot(judged));
        theirs += u64::from(is);
        ours += u64::from(says);
        both += u64::from(is && says);
        if class == "human" && judged != "human" {
            *found.people_as.entry(judged.to_owned()).or_default() += 1;
        }
        if is && !says {
            *found.missed.entry(class).or_default() += 1;
        }
        seen.insert(key);
    }
    for (key, class) in called.iter().filter(|(key, _)| !seen.contains(*key)) {
        found.wrong.push(format!(
            "{key:?}, called {class}, is in no line of the truth"
        ));
    }
    let lines: i64 = counts(&answer, "requests").iter().sum();
    assert!(lines > 0);
    let share = |part: u64, whole: u64| {
        if whole == 0 {
            1.0
        } else {
            part as f64 / whole as f64
        }
    };
    (found.precision, found.recall) = (share(both, ours), share(both, theirs));
    if found.precision < BOTS_PRECISION_MIN || found.recall < BOTS_RECALL_MIN {
        found.wrong.push(format!(
            "bots: precision {:.3}, recall {:.3}",
            found.precision, found.recall
        ));
    }
}

fn is_bot(class: &str) -> bool {
    !matches!(class, "human" | "probe" | "package_client")
}

/// The rows of truth.csv.gz: file, line, class, client, agent.
fn truth_rows(folder: &Path) -> Vec<[String; 5]> {
    let mut text = String::new();
    MultiGzDecoder::new(File::open(folder.join("truth.csv.gz")).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    text.lines().skip(1).map(fields).collect()
}

fn fields(line: &str) -> [String; 5] {
    let mut parts = line.splitn(5, ',');
    let fields = std::array::from_fn(|_| parts.next().unwrap().to_owned());
    let [file, row, class, client, agent] = fields;
    let quoted = agent
        .strip_prefix('"')
        .and_then(|agent| agent.strip_suffix('"'));
    let agent = quoted.map_or_else(|| agent.clone(), |agent| agent.replace("\"\"", "\""));
    [file, row, class, client, agent]
}

#[track_caller]
fn check(seed: u64, found: &Evaluation) {
    assert!(found.wrong.is_empty(), "seed {seed}: {:#?}", found);
}

async fn simulated(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    simulate(
        &Options {
            seed,
            ..Options::default()
        },
        folder.path(),
    )
    .unwrap();
    check(seed, &evaluate(folder.path()).await);
}

#[tokio::test]
async fn sample_logs_come_out_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-logs");
    check(1, &evaluate(&folder).await);
}

#[tokio::test]
async fn seed_2_comes_out_as_it_was() {
    simulated(2).await;
}

#[tokio::test]
async fn seed_3_comes_out_as_it_was() {
    simulated(3).await;
}

#[tokio::test]
async fn seed_4_comes_out_as_it_was() {
    simulated(4).await;
}

const MINUTE_US: i64 = 60_000_000;

/// Start and end of an object of the truth, or of the report.
fn span(object: &Value) -> (i64, i64) {
    let time = |name: &str| micros(object[name].as_str().unwrap());
    (time("start"), time("end"))
}

/// What is told by requests is told from the first that failed to the last: by nothing earlier or later, and by most of the truth.
#[track_caller]
fn within(ours: (i64, i64), theirs: (i64, i64)) {
    let inside = theirs.0 - MINUTE_US < ours.0 && ours.1 < theirs.1 + MINUTE_US;
    let most = (ours.1 - ours.0) * 10 >= (theirs.1 - theirs.0) * 8;
    assert!(inside && most, "{ours:?} of {theirs:?}");
}

#[test]
fn the_sample_report_says_what_truly_happened() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-logs");
    let logs = folder.to_str().unwrap();
    let json = place
        .floodmark(&["report", "-q", logs, "--json", "-"])
        .done();
    is_as_published(&place, &json);
    let report: Value = serde_json::from_str(&json).unwrap();
    let truth: Value =
        serde_json::from_reader(File::open(folder.join("truth.json")).unwrap()).unwrap();
    let pairs = |name: &str| {
        let list = |of: &Value| of[name].as_array().unwrap().clone();
        let (ours, theirs) = (list(&report), list(&truth));
        assert_eq!(ours.len(), theirs.len(), "{name}: {ours:#?}");
        ours.into_iter().zip(theirs)
    };
    for (ours, theirs) in pairs("weeks") {
        for name in ["week", "verdict", "coverage"] {
            assert_eq!(ours[name], theirs[name]);
        }
    }
    for (ours, theirs) in pairs("incidents") {
        assert_eq!(ours["kind"], theirs["kind"]);
        let (ours_at, theirs_at) = (span(&ours), span(&theirs));
        if ours["kind"] == "outage" {
            let off = |one: i64, other: i64| one.abs_diff(other);
            let off = off(ours_at.0, theirs_at.0).max(off(ours_at.1, theirs_at.1));
            assert!(off < MINUTE_US.unsigned_abs(), "{ours} {theirs}");
        } else {
            within(ours_at, theirs_at);
        }
    }
    for (ours, theirs) in pairs("spikes") {
        for name in ["server_name", "path", "single_client"] {
            assert_eq!(ours[name], theirs[name]);
        }
        within(span(&ours), span(&theirs));
    }
    assert_eq!(flood(&report), true_flood(&folder));
}

/// Requests, first and last of the flood that the report tells.
fn flood(report: &Value) -> (u64, i64, i64) {
    let bots = report["bots"].as_array().unwrap().iter();
    let bots = bots.filter(|bot| bot["class"] == "flood");
    let time = |bot: &Value, name: &str| micros(bot[name].as_str().unwrap());
    bots.fold((0, i64::MAX, i64::MIN), |(requests, first, last), bot| {
        (
            requests + bot["requests"].as_u64().unwrap(),
            first.min(time(bot, "first")),
            last.max(time(bot, "last")),
        )
    })
}

/// The same by the lines that are of it.
fn true_flood(folder: &Path) -> (u64, i64, i64) {
    let mut logs: HashMap<String, Vec<String>> = HashMap::new();
    let mut flood = (0, i64::MAX, i64::MIN);
    for [file, row, class, ..] in truth_rows(folder) {
        if class != "flood" {
            continue;
        }
        let log = logs.entry(file).or_insert_with_key(|file| {
            let mut text = String::new();
            let log = File::open(folder.join(file)).unwrap();
            MultiGzDecoder::new(log).read_to_string(&mut text).unwrap();
            text.lines().map(str::to_owned).collect()
        });
        let line = &log[row.parse::<usize>().unwrap() - 1];
        let (_, from_time) = line.split_once('[').unwrap();
        let (time, _) = from_time.split_once(']').unwrap();
        let time = chrono::DateTime::parse_from_str(time, "%d/%b/%Y:%H:%M:%S %z").unwrap();
        let time = time.timestamp_micros();
        flood = (flood.0 + 1, flood.1.min(time), flood.2.max(time));
    }
    flood
}

/// What the evaluation wrote is what it shows, and is not simulated again.
#[test]
fn an_evaluation_goes_on_where_it_was_interrupted() {
    let place = Place::new();
    let run = |floodmark: &str| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/evaluation/run");
        let world = "quiet, no monitor";
        let mut python = place.program("python3");
        let python = python.args([script, "1", "1", world, "--raw", "counts.jsonl"]);
        end(python.env("FLOODMARK", floodmark).spawn().unwrap())
    };
    let shown = run(env!("CARGO_BIN_EXE_floodmark")).done();
    assert!(
        shown.contains("\n| quiet, no monitor | 1 | 5 / 0 / 0 | "),
        "{shown}"
    );
    assert_eq!(run("/nonexistent").done(), shown);
}
