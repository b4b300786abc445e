//! Logs that are followed: each line is one row, whatever rotation does to the log and whoever kills the follower.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::process::Child;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::command::{Place, combined, end, signal, wait_for};
use crate::faults::is_whole;
use crate::servers::installed;

const LOG: &str = "access.log";

/// A log, as a server writes it and something rotates it.
pub(crate) struct Server<'p> {
    place: &'p Place,
    open: File,
    pub(crate) written: usize,
}

impl<'p> Server<'p> {
    pub(crate) fn new(place: &'p Place) -> Self {
        Self {
            place,
            open: opened(place),
            written: 0,
        }
    }

    pub(crate) fn write(&mut self, lines: usize) {
        self.open.write_all(&combined(self.written, lines)).unwrap();
        self.written += lines;
    }

    /// Lines of another month than November.
    fn write_of(&mut self, month: &str, lines: usize) {
        let text = String::from_utf8(combined(self.written, lines)).unwrap();
        let text = text.replace("/Nov/", &format!("/{month}/"));
        self.open.write_all(text.as_bytes()).unwrap();
        self.written += lines;
    }

    /// Renames what was rotated before, the second one compressed.
    fn make_room(&self) {
        let path = |name: &str| self.place.path(&format!("{LOG}.{name}"));
        for number in (1..9).rev() {
            let (old, new) = (format!("{number}.gz"), format!("{}.gz", number + 1));
            if path(&old).exists() {
                fs::rename(path(&old), path(&new)).unwrap();
            }
        }
        if path("1").exists() {
            let mut gzip =
                GzEncoder::new(File::create(path("2.gz")).unwrap(), Compression::default());
            gzip.write_all(&fs::read(path("1")).unwrap()).unwrap();
            gzip.finish().unwrap();
            fs::remove_file(path("1")).unwrap();
        }
    }

    /// The server writes on into the old file until it is told to open the new one.
    pub(crate) fn rename(&mut self, late_lines: usize) {
        self.make_room();
        fs::rename(self.place.path(LOG), self.place.path(&format!("{LOG}.1"))).unwrap();
        self.write(late_lines);
        self.open = opened(self.place);
    }

    /// Each file one name on, as fast as that goes.
    fn shift(&mut self) {
        let name = |number: usize| match number {
            0 => self.place.path(LOG),
            number => self.place.path(&format!("{LOG}.{number}")),
        };
        let free = (1..).find(|number| !name(*number).exists()).unwrap();
        for number in (0..free).rev() {
            fs::rename(name(number), name(number + 1)).unwrap();
        }
        self.open = opened(self.place);
    }

    /// Without a copy: what was not read is lost.
    pub(crate) fn cut(&self) {
        self.open.set_len(0).unwrap();
    }

    /// No line is written between the copy and the cut, which is what nobody could tell from a loss.
    pub(crate) fn copytruncate(&mut self) {
        self.make_room();
        let copy = self.place.path(&format!("{LOG}.1"));
        fs::copy(self.place.path(LOG), copy).unwrap();
        self.cut();
    }
}

fn opened(place: &Place) -> File {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    options.open(place.path(LOG)).unwrap()
}

/// Follows the log, its words into a file.
pub(crate) fn follow(place: &Place) -> Child {
    follow_committing(place, "1")
}

/// The same, with so many seconds between commits.
pub(crate) fn follow_committing(place: &Place, flush: &str) -> Child {
    let mut said = OpenOptions::new();
    let said = said.append(true).create(true).open(place.path("said"));
    let mut command = place.command(&["tail", "--flush", flush, "--format", "combined", LOG]);
    command.stderr(said.unwrap()).spawn().unwrap()
}

pub(crate) fn said(place: &Place) -> String {
    let mut text = String::new();
    let file = File::open(place.path("said"));
    file.unwrap().read_to_string(&mut text).unwrap();
    text
}

fn has_lake(place: &Place) -> bool {
    let log = place.path("home/data/floodmark/lake/lines/_delta_log");
    log.join("00000000000000000000.json").exists()
}

/// How many requests the lake itself holds.
#[track_caller]
pub(crate) fn committed(place: &Place) -> usize {
    let info = place
        .floodmark(&["lake", "info", "-q", "-o", "json"])
        .done();
    let info: Value = serde_json::from_str(&info).unwrap();
    usize::try_from(info["requests"].as_u64().unwrap()).unwrap()
}

