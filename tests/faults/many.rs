//! Many files: those that did not change since they were read are not read again, and forgetting that costs time alone.

use std::fs;

use super::{count, is_whole, straced};
use crate::command::Place;

/// Logs that have lain there for a while: a file that changed a moment ago is not remembered.
const LOGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sample-logs");

#[test]
fn a_second_run_reads_the_ends_of_files_alone() {
    let place = Place::new();
    assert_eq!(place.floodmark(&["ingest", "-q", LOGS]).code, 0);
    let rows = count(&place, &[]);
    // The thread that looks for logs and plans.
    let run = straced(&place, &["-y", "--trace=read,pread64"], &["ingest", LOGS]);
    assert_eq!(run.code, 0, "{run:#?}");
    let said = "access.log: nothing new, all of it is in the lake\n0 lines = 0 requests + 0 rejects + 0 blank\n";
    assert!(run.stderr.contains(said), "{run:#?}");
    let trace = fs::read_to_string(place.path("trace")).unwrap();
    let reads: Vec<&str> = trace
        .lines()
        .filter(|line| line.contains("/sample-logs/access.log"))
        .collect();
    let is_end = |line: &&str| line.starts_with("pread64(") && line.ends_with(" = 8");
    assert!(reads.len() == 6 && reads.iter().all(is_end), "{reads:#?}");
    // Nothing but time is lost with the memory, and with one that is damaged.
    let memory = place.path("home/.cache/floodmark");
    let file = fs::read_dir(&memory)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::write(&file, &fs::read(&file).unwrap()[..100]).unwrap();
    assert_eq!(place.floodmark(&["ingest", "-q", LOGS]).code, 0);
    fs::remove_dir_all(&memory).unwrap();
    assert_eq!(place.floodmark(&["ingest", "-q", LOGS]).code, 0);
    assert_eq!(count(&place, &[]), rows);
    // And another lake is another memory.
    let other = ["ingest", "-q", "--lake", "other", LOGS];
    assert_eq!(place.floodmark(&other).code, 0);
    assert_eq!(count(&place, &["--lake", "other"]), rows);
    is_whole(&place, &[]);
    is_whole(&place, &["--lake", "other"]);
}
