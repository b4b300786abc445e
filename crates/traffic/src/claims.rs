//! Whether a client is who its agent claims to be.
//!
//! Operators of crawlers publish the ranges that they crawl from ([`OPERATORS`]). The lists come in as an argument; reading and
//! refreshing them is somebody else's work.

use std::net::IpAddr;

use crate::prefix::Cidr;

/// Age from which a list of ranges no longer proves anybody a fake, in days: operators add ranges weekly.
pub const LIST_AGE_MAX_DAYS: f64 = 30.0;

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// The address lies in the operator's ranges.
    Verified,
    /// It lies outside them, and the list is fresh.
    Fake,
    /// There is no list, or a stale one that does not hold the address.
    Unverified,
}

impl Standing {
    /// The standing in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Fake => "fake",
            Self::Unverified => "unverified",
        }
    }

    /// The standing of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Verified, Self::Fake, Self::Unverified];
        all.into_iter().find(|standing| standing.as_str() == name)
    }
}

/// Ranges of addresses, for quick look-ups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranges {
    // Sorted, without those that lie in another one.
    ranges: Vec<Cidr>,
}

impl Ranges {
    /// Takes ranges in any order; some may lie in others.
    #[must_use]
    pub fn new(mut ranges: Vec<Cidr>) -> Self {
        ranges.sort_unstable_by_key(|range| (range.network(), range.bits()));
        ranges.dedup_by(|next, kept| kept.contains(next.network()));
        Self { ranges }
    }

    /// Whether `addr` lies in one of the ranges.
    #[must_use]
    pub fn contain(&self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        let after = self.ranges.partition_point(|range| range.network() <= addr);
        after
            .checked_sub(1)
            .is_some_and(|at| self.ranges[at].contains(addr))
    }

    fn hold_for(&self, addr: IpAddr) -> bool {
        self.ranges
            .iter()
            .any(|range| range.network().is_ipv4() == addr.to_canonical().is_ipv4())
    }
}

/// An operator who publishes where its programs ask from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// Its name, in lower case: a list is a file of that name.
    pub name: &'static str,
    /// Its programs ([`Agent::name`](crate::agent::Agent)). Those that ask from ranges of another list are left out (AdsBot-Google), since
    /// they would all be taken for fakes.
    pub agents: &'static [&'static str],
    /// Where the lists are to be had; together they are one list. Empty where an operator publishes them in words only.
    pub published_at: &'static [&'static str],
}

/// The operators known, by name.
pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "ahrefs",
        agents: &["Ahrefs"],
        published_at: &["https://api.ahrefs.com/v3/public/crawler-ip-ranges"],
    },
    Operator {
        name: "amazonbot",
        agents: &["Amazonbot"],
        published_at: &["https://developer.amazon.com/amazonbot/ip-addresses/"],
    },
    Operator {
        name: "applebot",
        agents: &["Applebot"],
        published_at: &["https://search.developer.apple.com/applebot.json"],
    },
    Operator {
        name: "bing",
        agents: &["bingbot"],
        published_at: &["https://www.bing.com/toolbox/bingbot.json"],
    },
    Operator {
        name: "duckduckbot",
        agents: &["DuckDuckBot"],
        published_at: &["https://duckduckgo.com/duckduckbot.json"],
    },
    Operator {
        name: "facebook",
        agents: &[
            "Facebook preview",
            "Facebook catalog",
            "Meta-ExternalAgent",
            "Meta-ExternalFetcher",
        ],
        published_at: &[],
    },
    Operator {
        name: "googlebot",
        agents: &[
            "Googlebot",
            "Storebot-Google",
            "GoogleOther",
            "Google-InspectionTool",
        ],
        published_at: &["https://developers.google.com/static/search/apis/ipranges/googlebot.json"],
    },
    Operator {
        name: "openai",
        agents: &["GPTBot", "OAI-SearchBot", "ChatGPT-User"],
        published_at: &[
            "https://openai.com/gptbot.json",
            "https://openai.com/searchbot.json",
            "https://openai.com/chatgpt-user.json",
        ],
    },
    Operator {
        name: "perplexity",
        agents: &["PerplexityBot", "Perplexity-User"],
        published_at: &[
            "https://www.perplexity.com/perplexitybot.json",
            "https://www.perplexity.com/perplexity-user.json",
        ],
    },
    Operator {
        name: "pingdom",
        agents: &["Pingdom"],
        published_at: &[
            "https://my.pingdom.com/probes/ipv4",
            "https://my.pingdom.com/probes/ipv6",
        ],
    },
    Operator {
        name: "stripe",
        agents: &["Stripe webhook"],
        published_at: &["https://stripe.com/files/ips/ips_webhooks.json"],
    },
    Operator {
        name: "uptimerobot",
        agents: &["UptimeRobot"],
        published_at: &["https://uptimerobot.com/inc/files/ips/IPv4andIPv6.txt"],
    },
];

