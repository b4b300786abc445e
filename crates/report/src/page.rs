//! The HTML page as its template sees it: text ready to be shown, not yet escaped as HTML.

use serde::Serialize;

use floodmark_query::ChartKind;

use crate::calendar::{self, Calendar, Gauge};
use crate::charts::{self, Chart, Heat, across, incident_id};
use crate::model::{HUMAN, Incident, Report, Week, length};
use crate::panel::{Panel, Unit, Value};
use crate::terminal::longest;
use crate::text::{
    bytes, count, escape_control, minutes, percent, percent_down, percent_target, plural,
};
use crate::time;
use crate::words::evidence;

/// Rows of each list; `floodmark query` has the rest.
const ROWS_MAX: usize = 25;

/// Rows of a panel, and of one whose rows are the points of a picture.
const PANEL_ROWS_MAX: usize = 10;
const POINTS_MAX: usize = 200;

/// Days among which a range may be chosen: ten years, 90 kB.
const DAYS_MAX: usize = 3653;

/// Incidents and spikes told.
const STORIES_MAX: usize = 200;

/// Weeks that have a card of their own: five, and the one that a window of five weeks also touches.
const CARDS_MAX: usize = 6;

#[derive(Debug, Serialize)]
pub(crate) struct Page {
    title: String,
    window: String,
    since_ms: i64,
    until_ms: i64,
    /// The days of the window in its zone, each with its first moment: `2026-11-16:1794960000000 …`.
    days: String,
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
    spikes: Vec<Story>,
    spikes_left: String,
    classes: Table,
    bots: Table,
    request_chart: Option<Chart>,
    traffic: Table,
    placed: Vec<Section>,
    sections: Vec<Section>,
    small_print: Vec<(&'static str, String)>,
    queries: Vec<Query>,
}

#[derive(Debug, Serialize)]
struct Query {
    name: String,
    sql: String,
}

/// Panels that stand together.
#[derive(Debug, Serialize)]
struct Section {
    name: String,
    id: String,
    panels: Vec<Drawn>,
}

/// A panel as it is drawn.
#[derive(Debug, Serialize)]
struct Drawn {
    query: String,
    title: String,
    question: String,
    chart: Option<Chart>,
    heat: Option<Heat>,
    table: Table,
    /// Why there is no table.
    none: Option<String>,
    failed: bool,
    /// Whether it needs the whole width.
    wide: bool,
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
    since_ms: i64,
    until_ms: i64,
    lasted: String,
    facts: Vec<String>,
    evidence: String,
}

#[derive(Debug, Serialize)]
struct Table {
    caption: String,
    heads: Vec<Head>,
    rows: Vec<Vec<Cell>>,
    left: String,
}

#[derive(Debug, Serialize)]
struct Head {
    text: String,
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
            since_ms: report.since.0 / 1000,
            until_ms: report.until.0 / 1000,
            days: days(report),
            target: percent_target(report.target),
            verdict: verdict.name(),
            symbol: verdict.symbol(),
            tone: verdict.name().to_lowercase(),
            summary: report.summary(),
            cards: cards.map(|week| card(week, report)).collect(),
            calendar: calendar::calendar(report),
            weeks: weeks(report),
            incidents_left: stories(incidents.len(), report.incidents.len(), "shorter one"),
            incidents,
            spikes_left: stories(spikes.len(), report.spikes.len(), "smaller one"),
            spikes,
            classes: classes(report),
            bots: bots(report),
            request_chart: charts::requests(report),
            traffic: traffic(report),
            placed: sections(report, Panel::is_placed),
            sections: sections(report, |panel| !panel.is_placed()),
            small_print: report
                .small_print()
                .into_iter()
                .map(|(name, text)| (name, escape_control(&text).into_owned()))
                .collect(),
            queries: report
                .queries
                .iter()
                .map(|query| Query {
                    name: query.name.clone(),
                    sql: visible_lines(&query.sql),
                })
                .collect(),
        }
    }
}

fn days(report: &Report) -> String {
    let first = report.since.day(report.tz);
    let days = first
        .iter_days()
        .map(|day| (day, time::day_start(day, report.tz)));
    let days = days.take_while(|&(_, start)| start < report.until);
    let days = days.map(|(day, start)| format!("{day}:{}", start.0 / 1000));
    days.take(DAYS_MAX).collect::<Vec<_>>().join(" ")
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
        facts.push(match allowed - bad {
            left @ 0.. => format!("{} min of the budget left", count(left)),
            over => format!("{} min over the budget", count(-over)),
        });
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
        gauge: calendar::gauge(week, report.target),
        facts,
    }
}

fn incidents(report: &Report) -> Vec<Story> {
    let numbered: Vec<(usize, &Incident)> = report.incidents.iter().enumerate().collect();
    let shown = longest(&numbered, STORIES_MAX, |(_, incident)| incident.minutes);
    let stories = shown.into_iter().map(|&(index, incident)| {
        let mut facts = Vec::new();
        if incident.requests > 0 {
            facts.push(format!(
                "{} of {} bad",
                count(incident.bad),
                plural(incident.requests, "request")
            ));
        }
        Story {
            id: incident_id(index),
            class: incident.kind.name(),
            symbol: incident.kind.symbol(),
            name: incident.kind.name().to_owned(),
            when: time::span(incident.start, incident.end, report.tz),
            since_ms: incident.start.0 / 1000,
            until_ms: incident.end.0 / 1000,
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
            since_ms: spike.start.0 / 1000,
            until_ms: spike.end.0 / 1000,
            lasted: minutes((spike.end.0 - spike.start.0) / time::MINUTE_US),
            facts,
            evidence,
        }
    });
    stories.collect()
}

