//! Real servers write the logs: an Nginx in a dozen formats at once, an Apache httpd and a Tomcat behind it. Each request
//! that was sent is one row with what was in it, the same in all of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, Utc};
use floodmark_format::{Escape, NginxConf};
use serde_json::Value;

use crate::command::{Place, Run, end, signal, wait_for};
use crate::requests::{Row, Sent, Way, requests};
use crate::writer::{LogFormat, Values, bytes_of};

const NGINX_CONF: &str = include_str!("servers/nginx.conf");
const HTTPD_CONF: &str = include_str!("servers/httpd.conf");
const SERVER_XML: &str = include_str!("servers/server.xml");
const WEB_XML: &str = include_str!("servers/web.xml");

/// Where Debian keeps the parts of Apache.
const HTTPD_MODULES: &str = "/usr/lib/apache2/modules";

/// The parts of Tomcat that serve a file, in Debian's folder of Java archives.
const TOMCAT_PARTS: &[&str] = &[
    "annotations-api",
    "api",
    "catalina",
    "coyote",
    "el-api",
    "jaspic-api",
    "jni",
    "jsp-api",
    "juli",
    "servlet-api",
    "util",
    "util-scan",
];

/// What `inspect` calls the logs that need no telling.
const DETECTED: &[(&str, &str)] = &[
    ("combined.log", "combined"),
    ("main.log", "main"),
    ("common.log", "common"),
    ("vhost.log", "vhost_combined"),
    ("timed.log", "custom"),
    ("ingress.log", "ingress"),
    ("ltsv.log", "ltsv"),
    ("json.log", "json"),
];

