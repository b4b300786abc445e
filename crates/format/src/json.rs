//! Reads a line that is a JSON object, its keys in any order.
//!
//! Only as much of JSON as a log needs: Nginx writes some lines that are not JSON (an unquoted empty variable, an
//! unquoted list, bytes that are not UTF-8), and they have to be read too.

use memchr::memchr;

use crate::error::{LineError, LineErrorKind};
use crate::hit::Hit;
use crate::number;
use crate::step::is_escaped;
use crate::time;
use crate::variable::{Kind, Variable};

/// The keys of the `json` preset, each with its slot.
#[derive(Debug, Clone)]
pub(crate) struct JsonKeys {
    /// Sorted by key.
    slots: Vec<(&'static str, u16)>,
    kinds: Vec<Kind>,
}

/// The variables of the preset, in the order of their slots, each with other names that logs use for it. Durations
/// have none: nothing would say in which unit they are.
const KEYS: &[(&str, &[&str])] = &[
    (
        "time_iso8601",
        &["time", "ts", "@timestamp", "timestamp", "datetime", "date"],
    ),
    ("msec", &[]),
    ("time_local", &[]),
    (
        "remote_addr",
        &[
            "remote_ip",
            "client_ip",
            "clientip",
            "client",
            "ip",
            "remote_address",
        ],
    ),
    ("remote_user", &["user", "auth"]),
    ("request", &[]),
    ("request_method", &["method", "verb", "http_method"]),
    ("request_uri", &["url", "uri_full"]),
    ("uri", &["path", "document_uri"]),
    ("args", &["query_string", "query"]),
    ("server_protocol", &["protocol", "proto", "http_version"]),
    (
        "status",
        &["status_code", "response_code", "code", "response"],
    ),
    ("body_bytes_sent", &["bytes", "body_bytes", "size"]),
    ("http_referer", &["referer", "referrer", "http_referrer"]),
    (
        "http_user_agent",
        &["user_agent", "useragent", "agent", "ua"],
    ),
    (
        "http_x_forwarded_for",
        &["x_forwarded_for", "xff", "forwarded_for"],
    ),
    ("host", &["http_host", "vhost", "domain"]),
    ("server_name", &[]),
    ("server_port", &["port"]),
    ("scheme", &[]),
    ("bytes_sent", &[]),
    ("request_length", &[]),
    ("request_time", &["rt"]),
    (
        "request_id",
        &["req_id", "http_x_request_id", "x_request_id"],
    ),
    ("ssl_protocol", &["tls_protocol", "tls_version"]),
    ("ssl_cipher", &["tls_cipher"]),
    ("upstream_addr", &["upstream"]),
    ("upstream_status", &[]),
    ("upstream_connect_time", &["uct"]),
    ("upstream_header_time", &["uht"]),
    ("upstream_response_time", &["urt"]),
    ("upstream_cache_status", &["cache_status", "cache"]),
    ("connection", &[]),
    ("connection_requests", &[]),
    ("gzip_ratio", &[]),
    ("pipe", &[]),
];

impl JsonKeys {
    pub(crate) fn new() -> Self {
        let mut slots: Vec<_> = (0..)
            .zip(KEYS)
            .flat_map(|(slot, (name, aliases))| {
                std::iter::once(name)
                    .chain(*aliases)
                    .map(move |key| (*key, slot))
            })
            .collect();
        slots.sort_unstable();
        Self {
            slots,
            kinds: KEYS
                .iter()
                .map(|(name, _)| Variable::named(name).kind)
                .collect(),
        }
    }

    pub(crate) fn variables(&self) -> Vec<Variable> {
        KEYS.iter().map(|(name, _)| Variable::named(name)).collect()
    }

