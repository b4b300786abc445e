//! The terminal in raw mode, on its second screen, and its keys.

use std::io::{self, IsTerminal, Stdout, Write};
use std::panic;
use std::sync::Once;
use std::sync::mpsc::{self, Receiver};
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
    pub(super) keys: Receiver<Key>,
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
        let (sender, keys) = mpsc::channel();
        // It waits for a key until the process ends, or the terminal is gone.
        thread::spawn(move || {
            for key in io::stdin().keys() {
                if key.is_err() || sender.send(key.unwrap_or(Key::Null)).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            inner: Some(inner),
            keys,
        })
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
