//! `visitor_class(named_struct(…)) OVER ()`: who each visitor was, by all of its sessions and by who else was there.
//!
//! STRUCT -> STRUCT, a row for each client and agent. In: `client`, `http_user_agent`, `network` (the client's /24 or /64), `private` (it is no
//! public address), `standing` (`verified`, `fake`, `unverified`; NULL: it claims nothing that can be looked up), `exempt`, and `visit`, what
//! the aggregate `visit` gives. Out: `class`, `rule` (what decided), `hidden` (the address stands for others, as a balancer's does), `sessions`,
//! `requests`, `pages` (requests for no asset), `bad`, `bytes` (of bodies). Wraps [`floodmark_traffic::visitor::judge`].
//!
//! `queries/tables/visitors.sql` shows it in use.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, LargeBinaryArray, StringViewArray,
    StringViewBuilder, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields as ArrowFields};
use datafusion::common::Result;
use datafusion::logical_expr::WindowUDF;
use floodmark_traffic::claims::Standing;
use floodmark_traffic::visitor::{Judgment, Visitor, judge};

use super::fields::Fields;
use super::series;

pub(super) fn visitor_class() -> WindowUDF {
    series::function("visitor_class", 1, DataType::Struct(output()), |values| {
        let visitors = Visitors::of(&values[0])?;
        let visitors: Vec<Visitor<'_>> = (0..visitors.visits.len())
            .map(|row| visitors.visitor(row))
            .collect();
        Ok(Arc::new(written(&judge(&visitors))))
    })
}

fn output() -> ArrowFields {
    let text = |name| Field::new(name, DataType::Utf8View, false);
    let count = |name| Field::new(name, DataType::Int64, false);
    ArrowFields::from(vec![
        text("class"),
        text("rule"),
        Field::new("hidden", DataType::Boolean, false),
        count("sessions"),
        count("requests"),
        count("pages"),
        count("bad"),
        count("bytes"),
    ])
}

struct Visitors {
    clients: StringViewArray,
    agents: StringViewArray,
    networks: StringViewArray,
    private: Vec<bool>,
    standings: StringViewArray,
    exempt: Vec<bool>,
    visits: LargeBinaryArray,
}

impl Visitors {
    fn of(values: &ArrayRef) -> Result<Self> {
        let fields = Fields::of("visitor_class", values)?;
        Ok(Self {
            clients: fields.texts("client")?,
            agents: fields.texts("http_user_agent")?,
            networks: fields.texts("network")?,
            private: fields.flags("private")?,
            standings: fields.texts("standing")?,
            exempt: fields.flags("exempt")?,
            visits: cast(fields.column("visit")?, &DataType::LargeBinary)?
                .as_binary()
                .clone(),
        })
    }

    fn visitor(&self, row: usize) -> Visitor<'_> {
        Visitor {
            client: text(&self.clients, row),
            http_user_agent: text(&self.agents, row),
            network: text(&self.networks, row),
            private: self.private[row],
            standing: text(&self.standings, row).and_then(Standing::named),
            exempt: self.exempt[row],
            asked: match self.visits.is_valid(row) {
                true => self.visits.value(row),
                false => &[],
            },
        }
    }
}

fn text(texts: &StringViewArray, row: usize) -> Option<&str> {
    texts.is_valid(row).then(|| texts.value(row))
}

fn written(judgments: &[Judgment]) -> StructArray {
    let text = |of: fn(&Judgment) -> &'static str| -> ArrayRef {
        let mut texts =
            StringViewBuilder::with_capacity(judgments.len()).with_deduplicate_strings();
        judgments
            .iter()
            .for_each(|judgment| texts.append_value(of(judgment)));
        Arc::new(texts.finish())
    };
    let count = |of: fn(&Judgment) -> u64| -> ArrayRef {
        let counts = judgments.iter().map(of);
        let counts = counts.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(counts))
    };
    let hidden: BooleanArray = judgments
        .iter()
        .map(|judgment| Some(judgment.hidden))
        .collect();
    let columns = vec![
        text(|judgment| judgment.class.as_str()),
        text(|judgment| judgment.rule),
        Arc::new(hidden) as ArrayRef,
        count(|judgment| judgment.sessions),
        count(|judgment| judgment.requests),
        count(|judgment| judgment.pages),
        count(|judgment| judgment.bad),
        count(|judgment| judgment.bytes),
    ];
    StructArray::new(output(), columns, None)
}
