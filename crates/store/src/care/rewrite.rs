//! Files of one day into one, row for row.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use floodmark_ingest::Scratch;
use futures::TryStreamExt;
use object_store::ObjectStore;

use super::files::LakeFile;
use super::recode::Recoder;
use super::stored::StoredFile;
use crate::Error;
use crate::bounds::GROUP_BYTES_MAX;
use crate::destination::Destination;
use crate::part::{Encoder, Part, RowGroup, Written, writer_properties};

/// Writes the rows of the files into one new file: file after file, each in its order.
///
/// Rows are not sorted. Files are given by their earliest time, and logs are nearly in the order of time, so that the rows are,
/// too; and lines that follow each other in their log stay neighbours, whose offsets and texts cost least.
pub(crate) async fn rewrite(
    files: &[LakeFile],
    from: &Arc<dyn ObjectStore>,
    to: &Arc<Destination>,
    schema: &SchemaRef,
) -> Result<Written, Error> {
    let part = Part::create(to, files[0].day, schema, writer_properties())?;
    let path = part.path().to_owned();
    let written = match copied(files, from, &part, schema).await {
        Ok(()) => part.finish(),
        Err(error) => Err(error),
    };
    // Nothing names it: one that stays is an orphan.
    written.inspect_err(|_| drop(std::fs::remove_file(path)))
}

async fn copied(
    files: &[LakeFile],
    from: &Arc<dyn ObjectStore>,
    part: &Part,
    schema: &SchemaRef,
) -> Result<(), Error> {
    let mut copy = Copy {
        part,
        recoder: Recoder::new(schema),
        encoder: Encoder::new()?,
        group: part.row_group(None)?,
    };
    copy.encoder.scratch = Scratch::with_columns(schema.fields().len());
    for file in files {
        copy.add(file, from).await?;
    }
    part.append(copy.group, &mut copy.encoder)
}

/// A file on its way.
struct Copy<'p> {
    part: &'p Part,
    recoder: Recoder,
    encoder: Encoder,
    group: RowGroup,
}

impl Copy<'_> {
    /// Adds the rows of a file. One whose bytes are not those that were written is left as it is: a copy would hide that.
    async fn add(&mut self, file: &LakeFile, from: &Arc<dyn ObjectStore>) -> Result<(), Error> {
        let checked = file.check(from.as_ref()).await;
        checked.map_err(|flaw| file.damaged(flaw))?;
        let stored = StoredFile::new(from, file.path(), file.bytes());
        let unreadable = |error: parquet::errors::ParquetError| file.damaged(error);
        let footer = stored.footer().await.map_err(unreadable)?;
        let mut rows_read = 0;
        for (at, group) in footer.metadata().row_groups().iter().enumerate() {
            let footer = self.recoder.reads(&footer, group)?;
            let mut batches = stored.row_group(&footer, at)?;
            while let Some(rows) = batches.try_next().await.map_err(unreadable)? {
                rows_read += rows.num_rows();
                let rows = self.recoder.recode(&rows, &mut self.encoder.scratch)?;
                self.group.write(self.part, &rows, &mut self.encoder)?;
                self.end_row_group_if_full()?;
            }
        }
        if rows_read != file.summary.rows {
            return Err(file.damaged(format_args!("{rows_read} rows")));
        }
        Ok(())
    }

    fn end_row_group_if_full(&mut self) -> Result<(), Error> {
        let is_crowded = self.encoder.scratch.is_crowded();
        if self.group.is_full(GROUP_BYTES_MAX) || is_crowded {
            let group = std::mem::replace(&mut self.group, self.part.row_group(None)?);
            self.part.append(group, &mut self.encoder)?;
        }
        if is_crowded {
            self.encoder.scratch.clear();
            self.recoder.forget();
        }
        Ok(())
    }
}
