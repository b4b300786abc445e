//! The report for a chat or a pull request.

use crate::charts::picture_in_text;
use crate::model::{IncidentKind, Report};
use crate::panel::{ERROR_SPIKES, INCIDENTS, Panel, SMALL_PRINT, TRAFFIC, UPTIME, Unit, WHO_CAME};
use crate::terminal::longest;
use crate::text::{
    bytes, count, escape_control, minutes, percent, percent_down, percent_target, plural,
};
use crate::time;
use crate::words::evidence;

/// Rows of each list: a message is read on a phone.
const ROWS_MAX: usize = 10;

/// Characters of a line over time.
const LINE_CELLS: usize = 40;

impl Report {
    /// The report as Markdown (GitHub's tables).
    #[must_use]
    pub fn markdown(&self) -> String {
        let verdict = self.verdict();
        let mut out = format!(
            "## {} {}: Floodmark report, {}\n\n",
            verdict.symbol(),
            verdict.name(),
            cell(&self.window())
        );
        out.push_str(&cell(&self.summary().join(" ")));
        out.push_str(&format!(
            "\n\n### Uptime against {} per week\n\n",
            percent_target(self.target)
        ));
        self.weeks_table(&mut out);
        self.placed(UPTIME, &mut out);
        self.incident_table(&mut out);
        self.placed(INCIDENTS, &mut out);
        self.spike_table(&mut out);
        self.placed(ERROR_SPIKES, &mut out);
        self.bot_tables(&mut out);
        self.placed(WHO_CAME, &mut out);
        self.traffic_table(&mut out);
        self.placed(TRAFFIC, &mut out);
        self.panels(&mut out);
        out.push_str("### Small print\n\n");
        for (name, text) in self.small_print() {
            out.push_str(&format!("- {name}: {}\n", cell(&text)));
        }
        out.push('\n');
        self.placed(SMALL_PRINT, &mut out);
        out
    }

    fn weeks_table(&self, out: &mut String) {
        let mut table = Table::new(
            "week | verdict",
            "uptime | lower | upper | coverage | judged | requests | requests by people",
        );
        let share = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent_down);
        for week in &self.weeks {
            table.row([
                cell(&week.week),
                format!("{} {}", week.verdict.symbol(), week.verdict.name()),
                share(week.uptime),
                share(week.lower),
                share(week.upper),
                percent_down(week.coverage),
                percent_down(week.judged_share),
                share(week.request_ratio),
                share(week.request_ratio_people),
            ]);
        }
        out.push_str(&table.end());
    }

    fn incident_table(&self, out: &mut String) {
        out.push_str("### Incidents\n\n");
        let mut table = Table::new("when | what | evidence", "lasted | bad | requests");
        for incident in longest(&self.incidents, 2 * ROWS_MAX, |incident| incident.minutes) {
            let kind = match incident.kind {
                IncidentKind::Outage => "**outage**",
                kind => kind.name(),
            };
            table.row([
                time::span(incident.start, incident.end, self.tz),
                format!("{} {kind}", incident.kind.symbol()),
                cell(&evidence(&incident.evidence)),
                minutes(incident.minutes),
                count(incident.bad),
                count(incident.requests),
            ]);
        }
        out.push_str(&table.end());
        out.push_str(&more(self.incidents.len(), 2 * ROWS_MAX, "shorter one"));
    }

    fn spike_table(&self, out: &mut String) {
        out.push_str("### Error spikes\n\n");
        let mut table = Table::new("when | where | cause", "bad share | usual | bad | requests");
        for spike in longest(&self.spikes, 2 * ROWS_MAX, |spike| spike.bad) {
            let mut cause: Vec<String> = Vec::new();
            cause.extend(spike.top_status.map(|status| format!("mostly {status}")));
            if let Some(client) = spike.top_client.as_deref().filter(|_| spike.single_client) {
                cause.push(format!("single client {}", cell(client)));
            }
            table.row([
                time::span(spike.start, spike.end, self.tz),
                cell(&spike.place()),
                cause.join(", "),
                percent(spike.rate),
                percent(spike.baseline),
                count(spike.bad),
                count(spike.requests),
            ]);
        }
        out.push_str(&table.end());
        out.push_str(&more(self.spikes.len(), 2 * ROWS_MAX, "smaller one"));
    }

    fn bot_tables(&self, out: &mut String) {
        out.push_str("### Who came\n\n");
        let mut table = Table::new("class", "requests | share | clients | bad | bytes");
        for class in &self.classes {
            table.row([
                cell(&class.class),
                count(class.requests),
                percent(class.share),
                count(class.clients),
                count(class.bad),
                bytes(class.bytes),
            ]);
        }
        out.push_str(&table.end());
        let mut table = Table::new("bot | class | rule | agent", "requests | bad");
        for bot in self.bots.iter().take(ROWS_MAX) {
            table.row([
                optional(bot.client.as_deref()),
                cell(&bot.class),
                cell(&bot.rule),
                optional(bot.http_user_agent.as_deref()),
                count(bot.requests),
                count(bot.bad),
            ]);
        }
        out.push_str(&table.end());
        out.push_str(&more(self.bots.len(), ROWS_MAX, "other"));
    }

    fn traffic_table(&self, out: &mut String) {
        out.push_str("### Traffic\n\n");
        let mut table = Table::new(
            "day",
            "requests | people | bots | visitors | errors | bytes",
        );
        for day in &self.traffic {
            table.row([
                day.day.to_string(),
                count(day.requests),
                count(day.people),
                count(day.bots),
                count(day.visitors),
                count(day.errors),
                bytes(day.bytes),
            ]);
        }
        out.push_str(&table.end());
    }

    /// The panels of a section that every report has.
    fn placed(&self, section: &str, out: &mut String) {
        let panels = self.panels.iter();
        panels
            .filter(|panel| panel.section == section)
            .for_each(|panel| self.panel(panel, out));
    }

    /// The other panels, each section under its heading.
    fn panels(&self, out: &mut String) {
        let mut section = "";
        for panel in self.panels.iter().filter(|panel| !panel.is_placed()) {
            if panel.section != section {
                out.push_str(&format!("### {}\n\n", cell(&panel.section)));
            }
            section = &panel.section;
            self.panel(panel, out);
        }
    }

    fn panel(&self, panel: &Panel, out: &mut String) {
        out.push_str(&strong(&panel.title));
        match &panel.none {
            Some(none) => out.push_str(&format!(": {}\n\n", cell(none))),
            None => out.push_str(&format!("\n\n{}", self.panel_table(panel))),
        }
    }

    fn panel_table(&self, panel: &Panel) -> String {
        if let Some(lines) = picture_in_text(panel, LINE_CELLS, self.tz) {
            return format!("```\n{}\n```\n\n", lines.join("\n"));
        }
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let columns = || panel.columns.iter().enumerate();
        let mut out = line(
            columns()
                .map(|(_, name)| cell(&Panel::heading(name)))
                .collect(),
        );
        let rule = |(index, _)| match panel.is_number(index) {
            true => "---:".to_owned(),
            false => "---".to_owned(),
        };
        out.push_str(&line(columns().map(rule).collect()));
        for row in panel.rows.iter().take(ROWS_MAX) {
            let cells = row
                .iter()
                .zip(&panel.columns)
                .map(|(value, column)| optional(value.show(Unit::of(column), self.tz).as_deref()));
            out.push_str(&line(cells.collect()));
        }
        out.push('\n');
        out + &more(panel.rows.len(), ROWS_MAX, "more row")
    }
}

