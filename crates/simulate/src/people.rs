//! People: sessions that follow the day and the week, pages with what belongs to them, time to read.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::Options;
use crate::agents::{self, Browser};
use crate::dice::{Actor, Dice, count_f64, whole};
use crate::network;
use crate::site;
use crate::story::{HOUR_US, SECOND_US, Story, after};
use crate::world::{Answer, Class, Visitor, World};

/// Sessions on a plain day at a rate of 1.
const SESSIONS_A_DAY: f64 = 116.0;
/// What a newsletter adds, an hour.
const CROWD_AN_HOUR: f64 = 75.0;
/// People who come back, at a rate of 1.
const REGULARS: f64 = 1_000.0;
const COLLEAGUES: u32 = 12;

/// What the links in a newsletter end with.
const NEWSLETTER: &str = "?utm_source=newsletter&utm_medium=email&utm_campaign=autumn";

/// Share of a day's sessions that begin in each hour (UTC), as weights: a European shop.
const HOURS: [f64; 24] = [
    0.25, 0.15, 0.1, 0.08, 0.1, 0.2, 0.45, 0.8, 1.1, 1.3, 1.4, 1.45, 1.5, 1.45, 1.4, 1.4, 1.4, 1.5,
    1.7, 1.9, 1.9, 1.6, 1.1, 0.55,
];
/// Monday to Sunday.
const WEEKDAYS: [f64; 7] = [1.06, 1.0, 1.0, 0.98, 0.94, 0.9, 1.12];

#[derive(Debug)]
struct Person {
    client: IpAddr,
    browser: Browser,
    /// Has been here before: the files of every page are in the browser's cache.
    knows_site: bool,
    user: Option<&'static str>,
}

pub(crate) fn day(world: &mut World<'_>, options: &Options, day: u16, replay: u32) {
    let (seed, rate) = (options.seed, options.rate);
    let came = rate * options.growth.powf(f64::from(day) / 7.0);
    let mut dice = Dice::new(seed, Actor::People, day, replay);
    let mut habits = Habits {
        dice: Dice::new(seed, Actor::Shared, day, replay),
        shared_share: options.shared_share,
        app_share: options.app_share,
    };
    let weekday = Story::weekday(day);
    let mood = dice.near(1.0, 0.05);
    let hours: f64 = HOURS.iter().sum();
    for (hour, weight) in (0..).zip(HOURS) {
        let expected = SESSIONS_A_DAY * came * WEEKDAYS[weekday] * mood * weight / hours;
        for _ in 0..dice.count(expected) {
            let start_us = world.story.day_start_us(day) + hour * HOUR_US + dice.range(0..HOUR_US);
            let office_hours = weekday < 5 && (7..16).contains(&hour);
            let person = if office_hours && dice.chance(0.07) {
                colleague(seed, dice.range(0..COLLEAGUES))
            } else if dice.chance(0.4) {
                regular(seed, day, dice.range(0..whole(REGULARS * rate).max(1)))
            } else {
                newcomer(&mut dice)
            };
            let landing = landing(&mut dice);
            let (person, place) = habits.of(person);
            let session = Session::new(person, &mut dice);
            match place {
                Place::Pages => session.run(world, &mut dice, start_us, landing),
                Place::App => session.run_app(world, &mut dice, start_us),
            }
        }
    }
    let story = world.story;
    for (start_us, end_us) in story
        .crowds()
        .filter(|(start_us, _)| story.day_of(*start_us) == day)
    {
        let hours =
            count_f64(usize::try_from((end_us - start_us) / SECOND_US).unwrap_or(0)) / 3_600.0;
        for _ in 0..dice.count(CROWD_AN_HOUR * came * hours) {
            let person = match dice.chance(0.6) {
                true => regular(seed, day, dice.range(0..whole(REGULARS * rate).max(1))),
                false => newcomer(&mut dice),
            };
            let page = if dice.chance(0.5) {
                "/".to_owned()
            } else {
                site::product(&mut dice)
            };
            let start_us = dice.range(start_us..end_us);
            let (person, _) = habits.of(person);
            Session::new(person, &mut dice).run(
                world,
                &mut dice,
                start_us,
                format!("{page}{NEWSLETTER}"),
            );
        }
    }
}

