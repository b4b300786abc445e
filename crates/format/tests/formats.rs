//! Formats: their names, texts, errors, and finding them by a log's first lines.

use floodmark_format::{CompiledFormat, Escape, Kind, Layer};

const COMBINED: &str =
    r#"192.0.2.7 - - [10/Jun/2024:06:13:21 +0000] "GET / HTTP/1.1" 200 512 "-" "curl/8.5.0""#;

/// The sample's format: `name: the text after combined's, or all of it`, and how many lines it reads.
#[track_caller]
fn check_detected(sample: &str, name: &str, text_end: &str, matched: usize) {
    let found = CompiledFormat::detect(sample.as_bytes()).expect("a format");
    assert_eq!(found.format.name(), name, "{}", found.format.text());
    assert!(
        found.format.text().ends_with(text_end),
        "{}",
        found.format.text()
    );
    assert_eq!(found.matched, matched);
}

#[track_caller]
fn check_error(format: &str, message: &str) {
    assert_eq!(
        CompiledFormat::named(format)
            .expect_err("no format")
            .to_string(),
        message
    );
}

#[test]
fn a_preset_knows_its_name_and_a_text_of_its_is_the_preset() {
    for name in CompiledFormat::preset_names() {
        let preset = CompiledFormat::preset(name).expect("a format");
        assert_eq!(preset.name(), *name);
        let compiled = CompiledFormat::compile(preset.text()).expect("a format");
        assert_eq!(compiled.variables(), preset.variables());
        assert_eq!(compiled.escape(), preset.escape());
    }
    assert_eq!(
        CompiledFormat::named("main").expect("a format").name(),
        "main"
    );
    let text = CompiledFormat::preset("main")
        .expect("a format")
        .text()
        .to_owned();
    assert_eq!(
        CompiledFormat::named(&text).expect("a format").name(),
        "main"
    );
    assert_eq!(
        CompiledFormat::named("$status").expect("a format").name(),
        "custom"
    );
    assert!(CompiledFormat::preset("squid").is_none());
}

