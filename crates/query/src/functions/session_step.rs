//! `session_step(time, is_asset, path) OVER (PARTITION BY client, http_user_agent ORDER BY time)`: a visitor's requests as sessions.
//!
//! TIMESTAMP, BOOLEAN, TEXT -> STRUCT:
//! - `session`: from 0; a new one after a pause of `floodmark_traffic::session::IDLE_S` seconds;
//! - `page_gap_us`: microseconds since the session's page before; NULL for an asset and for the first page;
//! - `new_path`: whether the session asks for this path for the first time;
//! - `like_a_clock`: whether all of the visitor's requests are for one page, at the rhythm of a probe
//!   ([`floodmark_traffic::probe::Probe::learned`]); the same in each row.
//!
//! A NULL time stays in the session before it.
//!
//! ```sql
//! SELECT client, get_field(step, 'session') AS session, count(*) FROM (
//!     SELECT client, session_step(time, is_asset(path), path) OVER (PARTITION BY client ORDER BY time) AS step FROM requests)
//! GROUP BY 1, 2
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBuilder, Int64Builder, StringViewArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::WindowUDF;
use floodmark_traffic::probe::{LEARN_GAPS_MIN, Probe};
use floodmark_traffic::session::IDLE_S;

use super::scalar::{flags, micros, texts};
use super::series;

const SECOND_US: i64 = 1_000_000;

pub(super) fn session_step() -> WindowUDF {
    series::function("session_step", 3, DataType::Struct(output()), judge)
}

fn output() -> Fields {
    Fields::from(vec![
        Field::new("session", DataType::Int64, false),
        Field::new("page_gap_us", DataType::Int64, true),
        Field::new("new_path", DataType::Boolean, false),
        Field::new("like_a_clock", DataType::Boolean, false),
    ])
}

fn judge(values: &[ArrayRef]) -> Result<ArrayRef> {
    let (times, assets, paths) = (micros(&values[0])?, flags(&values[1])?, texts(&values[2])?);
    let mut sessions = Int64Builder::with_capacity(times.len());
    let mut gaps = Int64Builder::with_capacity(times.len());
    let mut new_paths = BooleanBuilder::with_capacity(times.len());
    let mut session = 0;
    let mut session_paths: HashSet<Option<&str>> = HashSet::new();
    let (mut before, mut page_before): (Option<i64>, Option<i64>) = (None, None);
    for ((time, asset), path) in times.iter().zip(&assets).zip(&paths) {
        let time = time.or(before).unwrap_or(0);
        if before.is_some_and(|before| time - before >= IDLE_S * SECOND_US) {
            session += 1;
            page_before = None;
            session_paths.clear();
        }
        let is_page = asset != Some(true);
        sessions.append_value(session);
        gaps.append_option(
            page_before
                .filter(|_| is_page)
                .map(|page_before| time - page_before),
        );
        new_paths.append_value(session_paths.insert(path));
        before = Some(time);
        if is_page {
            page_before = Some(time);
        }
    }
    let clock = BooleanArray::from(vec![like_a_clock(&times, &assets, &paths); times.len()]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(sessions.finish()),
        Arc::new(gaps.finish()),
        Arc::new(new_paths.finish()),
        Arc::new(clock),
    ];
    Ok(Arc::new(StructArray::new(output(), columns, None)))
}

fn like_a_clock(
    times: &TimestampMicrosecondArray,
    assets: &BooleanArray,
    paths: &StringViewArray,
) -> bool {
    let one_page = || {
        let mut paths = paths.iter();
        let first = paths.next();
        paths.all(|path| Some(path) == first) && !assets.iter().any(|asset| asset == Some(true))
    };
    times.len() > LEARN_GAPS_MIN
        && one_page()
        && Probe::learned(
            times
                .iter()
                .flatten()
                .map(|time| time.div_euclid(SECOND_US))
                .collect(),
        )
        .is_some()
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use super::*;

    fn steps(seconds: &[i64], paths: &[&str]) -> StructArray {
        let times =
            TimestampMicrosecondArray::from_iter_values(seconds.iter().map(|s| s * SECOND_US));
        let assets = BooleanArray::from(
            paths
                .iter()
                .map(|path| path.ends_with(".css"))
                .collect::<Vec<_>>(),
        );
        let paths = StringViewArray::from_iter_values(paths);
        judge(&[Arc::new(times), Arc::new(assets), Arc::new(paths)])
            .unwrap()
            .as_struct()
            .clone()
    }

    #[test]
    fn a_pause_of_half_an_hour_begins_a_session() {
        let steps = steps(&[0, 1, 10, 1_809, 3_609], &["/", "/a.css", "/", "/", "/"]);
        assert_eq!(
            steps.column(0).as_primitive::<Int64Type>().values(),
            &[0, 0, 0, 0, 1]
        );
        let gaps: Vec<Option<i64>> = steps.column(1).as_primitive::<Int64Type>().iter().collect();
        let [ten, long] = [10, 1_799].map(|seconds| Some(seconds * SECOND_US));
        assert_eq!(gaps, [None, None, ten, long, None]);
        let new: Vec<Option<bool>> = steps.column(2).as_boolean().iter().collect();
        assert_eq!(
            new,
            [Some(true), Some(true), Some(false), Some(false), Some(true)]
        );
    }

    #[test]
    fn one_page_each_minute_is_like_a_clock() {
        let seconds: Vec<i64> = (0..60).map(|minute| minute * 60 + minute % 3).collect();
        let clock = |paths: &[&str]| steps(&seconds, paths).column(3).as_boolean().value(0);
        assert!(clock(&["/health"; 60]));
        let mut paths = ["/health"; 60];
        paths[30] = "/other";
        assert!(!clock(&paths));
    }
}
