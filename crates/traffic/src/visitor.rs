//! Who a visitor was: a client and an agent, by all of its sessions and by who else was there.
//!
//! [`judge`] looks at all visitors of a log together. It cuts each visit into sessions, holds each of them against the [`Crowd`] around
//! it, calls it by [`class`], and weighs them: one session as a scanner or in a flood marks the visitor; robotic is who is so most of the time.

use hashbrown::HashMap;

use crate::agent::{Agent, Agents};
use crate::claims::Standing;
use crate::crowd::{Crowd, Surroundings, Visit};
use crate::outcome::Outcome;
use crate::probe::{LEARN_GAPS_MIN, Probe};
use crate::session::{Class, SessionFeatures, class};
use crate::visit::{Asked, Session, VisitMinute, asked, minutes, sessions};

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;

/// A private address from which at least this share of all requests comes stands for others, as that of a balancer does.
pub const HIDDEN_SHARE: f64 = 0.3;

/// One client with one agent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Visitor<'a> {
    /// Its address, or what stands for one.
    pub client: Option<&'a str>,
    /// What it says it is; `None` and empty are the same.
    pub http_user_agent: Option<&'a str>,
    /// Its /24 or /64.
    pub network: Option<&'a str>,
    /// Its address is not of the public internet.
    pub private: bool,
    /// What became of its claim, if its operator was looked up.
    pub standing: Option<Standing>,
    /// The site's owner vouches for it.
    pub exempt: bool,
    /// Its requests, see [`visit`](crate::visit).
    pub asked: &'a [u8],
}

/// What a visitor was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgment {
    /// Who it was.
    pub class: Class,
    /// The rule that decided.
    pub rule: &'static str,
    /// Its address stands for others.
    pub hidden: bool,
    /// Its sessions.
    pub sessions: u64,
    /// Its requests.
    pub requests: u64,
    /// Those for no asset.
    pub pages: u64,
    /// Those with a bad answer.
    pub bad: u64,
    /// Of bodies.
    pub bytes: u64,
}

/// Judges all visitors of a log, in their order; each is another client or agent.
#[must_use]
pub fn judge(visitors: &[Visitor<'_>]) -> Vec<Judgment> {
    let visits = numbered(visitors);
    let log = Log {
        crowd: Crowd::count(&visits),
        has_agents: visitors
            .iter()
            .any(|visitor| visitor.http_user_agent.is_some()),
        has_referers: visits
            .iter()
            .any(|visit| asked(visit.asked).any(|asked| asked.referred)),
    };
    let mut agents = Agents::default();
    let each = visitors.iter().zip(&visits);
    each.map(|(visitor, visit)| {
        let agent = agents.of(visitor.http_user_agent.unwrap_or_default());
        log.judge(visitor, agent, visit)
    })
    .collect()
}

fn numbered<'a>(visitors: &[Visitor<'a>]) -> Vec<Visit<'a>> {
    let (mut clients, mut networks) = (HashMap::new(), HashMap::new());
    let mut visits = Vec::with_capacity(visitors.len());
    for visitor in visitors {
        let (next_client, next_network) = (clients.len(), networks.len());
        visits.push(Visit {
            client: *clients.entry(visitor.client).or_insert(next_client),
            network: *networks.entry(visitor.network).or_insert(next_network),
            asked: visitor.asked,
        });
    }
    visits
}

/// What all visitors have in common.
struct Log {
    crowd: Crowd,
    /// A log without agents says nothing about who sends none.
    has_agents: bool,
    /// A log without referers says nothing about who follows links.
    has_referers: bool,
}

impl Log {
    fn judge(&self, visitor: &Visitor<'_>, agent: Option<Agent>, visit: &Visit<'_>) -> Judgment {
        let asked: Vec<Asked> = asked(visit.asked).collect();
        let minutes = minutes(&asked);
        let of_visitor = SessionFeatures {
            agent,
            standing: visitor.standing,
            agent_missing: visitor.http_user_agent.is_none_or(str::is_empty) && self.has_agents,
            exempt: visitor.exempt,
            hidden: visitor.private && self.crowd.share(visit) >= HIDDEN_SHARE,
            ..SessionFeatures::default()
        };
        let of_visitor = SessionFeatures {
            // Who says what it is, is that.
            probe: agent.is_none() && like_a_clock(&asked),
            ..of_visitor
        };
        let sessions = sessions(&asked);
        let mut weight = Weight::default();
        let mut rest = minutes.as_slice();
        for session in &sessions {
            let minutes = minutes_of(session, &asked, &mut rest);
            let around = self.crowd.around(visit, minutes);
            let features = self.features(of_visitor, session, &asked, minutes, around);
            weight.add(class(&features), u64::from(session.requests));
        }
        let (class, rule) = weight.heaviest(of_visitor.hidden);
        let total = |of: fn(&Asked) -> u64| asked.iter().map(of).fold(0, u64::saturating_add);
        Judgment {
            class,
            rule,
            hidden: of_visitor.hidden,
            sessions: u64::try_from(sessions.len()).unwrap_or(u64::MAX),
            requests: total(|_| 1),
            pages: total(|asked| u64::from(!asked.asset)),
            bad: total(|asked| u64::from(asked.outcome == Outcome::Bad)),
            bytes: total(|asked| asked.bytes),
        }
    }

