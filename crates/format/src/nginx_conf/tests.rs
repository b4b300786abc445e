use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::CompiledFormat;
use crate::template::{Piece, Template};

/// Files by name; the main one is `/etc/nginx/nginx.conf`.
#[track_caller]
fn read(files: &[(&str, &str)]) -> Result<NginxConf, ConfError> {
    let file = |name: &str, text: &str| ConfFile {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let known: BTreeMap<String, &str> = files
        .iter()
        .map(|(name, text)| (format!("/etc/nginx/{name}"), *text))
        .collect();
    // A glob with one star is all these tests need.
    let fits = |pattern: &str, name: &str| match pattern.split_once('*') {
        Some((head, tail)) => name.starts_with(head) && name.ends_with(tail),
        None => pattern == name,
    };
    let mut include = |pattern: &str| {
        let fitting = known.iter().filter(|(name, _)| fits(pattern, name));
        fitting.map(|(name, text)| file(name, text)).collect()
    };
    let main = file("/etc/nginx/nginx.conf", known["/etc/nginx/nginx.conf"]);
    NginxConf::read(&main, &ConfOptions::default(), &mut include)
}

#[track_caller]
fn parse(text: &str) -> NginxConf {
    NginxConf::parse(text).unwrap()
}

fn paths(logs: &[AccessLog]) -> Vec<&str> {
    logs.iter().map(|log| log.path.as_str()).collect()
}

/// The paths of port 443 in a configuration of this `http` block.
#[track_caller]
fn check_paths(http: &str, expected: &[&str]) {
    let conf = parse(&format!("http {{ {http} }}"));
    assert_eq!(paths(&conf.logs(Some(443))), expected, "{http}");
}

/// The one log of port 443.
#[track_caller]
fn the_log(http: &str) -> AccessLog {
    let logs = parse(&format!("http {{ {http} }}")).logs(Some(443));
    let [log] = &logs[..] else {
        panic!("one log, not {logs:#?}")
    };
    log.clone()
}

#[track_caller]
fn check_format(directive: &str, text: &str) {
    let log = the_log(&format!(
        "{directive} server {{ listen 443; access_log /a f; }}"
    ));
    assert_eq!(log.formats[0].text.as_deref(), Some(text));
}

#[track_caller]
fn check_ports(directives: &str, ports: &[u16]) {
    let conf = parse(&format!("server {{ access_log a.log; {directives} }}"));
    assert_eq!(conf.ports(), ports);
    assert_eq!(conf.logs(None)[0].ports, ports);
    for port in [80, 81, 443, 8001, 8443] {
        let is_on = ports.contains(&port);
        assert_eq!(conf.logs(Some(port)).len(), usize::from(is_on), "{port}");
    }
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
            types { text/html html; include more.types; }
            map $status $loggable { ~^[23] 0; default 1; access_log no; }
            set_real_ip_from 192.0.2.0/24;
            set_real_ip_from 2001:db8::/32;
            real_ip_header X-Forwarded-For;
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
                set_real_ip_from 198.51.100.7;
                location ~ \.php$ {
                    fastcgi_pass unix:/run/php.sock;
                    if ($request_method = "POST") { access_log "/var/log/nginx/my posts.log"; }
                    location = /status { access_log off; }
                }
            }
            upstream shop { server 127.0.0.1:8080; }
        }
        stream {
            log_format tcp '$remote_addr';
            server { listen 443; access_log /var/log/nginx/tcp.log tcp; }
        }
        "#,
    );
    let origin = |line_number| Origin {
        file: "nginx.conf".to_owned(),
        line_number,
    };
    let log = AccessLog {
        path: "/var/log/nginx/a.log".to_owned(),
        formats: vec![LogFormat {
            name: "timed".to_owned(),
            text: Some(r#"$remote_addr [$time_local] "$request" $status $request_time"#.to_owned()),
        }],
        parameters: LogParameters {
            buffer: Some("32k".to_owned()),
            flush: Some("5s".to_owned()),
            gzip: None,
            condition: Some("$loggable".to_owned()),
        },
        server_names: vec!["www.example.org".to_owned(), "*.example.org".to_owned()],
        server_name: Some("www.example.org".to_owned()),
        listens: vec![
            "[::]:443 ssl".to_owned(),
            "443 ssl default_server".to_owned(),
        ],
        ports: vec![443],
        trusted: vec!["198.51.100.7".to_owned()],
        real_ip_header: Some("X-Forwarded-For".to_owned()),
        is_proxied: true,
        origin: Some(origin(20)),
    };
    let posts = AccessLog {
        path: "/var/log/nginx/my posts.log".to_owned(),
        formats: vec![LogFormat {
            name: "combined".to_owned(),
            text: Some(preset::text("combined").to_owned()),
        }],
        parameters: LogParameters::default(),
        origin: Some(origin(27)),
        ..log.clone()
    };
    assert_eq!(conf.logs(Some(443)), [log, posts]);
    assert_eq!(
        conf.unlogged(443),
        [Unlogged {
            block: "location = /status".to_owned(),
            origin: origin(28),
        }]
    );
    assert_eq!(conf.logs(Some(80)), []);
    assert_eq!(conf.unlogged(80)[0].block, "server");
    assert_eq!(conf.ports(), [80, 443]);
    assert_eq!(
        paths(&conf.logs(None)),
        [
            "/var/log/nginx/rest.log",
            "/var/log/nginx/a.log",
            "/var/log/nginx/my posts.log"
        ]
    );
}

