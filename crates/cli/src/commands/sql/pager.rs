//! Standard output, through a pager where an answer does not fit the terminal.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

use anyhow::Result;

use crate::out;

/// What is shown unless `$PAGER` names another: it ends by itself, leaves the text where it is, and does not break rows.
const PAGER: &str = "less";
const LESS: &str = "FRSX";

/// An answer: short ones are printed at its end, longer ones paged as they come.
pub(super) struct Paged {
    waiting: Vec<u8>,
    lines: usize,
    /// More lines than these are paged.
    lines_max: usize,
    pager: Option<OsString>,
    child: Option<Child>,
}

impl Paged {
    /// For a terminal of so many rows.
    pub(super) fn new(rows: usize) -> Self {
        let chosen = std::env::var_os("PAGER");
        Self {
            waiting: Vec::new(),
            lines: 0,
            // A row for the prompt and two for what is said of the answer.
            lines_max: rows.saturating_sub(3).max(1),
            pager: chosen.map_or_else(
                || Some(PAGER.into()),
                |chosen| Some(chosen).filter(|pager| !pager.is_empty()),
            ),
            child: None,
        }
    }

    /// Shows what is left, and waits until it was looked at.
    pub(super) fn end(mut self) -> Result<()> {
        match self.child.take() {
            Some(mut child) => {
                drop(child.stdin.take());
                child.wait()?;
            }
            None => {
                let mut out = out::stdout();
                out.write_all(&self.waiting)?;
                out.flush()?;
            }
        }
        Ok(())
    }

    /// Without a pager everything is printed at once.
    fn page(&mut self) -> io::Result<()> {
        if let Some(pager) = self.pager.take() {
            let mut command = Command::new("sh");
            command
                .arg("-c")
                .arg(&pager)
                .stdin(Stdio::piped())
                .stderr(Stdio::null());
            if std::env::var_os("LESS").is_none() {
                command.env("LESS", LESS);
            }
            self.child = command.spawn().ok();
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.show(&waiting)
    }

    fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.child.as_mut().and_then(|child| child.stdin.as_mut()) {
            Some(pager) => pager.write_all(bytes),
            None => io::stdout().write_all(bytes),
        }
    }

    fn is_paged(&self) -> bool {
        self.lines > self.lines_max
    }
}

impl Write for Paged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let was_paged = self.is_paged();
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        if was_paged {
            self.show(bytes)?;
        } else {
            self.waiting.extend(bytes);
            if self.is_paged() {
                self.page()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
