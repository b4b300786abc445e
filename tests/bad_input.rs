//! Bad input: a clear error, the right exit code, nothing lost.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::command::{Place, Run, catches, combined, end, signal, wait_for};

/// Runs in a folder with a log, and compares what could not be done.
#[track_caller]
pub(crate) fn check(arguments: &[&str], expected: &str) {
    let place = Place::new();
    place.write("access.log", combined(0, 10));
    check_in(&place, arguments, expected);
}

#[track_caller]
pub(crate) fn check_in(place: &Place, arguments: &[&str], expected: &str) {
    let run = place.floodmark(arguments);
    assert_eq!(run.code, 2, "{run:#?}");
    assert_eq!(run.stdout, "", "{run:#?}");
    assert_eq!(errors(place, &run), expected);
}

/// What is on standard error from the error or warning on.
fn errors(place: &Place, run: &Run) -> String {
    let text = run
        .stderr
        .replace(&place.path("").display().to_string(), "@/");
    let start = text
        .find("error: ")
        .or_else(|| text.find("warning: "))
        .unwrap_or(text.len());
    text[start..].to_owned()
}

#[track_caller]
fn count(place: &Place, logs: &[&str]) -> String {
    let run = place.floodmark(
        &[
            &[
                "sql",
                "-q",
                "-o",
                "csv",
                "select count(*), count(distinct path) from requests",
            ],
            logs,
        ]
        .concat(),
    );
    run.stdout.lines().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_missing_file() {
    for command in ["inspect", "ingest", "report"] {
        check(
            &[command, "acess.log"],
            "error: cannot open log source `acess.log`: no such file or directory\n\
             hint: check the path; a directory, a glob such as `'/var/log/nginx/access.log*'` and `-` are read too\n",
        );
    }
}

#[test]
fn a_path_below_a_file() {
    check(
        &["inspect", "access.log/1"],
        "error: cannot open log source `access.log/1`: no such file or directory\n\
         hint: check the path; a directory, a glob such as `'/var/log/nginx/access.log*'` and `-` are read too\n",
    );
}

#[test]
fn a_glob_that_nothing_fits() {
    check(
        &["inspect", "*.gz"],
        "error: no file fits the glob `*.gz`\nhint: `*` does not cross `/`; quote the glob so that the shell leaves it alone\n",
    );
}

#[test]
fn a_directory_without_logs() {
    let place = Place::new();
    place.write("notes/todo.txt", "mend the access log\n");
    place.write("notes/access-list.txt", "192.0.2.1\n");
    check_in(
        &place,
        &["inspect", "notes"],
        "error: no access log in `notes`: none of its 2 files is one\n\
         hint: of a directory those files are read whose name holds `access` and whose first lines fit the format; \
         name other files one by one, or state their format with `--format`\n",
    );
}

/// Nobody's user and group on Linux.
const NOBODY: u32 = 65_534;

/// Runs as someone to whom permissions apply: as nobody, where this is root.
fn without_rights(place: &Place, arguments: &[&str]) -> Run {
    let mut command = place.command(arguments);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        // The program itself may lie where only root gets to.
        let program = place.path("floodmark");
        let _ = fs::remove_file(&program);
        fs::hard_link(env!("CARGO_BIN_EXE_floodmark"), &program)
            .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_floodmark"), &program).map(drop))
            .unwrap();
        fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        command = place.program(program);
        command.args(arguments).uid(NOBODY).gid(NOBODY);
    }
    end(command.spawn().unwrap())
}