    /// A `log_format` text that writes what this reads.
    pub(crate) fn text() -> String {
        let pairs: Vec<_> = KEYS
            .iter()
            .map(|(name, _)| format!(r#""{name}":"${name}""#))
            .collect();
        format!("escape=json {{{}}}", pairs.join(","))
    }

    pub(crate) fn parse_into<'line>(
        &self,
        line: &'line [u8],
        hit: &mut Hit<'line>,
    ) -> Result<(), LineError> {
        hit.values.fill(None);
        let mut cursor = Cursor { line, at: 0 };
        cursor.skip_spaces();
        if !cursor.take(b'{') {
            return Err(cursor.misfit());
        }
        // The rank of the time in `hit`: the exactest one counts.
        let mut clock = None;
        loop {
            cursor.skip_spaces();
            if cursor.take(b'}') {
                break;
            }
            let key = cursor.string().ok_or_else(|| cursor.misfit())?;
            cursor.skip_spaces();
            if !cursor.take(b':') {
                return Err(cursor.misfit());
            }
            cursor.skip_spaces();
            let value_at = cursor.at;
            let value = cursor.value().ok_or_else(|| cursor.misfit())?;
            if let (Some(slot), Some(value)) = (self.slot(key), value) {
                let index = usize::from(slot);
                match self.kinds[index] {
                    Kind::Time => {
                        let time_us = time::any(value).ok_or(LineError::at(
                            LineErrorKind::BadTime,
                            slot,
                            value_at,
                        ))?;
                        let rank = if KEYS[index].0 == "msec" { 0 } else { slot + 1 };
                        if clock.is_none_or(|known| rank < known) {
                            (clock, hit.time_us) = (Some(rank), Some(time_us));
                        }
                    }
                    Kind::Status if number::status(value).is_none() => {
                        return Err(LineError::at(LineErrorKind::BadStatus, slot, value_at));
                    }
                    Kind::Address if value.contains(&b' ') => {
                        return Err(LineError::at(LineErrorKind::NotAnAddress, slot, value_at));
                    }
                    _ => {}
                }
                hit.values[index].get_or_insert(value);
            }
            cursor.skip_spaces();
            if !cursor.take(b',') && cursor.line.get(cursor.at) != Some(&b'}') {
                return Err(cursor.misfit());
            }
        }
        cursor.skip_spaces();
        if cursor.at != line.len() {
            return Err(LineError::at(
                LineErrorKind::TrailingBytes,
                LineError::NO_FIELD,
                cursor.at,
            ));
        }
        if hit.time_us.is_none() {
            return Err(LineError::at(LineErrorKind::BadTime, 0, 0));
        }
        Ok(())
    }

    fn slot(&self, key: &[u8]) -> Option<u16> {
        let found = self
            .slots
            .binary_search_by(|(known, _)| known.as_bytes().cmp(key))
            .ok()?;
        Some(self.slots[found].1)
    }
}

struct Cursor<'line> {
    line: &'line [u8],
    at: usize,
}

impl<'line> Cursor<'line> {
    fn skip_spaces(&mut self) {
        while matches!(self.line.get(self.at), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.line.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    /// What is between two quotes.
    fn string(&mut self) -> Option<&'line [u8]> {
        if !self.take(b'"') {
            return None;
        }
        let start = self.at;
        loop {
            let quote = self.at + memchr(b'"', &self.line[self.at..])?;
            self.at = quote + 1;
            if !is_escaped(&self.line[start..quote]) {
                return Some(&self.line[start..quote]);
            }
        }
    }

    /// A value; of `Some(None)` nothing is known: `null`, nothing at all, `-`, or an object or array.
    fn value(&mut self) -> Option<Option<&'line [u8]>> {
        let value = match self.line.get(self.at)? {
            b'"' => self.string()?,
            b'{' | b'[' => {
                self.skip_nested()?;
                return Some(None);
            }
            _ => match self.bare()? {
                b"" | b"null" => return Some(None),
                value => value,
            },
        };
        // As logs have it whose JSON is written with escape=default.
        Some((value != b"-").then_some(value))
    }

    /// A value without quotes, up to the `,` before the next key or the object's end.
    fn bare(&mut self) -> Option<&'line [u8]> {
        let start = self.at;
        loop {
            match self.line.get(self.at)? {
                b'}' => break,
                b',' if self.line[self.at + 1..]
                    .trim_ascii_start()
                    .first()
                    .is_none_or(|byte| *byte == b'"') =>
                {
                    break;
                }
                b'"' => return None,
                _ => self.at += 1,
            }
        }
        Some(self.line[start..self.at].trim_ascii_end())
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.line.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    #[cold]
    fn misfit(&self) -> LineError {
        let begins_well = self.line.trim_ascii_start().first() == Some(&b'{');
        let is_cut = begins_well && self.line.trim_ascii_end().last() != Some(&b'}');
        let (kind, at) = if is_cut {
            (LineErrorKind::CutShort, self.line.len())
        } else {
            (LineErrorKind::NotJson, self.at)
        };
        LineError::at(kind, LineError::NO_FIELD, at)
    }
}
