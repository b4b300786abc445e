//! From what the user named to the log files that it means.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::input::{head, identity};
use crate::log_file::split_name;
use crate::seen::Stamp;
use crate::sniff;
use crate::{Compression, Error, FileIdentity, LogFile, Rotation, Seen};

/// The log set of standard input and of pipes, which have no name worth keeping.
const STREAM_LOG_SET: &str = "stdin";

/// How to look for logs.
#[derive(Clone, Copy)]
pub struct DiscoverOptions<'a> {
    /// The log set of everything found; by default each file's name without rotation suffixes.
    pub log_set: Option<&'a str>,
    /// Whether decompressed first bytes (1 KiB, or all there are; the last line may be cut) look like a log. Asked for
    /// files found in directories that are not empty; by default everything does.
    pub head_parses: &'a dyn Fn(&[u8]) -> bool,
    /// What was read before: a file that has not changed since is not opened for its first bytes. By default nothing.
    pub seen: Option<&'a Seen>,
    /// Whether a log that is named brings what rotation left beside it. By default it is taken alone.
    pub with_rotated: bool,
}

impl Default for DiscoverOptions<'_> {
    fn default() -> Self {
        Self {
            log_set: None,
            head_parses: &|_| true,
            seen: None,
            with_rotated: false,
        }
    }
}

impl fmt::Debug for DiscoverOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiscoverOptions")
            .field("log_set", &self.log_set)
            .finish_non_exhaustive()
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Discovery {
    /// The logs: the sets in the order in which they were first met, and of each set the oldest file first.
    pub files: Vec<LogFile>,
    /// The other files that were met.
    pub skipped: Vec<Skipped>,
}

/// A file that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub reason: SkipReason,
}

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipReason {
    /// It was found in a directory and its name does not hold `access`.
    Name,
    /// It was found in a directory and its first lines are not those of a log.
    Head,
    /// It holds something else than text: what, in words.
    NotText(&'static str),
    /// It is a directory in a directory or among the files that fit a glob.
    Directory,
    /// It is a pipe, socket or device.
    Special,
    /// It is this file, which is read.
    SameFile(PathBuf),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("its name does not hold `access`"),
            Self::Head => f.write_str("its first lines do not fit the format"),
            Self::NotText(found) => write!(f, "it is not text: found {found}"),
            Self::Directory => f.write_str("it is a directory"),
            Self::Special => f.write_str("it is not a regular file"),
            Self::SameFile(path) => write!(f, "it is the same file as `{}`", path.display()),
        }
    }
}

/// Finds the logs that `arguments` name: files, globs, directories, and `-` for standard input.
///
/// Of a directory, not of those in it, the files are taken whose name holds `access` (in any case) and whose first
/// bytes parse; empty ones too. A path that exists is never read as a glob. A file met twice, by whatever name, is
/// taken once, under its first name. Only first bytes are read, and of standard input and pipes nothing.
///
/// # Errors
///
/// A path that does not exist or may not be read, a glob that nothing fits, a directory or glob without a log, a file
/// named outright that is not text.
pub fn discover(arguments: &[String], options: &DiscoverOptions<'_>) -> Result<Discovery, Error> {
    let mut search = Search::new(*options);
    let mut folders: HashMap<&Path, Siblings> = HashMap::new();
    for argument in arguments {
        let path = Path::new(argument);
        let rotated = match options.with_rotated && !path.is_dir() {
            true => siblings(path, &mut folders)?,
            false => &[],
        };
        // Renamed, and not opened anew yet: then there is what it became.
        if rotated.is_empty() || path.exists() {
            search.argument(argument)?;
        }
        for file in rotated {
            search.found_at(file)?;
        }
    }
    Ok(in_order(search.found, &[]))
}

/// Finds the files of the logs that a server writes at `paths`: the log itself and what rotation made of it and left
/// beside it. Each log is a log set of its own, whose name is its path.
///
/// A log that is not there gives no file; one that is a directory, a pipe or a device, such as `/dev/stdout`, is
/// skipped. A file met twice, by whatever name, is taken once. What cannot be read does not keep the others from being
/// found: the errors stand beside them, each with the path of its log. `seen` is as in [`DiscoverOptions`].
pub fn discover_sets(paths: &[PathBuf], seen: Option<&Seen>) -> (Discovery, Vec<(PathBuf, Error)>) {
    let names: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let live: HashSet<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let mut folders: HashMap<&Path, Siblings> = HashMap::new();
    let mut search = Search::new(DiscoverOptions {
        seen,
        ..DiscoverOptions::default()
    });
    let mut failed = Vec::new();
    // All logs before what was rotated: a name that is one log's may look like another's with a suffix.
    for (path, name) in paths.iter().zip(&names) {
        search.options.log_set = Some(name);
        if let Err(error) = search.found_at(path) {
            failed.push((path.clone(), error));
        }
    }
    for (path, name) in paths.iter().zip(&names) {
        // Where the log may not be seen, what is beside it may not either: that is said once.
        if failed.iter().any(|(known, _)| known == path) {
            continue;
        }
        search.options.log_set = Some(name);
        let rotated = match siblings(path, &mut folders) {
            Ok(rotated) => rotated,
            Err(error) => {
                failed.push((path.clone(), error));
                continue;
            }
        };
        for file in rotated.iter().filter(|file| !live.contains(file.as_path())) {
            if let Err(error) = search.found_at(file) {
                failed.push((path.clone(), error));
            }
        }
    }
    (in_order(search.found, &names), failed)
}

