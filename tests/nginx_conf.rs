//! Without LOG, the commands read what nginx.conf names; with LOG, it says how those are written.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::command::{Place, combined};

/// Of servers on two ports; `@` stands for the folder.
const CONF: &str = r#"
events { }
http {
    include logs.conf;
    include sites/*.conf;
    server { listen 80; access_log off; }
}
stream { server { listen 8443; access_log @/stream.log; } }
"#;

const LOGS: &str = r#"
log_format odd '$status|$remote_addr|$http_x_forwarded_for|$time_iso8601|$request';
access_log @/rest.log combined buffer=32k;
"#;

const SITES: &str = r#"
server {
    listen 8443 ssl;
    listen [::]:8443 ssl;
    server_name www.example.org example.org;
    set_real_ip_from 192.0.2.0/24;
    set_real_ip_from unix:;
    real_ip_header X-Forwarded-For;
    access_log @/www.log odd;
    access_log syslog:server=192.0.2.9;
    location / { proxy_pass http://shop; }
    location /tenants/ { access_log @/tenants/$host.log; }
    location = /status { access_log off; }
}
server { listen 8443 ssl; }
"#;

const LOGROTATE: &str = "# of a package\n@/rest.log @/other.log {\n\tdaily\n\tcopytruncate\n}\n";

fn odd(first: usize, lines: usize) -> String {
    (first..first + lines)
        .map(|line| {
            format!(
                "200|192.0.2.1|203.0.113.{line}|2026-11-09T08:00:{line:02}+00:00|GET /{line} HTTP/1.1\n"
            )
        })
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A configuration with its logs: `www.log` with what rotation left of it, and an empty `rest.log`.
fn place() -> Place {
    let place = Place::new();
    let folder = place.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    for (name, text) in [
        ("nginx.conf", CONF),
        ("logs.conf", LOGS),
        ("sites/www.conf", SITES),
        ("sites/.hidden.conf", "no configuration }"),
        ("logrotate.d/nginx", LOGROTATE),
        ("logrotate.d/nginx.dpkg-old", "@/www.log { copytruncate\n }"),
    ] {
        place.write(name, text.replace('@', folder));
    }
    place.write("www.log.2.gz", gzip(odd(0, 2).as_bytes()));
    place.write("www.log.1", odd(2, 3));
    place.write("www.log", odd(5, 4));
    place.write("rest.log", "");
    place
}

/// Standard output, standard error and the exit code of a command with this configuration.
#[track_caller]
fn check(place: &Place, arguments: &[&str], expected: &str) {
    let told = ["--nginx-conf", "nginx.conf"];
    let run = place.floodmark(&[arguments, &told].concat());
    assert_eq!(run.shown(place), expected);
}

/// The answer to a statement, as CSV without its header.
#[track_caller]
fn answer(place: &Place, statement: &str, arguments: &[&str]) -> String {
    let run = place.floodmark(&[&["sql", "-q", "-o", "csv", statement], arguments].concat());
    let rows = run.done();
    rows.split_once('\n').unwrap_or_default().1.to_owned()
}

const INSPECTED: &str = r#"    log set  @/rest.log
   named in  @/logs.conf:3
     listen  8443 ssl
      ports  8443
      files  1 file, 0 bytes on disk
     format  combined: $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"
      lines  0 = 0 requests + 0 rejects + 0 blank
    to mend  without `$request_time` there are no latencies, and a client that gave up after 10 s counts as served
       note  lines are buffered without `flush=`: in a quiet hour the last ones are not in the file yet, and a crash of Nginx loses them; add `flush=5s`
       note  logrotate copies and truncates it (`copytruncate` in logrotate.d/nginx): lines written in between are lost; use `create`, and have Nginx reopen its logs

    log set  @/www.log
   named in  @/sites/www.conf:9
    servers  www.example.org, example.org
     listen  8443 ssl, [::]:8443 ssl
      ports  8443
    trusted  192.0.2.0/24, unix:
real client  by `X-Forwarded-For`
   rotation  www.log.2.gz to www.log
      files  3 files, BYTES on disk
     format  odd: $status|$remote_addr|$http_x_forwarded_for|$time_iso8601|$request
      lines  9 = 9 requests + 0 rejects + 0 blank
       time  2026-11-09 08:00:00 UTC to 2026-11-09 08:00:08 UTC
    to mend  `$http_x_forwarded_for` has no quotes: what a client sends there can pass for the fields after it; write `"$http_x_forwarded_for"`
    to mend  without `$http_user_agent` no bot can declare itself
    to mend  without `$request_time` there are no latencies, and a client that gave up after 10 s counts as served
    to mend  without `$upstream_status` a request shed by Nginx itself counts as failed

    log set  syslog:server=192.0.2.9
   named in  @/sites/www.conf:10
    servers  www.example.org, example.org
     listen  8443 ssl, [::]:8443 ssl
      ports  8443
    trusted  192.0.2.0/24, unix:
real client  by `X-Forwarded-For`
   not read  it is sent to syslog, not to a file

    log set  @/tenants/$host.log
   named in  @/sites/www.conf:12
    servers  www.example.org, example.org
     listen  8443 ssl, [::]:8443 ssl
      ports  8443
    trusted  192.0.2.0/24, unix:
real client  by `X-Forwarded-For`
   not read  its path holds variables, so that it is as many files as they have values; name those as LOG

 not logged  `location = /status`: `access_log off` in @/sites/www.conf:13
--- stderr
@/rest.log: format `combined`, from nginx.conf
@/www.log: format `odd`, from nginx.conf
syslog:server=192.0.2.9 is not read: it is sent to syslog, not to a file
@/tenants/$host.log is not read: its path holds variables, so that it is as many files as they have values; name those as LOG
@/rest.log: empty
--- code 0
"#;

#[test]
fn inspect_shows_what_the_conf_names() {
    let place = place();
    let files = ["www.log", "www.log.1", "www.log.2.gz"];
    let bytes: u64 = files
        .iter()
        .map(|name| place.path(name).metadata().unwrap().len())
        .sum();
    let expected = INSPECTED.replace("BYTES", &format!("{bytes} bytes"));
    check(
        &place,
        &["inspect", "--port", "8443", "--logrotate", "logrotate.d"],
        &expected,
    );
}

#[test]
fn inspect_shows_a_log_that_nginx_writes_unasked() {
    let place = Place::new();
    place.write("nginx.conf", "http { server { listen 12345; } }");
    let run = place.floodmark(&["inspect", "--nginx-conf", "nginx.conf", "--port", "12345"]);
    assert!(
        run.stdout
            .starts_with("    log set  /var/log/nginx/access.log\n   named in  no `access_log`"),
        "{run:#?}"
    );
}

const ROWS: &str = "select path, client, server_port, status from requests order by path";

const EXPECTED: &str = "/0,203.0.113.0,8443,200\n/1,203.0.113.1,8443,200\n/2,203.0.113.2,8443,200\n/3,203.0.113.3,8443,200\n/4,203.0.113.4,8443,200\n/5,203.0.113.5,8443,200\n/6,203.0.113.6,8443,200\n/7,203.0.113.7,8443,200\n/8,203.0.113.8,8443,200\n";

#[test]
fn sql_without_a_lake_asks_the_logs_of_the_conf() {
    let told = ["--nginx-conf", "nginx.conf", "--port", "8443"];
    assert_eq!(answer(&place(), ROWS, &told), EXPECTED);
}

#[test]
fn ingest_takes_the_logs_of_the_conf_and_names_their_sets_by_path() {
    let place = place();
    let told = [
        "--nginx-conf",
        "nginx.conf",
        "--port",
        "8443",
        "--lake",
        "lake",
    ];
    place.floodmark(&[&["ingest"][..], &told].concat()).done();
    let lake = ["--lake", "lake"];
    assert_eq!(answer(&place, ROWS, &lake), EXPECTED);
    let sets = "select distinct regexp_replace(source, '/[0-9a-f]+/[0-9]+$', '') from requests";
    let set = place.path("www.log").display().to_string();
    assert_eq!(answer(&place, sets, &lake), format!("{set}\n"));
    // Each line once, however the logs are named the second time.
    for logs in [&[][..], &["www.log", "www.log.1"]] {
        place
            .floodmark(&[&["ingest"][..], logs, &told].concat())
            .done();
        assert_eq!(
            answer(&place, "select count(*) from requests", &lake),
            "9\n"
        );
    }
}

#[test]
fn a_log_that_is_named_takes_the_format_of_the_conf() {
    let place = place();
    let count = "select count(*), min(server_port), min(client) from requests";
    let told = ["--nginx-conf", "nginx.conf", "--from"];
    // By its path, and as a copy of another machine's by its name.
    place.write("copy/www.log", odd(5, 4));
    for log in ["www.log", "copy/www.log"] {
        let arguments = [&told[..], &[log]].concat();
        assert_eq!(
            answer(&place, count, &arguments),
            "4,8443,203.0.113.5\n",
            "{log}"
        );
    }
    // Nothing is believed that does not read the lines.
    place.write("copy/www.log", combined(0, 10));
    let arguments = [&told[..], &["copy/www.log"]].concat();
    let columns = "select count(*), min(status), count(http_user_agent) from requests";
    assert_eq!(answer(&place, columns, &arguments), "10,200,10\n");
}

#[test]
fn a_log_that_cannot_be_told_does_not_keep_the_others_from_being_read() {
    let place = place();
    place.write("rest.log", "one\ntwo\nthree\n");
    let run = place.floodmark(&[
        "sql",
        "-q",
        "-o",
        "csv",
        "select count(*) from requests",
        "--nginx-conf",
        "nginx.conf",
        "--port",
        "8443",
    ]);
    assert_eq!(
        (run.code, run.stdout.lines().nth(1)),
        (2, Some("9")),
        "{run:#?}"
    );
    assert!(
        run.stderr
            .starts_with("warning: no known format reads most of "),
        "{run:#?}"
    );
}

#[test]
fn a_conf_without_a_log_to_read_says_why() {
    let place = place();
    check(
        &place,
        &["ingest", "--lake", "lake"],
        "--- stderr\n\
         error: `nginx.conf`: expected a server that listens on port 443, found servers on 80, 8443\n\
         hint: name another port with `--port`, another configuration with `--nginx-conf`, or logs as LOG\n\
         --- code 2\n",
    );
    check(
        &place,
        &["ingest", "--lake", "lake", "--port", "80"],
        "--- stderr\n\
         error: `nginx.conf` has no log for port 80: `access_log off` in @/nginx.conf:6\n\
         hint: name logs as LOG\n\
         --- code 2\n",
    );
    assert!(!place.path("lake").exists());
}

#[track_caller]
fn check_broken(conf: &str, expected: &str) {
    let place = Place::new();
    place.write("nginx.conf", conf);
    check(
        &place,
        &["inspect"],
        &format!("--- stderr\nerror: {expected}\n--- code 2\n"),
    );
}

#[test]
fn a_conf_that_cannot_be_read_says_where() {
    let hint = "hint: `nginx -t` says whether Nginx can read it";
    check_broken(
        "http {\n log_format f '$status;\n}",
        &format!(
            "@/nginx.conf:2: expected a closing `'` for the quote that begins here, found `'$status;`\n{hint}"
        ),
    );
    check_broken(
        "http {\n include nginx.conf;\n}",
        &format!(
            "@/nginx.conf:2: expected a file that does not include itself, directly or through others in `include`, found `@/nginx.conf`\n{hint}"
        ),
    );
    check(
        &Place::new(),
        &["inspect"],
        "--- stderr\nerror: cannot read `nginx.conf`: no such file or directory\n--- code 2\n",
    );
}

#[test]
fn a_log_that_is_not_there_is_listed_but_cannot_be_read() {
    let place = Place::new();
    place.write(
        "nginx.conf",
        "http { server { listen 443; access_log no/such.log; } }",
    );
    let told = "@/no/such.log is not read: it is not there\n";
    check(
        &place,
        &["inspect"],
        &format!(
            "    log set  @/no/such.log\n   named in  @/nginx.conf:1\n     listen  443\n      ports  443\n   not read  it is not there\n\n--- stderr\n{told}--- code 0\n"
        ),
    );
    check(
        &place,
        &["ingest", "--lake", "lake"],
        &format!(
            "--- stderr\n{told}error: none of the logs that nginx.conf names for port 443 can be read\nhint: `floodmark inspect` lists them, each with its reason\n--- code 2\n"
        ),
    );
}

#[test]
fn a_part_that_cannot_be_read_is_named_and_the_rest_is_taken() {
    let place = place();
    place.write(
        "nginx.conf",
        "http { include gone.conf; include none/*.conf; include logs.conf; include sites/www.conf; }",
    );
    let run = place.floodmark(&[
        "inspect",
        "-q",
        "--nginx-conf",
        "nginx.conf",
        "--port",
        "8443",
    ]);
    assert!(
        run.stderr.replace(&place.path("").display().to_string(), "").starts_with(
            "warning: cannot read `gone.conf`, a part of Nginx's configuration: no such file or directory; what it says of logs is not known\n"
        ),
        "{run:#?}"
    );
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(
        run.stdout.contains("9 lines = 9 requests") || run.stdout.contains("9 = 9 requests"),
        "{run:#?}"
    );
}
