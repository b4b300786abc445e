//! From LOG arguments to files whose format is known.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use floodmark_format::{CompiledFormat, NginxConf};
use floodmark_ingest::LogSettings;
use floodmark_source::{DiscoverOptions, LogFile, discover, sample};

use crate::plan::Plan;
use crate::relay::Relay;
use crate::say::counted;

/// Bytes of a log from which its format is told.
const SAMPLE_BYTES: usize = 256 << 10;

/// What a line of a log looks like when nothing else is known: the format of an empty log.
const FORMAT_OF_NOTHING: &str = "combined";

/// Logs ready to be read.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) files: Vec<(LogFile, Arc<LogSettings>)>,
    stdin: Option<Stdin>,
}

/// How standard input is read.
#[derive(Debug)]
pub(crate) enum Reads {
    Once,
    /// It may be asked for again.
    Again,
    /// Once, and no further once this is set.
    UntilStopped(Arc<AtomicBool>),
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
    /// Finds the files, tells their formats and says both.
    pub(crate) fn find(plan: &Plan, arguments: &[String], reads: &Reads) -> Result<Self> {
        if arguments.is_empty() {
            bail!(
                "no logs given\nhint: name files, globs or directories, such as `/var/log/nginx`, or `-` for standard input"
            );
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
        let options = DiscoverOptions {
            log_set: plan.log_set.as_deref(),
            head_parses: &|head| head_parses(plan, head),
        };
        let found = discover(&arguments, &options)?;
        for skipped in &found.skipped {
            plan.voice.notice(&format!(
                "skipped {}: {}",
                skipped.path.display(),
                skipped.reason,
            ));
        }
        let conf = Conf::find(plan, &arguments)?;
        let mut settings: HashMap<String, Arc<LogSettings>> = HashMap::new();
        let mut files = Vec::new();
        for mut file in found.files {
            if stdin.as_ref().is_some_and(|stdin| stdin.path == file.path) {
                file.log_set = plan.log_set.clone().unwrap_or_else(|| "stdin".to_owned());
            }
            let chosen = choose(plan, conf.as_ref(), &file)?;
            let shared = settings
                .entry(chosen.format.text().to_owned())
                .or_insert_with(|| {
                    let from = &chosen.reason;
                    plan.voice.notice(&format!(
                        "{}: format `{}`, {from}",
                        file.log_set, chosen.name
                    ));
                    Arc::new(LogSettings {
                        format: chosen.format,
                        server_port: i32::from(plan.port),
                        trust: plan.trust.clone(),
                        secrets: plan.secrets,
                    })
                });
            files.push((file, Arc::clone(shared)));
        }
        Ok(Self { files, stdin })
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
        match &self.stdin {
            Some(stdin) => message.replace(&stdin.path.display().to_string(), "-"),
            None => message.to_owned(),
        }
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
            .flat_map(|(_, settings)| settings.format.variables())
            .map(|variable| variable.name.clone())
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

fn head_parses(plan: &Plan, head: &[u8]) -> bool {
    let whole_lines = head
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(head, |end| &head[..=end]);
    match &plan.format {
        Some(format) => whole_lines
            .split(|&b| b == b'\n')
            .any(|line| !line.is_empty() && format.parse(line).is_ok()),
        None => CompiledFormat::detect(whole_lines).is_some(),
    }
}

struct Chosen {
    format: CompiledFormat,
    name: String,
    reason: String,
}

/// `--format`, else what nginx.conf says of a log of this name if it reads the log, else what the lines look like.
fn choose(plan: &Plan, conf: Option<&Conf>, file: &LogFile) -> Result<Chosen> {
    if let Some(format) = &plan.format {
        return Ok(Chosen {
            name: format.name().to_owned(),
            format: format.clone(),
            reason: "as given".to_owned(),
        });
    }
    let sample = sample(file, SAMPLE_BYTES)?;
    if let Some(chosen) = conf.and_then(|conf| conf.format_of(file, &sample)) {
        return Ok(chosen);
    }
    if sample.is_empty() {
        let format = CompiledFormat::preset(FORMAT_OF_NOTHING).context("the preset is there")?;
        return Ok(Chosen {
            name: FORMAT_OF_NOTHING.to_owned(),
            format,
            reason: "taken for granted, as there is no line to tell it by".to_owned(),
        });
    }
    match CompiledFormat::detect(&sample) {
        Some(detected) if detected.matched * 2 > detected.lines => Ok(Chosen {
            name: detected.format.name().to_owned(),
            reason: format!(
                "detected: it reads {} of the first {}",
                detected.matched,
                counted(detected.lines as u64, "line"),
            ),
            format: detected.format,
        }),
        _ => bail!(
            "no known format reads most of `{}`\nhint: give it as Nginx's `log_format` has it, such as `--format '$remote_addr [$time_local] \"$request\" $status'`, or one of: {}",
            file.path.display(),
            CompiledFormat::preset_names().join(", "),
        ),
    }
}

/// An nginx.conf and where it lies.
struct Conf {
    path: PathBuf,
    conf: NginxConf,
}

impl Conf {
    /// `--nginx-conf`, else an nginx.conf in a directory that was given.
    fn find(plan: &Plan, arguments: &[String]) -> Result<Option<Self>> {
        let beside = || {
            arguments
                .iter()
                .map(|argument| Path::new(argument).join("nginx.conf"))
                .find(|path| path.is_file())
        };
        let Some(path) = plan.nginx_conf.clone().or_else(beside) else {
            return Ok(None);
        };
        let text =
            std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let conf = NginxConf::parse(&String::from_utf8_lossy(&text))
            .with_context(|| format!("cannot read the log directives of `{}`", path.display()))?;
        if !conf.includes.is_empty() {
            plan.voice.detail(&format!(
                "{}: `include` is not followed: {}",
                path.display(),
                conf.includes.join(", "),
            ));
        }
        Ok(Some(Self { path, conf }))
    }

    /// The format of the `access_log` whose file name is the log set's, if it reads the sample.
    fn format_of(&self, file: &LogFile, sample: &[u8]) -> Option<Chosen> {
        let file_name = |path: &str| Path::new(path).file_name().map(|name| name.to_owned());
        let access_log = self
            .conf
            .access_logs
            .iter()
            .find(|access_log| file_name(&access_log.path) == file_name(&file.log_set))?;
        let format = match self.conf.formats.get(&access_log.format) {
            Some(text) => CompiledFormat::compile(text).ok()?,
            None => CompiledFormat::preset(&access_log.format)?,
        };
        let lines = sample
            .split(|&b| b == b'\n')
            .filter(|line| !line.is_empty());
        let (read, all) = lines.fold((0, 0), |(read, all), line| {
            (read + u32::from(format.parse(line).is_ok()), all + 1)
        });
        (read * 2 > all || all == 0).then(|| Chosen {
            format,
            name: access_log.format.clone(),
            reason: format!("from {}", self.path.display()),
        })
    }
}

impl Stdin {
    /// `None` if it can be read as it is.
    fn open(plan: &Plan, reads: &Reads) -> Result<Option<Self>> {
        let mut stdin = Self::default();
        if let Reads::UntilStopped(stop) = reads {
            let relay = Relay::start(stop).context("cannot read standard input")?;
            stdin.path = relay.path();
            stdin.relay = Some(relay);
        }
        if matches!(reads, Reads::Again) || plan.format.is_none() {
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
