//! Lines that name their values: which key is which variable.

use crate::error::{FormatError, LineError, LineErrorKind};
use crate::hit::Hit;
use crate::number;
use crate::time;
use crate::variable::{Kind, Unit, Variable};

/// How a line gives its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// An object; the key of a value inside another object is both keys with a point between.
    Json,
    /// `label:value`, with tabs between.
    Ltsv,
}

impl Syntax {
    /// The word that a format of this syntax begins with.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ltsv => "ltsv",
        }
    }
}

/// The keys of a format, each with its slot.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) syntax: Syntax,
    /// Sorted by length and then by key: few keys have the same length, so that few have to be compared.
    slots: Vec<(String, u16)>,
    /// Where in `slots` the keys of each length begin, and after the longest their end.
    starts: Vec<usize>,
    /// What the keys of values inside objects begin with, up to each of their points; sorted.
    prefixes: Vec<String>,
    pub(crate) variables: Vec<Variable>,
    /// What was asked for beyond the usual names.
    entries: Vec<Entry>,
}

/// `variable=key`, with `/1000` after it for a duration in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) variable: String,
    pub(crate) key: String,
    pub(crate) unit: Unit,
}

/// More keys would be no access log.
const ENTRIES_MAX: usize = 500;

impl Keys {
    /// The usual names, and what `map` says instead: `status=resp.code,request_time=latency_ms/1000`, with spaces or
    /// commas between. A key in `map` is its variable's only one.
    pub(crate) fn read(syntax: Syntax, map: &str) -> Result<Self, FormatError> {
        Ok(Self::new(syntax, entries(map)?))
    }

    pub(crate) fn new(syntax: Syntax, entries: Vec<Entry>) -> Self {
        let mut keys = Self {
            syntax,
            slots: Vec::new(),
            starts: Vec::new(),
            prefixes: Vec::new(),
            variables: Vec::new(),
            entries: Vec::new(),
        };
        for entry in entries {
            keys.add(&entry.variable, &entry.key, entry.unit);
            keys.entries.push(entry);
        }
        for (name, aliases) in USUAL {
            if keys.is_mapped(name) {
                continue;
            }
            for key in std::iter::once(name).chain(*aliases) {
                if !keys.is_other(key, name) {
                    keys.add(name, key, Variable::named(name).unit);
                }
            }
        }
        for (label, name) in LTSV.iter().filter(|_| syntax == Syntax::Ltsv) {
            if !keys.is_mapped(name) && !keys.is_given(label) {
                keys.add(name, label, Unit::One);
            }
        }
        keys.index();
        keys
    }

    fn index(&mut self) {
        let order = |(key, slot): &(String, u16)| (key.len(), key.clone(), *slot);
        self.slots.sort_by_key(order);
        let longest = self.slots.last().map_or(0, |(key, _)| key.len());
        let start = |length| self.slots.partition_point(|(key, _)| key.len() < length);
        self.starts = (0..longest + 2).map(start).collect();
        self.prefixes = self
            .slots
            .iter()
            .flat_map(|(key, _)| {
                let points = key.match_indices('.');
                points.map(|(at, _)| key[..=at].to_owned())
            })
            .collect();
        self.prefixes.sort_unstable();
        self.prefixes.dedup();
    }