#[test]
fn the_conf_of_the_sample_logs() {
    let conf = parse(include_str!("../../../../sample-logs/nginx.conf"));
    let logs = conf.logs(Some(443));
    assert_eq!(paths(&logs), ["/var/log/nginx/access.log"]);
    assert_eq!(logs[0].server_name.as_deref(), Some("www.example.org"));
    assert_eq!(logs[0].listens, ["443 ssl", "[::]:443 ssl"]);
    assert_eq!(logs[0].ports, [443]);
    assert!(logs[0].is_proxied);
    assert_eq!(logs[0].notes(), []);
    let text = logs[0].formats[0].text.as_deref().unwrap();
    assert!(CompiledFormat::compile(text).is_ok());
}

#[test]
fn logs_are_inherited_until_a_block_names_its_own() {
    check_paths("access_log /h; server { listen 443; }", &["/h"]);
    check_paths("server { listen 443; } access_log /h;", &["/h"]);
    check_paths(
        "access_log /h; access_log /i; server { listen 443; }",
        &["/h", "/i"],
    );
    check_paths(
        "access_log /h; server { listen 443; access_log /s; }",
        &["/s"],
    );
    check_paths(
        "access_log /h; server { listen 443; location / { access_log /l; access_log /m; } }",
        &["/h", "/l", "/m"],
    );
    check_paths(
        "server { listen 443; access_log /s; location / { if ($x) { access_log /i; } limit_except GET { access_log /e; } } }",
        &["/s", "/i", "/e"],
    );
    check_paths(
        "server { listen 443; access_log /s; location /a { location /b { access_log /b; location /c { } } } }",
        &["/s", "/b"],
    );
    check_paths(
        "access_log /h; server { listen 8443; access_log /s; } server { listen 443; }",
        &["/h"],
    );
}

#[test]
fn off_takes_the_logs_of_its_block_and_no_other() {
    check_paths("access_log /h; server { listen 443; access_log off; }", &[]);
    check_paths(
        "access_log /h; server { listen 443; access_log /s; access_log off; }",
        &[],
    );
    check_paths(
        "access_log off; server { listen 443; location / { access_log /l; } }",
        &["/l"],
    );
}

#[test]
fn without_any_log_nginx_writes_its_own() {
    let log = the_log("server { listen 443; location / { } }");
    assert_eq!(log.path, "/var/log/nginx/access.log");
    assert_eq!(log.formats[0].name, "combined");
    assert_eq!(log.origin, None);
}