/// The files of a folder that have a rotation suffix, by their names without it.
type Siblings = HashMap<OsString, Vec<PathBuf>>;

/// What rotation left beside `path`, in order of name.
fn siblings<'a, 'path>(
    path: &'path Path,
    folders: &'a mut HashMap<&'path Path, Siblings>,
) -> Result<&'a [PathBuf], Error> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(&[]);
    };
    if !folders.contains_key(folder) {
        folders.insert(folder, rotated_in(folder)?);
    }
    Ok(folders[folder].get(name).map_or(&[], Vec::as_slice))
}

fn rotated_in(folder: &Path) -> Result<Siblings, Error> {
    let listed = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let entries = match fs::read_dir(listed) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Siblings::new()),
        Err(error) => return Err(Error::open(listed, error)),
    };
    let mut rotated = Siblings::new();
    for entry in entries {
        let name = entry
            .map_err(|error| Error::open(listed, error))?
            .file_name();
        let Some((set, _)) = name.to_str().map(split_name) else {
            continue;
        };
        if set.as_str() != name {
            rotated
                .entry(set.into())
                .or_default()
                .push(folder.join(name));
        }
    }
    for files in rotated.values_mut() {
        files.sort();
    }
    Ok(rotated)
}

/// The sets in the order given, then as they were met; of each the oldest file first.
fn in_order(found: Discovery, sets: &[String]) -> Discovery {
    let Discovery { mut files, skipped } = found;
    let mut order: HashMap<String, usize> = HashMap::new();
    for set in sets.iter().chain(files.iter().map(|file| &file.log_set)) {
        let next = order.len();
        order.entry(set.clone()).or_insert(next);
    }
    files.sort_by(|a, b| {
        let key = |file: &LogFile| (order[&file.log_set], file.rotation.age());
        key(a).cmp(&key(b)).then_with(|| a.path.cmp(&b.path))
    });
    Discovery { files, skipped }
}

/// How a path came up, which decides what is an error and what is passed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    Named,
    InGlob,
    InDirectory,
}

struct Search<'a> {
    options: DiscoverOptions<'a>,
    found: Discovery,
    met: HashMap<FileIdentity, PathBuf>,
    has_stdin: bool,
}

impl<'a> Search<'a> {
    fn new(options: DiscoverOptions<'a>) -> Self {
        Self {
            options,
            found: Discovery::default(),
            met: HashMap::new(),
            has_stdin: false,
        }
    }

    /// A file that nobody named: gone is not there, and anything but a log is skipped.
    fn found_at(&mut self, path: &Path) -> Result<(), Error> {
        match fs::metadata(path) {
            Ok(metadata) => match self.file(path, &metadata, Met::InGlob) {
                Err(Error::Vanished { .. }) => Ok(()),
                other => other,
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::open(path, error)),
        }
    }

