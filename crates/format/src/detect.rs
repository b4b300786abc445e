//! Finds the format of a log by its first lines.

use std::collections::HashMap;

use crate::fit::fit;
use crate::format::CompiledFormat;
use crate::hit::Hit;
use crate::keys::Syntax;
use crate::preset;

/// The format that reads most lines of a sample.
#[derive(Debug, Clone)]
pub struct Detected {
    /// The format.
    pub format: CompiledFormat,
    /// Lines in the sample that are not blank.
    pub lines: usize,
    /// How many of them the format reads.
    pub matched: usize,
}

pub(crate) fn detect(sample: &[u8]) -> Option<Detected> {
    let lines: Vec<&[u8]> = sample
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .collect();
    let mut best: Option<Detected> = None;
    for name in TOLD_APART {
        if let Some(format) = CompiledFormat::preset(name) {
            consider(format, &lines, &mut best);
        }
    }
    for syntax in [Syntax::Json, Syntax::Ltsv] {
        if let Some(keys) = fit(syntax, &lines) {
            consider(CompiledFormat::with_keys(keys), &lines, &mut best);
        }
    }
    if best.as_ref().is_none_or(|best| best.matched < lines.len()) {
        let presets = ["main", "combined", "common", "vhost_combined"].map(preset::text);
        for base in presets.into_iter().chain([SHORT]) {
            if let Some(format) = extended(base, &lines) {
                consider(format, &lines, &mut best);
            }
        }
    }
    best
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

/// What custom formats often begin with.
const SHORT: &str = r#"$remote_addr [$time_local] "$request" $status"#;

/// Keeps `format` if it reads more lines than the best one so far.
fn consider(format: CompiledFormat, lines: &[&[u8]], best: &mut Option<Detected>) {
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
    if matched > best.as_ref().map_or(0, |best| best.matched) && !is_other {
        *best = Some(Detected {
            format,
            lines: lines.len(),
            matched,
        });
    }
}

/// The format `base` with the fields after it that most lines have.
fn extended(base: &str, lines: &[&[u8]]) -> Option<CompiledFormat> {
    let open = CompiledFormat::compile(&format!("{base} $rest")).ok()?;
    let rest_slot = open.variables().len() - 1;
    let mut hit = Hit::default();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for line in lines {
        if open.parse_into(line, &mut hit).is_ok()
            && let Some(fields) = fields(hit.values[rest_slot].unwrap_or(b"-"))
        {
            *counts.entry(fields).or_default() += 1;
        }
    }
    // Of equal counts the text decides, so that the same sample always gives the same format.
    let (fields, _) = counts
        .into_iter()
        .max_by(|(left, a), (right, b)| a.cmp(b).then_with(|| right.cmp(left)))?;
    CompiledFormat::compile(&format!("{base}{fields}")).ok()
}

/// The `log_format` text of fields with a space between, quoted or not; a word before `=` is the field's label.
fn fields(mut rest: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut count = 0;
    loop {
        count += 1;
        text.push(' ');
        let label = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        if label > 0 && rest.get(label) == Some(&b'=') {
            text.push_str(std::str::from_utf8(&rest[..=label]).ok()?);
            rest = &rest[label + 1..];
        }
        let length = match rest.strip_prefix(b"\"") {
            Some(quoted) => {
                text.push_str(&format!("\"$extra_{count}\""));
                quoted.iter().position(|byte| *byte == b'"')? + 2
            }
            None => {
                text.push_str(&format!("$extra_{count}"));
                rest.iter()
                    .position(|byte| *byte == b' ')
                    .unwrap_or(rest.len())
            }
        };
        rest = &rest[length..];
        match rest {
            [] => return Some(text),
            [b' ', following @ ..] => rest = following,
            _ => return None,
        }
    }
}

fn is_address_list(value: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .all(|item| {
            let is_address_byte = |byte: &u8| byte.is_ascii_hexdigit() || b".:[]%".contains(byte);
            item == b"unknown"
                || (item.iter().any(|byte| matches!(byte, b'.' | b':'))
                    && item.iter().all(is_address_byte))
        })
}
