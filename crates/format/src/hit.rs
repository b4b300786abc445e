//! One parsed line.

use crate::hour::Hour;
use crate::request::RequestParts;

/// What a line says, borrowed from it. Made once with [`Hit::default`] and filled for line after line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hit<'line> {
    /// Microseconds since the epoch, UTC: from `$msec` or `$time_iso8601` if the format has one, else from
    /// `$time_local`. `None` only if the format has no time.
    pub time_us: Option<i64>,
    /// The request in its parts, from `$request` or from the variables that log it in parts.
    pub request: RequestParts<'line>,
    /// By the slot of the variable: the bytes logged, still escaped ([`unescape`](crate::unescape)). `None` is a
    /// value logged as missing: `-` with `escape=default`, an absent key or `null` in JSON, nothing where a number
    /// has to be. `Some(b"")` is text logged empty.
    pub values: Vec<Option<&'line [u8]>>,
    pub(crate) hour: Hour,
}
