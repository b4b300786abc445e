//! Lines counted by minute, against a count of their rows one by one.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use floodmark_format::CompiledFormat;
use floodmark_ingest::{
    Intake, LineSchema, LogSettings, MinuteCounts, Scratch, Secrets, TextAs, Trust,
};
use floodmark_source::{BlockOptions, DiscoverOptions, Feed, discover, plan};
use floodmark_traffic::histogram::Histogram;
use floodmark_traffic::hyper_log_log::{HyperLogLog, hash};
use floodmark_traffic::outcome::{Outcome, Upstream, outcome};
use proptest::prelude::*;

const FULL: &str = r#"$remote_addr [$time_local] "$request" $status $body_bytes_sent "$http_user_agent" $request_time "$upstream_status" $server_name $server_port"#;
const SHORT: &str =
    r#"$remote_addr - - [$time_local] "$request" $status $bytes_sent "$http_user_agent""#;

/// A log of lines that differ in all that is counted.
fn line(seed: u64) -> String {
    let part = |shift: u32, of: u64| (seed >> shift) % of;
    let pick = |shift: u32, of: &[&'static str]| {
        of[usize::try_from(part(shift, of.len() as u64)).unwrap()]
    };
    let client = format!("192.0.2.{}", part(0, 90));
    let second = part(7, 180);
    let time = format!(
        "09/Nov/2026:23:{:02}:{:02} +0000",
        58 + second / 60 % 2,
        second % 60
    );
    let time = if second >= 120 {
        time.replace("09/Nov/2026:23", "10/Nov/2026:00")
            .replace(":58:", ":00:")
    } else {
        time
    };
    let request = pick(
        15,
        &[
            "GET / HTTP/1.1",
            "GET /.env HTTP/1.1",
            "POST /a?b=c HTTP/2.0",
            r"\x16\x03\x01",
        ],
    );
    let status = pick(
        18,
        &[
            "200", "200", "304", "404", "429", "444", "499", "500", "503", "000", "101",
        ],
    );
    let agent = pick(
        22,
        &[
            "Mozilla/5.0",
            "curl/8.5.0",
            "ELB-HealthChecker/2.0",
            "Pingdom.com_bot_version_1.4",
            "-",
            r"caf\xC3\xA9",
        ],
    );
    let seconds = pick(
        26,
        &[
            "0.000", "0.001", "0.250", "12.500", "10.000", "-", "600.123",
        ],
    );
    let upstream = pick(30, &["-", "200", "503", "502, 200", "502, -"]);
    let bytes = part(34, 100_000);
    match part(40, 12) {
        0 => "no line of a log".to_owned(),
        1 => String::new(),
        2 | 3 => format!(r#"{client} - - [{time}] "{request}" {status} {bytes} "{agent}""#),
        _ => {
            let name = pick(44, &["www.example.org", "-", "api.example.org"]);
            let port = pick(48, &["443", "8443"]);
            format!(
                r#"{client} [{time}] "{request}" {status} {bytes} "{agent}" {seconds} "{upstream}" {name} {port}"#
            )
        }
    }
}

/// The batches of a log, as an intake with so many threads' worth of scratches gives them.
fn read(log: &Path, text_as: TextAs, threads: usize) -> (Vec<RecordBatch>, MinuteCounts) {
    let found = discover(
        &[log.to_str().unwrap().to_owned()],
        &DiscoverOptions::default(),
    )
    .unwrap();
    let compile = |text| CompiledFormat::compile(text).unwrap();
    let settings = Arc::new(LogSettings {
        format: compile(FULL),
        further: vec![compile(SHORT)],
        server_port: 443,
        server_name: None,
        trust: Trust::default(),
        secrets: Secrets::Redact,
    });
    let logs: HashMap<_, _> = found
        .files
        .iter()
        .map(|file| (file.path.clone(), Arc::clone(&settings)))
        .collect();
    let options = BlockOptions {
        block_bytes: 4_000,
        line_bytes_max: 1_000,
        ..BlockOptions::default()
    };
    let feed = Arc::new(Feed::new(plan(found.files, &[]), options));
    let schema = LineSchema::new(settings.variables());
    let intake = Intake::new(feed, &logs, schema, text_as);
    let mut workers: Vec<(Scratch, MinuteCounts)> =
        (0..threads).map(|_| Default::default()).collect();
    let mut batches = Vec::new();
    for index in 0.. {
        let (scratch, counts) = &mut workers[index % threads];
        let Some(batch) = intake.next(scratch).unwrap() else {
            break;
        };
        counts.add(&batch, scratch);
        // As a worker does whose dictionaries are full.
        if index % 5 == 4 {
            scratch.clear();
        }
        batches.push(batch.rows);
    }
    let mut counts = MinuteCounts::default();
    workers
        .into_iter()
        .rev()
        .for_each(|(_, counted)| counts.merge(counted));
    (batches, counts)
}

/// What one row is to hold, counted the plain way.
#[derive(Default)]
struct Expected {
    counts: BTreeMap<&'static str, u64>,
    times: Vec<u64>,
    clients: BTreeSet<String>,
    bad_clients: BTreeSet<String>,
    probes: BTreeMap<(Option<String>, Option<String>), Vec<i64>>,
}

/// Minute, log set, server name, port, layer and bot.
type Key = (i64, String, Option<String>, i32, String, String);

fn expected(batches: &[RecordBatch]) -> BTreeMap<Key, Expected> {
    let mut all: BTreeMap<Key, Expected> = BTreeMap::new();
    for batch in batches {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let text = |name: &str, row: usize| {
            let texts = column(name).as_string_view();
            texts.is_valid(row).then(|| texts.value(row).to_owned())
        };
        let number = |name: &str, row: usize| {
            let numbers = column(name).as_primitive::<Int64Type>();
            numbers.is_valid(row).then(|| numbers.value(row))
        };
        for row in 0..batch.num_rows() {
            if text("kind", row).unwrap() != "request" {
                continue;
            }
            let time = column("time")
                .as_primitive::<TimestampMicrosecondType>()
                .value(row);
            let port = column("server_port").as_primitive::<Int32Type>().value(row);
            let bot = text("bot", row).unwrap();
            let key = (
                time.div_euclid(60_000_000),
                "access.log".to_owned(),
                text("server_name", row),
                port,
                text("layer", row).unwrap(),
                bot.clone(),
            );
            let status = column("status").as_primitive::<Int16Type>();
            let status = status.is_valid(row).then(|| status.value(row));
            let seconds = column("request_time").as_primitive::<Float64Type>();
            let seconds = seconds.is_valid(row).then(|| seconds.value(row));
            let upstream = text("upstream_status", row);
            let outcome = outcome(status, seconds, Upstream::last_of(upstream.as_deref()));
            let bytes = number("body_bytes_sent", row).or(number("bytes_sent", row));
            let expected = all.entry(key).or_default();
            let mut count = |name, by| *expected.counts.entry(name).or_default() += by;
            count("total", 1);
            count(outcome.as_str(), 1);
            count(
                match status.map(|status| status / 100) {
                    Some(1) => "status_1xx",
                    Some(2) => "status_2xx",
                    Some(3) => "status_3xx",
                    Some(4) => "status_4xx",
                    Some(5) => "status_5xx",
                    _ => "status_none",
                },
                1,
            );
            match status {
                Some(429) => count("status_429", 1),
                Some(444) => count("status_444", 1),
                Some(499) => count("status_499", 1),
                _ => {}
            }
            count("bytes", bytes.unwrap_or_default().unsigned_abs());
            if let Some(seconds) = seconds {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a few minutes"
                )]
                expected.times.push((seconds * 1e6).round() as u64);
            }
            let client = text("client", row).unwrap();
            if outcome == Outcome::Bad {
                expected.bad_clients.insert(client.clone());
            }
            if bot == "probe" {
                let probe = (Some(client.clone()), text("http_user_agent", row));
                expected
                    .probes
                    .entry(probe)
                    .or_default()
                    .push(time.div_euclid(1_000_000));
            }
            expected.clients.insert(client);
        }
    }
    all
}

