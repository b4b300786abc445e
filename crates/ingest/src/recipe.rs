//! Which columns the lines of one log fill, and how.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use floodmark_format::{CompiledFormat, Hit};

use crate::batch::{CodeBuilder, ColumnBuilder, TextBuilder, UsualBuilder, Value};
use crate::client::Trust;
use crate::columns::{Column, ColumnType, LineSchema, Origin};
use crate::condition::{Check, Condition, Kinds};
use crate::rows::value_of;
use crate::scratch::{Scratch, TextAs};
use crate::texts::Field;

/// What holds for all lines of one log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// How its lines are written.
    pub format: CompiledFormat,
    /// How those are written that `format` does not read; tried in this order.
    pub further: Vec<CompiledFormat>,
    /// The port of rows whose line does not say.
    pub server_port: i32,
    /// The server name of rows whose line does not say.
    pub server_name: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trust: Trust,
    /// Whether secret values are replaced ([`crate::redact`]).
    pub secrets: Secrets,
}

impl LogSettings {
    /// All formats of the log, in the order in which they are tried.
    pub fn formats(&self) -> impl Iterator<Item = &CompiledFormat> {
        std::iter::once(&self.format).chain(&self.further)
    }

    /// The names of the variables of all formats; one may come more than once.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let variables = self.formats().flat_map(CompiledFormat::variables);
        variables.map(|variable| variable.name.as_str())
    }

    /// The times of the lines that a format reads, in their order, microseconds since the epoch; the last line may be cut.
    pub fn times_us(&self, lines: &[u8]) -> impl Iterator<Item = i64> {
        let mut hit = Hit::default();
        let lines = lines.split(|&byte| byte == b'\n');
        lines.filter_map(move |line| {
            let mut formats = self.formats();
            formats.find(|format| format.parse_values_into(line, &mut hit).is_ok())?;
            hit.time_us
        })
    }
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
    pub(crate) settings: LogSettings,
    /// One for each format, in the order in which they are tried.
    pub(crate) ways: Vec<Way>,
    /// The value that nearly every row has in a column, of whatever format its line is.
    usual: Vec<Option<Value>>,
    pub(crate) judged: JudgedColumns,
    /// Places of `client` and `remote_addr` where they are the same, as no proxy is trusted.
    pub(crate) twins: Option<(usize, usize)>,
    /// Whether a column asks for what the row shows of its sender.
    pub(crate) needs_bot: bool,
    /// Whether so many columns are text of lines that it is best to see at once whether a block is UTF-8, and not value by value.
    pub(crate) is_rich_in_text: bool,
    /// The lines that become rows.
    pub(crate) kinds: Kinds,
}

/// How lines of one format fill the columns.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) format: CompiledFormat,
    pub(crate) fills: Vec<Fill>,
    /// What a request has to meet to become a row.
    pub(crate) checks: Vec<Check>,
    /// Whether the parts of a request are asked for.
    pub(crate) needs_request: bool,
    /// Columns that a request row has a value of its own for, without the judged ones.
    pub(crate) filled: Vec<usize>,
    pub(crate) slots: Slots,
}

/// Columns of texts that are judged as well as stored.
#[derive(Debug)]
pub(crate) struct JudgedColumns {
    pub(crate) agent: Option<usize>,
    pub(crate) path: Option<usize>,
    pub(crate) args: Option<usize>,
}

/// Slots of variables that say more than their column.
#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) agent: Option<usize>,
    pub(crate) status: Option<usize>,
    pub(crate) stamp: Option<usize>,
    pub(crate) remote_addr: Option<usize>,
    pub(crate) forwarded: Option<usize>,
}

/// How one column of a request row is filled.
#[derive(Debug)]
pub(crate) enum Fill {
    From(Origin),
    Slot {
        slot: usize,
        absent: Absent,
        field: Field,
    },
    Null,
}

/// What a variable logged as `-` becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    Null,
    /// A hyphen: in `$upstream_*` it says that no upstream was asked, and NULL that the log does not tell.
    Hyphen,
}

/// Text columns from which on a block is checked as a whole.
const RICH_IN_TEXT: usize = 3;

