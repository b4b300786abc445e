//! Who else is there: what the neighbours of a visitor ask for, the other agents of its client, and all who ask for the same page alone.
//!
//! [`Crowd::count`] looks at all visits; [`Crowd::around`] tells what was there during one session. Only what is a crowd is kept: where no
//! minute of an hour has as many pages as the rules want, no rule asks for more.

use hashbrown::HashMap;

use crate::session::{AGENTS_MAX, FLOOD_PREFIX_PAGES_PER_MINUTE, FLOOD_SHAPE_PAGES_PER_MINUTE};
use crate::visit::{VisitMinute, asked, minutes};

const HOUR_MINUTES: i64 = 60;

/// What one client with one agent asked for.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// A number for its client, from 0 without holes.
    pub client: usize,
    /// A number for its client's /24 or /64, from 0 without holes.
    pub network: usize,
    /// Its requests, see [`visit`](crate::visit).
    pub asked: &'a [u8],
}

impl Visit<'_> {
    fn minutes(&self) -> Vec<VisitMinute> {
        minutes(&asked(self.asked).collect::<Vec<_>>())
    }
}

/// What was there during a session.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Surroundings {
    /// Pages of the network in the busiest minute of its busiest hour; 0 where no minute of any was crowded.
    pub network_pages: u32,
    /// Distinct clients of the network in that hour.
    pub network_clients: u32,
    /// Share of the network's requests in that hour that were for assets, 0..=1.
    pub network_asset_share: f64,
    /// Distinct agents of the client in the hour in which they were most; where they are at most [`AGENTS_MAX`] at all, those of all the time.
    pub agents: u32,
    /// Pages of all who asked for the session's shape, in the busiest minute of the busiest hour; 0 where no minute of any was crowded.
    pub shape_pages: u32,
    /// Their distinct clients in that hour.
    pub shape_clients: u32,
    /// Their pages a minute in all other hours, from the first to the last of all requests.
    pub shape_usual: f64,
}

/// All visits, counted.
#[derive(Debug)]
pub struct Crowd {
    totals: Totals,
    networks: HashMap<(u64, i64), Hour>,
    shapes: HashMap<(u64, i64), Hour>,
    /// Of clients with more than [`AGENTS_MAX`] agents.
    agents: HashMap<(usize, i64), u32>,
}

