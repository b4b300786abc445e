//! The screen itself: what is known, laid out in cells, at any size.
//!
//! What matters most stands first, so that a small terminal loses what matters least. Texts of the log are escaped here, whatever they hold.

use chrono::DateTime;
use chrono_tz::Tz;
use floodmark_report::escape_control;
use floodmark_traffic::histogram::RELATIVE_ERROR;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Row, Table as Rows, TableState, Wrap};

use super::counts::{DETAILED_MINUTES, Dimension};
use super::numbers::{bytes, percent, rate, seconds, span};
use super::theme::{Theme, Tone, state};
use super::view::{SortBy, Table, TableRow, View, minute_ms};
use crate::say::{counted, number};

/// Columns of the labels.
const LABEL: usize = 10;
/// Rows that the tables have, the last line of keys included, before the head has all of its lines.
const TABLES_MIN: u16 = 7;
/// From this width on two tables stand side by side.
const TWO_WIDE: u16 = 150;
/// From this height on two tables stand one above the other.
const TWO_HIGH: u16 = 24;
/// A text of the log is cut here: no screen is wider.
const TEXT_CHARS_MAX: usize = 600;

/// What is drawn beside the numbers.
#[derive(Debug)]
pub(super) struct Scene<'screen> {
    pub(super) view: &'screen View,
    pub(super) theme: Theme,
    pub(super) tz: Tz,
    /// The logs that are followed.
    pub(super) name: &'screen str,
    pub(super) is_paused: bool,
    /// What is being done that keeps numbers from being whole.
    pub(super) busy: Option<&'screen str>,
    pub(super) filter: Option<&'screen str>,
    pub(super) selected: Dimension,
    pub(super) row: usize,
    pub(super) sort_by: SortBy,
    pub(super) rejected: u64,
    /// Milliseconds since the epoch.
    pub(super) rotated_ms: Option<i64>,
    pub(super) message: Option<&'screen str>,
    /// What is being typed after `/`.
    pub(super) typing: Option<&'screen str>,
    pub(super) popup: Option<&'screen Popup>,
}

/// A text over the rest.
#[derive(Debug, Clone, Default)]
pub(super) struct Popup {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// Lines that were scrolled over.
    pub(super) from: usize,
    pub(super) wraps: bool,
}

/// The tables that have room on a terminal, and the one that is selected among them.
pub(super) fn tables(width: u16, height: u16, selected: Dimension) -> Vec<Dimension> {
    let (columns, rows) = grid(width, height.saturating_sub(head_lines(height)));
    let room = columns * rows;
    let first = selected as usize / room * room;
    Dimension::ALL
        .iter()
        .copied()
        .skip(first)
        .take(room)
        .collect()
}

fn grid(width: u16, height: u16) -> (usize, usize) {
    let two = |is_large| if is_large { 2 } else { 1 };
    (two(width >= TWO_WIDE), two(height >= TWO_HIGH))
}

/// Lines of the head: all but what the tables need.
fn head_lines(height: u16) -> u16 {
    const ALL: u16 = 10;
    ALL.min(height.saturating_sub(TABLES_MIN)).max(1)
}

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, scene: &Scene<'_>) {
    let area = frame.area();
    if area.is_empty() {
        return;
    }
    let [head, body, foot] = Layout::vertical([
        Constraint::Length(head_lines(area.height)),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(scene.head(area.width)), head);
    scene.draw_tables(frame, body);
    frame.render_widget(Paragraph::new(scene.foot(area.width)), foot);
    if let Some(popup) = scene.popup {
        scene.draw_popup(frame, popup, body.union(head));
    }
}

