//! The HTML page as its template sees it: text ready to be shown, not yet escaped as HTML.

use serde::Serialize;

use crate::charts::{self, Calendar, Chart, Gauge, across};
use crate::model::{HUMAN, Report, Week, length};
use crate::terminal::longest;
use crate::text::{
    bytes, count, escape_control, minutes, percent, percent_down, percent_target, plural,
};
use crate::time;
use crate::words::evidence;

/// Rows of each list; `floodmark query` has the rest.
const ROWS_MAX: usize = 25;

/// Incidents and spikes told.
const STORIES_MAX: usize = 200;

/// Weeks that have a card of their own: five, and the one that a window of five weeks also touches.
const CARDS_MAX: usize = 6;

#[derive(Debug, Serialize)]
pub(crate) struct Page {
    title: String,
    window: String,
    target: String,
    verdict: &'static str,
    symbol: &'static str,
    /// A class for the verdict's colour.
    tone: String,
    summary: Vec<String>,
    cards: Vec<Card>,
    calendar: Option<Calendar>,
    weeks: Table,
    incidents: Vec<Story>,
    incidents_left: String,
    error_chart: Option<Chart>,
    spikes: Vec<Story>,
    spikes_left: String,
    classes: Table,
    bots: Table,
    request_chart: Option<Chart>,
    traffic: Table,
    statuses: Table,
    paths: Table,
    clients: Table,
    small_print: Vec<(&'static str, String)>,
    queries: Vec<Query>,
}

#[derive(Debug, Serialize)]
struct Query {
    name: &'static str,
    sql: String,
}

#[derive(Debug, Serialize)]
struct Card {
    week: String,
    days: String,
    verdict: &'static str,
    symbol: &'static str,
    tone: String,
    uptime: String,
    gauge: Option<Gauge>,
    facts: Vec<String>,
}

/// An incident or a spike.
#[derive(Debug, Serialize)]
struct Story {
    id: String,
    class: &'static str,
    symbol: &'static str,
    name: String,
    when: String,
    lasted: String,
    facts: Vec<String>,
    evidence: String,
}

#[derive(Debug, Serialize)]
struct Table {
    caption: &'static str,
    heads: Vec<Head>,
    rows: Vec<Vec<Cell>>,
    left: String,
}

#[derive(Debug, Serialize)]
struct Head {
    text: &'static str,
    class: &'static str,
}

#[derive(Debug, Default, Serialize)]
struct Cell {
    text: String,
    class: &'static str,
    /// Width of a bar in place of text.
    bar: Option<String>,
}

impl Page {
    pub(crate) fn new(report: &Report) -> Self {
        let verdict = report.verdict();
        let stories = |shown: usize, all: usize, noun: &str| match all.saturating_sub(shown) {
            0 => String::new(),
            left => format!(
                "… and {}",
                plural(i64::try_from(left).unwrap_or(i64::MAX), noun)
            ),
        };
        let incidents = incidents(report);
        let spikes = spikes(report);
        let cards = report.weeks[report.weeks.len().saturating_sub(CARDS_MAX)..].iter();
        Self {
            title: match report.sources.as_slice() {
                [one] => escape_control(one).into_owned(),
                many => plural(length(many), "source"),
            },
            window: report.window(),
            target: percent_target(report.target),
            verdict: verdict.name(),
            symbol: verdict.symbol(),
            tone: verdict.name().to_lowercase(),
            summary: report.summary(),
            cards: cards.map(|week| card(week, report)).collect(),
            calendar: charts::calendar(report),
            weeks: weeks(report),
            incidents_left: stories(incidents.len(), report.incidents.len(), "shorter one"),
            incidents,
            error_chart: charts::errors(report),
            spikes_left: stories(spikes.len(), report.spikes.len(), "smaller one"),
            spikes,
            classes: classes(report),
            bots: bots(report),
            request_chart: charts::requests(report),
            traffic: traffic(report),
            statuses: statuses(report),
            paths: paths(report),
            clients: clients(report),
            small_print: report
                .small_print()
                .into_iter()
                .map(|(name, text)| (name, escape_control(&text).into_owned()))
                .collect(),
            queries: report
                .queries
                .iter()
                .map(|query| Query {
                    name: query.name,
                    sql: visible_lines(&query.sql),
                })
                .collect(),
        }
    }
}

/// A statement keeps its line feeds and tabs.
fn visible_lines(sql: &str) -> String {
    let lines = sql
        .trim()
        .lines()
        .map(|line| escape_control(&line.replace('\t', "    ")).into_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn card(week: &Week, report: &Report) -> Card {
    let mut facts = Vec::new();
    if let Some((bad, allowed)) = week.budget(report.target) {
        facts.push(format!(
            "{} min bad, {} allowed",
            count(bad),
            count(allowed)
        ));
    }
    if let (Some(lower), Some(upper)) = (week.lower, week.upper)
        && percent_down(lower) != percent_down(upper)
    {
        facts.push(format!(
            "bounds {}–{}",
            percent_down(lower).trim_end_matches('%'),
            percent_down(upper)
        ));
    }
    facts.push(format!("{} covered", percent_down(week.coverage)));
    facts.push(format!("{} judged", percent_down(week.judged_share)));
    Card {
        week: escape_control(&week.week).into_owned(),
        days: time::days(week.start, week.end, report.tz),
        verdict: week.verdict.name(),
        symbol: week.verdict.symbol(),
        tone: week.verdict.name().to_lowercase(),
        uptime: week.uptime.map_or_else(|| "–".to_owned(), percent_down),
        gauge: charts::gauge(week, report.target),
        facts,
    }
}

fn incidents(report: &Report) -> Vec<Story> {
    let shown = longest(&report.incidents, STORIES_MAX, |incident| incident.minutes);
    let stories = shown.into_iter().zip(1..).map(|(incident, number)| {
        let mut facts = Vec::new();
        if incident.requests > 0 {
            facts.push(format!(
                "{} of {} bad",
                count(incident.bad),
                plural(incident.requests, "request")
            ));
        }
        Story {
            id: format!("incident-{number}"),
            class: incident.kind.name(),
            symbol: incident.kind.symbol(),
            name: incident.kind.name().to_owned(),
            when: time::span(incident.start, incident.end, report.tz),
            lasted: minutes(incident.minutes),
            facts,
            evidence: evidence(&incident.evidence).into_owned(),
        }
    });
    stories.collect()
}

fn spikes(report: &Report) -> Vec<Story> {
    let shown = longest(&report.spikes, STORIES_MAX, |spike| spike.bad);
    let stories = shown.into_iter().zip(1..).map(|(spike, number)| {
        let mut facts = vec![
            format!(
                "{} bad, usual {}",
                percent(spike.rate),
                percent(spike.baseline)
            ),
            format!(
                "{} of {}",
                count(spike.bad),
                plural(spike.requests, "request")
            ),
        ];
        facts.extend(spike.top_status.map(|status| format!("mostly {status}")));
        let evidence = match spike.top_client.as_deref() {
            Some(client) if spike.single_client => {
                format!(
                    "Nearly all of it from a single client, {}: not an outage.",
                    escape_control(client)
                )
            }
            _ => String::new(),
        };
        Story {
            id: format!("spike-{number}"),
            class: if spike.single_client {
                "alone"
            } else {
                "spike"
            },
            symbol: "▲",
            name: escape_control(&spike.place()).into_owned(),
            when: time::span(spike.start, spike.end, report.tz),
            lasted: minutes((spike.end.0 - spike.start.0) / time::MINUTE_US),
            facts,
            evidence,
        }
    });
    stories.collect()
}

impl Table {
    /// Headings: one that starts with `#` is of numbers, with `~` of long text.
    fn new(caption: &'static str, heads: &[&'static str]) -> Self {
        let heads = heads.iter().map(|&text| match text.split_at_checked(1) {
            Some(("#", text)) => Head { text, class: "num" },
            Some(("~", text)) => Head {
                text,
                class: "long",
            },
            _ => Head { text, class: "" },
        });
        Self {
            caption,
            heads: heads.collect(),
            rows: Vec::new(),
            left: String::new(),
        }
    }

    fn row<const COLUMNS: usize>(&mut self, cells: [Cell; COLUMNS]) {
        let cells = cells.into_iter().zip(&self.heads).map(|(cell, head)| {
            let class = if cell.class.is_empty() {
                head.class
            } else {
                cell.class
            };
            Cell { class, ..cell }
        });
        let cells = cells.collect();
        self.rows.push(cells);
    }

    fn left(mut self, rows: usize) -> Self {
        if rows > self.rows.len() {
            self.left = format!(
                "… and {} more",
                count(i64::try_from(rows - self.rows.len()).unwrap_or(i64::MAX))
            );
        }
        self
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

/// Text from a log.
fn text(text: &str) -> Cell {
    escape_control(text).into()
}

fn optional(value: Option<&str>) -> Cell {
    value.map_or_else(
        || Cell {
            text: "∅".to_owned(),
            class: "dim",
            bar: None,
        },
        text,
    )
}

fn dash(value: Option<f64>, show: impl Fn(f64) -> String) -> Cell {
    value.map_or_else(|| "–".to_owned(), show).into()
}

fn errors(number: i64) -> Cell {
    Cell {
        text: count(number),
        class: if number > 0 { "num bad" } else { "num" },
        bar: None,
    }
}

fn bar(share: f64) -> Cell {
    Cell {
        text: String::new(),
        class: "chart",
        bar: Some(across(share.clamp(0.0, 1.0))),
    }
}

fn weeks(report: &Report) -> Table {
    let heads = [
        "week",
        "verdict",
        "#uptime",
        "#lower",
        "#upper",
        "#covered",
        "#judged",
        "#up",
        "#degraded",
        "#down",
        "#doubtful",
        "#idle",
        "#maintenance",
        "#not covered",
        "#requests",
        "#by people",
    ];
    let mut table = Table::new(
        "Minutes of each week by state, and the good share of requests",
        &heads,
    );
    for week in &report.weeks {
        table.row([
            text(&week.week),
            format!("{} {}", week.verdict.symbol(), week.verdict.name()).into(),
            dash(week.uptime, percent_down),
            dash(week.lower, percent_down),
            dash(week.upper, percent_down),
            percent_down(week.coverage).into(),
            percent_down(week.judged_share).into(),
            count(week.up).into(),
            count(week.degraded).into(),
            errors(week.down),
            count(week.suspect).into(),
            count(week.idle).into(),
            count(week.maint).into(),
            count(week.uncovered).into(),
            dash(week.request_ratio, percent_down),
            dash(week.request_ratio_people, percent_down),
        ]);
    }
    table
}

fn classes(report: &Report) -> Table {
    let mut table = Table::new(
        "Requests by class of client",
        &[
            "class",
            "#requests",
            "#share",
            "",
            "#clients",
            "#bad",
            "#bytes",
        ],
    );
    for class in &report.classes {
        let name = Cell {
            class: if class.class == HUMAN { "strong" } else { "" },
            ..text(&class.class)
        };
        table.row([
            name,
            count(class.requests).into(),
            percent(class.share).into(),
            bar(class.share),
            count(class.clients).into(),
            errors(class.bad),
            bytes(class.bytes).into(),
        ]);
    }
    table
}

fn bots(report: &Report) -> Table {
    let heads = [
        "client",
        "class",
        "~rule",
        "#requests",
        "#bad",
        "first",
        "last",
        "~agent",
    ];
    let mut table = Table::new("Clients that are no people, most requests first", &heads);
    for bot in report.bots.iter().take(ROWS_MAX) {
        table.row([
            optional(bot.client.as_deref()),
            text(&bot.class),
            text(&bot.rule),
            count(bot.requests).into(),
            errors(bot.bad),
            bot.first.minute(report.tz).into(),
            bot.last.minute(report.tz).into(),
            optional(bot.http_user_agent.as_deref()),
        ]);
    }
    table.left(report.bots.len())
}

fn traffic(report: &Report) -> Table {
    let heads = [
        "day",
        "#requests",
        "#people",
        "#bots",
        "#visitors",
        "#errors",
        "#bytes",
    ];
    let mut table = Table::new("Requests by day", &heads);
    for day in &report.traffic {
        table.row([
            day.day.format("%a %Y-%m-%d").to_string().into(),
            count(day.requests).into(),
            count(day.people).into(),
            count(day.bots).into(),
            count(day.visitors).into(),
            errors(day.errors),
            bytes(day.bytes).into(),
        ]);
    }
    table
}

fn statuses(report: &Report) -> Table {
    let mut table = Table::new(
        "Requests by status",
        &["status", "#requests", "#share", "", "#bytes"],
    );
    for row in report.statuses.iter().take(ROWS_MAX) {
        let status = row
            .status
            .map_or_else(|| "∅".to_owned(), |status| format!("{status:03}"));
        let class = if row.status >= Some(500) { "bad" } else { "" };
        table.row([
            Cell {
                text: status,
                class,
                bar: None,
            },
            count(row.requests).into(),
            percent(row.share).into(),
            bar(row.share),
            bytes(row.bytes).into(),
        ]);
    }
    table.left(report.statuses.len())
}

fn paths(report: &Report) -> Table {
    let mut table = Table::new(
        "The paths asked for most",
        &["~path", "#requests", "#people", "#errors", "#bytes", "#p95"],
    );
    for row in report.paths.iter().take(ROWS_MAX) {
        table.row([
            optional(row.path.as_deref()),
            count(row.requests).into(),
            count(row.people).into(),
            errors(row.errors),
            bytes(row.bytes).into(),
            dash(row.p95_s, |seconds| format!("{seconds:.3} s")),
        ]);
    }
    table.left(report.paths.len())
}

fn clients(report: &Report) -> Table {
    let mut table = Table::new(
        "The clients that asked most",
        &[
            "client",
            "class",
            "#requests",
            "#errors",
            "#bytes",
            "~agent",
        ],
    );
    for row in report.clients.iter().take(ROWS_MAX) {
        table.row([
            optional(row.client.as_deref()),
            text(&row.class),
            count(row.requests).into(),
            errors(row.errors),
            bytes(row.bytes).into(),
            optional(row.http_user_agent.as_deref()),
        ]);
    }
    table.left(report.clients.len())
}
