//! From LOG arguments, or from nginx.conf, to files whose format is known.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, anyhow, bail};
use floodmark_format::{AccessLog, CompiledFormat, Unlogged};
use floodmark_ingest::{LogSettings, Trust};
use floodmark_source::{
    DiscoverOptions, Discovery, FileIdentity, LogFile, Sample, Seen, Skipped, discover,
    discover_sets,
};

use crate::account;
use crate::conf::{Conf, KnownBy};
use crate::formats::choose;
use crate::plan::Plan;
use crate::relay::Relay;
use crate::say::counted;

/// Logs ready to be read.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) files: Vec<(LogFile, Arc<LogSettings>)>,
    /// Those that have not changed since they were read into the lake.
    pub(crate) unchanged: Vec<LogFile>,
    /// What named them, if that was nginx.conf.
    pub(crate) conf: Option<ConfLogs>,
    /// Where files were found.
    places: Places,
    stdin: Option<Stdin>,
}

/// Files by their paths.
type Places = BTreeMap<PathBuf, Option<FileIdentity>>;

/// The logs of one port, as nginx.conf has them.
#[derive(Debug)]
pub(crate) struct ConfLogs {
    pub(crate) logs: Vec<AccessLog>,
    pub(crate) unlogged: Vec<Unlogged>,
    /// Why a log, named by its path, is not read, or not all of it.
    pub(crate) unread: Vec<(String, String)>,
    /// How many of those are there and could not be read.
    pub(crate) failed: usize,
}

/// There are logs, and none of them can be read.
#[derive(Debug)]
pub(crate) struct NoneReadable {
    port: u16,
}

impl fmt::Display for NoneReadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "none of the logs that nginx.conf names for port {} can be read\nhint: `floodmark inspect` lists them, each with its reason",
            self.port
        )
    }
}

impl std::error::Error for NoneReadable {}

/// How logs are read.
#[derive(Debug)]
pub(crate) enum Reads {
    /// Their lines may be asked for again.
    Again,
    /// Once, into the lake.
    Once {
        /// Standard input no further than when this is set.
        stop: Arc<AtomicBool>,
        /// Other files, unless they have not changed since.
        seen: Seen,
        /// With what rotation left beside those that are named.
        with_rotated: bool,
    },
}

/// Standard input at a path of its own.
#[derive(Debug, Default)]
struct Stdin {
    path: PathBuf,
    relay: Option<Relay>,
    /// Holds it, where it has to be read more than once or looked at first.
    _spool: Option<tempfile::NamedTempFile>,
}

impl Logs {
    /// Finds the files, tells their formats and says both. Without arguments they are the logs that nginx.conf names.
    pub(crate) fn find(plan: &Plan, arguments: &[String], reads: &Reads) -> Result<Self> {
        if arguments.is_empty() {
            let logs = Self::of_conf(plan, reads.seen())?;
            if logs.files.is_empty() && logs.unchanged.is_empty() {
                return Err(NoneReadable { port: plan.port }.into());
            }
            return Ok(logs);
        }
        let stdin = match arguments.iter().any(|argument| argument == "-") {
            true => Stdin::open(plan, reads)?,
            false => None,
        };
        let arguments: Vec<String> = match &stdin {
            Some(stdin) => arguments
                .iter()
                .map(|argument| stdin.in_place_of(argument))
                .collect(),
            None => arguments.to_vec(),
        };
        let found = discovered(plan, &arguments, reads)?;
        say_skipped(plan, &found.skipped);
        let places = places(&found.files);
        let conf = Conf::beside(plan, &arguments)?;
        let mut chosen = Choices::default();
        let mut files = Vec::new();
        let mut unchanged = Vec::new();
        for mut file in found.files {
            if file.unchanged.is_some() {
                unchanged.push(file);
                continue;
            }
            if stdin.as_ref().is_some_and(|stdin| stdin.path == file.path) {
                file.log_set = plan.log_set.clone().unwrap_or_else(|| "stdin".to_owned());
            }
            let known = conf
                .as_ref()
                .and_then(|(conf, known_by)| Some((conf, conf.log_of(&file, *known_by)?)));
            let known = known.map(|(conf, (log, known_by))| {
                if known_by == KnownBy::Path && plan.log_set.is_none() {
                    file.log_set.clone_from(&log.path);
                }
                (log, conf.path.as_path())
            });
            let head = || stdin.as_ref()?.head(&file);
            let settings = chosen
                .settings(plan, &file, known, &head)
                .map_err(|error| in_words_of(stdin.as_ref(), error))?;
            files.push((file, settings));
        }
        Ok(Self {
            files,
            unchanged,
            conf: None,
            places,
            stdin,
        })
    }