/// What options add to people, with dice of its own.
struct Habits {
    dice: Dice,
    shared_share: f64,
    app_share: f64,
}

/// Where a session takes place.
enum Place {
    Pages,
    App,
}

impl Habits {
    fn of(&mut self, mut person: Person) -> (Person, Place) {
        if self.dice.chance(self.shared_share) {
            person.client = *self.dice.pick(&network::CARRIER);
        }
        let place = match self.dice.chance(self.app_share) {
            true => Place::App,
            false => Place::Pages,
        };
        (person, place)
    }
}

fn newcomer(dice: &mut Dice) -> Person {
    let client = if dice.chance(0.3) {
        let network = network::home_v6(dice);
        network::in_network(network, dice)
    } else {
        network::home_v4(dice)
    };
    Person {
        client,
        browser: agents::browser(dice),
        knows_site: false,
        user: None,
    }
}

fn regular(seed: u64, day: u16, index: usize) -> Person {
    let lane = u32::try_from(index).unwrap_or(u32::MAX);
    let mut dice = Dice::new(seed, Actor::Person, 0, lane);
    let browser = agents::browser(&mut dice);
    let client = if dice.chance(0.3) {
        let network = network::home_v6(&mut dice);
        network::in_network(network, &mut Dice::new(seed, Actor::Person, day + 1, lane))
    } else if browser.mobile {
        // A phone has another address each day.
        network::home_v4(&mut Dice::new(seed, Actor::Person, day + 1, lane))
    } else {
        network::home_v4(&mut dice)
    };
    let user = (index % 90 == 7).then_some(if index % 180 == 7 { "mira" } else { "jonas k" });
    Person {
        client,
        browser,
        knows_site: true,
        user,
    }
}

fn colleague(seed: u64, index: u32) -> Person {
    let mut dice = Dice::new(seed, Actor::Person, 0, u32::MAX - index);
    Person {
        client: network::OFFICE,
        browser: agents::browser(&mut dice),
        knows_site: true,
        user: None,
    }
}

/// One visit of a person, up to the last page.
#[derive(Debug)]
struct Session {
    visitor: Visitor,
    browser: Browser,
    seen: HashSet<String>,
    knows_site: bool,
    /// Whether the shell was looked at in this session.
    shell_fetched: bool,
}

impl Session {
    fn new(person: Person, dice: &mut Dice) -> Session {
        let mut visitor = Visitor::new(
            Class::Human,
            person.client,
            Some(person.browser.agent.clone()),
        );
        visitor.protocol = if dice.chance(0.96) {
            "HTTP/2.0"
        } else {
            "HTTP/1.1"
        };
        visitor.user = person.user;
        visitor.aborts = 0.004;
        visitor.patience_s = 25.0;
        visitor.line_ms = if person.browser.mobile { 90.0 } else { 25.0 };
        Session {
            visitor,
            browser: person.browser,
            seen: HashSet::new(),
            knows_site: person.knows_site,
            shell_fetched: false,
        }
    }

    fn run(mut self, world: &mut World<'_>, dice: &mut Dice, start_us: i64, landing: String) {
        let host = self.host(world);
        let mut at_us = start_us;
        let mut target = landing;
        let mut referer = came_from(dice, &target);
        if self.visitor.user.is_some() {
            target = "/admin/".to_owned();
            referer = None;
        }
        let mut pages_left = 1 + dice.gap_us(2.7) / SECOND_US;
        let mut failures = 0;
        while pages_left > 0 {
            let answer = self.visit(world, dice, at_us, &target, referer.as_deref());
            if !answer.is_fine() && answer.status != Some(404) {
                // Most try again a few times; few go elsewhere on the site.
                failures += 1;
                if failures > 3 || !dice.chance(0.6) {
                    return;
                }
                at_us = after(answer.end_us, dice.around(6.0, 0.7));
                continue;
            }
            failures = 0;
            pages_left -= 1;
            let think_s = dice.around(18.0, 1.0).clamp(1.2, 1_500.0);
            at_us = after(answer.end_us, think_s);
            referer = Some(format!("{host}{target}"));
            match self.act(world, dice, at_us, &target, referer.as_deref()) {
                Some(answer) if !answer.is_fine() => return,
                Some(answer) => at_us = after(answer.end_us, dice.range(0.02..0.2)),
                None => {}
            }
            target = follow(dice, &target);
        }
    }