impl Recipe {
    pub(crate) fn new(
        settings: LogSettings,
        schema: &LineSchema,
        conditions: &[Condition],
    ) -> Self {
        let columns = schema.columns();
        let place_of = |name: &str| columns.iter().position(|column| column.name == name);
        let twins = place_of("client")
            .zip(place_of("remote_addr"))
            .filter(|_| settings.trust.is_empty());
        let judged = JudgedColumns {
            agent: place_of("http_user_agent"),
            path: place_of("path"),
            args: place_of("args"),
        };
        let mut ways: Vec<Way> = settings
            .formats()
            .map(|format| Way::new(format, columns, twins, conditions))
            .collect();
        let of_all = |at: usize| {
            let (first, further) = ways.split_first()?;
            let usual = usual_of(&first.fills[at], &first.format, &settings)?;
            further
                .iter()
                .all(|way| {
                    usual_of(&way.fills[at], &way.format, &settings).as_ref() == Some(&usual)
                })
                .then_some(usual)
        };
        let usual: Vec<Option<Value>> = (0..columns.len()).map(of_all).collect();
        let judged_places = [judged.agent, judged.path, judged.args];
        for way in &mut ways {
            let has_own = |&at: &usize| match &way.fills[at] {
                Fill::From(Origin::Source) => false,
                fill => !(fill.is_usual() && usual[at].is_some()),
            };
            way.filled = (0..columns.len())
                .filter(has_own)
                .filter(|&at| !judged_places.contains(&Some(at)))
                .collect();
        }
        let is_text = |at: &usize| columns[*at].column_type == ColumnType::Text;
        Self {
            is_rich_in_text: ways.iter().any(|way| {
                let texts = way.filled.iter().filter(|at| is_text(at)).count();
                texts + judged.count() >= RICH_IN_TEXT
            }),
            kinds: Kinds::of(conditions),
            needs_bot: columns
                .iter()
                .any(|column| matches!(column.origin, Origin::Bot | Origin::BotRule)),
            ways,
            usual,
            judged,
            twins,
            settings,
        }
    }

    /// A builder for each column: of those that hold one value in nearly every row, only the others are built.
    pub(crate) fn builders(
        &self,
        schema: &LineSchema,
        rows: usize,
        text_as: TextAs,
        scratch: &mut Scratch,
    ) -> Vec<ColumnBuilder> {
        let columns = schema.columns().iter().zip(&self.usual);
        columns
            .zip(&mut scratch.dictionaries)
            .map(|((column, usual), dictionary)| {
                if let Some(usual) = usual {
                    let builder = UsualBuilder::new(column.column_type, usual.clone());
                    return ColumnBuilder::Usual(builder);
                }
                match ColumnBuilder::new(column, rows) {
                    ColumnBuilder::Text(_)
                        if text_as == TextAs::Codes && !dictionary.is_sparse() =>
                    {
                        let dictionary = std::mem::take(dictionary);
                        ColumnBuilder::Text(TextBuilder::Codes(CodeBuilder::new(dictionary, rows)))
                    }
                    builder => builder,
                }
            })
            .collect()
    }

    pub(crate) fn redacts(&self) -> bool {
        self.settings.secrets == Secrets::Redact
    }
}

impl Way {
    fn new(
        format: &CompiledFormat,
        columns: &[Column],
        twins: Option<(usize, usize)>,
        conditions: &[Condition],
    ) -> Self {
        let slot_of = |name: &str| {
            let mut variables = format.variables().iter();
            variables.position(|variable| variable.name == name)
        };
        let mut fills: Vec<Fill> = columns
            .iter()
            .map(|column| Fill::new(column, slot_of(&column.name)))
            .collect();
        if let Some((client, _)) = twins {
            fills[client] = Fill::Null;
        }
        let checks: Vec<Check> = conditions
            .iter()
            .filter_map(|condition| Check::new(condition, slot_of(condition.column())))
            .collect();
        let asked = fills.iter().chain(checks.iter().map(|check| &check.fill));
        Self {
            format: format.clone(),
            needs_request: asked.into_iter().any(Fill::is_of_request),
            checks,
            fills,
            filled: Vec::new(),
            slots: Slots {
                agent: slot_of("http_user_agent"),
                status: slot_of("status"),
                stamp: slot_of("time_local"),
                remote_addr: slot_of("remote_addr"),
                forwarded: slot_of("http_x_forwarded_for"),
            },
        }
    }
}