    fn features(
        &self,
        of_visitor: SessionFeatures,
        session: &Session,
        asked: &[Asked],
        minutes: &[VisitMinute],
        around: Surroundings,
    ) -> SessionFeatures {
        let of_session = &asked[session.range.clone()];
        SessionFeatures {
            requests: session.requests,
            pages: session.pages,
            assets: session.requests - session.pages,
            distinct_paths: session.distinct_paths,
            errors_4xx: session.refused,
            scanner_rows: session.scans,
            robots_txt: session.robots_txt,
            span_s: seconds(of_session[of_session.len() - 1].time_us - of_session[0].time_us),
            gap_mean_s: session.gap_mean_s.unwrap_or(0.0),
            gap_cv: session.gap_cv,
            pages_per_minute_max: minutes.iter().map(|minute| minute.pages).max().unwrap_or(0),
            referer_share: self
                .has_referers
                .then(|| f64::from(session.referred) / f64::from(session.requests)),
            agents_of_client: around.agents,
            clients_in_prefix: around.network_clients,
            prefix_pages_per_minute_max: around.network_pages,
            prefix_asset_share: around.network_asset_share,
            shape_pages_per_minute_max: around.shape_pages,
            shape_clients: around.shape_clients,
            shape_usual: around.shape_usual,
            ..of_visitor
        }
    }
}

/// The minutes of a session, taken from those that are left. No session ends in the minute in which the next one begins.
fn minutes_of<'a>(
    session: &Session,
    asked: &[Asked],
    rest: &mut &'a [VisitMinute],
) -> &'a [VisitMinute] {
    let last = asked[session.range.end - 1].time_us.div_euclid(MINUTE_US);
    let count = rest.partition_point(|minute| minute.minute <= last);
    let (of_session, others) = rest.split_at(count);
    *rest = others;
    of_session
}

/// Whether all that was asked for is one page, at the rhythm of a probe ([`Probe::learned`]).
fn like_a_clock(asked: &[Asked]) -> bool {
    let one_page = || {
        asked
            .iter()
            .all(|request| request.path == asked[0].path && !request.asset)
    };
    let seconds = || {
        asked
            .iter()
            .map(|asked| asked.time_us.div_euclid(SECOND_US))
    };
    asked.len() > LEARN_GAPS_MIN && one_page() && Probe::learned(seconds().collect()).is_some()
}

/// What the sessions of a visitor were called, by their requests.
#[derive(Debug, Default)]
struct Weight {
    requests: u64,
    scanner: Called,
    flood: Called,
    robotic: Called,
    /// What a visitor is by what it says, or by its rhythm.
    own: Option<(Class, &'static str)>,
}

#[derive(Debug, Default)]
struct Called {
    requests: u64,
    rule: &'static str,
}

impl Called {
    // Of several rules the last by name, so that the order of sessions does not matter.
    fn add(&mut self, rule: &'static str, requests: u64) {
        self.requests += requests;
        self.rule = self.rule.max(rule);
    }
}

impl Weight {
    fn add(&mut self, (class, rule): (Class, &'static str), requests: u64) {
        self.requests += requests;
        match class {
            Class::Scanner => self.scanner.add(rule, requests),
            Class::Flood => self.flood.add(rule, requests),
            Class::Robotic => self.robotic.add(rule, requests),
            Class::Human => {}
            own => self.own = self.own.max(Some((own, rule))),
        }
    }

    // Behind one address scanners and people look like one visitor: what most of it is, it is called.
    fn heaviest(&self, hidden: bool) -> (Class, &'static str) {
        let scans = self.scanner.requests;
        if scans > 0 && (!hidden || 2 * scans > self.requests) {
            (Class::Scanner, self.scanner.rule)
        } else if self.flood.requests > 0 {
            (Class::Flood, self.flood.rule)
        } else if let Some(own) = self.own {
            own
        } else if 2 * self.robotic.requests > self.requests {
            (Class::Robotic, self.robotic.rule)
        } else {
            (Class::Human, "human")
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a session's microseconds are far below 2^53"
)]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
