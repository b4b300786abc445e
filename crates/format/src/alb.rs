//! The access log of an AWS Application Load Balancer.
//!
//! Fields have been added at the end over the years, so that a line has at least 17; those beyond the ones known here
//! are kept as text in `extra_fields`. Names are Nginx's where the thing is the same, else the documentation's:
//! `status` is what the balancer answered, `upstream_status` what the target did. Where the first is there and the
//! second is not, the balancer answered by itself, and `actions_executed`, `error_reason` and `classification` say
//! why.

use crate::error::FormatError;
use crate::escape::Escape;
use crate::layout::{Field, Layout, Part};
use crate::step::{Missing, Plan};
use crate::variable::{Kind, Unit, Variable};

/// Fields that the oldest lines have, the client's port counted.
const REQUIRED: usize = 18;

/// How a field stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Bare,
    Quoted,
}

use Form::{Bare, Quoted};

/// After the client, in order: the documentation's fields under the names that they have here.
const FIELDS: &[(Form, &str, Kind, Unit)] = &[
    (Bare, "upstream_addr", Kind::List, Unit::One),
    (
        Bare,
        "request_processing_time",
        Kind::Seconds,
        Unit::Seconds,
    ),
    (Bare, "upstream_response_time", Kind::Seconds, Unit::Seconds),
    (
        Bare,
        "response_processing_time",
        Kind::Seconds,
        Unit::Seconds,
    ),
    (Bare, "status", Kind::Status, Unit::One),
    (Bare, "upstream_status", Kind::Status, Unit::One),
    (Bare, "request_length", Kind::Integer, Unit::Bytes),
    (Bare, "bytes_sent", Kind::Integer, Unit::Bytes),
    (Quoted, "request", Kind::Request, Unit::One),
    (Quoted, "http_user_agent", Kind::Text, Unit::One),
    (Bare, "ssl_cipher", Kind::Word, Unit::One),
    (Bare, "ssl_protocol", Kind::Word, Unit::One),
    (Bare, "target_group_arn", Kind::Word, Unit::One),
    (Quoted, "trace_id", Kind::Text, Unit::One),
    (Quoted, "ssl_server_name", Kind::Text, Unit::One),
    (Quoted, "chosen_cert_arn", Kind::Text, Unit::One),
    (Bare, "matched_rule_priority", Kind::Word, Unit::One),
    (Bare, "request_creation_time", Kind::Word, Unit::One),
    (Quoted, "actions_executed", Kind::Text, Unit::One),
    (Quoted, "redirect_url", Kind::Text, Unit::One),
    (Quoted, "error_reason", Kind::Text, Unit::One),
    (Quoted, "target_port_list", Kind::Text, Unit::One),
    (Quoted, "target_status_code_list", Kind::Text, Unit::One),
    (Quoted, "classification", Kind::Text, Unit::One),
    (Quoted, "classification_reason", Kind::Text, Unit::One),
    (Bare, "conn_trace_id", Kind::Word, Unit::One),
    (Quoted, "transformed_host", Kind::Text, Unit::One),
    (Quoted, "transformed_uri", Kind::Text, Unit::One),
    (Quoted, "request_transform_status", Kind::Text, Unit::One),
    (Bare, "extra_fields", Kind::Text, Unit::One),
];

/// Variables that are no field of their own: parts of the request's absolute URI, and the time it all took.
const DERIVED: &[&str] = &["scheme", "host", "server_port", REQUEST_TIME];

const REQUEST_TIME: &str = "request_time";

/// What `request_time` adds up: from the first of these fields to the last.
const TIMES: [&str; 2] = ["request_processing_time", "response_processing_time"];

/// How lines are read, and the variables that they give without having fields for them.
pub(crate) fn plan() -> Result<Plan, FormatError> {
    let mut plan = Plan::new(&layout())?;
    plan.required = REQUIRED;
    for name in DERIVED {
        let mut variable = Variable::named(name);
        if *name == REQUEST_TIME {
            variable.kind = Kind::SecondsList;
        }
        plan.variables.push(variable);
    }
    plan.set_sum(REQUEST_TIME, TIMES);
    Ok(plan)
}

fn layout() -> Layout {
    let literal = |text: &str| Part::Literal(text.to_owned());
    let field = |variable: Variable| {
        // A time of -1 is one that there was not: the target was not asked, or closed the connection.
        let missing = (variable.kind == Kind::Seconds).then_some(Missing::MinusOne);
        Part::Field(Field {
            missing,
            ..variable.into()
        })
    };
    let word = |name| field(Variable::own(name, Kind::Word, Unit::One));
    let mut parts = vec![
        word("type"),
        literal(" "),
        field(Variable::named("time_iso8601")),
        literal(" "),
        word("elb"),
        literal(" "),
        // An IPv6 address has no brackets here.
        field(Variable::named("remote_addr")),
        literal(":"),
        field(Variable::named("remote_port")),
    ];
    let mut before = Bare;
    for &(form, name, kind, unit) in FIELDS {
        parts.push(literal(match (before, form) {
            (Bare, Bare) => " ",
            (Bare, Quoted) => " \"",
            (Quoted, Bare) => "\" ",
            (Quoted, Quoted) => "\" \"",
        }));
        parts.push(field(Variable::own(name, kind, unit)));
        before = form;
    }
    Layout {
        escape: Escape::Default,
        parts,
    }
}
