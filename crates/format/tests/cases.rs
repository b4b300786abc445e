//! The case tables: a format, a line, and what is read from it or why it is not.

use std::collections::BTreeMap;
use std::fs;

use floodmark_format::{CompiledFormat, Hit, unescape};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Case>,
}

/// Of the request all parts are compared, of the values those that are given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// A preset's name or a text.
    format: String,
    line: String,
    time_us: Option<i64>,
    method: Option<String>,
    path: Option<String>,
    args: Option<String>,
    protocol: Option<String>,
    whole: Option<String>,
    /// As logged, still escaped.
    #[serde(default)]
    values: BTreeMap<String, String>,
    /// With the escapes undone.
    #[serde(default)]
    text: BTreeMap<String, String>,
    /// Durations, whatever their unit.
    #[serde(default)]
    seconds: BTreeMap<String, f64>,
    /// Variables without a value.
    #[serde(default)]
    missing: Vec<String>,
    /// The reason, instead of all of the above.
    error: Option<String>,
    /// The whole message of the error.
    message: Option<String>,
}

#[track_caller]
fn check(case: &Case, line: &[u8]) {
    let name = &case.name;
    let format =
        CompiledFormat::named(&case.format).unwrap_or_else(|error| panic!("{name}: {error}"));
    let again = CompiledFormat::compile(format.text()).expect(name);
    assert_eq!(again.text(), format.text(), "{name}");
    assert_eq!(again.variables(), format.variables(), "{name}");
    let parsed = format.parse(line);
    if let Some(expected) = &case.error {
        let error = parsed.expect_err(name);
        assert_eq!(
            error.kind.reason(),
            expected,
            "{name}: {}",
            error.render(&format, line)
        );
        if let Some(message) = &case.message {
            assert_eq!(error.render(&format, line), message.trim_end(), "{name}");
        }
        return;
    }
    let hit = parsed.unwrap_or_else(|error| panic!("{name}: {}", error.render(&format, line)));
    check_hit(case, &format, &hit);
}

#[track_caller]
fn check_hit(case: &Case, format: &CompiledFormat, hit: &Hit<'_>) {
    let name = &case.name;
    let text = |raw: Option<&[u8]>| raw.map(|raw| String::from_utf8_lossy(raw).into_owned());
    if case.time_us.is_some() {
        assert_eq!(hit.time_us, case.time_us, "{name}: time");
    }
    let request = &hit.request;
    assert_eq!(text(request.method), case.method, "{name}: method");
    assert_eq!(text(request.path), case.path, "{name}: path");
    assert_eq!(text(request.args), case.args, "{name}: args");
    assert_eq!(text(request.protocol), case.protocol, "{name}: protocol");
    assert_eq!(text(request.whole), case.whole, "{name}: whole");
    let slot = |variable: &str| {
        let slot = format
            .variables()
            .iter()
            .position(|known| known.name == variable);
        slot.unwrap_or_else(|| panic!("{name}: no ${variable} in the format"))
    };
    let value = |variable: &str| hit.values[slot(variable)];
    for (variable, expected) in &case.values {
        assert_eq!(
            text(value(variable)).as_ref(),
            Some(expected),
            "{name}: ${variable}"
        );
    }
    for (variable, expected) in &case.text {
        let found = value(variable).map(|raw| unescape(format.escape(), raw));
        assert_eq!(
            found.as_deref(),
            Some(expected.as_str()),
            "{name}: ${variable}"
        );
    }
    for (variable, expected) in &case.seconds {
        let known = &format.variables()[slot(variable)];
        let found = value(variable).and_then(|raw| known.read_seconds(raw));
        assert_eq!(found, Some(*expected), "{name}: ${variable}");
    }
    for variable in &case.missing {
        assert_eq!(text(value(variable)), None, "{name}: ${variable}");
    }
}

#[track_caller]
fn check_table(file: &str) {
    let path = format!("{}/tests/cases/{file}", env!("CARGO_MANIFEST_DIR"));
    let table: Table = toml::from_str(&fs::read_to_string(&path).expect("a case table"))
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    for case in &table.case {
        check(case, case.line.as_bytes());
        if case.error.is_none() {
            // Files from Windows editors: the same with a carriage return, and after a byte order mark.
            check(case, format!("{}\r", case.line).as_bytes());
            check(case, format!("\u{feff}{}", case.line).as_bytes());
        }
    }
}

#[test]
fn presets() {
    check_table("presets.toml");
}

#[test]
fn odd_requests() {
    check_table("requests.toml");
}

#[test]
fn forged_users() {
    check_table("users.toml");
}

#[test]
fn custom_formats() {
    check_table("custom.toml");
}

#[test]
fn edges_of_time() {
    check_table("times.toml");
}

#[test]
fn json_objects() {
    check_table("json.toml");
}

#[test]
fn variables_that_nothing_parts() {
    check_table("adjacent.toml");
}

#[test]
fn balancers() {
    check_table("alb.toml");
}

#[test]
fn apache_formats() {
    check_table("apache.toml");
}

#[test]
fn tomcat_formats() {
    check_table("tomcat.toml");
}

#[test]
fn mapped_keys() {
    check_table("keys.toml");
}

#[test]
fn labels() {
    check_table("ltsv.toml");
}

#[test]
fn lines_that_do_not_fit() {
    check_table("errors.toml");
}