#[test]
fn relative_paths_start_from_the_prefix() {
    check_paths(
        "access_log logs/a.log; server { listen 443; }",
        &["/usr/share/nginx/logs/a.log"],
    );
    let options = ConfOptions {
        prefix: "/usr/local/nginx/",
        default_log: "/usr/local/nginx/logs/access.log",
    };
    let main = |text: &str| ConfFile {
        name: "/usr/local/nginx/conf/nginx.conf".to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let logs = |text: &str| {
        let conf = NginxConf::read(&main(text), &options, &mut |_| Vec::new()).unwrap();
        conf.logs(Some(80))
    };
    assert_eq!(
        paths(&logs("server { access_log a.log; }")),
        ["/usr/local/nginx/a.log"]
    );
    assert_eq!(
        paths(&logs("server { }")),
        ["/usr/local/nginx/logs/access.log"]
    );
}

#[test]
fn a_log_that_several_blocks_write_is_one() {
    let conf = parse(
        "http {
            log_format f '$status';
            access_log /a;
            server { listen 80; listen 443 ssl; server_name .example.org; set_real_ip_from 192.0.2.1; }
            server { listen 443 ssl; server_name example.org; set_real_ip_from 192.0.2.1; set_real_ip_from unix:; access_log /a f; }
            server { listen 8080; server_name other.example.org; }
        }",
    );
    let logs = conf.logs(Some(443));
    let [log] = &logs[..] else { panic!("one log") };
    assert_eq!(log.server_names, [".example.org", "example.org"]);
    assert_eq!(log.listens, ["80", "443 ssl"]);
    assert_eq!(log.ports, [80, 443, 8080]);
    assert_eq!(log.trusted, ["192.0.2.1", "unix:"]);
    // `$server_name` differs on a port that nobody asked for, but its lines are in the log.
    assert_eq!(log.server_name, None);
    let names: Vec<_> = log
        .formats
        .iter()
        .map(|format| format.name.as_str())
        .collect();
    assert_eq!(names, ["combined", "f"]);
    assert_eq!(
        log.notes(),
        [
            LogNote::SeveralFormats {
                names: vec!["combined".to_owned(), "f".to_owned()]
            },
            LogNote::SeveralPorts {
                ports: vec![80, 443, 8080]
            },
        ]
    );
}

#[track_caller]
fn check_proxied(server: &str, expected: &[bool]) {
    let conf = parse(&format!("server {{ listen 443; {server} }}"));
    let proxied: Vec<_> = conf.logs(None).iter().map(|log| log.is_proxied).collect();
    assert_eq!(proxied, expected, "{server}");
}

#[test]
fn a_log_is_proxied_where_a_block_that_writes_it_passes_requests_on() {
    check_proxied("access_log /s;", &[false]);
    check_proxied(
        "access_log /s; location / { proxy_pass http://u; }",
        &[true],
    );
    check_proxied(
        "access_log /s; location / { grpc_pass u; access_log /l; }",
        &[false, true],
    );
    check_proxied(
        "access_log /s; location / { uwsgi_pass u; if ($x) { access_log /i; } location /b { access_log /b; } }",
        &[true, true, false],
    );
}

#[track_caller]
fn check_server_name(names: &str, expected: Option<&str>) {
    let log = the_log(&format!("server {{ listen 443; {names} }}"));
    assert_eq!(log.server_name.as_deref(), expected, "{names}");
}

#[test]
fn the_name_is_what_nginx_would_log() {
    check_server_name("", None);
    check_server_name("server_name a.example.org;", Some("a.example.org"));
    check_server_name(
        "server_name a.example.org b.example.org;",
        Some("a.example.org"),
    );
    check_server_name("server_name .example.org;", Some("example.org"));
    for name in [
        "_",
        "\"\"",
        "*.example.org",
        "~^www",
        "$hostname",
        "www.example.*",
    ] {
        check_server_name(&format!("server_name {name} a.example.org;"), None);
    }
}

#[test]
fn formats_are_known_once_they_stand_there() {
    let after = the_log("access_log /a f; log_format f '$status'; server { listen 443; }");
    assert_eq!(after.formats[0].text, None);
    assert_eq!(
        after.notes(),
        [LogNote::UnknownFormat {
            name: "f".to_owned()
        }]
    );
    let name = |directives: &str| {
        let log = the_log(&format!(
            "{directives} server {{ listen 443; access_log /a main; }}"
        ));
        (log.formats[0].name.clone(), log.formats[0].text.clone())
    };
    let expected = ("Main".to_owned(), Some("$status".to_owned()));
    assert_eq!(
        name("log_format Main $status; log_format main $host;"),
        expected
    );
    // Nginx refuses this one: the second word is the name, whatever it is.
    assert_eq!(
        the_log("server { listen 443; access_log /a buffer=32k; }").formats[0].name,
        "buffer=32k"
    );
}

