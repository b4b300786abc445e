//! The report for a terminal: the verdict first, the small print last.

use chrono::{Datelike, NaiveDate};

use crate::charts::picture_in_text;
use crate::grid::{Cell, Grid, Heading};
use crate::model::{HUMAN, IncidentKind, Report, State, Traffic, Verdict, Week, length, ratio};
use crate::panel::{ERROR_SPIKES, INCIDENTS, Panel, SMALL_PRINT, TRAFFIC, UPTIME, Unit, WHO_CAME};
use crate::text::{
    Style, Tone, bar, bytes, count, cut, escape_control, minutes, percent, percent_down,
    percent_target, plural, width, wrap,
};
use crate::time::{self, week_name};
use crate::timeline::{DayStrip, day_strips};
use crate::words::evidence;

/// Columns of running text, however wide the terminal is: longer lines are hard to read.
const PROSE_WIDTH: usize = 100;

/// Rows of each list; the other formats and `floodmark query` have the rest.
const ROWS_MAX: usize = 10;

/// Columns of a panel's heading, which its query names.
const HEADING_WIDTH: usize = 20;

/// Columns of a line's name and numbers beside its picture.
const LINE_TEXT_WIDTH: usize = 30;

/// Days that are listed one by one; a longer window is listed by weeks.
const DAYS_MAX: usize = 14;

/// Columns of a bar that shows a share.
const BAR_WIDTH: usize = 20;

