//! The header of a named query: what it asks, what it takes, how it is drawn, when it is an alarm.

use std::fmt;

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// Text.
    Text,
    /// A point in time, UTC.
    Timestamp,
}

impl ParamType {
    const NAMES: [(&'static str, Self); 4] = [
        ("int", Self::Int),
        ("float", Self::Float),
        ("text", Self::Text),
        ("timestamp", Self::Timestamp),
    ];
}

impl fmt::Display for ParamType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES
            .iter()
            .find(|(_, known)| known == self)
            .map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// A parameter of a named query, `$name` in its SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its type.
    pub param_type: ParamType,
    /// The default, as written: a value, or `report.since`, `report.until`, `report.target`, `report.tz`.
    pub default: String,
    /// Unit and reason.
    pub note: String,
}

/// How rows are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    /// A line over `x`.
    Line,
    /// A bar for each row.
    Bar,
    /// A strip of states over time.
    Strip,
    /// A cell for each row: hours of the day in `x`, weekdays in `y`, as dark as `z` is high.
    Heat,
}

impl ChartKind {
    const NAMES: [(&'static str, Self); 4] = [
        ("line", Self::Line),
        ("bar", Self::Bar),
        ("strip", Self::Strip),
        ("heat", Self::Heat),
    ];
}

/// The chart of a named query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// How rows are drawn.
    pub kind: ChartKind,
    /// The column along the chart.
    pub x: String,
    /// The columns drawn: several lines share a chart.
    pub y: Vec<String>,
    /// The column that a cell's darkness stands for.
    pub z: Option<String>,
}

/// One insight: a question, its parameters, its SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedQuery {
    /// The file's name without `.sql`.
    pub name: String,
    /// A few words.
    pub title: String,
    /// What it answers.
    pub question: String,
    /// What it takes.
    pub params: Vec<Param>,
    /// How its rows are drawn, if they are.
    pub chart: Option<Chart>,
    /// When it is an alarm, as written.
    pub alert: Option<String>,
    /// The section of the report that its rows stand in, if they do.
    pub report: Option<String>,
    /// Nginx's variables without which it has nothing to say, without `$`.
    pub needs: Vec<String>,
    /// What it means that there are no rows, if that says more than "none".
    pub none: Option<String>,
    /// The SQL below the header.
    pub sql: String,
}

/// What is wrong with a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("query `{query}`, line {line_number}: expected {expected}, found `{found}`")]
pub struct HeaderError {
    /// The query's name.
    pub query: String,
    /// The line of the file, from 1.
    pub line_number: usize,
    /// What should stand there.
    pub expected: &'static str,
    /// What does.
    pub found: String,
}

impl NamedQuery {
    /// Reads a query file. Comment lines without one of the header's keywords are prose and are skipped.
    ///
    /// # Errors
    ///
    /// The first header line that is not as it should be.
    ///
    /// ```
    /// use floodmark_query::NamedQuery;
    /// let text = "-- title: Requests\n-- question: How many?\n-- param: least int = 5 (requests)\nSELECT 1";
    /// let query = NamedQuery::parse("requests", text)?;
    /// assert_eq!(query.params[0].default, "5");
    /// # Ok::<(), floodmark_query::HeaderError>(())
    /// ```
    pub fn parse(name: &str, text: &str) -> Result<Self, HeaderError> {
        let mut query = Self {
            name: name.to_owned(),
            title: String::new(),
            question: String::new(),
            params: Vec::new(),
            chart: None,
            alert: None,
            report: None,
            needs: Vec::new(),
            none: None,
            sql: String::new(),
        };
        let mut sql_at = 0;
        for (index, line) in text.lines().enumerate() {
            let wrong = |expected, found: &str| HeaderError {
                query: name.to_owned(),
                line_number: index + 1,
                expected,
                found: found.to_owned(),
            };
            let Some(comment) = line.strip_prefix("--") else {
                break;
            };
            sql_at += line.len() + 1;
            let Some((keyword, value)) = comment.trim().split_once(": ") else {
                continue;
            };
            let value = value.trim();
            match keyword {
                "title" => query.title = value.to_owned(),
                "question" => query.question = value.to_owned(),
                "alert" => query.alert = Some(value.to_owned()),
                "report" => query.report = Some(value.to_owned()),
                "needs" => {
                    query.needs = value.split_ascii_whitespace().map(str::to_owned).collect();
                }
                "none" => query.none = Some(value.to_owned()),
                "param" => {
                    let expected = "`param: name type = default (unit and reason)`";
                    query
                        .params
                        .push(param(value).ok_or_else(|| wrong(expected, value))?);
                }
                "chart" => {
                    let expected =
                        "`chart: line|bar|strip|heat x=column y=column[,column] [z=column]`";
                    query.chart = Some(chart(value).ok_or_else(|| wrong(expected, value))?);
                }
                _ => {}
            }
        }
        let missing = |expected| HeaderError {
            query: name.to_owned(),
            line_number: 1,
            expected,
            found: text.lines().next().unwrap_or_default().to_owned(),
        };
        if query.title.is_empty() {
            return Err(missing("a header with `-- title: …`"));
        }
        if query.question.is_empty() {
            return Err(missing("a header with `-- question: …`"));
        }
        query.sql = text
            .get(sql_at..)
            .unwrap_or_default()
            .trim()
            .trim_end_matches(';')
            .to_owned();
        if query.sql.is_empty() {
            return Err(missing("SQL below the header"));
        }
        Ok(query)
    }
}

