//! Who else was there: each count against the plainest way to make it.

use std::collections::BTreeSet;

use floodmark_traffic::crowd::{Crowd, Surroundings, Visit};
use floodmark_traffic::outcome::Outcome;
use floodmark_traffic::session::{
    AGENTS_MAX, Class, FLOOD_PREFIX_PAGES_PER_MINUTE, FLOOD_SHAPE_PAGES_PER_MINUTE,
};
use floodmark_traffic::visit::{Asked, VisitMinute, asked, minutes, sessions};
use floodmark_traffic::visitor::{Judgment, Visitor, judge};
use proptest::prelude::*;

const MINUTE_US: i64 = 60_000_000;

fn page(minute: i64, path: u64) -> Asked {
    Asked {
        time_us: minute * MINUTE_US + 7,
        path,
        bytes: 10,
        outcome: Outcome::Good,
        asset: false,
        referred: false,
        refused: false,
        scans: false,
        robots_txt: false,
    }
}

fn encoded(requests: &[Asked]) -> Vec<u8> {
    let mut bytes: Vec<_> = requests.iter().map(Asked::encoded).collect();
    bytes.sort_unstable();
    bytes.concat()
}

/// A client, its network, and what it asked for with one agent.
#[derive(Debug, Clone)]
struct Known {
    client: usize,
    network: usize,
    asked: Vec<u8>,
}

impl Known {
    fn minutes(&self) -> Vec<VisitMinute> {
        minutes(&asked(&self.asked).collect::<Vec<_>>())
    }

    fn visit(&self) -> Visit<'_> {
        Visit {
            client: self.client,
            network: self.network,
            asked: &self.asked,
        }
    }
}

/// Of all minutes of all visits those that are meant.
fn those<'a>(
    all: &'a [Known],
    is_meant: impl Fn(&Known, &VisitMinute) -> bool + 'a,
) -> impl Iterator<Item = (&'a Known, VisitMinute)> {
    all.iter().flat_map(move |known| {
        let minutes = known.minutes().into_iter();
        let meant: Vec<_> = minutes.filter(|minute| is_meant(known, minute)).collect();
        meant.into_iter().map(move |minute| (known, minute))
    })
}

/// Pages in the busiest minute, distinct clients, all pages, all requests.
fn crowd_of<'a>(parts: impl Iterator<Item = (&'a Known, VisitMinute)>) -> (u32, u32, u64, u64) {
    let parts: Vec<_> = parts.collect();
    let clients: BTreeSet<usize> = parts.iter().map(|(known, _)| known.client).collect();
    let of_minute = |wanted: i64| {
        let parts = parts
            .iter()
            .filter(move |(_, minute)| minute.minute == wanted);
        parts.map(|(_, minute)| minute.pages).sum::<u32>()
    };
    let busiest = parts
        .iter()
        .map(|(_, minute)| of_minute(minute.minute))
        .max();
    let sum = |of: fn(&VisitMinute) -> u32| {
        parts
            .iter()
            .map(|(_, minute)| u64::from(of(minute)))
            .sum::<u64>()
    };
    (
        busiest.unwrap_or(0),
        size(clients.len()),
        sum(|minute| minute.pages),
        sum(|minute| minute.requests),
    )
}

fn size(length: usize) -> u32 {
    u32::try_from(length).expect("a test asks for little")
}

fn hour(minute: &VisitMinute) -> i64 {
    minute.minute.div_euclid(60)
}

fn ratio(part: u64, whole: u64) -> f64 {
    let small = |count| f64::from(u32::try_from(count).expect("a test asks for little"));
    small(part) / small(whole)
}

fn around_plainly(all: &[Known], one: &Known, session: &[VisitMinute]) -> Surroundings {
    let agents_in = |is_meant: &dyn Fn(&VisitMinute) -> bool| {
        let of_client = all.iter().filter(|known| known.client == one.client);
        let there = of_client.filter(|known| known.minutes().iter().any(is_meant));
        size(there.count())
    };
    let mut found = Surroundings {
        agents: agents_in(&|_| true).min(AGENTS_MAX),
        ..Surroundings::default()
    };
    let hours: Vec<i64> = all
        .iter()
        .flat_map(Known::minutes)
        .map(|minute| hour(&minute))
        .collect();
    let ends = hours.iter().min().zip(hours.iter().max());
    let length = ends.map_or(0, |(first, last)| last - first + 1);
    for minute in session {
        let now = hour(minute);
        if agents_in(&|_| true) > AGENTS_MAX {
            found.agents = found.agents.max(agents_in(&|minute| hour(minute) == now));
        }
        let (busiest, clients, pages, requests) = crowd_of(those(all, move |known, minute| {
            known.network == one.network && hour(minute) == now
        }));
        if busiest >= FLOOD_PREFIX_PAGES_PER_MINUTE && busiest > found.network_pages {
            found.network_pages = busiest;
            found.network_clients = clients;
            found.network_asset_share = 1.0 - ratio(pages, requests);
        }
        let Some(shape) = minute.shape else {
            continue;
        };
        let (busiest, clients, pages, _) = crowd_of(those(all, move |_, minute| {
            minute.shape == Some(shape) && hour(minute) == now
        }));
        if busiest >= FLOOD_SHAPE_PAGES_PER_MINUTE && busiest > found.shape_pages {
            let (_, _, ever, _) =
                crowd_of(those(all, move |_, minute| minute.shape == Some(shape)));
            found.shape_pages = busiest;
            found.shape_clients = clients;
            found.shape_usual = match length - 1 {
                0 => 0.0,
                others => ratio(ever - pages, others.unsigned_abs() * 60),
            };
        }
    }
    found
}