    /// One page that stays; each click is a call, and a timer asks whether anything is new.
    fn run_app(mut self, world: &mut World<'_>, dice: &mut Dice, start_us: i64) {
        let answer = world.get(dice, &mut self.visitor, start_us, site::APP, None);
        if !answer.is_fine() {
            return;
        }
        let page = format!("{}{}", self.host(world), site::APP);
        self.fetch_shell(world, dice, after(answer.end_us, 0.1), &page);
        let end_us = after(start_us, dice.around(360.0, 0.9).min(5_400.0));
        let mut click_us = after(answer.end_us, 0.5);
        let mut timer_us = click_us;
        while click_us.min(timer_us) < end_us {
            if timer_us <= click_us {
                let _ = world.get(dice, &mut self.visitor, timer_us, "/api/cart", Some(&page));
                timer_us = after(timer_us, site::APP_TIMER_S + dice.range(0.0..0.05));
                continue;
            }
            let product = &site::PRODUCTS[dice.popular(site::PRODUCTS.len())];
            let prices = format!("/api/prices?of={product}");
            let _ = world.get(dice, &mut self.visitor, click_us, &prices, Some(&page));
            if dice.chance(0.1) {
                let put_us = after(click_us, dice.range(0.5..4.0));
                let visitor = &mut self.visitor;
                let _ = world.ask(dice, visitor, put_us, "POST", "/api/cart", Some(&page));
            }
            click_us = after(click_us, dice.around(9.0, 1.0).clamp(0.4, 600.0));
        }
    }

    fn host(&self, world: &World<'_>) -> String {
        let site = world.story.site_of(self.visitor.class, self.visitor.client);
        format!("https://{}", world.story.sites[site])
    }

    /// What is done on a page besides reading: into the cart, signing in, paying.
    fn act(
        &mut self,
        world: &mut World<'_>,
        dice: &mut Dice,
        at_us: i64,
        page: &str,
        referer: Option<&str>,
    ) -> Option<Answer> {
        let target = match page {
            "/account/login" => "/account/login",
            "/checkout" if dice.chance(0.7) => "/checkout",
            _ if page.starts_with("/product/") && dice.chance(0.15) => "/api/cart",
            _ => return None,
        };
        Some(world.ask(dice, &mut self.visitor, at_us, "POST", target, referer))
    }

    /// A page and what the browser fetches for it.
    fn visit(
        &mut self,
        world: &mut World<'_>,
        dice: &mut Dice,
        at_us: i64,
        target: &str,
        referer: Option<&str>,
    ) -> Answer {
        let mut answer = world.get(dice, &mut self.visitor, at_us, target, referer);
        if answer.status == Some(301) {
            let moved = format!("{target}/");
            answer = world.get(
                dice,
                &mut self.visitor,
                after(answer.end_us, 0.03),
                &moved,
                referer,
            );
        }
        if !answer.is_fine() && answer.status != Some(404) {
            return answer;
        }
        let page = format!("{}{target}", self.host(world));
        let parsed_us = after(answer.end_us, dice.range(0.03..0.15));
        self.fetch_shell(world, dice, parsed_us, &page);
        self.fetch_pictures(world, dice, parsed_us, target, &page);
        let ready_us = after(parsed_us, dice.range(0.15..0.6));
        let _ = world.get(dice, &mut self.visitor, ready_us, "/api/cart", Some(&page));
        let path = target.split('?').next().unwrap_or(target);
        if let Some(product) = path
            .strip_prefix("/product/")
            .or((path == "/cart").then_some("cart"))
        {
            let prices = format!("/api/prices?of={product}");
            let _ = world.get(
                dice,
                &mut self.visitor,
                after(ready_us, 0.01),
                &prices,
                Some(&page),
            );
        }
        answer
    }

