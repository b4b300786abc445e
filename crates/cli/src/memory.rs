//! What was read of which file, kept from one ingest to the next in the user's cache.
//!
//! Not in the lake: device and inode are this machine's, several machines may write to one lake, and a lake may be a
//! bucket. It may be removed at any time; then the logs are known by their bytes again.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use floodmark_source::{KnownSource, LogFile, Seen};

use crate::folders;
use crate::plan::Plan;
use crate::say::said;

/// What this user remembers of a lake's logs.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) seen: Seen,
    /// `None` without a home.
    path: Option<PathBuf>,
    /// Before any file was looked at.
    began: SystemTime,
}

impl Memory {
    /// As far as the lake still knows its sources. What cannot be read is not remembered.
    #[expect(
        clippy::disallowed_methods,
        reason = "only the command reads the clock"
    )]
    pub(crate) fn of(plan: &Plan, known: &[KnownSource]) -> Self {
        let began = SystemTime::now();
        let path = folders::cache().map(|cache| cache.join(name_of(plan)));
        let text = path.as_ref().and_then(|path| fs::read_to_string(path).ok());
        Self {
            seen: Seen::parse(&text.unwrap_or_default(), known),
            path,
            began,
        }
    }

    /// Remembers the files that are known to their last byte, once that is committed. If it cannot, they are read again.
    pub(crate) fn keep(&self, plan: &Plan, ended: &[(Arc<LogFile>, KnownSource)]) {
        let Some(path) = &self.path else {
            return;
        };
        let ended: Vec<_> = ended
            .iter()
            .map(|(file, ends_at)| (&**file, ends_at.clone()))
            .collect();
        let mut seen = self.seen.clone();
        seen.remember(&ended, self.began);
        if seen == self.seen {
            return;
        }
        if let Err(error) = write(path, &seen.to_text()) {
            plan.voice.detail(&format!(
                "cannot remember which files were read in `{}`: {}",
                path.display(),
                said(&error)
            ));
        }
    }
}

/// Under a temporary name first, so that nobody reads half of it. Not synced: after a crash its checksum is wrong.
fn write(path: &std::path::Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn name_of(plan: &Plan) -> String {
    let lake = &plan.lake;
    let absolute = std::path::absolute(lake).unwrap_or_else(|_| lake.clone());
    Seen::file_name(&absolute.display().to_string())
}
