//! The systemd unit that follows logs: systemd reads it as it is meant, and it may do what following does.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::command::{Place, combined, end, signal};
use crate::faults::{count, straced};

const UNIT: &str = include_str!("../service/floodmark-tail.service");
const REPORT: &str = include_str!("../service/floodmark-report.service");
const TIMER: &str = include_str!("../service/floodmark-report.timer");
/// Of ten, where 10 is a service that may do anything.
const EXPOSURE_MAX: f64 = 1.0;

/// What a systemd tool prints.
#[track_caller]
fn analyzed(place: &Place, arguments: &[&str]) -> String {
    let mut analyze = place.program("systemd-analyze");
    end(analyze.args(arguments).spawn().unwrap()).done()
}

/// Asks systemd about a unit as it would be installed.
#[track_caller]
fn check(place: &Place, name: &str, unit: &str) {
    let installed = "/usr/local/bin/floodmark";
    assert!(unit.contains(installed));
    place.write(
        name,
        unit.replace(installed, env!("CARGO_BIN_EXE_floodmark")),
    );
    let unit = format!("./{name}");
    let mut verify = place.program("systemd-analyze");
    let run = end(verify.args(["verify", "--man=no", &unit]).spawn().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    let exposure = analyzed(place, &["security", "--offline=true", "--no-pager", &unit]);
    let level = exposure
        .lines()
        .last()
        .and_then(|line| line.split(": ").nth(1));
    let level = level.and_then(|level| level.split(' ').next()?.parse::<f64>().ok());
    assert!(
        level.is_some_and(|level| level < EXPOSURE_MAX),
        "{exposure}"
    );
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit_and_little_exposed() {
    check(&Place::new(), "floodmark-tail.service", UNIT);
}

#[test]
fn systemd_finds_nothing_wrong_with_the_night_and_its_timer() {
    let place = Place::new();
    check(&place, "floodmark-report.service", REPORT);
    place.write("floodmark-report.timer", TIMER);
    let mut verify = place.program("systemd-analyze");
    let arguments = ["verify", "--man=no", "./floodmark-report.timer"];
    let run = end(verify.args(arguments).spawn().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
}

/// What the night does, step by step, where there is a log to be found.
#[test]
fn a_night_may_be_run_again() {
    let place = Place::new();
    place.write("access.log", combined(0, 50));
    place.write(
        "nginx.conf",
        "http { access_log access.log combined; server { listen 443 ssl; } }",
    );
    let night = || {
        let steps = REPORT
            .lines()
            .filter_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/floodmark "));
        let steps: Vec<&str> = steps.collect();
        assert_eq!(steps.len(), 4);
        for step in steps {
            let step = step.replace("/var/lib/floodmark/reports", "reports");
            let mut arguments: Vec<&str> = step.split(' ').collect();
            arguments.extend([
                "--lake",
                "lake",
                "--nginx-conf",
                "nginx.conf",
                "--nginx-prefix",
                ".",
            ]);
            place.floodmark(&arguments).done();
        }
        let names = fs::read_dir(place.path("reports")).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        let bytes = |name| fs::read(place.path("reports").join(name)).unwrap();
        names.iter().map(bytes).collect::<Vec<_>>()
    };
    let first = night();
    assert_eq!(first.len(), 3);
    assert!(night() == first);
}

/// The system calls of a filter, those of groups in it included.
fn calls(place: &Place, filter: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for line in analyzed(place, &["syscall-filter", filter]).lines().skip(1) {
        match line.trim() {
            "" => {}
            comment if comment.starts_with('#') => {}
            group if group.starts_with('@') => all.extend(calls(place, group)),
            call => drop(all.insert(call.to_owned())),
        }
    }
    all
}

#[test]
fn the_unit_allows_the_system_calls_of_following() {
    let place = Place::new();
    place.write("access.log", combined(0, 1_000));
    let run = straced(&place, &["-f"], &["tail", "--once", "access.log"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(count(&place, &[]), 1_000);
    let mut allowed = BTreeSet::new();
    for filter in UNIT
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
    {
        for group in filter.trim_start_matches('~').split(' ') {
            let calls = calls(&place, group);
            match filter.starts_with('~') {
                true => allowed.retain(|call| !calls.contains(call)),
                false => allowed.extend(calls),
            }
        }
    }
    let trace = fs::read_to_string(place.path("trace")).unwrap();
    let is_name = |byte: char| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == '_';
    let mut made = 0;
    for line in trace.lines() {
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let Some((name, arguments)) = call.split_once('(') else {
            continue;
        };
        if name.is_empty() || !name.chars().all(is_name) {
            continue;
        }
        assert!(allowed.contains(name), "{line}");
        let is_socket = name.starts_with("socket");
        assert!(!is_socket || arguments.starts_with("AF_UNIX"), "{line}");
        made += 1;
    }
    assert!(made > 100, "{trace}");
    assert!(UNIT.contains("\nRestrictAddressFamilies=AF_UNIX\n"));
}

/// A service manager that listens.
#[test]
fn the_service_manager_is_told_how_it_goes() {
    let place = Place::new();
    place.write("access.log", combined(0, 10));
    let manager = UnixDatagram::bind(place.path("manager")).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut follow = place.command(&["tail", "access.log"]);
    follow.env("NOTIFY_SOCKET", place.path("manager"));
    follow.env("WATCHDOG_USEC", "600000");
    let follower = follow.spawn().unwrap();
    let heard = || {
        let mut message = [0; 100];
        let bytes = manager.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..bytes])
            .trim_end()
            .to_owned()
    };
    assert_eq!(heard(), "READY=1");
    for _ in 0..3 {
        assert_eq!(heard(), "WATCHDOG=1");
    }
    signal("TERM", follower.id());
    while let word = heard()
        && word != "STOPPING=1"
    {
        assert_eq!(word, "WATCHDOG=1");
    }
    assert_eq!(end(follower).code, 0);
    assert_eq!(count(&place, &[]), 10);
}