#[test]
fn what_may_not_be_read_or_written() {
    let place = Place::new();
    let closed = |path: &std::path::Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap()
    };
    place.write("open.log", combined(0, 10));
    closed(&place.write("access.log", combined(0, 10)));
    place.write("logs/access.log", combined(0, 10));
    closed(&place.path("logs"));
    let group = "hint: Nginx's logs usually belong to the group `adm`; run the command as a member of it, or with `sudo`\n";
    let other_lake = "hint: name another folder for the lake with `--lake DIR`\n";
    for (arguments, expected) in [
        (
            &["inspect", "access.log"][..],
            format!("error: cannot open log source `access.log`: permission denied\n{group}"),
        ),
        (
            &["inspect", "logs"],
            format!("error: cannot open log source `logs`: permission denied\n{group}"),
        ),
        (
            &["inspect", "logs/access.log"],
            format!("error: cannot open log source `logs/access.log`: permission denied\n{group}"),
        ),
        (
            &["ingest", "--lake", "logs/lake", "open.log"],
            format!(
                "error: cannot open the lake in `@/logs/lake`: permission denied\n{other_lake}"
            ),
        ),
        (
            &["ingest", "--lake", "lake", "open.log"],
            format!("error: cannot write `@/lake`: permission denied\n{other_lake}"),
        ),
    ] {
        let run = without_rights(&place, arguments);
        assert_eq!((run.code, errors(&place, &run)), (2, expected));
    }
    fs::set_permissions(place.path("logs"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn an_empty_file_is_a_log_without_lines() {
    let place = Place::new();
    place.write("access.log", "");
    for command in [
        &["inspect", "access.log"][..],
        &["ingest", "access.log"],
        &["report", "access.log"],
        &["sql", "--from", "access.log", "select * from requests"],
        &["sql", "select path from requests order by time limit 1"],
    ] {
        let run = place.floodmark(command);
        assert_eq!(run.code, 0, "{run:#?}");
    }
    assert_eq!(count(&place, &[]), "0,0");
}

#[test]
fn a_binary_file() {
    let place = Place::new();
    let noise: Vec<u8> = (0u32..9_000)
        .map(|byte| byte.wrapping_mul(2_654_435_761).to_be_bytes()[1])
        .collect();
    place.write("access.log", noise);
    place.write("access.log.xz", b"\xFD7zXZ\0\0\x04");
    check_in(
        &place,
        &["inspect", "access.log"],
        "error: `access.log` is not a text log: found binary data\nhint: logs are text with one request per line, plain or compressed with gzip or zstd\n",
    );
    check_in(
        &place,
        &["ingest", "access.log.xz"],
        "error: `access.log.xz` is not a text log: found xz data\nhint: decompress it on the way in: `xz -dc access.log.xz | floodmark ingest -`\n",
    );
}

#[test]
fn text_that_is_no_log() {
    let place = Place::new();
    place.write(
        "story.txt",
        "It was a dark and stormy night;\nthe rain fell in torrents.\n",
    );
    check_in(
        &place,
        &["inspect", "story.txt"],
        "error: no known format reads most of `story.txt`\n\
         hint: give it as Nginx's `log_format` has it, such as `--format '$remote_addr [$time_local] \"$request\" $status'`, \
         or one of: combined, main, common, vhost_combined, ingress, json, ltsv, alb, apache_combined, apache_common, apache_vhost_combined, tomcat, tomcat_json, tomcat9_json\n",
    );
}

#[test]
fn a_preset_that_does_not_exist() {
    check(
        &["inspect", "--format", "combind", "access.log"],
        "error: `--format`: no log format is named `combind`; did you mean `combined`?\n\
         hint: formats are `combined`, `main`, `common`, `vhost_combined`, `ingress`, `json`, `ltsv`, `alb`, `apache_combined`, `apache_common`, `apache_vhost_combined`, `tomcat`, `tomcat_json`, `tomcat9_json`, \
         or the text of a `log_format` with its `$variables`, of `apache` or `tomcat` with its `%` directives after that word\n",
    );
}

#[test]
fn a_format_that_cannot_be_split() {
    check(
        &[
            "inspect",
            "--format",
            "$body_bytes_sent$bytes_sent [$time_local]",
            "access.log",
        ],
        "error: `--format`: nothing in the log format separates `$body_bytes_sent` from `$bytes_sent`\n\
         hint: such a log cannot be split; put a space or quotes between the two in `log_format`\n",
    );
    check(
        &["inspect", "--format", "escape=xml $status", "access.log"],
        "error: `--format`: expected `escape=default`, `escape=json` or `escape=none`, found `escape=xml`\n",
    );
}

#[test]
fn a_wrong_format_rejects_lines_and_says_so() {
    let place = Place::new();
    place.write("access.log", combined(0, 10));
    let run = place.floodmark(&[
        "sql",
        "--from",
        "access.log",
        "--format",
        "common",
        "-o",
        "csv",
        "select count(*) from requests",
    ]);
    assert_eq!(
        (run.stdout.as_str(), run.code),
        ("count(*)\n0\n", 0),
        "{run:#?}"
    );
    assert!(
        run.stderr.ends_with(
            "10 lines = 0 requests + 10 rejects + 0 blank\n\
             10 of 10 lines rejected, the first at byte 0 of access.log (trailing_bytes); `floodmark inspect` lists them\n\
             hint: the lines may have been written with another `log_format`; name it with `--format`\n"
        ),
        "{run:#?}"
    );
    let run = place.floodmark(&[
        "inspect",
        "--format",
        "$remote_addr [$time_local] $status",
        "access.log",
    ]);
    assert!(run.stdout.contains("byte 0 of access.log: expected ` [` (`$remote_addr`, field 1 of format `custom`), found ` - - ["), "{run:#?}");
    assert!(
        run.stdout.contains(
            "more than half of the lines were rejected; give their format with `--format`"
        ),
        "{run:#?}"
    );
}

#[test]
fn a_truncated_gzip_gives_the_lines_before_the_cut() {
    let place = Place::new();
    let log = combined(0, 5_000);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&log).unwrap();
    let whole = encoder.finish().unwrap();
    place.write("access.log.1.gz", &whole[..whole.len() / 2]);
    let run = place.floodmark(&["ingest", "access.log.1.gz"]);
    assert_eq!(run.code, 2, "{run:#?}");
    let said = errors(&place, &run);
    assert!(
        said.starts_with(
            "warning: `access.log.1.gz` is truncated: its gzip stream ends too early, after "
        ),
        "{said}"
    );
    assert!(said.contains(" decompressed bytes\nhint: the lines up to there were read; copy the file again, or wait until it has been written in full\n"), "{said}");
    let there: usize = count(&place, &[])
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(there > 1_000 && there < 4_000, "{there}");
    let raw = place.floodmark(&[
        "sql",
        "--from",
        "access.log.1.gz",
        "-o",
        "csv",
        "select count(*) from requests",
    ]);
    assert_eq!((raw.stdout, raw.code), (format!("count(*)\n{there}\n"), 2));
    // Copied again, in full.
    place.write("access.log.1.gz", whole);
    assert_eq!(place.floodmark(&["ingest", "access.log.1.gz"]).code, 0);
    assert_eq!(count(&place, &[]), "5000,5000");
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let place = Place::new();
    place.write("access.log", combined(0, 10));
    place.write(
        "access.log.1.gz",
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03rubbish rubbish rubbish",
    );
    let run = place.floodmark(&["ingest", "access.log", "access.log.1.gz"]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        errors(&place, &run).starts_with("warning: `access.log.1.gz` is "),
        "{run:#?}"
    );
    assert_eq!(count(&place, &[]), "10,10");
}

#[test]
fn no_lake() {
    check(
        &["sql", "--lake", "lake", "select 1"],
        "error: there is no lake in `lake`\n\
         hint: make one with `floodmark ingest LOG…`, name another with `--lake DIR`, or name logs to read where they lie\n",
    );
}

#[test]
fn a_lake_that_cannot_be_written() {
    for (lake, shown) in [
        ("access.log", "access.log"),
        ("access.log/lake", "access.log/lake"),
    ] {
        check(
            &["ingest", "--lake", lake, "access.log"],
            &format!(
                "error: cannot open the lake in `@/{shown}`: not a directory\nhint: name another folder for the lake with `--lake DIR`\n"
            ),
        );
    }
    // Where nobody may make a folder, not even root.
    check(
        &["ingest", "--lake", "/proc/floodmark", "access.log"],
        "error: cannot write `/proc/floodmark`: no such file or directory\nhint: name another folder for the lake with `--lake DIR`\n",
    );
}

#[test]
fn a_lake_that_is_none() {
    let place = Place::new();
    place.write("access.log", combined(0, 10));
    place.write(
        "lake/lines/_delta_log/00000000000000000000.json",
        "rubbish\n",
    );
    let run = place.floodmark(&["sql", "--lake", "lake", "select 1"]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        errors(&place, &run).starts_with("error: the lake's commit `@/lake/lines/_delta_log/00000000000000000000.json` is damaged: "),
        "{run:#?}"
    );
}

#[test]
fn no_logs_named_and_no_conf_to_name_them() {
    check(
        &["ingest", "--nginx-conf", "absent.conf"],
        "error: cannot read `absent.conf`: no such file or directory\n",
    );
}

#[test]
fn options_that_make_no_sense() {
    let report =
        |option: &'static str, value: &'static str| ["report", option, value, "access.log"];
    check(
        &report("--tz", "Mars/Olympus"),
        "error: `--tz`: expected a zone such as `Europe/Berlin` or `UTC`, found `Mars/Olympus`\n",
    );
    check(
        &report("--fail-on", "rain"),
        "error: `--fail-on`: expected `verdict`, `rejects=1%` or `gaps`, found `rain`\n",
    );
    check(
        &report("--target", "200"),
        "error: `--target`: expected a share such as `95%`, found `200`\n",
    );
    check(
        &report("--week", "2026-W77"),
        "error: `--week`: expected an ISO week such as `2026-W46`, found `2026-W77`\n",
    );
    check(
        &report("--memory", "lots"),
        "error: `--memory`: expected bytes such as `512M` or `2G`, found `lots`\n",
    );
    check(
        &report("--threads", "0"),
        "error: `--threads`: expected at least 1, found `0`\n",
    );
}

#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub(crate) fn not_tested<T>(why: &str) -> Option<T> {
    eprintln!("not tested: {why}");
    None
}

