//! How the lines of a log are written: as `--format` says, as nginx.conf does, or as they look.

use std::path::Path;

use anyhow::{Context, Result, bail};
use floodmark_format::{AccessLog, CompiledFormat, Detected, FORMATS_MAX};
use floodmark_source::{Extent, LogFile, Sample, sample};

use crate::plan::Plan;
use crate::say::{counted, number};

/// Bytes of a log from which its formats are told.
const SAMPLE_BYTES: usize = 512 << 10;

/// Places of a log at which they are taken: a change of format shows up if it lasts for a sixteenth of the log.
const SAMPLE_PLACES: usize = 16;

/// Lines on which formats that were given have to prove themselves.
pub(crate) const TRIAL_LINES: usize = 1_000;

/// Bytes of a log in which these are.
pub(crate) const TRIAL_BYTES: usize = 1 << 20;

/// Formats that are proposed for those that were given.
const PROPOSED_MAX: usize = 3;

/// What a line of a log looks like when nothing else is known: the format of an empty log.
const FORMAT_OF_NOTHING: &str = "combined";

/// A format of a log.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) format: CompiledFormat,
    /// What it is called where it comes from.
    pub(crate) name: String,
    /// Why it was chosen.
    pub(crate) reason: String,
}

/// A format that nginx.conf has for a log, and its name there.
type Declared = (String, CompiledFormat);

/// `--format`, unless another one reads more of the log's beginning. Else what nginx.conf says of the log as far as that
/// reads it, and what the lines look like that it does not read.
pub(crate) fn choose(
    plan: &Plan,
    known: Option<(&AccessLog, &Path)>,
    file: &LogFile,
    head: &dyn Fn() -> Option<Sample>,
) -> Result<Vec<Chosen>> {
    let declared = declared(plan, known);
    if !plan.formats.is_empty() {
        let head = head().map_or_else(|| sample(file, TRIAL_BYTES, 1), Ok)?;
        try_out(&plan.formats, &declared, &head, file)?;
        let given = plan.formats.iter().map(|format| Chosen {
            name: format.name().to_owned(),
            format: format.clone(),
            reason: "as given".to_owned(),
        });
        return Ok(given.collect());
    }
    let conf = known.map(|(_, conf)| format!("from {}", conf.display()));
    let from_conf = |(name, format): &Declared| Chosen {
        name: name.clone(),
        format: format.clone(),
        reason: conf.clone().unwrap_or_default(),
    };
    let sample = sample(file, SAMPLE_BYTES, SAMPLE_PLACES)?;
    let (_, lines) = CompiledFormat::lines_read(&[], &sample.bytes);
    if lines == 0 && !declared.is_empty() {
        return Ok(declared.iter().take(FORMATS_MAX).map(from_conf).collect());
    }
    if sample.bytes.is_empty() {
        return Ok(vec![Chosen {
            name: FORMAT_OF_NOTHING.to_owned(),
            format: CompiledFormat::preset(FORMAT_OF_NOTHING).context("the preset is there")?,
            reason: "taken for granted, as there is no line to tell it by".to_owned(),
        }]);
    }
    let formats: Vec<CompiledFormat> = declared.iter().map(|(_, format)| format.clone()).collect();
    let found = CompiledFormat::detect_all(&sample.bytes, &formats);
    if found.iter().map(|found| found.matched).sum::<usize>() * 2 <= lines {
        bail!(
            "no known format reads most of `{}`\nhint: give it as Nginx's `log_format` has it, such as `--format '$remote_addr [$time_local] \"$request\" $status'`, or one of: {}",
            file.path.display(),
            CompiledFormat::preset_names().join(", "),
        );
    }
    let of = |format: &CompiledFormat| {
        let mut declared = declared.iter();
        declared.find(|(_, declared)| declared.text() == format.text())
    };
    let mut chosen: Vec<Chosen> = found
        .iter()
        .map(|found| of(&found.format).map_or_else(|| detected(found, sample.extent), from_conf))
        .collect();
    // Where the log is one of this configuration, lines of its other formats may come at any time.
    if found.iter().any(|found| of(&found.format).is_some()) {
        let is_found = |text: &str| found.iter().any(|found| found.format.text() == text);
        let unseen = declared
            .iter()
            .filter(|(_, format)| !is_found(format.text()));
        chosen.extend(unseen.map(from_conf));
        chosen.truncate(FORMATS_MAX);
    }
    Ok(chosen)
}

