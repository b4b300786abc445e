//! Lines to rows: one block parsed by one format into one record batch.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use floodmark_format::{
    CompiledFormat, Escape, Hit, RequestParts, integer, port, seconds, seconds_list, status,
    unescape,
};
use floodmark_traffic::agent::{Agent, agent, is_probe};
use floodmark_traffic::row::row_bot;
use floodmark_traffic::scan::{Scan, scan};
use hashbrown::HashMap;
use memchr::{memchr, memchr_iter};

use crate::Error;
use crate::batch::{Block, ColumnBuilder, TextBuilder, UsualBuilder, Value, finish};
use crate::client::Trust;
use crate::columns::{ColumnType, LineSchema, Origin};
use crate::relay::{Heard, Teller};
use crate::secrets::{may_hold_secret, redact};
use crate::tally::{RejectSample, Tally};
use crate::zone::Zones;

/// Which side of the site wrote the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// A load balancer in front.
    Balancer,
    /// The web server that clients reach.
    Edge,
    /// The application behind it.
    App,
}

impl Layer {
    /// The name in the `layer` column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Balancer => "balancer",
            Self::Edge => "edge",
            Self::App => "app",
        }
    }
}

/// What holds for all lines of one log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// How its lines are written.
    pub format: CompiledFormat,
    /// Which side of the site wrote it.
    pub layer: Layer,
    /// The port of rows whose line does not say.
    pub server_port: i32,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trust: Trust,
    /// Whether secret values are replaced ([`crate::redact`]).
    pub secrets: Secrets,
}

/// What happens to secret values in request targets, referrers and rejected lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Secrets {
    /// Replaced.
    #[default]
    Redact,
    /// Kept as logged.
    Keep,
}

/// The columns to build from the lines of one log.
#[derive(Debug)]
pub(crate) struct Recipe {
    settings: LogSettings,
    fills: Vec<Fill>,
    /// Columns that a request row has a value of its own for.
    filled: Vec<usize>,
    agent_slot: Option<usize>,
    status_slot: Option<usize>,
    stamp_slot: Option<usize>,
    remote_addr_slot: Option<usize>,
    forwarded_slot: Option<usize>,
    /// Places of `client` and `remote_addr` where they are the same, as no proxy is trusted.
    twins: Option<(usize, usize)>,
    needs: Needs,
}

/// Work that is left out when no column asks for it.
#[derive(Debug, Default)]
struct Needs {
    bot: bool,
}

/// How one column of a request row is filled.
#[derive(Debug)]
enum Fill {
    From(Origin),
    Slot {
        slot: usize,
        column_type: ColumnType,
        absent: Absent,
        secret: bool,
    },
    Null,
}

/// What a variable logged as `-` becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    Null,
    /// A hyphen: in `$upstream_*` it says that no upstream was asked, and NULL that the log does not tell.
    Hyphen,
}

impl Recipe {
    pub(crate) fn new(settings: LogSettings, schema: &LineSchema) -> Self {
        let slot_of = |name: &str| {
            settings
                .format
                .variables()
                .iter()
                .position(|variable| variable.name == name)
        };
        let fills: Vec<Fill> = schema
            .columns()
            .iter()
            .map(|column| match column.origin {
                Origin::Variable | Origin::ServerPort => match slot_of(&column.name) {
                    Some(slot) => Fill::Slot {
                        slot,
                        column_type: column.column_type,
                        absent: if column.name.starts_with("upstream_") {
                            Absent::Hyphen
                        } else {
                            Absent::Null
                        },
                        secret: column.name == "http_referer",
                    },
                    None if column.origin == Origin::ServerPort => Fill::From(Origin::ServerPort),
                    None => Fill::Null,
                },
                origin => Fill::From(origin),
            })
            .collect();
        let place_of = |name: &str| {
            schema
                .columns()
                .iter()
                .position(|column| column.name == name)
        };
        let twins = place_of("client")
            .zip(place_of("remote_addr"))
            .filter(|_| settings.trust.is_empty());
        let mut fills = fills;
        if let Some((client, _)) = twins {
            fills[client] = Fill::Null;
        }
        let needs = Needs {
            bot: schema
                .columns()
                .iter()
                .any(|column| matches!(column.origin, Origin::Bot | Origin::BotRule)),
        };
        let usual = |fill: &Fill| {
            use Origin::{Kind, Layer, Raw, Reason, ServerPort, Source, TimeInferred};
            let from = match fill {
                Fill::Null => return true,
                Fill::Slot { .. } => return false,
                Fill::From(origin) => origin,
            };
            matches!(
                from,
                Kind | Layer | Raw | Reason | ServerPort | Source | TimeInferred
            )
        };
        Self {
            filled: (0..fills.len()).filter(|&at| !usual(&fills[at])).collect(),
            agent_slot: slot_of("http_user_agent"),
            status_slot: slot_of("status"),
            stamp_slot: slot_of("time_local"),
            remote_addr_slot: slot_of("remote_addr"),
            forwarded_slot: slot_of("http_x_forwarded_for"),
            twins,
            fills,
            needs,
            settings,
        }
    }

