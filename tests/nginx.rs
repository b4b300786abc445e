//! A real Nginx writes the log: each request that was sent is one row with what was in it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::command::{Place, end, signal, wait_for};

/// Stands for 443, which belongs to root.
const TLS_PORT: u16 = 8443;
const PLAIN_PORT: u16 = 8080;

/// The logs, one line in each for every request.
const LOGS: [&str; 3] = ["combined.log", "main.log", "json.log"];

/// A server that answers by the first part of the path, and logs everything three times.
const CONF: &str = r#"
daemon off;
master_process off;
pid @/nginx.pid;
error_log @/error.log info;
events { worker_connections 64; }
http {
    client_body_temp_path @/body;
    proxy_temp_path @/proxy;
    fastcgi_temp_path @/fastcgi;
    uwsgi_temp_path @/uwsgi;
    scgi_temp_path @/scgi;
    keepalive_timeout 0;
    lingering_close off;
    large_client_header_buffers 4 16k;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" "$http_x_forwarded_for"';
    log_format json escape=json '{"time_iso8601":"$time_iso8601","msec":$msec,"remote_addr":"$remote_addr","remote_user":"$remote_user",'
                    '"request":"$request","status":$status,"body_bytes_sent":$body_bytes_sent,"http_referer":"$http_referer",'
                    '"http_user_agent":"$http_user_agent","request_time":$request_time,"server_port":"$server_port",'
                    '"ssl_protocol":"$ssl_protocol","upstream_status":"$upstream_status"}';
    access_log @/combined.log combined;
    access_log @/main.log main;
    access_log @/json.log json;
    server {
        listen 127.0.0.1:TLS ssl;
        ssl_certificate @/cert.pem;
        ssl_certificate_key @/key.pem;
        location / { return 200 "ok\n"; }
        location /missing/ { return 404; }
        location /moved/ { return 301 /; }
        location /broken/ { return 500; }
        location /shed/ { return 503; }
        location /silent/ { return 444; }
    }
    server {
        listen 127.0.0.1:PLAIN;
        location / { return 204; }
    }
}
"#;

/// A request as it is sent, and the row that it has to become.
#[derive(Debug, Clone)]
struct Sent {
    over_tls: bool,
    to_tls: bool,
    bytes: Vec<u8>,
    row: Row,
}

/// What a row says; `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    method: Option<String>,
    path: Option<String>,
    args: Option<String>,
    protocol: Option<String>,
    status: i64,
    referer: Option<String>,
    agent: Option<String>,
    user: Option<String>,
}

impl Row {
    /// The row where nothing tells an absent header from an empty one.
    fn in_json(mut self) -> Self {
        for header in [&mut self.referer, &mut self.agent, &mut self.user] {
            header.get_or_insert_default();
        }
        self
    }

    /// The row where a hyphen stands for an absent header too: in text, and in JSON of which nobody said that it is Nginx's.
    fn in_text(mut self) -> Self {
        for header in [&mut self.referer, &mut self.agent, &mut self.user] {
            header.take_if(|text| text == "-");
        }
        self
    }

