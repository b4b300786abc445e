//! One text column of a row group, encoded from codes. The `parquet` crate's own writer hashes each value of each row to
//! find its code; here that was done while the line was parsed, and a row costs the packing of a few bits.
//!
//! The layout is that of the Parquet format, version 1 pages: a dictionary page, then data pages of definition levels and
//! either codes (`RLE_DICTIONARY`) or, for columns whose values do not repeat, the texts themselves (`PLAIN`).

use arrow::array::{Array, AsArray, GenericByteViewArray, NullBufferBuilder, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{ByteViewType, UInt32Type};
use bytes::Bytes;
use floodmark_ingest::Dictionary;
use parquet::basic::{Compression, Encoding, EncodingMask, PageType, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

/// Rows of a page, as in the columns that the `parquet` crate writes: what a reader may skip.
const PAGE_ROWS_MAX: usize = 20_000;
/// Bytes of the texts of a page that holds them themselves, before compression.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// A dictionary of at most so many texts tells the least and the greatest value of its column.
const WORDS_COMPARED_MAX: usize = 64;

/// Columns that one looks for one value in, which is in few row groups. Of a filter that rules one out a value takes some 10 bits.
const SOUGHT: &[&str] = &["client", "remote_addr"];
/// Of row groups without a value, so many are read in vain.
const FALSE_POSITIVES: f64 = 0.01;

/// A compressor as text chunks use it; one a thread, as it takes half a megabyte.
pub(crate) fn compressor() -> std::io::Result<Compressor<'static>> {
    Compressor::new(ZstdLevel::default().compression_level())
}

/// The rows of one text column until its row group is complete.
#[derive(Debug, Default)]
pub(crate) struct TextChunk {
    /// By code of the thread's dictionary: the code in this chunk, or [`UNSEEN`].
    places: Vec<u32>,
    /// The thread's codes by this chunk's.
    words: Vec<u32>,
    open: OpenPage,
    pages: Vec<EncodedPage>,
    encoded_bytes: usize,
}

const UNSEEN: u32 = u32::MAX;

/// The rows after the last complete page.
#[derive(Debug)]
struct OpenPage {
    values: Values,
    validity: NullBufferBuilder,
}

/// The values of a page that are not NULL.
#[derive(Debug)]
enum Values {
    Codes(Vec<u32>),
    Plain(Vec<u8>),
}

impl Default for OpenPage {
    fn default() -> Self {
        Self {
            values: Values::Codes(Vec::new()),
            validity: NullBufferBuilder::new(PAGE_ROWS_MAX),
        }
    }
}

/// A complete page, compressed.
#[derive(Debug)]
struct EncodedPage {
    body: Bytes,
    raw_bytes: usize,
    rows: usize,
    nulls: usize,
    encoding: Encoding,
}

/// A column chunk as a row group takes it.
pub(crate) struct Encoded {
    pub(crate) bytes: Bytes,
    pub(crate) close: ColumnCloseResult,
}

impl TextChunk {
    /// Appends the rows of an array: codes of `dictionary`, or texts.
    pub(crate) fn write(
        &mut self,
        array: &dyn Array,
        dictionary: &Dictionary,
        compressor: &mut Compressor<'_>,
    ) -> Result<(), ParquetError> {
        let mut start = 0;
        while start < array.len() {
            let free = PAGE_ROWS_MAX - self.open.validity.len();
            let rows = free.min(array.len() - start);
            let piece = array.slice(start, rows);
            match piece.as_primitive_opt::<UInt32Type>() {
                Some(codes) => self.push_codes(codes, dictionary, compressor)?,
                None => match piece.as_binary_view_opt() {
                    Some(texts) => self.push_texts(texts, compressor)?,
                    None => self.push_texts(piece.as_string_view(), compressor)?,
                },
            }
            start += rows;
            if self.open.validity.len() >= PAGE_ROWS_MAX || self.open.is_large() {
                self.end_page(compressor)?;
            }
        }
        Ok(())
    }

    fn push_codes(
        &mut self,
        codes: &UInt32Array,
        dictionary: &Dictionary,
        compressor: &mut Compressor<'_>,
    ) -> Result<(), ParquetError> {
        if matches!(&self.open.values, Values::Plain(plain) if !plain.is_empty()) {
            self.end_page(compressor)?;
        }
        if let Values::Plain(_) = self.open.values {
            self.open.values = Values::Codes(Vec::new());
        }
        self.places.resize(dictionary.len(), UNSEEN);
        let (places, words) = (&mut self.places, &mut self.words);
        let mut place_of = |code: u32| {
            let place = &mut places[code as usize];
            if *place == UNSEEN {
                *place = u32::try_from(words.len()).expect("no more words than codes");
                words.push(code);
            }
            *place
        };
        if let Values::Codes(open) = &mut self.open.values {
            match nulls_of(codes) {
                None => open.extend(codes.values().iter().map(|&code| place_of(code))),
                Some(nulls) => {
                    open.extend(nulls.valid_indices().map(|row| place_of(codes.value(row))))
                }
            }
        }
        self.open.count(codes);
        Ok(())
    }

    fn push_texts<T: ByteViewType>(
        &mut self,
        texts: &GenericByteViewArray<T>,
        compressor: &mut Compressor<'_>,
    ) -> Result<(), ParquetError> {
        // Rows without a value go into a page of either kind.
        if texts.null_count() < texts.len() {
            if matches!(&self.open.values, Values::Codes(codes) if !codes.is_empty()) {
                self.end_page(compressor)?;
            }
            if let Values::Codes(_) = self.open.values {
                self.open.values = Values::Plain(Vec::new());
            }
            if let Values::Plain(plain) = &mut self.open.values {
                for text in texts.iter().flatten() {
                    let text: &[u8] = text.as_ref();
                    let bytes = u32::try_from(text.len())
                        .map_err(|_| ParquetError::General("a text of 4 GiB".to_owned()))?;
                    plain.extend_from_slice(&bytes.to_le_bytes());
                    plain.extend_from_slice(text);
                }
            }
        }
        self.open.count(texts);
        Ok(())
    }

    fn end_page(&mut self, compressor: &mut Compressor<'_>) -> Result<(), ParquetError> {
        let OpenPage {
            values,
            mut validity,
        } = std::mem::take(&mut self.open);
        let rows = validity.len();
        if rows == 0 {
            return Ok(());
        }
        let nulls = validity.finish();
        let mut raw = Vec::new();
        push_levels(&mut raw, rows, nulls.as_ref());
        let encoding = match &values {
            // A column without any value has no dictionary.
            Values::Codes(codes) if codes.is_empty() => Encoding::PLAIN,
            Values::Codes(codes) => {
                let width = bit_width(self.words.len());
                raw.push(width);
                push_hybrid(&mut raw, codes, width);
                Encoding::RLE_DICTIONARY
            }
            Values::Plain(plain) => {
                raw.extend_from_slice(plain);
                Encoding::PLAIN
            }
        };
        let body = Bytes::from(compressor.compress(&raw)?);
        self.encoded_bytes += body.len();
        self.pages.push(EncodedPage {
            body,
            raw_bytes: raw.len(),
            rows,
            nulls: nulls.map_or(0, |nulls| nulls.null_count()),
            encoding,
        });
        Ok(())
    }

    /// Completes the last page.
    pub(crate) fn finish(&mut self, compressor: &mut Compressor<'_>) -> Result<(), ParquetError> {
        self.end_page(compressor)
    }

    /// The finished chunk as the column of `descr`; may be asked for more than one column.
    pub(crate) fn encoded(
        &self,
        dictionary: &Dictionary,
        descr: &ColumnDescPtr,
        compressor: &mut Compressor<'_>,
    ) -> Result<Encoded, ParquetError> {
        let mut chunk = ChunkWriter::default();
        let mut sink = TrackedWrite::new(Vec::with_capacity(self.encoded_bytes));
        let mut writer = SerializedPageWriter::new(&mut sink);
        if !self.words.is_empty() {
            let mut page = Vec::new();
            for &code in &self.words {
                let text = dictionary.text(code);
                let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
                page.extend_from_slice(&bytes.to_le_bytes());
                page.extend_from_slice(text);
            }
            let words = Page::DictionaryPage {
                buf: compressor.compress(&page)?.into(),
                num_values: narrow(self.words.len())?,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            chunk.wrote(
                &writer.write_page(CompressedPage::new(words, page.len()))?,
                Encoding::PLAIN,
            );
        }
        for page in &self.pages {
            let data = Page::DataPage {
                buf: page.body.clone(),
                num_values: narrow(page.rows)?,
                encoding: page.encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            let spec = writer.write_page(CompressedPage::new(data, page.raw_bytes))?;
            chunk.wrote(&spec, page.encoding);
            chunk.located(&spec, page.rows)?;
        }
        writer.close()?;
        let bytes = Bytes::from(sink.into_inner()?);
        let mut close = chunk.close(descr, self.statistics(dictionary), bytes.len() as u64)?;
        if SOUGHT.contains(&descr.name()) {
            close.bloom_filter = self.filter(dictionary)?;
        }
        Ok(Encoded { bytes, close })
    }

    /// Whether all texts are words of the dictionary.
    fn is_of_words(&self) -> bool {
        let has_none = |page: &EncodedPage| page.nulls == page.rows;
        let mut pages = self.pages.iter();
        pages.all(|page| page.encoding != Encoding::PLAIN || has_none(page))
    }

    /// Tells which texts are not here, where that can be known.
    fn filter(&self, dictionary: &Dictionary) -> Result<Option<Sbbf>, ParquetError> {
        if !self.is_of_words() {
            return Ok(None);
        }
        let mut filter = Sbbf::new_with_ndv_fpp(self.words.len() as u64, FALSE_POSITIVES)?;
        for &code in &self.words {
            filter.insert(dictionary.text(code));
        }
        Ok(Some(filter))
    }

    /// How many values are NULL; and between what texts the others are, where few come again and again.
    fn statistics(&self, dictionary: &Dictionary) -> Statistics {
        let nulls = self.pages.iter().map(|page| page.nulls as u64).sum();
        let is_told = self.words.len() <= WORDS_COMPARED_MAX && self.is_of_words();
        let words = || {
            let words = self.words.iter().filter(|_| is_told);
            words.map(|&code| dictionary.text(code))
        };
        let value = |text: &[u8]| ByteArray::from(text.to_vec());
        Statistics::byte_array(
            words().min().map(value),
            words().max().map(value),
            None,
            Some(nulls),
            false,
        )
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let open = match &self.open.values {
            Values::Codes(codes) => codes.capacity() * size_of::<u32>(),
            Values::Plain(plain) => plain.capacity(),
        };
        let maps = (self.places.capacity() + self.words.capacity()) * size_of::<u32>();
        self.encoded_bytes + open + maps
    }
}

impl OpenPage {
    fn count(&mut self, array: &dyn Array) {
        match nulls_of(array) {
            None => self.validity.append_n_non_nulls(array.len()),
            Some(nulls) => self.validity.append_buffer(nulls),
        }
    }

    fn is_large(&self) -> bool {
        matches!(&self.values, Values::Plain(plain) if plain.len() >= PAGE_BYTES_MAX)
    }
}

fn nulls_of(array: &dyn Array) -> Option<&NullBuffer> {
    array.nulls().filter(|nulls| nulls.null_count() > 0)
}

/// What the pages of a chunk add up to.
#[derive(Default)]
struct ChunkWriter {
    raw_bytes: usize,
    encoded_bytes: usize,
    values: u64,
    rows: u64,
    dictionary_at: Option<u64>,
    data_at: Option<u64>,
    encodings: Vec<PageEncodingStats>,
    offsets: OffsetIndexBuilder,
}

impl ChunkWriter {
    fn wrote(&mut self, spec: &PageWriteSpec, encoding: Encoding) {
        self.raw_bytes += spec.uncompressed_size;
        self.encoded_bytes += spec.compressed_size;
        match spec.page_type {
            PageType::DICTIONARY_PAGE => self.dictionary_at = Some(spec.offset),
            _ => {
                self.values += u64::from(spec.num_values);
                self.data_at.get_or_insert(spec.offset);
            }
        }
        match self.encodings.last_mut() {
            Some(last) if last.page_type == spec.page_type && last.encoding == encoding => {
                last.count += 1;
            }
            _ => self.encodings.push(PageEncodingStats {
                page_type: spec.page_type,
                encoding,
                count: 1,
            }),
        }
    }

    fn located(&mut self, spec: &PageWriteSpec, rows: usize) -> Result<(), ParquetError> {
        self.rows += rows as u64;
        self.offsets.append_row_count(narrow(rows)?);
        let (offset, bytes) = (narrow(spec.offset)?, narrow(spec.compressed_size)?);
        self.offsets.append_offset_and_size(offset, bytes);
        Ok(())
    }

    fn close(
        self,
        descr: &ColumnDescPtr,
        statistics: Statistics,
        bytes_written: u64,
    ) -> Result<ColumnCloseResult, ParquetError> {
        let encodings = self.encodings.iter().map(|stats| &stats.encoding);
        let encodings = encodings.chain([&Encoding::RLE]);
        let metadata = ColumnChunkMetaData::builder(descr.clone())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_encodings_mask(EncodingMask::new_from_encodings(encodings))
            .set_page_encoding_stats(self.encodings)
            .set_total_compressed_size(narrow(self.encoded_bytes)?)
            .set_total_uncompressed_size(narrow(self.raw_bytes)?)
            .set_num_values(narrow(self.values)?)
            .set_data_page_offset(narrow(self.data_at.unwrap_or_default())?)
            .set_dictionary_page_offset(self.dictionary_at.map(narrow).transpose()?)
            .set_statistics(statistics)
            .build()?;
        Ok(ColumnCloseResult {
            bytes_written,
            rows_written: self.rows,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(self.offsets.build()),
        })
    }
}

fn narrow<A, B: TryFrom<A>>(number: A) -> Result<B, ParquetError> {
    let too_large = |_| ParquetError::General("a row group too large for Parquet".to_owned());
    B::try_from(number).map_err(too_large)
}

/// Definition levels: 1 where there is a value, after their length in bytes.
fn push_levels(page: &mut Vec<u8>, rows: usize, nulls: Option<&NullBuffer>) {
    let at = page.len();
    page.extend_from_slice(&[0; 4]);
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        None => push_run(page, rows, 1, 1),
        Some(nulls) if nulls.null_count() == rows => push_run(page, rows, 0, 1),
        Some(nulls) => {
            // Bits packed by 8, the first lowest: just what Arrow's validity is.
            let groups = rows.div_ceil(8);
            push_varint(page, groups << 1 | 1);
            let bits = nulls.inner().sliced();
            page.extend_from_slice(&bits[..groups]);
        }
    }
    let bytes = u32::try_from(page.len() - at - 4).expect("a page has thousands of rows");
    page[at..at + 4].copy_from_slice(&bytes.to_le_bytes());
}

/// Bits of the largest code of so many; at least one, as some readers take none amiss.
fn bit_width(codes: usize) -> u8 {
    let bits = usize::BITS - codes.saturating_sub(1).leading_zeros();
    u8::try_from(bits.max(1)).expect("codes have at most 32 bits")
}

/// The format's hybrid of runs and packed bits: one run if all values are equal, else all of them packed.
fn push_hybrid(page: &mut Vec<u8>, values: &[u32], width: u8) {
    match values.first() {
        None => {}
        Some(&first) if values.iter().all(|&value| value == first) => {
            push_run(page, values.len(), first, width);
        }
        Some(_) => {
            push_varint(page, values.len().div_ceil(8) << 1 | 1);
            push_packed(page, values, width);
        }
    }
}

fn push_run(page: &mut Vec<u8>, count: usize, value: u32, width: u8) {
    push_varint(page, count << 1);
    let bytes = usize::from(width).div_ceil(8);
    page.extend_from_slice(&value.to_le_bytes()[..bytes]);
}

/// Values of `width` bits one after another, the first lowest, filled up to a multiple of 8 values.
fn push_packed(page: &mut Vec<u8>, values: &[u32], width: u8) {
    let end = page.len() + values.len().div_ceil(8) * usize::from(width);
    page.reserve(end - page.len() + 4);
    let (mut bits, mut filled) = (0_u64, 0);
    for &value in values {
        bits |= u64::from(value) << filled;
        filled += u32::from(width);
        if filled >= 32 {
            page.extend_from_slice(&bits.to_le_bytes()[..4]);
            bits >>= 32;
            filled -= 32;
        }
    }
    page.extend_from_slice(&bits.to_le_bytes());
    page.resize(end, 0);
}

fn push_varint(page: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        page.push(number.to_le_bytes()[0] & 0x7F | 0x80);
        number >>= 7;
    }
    page.push(number.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use proptest::prelude::*;

    use super::*;

    /// A batch of rows, by how they are given.
    #[derive(Debug, Clone)]
    enum Rows {
        Codes(Vec<Option<u32>>),
        Texts(Vec<Option<u32>>),
    }

    fn word(number: u32) -> String {
        format!("{}-{number}", "word".repeat(number as usize % 5))
    }

    /// Writes the batches as one row group and reads it with the `parquet` crate's reader.
    fn read_back(batches: &[Rows]) -> Vec<Option<String>> {
        let (mut chunk, mut words) = (TextChunk::default(), Dictionary::default());
        let mut zstd = compressor().unwrap();
        for batch in batches {
            let array: ArrayRef = match batch {
                Rows::Codes(rows) => {
                    let codes = rows.iter().map(|row| row.map(|row| words.add(&word(row))));
                    Arc::new(codes.collect::<UInt32Array>())
                }
                Rows::Texts(rows) => {
                    let texts = rows.iter().map(|row| row.map(word));
                    Arc::new(texts.collect::<StringViewArray>())
                }
            };
            chunk.write(&array, &words, &mut zstd).unwrap();
        }
        chunk.finish(&mut zstd).unwrap();

        let field = Field::new("text", DataType::Utf8View, true);
        let schema = Arc::new(Schema::new(vec![field]));
        let writer = ArrowWriter::try_new(Vec::new(), schema, None).unwrap();
        let (mut file, _) = writer.into_serialized_writer().unwrap();
        let descr = file.schema_descr().column(0);
        let encoded = chunk.encoded(&words, &descr, &mut zstd).unwrap();
        let mut group = file.next_row_group().unwrap();
        group.append_column(&encoded.bytes, encoded.close).unwrap();
        group.close().unwrap();
        let bytes = Bytes::from(file.into_inner().unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        let columns = batches.iter().map(|batch| batch.column(0).as_string_view());
        columns
            .flat_map(|texts| texts.iter().map(|text| text.map(str::to_owned)))
            .collect()
    }

    #[track_caller]
    fn check(batches: &[Rows]) {
        let expected: Vec<Option<String>> = batches
            .iter()
            .flat_map(|(Rows::Codes(rows) | Rows::Texts(rows))| rows)
            .map(|row| row.map(word))
            .collect();
        assert_eq!(read_back(batches), expected);
    }

    #[test]
    fn a_column_without_values_is_read_back() {
        check(&[Rows::Codes(vec![None; 20_003])]);
        check(&[Rows::Texts(vec![None; 3])]);
    }

    #[test]
    fn one_value_is_read_back_over_pages() {
        check(&[Rows::Codes(vec![Some(7); 40_001])]);
    }

    #[test]
    fn texts_follow_codes_in_one_page() {
        check(&[
            Rows::Texts(vec![None, Some(1)]),
            Rows::Codes(vec![Some(1), None, Some(2)]),
            Rows::Texts(vec![Some(3), None]),
            Rows::Codes(vec![None]),
        ]);
    }

    #[test]
    fn few_words_tell_the_least_and_the_greatest() {
        let (mut chunk, mut words) = (TextChunk::default(), Dictionary::default());
        let codes: UInt32Array = ["request", "reject", "request"]
            .iter()
            .map(|kind| Some(words.add(kind)))
            .collect();
        let mut zstd = compressor().unwrap();
        chunk.write(&codes, &words, &mut zstd).unwrap();
        chunk.finish(&mut zstd).unwrap();
        let statistics = chunk.statistics(&words);
        assert_eq!(statistics.min_bytes_opt(), Some(&b"reject"[..]));
        assert_eq!(statistics.max_bytes_opt(), Some(&b"request"[..]));
        assert_eq!(statistics.null_count_opt(), Some(0));
    }

    fn rows() -> impl Strategy<Value = Rows> {
        let row = |words: u32| prop::option::weighted(0.9, 0..words);
        let batch = (1_u32..6_000, 0_usize..9_000)
            .prop_flat_map(move |(words, rows)| prop::collection::vec(row(words), rows));
        (batch, any::<bool>()).prop_map(|(rows, coded)| match coded {
            true => Rows::Codes(rows),
            false => Rows::Texts(rows),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_written_is_read_back(batches in prop::collection::vec(rows(), 1..8)) {
            check(&batches);
        }
    }
}