/// Waits until the lake holds all that was written.
#[track_caller]
pub(crate) fn all_are_rows(place: &Place, server: &Server<'_>) {
    wait_for("all lines", || {
        (has_lake(place) && committed(place) == server.written).then_some(())
    });
}

#[test]
fn each_line_is_one_row_through_rotations_and_kills() {
    let place = Place::new();
    let mut server = Server::new(&place);
    server.write(500);
    let mut follower = follow(&place);
    all_are_rows(&place, &server);
    for round in 0..6 {
        server.write(200);
        match round % 3 {
            2 => server.copytruncate(),
            late => server.rename(late * 50),
        }
        server.write(100);
        // Others read the same files, and look after the lake.
        let rotated = format!("{LOG}.1");
        for arguments in [&["ingest", "-q", &rotated][..], &["lake", "compact"]] {
            let run = place.floodmark(arguments);
            assert_eq!(run.code, 0, "{run:#?}");
        }
        if round % 2 == 0 {
            // At any moment: in the middle of a look, or between two.
            signal("KILL", follower.id());
            end(follower);
            // Rotated twice while nobody looked.
            server.rename(10);
            server.write(20);
            follower = follow(&place);
        }
        all_are_rows(&place, &server);
    }
    server.write(7);
    signal("TERM", follower.id());
    let run = end(follower);
    assert_eq!(run.code, 0, "{}", said(&place));
    assert_eq!(committed(&place), server.written);
    is_whole(&place, &[]);
    let paths =
        "select count(distinct path), count(distinct source || ' ' || line_offset) from lines";
    let paths = place.floodmark(&["sql", "-q", "-o", "csv", paths]).done();
    let distinct = format!("{0},{0}", server.written);
    assert!(paths.lines().nth(1) == Some(&distinct), "{paths}");
}

/// How often to do something: so often, or as often as asked for.
fn rounds(usual: usize) -> usize {
    std::env::var("FLOODMARK_ROUNDS").map_or(usual, |rounds| rounds.parse().unwrap())
}

/// Whatever is done to a log and its lake, in any order: each line is a row, or was expired as one. Six sequences, or as many as
/// `FLOODMARK_ROUNDS` says, the same ones each time.
#[test]
fn steps_in_any_order_over_a_lake() {
    const STEPS: usize = 16;
    // Numerical Recipes' generator: the same steps each time.
    let next = |state: &mut u64| {
        *state = (*state * 1_664_525 + 1_013_904_223) % (1 << 32);
        usize::try_from(*state >> 16).unwrap()
    };
    for case in 0..u64::try_from(rounds(6)).unwrap() {
        let place = Place::new();
        let mut server = Server::new(&place);
        let mut state = case;
        // Lines of October, and how many of them were expired.
        let (mut old, mut expired) = (0, 0);
        let mut steps = Vec::new();
        let run = |arguments: &[&str]| {
            let run = place.floodmark(arguments);
            assert_eq!(run.code, 0, "{arguments:?}: {run:#?}");
        };
        server.write(5);
        for _ in 0..STEPS {
            let step = next(&mut state) % 10;
            let lines = next(&mut state) % 40;
            steps.push(step);
            match step {
                0 | 1 => server.write(lines),
                2 => {
                    server.write_of("Oct", lines);
                    old += lines;
                }
                3 => server.rename(lines % 4),
                4 => server.copytruncate(),
                5 | 6 => run(&["tail", "--once", "-q", LOG]),
                7 => {
                    let follower = follow(&place);
                    wait_for("a lake", || has_lake(&place).then_some(()));
                    signal("KILL", follower.id());
                    end(follower);
                }
                8 => run(&["ingest", "-q", &place.path("").display().to_string()]),
                _ => {
                    run(&["tail", "--once", "-q", LOG]);
                    run(&["lake", "compact", "-q"]);
                    run(&["lake", "expire", "-q", "--lines", "2026-11-01"]);
                    expired = old;
                }
            }
        }
        run(&["tail", "--once", "-q", LOG]);
        let rows = "select count(*), count(distinct path), (select count(*) as gaps from gaps) as gaps from requests";
        let left = server.written - expired;
        assert_eq!(
            asked(&place, rows),
            format!("{left},{left},0"),
            "{case}: {steps:?}"
        );
        is_whole(&place, &[]);
    }
}

