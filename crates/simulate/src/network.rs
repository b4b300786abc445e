//! Who has which address. None of them can belong to anyone.
//!
//! | range | who |
//! |---|---|
//! | 100.64.0.0/10 (shared, RFC 6598), 198.19.0.0/16 (benchmarks, RFC 2544), 2001:db8:1000::/36 | people, since the documentation ranges hold 768 addresses only |
//! | 192.0.2.0/24 | crawlers, libraries and feed readers that say who they are, the monitor, package clients |
//! | 198.51.100.0/24 | scrapers, fake crawlers, some scanners |
//! | 203.0.113.0/25, 2001:db8:bad::/48 | scanners |
//! | 10.0.0.10 | a balancer in front |
//! | 203.0.113.128/25, some /24 of 198.18.0.0/16, some /64 of 2001:db8:f000::/36 | the flood |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::FloodFrom;
use crate::dice::Dice;

/// The office that many people share.
pub(crate) const OFFICE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 19, 40, 7));
/// What a mobile carrier puts all its customers behind.
pub(crate) const CARRIER: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(198, 19, 41, 1)),
    IpAddr::V4(Ipv4Addr::new(198, 19, 41, 2)),
    IpAddr::V4(Ipv4Addr::new(198, 19, 41, 3)),
    IpAddr::V4(Ipv4Addr::new(198, 19, 41, 4)),
];
pub(crate) const MONITOR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 250));
/// Where the monitor asks again from when a probe failed.
pub(crate) const MONITOR_AGAIN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 251));

/// What stands in the log as the address where a balancer is in front.
pub(crate) const BALANCER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 10));

pub(crate) fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// The address of someone at home or on the road, IPv4. Providers put many behind one, so that some meet again.
pub(crate) fn home_v4(dice: &mut Dice) -> IpAddr {
    if dice.chance(0.2) {
        return v4(198, 19, dice.range(64..=255), dice.range(1..255));
    }
    v4(
        100,
        dice.range(64..128),
        dice.range(0..=255),
        dice.range(1..255),
    )
}

/// The network of a home with IPv6: the upper 64 bits.
pub(crate) fn home_v6(dice: &mut Dice) -> u64 {
    0x2001_0db8_1000_0000 | dice.range(0..0x0fff_ffff)
}

/// An address in the /64 network `upper`, as privacy extensions choose it.
pub(crate) fn in_network(upper: u64, dice: &mut Dice) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(
        (u128::from(upper) << 64) | u128::from(dice.bits()),
    ))
}

pub(crate) fn scanner(dice: &mut Dice) -> IpAddr {
    match dice.range(0..10) {
        0..=4 => v4(203, 0, 113, dice.range(1..128)),
        5..=6 => v4(198, 51, 100, dice.range(128..255)),
        // Somebody's infected camera.
        7..=8 => home_v4(dice),
        _ => in_network(0x2001_0db8_0bad_0000 | dice.range(0..0xffff), dice),
    }
}

/// A rented server that scrapes or pretends.
pub(crate) fn rented(dice: &mut Dice) -> IpAddr {
    v4(198, 51, 100, dice.range(1..128))
}

/// `count` addresses, out of a handful of networks or of those of people.
pub(crate) fn flood(dice: &mut Dice, from: FloodFrom, count: usize) -> Vec<IpAddr> {
    if from == FloodFrom::Everywhere {
        return (0..count).map(|_| home_v4(dice)).collect();
    }
    let blocks: Vec<u8> = (0..3 + count / 600).map(|_| dice.range(0..=255)).collect();
    let networks: Vec<u64> = (0..3)
        .map(|_| 0x2001_0db8_f000_0000 | dice.range(0..0x0fff_ffff))
        .collect();
    let one = |index: usize| match index % 5 {
        0 => in_network(*dice.pick(&networks), dice),
        1 => v4(203, 0, 113, dice.range(128..255)),
        _ => v4(198, 18, *dice.pick(&blocks), dice.range(1..255)),
    };
    (0..count).map(one).collect()
}