/// The operator whose published ranges would prove an agent of this name ([`Agent::name`](crate::agent::Agent)); `None` where no
/// ranges are published.
#[must_use]
pub fn operator(agent_name: &str) -> Option<&'static Operator> {
    OPERATORS
        .iter()
        .find(|operator| operator.agents.contains(&agent_name))
}

/// Judges a claim: `ranges` are those of the operator that the agent names, `None` when there is no list, and `age_days` how far
/// the list's making and the request lie apart.
///
/// A list that is older than [`LIST_AGE_MAX_DAYS`], or that has no range of the address's family, still verifies but never
/// makes a fake.
#[must_use]
pub fn standing(addr: IpAddr, ranges: Option<&Ranges>, age_days: f64) -> Standing {
    match ranges {
        Some(ranges) if ranges.contain(addr) => Standing::Verified,
        Some(ranges) if age_days <= LIST_AGE_MAX_DAYS && ranges.hold_for(addr) => Standing::Fake,
        _ => Standing::Unverified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent_table::TABLE;

    #[track_caller]
    fn check(addr: &str, ranges: &[&str], age_days: f64, expected: Standing) {
        let ranges = Ranges::new(ranges.iter().map(|range| range.parse().unwrap()).collect());
        let found = standing(addr.parse().unwrap(), Some(&ranges), age_days);
        assert_eq!(found, expected);
    }

    #[test]
    fn an_address_in_the_ranges_is_verified() {
        check(
            "192.0.2.9",
            &["198.51.100.0/28", "192.0.2.0/24", "192.0.2.128/25"],
            1.0,
            Standing::Verified,
        );
        check(
            "192.0.2.200",
            &["192.0.2.128/25", "192.0.2.0/24"],
            400.0,
            Standing::Verified,
        );
        check(
            "2001:db8::9",
            &["2001:db8::/64", "192.0.2.0/24"],
            1.0,
            Standing::Verified,
        );
    }

    #[test]
    fn an_address_outside_a_fresh_list_is_fake() {
        check("203.0.113.9", &["192.0.2.0/24"], 1.0, Standing::Fake);
    }

    #[test]
    fn no_list_a_stale_one_or_one_of_the_other_family_proves_nothing() {
        assert_eq!(
            standing("203.0.113.9".parse().unwrap(), None, 0.0),
            Standing::Unverified
        );
        check("203.0.113.9", &["192.0.2.0/24"], 31.0, Standing::Unverified);
        check("2001:db8::9", &["192.0.2.0/24"], 1.0, Standing::Unverified);
        check("203.0.113.9", &[], 1.0, Standing::Unverified);
    }

    #[test]
    fn each_program_of_an_operator_is_one_that_agents_declare() {
        let known: Vec<&str> = TABLE.iter().map(|entry| entry.name).collect();
        for operator in OPERATORS {
            for name in operator.agents {
                assert!(known.contains(name), "{name} of {}", operator.name);
            }
        }
    }
}