    /// A builder for each column: of those that hold one value in nearly every row, only the others are built.
    fn builders(&self, schema: &LineSchema, rows: usize) -> Vec<ColumnBuilder> {
        schema
            .columns()
            .iter()
            .zip(&self.fills)
            .map(|(column, fill)| {
                let usual = match fill {
                    Fill::Null => Value::Null,
                    Fill::From(Origin::Kind) => Value::Text("request".into()),
                    Fill::From(Origin::Layer) => Value::Text(self.settings.layer.as_str().into()),
                    Fill::From(Origin::ServerPort) => Value::Small(self.settings.server_port),
                    Fill::From(Origin::TimeInferred) => Value::Flag(false),
                    Fill::From(Origin::BlankBefore) => Value::Count(0),
                    Fill::From(Origin::Reason | Origin::Raw | Origin::Request) => Value::Null,
                    _ => return ColumnBuilder::new(column, rows),
                };
                ColumnBuilder::Usual(UsualBuilder::new(column.column_type, usual))
            })
            .collect()
    }

    fn escape(&self) -> Escape {
        self.settings.format.escape()
    }

    fn redacts(&self) -> bool {
        self.settings.secrets == Secrets::Redact
    }
}

/// What one thread keeps from block to block.
#[derive(Debug, Default)]
pub struct Scratch {
    agents: HashMap<Vec<u8>, (Option<Agent>, bool)>,
    paths: HashMap<Vec<u8>, Option<Scan>>,
}

/// Agents and paths remembered by a thread: some 4 MB.
const REMEMBERED_MAX: usize = 16_384;

/// Rows are guessed at this many bytes a line, so that arrays seldom grow.
const LINE_BYTES_GUESS: usize = 180;

/// The place of a block of whole lines.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) source: String,
    pub(crate) file: String,
    pub(crate) source_offset: u64,
    pub(crate) file_offset: u64,
}

/// Rows of one block and what became of its lines.
#[derive(Debug)]
pub struct LineBatch {
    /// The rows, in line order.
    pub rows: RecordBatch,
    /// The counts.
    pub tally: Tally,
}

/// Parses a block of whole lines.
pub(crate) fn parse_block(
    recipe: &Recipe,
    schema: &LineSchema,
    arrow_schema: &SchemaRef,
    place: &Place,
    bytes: Vec<u8>,
    times: (Heard, Teller),
    scratch: &mut Scratch,
) -> Result<LineBatch, Error> {
    let block = Buffer::from_vec(bytes);
    let base = block.as_slice();
    // Where the whole block is UTF-8, so is each piece of it between ASCII delimiters.
    let block_is_utf8 = std::str::from_utf8(base).is_ok();
    let mut rows = Rows {
        recipe,
        place,
        builders: recipe.builders(schema, base.len() / LINE_BYTES_GUESS + 16),
        rows: 0,
        tally: Tally {
            bytes: base.len() as u64,
            ..Tally::default()
        },
        last_good_us: None,
        heard: Some(times.0),
        base,
        block_is_utf8,
        blank: Blank::default(),
        zones: Zones::default(),
    };
    let mut hit = Hit::default();
    let mut start = 0;
    for end in memchr_iter(b'\n', base)
        .map(|at| at + 1)
        .chain([base.len()])
    {
        if start == end {
            continue;
        }
        rows.line(start, end, &mut hit, scratch);
        start = end;
    }
    times.1.tell(rows.last_good_us);
    let Rows {
        builders,
        rows: count,
        mut tally,
        zones,
        ..
    } = rows;
    tally.zones = zones.into_counts();
    let block = Block {
        bytes: &block,
        source: &place.source,
        rows: count,
    };
    Ok(LineBatch {
        rows: finish(arrow_schema, builders, &block, recipe.twins)?,
        tally,
    })
}

