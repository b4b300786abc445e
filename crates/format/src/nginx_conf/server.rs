//! What a server answers to: names and ports.

use std::ops::RangeInclusive;

/// One `server` block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Server {
    /// As written.
    pub(super) names: Vec<String>,
    pub(super) listens: Vec<Listen>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listen {
    /// The directive's words.
    pub(super) text: String,
    /// `None` for a Unix socket.
    pub(super) ports: Option<RangeInclusive<u16>>,
}

/// Where Nginx listens if it is not told, or not on which port.
const DEFAULT_PORT: u16 = 80;

impl Server {
    pub(super) fn listens_on(&self, port: u16) -> bool {
        self.ports().any(|ports| ports.contains(&port))
    }

    pub(super) fn ports(&self) -> impl Iterator<Item = RangeInclusive<u16>> {
        let default = self
            .listens
            .is_empty()
            .then_some(DEFAULT_PORT..=DEFAULT_PORT);
        let listens = self.listens.iter();
        listens
            .filter_map(|listen| listen.ports.clone())
            .chain(default)
    }

    /// What `$server_name` is for its requests: the first name, a leading dot left out, if that is a plain name.
    pub(super) fn literal_name(&self) -> Option<&str> {
        let name = self.names.first()?;
        let name = name.strip_prefix('.').unwrap_or(name);
        let is_plain = !name.is_empty() && name != "_" && !name.contains(['*', '~', '$']);
        is_plain.then_some(name)
    }
}

/// The ports of `443`, `*:443`, `[::]:443`, `localhost:8000-8010`, `192.0.2.1` (80); of a Unix socket none.
pub(super) fn listen_ports(address: &str) -> Option<Option<RangeInclusive<u16>>> {
    if address.starts_with("unix:") {
        return Some(None);
    }
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let range = |text: &str| match text.split_once('-') {
        Some((first, last)) => Some(number(first)?..=number(last)?),
        None => number(text).map(|port| port..=port),
    };
    // The colons of an IPv6 address stand before its bracket.
    let host_end = address.rfind(']').unwrap_or(0);
    let ports = match address[host_end..].rsplit_once(':') {
        Some((_, port)) => range(port)?,
        None if address
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-') =>
        {
            range(address)?
        }
        None => DEFAULT_PORT..=DEFAULT_PORT,
    };
    Some(Some(ports))
}
