//! What a name means, and what is said where it means no log.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::splits::{gzip, zstd};
use crate::world::World;
use floodmark_source::{
    Compression, DiscoverOptions, Discovery, Error, Rotation, discover, discover_sets,
};

const LINE: &str =
    "192.0.2.1 - - [31/Jan/2024:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n";

fn find(world: &World, names: &[&str]) -> Result<Discovery, Error> {
    let logs: Vec<String> = names
        .iter()
        .map(|name| world.path(name).display().to_string())
        .collect();
    let options = DiscoverOptions {
        log_set: None,
        head_parses: &|head| head.starts_with(b"192.0.2."),
        ..DiscoverOptions::default()
    };
    discover(&logs, &options)
}

/// The files, in order, and what is skipped, each with its reason.
#[track_caller]
fn check(world: &World, names: &[&str], files: &[&str], skipped: &[&str]) {
    let folder = format!("{}/", world.path("").display());
    let short = |text: String| {
        text.replace(folder.trim_end_matches('/'), "")
            .replace('/', "")
    };
    let found = find(world, names).unwrap();
    let paths: Vec<String> = found
        .files
        .iter()
        .map(|file| short(file.path.display().to_string()))
        .collect();
    assert_eq!(paths, files);
    let reasons: Vec<String> = found
        .skipped
        .iter()
        .map(|file| short(format!("{}: {}", file.path.display(), file.reason)))
        .collect();
    assert_eq!(reasons, skipped);
}

#[track_caller]
fn check_error(world: &World, name: &str, expected: &str) {
    let folder = world.path("").display().to_string();
    let error = find(world, &[name]).unwrap_err();
    assert_eq!(error.to_string().replace(&folder, ""), expected);
}

#[test]
fn a_directory_gives_its_access_logs_oldest_first_and_names_the_rest() {
    let world = World::new();
    world.write("access.log", LINE);
    world.write("access.log.1", LINE);
    world.write("access.log.10.gz", gzip(LINE));
    world.write("access.log.2.gz", zstd(LINE));
    world.write("edge_Access.log", "");
    world.write("error.log", LINE);
    world.write("nginx.conf", "http {}");
    world.write("access.conf", "http {}");
    world.write("access.png", b"\x89PNG\r\n\x1a\n\0\0");
    fs::create_dir(world.path("access.d")).unwrap();
    check(
        &world,
        &[""],
        &[
            "access.log.10.gz",
            "access.log.2.gz",
            "access.log.1",
            "access.log",
            "edge_Access.log",
        ],
        &[
            "access.conf: its first lines do not fit the format",
            "access.d: it is a directory",
            "access.png: it is not text: found a PNG image",
            "error.log: its name does not hold `access`",
            "nginx.conf: its name does not hold `access`",
        ],
    );
}

#[test]
fn what_a_name_and_first_bytes_say_of_a_file() {
    let world = World::new();
    world.write("access.log-20240131.gz", zstd(LINE));
    let found = find(&world, &["access.log-20240131.gz"]).unwrap();
    let file = &found.files[0];
    assert_eq!(file.log_set, "access.log");
    assert_eq!(file.compression, Compression::Zstd);
    assert_eq!(
        file.rotation,
        Rotation::Date {
            epoch_s: 1_706_659_200
        }
    );
    assert_eq!(file.disk_bytes, Some(zstd(LINE).len() as u64));
}

#[test]
fn a_given_log_set_is_that_of_every_file() {
    let world = World::new();
    world.write("a.log", LINE);
    let logs = [
        world.path("a.log").display().to_string(),
        "-".to_owned(),
        "-".to_owned(),
    ];
    let options = DiscoverOptions {
        log_set: Some("edge"),
        ..DiscoverOptions::default()
    };
    let found = discover(&logs, &options).unwrap();
    let sets: Vec<(&str, bool)> = found
        .files
        .iter()
        .map(|f| (f.log_set.as_str(), f.is_stdin()))
        .collect();
    assert_eq!(sets, [("edge", false), ("edge", true)]);
}