fn detected(found: &Detected, extent: Extent) -> Chosen {
    let (read, lines) = (number(found.matched as u64), found.lines as u64);
    let of = match extent {
        Extent::Whole => format!("the first {}", counted(lines, "line")),
        Extent::Head => format!(
            "the first {}; a compressed log is looked at in front alone",
            counted(lines, "line")
        ),
        Extent::Places(places) => format!("{} at {places} places", counted(lines, "line")),
    };
    Chosen {
        name: found.format.name().to_owned(),
        format: found.format.clone(),
        reason: format!("detected: it reads {read} of {of}"),
    }
}

/// The formats of nginx.conf for a log. One that cannot be read is said to the curious.
fn declared(plan: &Plan, known: Option<(&AccessLog, &Path)>) -> Vec<Declared> {
    let Some((log, conf)) = known else {
        return Vec::new();
    };
    let texts = log.formats.iter();
    let texts = texts.filter_map(|format| Some((&format.name, format.text.as_deref()?)));
    let mut declared: Vec<Declared> = Vec::new();
    for (name, text) in texts {
        match CompiledFormat::compile(text) {
            Ok(format) => {
                if declared
                    .iter()
                    .all(|(_, known)| known.text() != format.text())
                {
                    declared.push((name.clone(), format));
                }
            }
            Err(error) => plan.voice.detail(&format!(
                "`log_format {name}` of {}: {error}",
                conf.display()
            )),
        }
    }
    declared
}

/// Refuses formats that read less than half of a log's first lines, where another one reads more of them.
fn try_out(
    formats: &[CompiledFormat],
    declared: &[Declared],
    head: &Sample,
    file: &LogFile,
) -> Result<()> {
    let lines = first_lines(&head.bytes, TRIAL_LINES);
    let (read, all) = CompiledFormat::lines_read(formats, lines);
    let is_short = all < TRIAL_LINES && head.extent == Extent::Whole;
    if is_short || read * 2 >= all {
        return Ok(());
    }
    let of_conf = declared.iter().map(|(name, format)| {
        let (read, _) = CompiledFormat::lines_read(std::slice::from_ref(format), lines);
        (name.clone(), read)
    });
    let ranked = CompiledFormat::rank(lines).into_iter();
    let mut fit: Vec<(String, usize)> = of_conf
        .chain(ranked.map(|found| (shown(&found.format).to_owned(), found.matched)))
        .filter(|(_, matched)| *matched > 0)
        .collect();
    fit.sort_by_key(|(_, matched)| std::cmp::Reverse(*matched));
    if fit.first().is_none_or(|(_, matched)| *matched <= read) {
        return Ok(());
    }
    let fit: Vec<String> = fit
        .iter()
        .take(PROPOSED_MAX)
        .map(|(name, matched)| format!("`{name}` reads {}", number(*matched as u64)))
        .collect();
    let names: Vec<String> = formats
        .iter()
        .map(|format| format!("`{}`", shown(format)))
        .collect();
    bail!(
        "`{}`: expected lines of the format {}, found {} among the first {}; nothing was read\nhint: these fit best: {}; for a log with lines of several formats repeat `--format`",
        file.path.display(),
        names.join(" or "),
        number(read as u64),
        number(all as u64),
        fit.join(", "),
    )
}

/// A format's name, or its text if it has none.
pub(crate) fn shown(format: &CompiledFormat) -> &str {
    match format.name() {
        "custom" => format.text(),
        name => name,
    }
}

/// The first lines that are not blank, so many at most, with the blank ones among them.
fn first_lines(bytes: &[u8], lines_max: usize) -> &[u8] {
    let mut lines = 0;
    let mut end = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if lines == lines_max {
            break;
        }
        end += line.len();
        lines += usize::from(!line.trim_ascii().is_empty());
    }
    &bytes[..end]
}
