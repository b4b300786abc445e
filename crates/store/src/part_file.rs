//! The file of a part while it is written, closed for a while where a batch has many.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Files of a batch that are open at once, but for one a thread: a batch may be of thousands of days, and a process may
/// be allowed few descriptors.
const OPEN_FILES_MAX: usize = 8;

/// A file that is only appended to.
#[derive(Debug)]
pub(crate) struct PartFile {
    path: PathBuf,
    file: Option<File>,
    /// Files of the batch that were begun so far; `None` where a file that is closed is gone.
    begun: Option<Arc<AtomicUsize>>,
}

impl PartFile {
    /// One of many files, at a path; it is created.
    pub(crate) fn create(path: PathBuf, begun: &Arc<AtomicUsize>) -> io::Result<Self> {
        let file = File::create_new(&path)?;
        begun.fetch_add(1, Ordering::Relaxed);
        let mut created = Self {
            path,
            file: Some(file),
            begun: Some(Arc::clone(begun)),
        };
        created.rest()?;
        Ok(created)
    }

    /// A file without a name, which stays open.
    #[cfg(feature = "s3")]
    pub(crate) fn unnamed(path: PathBuf, file: File) -> Self {
        Self {
            path,
            file: Some(file),
            begun: None,
        }
    }

    /// Closes it until it is written again, if there are many.
    ///
    /// It is synced first: whether the system could write what it took is told to those alone who had the file open.
    pub(crate) fn rest(&mut self) -> io::Result<()> {
        let begun = self.begun.as_ref();
        if begun.is_some_and(|begun| begun.load(Ordering::Relaxed) > OPEN_FILES_MAX)
            && let Some(file) = self.file.take()
        {
            file.sync_data()?;
        }
        Ok(())
    }

    /// The file, open.
    pub(crate) fn opened(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            self.file = Some(OpenOptions::new().append(true).open(&self.path)?);
        }
        Ok(self.file.as_mut().expect("opened above"))
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.opened()?.write(bytes)
    }

    /// There is nothing between this and the system.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