#[test]
fn parameters_are_read() {
    let notes = |parameters: &str| {
        the_log(&format!(
            "server {{ listen 443; access_log /a combined {parameters}; }}"
        ))
        .notes()
    };
    assert_eq!(notes(""), []);
    assert_eq!(notes("buffer=32k flush=1m"), []);
    assert_eq!(notes("buffer=32k"), [LogNote::BufferWithoutFlush]);
    assert_eq!(notes("gzip"), [LogNote::BufferWithoutFlush]);
    assert_eq!(notes("gzip=9 flush=5s"), []);
    assert_eq!(
        notes("if=$loggable"),
        [LogNote::Conditional {
            condition: "$loggable".to_owned()
        }]
    );
}

#[test]
fn what_is_no_file_is_named() {
    let unreadable = |path: &str| {
        let log = the_log(&format!("server {{ listen 443; access_log {path}; }}"));
        (log.path.clone(), log.unreadable())
    };
    let check = |path: &str, shown: &str, expected| {
        assert_eq!(unreadable(path), (shown.to_owned(), expected));
    };
    check("/a", "/a", None);
    check(
        "syslog:server=192.0.2.1,tag=nginx combined",
        "syslog:server=192.0.2.1,tag=nginx",
        Some(Unreadable::Syslog),
    );
    check(
        "/log/${host}/a.log",
        "/log/${host}/a.log",
        Some(Unreadable::Variables),
    );
    check(
        "\"$x.log\"",
        "/usr/share/nginx/$x.log",
        Some(Unreadable::Variables),
    );
}

