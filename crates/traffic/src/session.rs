//! Who a session was, by its behaviour.
//!
//! A session is what one client with one agent asks without pausing for [`IDLE_S`] seconds. [`class`] tells its kind from a few
//! counts; exempt programs first, then what the sender says or asks for, then rates, then regularity.

use crate::agent::{Agent, AgentKind};
use crate::claims::Standing;

/// A pause of this many seconds ends a session: the usual 30 minutes of web analytics.
pub const IDLE_S: i64 = 1_800;
/// Pages per minute of one client that no person asks for: one a second, sustained for a minute.
pub const FLOOD_PAGES_PER_MINUTE: u32 = 60;
/// Pages per minute from one /24 or /64, from which the whole of it is suspected: what is too much for one client is no more
/// usual for a few neighbours, if they load hardly any asset …
pub const FLOOD_PREFIX_PAGES_PER_MINUTE: u32 = 60;
/// … if at least so many addresses take part …
pub const FLOOD_PREFIX_CLIENTS: u32 = 5;
/// … and less than this share of its requests are assets: an office behind one range loads styles and images with its pages.
pub const FLOOD_ASSET_SHARE_MAX: f64 = 0.2;
/// Pages per minute of one page that nobody usually asks for so much, from anywhere, …
pub const FLOOD_SHAPE_PAGES_PER_MINUTE: u32 = 60;
/// … by at least so many addresses that ask for nothing else …
pub const FLOOD_SHAPE_CLIENTS: u32 = 20;
/// … and at least this many times the usual: a busy page is no flood.
pub const FLOOD_SHAPE_RISE: f64 = 10.0;
/// Paths up to which a session asks for nothing else.
pub const FLOOD_SHAPE_PATHS_MAX: u32 = 3;
/// Fewest pages from which a rhythm or the lack of assets says something.
pub const ROBOTIC_PAGES_MIN: u32 = 20;
/// Coefficient of variation of the gaps below which they are a timer's: people's gaps scatter by more than their mean.
pub const ROBOTIC_GAP_VARIATION_MAX: f64 = 0.3;
/// Share of requests with a referer from which a client is taken to follow links, as browsers and single-page apps do.
pub const FOLLOWS_LINKS_SHARE: f64 = 0.5;
/// Share of page requests that led nowhere (4xx) from which a client guesses.
pub const GUESSING_SHARE: f64 = 0.5;
/// Scanner's rows that mark a session: one, since each rule is sure by itself.
pub const SCANNER_ROWS_MIN: u32 = 1;
/// Agents of one client within a session's time from which it switches them; a household or office stays below with assets.
pub const AGENTS_MAX: u32 = 20;

/// What a session did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SessionFeatures {
    /// What the agent declares, if anything.
    pub agent: Option<Agent>,
    /// What became of its claim, if its operator was looked up.
    pub standing: Option<Standing>,
    /// No agent was sent (absent or empty).
    pub agent_missing: bool,
    /// It is a known or learned probe.
    pub probe: bool,
    /// Its client is one that the site's owner vouches for.
    pub exempt: bool,
    /// All requests.
    pub requests: u32,
    /// Requests for pages and calls: all that is no asset.
    pub pages: u32,
    /// Requests for assets, see [`is_asset`](crate::path::is_asset).
    pub assets: u32,
    /// Distinct paths.
    pub distinct_paths: u32,
    /// Requests answered 4xx.
    pub errors_4xx: u32,
    /// Rows whose column `bot` is `scanner`.
    pub scanner_rows: u32,
    /// It asked for `/robots.txt`.
    pub robots_txt: bool,
    /// From its first to its last request, in seconds.
    pub span_s: f64,
    /// Mean gap between two page requests, in seconds; 0 with fewer than two.
    pub gap_mean_s: f64,
    /// Standard deviation of those gaps by their mean; `None` with fewer than two gaps or a mean of 0.
    pub gap_cv: Option<f64>,
    /// Pages in its busiest minute.
    pub pages_per_minute_max: u32,
    /// Share of its requests with a referer, 0..=1; `None` when the log has none.
    pub referer_share: Option<f64>,
    /// Distinct agents of its client while it lasted.
    pub agents_of_client: u32,
    /// Distinct clients of its /24 or /64 while it lasted.
    pub clients_in_prefix: u32,
    /// Pages of its /24 or /64 in the busiest minute.
    pub prefix_pages_per_minute_max: u32,
    /// Share of assets among the requests of its /24 or /64, 0..=1.
    pub prefix_asset_share: f64,
    /// Pages in the busiest minute of all who then asked for this page and nothing else; 0 if it asked for more, or met an error mostly.
    pub shape_pages_per_minute_max: u32,
    /// Distinct clients of those.
    pub shape_clients: u32,
    /// Their usual pages per minute.
    pub shape_usual: f64,
    /// Its client's address stands for many clients, as that of a balancer which does not tell who asked.
    pub hidden: bool,
}