#[test]
fn a_log_that_comes_later() {
    let place = Place::new();
    let follower = follow(&place);
    let warning = "looking again every 1 s";
    wait_for("the warning", || {
        (place.path("said").exists() && said(&place).contains(warning)).then_some(())
    });
    let mut server = Server::new(&place);
    server.write(10);
    all_are_rows(&place, &server);
    signal("HUP", follower.id());
    assert_eq!(end(follower).code, 0);
    let said = said(&place);
    assert_eq!(said.matches("warning: ").count(), 1, "{said}");
    assert!(said.contains("access.log"), "{said}");
}

/// Files are renamed between being listed and being opened: a follower that starts just then looks again.
#[test]
fn a_follower_that_starts_amid_rotations() {
    let place = Place::new();
    let mut server = Server::new(&place);
    for _ in 0..3 {
        let mut follower = follow(&place);
        let until = server.written + 300;
        while server.written < until {
            server.write(3);
            server.shift();
            let ended = follower.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", said(&place));
        }
        all_are_rows(&place, &server);
        signal("KILL", follower.id());
        end(follower);
    }
    is_whole(&place, &[]);
}

#[test]
fn a_log_that_is_asked_for_wrongly_is_not_waited_for() {
    let place = Place::new();
    place.write(LOG, combined(0, 2_000));
    for (arguments, expected) in [
        (&["tail", "[a"][..], "error: cannot read the glob `[a`"),
        (
            &["tail", "--format", "main", LOG],
            "error: `access.log`: expected lines of the format `main`, found 0",
        ),
        (
            &["tail", "--nginx-conf", "none.conf"],
            "error: cannot read `none.conf`: no such file",
        ),
        (
            &["tail", "--flush", "0", LOG],
            "error: invalid value '0' for '--flush <SECONDS>'",
        ),
    ] {
        let run = place.floodmark(arguments);
        assert!(run.code == 2 && run.stderr.contains(expected), "{run:#?}");
    }
}

#[test]
fn a_second_follower_is_told_of_the_first() {
    let place = Place::new();
    let mut server = Server::new(&place);
    server.write(10);
    let first = follow(&place);
    all_are_rows(&place, &server);
    let log = place.path(LOG);
    for log in [LOG, log.to_str().unwrap()] {
        let second = place.floodmark(&["tail", log]);
        let expected = format!(
            "error: process {} follows `{log}` into the lake",
            first.id()
        );
        assert!(
            second.code == 2 && second.stderr.starts_with(&expected),
            "{second:#?}"
        );
    }
    signal("KILL", first.id());
    end(first);
    server.write(10);
    assert_eq!(place.floodmark(&["tail", "--once", LOG]).code, 0);
    assert_eq!(committed(&place), 20);
}

const NGINX_CONF: &str = "
daemon off;
master_process off;
pid @/nginx.pid;
error_log @/error.log info;
events { worker_connections 64; }
http {
    client_body_temp_path @/body;
    proxy_temp_path @/proxy;
    fastcgi_temp_path @/fastcgi;
    uwsgi_temp_path @/uwsgi;
    scgi_temp_path @/scgi;
    server {
        listen 127.0.0.1:PORT;
        access_log @/access.log combined;
        location / { return 204; }
    }
}
";

/// As Debian's package of Nginx has it, but for the time that is waited for.
const LOGROTATE_CONF: &str = "
@/access.log {
    size 1
    rotate 1000
    missingok
    compress
    delaycompress
    postrotate
        kill -USR1 `cat @/nginx.pid`
    endscript
}
";

/// An Nginx at work; it ends with the test.
struct Nginx {
    child: Child,
    port: u16,
    /// Where its files are.
    folder: String,
}

