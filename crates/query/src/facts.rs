//! What the owner of a site knows beyond its logs: where crawlers truly ask from, who is vouched for, when the site was taken down.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, NaiveDateTime};
use floodmark_traffic::claims::{self, Operator, Ranges, Standing};
use floodmark_traffic::prefix::Cidr;
use serde_json::Value;

const DAY_US: f64 = 86_400e6;

/// Facts that judgments take into account; none by default.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    lists: BTreeMap<&'static str, List>,
    exempt: Ranges,
    /// Stretches in order that do not touch.
    maintenance: Vec<Maintenance>,
}

/// All lists of one operator together.
#[derive(Debug, Clone)]
struct List {
    ranges: Ranges,
    made_us: i64,
}

/// A list of ranges as its operator publishes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeList {
    /// Its ranges, in the order of the list.
    pub ranges: Vec<Cidr>,
    /// When it was made by its own word, microseconds since the epoch; `None` where it does not say.
    pub made_us: Option<i64>,
}

/// A stretch in which the site was meant to be down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintenance {
    /// Its start, microseconds since the epoch.
    pub start_us: i64,
    /// Its end, exclusive.
    pub end_us: i64,
}

/// What is wrong with a file of facts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FactError {
    /// The file begins like JSON and is none.
    #[error("expected JSON, as operators publish their ranges")]
    NotJson(#[source] serde_json::Error),
    /// A line is no range.
    #[error(
        "line {line_number}: expected an address or a range such as `192.0.2.0/24`, found `{found}`"
    )]
    NotARange {
        /// Counted from 1.
        line_number: usize,
        /// What stands there.
        found: String,
    },
    /// There is no range in it.
    #[error("expected at least one range of addresses, found none")]
    NoRange,
    /// A line is no stretch of time.
    #[error(
        "line {line_number}: expected start and end such as `2026-11-15T02:00Z 2026-11-15T03:30Z`, found `{found}`"
    )]
    NotAStretch {
        /// Counted from 1.
        line_number: usize,
        /// What stands there.
        found: String,
    },
}

/// What became of a claim to be somebody's program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Claim {
    pub(crate) operator: &'static str,
    pub(crate) standing: Standing,
    /// How far the list's making and the request lie apart; `None` without a list.
    pub(crate) list_age_days: Option<f64>,
}

impl Facts {
    /// Takes lists with their operators and the times they were made, in microseconds since the epoch; ranges whose clients are vouched
    /// for; and declared maintenance. Several lists of one operator are one, as old as the oldest.
    #[must_use]
    pub fn new(
        lists: Vec<(&'static Operator, Vec<Cidr>, i64)>,
        exempt: Vec<Cidr>,
        maintenance: Vec<Maintenance>,
    ) -> Self {
        let mut by_operator: BTreeMap<&'static str, (Vec<Cidr>, i64)> = BTreeMap::new();
        for (operator, ranges, made_us) in lists {
            let (all, oldest_us) = by_operator
                .entry(operator.name)
                .or_insert((Vec::new(), made_us));
            all.extend(ranges);
            *oldest_us = made_us.min(*oldest_us);
        }
        let lists = by_operator.into_iter().map(|(name, (ranges, made_us))| {
            let ranges = Ranges::new(ranges);
            (name, List { ranges, made_us })
        });
        Self {
            lists: lists.collect(),
            exempt: Ranges::new(exempt),
            maintenance: joined(maintenance),
        }
    }

    /// What became of the claim of an agent of this name, at a time in microseconds since the epoch; `None` where it claims to be nobody
    /// who publishes ranges.
    ///
    /// A list is as old as it lies away from the request, on either side: so a question about the past has one answer.
    pub(crate) fn claim(&self, client: IpAddr, agent_name: &str, time_us: i64) -> Option<Claim> {
        let operator = claims::operator(agent_name)?.name;
        let list = self.lists.get(operator);
        #[expect(
            clippy::cast_precision_loss,
            reason = "an age in days is shown to a tenth"
        )]
        let age = |list: &List| time_us.abs_diff(list.made_us) as f64 / DAY_US;
        let list_age_days = list.map(age);
        let ranges = list.map(|list| &list.ranges);
        Some(Claim {
            operator,
            standing: claims::standing(client, ranges, list_age_days.unwrap_or(f64::INFINITY)),
            list_age_days,
        })
    }

    pub(crate) fn is_exempt(&self, client: IpAddr) -> bool {
        self.exempt.contain(client)
    }

    /// Whether maintenance is declared for a time in microseconds since the epoch.
    pub(crate) fn is_maintenance(&self, time_us: i64) -> bool {
        let after = self
            .maintenance
            .partition_point(|stretch| stretch.start_us <= time_us);
        after
            .checked_sub(1)
            .is_some_and(|at| time_us < self.maintenance[at].end_us)
    }
}