/// One row for a line that is longer than lines may be; `head` is how it begins.
pub(crate) fn long_line(
    recipe: &Recipe,
    schema: &LineSchema,
    arrow_schema: &SchemaRef,
    place: &Place,
    head: Vec<u8>,
    line_bytes: u64,
    times: (Heard, Teller),
) -> Result<LineBatch, Error> {
    let block = Buffer::from_vec(head);
    let mut rows = Rows {
        recipe,
        place,
        builders: recipe.builders(schema, 1),
        rows: 0,
        tally: Tally {
            bytes: line_bytes,
            lines: 1,
            ..Tally::default()
        },
        last_good_us: None,
        heard: Some(times.0),
        base: block.as_slice(),
        block_is_utf8: false,
        blank: Blank::default(),
        zones: Zones::default(),
    };
    let time_us = rows.time_of_reject(None);
    rows.reject_row(&Reject {
        reason: LINE_TOO_LONG,
        message: format!("a line of {line_bytes} bytes, longer than lines may be"),
        line: block.as_slice(),
        offset: 0,
        line_bytes,
        time_us,
    });
    times.1.tell(rows.last_good_us.or(time_us));
    let Rows {
        builders,
        rows: count,
        tally,
        ..
    } = rows;
    let block = Block {
        bytes: &block,
        source: &place.source,
        rows: count,
    };
    Ok(LineBatch {
        rows: finish(arrow_schema, builders, &block, recipe.twins)?,
        tally,
    })
}

/// The reject reason of a line longer than lines may be.
pub const LINE_TOO_LONG: &str = "line_too_long";

#[derive(Debug, Default)]
struct Blank {
    lines: i64,
    bytes: usize,
}

struct Reject<'r> {
    reason: &'static str,
    message: String,
    line: &'r [u8],
    offset: usize,
    line_bytes: u64,
    time_us: Option<i64>,
}

/// The rows of a block as they grow.
struct Rows<'block> {
    recipe: &'block Recipe,
    place: &'block Place,
    builders: Vec<ColumnBuilder>,
    rows: usize,
    tally: Tally,
    last_good_us: Option<i64>,
    heard: Option<Heard>,
    base: &'block [u8],
    block_is_utf8: bool,
    blank: Blank,
    zones: Zones,
}

impl<'block> Rows<'block> {
    fn line(&mut self, start: usize, end: usize, hit: &mut Hit<'block>, scratch: &mut Scratch) {
        let with_newline = &self.base[start..end];
        let line = with_newline.strip_suffix(b"\n").unwrap_or(with_newline);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.tally.lines += 1;
        if line.is_empty() {
            self.tally.blank += 1;
            self.blank.lines += 1;
            self.blank.bytes += with_newline.len();
            return;
        }
        match self.recipe.settings.format.parse_into(line, hit) {
            Ok(()) => {
                if let Some(time_us) = hit.time_us {
                    self.last_good_us = Some(time_us);
                    self.tally.saw_time(time_us);
                }
                let stamp = self
                    .recipe
                    .stamp_slot
                    .and_then(|slot| *hit.values.get(slot)?);
                if let Some(stamp) = stamp {
                    self.zones.count(stamp);
                }
                self.tally.requests += 1;
                self.request_row(line, start, end, hit, scratch);
            }
            Err(error) => {
                let time_us = self.time_of_reject(Some(end));
                let format = &self.recipe.settings.format;
                self.reject_row(&Reject {
                    reason: error.kind.reason(),
                    message: if self.tally.wants_sample(error.kind.reason()) {
                        error.render(format, line)
                    } else {
                        String::new()
                    },
                    line,
                    offset: start,
                    line_bytes: with_newline.len() as u64,
                    time_us,
                });
            }
        }
        self.blank = Blank::default();
    }

