//! The terminal in raw mode, on its second screen, and its keys.

use std::io::{self, IsTerminal, Stdout, Write};
use std::panic;
use std::sync::Once;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use ratatui::backend::TermionBackend;
use ratatui::termion::event::Key;
use ratatui::termion::input::TermRead;
use ratatui::termion::raw::{IntoRawMode, RawTerminal};
use ratatui::termion::screen::{AlternateScreen, IntoAlternateScreen};

use crate::say;

type Backend = TermionBackend<AlternateScreen<RawTerminal<Stdout>>>;

/// A terminal that is drawn on. It is as it was before once this is dropped.
pub(super) struct Terminal {
    // An option, to be dropped before what is left in the buffer is sent.
    inner: Option<ratatui::Terminal<Backend>>,
    pub(super) events: Receiver<Event>,
    sender: Sender<Event>,
}

/// What a screen need not wait for its next look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Key(Key),
    /// Something was written to a log, or beside one.
    Written,
    /// There is no terminal any more.
    Gone,
}

/// Whether there is a person at a terminal that can be drawn on.
pub(super) fn is_there() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let all = io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
    all && !is_dumb
}

impl Terminal {
    /// Takes the terminal. From now on messages, and what a panic says, are kept until it is given back.
    pub(super) fn take() -> io::Result<Self> {
        keep_panics();
        let raw = io::stdout().into_raw_mode()?.into_alternate_screen()?;
        let inner = ratatui::Terminal::new(TermionBackend::new(raw))?;
        say::keep();
        let (sender, events) = mpsc::channel();
        let of_keys = sender.clone();
        // It waits for a key until the process ends, or the terminal is gone.
        thread::spawn(move || {
            for key in io::stdin().keys().map_while(Result::ok) {
                if of_keys.send(Event::Key(key)).is_err() {
                    return;
                }
            }
            // Nobody may listen any more.
            let _ = of_keys.send(Event::Gone);
        });
        Ok(Self {
            inner: Some(inner),
            events,
            sender,
        })
    }

    /// Where events of another kind come from.
    pub(super) fn sender(&self) -> Sender<Event> {
        self.sender.clone()
    }

    pub(super) fn inner(&mut self) -> &mut ratatui::Terminal<Backend> {
        self.inner.as_mut().expect("it is taken away by drop alone")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.inner.take());
        // A terminal that is gone needs nothing any more.
        let _ = io::stdout().flush();
        say::release();
    }
}

/// A panic's message would be drawn over: it is kept with the others, and said when the terminal is as it was.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match say::is_kept() {
            true => say::line(&info.to_string()),
            false => before(info),
        }));
    });
}
