//! Parsed lines into columns, a hundred at a time.

use floodmark_format::{Hit, Variable, integer, port, status};
use floodmark_traffic::row::row_bot;

use super::{Blank, Place, Rows, count, offset_of, put_setting, value_of};
use crate::batch::{ColumnBuilder, TextBuilder, Value};
use crate::client::Trust;
use crate::columns::Origin;
use crate::recipe::{Absent, Client, Fill, LogSettings, Way};
use crate::scratch::{Judgeable, Judged};
use crate::texts::{Field, Texts};

/// Lines that one format has read and that are not in the columns yet.
///
/// Columns take them one column after the other. What a column looks up in its dictionary is then looked up at once, so
/// that the waits for memory overlap, and the dictionary stays in the cache meanwhile: an ingest costs a tenth less than
/// line by line.
#[derive(Debug, Default)]
pub(super) struct Chunk<'block> {
    /// The format's index.
    pub(super) format: usize,
    pub(super) lines: Vec<Line>,
    /// The hits of the lines, and more to be filled.
    pub(super) hits: Vec<Hit<'block>>,
}

/// Lines of a chunk at most: so many hits stay in the cache.
pub(super) const CHUNK_LINES: usize = 128;

/// A line's place in its block, with the blank lines before it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) blank: Blank,
}

impl<'block> Rows<'block> {
    /// Puts the lines of the chunk into the columns.
    pub(super) fn settle(&mut self, judged: &mut Judged) {
        if self.chunk.lines.is_empty() {
            return;
        }
        let mut chunk = std::mem::take(&mut self.chunk);
        let way = &self.recipe.ways[chunk.format];
        let hits = &chunk.hits[..chunk.lines.len()];
        let texts = self.texts_of(way);
        let bots = self.judge(way, &texts, hits, judged);
        let variables = way.format.variables();
        for &at in &way.filled {
            match (&way.fills[at], &mut self.builders[at]) {
                (
                    Fill::Slot {
                        slot,
                        absent,
                        field,
                    },
                    ColumnBuilder::Text(builder),
                ) => {
                    let values = values(hits, |hit| value_of(hit, Some(*slot)));
                    let absent = (*absent == Absent::Hyphen).then_some("-");
                    builder.logged(&values, absent, &texts, *field, |_| {});
                }
                (Fill::Slot { slot, .. }, builder) => {
                    let values = hits.iter().map(|hit| value_of(hit, Some(*slot)));
                    self.tally.out_of_range += put_numbers(builder, &variables[*slot], values);
                }
                (Fill::From(Origin::Method), ColumnBuilder::Text(builder)) => {
                    let values = values(hits, |hit| hit.request.method);
                    builder.logged(&values, None, &texts, Field::Plain, |_| {});
                }
                (Fill::From(Origin::Protocol), ColumnBuilder::Text(builder)) => {
                    let values = values(hits, |hit| hit.request.protocol);
                    builder.logged(&values, None, &texts, Field::Plain, |_| {});
                }
                (Fill::From(Origin::Client), ColumnBuilder::Text(builder)) => {
                    put_clients(builder, &self.recipe.settings.trust, way, hits, &texts);
                }
                (
                    Fill::From(origin @ (Origin::Bot | Origin::BotRule)),
                    ColumnBuilder::Text(builder),
                ) => {
                    for (bot, rule) in &bots {
                        match origin {
                            Origin::Bot => builder.one_of_few(bot),
                            _ if rule.is_empty() => builder.null(),
                            _ => builder.one_of_few(rule),
                        }
                    }
                }
                (Fill::From(origin), ColumnBuilder::Text(builder)) => {
                    for _ in hits {
                        put_setting(builder, *origin, way, &self.recipe.settings);
                    }
                }
                (Fill::From(origin), builder) => {
                    let place = RowPlace {
                        place: self.place,
                        settings: &self.recipe.settings,
                        texts: &texts,
                    };
                    place.put(builder, *origin, self.rows, &chunk.lines, hits);
                }
                (Fill::Null, builder) => hits.iter().for_each(|_| builder.null()),
            }
        }
        self.rows += chunk.lines.len();
        chunk.lines.clear();
        self.chunk = chunk;
    }

