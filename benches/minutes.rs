//! Five years of one site, and the weeks of it by minutes alone.
//!
//! The log is made month by month and read into a lake as any log is, seeded: each minute a probe and 1 to 3 people, in three of four a crawler, in one of
//! four a scanner, so that a minute has three rows; one request in 2,000 bad, an outage of 20 minutes a month. With a folder as its argument (`cargo bench --workspace --bench minutes -- FOLDER`) the lake
//! stays there, for `floodmark --lake FOLDER query weekly --since 2021-01-01 --until 2026-01-01`.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench takes the time and prints its figures"
)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use arrow::temporal_conversions::timestamp_ms_to_datetime;
use cpu_time::ProcessTime;
use floodmark_format::CompiledFormat;
use floodmark_ingest::{Intake, LineSchema, LogSettings, Secrets, TextAs, Trust};
use floodmark_query::{Engine, EngineOptions, Settings};
use floodmark_source::{BlockOptions, DiscoverOptions, Feed, discover, plan};
use floodmark_store::{Lake, LoadOptions};

const FORMAT: &str = r#"$remote_addr [$time_local] "$request" $status $body_bytes_sent "$http_user_agent" $request_time"#;

/// 2021-01-01 and 2026-01-01, in minutes since the epoch.
const YEARS: std::ops::Range<u64> = 26_824_320..29_453_760;
/// Minutes read at once, as by an ingest.
const PART_MINUTES: usize = 30 * 24 * 60;
const OUTAGE_MINUTES: u64 = 20;
/// The last number of a client that looks for what should not be there.
const SCANNER: u64 = 251;
const ROUNDS: usize = 7;
const THREADS: usize = 2;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = std::env::args()
        .nth(1)
        .filter(|argument| !argument.starts_with('-'));
    let lake = kept.map_or_else(|| folder.path().join("lake"), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        make(folder.path(), &lake).await;
        let (mut wall_s, mut cpu_s) = (f64::INFINITY, f64::INFINITY);
        let mut weeks = 0;
        for _ in 0..ROUNDS {
            let (wall, cpu) = (Instant::now(), ProcessTime::now());
            weeks = ask(&lake).await;
            wall_s = wall_s.min(wall.elapsed().as_secs_f64());
            cpu_s = cpu_s.min(cpu.elapsed().as_secs_f64());
        }
        println!("minutes/weekly/5 years         {weeks} weeks   {wall_s:.3} s   {cpu_s:.3} CPU s");
    });
}

/// The log of all years, a part at a time, into a new lake.
async fn make(folder: &Path, place: &Path) {
    let mut lake = Lake::open_or_create(place).await.expect("a new lake");
    let minutes: Vec<u64> = YEARS.collect();
    for (part, minutes) in minutes.chunks(PART_MINUTES).enumerate() {
        let log = folder.join(format!("part{part}.log"));
        std::fs::write(
            &log,
            minutes
                .iter()
                .map(|minute| lines(*minute))
                .collect::<String>(),
        )
        .expect("a log");
        load(&mut lake, &log).await;
        std::fs::remove_file(&log).expect("the log");
    }
}

/// The lines of a minute.
fn lines(minute: u64) -> String {
    // SplitMix64 (Steele, Lea, Flood, 2014), seeded by the minute.
    let mut state = minute;
    let mut below = |bound: u64| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    };
    let is_down = minute % (PART_MINUTES as u64) < OUTAGE_MINUTES;
    let time = i64::try_from(minute * 60_000)
        .ok()
        .and_then(timestamp_ms_to_datetime);
    let time = time
        .expect("a time of these years")
        .format("%d/%b/%Y:%H:%M");
    let mut text = String::new();
    let mut line = |client: u64, agent: &str, second: u64, is_bad: bool, took_ms: u64| {
        let (path, status) = match (client, is_bad) {
            (_, true) => ("/page", 502),
            (SCANNER, false) => ("/.env", 404),
            (_, false) => ("/page", 200),
        };
        writeln!(
            text,
            r#"192.0.2.{client} [{time}:{second:02} +0000] "GET {path} HTTP/1.1" {status} 5120 "{agent}" {}.{:03}"#,
            took_ms / 1000,
            took_ms % 1000,
        )
        .expect("text takes what is written");
    };
    line(9, "ELB-HealthChecker/2.0", 5, is_down, 1);
    for _ in 0..=below(3) {
        let (client, second, is_bad) = (below(250), below(60), is_down || below(2_000) == 0);
        line(
            client,
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)",
            second,
            is_bad,
            below(900),
        );
    }
    if below(4) == 0 {
        line(SCANNER, "curl/8.5.0", 40, is_down, below(900));
    }
    if below(4) > 0 {
        line(
            250,
            "Googlebot/2.1 (+http://www.google.com/bot.html)",
            30,
            is_down,
            below(900),
        );
    }
    text
}

async fn load(lake: &mut Lake, log: &Path) {
    let found = discover(&[log.display().to_string()], &DiscoverOptions::default());
    let files = found.expect("a log").files;
    let settings = Arc::new(LogSettings {
        format: CompiledFormat::compile(FORMAT).expect("a format"),
        further: Vec::new(),
        server_port: 443,
        server_name: None,
        trust: Trust::default(),
        secrets: Secrets::Redact,
    });
    let logs: HashMap<_, _> = files
        .iter()
        .map(|file| (file.path.clone(), Arc::clone(&settings)))
        .collect();
    let schema = LineSchema::new(settings.variables());
    let feed = Arc::new(Feed::new(plan(files, &[]), BlockOptions::default()));
    let intake = Intake::new(feed, &logs, schema, TextAs::Codes);
    let options = LoadOptions {
        threads: THREADS,
        ..LoadOptions::default()
    };
    lake.load(&intake, &options, &AtomicBool::new(false), &|_| {})
        .await
        .expect("a log that is read");
}

/// Opens the lake and asks for its weeks; gives their number.
async fn ask(place: &Path) -> usize {
    let lake = Lake::open(place).await.expect("a lake").expect("a lake");
    let options = EngineOptions {
        threads: THREADS,
        ..EngineOptions::default()
    };
    let engine = Engine::over_lake(&lake, &options).await.expect("an engine");
    let micros = |minute: u64| i64::try_from(minute * 60_000_000).expect("microseconds");
    let settings = Settings {
        since_us: micros(YEARS.start),
        until_us: micros(YEARS.end),
        target: 0.95,
        tz: chrono_tz::UTC,
        parameters: BTreeMap::new(),
    };
    let answer = engine.query("weekly", &settings).await.expect("an answer");
    answer.rows()
}
