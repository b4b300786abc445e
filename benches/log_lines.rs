//! A seeded `combined` log for the benches; the same seed and size give the same bytes.
//!
//! Its make-up: about 230 bytes a line; five lines a second in order of time, over up to 28 days and then again; 91 % IPv4
//! (the documentation ranges, a few addresses far more often than others) and 9 % IPv6 from 2001:db8::/32; 13 %
//! crawlers, 3 % scanners and 2 % monitors, the rest browsers; 200 paths, one request in four with arguments of its
//! own; 3 % of the statuses 4xx and 1 % 5xx; one line in 100 with escaped bytes, one in 10,000 with a user that has a space.
//! One line in 10,000 is odd: TLS bytes or nothing for a request, or a line cut short, which no parser accepts.

use std::fmt::Write as _;

/// Whole lines, at least `bytes` of them, in `log_format combined`.
pub(crate) fn combined(bytes: usize, seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut log = String::with_capacity(bytes + 1_024);
    let mut line_index = 0;
    while log.len() < bytes {
        push_line(&mut log, line_index, &mut dice);
        line_index += 1;
    }
    log.into_bytes()
}

/// SplitMix64: small, and good enough for made-up visitors.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// Low numbers far more often than high ones.
    fn skewed(&mut self, end: u64) -> u64 {
        let first = self.below(end);
        self.below(first + 1)
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn pick<'item>(&mut self, items: &[&'item str]) -> &'item str {
        let index = self.below(items.len() as u64);
        items[usize::try_from(index).expect("an index of a slice")]
    }
}

const BROWSERS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{}.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{}.4 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.6312.40 Mobile Safari/537.36",
];
const CRAWLERS: &[&str] = &[
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
];
const SCANS: &[&str] = &[
    "/.env",
    "/wp-login.php",
    "/.git/config",
    "/phpmyadmin/",
    "/cgi-bin/luci",
    "/actuator/health",
];
const SECTIONS: &[&str] = &[
    "products",
    "articles",
    "static/js",
    "static/css",
    "images/catalogue",
    "api/v2/items",
    "account",
    "search",
];

fn push_line(log: &mut String, line_index: u64, dice: &mut Dice) {
    let start = log.len();
    push_address(log, dice);
    log.push_str(" - ");
    log.push_str(if dice.one_in(10_000) {
        "anna maria"
    } else {
        "-"
    });
    push_time(log, line_index / 5);
    let visitor = dice.below(100);
    push_request(log, visitor, dice);
    let status = match dice.below(100) {
        0 => dice.pick(&["500", "502", "503", "504"]),
        1..4 => dice.pick(&["404", "404", "403", "400", "429"]),
        4..12 => dice.pick(&["301", "302", "304", "304"]),
        _ => "200",
    };
    let body_bytes = if status == "304" {
        0
    } else {
        dice.skewed(60_000)
    };
    write!(log, "\" {status} {body_bytes} \"").expect("a string takes all");
    push_referer(log, visitor, dice);
    log.push_str("\" \"");
    push_agent(log, visitor, dice);
    if dice.one_in(20_000) {
        log.truncate(start + (log.len() - start) * 3 / 4);
    } else {
        log.push('"');
    }
    log.push('\n');
}

fn push_address(log: &mut String, dice: &mut Dice) {
    if dice.below(100) < 9 {
        let (site, host) = (dice.skewed(4_000), dice.skewed(200));
        write!(log, "2001:db8:{site:x}:1::{host:x}").expect("a string takes all");
    } else {
        let network = dice.pick(&["192.0.2", "198.51.100", "203.0.113"]);
        write!(log, "{network}.{}", dice.skewed(256)).expect("a string takes all");
    }
}

fn push_time(log: &mut String, second: u64) {
    let day = second / 86_400 % 28 + 1;
    let (hour, minute, second) = (second / 3_600 % 24, second / 60 % 60, second % 60);
    write!(
        log,
        " [{day:02}/Jun/2024:{hour:02}:{minute:02}:{second:02} +0000] \""
    )
    .expect("a string takes all");
}

/// Visitors from 0 to 99: 13 crawlers, 3 scanners, 2 monitors, 82 browsers.
fn push_request(log: &mut String, visitor: u64, dice: &mut Dice) {
    if dice.one_in(20_000) {
        log.push_str(dice.pick(&[r"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", ""]));
        return;
    }
    match visitor {
        13..16 => write!(log, "GET {} HTTP/1.1", dice.pick(SCANS)),
        16..18 => write!(log, "GET /health HTTP/1.1"),
        _ => {
            let method = if dice.one_in(12) { "POST" } else { "GET" };
            let (section, page) = (dice.pick(SECTIONS), dice.skewed(25));
            write!(log, "{method} /{section}/{page:04}/index.html").expect("a string takes all");
            if dice.one_in(4) {
                write!(log, "?session={:016x}&page={}", dice.roll(), dice.below(20))
                    .expect("a string takes all");
            }
            write!(log, " {}", dice.pick(&["HTTP/1.1", "HTTP/2.0", "HTTP/2.0"]))
        }
    }
    .expect("a string takes all");
}

fn push_referer(log: &mut String, visitor: u64, dice: &mut Dice) {
    match visitor {
        18.. if dice.below(10) < 7 => {
            write!(
                log,
                "https://www.example.com/{}/{:04}/index.html",
                dice.pick(SECTIONS),
                dice.skewed(25)
            )
            .expect("a string takes all");
        }
        18.. if dice.one_in(60) => {
            log.push_str(r"https://example.org/\xD0\xBF\xD0\xBE\xD0\xB8\xD1\x81\xD0\xBA")
        }
        _ => log.push('-'),
    }
}

fn push_agent(log: &mut String, visitor: u64, dice: &mut Dice) {
    match visitor {
        0..13 => log.push_str(dice.pick(CRAWLERS)),
        13..16 => {
            log.push_str(dice.pick(&["-", "curl/8.5.0", "python-requests/2.31.0", "zgrab/0.x"]))
        }
        16..18 => log.push_str("ELB-HealthChecker/2.0"),
        _ => {
            let version = (100 + dice.skewed(25)).to_string();
            log.push_str(&dice.pick(BROWSERS).replace("{}", &version));
        }
    }
}
