//! What is known to be lost, as rows of kind `gap`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray, UInt32Array,
    new_null_array,
};
use floodmark_source::SourceId;

use crate::Error;
use crate::batch::as_given;
use crate::columns::Origin;
use crate::dictionary::Dictionary;
use crate::rows::{Layout, LineBatch};
use crate::scratch::Scratch;
use crate::tally::Tally;

/// The reason of a gap after the last line that was read of a source.
pub const UNREAD_END: &str = "unread_end";

/// The end of a source that was gone before it was read: nobody knows how many bytes it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The source.
    pub source: SourceId,
    /// Up to where it was read.
    pub line_offset: u64,
    /// When it had been read up to there; microseconds since the epoch.
    pub since_us: i64,
    /// From when on nothing is lost: the time of the first line that came after it, or of the look that missed it.
    pub until_us: i64,
}

/// A row for each; the source as a code, as it is where the rows are those of a block.
pub(crate) fn gap_rows(
    layout: &Layout,
    gaps: &[Gap],
    scratch: &mut Scratch,
) -> Result<LineBatch, Error> {
    let columns = layout.schema.columns();
    let dictionaries = &mut scratch.dictionaries;
    dictionaries.resize_with(columns.len(), Dictionary::default);
    let times = |time_us: fn(&Gap) -> i64| -> ArrayRef {
        let times: TimestampMicrosecondArray = gaps.iter().map(time_us).map(Some).collect();
        Arc::new(times.with_timezone("UTC"))
    };
    let same = |text: &str| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(gaps.iter().map(|_| text)))
    };
    let arrays = columns.iter().zip(dictionaries);
    let arrays: Vec<ArrayRef> = arrays
        .map(|(column, dictionary)| match column.origin {
            Origin::Kind => same("gap"),
            Origin::Reason => same(UNREAD_END),
            Origin::Time => times(|gap| gap.since_us),
            Origin::Until => times(|gap| gap.until_us),
            Origin::LineOffset => {
                let offsets = gaps.iter().map(|gap| gap.line_offset);
                let offsets = offsets.map(|offset| i64::try_from(offset).unwrap_or(i64::MAX));
                Arc::new(Int64Array::from_iter_values(offsets))
            }
            Origin::Source => {
                let sources = gaps.iter().map(|gap| dictionary.add(gap.source.as_str()));
                Arc::new(UInt32Array::from_iter_values(sources))
            }
            _ => new_null_array(&column.column_type.arrow(), gaps.len()),
        })
        .collect();
    Ok(LineBatch {
        rows: RecordBatch::try_new(as_given(&layout.arrow, &arrays), arrays)?,
        twins: None,
        tally: Tally::default(),
    })
}