/// A row as text, a column a piece.
fn told(key: &Key, row: &Expected) -> Vec<String> {
    let optional = |text: Option<String>| text.unwrap_or_else(|| "∅".to_owned());
    let clients = |clients: &BTreeSet<String>| {
        let mut sketch = HyperLogLog::default();
        clients
            .iter()
            .for_each(|client| sketch.insert(hash(client.as_bytes())));
        match clients.is_empty() {
            true => "∅".to_owned(),
            false => hex(&sketch.encode()),
        }
    };
    let mut times = Histogram::default();
    row.times.iter().for_each(|time| times.insert(*time));
    let has_times = !row.times.is_empty();
    let mut told = vec![
        (key.0 * 60_000_000).to_string(),
        key.1.clone(),
        optional(key.2.clone()),
        key.3.to_string(),
        key.4.clone(),
        key.5.clone(),
    ];
    let names = [
        "total",
        "good",
        "bad",
        "shed",
        "neutral",
        "status_1xx",
        "status_2xx",
        "status_3xx",
        "status_4xx",
        "status_5xx",
        "status_none",
        "status_429",
        "status_444",
        "status_499",
        "bytes",
    ];
    told.extend(names.map(|name| {
        row.counts
            .get(name)
            .copied()
            .unwrap_or_default()
            .to_string()
    }));
    told.extend([
        optional(has_times.then(|| row.times.iter().sum::<u64>().to_string())),
        optional(row.times.iter().max().map(u64::to_string)),
        optional(has_times.then(|| hex(&times.encode()))),
        clients(&row.clients),
        clients(&row.bad_clients),
    ]);
    let probes = row.probes.iter().map(|((client, agent), seen)| {
        let (first, last) = (seen.iter().min().unwrap(), seen.iter().max().unwrap());
        format!("{client:?} {agent:?} {} {first} {last}", seen.len())
    });
    told.push(probes.collect::<Vec<_>>().join("; "));
    told
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The rows of `minutes` in the same words.
fn found(rows: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("∅");
    let cell = |column: &ArrayRef, row: usize| match column
        .as_primitive_opt::<TimestampMicrosecondType>()
    {
        Some(times) => times.value(row).to_string(),
        None => ArrayFormatter::try_new(column, &options)
            .unwrap()
            .value(row)
            .to_string(),
    };
    let (probes, columns) = rows.columns().split_last().unwrap();
    let one = |row: usize| {
        let mut told: Vec<String> = columns.iter().map(|column| cell(column, row)).collect();
        let probes = probes.as_list::<i32>().value(row);
        let probes = probes.as_struct();
        let text = |at: usize, probe: usize| {
            let texts = probes.column(at).as_string_view();
            texts.is_valid(probe).then(|| texts.value(probe).to_owned())
        };
        let second = |at: usize, probe: usize| {
            probes
                .column(at)
                .as_primitive::<TimestampMicrosecondType>()
                .value(probe)
                / 1_000_000
        };
        let probe = |probe: usize| {
            let count = probes.column(2).as_primitive::<Int64Type>().value(probe);
            format!(
                "{:?} {:?} {count} {} {}",
                text(0, probe),
                text(1, probe),
                second(3, probe),
                second(4, probe)
            )
        };
        told.push((0..probes.len()).map(probe).collect::<Vec<_>>().join("; "));
        told
    };
    (0..rows.num_rows()).map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn rows_are_those_of_the_lines_however_they_are_read(
        seeds in prop::collection::vec(any::<u64>(), 1..600),
        threads in 1_usize..4,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("access.log");
        let lines: String = seeds.iter().map(|seed| line(*seed) + "\n").collect();
        std::fs::write(&log, lines).unwrap();
        let (batches, views) = read(&log, TextAs::Views, 1);
        let expected: Vec<Vec<String>> = expected(&batches)
            .iter()
            .map(|(key, row)| told(key, row))
            .collect();
        let rows = views.rows().unwrap();
        prop_assert_eq!(found(&rows), expected);
        let (_, codes) = read(&log, TextAs::Codes, threads);
        prop_assert_eq!(&codes.rows().unwrap(), &rows);
        // As a lake reads them again.
        let mut again = MinuteCounts::default();
        batches.iter().rev().for_each(|batch| again.add_lines(batch));
        prop_assert_eq!(&again.rows().unwrap(), &rows);
        // And as rows that were written are put together.
        let mut merged = MinuteCounts::default();
        for batch in &batches {
            let mut one = MinuteCounts::default();
            one.add_lines(batch);
            merged.add_rows(&one.rows().unwrap()).unwrap();
        }
        prop_assert_eq!(&merged.rows().unwrap(), &rows);
        prop_assert_eq!(merged.requests(), views.requests());
    }
}

#[test]
fn of_many_probes_the_same_few_are_kept_whatever_came_first() {
    let folder = tempfile::tempdir().unwrap();
    let probe = |index: usize| {
        format!(
            r#"192.0.2.{index} - - [09/Nov/2026:23:58:{:02} +0000] "GET / HTTP/1.1" 200 5 "ELB-HealthChecker/2.0""#,
            index % 60
        ) + "\n"
    };
    let counted = |order: &mut dyn Iterator<Item = usize>| {
        let log = folder.path().join("access.log");
        std::fs::write(&log, order.map(probe).collect::<String>()).unwrap();
        let rows = read(&log, TextAs::Codes, 1).1.rows().unwrap();
        assert_eq!(rows.num_rows(), 1);
        found(&rows).pop().unwrap().pop().unwrap()
    };
    let ascending = counted(&mut (0..200).chain(0..200));
    let descending = counted(&mut (0..200).rev().chain((0..200).rev()));
    assert_eq!(ascending, descending);
    assert_eq!(ascending.split("; ").count(), 64);
    assert!(ascending.split("; ").all(|probe| probe.contains(" 2 ")));
}
