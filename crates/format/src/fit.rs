//! Fits a format of keys to a sample: keys that have no usual name are told by their values, or become variables of
//! their own.

use std::collections::BTreeMap;

use crate::error::LineError;
use crate::json;
use crate::keys::{DURATIONS, Entry, Keys, Syntax, Visitor};
use crate::ltsv;
use crate::tell::{
    Test, is_address, is_browser, is_method, is_protocol, is_request, is_status, is_target,
    is_time, own_name,
};
use crate::variable::{Unit, Variable};

/// Keys that become variables; a log with more has data in its keys.
const OWN_MAX: usize = 100;

/// The keys of the sample's lines; `None` if none of them is of this syntax.
pub(crate) fn fit(syntax: Syntax, lines: &[&[u8]]) -> Option<Keys> {
    let usual = Keys::new(syntax, Vec::new());
    let mut seen = Seen {
        usual: &usual,
        keys: BTreeMap::new(),
    };
    let mut fitting = 0_usize;
    for line in lines {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let read = match syntax {
            Syntax::Json => json::walk(line, &mut seen),
            Syntax::Ltsv => ltsv::walk(line, &mut seen),
        };
        fitting += usize::from(read.is_ok());
    }
    let entries = seen.entries();
    (fitting > 0).then(|| Keys::new(syntax, entries))
}

/// What has been seen of each key.
struct Seen<'keys> {
    usual: &'keys Keys,
    keys: BTreeMap<Vec<u8>, Values>,
}

/// How many values there were, and how many of them look like what.
#[derive(Debug, Default)]
struct Values {
    count: usize,
    alike: [usize; GUESSES.len()],
}

/// What a value can be told by, the surest first; the test of each.
const GUESSES: &[(&str, Test)] = &[
    ("time_iso8601", is_time),
    ("request", is_request),
    ("remote_addr", is_address),
    ("request_method", is_method),
    ("server_protocol", is_protocol),
    ("http_user_agent", is_browser),
    ("request_uri", is_target),
    ("status", is_status),
];

impl<'line> Visitor<'line> for Seen<'_> {
    fn wants(&self, _prefix: &[u8]) -> bool {
        true
    }

    fn value(&mut self, key: &[u8], value: &'line [u8], _at: usize) -> Result<(), LineError> {
        if !self.keys.contains_key(key) {
            self.keys.insert(key.to_vec(), Values::default());
        }
        if let Some(values) = self.keys.get_mut(key) {
            values.count += 1;
            for (alike, (_, is_alike)) in values.alike.iter_mut().zip(GUESSES) {
                *alike += usize::from(is_alike(value));
            }
        }
        Ok(())
    }
}

impl Seen<'_> {
    fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut taken: Vec<&str> = self
            .keys
            .keys()
            .filter_map(|key| self.usual_name(key))
            .collect();
        let mut unknown: Vec<(&str, &Values)> = self
            .keys
            .iter()
            .filter(|(key, _)| self.usual_name(key).is_none())
            .filter_map(|(key, values)| Some((std::str::from_utf8(key).ok()?, values)))
            .collect();
        for (key, name, unit) in DURATIONS {
            let place = unknown.iter().position(|(known, _)| known == key);
            if let Some(place) = place.filter(|_| !taken.contains(name)) {
                unknown.remove(place);
                taken.push(name);
                entries.push(entry(name, key, *unit));
            }
        }
        for (guess, (name, _)) in GUESSES.iter().enumerate() {
            if taken.contains(name) || (*name == "request_uri" && taken.contains(&"uri")) {
                continue;
            }
            // Of two keys with such values neither is taken: which one is meant nobody knows.
            let is_sure = |values: &Values| values.alike[guess] == values.count;
            let mut sure = unknown.iter().filter(|(_, values)| is_sure(values));
            if let (Some((key, _)), None) = (sure.next(), sure.next()) {
                let key = *key;
                entries.push(entry(name, key, Variable::named(name).unit));
                unknown.retain(|(known, _)| *known != key);
            }
        }
        for (key, _) in unknown.iter().take(OWN_MAX) {
            let is_usual = |name: &str| self.usual.has(name);
            let name = own_name(key, |name| {
                is_usual(name) || entries.iter().any(|entry| entry.variable == name)
            });
            entries.push(entry(&name, key, Variable::named(&name).unit));
        }
        entries
    }

    fn usual_name(&self, key: &[u8]) -> Option<&str> {
        let slot = self.usual.slot(key)?;
        Some(&self.usual.variables[usize::from(slot)].name)
    }
}

fn entry(name: &str, key: &str, unit: Unit) -> Entry {
    Entry {
        variable: name.to_owned(),
        key: key.to_owned(),
        unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(syntax: Syntax, sample: &str, text: &str) {
        let lines: Vec<&[u8]> = sample.lines().map(str::as_bytes).collect();
        let keys = fit(syntax, &lines).expect("lines of this syntax");
        assert_eq!(keys.text(), text);
    }

    #[test]
    fn usual_names_need_no_map() {
        check(
            Syntax::Json,
            r#"{"time":"2024-06-10T06:13:21Z","status":200,"request":{"uri":"/a","headers":{"User-Agent":["x"]}}}"#,
            "json",
        );
        check(
            Syntax::Ltsv,
            "time:[10/Jun/2024:06:13:21 +0000]\thost:192.0.2.7\tstatus:200",
            "ltsv",
        );
    }

    #[test]
    fn keys_are_told_by_their_values() {
        check(
            Syntax::Json,
            r#"{"w":"2024-06-10T06:13:21Z","who":"192.0.2.7:99","what":"GET / HTTP/1.1","how":404,"by":"Mozilla/5.0"}"#,
            "json time_iso8601=w request=what remote_addr=who http_user_agent=by status=how",
        );
    }

    #[test]
    fn of_two_keys_that_look_alike_neither_is_taken() {
        check(
            Syntax::Json,
            r#"{"ts":1718000001,"a":"192.0.2.7","b":"192.0.2.8"}"#,
            "json a=a b=b",
        );
    }

    #[test]
    fn durations_with_a_unit_in_their_name_are_the_request_time() {
        check(
            Syntax::Json,
            r#"{"ts":1718000001,"latency_ms":12.5}"#,
            "json request_time=latency_ms/1000",
        );
        check(
            Syntax::Ltsv,
            "time:2024-06-10T06:13:21Z\treqtime_microsec:1500",
            "ltsv request_time=reqtime_microsec/1000000",
        );
        // Seconds are there already.
        check(
            Syntax::Json,
            r#"{"ts":1718000001,"request_time":0.0125,"latency_ms":12.5}"#,
            "json latency_ms=latency_ms",
        );
    }

    #[test]
    fn other_keys_are_variables_of_their_own() {
        check(
            Syntax::Json,
            r#"{"ts":1718000001,"kind":"x","geo":{"Country-Code":"de"},"1st":1,"status_":"y"}"#,
            "json log_1st=1st geo_country_code=geo.Country-Code log_kind=kind status_=status_",
        );
    }
}
