//! What a commit to a table of the lake says.

use std::collections::HashMap;

use deltalake::DeltaTableError;
use deltalake::kernel::transaction::{CommitData, TransactionError};
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::protocol::DeltaOperation;
use floodmark_ingest::RULES_VERSION;

use crate::Error;
use crate::part::Written;

/// How often a change is planned again because another process committed meanwhile.
pub(crate) const CONFLICTS_MAX: usize = 20;

/// The tag of a file in the Delta log that holds the SHA-256 of its bytes, in hex digits.
pub(crate) const SHA256: &str = "floodmark.sha256";

/// A commit of lines that were read: beside its actions how far, and by which rules their rows were judged.
pub(crate) fn reading(
    actions: Vec<Action>,
    operation: DeltaOperation,
    offsets: Vec<Transaction>,
) -> CommitData {
    let rules = ("floodmark.botRules".to_owned(), RULES_VERSION.into());
    CommitData::new(actions, operation, HashMap::from([rules]), offsets)
}

/// A commit of rows that were there before, which the offsets stand beside as they are now.
pub(crate) fn keeping(
    actions: Vec<Action>,
    operation: DeltaOperation,
    offsets: Vec<Transaction>,
) -> CommitData {
    CommitData::new(actions, operation, HashMap::new(), offsets)
}

pub(crate) fn commit_error(error: DeltaTableError) -> Error {
    let is_conflict = match &error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => is_conflict(source),
        _ => false,
    };
    if is_conflict {
        return Error::Conflict {
            committed: Box::default(),
        };
    }
    error.into()
}

fn is_conflict(error: &TransactionError) -> bool {
    matches!(
        error,
        TransactionError::MaxCommitAttempts(_)
            | TransactionError::CommitConflict(_)
            | TransactionError::VersionAlreadyExists(_)
    )
}

/// The file as part of a table that is partitioned by the column `partition` and has its times in `time`.
pub(crate) fn add(file: &Written, partition: &str, time: &str) -> Add {
    Add {
        path: file.relative.clone(),
        partition_values: HashMap::from([(partition.to_owned(), file.day.text())]),
        size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
        modification_time: file.modified_ms,
        data_change: true,
        stats: Some(file.summary.to_delta(time).to_string()),
        tags: Some(HashMap::from([(
            SHA256.to_owned(),
            Some(file.sha256.clone()),
        )])),
        ..Add::default()
    }
}
