//! One commit to a table of the lake.

use std::collections::HashMap;

use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::protocol::DeltaOperation;
use deltalake::{DeltaTable, DeltaTableError};
use floodmark_ingest::RULES_VERSION;

use crate::Error;
use crate::part::Written;

/// How often a change is planned again because another process committed meanwhile.
pub(crate) const CONFLICTS_MAX: usize = 20;

/// The tag of a file in the Delta log that holds the SHA-256 of its bytes, in hex digits.
pub(crate) const SHA256: &str = "floodmark.sha256";

/// Commits to the version that the table was read at: if anyone committed since, nothing is written.
pub(crate) async fn commit(
    table: &mut DeltaTable,
    actions: Vec<Action>,
    operation: DeltaOperation,
    properties: CommitProperties,
) -> Result<(), Error> {
    let properties = properties
        .with_max_retries(0)
        // Old log files are cleaned by whoever cares for the lake, not by each writer.
        .with_cleanup_expired_logs(Some(false));
    let snapshot = table.snapshot()?.clone();
    let committed = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(&snapshot), table.log_store(), operation)
        .await;
    let committed = committed.map_err(commit_error)?;
    // Not the newest version: what others committed meanwhile was not planned with.
    table.state = Some(committed.snapshot());
    Ok(())
}

/// What a commit of lines that were read says beside its actions: how far, and by which rules their rows were judged.
pub(crate) fn reading(offsets: Vec<Transaction>) -> CommitProperties {
    CommitProperties::default()
        .with_application_transactions(offsets)
        .with_metadata([("floodmark.botRules".to_owned(), RULES_VERSION.into())])
}

pub(crate) fn commit_error(error: DeltaTableError) -> Error {
    match error {
        DeltaTableError::Transaction { source } if is_conflict(&source) => Error::Conflict {
            committed: Box::default(),
        },
        other => other.into(),
    }
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
