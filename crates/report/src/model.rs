//! The report as plain rows: what was asked, what came back, and what follows from it in words.

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Serialize, Serializer};

use crate::panel::Panel;
use crate::time::TimeUs;

/// Results of the report's named queries over one window, and the settings that they were asked with.
///
/// Serialized by [`Report::json`] under the names of its fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of Floodmark that made it.
    pub version: String,
    /// First moment of the window.
    pub since: TimeUs,
    /// First moment after the window.
    pub until: TimeUs,
    /// Zone in which days and weeks begin and in which people read times.
    #[serde(serialize_with = "zone_name")]
    pub tz: Tz,
    /// Share of good minutes to be reached per week, 0 to 1.
    pub target: f64,
    /// The logs or the lake that it is about, as they were named.
    pub sources: Vec<String>,
    /// What became of the lines read; `None` for a report from a lake alone.
    pub lines: Option<LineCounts>,
    /// Remarks on the data, such as a proxy that hides the clients.
    pub notes: Vec<String>,
    /// One per ISO week, oldest first.
    pub weeks: Vec<Week>,
    /// Stretches of bad or unknown minutes, by start.
    pub incidents: Vec<Incident>,
    /// Error spikes, by start.
    pub spikes: Vec<Spike>,
    /// Requests by class of client, people included.
    pub classes: Vec<Class>,
    /// The clients that are no people, most requests first.
    pub bots: Vec<Bot>,
    /// Requests by day, oldest first.
    pub traffic: Vec<Traffic>,
    /// The rest, in the order of its sections.
    pub panels: Vec<Panel>,
    /// Every minute of the window, oldest first; drawn as pictures, not serialized.
    #[serde(skip)]
    pub minutes: Vec<Minute>,
    /// The SQL behind the rows, in the order of the report.
    pub queries: Vec<Query>,
}

fn zone_name<S: Serializer>(tz: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(tz.name())
}

/// What became of the lines of the logs: `lines = requests + rejects + blank`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "the names are the definition")]
pub struct LineCounts {
    pub lines: u64,
    pub requests: u64,
    pub rejects: u64,
    pub blank: u64,
}

impl LineCounts {
    /// Whether every line is accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        u128::from(self.lines)
            == u128::from(self.requests) + u128::from(self.rejects) + u128::from(self.blank)
    }
}

/// The judgment of a week, or of all weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// The target is met, whatever the unknown minutes were.
    Pass,
    /// The target is missed, whatever the unknown minutes were.
    Fail,
    /// The unknown minutes decide.
    Undetermined,
}

/// The judgment of a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "DESIGN.md defines the states under these names"
)]
pub enum State {
    Up,
    Degraded,
    Down,
    Suspect,
    Idle,
    Uncovered,
    Maint,
}

/// A named query that the report asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Query {
    /// Name of its file in `queries/`.
    pub name: String,
    /// The statement, parameters filled in.
    pub sql: String,
}

/// Uptime of an ISO week.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Week {
    /// `2026-W47`.
    pub week: String,
    /// First moment of the week within the window.
    pub start: TimeUs,
    /// First moment after it.
    pub end: TimeUs,
    /// Against the target.
    pub verdict: Verdict,
    /// Good share of the judged minutes; `None` if none was judged.
    pub uptime: Option<f64>,
    /// With unknown and unseen minutes counted as down.
    pub lower: Option<f64>,
    /// With unknown minutes counted as up.
    pub upper: Option<f64>,
    /// Share of minutes that the logs cover.
    pub coverage: f64,
    /// Share of minutes that were judged.
    pub judged_share: f64,
    /// Minutes UP.
    pub up: i64,
    /// Minutes DEGRADED.
    pub degraded: i64,
    /// Minutes DOWN.
    pub down: i64,
    /// Minutes SUSPECT.
    pub suspect: i64,
    /// Minutes IDLE.
    pub idle: i64,
    /// Minutes MAINT.
    pub maint: i64,
    /// Minutes UNCOVERED.
    pub uncovered: i64,
    /// IDLE minutes of the longest silence that nothing explains, in which an outage may have met nobody.
    pub unseen: i64,
    /// Good share of the deciding requests; `None` if there were none.
    pub request_ratio: Option<f64>,
    /// The same without bots.
    pub request_ratio_people: Option<f64>,
}

/// What an incident was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentKind {
    /// Minutes DOWN.
    Outage,
    /// Minutes DEGRADED.
    Degraded,
    /// Time of which nothing is known.
    Gap,
}

/// Consecutive bad or unknown minutes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// Its first minute.
    pub start: TimeUs,
    /// The minute after its last.
    pub end: TimeUs,
    /// What it was.
    pub kind: IncidentKind,
    /// Its length.
    pub minutes: i64,
    /// Requests in it.
    pub requests: i64,
    /// The bad ones of them.
    pub bad: i64,
    /// What the judgment rests on.
    pub evidence: String,
}

/// A stretch in which more requests failed than is usual.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spike {
    /// Its first minute.
    pub start: TimeUs,
    /// The minute after its last.
    pub end: TimeUs,
    /// The virtual server; `None` where the log does not say or all are meant.
    pub server_name: Option<String>,
    /// The path template; `None` for the whole server.
    pub path: Option<String>,
    /// Deciding requests in it.
    pub requests: i64,
    /// The bad ones of them.
    pub bad: i64,
    /// Bad share.
    pub rate: f64,
    /// Bad share that would be usual.
    pub baseline: f64,
    /// One client made more than four fifths of the errors.
    pub single_client: bool,
    /// The client with the most errors.
    pub top_client: Option<String>,
    /// The status that most errors had.
    pub top_status: Option<i64>,
}