fn param(text: &str) -> Option<Param> {
    let (definition, note) = match text.split_once(" (") {
        Some((definition, note)) => (definition, note.trim().strip_suffix(')')?),
        None => (text, ""),
    };
    let (typed, default) = definition.split_once(" = ")?;
    let (name, type_name) = typed.trim().split_once(' ')?;
    let param_type = ParamType::NAMES
        .iter()
        .find(|(known, _)| *known == type_name.trim())
        .map(|&(_, t)| t)?;
    Some(Param {
        name: name.to_owned(),
        param_type,
        default: default.trim().to_owned(),
        note: note.to_owned(),
    })
}

fn chart(text: &str) -> Option<Chart> {
    let mut words = text.split_ascii_whitespace();
    let kind = words.next()?;
    let &(_, kind) = ChartKind::NAMES.iter().find(|(name, _)| *name == kind)?;
    let x = words.next()?.strip_prefix("x=")?.to_owned();
    let y = words.next()?.strip_prefix("y=")?;
    let y = y.split(',').map(str::to_owned).collect();
    let z = words.next().map(|word| word.strip_prefix("z="));
    match (z, words.next()) {
        (None, None) => Some(Chart {
            kind,
            x,
            y,
            z: None,
        }),
        (Some(Some(z)), None) => Some(Chart {
            kind,
            x,
            y,
            z: Some(z.to_owned()),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_error(text: &str, expected: &str) {
        assert_eq!(
            NamedQuery::parse("q", text).unwrap_err().to_string(),
            expected
        );
    }

    #[test]
    fn a_whole_header_is_read() {
        let text = "-- title: Spikes\n-- question: When?\n-- Prose, which is skipped.\n\
                    -- param: since timestamp = report.since\n-- param: n int = 20 (requests per minute)\n\
                    -- chart: line x=minute y=share,usual\n-- alert: rows > 0 for 2m\n\
                    -- report: Errors\n-- needs: request_time host\n-- none: All is well.\nSELECT 1;\n";
        let query = NamedQuery::parse("spikes", text).unwrap();
        assert_eq!(query.sql, "SELECT 1");
        assert_eq!(query.params[1].note, "requests per minute");
        assert_eq!(query.chart.unwrap().y, ["share", "usual"]);
        assert_eq!(query.alert.unwrap(), "rows > 0 for 2m");
        assert_eq!(query.report.unwrap(), "Errors");
        assert_eq!(query.needs, ["request_time", "host"]);
        assert_eq!(query.none.unwrap(), "All is well.");
    }

    #[test]
    fn a_broken_header_says_where_and_what() {
        check_error(
            "-- title: T\n-- param: n number = 2\nSELECT 1",
            "query `q`, line 2: expected `param: name type = default (unit and reason)`, found `n number = 2`",
        );
        check_error(
            "-- title: T\n-- chart: heat x=hour y=weekday requests\nSELECT 1",
            "query `q`, line 2: expected `chart: line|bar|strip|heat x=column y=column[,column] [z=column]`, found `heat x=hour y=weekday requests`",
        );
        check_error(
            "SELECT 1",
            "query `q`, line 1: expected a header with `-- title: …`, found `SELECT 1`",
        );
    }
}
