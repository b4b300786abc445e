//! What a lake holds, as far as its log tells.

use super::files::LakeFile;
use crate::{Error, Lake};

/// A lake at one version, without looking into its files.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The version.
    pub version: u64,
    /// Files of it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// Small files by the terms of [`CompactOptions`](crate::CompactOptions): those of days that have more than one.
    pub small_files: u64,
    /// Days that have rows.
    pub days: u64,
    /// First and last of them, `2026-11-16`.
    pub first_and_last_day: Option<(String, String)>,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// Its sources, by name.
    pub sources: Vec<SourceRead>,
}

/// How far a source is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRead {
    /// Its id.
    pub source: String,
    /// Its log set.
    pub log_set: String,
    /// Bytes of it that were read, decompressed.
    pub offset: u64,
    /// How many of these stand in rows of the lake; the others were blank lines, or were expired. `None` if that was never recorded.
    pub row_bytes: Option<u64>,
}

impl Lake {
    /// What the log says of this version. `small_bytes` is that of [`CompactOptions`](crate::CompactOptions).
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub async fn overview(&self, small_bytes: u64) -> Result<Overview, Error> {
        let files = self.files().await?;
        let by_day = || files.chunk_by(|one, next| one.day == next.day);
        let small_files = by_day().map(|day| {
            let small = day.iter().filter(|file| file.bytes() < small_bytes);
            Some(small.count() as u64).filter(|count| *count > 1)
        });
        let text = |file: Option<&LakeFile>| file.and_then(|file| file.day.text());
        let mut with_day = files.iter().filter(|file| file.day.text().is_some());
        let first = text(with_day.clone().next());
        let last = text(with_day.next_back());
        let columns = self.schema();
        let positions = self.positions()?;
        Ok(Overview {
            version: self.version(),
            files: files.len() as u64,
            bytes: files.iter().map(LakeFile::bytes).sum(),
            rows: files.iter().map(|file| file.summary.rows as u64).sum(),
            small_files: small_files.flatten().sum(),
            days: by_day().count() as u64,
            first_and_last_day: first.zip(last),
            columns: columns
                .columns()
                .iter()
                .map(|column| column.name.clone())
                .collect(),
            sources: positions
                .iter()
                .map(|(id, position)| SourceRead {
                    source: id.to_owned(),
                    log_set: position.known.id.log_set().to_owned(),
                    offset: position.known.offset,
                    row_bytes: position.row_bytes,
                })
                .collect(),
        })
    }
}
