//! The clock, for the few commands whose work depends on it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in milliseconds since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "libraries take the time as an argument, and this is where it comes from"
)]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
