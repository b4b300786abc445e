//! The last lines, to be looked at behind a row.

use std::collections::VecDeque;
use std::fmt::Write;

use arrow::array::RecordBatch;

use super::columns::{Columns, Row};
use super::counts::Dimension;

/// Lines that are kept: some 2 MB.
const LINES_MAX: usize = 4_000;
/// Of a text no more is kept.
const TEXT_BYTES_MAX: usize = 1_000;

/// The last lines that were read.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Line>);

#[derive(Debug)]
struct Line {
    time_us: Option<i64>,
    keys: [Option<Box<str>>; Dimension::ALL.len()],
    method: Option<Box<str>>,
    args: Option<Box<str>>,
    protocol: Option<Box<str>>,
    referer: Option<Box<str>>,
    status: Option<i16>,
    bytes: u64,
    request_time_us: Option<u64>,
}

impl Recent {
    pub(super) fn add(&mut self, rows: &RecordBatch) {
        let columns = Columns::new(rows);
        let last = rows.num_rows().saturating_sub(LINES_MAX)..rows.num_rows();
        self.0.extend(
            last.filter_map(|row| columns.row(row))
                .map(|row| Line::of(&row)),
        );
        self.0.drain(..self.0.len().saturating_sub(LINES_MAX));
    }

    /// The lines that count under a key, the latest first; `time` shows when.
    pub(super) fn behind(
        &self,
        dimension: Dimension,
        key: &str,
        time: &dyn Fn(i64) -> String,
    ) -> Vec<String> {
        let lines = self.0.iter().rev();
        let lines = lines.filter(|line| line.keys[dimension as usize].as_deref() == Some(key));
        lines.map(|line| line.shown(time)).collect()
    }
}

impl Line {
    fn of(row: &Row<'_>) -> Self {
        let kept = |text: Option<&str>| {
            text.map(|text| Box::from(&text[..text.floor_char_boundary(TEXT_BYTES_MAX)]))
        };
        Self {
            time_us: row.time_us,
            // Whole, as rows are looked for by them.
            keys: Dimension::ALL.map(|dimension| row.key(dimension).map(Box::from)),
            method: kept(row.method),
            args: kept(row.args),
            protocol: kept(row.protocol),
            referer: kept(row.referer),
            status: row.status,
            bytes: row.bytes,
            request_time_us: row.request_time_us,
        }
    }

    /// As Nginx's `combined` has it, with the request time and the upstream where they are logged.
    fn shown(&self, time: &dyn Fn(i64) -> String) -> String {
        let dash = |text: &Option<Box<str>>| text.as_deref().unwrap_or("-").to_owned();
        let [path, client, agent, upstream] = &self.keys;
        let mut shown = format!(
            "{} {} ",
            self.time_us.map_or_else(String::new, time),
            dash(client)
        );
        let args = self.args.as_deref().map(|args| format!("?{args}"));
        let _infallible = write!(
            shown,
            "\"{} {}{} {}\" {} {}",
            dash(&self.method),
            dash(path),
            args.unwrap_or_default(),
            dash(&self.protocol),
            self.status
                .map_or_else(|| "-".to_owned(), |status| format!("{status:03}")),
            self.bytes,
        );
        if let Some(us) = self.request_time_us {
            let _infallible = write!(shown, " {}.{:03}s", us / 1_000_000, us / 1_000 % 1_000);
        }
        if let Some(upstream) = upstream {
            let _infallible = write!(shown, " {upstream}");
        }
        let _infallible = write!(shown, " \"{}\" \"{}\"", dash(&self.referer), dash(agent));
        shown
    }
}
