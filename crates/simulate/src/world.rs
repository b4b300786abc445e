//! A visitor asks, the site answers, Nginx logs.

use std::net::IpAddr;
use std::rc::Rc;

use serde::Serialize;

use crate::dice::{Dice, micros};
use crate::site::{self, Handler};
use crate::story::{EventKind, SECOND_US, Story};

/// What a line truly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Class {
    /// A person with a browser.
    Human,
    /// A crawler, library, feed reader or the like that says what it is.
    Declared,
    /// A robot that calls itself a search engine's and is not.
    Fake,
    /// Looks for holes; all of its requests.
    Scanner,
    /// Part of a flood.
    Flood,
    /// A robot under a browser's name.
    Robotic,
    /// The monitor.
    Probe,
    /// A package manager that fetches packages.
    PackageClient,
}

impl Class {
    /// The name as in the truth files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Class::Human => "human",
            Class::Declared => "declared",
            Class::Fake => "fake",
            Class::Scanner => "scanner",
            Class::Flood => "flood",
            Class::Robotic => "robotic",
            Class::Probe => "probe",
            Class::PackageClient => "package_client",
        }
    }
}

/// One line to be, with its values as they were sent: escaping is the log's.
#[derive(Debug)]
pub(crate) struct Hit {
    /// When the request ended, which is when Nginx logs it.
    pub(crate) end_us: i64,
    pub(crate) class: Class,
    /// Who asked, whatever address stands in the line.
    pub(crate) client: IpAddr,
    /// Index of the site asked.
    pub(crate) site: usize,
    pub(crate) user: Option<&'static str>,
    pub(crate) request: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) bytes: u32,
    pub(crate) referer: Option<String>,
    pub(crate) agent: Option<Rc<str>>,
    pub(crate) request_ms: i64,
    pub(crate) upstream_status: Option<u16>,
}

/// The rate limit of nginx.conf, `limit_req` on the application: requests a second for one address, and the burst above it.
pub(crate) const LIMIT_PER_S: u32 = 2;
pub(crate) const LIMIT_BURST: u32 = 12;

/// Errors that happen on any day: one in this many pages that take the application some work.
const STRAY_ERROR: f64 = 1.0 / 2_500.0;
const WORK_MS: f64 = 60.0;

/// One browser or robot at one address.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) class: Class,
    pub(crate) client: IpAddr,
    pub(crate) agent: Option<Rc<str>>,
    pub(crate) user: Option<&'static str>,
    pub(crate) protocol: &'static str,
    /// Share of the requests that it gives up at once: another link was faster.
    pub(crate) aborts: f64,
    /// Median of how long it waits for an answer, in seconds.
    pub(crate) patience_s: f64,
    /// Time to send it a file, in milliseconds for 64 KiB.
    pub(crate) line_ms: f64,
    excess: f64,
    asked_us: i64,
}

impl Visitor {
    pub(crate) fn new(class: Class, client: IpAddr, agent: Option<Rc<str>>) -> Visitor {
        Visitor {
            class,
            client,
            agent,
            user: None,
            protocol: "HTTP/1.1",
            aborts: 0.0,
            patience_s: 60.0,
            line_ms: 8.0,
            excess: 0.0,
            asked_us: 0,
        }
    }

    /// Nginx's leaky bucket (`limit_req … nodelay`).
    fn is_limited(&mut self, at_us: i64) -> bool {
        let passed_s =
            std::time::Duration::from_micros(u64::try_from(at_us - self.asked_us).unwrap_or(0))
                .as_secs_f64();
        let excess = (self.excess - passed_s * f64::from(LIMIT_PER_S)).max(0.0);
        if excess > f64::from(LIMIT_BURST) {
            return true;
        }
        self.excess = excess + 1.0;
        self.asked_us = at_us;
        false
    }
}

/// How a request went, as its visitor saw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// `None`: nothing came back.
    pub(crate) status: Option<u16>,
    pub(crate) end_us: i64,
}

impl Answer {
    pub(crate) fn is_fine(self) -> bool {
        self.status.is_some_and(|status| status < 400)
    }
}

