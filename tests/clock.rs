//! Clocks that are set while a log is followed, by Debian's libfaketime, and hours that come twice.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::command::{Place, combined, end, signal, wait_for};
use crate::faults::is_whole;
use crate::tail::{Server, all_are_rows, asked, committed, said};

const LOG: &str = "access.log";
const DAY_S: i64 = 86_400;

/// The clock of a process under test.
struct Clock<'p> {
    place: &'p Place,
}

impl<'p> Clock<'p> {
    fn new(place: &'p Place) -> Self {
        let clock = Self { place };
        clock.set(0);
        clock
    }

    /// So many seconds off.
    fn set(&self, ahead_s: i64) {
        let next = self.place.write("clock.next", format!("{ahead_s:+}\n"));
        fs::rename(next, self.place.path("clock")).unwrap();
    }

    /// To a time in seconds since the epoch.
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock of this machine is what is set"
    )]
    fn set_to(&self, time_s: i64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        self.set(time_s - i64::try_from(now.as_secs()).unwrap());
    }

    fn follow(&self) -> Child {
        let file = |name| fs::File::create(self.place.path(name)).unwrap();
        let arguments = [
            "tail", "--plain", "--flush", "1", "--format", "combined", LOG,
        ];
        let mut command = self.place.command(&arguments);
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", self.place.path("clock"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1")
            .stdout(file("printed"))
            .stderr(file("said"));
        command.spawn().unwrap()
    }
}

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap();
    let mut libraries = folders.map(|folder| {
        let folder = folder.unwrap().path();
        folder.join("faketime/libfaketimeMT.so.1")
    });
    libraries
        .find(|library| library.exists())
        .expect("hint: install Debian's package faketime")
}

#[test]
fn a_clock_that_jumps_while_a_log_is_followed() {
    let place = Place::new();
    let clock = Clock::new(&place);
    let mut server = Server::new(&place);
    server.write(10);
    let follower = clock.follow();
    all_are_rows(&place, &server);
    for (round, ahead_s) in [DAY_S, -DAY_S, 40 * DAY_S, -3, 3, 0]
        .into_iter()
        .enumerate()
    {
        clock.set(ahead_s);
        server.write(10);
        match round % 2 {
            0 => server.rename(3),
            _ => server.copytruncate(),
        }
        server.write(10);
        all_are_rows(&place, &server);
    }
    assert_eq!(asked(&place, "select count(*) from gaps"), "0");
    // What is lost when the clock has just been set back is told all the same.
    clock.set(-DAY_S);
    server.write(5);
    all_are_rows(&place, &server);
    server.cut();
    wait_for("the gap", || {
        said(&place).contains("lines may be lost").then_some(())
    });
    wait_for("its row", || {
        (asked(&place, "select count(*) from gaps where until >= time") == "1").then_some(())
    });
    signal("TERM", follower.id());
    assert_eq!(end(follower).code, 0, "{}", said(&place));
    is_whole(&place, &[]);
}

#[test]
fn minutes_are_printed_on_from_where_the_clock_was_set_back_to() {
    // 2026-11-02 00:00 UTC, when the numbered lines begin: one a second.
    const START_S: i64 = 1_793_577_600;
    let place = Place::new();
    let clock = Clock::new(&place);
    clock.set_to(START_S + 3_600);
    place.write(LOG, combined(3_600, 60));
    let follower = clock.follow();
    let all_are_rows = |lines: usize| {
        wait_for("rows", || (committed(&place) == lines).then_some(()));
    };
    let printed = |expected: &[&str]| {
        let printed = || fs::read_to_string(place.path("printed")).unwrap();
        let minutes = |text: &str| -> Vec<String> {
            text.lines()
                .map(|line| line.chars().take(16).collect())
                .collect()
        };
        wait_for("minutes", || {
            (minutes(&printed()) == expected).then_some(())
        });
    };
    wait_for("a look", || {
        said(&place).contains("following").then_some(())
    });
    clock.set_to(START_S + 3_600 + 65);
    place.append(LOG, combined(3_660, 1));
    printed(&["2026-11-02 01:00"]);
    // Half an hour back: lines come for minutes that are over, by what the clock said before.
    clock.set_to(START_S + 1_800 + 30);
    place.append(LOG, combined(1_800, 60));
    all_are_rows(121);
    clock.set_to(START_S + 1_800 + 65);
    place.append(LOG, combined(1_860, 1));
    printed(&["2026-11-02 01:00", "2026-11-02 00:30"]);
    signal("TERM", follower.id());
    assert_eq!(end(follower).code, 0);
}

/// On 25 October 2026 the hour from two to three came twice in Berlin.
#[test]
fn an_hour_that_comes_twice_is_two_hours() {
    let place = Place::new();
    let line = |clock: &str| {
        format!("192.0.2.7 - - [25/Oct/2026:{clock}] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n")
    };
    let summer = ["01:59:59 +0200", "02:30:00 +0200", "02:59:59 +0200"].map(line);
    let winter = ["02:00:00 +0100", "02:30:00 +0100", "03:00:00 +0100"].map(line);
    place.write(LOG, summer.concat());
    assert_eq!(place.floodmark(&["tail", "-q", "--once", LOG]).code, 0);
    place.append(LOG, winter.concat());
    assert_eq!(place.floodmark(&["tail", "-q", "--once", LOG]).code, 0);
    let hours = "select string_agg(date_part('hour', time) || ':' || date_part('minute', time), ' ' order by line_offset) from requests";
    assert_eq!(asked(&place, hours), "23:59 0:30 0:59 1:0 1:30 2:0");
    let day = place.floodmark(&[
        "query",
        "minutes",
        "-q",
        "-o",
        "csv",
        "--tz",
        "Europe/Berlin",
        "--day",
        "2026-10-25",
    ]);
    assert_eq!(day.done().lines().count(), 1 + 25 * 60);
}
