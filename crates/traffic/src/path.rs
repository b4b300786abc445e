//! Paths: their template, whether they name an asset, and the class of a status.

use std::borrow::Cow;

/// Shortest run of hexadecimal digits that counts as an identifier: that of an abbreviated hash.
const HEX_MIN: usize = 8;
/// A slug has at least so many words …
const SLUG_WORDS_MIN: usize = 4;
/// … and so many bytes.
const SLUG_BYTES_MIN: usize = 20;
/// A segment longer than this is an identifier of some kind.
const SEGMENT_BYTES_MAX: usize = 48;

/// The path with its identifiers replaced, so that requests of one kind share one template.
///
/// Per segment, and per part of it between dots: digits become `{id}`, a UUID `{uuid}`, at least 8 hexadecimal digits with a digit and
/// a letter among them (or 16 of any) `{hex}`, a date `{date}`, four or more words joined by `-` or `_` `{slug}`, other long or random-looking text
/// `{token}`. The last part of a file name such as `main-3f9a2b1c.js` counts by itself: `main-{hex}.js`. Borrowed where nothing was replaced.
///
/// ```
/// # use floodmark_traffic::path::path_template;
/// assert_eq!(path_template("/users/42/orders/7"), "/users/{id}/orders/{id}");
/// assert_eq!(path_template("/about"), "/about");
/// ```
#[must_use]
pub fn path_template(path: &str) -> Cow<'_, str> {
    if !path
        .split('/')
        .any(|segment| template_of_segment(segment).is_some())
    {
        return Cow::Borrowed(path);
    }
    let segments: Vec<Cow<'_, str>> = path
        .split('/')
        .map(|segment| template_of_segment(segment).map_or(Cow::Borrowed(segment), Cow::Owned))
        .collect();
    Cow::Owned(segments.join("/"))
}

/// Whether a path names a part of a page (style, script, image, font, map, video) and no page of its own.
#[must_use]
pub fn is_asset(path: &str) -> bool {
    const EXTENSIONS: [&str; 27] = [
        "css",
        "js",
        "mjs",
        "map",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "avif",
        "ico",
        "bmp",
        "woff",
        "woff2",
        "ttf",
        "otf",
        "eot",
        "mp4",
        "webm",
        "mp3",
        "ogg",
        "wasm",
        "m4s",
        "ts",
        "webmanifest",
        "cur",
    ];
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.split([';', '?']).next().unwrap_or(name);
    name.rsplit_once('.').is_some_and(|(_, extension)| {
        EXTENSIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(extension))
    })
}

/// The class of a status: `1xx` to `5xx`, `other` for 000 and what lies outside; `None` for none.
#[must_use]
pub fn status_class(status: Option<i16>) -> Option<&'static str> {
    Some(match status_hundreds(status?) {
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(5) => "5xx",
        _ => "other",
    })
}

/// The first digit of a status that has a class, 1 to 5.
#[must_use]
pub fn status_hundreds(status: i16) -> Option<u8> {
    match status {
        100..=599 => u8::try_from(status / 100).ok(),
        _ => None,
    }
}

fn template_of_segment(segment: &str) -> Option<String> {
    // Plain short words, the most frequent case, are told without looking further.
    if segment.len() < SLUG_BYTES_MIN && !segment.bytes().any(|byte| byte.is_ascii_digit()) {
        let hex_word = segment.len() >= 16 && segment.bytes().all(|byte| byte.is_ascii_hexdigit());
        return hex_word.then(|| "{hex}".to_owned());
    }
    if let Some(whole) = placeholder(segment) {
        return Some(whole.to_owned());
    }
    let mut changed = false;
    let parts: Vec<Cow<'_, str>> = segment
        .split('.')
        .map(|part| {
            let found = placeholder(part)
                .map(str::to_owned)
                .or_else(|| with_marked_tail(part));
            changed |= found.is_some();
            found.map_or(Cow::Borrowed(part), Cow::Owned)
        })
        .collect();
    changed.then(|| parts.join("."))
}

