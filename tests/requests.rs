//! Requests as hostile clients send them, each with the row that it has to become.

use serde_json::Value;

use crate::writer::text_of;

/// How bytes get to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Tls,
    /// Over TLS, with HTTP/2 agreed on.
    Http2,
    Plain,
    /// In plain text to the port of TLS.
    PlainToTls,
    /// In plain text by a client that goes away before it is answered.
    Leaving,
}

/// A request as it is sent, and the row that it has to become.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) way: Way,
    pub(crate) bytes: Vec<u8>,
    pub(crate) row: Row,
}

/// What a row says; `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) args: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) status: i64,
    pub(crate) referer: Option<String>,
    pub(crate) agent: Option<String>,
    pub(crate) user: Option<String>,
}

impl Row {
    /// The row where nothing tells an absent header from an empty one.
    pub(crate) fn in_json(mut self) -> Self {
        for header in [&mut self.referer, &mut self.agent, &mut self.user] {
            header.get_or_insert_default();
        }
        self
    }

    /// The row where a hyphen stands for an absent header too: in text, and in JSON of which nobody said that it is Nginx's.
    pub(crate) fn in_text(mut self) -> Self {
        for header in [&mut self.referer, &mut self.agent, &mut self.user] {
            header.take_if(|text| text == "-");
        }
        self
    }

    /// The row of LTSV that anybody may have written: nothing after a label stands for an absent header.
    pub(crate) fn in_ltsv(mut self) -> Self {
        for header in [&mut self.referer, &mut self.agent, &mut self.user] {
            header.take_if(|text| text.is_empty());
        }
        self
    }

    pub(crate) fn of(row: &Value) -> Self {
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

/// What most clients say that they are.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

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
        way: Way::Tls,
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

    /// Ends the headers of a request of HTTP/1.1: of a browser, unless it says something else or Nginx reads no headers.
    fn end(self) -> Self {
        let name = b"User-Agent: ";
        let says = self.bytes.windows(name.len()).any(|bytes| bytes == name);
        if says || matches!(self.row.status, 400 | 414 | 505) {
            self.end_without_agent()
        } else {
            self.agent(BROWSER.as_bytes(), BROWSER).end_without_agent()
        }
    }

    fn end_without_agent(self) -> Self {
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
    (
        b"a\n192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] \r\n",
        "a\n192.0.2.1 - - [01/Jan/2024",
    ),
    (br"do\main\user", r"do\x5Cmain\x5Cuser"),
];

/// What Nginx has room for, a request line or a header, as the configuration has it.
const BUFFER_BYTES: usize = 16 << 10;

/// Some hundred requests, numbered where they can be.
pub(crate) fn requests() -> Vec<Sent> {
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
    for byte in 1..=255 {
        sent.extend(byte_requests(byte));
    }
    sent.extend(newer_requests());
    sent.extend(proxied_requests());
    sent
}

/// A byte in each place where a client may put it.
fn byte_requests(byte: u8) -> Vec<Sent> {
    // They end the line.
    if matches!(byte, b'\n' | b'\r') {
        return Vec::new();
    }
    let inside = [b"a", &[byte][..], b"z"].concat();
    let text = text_of(&inside);
    let target = [b"GET /byte/?", &inside[..], b" HTTP/1.1"].concat();
    let status = if byte <= b' ' || byte == 0x7f {
        400
    } else {
        200
    };
    let protocol = Some("HTTP/1.1");
    vec![
        line(&target, "GET", "/byte/", Some(&text), protocol, status).end(),
        get(usize::from(byte), "/byte/", None, 200)
            .agent(&inside, &text)
            .referer(&inside, &text)
            .user(&inside, if byte == b':' { "a" } else { &text })
            .end(),
    ]
}

/// Over HTTP/2, where a header is no line.
fn newer_requests() -> Vec<Sent> {
    let newer = |target: &[u8], args: &str, agent: &[u8], text: &str| {
        let mut sent = line(b"", "GET", "/newer/", Some(args), Some("HTTP/2.0"), 200);
        sent.way = Way::Http2;
        sent.bytes = http2(&[
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", b"localhost"),
            (b":path", target),
            (b"user-agent", agent),
        ]);
        sent.row.agent = some(text);
        sent
    };
    let mut sent = Vec::new();
    for (bytes, text) in NASTY {
        sent.push(newer(b"/newer/?a=1", "a=1", bytes, text));
        // As over HTTP/1, such a target is refused.
        if !bytes.iter().any(|&byte| byte <= b' ' || byte == 0x7f) {
            sent.push(newer(&[b"/newer/?", *bytes].concat(), text, b"a", "a"));
        }
    }
    sent
}

/// The frames of one request: what a client says first, its settings, and headers that nothing was compressed in.
fn http2(headers: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            // Seven bits hold all lengths here.
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text);
        }
    }
    let frame = |length: usize, kind: u8, flags: u8, stream: u8| {
        [
            0,
            0,
            u8::try_from(length).unwrap(),
            kind,
            flags,
            0,
            0,
            0,
            stream,
        ]
    };
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(0, 4, 0, 0));
    bytes.extend(frame(block.len(), 1, 5, 1));
    bytes.extend(block);
    bytes
}

