//! `minute_state(named_struct(…)) OVER (ORDER BY minute)`: what state the site was in, and which incident a minute is part of.
//!
//! STRUCT -> STRUCT, over a range in which each minute has a row for each visitor that matters by itself and one for all others of a kind,
//! or one row without a visitor; a minute that is missing is an error. In:
//! - `minute`, `covered`, `maintenance`;
//! - `client`, `http_user_agent`, `is_probe`, `decides`: the visitor (probes and whoever met an error), and whether its requests count as
//!   a probe's or decide;
//! - `good`, `bad`, `shed`: the requests, NULL as 0;
//! - `visitors`: how many visitors made them, NULL as 0;
//! - `first`, `last`: when it was seen in the minute; asked of probes alone.
//!
//! Out, the same in each row of a minute: `state`, `evidence`, `good_fraction`, `good`, `bad`, `bad_clients`, and `incident` (its
//! number), `incident_kind`, `incident_evidence`, NULL outside of incidents. Wraps [`floodmark_traffic::minute::judge_minutes`] and
//! [`floodmark_traffic::uptime::incidents`].
//!
//! `queries/tables/judged_minutes.sql` shows it in use.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Builder, Int64Builder, StringViewBuilder, StructArray, UInt64Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields as ArrowFields};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::WindowUDF;
use floodmark_traffic::minute::{Judged, Minute, NEAR_MINUTES, judge_minutes};
use floodmark_traffic::probe::Probe;
use floodmark_traffic::uptime::{Incident, IncidentKind, incidents};

use super::fields::Fields;
use super::scalar::micros;
use super::series;

const SECOND_US: i64 = 1_000_000;

pub(super) fn minute_state() -> WindowUDF {
    series::function("minute_state", 1, DataType::Struct(output()), judge)
}

fn output() -> ArrowFields {
    let text = |name, nullable| Field::new(name, DataType::Utf8View, nullable);
    let count = |name, nullable| Field::new(name, DataType::Int64, nullable);
    ArrowFields::from(vec![
        text("state", false),
        text("evidence", false),
        Field::new("good_fraction", DataType::Float64, false),
        count("good", false),
        count("bad", false),
        count("bad_clients", false),
        count("incident", true),
        text("incident_kind", true),
        text("incident_evidence", true),
    ])
}

fn judge(values: &[ArrayRef]) -> Result<ArrayRef> {
    let fields = Fields::of("minute_state", &values[0])?;
    let (minutes, probes, row_minutes) = gather(&fields)?;
    let judged = judge_minutes(&minutes, &probes)
        .map_err(|error| DataFusionError::External(Box::new(error)))?;
    let by_minute = written(&judged, &incidents(&judged));
    Ok(take(&by_minute, &row_minutes, None)?)
}

/// The minutes, the probes, and for each row which of the minutes it is.
fn gather(fields: &Fields<'_>) -> Result<(Vec<Minute>, Vec<Probe>, UInt64Array)> {
    let row_minute = fields.minutes("minute")?;
    let (covered, maintenance) = (fields.flags("covered")?, fields.flags("maintenance")?);
    let (clients, agents) = (fields.texts("client")?, fields.texts("http_user_agent")?);
    let (is_probe, decides) = (fields.flags("is_probe")?, fields.flags("decides")?);
    let (good, bad, shed) = (
        fields.counts("good")?,
        fields.counts("bad")?,
        fields.counts("shed")?,
    );
    let visitors = fields.counts("visitors")?;
    let (first, last) = (
        micros(fields.column("first")?)?,
        micros(fields.column("last")?)?,
    );

    let mut minutes: Vec<Minute> = Vec::new();
    let mut indices = Vec::with_capacity(row_minute.len());
    let mut failed: HashMap<usize, Failed<'_>> = HashMap::new();
    let mut seen: BTreeMap<(Option<&str>, Option<&str>), Vec<i64>> = BTreeMap::new();
    for row in 0..row_minute.len() {
        if minutes
            .last()
            .is_none_or(|minute| minute.minute != row_minute[row])
        {
            minutes.push(Minute {
                minute: row_minute[row],
                covered: covered[row],
                maintenance: maintenance[row],
                ..Minute::default()
            });
        }
        let at = minutes.len() - 1;
        indices.push(u64::try_from(at).unwrap_or(u64::MAX));
        let minute = &mut minutes[at];
        let client = clients.is_valid(row).then(|| clients.value(row));
        if is_probe[row] {
            minute.probe_good = minute.probe_good.saturating_add(good[row]);
            minute.probe_bad = minute
                .probe_bad
                .saturating_add(bad[row])
                .saturating_add(shed[row]);
            let agent = agents.is_valid(row).then(|| agents.value(row));
            let times = [&first, &last]
                .into_iter()
                .filter(|times| times.is_valid(row));
            let seconds = times.map(|times| times.value(row).div_euclid(SECOND_US));
            seen.entry((client, agent)).or_default().extend(seconds);
        } else if decides[row] {
            minute.good = minute.good.saturating_add(good[row]);
            minute.bad = minute.bad.saturating_add(bad[row]);
            minute.shed = minute.shed.saturating_add(shed[row]);
            minute.visitors = minute.visitors.saturating_add(visitors[row]);
            if bad[row] > 0 {
                failed.entry(at).or_default().bad.insert(client);
            }
            if shed[row] > 0 {
                failed.entry(at).or_default().shed.insert(client);
            }
        }
    }
    let length = minutes.len();
    for (&at, clients) in &failed {
        let near = at.saturating_sub(NEAR_MINUTES)..(at + NEAR_MINUTES + 1).min(length);
        minutes[at].bad_clients = size(clients.bad.len());
        minutes[at].shed_clients = size(clients.shed.len());
        minutes[at].bad_clients_near = size(distinct(&failed, near));
    }
    let probes = seen.into_values().filter_map(Probe::known).collect();
    Ok((minutes, probes, UInt64Array::from(indices)))
}

