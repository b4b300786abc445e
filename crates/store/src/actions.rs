//! The actions of one kind in a Delta log, in one pass over it.

use arrow::array::RecordBatch;
use buoyant_kernel::Snapshot;
use buoyant_kernel::engine::arrow_data::ArrowEngineData;
use buoyant_kernel::schema::SchemaRef;
use deltalake::DeltaTable;

use crate::Error;

/// Shows the actions up to the table's version that `schema` asks for; those of newer commits come first.
pub(crate) fn for_each_batch(
    table: &DeltaTable,
    schema: &SchemaRef,
    mut show: impl FnMut(&RecordBatch),
) -> Result<(), Error> {
    let log_store = table.log_store();
    let engine = log_store.engine(None);
    let mut builder = Snapshot::builder_for(log_store.root_url().as_str());
    if let Some(version) = table.version() {
        builder = builder.at_version(version);
    }
    let snapshot = builder.build(engine.as_ref())?;
    for batch in snapshot
        .log_segment()
        .read_actions(engine.as_ref(), schema.clone())?
    {
        let batch = ArrowEngineData::try_from_engine_data(batch?.actions)?;
        show(batch.record_batch());
    }
    Ok(())
}