/// What others answer, or nobody does.
fn proxied_requests() -> Vec<Sent> {
    let mut sent = Vec::new();
    for (number, (bytes, text)) in NASTY.iter().enumerate() {
        let is_control = |byte: &u8| *byte < b' ' || *byte == 0x7f;
        for (path, status) in [
            ("/httpd/", 200),
            ("/httpd/gone/", 410),
            ("/second/", 200),
            ("/tomcat/page.html;n=", 200),
            ("/tomcat/none/", 404),
        ] {
            // Tomcat takes no notice of such a header, so that its log has no agent.
            if !(path.starts_with("/tomcat/") && bytes.iter().any(is_control)) {
                let request = get(number, path, Some("q=\"a\\b\""), status);
                sent.push(
                    Sent {
                        row: Row {
                            args: some(r#"q="a\x5Cb""#),
                            ..request.row.clone()
                        },
                        ..request
                    }
                    .agent(bytes, text)
                    .referer(b"https://www.example.org/\"", "https://www.example.org/\"")
                    .end(),
                );
            }
        }
    }
    sent.push(get(0, "/httpd/slow/", None, 200).end());
    sent.push(get(0, "/nobody/", None, 502).end());
    for number in 0..3 {
        let mut leaving = get(number, "/hung/", None, 499).end();
        leaving.way = Way::Leaving;
        sent.push(leaving);
    }
    sent
}

fn odd_requests(first: usize) -> Vec<Sent> {
    let long = "x".repeat(6_000);
    let tls_hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\"\\";
    let mut sent = vec![
        // Headers that are absent, empty, or a hyphen.
        get(first, "/n/", None, 200).end_without_agent(),
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
        // Longer than Nginx has room for: it reads no further.
        get(first + 1, "/n/", None, 400)
            .header("User-Agent", &[b'x'; 20_000])
            .end(),
        line(
            format!("GET /{} HTTP/1.1", "x".repeat(20_000)).as_bytes(),
            "GET",
            &format!("/{}", "x".repeat(BUFFER_BYTES - "GET /".len())),
            None,
            None,
            414,
        )
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
        way: Way::Plain,
        ..no_request(tls_hello, 400)
    });
    sent.push(Sent {
        way: Way::PlainToTls,
        ..get(first + 5, "/plain/", None, 400).end()
    });
    sent.push(Sent {
        way: Way::Plain,
        ..get(first + 6, "/plain/", None, 204)
            .agent(b"curl/8.5.0", "curl/8.5.0")
            .end()
    });
    sent
}
