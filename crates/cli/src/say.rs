//! What goes to standard error: notices, warnings, progress.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::DateTime;
use chrono_tz::Tz;
use floodmark_report::{Style, escape_control};

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nothing: what there is to say is said by another.
    Silent,
    /// What went wrong, each thing once.
    Once,
    Quiet,
    Normal,
    Verbose,
}

/// The warnings so far.
static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The voice of the command on standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice {
    pub(crate) level: Level,
}

impl Voice {
    /// Something that went wrong but does not end the command; said always.
    pub(crate) fn warn(self, message: &str) {
        if self.level == Level::Silent {
            return;
        }
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = said.insert(message.to_owned());
        if is_new || self.level > Level::Once {
            line(&format!("warning: {message}"));
        }
    }

    /// The same, of which it is enough to hear once.
    pub(crate) fn warn_once(self, message: &str) {
        Self { level: Level::Once }.warn(message);
    }

    /// What was found or decided.
    pub(crate) fn notice(self, message: &str) {
        if self.level >= Level::Normal {
            line(message);
        }
    }

    /// What only the curious want.
    pub(crate) fn detail(self, message: &str) {
        if self.level >= Level::Verbose {
            line(message);
        }
    }
}

/// Messages that are kept while a screen is shown: the last ones.
const KEPT_MAX: usize = 200;

/// What was said while a screen is shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    /// How many messages.
    pub(crate) said: usize,
    /// The last of them.
    pub(crate) messages: Vec<String>,
    /// Bytes of logs read by the pass that runs, and of how many.
    pub(crate) progress: Option<(u64, u64)>,
}

static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

fn kept_by_screen() -> MutexGuard<'static, Option<Kept>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on messages are kept, as they would be drawn over.
pub(crate) fn keep() {
    *kept_by_screen() = Some(Kept::default());
}

/// Says what was kept, and from now on each message at once.
pub(crate) fn release() {
    let kept = kept_by_screen().take().unwrap_or_default();
    kept.messages.iter().for_each(|message| line(message));
}

/// What was kept; nothing where no screen is shown.
pub(crate) fn kept() -> Kept {
    kept_by_screen().clone().unwrap_or_default()
}

/// Whether a screen is shown.
pub(crate) fn is_kept() -> bool {
    kept_by_screen().is_some()
}

/// Tells the screen, where one is shown, how far a pass has come.
pub(crate) fn progress(done: u64, total: Option<u64>) {
    if let Some(kept) = &mut *kept_by_screen() {
        kept.progress = total.map(|total| (done, total));
    }
}

/// One message to standard error, or to the screen; log bytes in it cannot move the cursor.
pub(crate) fn line(message: &str) {
    if let Some(kept) = &mut *kept_by_screen() {
        kept.said += 1;
        kept.messages.push(message.to_owned());
        let more = kept.messages.len().saturating_sub(KEPT_MAX);
        kept.messages.drain(..more);
        return;
    }
    let safe: Vec<_> = message.lines().map(escape_control).collect();
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{}", safe.join("\n"));
}

/// How standard output is laid out.
pub(crate) fn style() -> Style {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return Style {
            width: usize::MAX,
            color: false,
        };
    }
    let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
    let color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    Style { width, color }
}

/// A time, microseconds since the epoch, in a zone.
pub(crate) fn moment(time_us: i64, tz: Tz) -> String {
    let time = DateTime::from_timestamp_micros(time_us).unwrap_or_default();
    let time = time.with_timezone(&tz);
    time.format("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// What the operating system says, without its number and in lower case.
pub(crate) fn said(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(rest).collect()
    })
}

/// A count with thousands separators.
pub(crate) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A label and what it says, on a line; log bytes in it cannot move the cursor.
pub(crate) fn row(label: &str, value: &str) -> String {
    format!("{label:>11}  {}\n", escape_control(value))
}

/// `1 line`, `2 lines`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(count))
}
