//! Robots that mean no harm, or only a little: the monitor, crawlers, libraries, package clients, scrapers, pretenders.

use std::net::IpAddr;
use std::rc::Rc;

use crate::agents;
use crate::dice::{Actor, Dice, micros};
use crate::network::{self, v4};
use crate::site;
use crate::story::{DAY_US, HOUR_US, MINUTE_US, SECOND_US, after};
use crate::world::{Class, Visitor, World};

const MONITOR_AGENT: &str =
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)";

/// Once a minute, or less often, always at the same second but for the network. A failed probe is checked at once from elsewhere.
pub(crate) fn monitor(world: &mut World<'_>, seed: u64, day: u16, replay: u32) {
    let phase_us =
        Dice::new(seed, Actor::Monitor, u16::MAX, 0).range(5 * SECOND_US..55 * SECOND_US);
    let mut dice = Dice::new(seed, Actor::Monitor, day, replay);
    let agent: Rc<str> = MONITOR_AGENT.into();
    let mut visitor = Visitor::new(Class::Probe, network::MONITOR, Some(agent.clone()));
    let mut again = Visitor::new(Class::Probe, network::MONITOR_AGAIN, Some(agent));
    let start_us = world.story.day_start_us(day);
    let every = i64::from(world.story.monitor_minutes);
    for minute in (0..DAY_US / MINUTE_US).filter(|minute| every > 0 && minute % every == 0) {
        let at_us = start_us + minute * MINUTE_US + phase_us + micros(dice.near(0.0, 0.12));
        // Its own network fails it now and then.
        if dice.chance(1.0 / 9_000.0) {
            continue;
        }
        let answer = world.ask(&mut dice, &mut visitor, at_us, "HEAD", "/", None);
        if !answer.is_fine() {
            let wait_s = dice.range(6.0..20.0);
            let _ = world.ask(
                &mut dice,
                &mut again,
                after(at_us, wait_s),
                "HEAD",
                "/",
                None,
            );
        }
    }
}

/// How a crawler spreads its requests over the day.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// One at a time, at any time.
    Steady,
    /// A few visits a day, each of some pages within a minute or two.
    Bursts,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Reads {
    Pages,
    Pictures,
}

struct Crawler {
    agent: &'static str,
    /// The last byte of its addresses in 192.0.2.0/24.
    hosts: std::ops::Range<u8>,
    /// Requests a day, more or less.
    daily: f64,
    pace: Pace,
    reads: Reads,
}

const CRAWLERS: [Crawler; 15] = [
    crawler(
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        1,
        9,
        24.0,
        Pace::Steady,
        Reads::Pages,
    ),
    crawler(
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/153.0.7601.88 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        1,
        9,
        30.0,
        Pace::Steady,
        Reads::Pages,
    ),
    crawler(
        "Googlebot-Image/1.0",
        1,
        9,
        8.0,
        Pace::Steady,
        Reads::Pictures,
    ),
    crawler(
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/136.0.0.0 Safari/537.36",
        16,
        22,
        28.0,
        Pace::Steady,
        Reads::Pages,
    ),
    crawler(
        "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
        24,
        26,
        8.0,
        Pace::Steady,
        Reads::Pages,
    ),
    crawler(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
        28,
        32,
        12.0,
        Pace::Steady,
        Reads::Pages,
    ),
    crawler(
        "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
        33,
        36,
        12.0,
        Pace::Steady,
        Reads::Pages,
    ),
    crawler(
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.2; +https://openai.com/gptbot",
        40,
        44,
        38.0,
        Pace::Bursts,
        Reads::Pages,
    ),
    crawler(
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
        46,
        50,
        28.0,
        Pace::Bursts,
        Reads::Pages,
    ),
    crawler(
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)",
        52,
        54,
        15.0,
        Pace::Bursts,
        Reads::Pages,
    ),
    crawler(
        "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)",
        56,
        66,
        28.0,
        Pace::Bursts,
        Reads::Pages,
    ),
    crawler(
        "CCBot/2.0 (https://commoncrawl.org/faq/)",
        68,
        69,
        6.0,
        Pace::Bursts,
        Reads::Pages,
    ),
    crawler(
        "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
        72,
        78,
        22.0,
        Pace::Steady,
        Reads::Pages,
    ),
    crawler(
        "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
        80,
        84,
        18.0,
        Pace::Steady,
        Reads::Pages,
    ),
    crawler(
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        86,
        90,
        9.0,
        Pace::Steady,
        Reads::Pages,
    ),
];

const fn crawler(
    agent: &'static str,
    first: u8,
    end: u8,
    daily: f64,
    pace: Pace,
    reads: Reads,
) -> Crawler {
    Crawler {
        agent,
        hosts: first..end,
        daily,
        pace,
        reads,
    }
}

