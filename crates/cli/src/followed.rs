//! What a follower writes down beside its claim, so that whoever asks the lake reads the same logs in the same way.
//!
//! One file for each host and set of arguments, in the lake's folder. It stays when the follower ends: the log is live still. Removing it
//! means that answers hold of that log what is in the lake.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use floodmark_format::CompiledFormat;
use floodmark_ingest::{Secrets, Trust};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::say::{Level, Voice};

/// Bytes of a log's path that the names of its files in the lake hold: with a host's name of 64 bytes, the longest on Linux, they end below
/// 255.
const NAME_BYTES_MAX: usize = 170;

/// The end of such a file's name.
const SUFFIX: &str = ".followed.json";

/// A file of another version is not understood.
const VERSION: u32 = 1;

/// The arguments that say which logs are followed, and how their lines are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Followed {
    version: u32,
    /// The host that has the logs.
    pub(crate) host: String,
    /// Absolute; none: what nginx.conf names.
    pub(crate) logs: Vec<String>,
    nginx_conf: Option<PathBuf>,
    nginx_prefix: Option<PathBuf>,
    port: u16,
    /// Texts of Nginx's `log_format`.
    formats: Vec<String>,
    trust: Vec<String>,
    log_set: Option<String>,
    keep_secrets: bool,
}

impl Followed {
    /// What a plan follows.
    pub(crate) fn of(plan: &Plan, logs: &[String]) -> Result<Self> {
        let absolute = |path: &Path| {
            let cannot = || format!("cannot tell where `{}` is", path.display());
            std::path::absolute(path).with_context(cannot)
        };
        let logs = logs.iter();
        let logs = logs.map(|log| Ok(absolute(Path::new(log))?.display().to_string()));
        let formats = plan.formats.iter();
        Ok(Self {
            version: VERSION,
            host: host(),
            logs: logs.collect::<Result<_>>()?,
            nginx_conf: plan.nginx_conf.as_deref().map(absolute).transpose()?,
            nginx_prefix: plan.nginx_prefix.as_deref().map(absolute).transpose()?,
            port: plan.port,
            formats: formats.map(|format| format.text().to_owned()).collect(),
            trust: plan.trust.clone(),
            log_set: plan.log_set.clone(),
            keep_secrets: plan.secrets == Secrets::Keep,
        })
    }

    /// All that was written down in a lake's folder, in order of the files' names; in place of what cannot be read why.
    pub(crate) fn all(folder: &Path) -> Vec<(PathBuf, Result<Self>)> {
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_one = |path: &PathBuf| path.to_str().is_some_and(|path| path.ends_with(SUFFIX));
        let mut paths: Vec<PathBuf> = paths.filter(is_one).collect();
        paths.sort();
        let read = paths.into_iter().map(|path| {
            let followed = Self::read(&path);
            (path, followed)
        });
        read.collect()
    }

    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)?;
        let followed: Self =
            serde_json::from_str(&text).context("it is not what a follower writes")?;
        anyhow::ensure!(
            followed.version == VERSION,
            "expected version {VERSION}, found {}",
            followed.version
        );
        Trust::parse(&followed.trust).context("`trust`")?;
        followed.formats()?;
        Ok(followed)
    }

    fn formats(&self) -> Result<Vec<CompiledFormat>> {
        let formats = self.formats.iter();
        let formats = formats.map(|text| CompiledFormat::compile(text).context("`formats`"));
        formats.collect()
    }

    /// Writes it down in the lake's folder, in place of what was there of the same logs.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let first = self
            .logs
            .first()
            .map_or_else(|| of_conf(self.port), PathBuf::from);
        let path = folder.join(format!("{}@{}{SUFFIX}", name_of(&first), self.host));
        let text = serde_json::to_string_pretty(self)? + "\n";
        // Under a temporary name first, so that nobody reads half of it; such a file is 0600.
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// The plan by which its follower reads, of a command that has `plan`. What is found on the way is not said again.
    pub(crate) fn plan(&self, plan: &Plan) -> Result<Plan> {
        Ok(Plan {
            formats: self.formats()?,
            nginx_conf: self.nginx_conf.clone(),
            nginx_prefix: self.nginx_prefix.clone(),
            port: self.port,
            trust: self.trust.clone(),
            log_set: self.log_set.clone(),
            secrets: match self.keep_secrets {
                true => Secrets::Keep,
                false => Secrets::Redact,
            },
            voice: Voice {
                level: Level::Silent,
            },
            ..plan.clone()
        })
    }

    /// The logs in a message.
    pub(crate) fn shown(&self) -> String {
        match self.logs.as_slice() {
            [] => format!("the logs of port {}", self.port),
            logs => logs
                .iter()
                .map(|log| format!("`{log}`"))
                .collect::<Vec<_>>()
                .join(", "),
        }
    }
}

/// Makes the folder of a lake that nobody wrote to yet.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("cannot write to the lake `{}`", folder.display()))
}

/// What stands for the logs that nginx.conf names, where a log is wanted.
pub(crate) fn of_conf(port: u16) -> PathBuf {
    PathBuf::from(format!("nginx.conf-{port}"))
}

/// `tail-var-log-nginx-access.log`.
pub(crate) fn name_of(log: &Path) -> String {
    let absolute = std::path::absolute(log).unwrap_or_else(|_| log.to_owned());
    let path = absolute.display().to_string().replace('/', "-");
    let cut = path.ceil_char_boundary(path.len().saturating_sub(NAME_BYTES_MAX));
    format!("tail{}", &path[cut..])
}

/// The name of this host. The file first: a service that is shut off from the rest of the system still sees it.
pub(crate) fn host() -> String {
    let name = |path| {
        let name = fs::read_to_string(path).ok()?;
        let name = name.trim().replace('/', "-");
        (!name.is_empty()).then_some(name)
    };
    let name = name("/etc/hostname").or_else(|| name("/proc/sys/kernel/hostname"));
    name.unwrap_or_else(|| "localhost".to_owned())
}
