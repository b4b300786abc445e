//! What the owner of a site keeps in the folder `--config`: lists of the ranges that crawlers ask from, addresses that are vouched for,
//! declared maintenance.
//!
//! A file that cannot be read is told and left out: without a list no claim is judged, and nothing else is.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Error, Result};
use floodmark_query::{Facts, RangeList, maintenance, ranges};
use floodmark_traffic::claims::{OPERATORS, Operator};

use crate::explained;
use crate::plan::Plan;

/// Far more than any operator publishes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The facts, and what they were read from.
pub(crate) struct Read {
    pub(crate) facts: Facts,
    pub(crate) lists: Vec<ListFile>,
    /// Ranges of `exempt.txt`.
    pub(crate) exempt: usize,
    /// Stretches of `maintenance.txt`.
    pub(crate) maintenance: usize,
}

/// A list of one operator.
pub(crate) struct ListFile {
    pub(crate) path: PathBuf,
    pub(crate) operator: &'static Operator,
    pub(crate) list: RangeList,
    /// When it was made, by its own word or else the file's time; microseconds since the epoch.
    pub(crate) made_us: i64,
}

/// Reads the folder; what is not there is not known.
pub(crate) fn read(plan: &Plan) -> Read {
    let lists: Vec<ListFile> = list_files(plan)
        .into_iter()
        .filter_map(|path| told(plan, &path, list_file(&path)).flatten())
        .collect();
    let exempt = lines(plan, "exempt.txt", |text| Ok(ranges(text)?));
    let maintenance = lines(plan, "maintenance.txt", |text| Ok(maintenance(text)?));
    let of_lists = lists
        .iter()
        .map(|file| (file.operator, file.list.ranges.clone(), file.made_us));
    Read {
        exempt: exempt.len(),
        maintenance: maintenance.len(),
        facts: Facts::new(of_lists.collect(), exempt, maintenance),
        lists,
    }
}

/// The files of the folder of lists, by name.
fn list_files(plan: &Plan) -> Vec<PathBuf> {
    let folder = plan.config.join("lists");
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        entries => told(plan, &folder, entries.map_err(Error::from)),
    };
    let mut paths: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths
}

/// The list in a file; `None` if the file is named after nobody who is known.
fn list_file(path: &Path) -> Result<Option<ListFile>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split(|c: char| !c.is_ascii_alphanumeric()).next();
    let named = |operator: &&Operator| Some(operator.name) == stem;
    let Some(operator) = OPERATORS.iter().find(named) else {
        let names: Vec<&str> = OPERATORS.iter().map(|operator| operator.name).collect();
        anyhow::bail!(
            "expected a name that begins with that of an operator ({})",
            names.join(", ")
        );
    };
    let modified_us = fs::metadata(path)?.modified()?.duration_since(UNIX_EPOCH)?;
    let modified_us = i64::try_from(modified_us.as_micros())?;
    let list = RangeList::read(&text(path)?)?;
    Ok(Some(ListFile {
        path: path.to_owned(),
        operator,
        made_us: list.made_us.unwrap_or(modified_us),
        list,
    }))
}

/// What the lines of a file say; nothing if there is no such file.
fn lines<T>(plan: &Plan, name: &str, read: impl Fn(&str) -> Result<Vec<T>>) -> Vec<T> {
    let path = plan.config.join(name);
    if !path.exists() {
        return Vec::new();
    }
    told(plan, &path, text(&path).and_then(|text| read(&text))).unwrap_or_default()
}

fn text(path: &Path) -> Result<String> {
    let bytes = fs::metadata(path)?.len();
    anyhow::ensure!(
        bytes <= FILE_BYTES_MAX,
        "expected at most {FILE_BYTES_MAX} bytes, found {bytes}"
    );
    fs::read_to_string(path).context("expected text")
}

/// Says once what is wrong with a file.
fn told<T>(plan: &Plan, path: &Path, result: Result<T>) -> Option<T> {
    result
        .map_err(|error| {
            let message = format!("left out `{}`: {}", path.display(), explained(&error));
            plan.voice.warn_once(&message);
        })
        .ok()
}
