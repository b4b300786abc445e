//! Finds the formats of a log by some of its lines.

use std::cmp::Reverse;

use crate::fields;
use crate::fit::fit;
use crate::format::CompiledFormat;
use crate::hit::Hit;
use crate::keys::Syntax;
use crate::preset;
use crate::tell::is_address_list;

/// A format, and how many lines of a sample it reads.
#[derive(Debug, Clone)]
pub struct Detected {
    /// The format.
    pub format: CompiledFormat,
    /// Lines in the sample that are not blank.
    pub lines: usize,
    /// How many of them the format reads.
    pub matched: usize,
}

/// Formats of one log at most: each line is tried with one after the other.
pub const FORMATS_MAX: usize = 3;

/// Lines that show a further format. Fewer may be cut off or torn, and fit by chance.
const FURTHER_LINES_MIN: usize = 3;

pub(crate) fn detect(sample: &[u8]) -> Option<Detected> {
    best(&lines_of(sample))
}

pub(crate) fn detect_all(sample: &[u8], known: &[CompiledFormat]) -> Vec<Detected> {
    let mut rest = lines_of(sample);
    let lines = rest.len();
    let mut known: Vec<&CompiledFormat> = known.iter().collect();
    let mut found: Vec<Detected> = Vec::new();
    while found.len() < FORMATS_MAX && !rest.is_empty() {
        let reads = known.iter().map(|format| matched(format, &rest));
        // Of equal counts the first, which was named first.
        let most = reads.enumerate().rev().max_by_key(|(_, matched)| *matched);
        let next = match most {
            Some((at, matched)) if matched > 0 => Some((known.remove(at).clone(), matched)),
            _ => best(&rest)
                .filter(|further| {
                    let is_seen = further.matched >= FURTHER_LINES_MIN;
                    found.is_empty() || (is_seen && further.matched * 2 > further.lines)
                })
                .map(|further| (further.format, further.matched)),
        };
        let Some((format, matched)) = next else {
            break;
        };
        let mut hit = Hit::default();
        rest.retain(|line| format.parse_into(line, &mut hit).is_err());
        found.push(Detected {
            format,
            lines,
            matched,
        });
    }
    // Each line is tried with the first one first.
    found.sort_by_key(|found| Reverse(found.matched));
    found
}

pub(crate) fn rank(sample: &[u8]) -> Vec<Detected> {
    let mut ranked = candidates(&lines_of(sample));
    let named = ranked.iter().filter(|found| !found.format.is_custom());
    let most = named.map(|found| found.matched).max().unwrap_or_default();
    // What is made up for lines that a format with a name reads as well is no other format.
    ranked.retain(|found| !found.format.is_custom() || found.matched > most);
    // The sort is stable: of equal counts the format that is considered first.
    ranked.sort_by_key(|found| Reverse(found.matched));
    ranked
}

pub(crate) fn lines_read(formats: &[CompiledFormat], sample: &[u8]) -> (usize, usize) {
    let mut lines = lines_of(sample);
    let all = lines.len();
    let mut hit = Hit::default();
    for format in formats {
        lines.retain(|line| format.parse_into(line, &mut hit).is_err());
    }
    (all - lines.len(), all)
}

fn lines_of(sample: &[u8]) -> Vec<&[u8]> {
    sample
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .collect()
}

fn best(lines: &[&[u8]]) -> Option<Detected> {
    let mut candidates = candidates(lines).into_iter();
    let first = candidates.next()?;
    Some(candidates.fold(first, |best, next| {
        if next.matched > best.matched {
            next
        } else {
            best
        }
    }))
}

/// The formats that read some of the lines: those with a text of their own, and, where none reads all, those whose keys
/// are to be found out, and those that have to be made up.
fn candidates(lines: &[&[u8]]) -> Vec<Detected> {
    let mut found = Vec::new();
    for name in TOLD_APART {
        if let Some(format) = CompiledFormat::preset(name) {
            consider(format, lines, &mut found);
        }
    }
    let is_tomcats = |line: &&[u8]| memchr::memmem::find(line, TOMCATS_KEY).is_some();
    if lines.iter().filter(|line| is_tomcats(line)).count() * 2 > lines.len()
        && let Some(format) = CompiledFormat::preset("tomcat_json")
    {
        consider(format, lines, &mut found);
    }
    let reads_all = |found: &Detected| found.matched == lines.len();
    for syntax in [Syntax::Json, Syntax::Ltsv] {
        if !found.iter().any(reads_all)
            && let Some(keys) = fit(syntax, lines)
        {
            consider(CompiledFormat::with_keys(keys), lines, &mut found);
        }
    }
    if !found.iter().any(reads_all) {
        let presets = ["main", "combined", "common", "vhost_combined"].map(preset::text);
        for base in presets.into_iter().chain([SHORT]) {
            if let Some(format) = fields::after(base, lines) {
                consider(format, lines, &mut found);
            }
        }
        if let Some(format) = fields::all(lines) {
            consider(format, lines, &mut found);
        }
    }
    found
}

fn matched(format: &CompiledFormat, lines: &[&[u8]]) -> usize {
    let mut hit = Hit::default();
    lines
        .iter()
        .filter(|line| format.parse_into(line, &mut hit).is_ok())
        .count()
}

/// Presets that a line shows. Those of Apache and Tomcat look like Nginx's, and what `%D` or `%T` has written is a
/// number like any other.
const TOLD_APART: &[&str] = &[
    "combined",
    "main",
    "common",
    "vhost_combined",
    "ingress",
    preset::ALB,
];

/// A key of JSON that only Tomcat's valve writes, by any of its usual patterns.
const TOMCATS_KEY: &[u8] = b"\"logicalUserName\":";

/// What custom formats often begin with.
const SHORT: &str = r#"$remote_addr [$time_local] "$request" $status"#;

/// Keeps `format` if it reads lines, and as what they are.
fn consider(format: CompiledFormat, lines: &[&[u8]], found: &mut Vec<Detected>) {
    let forwarded = format
        .variables()
        .iter()
        .position(|variable| variable.name == "http_x_forwarded_for");
    let mut hit = Hit::default();
    let (mut matched, mut odd) = (0, 0);
    for line in lines {
        if format.parse_into(line, &mut hit).is_ok() {
            matched += 1;
            let value = forwarded
                .filter(|_| !matches!(format.name(), preset::JSON | preset::LTSV))
                .and_then(|slot| hit.values[slot]);
            odd += usize::from(value.is_some_and(|value| !is_address_list(value)));
        }
    }
    // A last field that is mostly no list of addresses is something else: `combined` and a field more.
    let is_other = odd * 2 > matched;
    let is_known = found
        .iter()
        .any(|known| known.format.text() == format.text());
    if matched > 0 && !is_other && !is_known {
        found.push(Detected {
            format,
            lines: lines.len(),
            matched,
        });
    }
}
