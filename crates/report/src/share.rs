//! A report that may leave the house: addresses are cut to their networks, query strings are gone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::Report;
use crate::panel::Value;

/// Bits that are kept of an address: the networks that a site gets, which single people do not have.
const IPV4_BITS: u32 = 24;
const IPV6_BITS: u32 = 48;

impl Report {
    /// The report with every address cut to its network, `192.0.2.0/24` or `2001:db8:17::/48`, and without query strings.
    ///
    /// Addresses are found wherever they stand, also in paths, agents and the SQL of one's own queries. Names of users, servers and
    /// logs stay.
    #[must_use]
    pub fn shared(mut self) -> Self {
        let scrub = |text: &mut String| *text = without_queries(&with_networks(text));
        for incident in &mut self.incidents {
            scrub(&mut incident.evidence);
        }
        for spike in &mut self.spikes {
            let texts = [&mut spike.path, &mut spike.top_client];
            texts.into_iter().flatten().for_each(scrub);
        }
        for bot in &mut self.bots {
            let texts = [&mut bot.client, &mut bot.http_user_agent];
            texts.into_iter().flatten().for_each(scrub);
        }
        for value in self
            .panels
            .iter_mut()
            .flat_map(|panel| panel.rows.iter_mut().flatten())
        {
            if let Value::Text(text) = value {
                scrub(text);
            }
        }
        for query in &mut self.queries {
            query.sql = with_networks(&query.sql);
        }
        self
    }
}

/// Text up to each `?`, and on from where a target would end.
fn without_queries(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, query)) = rest.split_once('?') {
        out.push_str(before);
        let end =
            query.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ')' | ';' | ','));
        rest = &query[end.unwrap_or(query.len())..];
    }
    out + rest
}

/// Text with each address cut to its network.
fn with_networks(text: &str) -> String {
    let is_of_address = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_of_address) {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let end = from.find(|c: char| !is_of_address(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        let is_prefix = after
            .strip_prefix('/')
            .is_some_and(|bits| bits.starts_with(|c: char| c.is_ascii_digit()));
        match network(word, is_prefix).or_else(|| {
            let trimmed = word.trim_end_matches(['.', ':']);
            Some(network(trimmed, is_prefix)? + &word[trimmed.len()..])
        }) {
            Some(network) => out.push_str(&network),
            None => out.push_str(word),
        }
        rest = after;
    }
    out + rest
}

/// The network of an address, which may have a port; without its bits if they follow anyway.
fn network(word: &str, is_prefix: bool) -> Option<String> {
    let socket = word.parse::<SocketAddr>().ok();
    let address = socket.map_or_else(|| word.parse().ok(), |socket| Some(socket.ip()))?;
    let (start, bits): (IpAddr, u32) = match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX << (32 - IPV4_BITS);
            (
                Ipv4Addr::from_bits(address.to_bits() & mask).into(),
                IPV4_BITS,
            )
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX << (128 - IPV6_BITS);
            (
                Ipv6Addr::from_bits(address.to_bits() & mask).into(),
                IPV6_BITS,
            )
        }
    };
    Some(if is_prefix {
        start.to_string()
    } else {
        format!("{start}/{bits}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_networks_wherever_they_stand() {
        for (text, expected) in [
            ("192.0.2.80", "192.0.2.0/24"),
            ("2001:db8:17:9::1f", "2001:db8:17::/48"),
            ("::ffff:192.0.2.1", "::/48"),
            (
                "the probe at 192.0.2.80, then 198.51.100.7.",
                "the probe at 192.0.2.0/24, then 198.51.100.0/24.",
            ),
            (
                "198.51.100.1:8080, 198.51.100.2:8080",
                "198.51.100.0/24, 198.51.100.0/24",
            ),
            ("[2001:db8::1]", "[2001:db8::/48]"),
            ("203.0.113.9/32", "203.0.113.0/32"),
            (
                "Chrome/153.0.7601.88 at 10:02:30, cafe: bad",
                "Chrome/153.0.7601.88 at 10:02:30, cafe: bad",
            ),
            ("/straße/漢", "/straße/漢"),
        ] {
            assert_eq!(with_networks(text), expected);
        }
    }

    #[test]
    fn query_strings_end_where_a_target_does() {
        for (text, expected) in [
            ("/a?b=c&d", "/a"),
            ("GET /a?b HTTP/1.1 and /c?d", "GET /a HTTP/1.1 and /c"),
            (
                "(+http://bots.example/?id=7) x",
                "(+http://bots.example/) x",
            ),
            ("/none", "/none"),
        ] {
            assert_eq!(without_queries(text), expected);
        }
    }
}
