//! What the screen knows and shows, and what keys do to it.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use floodmark_query::RowFilter;
use ratatui::Frame;
use ratatui::layout::Size;
use ratatui::termion::event::Key;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{Receiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::Instant;

use super::counts::{Counts, DETAILED_MINUTES, Dimension};
use super::draw::{Popup, Scene, draw, help, tables};
use super::filter::Filter;
use super::judgment::Judged;
use super::past::{Ask, Committed, News};
use super::reader::{Reader, Which};
use super::recent::Recent;
use super::reproduce::commands;
use super::theme::Theme;
use super::time_text;
use super::view::{Choice, Known, SortBy, View};
use crate::plan::Plan;
use crate::say;

/// Reading gives way to keys and drawing after so long.
const READING_MAX: Duration = Duration::from_millis(100);
/// Minutes that a person may look at.
const WINDOWS: [i64; 3] = [1, 5, DETAILED_MINUTES];
const WINDOW: i64 = 5;

/// A condition is not longer.
const TYPED_BYTES_MAX: usize = 1_000;

/// What a key asks of the one who holds the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    /// The screen has changed.
    Draw,
    /// Something else has drawn on it.
    DrawAnew,
    Quit,
}

/// The screen but for its terminal.
#[derive(Debug)]
pub(super) struct App {
    plan: Plan,
    logs: Vec<String>,
    name: String,
    theme: Theme,
    asks: UnboundedSender<Ask>,
    news: Receiver<News>,
    committed: watch::Receiver<Option<Committed>>,
    /// The number of the answer that is waited for, or was the last.
    asked: u64,
    wanted: Option<Filter>,
    /// An answer that is coming.
    coming: Option<Counted>,
    counted: Counted,
    reader: Option<Reader>,
    judged: Option<Judged>,
    /// When new lines were read last.
    read_ms: i64,
    rotated_ms: Option<i64>,
    choice: Choice,
    selected: Dimension,
    row: usize,
    held: Option<View>,
    /// What was shown last.
    shown: Option<View>,
    popup: Option<Popup>,
    typing: Option<String>,
    /// What an answer failed for.
    failure: Option<String>,
    /// Messages before it were looked at.
    messages_read: usize,
    size: Size,
}

/// Counts of the lines that fulfil a condition.
#[derive(Debug)]
struct Counted {
    filter: Option<Filter>,
    /// The condition, for rows of a schema.
    compiled: Option<(SchemaRef, Option<RowFilter>)>,
    counts: Counts,
    recent: Recent,
}

impl Counted {
    fn new(filter: Option<Filter>, since: i64, detailed_since: i64) -> Self {
        Self {
            filter,
            compiled: None,
            counts: Counts::new(since, detailed_since),
            recent: Recent::default(),
        }
    }

    fn add(&mut self, rows: &RecordBatch, now_ms: i64) {
        self.counts.add(rows, 1_000 * now_ms);
        self.recent.add(rows);
    }

    /// Adds the rows that fulfil the condition; none where it names what their log does not have.
    fn add_new(&mut self, rows: RecordBatch, now_ms: i64) -> Result<()> {
        let Some(filter) = &self.filter else {
            self.add(&rows, now_ms);
            return Ok(());
        };
        if self
            .compiled
            .as_ref()
            .is_none_or(|(schema, _)| *schema != rows.schema())
        {
            let compiled = RowFilter::new(&filter.condition, &rows.schema()).ok();
            self.compiled = Some((rows.schema(), compiled));
        }
        if let Some((_, Some(filter))) = &self.compiled {
            let kept = filter.keep(&rows)?;
            self.add(&kept, now_ms);
        }
        Ok(())
    }
}

impl App {
    pub(super) fn new(
        plan: Plan,
        logs: Vec<String>,
        theme: Theme,
        (asks, news): (UnboundedSender<Ask>, Receiver<News>),
        committed: watch::Receiver<Option<Committed>>,
        now_ms: i64,
    ) -> Self {
        let minute = now_ms.div_euclid(60_000);
        let name = match logs.as_slice() {
            [] => format!("nginx.conf, port {}", plan.port),
            [log] => log.clone(),
            [log, more @ ..] => format!("{log} and {} more", more.len()),
        };
        let mut app = Self {
            plan,
            logs,
            name,
            theme,
            asks,
            news,
            committed,
            asked: 0,
            wanted: None,
            coming: None,
            counted: Counted::new(None, minute, minute),
            reader: None,
            judged: None,
            read_ms: i64::MIN,
            rotated_ms: None,
            choice: Choice {
                sort_by: SortBy::Requests,
                window: WINDOW,
            },
            selected: Dimension::Paths,
            row: 0,
            held: None,
            shown: None,
            popup: None,
            typing: None,
            failure: None,
            messages_read: 0,
            size: Size::default(),
        };
        app.ask(None);
        app
    }