    /// Whether there are the same files at the same paths as there were when these were found: none that was renamed between being
    /// listed and being opened has been missed.
    pub(crate) fn are_where_they_were(
        &self,
        plan: &Plan,
        arguments: &[String],
        reads: &Reads,
    ) -> bool {
        let files = match &self.conf {
            Some(conf) => Ok(discover_sets(&conf.readable(), reads.seen()).0.files),
            None => discovered(plan, arguments, reads).map(|found| found.files),
        };
        files.is_ok_and(|files| places(&files) == self.places)
    }

    /// The logs that nginx.conf names for the port, of which there may be no file. One that cannot be read does not keep
    /// the others from being read.
    pub(crate) fn of_conf(plan: &Plan, seen: Option<&Seen>) -> Result<Self> {
        let conf = Conf::of_logs(plan)?;
        let logs = conf.conf.logs(Some(plan.port));
        let unlogged = conf.conf.unlogged(plan.port);
        if logs.is_empty() {
            bail!(no_logs(plan, &conf, &unlogged));
        }
        let mut unread = Vec::new();
        let mut paths = Vec::new();
        for log in &logs {
            match log.unreadable() {
                Some(reason) => unread.push((log.path.clone(), reason.to_string())),
                None => paths.push(PathBuf::from(&log.path)),
            }
        }
        let (found, failures) = discover_sets(&paths, seen);
        say_skipped(plan, &found.skipped);
        let places = places(&found.files);
        let mut failures: Vec<(String, String)> = failures
            .iter()
            .map(|(path, error)| (path.display().to_string(), account::chain(error)))
            .collect();
        let mut chosen = Choices::default();
        let mut files = Vec::new();
        let mut unchanged = Vec::new();
        for file in found.files {
            if file.unchanged.is_some() {
                unchanged.push(file);
                continue;
            }
            let log = logs.iter().find(|log| log.path == file.log_set);
            let known = log.map(|log| (log, conf.path.as_path()));
            match chosen.settings(plan, &file, known, &|| None) {
                Ok(settings) => files.push((file, settings)),
                Err(error) => failures.push((file.log_set, format!("{error:#}"))),
            }
        }
        for (_, failure) in &failures {
            plan.voice.warn(failure);
        }
        let all = files.iter().map(|(file, _)| file).chain(&unchanged);
        let known: HashSet<&str> = all.map(|file| file.log_set.as_str()).collect();
        for path in paths.iter().map(|path| path.display().to_string()) {
            let is_skipped = found
                .skipped
                .iter()
                .find(|skipped| skipped.path == Path::new(&path));
            if !known.contains(path.as_str()) && !failures.iter().any(|(failed, _)| *failed == path)
            {
                let reason = is_skipped.map(|skipped| skipped.reason.to_string());
                unread.push((path, reason.unwrap_or_else(|| "it is not there".to_owned())));
            }
        }
        for (path, reason) in &unread {
            plan.voice.notice(&format!("{path} is not read: {reason}"));
        }
        let failed = failures.len();
        unread.extend(failures);
        Ok(Self {
            files,
            unchanged,
            conf: Some(ConfLogs {
                logs,
                unlogged,
                unread,
                failed,
            }),
            places,
            stdin: None,
        })
    }

    /// How many logs are there and could not be found out about.
    pub(crate) fn failed(&self) -> usize {
        self.conf.as_ref().map_or(0, |conf| conf.failed)
    }

    /// A log that can be read only once, as it is called in messages.
    pub(crate) fn read_once(&self) -> Option<String> {
        let (stream, _) = self.files.iter().find(|(file, _)| file.is_stream())?;
        Some(self.named(&format!("`{}`", stream.path.display())))
    }

    /// The settings by file, as an intake takes them.
    pub(crate) fn settings(&self) -> HashMap<PathBuf, Arc<LogSettings>> {
        self.files
            .iter()
            .map(|(file, settings)| (file.path.clone(), Arc::clone(settings)))
            .collect()
    }

