//! Standard input, ended by a signal at the end of a line.
//!
//! A read of a pipe that is silent returns for nobody. So a thread of its own reads standard input and passes whole
//! lines on through a pipe of ours, which is closed when the signal comes: the reader sees an end of file.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// Read at a time: what a pipe holds on Linux.
const READ_BYTES: usize = 64 << 10;

/// The beginning of a line is held back up to here; a longer line may be cut by a signal.
const HELD_BYTES_MAX: usize = 1 << 20;

/// Between two looks at whether the signal came: short for a person who waits, long for a processor.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where standard input can be read as a file that ends when `stop` is set.
#[derive(Debug)]
pub(crate) struct Relay {
    reader: PipeReader,
    failure: Arc<OnceLock<io::Error>>,
}

impl Relay {
    /// Begins to read standard input.
    pub(crate) fn start(stop: &Arc<AtomicBool>) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let writer = Arc::new(Mutex::new(Some(writer)));
        let (to_close, stop) = (Arc::clone(&writer), Arc::clone(stop));
        let failure = Arc::new(OnceLock::new());
        let to_tell = Arc::clone(&failure);
        thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || {
                if let Err(error) = pass_on(&writer) {
                    // Set once: there is one such thread.
                    let _ = to_tell.set(error);
                }
                close(&writer);
            })?;
        thread::Builder::new()
            .name("stdin-end".to_owned())
            .spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    thread::sleep(LOOK_EVERY);
                }
                close(&to_close);
            })?;
        Ok(Self { reader, failure })
    }

    /// A path to the reading end, as long as this lives.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/dev/fd/{}", self.reader.as_raw_fd()))
    }

    /// Why standard input could not be read to its end.
    pub(crate) fn failure(&self) -> Option<&io::Error> {
        self.failure.get()
    }
}

fn close(writer: &Mutex<Option<PipeWriter>>) {
    writer.lock().unwrap_or_else(PoisonError::into_inner).take();
}

/// Copies whole lines until the end of standard input, then what is left; ends early once the pipe is closed.
fn pass_on(writer: &Mutex<Option<PipeWriter>>) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut buffer = vec![0; READ_BYTES];
    let mut held = Vec::new();
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => &buffer[..bytes],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // What is held has no newline.
        let newline = read
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map(|newline| held.len() + newline);
        held.extend_from_slice(read);
        let whole = match newline {
            Some(newline) => newline + 1,
            None if held.len() > HELD_BYTES_MAX => held.len(),
            None => continue,
        };
        if !pass(writer, &held[..whole]) {
            return Ok(());
        }
        held.drain(..whole);
    }
    pass(writer, &held);
    Ok(())
}

/// Whether there is still someone to read.
fn pass(writer: &Mutex<Option<PipeWriter>>, bytes: &[u8]) -> bool {
    match &mut *writer.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(writer) => writer.write_all(bytes).is_ok(),
        None => false,
    }
}