    /// Whether a variable has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.variables.iter().any(|variable| variable.name == name)
    }

    fn is_mapped(&self, variable: &str) -> bool {
        self.entries.iter().any(|entry| entry.variable == variable)
    }

    fn is_given(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Whether a key means something else in this syntax, or has been given to another variable.
    fn is_other(&self, key: &str, variable: &str) -> bool {
        let ltsv = LTSV.iter().find(|(label, _)| *label == key);
        self.is_given(key)
            || (self.syntax == Syntax::Ltsv && ltsv.is_some_and(|(_, name)| *name != variable))
    }

    fn add(&mut self, name: &str, key: &str, unit: Unit) {
        let known = self
            .variables
            .iter()
            .position(|variable| variable.name == name);
        let index = known.unwrap_or(self.variables.len());
        if known.is_none() {
            let mut variable = Variable::in_unit(name, unit);
            if unit.divisor().is_some() && variable.kind == Kind::Text {
                variable.kind = Kind::Seconds;
            }
            self.variables.push(variable);
        }
        if let Ok(slot) = u16::try_from(index) {
            self.slots.push((key.to_owned(), slot));
        }
    }

    /// The format's text, as it is given.
    pub(crate) fn text(&self) -> String {
        let mut text = self.syntax.word().to_owned();
        for entry in &self.entries {
            text.push_str(&format!(" {}={}", entry.variable, quoted(&entry.key)));
            if let Some(divisor) = entry.unit.divisor() {
                text.push_str(&format!("/{divisor}"));
            }
        }
        text
    }

    pub(crate) fn slot(&self, key: &[u8]) -> Option<u16> {
        let start = *self.starts.get(key.len())?;
        let end = *self.starts.get(key.len() + 1)?;
        let alike = &self.slots[start..end];
        let found = alike.iter().find(|(known, _)| known.as_bytes() == key);
        found.map(|(_, slot)| *slot)
    }

    /// Parses a line into `hit`.
    pub(crate) fn parse_into<'line>(
        &self,
        line: &'line [u8],
        hit: &mut Hit<'line>,
    ) -> Result<(), LineError> {
        hit.values.fill(None);
        let mut filling = Filling {
            keys: self,
            clock: None,
            hit,
        };
        match self.syntax {
            Syntax::Json => crate::json::walk(line, &mut filling)?,
            Syntax::Ltsv => crate::ltsv::walk(line, &mut filling)?,
        }
        if hit.time_us.is_none() {
            let is_time = |variable: &Variable| variable.kind == Kind::Time;
            let slot = self.variables.iter().position(is_time);
            let slot = slot.and_then(|slot| u16::try_from(slot).ok());
            return Err(LineError::at(
                LineErrorKind::BadTime,
                slot.unwrap_or(LineError::NO_FIELD),
                0,
            ));
        }
        Ok(())
    }
}

/// Is told of the values of a line.
pub(crate) trait Visitor<'line> {
    /// Whether a key that begins so is of interest.
    fn wants(&self, prefix: &[u8]) -> bool;

    /// A key and its value, which begins at `at`.
    fn value(&mut self, key: &[u8], value: &'line [u8], at: usize) -> Result<(), LineError>;
}

/// Fills a hit.
struct Filling<'keys, 'hit, 'line> {
    keys: &'keys Keys,
    /// The rank of the time in the hit: the exactest one counts.
    clock: Option<u16>,
    hit: &'hit mut Hit<'line>,
}

impl<'line> Visitor<'line> for Filling<'_, '_, 'line> {
    fn wants(&self, prefix: &[u8]) -> bool {
        let prefixes = &self.keys.prefixes;
        prefixes
            .binary_search_by(|known| known.as_bytes().cmp(prefix))
            .is_ok()
    }

    fn value(&mut self, key: &[u8], value: &'line [u8], at: usize) -> Result<(), LineError> {
        let Some(slot) = self.keys.slot(key) else {
            return Ok(());
        };
        let variable = &self.keys.variables[usize::from(slot)];
        let mut value = value;
        let misfit = |kind| Err(LineError::at(kind, slot, at));
        match variable.kind {
            Kind::Time => {
                let Some(time_us) = time::any(value) else {
                    return misfit(LineErrorKind::BadTime);
                };
                let rank = match variable.name.as_str() {
                    "msec" => 0,
                    "time_iso8601" => 1,
                    _ => 2,
                };
                if self.clock.is_none_or(|known| rank < known) {
                    (self.clock, self.hit.time_us) = (Some(rank), Some(time_us));
                }
            }
            Kind::Status if number::status(value).is_none() => {
                return misfit(LineErrorKind::BadStatus);
            }
            Kind::Address if value.contains(&b' ') => {
                return misfit(LineErrorKind::NotAnAddress);
            }
            Kind::Address => value = without_port(value),
            _ => {}
        }
        self.hit.values[usize::from(slot)].get_or_insert(value);
        Ok(())
    }
}