    /// The time of the nearest earlier good line; at the head of a log, of the first later one in the block.
    fn time_of_reject(&mut self, rest: Option<usize>) -> Option<i64> {
        if self.last_good_us.is_none()
            && let Some(heard) = self.heard.take()
        {
            self.last_good_us = heard.wait();
        }
        self.last_good_us.or_else(|| {
            let mut hit = Hit::default();
            self.base[rest?..].split(|&b| b == b'\n').find_map(|line| {
                self.recipe
                    .settings
                    .format
                    .parse_into(line, &mut hit)
                    .ok()?;
                hit.time_us
            })
        })
    }

    fn request_row(
        &mut self,
        line: &'block [u8],
        start: usize,
        end: usize,
        hit: &Hit<'block>,
        scratch: &mut Scratch,
    ) {
        let recipe = self.recipe;
        let mut text = Text {
            base: self.base,
            plain: self.block_is_utf8 && memchr(b'\\', line).is_none(),
            escape: recipe.escape(),
            redacts: recipe.redacts() && may_hold_secret(line),
        };
        if !self.block_is_utf8 && line.is_ascii() {
            text.plain = memchr(b'\\', line).is_none();
        }
        let bot = if recipe.needs.bot {
            bot_of(recipe, hit, scratch)
        } else {
            ("none", "")
        };
        let (place, blank) = (self.place, &self.blank);
        let mut out_of_range = 0;
        let row = self.rows;
        for &at in &recipe.filled {
            match (&recipe.fills[at], &mut self.builders[at]) {
                (
                    Fill::Slot {
                        slot,
                        column_type,
                        absent,
                        secret,
                    },
                    builder,
                ) => {
                    let value = hit.values.get(*slot).copied().flatten();
                    match (value, builder) {
                        (None, ColumnBuilder::Text(builder)) if *absent == Absent::Hyphen => {
                            builder.one_of_few("-");
                        }
                        (None, builder) => builder.null(),
                        (Some(raw), ColumnBuilder::Text(builder)) => {
                            text.put(builder, Some(raw), *secret);
                        }
                        (Some(raw), builder) => {
                            out_of_range += u64::from(!put_number(builder, *column_type, raw));
                        }
                    }
                }
                (Fill::From(origin), ColumnBuilder::Text(builder)) => match origin {
                    Origin::Method => text.put(builder, hit.request.method, false),
                    Origin::Path => text.put(builder, hit.request.path, true),
                    Origin::Args => text.put(builder, hit.request.args, true),
                    Origin::Protocol => text.put(builder, hit.request.protocol, false),
                    Origin::Bot => builder.one_of_few(bot.0),
                    Origin::BotRule if !bot.1.is_empty() => builder.one_of_few(bot.1),
                    Origin::Client => put_client(builder, recipe, hit, &mut text),
                    _ => builder.null(),
                },
                (Fill::From(Origin::Request), ColumnBuilder::Usual(builder)) => {
                    if let Some(raw) = hit.request.whole {
                        builder.at(row, Value::Text(text.owned(raw).into()));
                    }
                }
                (Fill::From(Origin::BlankBefore), ColumnBuilder::Usual(builder)) => {
                    if blank.lines > 0 {
                        builder.at(row, Value::Count(blank.lines));
                    }
                }
                (Fill::From(Origin::Time), ColumnBuilder::Time(builder)) => {
                    builder.append_option(hit.time_us);
                }
                (Fill::From(Origin::LineOffset), ColumnBuilder::Count(builder)) => {
                    builder.append_value(offset_of(place, start - blank.bytes));
                }
                (Fill::From(Origin::LineBytes), ColumnBuilder::Count(builder)) => {
                    builder.append_value(count(end - start + blank.bytes));
                }
                (_, builder) => builder.null(),
            }
        }
        self.tally.out_of_range += out_of_range;
        self.rows += 1;
    }

