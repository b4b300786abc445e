//! What the service manager is told: that logs are followed, that it goes on, and that it ends. Without one, nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;

/// The side of systemd's `Type=notify` and `WatchdogSec=` that a service has.
#[derive(Debug)]
pub(crate) struct Supervised {
    is_ready: AtomicBool,
    /// How often the manager wants to hear of it, and when it did.
    watchdog: Option<(Duration, Mutex<Instant>)>,
}

impl Supervised {
    /// As the environment says.
    pub(super) fn new() -> Self {
        // Twice in the time that is given.
        let every = sd_notify::watchdog_enabled().map(|within| within / 2);
        Self {
            is_ready: AtomicBool::new(false),
            watchdog: every.map(|every| (every, Mutex::new(Instant::now()))),
        }
    }

    /// Logs are followed from now on, whatever there is to catch up with.
    pub(crate) fn ready(&self) {
        if !self.is_ready.swap(true, Ordering::Relaxed) {
            tell(&[NotifyState::Ready]);
        }
    }

    /// Something was done, or there was nothing to do. Called often; says it as often as is asked for.
    pub(crate) fn alive(&self) {
        let Some((every, told)) = &self.watchdog else {
            return;
        };
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() >= *every {
            *told = Instant::now();
            tell(&[NotifyState::Watchdog]);
        }
    }

    /// A signal came; what is whole is committed.
    pub(super) fn ending(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    // A manager that cannot be told ends the service, and says why.
    let _ = sd_notify::notify(states);
}