impl Nginx {
    fn start(place: &Place) -> Self {
        let any = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = any.local_addr().unwrap().port();
        drop(any);
        let folder = place.path("").display().to_string();
        let folder = folder.trim_end_matches('/').to_owned();
        let filled = |conf: &str| {
            let conf = conf.replace('@', &folder);
            conf.replace("PORT", &port.to_string())
        };
        place.write("nginx.conf", filled(NGINX_CONF));
        place.write("logrotate.conf", filled(LOGROTATE_CONF));
        let mut nginx = place.program(installed("nginx", "nginx-light"));
        nginx.arg("-p").arg(place.path(""));
        nginx.arg("-c").arg(place.path("nginx.conf"));
        nginx.arg("-e").arg(place.path("error.log"));
        let child = nginx.spawn().unwrap();
        wait_for("nginx", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self {
            child,
            port,
            folder,
        }
    }

    fn filled(&self, conf: &str) -> String {
        conf.replace('@', &self.folder)
    }

    /// Asks for pages by number; an answer comes before its line is logged, if only just.
    fn ask(&self, numbers: Range<usize>) {
        for number in numbers {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
            write!(stream, "GET /{number} HTTP/1.0\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        signal("QUIT", self.child.id());
        let _ = self.child.wait();
    }
}

/// What logrotate does instead of renaming. Nobody asks for a page between the copy and the cut.
const COPYTRUNCATE_CONF: &str = "
@/access.log {
    size 1
    rotate 1000
    missingok
    copytruncate
    compress
    delaycompress
}
";

/// Twelve rounds, or as many as `FLOODMARK_ROUNDS` says, the same ones each time.
#[test]
fn an_nginx_whose_log_logrotate_rotates() {
    const PAGES: usize = 40;
    let rounds = rounds(12);
    let place = Place::new();
    let nginx = Nginx::start(&place);
    place.write("copytruncate.conf", nginx.filled(COPYTRUNCATE_CONF));
    let mut following = Some(follow(&place));
    let kill = |follower: Child| {
        signal("KILL", follower.id());
        end(follower);
    };
    for round in 0..rounds {
        // 0 to 11, in an order that does not repeat soon.
        let chance = round * round * 7 % 31 % 12;
        let first = round * PAGES;
        nginx.ask(first..first + PAGES / 2);
        if chance % 4 == 1 {
            following.take().map(kill);
        }
        let conf = match chance {
            2 | 7 => "copytruncate.conf",
            _ => "logrotate.conf",
        };
        for _ in 0..1 + chance / 9 {
            let mut logrotate = place.program(installed("logrotate", "logrotate"));
            logrotate.arg("--state").arg(place.path("rotated"));
            let rotated = end(logrotate.arg(place.path(conf)).spawn().unwrap());
            assert_eq!(rotated.code, 0, "{rotated:#?}");
        }
        following.get_or_insert_with(|| follow(&place));
        nginx.ask(first + PAGES / 2..first + PAGES);
        if chance == 5 {
            following.take().map(kill);
            following = Some(follow(&place));
        }
    }
    let mut follower = following.unwrap();
    let numbers = "select count(*), count(distinct path), min(cast(substr(path, 2) as int)), max(cast(substr(path, 2) as int)) from requests";
    let last = rounds * PAGES - 1;
    let expected = format!("{0},{0},0,{last}", last + 1);
    wait_for("all pages", || {
        let ended = follower.try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}: {}", said(&place));
        (has_lake(&place) && asked(&place, numbers) == expected).then_some(())
    });
    signal("TERM", follower.id());
    assert_eq!(end(follower).code, 0, "{}", said(&place));
    assert_eq!(asked(&place, "select count(*) from gaps"), "0");
    assert_eq!(committed(&place), rounds * PAGES);
    is_whole(&place, &[]);
}

/// A lake that cannot be written for a while: lines stay in their log, of which nothing changes meanwhile.
#[test]
fn what_could_not_be_committed_is_tried_again() {
    let place = Place::new();
    let mut server = Server::new(&place);
    server.write(10);
    let follower = follow(&place);
    all_are_rows(&place, &server);
    let log = place.path("home/data/floodmark/lake/lines/_delta_log");
    let away = place.path("home/data/floodmark/lake/lines/away");
    fs::rename(&log, &away).unwrap();
    fs::write(&log, "in the way").unwrap();
    server.write(10);
    wait_for("the warning", || {
        said(&place)
            .contains("looking again every 1 s")
            .then_some(())
    });
    fs::remove_file(&log).unwrap();
    fs::rename(&away, &log).unwrap();
    all_are_rows(&place, &server);
    signal("TERM", follower.id());
    assert_eq!(end(follower).code, 0);
    is_whole(&place, &[]);
}

/// Nginx is told to write more, by its configuration and a signal; the log goes on.
#[test]
fn a_log_whose_format_changes() {
    let place = Place::new();
    let conf = |more: &str| {
        let log = place.path(LOG);
        let format = format!(
            "http {{ log_format own '$remote_addr [$time_local] \"$request\" $status{more}';\n\
             server {{ listen 443 ssl; access_log {} own; }} }}",
            log.display()
        );
        place.write("nginx.conf", format);
    };
    let write = |numbers: Range<usize>, more: &str| {
        let line = |number| {
            format!("192.0.2.1 [02/Nov/2026:01:10:00 +0000] \"GET /{number} HTTP/1.1\" 200{more}\n")
        };
        place.append(LOG, numbers.map(line).collect::<String>());
    };
    conf("");
    write(0..10, "");
    let said_to = OpenOptions::new()
        .append(true)
        .create(true)
        .open(place.path("said"));
    let mut follow = place.command(&["tail", "--flush", "1", "--nginx-conf", "nginx.conf"]);
    let follower = follow.stderr(said_to.unwrap()).spawn().unwrap();
    let rows = |lines: usize| {
        wait_for("rows", || {
            (has_lake(&place) && committed(&place) == lines).then_some(())
        });
    };
    rows(10);
    // Those that no look has met yet are written the old way.
    write(10..15, "");
    conf(" $request_time \"$http_user_agent\"");
    write(15..20, " 0.125 \"curl/8\"");
    rows(20);
    signal("TERM", follower.id());
    assert_eq!(end(follower).code, 0);
    let said = said(&place);
    assert_eq!(
        said.matches("lines of another format, `own`").count(),
        0,
        "{said}"
    );
    assert_eq!(
        said.matches("lines of another format, ").count(),
        1,
        "{said}"
    );
    let sums = "select count(*), sum(request_time), count(http_user_agent) from requests";
    assert_eq!(asked(&place, sums), "20,0.625,5");
}

#[test]
fn once_takes_what_rotation_left_and_ends() {
    let place = Place::new();
    let mut server = Server::new(&place);
    for _ in 0..3 {
        server.write(100);
        server.rename(0);
    }
    server.write(100);
    for _ in 0..2 {
        let run = place.floodmark(&["tail", "--once", LOG]);
        assert_eq!(run.code, 0, "{run:#?}");
        assert_eq!(committed(&place), 400);
    }
}

#[test]
fn only_files_are_followed() {
    let place = Place::new();
    let made = place.program("mkfifo").arg(LOG).status().unwrap();
    assert!(made.success());
    for (log, found) in [
        ("-", "standard input"),
        (LOG, "a pipe"),
        ("/dev/null", "a device"),
    ] {
        let run = place.floodmark(&["tail", log]);
        let expected =
            format!("error: `{log}`: expected a file, a glob or a directory, found {found}\n");
        assert!(
            run.code == 2 && run.stderr.starts_with(&expected),
            "{run:#?}"
        );
    }
}

#[test]
fn the_pulse_of_a_minute() {
    let place = Place::new();
    place.write(LOG, combined(0, 90));
    assert_eq!(place.floodmark(&["ingest", "-q", LOG]).code, 0);
    let pulse = place
        .floodmark(&["query", "pulse", "-q", "-o", "csv"])
        .done();
    let minutes: Vec<&str> = pulse.lines().skip(1).collect();
    assert_eq!(minutes.len(), 2, "{pulse}");
    assert!(
        minutes[0].starts_with("2026-11-02T00:00:00Z,,60,"),
        "{pulse}"
    );
    assert!(
        minutes[1].starts_with("2026-11-02T00:01:00Z,,30,"),
        "{pulse}"
    );
}

/// The first line of an answer in CSV, without its heading.
pub(crate) fn asked(place: &Place, statement: &str) -> String {
    let answer = place
        .floodmark(&["sql", "-q", "-o", "csv", statement])
        .done();
    answer.lines().nth(1).unwrap_or_default().to_owned()
}

/// The state of each minute in a window of five.
fn states(place: &Place, around: &str) -> String {
    let ends = format!(
        "select to_char(date_trunc('minute', time) - interval '2 minutes', '%Y-%m-%dT%H:%M:%SZ'), \
         to_char(date_trunc('minute', time) + interval '3 minutes', '%Y-%m-%dT%H:%M:%SZ') \
         from (select timestamp '{around}' as time)"
    );
    let ends = asked(place, &ends);
    let (since, until) = ends.split_once(',').unwrap();
    let window = ["--since", since, "--until", until, "-q", "-o", "csv"];
    let answer = place
        .floodmark(&[&["query", "minutes"], &window[..]].concat())
        .done();
    let states = answer
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(1).unwrap());
    states.collect::<Vec<_>>().join(" ")
}

#[test]
fn what_was_cut_unread_is_a_gap_and_unknown() {
    let place = Place::new();
    let mut server = Server::new(&place);
    server.write(10);
    let follower = follow(&place);
    all_are_rows(&place, &server);
    server.cut();
    // Later than the gap, so that it lies between lines.
    let late = String::from_utf8(combined(10, 1)).unwrap();
    let late = late.replace("/2026:", "/2099:");
    server.open.write_all(late.as_bytes()).unwrap();
    wait_for("the gap", || {
        (asked(&place, "select count(*) from gaps") == "1").then_some(())
    });
    signal("TERM", follower.id());
    assert_eq!(end(follower).code, 0);
    let said = said(&place);
    assert!(
        said.contains("warning: lines may be lost: access.log/"),
        "{said}"
    );
    let gap = asked(
        &place,
        "select source, line_offset, line_bytes, reason, until >= time from gaps",
    );
    assert_eq!(combined(0, 10).len(), 1_538);
    assert!(
        gap.starts_with("access.log/") && gap.ends_with("/1,1538,,unread_end,true"),
        "{gap}"
    );
    let time = asked(&place, "select time from gaps");
    assert!(states(&place, &time).contains("UNCOVERED"), "{time}");
    let info = place.floodmark(&["lake", "info"]).done();
    assert!(
        info.contains("what came after byte 1,538 is lost, from "),
        "{info}"
    );
    // A gap is told once, also by those who come later.
    assert_eq!(place.floodmark(&["tail", "--once", LOG]).code, 0);
    assert_eq!(asked(&place, "select count(*) from gaps"), "1");
    assert_eq!(place.floodmark(&["lake", "compact"]).code, 0);
    is_whole(&place, &[]);
    assert_eq!(asked(&place, "select count(*) from lines"), "12");
}

/// The minutes after the last line are known where someone looked.
#[test]
fn a_quiet_log_that_is_looked_at_is_covered() {
    const LATER: &str = "2026-11-02T12:00:00Z";
    let place = Place::new();
    place.write(LOG, combined(0, 90));
    assert_eq!(place.floodmark(&["ingest", "-q", LOG]).code, 0);
    assert_eq!(states(&place, LATER), ["UNCOVERED"; 5].join(" "));
    assert_eq!(asked(&place, "select count(seen) from sources"), "0");
    assert_eq!(place.floodmark(&["tail", "-q", "--once", LOG]).code, 0);
    assert_eq!(states(&place, LATER), ["IDLE"; 5].join(" "));
    let seen = "select count(*), max(seen) > timestamp '2026-11-03T00:00:00Z' from sources";
    assert_eq!(asked(&place, seen), "1,true");
    let info = place.floodmark(&["lake", "info"]).done();
    assert!(info.contains(", log seen until 20"), "{info}");
    is_whole(&place, &[]);
}

#[test]
fn a_link_that_is_switched() {
    let place = Place::new();
    let day = |number: usize| place.path(&format!("day-{number}.log"));
    let switch = |number: usize| {
        let next = place.path("next");
        std::os::unix::fs::symlink(day(number), &next).unwrap();
        fs::rename(&next, place.path(LOG)).unwrap();
    };
    let write = |number: usize, first: usize| {
        place.append(&format!("day-{number}.log"), combined(first, 10));
    };
    write(0, 0);
    switch(0);
    let follower = follow(&place);
    let rows = |lines: usize| {
        wait_for("rows", || {
            (has_lake(&place) && committed(&place) == lines).then_some(())
        });
    };
    rows(10);
    for number in 1..4 {
        write(number, number * 20);
        switch(number);
        // The server has not heard of it yet.
        write(number - 1, number * 20 - 10);
        rows(10 + number * 20);
    }
    signal("TERM", follower.id());
    assert_eq!(end(follower).code, 0, "{}", said(&place));
    assert_eq!(asked(&place, "select count(*) from gaps"), "0");
    let sets =
        "select count(distinct source), count(distinct split_part(source, '/', 1)) from lines";
    assert_eq!(asked(&place, sets), "4,1");
    is_whole(&place, &[]);
}