    fn reject_row(&mut self, reject: &Reject<'_>) {
        let recipe = self.recipe;
        let (place, blank) = (self.place, &self.blank);
        let row = self.rows;
        for (fill, builder) in recipe.fills.iter().zip(&mut self.builders) {
            let Fill::From(origin) = fill else {
                builder.null();
                continue;
            };
            match (origin, builder) {
                (Origin::Kind, ColumnBuilder::Usual(builder)) => {
                    builder.at(row, Value::Text("reject".into()));
                }
                (Origin::Reason, ColumnBuilder::Usual(builder)) => {
                    builder.at(row, Value::Text(reject.reason.into()));
                }
                (Origin::Raw, ColumnBuilder::Usual(builder)) => {
                    // As read: only what is not UTF-8 is written as `\xHH`.
                    let raw = unescape(Escape::None, reject.line);
                    let redacted = if recipe.redacts() { redact(&raw) } else { None };
                    let raw = redacted.unwrap_or_else(|| raw.into_owned());
                    builder.at(row, Value::Text(raw.into()));
                }
                (Origin::TimeInferred, ColumnBuilder::Usual(builder)) => {
                    builder.at(row, Value::Flag(true));
                }
                (Origin::BlankBefore, ColumnBuilder::Usual(builder)) if blank.lines > 0 => {
                    builder.at(row, Value::Count(blank.lines));
                }
                (Origin::Time, ColumnBuilder::Time(builder)) => {
                    builder.append_option(reject.time_us);
                }
                (Origin::LineOffset, ColumnBuilder::Count(builder)) => {
                    builder.append_value(offset_of(place, reject.offset - blank.bytes));
                }
                (Origin::LineBytes, ColumnBuilder::Count(builder)) => {
                    let line_bytes = i64::try_from(reject.line_bytes).unwrap_or(i64::MAX);
                    builder.append_value(line_bytes.saturating_add(count(blank.bytes)));
                }
                (_, builder) => builder.null(),
            }
        }
        self.rows += 1;
        self.tally.reject(reject.reason, || RejectSample {
            file: place.file.clone(),
            file_offset: place.file_offset + reject.offset as u64,
            message: reject.message.clone(),
        });
    }
}

fn offset_of(place: &Place, at: usize) -> i64 {
    i64::try_from(place.source_offset)
        .unwrap_or(i64::MAX)
        .saturating_add(count(at))
}

fn count(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Puts text values of one line into columns.
struct Text<'block> {
    base: &'block [u8],
    /// Nothing in the line is escaped, and all of it is UTF-8.
    plain: bool,
    escape: Escape,
    /// Secrets are replaced, and the line may hold one.
    redacts: bool,
}

impl<'block> Text<'block> {
    fn put(&mut self, builder: &mut TextBuilder, raw: Option<&'block [u8]>, may_be_secret: bool) {
        let Some(raw) = raw else {
            builder.null();
            return;
        };
        let may_be_secret = may_be_secret && self.redacts && may_hold_secret(raw);
        if self.plain && !may_be_secret {
            builder.borrowed(raw, self.offset(raw));
            return;
        }
        let value = unescape(self.escape, raw);
        if may_be_secret && let Some(redacted) = redact(&value) {
            builder.owned(&redacted);
            return;
        }
        match value {
            std::borrow::Cow::Borrowed(value) => {
                builder.borrowed(value.as_bytes(), self.offset(value.as_bytes()));
            }
            std::borrow::Cow::Owned(value) => builder.owned(&value),
        }
    }

    /// A value that is not in the block's place, without its secrets.
    fn owned(&self, raw: &[u8]) -> String {
        let value = unescape(self.escape, raw);
        let redacted = if self.redacts { redact(&value) } else { None };
        redacted.unwrap_or_else(|| value.into_owned())
    }

    fn offset(&self, value: &[u8]) -> usize {
        value.as_ptr().addr() - self.base.as_ptr().addr()
    }
}

