//! What a User-Agent says of itself.
//!
//! [`agent`] looks a User-Agent up in a signature table of our own, with one Aho-Corasick automaton (Aho and Corasick, 1975) for
//! all signatures. It tells programs that declare themselves; one that writes a browser's agent is a matter of behaviour
//! ([`class`](crate::session::class)).

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use hashbrown::HashMap;

use crate::agent_table::{Place, TABLE};

/// What a declared program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AgentKind {
    /// Crawlers of search engines.
    Search,
    /// Crawlers and fetchers of language models and assistants.
    Ai,
    /// Optimisation, link and market research, page audits.
    Seo,
    /// Watches a site for other things than being up: changes, certificates, malware.
    Monitor,
    /// Asks at a steady rhythm whether the site is up.
    Probe,
    /// Programming libraries and command-line clients.
    Library,
    /// Driven browsers, scraping frameworks, load generators.
    Automation,
    /// Attack and inventory tools that say their name.
    Scanner,
    /// Feed and podcast fetchers.
    Feed,
    /// Package clients and version control.
    Package,
    /// Link previews and mail image proxies.
    Social,
    /// Archives, mirrors and corpora.
    Archive,
    /// Advertising and its verification.
    Ads,
    /// Calls that another service makes on an event.
    Webhook,
    /// Declares itself by a generic sign only (`bot`, `crawler`, a contact address).
    Other,
}

impl AgentKind {
    /// The kind in lower case, as SQL and reports show it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Ai => "ai",
            Self::Seo => "seo",
            Self::Monitor => "monitor",
            Self::Probe => "probe",
            Self::Library => "library",
            Self::Automation => "automation",
            Self::Scanner => "scanner",
            Self::Feed => "feed",
            Self::Package => "package",
            Self::Social => "social",
            Self::Archive => "archive",
            Self::Ads => "ads",
            Self::Webhook => "webhook",
            Self::Other => "other",
        }
    }

    /// Whether behaviour rules leave it alone: probes, package clients and webhooks work for the site or its users.
    #[must_use]
    pub fn exempt(self) -> bool {
        matches!(self, Self::Probe | Self::Package | Self::Webhook)
    }
}

/// A program that declares itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agent {
    /// What it is for.
    pub kind: AgentKind,
    /// The program's or operator's usual name; for generic signs, which sign it was.
    pub name: &'static str,
}

/// The program that `user_agent` declares, or `None` for a browser, an app or nothing known.
///
/// An empty agent (or `-`) is `None` too: that nothing was sent is another fact than who sent it.
///
/// ```
/// use floodmark_traffic::agent::{AgentKind, agent};
///
/// let found = agent("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)").expect("declared");
/// assert_eq!((found.kind, found.name), (AgentKind::Search, "bingbot"));
/// assert_eq!(agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), None);
/// ```
#[must_use]
pub fn agent(user_agent: &str) -> Option<Agent> {
    // A browser matches nothing, and is told so by the quicker search.
    if !SIGNATURES.is_match(user_agent) {
        return None;
    }
    // Overlapping search: one pass over the bytes, whatever the table's length; the lowest table index wins.
    let best = SIGNATURES
        .find_overlapping_iter(user_agent)
        .filter(|found| {
            stands(
                user_agent.as_bytes(),
                TABLE[found.pattern().as_usize()].place,
                found.start(),
                found.end(),
            )
        })
        .map(|found| found.pattern().as_usize())
        .min()?;
    Some(Agent {
        kind: TABLE[best].kind,
        name: TABLE[best].name,
    })
}

/// What [`agent`] says of many texts, of which few are different: each is looked up once.
#[derive(Debug, Default)]
pub struct Agents<'t>(HashMap<&'t str, Option<Agent>>);

impl<'t> Agents<'t> {
    /// The program that `user_agent` declares.
    pub fn of(&mut self, user_agent: &'t str) -> Option<Agent> {
        *self
            .0
            .entry(user_agent)
            .or_insert_with(|| agent(user_agent))
    }
}

/// Whether `user_agent` is that of a known uptime probe (ELB-HealthChecker, New Relic, Pingdom, UptimeRobot and the like).
///
/// A probe with a browser's agent is found by its rhythm instead: [`learn`](crate::probe::learn).
#[must_use]
pub fn is_probe(user_agent: &str) -> bool {
    agent(user_agent).is_some_and(|agent| agent.kind == AgentKind::Probe)
}

static SIGNATURES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .ascii_case_insensitive(true)
        // Made in a moment, which an ingest of few lines feels; a DFA would take longer to make than it saves, as agents repeat.
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(TABLE.iter().map(|entry| entry.pattern))
        .expect("the table is small and constant")
});

