//! The offset of each source, kept as application transactions of the Delta log.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::Int64Type;
use buoyant_kernel::Snapshot;
use buoyant_kernel::actions::LOG_TXN_SCHEMA;
use buoyant_kernel::engine::arrow_data::ArrowEngineData;
use deltalake::DeltaTable;
use deltalake::kernel::Transaction;
use floodmark_source::{KnownSource, SourceId};

use crate::Error;

/// Application ids of ours begin so; the version is the offset.
const PREFIX: &str = "floodmark/";
/// And end so where the version is the anchor: the hash of the bytes just before the offset.
const ANCHOR: &str = "/anchor";

/// The two transactions that say how far a source is read.
pub(crate) fn transactions(known: &KnownSource) -> [Transaction; 2] {
    let app_id = format!("{PREFIX}{}", known.id);
    let as_version = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    [
        Transaction::new(format!("{app_id}{ANCHOR}"), as_version(known.anchor)),
        Transaction::new(app_id, as_version(known.offset)),
    ]
}

/// All sources at the table's version.
pub(crate) fn known_sources(table: &DeltaTable) -> Result<Vec<KnownSource>, Error> {
    let versions = newest_versions(table)?;
    let mut known = Vec::new();
    for (app_id, &offset) in &versions {
        let Some(id) = app_id
            .strip_prefix(PREFIX)
            .filter(|id| !id.ends_with(ANCHOR))
        else {
            continue;
        };
        let anchor = versions.get(&format!("{app_id}{ANCHOR}"));
        let (Some(&anchor), Ok(id)) = (anchor, id.parse::<SourceId>()) else {
            return Err(Error::BadPosition {
                app_id: app_id.clone(),
            });
        };
        known.push(KnownSource {
            id,
            offset: offset.unsigned_abs(),
            anchor: anchor.unsigned_abs(),
        });
    }
    known.sort_by_cached_key(|known| known.id.to_string());
    Ok(known)
}

/// The offset of each source at the table's version, by its id.
pub(crate) fn offsets(table: &DeltaTable) -> Result<BTreeMap<String, u64>, Error> {
    let versions = newest_versions(table)?.into_iter();
    let offset = |(app_id, offset): (String, i64)| {
        let id = app_id.strip_prefix(PREFIX)?;
        id.parse::<SourceId>().ok()?;
        Some((id.to_owned(), offset.unsigned_abs()))
    };
    Ok(versions.filter_map(offset).collect())
}

/// The transaction that says up to which offset a source is in a table.
pub(crate) fn offset_transaction(source: &str, offset: u64) -> Transaction {
    let version = i64::try_from(offset).unwrap_or(i64::MAX);
    Transaction::new(format!("{PREFIX}{source}"), version)
}

fn newest_versions(table: &DeltaTable) -> Result<HashMap<String, i64>, Error> {
    let log_store = table.log_store();
    let engine = log_store.engine(None);
    let mut builder = Snapshot::builder_for(log_store.root_url().as_str());
    if let Some(version) = table.version() {
        builder = builder.at_version(version);
    }
    let snapshot = builder.build(engine.as_ref())?;
    let mut versions = HashMap::new();
    // Newest commits come first, so the first version seen of an id is the one that holds.
    for batch in snapshot
        .log_segment()
        .read_actions(engine.as_ref(), LOG_TXN_SCHEMA.clone())?
    {
        let batch = ArrowEngineData::try_from_engine_data(batch?.actions)?;
        for (app_id, version) in in_batch(batch.record_batch()) {
            versions.entry(app_id).or_insert(version);
        }
    }
    Ok(versions)
}

fn in_batch(batch: &RecordBatch) -> Vec<(String, i64)> {
    let column = |of: &StructArray, name| of.column_by_name(name).cloned();
    let Some(txn) = batch
        .column_by_name("txn")
        .and_then(|txn| txn.as_struct_opt())
    else {
        return Vec::new();
    };
    let (Some(ids), Some(versions)) = (column(txn, "appId"), column(txn, "version")) else {
        return Vec::new();
    };
    let (Some(ids), Some(versions)) = (
        ids.as_string_opt::<i32>(),
        versions.as_primitive_opt::<Int64Type>(),
    ) else {
        return Vec::new();
    };
    (0..txn.len())
        .filter(|&row| txn.is_valid(row) && ids.is_valid(row) && versions.is_valid(row))
        .map(|row| (ids.value(row).to_owned(), versions.value(row)))
        .collect()
}