/// Who a session was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// An uptime probe.
    Probe,
    /// A package client, or a webhook.
    PackageClient,
    /// A program that says so; its claim is verified or cannot be checked.
    Declared,
    /// It claims an operator whose ranges do not hold it.
    Fake,
    /// It looks for weak spots.
    Scanner,
    /// One of many requests meant to be many.
    Flood,
    /// A program with a browser's agent.
    Robotic,
    /// None of these.
    Human,
}

impl Class {
    /// The class in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::PackageClient => "package_client",
            Self::Declared => "declared",
            Self::Fake => "fake",
            Self::Scanner => "scanner",
            Self::Flood => "flood",
            Self::Robotic => "robotic",
            Self::Human => "human",
        }
    }

    /// Whether its requests decide on errors and uptime: scanners and floods are shown but do not; probes are counted apart.
    #[must_use]
    pub fn decides(self) -> bool {
        !matches!(self, Self::Scanner | Self::Flood | Self::Probe)
    }
}

/// The class of a session, and the name of the rule that decided.
#[must_use]
pub fn class(session: &SessionFeatures) -> (Class, &'static str) {
    let kind = session.agent.map(|agent| agent.kind);
    let is_fake = session.standing == Some(Standing::Fake) && !session.exempt && !session.hidden;
    if session.probe || (kind == Some(AgentKind::Probe) && !is_fake) {
        return (
            Class::Probe,
            if session.probe {
                "probe"
            } else {
                "agent_probe"
            },
        );
    }
    if session.exempt {
        return match kind {
            Some(AgentKind::Package | AgentKind::Webhook) => (Class::PackageClient, "exempt"),
            Some(_) => (Class::Declared, "exempt"),
            None => (Class::Human, "exempt"),
        };
    }
    if session.scanner_rows >= scanner_rows_min(session) {
        return (Class::Scanner, "scanner_rows");
    }
    if kind == Some(AgentKind::Scanner) {
        return (Class::Scanner, "agent_scanner");
    }
    if is_fake {
        return (Class::Fake, "outside_published_ranges");
    }
    match kind {
        Some(AgentKind::Package) => return (Class::PackageClient, "agent_package"),
        Some(AgentKind::Webhook) => return (Class::PackageClient, "agent_webhook"),
        Some(_) if session.standing == Some(Standing::Verified) => {
            return (Class::Declared, "verified");
        }
        _ => {}
    }
    if let Some(rule) = flood(session) {
        return (Class::Flood, rule);
    }
    if let Some(kind) = kind {
        return (Class::Declared, kind.as_str());
    }
    match robotic(session) {
        Some(rule) => (Class::Robotic, rule),
        None => (Class::Human, "human"),
    }
}

// Behind one address scanners and people look like one visitor: what most of it is, it is called.
fn scanner_rows_min(session: &SessionFeatures) -> u32 {
    match session.hidden {
        true => session.requests / 2 + 1,
        false => SCANNER_ROWS_MIN,
    }
}

