//! A log as clients leave it who mean no good: odd requests, bytes that are escaped or should have been, lines of two formats,
//! lines of none, in no order of time.

use floodmark_format::CompiledFormat;
use floodmark_ingest::{LogSettings, Secrets, Trust};

/// The format of most lines; that of others is `json`.
pub(crate) const FORMAT: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" "$upstream_status""#;

/// Addresses of proxies.
pub(crate) const TRUSTED: &str = "192.0.2.0/29";

const REQUESTS: &[&str] = &[
    "GET / HTTP/1.1",
    "GET /shop?page=2 HTTP/2.0",
    "POST /login?token=abc HTTP/1.1",
    "HEAD /shop HTTP/1.1",
    "GET /caf\\xC3\\xA9?q=a\\x22b HTTP/1.1",
    "GET /a b?x= HTTP/1.1",
    "GET /?",
    "GET /index.html",
    "\\x16\\x03\\x01\\x02",
    "",
    "-",
    "PRI * HTTP/2.0",
    "get /shop HTTP/1.1",
    "GET https://www.example.org/?password=1 HTTP/1.1",
    "GET /\u{fffd} HTTP/1.1",
];
const CLIENTS: &[&str] = &[
    "192.0.2.1",
    "192.0.2.7",
    "198.51.100.23",
    "2001:db8::1",
    "2001:db8::2:1",
    "unix:",
];
const USERS: &[&str] = &["-", "-", "-", "anna", "a b", "x] \\x22", "[1/Jan/2026] y"];
const STATUSES: &[&str] = &[
    "200", "200", "200", "304", "404", "404", "403", "499", "500", "503", "000", "444", "301",
];
const AGENTS: &[&str] = &[
    "-",
    "",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
    "curl/8.5.0",
    "caf\\xC3\\xA9 \\xFF",
    "=cmd|' /C calc'!A0",
    "a\\x5Cb",
];
const FORWARDED: &[&str] = &["-", "203.0.113.9", "203.0.113.9, 192.0.2.8", "unknown"];
const UPSTREAMS: &[&str] = &["-", "200", "502, 200", "503", "-, 504"];
/// Lines that no format reads, or that are none.
const BAD: &[&[u8]] = &[
    b"",
    b"",
    b"\r",
    b"no line of a log",
    b"192.0.2.1 - - [10/Nov/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 20",
    b"192.0.2.1 - - [31/Feb/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" \"-\" \"-\"",
    b"192.0.2.1 - - [10/Nov/2026:00:00:00 +0000] \"GET / HTTP/1.1\" OK 5 \"-\" \"-\" \"-\" \"-\"",
    b"\xFF\xFE{\"time\":",
    b"\0\0\0",
];

/// So many lines; the same seed gives the same ones.
pub(crate) fn lines(lines: usize, seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut log = Vec::new();
    for number in 0..lines {
        dice.push_line(number, &mut log);
        log.push(b'\n');
    }
    log
}

/// How such a log is read.
pub(crate) fn settings() -> LogSettings {
    LogSettings {
        format: CompiledFormat::compile(FORMAT).unwrap(),
        further: vec![CompiledFormat::named("json").unwrap()],
        server_port: 443,
        server_name: Some("www.example.org".to_owned()),
        trust: Trust::parse(&[TRUSTED]).unwrap(),
        secrets: Secrets::Redact,
    }
}

/// SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let index = (mixed ^ (mixed >> 31)) % end as u64;
        usize::try_from(index).unwrap()
    }

    fn pick<'item, Item: ?Sized>(&mut self, items: &[&'item Item]) -> &'item Item {
        items[self.below(items.len())]
    }

    /// Two days from 2026-11-09 on, one line a second or so, some of them late or from a clock that was wrong.
    fn push_line(&mut self, number: usize, log: &mut Vec<u8>) {
        let late = match self.below(20) {
            0 => self.below(3_600),
            _ => self.below(3),
        };
        let second = (number * 7 + 3_600 - late) % (2 * 86_400);
        let (day, hour) = (9 + second / 86_400, second / 3_600 % 24);
        let (minute, second) = (second / 60 % 60, second % 60);
        let (client, request) = (self.pick(CLIENTS), self.pick(REQUESTS));
        let (status, agent, bytes) = (self.pick(STATUSES), self.pick(AGENTS), self.below(5_000));
        match self.below(100) {
            0..8 => log.extend_from_slice(self.pick(BAD)),
            8..20 => {
                let (status, bytes) = match self.below(10) {
                    0 => ("2000".to_owned(), "99999999999999999999".to_owned()),
                    1 => ("\"\"".to_owned(), "null".to_owned()),
                    _ => (status.to_owned(), bytes.to_string()),
                };
                let agent = agent.replace('\\', "\\\\");
                let request = request.replace('\\', "\\\\");
                log.extend_from_slice(
                    format!(
                        r#"{{"time_iso8601":"2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00","remote_addr":"{client}","request":"{request}","status":{status},"body_bytes_sent":{bytes},"http_user_agent":"{agent}"}}"#
                    )
                    .as_bytes(),
                );
            }
            _ => {
                let (user, forwarded) = (self.pick(USERS), self.pick(FORWARDED));
                let upstream = self.pick(UPSTREAMS);
                log.extend_from_slice(
                    format!(
                        r#"{client} - {user} [{day:02}/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000] "{request}" {status} {bytes} "https://www.example.org/?key=1" "{agent}" "{forwarded}" "{upstream}""#
                    )
                    .as_bytes(),
                );
            }
        }
    }
}
