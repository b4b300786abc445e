//! The commands that give the numbers on the screen again.

use std::path::Path;

use super::filter::{Filter, quoted};
use super::past::timestamp;
use super::view::{SortBy, Table, View};

/// Each with what it gives.
pub(super) fn commands(
    lake: &Path,
    view: &View,
    table: Option<(&Table, Option<&str>)>,
    sort_by: SortBy,
    filter: Option<&Filter>,
) -> Vec<(String, String)> {
    let floodmark = format!(
        "floodmark --lake {}",
        shell_quoted(&lake.display().to_string())
    );
    let until = view.now_ms.div_euclid(60_000) + 1;
    let and = filter.map_or_else(String::new, |filter| format!(" AND ({})", filter.condition));
    let window = format!(
        "time >= {} AND time < {}{and}",
        timestamp(view.window_since),
        timestamp(until)
    );
    let sql = |statement: &str| format!("{floodmark} sql {}", shell_quoted(statement));
    let mut commands = Vec::new();
    if let Some((table, key)) = table {
        let column = table.dimension.column();
        let order = order(sort_by);
        commands.push((
            format!("{}, as in this table", table.dimension.title()),
            sql(&format!(
                "SELECT {column}, count(*) AS requests, count(*) FILTER (WHERE status BETWEEN 400 AND 499) AS status_4xx, count(*) FILTER (WHERE status BETWEEN 500 AND 599) AS status_5xx, avg(request_time) AS mean, max(request_time) AS max, sum(body_bytes_sent) AS bytes FROM requests WHERE {window} GROUP BY {column} ORDER BY {order} DESC NULLS LAST LIMIT 20"
            )),
        ));
        if let Some(key) = key {
            commands.push((
                "the lines behind this row".to_owned(),
                sql(&format!(
                    "SELECT * FROM requests WHERE {column} = {} AND {window} ORDER BY time DESC LIMIT 200",
                    quoted(key)
                )),
            ));
        }
    }
    commands.push((
        "shares of 4xx and 5xx, request times, classes".to_owned(),
        sql(&format!(
            "SELECT bot, count(*) AS requests, count(*) FILTER (WHERE status BETWEEN 400 AND 499) AS status_4xx, count(*) FILTER (WHERE status BETWEEN 500 AND 599) AS status_5xx, percentile_cont(0.95) WITHIN GROUP (ORDER BY request_time) AS p95 FROM requests WHERE {window} GROUP BY bot ORDER BY requests DESC"
        )),
    ));
    for (what, query, since) in [
        ("requests minute by minute", "pulse", "1h"),
        ("states of minutes", "minutes", "1h"),
        ("incidents", "incidents", "24h"),
    ] {
        let until = super::time_text(view.judged_until, "%Y-%m-%dT%H:%MZ");
        let until = match view.is_judged {
            true => format!(" --until {until}"),
            false => String::new(),
        };
        commands.push((
            what.to_owned(),
            format!("{floodmark} query {query} --since {since}{until}"),
        ));
    }
    commands
}

fn order(sort_by: SortBy) -> &'static str {
    match sort_by {
        SortBy::Requests => "requests",
        SortBy::Status4xx => "status_4xx",
        SortBy::Status5xx => "status_5xx",
        SortBy::Mean => "mean",
        SortBy::Max => "max",
        SortBy::Bytes => "bytes",
    }
}

/// As a shell takes it for one word.
fn shell_quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:".contains(c);
    match text {
        plain if plain.chars().all(is_plain) && !plain.is_empty() => plain.to_owned(),
        // SQL's own quotes stay readable.
        quoted if quoted.contains('\'') && !quoted.contains(['"', '$', '`', '\\', '!']) => {
            format!("\"{quoted}\"")
        }
        other => format!("'{}'", other.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_it_for_one_word() {
        assert_eq!(shell_quoted("/var/lake"), "/var/lake");
        assert_eq!(shell_quoted("path = '/a b'"), "\"path = '/a b'\"");
        assert_eq!(shell_quoted("path = '/$(a)'"), r"'path = '\''/$(a)'\'''");
        assert_eq!(shell_quoted(""), "''");
    }
}