fn flood(session: &SessionFeatures) -> Option<&'static str> {
    if session.hidden {
        return None;
    }
    let bare = share(session.assets, session.requests) < FLOOD_ASSET_SHARE_MAX;
    if bare && session.pages_per_minute_max >= FLOOD_PAGES_PER_MINUTE && !follows_links(session) {
        return Some("rate_of_client");
    }
    let crowd = session.prefix_pages_per_minute_max >= FLOOD_PREFIX_PAGES_PER_MINUTE
        && session.clients_in_prefix >= FLOOD_PREFIX_CLIENTS;
    if bare
        && crowd
        && session.prefix_asset_share < FLOOD_ASSET_SHARE_MAX
        && session.agent.is_none()
        && !follows_links(session)
    {
        return Some("rate_of_prefix");
    }
    let shape = session.shape_pages_per_minute_max >= FLOOD_SHAPE_PAGES_PER_MINUTE
        && session.shape_clients >= FLOOD_SHAPE_CLIENTS
        && f64::from(session.shape_pages_per_minute_max) >= FLOOD_SHAPE_RISE * session.shape_usual
        && session.distinct_paths <= FLOOD_SHAPE_PATHS_MAX;
    if bare && shape && session.agent.is_none() && !follows_links(session) {
        return Some("rate_of_shape");
    }
    None
}

fn robotic(session: &SessionFeatures) -> Option<&'static str> {
    if session.agent_missing {
        return Some("no_agent");
    }
    if session.hidden {
        return None;
    }
    if session.assets > 0 && session.agents_of_client <= AGENTS_MAX {
        return None;
    }
    let pages = session.pages >= ROBOTIC_PAGES_MIN;
    if session.agents_of_client > AGENTS_MAX
        && share(session.assets, session.requests) < FLOOD_ASSET_SHARE_MAX
    {
        return Some("agent_switching");
    }
    if pages
        && session
            .gap_cv
            .is_some_and(|variation| variation < ROBOTIC_GAP_VARIATION_MAX)
    {
        return Some("regular_gaps");
    }
    if follows_links(session) {
        return None;
    }
    if session.robots_txt && session.assets == 0 {
        return Some("robots_txt");
    }
    if pages && share(session.errors_4xx, session.requests) >= GUESSING_SHARE {
        return Some("random_paths");
    }
    if pages && share(session.distinct_paths, session.pages) >= 0.5 {
        return Some("pages_without_assets");
    }
    None
}

