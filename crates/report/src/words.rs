//! What follows from the rows, in sentences that every form of the report shares.

use std::borrow::Cow;

use crate::model::{HUMAN, IncidentKind, Report, Spike, Verdict, Week, length, ratio};
use crate::text::{count, escape_control, minutes, percent, percent_down, percent_target, plural};
use crate::time;

/// Sources named one by one; a rotated set of a year would fill the page.
const SOURCES_MAX: usize = 20;

impl Report {
    /// The window in days, and its zone: `2026-10-19 to 2026-11-22 (Europe/Berlin)`.
    pub(crate) fn window(&self) -> String {
        format!(
            "{} ({})",
            time::days(self.since, self.until, self.tz),
            self.tz.name()
        )
    }

    /// The answer in a few sentences, the most important first.
    pub(crate) fn summary(&self) -> Vec<String> {
        let mut sentences = vec![self.verdict_sentence()];
        let judged = self.weeks.iter().filter(|week| week.uptime.is_some());
        sentences.extend(judged.filter_map(|week| self.open_sentence(week)));
        sentences.push(self.incident_sentence());
        let (alone, shared): (Vec<&Spike>, Vec<&Spike>) =
            self.spikes.iter().partition(|spike| spike.single_client);
        if !self.spikes.is_empty() {
            let alone = match alone.len() {
                0 => String::new(),
                _ if shared.is_empty() => ", each by a single client".to_owned(),
                number => format!(", {number} of them by a single client"),
            };
            sentences.push(format!(
                "{}{alone}.",
                plural(length(&self.spikes), "error spike")
            ));
        }
        let requests: i64 = self.classes.iter().map(|class| class.requests).sum();
        let people: i64 = self
            .classes
            .iter()
            .filter(|class| class.class == HUMAN)
            .map(|class| class.requests)
            .sum();
        if requests > 0 {
            sentences.push(format!(
                "{}, {} of them by people.",
                plural(requests, "request"),
                percent(ratio(people, requests))
            ));
        }
        sentences
    }

    fn verdict_sentence(&self) -> String {
        let target = percent_target(self.target);
        let judged = self
            .weeks
            .iter()
            .filter(|week| week.uptime.is_some())
            .count();
        let number = |verdict| {
            self.weeks
                .iter()
                .filter(|week| week.uptime.is_some() && week.verdict == verdict)
                .count()
        };
        let (passed, failed, open) = (
            number(Verdict::Pass),
            number(Verdict::Fail),
            number(Verdict::Undetermined),
        );
        if judged == 0 {
            return format!(
                "No minute could be judged, so nothing can be said about the target of {target}."
            );
        }
        match (judged, passed, failed) {
            (1, 1, _) => return format!("The week met the target of {target}."),
            (1, _, 1) => return format!("The week missed the target of {target}."),
            (1, ..) => {
                return format!("Whether the week met the target of {target} cannot be decided.");
            }
            _ if passed == judged => {
                return format!("All {judged} weeks met the target of {target}.");
            }
            _ => {}
        }
        let mut parts = vec![format!(
            "{passed} of {} met the target of {target}",
            plural(i64::try_from(judged).unwrap_or(i64::MAX), "week")
        )];
        if failed > 0 {
            parts.push(format!("{failed} missed it"));
        }
        if open > 0 {
            parts.push(format!("{open} cannot be decided"));
        }
        parts.join(", ") + "."
    }

    /// What keeps a week from being decided: unknown minutes, or too few that are known.
    fn open_sentence(&self, week: &Week) -> Option<String> {
        if week.verdict != Verdict::Undetermined {
            return None;
        }
        let unknown = [
            (week.uncovered, "no log covers"),
            (week.suspect, "a silence makes doubtful"),
            (week.unseen, "an outage that met nobody may have lasted"),
        ];
        let unknown = unknown.into_iter().filter(|(number, _)| *number > 0);
        let mut parts: Vec<String> = unknown
            .map(|(number, what)| format!("{what} {}", minutes(number)))
            .collect();
        if parts.is_empty() || week.lower.is_some_and(|lower| lower >= self.target) {
            parts = vec![format!(
                "only {} of it could be judged",
                percent_down(week.judged_share)
            )];
        }
        let name = time::week_name(week.start.day(self.tz));
        Some(format!("{name} is open: {}.", parts.join(", ")))
    }

    fn incident_sentence(&self) -> String {
        let mut parts = Vec::new();
        for (kind, noun) in [
            (IncidentKind::Outage, "outage"),
            (IncidentKind::Degraded, "degraded stretch"),
            (IncidentKind::Gap, "gap"),
        ] {
            let of_kind = || {
                self.incidents
                    .iter()
                    .filter(|incident| incident.kind == kind)
            };
            let number = i64::try_from(of_kind().count()).unwrap_or(i64::MAX);
            if number > 0 {
                let noun = match (kind, number) {
                    (IncidentKind::Degraded, 2..) => {
                        format!("{} degraded stretches", count(number))
                    }
                    _ => plural(number, noun),
                };
                parts.push(format!(
                    "{noun} ({})",
                    minutes(of_kind().map(|incident| incident.minutes).sum())
                ));
            }
        }
        if parts.is_empty() {
            "No incidents.".to_owned()
        } else {
            format!("{}.", parts.join(", "))
        }
    }

    /// Where the numbers come from: names and texts, to be escaped.
    pub(crate) fn small_print(&self) -> Vec<(&'static str, String)> {
        let mut entries = Vec::new();
        if let Some(lines) = &self.lines {
            let number =
                |number: u64| i64::try_from(number).map_or_else(|_| number.to_string(), count);
            let [all, requests, rejects, blank] =
                [lines.lines, lines.requests, lines.rejects, lines.blank].map(number);
            let sign = if lines.is_balanced() {
                "="
            } else {
                "≠ (a mistake of Floodmark: please report it)"
            };
            entries.push((
                "lines",
                format!(
                    "{all} lines {sign} {requests} requests + {rejects} rejects + {blank} blank"
                ),
            ));
        }
        if !self.sources.is_empty() {
            let mut names = self
                .sources
                .iter()
                .take(SOURCES_MAX)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ");
            if self.sources.len() > SOURCES_MAX {
                names.push_str(&format!(" and {} more", self.sources.len() - SOURCES_MAX));
            }
            entries.push(("sources", names));
        }
        entries.push((
            "window",
            format!(
                "{} to {}, the end excluded",
                self.since.rfc3339(),
                self.until.rfc3339()
            ),
        ));
        entries.push((
            "settings",
            format!(
                "target {}, zone {}",
                percent_target(self.target),
                self.tz.name()
            ),
        ));
        entries.extend(self.notes.iter().map(|note| ("note", note.clone())));
        entries.push(("made by", format!("Floodmark {}", self.version)));
        entries
    }
}

/// What an incident's judgment rests on, in words; a rule that is not known here speaks for itself.
pub(crate) fn evidence(rule: &str) -> Cow<'_, str> {
    Cow::Borrowed(match rule {
        "errors" => "at least half of the deciding requests were bad",
        "some_errors" => "a part of the deciding requests was bad",
        "missed_probe" => "a regular probe stayed away",
        "incredible_silence" => "a silence that chance does not explain",
        "unlikely_silence" => "a silence that chance hardly explains",
        "idle_between_down" => "quiet between minutes that were down",
        "uncovered" => "no log covers this time",
        "maintenance" => "declared maintenance",
        other => return escape_control(other),
    })
}
