//! What a run writes, read back by the plainest means.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use floodmark_simulate::{
    Class, Error, FloodFrom, IncidentKind, LoggedAddress, Options, Spike, Summary, Zone, simulate,
};

/// A line cut at its quotes, which is enough because Nginx escapes those within a field.
struct Line {
    time: DateTime<Utc>,
    client: String,
    request: String,
    status: u16,
    agent: String,
    request_time: f64,
    upstream_status: String,
}

fn split(line: &str) -> Line {
    let parts: Vec<&str> = line.split('"').collect();
    let [
        head,
        request,
        numbers,
        _referer,
        " ",
        agent,
        request_time,
        upstream_status,
        "",
    ] = parts[..]
    else {
        panic!("not of this format: {line}");
    };
    let (front, time) = head
        .trim_end_matches("] ")
        .rsplit_once(" [")
        .expect("a line of this format");
    let (status, bytes) = numbers
        .trim()
        .split_once(' ')
        .expect("a line of this format");
    bytes.parse::<u64>().expect("a line of this format");
    Line {
        time: DateTime::parse_from_str(time, "%d/%b/%Y:%H:%M:%S %z")
            .expect("a line of this format")
            .to_utc(),
        client: front
            .split(' ')
            .next()
            .expect("a line of this format")
            .to_owned(),
        request: request.to_owned(),
        status: status.parse().expect("a line of this format"),
        agent: agent.to_owned(),
        request_time: request_time.trim().parse().expect("a line of this format"),
        upstream_status: upstream_status.to_owned(),
    }
}

fn text(path: &Path) -> String {
    let bytes = fs::read(path).expect("a file");
    if path.extension().is_none_or(|extension| extension != "gz") {
        return String::from_utf8(bytes).expect("as it was written");
    }
    let mut text = String::new();
    MultiGzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .expect("as it was written");
    text
}

fn logs(summary: &Summary) -> Vec<(String, Vec<Line>)> {
    let name = |path: &PathBuf| {
        path.file_name()
            .expect("as it was written")
            .to_str()
            .expect("as it was written")
            .to_owned()
    };
    let logs = summary
        .files
        .iter()
        .filter(|path| name(path).starts_with("access.log"));
    logs.map(|path| (name(path), text(path).lines().map(split).collect()))
        .collect()
}

/// Class and row for each file and line.
fn labels(out: &Path) -> HashMap<(String, usize), (String, String, String)> {
    let table = text(&out.join("truth.csv.gz"));
    let mut rows = table.lines();
    assert_eq!(rows.next(), Some("file,line,class,client,http_user_agent"));
    let cells = rows.map(|row| {
        let [file, line, class, client, agent] = row.splitn(5, ',').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let agent = match agent.strip_prefix('"') {
            Some(quoted) => quoted
                .strip_suffix('"')
                .expect("as it was written")
                .replace("\"\"", "\\x22"),
            None => agent.to_owned(),
        };
        (
            (file.to_owned(), line.parse().expect("as it was written")),
            (class.to_owned(), client.to_owned(), agent),
        )
    });
    let mut labels = HashMap::new();
    for (place, label) in cells {
        assert!(
            labels.insert(place.clone(), label).is_none(),
            "labelled twice: {place:?}"
        );
    }
    labels
}

fn small(seed: u64) -> Options {
    Options {
        seed,
        weeks: 2,
        rate: 0.5,
        ..Options::default()
    }
}

#[test]
fn same_options_same_bytes() {
    let run = |seed| {
        let out = tempfile::tempdir().expect("a folder");
        let summary = simulate(&small(seed), out.path()).expect("a run");
        summary
            .files
            .iter()
            .map(|path| fs::read(path).expect("a file"))
            .collect::<Vec<_>>()
    };
    let first = run(3);
    assert!(first == run(3));
    assert!(first != run(4));
}