    fn of(row: &Value) -> Self {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        Self {
            method: text("request_method"),
            path: text("path"),
            args: text("args"),
            protocol: text("server_protocol"),
            status: row["status"].as_i64().unwrap_or(-1),
            referer: text("http_referer"),
            agent: text("http_user_agent"),
            user: text("remote_user"),
        }
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A request line with the parts that it has; the rest of the row is as for a request without headers.
fn line(
    line: &[u8],
    method: &str,
    path: &str,
    args: Option<&str>,
    protocol: Option<&str>,
    status: i64,
) -> Sent {
    Sent {
        over_tls: true,
        to_tls: true,
        bytes: [line, b"\r\n"].concat(),
        row: Row {
            method: some(method),
            path: some(path),
            args: args.map(str::to_owned),
            protocol: protocol.map(str::to_owned),
            status,
            referer: None,
            agent: None,
            user: None,
        },
    }
}

fn get(number: usize, path: &str, args: Option<&str>, status: i64) -> Sent {
    let path = format!("{path}{number}");
    let target = args.map_or_else(|| path.clone(), |args| format!("{path}?{args}"));
    line(
        format!("GET {target} HTTP/1.1").as_bytes(),
        "GET",
        &path,
        args,
        Some("HTTP/1.1"),
        status,
    )
}

/// Not a request line: no part can be told.
fn no_request(bytes: &[u8], status: i64) -> Sent {
    let mut sent = line(b"", "", "", None, None, status);
    sent.bytes = bytes.to_vec();
    (sent.row.method, sent.row.path) = (None, None);
    sent
}

impl Sent {
    fn header(mut self, name: &str, value: &[u8]) -> Self {
        self.bytes.extend_from_slice(format!("{name}: ").as_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    fn agent(self, bytes: &[u8], text: &str) -> Self {
        let mut sent = self.header("User-Agent", bytes);
        sent.row.agent = some(text);
        sent
    }

    fn referer(self, bytes: &[u8], text: &str) -> Self {
        let mut sent = self.header("Referer", bytes);
        sent.row.referer = some(text);
        sent
    }

    /// A Basic user; Nginx logs what is before the first colon, whatever the password.
    fn user(self, user: &[u8], text: &str) -> Self {
        let credentials = base64(&[user, b":secret"].concat());
        let mut sent = self.header("Authorization", format!("Basic {credentials}").as_bytes());
        sent.row.user = some(text);
        sent
    }

    /// Ends the headers of a request of HTTP/1.1.
    fn end(self) -> Self {
        let mut sent = self.header("Host", b"localhost");
        sent.bytes.extend_from_slice(b"\r\n");
        sent
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit <= three.len() {
                char::from(DIGITS[value as usize])
            } else {
                '='
            });
        }
    }
    text
}

/// Bytes of a header or a target, and the text they are in a row.
const NASTY: &[(&[u8], &str)] = &[
    (b"plain", "plain"),
    (
        b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    (br#"a "quoted" word"#, r#"a "quoted" word"#),
    (br#"" 200 5 "-" "forged"#, r#"" 200 5 "-" "forged"#),
    (
        br#"back\slash \x22 \\ \"#,
        r"back\x5Cslash \x5Cx22 \x5C\x5C \x5C",
    ),
    ("käse 漢字 🙂".as_bytes(), "käse 漢字 🙂"),
    (b"latin \xE4 cut \xC3", r"latin \xE4 cut \xC3"),
    (
        b"escape \x1b[31m bell \x07 tab \t del \x7f",
        "escape \u{1b}[31m bell \u{7} tab \t del \u{7f}",
    ),
    (
        "bidi \u{202e} c1 \u{85}".as_bytes(),
        "bidi \u{202e} c1 \u{85}",
    ),
    (br#"{"json":[1,"\u0022"]}"#, r#"{"json":[1,"\x5Cu0022"]}"#),
    (b"%0a%22%00%ff", "%0a%22%00%ff"),
    (
        b"- - [01/Jan/2024:00:00:00 +0000] x",
        "- - [01/Jan/2024:00:00:00 +0000] x",
    ),
    (b"=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
    (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
    (b"a, b : c", "a, b : c"),
    (b"null", "null"),
];

/// Users that would end their field early, or forge a line, if they were believed.
const USERS: &[(&[u8], &str)] = &[
    (b"alice", "alice"),
    (
        br#"a" [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200"#,
        r#"a" [01/Jan/2024"#,
    ),
    (b"a [01/Jan/2024", "a [01/Jan/2024"),
    (b"two words", "two words"),
    (b"[bracket] ] [", "[bracket] ] ["),
    (br#"" "- " ["#, r#"" "- " ["#),
    ("müller 🙂".as_bytes(), "müller 🙂"),
    (b"\xFF\xFE", r"\xFF\xFE"),
    (b"tab\tand\x01", "tab\tand\u{1}"),
    (br"do\main\user", r"do\x5Cmain\x5Cuser"),
];

/// Some hundred requests, numbered where they can be.
fn requests() -> Vec<Sent> {
    let mut sent: Vec<Sent> = Vec::new();
    let places = [
        ("/n/", 200),
        ("/missing/", 404),
        ("/moved/", 301),
        ("/broken/", 500),
        ("/shed/", 503),
        ("/silent/", 444),
    ];
    for (path, status) in places {
        for (bytes, text) in NASTY {
            let number = sent.len();
            sent.push(
                get(number, path, Some("a=1&b=%20"), status)
                    .agent(bytes, text)
                    .end(),
            );
        }
    }
    for (bytes, text) in NASTY {
        let number = sent.len();
        sent.push(
            get(number, "/n/", None, 200)
                .referer(bytes, text)
                .agent(b"curl/8.5.0", "curl/8.5.0")
                .end(),
        );
        // Nginx refuses a target with control bytes, and in a path a `%00`.
        let target = [b"GET /t/?", *bytes, b"&n=1 HTTP/1.1"].concat();
        let status = if bytes.iter().any(|&byte| byte <= b' ' || byte == 0x7f) {
            400
        } else {
            200
        };
        sent.push(
            line(
                &target,
                "GET",
                "/t/",
                Some(&format!("{text}&n=1")),
                Some("HTTP/1.1"),
                status,
            )
            .end(),
        );
        if !bytes.contains(&b'?') {
            let target = [b"GET /t/", *bytes, b" HTTP/1.1"].concat();
            let status = if bytes.contains(&b'%') { 400 } else { status };
            sent.push(
                line(
                    &target,
                    "GET",
                    &format!("/t/{text}"),
                    None,
                    Some("HTTP/1.1"),
                    status,
                )
                .end(),
            );
        }
    }
    for (user, text) in USERS {
        for (agent, agent_text) in &NASTY[..6] {
            let number = sent.len();
            sent.push(
                get(number, "/n/", None, 200)
                    .user(user, text)
                    .agent(agent, agent_text)
                    .end(),
            );
        }
    }
    for method in [
        "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "BREW_IT",
    ] {
        let target = format!("{method} /n/{} HTTP/1.1", sent.len());
        let path = format!("/n/{}", sent.len());
        sent.push(
            line(
                target.as_bytes(),
                method,
                &path,
                None,
                Some("HTTP/1.1"),
                200,
            )
            .header("Content-Length", b"0")
            .end(),
        );
    }
    sent.extend(odd_requests(sent.len()));
    sent
}

fn odd_requests(first: usize) -> Vec<Sent> {
    let long = "x".repeat(6_000);
    let tls_hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\"\\";
    let mut sent = vec![
        // Headers that are absent, empty, or a hyphen.
        get(first, "/n/", None, 200).end(),
        get(first, "/n/", None, 200)
            .agent(b"", "")
            .referer(b"", "")
            .end(),
        get(first, "/n/", None, 200)
            .agent(b"-", "-")
            .referer(b"-", "-")
            .user(b"-", "-")
            .end(),
        get(first, "/n/", None, 200)
            .header("Authorization", b"Basic")
            .end(),
        get(first, "/n/", None, 200)
            .header("Authorization", b"Basic !!!")
            .end(),
        get(first + 1, "/n/", None, 200)
            .agent(long.as_bytes(), &long)
            .end(),
        get(first + 2, "/n/", Some("?=&;"), 200).end(),
        get(first + 3, "/n/", Some(&long), 200).end(),
        get(first + 4, "/n/#", None, 200).end(),
        // Targets that are no path.
        line(
            b"GET https://www.example.org/abs?x=1 HTTP/1.1",
            "GET",
            "https://www.example.org/abs",
            Some("x=1"),
            Some("HTTP/1.1"),
            200,
        )
        .end(),
        line(
            b"OPTIONS * HTTP/1.1",
            "OPTIONS",
            "*",
            None,
            Some("HTTP/1.1"),
            400,
        )
        .end(),
        line(
            b"CONNECT www.example.org:443 HTTP/1.1",
            "CONNECT",
            "www.example.org:443",
            None,
            Some("HTTP/1.1"),
            400,
        )
        .end(),
        line(
            b"GET /a%0ab%0d%00?c%0a HTTP/1.1",
            "GET",
            "/a%0ab%0d%00",
            Some("c%0a"),
            Some("HTTP/1.1"),
            400,
        )
        .end(),
        line(
            b"GET //../../etc/passwd HTTP/1.1",
            "GET",
            "//../../etc/passwd",
            None,
            Some("HTTP/1.1"),
            400,
        )
        .end(),
        line(
            b"GET /a b c?d e HTTP/1.1",
            "GET",
            "/a b c",
            Some("d e"),
            Some("HTTP/1.1"),
            400,
        )
        .end(),
        line(
            b"GET /a\x01b HTTP/1.1",
            "GET",
            "/a\u{1}b",
            None,
            Some("HTTP/1.1"),
            400,
        )
        .end(),
        // Old and new protocols.
        line(
            b"GET /old HTTP/1.0",
            "GET",
            "/old",
            None,
            Some("HTTP/1.0"),
            200,
        )
        .end(),
        line(b"GET /older", "GET", "/older", None, None, 200),
        line(
            b"GET /later HTTP/3.7",
            "GET",
            "/later",
            None,
            Some("HTTP/3.7"),
            505,
        )
        .end(),
        line(
            b"GET /strange FTP/1.0",
            "GET",
            "/strange",
            None,
            Some("FTP/1.0"),
            400,
        )
        .end(),
        line(
            b"get /lower HTTP/1.1",
            "get",
            "/lower",
            None,
            Some("HTTP/1.1"),
            400,
        )
        .end(),
        // Not requests.
        no_request(b"GET\r\n\r\n", 400),
        no_request(b"\r\n\r\nrubbish\r\n\r\n", 400),
        no_request(b"\x00\x01\x02\r\n\r\n", 400),
        no_request(b"{\"jsonrpc\":\"2.0\",\"method\":\"eth\"}\n", 400),
    ];
    // Bytes on the wrong port.
    sent.push(Sent {
        over_tls: false,
        to_tls: false,
        ..no_request(tls_hello, 400)
    });
    sent.push(Sent {
        over_tls: false,
        ..get(first + 5, "/plain/", None, 400).end()
    });
    sent.push(Sent {
        over_tls: false,
        to_tls: false,
        ..get(first + 6, "/plain/", None, 204)
            .agent(b"curl/8.5.0", "curl/8.5.0")
            .end()
    });
    sent
}

/// The port, or any free one where others use it.
fn port(wanted: u16) -> u16 {
    let listener =
        TcpListener::bind(("127.0.0.1", wanted)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)));
    listener.unwrap().local_addr().unwrap().port()
}

/// Nginx at work; it ends with the test.
struct Server {
    child: Option<Child>,
    tls_port: u16,
    plain_port: u16,
}

impl Server {
    fn start(place: &Place) -> Self {
        let (tls_port, plain_port) = (port(TLS_PORT), port(PLAIN_PORT));
        let conf = CONF
            .replace('@', &place.path("").display().to_string())
            .replace("TLS", &tls_port.to_string())
            .replace("PLAIN", &plain_port.to_string());
        let conf = place.write("nginx.conf", conf);
        let mut openssl = place.program("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=localhost",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ]);
        assert_eq!(end(openssl.spawn().unwrap()).code, 0);
        let mut nginx = place.program(program("nginx"));
        nginx
            .arg("-p")
            .arg(place.path(""))
            .arg("-c")
            .arg(&conf)
            .arg("-e")
            .arg(place.path("error.log"));
        let mut server = Self {
            child: Some(nginx.spawn().unwrap()),
            tls_port,
            plain_port,
        };
        wait_for("Nginx", || {
            let ended = server.child.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{}",
                std::fs::read_to_string(place.path("error.log")).unwrap_or_default()
            );
            TcpStream::connect(("127.0.0.1", plain_port)).ok()
        });
        server
    }

    /// Lets it finish what it has, and checks that it ended well.
    fn stop(mut self) {
        let child = self.child.take().unwrap();
        signal("QUIT", child.id());
        let run = end(child);
        assert_eq!(run.code, 0, "{run:#?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Debian keeps servers where only root looks for them.
fn program(name: &str) -> PathBuf {
    let in_sbin = Path::new("/usr/sbin").join(name);
    if in_sbin.exists() {
        in_sbin
    } else {
        name.into()
    }
}

/// Sends all, one after the other, so that they are logged in this order; gives the status of each answer.
fn send(place: &Place, server: &Server, requests: &[Sent]) -> Vec<Option<i64>> {
    let mut script = String::new();
    for sent in requests {
        let kind = if sent.over_tls { "tls" } else { "plain" };
        let port = if sent.to_tls {
            server.tls_port
        } else {
            server.plain_port
        };
        write!(script, "{kind} {port} ").unwrap();
        sent.bytes
            .iter()
            .for_each(|byte| write!(script, "{byte:02x}").unwrap());
        script.push('\n');
    }
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/client.py");
    let mut child = place
        .program("python3")
        .arg(client.canonicalize().unwrap())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let run = end(child);
    assert_eq!(run.code, 0, "{run:#?}");
    writer.join().unwrap().unwrap();
    let statuses = run.stdout.lines().map(|answer| {
        let bytes: Vec<u8> = (0..answer.len() / 2)
            .map(|at| u8::from_str_radix(&answer[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        String::from_utf8_lossy(&bytes)
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
    });
    statuses.collect()
}

const ROWS: &str = "select request_method, path, args, server_protocol, status, http_referer, http_user_agent, remote_user, client, server_port \
                    from requests order by line_offset";

/// The rows of one log, and that every line of it is accounted for.
#[track_caller]
fn rows(place: &Place, log: &str, format: &[&str], port: u16, lines: usize) -> Vec<Value> {
    let port = port.to_string();
    let run = place.floodmark(
        &[
            &[
                "sql",
                "--from",
                log,
                "-o",
                "json",
                "--keep-secrets",
                "--port",
                &port,
                ROWS,
            ],
            format,
        ]
        .concat(),
    );
    let account = format!("\n{lines} lines = {lines} requests + 0 rejects + 0 blank\n");
    assert!(run.stderr.contains(&account), "{log}: {}", run.stderr);
    serde_json::from_str(&run.done()).unwrap()
}

#[test]
fn each_request_is_a_row_in_every_format() {
    let place = Place::new();
    let server = Server::start(&place);
    let requests = requests();
    let statuses = send(&place, &server, &requests);
    let tls_port = server.tls_port;
    server.stop();
    let mut wrong = Vec::new();
    for (sent, status) in requests.iter().zip(&statuses) {
        if status.is_some_and(|status| status != sent.row.status) {
            wrong.push(format!("{}: answered with {status:?}", shown(sent)));
        }
    }
    for log in LOGS {
        for told in [&[][..], &["--nginx-conf", "nginx.conf"]] {
            let rows = rows(&place, log, told, tls_port, requests.len());
            for (sent, row) in requests.iter().zip(&rows) {
                let expected = match (log, told) {
                    ("json.log", []) => sent.row.clone().in_json().in_text(),
                    ("json.log", _) => sent.row.clone().in_json(),
                    _ => sent.row.clone().in_text(),
                };
                let found = Row::of(row);
                if found != expected {
                    wrong.push(format!(
                        "{log} {told:?}: {}\n  expected {expected:?}\n     found {found:?}",
                        shown(sent)
                    ));
                }
                assert_eq!(row["client"], "127.0.0.1", "{log}: {row}");
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} requests are wrong:\n{}",
        wrong.len(),
        requests.len(),
        wrong.join("\n")
    );
}

fn shown(sent: &Sent) -> String {
    let bytes = &sent.bytes[..sent.bytes.len().min(300)];
    bytes.escape_ascii().to_string()
}