#[test]
fn text_that_may_pass_for_the_fields_after_it_is_known() {
    let open = |text: &str| {
        let format = CompiledFormat::named(text).expect("a format");
        let variables = format.open_variables().into_iter();
        variables
            .map(|variable| variable.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        open(r#"$remote_addr [$time_local] $http_x $status $args "$request""#),
        ["http_x"]
    );
    assert_eq!(
        open(r#"$remote_addr [$time_local] "$http_x" $status $args "$request""#),
        [""; 0]
    );
    for preset in CompiledFormat::preset_names() {
        assert_eq!(open(preset), [""; 0], "{preset}");
    }
}

#[test]
fn variables_are_in_order_and_have_kinds() {
    let format = CompiledFormat::compile("escape=json $status $my_own $status $request_time")
        .expect("a format");
    let variables: Vec<_> = format
        .variables()
        .iter()
        .map(|variable| (variable.name.as_str(), variable.kind))
        .collect();
    assert_eq!(
        variables,
        [
            ("status", Kind::Status),
            ("my_own", Kind::Text),
            ("request_time", Kind::Seconds)
        ]
    );
    assert_eq!(format.escape(), Escape::Json);
}

#[test]
fn a_format_can_be_shared_between_threads() {
    fn is_shared<T: Send + Sync + Clone + std::fmt::Debug>() {}
    is_shared::<CompiledFormat>();
}

#[test]
fn an_unknown_name_is_told_the_names() {
    check_error(
        "combind",
        "no log format is named `combind`; did you mean `combined`?\nhint: formats are `combined`, `main`, `common`, `vhost_combined`, `ingress`, `json`, `ltsv`, `alb`, `apache_combined`, `apache_common`, `apache_vhost_combined`, `tomcat`, `tomcat_json`, `tomcat9_json`, or the text of a `log_format` with its `$variables`, of `apache` or `tomcat` with its `%` directives after that word",
    );
}

#[test]
fn a_text_that_cannot_be_split_is_refused() {
    check_error(
        "$body_bytes_sent$request_length $status",
        "nothing in the log format separates `$body_bytes_sent` from `$request_length`\nhint: such a log cannot be split; put a space or quotes between the two in `log_format`",
    );
}

#[test]
fn a_dollar_without_a_name_is_refused() {
    check_error(
        "$status $ $host",
        "byte 8 of the log format: expected a variable's name after `$`, found `$ $host`\nhint: write `$name` or `${name}`",
    );
}

#[test]
fn a_text_without_variables_is_refused() {
    let error = CompiledFormat::compile("hello").expect_err("no format");
    assert_eq!(
        error.to_string(),
        "expected a `$variable` in the log format, found only the text `hello`\nhint: give what stands in `log_format`; in a shell put it in single quotes"
    );
}

#[test]
fn an_unknown_escape_is_refused() {
    check_error(
        "escape=xml $status",
        "expected `escape=default`, `escape=json` or `escape=none`, found `escape=xml`",
    );
}

#[test]
fn presets_are_detected() {
    check_detected(COMBINED, "combined", r#" "$http_user_agent""#, 1);
    check_detected(
        &format!("{COMBINED} \"-\""),
        "main",
        r#" "$http_x_forwarded_for""#,
        1,
    );
    check_detected(
        &format!("{COMBINED} \"203.0.113.9, 2001:db8::1\""),
        "main",
        r#" "$http_x_forwarded_for""#,
        1,
    );
    check_detected(
        &format!("example.com:443 {COMBINED}"),
        "vhost_combined",
        r#" "$http_user_agent""#,
        1,
    );
    check_detected(
        r#"{"time":"2024-06-10T06:13:21Z","status":200}"#,
        "json",
        "",
        1,
    );
    let common = r#"host.example.net - - [01/Jul/1995:00:00:06 -0400] "GET / HTTP/1.0" 304 -"#;
    check_detected(common, "common", " $status $body_bytes_sent", 1);
}

#[test]
fn fields_after_a_preset_are_detected() {
    check_detected(
        &format!("{COMBINED} 12060"),
        "custom",
        r#" "$http_user_agent" $extra_1"#,
        1,
    );
    check_detected(
        &format!("{COMBINED} \"example.com\""),
        "custom",
        r#" "$http_user_agent" "$host""#,
        1,
    );
    check_detected(
        &format!("{COMBINED} \"-\" 0.001 .\""),
        "custom",
        r#" "$http_x_forwarded_for" $request_time $extra_2"#,
        1,
    );
    check_detected(
        &format!("{COMBINED} rt=0.001 urt=\"0.001, 0.2\""),
        "custom",
        r#" rt=$request_time urt="$upstream_response_time""#,
        1,
    );
}

#[test]
fn dialects_are_detected() {
    check_detected(
        r#"http 2024-06-10T06:13:21.25Z app/a/1 192.0.2.7:1 - -1 -1 -1 503 - 1 2 "GET http://a:80/ HTTP/1.1" "-" - - -"#,
        "alb",
        "",
        1,
    );
    check_detected(
        "time:[10/Jun/2024:06:13:21 +0000]\thost:192.0.2.7\tst:200",
        "ltsv",
        "ltsv status=st",
        1,
    );
    check_detected(
        r#"{"w":"2024-06-10T06:13:21Z","res":{"code":200},"trace":"a"}"#,
        "json",
        "json time_iso8601=w status=res.code trace=trace",
        1,
    );
    check_detected(
        &format!("{COMBINED} 34 0.002 [a-b-80] [] 10.0.0.1:80 0 0.001 200 3f2a"),
        "ingress",
        " $req_id",
        1,
    );
    check_detected(
        r#"192.0.2.7 [10/Jun/2024:06:13:21 +0000] "GET / HTTP/1.1" 200 363 0.138 "x100""#,
        "custom",
        r#" $status $body_bytes_sent $request_time "$extra_3""#,
        1,
    );
}

/// The whole text of the format that is made up for these lines.
#[track_caller]
fn check_made_up(lines: &[&str], text: &str) {
    let sample = lines.join("\n");
    let found = CompiledFormat::detect(sample.as_bytes()).expect("a format");
    assert_eq!(found.format.text(), text);
    assert_eq!(found.matched, lines.len());
}

#[test]
fn a_format_of_any_fields_is_made_up() {
    check_made_up(
        &[
            r#""3f2a000000000000000000000000000f" "192.0.2.7" "-" "10/Jun/2024:06:13:21 +0000" "GET /a HTTP/1.1" "200" "512" "-" "Mozilla/5.0" "-" "-""#,
            r#""3f2a000000000000000000000000001f" "192.0.2.8" "eve" "10/Jun/2024:06:13:22 +0000" "\x16\x03" "502" "12" "https://a.example/" "curl/8" "192.0.2.50:80, 192.0.2.51:80" "502, 502""#,
            r#""3f2a000000000000000000000000002f" "2001:db8::7" "-" "10/Jun/2024:06:13:22 +0000" "GET /b HTTP/2.0" "404" "12" "-" "Mozilla/5.0" "192.0.2.50:80" "404""#,
        ],
        r#""$request_id" "$remote_addr" "$remote_user" "$time_local" "$request" "$status" "$body_bytes_sent" "$http_referer" "$http_user_agent" "$upstream_addr" "$upstream_status""#,
    );
    check_made_up(
        &[
            "1718000001.250 192.0.2.7 200 512 0.004 \"GET /a HTTP/1.1\" \"Mozilla/5.0\"",
            "1718000001.300 192.0.2.7 304 0 0.000 \"GET /b HTTP/1.1\" \"Mozilla/5.0\"",
        ],
        r#"$msec $remote_addr $status $body_bytes_sent $request_time "$request" "$http_user_agent""#,
    );
    check_made_up(
        &[
            "2024-06-10T06:13:21+00:00\t192.0.2.7\t-\tGET\t/a?b=1\tHTTP/1.1\t200\t512\t-\tMozilla/5.0 (X11)",
            "2024-06-10T06:13:21+00:00\t192.0.2.7\teve\tPOST\t/c\tHTTP/1.1\t502\t12\t-\tcurl/8",
            "2024-06-10T06:13:21+00:00\t192.0.2.9\t-\tGET\t/c\tHTTP/1.1\t200\t12\thttps://a.example/\tMozilla/5.0 (Y)",
        ],
        "$time_iso8601\t$remote_addr\t$remote_user\t$request_method\t$request_uri\t$server_protocol\t$status\t$body_bytes_sent\t$http_referer\t$http_user_agent",
    );
    check_made_up(
        &[
            r#"[2024-06-10T06:13:21+00:00] 192.0.2.7 "GET / HTTP/1.1" 200 rt=0.004 uct="0.000" urt="0.004" us=200 ua="192.0.2.50:80" shard=7 "Mozilla/5.0""#,
            r#"[2024-06-10T06:13:22+00:00] 192.0.2.7 "GET / HTTP/1.1" 304 rt=0.000 uct="-" urt="-" us=- ua="-" shard=a "Mozilla/5.0""#,
            r#"[2024-06-10T06:13:23+00:00] 192.0.2.7 "GET / HTTP/1.1" 200 rt=0.009 uct="-, 0.001 : 0.000" urt="0.001, 0.003 : 0.004" us=502 ua="192.0.2.50:80, 192.0.2.51:80 : unix:/run/app" shard=b "Mozilla/5.0""#,
        ],
        r#"[$time_iso8601] $remote_addr "$request" $status rt=$request_time uct="$upstream_connect_time" urt="$upstream_response_time" us=$upstream_status ua="$upstream_addr" shard=$shard "$http_user_agent""#,
    );
    check_made_up(
        &[
            "192.0.2.7 | - | 10/Jun/2024:06:13:21 +0000 | GET / HTTP/1.1 | 200 | 512 | TLSv1.3 | TLS_AES_256_GCM_SHA384 | HIT",
            "192.0.2.8 | eve | 10/Jun/2024:06:13:21 +0000 | GET /a b HTTP/1.1 | 200 | 4096 | TLSv1.2 | ECDHE-RSA-AES128-GCM-SHA256 | MISS",
        ],
        "$remote_addr | $remote_user | $time_local | $request | $status | $body_bytes_sent | $ssl_protocol | $ssl_cipher | $upstream_cache_status",
    );
}

#[test]
fn what_parts_fields_may_have_spaces_and_may_stand_in_a_target() {
    check_made_up(
        &[
            "2026-11-22T20:07:40+00:00 ; a.example ; 192.0.2.7 ; 200 ; 3 ; rt=0.000 ; \"GET /a?q=x|y HTTP/1.1\" ; <Mozilla/5.0 (X11)>",
            "2026-11-22T20:07:41+00:00 ; a.example ; 192.0.2.7 ; 410 ; 143 ; rt=0.000 ; \"GET /gone HTTP/1.1\" ; <curl/8>",
        ],
        r#"$time_iso8601 ; $host ; $remote_addr ; $status ; $body_bytes_sent ; rt=$request_time ; "$request" ; <$http_user_agent>"#,
    );
    check_made_up(
        &[
            "0.000|200|192.0.2.7|GET|/a/1?q=x|y|HTTP/1.1|22/Nov/2026:20:07:40 +0000|Mozilla/5.0 (X11)",
            "0.000|200|192.0.2.7|GET|/a/2?q=x|y|HTTP/1.1|22/Nov/2026:20:07:40 +0000|Mozilla/5.0 (X11)",
            "0.000|200|192.0.2.7|GET|/.env|HTTP/1.1|22/Nov/2026:20:07:40 +0000|evil | 200 | x",
            "0.000|410|192.0.2.7|GET|/gone|HTTP/1.1|22/Nov/2026:20:07:40 +0000|curl/8",
        ],
        "$request_time|$status|$remote_addr|$request_method|$request_uri|$server_protocol|$time_local|$http_user_agent",
    );
}

#[test]
fn of_two_numbers_neither_is_taken_for_the_size() {
    check_made_up(
        &[r#"192.0.2.7 [10/Jun/2024:06:13:21 +0000] "GET / HTTP/1.1" 200 363 7013 0.138"#],
        r#"$remote_addr [$time_local] "$request" $status $extra_1 $extra_2 $request_time"#,
    );
}

#[test]
fn values_that_show_nothing_where_they_are_missing_are_raw() {
    check_made_up(
        &[
            r#"192.0.2.7 1718000001.250 200 5 "GET / HTTP/1.1" "" "Mozilla/5.0" "" 0.004"#,
            r#"192.0.2.7 1718000001.250 200 5 "GET /"x HTTP/1.1" "https://a.example/" "Mozilla/5.0" "eve" 0.004"#,
        ],
        r#"escape=none $remote_addr $msec $status $body_bytes_sent "$request" "$http_referer" "$http_user_agent" "$extra_8" $request_time"#,
    );
}

#[test]
fn what_has_no_time_status_and_request_is_no_access_log() {
    for lines in [
        "2024-06-10T06:13:21+00:00 INFO 192.0.2.7 started 200 workers",
        "a b c d e\nf g h i j",
        "192.0.2.7 200 \"GET / HTTP/1.1\"",
    ] {
        assert!(
            CompiledFormat::detect(lines.as_bytes()).is_none(),
            "{lines}"
        );
    }
}

#[test]
fn tomcats_json_is_told_by_its_keys() {
    check_detected(
        r#"{"host":"192.0.2.7","logicalUserName":"-","user":"-","time":"[10/Jun/2024:06:13:21 +0000]","request":"GET / HTTP/1.1","statusCode":"200","size":"5"}"#,
        "tomcat_json",
        "tomcat_json",
        1,
    );
}

#[test]
fn the_side_is_known_from_the_format() {
    for (format, side) in [
        ("combined", Layer::Edge),
        ("apache_combined", Layer::Edge),
        ("alb", Layer::Balancer),
        ("tomcat", Layer::App),
        ("tomcat9 %h %t", Layer::App),
        ("tomcat_json", Layer::App),
        ("json", Layer::Edge),
    ] {
        let format = CompiledFormat::named(format).expect("a format");
        assert_eq!(format.layer(), side, "{}", format.text());
        let again = CompiledFormat::compile(format.text()).expect("a format");
        assert_eq!(again.layer(), side, "{}", format.text());
    }
}

#[test]
fn a_preset_may_be_called_as_the_ingress_controller_does() {
    let format = CompiledFormat::named("upstreaminfo").expect("a format");
    assert_eq!(format.name(), "ingress");
}

#[test]
fn percent_directives_need_their_writers_name() {
    check_error(
        "%h %l",
        "expected `apache` or `tomcat` before a log format with `%`, found `%h %l`\nhint: write `apache %h %l` or `tomcat %h %l`; up to version 9 of Tomcat, whose `%D` is milliseconds, `tomcat9 %h %l`",
    );
    check_error(
        "apache %h %Z",
        "byte 3 of the log format: Apache has no directive `%Z`\nhint: see the documentation of its log format; a `%` sign itself is `%%`",
    );
    check_error(
        "tomcat %h %>{a}y",
        "byte 3 of the log format: Tomcat has no directive `%>{a}y`\nhint: see the documentation of its log format; a `%` sign itself is `%%`",
    );
    check_error(
        "apache %h %{a",
        "byte 3 of the log format: expected a directive after `%`, found `%{a`\nhint: write `%h`, `%{Name}i`, or `%%` for the sign itself",
    );
    check_error(
        "apache 100%%",
        "expected `%` directives in the log format, found only the text `100%%`\nhint: give what stands in `LogFormat` or in the valve's `pattern`",
    );
    check_error(
        "apache %{%Q}t",
        "byte 0 of the log format: Apache has no directive `%{%Q}t`\nhint: see the documentation of its log format; a `%` sign itself is `%%`",
    );
}

#[test]
fn a_log_format_may_begin_with_the_word_of_a_family() {
    for text in [
        "json $status",
        "ltsv: $status",
        "apache $status",
        "tomcat $status",
    ] {
        let format = CompiledFormat::named(text).expect("a format");
        assert_eq!(format.text(), text);
        assert_eq!(format.variables().len(), 1, "{text}");
    }
}

#[test]
fn a_map_that_is_none_is_refused() {
    check_error(
        "json status",
        "expected `variable=key` after `json` or `ltsv`, found `status`\nhint: such as `json status=resp.code,request_time=latency_ms/1000`; a key with spaces stands in double quotes",
    );
}

#[test]
fn the_format_of_most_lines_wins() {
    let sample = format!("{COMBINED} 1\n\n{COMBINED} 2\r\n{COMBINED}\ngarbage\n");
    let found = CompiledFormat::detect(sample.as_bytes()).expect("a format");
    assert_eq!((found.lines, found.matched), (4, 2));
    assert!(found.format.text().ends_with(" $extra_1"));
}

#[test]
fn what_no_format_reads_is_not_detected() {
    assert!(CompiledFormat::detect(b"").is_none());
    assert!(CompiledFormat::detect(b"hello\nworld\n").is_none());
}

/// The formats found in a sample, each with the lines that it reads of those left.
#[track_caller]
fn check_all(sample: &str, known: &[&str], expected: &[(&str, usize)]) {
    let known: Vec<CompiledFormat> = known
        .iter()
        .map(|name| CompiledFormat::named(name).expect("a format"))
        .collect();
    let found = CompiledFormat::detect_all(sample.as_bytes(), &known);
    let found: Vec<(&str, usize)> = found
        .iter()
        .map(|found| (found.format.name(), found.matched))
        .collect();
    assert_eq!(found, expected);
}

const COMMON: &str = r#"192.0.2.1 - - [10/Jun/2024:06:13:21 +0000] "GET / HTTP/1.1" 200 5"#;
const OTHER: &str = r#"{"time_local":"10/Jun/2024:06:13:21 +0000","status":200}"#;

fn repeated(lines: &[(&str, usize)]) -> String {
    let lines = lines.iter();
    lines
        .map(|(line, times)| format!("{line}\n").repeat(*times))
        .collect()
}

#[test]
fn all_formats_of_a_sample_are_detected() {
    check_all("", &[], &[]);
    check_all("hello\nworld\n", &["main"], &[]);
    check_all(
        &repeated(&[(COMMON, 5), (COMBINED, 9), ("rubbish", 2)]),
        &[],
        &[("combined", 9), ("common", 5)],
    );
    check_all(
        &repeated(&[(OTHER, 4), (COMMON, 5), (COMBINED, 9)]),
        &[],
        &[("combined", 9), ("common", 5), ("json", 4)],
    );
}

#[test]
fn a_few_odd_lines_are_no_format() {
    // Cut after the size, a line of one format looks like a whole one of another.
    check_all(
        &repeated(&[(COMBINED, 90), (COMMON, 2)]),
        &[],
        &[("combined", 90)],
    );
    check_all(
        &repeated(&[(COMBINED, 90), (COMMON, 3), ("rubbish", 3)]),
        &[],
        &[("combined", 90)],
    );
}

#[test]
fn known_formats_come_before_detected_ones() {
    check_all(
        &repeated(&[(COMMON, 5), (COMBINED, 1), (OTHER, 3)]),
        &["main", "combined", "common"],
        &[("common", 5), ("json", 3), ("combined", 1)],
    );
}

#[test]
fn formats_are_ranked_by_the_lines_that_each_reads() {
    let sample = repeated(&[(COMMON, 5), (COMBINED, 9), (OTHER, 2)]);
    let ranked = CompiledFormat::rank(sample.as_bytes());
    let ranked: Vec<(&str, usize)> = ranked
        .iter()
        .map(|found| (found.format.name(), found.matched))
        .collect();
    assert_eq!(ranked[..2], [("combined", 9), ("common", 5)]);
    assert!(ranked.contains(&("json", 2)), "{ranked:?}");
    assert!(CompiledFormat::rank(b"hello\n").is_empty());
}

#[test]
fn what_a_client_sends_does_not_change_the_format_of_its_line() {
    // A line of each format, with as much of another one as a client can get into it.
    let agents = [
        OTHER.replace('"', "\\x22"),
        r"x\x22 \x22192.0.2.1\x22".to_owned(),
        format!("{COMMON} "),
    ];
    let combined = CompiledFormat::named("combined").expect("a preset");
    for agent in agents.map(|agent| agent.replace('"', "\\x22")) {
        let line = COMBINED.replace("curl/8", &agent);
        assert!(combined.parse(line.as_bytes()).is_ok(), "{line}");
        for name in ["common", "main", "json", "ltsv", "vhost_combined"] {
            let other = CompiledFormat::named(name).expect("a preset");
            assert!(other.parse(line.as_bytes()).is_err(), "{name}: {line}");
        }
    }
}

#[test]
fn a_target_goes_on_to_the_last_protocol_whatever_parts_the_fields() {
    let text = r#"$time_iso8601|$remote_addr|$request_uri|$server_protocol|$status|$request_time|"$http_user_agent""#;
    let format = CompiledFormat::compile(text).expect("a format");
    for target in [
        "/a|b",
        "/x|/.env",
        "/a|HTTP/1.1|200|0.001|",
        "/a|-|404|0.000",
    ] {
        for protocol in ["HTTP/1.1", "HTTP/2.0", "-", ""] {
            let line = format!(
                r#"2026-11-23T16:17:34+00:00|192.0.2.7|{target}|{protocol}|404|0.000|"evil\x22|200""#
            );
            let hit = format.parse(line.as_bytes()).expect(&line);
            let value =
                |slot: usize| hit.values[slot].map(|value| value.escape_ascii().to_string());
            assert_eq!(value(2).as_deref(), Some(target), "{line}");
            let known = Some(protocol).filter(|protocol| *protocol != "-");
            assert_eq!(value(3).as_deref(), known, "{line}");
            assert_eq!(value(4).as_deref(), Some("404"), "{line}");
        }
    }
}