#[test]
fn every_line_has_its_label_and_counts_agree() {
    let out = tempfile::tempdir().expect("a folder");
    let summary = simulate(&small(5), out.path()).expect("a run");
    let mut labels = labels(out.path());
    let mut classes: BTreeMap<String, u64> = BTreeMap::new();
    for (file, lines) in logs(&summary) {
        for (number, line) in (1..).zip(lines) {
            let (class, client, agent) = labels.remove(&(file.clone(), number)).expect("a label");
            assert_eq!((client, agent), (line.client, line.agent));
            *classes.entry(class).or_default() += 1;
        }
    }
    assert!(labels.is_empty());
    let truth = &summary.truth;
    assert_eq!(truth.lines, classes.values().sum::<u64>());
    assert_eq!(
        truth
            .classes
            .iter()
            .map(|(class, lines)| (class.name().to_owned(), *lines))
            .collect::<BTreeMap<_, _>>(),
        classes
    );
    assert_eq!(truth.classes.len(), 8);

    let json: serde_json::Value =
        serde_json::from_str(&text(&out.path().join("truth.json"))).expect("as it was written");
    assert_eq!(json["lines"], truth.lines);
    assert_eq!(
        json["classes"]["package_client"],
        truth.classes[&Class::PackageClient]
    );
    assert_eq!(
        json["weeks"].as_array().expect("as it was written").len(),
        2
    );
    assert!(
        json["incidents"][0]["start"]
            .as_str()
            .expect("as it was written")
            .ends_with('Z')
    );
}

#[test]
fn logs_follow_each_other_nearly_in_order() {
    let out = tempfile::tempdir().expect("a folder");
    let summary = simulate(&small(6), out.path()).expect("a run");
    let mut logs = logs(&summary);
    logs.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let names: Vec<&str> = logs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["access.log.1.gz", "access.log.2.gz", "access.log"]);
    logs.swap(0, 1);
    let times: Vec<_> = logs
        .iter()
        .flat_map(|(_, lines)| lines.iter().map(|line| line.time))
        .collect();
    let backward = times.windows(2).filter(|pair| pair[1] < pair[0]);
    assert!(backward.clone().count() > 0);
    assert!(
        backward
            .clone()
            .all(|pair| (pair[0] - pair[1]).num_seconds() <= 2)
    );
    let end = small(6)
        .end
        .and_hms_opt(0, 0, 0)
        .expect("as it was written")
        .and_utc();
    assert!(
        times
            .iter()
            .all(|time| *time < end && (end - *time).num_days() < 14)
    );
}

#[test]
fn outages_are_in_the_logs() {
    let out = tempfile::tempdir().expect("a folder");
    let summary = simulate(&small(7), out.path()).expect("a run");
    let lines: Vec<Line> = logs(&summary)
        .into_iter()
        .flat_map(|(_, lines)| lines)
        .collect();
    let outages = summary
        .truth
        .incidents
        .iter()
        .filter(|incident| incident.kind == IncidentKind::Outage);
    let (mut silent, mut refused) = (0, 0);
    for outage in outages {
        let during = lines
            .iter()
            .filter(|line| line.time > outage.start && line.time < outage.end);
        let probes: Vec<&Line> = during
            .clone()
            .filter(|line| line.agent.contains("UptimeRobot"))
            .collect();
        if during.count() == 0 {
            silent += 1;
        } else {
            assert!(
                probes
                    .iter()
                    .all(|probe| probe.status == 502 && probe.upstream_status == "502")
            );
            assert!(probes.len() > 4);
            refused += 1;
        }
    }
    assert!(silent > 0 && refused > 0);
    let flooded = |line: &&Line| line.status == 503 && line.upstream_status == "-";
    assert!(lines.iter().filter(flooded).count() > 100);
    assert!(
        lines
            .iter()
            .any(|line| line.request.starts_with(r"\x16\x03\x01") && line.status == 400)
    );
    assert!(lines.iter().all(|line| line.request_time < 100.0));
}

#[test]
fn a_log_of_a_longer_run_is_not_left_beside() {
    let out = tempfile::tempdir().expect("a folder");
    fs::write(out.path().join("access.log.3.gz"), b"").expect("a file");
    let error = simulate(&small(1), out.path()).expect_err("refused");
    assert!(
        matches!(&error, Error::StaleLog { path } if path.ends_with("access.log.3.gz")),
        "{error}"
    );
}

/// The samples that tests and README use are the default run, whatever wrote them.
#[test]
fn sample_logs_are_the_default_run() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-logs");
    let out = tempfile::tempdir().expect("a folder");
    let summary = simulate(&Options::default(), out.path()).expect("a run");
    for path in &summary.files {
        let sample = samples.join(path.file_name().expect("as it was written"));
        // Uncompressed, since another version of the compressor may write other bytes.
        assert!(
            text(path) == text(&sample),
            "{} differs from a run with the default options",
            sample.display()
        );
    }
    let bytes: u64 = fs::read_dir(&samples)
        .expect("as it was written")
        .map(|entry| {
            entry
                .expect("as it was written")
                .metadata()
                .expect("as it was written")
                .len()
        })
        .sum();
    assert!(bytes <= 3_000_000, "{bytes}");

    let truth = &summary.truth;
    let failed: Vec<&str> = truth
        .weeks
        .iter()
        .filter(|week| week.uptime < truth.target)
        .map(|week| week.week.as_str())
        .collect();
    assert_eq!(failed, ["2026-W44"]);
    let readme = text(&samples.join("README.md"));
    for (class, lines) in &truth.classes {
        let row = format!("| {} | {lines} |", class.name());
        assert!(readme.contains(&row), "README.md lacks {row}");
    }
}