/// The clients whose requests failed in a minute.
#[derive(Default)]
struct Failed<'a> {
    bad: HashSet<Option<&'a str>>,
    shed: HashSet<Option<&'a str>>,
}

fn distinct(failed: &HashMap<usize, Failed<'_>>, minutes: Range<usize>) -> usize {
    let clients = minutes
        .filter_map(|at| failed.get(&at))
        .flat_map(|clients| &clients.bad);
    clients.collect::<HashSet<_>>().len()
}

fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn written(judged: &[Judged], incidents: &[Incident]) -> StructArray {
    let part_of = parts(judged, incidents);
    let text = || StringViewBuilder::with_capacity(judged.len()).with_deduplicate_strings();
    let (mut state, mut evidence, mut kind, mut why) = (text(), text(), text(), text());
    let mut fraction = Float64Builder::with_capacity(judged.len());
    let count = || Int64Builder::with_capacity(judged.len());
    let (mut good, mut bad, mut clients, mut number) = (count(), count(), count(), count());
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    for (minute, part) in judged.iter().zip(part_of) {
        state.append_value(minute.state.as_str());
        evidence.append_value(minute.evidence);
        fraction.append_value(minute.good_fraction);
        good.append_value(whole(minute.good));
        bad.append_value(whole(minute.bad));
        clients.append_value(whole(minute.bad_clients));
        number.append_option(part.and_then(|part| i64::try_from(part).ok()));
        kind.append_option(part.map(|part| incidents[part].kind.as_str()));
        why.append_option(part.map(|part| incidents[part].evidence));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(state.finish()),
        Arc::new(evidence.finish()),
        Arc::new(fraction.finish()),
        Arc::new(good.finish()),
        Arc::new(bad.finish()),
        Arc::new(clients.finish()),
        Arc::new(number.finish()),
        Arc::new(kind.finish()),
        Arc::new(why.finish()),
    ];
    StructArray::new(output(), columns, None)
}

/// The incident that each minute is part of. A gap of some minutes inside an outage is told as part of the outage.
fn parts(judged: &[Judged], incidents: &[Incident]) -> Vec<Option<usize>> {
    let mut parts = vec![None; judged.len()];
    let Some(first) = judged.first().map(|minute| minute.minute) else {
        return parts;
    };
    let is_gap = |&at: &usize| incidents[at].kind == IncidentKind::Gap;
    let (gaps, others): (Vec<usize>, Vec<usize>) = (0..incidents.len()).partition(is_gap);
    for at in others.into_iter().chain(gaps) {
        for minute in incidents[at].start_minute..incidents[at].end_minute {
            let row = usize::try_from(minute - first);
            let row = row.expect("an incident lies in the minutes judged");
            parts[row].get_or_insert(at);
        }
    }
    parts
}