/// `192.0.2.7:1234` and `[2001:db8::1]:1234`, as some writers log a client, without the port.
fn without_port(address: &[u8]) -> &[u8] {
    if let Some(inside) = address.strip_prefix(b"[")
        && let Some(end) = inside.iter().position(|byte| *byte == b']')
    {
        return &inside[..end];
    }
    let mut parts = address.splitn(3, |byte| *byte == b':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(host), Some(port), None)
            if host.contains(&b'.') && !port.is_empty() && port.iter().all(u8::is_ascii_digit) =>
        {
            host
        }
        _ => address,
    }
}

/// Reads a map.
fn entries(map: &str) -> Result<Vec<Entry>, FormatError> {
    let mut entries = Vec::new();
    let mut rest = skip_separators(map);
    while !rest.is_empty() {
        let bad = || FormatError::BadKey {
            found: rest.chars().take(24).collect(),
        };
        let (entry, after) = entry(rest).ok_or_else(bad)?;
        entries.push(entry);
        if entries.len() > ENTRIES_MAX {
            return Err(FormatError::TooManyVariables {
                found: entries.len(),
                max: ENTRIES_MAX,
            });
        }
        rest = skip_separators(after);
    }
    Ok(entries)
}

fn skip_separators(text: &str) -> &str {
    text.trim_start_matches([' ', ',', '\t', '\n', '\r'])
}

fn entry(text: &str) -> Option<(Entry, &str)> {
    let (variable, rest) = text.split_once('=')?;
    let variable = variable.strip_prefix('$').unwrap_or(variable);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if variable.is_empty() || !variable.bytes().all(is_name) {
        return None;
    }
    let (key, rest) = match rest.strip_prefix('"') {
        Some(inside) => unquoted(inside)?,
        None => {
            let end = rest
                .find([' ', ',', '\t', '\n', '\r'])
                .unwrap_or(rest.len());
            let word = &rest[..end];
            // A divisor belongs to the entry, any other slash to the key.
            let end = match word.rsplit_once('/') {
                Some((key, divisor)) if Unit::of_divisor(divisor).is_some() => key.len(),
                _ => end,
            };
            (rest[..end].to_owned(), &rest[end..])
        }
    };
    let divisor = rest.strip_prefix('/').map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit());
        rest.split_at(end.unwrap_or(rest.len()))
    });
    let (unit, rest) = match divisor {
        Some((divisor, rest)) => (Unit::of_divisor(divisor)?, rest),
        None => (Variable::named(variable).unit, rest),
    };
    let entry = Entry {
        variable: variable.to_owned(),
        key,
        unit,
    };
    (!entry.key.is_empty() && (rest.is_empty() || rest != skip_separators(rest)))
        .then_some((entry, rest))
}

/// A key in quotes, with `\"` and `\\` in it, and what follows.
fn unquoted(inside: &str) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((key, &inside[at + 1..])),
            '\\' => key.push(characters.next()?.1),
            _ => key.push(character),
        }
    }
    None
}

/// A key as a map has it: in quotes if it would not be read as it stands.
fn quoted(key: &str) -> String {
    let is_odd = |character: char| character.is_whitespace() || ",\"\\=/".contains(character);
    if key.contains(is_odd) {
        return format!("\"{}\"", key.replace('\\', r"\\").replace('"', "\\\""));
    }
    key.to_owned()
}

/// Labels that mean something else in LTSV than in JSON.
const LTSV: &[(&str, &str)] = &[("host", "remote_addr")];