impl Scene<'_> {
    fn span<'text>(
        &self,
        tone: Tone,
        text: impl Into<std::borrow::Cow<'text, str>>,
    ) -> Span<'text> {
        Span::styled(text, self.theme.style(tone))
    }

    fn label(&self, label: &str) -> Span<'static> {
        self.span(Tone::Faint, format!("{label:<LABEL$} "))
    }

    /// The lines above the tables, the most important first.
    fn head(&self, width: u16) -> Vec<Line<'static>> {
        let view = self.view;
        let mut lines = vec![
            self.title(width),
            self.incident(),
            self.states(),
            self.strip(
                "requests",
                &view.per_minute,
                rate(view.rates[2]),
                "1 h",
                width,
            ),
            self.strip(
                "last 60 s",
                &view.per_second,
                rate(view.rates[0]),
                "now",
                width,
            ),
            self.errors(),
            self.times(),
            self.classes(),
            self.reading(),
        ];
        if let Some(filter) = self.filter {
            lines.insert(
                1,
                Line::from(vec![
                    self.label("only"),
                    self.span(Tone::Warn, shown(filter)),
                    self.span(Tone::Faint, "  (/ and Enter: all lines again)"),
                ]),
            );
        }
        lines
    }

    /// `UP  access.log          14:03:27 UTC`.
    fn title(&self, width: u16) -> Line<'static> {
        let view = self.view;
        let word = view.state.clone().unwrap_or_else(|| "NO DATA".to_owned());
        let (_, tone) = state(view.state.as_deref());
        let time = self.time(view.now_ms, "%H:%M:%S %Z");
        let paused = if self.is_paused { " PAUSED " } else { "" };
        let busy = self
            .busy
            .map_or_else(String::new, |busy| format!("  {busy}"));
        let mut line = Line::from(vec![
            Span::styled(format!(" {word} "), self.theme.badge(tone)),
            Span::raw(" "),
            self.span(Tone::Strong, shown(self.name)),
            self.span(Tone::Faint, busy),
        ]);
        let used = line.width() + paused.len() + time.len() + 1;
        let gap = usize::from(width).saturating_sub(used).max(1);
        line.push_span(Span::raw(" ".repeat(gap)));
        line.push_span(Span::styled(paused, self.theme.badge(Tone::Warn)));
        line.push_span(Span::raw(" "));
        line.push_span(Span::raw(time));
        line
    }

    /// What is broken: the incident that is open, else the last one.
    fn incident(&self) -> Line<'static> {
        let view = self.view;
        let label = self.label("incidents");
        let Some(incident) = view.incidents.first() else {
            let text = match view.is_judged {
                true if view.by_minutes => "none in 24 h, as far as minutes tell",
                true => "none in 24 h",
                false => "not judged yet",
            };
            return Line::from(vec![label, self.span(Tone::Faint, text)]);
        };
        let is_open = incident.end >= view.judged_until;
        let (start, end) = (self.minute(incident.start), self.minute(incident.end));
        let when = match is_open {
            true => format!(
                "open since {start}, {}",
                span(60 * (view.judged_until - incident.start))
            ),
            false => format!("over, {start} to {end}"),
        };
        let tone = if is_open { Tone::Bad } else { Tone::Plain };
        let mut text = format!(
            "{} {when}: {} of {} failed ({}{})",
            incident.kind,
            number(incident.bad),
            counted(incident.requests, "request"),
            incident.evidence,
            if view.by_minutes { ", by minutes" } else { "" }
        );
        if view.incidents.len() > 1 {
            text.push_str(&format!("; {} more in 24 h", view.incidents.len() - 1));
        }
        Line::from(vec![label, self.span(tone, shown(&text))])
    }

    fn states(&self) -> Line<'static> {
        let mut line = Line::from(vec![self.label("state")]);
        for minute in &self.view.states {
            let (glyph, tone) = state(minute.as_deref());
            line.push_span(self.span(tone, glyph));
        }
        let bad = self
            .view
            .states
            .iter()
            .flatten()
            .filter(|state| *state == "DOWN")
            .count();
        let text = match bad {
            0 => " 1 h".to_owned(),
            bad => format!(" {bad} down"),
        };
        line.push_span(self.span(Tone::Faint, text));
        line
    }

    /// Bars, and a rate; the highest bar's rate where there is room.
    fn strip(
        &self,
        label: &str,
        counts: &[u64],
        now: String,
        what: &str,
        width: u16,
    ) -> Line<'static> {
        let highest = counts.iter().copied().max().unwrap_or_default();
        let mut line = Line::from(vec![
            self.label(label),
            Span::raw(
                counts
                    .iter()
                    .map(|count| bar(*count, highest))
                    .collect::<String>(),
            ),
            Span::raw(" "),
            self.span(Tone::Strong, now),
        ]);
        if usize::from(width) > line.width() + what.len() {
            line.push_span(self.span(Tone::Faint, format!(" {what}")));
        }
        if what == "now" && width >= 100 {
            line.push_span(Span::raw(format!(", {}", rate(self.view.rates[1]))));
            line.push_span(self.span(Tone::Faint, " 1 min"));
        }
        line
    }

    /// `5xx 0.12 %, normal up to 0.60 %`.
    fn errors(&self) -> Line<'static> {
        let mut line = Line::from(vec![self.label("errors")]);
        for errors in self.view.errors {
            let Some(share) = errors.share else { continue };
            let is_above = errors.normal.is_some_and(|normal| share > normal);
            let tone = match (is_above, errors.name) {
                (true, "5xx") => Tone::Bad,
                (true, _) => Tone::Warn,
                (false, _) => Tone::Strong,
            };
            line.push_span(Span::raw(format!("{} ", errors.name)));
            line.push_span(self.span(tone, percent(share)));
            let normal = match errors.normal {
                Some(normal) if is_above => format!(" above the normal {}   ", percent(normal)),
                Some(normal) => format!(" normal up to {}   ", percent(normal)),
                None => format!(" {}   ", number(errors.count)),
            };
            line.push_span(self.span(Tone::Faint, normal));
        }
        if line.spans.len() == 1 {
            line.push_span(self.span(Tone::Faint, "no requests"));
        }
        line
    }

    fn times(&self) -> Line<'static> {
        let mut line = Line::from(vec![self.label("took")]);
        let Some(times) = self.view.times else {
            let text = match self.view.has_times {
                true => "no requests",
                false => "log $request_time to see how long requests take",
            };
            line.push_span(self.span(Tone::Faint, text));
            return line;
        };
        for (name, time) in ["p50", "p95", "p99"].iter().zip(times) {
            line.push_span(Span::raw(format!("{name} ")));
            line.push_span(self.span(Tone::Strong, seconds(time)));
            line.push_span(Span::raw("   "));
        }
        line.push_span(self.span(Tone::Faint, format!("±{}", percent(RELATIVE_ERROR))));
        line
    }

    fn classes(&self) -> Line<'static> {
        let mut line = Line::from(vec![self.label("who")]);
        for (class, share) in self.view.classes {
            let name = match class {
                "none" => "people",
                "declared" => "bots",
                "scanner" => "scanners",
                _ => "probes",
            };
            line.push_span(Span::raw(format!("{name} ")));
            line.push_span(self.span(Tone::Strong, percent(share)));
            line.push_span(Span::raw("   "));
        }
        line
    }

    /// How far behind everything is.
    fn reading(&self) -> Line<'static> {
        let view = self.view;
        let ago = |then_ms: i64| span((view.now_ms - then_ms).div_euclid(1_000));
        let mut parts = Vec::new();
        parts.push(match view.last_us {
            Some(last_us) => format!("last line {} ago", ago(last_us / 1_000)),
            None => "no line yet".to_owned(),
        });
        parts.push(match view.committed {
            Some(committed) => format!("lake {} ago", ago(committed.given_ms)),
            None => "lake not written yet".to_owned(),
        });
        parts.push(counted(self.rejected, "reject"));
        parts.push(match self.rotated_ms {
            Some(rotated) => format!("rotated {}", self.time(rotated, "%H:%M:%S")),
            None => "no rotation seen".to_owned(),
        });
        let tone = if self.rejected > 0 {
            Tone::Plain
        } else {
            Tone::Faint
        };
        Line::from(vec![self.label("read"), self.span(tone, parts.join(" · "))])
    }

    fn foot(&self, width: u16) -> Line<'static> {
        if let Some(typing) = self.typing {
            return Line::from(vec![
                self.span(Tone::Strong, "only: "),
                Span::raw(shown(typing)),
                Span::styled(" ", self.theme.selected()),
                self.span(
                    Tone::Faint,
                    " path, status, 5xx, address, agent, or a condition of SQL",
                ),
            ]);
        }
        if let Some(message) = self.message {
            let first = message.lines().next().unwrap_or_default();
            return Line::from(vec![
                self.span(Tone::Strong, "m "),
                self.span(Tone::Warn, shown(first)),
            ]);
        }
        let keys = [
            ("?", "help"),
            ("q", "quit"),
            ("/", "filter"),
            ("Enter", "lines"),
            ("s", "SQL"),
            ("Tab", "table"),
            ("o", "sort"),
            ("w", "window"),
            ("Space", "pause"),
            ("m", "messages"),
        ];
        let mut line = Line::default();
        for (key, what) in keys {
            if line.width() + key.len() + what.len() + 1 > usize::from(width) {
                break;
            }
            line.push_span(self.span(Tone::Strong, key));
            line.push_span(self.span(Tone::Faint, format!(" {what}  ")));
        }
        line
    }

    fn draw_tables(&self, frame: &mut Frame<'_>, area: Rect) {
        let (columns, rows) = grid(area.width, area.height.saturating_add(1));
        let halves = |parts: usize| vec![Constraint::Fill(1); parts];
        let bands = Layout::vertical(halves(rows)).split(area);
        let mut tables = self.view.tables.iter();
        for band in bands.iter() {
            let cells = Layout::horizontal(halves(columns)).spacing(2).split(*band);
            for cell in cells.iter() {
                let Some(table) = tables.next() else { return };
                self.draw_table(frame, *cell, table, rows * columns < Dimension::ALL.len());
            }
        }
    }

    fn draw_table(&self, frame: &mut Frame<'_>, area: Rect, table: &Table, has_tabs: bool) {
        let [heading, body] =
            Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
        frame.render_widget(
            Paragraph::new(self.heading(table, has_tabs, heading.width)),
            heading,
        );
        if !table.is_logged {
            let hint = format!(
                "log ${} to see {} here",
                table.dimension.column(),
                table.dimension.title()
            );
            frame.render_widget(
                Paragraph::new(Line::from(self.span(Tone::Faint, hint))),
                body,
            );
            return;
        }
        let columns = COLUMNS
            .iter()
            .filter(|column| area.width >= column.from_width);
        let columns: Vec<&Column> = columns.collect();
        let widths = columns
            .iter()
            .map(|column| Constraint::Length(column.width));
        let widths = [Constraint::Fill(1)].into_iter().chain(widths);
        let is_here = table.dimension == self.selected;
        let titles = columns.iter().map(|column| {
            let mark = if column.sort_by == Some(self.sort_by) {
                "▼"
            } else {
                ""
            };
            Line::from(format!("{}{mark}", column.title)).alignment(Alignment::Right)
        });
        let header = [Line::from(table.dimension.column())]
            .into_iter()
            .chain(titles);
        let header = Row::new(header).style(self.theme.style(Tone::Faint));
        // One more than can be seen lets the table know that there is more.
        let first = if is_here {
            self.row.saturating_sub(usize::from(body.height))
        } else {
            0
        };
        let shown_rows = table
            .rows
            .iter()
            .skip(first)
            .take(usize::from(body.height) + 1);
        let rows = shown_rows.map(|row| {
            let cells = columns.iter().map(|column| self.cell(column, row));
            let key = Line::from(shown(&row.key));
            Row::new([key].into_iter().chain(cells))
        });
        let rows = Rows::new(rows, widths).header(header).column_spacing(1);
        let rows = rows.row_highlight_style(self.theme.selected());
        let selected = (is_here && !table.rows.is_empty()).then(|| self.row - first);
        let mut state = TableState::new().with_selected(selected);
        frame.render_stateful_widget(rows, body, &mut state);
    }

    /// `paths clients agents upstreams   since 14:00, counts exact`.
    fn heading(&self, table: &Table, has_tabs: bool, width: u16) -> Line<'static> {
        let mut line = Line::default();
        let titles = Dimension::ALL.iter().enumerate();
        for (at, dimension) in titles.filter(|(_, other)| has_tabs || **other == table.dimension) {
            let is_here = *dimension == table.dimension;
            let text = format!(" {} {} ", at + 1, dimension.title());
            let style = match (is_here, *dimension == self.selected) {
                (true, true) => self.theme.badge(Tone::Plain),
                (true, false) => self.theme.style(Tone::Strong),
                _ => self.theme.style(Tone::Faint),
            };
            line.push_span(Span::styled(text, style));
        }
        let since = self.minute(self.view.window_since);
        let exact = match table.error_max {
            0.0 => "exact".to_owned(),
            error => format!("≤ {} too low", percent(error)),
        };
        let minutes = self.view.now_ms.div_euclid(60_000) + 1 - self.view.window_since;
        let text = format!("{minutes} min, since {since}, {exact}");
        let gap = usize::from(width).saturating_sub(line.width() + text.chars().count());
        if gap > 0 {
            line.push_span(Span::raw(" ".repeat(gap)));
            line.push_span(self.span(Tone::Faint, text));
        }
        line
    }

    fn cell(&self, column: &Column, row: &TableRow) -> Line<'static> {
        let sums = &row.sums;
        let dash = || "-".to_owned();
        let text = match column.sort_by {
            None => percent(row.share),
            Some(SortBy::Requests) => number(row.requests),
            Some(SortBy::Status4xx) => number(sums.status_4xx),
            Some(SortBy::Status5xx) => number(sums.status_5xx),
            Some(SortBy::Mean) => sums.time_mean().map_or_else(dash, seconds),
            Some(SortBy::Max) if sums.timed == 0 => dash(),
            Some(SortBy::Max) => seconds(super::counts::real(sums.time_max_us) / 1e6),
            Some(SortBy::Bytes) => bytes(sums.bytes),
        };
        let tone = match column.sort_by {
            Some(SortBy::Status5xx) if sums.status_5xx > 0 => Tone::Bad,
            Some(SortBy::Status4xx) if sums.status_4xx > 0 => Tone::Warn,
            Some(SortBy::Status4xx | SortBy::Status5xx) => Tone::Faint,
            _ => Tone::Plain,
        };
        Line::from(self.span(tone, text)).alignment(Alignment::Right)
    }

    fn draw_popup(&self, frame: &mut Frame<'_>, popup: &Popup, area: Rect) {
        frame.render_widget(Clear, area);
        let title = format!(" {} ", shown(&popup.title));
        let close = " Esc closes, arrows scroll ";
        let block = Block::bordered().title(title).title_bottom(close);
        let lines = popup
            .lines
            .iter()
            .skip(popup.from)
            .take(usize::from(area.height));
        let lines: Vec<Line<'_>> = lines.map(|line| Line::from(shown(line))).collect();
        let text = Paragraph::new(lines).block(block);
        match popup.wraps {
            true => frame.render_widget(text.wrap(Wrap { trim: false }), area),
            false => frame.render_widget(text, area),
        }
    }

    fn time(&self, time_ms: i64, format: &str) -> String {
        let time = DateTime::from_timestamp_millis(time_ms).unwrap_or_default();
        time.with_timezone(&self.tz).format(format).to_string()
    }

    fn minute(&self, minute: i64) -> String {
        self.time(minute_ms(minute), "%H:%M")
    }
}

