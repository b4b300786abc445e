//! Parsing allocates nothing, once a hit has been used with its format.

use allocation_counter::measure;
use floodmark_format::{CompiledFormat, Escape, Hit, unescape};

#[track_caller]
fn check(format: &str, lines: &[&[u8]]) {
    let format = CompiledFormat::named(format).expect("a format");
    let mut hit = Hit::default();
    let _ = format.parse_into(lines[0], &mut hit);
    let info = measure(|| {
        for line in lines {
            let _ = std::hint::black_box(format.parse_into(line, &mut hit));
        }
    });
    assert_eq!(info.count_total, 0, "{}", format.text());
}

const COMBINED: &[&[u8]] = &[
    br#"192.0.2.7 - - [10/Jun/2024:06:13:21 +0000] "GET /a?b=1 HTTP/1.1" 200 512 "-" "caf\xC3\xA9""#,
    br#"192.0.2.7 - a b [10/Jun/2024:06:13:21 +0000] "" 400 0 "-" "-""#,
    br#"192.0.2.7 - - [10/Jun/2024:06:13:21 +0000] "GET / HTTP/1.1" 200 512 "-" "cut"#,
    b"hello",
];

#[test]
fn combined_lines_good_and_bad() {
    check("combined", COMBINED);
}

#[test]
fn a_custom_format_with_searched_ends() {
    let format = r#"$host:$server_port $http_a - $remote_user [$time_iso8601] "$request_method $request_uri $server_protocol" $status"#;
    check(
        format,
        &[
            br#"example.com:443 a b - c d [2024-06-10T06:13:21Z] "GET /a b HTTP/1.1" 200"#,
            br#"example.com:443 a b - c d [2024-06-10T06:13:21Z] "GET /a b"#,
        ],
    );
}

#[test]
fn json_objects() {
    check("json", &[
        br#"{"time":"2024-06-10T06:13:21Z","status":200,"urt":,"request":"GET / HTTP/1.1","a":[{"b":"\""}]}"#,
        br#"{"time":"2024-06-10T06"#,
    ]);
}

#[test]
fn nested_and_mapped_keys() {
    check(
        "json status=resp.code request_time=latency_ms/1000",
        &[
            br#"{"ts":1718000001,"resp":{"code":200,"x":{"y":[1]}},"latency_ms":12,"request":{"headers":{"User-Agent":["a"]}}}"#,
            br#"{"ts":1718000001,"resp":{"code":"#,
        ],
    );
    check(
        "ltsv",
        &[
            b"time:[10/Jun/2024:06:13:21 +0000]\thost:192.0.2.7",
            b"a\tb",
        ],
    );
}

#[test]
fn balancer_lines() {
    check(
        "alb",
        &[
            br#"https 2024-06-10T06:13:21.250000Z app/a/1 192.0.2.7:4711 10.0.0.1:80 0.001 0.002 0.000 200 200 34 366 "GET https://www.example.com:443/a?b HTTP/1.1" "curl/8" - - arn:x"#,
            br#"https 2024-06-10T06:13:21.250000Z app/a/1 192.0.2.7:4711 - -1 -1 -1 503 - 34"#,
        ],
    );
}

#[test]
fn directives_and_runs() {
    check(
        r#"apache %h %l %u [%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t] "%m %U%q %H" %>s %D"#,
        &[
            br#"192.0.2.7 - a b [10/Jun/2024:06:13:21.250 +0000] "GET /a?b HTTP/1.1" 200 1500"#,
            br#"192.0.2.7 - a b [10/Jun/2024:06:13:21 +0000] "GET /a?b HTTP/1.1" 200 1500"#,
        ],
    );
}

#[test]
fn a_value_without_escapes_is_borrowed() {
    let info = measure(|| {
        std::hint::black_box(unescape(Escape::Default, "plain and päin".as_bytes()));
    });
    assert_eq!(info.count_total, 0);
}