/// A small file system, at `disk` in a place, that is unmounted with the test.
pub(crate) struct Disk<'p> {
    place: &'p Place,
}

impl<'p> Disk<'p> {
    /// With options of a tmpfs, if this user may mount; else says why nothing is tested.
    pub(crate) fn mount(place: &'p Place, options: &str) -> Option<Self> {
        fs::create_dir(place.path("disk")).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "floodmark"])
            .arg(place.path("disk"))
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self { place }),
            Ok(output) => not_tested(&String::from_utf8_lossy(&output.stderr)),
            Err(error) => not_tested(&format!("mount: {error}")),
        }
    }

    /// Changes its options.
    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let mut mount = Command::new("mount");
        let mount = mount.arg("-o").arg(options).arg(self.place.path("disk"));
        assert!(mount.status().unwrap().success());
    }

    /// Leaves so many bytes free.
    fn fill(&self, free: usize) {
        let filler = self.place.path("disk/filler");
        let _ = fs::remove_file(&filler);
        let mut file = fs::File::create(&filler).unwrap();
        while file.write_all(&[b'x'; 4096]).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(free as u64)).unwrap();
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.place.path("disk")).status();
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    let place = Place::new();
    let Some(disk) = Disk::mount(&place, "size=1m") else {
        return;
    };
    place.write("access.log", combined(0, 100));
    place.write("large.log", combined(1_000, 100_000));
    let ingest = |log: &str| place.floodmark(&["ingest", "--lake", "disk/lake", log]);
    let full = |run: &Run| {
        let said = errors(&place, run);
        assert_eq!(run.code, 2, "{run:#?}");
        assert!(said.starts_with("error: "), "{said}");
        assert!(said.contains("no space left on device\nhint: free space and run it again; what was committed stays, and nothing is added twice\n"), "{said}");
        said
    };
    // Full before there is a lake; in the middle of the rows; and after ever more of a commit.
    disk.fill(0);
    full(&ingest("access.log"));
    disk.fill(1 << 20);
    assert_eq!(ingest("access.log").code, 0);
    disk.fill(100 << 10);
    let said = full(&ingest("large.log"));
    assert!(
        said.starts_with("error: cannot write `@/disk/lake/lines/date=2026-11-0"),
        "{said}"
    );
    assert_eq!(count(&place, &["--lake", "disk/lake"]), "100,100");
    let mut lines = 100;
    for free in (0..).step_by(4 << 10) {
        disk.fill(free);
        place.write("access.log", combined(0, lines + 100));
        let run = ingest("access.log");
        if run.code == 0 {
            lines += 100;
            break;
        }
        full(&run);
        let count = count(&place, &["--lake", "disk/lake"]);
        // Where the lines were committed and their minutes were not, the lines are there.
        if count == format!("{0},{0}", lines + 100) {
            lines += 100;
        }
        assert_eq!(count, format!("{lines},{lines}"), "{free} bytes free");
    }
    let minutes = [
        "sql",
        "-q",
        "-o",
        "csv",
        "--lake",
        "disk/lake",
        "select sum(total) as total from minutes",
    ];
    assert_eq!(
        place.floodmark(&minutes).done(),
        format!("total\n{lines}\n")
    );
    assert_eq!(
        count(&place, &["--lake", "disk/lake"]),
        format!("{lines},{lines}")
    );
    disk.fill(0);
    let run = place.floodmark(&["simulate", "--out", "disk/simulated", "--weeks", "1"]);
    let said = errors(&place, &run);
    assert!(
        said.starts_with("error: cannot write `disk/simulated/"),
        "{said}"
    );
    assert!(
        said.ends_with(": no space left on device\nhint: free space and run it again\n"),
        "{said}"
    );
    let run = place.floodmark(&["report", "--html", "disk/report.html", "access.log"]);
    assert_eq!(
        (run.code, errors(&place, &run).as_str()),
        (
            2,
            "error: cannot write `disk/report.html`: no space left on device\nhint: free space and run it again\n"
        )
    );
    assert!(!place.path("disk/report.html").exists());
}

