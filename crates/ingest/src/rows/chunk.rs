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
                    builder.logged(&values, absent, &texts, *field);
                }
                (Fill::Slot { slot, .. }, builder) => {
                    for hit in hits {
                        match value_of(hit, Some(*slot)) {
                            Some(raw) => {
                                let fits = put_number(builder, &variables[*slot], raw);
                                self.tally.out_of_range += u64::from(!fits);
                            }
                            None => builder.null(),
                        }
                    }
                }
                (Fill::From(Origin::Method), ColumnBuilder::Text(builder)) => {
                    let values = values(hits, |hit| hit.request.method);
                    builder.logged(&values, None, &texts, Field::Plain);
                }
                (Fill::From(Origin::Protocol), ColumnBuilder::Text(builder)) => {
                    let values = values(hits, |hit| hit.request.protocol);
                    builder.logged(&values, None, &texts, Field::Plain);
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
                    let rows = self.rows..;
                    for ((line, hit), row) in chunk.lines.iter().zip(hits).zip(rows) {
                        place.put(builder, *origin, row, line, hit);
                    }
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
        let codes = match column.map(|at| &mut self.builders[at]) {
            Some(ColumnBuilder::Text(builder)) => builder.logged(&values, None, texts, field),
            _ => vec![None; values.len()],
        };
        let judgeable = |(logged, code)| {
            let logged: Option<&'block [u8]> = logged;
            Some(Judgeable {
                logged: logged?,
                escape: texts.escape,
                code,
            })
        };
        values.into_iter().zip(codes).map(judgeable).collect()
    }
}

/// What the columns of a row are filled from that say where it stands.
struct RowPlace<'r, 'block> {
    place: &'r Place,
    settings: &'r LogSettings,
    texts: &'r Texts<'block>,
}

impl RowPlace<'_, '_> {
    fn put(
        &self,
        builder: &mut ColumnBuilder,
        origin: Origin,
        row: usize,
        line: &Line,
        hit: &Hit<'_>,
    ) {
        let Line { start, end, blank } = line;
        match (origin, builder) {
            (Origin::ServerPort, ColumnBuilder::Small(builder)) => {
                builder.append_value(self.settings.server_port);
            }
            (Origin::Request, ColumnBuilder::Usual(builder)) => {
                if let Some(raw) = hit.request.whole {
                    let text = self.texts.text(raw, Field::MayHoldSecret);
                    builder.at(row, Value::Text(text.into()));
                }
            }
            (Origin::BlankBefore, ColumnBuilder::Usual(builder)) => {
                if blank.lines > 0 {
                    builder.at(row, Value::Count(blank.lines));
                }
            }
            (Origin::Time, ColumnBuilder::Time(builder)) => builder.append_option(hit.time_us),
            (Origin::LineOffset, ColumnBuilder::Count(builder)) => {
                builder.append_value(offset_of(self.place, start - blank.bytes));
            }
            (Origin::LineBytes, ColumnBuilder::Count(builder)) => {
                builder.append_value(count(end - start + blank.bytes));
            }
            (_, builder) => builder.null(),
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
        builder.logged(&values, None, texts, Field::Plain);
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

/// Whether the value fits its column; one that does not is NULL.
fn put_number(builder: &mut ColumnBuilder, variable: &Variable, raw: &[u8]) -> bool {
    match builder {
        ColumnBuilder::Status(builder) => {
            let value = status(raw);
            builder.append_option(value);
            value.is_some()
        }
        ColumnBuilder::Small(builder) => {
            let value = port(raw);
            builder.append_option(value);
            value.is_some()
        }
        ColumnBuilder::Count(builder) => {
            let value = integer(raw);
            builder.append_option(value);
            value.is_some()
        }
        ColumnBuilder::Seconds(builder) => {
            let value = variable.read_seconds(raw);
            builder.append_option(value);
            value.is_some() || raw.is_empty() || raw.iter().all(|b| b" ,:-".contains(b))
        }
        builder => {
            builder.null();
            false
        }
    }
}