    /// Has lines counted anew, those that a filter lets through.
    fn ask(&mut self, filter: Option<Filter>) {
        self.asked += 1;
        let condition = filter.as_ref().map(|filter| filter.condition.clone());
        self.wanted = filter;
        self.coming = None;
        // Nobody answers any more when the process ends.
        let _ = self.asks.send(Ask {
            number: self.asked,
            condition,
        });
    }

    /// Takes in what is new; whether there is more at once.
    pub(super) fn work(&mut self, now_ms: i64) -> Result<bool> {
        let until = Instant::now() + READING_MAX;
        while Instant::now() < until {
            match self.news.try_recv() {
                Ok(news) => self.hear(news, now_ms),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                    if !self.read(now_ms)? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    fn hear(&mut self, news: News, now_ms: i64) {
        let asked = self.asked;
        match news {
            News::Judged(judged) => self.judged = Some(judged),
            News::Begins {
                number,
                since,
                detailed_since,
            } if number == asked => {
                self.coming = Some(Counted::new(self.wanted.clone(), since, detailed_since));
            }
            News::Minutes { number, sums } if number == asked => {
                for (minute, sums) in sums {
                    let coming = self.coming.iter_mut();
                    coming.for_each(|coming| coming.counts.add_sums(minute, &sums));
                }
            }
            News::Lines { number, rows } if number == asked => {
                let coming = self.coming.iter_mut();
                coming.for_each(|coming| coming.add(&rows, now_ms));
            }
            News::Ends { number, known } if number == asked => {
                let Some(coming) = self.coming.take() else {
                    return;
                };
                let which = match coming.filter {
                    Some(_) => Which::All,
                    None => Which::Shown,
                };
                self.counted = coming;
                self.shown = None;
                self.failure = None;
                let mut reader = Reader::new(self.plan.clone(), self.logs.clone(), known, which);
                if let Some(before) = self.reader.take() {
                    reader.goes_on_for(before);
                }
                self.reader = Some(reader);
            }
            News::Fails { number, reason } if number == asked => {
                self.failure = Some(reason);
                self.wanted = self.counted.filter.clone();
                self.coming = None;
            }
            // An answer to what nobody asks any more.
            _ => {}
        }
    }

    /// Reads some new lines; false where there are none.
    fn read(&mut self, now_ms: i64) -> Result<bool> {
        let Some(reader) = &mut self.reader else {
            return Ok(false);
        };
        let rotations = reader.rotations;
        // Said by the pass that feeds the lake, which comes upon the same.
        let rows = reader.next().ok().flatten();
        if reader.rotations > rotations {
            self.rotated_ms = Some(now_ms);
        }
        let is_some = rows.is_some();
        if let Some(rows) = rows {
            self.read_ms = now_ms;
            self.counted.add_new(rows, now_ms)?;
        }
        Ok(is_some)
    }

    /// Whether new lines were read at a second since the epoch, or later.
    pub(super) fn has_read_since(&self, second: i64) -> bool {
        self.read_ms.div_euclid(1_000) >= second
    }

    /// Where files are that are read.
    pub(super) fn folders(&self) -> Option<&BTreeSet<PathBuf>> {
        self.reader.as_ref().map(Reader::folders)
    }

    /// Formats may have been told anew by the pass that has just fed the lake.
    pub(super) fn heed_commits(&mut self) {
        if self.committed.has_changed().unwrap_or(false) {
            self.committed.mark_unchanged();
            if let Some(reader) = &mut self.reader {
                reader.forget_formats();
            }
        }
    }

    fn view(&self, now_ms: i64) -> View {
        let known = Known {
            counts: &self.counted.counts,
            judged: self.judged.as_ref(),
            committed: *self.committed.borrow(),
            now_ms,
        };
        let tables = tables(self.size.width, self.size.height, self.selected);
        View::of(&known, self.choice, &tables, self.shown.as_ref())
    }

    pub(super) fn draw(&mut self, frame: &mut Frame<'_>, now_ms: i64) {
        self.size = frame.area().as_size();
        let view = match &self.held {
            Some(view) => view.clone(),
            None => self.view(now_ms),
        };
        let kept = say::kept();
        let unread = kept.said - self.messages_read;
        let mut unread = kept.messages.iter().rev().take(unread);
        let message = unread.find(|message| message.starts_with("warning: "));
        let busy = self.busy(kept.progress);
        let rows = self.table(&view).map_or(0, |table| table.rows.len());
        self.row = self.row.min(rows.saturating_sub(1));
        let filter = self.counted.filter.as_ref();
        let filter = filter.map(|filter| match filter.typed == filter.condition {
            true => filter.condition.clone(),
            false => format!("{}: {}", filter.typed, filter.condition),
        });
        let scene = Scene {
            view: &view,
            theme: self.theme,
            tz: self.plan.tz,
            name: &self.name,
            is_paused: self.held.is_some(),
            busy: busy.as_deref(),
            filter: filter.as_deref(),
            selected: self.selected,
            row: self.row,
            sort_by: self.choice.sort_by,
            rejected: self.reader.as_ref().map_or(0, |reader| reader.rejected()),
            rotated_ms: self.rotated_ms,
            message: self.failure.as_ref().or(message).map(String::as_str),
            typing: self.typing.as_deref(),
            popup: self.popup.as_ref(),
        };
        draw(frame, &scene);
        self.shown = Some(view);
    }

    fn table<'view>(&self, view: &'view View) -> Option<&'view super::view::Table> {
        view.tables
            .iter()
            .find(|table| table.dimension == self.selected)
    }

    /// What is being done that keeps numbers from being whole.
    fn busy(&self, progress: Option<(u64, u64)>) -> Option<String> {
        let is_wanted = self.reader.is_some() && self.wanted == self.counted.filter;
        match (self.committed.borrow().is_some(), progress) {
            (false, Some((done, total))) => Some(format!(
                "taking in what is there already, {} % …",
                100 * done.min(total) / total.max(1)
            )),
            (false, None) => Some("taking in what is there already …".to_owned()),
            (true, _) => (!is_wanted).then(|| "counting …".to_owned()),
        }
    }

    /// Does what a key means.
    pub(super) fn press(&mut self, key: Key, now_ms: i64) -> Wish {
        if key == Key::Ctrl('c') {
            return Wish::Quit;
        }
        if key == Key::Ctrl('l') {
            return Wish::DrawAnew;
        }
        if self.typing.is_some() {
            self.type_on(key);
            return Wish::Draw;
        }
        if let Some(popup) = &mut self.popup {
            match key {
                Key::Esc | Key::Char('q' | '\n' | '?' | 's' | 'm') => self.popup = None,
                Key::Up | Key::Char('k') => popup.from = popup.from.saturating_sub(1),
                Key::Down | Key::Char('j') => popup.scroll(1),
                Key::PageUp => popup.from = popup.from.saturating_sub(10),
                Key::PageDown => popup.scroll(10),
                _ => return Wish::Nothing,
            }
            return Wish::Draw;
        }
        match key {
            Key::Char('q') => return Wish::Quit,
            Key::Char('?' | 'h') | Key::F(1) => self.popup = Some(help()),
            Key::Char('/') => self.typing = Some(String::new()),
            Key::Char(' ' | 'p') => {
                self.held = match self.held.take() {
                    Some(_) => None,
                    None => Some(self.view(now_ms)),
                };
            }
            Key::Char('\t') | Key::Right => self.select(self.selected as usize + 1, now_ms),
            Key::BackTab | Key::Left => {
                self.select(self.selected as usize + Dimension::ALL.len() - 1, now_ms);
            }
            Key::Char(digit @ '1'..='4') => {
                self.select(
                    usize::try_from(u32::from(digit) - u32::from('1')).unwrap_or(0),
                    now_ms,
                );
            }
            Key::Up | Key::Char('k') => self.row = self.row.saturating_sub(1),
            Key::Down | Key::Char('j') => self.row += 1,
            Key::Home => self.row = 0,
            Key::PageDown => self.row += 10,
            Key::PageUp => self.row = self.row.saturating_sub(10),
            Key::Char('o') => self.sort(1, now_ms),
            Key::Char('O') => self.sort(SortBy::ALL.len() - 1, now_ms),
            Key::Char('w') => {
                let at = WINDOWS
                    .iter()
                    .position(|minutes| *minutes == self.choice.window);
                self.choice.window = WINDOWS[(at.unwrap_or(0) + 1) % WINDOWS.len()];
                self.hold_anew(now_ms);
            }
            Key::Char('\n') => self.show_lines(now_ms),
            Key::Char('s') => self.show_commands(now_ms),
            Key::Char('m') => self.show_messages(),
            _ => return Wish::Nothing,
        }
        Wish::Draw
    }

    fn type_on(&mut self, key: Key) {
        let Some(typed) = &mut self.typing else {
            return;
        };
        match key {
            Key::Esc => self.typing = None,
            Key::Backspace => drop(typed.pop()),
            Key::Ctrl('u') => typed.clear(),
            Key::Char('\n') => {
                let filter = Filter::of(typed);
                self.typing = None;
                self.failure = None;
                if filter != self.wanted {
                    self.ask(filter);
                }
            }
            Key::Char(c) if typed.len() < TYPED_BYTES_MAX => typed.push(c),
            _ => {}
        }
    }

    fn select(&mut self, dimension: usize, now_ms: i64) {
        self.selected = Dimension::ALL[dimension % Dimension::ALL.len()];
        self.row = 0;
        self.hold_anew(now_ms);
    }

    fn sort(&mut self, columns: usize, now_ms: i64) {
        let at = SortBy::ALL.iter().position(|by| *by == self.choice.sort_by);
        self.choice.sort_by = SortBy::ALL[(at.unwrap_or(0) + columns) % SortBy::ALL.len()];
        self.row = 0;
        self.hold_anew(now_ms);
    }

    /// What is held is about something else now: it is held from this moment on.
    fn hold_anew(&mut self, now_ms: i64) {
        if self.held.is_some() {
            self.held = Some(self.view(now_ms));
        }
    }

    fn shown_view(&self, now_ms: i64) -> View {
        self.held.clone().unwrap_or_else(|| self.view(now_ms))
    }

    fn show_lines(&mut self, now_ms: i64) {
        let view = self.shown_view(now_ms);
        let Some(row) = self.table(&view).and_then(|table| table.rows.get(self.row)) else {
            return;
        };
        let tz = self.plan.tz;
        let time = |us: i64| {
            let time = chrono::DateTime::from_timestamp_micros(us).unwrap_or_default();
            time.with_timezone(&tz).format("%H:%M:%S").to_string()
        };
        let mut lines = self.counted.recent.behind(self.selected, &row.key, &time);
        if lines.is_empty() {
            lines.push(
                "none among the last lines; s shows the SQL that finds them in the lake".to_owned(),
            );
        }
        self.popup = Some(Popup {
            title: format!("the last lines of {}", row.key),
            lines,
            ..Popup::default()
        });
    }

    fn show_messages(&mut self) {
        let kept = say::kept();
        self.messages_read = kept.said;
        self.failure = None;
        let lines = kept.messages.iter().flat_map(|message| message.lines());
        self.popup = Some(Popup {
            title: "messages".to_owned(),
            lines: lines.map(str::to_owned).collect(),
            from: 0,
            wraps: true,
        });
    }

    fn show_commands(&mut self, now_ms: i64) {
        let view = self.shown_view(now_ms);
        let table = self.table(&view);
        let key = table
            .and_then(|table| table.rows.get(self.row))
            .map(|row| row.key.as_str());
        let filter = self.counted.filter.as_ref();
        let table = table.map(|table| (table, key));
        let commands = commands(&self.plan.lake, &view, table, self.choice.sort_by, filter);
        let mut lines = VecDeque::new();
        for (what, command) in commands {
            lines.extend([format!("{what}:"), format!("  {command}"), String::new()]);
        }
        let committed = *self.committed.borrow();
        let committed = committed
            .map(|committed| time_text(committed.given_ms.div_euclid(60_000), "%H:%M UTC"));
        lines.push_front(String::new());
        lines.push_front(format!(
            "They ask the lake, which has what was written until {}.",
            committed.unwrap_or_else(|| "now: nothing".to_owned())
        ));
        self.popup = Some(Popup {
            title: "the same numbers by SQL".to_owned(),
            lines: lines.into(),
            from: 0,
            wraps: true,
        });
    }
}

impl Popup {
    fn scroll(&mut self, lines: usize) {
        self.from = (self.from + lines).min(self.lines.len().saturating_sub(1));
    }
}