/// Variables, each with other names that logs use for it: those of common libraries, of Caddy, Traefik, ECS and
/// OpenTelemetry, and LTSV's labels. Durations have none but where the name says that they are seconds.
const USUAL: &[(&str, &[&str])] = &[
    (
        "time_iso8601",
        &[
            "time",
            "ts",
            "@timestamp",
            "timestamp",
            "datetime",
            "date",
            "StartUTC",
        ],
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
            "remoteAddr",
            "request.remote_ip",
            "source.ip",
            "client.ip",
            "client.address",
            "httpRequest.remoteIp",
            "ClientHost",
        ],
    ),
    (
        "remote_user",
        &["user", "auth", "user.name", "user_id", "ClientUsername"],
    ),
    ("request", &["req", "RequestLine"]),
    (
        "request_method",
        &[
            "method",
            "verb",
            "http_method",
            "request.method",
            "req.method",
            "http.request.method",
            "httpRequest.requestMethod",
            "RequestMethod",
        ],
    ),
    (
        "request_uri",
        &[
            "url",
            "uri_full",
            "request.uri",
            "req.url",
            "url.original",
            "RequestPath",
        ],
    ),
    ("uri", &["path", "document_uri", "url.path"]),
    ("args", &["query_string", "query", "url.query"]),
    (
        "server_protocol",
        &[
            "protocol",
            "proto",
            "http_version",
            "request.proto",
            "http.version",
            "httpRequest.protocol",
            "RequestProtocol",
        ],
    ),
    (
        "status",
        &[
            "status_code",
            "response_code",
            "code",
            "response",
            "statusCode",
            "res.statusCode",
            "response.status",
            "http.response.status_code",
            "httpRequest.status",
            "DownstreamStatus",
        ],
    ),
    (
        "body_bytes_sent",
        &[
            "bytes",
            "body_bytes",
            "size",
            "http.response.body.bytes",
            "DownstreamContentSize",
        ],
    ),
    (
        "http_referer",
        &[
            "referer",
            "referrer",
            "http_referrer",
            "request.headers.Referer",
            "http.request.referrer",
            "httpRequest.referer",
            "request_Referer",
            "requestHeaders.Referer",
        ],
    ),
    (
        "http_user_agent",
        &[
            "user_agent",
            "useragent",
            "userAgent",
            "agent",
            "ua",
            "request.headers.User-Agent",
            "req.headers.user-agent",
            "user_agent.original",
            "httpRequest.userAgent",
            "request_User-Agent",
            "requestHeaders.User-Agent",
        ],
    ),
    (
        "http_x_forwarded_for",
        &[
            "x_forwarded_for",
            "xff",
            "forwarded_for",
            "forwardedfor",
            "request.headers.X-Forwarded-For",
            "request_X-Forwarded-For",
        ],
    ),
    (
        "host",
        &[
            "http_host",
            "vhost",
            "domain",
            "request.host",
            "url.domain",
            "RequestHost",
        ],
    ),
    ("server_name", &["localServerName"]),
    ("server_port", &["port", "RequestPort"]),
    ("scheme", &["url.scheme", "RequestScheme"]),
    ("bytes_sent", &[]),
    ("request_length", &["bytes_read", "RequestContentSize"]),
    ("request_time", &["rt", "reqtime", "request_time_s"]),
    (
        "request_id",
        &["req_id", "http_x_request_id", "x_request_id", "requestId"],
    ),
    (
        "ssl_protocol",
        &["tls_protocol", "tls_version", "TLSVersion"],
    ),
    ("ssl_cipher", &["tls_cipher", "TLSCipher"]),
    ("upstream_addr", &["upstream", "ServiceAddr"]),
    ("upstream_status", &["OriginStatus"]),
    ("upstream_connect_time", &["uct"]),
    ("upstream_header_time", &["uht"]),
    ("upstream_response_time", &["urt", "apptime"]),
    ("upstream_cache_status", &["cache_status", "cache"]),
    ("connection", &[]),
    ("connection_requests", &[]),
    ("gzip_ratio", &[]),
    ("pipe", &[]),
];

