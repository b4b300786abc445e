//! A flood: hundreds of addresses out of a handful of networks call a page that costs the application dearly.

use crate::Options;
use crate::agents;
use crate::dice::{Actor, Dice, count_f64, whole};
use crate::network;
use crate::site;
use crate::story::{EventKind, MINUTE_US, Story, after};
use crate::world::{Class, Visitor, World};

/// Bots at a rate of 1, and at most.
const BOTS: f64 = 220.0;
const BOTS_MAX: f64 = 20_000.0;

/// All of the flood that begins on `day`.
pub(crate) fn day(world: &mut World<'_>, options: &Options, day: u16) {
    let start_us = world.story.day_start_us(day);
    let end_us = start_us + crate::story::DAY_US;
    let story: &Story = world.story;
    for event in &story.events {
        if event.kind != EventKind::Flood || !(start_us..end_us).contains(&event.start_us) {
            continue;
        }
        let mut dice = Dice::new(options.seed, Actor::Flood, day, 0);
        let bots = options.flood_bots.map_or_else(
            || whole((BOTS * options.rate).clamp(BOTS / 4.0, BOTS_MAX)),
            usize::from,
        );
        let kit: Vec<_> = (0..12).map(|_| agents::browser(&mut dice).agent).collect();
        let minutes =
            count_f64(usize::try_from((event.end_us - event.start_us) / MINUTE_US).unwrap_or(0));
        for client in network::flood(&mut dice, options.flood_from, bots) {
            let mut visitor = Visitor::new(Class::Flood, client, Some(dice.pick(&kit).clone()));
            visitor.protocol = if dice.chance(0.5) {
                "HTTP/2.0"
            } else {
                "HTTP/1.1"
            };
            visitor.patience_s = 10.0;
            visitor.aborts = 0.01;
            // They join within some minutes and stop together.
            let joined_us = after(event.start_us, dice.range(0.0..240.0));
            if dice.chance(0.5) {
                volleys(
                    world,
                    &mut dice,
                    &mut visitor,
                    joined_us,
                    event.end_us,
                    minutes,
                );
            } else {
                steady(world, &mut dice, &mut visitor, joined_us, event.end_us);
            }
        }
    }
}

/// Dozens at once, minutes of rest, again: the limit answers most of them.
fn volleys(
    world: &mut World<'_>,
    dice: &mut Dice,
    visitor: &mut Visitor,
    start_us: i64,
    end_us: i64,
    minutes: f64,
) {
    let mut at_us = start_us;
    while at_us < end_us {
        let pause_s = dice.range(0.04..0.15);
        for _ in 0..dice.range(14..28) {
            if at_us >= end_us {
                return;
            }
            let target = target(dice);
            let _ = world.get(dice, visitor, at_us, &target, None);
            at_us = after(at_us, dice.near(pause_s, pause_s * 0.2).max(0.005));
        }
        at_us += dice.gap_us(minutes * 60.0);
    }
}

/// One after the other without a break, below the limit.
fn steady(
    world: &mut World<'_>,
    dice: &mut Dice,
    visitor: &mut Visitor,
    start_us: i64,
    end_us: i64,
) {
    let every_s = dice.range(90.0..240.0);
    let mut at_us = after(start_us, dice.range(0.0..every_s));
    while at_us < end_us {
        let target = target(dice);
        let _ = world.get(dice, visitor, at_us, &target, None);
        at_us = after(at_us, dice.near(every_s, every_s * 0.3).max(1.0));
    }
}

/// The search with words that no cache has, mostly.
fn target(dice: &mut Dice) -> String {
    if dice.chance(0.8) {
        format!("{}&page={}", site::search(dice), dice.range(2..900))
    } else {
        format!(
            "/category/{}?page={}",
            site::CATEGORIES[0],
            dice.range(1..400)
        )
    }
}