impl Report {
    /// The report as text; fits `style.width` columns, whatever the logs hold.
    #[must_use]
    pub fn terminal(&self, style: Style) -> String {
        let page = Page {
            report: self,
            style,
        };
        let sections = [
            page.head(),
            page.weeks(),
            page.placed(UPTIME),
            page.incidents(),
            page.placed(INCIDENTS),
            page.spikes(),
            page.placed(ERROR_SPIKES),
            page.bots(),
            page.placed(WHO_CAME),
            page.traffic(),
            page.placed(TRAFFIC),
            page.panels(),
            page.small_print(),
            page.placed(SMALL_PRINT),
        ];
        sections
            .into_iter()
            .filter(|section| !section.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

struct Page<'report> {
    report: &'report Report,
    style: Style,
}

impl Page<'_> {
    /// Columns of running text.
    fn prose_width(&self) -> usize {
        self.style.width.min(PROSE_WIDTH)
    }

    fn title(&self, title: &str, remark: &str) -> String {
        let remark = cut(remark, self.style.width.saturating_sub(width(title) + 2));
        let line = format!(
            "{}  {}",
            self.style.paint(Tone::Strong, title),
            self.style.paint(Tone::Dim, &remark)
        );
        format!("{}\n", line.trim_end())
    }

    /// Text in lines, the first after `first`, the others indented as deep.
    fn paragraph(&self, first: &str, text: &str, tone: Tone) -> String {
        self.labelled((first, Tone::Plain), text, tone)
    }

    fn labelled(&self, (first, first_tone): (&str, Tone), text: &str, tone: Tone) -> String {
        let indent = width(first);
        let lines = wrap(text, self.prose_width().saturating_sub(indent));
        let mut out = String::new();
        for (index, line) in lines.iter().enumerate() {
            let start = if index == 0 {
                self.style.paint(first_tone, first)
            } else {
                " ".repeat(indent)
            };
            out.push_str(&format!("{start}{}\n", self.style.paint(tone, line)));
        }
        out
    }

    fn head(&self) -> String {
        let report = self.report;
        let sources = match report.sources.as_slice() {
            [] => String::new(),
            [one] => format!(" · {}", escape_control(one)),
            many => format!(" · {}", plural(length(many), "source")),
        };
        let line = format!("Floodmark report · {}{sources}", report.window());
        let mut out = format!(
            "{}\n\n",
            self.style
                .paint(Tone::Strong, &cut(&line, self.style.width))
        );
        let verdict = report.verdict();
        let label = format!("{} {}", verdict.symbol(), verdict.name());
        let text = report.summary().join(" ");
        out.push_str(&format!(
            "  {}\n",
            self.style.paint(verdict_tone(verdict), &label)
        ));
        out.push_str(&self.paragraph("  ", &text, Tone::Plain));
        out
    }

    fn weeks(&self) -> String {
        let report = self.report;
        let mut out = self.title(
            "UPTIME",
            &format!("against {} per week", percent_target(report.target)),
        );
        if report.weeks.is_empty() {
            return out + &self.paragraph("  ", "no week in this window", Tone::Dim);
        }
        let strips = day_strips(&report.minutes, report.tz);
        let mut grid = Grid::new([
            Heading::text("week").shrink(8),
            Heading::text("verdict"),
            Heading::number("uptime"),
            Heading::text("bounds").rank(1),
            Heading::number("covered").rank(2),
            Heading::text("M T W T F S S").rank(3),
            Heading::number("judged").rank(4),
            Heading::number("requests").rank(5),
            Heading::number("people").rank(6),
        ]);
        for week in &report.weeks {
            let tone = verdict_tone(week.verdict);
            grid.row([
                Cell::from(escape_control(&week.week)),
                Cell::toned(
                    format!("{} {}", week.verdict.symbol(), week.verdict.name()),
                    tone,
                ),
                Cell::toned(or_dash(week.uptime, percent_down), tone),
                bounds(week).into(),
                percent_down(week.coverage).into(),
                day_symbols(week, &strips).into(),
                percent_down(week.judged_share).into(),
                or_dash(week.request_ratio, percent_down).into(),
                or_dash(week.request_ratio_people, percent_down).into(),
            ]);
        }
        out.push_str(&grid.draw(self.style));
        out + &self.paragraph("  ", LEGEND, Tone::Dim)
    }

    fn incidents(&self) -> String {
        let report = self.report;
        let remark = match report.incidents.len() {
            0 => String::new(),
            shown if shown > 2 * ROWS_MAX => format!(
                "the {} longest of {}",
                2 * ROWS_MAX,
                count(length(&report.incidents))
            ),
            _ => plural(length(&report.incidents), "incident"),
        };
        let mut out = self.title("INCIDENTS", &remark);
        if report.incidents.is_empty() {
            return out + &self.paragraph("  ", "none", Tone::Dim);
        }
        for incident in longest(&report.incidents, 2 * ROWS_MAX, |incident| incident.minutes) {
            let tone = match incident.kind {
                IncidentKind::Outage => Tone::Bad,
                IncidentKind::Degraded => Tone::Warn,
                IncidentKind::Gap => Tone::Dim,
            };
            let failed = match incident.requests {
                0 => String::new(),
                requests => format!(
                    " · {} of {} bad",
                    count(incident.bad),
                    plural(requests, "request")
                ),
            };
            let when = time::span(incident.start, incident.end, report.tz);
            let label = format!("  {} {:<8}  ", incident.kind.symbol(), incident.kind.name());
            let facts = format!("{when} · {}{failed}", minutes(incident.minutes));
            out.push_str(&self.labelled((&label, tone), &facts, Tone::Plain));
            out.push_str(&self.paragraph(
                "              ",
                &evidence(&incident.evidence),
                Tone::Dim,
            ));
        }
        out
    }

    fn spikes(&self) -> String {
        let report = self.report;
        let remark = match report.spikes.len() {
            0 => String::new(),
            shown if shown > 2 * ROWS_MAX => format!(
                "the {} worst of {}",
                2 * ROWS_MAX,
                count(length(&report.spikes))
            ),
            _ => "share of bad requests, beside what is usual".to_owned(),
        };
        let mut out = self.title("ERROR SPIKES", &remark);
        if report.spikes.is_empty() {
            return out + &self.paragraph("  ", "none", Tone::Dim);
        }
        for spike in longest(&report.spikes, 2 * ROWS_MAX, |spike| spike.bad) {
            let when = time::span(spike.start, spike.end, report.tz);
            let failed = format!(
                "{} of {} bad",
                count(spike.bad),
                plural(spike.requests, "request")
            );
            let rate = format!(
                "{} (usual {})",
                percent(spike.rate),
                percent(spike.baseline)
            );
            let tone = if spike.single_client {
                Tone::Plain
            } else {
                Tone::Warn
            };
            out.push_str(&self.labelled(
                ("  ▲ ", tone),
                &format!("{when} · {rate} · {failed}"),
                Tone::Plain,
            ));
            let mut detail = escape_control(&spike.place()).into_owned();
            if let Some(status) = spike.top_status {
                detail.push_str(&format!(" · mostly {status}"));
            }
            if let Some(client) = spike.top_client.as_deref().filter(|_| spike.single_client) {
                detail.push_str(&format!(
                    " · single client {}: not an outage",
                    escape_control(client)
                ));
            }
            out.push_str(&self.paragraph("    ", &detail, Tone::Dim));
        }
        out
    }

    fn bots(&self) -> String {
        let report = self.report;
        let mut out = self.title("WHO CAME", "requests by class of client");
        if report.classes.is_empty() {
            return out + &self.paragraph("  ", "no requests", Tone::Dim);
        }
        let mut grid = Grid::new([
            Heading::text("class").shrink(8),
            Heading::number("requests"),
            Heading::number("share").rank(1),
            Heading::number("clients").rank(2),
            Heading::number("bad").rank(3),
            Heading::number("bytes").rank(4),
            Heading::text("").rank(5),
        ]);
        for class in &report.classes {
            let tone = if class.class == HUMAN {
                Tone::Good
            } else {
                Tone::Plain
            };
            grid.row([
                Cell::toned(escape_control(&class.class), tone),
                count(class.requests).into(),
                percent(class.share).into(),
                count(class.clients).into(),
                count(class.bad).into(),
                bytes(class.bytes).into(),
                Cell::toned(bar(class.share, BAR_WIDTH), tone),
            ]);
        }
        out.push_str(&grid.draw(self.style));
        if report.bots.is_empty() {
            return out;
        }
        out.push('\n');
        let mut grid = Grid::new([
            Heading::text("bot").shrink(12),
            Heading::text("class").shrink(6),
            Heading::number("requests"),
            Heading::number("bad").rank(2),
            Heading::text("rule").shrink(8).rank(1),
            Heading::text("agent").shrink(12).rank(3),
        ]);
        for bot in report.bots.iter().take(ROWS_MAX) {
            grid.row([
                bot.client
                    .as_deref()
                    .map_or_else(missing, |client| escape_control(client).into()),
                escape_control(&bot.class).into(),
                count(bot.requests).into(),
                count(bot.bad).into(),
                escape_control(&bot.rule).into(),
                agent(bot.http_user_agent.as_deref()),
            ]);
        }
        out.push_str(&grid.draw(self.style));
        out + &self.more(report.bots.len())
    }

    fn traffic(&self) -> String {
        let report = self.report;
        if report.traffic.is_empty() {
            return self.title("TRAFFIC", "") + &self.paragraph("  ", "no requests", Tone::Dim);
        }
        let daily = report.traffic.len() <= DAYS_MAX;
        let rows: Vec<(String, Traffic)> = if daily {
            let name = |day: NaiveDate| day.format("%a %Y-%m-%d").to_string();
            report
                .traffic
                .iter()
                .map(|day| (name(day.day), day.clone()))
                .collect()
        } else {
            weekly(&report.traffic)
        };
        let most = rows.iter().map(|(_, row)| row.requests).max().unwrap_or(0);
        let mut out = self.title("TRAFFIC", if daily { "per day" } else { "per week" });
        let mut grid = Grid::new([
            Heading::text(if daily { "day" } else { "week" }),
            Heading::number("requests"),
            Heading::number("people").rank(1),
            Heading::number("bots").rank(2),
            Heading::number("errors").rank(3),
            Heading::number("bytes").rank(4),
            Heading::text("").rank(6),
            Heading::number(if daily { "visitors" } else { "" }).rank(5),
        ]);
        for (name, row) in &rows {
            grid.row([
                name.as_str().into(),
                count(row.requests).into(),
                count(row.people).into(),
                count(row.bots).into(),
                Cell::toned(
                    count(row.errors),
                    if row.errors > 0 {
                        Tone::Warn
                    } else {
                        Tone::Plain
                    },
                ),
                bytes(row.bytes).into(),
                bar(ratio(row.requests, most), BAR_WIDTH).into(),
                if daily {
                    count(row.visitors).into()
                } else {
                    Cell::default()
                },
            ]);
        }
        out.push_str(&grid.draw(self.style));
        out
    }

    /// The panels of a section that every report has.
    fn placed(&self, section: &str) -> String {
        let panels = self.report.panels.iter();
        let panels = panels.filter(|panel| panel.section == section);
        panels
            .map(|panel| self.panel(panel))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The other panels, each section under its heading.
    fn panels(&self) -> String {
        let mut sections = Vec::new();
        let mut section = "";
        for panel in self.report.panels.iter().filter(|panel| !panel.is_placed()) {
            let mut out = String::new();
            if panel.section != section {
                section = &panel.section;
                let title = escape_control(section).to_uppercase();
                out.push_str(&self.title(&cut(&title, self.style.width), ""));
            }
            sections.push(out + &self.panel(panel));
        }
        sections.join("\n")
    }

    fn panel(&self, panel: &Panel) -> String {
        let (said, tone) = match &panel.none {
            Some(none) if panel.failed => (none, Tone::Bad),
            Some(none) => (none, Tone::Dim),
            None => (&panel.question, Tone::Dim),
        };
        let said = format!("{}: {}", escape_control(&panel.title), escape_control(said));
        let mut out = self.paragraph("  ", &said, tone);
        if panel.none.is_some() {
            return out;
        }
        let cells = self.prose_width().saturating_sub(LINE_TEXT_WIDTH);
        if let Some(lines) = picture_in_text(panel, cells, self.report.tz) {
            for line in lines {
                out.push_str(&format!(
                    "  {}\n",
                    cut(&line, self.style.width.saturating_sub(2))
                ));
            }
            return out;
        }
        let headings = panel.columns.iter().zip(0_u8..).map(|(column, index)| {
            let title = cut(&escape_control(&Panel::heading(column)), HEADING_WIDTH).into_owned();
            match panel.is_number(usize::from(index)) {
                true => Heading::number(title).rank(index.saturating_sub(1)),
                false if index == 0 => Heading::text(title).shrink(8),
                false => Heading::text(title).shrink(8).rank(index),
            }
        });
        let mut grid = Grid::new(headings);
        for row in panel.rows.iter().take(ROWS_MAX) {
            let cells = row.iter().zip(&panel.columns);
            grid.row(cells.map(|(value, column)| {
                let unit = Unit::of(column);
                let number = value.number().unwrap_or_default();
                let is_bad =
                    unit == Unit::Bad && number > 0.0 || unit == Unit::Status && number >= 500.0;
                let tone = if is_bad { Tone::Warn } else { Tone::Plain };
                match value.show(unit, self.report.tz) {
                    Some(text) => Cell::toned(escape_control(&text), tone),
                    None => missing(),
                }
            }));
        }
        out.push_str(&grid.draw(self.style));
        out + &self.more(panel.rows.len())
    }

    /// How many rows are not shown.
    fn more(&self, rows: usize) -> String {
        match i64::try_from(rows.saturating_sub(ROWS_MAX)) {
            Ok(0) | Err(_) => String::new(),
            Ok(more) => self.paragraph("  ", &format!("… and {} more", count(more)), Tone::Dim),
        }
    }

    fn small_print(&self) -> String {
        let report = self.report;
        let mut out = self.title("SMALL PRINT", "");
        for (name, text) in report.small_print() {
            out.push_str(&self.paragraph(
                &format!("  {name:<9} "),
                &escape_control(&text),
                Tone::Dim,
            ));
        }
        out
    }
}

/// What the symbols of a week's days mean.
const LEGEND: &str = "days: █ up, ▄ some minutes down or degraded, ✘ down for over 5 %, ? doubtful, · idle, ░ not or partly covered, m maintenance";

fn verdict_tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Fail => Tone::Bad,
        Verdict::Undetermined => Tone::Warn,
    }
}

