//! What an nginx.conf says about access logs.

mod access_log;
mod gather;
mod lua;
mod reader;
mod reading;
mod scope;
mod server;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::preset;
pub use access_log::{AccessLog, LogFormat, LogNote, LogParameters, Origin, Unreadable};
use gather::Gathered;
use reading::Reading;
use scope::{Directive, Scope, Scopes};
use server::Server;

/// A configuration of Nginx, as far as it decides which requests are logged where and how.
///
/// Only what belongs to `http` is read: a `stream` has logs too, but not of requests. What a configuration holds
/// besides is passed over, known or not. A file that is no whole configuration but one that an nginx.conf includes is
/// read as though it stood in `http`.
///
/// ```
/// use floodmark_format::{CompiledFormat, NginxConf};
///
/// let conf = NginxConf::parse(r#"
///     http {
///         log_format timed '$remote_addr [$time_local] "$request" '
///                          '$status $request_time';
///         access_log /var/log/nginx/access.log timed buffer=32k flush=5s;
///         server {
///             listen 443 ssl;
///             server_name www.example.org;
///         }
///     }
/// "#)?;
///
/// let logs = conf.logs(Some(443));
/// assert_eq!(logs[0].path, "/var/log/nginx/access.log");
/// assert_eq!(logs[0].server_name.as_deref(), Some("www.example.org"));
/// let text = logs[0].formats[0].text.as_deref().unwrap_or_default();
/// assert_eq!(CompiledFormat::compile(text)?.variables().len(), 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NginxConf {
    formats: Vec<LogFormat>,
    servers: Vec<Server>,
    scopes: Scopes,
    default_log: String,
}

/// One file of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfFile {
    /// Its path: it stands in messages and in [`Origin`], and tells one file from another. The folder of the main file
    /// is the one that relative paths of `include` start from.
    pub name: String,
    /// Its content. Bytes that are no UTF-8 become `U+FFFD`.
    pub bytes: Vec<u8>,
}

/// What Nginx is told when it is built or started, not in its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfOptions<'a> {
    /// The folder that relative paths of `access_log` start from (`nginx -p`, else `--prefix` of its build); by default
    /// that of Debian's build, `/usr/share/nginx`.
    pub prefix: &'a str,
    /// The log of requests for which no `access_log` is given (`--http-log-path` of its build), in the format
    /// `combined`; by default `/var/log/nginx/access.log`.
    pub default_log: &'a str,
}

impl Default for ConfOptions<'_> {
    fn default() -> Self {
        Self {
            prefix: "/usr/share/nginx",
            default_log: "/var/log/nginx/access.log",
        }
    }
}

/// An `access_log off`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlogged {
    /// The block that it stands in, such as `location = /status`, shortened to fit into a message.
    pub block: String,
    /// Where.
    pub origin: Origin,
}

/// Why a configuration cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}:{line_number}: expected {expected}, found {found}\n\
     hint: `nginx -t` says whether Nginx can read it"
)]
pub struct ConfError {
    /// The file, as [`ConfFile::name`] has it.
    pub file: String,
    /// From 1.
    pub line_number: usize,
    /// In words.
    pub expected: String,
    /// In words, safe to print.
    pub found: String,
}

impl NginxConf {
    /// Reads a text by itself, `include` left out.
    ///
    /// # Errors
    ///
    /// As [`NginxConf::read`].
    pub fn parse(text: &str) -> Result<Self, ConfError> {
        let main = ConfFile {
            name: "nginx.conf".to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        Self::read(&main, &ConfOptions::default(), &mut |_| Vec::new())
    }

    /// Reads the main file and those that it includes.
    ///
    /// `include` gives the files that fit a pattern, sorted by name as `glob` of the C library sorts them, with their
    /// content. A pattern without `*`, `?` and `[` is one file. It is asked as often as the pattern is included. What
    /// it cannot read it leaves out, and tells its user.
    ///
    /// # Errors
    ///
    /// A quote or block without an end, a `}` too many, a log directive or `listen` without what it needs; files that
    /// include each other, or more of them than any site has.
    pub fn read(
        main: &ConfFile,
        options: &ConfOptions<'_>,
        include: &mut dyn FnMut(&str) -> Vec<ConfFile>,
    ) -> Result<Self, ConfError> {
        let conf = Self {
            formats: vec![LogFormat {
                name: COMBINED.to_owned(),
                text: Some(preset::text(COMBINED).to_owned()),
            }],
            default_log: options.default_log.to_owned(),
            ..Self::default()
        };
        Reading::new(conf, &main.name, options, include).finish(main)
    }

    /// The logs that servers on a port write, in order of appearance, each path once; of `None` all logs, those that
    /// no server writes included.
    #[must_use]
    pub fn logs(&self, port: Option<u16>) -> Vec<AccessLog> {
        let mut logs: Vec<Gathered<'_>> = Vec::new();
        let mut by_path: HashMap<&str, usize> = HashMap::new();
        for (scope, server) in self.writers() {
            let is_asked = port.is_none_or(|port| self.is_on(server, port));
            for (path, directive) in self.written_by(scope) {
                let index = *by_path.entry(path).or_insert_with(|| {
                    logs.push(Gathered::new(path));
                    logs.len() - 1
                });
                logs[index].add(scope, server, directive, is_asked);
            }
        }
        logs.into_iter()
            .filter_map(|log| log.finish(self))
            .collect()
    }

    /// The path of each log of a block, with its directive if it has one.
    fn written_by(&self, scope: usize) -> impl Iterator<Item = (&str, Option<&Directive>)> {
        let scope = self.scopes.logs_of(scope);
        let is_default = scope.logs.is_empty() && scope.off.is_none();
        let default = is_default.then_some((self.default_log.as_str(), None));
        let named = scope.logs.iter().filter(|_| scope.off.is_none());
        let named = named.map(|directive| (directive.path.as_str(), Some(directive)));
        named.chain(default)
    }

    /// The `access_log off` that keep requests of servers on a port out of every log, in order of appearance.
    #[must_use]
    pub fn unlogged(&self, port: u16) -> Vec<Unlogged> {
        let mut unlogged: Vec<Unlogged> = Vec::new();
        let mut known: HashSet<*const Scope> = HashSet::new();
        for (scope, server) in self.writers() {
            let scope = self.scopes.logs_of(scope);
            if let Some(origin) = &scope.off
                && self.is_on(server, port)
                && known.insert(scope)
            {
                unlogged.push(Unlogged {
                    block: scope.head.clone(),
                    origin: origin.clone(),
                });
            }
        }
        unlogged
    }

    /// All ports that servers listen on, ascending.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        let ports: BTreeSet<u16> = self
            .servers
            .iter()
            .flat_map(Server::ports)
            .flatten()
            .collect();
        ports.into_iter().collect()
    }

    fn is_on(&self, server: Option<usize>, port: u16) -> bool {
        server.is_some_and(|server| self.servers[server].listens_on(port))
    }

    /// The blocks in which requests end, each with its server; and those outside of servers that name logs.
    fn writers(&self) -> impl Iterator<Item = (usize, Option<usize>)> {
        let scopes = self.scopes.iter().enumerate();
        scopes.filter_map(|(index, scope)| {
            (scope.server.is_some() || !scope.logs.is_empty()).then_some((index, scope.server))
        })
    }

    /// The place of the format of this name: Nginx compares without case, and takes the first.
    fn format_index(&self, name: &str) -> Option<usize> {
        self.formats
            .iter()
            .position(|format| format.name.eq_ignore_ascii_case(name))
    }
}

/// The format that needs no `log_format`.
const COMBINED: &str = "combined";