/// Whether the value fits its column; one that does not is NULL.
fn put_number(builder: &mut ColumnBuilder, column_type: ColumnType, raw: &[u8]) -> bool {
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
            let value = if column_type == ColumnType::SecondsList {
                seconds_list(raw)
            } else {
                seconds(raw)
            };
            builder.append_option(value);
            value.is_some() || raw.is_empty() || raw.iter().all(|b| b" ,:-".contains(b))
        }
        builder => {
            builder.null();
            false
        }
    }
}

fn put_client<'block>(
    builder: &mut TextBuilder,
    recipe: &Recipe,
    hit: &Hit<'block>,
    text: &mut Text<'block>,
) {
    let value = |slot: Option<usize>| hit.values.get(slot?).copied().flatten();
    let remote_addr = value(recipe.remote_addr_slot);
    if !recipe.settings.trust.is_empty()
        && let Some(raw) = remote_addr
        && let Some(forwarded) = value(recipe.forwarded_slot)
        && let Some(client) = recipe.settings.trust.client(raw, forwarded)
    {
        builder.owned(&IpAddr::to_string(&client));
        return;
    }
    text.put(builder, remote_addr, false);
}

/// The `bot` and `bot_rule` of a row.
fn bot_of<'block>(
    recipe: &Recipe,
    hit: &Hit<'block>,
    scratch: &mut Scratch,
) -> (&'static str, &'static str) {
    let raw_agent = recipe
        .agent_slot
        .and_then(|slot| hit.values.get(slot).copied().flatten());
    let (agent, probe) = raw_agent.map_or((None, false), |raw| {
        if let Some(known) = scratch.agents.get(raw) {
            return *known;
        }
        let text = unescape(recipe.escape(), raw);
        let judged = (agent(&text), is_probe(&text));
        remember(&mut scratch.agents, raw, judged);
        judged
    });
    let scanned = scan_of(recipe.escape(), &hit.request, scratch);
    let answered = recipe
        .status_slot
        .and_then(|slot| status(hit.values.get(slot).copied().flatten()?));
    let (bot, rule) = row_bot(agent.as_ref(), probe, scanned.as_ref(), answered);
    (bot.as_str(), if rule == "none" { "" } else { rule })
}

/// What a request shows by itself. Paths come again and again, so what they show is remembered.
fn scan_of(escape: Escape, request: &RequestParts<'_>, scratch: &mut Scratch) -> Option<Scan> {
    let text = |raw: &'_ [u8]| unescape(escape, raw).into_owned();
    let by_path = match (request.method, request.path) {
        (Some(b"GET" | b"POST" | b"HEAD"), Some(path)) => match scratch.paths.get(path) {
            Some(known) => *known,
            None => {
                let found = scan(None, Some(&unescape(escape, path)), None, None);
                remember(&mut scratch.paths, path, found);
                found
            }
        },
        (method, path) => scan(
            method.map(text).as_deref(),
            path.map(text).as_deref(),
            None,
            request.whole.map(text).as_deref(),
        ),
    };
    let by_args = request
        .args
        .and_then(|args| scan(None, None, Some(&unescape(escape, args)), None));
    // The surest finding speaks; between equals, the one nearer the front of the line.
    [by_path, by_args]
        .into_iter()
        .flatten()
        .min_by_key(|scan| scan.strength)
}

/// Remembers a judgment; a flood of invented keys starts the memory afresh.
fn remember<V>(memory: &mut HashMap<Vec<u8>, V>, key: &[u8], value: V) {
    if memory.len() >= REMEMBERED_MAX {
        memory.clear();
    }
    memory.insert(key.to_vec(), value);
}

pub(crate) fn recipes(
    logs: &std::collections::HashMap<PathBuf, Arc<LogSettings>>,
    schema: &LineSchema,
) -> std::collections::HashMap<PathBuf, Arc<Recipe>> {
    logs.iter()
        .map(|(path, settings)| {
            (
                path.clone(),
                Arc::new(Recipe::new(LogSettings::clone(settings), schema)),
            )
        })
        .collect()
}