/// Collects what Nginx logs while the story goes on.
#[derive(Debug)]
pub(crate) struct World<'story> {
    pub(crate) story: &'story Story,
    pub(crate) hits: Vec<Hit>,
}

impl<'story> World<'story> {
    pub(crate) fn new(story: &'story Story) -> World<'story> {
        World {
            story,
            hits: Vec::new(),
        }
    }

    pub(crate) fn get(
        &mut self,
        dice: &mut Dice,
        visitor: &mut Visitor,
        at_us: i64,
        target: &str,
        referer: Option<&str>,
    ) -> Answer {
        self.ask(dice, visitor, at_us, "GET", target, referer)
    }

    /// A request that Nginx understands.
    pub(crate) fn ask(
        &mut self,
        dice: &mut Dice,
        visitor: &mut Visitor,
        at_us: i64,
        method: &str,
        target: &str,
        referer: Option<&str>,
    ) -> Answer {
        let request = format!("{method} {target} {}", visitor.protocol).into_bytes();
        let page = site::page(method, target);
        let referer = referer.map(str::to_owned);
        // HEAD has the status of GET without its body.
        let body = |bytes| if method == "HEAD" { 0 } else { bytes };

        if page.handler == Handler::File {
            let sending_ms = f64::from(page.bytes) / 65_536.0 * visitor.line_ms;
            // What fits the socket's buffer is sent at once.
            let took_ms = if sending_ms < 4.0 || dice.chance(0.6) {
                0.0
            } else {
                dice.around(sending_ms, 0.7)
            };
            return self.log(
                visitor,
                at_us,
                took_ms,
                request,
                page.status,
                body(page.bytes),
                referer,
                None,
            );
        }
        if visitor.is_limited(at_us) {
            return self.log(visitor, at_us, 0.0, request, 503, body(190), referer, None);
        }
        let site = self.story.site_of(visitor.class, visitor.client);
        match self.story.at_site(site, at_us).map(|event| event.kind) {
            Some(EventKind::Refused) if self.is_refused(dice) => {
                let took_ms = dice.range(0.0..3.0);
                return self.log(
                    visitor,
                    at_us,
                    took_ms,
                    request,
                    502,
                    body(150),
                    referer,
                    Some(502),
                );
            }
            Some(EventKind::Broken { path }) if target.split('?').next() == Some(path) => {
                let took_ms = dice.around(15.0, 0.4);
                return self.log(
                    visitor,
                    at_us,
                    took_ms,
                    request,
                    500,
                    body(1_302),
                    referer,
                    Some(500),
                );
            }
            _ => {}
        }
        let took_ms = dice.around(page.median_ms * self.story.load(at_us), 0.6);
        let waits_ms = dice.around(visitor.patience_s * 1e3, 0.5);
        if took_ms > waits_ms {
            return self.log(visitor, at_us, waits_ms, request, 499, 0, referer, None);
        }
        if dice.chance(visitor.aborts) {
            let took_ms = took_ms * dice.range(0.1..0.9);
            return self.log(visitor, at_us, took_ms, request, 499, 0, referer, None);
        }
        if page.median_ms > WORK_MS && dice.chance(STRAY_ERROR) {
            let (status, bytes, took_ms) = *dice.pick(&[
                (500, 1_302, took_ms),
                (500, 1_302, took_ms),
                (504, 160, 60_001.0),
            ]);
            return self.log(
                visitor,
                at_us,
                took_ms,
                request,
                status,
                body(bytes),
                referer,
                Some(status),
            );
        }
        // Signed in or not, a cart or none, last month's template: a page has a few sizes.
        let bytes = page.bytes + 37 * dice.range(0..page.bytes / 1_500 + 1);
        self.log(
            visitor,
            at_us,
            took_ms,
            request,
            page.status,
            body(bytes),
            referer,
            Some(page.status),
        )
    }

    fn is_refused(&self, dice: &mut Dice) -> bool {
        let share = self.story.outage_share;
        share >= 1.0 || dice.chance(share)
    }

    /// A file that the browser has and asks about (`If-Modified-Since`).
    pub(crate) fn revalidate(
        &mut self,
        visitor: &Visitor,
        at_us: i64,
        target: &str,
        referer: Option<&str>,
    ) -> Answer {
        let request = format!("GET {target} {}", visitor.protocol).into_bytes();
        self.log(
            visitor,
            at_us,
            0.0,
            request,
            304,
            0,
            referer.map(str::to_owned),
            None,
        )
    }

    /// An error of the application that its visitor provoked.
    pub(crate) fn fail(&mut self, visitor: &Visitor, at_us: i64, request: &str) -> Answer {
        self.log(
            visitor,
            at_us,
            31.0,
            request.as_bytes().to_vec(),
            500,
            1_302,
            None,
            Some(500),
        )
    }

    /// Bytes that Nginx turns away itself.
    pub(crate) fn raw(
        &mut self,
        visitor: &Visitor,
        at_us: i64,
        took_ms: f64,
        request: &[u8],
        status: u16,
        bytes: u32,
    ) -> Answer {
        self.log(
            visitor,
            at_us,
            took_ms,
            request.to_vec(),
            status,
            bytes,
            None,
            None,
        )
    }

    #[expect(clippy::too_many_arguments, reason = "one for each field of a line")]
    fn log(
        &mut self,
        visitor: &Visitor,
        at_us: i64,
        took_ms: f64,
        request: Vec<u8>,
        status: u16,
        bytes: u32,
        referer: Option<String>,
        upstream_status: Option<u16>,
    ) -> Answer {
        let took_us = micros(took_ms / 1e3);
        let end_us = at_us + took_us;
        // Cut off while the site was silent: neither an answer nor a line.
        if self.story.is_silent(at_us) || self.story.is_silent(end_us) {
            return Answer {
                status: None,
                end_us: at_us + 30 * SECOND_US,
            };
        }
        self.hits.push(Hit {
            end_us,
            class: visitor.class,
            client: visitor.client,
            site: self.story.site_of(visitor.class, visitor.client),
            // Browsers repeat the password only below the path that asked for it.
            user: visitor.user.filter(|_| request.starts_with(b"GET /admin/")),
            request,
            status,
            bytes,
            referer,
            agent: visitor.agent.clone(),
            request_ms: took_us / 1_000,
            upstream_status,
        });
        Answer {
            status: Some(status),
            end_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Actor;
    use crate::network::v4;
    use crate::{Options, story::Story};

    fn visitor() -> Visitor {
        Visitor::new(Class::Human, v4(192, 0, 2, 1), None)
    }

    #[test]
    fn silence_logs_nothing_and_refusal_logs_502_for_the_application_only() {
        let story = Story::tell(&Options::default());
        let mut dice = Dice::new(1, Actor::Story, 0, 1);
        let mut world = World::new(&story);
        let find = |wanted| {
            story
                .events
                .iter()
                .find(|event| event.kind == wanted)
                .expect("each kind happens")
        };

        let silent = find(EventKind::Silent).start_us + SECOND_US;
        assert_eq!(
            world
                .get(&mut dice, &mut visitor(), silent, "/", None)
                .status,
            None
        );
        assert!(world.hits.is_empty());

        let refused = find(EventKind::Refused).start_us + SECOND_US;
        assert_eq!(
            world
                .get(&mut dice, &mut visitor(), refused, "/", None)
                .status,
            Some(502)
        );
        assert_eq!(
            world
                .get(&mut dice, &mut visitor(), refused, "/favicon.ico", None)
                .status,
            Some(200)
        );
        assert_eq!(world.hits[0].upstream_status, Some(502));
    }

    #[test]
    fn a_burst_is_limited_and_a_pause_ends_that() {
        let mut visitor = visitor();
        let limited = (0..20)
            .filter(|at| visitor.is_limited(1_000_000_000 + at * 1_000))
            .count();
        assert_eq!(limited, 7);
        assert!(!visitor.is_limited(1_000_000_000 + 10 * SECOND_US));
    }
}
