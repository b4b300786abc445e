//! The checked plan of a run, built once from the arguments.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use floodmark_format::{CompiledFormat, FORMATS_MAX};
use floodmark_ingest::{Secrets, Trust};
use floodmark_query::EngineOptions;
use floodmark_store::Location;
#[cfg(feature = "s3")]
use floodmark_store::{S3Location, S3Options};

use crate::args::Shared;
use crate::facts;
use crate::folders;
use crate::say::{Level, Voice};

/// What holds for the whole run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) lake: PathBuf,
    /// Those of `--format`, in the order in which they are tried.
    pub(crate) formats: Vec<CompiledFormat>,
    pub(crate) nginx_conf: Option<PathBuf>,
    pub(crate) nginx_prefix: Option<PathBuf>,
    pub(crate) port: u16,
    /// Ranges that `Trust` can read.
    pub(crate) trust: Vec<String>,
    /// Folder of what is known beyond the logs; need not be there.
    pub(crate) config: PathBuf,
    pub(crate) tz: chrono_tz::Tz,
    /// A folder of named queries.
    pub(crate) queries: Option<PathBuf>,
    pub(crate) log_set: Option<String>,
    pub(crate) secrets: Secrets,
    pub(crate) threads: usize,
    pub(crate) memory_bytes: usize,
    pub(crate) fail_on: Vec<FailOn>,
    pub(crate) voice: Voice,
}

/// A condition under which the exit code is 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum FailOn {
    /// A week failed its target.
    Verdict,
    /// More than this share of the lines were rejected.
    Rejects(f64),
    /// Bytes or time are known to be lost.
    Gaps,
}

impl Plan {
    pub(crate) fn new(shared: &Shared) -> Result<Self> {
        if shared.format.len() > FORMATS_MAX {
            bail!(
                "`--format`: expected at most {FORMATS_MAX}, found {}",
                shared.format.len()
            );
        }
        let formats = shared.format.iter();
        let formats = formats
            .map(|format| CompiledFormat::named(format).context("`--format`"))
            .collect::<Result<_>>()?;
        let tz = shared.tz.parse().map_err(|_| {
            anyhow!(
                "`--tz`: expected a zone such as `Europe/Berlin` or `UTC`, found `{}`",
                shared.tz
            )
        })?;
        let level = match (shared.quiet, shared.verbose) {
            (true, _) => Level::Quiet,
            (_, true) => Level::Verbose,
            _ => Level::Normal,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = shared.threads.unwrap_or(cores);
        if threads == 0 {
            bail!("`--threads`: expected at least 1, found `0`");
        }
        Trust::parse(&shared.trust).context("`--trust`")?;
        Ok(Self {
            lake: shared.lake.clone().map_or_else(default_lake, Ok)?,
            formats,
            nginx_conf: shared.nginx_conf.clone(),
            nginx_prefix: shared.nginx_prefix.clone(),
            port: shared.port,
            trust: shared.trust.clone(),
            config: config(shared.config.as_ref())?,
            tz,
            queries: shared.queries.clone(),
            log_set: shared.log_set.clone(),
            secrets: if shared.keep_secrets {
                Secrets::Keep
            } else {
                Secrets::Redact
            },
            threads,
            memory_bytes: bytes(&shared.memory).ok_or_else(|| {
                anyhow!(
                    "`--memory`: expected bytes such as `512M` or `2G`, found `{}`",
                    shared.memory
                )
            })?,
            fail_on: shared
                .fail_on
                .iter()
                .map(|condition| fail_on(condition))
                .collect::<Result<_>>()?,
            voice: Voice { level },
        })
    }

    /// Where the lake is.
    pub(crate) fn location(&self) -> Result<Location> {
        match self.lake.to_str() {
            Some(url) if url.starts_with("s3://") => s3_location(url),
            Some(url) if url.contains("://") => {
                bail!("`--lake`: expected a folder or `s3://BUCKET/PREFIX`, found `{url}`")
            }
            _ => Ok(Location::Folder(self.lake.clone())),
        }
    }

    /// The lake's folder; `None` if it is in a bucket.
    pub(crate) fn folder(&self) -> Result<Option<PathBuf>> {
        match self.location()? {
            Location::Folder(folder) => Ok(Some(folder)),
            #[cfg(feature = "s3")]
            Location::S3(_) => Ok(None),
        }
    }

    pub(crate) fn engine(&self, timeout_s: Option<u64>) -> EngineOptions {
        EngineOptions {
            threads: self.threads,
            memory_bytes: self.memory_bytes,
            timeout: timeout_s.map(Duration::from_secs),
            facts: Arc::new(facts::read(self).facts),
        }
    }
}

#[cfg(feature = "s3")]
fn s3_location(url: &str) -> Result<Location> {
    let settings = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("AWS_"))
        .collect();
    let options = S3Options {
        settings,
        scratch: std::env::temp_dir(),
    };
    let location = S3Location::parse(url, options).context("`--lake`")?;
    Ok(Location::S3(location))
}

