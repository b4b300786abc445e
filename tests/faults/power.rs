//! Power: what is on the disk when a commit can be seen.
//!
//! A disk that loses power keeps what was synced, and of the rest anything: the bytes of a file without its name, the
//! name without the bytes, one of two names. So nothing is lost, and no commit is seen in part, if at each moment
//!
//! - the file of a commit gets its name only after its own bytes, the bytes of all files that it names, their names, and
//!   those of all folders above them are synced: whether or not the name of the commit survives, what it names does;
//! - the run ends well only after the name of the commit is synced: what was told as done survives;
//! - the hint to a checkpoint gets its name only after the checkpoint's bytes and name are synced, since a reader that
//!   follows it reads no commit before it.
//!
//! What a commit does not name may survive in part: nobody reads it. The log itself has been written by others; what
//! of it was not synced comes back shorter than its source is, and is told as shrunk.
//!
//! The calls of a real run are followed by strace, and a model of the disk is asked at each name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Truth, is_whole, straced};
use crate::command::{Place, combined};

const INGEST: &[&str] = &["ingest", "-q", "access.log"];
const CALLS: &str = "--trace=openat,write,fsync,fdatasync,linkat,rename,mkdir,unlink";

/// What would not survive.
#[derive(Default)]
struct Disk {
    /// Files with bytes that are not synced.
    bytes: BTreeSet<PathBuf>,
    /// Names of files and folders that are not synced.
    names: BTreeSet<PathBuf>,
}

impl Disk {
    /// Whether a file survives, with its name and those of the folders above it.
    fn keeps(&self, path: &Path) -> bool {
        !self.bytes.contains(path) && path.ancestors().all(|path| !self.names.contains(path))
    }

    fn is_kept(&self, path: &Path) -> Result<(), String> {
        match self.keeps(path) {
            true => Ok(()),
            false => Err(format!("{} would not survive", path.display())),
        }
    }