/// Up to seventy visits of few clients; each asks in bursts, so that some are a crowd.
fn any_visits() -> impl Strategy<Value = Vec<Known>> {
    let burst = (0..200_i64, 1..3_u64, 1..50_usize, any::<bool>());
    let visit = (0..3_usize, prop::collection::vec(burst, 1..4));
    prop::collection::vec(visit, 1..70).prop_map(|visits| {
        // A number for each that occurs, without holes.
        let clients: BTreeSet<usize> = visits.iter().map(|(client, _)| *client).collect();
        let networks: BTreeSet<usize> = clients.iter().map(|client| client / 2).collect();
        let number = |among: &BTreeSet<usize>, of: usize| among.range(..of).count();
        let known = visits.iter().map(|(client, bursts)| {
            let requests = bursts.iter().flat_map(|&(minute, path, count, asset)| {
                (0..count).map(move |index| Asked {
                    asset: asset && index == 0,
                    ..page(minute, path)
                })
            });
            Known {
                client: number(&clients, *client),
                network: number(&networks, client / 2),
                asked: encoded(&requests.collect::<Vec<_>>()),
            }
        });
        known.collect()
    })
}

proptest! {
    #[test]
    fn what_was_around_is_what_a_plain_count_says(all in any_visits()) {
        let visits: Vec<Visit<'_>> = all.iter().map(Known::visit).collect();
        let crowd = Crowd::count(&visits);
        for known in &all {
            let requests: Vec<Asked> = asked(&known.asked).collect();
            for session in sessions(&requests) {
                let session = minutes(&requests[session.range]);
                let expected = around_plainly(&all, known, &session);
                prop_assert_eq!(crowd.around(&known.visit(), &session), expected);
            }
        }
    }
}

fn judged(visitors: &[(&str, &str, &str, Vec<u8>)]) -> Vec<Judgment> {
    let visitors = visitors
        .iter()
        .map(|(client, network, agent, asked)| Visitor {
            client: Some(client),
            http_user_agent: Some(agent),
            network: Some(network),
            asked,
            ..Visitor::default()
        });
    judge(&visitors.collect::<Vec<_>>())
}

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[test]
fn many_addresses_of_one_network_are_a_flood_and_a_neighbour_elsewhere_is_not() {
    let ten: Vec<Asked> = (0..10).map(|_| page(100, 1)).collect();
    let clients: Vec<String> = (1..=8).map(|host| format!("192.0.2.{host}")).collect();
    let mut visitors: Vec<_> = clients
        .iter()
        .map(|client| (client.as_str(), "192.0.2.0/24", BROWSER, encoded(&ten)))
        .collect();
    visitors.push(("198.51.100.1", "198.51.100.0/24", BROWSER, encoded(&ten)));
    let judged = judged(&visitors);
    let (neighbour, flood) = judged.split_last().unwrap();
    assert!(
        flood.iter().all(|judgment| judgment.class == Class::Flood),
        "{flood:?}"
    );
    assert_eq!((neighbour.class, neighbour.requests), (Class::Human, 10));
}

#[test]
fn one_session_of_scanning_marks_a_visitor() {
    let mut requests = vec![page(0, 1), page(1, 2), page(200, 3)];
    requests[2].scans = true;
    let found = judged(&[("192.0.2.1", "192.0.2.0/24", BROWSER, encoded(&requests))]);
    assert_eq!(
        (found[0].class, found[0].rule),
        (Class::Scanner, "scanner_rows")
    );
    assert_eq!(
        (found[0].sessions, found[0].requests, found[0].bytes),
        (2, 3, 30)
    );
}

#[test]
fn nobody_is_judged_where_nobody_was() {
    assert_eq!(judge(&[]), []);
}