fn bounds(week: &Week) -> String {
    match (week.lower, week.upper) {
        (Some(lower), Some(upper)) if percent_down(lower) == percent_down(upper) => {
            "exact".to_owned()
        }
        (Some(lower), Some(upper)) => format!(
            "{}–{}",
            percent_down(lower).trim_end_matches('%'),
            percent_down(upper)
        ),
        _ => "–".to_owned(),
    }
}

/// A symbol for each day of the week, Monday first.
fn day_symbols(week: &Week, strips: &[DayStrip]) -> String {
    let mut symbols = [" "; 7];
    for strip in strips
        .iter()
        .filter(|strip| week_name(strip.day) == week.week)
    {
        let index = strip.day.weekday().num_days_from_monday();
        if let Some(symbol) = usize::try_from(index)
            .ok()
            .and_then(|index| symbols.get_mut(index))
        {
            *symbol = match strip.mood() {
                State::Up => "█",
                State::Degraded => "▄",
                State::Down => "✘",
                State::Suspect => "?",
                State::Idle => "·",
                State::Uncovered => "░",
                State::Maint => "m",
            };
        }
    }
    symbols.join(" ")
}

/// The rows with the highest `weight`, in their own order.
pub(crate) fn longest<T>(rows: &[T], rows_max: usize, weight: impl Fn(&T) -> i64) -> Vec<&T> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(weight(&rows[index])), index));
    order.truncate(rows_max);
    order.sort_unstable();
    order.into_iter().map(|index| &rows[index]).collect()
}

/// Days added up to ISO weeks.
fn weekly(days: &[Traffic]) -> Vec<(String, Traffic)> {
    let mut weeks: Vec<(String, Traffic)> = Vec::new();
    for day in days {
        let name = week_name(day.day);
        match weeks.last_mut().filter(|(last, _)| *last == name) {
            Some((_, week)) => {
                week.requests += day.requests;
                week.people += day.people;
                week.bots += day.bots;
                week.errors += day.errors;
                week.bytes += day.bytes;
            }
            None => weeks.push((name, day.clone())),
        }
    }
    weeks
}

fn agent(agent: Option<&str>) -> Cell {
    agent.map_or_else(missing, |agent| {
        Cell::toned(escape_control(agent), Tone::Dim)
    })
}

fn missing() -> Cell {
    Cell::toned("∅", Tone::Dim)
}

fn or_dash(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), show)
}