pub(crate) fn crawlers(world: &mut World<'_>, seed: u64, day: u16, replay: u32) {
    for (lane, crawler) in (0..).zip(&CRAWLERS) {
        let mut dice = Dice::new(seed, Actor::Crawler, day, (replay << 8) | lane);
        let agent: Rc<str> = crawler.agent.into();
        let mean = dice.around(crawler.daily, 0.3);
        let count = dice.count(mean);
        let mut at_us = world.story.day_start_us(day) + dice.range(0..HOUR_US);
        let mut visitor = visitor_of(crawler, &agent, &mut dice);
        if count > 0 {
            let _ = world.get(&mut dice, &mut visitor, at_us, "/robots.txt", None);
        }
        let mut burst_left = dice.range(5..20);
        for _ in 0..count {
            match crawler.pace {
                Pace::Steady => {
                    at_us += dice.gap_us(86_400.0 / crawler.daily);
                    visitor = visitor_of(crawler, &agent, &mut dice);
                }
                Pace::Bursts if burst_left > 0 => {
                    burst_left -= 1;
                    at_us += micros(dice.range(1.0..7.0));
                }
                Pace::Bursts => {
                    burst_left = dice.range(5..20);
                    at_us += dice.gap_us(86_400.0 / crawler.daily * 12.0);
                    visitor = visitor_of(crawler, &agent, &mut dice);
                }
            }
            crawl(world, &mut dice, &mut visitor, at_us, crawler.reads);
        }
    }
}

fn visitor_of(crawler: &Crawler, agent: &Rc<str>, dice: &mut Dice) -> Visitor {
    Visitor::new(
        Class::Declared,
        v4(192, 0, 2, dice.range(crawler.hosts.clone())),
        Some(agent.clone()),
    )
}

fn crawl(world: &mut World<'_>, dice: &mut Dice, visitor: &mut Visitor, at_us: i64, reads: Reads) {
    let target = match (reads, dice.range(0..100)) {
        (Reads::Pictures, _) => format!(
            "/img/{}-1.webp",
            site::PRODUCTS[dice.popular(site::PRODUCTS.len())]
        ),
        (_, 0..=2) => "/sitemap.xml".to_owned(),
        // Gone for years, and never forgotten.
        (_, 3..=7) => format!("/shop/{}", dice.pick(&site::PRODUCTS)),
        (_, 8..=9) => "/robots.txt".to_owned(),
        (_, 10..=30) => format!("/product/{}", dice.pick(&site::PRODUCTS)),
        _ => site::any_page(dice),
    };
    if target.starts_with("/img/") && dice.chance(0.4) {
        let _ = world.revalidate(visitor, at_us, &target, None);
    } else {
        let _ = world.get(dice, visitor, at_us, &target, None);
    }
}

struct Library {
    agent: &'static str,
    client: IpAddr,
    target: &'static str,
    /// Seconds between two requests, and how much they stray.
    every_s: f64,
    stray_s: f64,
    /// Share of requests that find nothing new.
    unchanged: f64,
}

const LIBRARIES: [Library; 8] = [
    library(
        "python-requests/2.32.5",
        120,
        "/api/prices?page=all",
        3_600.0,
        2.0,
        0.0,
    ),
    library(
        "Python/3.13 aiohttp/3.12.15",
        122,
        "/feed.xml",
        21_600.0,
        900.0,
        0.0,
    ),
    library("curl/8.14.1", 124, "/", 43_200.0, 12_000.0, 0.0),
    library("Go-http-client/2.0", 126, "/feed.xml", 7_200.0, 60.0, 0.0),
    library("Wget/1.25.0", 128, "/sitemap.xml", 86_400.0, 20.0, 0.0),
    library(
        "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 31 subscribers)",
        130,
        "/feed.xml",
        2_400.0,
        200.0,
        0.9,
    ),
    library(
        "Mozilla/5.0 (compatible; Miniflux/2.2.12; +https://miniflux.app)",
        132,
        "/feed.xml",
        3_600.0,
        5.0,
        0.95,
    ),
    library(
        "NetNewsWire (RSS Reader; https://netnewswire.com/)",
        134,
        "/feed.xml",
        5_400.0,
        2_000.0,
        0.9,
    ),
];

const fn library(
    agent: &'static str,
    host: u8,
    target: &'static str,
    every_s: f64,
    stray_s: f64,
    unchanged: f64,
) -> Library {
    let client = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, host));
    Library {
        agent,
        client,
        target,
        every_s,
        stray_s,
        unchanged,
    }
}