impl Crowd {
    /// Counts visits, each of another client or agent.
    #[must_use]
    pub fn count(visits: &[Visit<'_>]) -> Self {
        let totals = Totals::of(visits);
        let (mut networks, mut shapes, mut agents) = (Vec::new(), Vec::new(), Vec::new());
        for visit in visits {
            let network = totals.network_may_crowd(visit.network);
            let switches = totals.agents[visit.client] > AGENTS_MAX;
            let minutes = visit.minutes();
            for minute in &minutes {
                if network {
                    networks.push(Part::of(visit, key(visit.network), minute));
                }
                if let Some(shape) = minute.shape.filter(|shape| totals.shape_may_crowd(*shape)) {
                    shapes.push(Part::of(visit, shape, minute));
                }
            }
            if switches {
                let mut hours: Vec<i64> = minutes.iter().map(hour).collect();
                hours.dedup();
                agents.extend(hours.into_iter().map(|hour| (visit.client, hour)));
            }
        }
        let mut agents_by_hour = HashMap::new();
        for client_hour in agents {
            *agents_by_hour.entry(client_hour).or_insert(0) += 1;
        }
        Self {
            networks: crowded_hours(networks, FLOOD_PREFIX_PAGES_PER_MINUTE),
            shapes: crowded_hours(shapes, FLOOD_SHAPE_PAGES_PER_MINUTE),
            agents: agents_by_hour,
            totals,
        }
    }

    /// What was there during a session of the visit: some of its minutes.
    #[must_use]
    pub fn around(&self, visit: &Visit<'_>, session: &[VisitMinute]) -> Surroundings {
        let mut found = Surroundings {
            agents: self.totals.agents[visit.client].min(AGENTS_MAX),
            ..Surroundings::default()
        };
        let network = key(visit.network);
        for of_hour in session.chunk_by(|one, next| hour(one) == hour(next)) {
            let hour = hour(&of_hour[0]);
            if let Some(network) = self.networks.get(&(network, hour))
                && network.busiest_minute_pages > found.network_pages
            {
                found.network_pages = network.busiest_minute_pages;
                found.network_clients = network.clients;
                found.network_asset_share = network.asset_share();
            }
            if let Some(&agents) = self.agents.get(&(visit.client, hour)) {
                found.agents = found.agents.max(agents);
            }
            for shape in of_hour.iter().filter_map(|minute| minute.shape) {
                if let Some(here) = self.shapes.get(&(shape, hour))
                    && here.busiest_minute_pages > found.shape_pages
                {
                    found.shape_pages = here.busiest_minute_pages;
                    found.shape_clients = here.clients;
                    found.shape_usual = self.usual(shape, here);
                }
            }
        }
        found
    }

    /// Share of all requests that are the client's, 0..=1.
    #[must_use]
    pub fn share(&self, visit: &Visit<'_>) -> f64 {
        ratio(
            self.totals.requests_by_client[visit.client],
            self.totals.requests.max(1),
        )
    }

    fn usual(&self, shape: u64, here: &Hour) -> f64 {
        let all = self.totals.shape_pages.get(&shape).copied().unwrap_or(0);
        match self.totals.hours() - 1 {
            ..=0 => 0.0,
            hours => ratio(
                all.saturating_sub(here.pages),
                (hours * HOUR_MINUTES).unsigned_abs(),
            ),
        }
    }
}

/// Counts of all of the time.
#[derive(Debug, Default)]
struct Totals {
    requests: u64,
    requests_by_client: Vec<u64>,
    agents: Vec<u32>,
    network_pages: Vec<u64>,
    shape_pages: HashMap<u64, u64>,
    /// The first and the last minute.
    span: Option<(i64, i64)>,
}

impl Totals {
    fn of(visits: &[Visit<'_>]) -> Self {
        let length = |number: fn(&Visit<'_>) -> usize| {
            visits.iter().map(number).max().map_or(0, |last| last + 1)
        };
        let (clients, networks) = (length(|visit| visit.client), length(|visit| visit.network));
        let mut totals = Self {
            requests_by_client: vec![0; clients],
            agents: vec![0; clients],
            network_pages: vec![0; networks],
            ..Self::default()
        };
        for visit in visits {
            totals.agents[visit.client] += 1;
            for minute in visit.minutes() {
                totals.add(visit, &minute);
            }
        }
        totals
    }

    fn add(&mut self, visit: &Visit<'_>, minute: &VisitMinute) {
        let pages = u64::from(minute.pages);
        self.requests += u64::from(minute.requests);
        self.requests_by_client[visit.client] += u64::from(minute.requests);
        self.network_pages[visit.network] += pages;
        if let Some(shape) = minute.shape {
            *self.shape_pages.entry(shape).or_default() += pages;
        }
        let (first, last) = self.span.unwrap_or((minute.minute, minute.minute));
        self.span = Some((first.min(minute.minute), last.max(minute.minute)));
    }

    fn network_may_crowd(&self, network: usize) -> bool {
        self.network_pages[network] >= u64::from(FLOOD_PREFIX_PAGES_PER_MINUTE)
    }

    fn shape_may_crowd(&self, shape: u64) -> bool {
        let pages = self.shape_pages.get(&shape).copied().unwrap_or(0);
        pages >= u64::from(FLOOD_SHAPE_PAGES_PER_MINUTE)
    }

    /// From the first to the last request.
    fn hours(&self) -> i64 {
        self.span.map_or(0, |(first, last)| {
            last.div_euclid(HOUR_MINUTES) - first.div_euclid(HOUR_MINUTES) + 1
        })
    }
}

/// What a visit contributed in a minute to a network or a shape.
#[derive(Debug, Clone, Copy)]
struct Part {
    key: u64,
    minute: i64,
    client: usize,
    requests: u32,
    pages: u32,
}

impl Part {
    fn of(visit: &Visit<'_>, key: u64, minute: &VisitMinute) -> Self {
        Self {
            key,
            minute: minute.minute,
            client: visit.client,
            requests: minute.requests,
            pages: minute.pages,
        }
    }

    fn key_and_hour(&self) -> (u64, i64) {
        (self.key, self.minute.div_euclid(HOUR_MINUTES))
    }
}

/// What all of a network or a shape did in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hour {
    clients: u32,
    requests: u64,
    pages: u64,
    busiest_minute_pages: u32,
}

impl Hour {
    fn of(parts: &[Part]) -> Self {
        let by_minute = parts.chunk_by(|one, next| one.minute == next.minute);
        let pages_of_minute = by_minute.map(|parts| parts.iter().map(|part| part.pages).sum());
        let mut clients: Vec<usize> = parts.iter().map(|part| part.client).collect();
        clients.sort_unstable();
        clients.dedup();
        Self {
            clients: u32::try_from(clients.len()).unwrap_or(u32::MAX),
            requests: parts.iter().map(|part| u64::from(part.requests)).sum(),
            pages: parts.iter().map(|part| u64::from(part.pages)).sum(),
            busiest_minute_pages: pages_of_minute.max().unwrap_or(0),
        }
    }

    fn asset_share(&self) -> f64 {
        match self.requests {
            0 => 0.0,
            requests => 1.0 - ratio(self.pages, requests),
        }
    }
}

/// The hours in which a minute had so many pages.
fn crowded_hours(mut parts: Vec<Part>, pages_per_minute: u32) -> HashMap<(u64, i64), Hour> {
    parts.sort_unstable_by_key(|part| (part.key, part.minute));
    let by_hour = parts.chunk_by(|one, next| one.key_and_hour() == next.key_and_hour());
    by_hour
        .map(|parts| (parts[0].key_and_hour(), Hour::of(parts)))
        .filter(|(_, hour)| hour.busiest_minute_pages >= pages_per_minute)
        .collect()
}

fn hour(minute: &VisitMinute) -> i64 {
    minute.minute.div_euclid(HOUR_MINUTES)
}

fn key(network: usize) -> u64 {
    u64::try_from(network).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "requests are far below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