    pub(super) fn texts_of(&self, way: &Way) -> Texts<'block> {
        let escape = way.format.escape();
        Texts {
            escape,
            is_foreign: escape != self.texts.escape,
            ..self.texts
        }
    }

    /// Fills the columns that are judged too, and gives each row's `bot` and `bot_rule`.
    fn judge(
        &mut self,
        way: &Way,
        texts: &Texts<'block>,
        hits: &[Hit<'block>],
        judged: &mut Judged,
    ) -> Vec<(&'static str, &'static str)> {
        let (columns, slots) = (&self.recipe.judged, &way.slots);
        if !self.recipe.needs_bot && columns.count() == 0 {
            return Vec::new();
        }
        let agent = |hit: &Hit<'block>| value_of(hit, slots.agent);
        let agents = self.judgeable(columns.agent, hits, agent, texts, Field::Plain);
        let secret = Field::MayHoldSecret;
        let paths = self.judgeable(columns.path, hits, |hit| hit.request.path, texts, secret);
        let args = self.judgeable(columns.args, hits, |hit| hit.request.args, texts, secret);
        if !self.recipe.needs_bot {
            return Vec::new();
        }
        let fields = agents.into_iter().zip(paths).zip(args);
        let bots = hits.iter().zip(fields).map(|(hit, ((agent, path), args))| {
            let (agent, probe) = agent.map_or((None, false), |agent| judged.agent(agent));
            let scan = judged.request(&hit.request, path, args, texts.escape);
            let answered = value_of(hit, slots.status).and_then(status);
            let (bot, rule) = row_bot(agent.as_ref(), probe, scan.as_ref(), answered);
            (bot.as_str(), if rule == "none" { "" } else { rule })
        });
        bots.collect()
    }

    /// Fills a column, and gives its values with their codes.
    fn judgeable(
        &mut self,
        column: Option<usize>,
        hits: &[Hit<'block>],
        value: impl Fn(&Hit<'block>) -> Option<&'block [u8]>,
        texts: &Texts<'block>,
        field: Field,
    ) -> Vec<Option<Judgeable<'block>>> {
        let values = values(hits, value);
        let mut judgeable = Vec::with_capacity(values.len());
        let mut rest = values.iter();
        let mut take = |code| {
            let logged = rest.next().copied().flatten();
            judgeable.push(logged.map(|logged| Judgeable {
                logged,
                escape: texts.escape,
                code,
            }));
        };
        match column.map(|at| &mut self.builders[at]) {
            Some(ColumnBuilder::Text(builder)) => {
                builder.logged(&values, None, texts, field, take);
            }
            _ => values.iter().for_each(|_| take(None)),
        }
        judgeable
    }
}

/// What the columns of a row are filled from that say where it stands.
struct RowPlace<'r, 'block> {
    place: &'r Place,
    settings: &'r LogSettings,
    texts: &'r Texts<'block>,
}

impl RowPlace<'_, '_> {
    /// Fills a column of the rows from `first_row` on.
    fn put(
        &self,
        builder: &mut ColumnBuilder,
        origin: Origin,
        first_row: usize,
        lines: &[Line],
        hits: &[Hit<'_>],
    ) {
        match (origin, builder) {
            (Origin::ServerPort, ColumnBuilder::Small(builder)) => {
                for _ in lines {
                    builder.append_value(self.settings.server_port);
                }
            }
            (Origin::Request, ColumnBuilder::Usual(builder)) => {
                for (row, hit) in (first_row..).zip(hits) {
                    if let Some(raw) = hit.request.whole {
                        let text = self.texts.text(raw, Field::MayHoldSecret);
                        builder.at(row, Value::Text(text.into()));
                    }
                }
            }
            (Origin::BlankBefore, ColumnBuilder::Usual(builder)) => {
                for (row, line) in (first_row..).zip(lines) {
                    if line.blank.lines > 0 {
                        builder.at(row, Value::Count(line.blank.lines));
                    }
                }
            }
            (Origin::Time, ColumnBuilder::Time(builder)) => {
                builder.extend(hits.iter().map(|hit| hit.time_us));
            }
            (Origin::LineOffset, ColumnBuilder::Count(builder)) => {
                for line in lines {
                    let start = line.start - line.blank.bytes;
                    builder.append_value(offset_of(self.place, start));
                }
            }
            (Origin::LineBytes, ColumnBuilder::Count(builder)) => {
                for line in lines {
                    builder.append_value(count(line.end - line.start + line.blank.bytes));
                }
            }
            (_, builder) => lines.iter().for_each(|_| builder.null()),
        }
    }
}

/// One value of each hit.
fn values<'line>(
    hits: &[Hit<'line>],
    value: impl Fn(&Hit<'line>) -> Option<&'line [u8]>,
) -> Vec<Option<&'line [u8]>> {
    hits.iter().map(value).collect()
}

fn put_clients(
    builder: &mut TextBuilder,
    trust: &Trust,
    way: &Way,
    hits: &[Hit<'_>],
    texts: &Texts<'_>,
) {
    if trust.is_empty() {
        let values = values(hits, |hit| value_of(hit, way.slots.remote_addr));
        builder.logged(&values, None, texts, Field::Plain, |_| {});
        return;
    }
    for hit in hits {
        match way.client(trust, hit) {
            Some(Client::Forwarded(address)) => builder.owned(&address.to_string()),
            Some(Client::Peer(raw)) => {
                builder.one_logged(raw, texts, Field::Plain);
            }
            None => builder.null(),
        }
    }
}

/// Fills a column of numbers; a value that does not fit is NULL, and counted.
fn put_numbers<'line>(
    builder: &mut ColumnBuilder,
    variable: &Variable,
    values: impl Iterator<Item = Option<&'line [u8]>>,
) -> u64 {
    match builder {
        ColumnBuilder::Status(builder) => {
            put_read(values, status, |value| builder.append_option(value))
        }
        ColumnBuilder::Small(builder) => {
            put_read(values, port, |value| builder.append_option(value))
        }
        ColumnBuilder::Count(builder) => {
            put_read(values, integer, |value| builder.append_option(value))
        }
        ColumnBuilder::Seconds(builder) => {
            // Where no upstream was asked there is no time, and nothing wrong.
            let is_blank = |raw: &[u8]| raw.iter().all(|byte| b" ,:-".contains(byte));
            let read = |raw: &[u8]| match variable.read_seconds(raw) {
                None if is_blank(raw) => Some(None),
                seconds => seconds.map(Some),
            };
            put_read(values, read, |value| builder.append_option(value.flatten()))
        }
        builder => {
            let put = |value: Option<&[u8]>| {
                builder.null();
                u64::from(value.is_some())
            };
            values.map(put).sum()
        }
    }
}

/// Appends what is read of each value; gives how many could not be read.
fn put_read<'line, T>(
    values: impl Iterator<Item = Option<&'line [u8]>>,
    read: impl Fn(&[u8]) -> Option<T>,
    mut append: impl FnMut(Option<T>),
) -> u64 {
    let put = |raw: Option<&[u8]>| {
        let value = raw.and_then(&read);
        let is_unread = raw.is_some() && value.is_none();
        append(value);
        u64::from(is_unread)
    };
    values.map(put).sum()
}