#[test]
fn a_log_brings_what_rotation_left_beside_it_if_asked() {
    let world = World::new();
    for name in [
        "access.log.1",
        "access.log.2.gz",
        "other.log.1",
        "access.log",
    ] {
        world.write(name, LINE);
    }
    let log = [world.path("access.log").display().to_string()];
    let found = |with_rotated| {
        let options = DiscoverOptions {
            with_rotated,
            ..DiscoverOptions::default()
        };
        let found = discover(&log, &options).unwrap().files.into_iter();
        let names = found.map(|file| file.path.file_name().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(found(false), ["access.log"]);
    assert_eq!(
        found(true),
        ["access.log.2.gz", "access.log.1", "access.log"]
    );
    // Renamed, and not opened anew yet.
    fs::remove_file(world.path("access.log")).unwrap();
    assert_eq!(found(true), ["access.log.2.gz", "access.log.1"]);
}

#[test]
fn a_file_met_twice_is_taken_once() {
    let world = World::new();
    world.write("access.log", LINE);
    fs::hard_link(world.path("access.log"), world.path("access-hard.log")).unwrap();
    symlink("access.log", world.path("access-soft.log")).unwrap();
    check(
        &world,
        &["access.log", ""],
        &["access.log"],
        &[
            "access-hard.log: it is the same file as `access.log`",
            "access-soft.log: it is the same file as `access.log`",
            "access.log: it is the same file as `access.log`",
        ],
    );
}

#[test]
fn a_glob_gives_the_logs_that_fit_it_whatever_their_names() {
    let world = World::new();
    world.write("edge.log", LINE);
    world.write("edge.log.1.gz", gzip(LINE));
    world.write("edge.tar", [&[b'x'; 257][..], b"ustar"].concat());
    fs::create_dir(world.path("edge.d")).unwrap();
    check(
        &world,
        &["edge*"],
        &["edge.log.1.gz", "edge.log"],
        &[
            "edge.d: it is a directory",
            "edge.tar: it is not text: found a tar archive",
        ],
    );
}

#[test]
fn a_file_whose_name_looks_like_a_glob_is_that_file() {
    let world = World::new();
    world.write("access[1].log", LINE);
    world.write("access1.log", LINE);
    check(&world, &["access[1].log"], &["access[1].log"], &[]);
}

#[test]
fn a_missing_file() {
    check_error(
        &World::new(),
        "access.log",
        "cannot open log source `access.log`: no such file or directory\n\
         hint: check the path; a directory, a glob such as `'/var/log/nginx/access.log*'` and `-` are read too",
    );
}

#[test]
fn a_glob_that_nothing_fits_and_one_that_is_none() {
    let world = World::new();
    check_error(
        &world,
        "*.log",
        "no file fits the glob `*.log`\n\
         hint: `*` does not cross `/`; quote the glob so that the shell leaves it alone",
    );
    let error = discover(&["/a[.log".to_owned()], &DiscoverOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the glob `/a[.log`: invalid range pattern, at byte 2\n\
         hint: to mean the character itself, write `[*]`, `[?]` or `[[]`"
    );
}

#[test]
fn a_directory_without_logs() {
    let world = World::new();
    let hint = "hint: of a directory those files are read whose name holds `access` and whose first lines fit the \
                format; name other files one by one, or state their format with `--format`";
    check_error(
        &world,
        "",
        &format!("no access log in ``: it holds no file\n{hint}"),
    );
    world.write("error.log", LINE);
    check_error(
        &world,
        "",
        &format!("no access log in ``: its one file is none\n{hint}"),
    );
    world.write("access.txt", "hello\n");
    check_error(
        &world,
        "",
        &format!("no access log in ``: none of its 2 files is one\n{hint}"),
    );
}

#[test]
fn binary_files_named_outright() {
    let world = World::new();
    world.write("a.log", b"\x7fELF\x02\x01\x01\0\0\0");
    check_error(
        &world,
        "a.log",
        "`a.log` is not a text log: found an ELF program\n\
         hint: logs are text with one request per line, plain or compressed with gzip or zstd",
    );
    world.write("a.log.xz", b"\xfd7zXZ\0rest");
    check_error(
        &world,
        "a.log.xz",
        "`a.log.xz` is not a text log: found xz data\n\
         hint: decompress it on the way in: `xz -dc a.log.xz | floodmark ingest -`",
    );
    let archive = [&[b'x'; 257][..], b"ustar"].concat();
    world.write("logs.tar.gz", gzip(archive));
    check_error(
        &world,
        "logs.tar.gz",
        "`logs.tar.gz` is not a text log: found a tar archive\n\
         hint: unpack it on the way in: `tar -xOf logs.tar.gz | floodmark ingest -`",
    );
}

#[test]
fn a_file_or_directory_that_may_not_be_read() {
    let world = World::new();
    world.write("access.log", LINE);
    fs::set_permissions(world.path("access.log"), fs::Permissions::from_mode(0o000)).unwrap();
    // For root there is no such file.
    if fs::File::open(world.path("access.log")).is_ok() {
        check(&world, &[""], &["access.log"], &[]);
        return;
    }
    let expected = "cannot open log source `access.log`: permission denied\n\
         hint: Nginx's logs usually belong to the group `adm`; run the command as a member of it, or with `sudo`";
    check_error(&world, "access.log", expected);
    check_error(&world, "", expected);
    check_error(&world, "access.log*", expected);
}

/// The files of logs that a server writes, each after its set, and what is skipped and what failed.
#[track_caller]
fn check_sets(world: &World, names: &[&str], files: &[(&str, &str)], rest: &[&str]) {
    let paths: Vec<_> = names.iter().map(|name| world.path(name)).collect();
    let folder = format!("{}/", world.path("x").parent().unwrap().display());
    let (found, failed) = discover_sets(&paths, None);
    let short = |text: &str| text.replace(&folder, "");
    let shown: Vec<_> = found
        .files
        .iter()
        .map(|file| {
            (
                short(&file.log_set),
                short(&file.path.display().to_string()),
            )
        })
        .collect();
    let expected: Vec<_> = files
        .iter()
        .map(|(set, file)| ((*set).to_owned(), (*file).to_owned()))
        .collect();
    assert_eq!(shown, expected);
    let skipped = found
        .skipped
        .iter()
        .map(|file| format!("{}: {}", file.path.display(), file.reason));
    let failed = failed.iter().map(|(path, error)| {
        let error = error.to_string();
        format!(
            "{}: {}",
            path.display(),
            error.lines().next().unwrap_or_default()
        )
    });
    let told: Vec<_> = skipped.chain(failed).map(|text| short(&text)).collect();
    assert_eq!(told, rest);
}

#[test]
fn a_log_of_a_server_is_found_with_what_rotation_left() {
    let world = World::new();
    world.write("access.log", LINE);
    world.write("access.log.1", LINE);
    world.write("access.log.10.gz", gzip(LINE));
    world.write("access.log.2.gz", gzip(LINE));
    world.write("access-20240131.log", LINE);
    world.write("other.log", LINE);
    world.write("other.log.1", b"\x89PNG\r\n\x1a\n\0\0");
    world.write("error.log", LINE);
    world.write("access.log.swp", LINE);
    check_sets(
        &world,
        &["access.log", "other.log"],
        &[
            ("access.log", "access-20240131.log"),
            ("access.log", "access.log.10.gz"),
            ("access.log", "access.log.2.gz"),
            ("access.log", "access.log.1"),
            ("access.log", "access.log"),
            ("other.log", "other.log"),
        ],
        &["other.log.1: it is not text: found a PNG image"],
    );
}

#[test]
fn a_log_whose_name_looks_rotated_is_its_own() {
    let world = World::new();
    world.write("access.log", LINE);
    world.write("access.log.1", LINE);
    world.write("access.log.1.gz", gzip(LINE));
    world.write("access.log.gz", gzip(LINE));
    world.write("access.log.gz.1", gzip(LINE));
    check_sets(
        &world,
        &["access.log", "access.log.1", "access.log.gz"],
        &[
            ("access.log", "access.log.1.gz"),
            ("access.log", "access.log"),
            ("access.log.1", "access.log.1"),
            ("access.log.gz", "access.log.gz.1"),
            ("access.log.gz", "access.log.gz"),
        ],
        &[],
    );
}

#[test]
fn logs_that_are_not_there_or_no_files_give_nothing() {
    let world = World::new();
    world.write("gone.log.1", LINE);
    fs::create_dir(world.path("folder.log")).unwrap();
    symlink("/dev/null", world.path("null.log")).unwrap();
    world.write("access.log", LINE);
    symlink(world.path("access.log"), world.path("same.log")).unwrap();
    check_sets(
        &world,
        &[
            "gone.log",
            "absent.log",
            "no/folder.log",
            "folder.log",
            "null.log",
            "access.log",
            "same.log",
        ],
        &[("gone.log", "gone.log.1"), ("access.log", "access.log")],
        &[
            "folder.log: it is a directory",
            "null.log: it is not a regular file",
            "same.log: it is the same file as `access.log`",
        ],
    );
}