    /// A call that came back, such as `fsync(9</path>) = 0`. `adds` gives the files that a commit names.
    fn take(&mut self, call: &str, adds: &dyn Fn(&Path) -> Vec<PathBuf>) -> Result<(), String> {
        let (name, rest) = call.split_once('(').unwrap_or((call, ""));
        let quoted: Vec<PathBuf> = rest
            .split('"')
            .skip(1)
            .step_by(2)
            .map(PathBuf::from)
            .collect();
        let of_descriptor = |text: &str| {
            let path = text.split_once('<')?.1.split_once('>')?.0;
            path.starts_with('/').then(|| PathBuf::from(path))
        };
        match name {
            "openat" if rest.contains("O_CREAT") => {
                self.names.insert(quoted[0].clone());
                self.bytes.insert(quoted[0].clone());
            }
            "write" => self.bytes.extend(of_descriptor(rest)),
            "fsync" | "fdatasync" => {
                let path = of_descriptor(rest).ok_or(call)?;
                self.bytes.remove(&path);
                self.names.retain(|name| name.parent() != Some(&path));
            }
            "mkdir" => drop(self.names.insert(quoted[0].clone())),
            "unlink" => {
                self.names.remove(&quoted[0]);
                self.bytes.remove(&quoted[0]);
            }
            "linkat" | "rename" => {
                let (from, to) = (&quoted[0], &quoted[1]);
                if self.bytes.contains(from) {
                    return Err(format!(
                        "{} is named before its bytes are synced",
                        to.display()
                    ));
                }
                self.is_kept(to.parent().unwrap())?;
                for path in adds(to) {
                    self.is_kept(&path)?;
                }
                self.names.insert(to.clone());
                if name == "rename" {
                    self.names.remove(from);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// All calls of a trace of several threads that came back.
    fn take_all(
        &mut self,
        trace: &str,
        adds: &dyn Fn(&Path) -> Vec<PathBuf>,
    ) -> Result<(), String> {
        let mut begun = std::collections::HashMap::new();
        for line in trace.lines() {
            let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
            let call = call.trim_start();
            if let Some(call) = call.strip_suffix("<unfinished ...>") {
                begun.insert(thread, call);
                continue;
            }
            let whole = match call.split_once(" resumed>") {
                Some((_, end)) => format!("{}{end}", begun.remove(thread).unwrap_or_default()),
                None => call.to_owned(),
            };
            let result = whole.rsplit_once(" = ").map_or("?", |(_, result)| result);
            if result.starts_with(|digit: char| digit.is_ascii_digit()) {
                self.take(&whole, adds)?;
            }
        }
        Ok(())
    }
}

/// The files that a commit or a hint is of no use without.
fn needed_by(path: &Path) -> Vec<PathBuf> {
    let log = path.parent().unwrap();
    if path.ends_with("_last_checkpoint") {
        let hint: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let version = hint["version"].as_u64().unwrap();
        return vec![log.join(format!("{version:020}.checkpoint.parquet"))];
    }
    if path.extension().is_none_or(|extension| extension != "json") {
        return Vec::new();
    }
    let commit = fs::read_to_string(path).unwrap();
    let actions = commit
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let adds = actions.filter_map(|action: serde_json::Value| {
        Some(log.parent()?.join(action["add"]["path"].as_str()?))
    });
    adds.collect()
}

/// Follows a run, and checks that each name is given when it may be.
#[track_caller]
fn follow(disk: &mut Disk, place: &Place, options: &[&str], code: i32) {
    let run = straced(
        place,
        &[&["-f", "-y", "-s", "4096", CALLS], options].concat(),
        INGEST,
    );
    assert_eq!(run.code, code, "{run:#?}");
    let trace = fs::read_to_string(place.path("trace")).unwrap();
    if let Err(lost) = disk.take_all(&trace, &needed_by) {
        panic!("{lost}:\n{trace}");
    }
}

fn log_of(place: &Place) -> PathBuf {
    let home = fs::canonicalize(place.path("home")).unwrap();
    home.join("data/floodmark/lake/lines/_delta_log")
}

#[test]
fn a_commit_is_named_after_all_that_it_names_is_synced() {
    let log = combined(80_000, 10_000);
    let truth = Truth::of(&[("access.log", &log)]);
    let place = Place::new();
    let mut disk = Disk::default();
    for (version, lines) in [(1, 5_000), (2, 10_000)] {
        let bytes: usize = log
            .split_inclusive(|byte| *byte == b'\n')
            .take(lines)
            .map(<[u8]>::len)
            .sum();
        place.write("access.log", &log[..bytes]);
        follow(&mut disk, &place, &[], 0);
        let commit = log_of(&place).join(format!("{version:020}.json"));
        assert!(commit.exists());
        // The second batch is of two days.
        assert_eq!(needed_by(&commit).len(), if version == 1 { 1 } else { 2 });
        assert_eq!(disk.is_kept(&commit), Ok(()));
    }
    truth.check(&place, &[]);
}

#[test]
fn a_hint_is_named_after_its_checkpoint_is_synced() {
    let place = Place::new();
    place.write("access.log", combined(0, 10));
    assert_eq!(place.floodmark(INGEST).code, 0);
    for version in 2..99 {
        let commit = log_of(&place).join(format!("{version:020}.json"));
        fs::write(commit, "{\"commitInfo\":{}}").unwrap();
    }
    place.write("access.log", combined(0, 20));
    let mut disk = Disk::default();
    follow(&mut disk, &place, &[], 0);
    let hint = log_of(&place).join("_last_checkpoint");
    assert_eq!(disk.is_kept(&hint), Ok(()));
    assert_eq!(disk.is_kept(&needed_by(&hint)[0]), Ok(()));
    is_whole(&place, &[]);
}

#[test]
fn what_a_killed_run_did_not_sync_the_next_one_does() {
    for nth in 1..8 {
        let place = Place::new();
        place.write("access.log", combined(0, 100));
        // Folders above that of the lake are made once, by whoever is first.
        fs::create_dir_all(place.path("home/data/floodmark")).unwrap();
        let mut disk = Disk::default();
        let kill = format!("--inject=fsync:signal=KILL:when={nth}");
        follow(&mut disk, &place, &[&kill], -1);
        follow(&mut disk, &place, &[], 0);
        let commit = log_of(&place).join(format!("{:020}.json", 1));
        assert_eq!(disk.is_kept(&commit), Ok(()), "killed at sync {nth}");
        is_whole(&place, &[]);
    }
}

/// Gives a trace to the model, in which `/lake/2.json` names `/lake/day/a.parquet`.
#[track_caller]
fn check(trace: &str, expected: Result<(), &str>) {
    let adds = |path: &Path| match path.ends_with("2.json") {
        true => vec![PathBuf::from("/lake/day/a.parquet")],
        false => Vec::new(),
    };
    let taken = Disk::default().take_all(trace, &adds);
    assert_eq!(taken, expected.map_err(str::to_owned));
}

#[test]
fn the_model_knows_a_sync_that_is_missing() {
    let create = "1 openat(AT_FDCWD, \"/lake/day/a.parquet\", O_WRONLY|O_CREAT, 0666) = 9</lake/day/a.parquet>\n";
    let sync = "1 fsync(9</lake/day/a.parquet>) = 0\n1 fsync(9</lake/day>) = 0\n";
    let link = "1 linkat(AT_FDCWD</>, \"/lake/.tmp\", AT_FDCWD</>, \"/lake/2.json\", 0) = 0\n";
    check(&[create, sync, link].concat(), Ok(()));
    let lost = "/lake/day/a.parquet would not survive";
    check(&[create, link].concat(), Err(lost));
    check(&[create, link, sync].concat(), Err(lost));
    for half in sync.split_inclusive('\n') {
        check(&[create, half, link].concat(), Err(lost));
    }
    let folder = "1 mkdir(\"/lake/day\", 0700) = 0\n";
    check(&[folder, create, sync, link].concat(), Err(lost));
    let write = "1 write(9</lake/.tmp>, \"{}\", 2) = 2\n";
    let unsynced = "/lake/2.json is named before its bytes are synced";
    check(&[create, sync, write, link].concat(), Err(unsynced));
    // A sync that has not come back yet, and one that failed.
    let threads =
        "1 fsync(9</lake/day> <unfinished ...>\n2 write(4<anon_inode:[eventfd]>, \"\\1\", 8) = 8\n";
    let file = sync.lines().next().unwrap();
    let begun = [create, file, "\n", threads].concat();
    check(&[&begun, link].concat(), Err(lost));
    check(
        &[&begun, "1 <... fsync resumed>) = 0\n", link].concat(),
        Ok(()),
    );
    check(
        &[
            &begun,
            "1 <... fsync resumed>) = -1 EIO (Input/output error) (INJECTED)\n",
            link,
        ]
        .concat(),
        Err(lost),
    );
}
