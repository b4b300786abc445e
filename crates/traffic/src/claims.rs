//! Whether a client is who its agent claims to be.
//!
//! Operators of crawlers publish the ranges that they crawl from. The lists come in as an argument; reading and refreshing them is
//! somebody else's work.

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
}

/// The published ranges of one operator, for quick look-ups.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ranges {
    // Sorted, without those that lie in another one.
    ranges: Vec<Cidr>,
    age_days: f64,
}

impl Ranges {
    /// Takes the ranges of a list that is `age_days` old.
    #[must_use]
    pub fn new(mut ranges: Vec<Cidr>, age_days: f64) -> Self {
        ranges.sort_unstable_by_key(|range| (range.network(), range.bits()));
        ranges.dedup_by(|next, kept| kept.contains(next.network()));
        Self { ranges, age_days }
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

/// The operator whose published ranges would prove an agent of this name ([`Agent::name`](crate::agent::Agent)), in lower case;
/// `None` where no ranges are published.
#[must_use]
pub fn operator(agent_name: &str) -> Option<&'static str> {
    match agent_name {
        "Googlebot"
        | "AdsBot-Google"
        | "Storebot-Google"
        | "GoogleOther"
        | "Google-InspectionTool" => Some("googlebot"),
        "bingbot" => Some("bing"),
        "Applebot" => Some("applebot"),
        "DuckDuckBot" => Some("duckduckbot"),
        "GPTBot" | "OAI-SearchBot" | "ChatGPT-User" => Some("openai"),
        "PerplexityBot" | "Perplexity-User" => Some("perplexity"),
        "Facebook preview" | "Facebook catalog" | "Meta-ExternalAgent" | "Meta-ExternalFetcher" => {
            Some("facebook")
        }
        "Amazonbot" => Some("amazonbot"),
        "Ahrefs" => Some("ahrefs"),
        "Pingdom" => Some("pingdom"),
        "UptimeRobot" => Some("uptimerobot"),
        "Stripe webhook" => Some("stripe"),
        "GitHub webhook" => Some("github"),
        _ => None,
    }
}

/// Judges a claim: `ranges` are those of the operator that the agent names, `None` when there is no list.
///
/// A list that is older than [`LIST_AGE_MAX_DAYS`], or that has no range of the address's family, still verifies but never
/// makes a fake.
#[must_use]
pub fn standing(addr: IpAddr, ranges: Option<&Ranges>) -> Standing {
    match ranges {
        Some(ranges) if ranges.contain(addr) => Standing::Verified,
        Some(ranges) if ranges.age_days <= LIST_AGE_MAX_DAYS && ranges.hold_for(addr) => {
            Standing::Fake
        }
        _ => Standing::Unverified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addr: &str, ranges: &[&str], age_days: f64, expected: Standing) {
        let ranges = Ranges::new(
            ranges.iter().map(|range| range.parse().unwrap()).collect(),
            age_days,
        );
        assert_eq!(standing(addr.parse().unwrap(), Some(&ranges)), expected);
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
            standing("203.0.113.9".parse().unwrap(), None),
            Standing::Unverified
        );
        check("203.0.113.9", &["192.0.2.0/24"], 31.0, Standing::Unverified);
        check("2001:db8::9", &["192.0.2.0/24"], 1.0, Standing::Unverified);
        check("203.0.113.9", &[], 1.0, Standing::Unverified);
    }
}