fn placeholder(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    if bytes.contains(&b'{') {
        return None; // a template already
    }
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if !bytes.is_empty() && digits == bytes.len() {
        return Some("{id}");
    }
    if is_uuid(bytes) {
        return Some("{uuid}");
    }
    if is_date(bytes) {
        return Some("{date}");
    }
    if bytes.iter().all(u8::is_ascii_hexdigit)
        && (bytes.len() >= 16 || (bytes.len() >= HEX_MIN && digits > 0))
    {
        return Some("{hex}");
    }
    let words = bytes
        .split(|&byte| byte == b'-' || byte == b'_')
        .filter(|word| !word.is_empty())
        .count();
    if words >= SLUG_WORDS_MIN && bytes.len() >= SLUG_BYTES_MIN && !text.contains('.') {
        return Some("{slug}");
    }
    let lower = bytes.iter().any(u8::is_ascii_lowercase);
    let upper = bytes.iter().any(u8::is_ascii_uppercase);
    let token = words == 1
        && bytes.len() >= SLUG_BYTES_MIN
        && digits >= 3
        && (lower || upper)
        && bytes.iter().all(u8::is_ascii_alphanumeric);
    if token || (bytes.len() > SEGMENT_BYTES_MAX && !text.contains('.')) {
        return Some("{token}");
    }
    None
}

// `main-3f9a2b1c` is `main-{hex}`, `order_1042` is `order_{id}`.
fn with_marked_tail(part: &str) -> Option<String> {
    let at = part.rfind(['-', '_'])?;
    let tail = &part[at + 1..];
    let found = placeholder(tail).filter(|found| matches!(*found, "{id}" | "{hex}" | "{token}"))?;
    Some(format!("{}{found}", &part[..=at]))
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| {
            if matches!(at, 8 | 13 | 18 | 23) {
                *byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

fn is_date(bytes: &[u8]) -> bool {
    bytes.len() == 10
        && (bytes.starts_with(b"19") || bytes.starts_with(b"20"))
        && bytes.iter().enumerate().all(|(at, byte)| {
            if matches!(at, 4 | 7) {
                *byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(path_template(path), expected, "{path}");
    }

    #[test]
    fn identifiers_are_replaced() {
        check("/users/42", "/users/{id}");
        check("/users/42/", "/users/{id}/");
        check("/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301/x", "/o/{uuid}/x");
        check("/commit/9f86d081884c", "/commit/{hex}");
        check("/commit/deadbeefdeadbeef", "/commit/{hex}");
        check("/img/1042.jpg", "/img/{id}.jpg");
        check("/static/main-3f9a2b1c.js", "/static/main-{hex}.js");
        check("/static/app.3f9a2b1c.css", "/static/app.{hex}.css");
        check(
            "/blog/2026-11-22/how-to-read-a-flood-mark",
            "/blog/{date}/{slug}",
        );
        check("/s/QWxhZGRpbjpvcGVuIHNlc2FtZQ9x8y7", "/s/{token}");
        check("/order_1042", "/order_{id}");
    }

    #[test]
    fn names_are_kept() {
        for path in [
            "",
            "/",
            "/about",
            "/api/v1/items",
            "/wp-login.php",
            "/.well-known/security.txt",
            "/decade",
            "/index.html",
            "/h264",
            "*",
        ] {
            check(path, path);
            assert!(matches!(path_template(path), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn assets_are_told_by_their_extension() {
        for (path, expected) in [
            ("/a.css", true),
            ("/A.JPG", true),
            ("/a.b/c", false),
            ("/", false),
            ("/feed.xml", false),
            ("/a.js;v=1", true),
            ("/js", false),
        ] {
            assert_eq!(is_asset(path), expected, "{path}");
        }
    }

    #[test]
    fn status_classes() {
        assert_eq!(status_class(Some(204)), Some("2xx"));
        assert_eq!(status_class(Some(0)), Some("other"));
        assert_eq!(status_class(None), None);
    }

    proptest! {
        #[test]
        fn a_template_is_its_own_template(path in "(/[a-zA-Z0-9._-]{0,30}){0,4}") {
            let once = path_template(&path).into_owned();
            prop_assert_eq!(path_template(&once), once.as_str());
        }
    }
}