    /// A message in which standard input is called `-`, by whatever path it is read.
    pub(crate) fn named(&self, message: &str) -> String {
        named(self.stdin.as_ref(), message)
    }

    /// The settings of a file, by its path as it is shown.
    pub(crate) fn settings_of(&self, path: &str) -> Option<&LogSettings> {
        let mut files = self.files.iter();
        let (_, settings) = files.find(|(file, _)| file.path.display().to_string() == path)?;
        Some(settings)
    }

    /// Why standard input could not be read to its end.
    pub(crate) fn stdin_failure(&self) -> Option<&std::io::Error> {
        self.stdin.as_ref()?.relay.as_ref()?.failure()
    }

    /// The variables of all formats, in order, each once.
    pub(crate) fn variables(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .files
            .iter()
            .flat_map(|(_, settings)| settings.variables())
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// How the logs are named in a report: the log sets, each with its number of files.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut sets: Vec<(&str, u64)> = Vec::new();
        for (file, _) in &self.files {
            match sets.iter_mut().find(|(set, _)| *set == file.log_set) {
                Some((_, files)) => *files += 1,
                None => sets.push((&file.log_set, 1)),
            }
        }
        sets.iter()
            .map(|(set, files)| format!("{set} ({})", counted(*files, "file")))
            .collect()
    }
}

impl ConfLogs {
    /// The paths of those that are files.
    fn readable(&self) -> Vec<PathBuf> {
        let logs = self.logs.iter().filter(|log| log.unreadable().is_none());
        logs.map(|log| PathBuf::from(&log.path)).collect()
    }
}

impl Reads {
    /// What is remembered of files.
    fn seen(&self) -> Option<&Seen> {
        match self {
            Self::Again => None,
            Self::Once { seen, .. } => Some(seen),
        }
    }
}

fn discovered(plan: &Plan, arguments: &[String], reads: &Reads) -> Result<Discovery> {
    let options = DiscoverOptions {
        log_set: plan.log_set.as_deref(),
        head_parses: &|head| head_parses(plan, head),
        seen: reads.seen(),
        with_rotated: matches!(
            reads,
            Reads::Once {
                with_rotated: true,
                ..
            }
        ),
    };
    Ok(discover(arguments, &options)?)
}

fn places(files: &[LogFile]) -> Places {
    let places = files.iter().map(|file| (file.path.clone(), file.identity));
    places.collect()
}

fn head_parses(plan: &Plan, head: &[u8]) -> bool {
    let whole_lines = head
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(head, |end| &head[..=end]);
    match plan.formats.is_empty() {
        true => CompiledFormat::detect(whole_lines).is_some(),
        false => CompiledFormat::lines_read(&plan.formats, whole_lines).0 > 0,
    }
}

fn named(stdin: Option<&Stdin>, message: &str) -> String {
    match stdin {
        Some(stdin) => message.replace(&stdin.path.display().to_string(), "-"),
        None => message.to_owned(),
    }
}

/// An error in which standard input is called `-`.
fn in_words_of(stdin: Option<&Stdin>, error: anyhow::Error) -> anyhow::Error {
    match stdin {
        Some(_) => anyhow!(named(stdin, &format!("{error:#}"))),
        None => error,
    }
}

fn say_skipped(plan: &Plan, skipped: &[Skipped]) {
    for skipped in skipped {
        plan.voice.notice(&format!(
            "skipped {}: {}",
            skipped.path.display(),
            skipped.reason,
        ));
    }
}

/// Why nginx.conf names no log for the port, and what to do.
fn no_logs(plan: &Plan, conf: &Conf, unlogged: &[Unlogged]) -> String {
    let (path, port) = (conf.path.display(), plan.port);
    if let Some(off) = unlogged.first() {
        return format!(
            "`{path}` has no log for port {port}: `access_log off` in {}\nhint: name logs as LOG",
            off.origin
        );
    }
    let ports: Vec<String> = conf.conf.ports().iter().map(u16::to_string).collect();
    let found = match ports.is_empty() {
        true => "none at all".to_owned(),
        false => format!("servers on {}", ports.join(", ")),
    };
    format!(
        "`{path}`: expected a server that listens on port {port}, found {found}\nhint: name another port with `--port`, another configuration with `--nginx-conf`, or logs as LOG"
    )
}

