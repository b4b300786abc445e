//! Logs of real servers, where there are some: `FLOODMARK_SHARED_DATA` names a folder of them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use floodmark_format::CompiledFormat;

use crate::agreement::{Verdict, compare};
use crate::reference::Reference;

/// What became of the lines of a log.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    lines: usize,
    /// As Nginx writes them, in one way only.
    clear: usize,
    /// As Nginx writes them, in several.
    ambiguous: usize,
    of_others: usize,
    rejected: usize,
}

/// How the names of the logs begin, and what they are written in.
const LOGS: &[(&str, &str)] = &[
    ("apache_combined_10k", "combined"),
    ("ncsa_common_1995_4k", "common"),
    ("nginx_combined_1400", "main"),
    (
        "nginx_combined_plus_number_500",
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $number"#,
    ),
    (
        "nginx_custom_timings_1k",
        r#"$remote_addr [$time_local] "$request" $status $request_length $body_bytes_sent $request_time "$t_size" $read_time $gen_time"#,
    ),
    ("nginx_main_xff_1k", "main"),
    ("nginx_podcast_rotated/", "combined"),
];

fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = File::open(path).expect("a log");
    if path.extension().is_some_and(|extension| extension == "gz") {
        MultiGzDecoder::new(file).read_to_end(&mut bytes)
    } else {
        file.read_to_end(&mut bytes)
    }
    .expect("a log that can be read");
    bytes
}

/// Reads all lines of a log both ways.
fn tally(path: &Path, format: &str) -> Tally {
    let format = CompiledFormat::named(format).expect("a format");
    let reference = Reference::new(&format).expect("a format of Nginx's");
    let mut tally = Tally::default();
    let log = read(path);
    for line in log
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        tally.lines += 1;
        let verdict = compare(&format, &reference, line)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        *match verdict {
            Verdict::Read { ways: 1 } => &mut tally.clear,
            Verdict::Read { .. } | Verdict::Open => &mut tally.ambiguous,
            Verdict::OthersLine => &mut tally.of_others,
            Verdict::Rejected => &mut tally.rejected,
        } += 1;
    }
    tally
}

/// The files in a folder and in the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of logs") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn real_logs_are_read_as_the_reference_reads_them() {
    let Some(folder) = std::env::var_os("FLOODMARK_SHARED_DATA") else {
        return;
    };
    let folder = Path::new(&folder);
    let mut told = String::new();
    for path in files(folder) {
        let name = path
            .strip_prefix(folder)
            .expect("in the folder")
            .display()
            .to_string();
        let known = LOGS.iter().find(|(start, _)| name.starts_with(start));
        if let Some((_, format)) = known {
            let tally = tally(&path, format);
            told.push_str(&format!("{name}: {tally:?}\n"));
            assert!(tally.lines > 0 && tally.ambiguous == 0, "{told}");
            assert!(tally.rejected * 1_000 <= tally.lines, "{told}");
        }
    }
    assert!(!told.is_empty(), "no known log in {}", folder.display());
}
