//! The page that leads to the reports of a folder.

use chrono::DateTime;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::html::render;
use crate::model::{Report, Verdict};
use crate::text::{escape_control, percent_down, plural};
use crate::time::{self, TimeUs};

/// What the index tells of a report, as its JSON has it.
#[derive(Debug, Clone, PartialEq)]
pub struct PastReport {
    /// Name of its page.
    page: String,
    since: TimeUs,
    until: TimeUs,
    tz: Tz,
    verdict: Verdict,
    /// Uptime by week, oldest first.
    weeks: Vec<(String, Verdict, Option<f64>)>,
    incidents: usize,
}

/// The fields of a JSON report that an index shows; those of its first schema on.
#[derive(Deserialize)]
struct Fields {
    verdict: String,
    since: String,
    until: String,
    tz: String,
    weeks: Vec<WeekFields>,
    incidents: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct WeekFields {
    week: String,
    verdict: String,
    uptime: Option<f64>,
}

impl PastReport {
    /// Reads what is to be told of the report whose page has this name from its JSON; `None` if that is no report.
    #[must_use]
    pub fn read(page: &str, json: &str) -> Option<Self> {
        let fields: Fields = serde_json::from_str(json).ok()?;
        let time = |text: &str| {
            let time = DateTime::parse_from_rfc3339(text).ok()?;
            Some(TimeUs(time.timestamp_micros()))
        };
        let week = |week: &WeekFields| {
            let verdict = Verdict::parse(&week.verdict)?;
            Some((week.week.clone(), verdict, week.uptime))
        };
        Some(Self {
            page: page.to_owned(),
            since: time(&fields.since)?,
            until: time(&fields.until)?,
            tz: fields.tz.parse().ok()?,
            verdict: Verdict::parse(&fields.verdict)?,
            weeks: fields.weeks.iter().map(week).collect::<Option<_>>()?,
            incidents: fields.incidents.len(),
        })
    }
}

impl Report {
    /// A file's name without its ending, the same for the same days: `2026-10-19_2026-11-22`, `2026-11-16` for one day.
    #[must_use]
    pub fn file_name(&self) -> String {
        time::days(self.since, self.until, self.tz).replace(" to ", "_")
    }
}

#[derive(Serialize)]
struct Row {
    page: String,
    days: String,
    verdict: &'static str,
    symbol: &'static str,
    tone: String,
    facts: Vec<String>,
}

/// The page that leads to `reports`, the latest first.
///
/// # Errors
///
/// The template fails, which is a mistake of ours.
pub fn index_page(mut reports: Vec<PastReport>) -> Result<String, Error> {
    reports.sort_by(|one, other| {
        let key = |report: &PastReport| (report.until, report.since);
        key(other)
            .cmp(&key(one))
            .then_with(|| one.page.cmp(&other.page))
    });
    let rows = reports.iter().map(|report| {
        let weeks = report.weeks.iter().filter_map(|(week, verdict, uptime)| {
            let uptime = percent_down((*uptime)?);
            Some(format!(
                "{} {} {uptime}",
                escape_control(week),
                verdict.symbol()
            ))
        });
        let incidents = plural(
            i64::try_from(report.incidents).unwrap_or(i64::MAX),
            "incident",
        );
        Row {
            page: report.page.clone(),
            days: time::days(report.since, report.until, report.tz),
            verdict: report.verdict.name(),
            symbol: report.verdict.symbol(),
            tone: report.verdict.name().to_lowercase(),
            facts: weeks.chain([incidents]).collect(),
        }
    });
    let rows: Vec<Row> = rows.collect();
    render("index.html", include_str!("../templates/index.html"), &rows)
}