/// Formats that nobody named, and what is made of their lines.
const MADE_UP: &[(&str, &str)] = &[
    (
        "timed.log",
        r#""$http_user_agent" $request_time "$upstream_response_time" "$upstream_status" $request_id"#,
    ),
    (
        "quoted.log",
        r#""$request_id" "$remote_addr" "$remote_user" "$time_local" "$request" "$status" "$body_bytes_sent" "$http_referer" "$http_user_agent" "$upstream_addr" "$upstream_status""#,
    ),
    (
        "msec.log",
        r#"$msec $request_id $remote_addr $status $body_bytes_sent $request_time "$request" "$http_user_agent""#,
    ),
    (
        "iso.log",
        r#"[$time_iso8601] $remote_addr "$request" $status rt=$request_time uct="$upstream_connect_time" urt="$upstream_response_time" us=$upstream_status ua="$upstream_addr" "$http_user_agent" $request_id"#,
    ),
    ("tabs.log", "$request_method"),
    (
        "none.log",
        r#"escape=none $request_id $remote_addr $msec $status $body_bytes_sent "$request""#,
    ),
    ("httpd.log", r#""$http_user_agent" $extra_1 $request_id"#),
    (
        "httpd_parts.log",
        r#"[$time_iso8601] $request_id $remote_addr "$request" $status $extra_6 $extra_7"#,
    ),
    ("tomcat.log", r#""$http_user_agent" $extra_1 $request_id"#),
    ("tomcat_json.log", "tomcat_json"),
];

/// Whose lines can be written again from their rows. Where upstreams are tried in turn, a row has the sum of their times.
const LOSSLESS: &[&str] = &["combined.log", "main.log", "json.log"];

/// A log that a client can write lines into: what it sent is to be found there, among other things.
const FORGEABLE: &str = "none.log";

/// The ports of the servers; others may have any of them.
struct Ports {
    tls: u16,
    plain: u16,
    httpd: u16,
    tomcat: u16,
}

impl Ports {
    fn free() -> Self {
        // All at once, so that they differ.
        let listeners = [0; 4].map(|any| TcpListener::bind(("127.0.0.1", any)).unwrap());
        let [tls, plain, httpd, tomcat] =
            listeners.map(|listener| listener.local_addr().unwrap().port());
        Self {
            tls,
            plain,
            httpd,
            tomcat,
        }
    }
}

/// Servers at work; they end with the test.
struct Servers {
    running: Vec<(&'static str, Child)>,
    ports: Ports,
    /// Takes connections and never answers.
    hung: TcpListener,
}

impl Servers {
    fn start(place: &Place) -> Self {
        // Apache reads it as another user.
        fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let hung = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut servers = Self {
            running: Vec::new(),
            ports: Ports::free(),
            hung,
        };
        servers.write_files(place);
        servers.run(place, "tomcat", tomcat(place));
        servers.run(place, "httpd", httpd(place));
        servers.run(place, "nginx", nginx(place));
        let ports = &servers.ports;
        for port in [ports.plain, ports.httpd, ports.tomcat] {
            wait_for("server", || {
                for (name, child) in &mut servers.running {
                    let ended = child.try_wait().unwrap();
                    assert!(ended.is_none(), "{name}: {}", said(place, name));
                }
                TcpStream::connect(("127.0.0.1", port)).ok()
            });
        }
        servers
    }

    fn write_files(&self, place: &Place) {
        let folder = place.path("").display().to_string();
        let hung = self.hung.local_addr().unwrap().port();
        let ports = [
            ("TLS_PORT", self.ports.tls),
            ("PLAIN_PORT", self.ports.plain),
            ("HTTPD_PORT", self.ports.httpd),
            ("TOMCAT_PORT", self.ports.tomcat),
            ("HUNG_PORT", hung),
        ];
        let filled = |text: &str| {
            let text = text
                .replace('@', folder.trim_end_matches('/'))
                .replace("MODULES", HTTPD_MODULES);
            ports.iter().fold(text, |text, (name, port)| {
                text.replace(name, &port.to_string())
            })
        };
        // Not beside the logs, where it would be found.
        place.write("conf/nginx.conf", filled(NGINX_CONF));
        place.write("conf/httpd.conf", filled(HTTPD_CONF));
        place.write("tomcat/conf/server.xml", filled(SERVER_XML));
        place.write("tomcat/conf/web.xml", WEB_XML);
        fs::create_dir(place.path("tomcat/lib")).unwrap();
        fs::create_dir(place.path("tomcat/temp")).unwrap();
        for page in ["pages/page.html", "pages/tomcat/page.html"] {
            place.write(page, "x".repeat(4_000));
        }
        let mut openssl = place.program(installed("openssl", "openssl"));
        openssl.args("req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost".split(' '));
        openssl.args(["-keyout", "key.pem", "-out", "cert.pem"]);
        assert_eq!(end(openssl.spawn().unwrap()).code, 0);
    }

    fn run(&mut self, place: &Place, name: &'static str, mut command: Command) {
        let errors = fs::File::create(place.path(name).with_extension("errors")).unwrap();
        let child = command
            .env("TZ", "UTC")
            .stdout(Stdio::null())
            .stderr(errors);
        self.running.push((name, child.spawn().unwrap()));
    }

    /// Lets them finish what they have, the first that is asked first.
    fn stop(mut self) {
        while let Some((name, child)) = self.running.pop() {
            // Each has a signal of its own for that.
            let graceful = match name {
                "nginx" => "QUIT",
                "httpd" => "WINCH",
                _ => "TERM",
            };
            signal(graceful, child.id());
            end(child);
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            // Killed, an Apache would leave its children behind.
            signal("TERM", child.id());
            let _ = child.wait();
        }
    }
}

fn nginx(place: &Place) -> Command {
    let mut nginx = place.program(installed("nginx", "nginx-light"));
    nginx.arg("-p").arg(place.path(""));
    nginx.arg("-c").arg(place.path("conf/nginx.conf"));
    nginx.arg("-e").arg(place.path("error.log"));
    nginx
}

fn httpd(place: &Place) -> Command {
    let mut httpd = place.program(installed("apache2", "apache2-bin"));
    httpd.arg("-f").arg(place.path("conf/httpd.conf"));
    httpd.arg("-DFOREGROUND");
    httpd
}

fn tomcat(place: &Place) -> Command {
    let parts = TOMCAT_PARTS.iter().map(|part| {
        let path = format!("/usr/share/java/tomcat10-{part}.jar");
        assert!(
            Path::new(&path).exists(),
            "no `{path}`\nhint: install Debian's package libtomcat10-java"
        );
        path
    });
    let class_path: Vec<String> = parts.collect();
    let folder = place.path("tomcat");
    let mut java = place.program(installed("java", "default-jre-headless"));
    // It lives for seconds.
    java.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
    java.arg("-cp").arg(class_path.join(":"));
    for name in ["catalina.home", "catalina.base"] {
        java.arg(format!("-D{name}={}", folder.display()));
    }
    java.arg(format!("-Djava.io.tmpdir={}/temp", folder.display()));
    java.args(["org.apache.catalina.startup.Bootstrap", "start"]);
    java
}

/// Debian keeps servers where only root looks for them.
pub(crate) fn installed(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut programs = folders.map(|folder| folder.join(name));
    programs
        .find(|program| program.exists())
        .unwrap_or_else(|| panic!("no program `{name}`\nhint: install Debian's package {package}"))
}

/// What a server complained of.
fn said(place: &Place, name: &str) -> String {
    let files = [format!("{name}.errors"), "error.log".to_owned()];
    let texts = files.map(|file| fs::read(place.path(&file)).unwrap_or_default());
    String::from_utf8_lossy(&texts.concat()).into_owned()
}

/// Sends all, one after the other, so that they are logged in this order; gives the status of each answer.
fn send(place: &Place, ports: &Ports, requests: &[Sent]) -> Vec<Option<i64>> {
    let mut script = String::new();
    for sent in requests {
        let (kind, port) = match sent.way {
            Way::Tls => ("tls", ports.tls),
            Way::Http2 => ("http2", ports.tls),
            Way::Plain => ("plain", ports.plain),
            Way::PlainToTls => ("plain", ports.tls),
            Way::Leaving => ("leaving", ports.plain),
        };
        write!(script, "{kind} {port} ").unwrap();
        for byte in &sent.bytes {
            write!(script, "{byte:02x}").unwrap();
        }
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

/// What was sent, and the logs of it.
struct World {
    place: Place,
    requests: Vec<Sent>,
    tls_port: String,
    /// By the file's name, in the configuration's order.
    logs: Vec<(String, LogFormat)>,
    /// What is not as it should be.
    wrong: Vec<String>,
}

impl World {
    fn new() -> Self {
        let place = Place::new();
        let requests = requests();
        let servers = Servers::start(&place);
        let statuses = send(&place, &servers.ports, &requests);
        let port = servers.ports.tls;
        servers.stop();
        let mut wrong = Vec::new();
        for (sent, status) in requests.iter().zip(&statuses) {
            if status.is_some_and(|status| status != sent.row.status) {
                wrong.push(format!("{}: answered with {status:?}", shown(sent)));
            }
        }
        let conf = fs::read_to_string(place.path("conf/nginx.conf")).unwrap();
        let logs = NginxConf::parse(&conf).unwrap().logs(Some(port));
        let logs = logs.iter().map(|log| {
            let name = Path::new(&log.path).file_name().unwrap();
            let text = log.formats[0].text.as_deref().unwrap();
            let format = LogFormat::read(text).unwrap();
            (name.to_str().unwrap().to_owned(), format)
        });
        Self {
            logs: logs.collect(),
            place,
            requests,
            tls_port: port.to_string(),
            wrong,
        }
    }

    /// The command with the configuration, or without it.
    #[track_caller]
    fn floodmark(&self, arguments: &[&str], is_told: bool) -> Run {
        let told = ["--nginx-conf", "conf/nginx.conf"];
        let told = if is_told { &told[..] } else { &[] };
        let shared = ["--port", &self.tls_port, "--keep-secrets"];
        self.place.floodmark(&[arguments, &shared, told].concat())
    }

    /// The rows of one log, and that every line of it is accounted for.
    #[track_caller]
    fn rows(&self, log: &str, is_told: bool) -> Vec<Value> {
        let statement = "select * from requests order by line_offset";
        let run = self.floodmark(&["sql", "--from", log, "-o", "json", statement], is_told);
        if log != FORGEABLE {
            let lines = self.requests.len();
            let account = format!("\n{lines} lines = {lines} requests + 0 rejects + 0 blank\n");
            assert!(run.stderr.contains(&account), "{log}: {}", run.stderr);
        }
        serde_json::from_str(&run.done()).unwrap()
    }

    /// The rows of the lake where a condition holds, in the order of their lines.
    #[track_caller]
    fn stored(&self, condition: &str) -> Vec<Value> {
        let statement = format!("select * from requests where {condition} order by line_offset");
        let run = self.floodmark(&["sql", "-o", "json", &statement], false);
        serde_json::from_str(&run.done()).unwrap()
    }

    /// What nginx.conf says of a log.
    fn format_of(&self, log: &str) -> LogFormat {
        let mut logs = self.logs.iter();
        let known = logs.find(|(known, _)| known == log);
        known.unwrap().1.clone()
    }

    fn compare(&mut self, log: &str, sent: &Sent, expected: &Row, found: &Value) {
        let found = Row::of(found);
        if found != *expected {
            self.wrong.push(format!(
                "{log}: {}\n  expected {expected:?}\n     found {found:?}",
                shown(sent)
            ));
        }
    }
}

fn shown(sent: &Sent) -> String {
    let bytes = &sent.bytes[..sent.bytes.len().min(300)];
    bytes.escape_ascii().to_string()
}

/// What a format shows of a row.
fn seen(row: &Row, format: &LogFormat) -> Row {
    let has = |name: &str| format.names().any(|known| known == name);
    let part = |value: &Option<String>, names: &[&str]| {
        value.clone().filter(|_| names.iter().any(|name| has(name)))
    };
    // Of an absolute URI, `$request_uri` is what follows the host.
    let path = match row.path.as_deref().and_then(|path| path.split_once("://")) {
        Some((_, rest)) if has("request_uri") => rest.find('/').map(|at| rest[at..].to_owned()),
        _ => row.path.clone(),
    };
    let row = match format.escape {
        Escape::Default => row.clone().in_text(),
        _ => row.clone().in_json(),
    };
    Row {
        method: part(&row.method, &["request", "request_method"]),
        path: part(&path, &["request", "request_uri"]),
        args: part(&row.args, &["request", "request_uri"]),
        protocol: part(&row.protocol, &["request", "server_protocol"]),
        status: row.status,
        referer: part(&row.referer, &["http_referer"]),
        agent: part(&row.agent, &["http_user_agent"]),
        user: part(&row.user, &["remote_user"]),
    }
}

/// The row without what Nginx logs as missing: the parts of a request that it refused to read, if it is to log those.
fn readable(row: Row, found: &Value, format: &LogFormat) -> Row {
    if format.names().any(|name| name == "request") || !matches!(row.status, 400 | 414 | 505) {
        return row;
    }
    let found = Row::of(found);
    Row {
        method: row.method.filter(|_| found.method.is_some()),
        path: row.path.filter(|_| found.path.is_some()),
        args: row.args.filter(|_| found.args.is_some()),
        protocol: row.protocol.filter(|_| found.protocol.is_some()),
        ..row
    }
}

/// Each log, its format known from nginx.conf, has what was sent, and what only Nginx knows is the same in all of them.
fn each_request_is_the_same_row_in_every_format(world: &mut World) {
    let mut known: Vec<BTreeMap<String, (String, Value)>> =
        vec![BTreeMap::new(); world.requests.len()];
    for (log, format) in world.logs.clone() {
        if log == FORGEABLE {
            continue;
        }
        let rows = world.rows(&log, true);
        for (index, row) in rows.iter().enumerate() {
            let sent = world.requests[index].clone();
            let expected = readable(seen(&sent.row, &format), row, &format);
            world.compare(&log, &sent, &expected, row);
            for (name, value) in measured(row, &format) {
                let first = known[index]
                    .entry(name.clone())
                    .or_insert_with(|| (log.clone(), value.clone()));
                if first.1 != value {
                    let first = format!("{} has {}", first.0, first.1);
                    let sent = shown(&sent);
                    world
                        .wrong
                        .push(format!("{log}: `{name}` is {value}, {first}: {sent}"));
                }
            }
        }
    }
    let names: Vec<&str> = known[0].keys().map(String::as_str).collect();
    assert!(names.len() >= 10, "{names:?}");
}

/// What Nginx alone says of a request, by the column's name.
fn measured(row: &Value, format: &LogFormat) -> Vec<(String, Value)> {
    let mut values = Vec::new();
    let time = row["time"].as_str().unwrap();
    values.push(("second".to_owned(), Value::from(&time[..19])));
    for name in format.names() {
        let column = match name {
            "msec" => "time",
            // What the ingress controller calls it.
            "req_id" => "request_id",
            "body_bytes_sent" | "request_time" | "request_id" | "host" | "server_port"
            | "remote_addr" => name,
            _ if name.starts_with("upstream_") => name,
            _ => continue,
        };
        let source = if name == "msec" { "time" } else { name };
        let value = match &row[source] {
            // Of JSON nobody says how it writes that no upstream was asked.
            Value::String(text) if text.is_empty() => Value::from("-"),
            value => value.clone(),
        };
        values.push((column.to_owned(), value));
    }
    values
}

/// Where lines can be forged, the requests of clients that do not try are to be found all the same.
fn requests_are_found_among_forged_lines(world: &mut World) {
    let ids = world.rows("json.log", true);
    let format = world.format_of(FORGEABLE);
    let rows: BTreeMap<String, Value> = world
        .rows(FORGEABLE, true)
        .into_iter()
        .filter_map(|row| Some((row["request_id"].as_str()?.to_owned(), row)))
        .collect();
    let mut compared = 0;
    for (index, json) in ids.iter().enumerate() {
        let sent = world.requests[index].clone();
        let row = &sent.row;
        let texts = [&row.path, &row.args, &row.referer, &row.agent, &row.user];
        let is_forgery = |text: &String| text.contains(['"', '\n', '\r']);
        if row.method.is_none() || texts.into_iter().flatten().any(is_forgery) {
            continue;
        }
        compared += 1;
        match rows.get(json["request_id"].as_str().unwrap()) {
            Some(found) => world.compare(FORGEABLE, &sent, &seen(row, &format), found),
            None => world
                .wrong
                .push(format!("{FORGEABLE}: not there: {}", shown(&sent))),
        }
    }
    assert!(compared * 2 > world.requests.len(), "{compared}");
    let inspected = world.floodmark(&["inspect", FORGEABLE], true).done();
    assert!(
        inspected.contains("lets a client forge whole lines"),
        "{inspected}"
    );
}

/// Formats that everybody has are told by the lines alone.
fn usual_formats_are_detected(world: &mut World) {
    for (log, name) in DETECTED {
        let inspected = world.floodmark(&["inspect", log], false).done();
        let line = format!("format  {name}: ");
        assert!(inspected.contains(&line), "{log}: {inspected}");
        let format = world.format_of(log);
        for (index, row) in world.rows(log, false).iter().enumerate() {
            let sent = world.requests[index].clone();
            // Where nobody said that it is Nginx's, in JSON a hyphen stands for an absent header too, and in LTSV an
            // empty value.
            let mut expected = seen(&sent.row, &format).in_text();
            if *name == "ltsv" {
                expected = expected.in_ltsv();
            }
            world.compare(log, &sent, &expected, row);
        }
    }
}

/// Others are made up from their fields, whose variables show.
fn other_formats_are_made_up(world: &mut World) {
    for (log, text) in MADE_UP {
        let inspected = world.floodmark(&["inspect", log], false).done();
        if !inspected.contains(text) {
            world
                .wrong
                .push(format!("{log}: no `{text}` in {inspected}"));
        }
    }
}

/// From what the lake has of them, lines can be written again to the byte.
fn lines_are_written_again_from_the_lake(world: &mut World) {
    world.floodmark(&["ingest"], true).done();
    for log in LOSSLESS {
        let format = world.format_of(log);
        let rows = world.stored(&format!("source like '%/{log}/%'"));
        let bytes = fs::read(world.place.path(log)).unwrap();
        world
            .wrong
            .extend(written_otherwise(log, &bytes, &rows, &format));
    }
}

/// The lines of a log that its rows do not give.
fn written_otherwise(log: &str, bytes: &[u8], rows: &[Value], format: &LogFormat) -> Vec<String> {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), rows.len(), "{log}");
    let pairs = lines.iter().zip(rows).filter_map(|(line, row)| {
        let names = format.names();
        let values: Values = names
            .filter_map(|name| Some((name.to_owned(), logged(row, name)?)))
            .collect();
        let written = [&format.write_line(&values)[..], b"\n"].concat();
        (written != *line).then(|| {
            let (line, written) = (line.escape_ascii(), written.escape_ascii());
            format!("{log}: a line is not written again\n     log {line}\n  row as {written}")
        })
    });
    pairs.collect()
}

/// The bytes of a variable that a row tells; times of logs in UTC.
fn logged(row: &Value, name: &str) -> Option<Vec<u8>> {
    let time: DateTime<Utc> = row["time"].as_str()?.parse().unwrap();
    // Of JSON a row has `-` too where no upstream was asked; where one was, it has an address.
    if name.starts_with("upstream_") && row["upstream_addr"] == "-" {
        return None;
    }
    let text = match (name, &row[name]) {
        ("request", _) => return request(row),
        ("time_local", _) => time.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        ("time_iso8601", _) => time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
        ("msec", _) => format!("{}.{:03}", time.timestamp(), time.timestamp_subsec_millis()),
        ("request_time", Value::Number(seconds)) => format!("{:.3}", seconds.as_f64()?),
        ("status", Value::Number(status)) => format!("{:03}", status.as_i64()?),
        (_, Value::Number(number)) => number.to_string(),
        (_, Value::String(text)) => return Some(bytes_of(text)),
        _ => return None,
    };
    Some(text.into_bytes())
}

/// A request line, put together if it was split.
fn request(row: &Value) -> Option<Vec<u8>> {
    let part = |name: &str| row[name].as_str().map(bytes_of);
    if let Some(whole) = part("request") {
        return Some(whole);
    }
    let mut line = [part("request_method")?, b" ".to_vec(), part("path")?].concat();
    for (mark, name) in [(b'?', "args"), (b' ', "server_protocol")] {
        if let Some(bytes) = part(name) {
            line.push(mark);
            line.extend(bytes);
        }
    }
    Some(line)
}

/// A row of Nginx's and one of the server's behind it, by the request's id; what both say is compared there.
const JOIN: &str = "select edge.path, (edge.request_method is not distinct from app.request_method) \
        and (edge.path is not distinct from app.path) and (edge.args is not distinct from app.args) as same_target, \
    edge.status = app.status as same_status, edge.body_bytes_sent = app.body_bytes_sent as same_bytes, \
    (edge.http_user_agent is not distinct from app.http_user_agent) as same_agent, \
    edge.http_user_agent as edge_agent, app.http_user_agent as app_agent, \
    edge.upstream_response_time as waited, app.request_time as worked, exact.time as ended, app.time as began \
    from requests edge join requests app on edge.request_id = app.http_x_request_id \
    join requests exact on exact.request_id = edge.request_id \
    where edge.source like '%/timed.log/%' and exact.source like '%/json.log/%' and app.source like 'LOG/%' \
    order by app.line_offset";

/// The logs of the servers behind Nginx, each with its format as their own configuration has it.
fn rows_of_the_servers_behind_join(world: &mut World) {
    let line = |text: &str, start: &str, end: &str| {
        let mut lines = text.lines().map(str::trim);
        let line = lines.find(|line| line.starts_with(start) && line.contains(end));
        line.unwrap().to_owned()
    };
    let logs = [
        (
            "httpd.log",
            format!("apache {}", line(HTTPD_CONF, "LogFormat", " timed")),
        ),
        (
            "httpd_parts.log",
            format!("apache {}", line(HTTPD_CONF, "LogFormat", " parts")),
        ),
        (
            "tomcat.log",
            format!("tomcat {}", line(SERVER_XML, "pattern=", "\"%r\"")),
        ),
        ("tomcat_json.log", "tomcat_json".to_owned()),
    ];
    for (log, format) in logs {
        let places: &[&str] = match log.starts_with("httpd") {
            true => &["/httpd/", "/second/"],
            false => &["/tomcat/"],
        };
        let is_there = |sent: &&Sent| {
            let path = sent.row.path.as_deref().unwrap_or_default();
            places.iter().any(|place| path.starts_with(place))
        };
        let expected = world.requests.iter().filter(is_there).count();
        let run = world.floodmark(&["ingest", log, "--format", &format], false);
        let account = format!("{expected} requests + 0 rejects + 0 blank");
        assert!(run.stderr.contains(&account), "{log}: {}", run.stderr);
        let statement = JOIN.replace("LOG", log);
        let pairs = world
            .floodmark(&["sql", "-o", "json", &statement], false)
            .done();
        let pairs: Vec<Value> = serde_json::from_str(&pairs).unwrap();
        assert_eq!(pairs.len(), expected, "{log}");
        world
            .wrong
            .extend(pairs.iter().filter_map(|pair| misfit(log, pair)));
        // Taken for milliseconds or seconds, they would be a thousand times as long, or nothing.
        let sum = |name: &str| -> f64 { pairs.iter().filter_map(|pair| pair[name].as_f64()).sum() };
        let (waited, worked) = (sum("waited"), sum("worked"));
        assert!(worked > waited / 20.0, "{log}: {worked} s of {waited} s");
    }
}

/// What two rows of one request do not agree on.
fn misfit(log: &str, pair: &Value) -> Option<String> {
    let differs = |name: &&str| pair[*name] != Value::Bool(true);
    let names = ["same_target", "same_status", "same_bytes", "same_agent"];
    let time = |name: &str| -> DateTime<Utc> { pair[name].as_str().unwrap().parse().unwrap() };
    let seconds = |name: &str| pair[name].as_f64().unwrap();
    // Nginx looks at the clock now and then only.
    let slack_s = 0.1;
    // Some logs have no parts of a second.
    let age_s = (time("ended") - time("began")).as_seconds_f64();
    let is_timed = seconds("worked") <= seconds("waited") + slack_s
        && (-slack_s..seconds("waited") + 1.0 + slack_s).contains(&age_s);
    (names.iter().any(differs) || !is_timed).then(|| format!("{log}: {pair}"))
}

#[test]
fn real_servers_log_what_was_sent_to_them() {
    let mut world = World::new();
    each_request_is_the_same_row_in_every_format(&mut world);
    requests_are_found_among_forged_lines(&mut world);
    usual_formats_are_detected(&mut world);
    other_formats_are_made_up(&mut world);
    lines_are_written_again_from_the_lake(&mut world);
    rows_of_the_servers_behind_join(&mut world);
    let mut by_log: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for wrong in &world.wrong {
        let log = wrong.split(':').next().unwrap_or_default();
        by_log.entry(log).or_default().push(wrong);
    }
    let told = by_log.iter().map(|(log, wrong)| {
        let first = wrong[..wrong.len().min(5)].join("\n");
        format!("{log}: {} misfits, first:\n{first}\n", wrong.len())
    });
    let sent = world.requests.len();
    assert!(
        by_log.is_empty(),
        "of {sent} requests\n{}",
        told.collect::<String>()
    );
}

#[test]
fn lines_of_the_sample_logs_are_written_again() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-logs");
    let conf = fs::read_to_string(folder.join("nginx.conf")).unwrap();
    let logs = NginxConf::parse(&conf).unwrap().logs(Some(443));
    let text = logs[0].formats[0].text.clone().unwrap();
    let format = LogFormat::read(&text).unwrap();
    for name in ["access.log.5.gz", "access.log.3.gz", "access.log"] {
        let path = folder.join(name);
        let mut bytes = fs::read(&path).unwrap();
        if name.ends_with(".gz") {
            let packed = std::mem::take(&mut bytes);
            let mut reader = flate2::read::MultiGzDecoder::new(&packed[..]);
            reader.read_to_end(&mut bytes).unwrap();
        }
        let path = path.to_str().unwrap();
        let statement = "select * from requests order by line_offset";
        let run = place.floodmark(&[
            "sql",
            "--from",
            path,
            "--format",
            &text,
            "--keep-secrets",
            "-o",
            "json",
            statement,
        ]);
        let rows: Vec<Value> = serde_json::from_str(&run.done()).unwrap();
        let wrong = written_otherwise(name, &bytes, &rows, &format);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
