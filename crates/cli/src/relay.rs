//! Standard input, ended by a signal at the end of a line.
//!
//! A read of a pipe that is silent returns for nobody. So a thread of its own reads standard input and passes whole
//! lines on through a pipe of ours, which is closed when the signal comes: the reader sees an end of file. The first
//! lines are held back until they can be looked at, since a pipe cannot be read twice.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use floodmark_source::{Extent, Sample};

use crate::formats::{TRIAL_BYTES, TRIAL_LINES};

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
    head: Receiver<Sample>,
    failure: Arc<OnceLock<io::Error>>,
}

impl Relay {
    /// Begins to read standard input.
    pub(crate) fn start(stop: &Arc<AtomicBool>) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let (to_look_at, head) = mpsc::channel();
        let writer = Arc::new(Mutex::new(Some(Way {
            writer,
            head: Some((Vec::new(), to_look_at)),
        })));
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
        Ok(Self {
            reader,
            head,
            failure,
        })
    }

    /// The first lines, once there are as many as formats are tried on, or no more come. Asked for again, none.
    pub(crate) fn head(&self) -> Sample {
        self.head.recv().unwrap_or_default()
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

/// The writing end, and what is held back of the beginning with whom it is to be shown to.
#[derive(Debug)]
struct Way {
    writer: PipeWriter,
    head: Option<(Vec<u8>, Sender<Sample>)>,
}

impl Way {
    /// Whether there is still someone to read.
    fn pass(&mut self, bytes: &[u8]) -> bool {
        let Some((head, _)) = &mut self.head else {
            return self.writer.write_all(bytes).is_ok();
        };
        head.extend_from_slice(bytes);
        let lines = head.split(|&byte| byte == b'\n');
        let lines = lines.filter(|line| !line.trim_ascii().is_empty()).count();
        let is_enough = lines >= TRIAL_LINES || head.len() >= TRIAL_BYTES;
        !is_enough || self.show(Extent::Head)
    }

    /// Shows the beginning and passes it on; whether there is still someone to read.
    fn show(&mut self, extent: Extent) -> bool {
        let Some((bytes, to_look_at)) = self.head.take() else {
            return true;
        };
        let sample = Sample {
            bytes: bytes.clone(),
            extent,
            place_starts: Vec::new(),
        };
        // Nobody has to look at it.
        let _ = to_look_at.send(sample);
        self.writer.write_all(&bytes).is_ok()
    }
}

fn close(writer: &Mutex<Option<Way>>) {
    let mut way = writer.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(mut way) = way.take() {
        way.show(Extent::Whole);
    }
}

/// Copies whole lines until the end of standard input, then what is left; ends early once the pipe is closed.
fn pass_on(writer: &Mutex<Option<Way>>) -> io::Result<()> {
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
fn pass(writer: &Mutex<Option<Way>>, bytes: &[u8]) -> bool {
    match &mut *writer.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(way) => way.pass(bytes),
        None => false,
    }
}
