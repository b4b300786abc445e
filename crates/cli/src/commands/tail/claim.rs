//! One process follows a log into a lake; another one is told which.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::followed::{Followed, make_folder, name_of, of_conf};
use crate::plan::Plan;

/// The logs that this process follows, as long as it lives: the system takes the locks back, whatever ends it.
pub(super) struct Claim {
    _locked: Vec<File>,
}

impl Claim {
    /// Claims the logs, or what nginx.conf names, in the lake's folder. A bucket has no locks; there two followers send each
    /// other back at each commit, and add nothing twice. What is claimed is written down for those who ask the lake.
    pub(super) fn of(plan: &Plan, logs: &[String]) -> Result<Self> {
        let Some(folder) = plan.folder()? else {
            return Ok(Self {
                _locked: Vec::new(),
            });
        };
        let mut followed: Vec<PathBuf> = logs.iter().map(PathBuf::from).collect();
        if followed.is_empty() {
            followed.push(of_conf(plan.port));
        }
        make_folder(&folder)?;
        let locked = followed.iter().map(|log| locked(&folder, log));
        let claim = Self {
            _locked: locked.collect::<Result<_>>()?,
        };
        Followed::of(plan, logs)?.write(&folder)?;
        Ok(claim)
    }
}

fn locked(folder: &Path, log: &Path) -> Result<File> {
    let path = folder.join(format!("{}.lock", name_of(log)));
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
