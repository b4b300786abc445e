//! The request line in its parts.

use memchr::{memchr, memrchr};
use nom::bytes::complete::{take_while, take_while1};
use nom::character::complete::char;
use nom::combinator::{all_consuming, opt, recognize};
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// What a client asked for, as bytes of the line, still escaped. A part that was not sent is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestParts<'line> {
    /// `GET`, `POST`, ….
    pub method: Option<&'line [u8]>,
    /// The target up to its first `?`; with CONNECT or an absolute URI whatever the client wrote.
    pub path: Option<&'line [u8]>,
    /// What follows the first `?`; `Some(b"")` if nothing does, `None` without a `?`.
    pub args: Option<&'line [u8]>,
    /// `HTTP/1.1`, …; `None` for HTTP/0.9.
    pub protocol: Option<&'line [u8]>,
    /// The whole request, only if it could not be split: TLS bytes, one word, …. `Some(b"")` if nothing was sent, which
    /// Nginx logs as `""`; `None` if the log has no request.
    pub whole: Option<&'line [u8]>,
}

impl<'line> RequestParts<'line> {
    /// Splits `$request`. Spaces in the target stay in it: the protocol is what follows the last one.
    pub(crate) fn split(request: &'line [u8]) -> Self {
        let Ok((target, method)) = method(request) else {
            return Self {
                whole: Some(request),
                ..Self::default()
            };
        };
        let (target, protocol) = match memrchr(b' ', target) {
            Some(space) if is_protocol(&target[space + 1..]) => {
                (&target[..space], Some(&target[space + 1..]))
            }
            _ => (target, None),
        };
        if target.is_empty() || (protocol.is_none() && !is_simple(method, target)) {
            return Self {
                whole: Some(request),
                ..Self::default()
            };
        }
        let (path, args) = split_target(target);
        Self {
            method: Some(method),
            path: Some(path),
            args,
            protocol,
            whole: None,
        }
    }
}

/// An absolute URI in its parts, as a proxy is asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AbsoluteUri<'line> {
    pub(crate) scheme: &'line [u8],
    pub(crate) host: &'line [u8],
    pub(crate) port: Option<&'line [u8]>,
    /// From the first slash on; `None` if there is no more.
    pub(crate) path: Option<&'line [u8]>,
}

impl<'line> AbsoluteUri<'line> {
    /// `https://host:443/path`; `None` if it is no such thing. An IPv6 host keeps its brackets.
    pub(crate) fn split(target: &'line [u8]) -> Option<Self> {
        let colon = memchr(b':', target)?;
        let scheme = &target[..colon];
        let rest = target[colon..].strip_prefix(b"://")?;
        if scheme.is_empty() || !scheme.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let slash = memchr(b'/', rest);
        let authority = &rest[..slash.unwrap_or(rest.len())];
        let (host, port) = match memrchr(b':', authority) {
            Some(colon) if authority[colon + 1..].iter().all(u8::is_ascii_digit) => {
                (&authority[..colon], Some(&authority[colon + 1..]))
            }
            _ => (authority, None),
        };
        Some(Self {
            scheme,
            host,
            port: port.filter(|port| !port.is_empty()),
            path: slash.map(|slash| &rest[slash..]),
        })
    }
}

/// Path and arguments of a request target.
pub(crate) fn split_target(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b'?', target) {
        Some(mark) => (&target[..mark], Some(&target[mark + 1..])),
        None => (target, None),
    }
}

fn method(request: &[u8]) -> IResult<&[u8], &[u8]> {
    let (target, method) = take_while1(is_token).parse(request)?;
    let (target, _) = char(' ').parse(target)?;
    Ok((target, method))
}

/// The characters of a `token` in HTTP's grammar.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `HTTP/1.1`, `HTTP/2.0`, and what else asks for something on this port, such as `RTSP/1.0`.
fn is_protocol(word: &[u8]) -> bool {
    if let [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] = word {
        return major.is_ascii_digit() && minor.is_ascii_digit();
    }
    all_consuming(other_protocol).parse(word).is_ok()
}

fn other_protocol(word: &[u8]) -> IResult<&[u8], &[u8]> {
    let digits = || take_while1(|byte: u8| byte.is_ascii_digit());
    let name = take_while1(|byte: u8| byte.is_ascii_uppercase());
    recognize((
        name,
        char('/'),
        digits(),
        opt(preceded(char('.'), digits())),
    ))
    .parse(word)
}

