//! Which columns the lines of one log fill, and how.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use floodmark_format::{CompiledFormat, Escape};

use crate::batch::{CodeBuilder, ColumnBuilder, TextBuilder, UsualBuilder, Value};
use crate::client::Trust;
use crate::columns::{Column, LineSchema, Origin};
use crate::scratch::{Scratch, TextAs};
use crate::texts::Field;

/// What holds for all lines of one log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// How its lines are written.
    pub format: CompiledFormat,
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
    pub(crate) settings: LogSettings,
    pub(crate) fills: Vec<Fill>,
    /// Columns that a request row has a value of its own for, without the judged ones.
    pub(crate) filled: Vec<usize>,
    pub(crate) judged: JudgedColumns,
    pub(crate) slots: Slots,
    /// Places of `client` and `remote_addr` where they are the same, as no proxy is trusted.
    pub(crate) twins: Option<(usize, usize)>,
    /// Whether a column asks for what the row shows of its sender.
    pub(crate) needs_bot: bool,
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

impl Recipe {
    pub(crate) fn new(settings: LogSettings, schema: &LineSchema) -> Self {
        let slot_of = |name: &str| {
            settings
                .format
                .variables()
                .iter()
                .position(|variable| variable.name == name)
        };
        let columns = schema.columns();
        let place_of = |name: &str| columns.iter().position(|column| column.name == name);
        let twins = place_of("client")
            .zip(place_of("remote_addr"))
            .filter(|_| settings.trust.is_empty());
        let mut fills: Vec<Fill> = columns
            .iter()
            .map(|column| Fill::new(column, slot_of(&column.name)))
            .collect();
        if let Some((client, _)) = twins {
            fills[client] = Fill::Null;
        }
        let judged = JudgedColumns {
            agent: place_of("http_user_agent"),
            path: place_of("path"),
            args: place_of("args"),
        };
        let judged_places = [judged.agent, judged.path, judged.args];
        Self {
            filled: (0..fills.len())
                .filter(|&at| !fills[at].is_usual() && !judged_places.contains(&Some(at)))
                .collect(),
            slots: Slots {
                agent: slot_of("http_user_agent"),
                status: slot_of("status"),
                stamp: slot_of("time_local"),
                remote_addr: slot_of("remote_addr"),
                forwarded: slot_of("http_x_forwarded_for"),
            },
            needs_bot: columns
                .iter()
                .any(|column| matches!(column.origin, Origin::Bot | Origin::BotRule)),
            judged,
            twins,
            fills,
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
        let columns = schema.columns().iter().zip(&self.fills);
        columns
            .zip(&mut scratch.dictionaries)
            .map(|((column, fill), dictionary)| {
                if let Some(usual) = self.usual(fill) {
                    return ColumnBuilder::Usual(UsualBuilder::new(column.column_type, usual));
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

    /// The value that nearly every row has in a column.
    fn usual(&self, fill: &Fill) -> Option<Value> {
        Some(match fill {
            Fill::Null => Value::Null,
            Fill::From(Origin::Kind) => Value::Text("request".into()),
            Fill::From(Origin::Layer) => Value::Text(self.settings.format.layer().as_str().into()),
            Fill::From(Origin::ServerPort) => Value::Small(self.settings.server_port),
            Fill::From(Origin::TimeInferred) => Value::Flag(false),
            Fill::From(Origin::BlankBefore) => Value::Count(0),
            Fill::From(Origin::Reason | Origin::Raw | Origin::Request) => Value::Null,
            _ => return None,
        })
    }

    pub(crate) fn escape(&self) -> Escape {
        self.settings.format.escape()
    }

    pub(crate) fn redacts(&self) -> bool {
        self.settings.secrets == Secrets::Redact
    }
}

impl Fill {
    fn new(column: &Column, slot: Option<usize>) -> Self {
        match (column.origin, slot) {
            (Origin::Variable | Origin::ServerPort, Some(slot)) => Self::Slot {
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
            },
            (Origin::Variable, None) => Self::Null,
            (origin, _) => Self::From(origin),
        }
    }

    /// Whether a request row has the same in it as every other.
    fn is_usual(&self) -> bool {
        use Origin::{Kind, Layer, Raw, Reason, ServerPort, Source, TimeInferred};
        match self {
            Self::Null => true,
            Self::Slot { .. } => false,
            Self::From(origin) => matches!(
                origin,
                Kind | Layer | Raw | Reason | ServerPort | Source | TimeInferred
            ),
        }
    }
}

pub(crate) fn recipes(
    logs: &HashMap<PathBuf, Arc<LogSettings>>,
    schema: &LineSchema,
) -> HashMap<PathBuf, Arc<Recipe>> {
    logs.iter()
        .map(|(path, settings)| {
            (
                path.clone(),
                Arc::new(Recipe::new(LogSettings::clone(settings), schema)),
            )
        })
        .collect()
}
