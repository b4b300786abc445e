//! Redaction: values of secret-looking parameters and tokens never reach a table.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};

/// What stands in place of a secret value.
pub const REDACTED: &str = "[redacted]";

/// Parameter names whose value is secret: whole names, or the last word of one (`access_token`, `apiKey`).
const NAMES: &[&str] = &[
    "token",
    "apikey",
    "key",
    "password",
    "passwd",
    "pwd",
    "secret",
    "signature",
    "sig",
    "credential",
    "auth",
];

/// Every JSON object in base64 begins so, and a JSON Web Token is one, a dot and another.
const JWT_START: &str = "eyJ";

static TOKEN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(JWT_START));

/// Shorter runs are not a token.
const JWT_CHARS_MIN: usize = 20;

static HINTS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let names = NAMES.iter().map(|name| format!("{name}="));
    AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostFirst)
        .build(names.chain(["x-amz-".to_owned(), JWT_START.to_owned()]))
        .expect("a dozen short patterns make an automaton")
});

/// The text with every secret value replaced by [`REDACTED`]; `None` if there is none, which is the common case.
///
/// A secret is the value of a parameter named like one of `token`, `key`, `password`, `signature` …, of any
/// `X-Amz-*` parameter, or text shaped like a JSON Web Token. A value ends at `&`, `;`, `#`, a quote or a blank.
///
/// ```
/// use floodmark_ingest::redact;
/// assert_eq!(redact("page=2&access_token=abc&x=1").as_deref(), Some("page=2&access_token=[redacted]&x=1"));
/// assert_eq!(redact("q=keyboard&monkey=1"), None);
/// ```
#[must_use]
pub fn redact(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if !may_hold_secret(bytes) {
        return None;
    }
    let mut out: Option<String> = None;
    let mut done = 0;
    for hint in HINTS.find_iter(text) {
        if hint.start() < done {
            continue;
        }
        let Some((start, end)) = secret_at(bytes, hint.start(), hint.end()) else {
            continue;
        };
        if end == start || &text[start..end] == REDACTED {
            continue;
        }
        let out = out.get_or_insert_with(|| String::with_capacity(text.len()));
        out.push_str(&text[done..start]);
        out.push_str(REDACTED);
        done = end;
    }
    if let Some(out) = &mut out {
        out.push_str(&text[done..]);
    }
    out
}

/// A quick no for most texts: a secret needs a `=` before it or is a token.
pub(crate) fn may_hold_secret(text: &[u8]) -> bool {
    memchr(b'=', text).is_some() || TOKEN.find(text).is_some()
}

/// The span of the secret that a hint stands for.
fn secret_at(bytes: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let ends_value = |b: &u8| matches!(b, b'&' | b';' | b'#' | b'"' | b'\'' | b' ');
    let value_end = |from: usize| {
        bytes[from..]
            .iter()
            .position(ends_value)
            .map_or(bytes.len(), |length| from + length)
    };
    if bytes[start..end] == *JWT_START.as_bytes() {
        let length = bytes[start..]
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            .count();
        let shaped = length >= JWT_CHARS_MIN && bytes[start..start + length].contains(&b'.');
        return shaped.then_some((start, start + length));
    }
    let value = if bytes[end - 1] == b'=' {
        let begins_word = start == 0
            || !bytes[start - 1].is_ascii_alphanumeric()
            || (bytes[start].is_ascii_uppercase() && bytes[start - 1].is_ascii_lowercase());
        if !begins_word {
            return None;
        }
        end
    } else {
        let name_end = value_end(end);
        end + bytes[end..name_end].iter().position(|&b| b == b'=')? + 1
    };
    Some((value, value_end(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(redact(text).as_deref(), expected, "{text}");
    }

    #[test]
    fn secret_parameters_lose_their_value_only() {
        check("a=1&token=s3cr3t&b=2", Some("a=1&token=[redacted]&b=2"));
        check("API_KEY=abc", Some("API_KEY=[redacted]"));
        check("apiKey=abc", Some("apiKey=[redacted]"));
        check(
            "X-Amz-Credential=AKIA%2F2026&X-Amz-Expires=60",
            Some("X-Amz-Credential=[redacted]&X-Amz-Expires=[redacted]"),
        );
        check(
            "https://www.example.org/r?password=a b",
            Some("https://www.example.org/r?password=[redacted] b"),
        );
    }

    #[test]
    fn harmless_text_is_left_as_it_is() {
        for text in [
            "",
            "page=2",
            "keyboard=1",
            "monkey=1",
            "token",
            "token=",
            "a.b=c",
            "token=[redacted]",
            "eyJ.short",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_json_web_token_in_a_path_is_redacted() {
        check(
            "/verify/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln/end",
            Some("/verify/[redacted]/end"),
        );
    }
}