/// Requests by class of client.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    /// `human`, `declared`, `scanner`, `flood`, …
    pub class: String,
    /// Distinct clients.
    pub clients: i64,
    /// Their requests.
    pub requests: i64,
    /// Their share of all requests.
    pub share: f64,
    /// Bytes sent to them.
    pub bytes: i64,
    /// Their bad requests.
    pub bad: i64,
}

/// A client and agent that is no person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bot {
    /// Its address; `None` where the log has none.
    pub client: Option<String>,
    /// Its agent; `None` if it sent none.
    pub http_user_agent: Option<String>,
    /// Its class.
    pub class: String,
    /// The rule that fired.
    pub rule: String,
    /// Its requests.
    pub requests: i64,
    /// The bad ones of them.
    pub bad: i64,
    /// Its first request.
    pub first: TimeUs,
    /// Its last request.
    pub last: TimeUs,
}

/// Requests of a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Traffic {
    /// The day in the report's zone.
    #[serde(serialize_with = "day_name")]
    pub day: NaiveDate,
    /// All requests.
    pub requests: i64,
    /// Those by people.
    pub people: i64,
    /// Those by bots, probes excepted: the sum of the classes that follow.
    pub bots: i64,
    /// Those by bots that say so.
    pub declared: i64,
    /// Those under the name of an operator who asks from elsewhere.
    pub fake: i64,
    /// Those that look for weak spots.
    pub scanner: i64,
    /// Those of floods.
    pub flood: i64,
    /// Those by bots that say nothing and behave like it.
    pub robotic: i64,
    /// Those by package clients.
    pub package_client: i64,
    /// Distinct people.
    pub visitors: i64,
    /// Bytes sent.
    pub bytes: i64,
    /// Errors of the server.
    pub errors: i64,
}

fn day_name<S: Serializer>(day: &NaiveDate, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

/// A minute and its judgment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// Its first moment.
    pub start: TimeUs,
    /// Its judgment.
    pub state: State,
    /// Requests in it.
    pub requests: i64,
    /// Good ones of those that decide.
    pub good: i64,
    /// Bad ones of those that decide.
    pub bad: i64,
}

impl Report {
    /// The worst of the weeks in which a minute was judged: FAIL before UNDETERMINED before PASS; UNDETERMINED if there is none.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let judged = || self.weeks.iter().filter(|week| week.uptime.is_some());
        if judged().any(|week| week.verdict == Verdict::Fail) {
            Verdict::Fail
        } else if judged().next().is_none()
            || judged().any(|week| week.verdict == Verdict::Undetermined)
        {
            Verdict::Undetermined
        } else {
            Verdict::Pass
        }
    }
}

/// The class of people, as `queries/classes.sql` names it.
pub(crate) const HUMAN: &str = "human";

/// `part / whole`, 0 of nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share is shown with four digits"
)]
pub(crate) fn ratio(part: i64, whole: i64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// How many rows, as a number to show.
pub(crate) fn length<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

impl Verdict {
    /// `PASS`, `FAIL` or `UNDETERMINED`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Undetermined => "UNDETERMINED",
        }
    }

    /// A symbol that tells it without colour.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Pass => "✔",
            Self::Fail => "✘",
            Self::Undetermined => "?",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Pass, Self::Fail, Self::Undetermined]
            .into_iter()
            .find(|verdict| verdict.name() == text)
    }
}

impl IncidentKind {
    /// `outage`, `degraded` or `gap`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Degraded => "degraded",
            Self::Gap => "gap",
        }
    }

    /// A symbol that tells it without colour.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Outage => "✘",
            Self::Degraded => "▲",
            Self::Gap => "░",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Outage, Self::Degraded, Self::Gap]
            .into_iter()
            .find(|kind| kind.name() == text)
    }
}

impl State {
    const ALL: [Self; 7] = [
        Self::Up,
        Self::Degraded,
        Self::Down,
        Self::Suspect,
        Self::Idle,
        Self::Uncovered,
        Self::Maint,
    ];

    /// `UP`, `DEGRADED`, `DOWN`, `SUSPECT`, `IDLE`, `UNCOVERED` or `MAINT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "UP",
            Self::Degraded => "DEGRADED",
            Self::Down => "DOWN",
            Self::Suspect => "SUSPECT",
            Self::Idle => "IDLE",
            Self::Uncovered => "UNCOVERED",
            Self::Maint => "MAINT",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }
}

impl Week {
    /// UP, DEGRADED and DOWN minutes.
    pub(crate) fn judged(&self) -> i64 {
        self.up + self.degraded + self.down
    }

    /// Minutes that were bad, a degraded one by its bad share, of those that the target allows.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a week has 10,080 minutes"
    )]
    pub(crate) fn budget(&self, target: f64) -> Option<(i64, i64)> {
        let judged = self.judged() as f64;
        self.uptime.map(|uptime| {
            (
                ((1.0 - uptime) * judged).round() as i64,
                ((1.0 - target) * judged).round() as i64,
            )
        })
    }
}

impl Spike {
    /// Where it was: server and path, or `whole server`.
    pub(crate) fn place(&self) -> String {
        match (&self.server_name, &self.path) {
            (Some(server), Some(path)) => format!("{server} {path}"),
            (Some(server), None) => format!("{server} (whole server)"),
            (None, Some(path)) => path.clone(),
            (None, None) => "whole server".to_owned(),
        }
    }
}