    fn fetch_shell(&mut self, world: &mut World<'_>, dice: &mut Dice, at_us: i64, page: &str) {
        if std::mem::replace(&mut self.shell_fetched, true) {
            return;
        }
        if self.knows_site {
            // Some browsers ask whether their copy is still good, most know.
            if dice.chance(0.25) {
                for file in &site::SHELL[..2] {
                    let asked_us = after(at_us, dice.range(0.0..0.08));
                    let _ = world.revalidate(&self.visitor, asked_us, file, Some(page));
                }
            }
            return;
        }
        for file in site::SHELL {
            let asked_us = after(at_us, dice.range(0.0..0.2));
            let _ = world.get(dice, &mut self.visitor, asked_us, file, Some(page));
        }
        if self.browser.apple {
            let _ = world.get(
                dice,
                &mut self.visitor,
                after(at_us, 0.3),
                "/apple-touch-icon.png",
                None,
            );
        }
    }

    fn fetch_pictures(
        &mut self,
        world: &mut World<'_>,
        dice: &mut Dice,
        at_us: i64,
        target: &str,
        page: &str,
    ) {
        let path = target.split('?').next().unwrap_or(target);
        // The small ones come from a delivery network, which has logs of its own.
        let pictures: Vec<String> = if path == "/" {
            vec!["hero-1".to_owned()]
        } else if let Some(slug) = path.strip_prefix("/product/") {
            (1..=*dice.weighed(&[(1, 6), (2, 3), (3, 1)]))
                .map(|view| format!("{slug}-{view}"))
                .collect()
        } else {
            path.strip_prefix("/blog/")
                .filter(|slug| !slug.is_empty())
                .map(|slug| format!("{slug}-1"))
                .into_iter()
                .collect()
        };
        for (index, name) in pictures.into_iter().enumerate() {
            let file = format!("/img/{name}.webp");
            if !self.seen.insert(file.clone()) {
                continue;
            }
            let asked_us = after(at_us, dice.range(0.0..0.1) + 0.05 * count_f64(index));
            if self.knows_site && dice.chance(0.15) {
                let _ = world.revalidate(&self.visitor, asked_us, &file, Some(page));
            } else {
                let _ = world.get(dice, &mut self.visitor, asked_us, &file, Some(page));
            }
        }
    }
}

/// The first page.
fn landing(dice: &mut Dice) -> String {
    match dice.range(0..100) {
        0..=34 => "/".to_owned(),
        35..=64 => site::product(dice),
        65..=79 => site::post(dice),
        80..=91 => site::category(dice),
        92..=93 => "/blog".to_owned(),
        94..=95 => "/account/login".to_owned(),
        96 => format!(
            "/account/reset?token={:016x}{:016x}",
            dice.bits(),
            dice.bits()
        ),
        // A link that has been wrong for years.
        97 => format!(
            "/shop/{}",
            site::PRODUCTS[dice.popular(site::PRODUCTS.len())]
        ),
        _ => format!("/{NEWSLETTER}"),
    }
}

fn came_from(dice: &mut Dice, landing: &str) -> Option<String> {
    if landing.contains("utm_") || landing.starts_with("/account/reset") {
        return None;
    }
    let from = *dice.weighed(&[
        (None, 34),
        (Some("https://www.google.com/"), 44),
        (Some("https://www.bing.com/"), 6),
        (Some("https://duckduckgo.com/"), 5),
        (Some("https://www.instagram.com/"), 6),
        (
            Some("android-app://com.google.android.googlequicksearchbox/"),
            2,
        ),
        (Some("https://blog.example.net/2026/10/things-we-like/"), 3),
    ]);
    from.map(str::to_owned)
}

/// The next page after `page`.
fn follow(dice: &mut Dice, page: &str) -> String {
    match page {
        "/account/login" => return "/account".to_owned(),
        "/cart" if dice.chance(0.5) => return "/checkout".to_owned(),
        "/checkout" => return "/checkout/done".to_owned(),
        _ if page.starts_with("/admin/") && dice.chance(0.8) => {
            return format!("/admin/?page={}", dice.range(2..9));
        }
        _ => {}
    }
    match dice.range(0..100) {
        0..=44 => site::product(dice),
        45..=64 => site::category(dice),
        65..=73 => site::search(dice),
        74..=79 => site::post(dice),
        80..=88 => "/cart".to_owned(),
        89..=93 => "/".to_owned(),
        94..=96 => (*dice.pick(&site::INFO)).to_owned(),
        97 => "/blog".to_owned(),
        _ => "/account/login".to_owned(),
    }
}
