//! Addresses and their ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::Error;

/// A range of addresses: those that share the first `bits` bits with `network`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    network: IpAddr,
    bits: u8,
}

impl Cidr {
    /// The range of `addr` with `bits` leading bits, at most 32 for IPv4 and 128 for IPv6 (more are cut to that).
    ///
    /// An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is taken as the IPv4 address.
    #[must_use]
    pub fn new(addr: IpAddr, bits: u8) -> Self {
        match addr.to_canonical() {
            IpAddr::V4(v4) => {
                let bits = bits.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                Self {
                    network: IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask)),
                    bits,
                }
            }
            IpAddr::V6(v6) => {
                let bits = bits.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Self {
                    network: IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask)),
                    bits,
                }
            }
        }
    }

    /// The first address of the range.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// How many leading bits its addresses share.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether `addr` lies in the range; an address of the other family never does.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        addr.is_ipv4() == self.network.is_ipv4()
            && Self::new(addr, self.bits).network == self.network
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.network, self.bits)
    }
}

impl FromStr for Cidr {
    type Err = Error;

    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or a single address; bits after the prefix are cleared.
    fn from_str(text: &str) -> Result<Self, Error> {
        let not_a_cidr = || Error::NotACidr {
            found: text.to_owned(),
        };
        let (addr, bits) = match text.trim().split_once('/') {
            Some((addr, bits)) => (addr, Some(bits.parse::<u8>().map_err(|_| not_a_cidr())?)),
            None => (text.trim(), None),
        };
        let addr: IpAddr = addr.parse().map_err(|_| not_a_cidr())?;
        let most = if addr.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(not_a_cidr());
        }
        // A range given in IPv6 clothes keeps its meaning: the 96 bits of the clothes are taken off.
        let mapped = addr.is_ipv6() && addr.to_canonical().is_ipv4();
        match (mapped, bits.checked_sub(96)) {
            (true, Some(bits)) => Ok(Self::new(addr, bits)),
            (true, None) => Err(not_a_cidr()),
            (false, _) => Ok(Self::new(addr, bits)),
        }
    }
}

/// The range of `addr` with `bits` leading bits, as text (`192.0.2.0/24`); `None` if `addr` is no address.
#[must_use]
pub fn ip_prefix(addr: &str, bits: u8) -> Option<String> {
    Some(Cidr::new(addr.parse().ok()?, bits).to_string())
}

/// The range by which floods are counted: /24 for IPv4, /64 for IPv6, the smallest blocks that one party usually holds.
#[must_use]
pub fn neighbourhood(addr: IpAddr) -> Cidr {
    let addr = addr.to_canonical();
    Cidr::new(addr, if addr.is_ipv4() { 24 } else { 64 })
}

/// Whether `addr` lies in `cidr`; `None` if `addr` is no address.
///
/// # Errors
///
/// [`Error::NotACidr`] if `cidr` is no range.
pub fn ip_in(addr: &str, cidr: &str) -> Result<Option<bool>, Error> {
    let cidr: Cidr = cidr.parse()?;
    Ok(addr.parse().ok().map(|addr| cidr.contains(addr)))
}

/// Whether `addr` is not of the public internet: RFC 1918, shared (RFC 6598), loopback, link-local, unique local (RFC 4193),
/// unspecified.
#[must_use]
pub fn private(addr: IpAddr) -> bool {
    match addr.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let shared = first == 100 && (64..128).contains(&second);
            v4.is_private()
                || shared
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prefixes_are_cut_at_the_bit() {
        assert_eq!(ip_prefix("192.0.2.77", 24).as_deref(), Some("192.0.2.0/24"));
        assert_eq!(ip_prefix("192.0.2.77", 0).as_deref(), Some("0.0.0.0/0"));
        assert_eq!(
            ip_prefix("2001:db8:1:2:3::4", 64).as_deref(),
            Some("2001:db8:1:2::/64")
        );
        assert_eq!(
            ip_prefix("::ffff:192.0.2.77", 24).as_deref(),
            Some("192.0.2.0/24")
        );
        assert_eq!(ip_prefix("unix:", 24), None);
        assert_eq!(
            neighbourhood("203.0.113.9".parse().unwrap()).to_string(),
            "203.0.113.0/24"
        );
    }

    #[test]
    fn membership_knows_both_families() {
        assert_eq!(ip_in("192.0.2.255", "192.0.2.0/24"), Ok(Some(true)));
        assert_eq!(ip_in("192.0.3.0", "192.0.2.0/24"), Ok(Some(false)));
        assert_eq!(ip_in("192.0.2.9", "::ffff:192.0.2.0/120"), Ok(Some(true)));
        assert_eq!(ip_in("2001:db8::1", "192.0.2.0/24"), Ok(Some(false)));
        assert_eq!(ip_in("2001:db8::1", "::/0"), Ok(Some(true)));
        assert_eq!(ip_in("-", "192.0.2.0/24"), Ok(None));
        for wrong in [
            "",
            "192.0.2.0/33",
            "192.0.2/24",
            "2001:db8::/129",
            "192.0.2.0/-1",
            "::ffff:192.0.2.0/24",
        ] {
            assert!(ip_in("192.0.2.1", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn private_addresses_are_known() {
        for addr in [
            "10.0.0.1",
            "172.31.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(private(addr.parse().unwrap()), "{addr}");
        }
        for addr in ["192.0.2.1", "100.128.0.1", "172.32.0.1", "2001:db8::1"] {
            assert!(!private(addr.parse().unwrap()), "{addr}");
        }
    }

    proptest! {
        #[test]
        fn an_address_lies_in_each_of_its_prefixes(addr in any::<IpAddr>(), bits in 0u8..=128) {
            let cidr = Cidr::new(addr, bits);
            prop_assert!(cidr.contains(addr));
            prop_assert_eq!(cidr.to_string().parse::<Cidr>().unwrap(), cidr);
        }
    }
}
