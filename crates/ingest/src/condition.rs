//! Conditions on the rows of a log, asked of each line as soon as it is parsed: one that does not meet them all is counted, and no
//! column is built of it.

use floodmark_format::{Hit, integer, port, status};

use crate::client::Trust;
use crate::columns::{Column, ColumnType, Origin};
use crate::recipe::{Absent, Client, Fill, Way};
use crate::rows::value_of;
use crate::texts::{Field, Texts};
use crate::value_set::{NumberSet, ValueSet};

/// A condition on one column. NULL does not meet it, as in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    column: Column,
    values: ValueSet,
}

impl Condition {
    /// That the column has one of the values; `None` if that cannot be told from the line, before columns are built.
    #[must_use]
    pub fn new(column: Column, values: ValueSet) -> Option<Self> {
        use Origin::{Args, Client, Kind, Method, Path, Protocol, Time, Variable};
        let is_in_the_line = matches!(
            column.origin,
            Kind | Time | Client | Method | Path | Args | Protocol | Variable
        );
        let is_of_its_type = match values {
            ValueSet::Numbers(_) => matches!(
                column.column_type,
                ColumnType::Status | ColumnType::Small | ColumnType::Count | ColumnType::Time
            ),
            ValueSet::Texts(_) => column.column_type == ColumnType::Text,
        };
        (is_in_the_line && is_of_its_type).then_some(Self { column, values })
    }

    /// The times that rows have to have, if it is these that it asks about.
    #[must_use]
    pub fn times_us(&self) -> Option<&NumberSet> {
        match &self.values {
            ValueSet::Numbers(times) if self.column.origin == Origin::Time => Some(times),
            _ => None,
        }
    }

    /// The name of the column that it asks about.
    pub(crate) fn column(&self) -> &str {
        &self.column.name
    }

    fn allows_kind(&self, kind: &str) -> bool {
        match &self.values {
            ValueSet::Texts(kinds) if self.column.origin == Origin::Kind => {
                kinds.contains(kind.as_bytes())
            }
            _ => true,
        }
    }
}

/// Which kinds of lines the conditions ask for.
#[derive(Debug)]
pub(crate) struct Kinds {
    /// Whether they ask for requests, of which each [`Check`] is asked.
    pub(crate) requests: bool,
    /// The times that rejects have to have; `None` if they do not ask for rejects.
    pub(crate) rejects: Option<Vec<NumberSet>>,
}

impl Kinds {
    pub(crate) fn of(conditions: &[Condition]) -> Self {
        let allow = |kind: &str| {
            conditions
                .iter()
                .all(|condition| condition.allows_kind(kind))
        };
        // What else a condition may ask about is NULL in a reject.
        let is_of_rejects =
            |condition: &Condition| matches!(condition.column.origin, Origin::Kind | Origin::Time);
        let rejects = allow("reject") && conditions.iter().all(is_of_rejects);
        Self {
            requests: allow("request"),
            rejects: rejects.then(|| {
                let times = conditions.iter().filter_map(Condition::times_us);
                times.cloned().collect()
            }),
        }
    }
}

/// A condition as the requests of one format are asked.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) fill: Fill,
    column_type: ColumnType,
    values: ValueSet,
}

/// What a request says to a [`Check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Met,
    Unmet,
    /// Its value does not fit the column, and so is NULL.
    OutOfRange,
}

impl Check {
    /// `None` of a condition that [`Kinds`] say all about.
    pub(crate) fn new(condition: &Condition, slot: Option<usize>) -> Option<Self> {
        let Condition { column, values } = condition;
        (column.origin != Origin::Kind).then(|| Self {
            fill: Fill::new(column, slot),
            column_type: column.column_type,
            values: values.clone(),
        })
    }

    pub(crate) fn ask(&self, way: &Way, trust: &Trust, hit: &Hit<'_>, texts: &Texts<'_>) -> Answer {
        let is_met = match &self.values {
            ValueSet::Numbers(numbers) => match self.number(hit) {
                Ok(number) => number.is_some_and(|number| numbers.contains(number)),
                Err(OutOfRange) => return Answer::OutOfRange,
            },
            ValueSet::Texts(wanted) => {
                let logged = |raw: Option<&[u8]>, field| {
                    raw.is_some_and(|raw| match texts.converted(raw, field) {
                        Some(text) => wanted.contains(text.as_bytes()),
                        None => wanted.contains(raw),
                    })
                };
                let request = &hit.request;
                match &self.fill {
                    Fill::Slot {
                        slot,
                        absent,
                        field,
                    } => match (value_of(hit, Some(*slot)), absent) {
                        (None, Absent::Hyphen) => wanted.contains(b"-"),
                        (raw, _) => logged(raw, *field),
                    },
                    Fill::From(Origin::Method) => logged(request.method, Field::Plain),
                    Fill::From(Origin::Protocol) => logged(request.protocol, Field::Plain),
                    Fill::From(Origin::Path) => logged(request.path, Field::MayHoldSecret),
                    Fill::From(Origin::Args) => logged(request.args, Field::MayHoldSecret),
                    Fill::From(Origin::Client) => match way.client(trust, hit) {
                        Some(Client::Forwarded(address)) => {
                            wanted.contains(address.to_string().as_bytes())
                        }
                        Some(Client::Peer(raw)) => logged(Some(raw), Field::Plain),
                        None => false,
                    },
                    Fill::From(_) | Fill::Null => false,
                }
            }
        };
        if is_met { Answer::Met } else { Answer::Unmet }
    }

    fn number(&self, hit: &Hit<'_>) -> Result<Option<i64>, OutOfRange> {
        let raw = match &self.fill {
            Fill::From(Origin::Time) => return Ok(hit.time_us),
            Fill::Slot { slot, .. } => value_of(hit, Some(*slot)),
            _ => None,
        };
        let Some(raw) = raw else {
            return Ok(None);
        };
        let number = match self.column_type {
            ColumnType::Status => status(raw).map(i64::from),
            ColumnType::Small => port(raw).map(i64::from),
            _ => integer(raw),
        };
        number.map(Some).ok_or(OutOfRange)
    }
}

struct OutOfRange;