#[test]
fn includes_stand_where_they_are_named() {
    let conf = read(&[
        (
            "nginx.conf",
            "include modules/*.conf;
             http { include logs.conf; include sites/*; include mime.types; }",
        ),
        ("modules/a.conf", "load_module x.so;"),
        (
            "logs.conf",
            "log_format f '$status $host';\r\naccess_log /h f;\r\n",
        ),
        ("mime.types", "types { text/html html; }"),
        (
            "sites/b",
            "\u{feff}server { listen 443; include snippets/tls.conf; }",
        ),
        ("sites/a", "server { listen 443;\n access_log /a f; }"),
        ("snippets/tls.conf", "location /t { access_log /t; }"),
    ])
    .unwrap();
    let logs = conf.logs(Some(443));
    assert_eq!(paths(&logs), ["/h", "/a", "/t"]);
    let origins: Vec<_> = logs
        .iter()
        .map(|log| log.origin.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(
        origins,
        [
            "/etc/nginx/logs.conf:2",
            "/etc/nginx/sites/a:2",
            "/etc/nginx/snippets/tls.conf:1"
        ]
    );
    assert_eq!(logs[0].formats[0].text.as_deref(), Some("$status $host"));
}

#[test]
fn includes_of_blocks_without_logs_are_not_asked_for() {
    let main = ConfFile {
        name: "nginx.conf".to_owned(),
        bytes: b"http { types { include a; } map $x $y { include b; } include c; } stream { include d; }".to_vec(),
    };
    let mut asked = Vec::new();
    let mut include = |pattern: &str| {
        asked.push(pattern.to_owned());
        Vec::new()
    };
    NginxConf::read(&main, &ConfOptions::default(), &mut include).unwrap();
    assert_eq!(asked, ["/c"]);
}

#[test]
fn files_that_include_each_other_are_an_error() {
    let error = read(&[
        ("nginx.conf", "http {\n include a.conf; }"),
        ("a.conf", "\n\ninclude b.conf;"),
        ("b.conf", "include a.conf;"),
    ]);
    assert_eq!(
        error.unwrap_err().to_string().lines().next(),
        Some(
            "/etc/nginx/b.conf:1: expected a file that does not include itself, directly or through others in `include`, found `/etc/nginx/a.conf`"
        )
    );
    // A link may give a file as many names as it likes.
    let mut names = 0;
    let mut include = |_: &str| {
        names += 1;
        vec![ConfFile {
            name: names.to_string(),
            bytes: b"include x;".to_vec(),
        }]
    };
    let main = ConfFile {
        name: "nginx.conf".to_owned(),
        bytes: b"include x;".to_vec(),
    };
    let error = NginxConf::read(&main, &ConfOptions::default(), &mut include).unwrap_err();
    assert_eq!(error.file, "31");
    // Twice, one after the other, is no circle.
    assert!(read(&[("nginx.conf", "include a; include a;"), ("a", "user x;")]).is_ok());
}

#[test]
fn includes_that_multiply_come_to_an_end() {
    let mut names = 0;
    let mut include = |_: &str| {
        names += 1;
        vec![ConfFile {
            name: names.to_string(),
            bytes: b"include x; include x; include x;".to_vec(),
        }]
    };
    let main = ConfFile {
        name: "nginx.conf".to_owned(),
        bytes: b"include x;".to_vec(),
    };
    assert!(NginxConf::read(&main, &ConfOptions::default(), &mut include).is_err());
}

#[test]
fn a_file_by_itself_stands_in_http() {
    let conf = parse("log_format f $status; access_log /a f; set_real_ip_from unix:;");
    let logs = conf.logs(None);
    assert_eq!(logs[0].formats[0].text.as_deref(), Some("$status"));
    assert_eq!(logs[0].trusted, ["unix:"]);
    assert_eq!(
        (logs[0].ports.as_slice(), &logs[0].server_name),
        (&[][..], &None)
    );
    assert_eq!(conf.logs(Some(443)), []);
    assert_eq!(
        paths(&parse("location / { access_log /l; }").logs(None)),
        ["/l"]
    );
}

#[test]
fn a_text_without_directives_says_nothing() {
    for text in ["", " # no newline after this", "#\n\r\n\t#", "\u{feff}"] {
        let conf = parse(text);
        assert_eq!((conf.logs(None), conf.ports()), (vec![], vec![]));
    }
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
fn a_name_does_not_go_on_in_the_next_piece() {
    check_format(
        "log_format f '$status' 'ms $a' '-b' '_$c';",
        "${status}ms $a-b_$c",
    );
    check_format("log_format f '$a' '' 'b';", "${a}b");
    check_format("log_format f 'a' 'b$c';", "ab$c");
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
    assert_eq!(paths(&conf.logs(None)), ["/var/a'b#c}d.log", "/var/#x.log"]);
}

#[test]
fn lua_is_passed_over() {
    check_paths(
        r#"init_by_lua_block { x = { "}" } -- it's
           }
           server {
             listen 443;
             set_by_lua_block $y { return '{' }
             location / { content_by_lua_block { ngx.say("}") --[[ } ]] } access_log /l; }
             access_log /s;
           }
           upstream u { balancer_by_lua_block { local a = [[ } ]] } }"#,
        &["/s", "/l"],
    );
    check_error(
        "http {\n content_by_lua_block {\n x = '}'\n",
        "nginx.conf:2: expected the `}` of `content_by_lua_block`, found the end of the file",
    );
}

#[test]
fn ports_of_listen_directives() {
    check_ports("", &[80]);
    check_ports("listen 8443 ssl; listen 443 quic;", &[443, 8443]);
    check_ports("listen *:81; listen 192.0.2.1:82;", &[81, 82]);
    check_ports("listen [2001:db8::1]:443 ssl;", &[443]);
    check_ports("listen [2001:db8::1]; listen 192.0.2.1; listen *;", &[80]);
    check_ports("listen 127.0.0.1:8443 ssl;", &[8443]);
    check_ports("listen localhost:8000-8002;", &[8000, 8001, 8002]);
    check_ports("listen unix:/run/a:1.sock;", &[]);
    check_ports("listen [::]:443 ssl http2 reuseport ipv6only=on;", &[443]);
}

#[test]
fn server_names_are_kept_as_written() {
    let log = the_log(
        r#"server { listen 443; server_name a.example.org ~^(www\.)?b\. "" a.example.org; server_name c.example.org; }"#,
    );
    assert_eq!(
        log.server_names,
        ["a.example.org", r"~^(www\.)?b\.", "", "c.example.org"]
    );
}

#[test]
fn errors_say_where_and_what() {
    check_error(
        "http {\n  server {\n  }\n",
        "nginx.conf:4: expected the `}` of `http` in line 1, found the end of the file",
    );
    check_error(
        "http {\n}\n}\n",
        "nginx.conf:3: expected a directive, since no block is open, found `}`",
    );
    check_error(
        "http {\n access_log a.log\n}",
        "nginx.conf:3: expected `;` or `{` at the end of `access_log`, found `}`",
    );
    check_error(
        "\nlog_format f '$a;\n",
        "nginx.conf:2: expected a closing `'` for the quote that begins here, found `'$a;`",
    );
    check_error(
        "log_format f '$a''$b';",
        "nginx.conf:1: expected a space or `;` after a closing quote, found `'$b';`",
    );
    check_error(
        "\n;",
        "nginx.conf:2: expected a directive's name, found `;`",
    );
    check_error(
        "\n\nlog_format f;",
        "nginx.conf:3: expected a text after the name in `log_format`, found `;`",
    );
    check_error(
        "access_log;",
        "nginx.conf:1: expected a path or `off` in `access_log`, found `;`",
    );
    check_error(
        "server {\nlisten 192.0.2.1:70000;}",
        "nginx.conf:2: expected a port of 1 to 65535 in `listen`, found `192.0.2.1:70000`",
    );
    check_error(
        "a\u{202E}b \u{1b}[31m",
        "nginx.conf:1: expected `;` or `{` at the end of `a\\u{202e}b`, found the end of the file",
    );
    let error = read(&[("nginx.conf", "include a;"), ("a", "\n}")]).unwrap_err();
    assert_eq!(
        (error.file.as_str(), error.line_number),
        ("/etc/nginx/a", 2)
    );
}

#[test]
fn deep_nesting_needs_no_stack() {
    let depth = 100_000;
    for block in ["a {", "location / {", "server { location / { if (x) {"] {
        let braces = block.matches('{').count();
        let text = block.repeat(depth) + &"}".repeat(depth * braces);
        assert!(parse(&text).logs(None).len() <= 1, "{block}");
    }
}

fn conf_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        prop::sample::select(vec![
            "http {",
            "server {",
            "location / {",
            "if (",
            "content_by_lua_block {",
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
            "--",
            "[[",
            "]]",
            "log_format f",
            "escape=json ",
            "access_log",
            " off;",
            " /a f buffer=1 ",
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
        match NginxConf::parse(&text) {
            Err(error) => prop_assert!(error.line_number <= text.matches('\n').count() + 1),
            Ok(conf) => {
                let all = conf.logs(None);
                for log in conf.logs(Some(443)) {
                    prop_assert!(all.iter().any(|known| known.path == log.path));
                }
                for log in all {
                    prop_assert_eq!(log.formats.is_empty(), false);
                    let _ = log.notes();
                }
                let _ = conf.unlogged(443);
            }
        }
    }

    /// Each piece in quotes of its own, escaped as Nginx undoes it; a name ends with its piece, braces or none.
    #[test]
    fn a_format_as_written_compiles_to_the_same_pieces(pieces in pieces(), quote in "['\"]", braces: bool) {
        let word = |text: &str| {
            let text = text.replace('\\', r"\\").replace(&quote, &format!("\\{quote}"));
            format!("{quote}{text}{quote}\n")
        };
        let words: String = pieces.iter().map(|piece| match piece {
            Piece::Literal(literal) => word(literal),
            Piece::Variable(name) if braces => word(&format!("${{{name}}}")),
            Piece::Variable(name) => word(&format!("${name}")),
        }).collect();
        let conf = parse(&format!("log_format f escape=default {words}; access_log /a f;"));
        let logs = conf.logs(None);
        let template = Template::read(logs[0].formats[0].text.as_deref().unwrap()).unwrap();
        prop_assert_eq!(template.pieces, pieces);
    }
}