impl RangeList {
    /// Reads a list: JSON in which each text that is a range counts, whatever it stands under, and `creationTime` is when it was made; or
    /// lines as [`ranges`] reads them.
    ///
    /// # Errors
    ///
    /// The text is neither, or holds no range.
    pub fn read(text: &str) -> Result<Self, FactError> {
        let mut list = Self {
            ranges: Vec::new(),
            made_us: None,
        };
        if text.trim_start().starts_with(['{', '[']) {
            let json: Value = serde_json::from_str(text).map_err(FactError::NotJson)?;
            collect_ranges(&json, &mut list.ranges);
            list.made_us = json["creationTime"].as_str().and_then(time_us);
        } else {
            list.ranges = ranges(text)?;
        }
        match list.ranges.is_empty() {
            true => Err(FactError::NoRange),
            false => Ok(list),
        }
    }
}

/// Reads addresses and ranges, one a line; what follows `#`, and empty lines, are left out.
///
/// # Errors
///
/// The first line that is none.
pub fn ranges(text: &str) -> Result<Vec<Cidr>, FactError> {
    content(text)
        .map(|(line_number, line)| {
            line.parse().map_err(|_| FactError::NotARange {
                line_number,
                found: line.to_owned(),
            })
        })
        .collect()
}

/// Reads stretches of time, one a line: start and end, with what else to remember after them. A time is RFC 3339, whose seconds may be
/// left out; what follows `#`, and empty lines, are left out.
///
/// # Errors
///
/// The first line that is none, or ends before it begins.
pub fn maintenance(text: &str) -> Result<Vec<Maintenance>, FactError> {
    let one = |(line_number, line): (usize, &str)| {
        let mut times = line.split_whitespace().map(time_us);
        match (times.next().flatten(), times.next().flatten()) {
            (Some(start_us), Some(end_us)) if start_us < end_us => {
                Ok(Maintenance { start_us, end_us })
            }
            _ => Err(FactError::NotAStretch {
                line_number,
                found: line.to_owned(),
            }),
        }
    };
    content(text).map(one).collect()
}

/// The lines that say something, without comments, and their numbers.
fn content(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().zip(1..).map(|(line, number)| {
        let line = line.split('#').next().unwrap_or_default();
        (number, line.trim())
    });
    lines.filter(|(_, line)| !line.is_empty())
}

fn collect_ranges(json: &Value, found: &mut Vec<Cidr>) {
    match json {
        Value::String(text) => found.extend(text.parse::<Cidr>().ok()),
        Value::Array(values) => values.iter().for_each(|value| collect_ranges(value, found)),
        Value::Object(fields) => fields
            .values()
            .for_each(|value| collect_ranges(value, found)),
        _ => {}
    }
}

/// Google writes `2026-11-15T22:00:54.000000` without a zone, which is UTC.
fn time_us(text: &str) -> Option<i64> {
    let zoned = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%#z"));
    let time = zoned.map(|time| time.to_utc());
    time.or_else(|_| {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|time| time.and_utc())
    })
    .ok()
    .map(|time| time.timestamp_micros())
}

