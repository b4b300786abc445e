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

/// Commits to the version that the table was read at: if anyone committed since, nothing is written.
pub(crate) async fn commit(
    table: &mut DeltaTable,
    actions: Vec<Action>,
    offsets: Vec<Transaction>,
    operation: DeltaOperation,
) -> Result<(), Error> {
    let properties = CommitProperties::default()
        .with_max_retries(0)
        .with_application_transactions(offsets)
        .with_metadata([("floodmark.botRules".to_owned(), RULES_VERSION.into())])
        // Old log files are cleaned by whoever cares for the lake, not by each writer.
        .with_cleanup_expired_logs(Some(false));
    let snapshot = table.snapshot()?.clone();
    let committed = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(&snapshot), table.log_store(), operation)
        .await;
    match committed {
        Ok(_) => Ok(table.update_state().await?),
        Err(error) => Err(commit_error(error)),
    }
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
        ..Add::default()
    }
}