/// Who a request is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client<'line> {
    /// Whom a trusted proxy names.
    Forwarded(IpAddr),
    /// The other end of the connection, as logged.
    Peer(&'line [u8]),
}

impl Way {
    /// `None` where no address is logged.
    pub(crate) fn client<'line>(&self, trust: &Trust, hit: &Hit<'line>) -> Option<Client<'line>> {
        let peer = value_of(hit, self.slots.remote_addr)?;
        let forwarded = match trust.is_empty() {
            true => None,
            false => value_of(hit, self.slots.forwarded),
        };
        let named = forwarded.and_then(|forwarded| trust.client(peer, forwarded));
        Some(named.map_or(Client::Peer(peer), Client::Forwarded))
    }
}

/// The value that nearly every row of a format has in a column.
fn usual_of(fill: &Fill, format: &CompiledFormat, settings: &LogSettings) -> Option<Value> {
    Some(match fill {
        Fill::Null => Value::Null,
        Fill::From(Origin::Kind) => Value::Text("request".into()),
        Fill::From(Origin::Layer) => Value::Text(format.layer().as_str().into()),
        Fill::From(Origin::ServerPort) => Value::Small(settings.server_port),
        Fill::From(Origin::ServerName) => match &settings.server_name {
            Some(name) => Value::Text(name.clone().into()),
            None => Value::Null,
        },
        Fill::From(Origin::TimeInferred) => Value::Flag(false),
        Fill::From(Origin::BlankBefore) => Value::Count(0),
        Fill::From(Origin::Reason | Origin::Raw | Origin::Request | Origin::Until) => Value::Null,
        _ => return None,
    })
}

impl JudgedColumns {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        let places = [self.agent, self.path, self.args];
        places.iter().flatten().count()
    }
}

impl Fill {
    pub(crate) fn new(column: &Column, slot: Option<usize>) -> Self {
        match (column.origin, slot) {
            (Origin::Variable | Origin::ServerName | Origin::ServerPort, Some(slot)) => {
                Self::Slot {
                    slot,
                    absent: if column.name.starts_with("upstream_") {
                        Absent::Hyphen
                    } else {
                        Absent::Null
                    },
                    field: if column.name == "http_referer" {
                        Field::MayHoldSecret
                    } else {
                        Field::Plain
                    },
                }
            }
            (Origin::Variable, None) => Self::Null,
            (origin, _) => Self::From(origin),
        }
    }

    /// Whether it takes the request in its parts.
    fn is_of_request(&self) -> bool {
        use Origin::{Args, Bot, BotRule, Method, Path, Protocol, Request};
        let Self::From(origin) = self else {
            return false;
        };
        matches!(
            origin,
            Method | Path | Args | Protocol | Request | Bot | BotRule
        )
    }

    /// Whether a request row has the same in it as every other.
    fn is_usual(&self) -> bool {
        use Origin::{
            Kind, Layer, Raw, Reason, ServerName, ServerPort, Source, TimeInferred, Until,
        };
        match self {
            Self::Null => true,
            Self::Slot { .. } => false,
            Self::From(origin) => matches!(
                origin,
                Kind | Layer
                    | Raw
                    | Reason
                    | ServerName
                    | ServerPort
                    | Source
                    | TimeInferred
                    | Until
            ),
        }
    }
}

pub(crate) fn recipes(
    logs: &HashMap<PathBuf, Arc<LogSettings>>,
    schema: &LineSchema,
    conditions: &[Condition],
) -> HashMap<PathBuf, Arc<Recipe>> {
    logs.iter()
        .map(|(path, settings)| {
            let settings = LogSettings::clone(settings);
            let recipe = Recipe::new(settings, schema, conditions);
            (path.clone(), Arc::new(recipe))
        })
        .collect()
}