    fn argument(&mut self, argument: &str) -> Result<(), Error> {
        if argument == "-" {
            if !std::mem::replace(&mut self.has_stdin, true) {
                self.stream(Path::new("-"));
            }
            return Ok(());
        }
        let path = Path::new(argument);
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.directory(path),
            Ok(metadata) => self.file(path, &metadata, Met::Named),
            Err(error)
                if error.kind() == ErrorKind::NotFound && argument.contains(['*', '?', '[']) =>
            {
                self.glob(argument)
            }
            Err(error) => Err(Error::open(path, error)),
        }
    }

    fn directory(&mut self, path: &Path) -> Result<(), Error> {
        let open = |source| Error::open(path, source);
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(open)? {
            entries.push(entry.map_err(open)?.path());
        }
        self.several(path, entries, Met::InDirectory)
    }

    fn glob(&mut self, pattern: &str) -> Result<(), Error> {
        let paths = glob::glob(pattern).map_err(|error| Error::BadGlob {
            pattern: pattern.to_owned(),
            offset: error.pos,
            problem: error.msg,
        })?;
        let mut entries = Vec::new();
        for path in paths {
            entries.push(path.map_err(|error| {
                let path = error.path().to_owned();
                Error::open(&path, error.into())
            })?);
        }
        if entries.is_empty() {
            return Err(Error::NoMatch {
                pattern: pattern.to_owned(),
            });
        }
        self.several(Path::new(pattern), entries, Met::InGlob)
    }

    fn several(&mut self, of: &Path, mut entries: Vec<PathBuf>, met: Met) -> Result<(), Error> {
        entries.sort();
        let (files, skipped) = (self.found.files.len(), self.found.skipped.len());
        for path in entries {
            match fs::metadata(&path) {
                Ok(metadata) => self.file(&path, &metadata, met)?,
                // Rotated away since it was listed, or a link that leads nowhere.
                Err(error) if !names_access(&path) && met == Met::InDirectory => {
                    drop(error);
                    self.skip(&path, SkipReason::Name);
                }
                Err(error) => return Err(Error::reopen(&path, error)),
            }
        }
        let mut reasons = self.found.skipped[skipped..]
            .iter()
            .map(|skipped| &skipped.reason);
        let is_known = reasons.any(|reason| matches!(reason, SkipReason::SameFile(_)));
        if self.found.files.len() == files && !is_known {
            return Err(Error::NoLogs {
                path: of.to_owned(),
                skipped: self.found.skipped.len() - skipped,
            });
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, metadata: &fs::Metadata, met: Met) -> Result<(), Error> {
        if metadata.is_dir() {
            self.skip(path, SkipReason::Directory);
            return Ok(());
        }
        if met == Met::InDirectory && !names_access(path) {
            self.skip(path, SkipReason::Name);
            return Ok(());
        }
        if !metadata.is_file() {
            match met {
                Met::Named => self.stream(path),
                Met::InGlob | Met::InDirectory => self.skip(path, SkipReason::Special),
            }
            return Ok(());
        }
        let identity = identity(metadata);
        if let Some(first) = self.met.get(&identity) {
            let reason = SkipReason::SameFile(first.clone());
            self.skip(path, reason);
            return Ok(());
        }
        // One that cannot be read is told below.
        let stamp = self
            .options
            .seen
            .and_then(|_| Stamp::of(path, metadata).ok());
        let unchanged = self.options.seen.zip(stamp);
        let unchanged = unchanged.and_then(|(seen, stamp)| seen.end_of(path, &stamp));
        let compression = match unchanged {
            // Nobody will read it.
            Some(_) => Compression::Plain,
            None => match self.compression_of_log(path, met)? {
                Some(compression) => compression,
                None => return Ok(()),
            },
        };
        self.met.insert(identity, path.to_owned());
        let name = path
            .file_name()
            .map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
        let (log_set, rotation) = split_name(&name);
        self.found.files.push(LogFile {
            path: path.to_owned(),
            log_set: self.options.log_set.map_or(log_set, str::to_owned),
            compression,
            rotation,
            disk_bytes: Some(metadata.len()),
            identity: Some(identity),
            unchanged,
            stamp,
        });
        Ok(())
    }

    /// The compression of a file whose first bytes are those of a log; one that is skipped has none.
    fn compression_of_log(&mut self, path: &Path, met: Met) -> Result<Option<Compression>, Error> {
        let (compression, head) = match head(path) {
            Err(Error::Missing { path }) if met != Met::Named => {
                return Err(Error::Vanished { path });
            }
            other => other?,
        };
        if let Some(found) = sniff::not_text(&head) {
            if met == Met::Named {
                return Err(Error::NotText {
                    path: path.to_owned(),
                    found,
                });
            }
            self.skip(path, SkipReason::NotText(found));
            return Ok(None);
        }
        if met == Met::InDirectory && !head.is_empty() && !(self.options.head_parses)(&head) {
            self.skip(path, SkipReason::Head);
            return Ok(None);
        }
        Ok(Some(compression))
    }

    fn stream(&mut self, path: &Path) {
        self.found.files.push(LogFile {
            path: path.to_owned(),
            log_set: self.options.log_set.unwrap_or(STREAM_LOG_SET).to_owned(),
            compression: Compression::Plain,
            rotation: Rotation::Live,
            disk_bytes: None,
            identity: None,
            unchanged: None,
            stamp: None,
        });
    }

    fn skip(&mut self, path: &Path, reason: SkipReason) {
        self.found.skipped.push(Skipped {
            path: path.to_owned(),
            reason,
        });
    }
}

fn names_access(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        name.to_string_lossy()
            .to_ascii_lowercase()
            .contains("access")
    })
}
