//! One log, from all the blocks that write it.

use std::collections::BTreeSet;

use super::scope::Directive;
use super::server::Server;
use super::{AccessLog, COMBINED, LogFormat, NginxConf};

/// A log while the blocks that write it are gone through.
pub(super) struct Gathered<'conf> {
    path: &'conf str,
    /// The directives that were asked for; `None` for the log that Nginx writes unasked.
    directives: Vec<Option<&'conf Directive>>,
    /// The blocks that were asked for.
    scopes: Vec<usize>,
    asked_servers: BTreeSet<usize>,
    /// All servers that write it.
    servers: BTreeSet<usize>,
}

impl<'conf> Gathered<'conf> {
    pub(super) fn new(path: &'conf str) -> Self {
        Self {
            path,
            directives: Vec::new(),
            scopes: Vec::new(),
            asked_servers: BTreeSet::new(),
            servers: BTreeSet::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        scope: usize,
        server: Option<usize>,
        directive: Option<&'conf Directive>,
        is_asked: bool,
    ) {
        self.servers.extend(server);
        if is_asked {
            self.asked_servers.extend(server);
            self.scopes.push(scope);
            self.directives.push(directive);
        }
    }

    /// The log; `None` if nobody asked for it.
    pub(super) fn finish(self, conf: &NginxConf) -> Option<AccessLog> {
        let first = *self.directives.first()?;
        let asked = || self.asked_servers.iter().map(|index| &conf.servers[*index]);
        let all = || self.servers.iter().map(|index| &conf.servers[*index]);
        let ports: BTreeSet<u16> = all().flat_map(Server::ports).flatten().collect();
        let trusted = self
            .scopes
            .iter()
            .flat_map(|scope| conf.scopes.trusted_in(*scope));
        let mut headers = self
            .scopes
            .iter()
            .filter_map(|scope| conf.scopes.real_ip_header_in(*scope));
        let listens = asked().flat_map(|server| &server.listens);
        Some(AccessLog {
            path: self.path.to_owned(),
            formats: self.formats(conf),
            parameters: first
                .map(|first| first.parameters.clone())
                .unwrap_or_default(),
            server_names: once_each(asked().flat_map(|server| &server.names)),
            server_name: same(all().map(Server::literal_name)),
            listens: once_each(listens.map(|listen| &listen.text)),
            ports: ports.into_iter().collect(),
            trusted: once_each(trusted),
            real_ip_header: headers.next().map(str::to_owned),
            is_proxied: self
                .scopes
                .iter()
                .any(|scope| conf.scopes.get(*scope).is_proxied),
            origin: first.map(|first| first.origin.clone()),
        })
    }

    fn formats(&self, conf: &NginxConf) -> Vec<LogFormat> {
        let mut formats: Vec<LogFormat> = Vec::new();
        for directive in &self.directives {
            let format = match directive {
                None => conf
                    .format_index(COMBINED)
                    .map(|index| &conf.formats[index]),
                Some(Directive { format, .. }) => format.map(|index| &conf.formats[index]),
            };
            let named = directive.map_or(COMBINED, |directive| &directive.format_name);
            let format = format.cloned().unwrap_or_else(|| LogFormat {
                name: named.to_owned(),
                text: None,
            });
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
        formats
    }
}

/// The words in order, without repetition.
fn once_each<'word>(words: impl Iterator<Item = &'word String>) -> Vec<String> {
    let mut known = BTreeSet::new();
    words.filter(|word| known.insert(*word)).cloned().collect()
}

/// The one name that all have.
fn same<'name>(mut names: impl Iterator<Item = Option<&'name str>>) -> Option<String> {
    let first = names.next()??;
    names
        .all(|name| name == Some(first))
        .then(|| first.to_owned())
}