fn stands(agent: &[u8], place: Place, from: usize, to: usize) -> bool {
    let before = from.checked_sub(1).map(|at| agent[at]);
    let after = agent.get(to).copied();
    let alphanumeric = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    match place {
        Place::Any => true,
        Place::Start => from == 0,
        Place::Word => !alphanumeric(before) && !alphanumeric(after),
        Place::WordEnd => {
            let ends = match after {
                Some(b's' | b'S') => !alphanumeric(agent.get(to + 1).copied()),
                after => !after.is_some_and(|byte| byte.is_ascii_alphabetic()),
            };
            ends && !is_cubot(agent, from)
        }
        Place::Mail => after.is_some_and(|byte| byte.is_ascii_alphabetic()) && alphanumeric(before),
        Place::Domain => {
            let goes_on = after.is_some_and(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
            });
            alphanumeric(before) && !goes_on && !OLD_BROWSERS.is_match(agent)
        }
        Place::NoOldBrowser => !OLD_BROWSERS.is_match(agent),
    }
}

// Cubot makes phones, whose browsers write `Linux; Android 9; CUBOT_X19 Build/…`.
fn is_cubot(agent: &[u8], bot_from: usize) -> bool {
    bot_from >= 2
        && agent[bot_from - 2..bot_from].eq_ignore_ascii_case(b"cu")
        && !(bot_from >= 3 && agent[bot_from - 3].is_ascii_alphanumeric())
}

static OLD_BROWSERS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build([
            "msie ",
            "trident/",
            "konqueror",
            "icab",
            "netscape",
            "opera",
            "links (",
        ])
        .expect("the list is small and constant")
});

#[cfg(test)]
mod tests {
    use super::*;
    use AgentKind::*;

    #[track_caller]
    fn check(user_agent: &str, expected: Option<(AgentKind, &str)>) {
        let found = agent(user_agent).map(|agent| (agent.kind, agent.name));
        assert_eq!(found, expected, "{user_agent}");
    }

    #[test]
    fn declared_programs_are_named() {
        check(
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            Some((Ai, "GPTBot")),
        );
        check(
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            Some((Search, "Googlebot")),
        );
        check("curl/8.5.0", Some((Library, "curl")));
        check("python-requests/2.31.0", Some((Library, "python-requests")));
        check(
            "pip/24.0 {\"ci\":null,\"cpu\":\"x86_64\",\"implementation\":{\"name\":\"CPython\"}}",
            Some((Package, "pip")),
        );
        check("Debian APT-HTTP/1.3 (2.6.1)", Some((Package, "APT")));
        check("ELB-HealthChecker/2.0", Some((Probe, "ELB-HealthChecker")));
        check(
            "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
            Some((Seo, "Ahrefs")),
        );
        check(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
            Some((Automation, "Headless Chrome")),
        );
        check(
            "sqlmap/1.7.2#stable (https://sqlmap.org)",
            Some((Scanner, "sqlmap")),
        );
    }

    #[test]
    fn generic_signs_are_the_last_resort() {
        check("ExampleBot/0.1", Some((Other, "unlisted bot")));
        check(
            "Mozilla/5.0 (compatible; Example; +http://example.org/)",
            Some((Other, "address in agent")),
        );
        check(
            "example (ops@example.org)",
            Some((Other, "address in agent")),
        );
        check("Example web bots", Some((Other, "unlisted bot")));
    }

    #[test]
    fn browsers_phones_and_apps_are_nobody() {
        for agent in [
            "",
            "-",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 OPR/116.0.0.0",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/320.0 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 9; CUBOT_X19 Build/PPR1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Linux; Android 10; Cubot Note 20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/110.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Linux; Android 13; Pixel 7; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/440.0;]",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [Pinterest/iOS]",
            "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
            "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1; Embedded Web Browser from: http://bsalsa.com/)",
            "Mozilla/5.0 (compatible; Konqueror/4.5; Linux) KHTML/4.5.4 (like Gecko)",
            "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18",
            "Mozilla/5.0 (Linux; Android 10; MI 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/87.0 YaBrowser/20.12 Mobile Safari/537.36",
            "Dalvik/2.1.0 (Linux; U; Android 8.0.0; PRA-LA1 Build/HONORPRA-LA1)",
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
            "Mozilla/5.0 (PlayStation; PlayStation 5/6.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.4 Safari/605.1.15",
            "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5 Build/MMB29P; googleweblight) AppleWebKit/537.36 Chrome/38.0 Mobile Safari/535.19",
        ] {
            check(agent, None);
        }
    }

    #[test]
    fn patterns_are_lower_case_and_once() {
        let mut seen = std::collections::HashSet::new();
        for entry in TABLE {
            assert_eq!(entry.pattern, entry.pattern.to_ascii_lowercase());
            assert!(
                seen.insert((entry.pattern, entry.place as u8)),
                "{} stands twice",
                entry.pattern
            );
        }
    }

    #[test]
    fn every_listed_program_is_found_by_its_pattern_alone() {
        for entry in TABLE.iter().filter(|entry| entry.kind != Other) {
            let found = agent(entry.pattern);
            assert!(
                found.is_some_and(|found| found.kind != Other),
                "{} gives {found:?}",
                entry.pattern
            );
        }
    }
}
