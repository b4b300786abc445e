//! A program in a real terminal: tmux.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::command::{Place, end, wait_for};
use crate::servers::installed;

/// A program in a terminal; both end with the test.
pub(crate) struct Terminal<'p> {
    place: &'p Place,
    /// Of the tmux that is this terminal: one that ends is not asked for a new one.
    socket: String,
}

static SOCKETS: AtomicUsize = AtomicUsize::new(0);

impl<'p> Terminal<'p> {
    /// Runs a shell's script in a terminal of so many columns and rows.
    pub(crate) fn open(place: &'p Place, (width, height): (u16, u16), script: &str) -> Self {
        let socket = SOCKETS.fetch_add(1, Ordering::Relaxed).to_string();
        let terminal = Self { place, socket };
        let (width, height) = (width.to_string(), height.to_string());
        let size = ["-x", &width, "-y", &height];
        terminal.tmux(
            &[
                &["-f", "/dev/null", "new-session", "-d"],
                &size[..],
                &[script],
            ]
            .concat(),
        );
        terminal
    }

    pub(crate) fn tmux(&self, arguments: &[&str]) -> String {
        end(self.program().args(arguments).spawn().unwrap()).done()
    }

    fn program(&self) -> Command {
        let mut tmux = self.place.program(installed("tmux", "tmux"));
        tmux.env("TMUX_TMPDIR", self.place.path("home"))
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .args(["-u", "-L", &self.socket]);
        tmux
    }

    pub(crate) fn shown(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    pub(crate) fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a line, and Enter.
    pub(crate) fn enter(&self, line: &str) {
        // tmux takes a `;` at the end for one of its own.
        let escaped = line.strip_suffix(';').map(|line| format!("{line}\\;"));
        self.tmux(&["send-keys", "-l", "--", escaped.as_deref().unwrap_or(line)]);
        self.press(&["Enter"]);
    }

    pub(crate) fn resize(&self, width: u16, height: u16) {
        let (width, height) = (width.to_string(), height.to_string());
        self.tmux(&["resize-window", "-x", &width, "-y", &height]);
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, mut is_so: impl FnMut(&str) -> bool) -> String {
        wait_for(what, || Some(self.shown()).filter(|shown| is_so(shown)))
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let ending = self.program().arg("kill-server").spawn();
        let _ = ending.map(|child| child.wait_with_output());
    }
}