fn follows_links(session: &SessionFeatures) -> bool {
    session
        .referer_share
        .is_some_and(|share| share >= FOLLOWS_LINKS_SHARE)
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 {
        0.0
    } else {
        f64::from(part) / f64::from(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::agent;

    fn person() -> SessionFeatures {
        SessionFeatures {
            requests: 120,
            pages: 10,
            assets: 110,
            distinct_paths: 60,
            span_s: 600.0,
            gap_mean_s: 60.0,
            gap_cv: Some(1.2),
            pages_per_minute_max: 3,
            referer_share: Some(0.95),
            agents_of_client: 1,
            clients_in_prefix: 1,
            prefix_pages_per_minute_max: 3,
            prefix_asset_share: 0.9,
            ..SessionFeatures::default()
        }
    }

    fn bare(pages: u32) -> SessionFeatures {
        SessionFeatures {
            requests: pages,
            pages,
            assets: 0,
            distinct_paths: pages,
            referer_share: Some(0.0),
            prefix_asset_share: 0.0,
            ..person()
        }
    }

    #[track_caller]
    fn check(session: SessionFeatures, expected: (Class, &str)) {
        assert_eq!(class(&session), expected);
    }

    #[test]
    fn people_are_people() {
        check(person(), (Class::Human, "human"));
        check(
            SessionFeatures {
                requests: 1,
                pages: 1,
                assets: 0,
                gap_cv: None,
                ..bare(1)
            },
            (Class::Human, "human"),
        );
    }

    #[test]
    fn many_people_behind_one_address_are_people() {
        check(
            SessionFeatures {
                agents_of_client: 40,
                clients_in_prefix: 30,
                prefix_pages_per_minute_max: 400,
                ..person()
            },
            (Class::Human, "human"),
        );
    }

    #[test]
    fn a_single_page_app_is_a_person() {
        check(
            SessionFeatures {
                pages_per_minute_max: 80,
                referer_share: Some(1.0),
                gap_cv: Some(0.9),
                ..bare(400)
            },
            (Class::Human, "human"),
        );
    }

    #[test]
    fn one_scanner_row_marks_the_session() {
        check(
            SessionFeatures {
                scanner_rows: 1,
                ..person()
            },
            (Class::Scanner, "scanner_rows"),
        );
    }

    #[test]
    fn exempt_programs_come_first() {
        check(
            SessionFeatures {
                agent: agent("pip/24.0"),
                pages_per_minute_max: 500,
                ..bare(900)
            },
            (Class::PackageClient, "agent_package"),
        );
        check(
            SessionFeatures {
                probe: true,
                gap_cv: Some(0.01),
                ..bare(30)
            },
            (Class::Probe, "probe"),
        );
    }

    #[test]
    fn a_client_that_is_vouched_for_is_what_it_says_it_is() {
        let known = SessionFeatures {
            exempt: true,
            scanner_rows: 9,
            pages_per_minute_max: 900,
            ..bare(900)
        };
        check(known, (Class::Human, "exempt"));
        let agent = agent("curl/8.5.0");
        check(
            SessionFeatures { agent, ..known },
            (Class::Declared, "exempt"),
        );
    }

    #[test]
    fn who_only_says_it_is_a_probe_is_none() {
        check(
            SessionFeatures {
                agent: agent(
                    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
                ),
                standing: Some(Standing::Fake),
                ..bare(30)
            },
            (Class::Fake, "outside_published_ranges"),
        );
    }

    #[test]
    fn a_claim_without_a_list_is_never_fake() {
        let googlebot = SessionFeatures {
            agent: agent("Googlebot/2.1"),
            ..bare(30)
        };
        check(googlebot, (Class::Declared, "search"));
        check(
            SessionFeatures {
                standing: Some(Standing::Unverified),
                ..googlebot
            },
            (Class::Declared, "search"),
        );
        check(
            SessionFeatures {
                standing: Some(Standing::Fake),
                ..googlebot
            },
            (Class::Fake, "outside_published_ranges"),
        );
        check(
            SessionFeatures {
                standing: Some(Standing::Verified),
                pages_per_minute_max: 90,
                ..googlebot
            },
            (Class::Declared, "verified"),
        );
    }

    #[test]
    fn floods_are_found_by_client_and_by_prefix() {
        check(
            SessionFeatures {
                pages_per_minute_max: 200,
                ..bare(900)
            },
            (Class::Flood, "rate_of_client"),
        );
        check(
            SessionFeatures {
                clients_in_prefix: 60,
                prefix_pages_per_minute_max: 500,
                ..bare(8)
            },
            (Class::Flood, "rate_of_prefix"),
        );
    }

    #[test]
    fn a_flood_from_everywhere_is_found_by_what_it_asks_for() {
        let one_of_many = SessionFeatures {
            distinct_paths: 1,
            shape_pages_per_minute_max: 300,
            shape_clients: 90,
            shape_usual: 0.4,
            ..bare(8)
        };
        check(one_of_many, (Class::Flood, "rate_of_shape"));
        let usual = SessionFeatures {
            shape_usual: 40.0,
            ..one_of_many
        };
        check(usual, (Class::Human, "human"));
    }

    #[test]
    fn behind_one_address_nobody_is_judged_by_what_others_do() {
        let many = SessionFeatures {
            hidden: true,
            scanner_rows: 20,
            pages_per_minute_max: 400,
            agents_of_client: 300,
            ..bare(900)
        };
        check(many, (Class::Human, "human"));
        let mostly = SessionFeatures {
            scanner_rows: 500,
            ..many
        };
        check(mostly, (Class::Scanner, "scanner_rows"));
    }

    #[test]
    fn programs_with_browser_agents_are_robotic() {
        check(
            SessionFeatures {
                gap_cv: Some(0.05),
                ..bare(30)
            },
            (Class::Robotic, "regular_gaps"),
        );
        check(
            SessionFeatures {
                errors_4xx: 25,
                ..bare(30)
            },
            (Class::Robotic, "random_paths"),
        );
        check(bare(40), (Class::Robotic, "pages_without_assets"));
        check(
            SessionFeatures {
                agent_missing: true,
                ..bare(2)
            },
            (Class::Robotic, "no_agent"),
        );
        check(
            SessionFeatures {
                agents_of_client: 50,
                ..bare(10)
            },
            (Class::Robotic, "agent_switching"),
        );
    }
}