#[test]
fn a_full_disk_below_the_answer() {
    let place = Place::new();
    place.write("access.log", combined(0, 10));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let run = end(place
        .command(&["sql", "--from", "access.log", "select path from requests"])
        .stdout(Stdio::from(full))
        .spawn()
        .unwrap());
    assert_eq!(run.code, 2, "{run:#?}");
    assert_eq!(
        errors(&place, &run),
        "error: cannot write the answer: no space left on device\nhint: free space and run it again\n"
    );
}

/// Bytes of a line without an end, sent through a pipe.
const LONG_LINE: usize = 200 << 20;

/// What a run may have in memory at most while it reads that line.
pub(crate) const MEMORY_MAX_KIB: u64 = 100 << 10;

/// The most that a process had in memory, in KiB; `None` once it has ended.
pub(crate) fn memory_peak(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let mut lines = status.lines();
    let peak = lines.find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().trim_end_matches(" kB").parse().unwrap())
}

#[test]
fn a_line_without_end_is_one_reject_in_constant_memory() {
    let place = Place::new();
    let mut child = place
        .command(&["ingest", "--format", "combined", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&combined(0, 10)).unwrap();
    let part = vec![b'x'; 1 << 20];
    for _ in 0..LONG_LINE / part.len() {
        input.write_all(&part).unwrap();
    }
    input.write_all(b"\n").unwrap();
    // What a pipe and the next reader hold is all that may still be on its way.
    input.write_all(&combined(10, 20_000)).unwrap();
    let peak = memory_peak(child.id()).unwrap();
    drop(input);
    let run = end(child);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(
        run.stderr
            .contains("20,011 lines = 20,010 requests + 1 reject + 0 blank\n"),
        "{run:#?}"
    );
    assert!(peak < MEMORY_MAX_KIB, "{peak} KiB");
    let reject = place.floodmark(&[
        "sql",
        "-q",
        "-o",
        "csv",
        "select line_bytes, reason, octet_length(raw) < 2000 as is_cut from rejects",
    ]);
    assert_eq!(
        reject.done(),
        format!(
            "line_bytes,reason,is_cut\n{},line_too_long,true\n",
            LONG_LINE + 1
        )
    );
}

#[test]
fn a_half_written_last_line_waits() {
    let place = Place::new();
    let log = combined(0, 10);
    place.write("access.log", &log[..log.len() - 20]);
    let run = place.floodmark(&["ingest", "access.log"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(run.stderr.contains(" bytes after the last newline wait for theirs\n9 lines = 9 requests + 0 rejects + 0 blank\n"), "{run:#?}");
    place.write("access.log", log);
    assert_eq!(place.floodmark(&["ingest", "access.log"]).code, 0);
    assert_eq!(count(&place, &[]), "10,10");
}

#[test]
fn standard_input_that_cannot_be_read() {
    let place = Place::new();
    for arguments in [
        &["ingest", "-"][..],
        &["ingest", "--format", "combined", "-"],
    ] {
        let folder = fs::File::open(place.path("")).unwrap();
        let run = end(place
            .command(arguments)
            .stdin(Stdio::from(folder))
            .spawn()
            .unwrap());
        assert_eq!(run.code, 2, "{run:#?}");
        assert_eq!(
            errors(&place, &run),
            "warning: cannot read standard input to its end: is a directory\n"
        );
    }
}

#[test]
fn hostile_bytes_do_not_reach_the_terminal() {
    let place = Place::new();
    place.write("evil\u{1b}[2J.log", "\u{1b}]0;owned\u{7} \u{9b}31m \u{202e}\n192.0.2.1 - - [09/Nov/2026:08:00:00 +0000] \"GET /\u{1b}[31m HTTP/1.1\" 200 1 \"-\" \"\u{202e}\u{85}\"\n".repeat(3));
    for arguments in [
        &["inspect", "--format", "combined", "evil\u{1b}[2J.log"][..],
        &[
            "sql",
            "--format",
            "combined",
            "--from",
            "evil\u{1b}[2J.log",
            "select path, http_user_agent from requests",
        ],
        &[
            "sql",
            "--format",
            "combined",
            "--from",
            "evil\u{1b}[2J.log",
            "select raw from rejects",
        ],
        &["report", "--format", "combined", "evil\u{1b}[2J.log"],
        &["ingest", "--format", "combined", "evil\u{1b}[2J.log"],
        &["inspect", "no\u{1b}[2J.log"],
        &[
            "sql",
            "--from",
            "evil\u{1b}[2J.log",
            "--format",
            "combined",
            "select \u{202e}\u{9b} from \"\u{1b}[2J\"",
        ],
    ] {
        let run = place.floodmark(arguments);
        let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!run.stdout.contains(hostile), "{run:#?}");
        assert!(!run.stderr.contains(hostile), "{run:#?}");
    }
}

#[test]
fn a_pipe_that_says_nothing_can_be_left() {
    let place = Place::new();
    let mut child = place
        .command(&["ingest", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    wait_for("handler for SIGTERM", || catches(id, 15).then_some(()));
    let input = child.stdin.take();
    signal("TERM", id);
    let run = end(child);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        run.stderr
            .ends_with("warning: stopped by a signal; run it again to go on from here\n"),
        "{run:#?}"
    );
    drop(input);
}

#[cfg(not(feature = "s3"))]
#[test]
fn a_lake_in_a_bucket_without_the_feature() {
    for arguments in [&["ingest", "access.log"][..], &["query", "status"]] {
        check(
            &[&["--lake", "s3://logs/lake"], arguments].concat(),
            "error: cannot use the lake `s3://logs/lake`: this floodmark is built without S3\n\
             hint: build one with `cargo build --release --features s3`, or name a folder with `--lake DIR`\n",
        );
    }
}

#[test]
fn a_lake_where_none_can_be() {
    check(
        &["--lake", "gs://logs/lake", "query", "status"],
        "error: `--lake`: expected a folder or `s3://BUCKET/PREFIX`, found `gs://logs/lake`\n",
    );
}
