//! From the files of a configuration to its blocks, servers and formats.

use super::access_log::is_syslog;
use super::lua::is_lua;
use super::reader::{End, Reader, Statement};
use super::scope::{Block, Directive};
use super::server::{Listen, Server, listen_ports};
use super::{COMBINED, ConfError, ConfFile, ConfOptions, LogFormat, LogParameters, NginxConf};
use crate::template::Template;

/// Files that include each other are told by their names; these bounds are for the rest, far above what any site has.
const INCLUDE_DEPTH_MAX: usize = 32;
const FILES_MAX: usize = 100_000;
const BYTES_MAX: usize = 256 << 20;

/// Directives that hand a request to another server, which then has an `$upstream_status`.
const PASSES: &[&str] = &[
    "fastcgi_pass",
    "grpc_pass",
    "memcached_pass",
    "proxy_pass",
    "scgi_pass",
    "uwsgi_pass",
];

/// A configuration while it is read.
pub(super) struct Reading<'call> {
    conf: NginxConf,
    prefix: &'call str,
    /// The main file's.
    folder: &'call str,
    include: &'call mut dyn FnMut(&str) -> Vec<ConfFile>,
    /// The file being read and those that include it.
    open_files: Vec<String>,
    files: usize,
    bytes: usize,
}

impl<'call> Reading<'call> {
    pub(super) fn new(
        conf: NginxConf,
        main: &'call str,
        options: &ConfOptions<'call>,
        include: &'call mut dyn FnMut(&str) -> Vec<ConfFile>,
    ) -> Self {
        Self {
            conf,
            prefix: options.prefix,
            folder: main.rsplit_once('/').map_or("", |(folder, _)| folder),
            include,
            open_files: Vec::new(),
            files: 0,
            bytes: 0,
        }
    }

    pub(super) fn finish(mut self, main: &ConfFile) -> Result<NginxConf, ConfError> {
        let root = self.conf.scopes.add(Block::Main, String::new(), 0);
        self.file(main, root)?;
        self.conf.scopes.inherit();
        Ok(self.conf)
    }

    /// Reads a file that stands in the block `outer`, or is included there.
    fn file(&mut self, file: &ConfFile, outer: usize) -> Result<(), ConfError> {
        self.open_files.push(file.name.clone());
        let text = String::from_utf8_lossy(&file.bytes);
        let mut reader = Reader::new(&file.name, &text);
        // `None` for a block that has nothing to say about logs.
        let mut open: Vec<(Option<usize>, Statement)> = Vec::new();
        while let Some(statement) = reader.statement(open.last().map(|(_, head)| head))? {
            let scope = open.last().map_or(Some(outer), |(scope, _)| *scope);
            match statement.end {
                End::Semicolon => {
                    if let Some(scope) = scope {
                        self.directive(scope, &statement, &reader)?;
                    }
                }
                End::Opening if is_lua(statement.name()) => reader.pass_lua(&statement)?,
                End::Opening => {
                    let inner = scope.and_then(|scope| self.open(scope, &statement));
                    open.push((inner, statement));
                }
                End::Closing => {
                    open.pop();
                }
            }
        }
        self.open_files.pop();
        Ok(())
    }

    /// The index of the block that begins here.
    fn open(&mut self, parent: usize, head: &Statement) -> Option<usize> {
        let scopes = &mut self.conf.scopes;
        let block = scopes.get(parent).block.inner(head.name())?;
        let scope = scopes.add(block, head.head(), parent);
        if block == Block::Server {
            scopes.get_mut(scope).server = Some(self.conf.servers.len());
            self.conf.servers.push(Server::default());
        }
        Some(scope)
    }