/// What the settings of a log depend on: formats, port, server name and trusted ranges.
type Known = (Vec<String>, u16, Option<String>, Vec<String>);

/// The settings chosen so far, shared by the files for which they are the same.
#[derive(Default)]
struct Choices {
    settings: HashMap<Known, Arc<LogSettings>>,
}

impl Choices {
    /// The settings of a file, and of what nginx.conf at a path says of it; said where they are new. `head` gives the
    /// beginning of what cannot be read twice.
    fn settings(
        &mut self,
        plan: &Plan,
        file: &LogFile,
        known: Option<(&AccessLog, &Path)>,
        head: &dyn Fn() -> Option<Sample>,
    ) -> Result<Arc<LogSettings>> {
        let chosen = choose(plan, known, file, head)?;
        let server_port = match known.map(|(log, _)| log.ports.as_slice()) {
            Some([port]) => *port,
            _ => plan.port,
        };
        let server_name = known.and_then(|(log, _)| log.server_name.clone());
        let trusted = trusted(plan, known.map(|(log, _)| log));
        let texts = chosen.iter().map(|chosen| chosen.format.text().to_owned());
        let key = (
            texts.collect(),
            server_port,
            server_name.clone(),
            trusted.clone(),
        );
        if let Some(settings) = self.settings.get(&key) {
            return Ok(Arc::clone(settings));
        }
        for (place, chosen) in chosen.iter().enumerate() {
            let label = if place == 0 { "format" } else { "and" };
            plan.voice.notice(&format!(
                "{}: {label} `{}`, {}",
                file.log_set, chosen.name, chosen.reason
            ));
        }
        let mut formats = chosen.into_iter().map(|chosen| chosen.format);
        let settings = Arc::new(LogSettings {
            format: formats.next().context("a log has a format")?,
            further: formats.collect(),
            server_port: i32::from(server_port),
            server_name,
            trust: Trust::parse(&trusted)?,
            secrets: plan.secrets,
        });
        self.settings.insert(key, Arc::clone(&settings));
        Ok(settings)
    }
}

/// The ranges of `--trust` and those of `set_real_ip_from`, but host names and `unix:`, which no logged address has.
fn trusted(plan: &Plan, log: Option<&AccessLog>) -> Vec<String> {
    let of_log = log.map_or(&[][..], |log| &log.trusted);
    let of_log = of_log.iter().filter(|range| Trust::parse(&[range]).is_ok());
    plan.trust.iter().chain(of_log).cloned().collect()
}

impl Stdin {
    /// `None` if it can be read as it is.
    fn open(plan: &Plan, reads: &Reads) -> Result<Option<Self>> {
        let mut stdin = Self::default();
        if let Reads::Once { stop, .. } = reads {
            let relay = Relay::start(stop).context("cannot read standard input")?;
            stdin.path = relay.path();
            stdin.relay = Some(relay);
        }
        if matches!(reads, Reads::Again) || plan.formats.is_empty() {
            let spool = match &stdin.relay {
                Some(relay) => {
                    spooled(File::open(relay.path()).context("cannot read standard input")?)?
                }
                None => spooled(std::io::stdin().lock())?,
            };
            spool.path().clone_into(&mut stdin.path);
            stdin._spool = Some(spool);
        }
        Ok((!stdin.path.as_os_str().is_empty()).then_some(stdin))
    }

    /// The beginning of `file`, if it is standard input and is passed on as it comes.
    fn head(&self, file: &LogFile) -> Option<Sample> {
        let relay = self.relay.as_ref()?;
        let is_passed_on = file.path == self.path && self._spool.is_none();
        is_passed_on.then(|| relay.head())
    }

    fn in_place_of(&self, argument: &str) -> String {
        if argument == "-" {
            self.path.display().to_string()
        } else {
            argument.to_owned()
        }
    }
}

fn spooled(mut input: impl Read) -> Result<tempfile::NamedTempFile> {
    let mut spool = tempfile::Builder::new()
        .prefix("stdin-")
        .suffix(".log")
        .tempfile()
        .context("cannot make a temporary file for standard input")?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = input
            .read(&mut buffer)
            .context("cannot read standard input")?;
        if read == 0 {
            return Ok(spool);
        }
        spool
            .write_all(&buffer[..read])
            .context("cannot keep standard input in a temporary file")?;
    }
}
