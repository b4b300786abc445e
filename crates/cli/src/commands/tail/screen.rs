//! The live screen: what is happening, while it happens.
//!
//! It runs on a thread of its own, reads new lines by itself ([`reader`]) and counts them in bounded room ([`counts`]); what only the lake knows it
//! has asked by the named queries ([`past`]). The lake is fed beside it, as without it. What is shown is a plain value ([`view`]), which is drawn
//! ([`draw`]).

mod app;
mod columns;
mod counts;
mod draw;
mod filter;
mod judgment;
mod notices;
mod numbers;
mod past;
mod reader;
mod recent;
mod reproduce;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;
mod view;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::{mpsc, watch};

use crate::args::{TailArgs, TailOutput};
use crate::clock;
use crate::plan::Plan;
use crate::say::Level;
use app::{App, Wish};
use notices::Notices;
use past::Committed;
use terminal::{Event, Terminal};
use theme::Theme;

/// Where the system tells of no writes, a line is read so long after it was written, at most; and so long a resized terminal waits.
const STEP: Duration = Duration::from_millis(250);
/// Answers that wait to be heard.
const NEWS_MAX: usize = 2;

/// A screen that is shown until this is dropped, or a key ends it.
pub(super) struct Screen {
    committed: watch::Sender<Option<Committed>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Whether a screen is wanted, and there is a terminal for it.
pub(super) fn is_wanted(args: &TailArgs) -> bool {
    !args.plain && !args.once && args.output == TailOutput::Text && terminal::is_there()
}

impl Screen {
    /// Shows the screen. A key that ends it sets `stop`, as signals do, and so does a terminal that is gone.
    pub(super) fn show(plan: &Plan, logs: &[String], stop: &Arc<AtomicBool>) -> Result<Self> {
        let mut plan = plan.clone();
        plan.voice.level = Level::Once;
        let (committed, to_screen) = watch::channel(None);
        let (asks, asked) = mpsc::unbounded_channel();
        let (told, news) = mpsc::channel(NEWS_MAX);
        tokio::spawn(past::answer(
            plan.clone(),
            committed.subscribe(),
            asked,
            told,
        ));
        let theme = Theme {
            has_color: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let mut terminal = Terminal::take()
            .context("cannot draw on the terminal\nhint: `--plain` prints lines instead")?;
        let logs = logs.to_vec();
        let app = App::new(plan, logs, theme, (asks, news), to_screen, clock::now_ms());
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = (Arc::clone(stop), Arc::clone(&is_over));
        let thread = thread::Builder::new().name("screen".to_owned());
        let thread = thread.spawn(move || {
            let (stop, is_over) = &ends;
            // A panic, too, is to leave a lake with all that is whole.
            let _stop = StopOnDrop(stop);
            let has_ended = || stop.load(Ordering::Relaxed) || is_over.load(Ordering::Relaxed);
            if let Err(error) = run(app, &mut terminal, &has_ended) {
                crate::say::line(&format!("warning: the screen has ended: {error:#}"));
            }
        })?;
        Ok(Self {
            committed,
            is_over,
            thread: Some(thread),
        })
    }

    /// Says that the lake has what was there at a time, in milliseconds since the epoch.
    pub(super) fn committed(&self, given_ms: i64, version: u64) {
        self.committed
            .send_replace(Some(Committed { given_ms, version }));
    }

    /// Gives the terminal back.
    ///
    /// # Errors
    ///
    /// The screen has ended by itself.
    pub(super) fn end(mut self) -> Result<()> {
        self.join()
    }

    fn join(&mut self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            None | Some(Ok(())) => Ok(()),
            Some(Err(_)) => {
                bail!("the screen has ended by a bug of ours\nhint: `--plain` prints lines instead")
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // What a panic said is among the messages.
        let _ = self.join();
    }
}

struct StopOnDrop<'stop>(&'stop AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn run(mut app: App, terminal: &mut Terminal, has_ended: &dyn Fn() -> bool) -> Result<()> {
    let tell = terminal.sender();
    // A write that is told after the end is told to nobody.
    let mut notices = Notices::new(move || {
        let _ = tell.send(Event::Written);
    });
    let mut drawn = None;
    while !has_ended() {
        app.heed_commits();
        let is_busy = app.work(clock::now_ms())?;
        notices.watch(app.folders());
        let now_ms = clock::now_ms();
        let second = now_ms.div_euclid(1_000);
        // Each second, as it shows the time; and once more where something comes within it, which is then seen at once.
        let due = Some((second, terminal.inner().size()?, app.has_read_since(second)));
        if drawn != due {
            terminal.inner().draw(|frame| app.draw(frame, now_ms))?;
            drawn = due;
        }
        let patience = if is_busy { Duration::ZERO } else { STEP };
        let key = match terminal.events.recv_timeout(patience) {
            Ok(Event::Key(key)) => key,
            Ok(Event::Written) | Err(_) => continue,
            Ok(Event::Gone) => return Ok(()),
        };
        match app.press(key, now_ms) {
            Wish::Nothing => {}
            Wish::Draw => drawn = None,
            Wish::DrawAnew => {
                terminal.inner().clear()?;
                drawn = None;
            }
            Wish::Quit => return Ok(()),
        }
    }
    Ok(())
}

/// A minute since the epoch as text, UTC.
fn time_text(minute: i64, format: &str) -> String {
    let time = chrono::DateTime::from_timestamp(60 * minute, 0).unwrap_or_default();
    time.format(format).to_string()
}