    fn directive(
        &mut self,
        scope: usize,
        statement: &Statement,
        reader: &Reader<'_>,
    ) -> Result<(), ConfError> {
        let arguments = statement.arguments();
        let missing = |expected: &str| reader.missing(statement, expected);
        let at = self.conf.scopes.get_mut(scope);
        let server = at.server.filter(|_| at.block == Block::Server);
        match statement.name() {
            "log_format" => {
                let [name, pieces @ ..] = arguments else {
                    return Err(missing("a name and a text"));
                };
                let text = format_text(pieces).ok_or_else(|| missing("a text after the name"))?;
                self.conf.formats.push(LogFormat {
                    name: name.clone(),
                    text: Some(text),
                });
            }
            "access_log" => match arguments {
                [] => return Err(missing("a path or `off`")),
                [off, ..] if off == "off" => at.off = Some(reader.origin(statement)),
                [path, rest @ ..] => {
                    let directive = self.log(path, rest, reader, statement);
                    self.conf.scopes.get_mut(scope).logs.push(directive);
                }
            },
            "set_real_ip_from" => {
                let address = arguments.first().ok_or_else(|| missing("an address"))?;
                at.trusted.push(address.clone());
            }
            "real_ip_header" => {
                let header = arguments
                    .first()
                    .ok_or_else(|| missing("a header's name"))?;
                at.real_ip_header = Some(header.clone());
            }
            "include" => {
                let pattern = arguments.first().ok_or_else(|| missing("a path"))?;
                self.include(pattern, scope, statement, reader)?;
            }
            "server_name" => {
                if let Some(server) = server {
                    self.conf.servers[server].names.extend_from_slice(arguments);
                }
            }
            "listen" => {
                if let Some(server) = server {
                    let listen = listen(arguments, statement, reader)?;
                    self.conf.servers[server].listens.push(listen);
                }
            }
            name if PASSES.contains(&name) => at.is_proxied = true,
            _ => {}
        }
        Ok(())
    }

    fn log(
        &self,
        path: &str,
        rest: &[String],
        reader: &Reader<'_>,
        statement: &Statement,
    ) -> Directive {
        let path = match path {
            path if path.starts_with('/') || is_syslog(path) => path.to_owned(),
            path => format!("{}/{path}", self.prefix.trim_end_matches('/')),
        };
        // Nginx takes the second word for the name, whatever it is.
        let (name, parameters) = match rest {
            [] => (COMBINED, rest),
            [name, parameters @ ..] => (name.as_str(), parameters),
        };
        Directive {
            path,
            format_name: name.to_owned(),
            format: self.conf.format_index(name),
            parameters: LogParameters::read(parameters),
            origin: reader.origin(statement),
        }
    }

    fn include(
        &mut self,
        pattern: &str,
        scope: usize,
        statement: &Statement,
        reader: &Reader<'_>,
    ) -> Result<(), ConfError> {
        if self.open_files.len() >= INCLUDE_DEPTH_MAX {
            let expected = format!("at most {INCLUDE_DEPTH_MAX} files that include each other");
            return Err(reader.unexpected(statement, &expected, pattern));
        }
        let path = match pattern.starts_with('/') {
            true => pattern.to_owned(),
            false => format!("{}/{pattern}", self.folder),
        };
        for file in (self.include)(&path) {
            if self.open_files.contains(&file.name) {
                let expected = "a file that does not include itself, directly or through others";
                return Err(reader.unexpected(statement, expected, &file.name));
            }
            self.files += 1;
            self.bytes += file.bytes.len();
            if self.files > FILES_MAX || self.bytes > BYTES_MAX {
                let expected = format!("at most {FILES_MAX} files of {BYTES_MAX} bytes together");
                return Err(reader.unexpected(statement, &expected, &file.name));
            }
            self.file(&file, scope)?;
        }
        Ok(())
    }
}

fn listen(
    arguments: &[String],
    statement: &Statement,
    reader: &Reader<'_>,
) -> Result<Listen, ConfError> {
    let address = arguments.first();
    let address = address.ok_or_else(|| reader.missing(statement, "an address or port"))?;
    let ports = listen_ports(address)
        .ok_or_else(|| reader.unexpected(statement, "a port of 1 to 65535", address))?;
    Ok(Listen {
        text: arguments.join(" "),
        ports,
    })
}

/// The text of a format from the words after its name: an `escape=…`, if there is one, and pieces to be joined.
fn format_text(words: &[String]) -> Option<String> {
    let (prefix, pieces) = match words {
        [escape, pieces @ ..] if escape.starts_with("escape=") => (format!("{escape} "), pieces),
        pieces => (String::new(), pieces),
    };
    if pieces.is_empty() {
        return None;
    }
    let body = pieces
        .iter()
        .fold(String::new(), |text, piece| joined(text, piece));
    let plain = format!("{prefix}{body}");
    let quoted = body.replace('\\', r"\\").replace('\'', r"\'");
    let quoted = format!("{prefix}'{quoted}'");
    // A text that itself begins with a quote or a space would lose it.
    let is_plain = Template::read(&plain) == Template::read(&quoted);
    Some(if is_plain { plain } else { quoted })
}

/// Appends a piece. A variable's name ends with its piece, so it needs braces where letters follow.
fn joined(mut text: String, piece: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let before_name = text.trim_end_matches(is_name);
    if before_name.ends_with('$') && before_name.len() < text.len() && piece.starts_with(is_name) {
        let name = text.split_off(before_name.len());
        text.push_str(&format!("{{{name}}}"));
    }
    text.push_str(piece);
    text
}