/// A column of a table beside its first.
struct Column {
    title: &'static str,
    width: u16,
    /// `None`: the share.
    sort_by: Option<SortBy>,
    /// Columns of the table from which on there is room for it.
    from_width: u16,
}

const COLUMNS: [Column; 7] = [
    Column {
        title: "requests",
        width: 9,
        sort_by: Some(SortBy::Requests),
        from_width: 0,
    },
    Column {
        title: "share",
        width: 7,
        sort_by: None,
        from_width: 96,
    },
    Column {
        title: "4xx",
        width: 6,
        sort_by: Some(SortBy::Status4xx),
        from_width: 54,
    },
    Column {
        title: "5xx",
        width: 6,
        sort_by: Some(SortBy::Status5xx),
        from_width: 40,
    },
    Column {
        title: "mean",
        width: 7,
        sort_by: Some(SortBy::Mean),
        from_width: 62,
    },
    Column {
        title: "max",
        width: 7,
        sort_by: Some(SortBy::Max),
        from_width: 96,
    },
    Column {
        title: "bytes",
        width: 7,
        sort_by: Some(SortBy::Bytes),
        from_width: 70,
    },
];

/// A bar of a strip: nothing for nothing, and something for anything.
fn bar(count: u64, highest: u64) -> char {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    match count {
        0 => ' ',
        count => {
            let step = (count.saturating_mul(8))
                .div_ceil(highest.max(1))
                .clamp(1, 8);
            BARS[usize::try_from(step - 1).unwrap_or(0)]
        }
    }
}

