//! One process follows a log into a lake; another one is told which.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::plan::Plan;

/// Bytes of a log's path that the name of a claim holds: file names end at 255.
const NAME_BYTES_MAX: usize = 200;

/// The logs that this process follows, as long as it lives: the system takes the locks back, whatever ends it.
pub(super) struct Claim {
    _locked: Vec<File>,
}

impl Claim {
    /// Claims the logs, or what nginx.conf names, in the lake's folder. A bucket has no locks; there two followers send each
    /// other back at each commit, and add nothing twice.
    pub(super) fn of(plan: &Plan, logs: &[String]) -> Result<Self> {
        let Some(folder) = plan.folder()? else {
            return Ok(Self {
                _locked: Vec::new(),
            });
        };
        let mut followed: Vec<PathBuf> = logs.iter().map(PathBuf::from).collect();
        if followed.is_empty() {
            followed.push(PathBuf::from(format!("nginx.conf-{}", plan.port)));
        }
        let cannot = || format!("cannot write to the lake `{}`", folder.display());
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder);
        made.with_context(cannot)?;
        let locked = followed.iter().map(|log| locked(&folder, log));
        Ok(Self {
            _locked: locked.collect::<Result<_>>()?,
        })
    }
}

fn locked(folder: &Path, log: &Path) -> Result<File> {
    let path = folder.join(name_of(log));
    let cannot = || format!("cannot write `{}`", path.display());
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.mode(0o600).open(&path).with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => {
            let process = format!("{}\n", std::process::id());
            file.set_len(0).with_context(cannot)?;
            file.write_all(process.as_bytes()).with_context(cannot)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            // Another host may not show it.
            let _ = file.read_to_string(&mut process);
            bail!(
                "process {} follows `{}` into the lake `{}` already\nhint: ask that lake, with `floodmark sql` or `floodmark report`, or name another with `--lake DIR`",
                process.trim_end(),
                log.display(),
                folder.display(),
            )
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(cannot),
    }
}

/// `tail-var-log-nginx-access.log.lock`.
fn name_of(log: &Path) -> String {
    let absolute = std::path::absolute(log).unwrap_or_else(|_| log.to_owned());
    let path = absolute.display().to_string().replace('/', "-");
    let cut = path.ceil_char_boundary(path.len().saturating_sub(NAME_BYTES_MAX));
    format!("tail{}.lock", &path[cut..])
}
