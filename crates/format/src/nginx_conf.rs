//! What an nginx.conf says about logs.

mod reader;

use std::collections::BTreeMap;

use crate::template::Template;
use reader::{End, Reader, Statement};

/// The log directives of one configuration file of Nginx: an nginx.conf, or a file that one includes.
///
/// Only what belongs to `http` is read: a `stream` has logs too, but not of requests.
///
/// ```
/// use floodmark_format::{CompiledFormat, NginxConf};
///
/// let conf = NginxConf::parse(r#"
///     http {
///         log_format timed '$remote_addr [$time_local] "$request" '
///                          '$status $request_time';
///         server {
///             listen 443 ssl;
///             server_name www.example.org;
///             access_log /var/log/nginx/access.log timed buffer=32k;
///         }
///     }
/// "#)?;
///
/// let log = &conf.access_logs[0];
/// assert_eq!((log.path.as_str(), log.ports.as_slice()), ("/var/log/nginx/access.log", &[443][..]));
/// let format = CompiledFormat::compile(&conf.formats[&log.format])?;
/// assert_eq!(format.variables().len(), 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NginxConf {
    /// Each `log_format`: its name, and its text as [`CompiledFormat::compile`](crate::CompiledFormat::compile) takes
    /// it. `combined` is not among them: Nginx has it built in.
    pub formats: BTreeMap<String, String>,
    /// Each `access_log` but `access_log off`, in order of appearance.
    pub access_logs: Vec<AccessLog>,
    /// Addresses and networks of `set_real_ip_from`, as written, each once.
    pub trusted: Vec<String>,
    /// Files and globs of `include`, as written, which are not followed. Of blocks in which no log directive can
    /// stand, such as `types`, they are left out.
    pub includes: Vec<String>,
}

/// One `access_log` directive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessLog {
    /// As written: perhaps relative, with `$variables`, or `syslog:…`.
    pub path: String,
    /// The name of its `log_format`; `combined` if it names none.
    pub format: String,
    /// The `server_name`s of the server that it stands in, as written; empty outside of a server.
    pub server_names: Vec<String>,
    /// The ports of that server, ascending: 80 if it has no `listen`, none if it listens on Unix sockets only. Empty
    /// outside of a server.
    pub ports: Vec<u16>,
    /// Whether that server speaks TLS on one of its ports.
    pub ssl: bool,
}

/// Why an nginx.conf cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line_number} of the Nginx configuration: expected {expected}, found {found}\n\
     hint: `nginx -t` says whether Nginx can read it"
)]
pub struct ConfError {
    /// From 1.
    pub line_number: usize,
    /// In words.
    pub expected: String,
    /// In words, safe to print.
    pub found: String,
}

impl NginxConf {
    /// Reads the text of one file.
    ///
    /// # Errors
    ///
    /// A quote or block without an end, a `}` too many, a log directive or `listen` without what it needs.
    pub fn parse(text: &str) -> Result<Self, ConfError> {
        let mut conf = Self::default();
        let mut reader = Reader::new(text);
        let mut open: Vec<(Block, Statement)> = Vec::new();
        let mut server = Server::default();
        while let Some(statement) = reader.statement(open.last().map(|(_, head)| head))? {
            let block = open.last().map_or(Block::Main, |(block, _)| *block);
            match statement.end {
                End::Semicolon => conf.directive(&statement, block, &mut server, &reader)?,
                End::Opening => {
                    let block = block.inner(statement.name());
                    if block == Block::Server {
                        server = Server {
                            first_log: conf.access_logs.len(),
                            ..Server::default()
                        };
                    }
                    open.push((block, statement));
                }
                End::Closing => {
                    if matches!(open.pop(), Some((Block::Server, _))) {
                        std::mem::take(&mut server).close(&mut conf.access_logs);
                    }
                }
            }
        }
        Ok(conf)
    }