/// All lines of a world that differs from the small one.
fn lines_of(options: &Options) -> (Summary, Vec<Line>) {
    let out = tempfile::tempdir().expect("a folder");
    let summary = simulate(options, out.path()).expect("a run");
    let lines = logs(&summary).into_iter().flat_map(|(_, lines)| lines);
    let lines = lines.collect();
    (summary, lines)
}

#[test]
fn behind_a_balancer_there_is_one_address() {
    let (_, lines) = lines_of(&Options {
        logged_address: LoggedAddress::Balancer,
        ..small(3)
    });
    assert!(lines.iter().all(|line| line.client == "10.0.0.10"));
}

/// All logs as one text, and their configuration.
fn text_of(options: &Options) -> (Summary, String, String) {
    let out = tempfile::tempdir().expect("a folder");
    let summary = simulate(options, out.path()).expect("a run");
    let rotated = (1..=options.weeks).rev();
    let rotated = rotated.map(|number| format!("access.log.{number}.gz"));
    let names = rotated.chain(["access.log".to_owned()]);
    let log = names.map(|name| text(&out.path().join(name))).collect();
    let conf = text(&out.path().join("nginx.conf"));
    (summary, log, conf)
}

#[test]
fn a_balancer_that_forwards_has_the_last_word() {
    let options = Options {
        logged_address: LoggedAddress::Forwarded,
        ..small(3)
    };
    let (_, log, conf) = text_of(&options);
    let (_, plain, _) = text_of(&small(3));
    assert!(conf.contains(r#""$upstream_status" "$http_x_forwarded_for"';"#));
    assert!(log.contains(r#" "127.0.0.1, "#));
    for (line, plain) in log.lines().zip(plain.lines()) {
        let (client, rest) = plain.split_once(' ').expect("an address first");
        let told = line.trim_end_matches('"').rsplit_once(['"', ' ']);
        assert_eq!(told.expect("an address last").1, client);
        assert!(line.starts_with(&format!("10.0.0.10 {rest} \"")));
    }
}

#[test]
fn each_address_visits_one_of_several_sites_and_outages_are_of_one() {
    let sites = ["a.example", "b.example", "c.example"].map(str::to_owned);
    let (summary, log, conf) = text_of(&Options {
        sites: sites.to_vec(),
        ..small(3)
    });
    for site in &sites {
        assert!(conf.contains(&format!("        server_name {site};\n")));
    }
    let mut site_of: HashMap<&str, &str> = HashMap::new();
    let mut lines: HashMap<&str, usize> = HashMap::new();
    for line in log.lines().filter(|line| !line.contains("UptimeRobot")) {
        let client = line.split(' ').next().expect("an address");
        let (_, site) = line.rsplit_once(' ').expect("a site");
        assert_eq!(*site_of.entry(client).or_insert(site), site, "{client}");
        *lines.entry(site).or_default() += 1;
    }
    let all: usize = lines.values().sum();
    for site in &sites {
        assert!(lines[site.as_str()] * 6 > all, "{lines:?}");
    }
    let truth = &summary.truth;
    let spikes = |start| truth.spikes.iter().filter(move |one| one.start == start);
    let mut of_one = truth
        .spikes
        .iter()
        .filter(|one| spikes(one.start).count() == 1);
    assert!(of_one.clone().count() > 0);
    // A third of the visitors are not most of them.
    let is_outage = |spike: &Spike| {
        let mut incidents = truth.incidents.iter();
        incidents.any(|one| one.start == spike.start && one.kind == IncidentKind::Outage)
    };
    assert!(!of_one.any(is_outage));
}

#[test]
fn more_come_each_week_where_traffic_grows() {
    let (_, lines) = lines_of(&Options {
        growth: 2.0,
        ..small(3)
    });
    let middle =
        small(3).end.and_hms_opt(0, 0, 0).expect("a time").and_utc() - chrono::TimeDelta::weeks(1);
    let apps = lines
        .iter()
        .filter(|line| line.request.contains("/api/cart"));
    let (before, after): (Vec<&Line>, Vec<&Line>) = apps.partition(|line| line.time < middle);
    assert!(after.len() * 10 > before.len() * 16 && after.len() * 10 < before.len() * 28);
}

#[test]
fn people_share_addresses_and_stay_on_one_page_where_asked() {
    let run = |shared_share, app_share| {
        let (_, lines) = lines_of(&Options {
            shared_share,
            app_share,
            ..small(3)
        });
        let shared = lines
            .iter()
            .filter(|line| line.client.starts_with("198.19.41."));
        let apps = lines
            .iter()
            .filter(|line| line.request.starts_with("GET /app/ "));
        (shared.count(), apps.count())
    };
    assert_eq!(run(0.0, 0.0), (0, 0));
    let (shared, apps) = run(0.5, 0.5);
    assert!(shared > 1_000 && apps > 100, "{shared} {apps}");
}

#[test]
fn a_slow_scanner_asks_for_one_thing_every_few_hours() {
    let count = |slow_scanners| {
        let (summary, _) = lines_of(&Options {
            slow_scanners,
            ..small(3)
        });
        summary.truth.classes[&Class::Scanner]
    };
    // Two weeks, 2 to 9 hours.
    let more = count(10) - count(0);
    assert!((10 * 30..10 * 170).contains(&more), "{more}");
}

#[test]
fn lines_are_stamped_in_the_zone_of_the_server() {
    let options = Options {
        end: chrono::NaiveDate::from_ymd_opt(2026, 10, 26).expect("a day"),
        weeks: 1,
        zone: Zone::CentralEurope,
        ..small(3)
    };
    let (_, log, _) = text_of(&options);
    let zones: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once(']')?.0.rsplit(' ').next())
        .collect();
    let change = zones.iter().position(|zone| *zone == "+0100");
    assert!(
        zones.first() == Some(&"+0200") && change.is_some(),
        "{change:?}"
    );
    assert!(zones.last() == Some(&"+0100"));
    let (_, local) = lines_of(&options);
    let (_, utc) = lines_of(&Options {
        zone: Zone::Utc,
        ..options
    });
    assert!(
        local
            .iter()
            .map(|line| line.time)
            .eq(utc.iter().map(|line| line.time))
    );
}

#[test]
fn a_monitor_asks_as_often_as_it_is_told() {
    let asked = |monitor_minutes| {
        let (summary, _) = lines_of(&Options {
            monitor_minutes,
            ..small(3)
        });
        summary.truth.classes.get(&Class::Probe).copied()
    };
    assert_eq!(asked(0), None);
    let [each, fifth] = [asked(1), asked(5)].map(|lines| lines.expect("a monitor"));
    assert!((4 * fifth..6 * fifth).contains(&each), "{each}, {fifth}");
}

#[test]
fn a_flood_has_the_addresses_it_is_told() {
    let (_, lines) = lines_of(&Options {
        flood_bots: Some(300),
        flood_from: FloodFrom::Everywhere,
        ..small(3)
    });
    let flood: HashSet<&str> = lines
        .iter()
        .filter(|line| line.request.contains("&page="))
        .map(|line| line.client.as_str())
        .collect();
    let networks: HashSet<&str> = flood
        .iter()
        .filter_map(|client| Some(client.rsplit_once('.')?.0))
        .collect();
    assert!((250..=300).contains(&flood.len()), "{}", flood.len());
    assert!(networks.len() > 200, "{}", networks.len());
}

#[test]
fn a_part_of_the_answers_fails_in_an_outage_of_a_part() {
    let (summary, lines) = lines_of(&Options {
        outage_share: 0.3,
        ..small(3)
    });
    let failed = lines.iter().filter(|line| line.status == 502).count();
    assert!(failed > 0);
    let spikes = summary
        .truth
        .spikes
        .iter()
        .filter(|spike| spike.path.is_none());
    for spike in spikes {
        let during = || {
            let inside = |line: &&Line| (spike.start..spike.end).contains(&line.time);
            let of_application = |line: &&Line| line.upstream_status != "-";
            lines.iter().filter(inside).filter(of_application)
        };
        let failed = during().filter(|line| line.status == 502).count();
        // A monitor asks each minute, and once more where that failed.
        assert!(failed * 10 > during().count() && failed * 10 < during().count() * 6);
        let incidents = &summary.truth.incidents;
        let of_it = incidents
            .iter()
            .find(|incident| incident.start == spike.start);
        assert!(of_it.is_none_or(|incident| incident.kind == IncidentKind::Degraded));
    }
}