#[cfg(not(feature = "s3"))]
fn s3_location(url: &str) -> Result<Location> {
    bail!(
        "cannot use the lake `{url}`: this floodmark is built without S3\nhint: build one with `cargo build --release --features s3`, or name a folder with `--lake DIR`"
    )
}

/// The system's own folder is for services, which have no home.
const SYSTEM_CONFIG: &str = "/etc/floodmark";

fn config(given: Option<&PathBuf>) -> Result<PathBuf> {
    if let Some(folder) = given {
        if !folder.is_dir() {
            bail!(
                "`--config`: expected a folder, found none at `{}`",
                folder.display()
            );
        }
        return Ok(folder.clone());
    }
    let system = Path::new(SYSTEM_CONFIG);
    Ok(match folders::config() {
        Some(own) if own.is_dir() || !system.is_dir() => own,
        _ => system.to_owned(),
    })
}

fn default_lake() -> Result<PathBuf> {
    let data = folders::data();
    let data =
        data.ok_or_else(|| anyhow!("no folder for the lake\nhint: name one with `--lake DIR`"))?;
    Ok(data.join("lake"))
}

fn bytes(text: &str) -> Option<usize> {
    let (digits, unit) = match text.char_indices().last()? {
        (at, 'K' | 'k') => (&text[..at], 1 << 10),
        (at, 'M' | 'm') => (&text[..at], 1 << 20),
        (at, 'G' | 'g') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    digits
        .parse::<usize>()
        .ok()?
        .checked_mul(unit)
        .filter(|bytes| *bytes > 0)
}

/// A share written `95%` or `0.95`.
pub(crate) fn share(text: &str) -> Option<f64> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

fn fail_on(text: &str) -> Result<FailOn> {
    match text.split_once('=') {
        None if text == "verdict" => Ok(FailOn::Verdict),
        None if text == "gaps" => Ok(FailOn::Gaps),
        Some(("rejects", limit)) => share(limit).map(FailOn::Rejects).ok_or_else(|| {
            anyhow!("`--fail-on rejects`: expected a share such as `1%`, found `{limit}`")
        }),
        _ => bail!("`--fail-on`: expected `verdict`, `rejects=1%` or `gaps`, found `{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes("512M"), Some(512 << 20));
        assert_eq!(bytes("7"), Some(7));
        assert_eq!(bytes("0"), None);
        assert_eq!(bytes("2T"), None);
        assert_eq!(bytes("G"), None);
    }

    #[test]
    fn shares_are_percent_or_fractions() {
        assert_eq!(share("95%"), Some(0.95));
        assert_eq!(share("0.5"), Some(0.5));
        assert_eq!(share("95"), None);
        assert_eq!(share("-1%"), None);
    }

    #[test]
    fn conditions_are_named() {
        assert_eq!(fail_on("rejects=1%").unwrap(), FailOn::Rejects(0.01));
        assert!(fail_on("rejects").is_err());
        assert!(fail_on("verdicts").is_err());
    }
}
