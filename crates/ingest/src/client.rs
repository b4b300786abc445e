//! The client behind trusted proxies.

use std::net::IpAddr;

/// Address ranges of proxies whose `X-Forwarded-For` is believed, as Nginx's `set_real_ip_from` has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    ranges: Vec<(IpAddr, u8)>,
}

impl Trust {
    /// Reads ranges such as `192.0.2.0/24`, `2001:db8::/32` or a single address.
    ///
    /// # Errors
    ///
    /// The first text that is not an address range.
    pub fn parse<S: AsRef<str>>(ranges: &[S]) -> Result<Self, crate::Error> {
        let ranges = ranges
            .iter()
            .map(|range| {
                parse_range(range.as_ref()).ok_or_else(|| crate::Error::NotARange {
                    found: range.as_ref().to_owned(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { ranges })
    }

    /// Whether no proxy is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    fn holds(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|&range| in_range(address, range))
    }

    /// The right-most address of `forwarded` that is not trusted, if `remote_addr` is; `None` if it is not, or if
    /// `forwarded` holds none.
    #[must_use]
    pub fn client(&self, remote_addr: &[u8], forwarded: &[u8]) -> Option<IpAddr> {
        let address = |raw: &[u8]| {
            std::str::from_utf8(raw.trim_ascii())
                .ok()?
                .parse::<IpAddr>()
                .ok()
        };
        if !self.holds(address(remote_addr)?) {
            return None;
        }
        let mut nearest = None;
        for hop in forwarded.rsplit(|&b| b == b',') {
            let hop = address(hop)?;
            nearest = Some(hop);
            if !self.holds(hop) {
                break;
            }
        }
        nearest
    }
}

fn parse_range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/').unwrap_or((text, ""));
    let address: IpAddr = address.parse().ok()?;
    let bits_max = if address.is_ipv4() { 32 } else { 128 };
    let bits = if bits.is_empty() && !text.contains('/') {
        bits_max
    } else {
        bits.parse().ok()?
    };
    (bits <= bits_max).then_some((address, bits))
}

fn in_range(address: IpAddr, (network, bits): (IpAddr, u8)) -> bool {
    let bits = u32::from(bits);
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (a.to_bits() ^ b.to_bits())
                .checked_shr(32 - bits)
                .unwrap_or(0)
                == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (a.to_bits() ^ b.to_bits())
                .checked_shr(128 - bits)
                .unwrap_or(0)
                == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(remote_addr: &str, forwarded: &str, expected: Option<&str>) {
        let trust = Trust::parse(&["192.0.2.0/24", "2001:db8::/32"]).unwrap();
        let client = trust.client(remote_addr.as_bytes(), forwarded.as_bytes());
        assert_eq!(client.map(|client| client.to_string()).as_deref(), expected);
    }

    #[test]
    fn the_right_most_untrusted_address_is_the_client() {
        check(
            "192.0.2.1",
            "203.0.113.9, 198.51.100.7, 192.0.2.8",
            Some("198.51.100.7"),
        );
        check("2001:db8::1", "198.51.100.7", Some("198.51.100.7"));
    }

    #[test]
    fn a_header_from_an_untrusted_peer_is_not_believed() {
        check("203.0.113.1", "198.51.100.7", None);
    }

    #[test]
    fn a_header_that_holds_no_address_leaves_the_peer() {
        check("192.0.2.1", "unknown", None);
        check("192.0.2.1", "192.0.2.2, 192.0.2.3", Some("192.0.2.2"));
    }

    #[test]
    fn bad_ranges_are_refused() {
        for range in [
            "192.0.2.0/33",
            "192.0.2/24",
            "x",
            "192.0.2.0/",
            "2001:db8::/129",
        ] {
            assert!(Trust::parse(&[range]).is_err(), "{range}");
        }
    }
}
