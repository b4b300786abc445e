//! `minute_state(named_struct(…)) OVER (ORDER BY minute)`: what state the site was in, and which incident a minute is part of.
//!
//! STRUCT -> STRUCT, over every minute of a range; one that does not follow its predecessor is an error. In: `minute`, `covered`,
//! `good`, `bad`, `shed` (requests that decide, without probes), `bad_clients` (list), `shed_clients`, `probe_good`, `probe_bad`, `probes`
//! (list of `client`, `http_user_agent`, `first`, `last`: when each probe was seen in the minute). NULL counts are 0, NULL lists
//! empty. Out: `state`, `evidence`, `good_fraction`, `good`, `bad`, `bad_clients`, and `incident` (its number), `incident_kind`,
//! `incident_evidence`, NULL outside of incidents. Wraps [`floodmark_traffic::minute::judge_minutes`] and
//! [`floodmark_traffic::uptime::incidents`].
//!
//! `queries/tables/judged_minutes.sql` shows it in use.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int64Builder, ListArray, StringViewArray,
    StringViewBuilder, StructArray,
};
use arrow::datatypes::{DataType, Field, Fields as ArrowFields};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::WindowUDF;
use floodmark_traffic::minute::{Judged, Minute, NEAR_MINUTES, judge_minutes};
use floodmark_traffic::probe::Probe;
use floodmark_traffic::uptime::{Incident, IncidentKind, incidents};

use super::fields::Fields;
use super::scalar::{micros, texts};
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
    let minutes = minutes(&fields)?;
    let judged = judge_minutes(&minutes, &probes(fields.lists("probes")?)?)
        .map_err(|error| DataFusionError::External(Box::new(error)))?;
    written(&judged, &incidents(&judged))
}

fn minutes(fields: &Fields<'_>) -> Result<Vec<Minute>> {
    let minutes = fields.minutes("minute")?;
    let covered = fields.flags("covered")?;
    let (good, bad, shed) = (
        fields.counts("good")?,
        fields.counts("bad")?,
        fields.counts("shed")?,
    );
    let shed_clients = fields.counts("shed_clients")?;
    let (probe_good, probe_bad) = (fields.counts("probe_good")?, fields.counts("probe_bad")?);
    let bad_clients = Lists::of(fields.lists("bad_clients")?)?;
    let near =
        |row: usize| row.saturating_sub(NEAR_MINUTES)..(row + NEAR_MINUTES + 1).min(minutes.len());
    let count = |rows: Range<usize>| u32::try_from(bad_clients.distinct(rows)).unwrap_or(u32::MAX);
    Ok((0..minutes.len())
        .map(|row| {
            // Witnesses are asked for only where something failed.
            let failed = bad[row] > 0 || shed[row] > 0;
            Minute {
                minute: minutes[row],
                good: good[row],
                bad: bad[row],
                shed: shed[row],
                neutral: 0,
                bad_clients: if failed { count(row..row + 1) } else { 0 },
                bad_clients_near: if failed { count(near(row)) } else { 0 },
                shed_clients: shed_clients[row],
                probe_good: probe_good[row],
                probe_bad: probe_bad[row],
                covered: covered[row],
                maintenance: false,
            }
        })
        .collect())
}

/// Lists of text, one a row.
struct Lists<'a> {
    texts: StringViewArray,
    lists: &'a ListArray,
}

impl<'a> Lists<'a> {
    fn of(lists: &'a ListArray) -> Result<Self> {
        Ok(Self {
            texts: texts(lists.values())?,
            lists,
        })
    }

    fn distinct(&self, rows: Range<usize>) -> usize {
        let texts = rows
            .filter(|&row| self.lists.is_valid(row))
            .flat_map(|row| items(self.lists, row))
            .map(|item| self.texts.value(item));
        texts.collect::<HashSet<&str>>().len()
    }
}

fn items(lists: &ListArray, row: usize) -> Range<usize> {
    let offset = |at: usize| {
        usize::try_from(lists.value_offsets()[at]).expect("offsets of a list are not negative")
    };
    offset(row)..offset(row + 1)
}

fn probes(lists: &ListArray) -> Result<Vec<Probe>> {
    let Some(sightings) = lists.values().as_struct_opt() else {
        return exec_err!(
            "function `minute_state`: expected structs in `probes`, found {}",
            lists.value_type()
        );
    };
    let sightings: ArrayRef = Arc::new(sightings.clone());
    let fields = Fields::of("minute_state", &sightings)?;
    let (clients, agents) = (fields.texts("client")?, fields.texts("http_user_agent")?);
    let (first, last) = (
        micros(fields.column("first")?)?,
        micros(fields.column("last")?)?,
    );
    let mut seen: BTreeMap<(Option<&str>, Option<&str>), Vec<i64>> = BTreeMap::new();
    for item in (0..lists.len())
        .filter(|&row| lists.is_valid(row))
        .flat_map(|row| items(lists, row))
    {
        let key = (
            clients.is_valid(item).then(|| clients.value(item)),
            agents.is_valid(item).then(|| agents.value(item)),
        );
        let seconds = [&first, &last]
            .into_iter()
            .filter(|times| times.is_valid(item))
            .map(|times| times.value(item).div_euclid(SECOND_US));
        seen.entry(key).or_default().extend(seconds);
    }
    Ok(seen.into_values().filter_map(Probe::known).collect())
}

fn written(judged: &[Judged], incidents: &[Incident]) -> Result<ArrayRef> {
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
    Ok(Arc::new(StructArray::new(output(), columns, None)))
}

/// The incident that each minute is part of. A gap of some minutes inside an outage is told as part of the outage.
fn parts(judged: &[Judged], incidents: &[Incident]) -> Vec<Option<usize>> {
    let mut parts = vec![None; judged.len()];
    let Some(first) = judged.first().map(|minute| minute.minute) else {
        return parts;
    };
    let (gaps, others): (Vec<usize>, Vec<usize>) =
        (0..incidents.len()).partition(|&at| incidents[at].kind == IncidentKind::Gap);
    for at in others.into_iter().chain(gaps) {
        for minute in incidents[at].start_minute..incidents[at].end_minute {
            let row =
                usize::try_from(minute - first).expect("an incident lies in the minutes judged");
            parts[row].get_or_insert(at);
        }
    }
    parts
}
