//! What a configuration says about one log.

use std::fmt;

/// A place in a configuration; shown as `/etc/nginx/nginx.conf:12`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The file, as the caller named it.
    pub file: String,
    /// From 1.
    pub line_number: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line_number)
    }
}

/// A log and all that is known of the lines in it.
///
/// Several servers, and several blocks of one, may write the same log: what differs between them is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// The file, absolute if [`ConfOptions::prefix`](super::ConfOptions::prefix) is; `syslog:…` and `$variables` as
    /// written.
    pub path: String,
    /// In which formats its lines are written: nearly always one.
    pub formats: Vec<LogFormat>,
    /// What goes with the `access_log`.
    pub parameters: LogParameters,
    /// Each `server_name` of the servers that were asked for and write it, as written.
    pub server_names: Vec<String>,
    /// What Nginx would log as `$server_name`, if that is one and the same name for all servers that write it, those
    /// on other ports too; `None` too if it is a regular expression, has a wildcard, or is `_` or empty.
    pub server_name: Option<String>,
    /// Each `listen` of the servers that were asked for and write it, as written; empty if they have none.
    pub listens: Vec<String>,
    /// The ports of all servers that write it, ascending: with more than one, lines of others than the port asked for
    /// are in it. Empty if they listen on Unix sockets only, or if it stands outside of every server.
    pub ports: Vec<u16>,
    /// Addresses and networks of `set_real_ip_from`, as written, perhaps a host name or `unix:`.
    pub trusted: Vec<String>,
    /// The `real_ip_header`, if there is one; Nginx's default is `X-Real-IP`.
    pub real_ip_header: Option<String>,
    /// Whether requests logged here are passed on to another server, so that `$upstream_status` has something to say.
    pub is_proxied: bool,
    /// Where it is named first; `None` for the log that Nginx writes where none is named.
    pub origin: Option<Origin>,
}

/// A format by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    /// As `access_log` names it; `combined` if it names none.
    pub name: String,
    /// Its text as [`CompiledFormat::compile`](crate::CompiledFormat::compile) takes it; `None` if no `log_format`
    /// before the `access_log` has this name, a configuration that Nginx refuses.
    pub text: Option<String>,
}

/// The parameters of an `access_log`, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogParameters {
    /// The size of `buffer=`.
    pub buffer: Option<String>,
    /// The time of `flush=`.
    pub flush: Option<String>,
    /// `gzip` or `gzip=LEVEL`: the file is written compressed, and buffered with or without a `buffer=`.
    pub gzip: Option<String>,
    /// The condition of `if=`: requests for which it is empty or `0` are not logged.
    pub condition: Option<String>,
}

impl LogParameters {
    pub(super) fn read(words: &[String]) -> Self {
        let mut parameters = Self::default();
        for word in words {
            if let Some(size) = word.strip_prefix("buffer=") {
                parameters.buffer = Some(size.to_owned());
            } else if let Some(time) = word.strip_prefix("flush=") {
                parameters.flush = Some(time.to_owned());
            } else if word == "gzip" || word.starts_with("gzip=") {
                parameters.gzip = Some(word.to_owned());
            } else if let Some(condition) = word.strip_prefix("if=") {
                parameters.condition = Some(condition.to_owned());
            }
        }
        parameters
    }
}

/// Why a log cannot be read as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// `syslog:server=…`.
    Syslog,
    /// The path holds variables.
    Variables,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syslog => "it is sent to syslog, not to a file",
            Self::Variables => {
                "its path holds variables, so that it is as many files as they have values; name those as LOG"
            }
        })
    }
}

/// What a reader of the log should know, or the owner of the configuration mend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogNote {
    /// Lines wait in memory for as long as it takes to fill a buffer.
    BufferWithoutFlush,
    /// Not all requests are logged.
    Conditional {
        /// Of `if=`.
        condition: String,
    },
    /// A format that no `log_format` before defines.
    UnknownFormat {
        /// Its name.
        name: String,
    },
    /// Lines of more than one format.
    SeveralFormats {
        /// Their names.
        names: Vec<String>,
    },
    /// Lines of servers on other ports.
    SeveralPorts {
        /// All ports.
        ports: Vec<u16>,
    },
}

impl fmt::Display for LogNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferWithoutFlush => f.write_str(
                "lines are buffered without `flush=`: in a quiet hour the last ones are not in the file yet, and a crash of Nginx loses them; add `flush=5s`",
            ),
            Self::Conditional { condition } => write!(
                f,
                "`if={condition}`: requests for which it is empty or `0` are not in the log"
            ),
            Self::UnknownFormat { name } => write!(
                f,
                "no `log_format {name}` stands before it, so that Nginx refuses this configuration"
            ),
            Self::SeveralFormats { names } => write!(
                f,
                "lines are written in several formats: {}; give each a log of its own",
                names.join(", ")
            ),
            Self::SeveralPorts { ports } => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                write!(
                    f,
                    "requests of the ports {} are in it; log `$server_port` to tell them apart",
                    ports.join(", ")
                )
            }
        }
    }
}

impl AccessLog {
    /// Why it cannot be read as a file; `None` if it can, as far as the configuration shows.
    #[must_use]
    pub fn unreadable(&self) -> Option<Unreadable> {
        if is_syslog(&self.path) {
            Some(Unreadable::Syslog)
        } else if self.path.contains('$') {
            Some(Unreadable::Variables)
        } else {
            None
        }
    }

    /// What its directives alone show; what its format shows is for its reader to say.
    #[must_use]
    pub fn notes(&self) -> Vec<LogNote> {
        let mut notes = Vec::new();
        let LogParameters {
            buffer,
            flush,
            gzip,
            condition,
        } = &self.parameters;
        if (buffer.is_some() || gzip.is_some()) && flush.is_none() {
            notes.push(LogNote::BufferWithoutFlush);
        }
        if let Some(condition) = condition.clone() {
            notes.push(LogNote::Conditional { condition });
        }
        for LogFormat { name, text } in &self.formats {
            if text.is_none() {
                notes.push(LogNote::UnknownFormat { name: name.clone() });
            }
        }
        if self.formats.len() > 1 {
            let names = self.formats.iter().map(|format| format.name.clone());
            notes.push(LogNote::SeveralFormats {
                names: names.collect(),
            });
        }
        let says_port = |format: &LogFormat| {
            let text = format.text.as_deref().unwrap_or_default();
            text.contains("$server_port") || text.contains("${server_port}")
        };
        if self.ports.len() > 1 && !self.formats.iter().all(says_port) {
            notes.push(LogNote::SeveralPorts {
                ports: self.ports.clone(),
            });
        }
        notes
    }
}

pub(super) fn is_syslog(path: &str) -> bool {
    path.starts_with("syslog:")
}