    fn directive(
        &mut self,
        statement: &Statement,
        block: Block,
        server: &mut Server,
        reader: &Reader<'_>,
    ) -> Result<(), ConfError> {
        if block == Block::Other {
            return Ok(());
        }
        let arguments = statement.arguments();
        let missing = |expected: &str| reader.missing(statement, expected);
        match statement.name() {
            "log_format" => {
                let [name, pieces @ ..] = arguments else {
                    return Err(missing("a name and a text"));
                };
                let text = format_text(pieces).ok_or_else(|| missing("a text after the name"))?;
                self.formats.insert(name.clone(), text);
            }
            "access_log" => match arguments {
                [] => return Err(missing("a path or `off`")),
                [off, ..] if off == "off" => {}
                [path, rest @ ..] => self.access_logs.push(AccessLog {
                    path: path.clone(),
                    // Nginx takes the second word for the name, whatever it is.
                    format: rest.first().map_or("combined", String::as_str).to_owned(),
                    ..AccessLog::default()
                }),
            },
            "set_real_ip_from" => {
                let address = arguments.first().ok_or_else(|| missing("an address"))?;
                push_new(&mut self.trusted, address);
            }
            "include" => {
                let path = arguments.first().ok_or_else(|| missing("a path"))?;
                push_new(&mut self.includes, path);
            }
            "server_name" if block == Block::Server => {
                for name in arguments {
                    push_new(&mut server.names, name);
                }
            }
            "listen" if block == Block::Server => {
                let [address, parameters @ ..] = arguments else {
                    return Err(missing("an address or port"));
                };
                let ports = listen_ports(address)
                    .ok_or_else(|| reader.unexpected(statement, "a port of 1 to 65535", address))?;
                server.ports.extend(ports.into_iter().flatten());
                server.has_listen = true;
                server.ssl |= parameters
                    .iter()
                    .any(|word| word == "ssl" || word == "quic");
            }
            // How a server was told to speak TLS before Nginx 1.25.1.
            "ssl" if block == Block::Server => {
                server.ssl |= arguments.iter().any(|word| word.eq_ignore_ascii_case("on"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn push_new(words: &mut Vec<String>, word: &str) {
    if !words.iter().any(|known| known == word) {
        words.push(word.to_owned());
    }
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
    let body = pieces.concat();
    let plain = format!("{prefix}{body}");
    let quoted = body.replace('\\', r"\\").replace('\'', r"\'");
    let quoted = format!("{prefix}'{quoted}'");
    // A text that itself begins with a quote or a space would lose it.
    let is_plain = Template::read(&plain) == Template::read(&quoted);
    Some(if is_plain { plain } else { quoted })
}

/// The ports of `443`, `*:443`, `[::]:443`, `localhost:8000-8010`, `192.0.2.1` (80); of a Unix socket none.
fn listen_ports(address: &str) -> Option<Option<std::ops::RangeInclusive<u16>>> {
    const DEFAULT: u16 = 80;
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
        None => DEFAULT..=DEFAULT,
    };
    Some(Some(ports))
}

/// Where a directive stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    /// In none: in a file that is included this may be any of the others.
    Main,
    Http,
    Server,
    /// `location`, and the `if` and `limit_except` in one.
    Location,
    /// One without log directives, or not of `http`.
    Other,
}

impl Block {
    fn inner(self, name: &str) -> Self {
        match (self, name) {
            (Self::Main, "http") => Self::Http,
            (Self::Main | Self::Http, "server") => Self::Server,
            (Self::Main | Self::Server | Self::Location, "location" | "if" | "limit_except") => {
                Self::Location
            }
            _ => Self::Other,
        }
    }
}

/// What is known of the server being read; its logs may stand before its `listen`.
#[derive(Default)]
struct Server {
    names: Vec<String>,
    ports: Vec<u16>,
    has_listen: bool,
    ssl: bool,
    /// The index of its first log.
    first_log: usize,
}

impl Server {
    fn close(mut self, logs: &mut [AccessLog]) {
        if !self.has_listen {
            self.ports.push(80);
        }
        self.ports.sort_unstable();
        self.ports.dedup();
        for log in &mut logs[self.first_log..] {
            log.server_names.clone_from(&self.names);
            log.ports.clone_from(&self.ports);
            log.ssl = self.ssl;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::template::Piece;

    #[track_caller]
    fn parse(text: &str) -> NginxConf {
        NginxConf::parse(text).unwrap()
    }

    #[track_caller]
    fn check_format(directive: &str, text: &str) {
        let conf = parse(&format!("http {{ {directive} }}"));
        assert_eq!(conf.formats.get("f").map(String::as_str), Some(text));
    }

    #[track_caller]
    fn check_server(directives: &str, names: &[&str], ports: &[u16], ssl: bool) {
        let conf = parse(&format!("server {{ access_log a.log; {directives} }}"));
        let [log] = &conf.access_logs[..] else {
            panic!("one log")
        };
        assert_eq!(log.server_names, names);
        assert_eq!((log.ports.as_slice(), log.ssl), (ports, ssl));
    }

    #[track_caller]
    fn check_error(text: &str, message: &str) {
        let error = NginxConf::parse(text).unwrap_err().to_string();
        assert_eq!(error.lines().next(), Some(message));
    }

    #[test]
    fn a_whole_conf() {
        let conf = parse(
            r#"
            user www-data; # access_log /not/this.log;
            events { worker_connections 1024; }
            http {
                include mime.types;
                types { text/html html; include more.types; }
                map $status $loggable { ~^[23] 0; default 1; access_log no; }
                set_real_ip_from 192.0.2.0/24;
                set_real_ip_from 2001:db8::/32;
                log_format timed '$remote_addr [$time_local] '
                                 # between two pieces
                                 '"$request" $status $request_time';
                access_log /var/log/nginx/rest.log;
                server {
                    listen 80;
                    access_log off;
                    return 301 https://$host$request_uri;
                }
                server {
                    access_log /var/log/nginx/a.log timed buffer=32k flush=5s if=$loggable;
                    server_name www.example.org *.example.org;
                    listen [::]:443 ssl;
                    listen 443 ssl default_server;
                    set_real_ip_from 192.0.2.0/24;
                    location ~ \.php$ {
                        if ($request_method = "POST") { access_log "/var/log/nginx/my posts.log"; }
                        location = /status { access_log off; }
                    }
                    include snippets/*.conf;
                }
                upstream shop { server 127.0.0.1:8080; }
            }
            stream {
                log_format tcp '$remote_addr';
                server { listen 5432; access_log /var/log/nginx/tcp.log tcp; }
            }
            "#,
        );
        assert_eq!(
            conf.formats.into_iter().collect::<Vec<_>>(),
            [(
                "timed".to_owned(),
                r#"$remote_addr [$time_local] "$request" $status $request_time"#.to_owned()
            )]
        );
        assert_eq!(conf.trusted, ["192.0.2.0/24", "2001:db8::/32"]);
        assert_eq!(conf.includes, ["mime.types", "snippets/*.conf"]);
        let of_server = |path: &str, format: &str| AccessLog {
            path: path.to_owned(),
            format: format.to_owned(),
            server_names: vec!["www.example.org".to_owned(), "*.example.org".to_owned()],
            ports: vec![443],
            ssl: true,
        };
        assert_eq!(
            conf.access_logs,
            [
                AccessLog {
                    path: "/var/log/nginx/rest.log".to_owned(),
                    format: "combined".to_owned(),
                    ..AccessLog::default()
                },
                of_server("/var/log/nginx/a.log", "timed"),
                of_server("/var/log/nginx/my posts.log", "combined"),
            ]
        );
    }

    #[test]
    fn the_conf_of_the_sample_logs() {
        let conf = parse(include_str!("../../../sample-logs/nginx.conf"));
        let [log] = &conf.access_logs[..] else {
            panic!("one log")
        };
        assert_eq!(log.server_names, ["www.example.org"]);
        assert_eq!((log.ports.as_slice(), log.ssl), (&[443][..], true));
        assert!(crate::CompiledFormat::compile(&conf.formats[&log.format]).is_ok());
    }

    #[test]
    fn a_text_without_directives_says_nothing() {
        assert_eq!(parse(""), NginxConf::default());
        assert_eq!(parse(" # no newline after this"), NginxConf::default());
        assert_eq!(parse("#\n\r\n\t#"), NginxConf::default());
    }

    #[test]
    fn a_file_that_is_included_stands_in_no_block() {
        let conf = parse("log_format f $status; access_log a.log f; set_real_ip_from unix:;");
        assert_eq!(conf.formats["f"], "$status");
        assert_eq!(conf.access_logs.len(), 1);
        assert_eq!(conf.trusted, ["unix:"]);
    }

    #[test]
    fn format_texts_are_unquoted_and_joined() {
        check_format("log_format f $remote_addr;", "$remote_addr");
        check_format(r#"log_format f "$a \"$b\" " '$c';"#, r#"$a "$b" $c"#);
        check_format(r"log_format f '$a\t$b \'$c\' \x';", "$a\t$b '$c' \\x");
        check_format("log_format f ${a}_$b;", "${a}_$b");
        check_format(
            r#"log_format f escape=json '{"a":"$a",' '"b":"$b"}';"#,
            r#"escape=json {"a":"$a","b":"$b"}"#,
        );
        check_format("log_format f escape=none\n'$a';", "escape=none $a");
    }

    #[test]
    fn a_format_text_that_begins_with_a_quote_or_a_space_keeps_it() {
        check_format(r#"log_format f '"$a" "$b"';"#, r#""$a" "$b""#);
        check_format(r#"log_format f "'$a'";"#, r"'\'$a\''");
        check_format(r#"log_format f "'$a' $b";"#, "'$a' $b");
        check_format("log_format f escape=json ' $a';", "escape=json ' $a'");
    }

    #[test]
    fn quotes_and_sharps_within_a_word_are_letters() {
        let conf = parse("access_log /var/a'b#c}d.log; access_log '/var/#x.log';");
        let paths: Vec<_> = conf.access_logs.iter().map(|log| &log.path).collect();
        assert_eq!(paths, ["/var/a'b#c}d.log", "/var/#x.log"]);
    }

    #[test]
    fn ports_of_listen_directives() {
        check_server("", &[], &[80], false);
        check_server("listen 8443 ssl; listen 443 quic;", &[], &[443, 8443], true);
        check_server("listen *:81; listen 192.0.2.1:82;", &[], &[81, 82], false);
        check_server("listen [2001:db8::1]:443 ssl;", &[], &[443], true);
        check_server("listen [2001:db8::1]; listen 192.0.2.1;", &[], &[80], false);
        check_server(
            "listen localhost:8000-8002;",
            &[],
            &[8000, 8001, 8002],
            false,
        );
        check_server("listen unix:/run/a:1.sock;", &[], &[], false);
        check_server("listen 443; ssl on;", &[], &[443], true);
    }

    #[test]
    fn server_names_are_kept_as_written() {
        check_server(
            r#"server_name a.example.org ~^(www\.)?b\. "" a.example.org; listen 1;"#,
            &["a.example.org", r"~^(www\.)?b\.", ""],
            &[1],
            false,
        );
    }

    #[test]
    fn errors_say_where_and_what() {
        let place = "of the Nginx configuration: expected";
        check_error(
            "http {\n  server {\n  }\n",
            &format!("line 4 {place} the `}}` of `http` in line 1, found the end of the file"),
        );
        check_error(
            "http {\n}\n}\n",
            &format!("line 3 {place} a directive, since no block is open, found `}}`"),
        );
        check_error(
            "http {\n access_log a.log\n}",
            &format!("line 3 {place} `;` or `{{` at the end of `access_log`, found `}}`"),
        );
        check_error(
            "\nlog_format f '$a;\n",
            &format!("line 2 {place} a closing `'` for the quote that begins here, found `'$a;`"),
        );
        check_error(
            "log_format f '$a''$b';",
            &format!("line 1 {place} a space or `;` after a closing quote, found `'$b';`"),
        );
        check_error(
            "\n;",
            &format!("line 2 {place} a directive's name, found `;`"),
        );
        check_error(
            "\n\nlog_format f;",
            &format!("line 3 {place} a text after the name in `log_format`, found `;`"),
        );
        check_error(
            "access_log;",
            &format!("line 1 {place} a path or `off` in `access_log`, found `;`"),
        );
        check_error(
            "server {\nlisten 192.0.2.1:70000;}",
            &format!("line 2 {place} a port of 1 to 65535 in `listen`, found `192.0.2.1:70000`"),
        );
        check_error(
            "a\u{202E}b \u{1b}[31m",
            &format!(
                "line 1 {place} `;` or `{{` at the end of `a\\u{{202e}}b`, found the end of the file"
            ),
        );
    }

    #[test]
    fn deep_nesting_needs_no_stack() {
        let depth = 100_000;
        let text = "a {".repeat(depth) + &"}".repeat(depth);
        assert_eq!(parse(&text), NginxConf::default());
    }

    fn conf_text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            prop::sample::select(vec![
                "http {",
                "server {",
                "location / {",
                "if (",
                "}",
                "}",
                ";",
                ";",
                " ",
                "\n",
                "'",
                "\"",
                "\\",
                "$",
                "${",
                "#",
                "log_format f",
                "escape=json ",
                "access_log",
                "off",
                "listen ",
                "443",
                "[::]:",
                "1-2",
                "unix:",
                "ssl",
                "server_name",
                "include ",
                "set_real_ip_from ",
                "é",
            ])
            .prop_map(str::to_owned),
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
    }

    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        let piece = || ("[ \t\r\n'\"\\\\a-c=;{}#é]{1,6}", "[a-z_]{1,5}");
        prop::collection::vec(piece(), 1..6).prop_map(|pairs| {
            let both = |(literal, name)| [Piece::Literal(literal), Piece::Variable(name)];
            pairs.into_iter().flat_map(both).collect()
        })
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in conf_text()) {
            if let Err(error) = NginxConf::parse(&text) {
                prop_assert!(error.line_number <= text.matches('\n').count() + 1);
            }
        }

        /// Each piece in quotes of its own, escaped as Nginx undoes it.
        #[test]
        fn a_format_as_written_compiles_to_the_same_pieces(pieces in pieces(), quote in "['\"]") {
            let word = |text: &str| {
                let text = text.replace('\\', r"\\").replace(&quote, &format!("\\{quote}"));
                format!("{quote}{text}{quote}\n")
            };
            let words: String = pieces.iter().map(|piece| match piece {
                Piece::Literal(literal) => word(literal),
                Piece::Variable(name) => word(&format!("${{{name}}}")),
            }).collect();
            let conf = parse(&format!("log_format f escape=default {words};"));
            let template = Template::read(&conf.formats["f"]).unwrap();
            prop_assert_eq!(template.pieces, pieces);
        }
    }
}