/// A request without a protocol is HTTP/0.9 only if it looks like one; two words of anything else are not.
fn is_simple(method: &[u8], target: &[u8]) -> bool {
    let mut scheme = take_while::<_, _, nom::error::Error<_>>(|byte: u8| byte.is_ascii_lowercase());
    method.iter().all(u8::is_ascii_uppercase)
        && (target[0] == b'/'
            || scheme
                .parse(target)
                .is_ok_and(|(rest, _)| rest.starts_with(b"://")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(request: &str, expected: [Option<&str>; 4]) {
        let parts = RequestParts::split(request.as_bytes());
        let found = [parts.method, parts.path, parts.args, parts.protocol];
        assert_eq!(
            found,
            expected.map(|part| part.map(str::as_bytes)),
            "{request}"
        );
        assert_eq!(parts.whole, None, "{request}");
    }

    #[track_caller]
    fn check_whole(request: &[u8]) {
        assert_eq!(
            RequestParts::split(request),
            RequestParts {
                whole: Some(request),
                ..RequestParts::default()
            }
        );
    }

    #[test]
    fn ordinary_requests() {
        check(
            "GET / HTTP/1.1",
            [Some("GET"), Some("/"), None, Some("HTTP/1.1")],
        );
        check(
            "POST /a?b=1?c HTTP/2.0",
            [Some("POST"), Some("/a"), Some("b=1?c"), Some("HTTP/2.0")],
        );
        check(
            "GET /a? HTTP/1.1",
            [Some("GET"), Some("/a"), Some(""), Some("HTTP/1.1")],
        );
    }

    #[test]
    fn targets_without_a_path() {
        check(
            "PRI * HTTP/2.0",
            [Some("PRI"), Some("*"), None, Some("HTTP/2.0")],
        );
        check(
            "CONNECT example.com:443 HTTP/1.1",
            [
                Some("CONNECT"),
                Some("example.com:443"),
                None,
                Some("HTTP/1.1"),
            ],
        );
        check(
            "GET http://example.com/x?y HTTP/1.1",
            [
                Some("GET"),
                Some("http://example.com/x"),
                Some("y"),
                Some("HTTP/1.1"),
            ],
        );
    }

    #[track_caller]
    fn check_uri(target: &str, expected: Option<(&str, &str, Option<&str>, Option<&str>)>) {
        let expected = expected.map(|(scheme, host, port, path)| AbsoluteUri {
            scheme: scheme.as_bytes(),
            host: host.as_bytes(),
            port: port.map(str::as_bytes),
            path: path.map(str::as_bytes),
        });
        assert_eq!(AbsoluteUri::split(target.as_bytes()), expected, "{target}");
    }

    #[test]
    fn absolute_uris_are_taken_apart() {
        check_uri(
            "https://www.example.com:443/a/b",
            Some(("https", "www.example.com", Some("443"), Some("/a/b"))),
        );
        check_uri(
            "http://[2001:db8::1]:80/",
            Some(("http", "[2001:db8::1]", Some("80"), Some("/"))),
        );
        check_uri(
            "http://example.com",
            Some(("http", "example.com", None, None)),
        );
        check_uri(
            "http://example.com:/x",
            Some(("http", "example.com", None, Some("/x"))),
        );
        check_uri("/a://b", None);
        check_uri("example.com:443", None);
    }

    #[test]
    fn spaces_stay_in_the_target() {
        check(
            "GET /a b HTTP/1.1 c HTTP/1.1",
            [Some("GET"), Some("/a b HTTP/1.1 c"), None, Some("HTTP/1.1")],
        );
    }

    #[test]
    fn http_09_has_no_protocol() {
        check("GET /x", [Some("GET"), Some("/x"), None, None]);
        check("GET /x y", [Some("GET"), Some("/x y"), None, None]);
    }

    #[test]
    fn other_protocols_are_split_too() {
        check(
            "OPTIONS sip:nm SIP/2.0",
            [Some("OPTIONS"), Some("sip:nm"), None, Some("SIP/2.0")],
        );
    }

    #[test]
    fn what_is_no_request_stays_whole() {
        check_whole(br"\x16\x03\x01\x00\xEE\x01\x00");
        check_whole(b"\x16\x03\x01");
        check_whole(b"GET");
        check_whole(b"GET ");
        check_whole(b"GET  HTTP/1.1");
        check_whole(b"SSH-2.0-OpenSSH_8.9 Ubuntu-3");
        check_whole(br#"{\x22id\x22:1, \x22method\x22:\x22login\x22}"#);
    }

    #[test]
    fn an_empty_request_stays_whole() {
        check_whole(b"");
    }
}
