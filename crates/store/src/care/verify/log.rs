//! The files of the log, each by itself.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::Problem;
use crate::care::stored::StoredFile;

/// The folder of the log in the table.
const LOG: &str = "_delta_log";
const LAST_CHECKPOINT: &str = "_last_checkpoint";
/// Digits of a version in a name.
const VERSION_DIGITS: usize = 20;

/// What lies in the folder of the log.
#[derive(Debug, Default)]
struct Listing {
    /// Each version with its bytes.
    commits: BTreeMap<u64, u64>,
    /// In the order of their versions; other writers split one into parts.
    checkpoints: Vec<(u64, ObjectMeta)>,
    last_checkpoint: Option<Path>,
}

/// Looks at every commit, the newest checkpoint, and the pointer to it. `table` stands before each path.
pub(super) async fn problems(
    store: &Arc<dyn ObjectStore>,
    table: &str,
) -> object_store::Result<Vec<Problem>> {
    let listing = Listing::of(store).await?;
    let mut problems = Vec::new();
    let named = |path: &Path| format!("{table}{path}");
    for (version, bytes) in &listing.commits {
        let path = Path::from(LOG).join(format!("{version:020}.json"));
        let bytes = match bytes {
            // The store refuses to read such a one.
            0 => Bytes::new(),
            _ => store.get(&path).await?.bytes().await?,
        };
        if let Some(found) = flaw(&bytes) {
            let path = named(&path);
            problems.push(Problem::Commit { path, found });
        }
    }
    let newest = listing.checkpoints.last().map(|(version, _)| *version);
    let after = newest.map_or(0, |version| version + 1);
    let last = listing
        .commits
        .last_key_value()
        .map_or(0, |(version, _)| *version);
    let missing = (after..=last).filter(|version| !listing.commits.contains_key(version));
    problems.extend(missing.map(|version| Problem::CommitMissing {
        log: named(&Path::from(LOG)),
        version,
    }));
    let parts = listing.checkpoints.iter();
    for (version, part) in parts.filter(|(version, _)| Some(*version) == newest) {
        // Parquet 59 panics at some that a flipped bit makes.
        let read = AssertUnwindSafe(read(store, part)).catch_unwind().await;
        let found = match read {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("what no Parquet file has".to_owned()),
        };
        if let Some(found) = found {
            problems.push(Problem::Checkpoint {
                path: named(&part.location),
                found,
                is_needed: (0..=*version).any(|version| !listing.commits.contains_key(&version)),
            });
        }
    }
    if let Some(path) = &listing.last_checkpoint {
        let bytes = store.get(path).await?.bytes().await?;
        let pointed = serde_json::from_slice::<serde_json::Value>(&bytes)
            .ok()
            .and_then(|pointer| pointer["version"].as_u64());
        let is_there = |version| listing.checkpoints.iter().any(|(at, _)| *at == version);
        if !pointed.is_some_and(is_there) {
            let found = match pointed {
                Some(version) => format!("{version}, of which there is none"),
                None => format!("{} bytes without one", bytes.len()),
            };
            problems.push(Problem::LastCheckpoint {
                path: named(path),
                found,
            });
        }
    }
    Ok(problems)
}

/// The first commit that is none, by its path in the table.
pub(crate) async fn damaged_commit(store: &Arc<dyn ObjectStore>) -> Option<String> {
    let problems = problems(store, "").await.ok()?;
    problems.into_iter().find_map(|problem| match problem {
        Problem::Commit { path, .. } => Some(path),
        _ => None,
    })
}

impl Listing {
    async fn of(store: &Arc<dyn ObjectStore>) -> object_store::Result<Self> {
        let mut listing = Self::default();
        let mut files = store.list(Some(&Path::from(LOG)));
        while let Some(file) = files.try_next().await? {
            let name = file.location.filename().unwrap_or_default();
            if name == LAST_CHECKPOINT {
                listing.last_checkpoint = Some(file.location);
                continue;
            }
            let version = name
                .get(..VERSION_DIGITS)
                .and_then(|text| text.parse().ok());
            match (version, name.get(VERSION_DIGITS..)) {
                (Some(version), Some(".json")) => {
                    listing.commits.insert(version, file.size);
                }
                (Some(version), Some(rest))
                    if rest.starts_with(".checkpoint.") && rest.ends_with(".parquet") =>
                {
                    listing.checkpoints.push((version, file));
                }
                _ => {}
            }
        }
        listing.checkpoints.sort_by_key(|(version, _)| *version);
        Ok(listing)
    }
}

/// What is wrong with a commit.
fn flaw(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some("no bytes".to_owned());
    }
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.is_empty())
        .find_map(|(index, line)| {
            type Action = serde_json::Map<String, serde_json::Value>;
            let error = serde_json::from_slice::<Action>(line).err()?;
            Some(format!("on line {}: {error}", index + 1))
        })
}

/// Reads a Parquet file to its last page.
async fn read(
    store: &Arc<dyn ObjectStore>,
    file: &ObjectMeta,
) -> Result<(), parquet::errors::ParquetError> {
    let stored = StoredFile::new(store, file.location.clone(), file.size);
    let footer = stored.footer().await?;
    for group in 0..footer.metadata().num_row_groups() {
        let mut batches = stored.row_group(&footer, group)?;
        while batches.try_next().await?.is_some() {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_a_json_object_a_line() {
        assert_eq!(flaw(b"{\"commitInfo\":{}}\n{\"add\":{}}"), None);
        assert_eq!(flaw(b""), Some("no bytes".to_owned()));
        let cut = flaw(b"{\"commitInfo\":{}}\n{\"add\":{\"pa").unwrap();
        assert!(cut.starts_with("on line 2: EOF"), "{cut}");
        let zeros = flaw(&[0; 40]).unwrap();
        assert!(zeros.starts_with("on line 1: "), "{zeros}");
    }
}