fn joined(mut stretches: Vec<Maintenance>) -> Vec<Maintenance> {
    stretches.sort_unstable_by_key(|stretch| stretch.start_us);
    stretches.dedup_by(|next, kept| {
        let touches = next.start_us <= kept.end_us;
        if touches {
            kept.end_us = kept.end_us.max(next.end_us);
        }
        touches
    });
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &RangeList) -> Vec<String> {
        list.ranges.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lists_are_read_as_they_are_published() {
        let json = r#"{"creationTime": "2026-11-15T22:00:54.000000", "prefixes": [
            {"ipv4Prefix": "192.0.2.0/27"}, {"ipv6Prefix": "2001:db8:1::/64"}]}"#;
        let list = RangeList::read(json).unwrap();
        assert_eq!(texts(&list), ["192.0.2.0/27", "2001:db8:1::/64"]);
        assert_eq!(list.made_us, time_us("2026-11-15T22:00:54Z"));
        let list = RangeList::read(r#"{"WEBHOOKS": ["192.0.2.7"]}"#).unwrap();
        assert_eq!(
            (texts(&list), list.made_us),
            (vec!["192.0.2.7/32".to_owned()], None)
        );
        let list = RangeList::read("# checks\n192.0.2.0/27 # a hall\n\n2001:db8::1\n").unwrap();
        assert_eq!(texts(&list), ["192.0.2.0/27", "2001:db8::1/128"]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let message = |text| RangeList::read(text).unwrap_err().to_string();
        assert_eq!(
            message("192.0.2.0/24\n<html>\n"),
            "line 2: expected an address or a range such as `192.0.2.0/24`, found `<html>`"
        );
        assert_eq!(
            message("{\"prefixes\": []}"),
            "expected at least one range of addresses, found none"
        );
        assert_eq!(
            message("{\"prefixes\": "),
            "expected JSON, as operators publish their ranges"
        );
    }

    #[test]
    fn maintenance_is_stretches_of_time() {
        let text = "2026-11-15T02:00Z 2026-11-15T03:30:00+01:00 database moved\n";
        let stretches = maintenance(text).unwrap();
        let facts = Facts::new(Vec::new(), Vec::new(), stretches);
        let is_maintenance = |time| facts.is_maintenance(time_us(time).unwrap());
        assert!(is_maintenance("2026-11-15T02:00Z"));
        assert!(is_maintenance("2026-11-15T02:29:59Z"));
        assert!(!is_maintenance("2026-11-15T02:30Z"));
        assert!(!is_maintenance("2026-11-15T01:59:59Z"));
        let backwards = maintenance("\n2026-11-15T03:00Z 2026-11-15T02:00Z").unwrap_err();
        assert!(
            backwards
                .to_string()
                .starts_with("line 2: expected start and end")
        );
    }

    #[test]
    fn stretches_that_overlap_are_one() {
        let stretch = |start_us, end_us| Maintenance { start_us, end_us };
        let found = joined(vec![
            stretch(20, 30),
            stretch(0, 10),
            stretch(5, 8),
            stretch(9, 12),
        ]);
        assert_eq!(found, [stretch(0, 12), stretch(20, 30)]);
    }

    #[test]
    fn a_list_is_as_old_as_it_lies_away_from_the_request() {
        let operator = claims::operator("Googlebot").unwrap();
        let ranges = vec!["192.0.2.0/27".parse().unwrap()];
        let made_us = time_us("2026-11-15T00:00Z").unwrap();
        let facts = Facts::new(vec![(operator, ranges, made_us)], Vec::new(), Vec::new());
        let claim = |client: &str, time: &str| {
            let time_us = time_us(time).unwrap();
            let claim = facts.claim(client.parse().unwrap(), "Googlebot", time_us);
            claim.map(|claim| (claim.standing, claim.list_age_days))
        };
        let (verified, fake) = (Standing::Verified, Standing::Fake);
        assert_eq!(
            claim("192.0.2.9", "2026-11-16T00:00Z"),
            Some((verified, Some(1.0)))
        );
        assert_eq!(
            claim("192.0.2.77", "2026-11-14T00:00Z"),
            Some((fake, Some(1.0)))
        );
        assert_eq!(
            claim("192.0.2.77", "2026-09-14T00:00Z"),
            Some((Standing::Unverified, Some(62.0)))
        );
        assert_eq!(
            facts.claim("192.0.2.9".parse().unwrap(), "curl", made_us),
            None
        );
    }
}