pub(crate) fn libraries(world: &mut World<'_>, seed: u64, day: u16, replay: u32) {
    for (lane, library) in (0..).zip(&LIBRARIES) {
        let mut dice = Dice::new(seed, Actor::Library, day, (replay << 8) | lane);
        let mut visitor = Visitor::new(Class::Declared, library.client, Some(library.agent.into()));
        let end_us = world.story.day_start_us(day) + DAY_US;
        let mut at_us = world.story.day_start_us(day) + dice.range(0..micros(library.every_s));
        while at_us < end_us {
            if dice.chance(library.unchanged) {
                let _ = world.revalidate(&visitor, at_us, library.target, None);
            } else {
                let _ = world.get(&mut dice, &mut visitor, at_us, library.target, None);
            }
            at_us = after(at_us, dice.near(library.every_s, library.stray_s).max(1.0));
        }
    }
}

/// Builds that install the shop's packages: the index, then the file.
pub(crate) fn package_clients(world: &mut World<'_>, seed: u64, day: u16, replay: u32) {
    const AGENTS: [(&str, u8); 4] = [
        (
            r#"pip/25.2 {"ci":true,"cpu":"x86_64","distro":{"name":"Debian GNU/Linux","version":"13"},"implementation":{"name":"CPython","version":"3.13.5"},"installer":{"name":"pip","version":"25.2"}}"#,
            150,
        ),
        (
            r#"uv/0.8.17 {"installer":{"name":"uv","version":"0.8.17"},"python":"3.13.5","system":{"name":"Linux"}}"#,
            152,
        ),
        ("Debian APT-HTTP/1.3 (3.0.3)", 154),
        ("pip/24.0", 156),
    ];
    let mut dice = Dice::new(seed, Actor::Package, day, replay);
    for _ in 0..dice.count(9.0) {
        let (agent, host) = *dice.pick(&AGENTS);
        let mut visitor = Visitor::new(
            Class::PackageClient,
            v4(192, 0, 2, host + dice.range(0..2)),
            Some(agent.into()),
        );
        let mut at_us = world.story.day_start_us(day) + dice.range(0..DAY_US);
        for name in &site::PACKAGES[..dice.range(2..=site::PACKAGES.len())] {
            let index = world.get(
                &mut dice,
                &mut visitor,
                at_us,
                &format!("/packages/simple/{name}/"),
                None,
            );
            at_us = after(index.end_us, dice.range(0.02..0.3));
            if index.is_fine() && dice.chance(0.6) {
                let file = format!("/packages/files/{name}-2.{}.0-py3-none-any.whl", day / 14);
                let fetched = world.get(&mut dice, &mut visitor, at_us, &file, None);
                at_us = after(fetched.end_us, dice.range(0.05..0.8));
            }
        }
    }
}

/// Call themselves Googlebot, from a rented server.
pub(crate) fn fakes(world: &mut World<'_>, seed: u64, day: u16, replay: u32) {
    let mut dice = Dice::new(seed, Actor::Fake, day, replay);
    for _ in 0..dice.count(0.5) {
        let agent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        let mut visitor = Visitor::new(Class::Fake, network::rented(&mut dice), Some(agent.into()));
        let mut at_us = world.story.day_start_us(day) + dice.range(0..DAY_US);
        for _ in 0..dice.range(25..90) {
            let target = if dice.chance(0.1) {
                "/wp-sitemap.xml".to_owned()
            } else {
                site::any_page(&mut dice)
            };
            let answer = world.get(&mut dice, &mut visitor, at_us, &target, None);
            at_us = after(answer.end_us, dice.range(0.4..5.0));
        }
    }
}

/// Read the catalogue under a browser's name: one page after the other, nothing that belongs to it, at an even pace.
pub(crate) fn scrapers(world: &mut World<'_>, seed: u64, day: u16, replay: u32) {
    let mut dice = Dice::new(seed, Actor::Scraper, day, replay);
    for _ in 0..dice.count(1.1) {
        let client = network::rented(&mut dice);
        let mut visitor = Visitor::new(
            Class::Robotic,
            client,
            Some(agents::browser(&mut dice).agent),
        );
        let mut at_us = world.story.day_start_us(day) + dice.range(0..DAY_US);
        let every_s = dice.range(8.0..45.0);
        let first = dice.range(0..site::PRODUCTS.len());
        let count = dice.range(40..140);
        for slug in site::PRODUCTS.iter().cycle().skip(first).take(count) {
            let target = format!("/product/{slug}");
            let answer = world.get(&mut dice, &mut visitor, at_us, &target, None);
            at_us = after(answer.end_us, dice.near(every_s, every_s * 0.03));
        }
    }
}