/// A text of the log, which cannot move the cursor.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(TEXT_CHARS_MAX).collect();
    escape_control(&cut).into_owned()
}

/// What the keys do.
pub(super) fn help() -> Popup {
    let window =
        format!("minutes that tables, shares and times are about: 1, 5, {DETAILED_MINUTES}");
    let lines = [
        ("q, Ctrl-C", "commit what is whole, and end"),
        ("Tab, 1 to 4", "another table"),
        ("up, down", "select a row"),
        ("o, O", "sort by the next column, the one before"),
        ("w", &window),
        ("Enter", "the lines behind the row"),
        ("s", "the commands that give the same numbers again"),
        (
            "/",
            "count only some lines: a path, a status or 5xx, an address or range, a part of an agent, or what may stand after WHERE",
        ),
        (
            "Space",
            "hold the screen still; lines are read and committed on",
        ),
        ("m", "messages"),
        ("Ctrl-L", "draw anew"),
    ];
    let keys = lines.iter().map(|(key, what)| format!("{key:<12} {what}"));
    let states = [
        "",
        "minutes: █ up, ▄ degraded, ✘ down, ? doubtful, · idle, ░ not covered, m maintenance; as the query `minutes` has them. The last ones, and all \
         of a busy site, by what failed in them alone: that is `by minutes`.",
        "normal: up to the 95 % quantile of what the same time of week, or the last 24 hours, had.",
        "too low: a table keeps 1,024 keys a minute; a count may miss what came before its key was kept.",
    ];
    Popup {
        title: "help".to_owned(),
        lines: keys
            .chain(states.iter().map(|line| (*line).to_owned()))
            .collect(),
        from: 0,
        wraps: true,
    }
}