/// Keys whose name says that they are the request's duration, and in which unit: for a format that is fitted to a
/// sample, since a variable has one unit.
pub(crate) const DURATIONS: &[(&str, &str, Unit)] = &[
    ("duration_ms", "request_time", Unit::Milliseconds),
    ("latency_ms", "request_time", Unit::Milliseconds),
    ("request_time_ms", "request_time", Unit::Milliseconds),
    ("response_time_ms", "request_time", Unit::Milliseconds),
    ("elapsed_ms", "request_time", Unit::Milliseconds),
    ("time_taken_ms", "request_time", Unit::Milliseconds),
    ("responseTimeMs", "request_time", Unit::Milliseconds),
    ("duration_us", "request_time", Unit::Microseconds),
    ("latency_us", "request_time", Unit::Microseconds),
    ("request_time_us", "request_time", Unit::Microseconds),
    ("reqtime_microsec", "request_time", Unit::Microseconds),
    ("duration_ns", "request_time", Unit::Nanoseconds),
    ("latency_ns", "request_time", Unit::Nanoseconds),
    ("event.duration", "request_time", Unit::Nanoseconds),
    ("Duration", "request_time", Unit::Nanoseconds),
    (
        "OriginDuration",
        "upstream_response_time",
        Unit::Nanoseconds,
    ),
    ("duration_s", "request_time", Unit::Seconds),
    ("duration_seconds", "request_time", Unit::Seconds),
    ("latency_s", "request_time", Unit::Seconds),
    ("latency_seconds", "request_time", Unit::Seconds),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(text: &str, canonical: &str) {
        let map = text.strip_prefix("json").expect("a json format");
        let keys = Keys::read(Syntax::Json, map).expect("a map");
        assert_eq!(keys.text(), canonical);
        let map = canonical.strip_prefix("json").expect("a json format");
        let again = Keys::read(Syntax::Json, map).expect("a map");
        assert_eq!(again.text(), canonical);
        assert_eq!(again.variables, keys.variables);
    }

    #[test]
    fn maps_are_written_in_one_way() {
        check_text("json", "json");
        check_text(
            "json status=resp.code,request_time=latency_ms/1000",
            "json status=resp.code request_time=latency_ms/1000",
        );
        check_text(
            r#"json $uri="a b/1000" x=y/z"#,
            r#"json uri="a b/1000" x="y/z""#,
        );
        check_text(r#"json t="a\"\\"/1000"#, r#"json t="a\"\\"/1000"#);
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for bad in [
            "status",
            "=a",
            "a=",
            "a b=c",
            r#"a="b"#,
            r#"a="b"c"#,
            r#"a="b"/7"#,
        ] {
            assert!(Keys::read(Syntax::Json, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_key_is_given_to_two_variables() {
        for syntax in [Syntax::Json, Syntax::Ltsv] {
            let keys = Keys::read(syntax, "").expect("no map");
            for pair in keys.slots.windows(2) {
                assert_ne!(pair[0].0, pair[1].0, "{syntax:?}");
            }
        }
    }

    #[test]
    fn a_key_in_the_map_is_its_variables_only_one() {
        let keys = Keys::read(Syntax::Json, "status=a remote_addr=status").expect("a map");
        let name = |key: &[u8]| Some(keys.variables[usize::from(keys.slot(key)?)].name.as_str());
        assert_eq!(name(b"a"), Some("status"));
        assert_eq!(name(b"status"), Some("remote_addr"));
        assert_eq!(name(b"code"), None);
    }

    #[test]
    fn a_client_is_read_without_its_port() {
        for (logged, address) in [
            ("192.0.2.7:1234", "192.0.2.7"),
            ("[2001:db8::1]:1234", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("192.0.2.7", "192.0.2.7"),
            ("unix:", "unix:"),
        ] {
            assert_eq!(without_port(logged.as_bytes()), address.as_bytes());
        }
    }
}