impl Table {
    /// Headings: one that starts with `#` is of numbers, with `~` of long text.
    fn new(caption: &str, heads: &[&'static str]) -> Self {
        let heads = heads.iter().map(|&text| {
            let (text, class) = match text.split_at_checked(1) {
                Some(("#", text)) => (text, "num"),
                Some(("~", text)) => (text, "long"),
                _ => (text, ""),
            };
            Head {
                text: text.to_owned(),
                class,
            }
        });
        Self {
            caption: caption.to_owned(),
            heads: heads.collect(),
            rows: Vec::new(),
            left: String::new(),
        }
    }

    fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
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
        "#unseen",
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
            count(week.unseen).into(),
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
        "#declared",
        "#fake",
        "#scanner",
        "#flood",
        "#robotic",
        "#package client",
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
            count(day.declared).into(),
            count(day.fake).into(),
            count(day.scanner).into(),
            count(day.flood).into(),
            count(day.robotic).into(),
            count(day.package_client).into(),
            count(day.visitors).into(),
            errors(day.errors),
            bytes(day.bytes).into(),
        ]);
    }
    table
}

/// The sections whose names are wanted, each with its panels.
fn sections(report: &Report, is_wanted: impl Fn(&Panel) -> bool) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let wanted = report.panels.iter();
    for panel in wanted.filter(|panel| is_wanted(panel)) {
        let name = escape_control(&panel.section);
        let at = sections.iter().position(|section| section.name == name);
        let at = at.unwrap_or_else(|| {
            sections.push(Section {
                id: name.to_lowercase().replace(' ', "-"),
                name: name.into_owned(),
                panels: Vec::new(),
            });
            sections.len() - 1
        });
        sections[at].panels.push(drawn(panel, report));
    }
    sections
}

fn drawn(panel: &Panel, report: &Report) -> Drawn {
    let (chart, heat) = (
        charts::panel_lines(report, panel),
        charts::panel_heat(report, panel),
    );
    let is_picture = chart.is_some() || heat.is_some();
    let rows_max = if is_picture {
        POINTS_MAX
    } else {
        PANEL_ROWS_MAX
    };
    let table = panel_table(panel, report, rows_max);
    let texts = table.heads.iter().filter(|head| head.class == "long");
    let wide = is_picture || table.heads.len() > 6 || texts.count() > 1;
    let escaped = |text: &String| escape_control(text).into_owned();
    Drawn {
        query: panel.name.clone(),
        title: escaped(&panel.title),
        question: escaped(&panel.question),
        chart,
        heat,
        table,
        none: panel.none.as_ref().map(escaped),
        failed: panel.failed,
        wide,
    }
}

/// The rows of a panel; beside the numbers that its header draws as bars, their bars.
fn panel_table(panel: &Panel, report: &Report, rows_max: usize) -> Table {
    let bars = panel.charted(ChartKind::Bar);
    let barred = bars.and_then(|columns| columns.get(1).copied());
    let mut table = Table::new(&escape_control(&panel.title), &[]);
    for (index, column) in panel.columns.iter().enumerate() {
        let is_long =
            |row: &Vec<Value>| matches!(&row[index], Value::Text(text) if text.len() > LONG);
        let class = match () {
            () if panel.is_number(index) => "num",
            () if panel.rows.iter().any(is_long) => "long",
            () => "",
        };
        table.heads.push(Head {
            text: escape_control(&Panel::heading(column)).into_owned(),
            class,
        });
        if barred == Some(index) {
            table.heads.push(Head {
                text: String::new(),
                class: "chart",
            });
        }
    }
    let numbers = |index: usize| panel.rows.iter().filter_map(move |row| row[index].number());
    let most = barred.map_or(0.0, |index| numbers(index).fold(0.0, f64::max));
    for row in panel.rows.iter().take(rows_max) {
        let mut cells = Vec::new();
        for (index, (value, column)) in row.iter().zip(&panel.columns).enumerate() {
            cells.push(panel_cell(value, Unit::of(column), report));
            if barred == Some(index) {
                cells.push(bar(value.number().map_or(0.0, |number| number / most)));
            }
        }
        table.row(cells);
    }
    table.left(panel.rows.len())
}

/// Text of more bytes may be broken into lines.
const LONG: usize = 28;

fn panel_cell(value: &Value, unit: Unit, report: &Report) -> Cell {
    let shown = value.show(unit, report.tz);
    let cell = optional(shown.as_deref());
    let number = value.number().unwrap_or_default();
    match unit {
        Unit::Bad if number > 0.0 => Cell {
            class: "num bad",
            ..cell
        },
        Unit::Status if number >= 500.0 => Cell {
            class: "bad",
            ..cell
        },
        _ => cell,
    }
}