/// A table, words first, then numbers.
struct Table {
    text: String,
    rows: usize,
}

impl Table {
    fn new(words: &str, numbers: &str) -> Self {
        let rule = |headings: &str, rule: &str| vec![rule; headings.split('|').count()].join(" | ");
        let rules = format!("| {} | {} |", rule(words, "---"), rule(numbers, "---:"));
        Self {
            text: format!("| {words} | {numbers} |\n{rules}\n"),
            rows: 0,
        }
    }

    fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        self.text.push_str(&format!("| {} |\n", cells.join(" | ")));
        self.rows += 1;
    }

    fn end(self) -> String {
        if self.rows == 0 {
            "none\n\n".to_owned()
        } else {
            self.text + "\n"
        }
    }
}

fn more(rows: usize, shown: usize, noun: &str) -> String {
    match i64::try_from(rows.saturating_sub(shown)) {
        Ok(0) | Err(_) => String::new(),
        Ok(more) => format!("… and {}\n\n", plural(more, noun)),
    }
}

fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "∅".to_owned(), cell)
}

/// Text in bold, which Markdown has only between marks that touch it: `** **` is a line across the page.
fn strong(text: &str) -> String {
    match cell(text).trim() {
        "" => "**&nbsp;**".to_owned(),
        text => format!("**{text}**"),
    }
}

/// Text as a cell of a Markdown table: nothing in it is markup, a link, a mention or an end of the cell.
pub(crate) fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let escaped = escape_control(text);
    for c in escaped.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A mention would call a person. An entity is not undone before mentions are looked for, a backslash is.
            '@' => out.push_str("&#64;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' | '#' | '!' | '$' => {
                out.extend(['\\', c])
            }
            c => out.push(c),
        }
    }
    // A bare address becomes a link by its scheme.
    out.replace("://", ":&#47;/").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_cell_is_markup() {
        assert_eq!(cell("a|b`c\n<img src=x>"), r"a\|b\`c\\x0A&lt;img src=x&gt;");
        assert_eq!(
            cell("[x](http://evil.example) @everyone"),
            r"\[x\](http:&#47;/evil.example) &#64;everyone"
        );
        assert_eq!(cell("/cart/{id}"), "/cart/{id}");
    }
}
