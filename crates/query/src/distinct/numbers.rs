//! Texts as numbers.

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::buffer::Buffer;
use arrow::compute::take;
use datafusion::common::{Result, exec_err};
use datafusion::physical_expr_common::binary_map::OutputType;
use datafusion::physical_expr_common::binary_view_map::ArrowBytesViewMap;

/// Different texts, each with a number, which count from 0 in the order of first appearance.
pub(super) struct Numbers {
    known: ArrowBytesViewMap<u32>,
    count: u32,
    recent: Recent,
}

impl Numbers {
    pub(super) fn new() -> Self {
        Self {
            known: ArrowBytesViewMap::new(OutputType::Utf8View),
            count: 0,
            recent: Recent::default(),
        }
    }

    /// How many texts there are.
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// The number of each text, 0 for NULL.
    pub(super) fn of(&mut self, texts: &ArrayRef) -> Result<Vec<u32>> {
        let is_known_buffer = self.recent.meet(texts);
        self.numbers(texts, is_known_buffer)
    }

    /// The same for texts that differ from each other, so that none of them was met before where it lies.
    pub(super) fn of_different(&mut self, texts: &ArrayRef) -> Result<Vec<u32>> {
        self.numbers(texts, false)
    }

    fn numbers(&mut self, texts: &ArrayRef, is_known_buffer: bool) -> Result<Vec<u32>> {
        let mut numbers = vec![0; texts.len()];
        let views = texts.as_string_view().views();
        let mut rows = Vec::new();
        for (row, view) in (0..).zip(views.iter()) {
            if texts.is_null(row as usize) {
                continue;
            }
            match self.recent.number(*view).filter(|_| is_known_buffer) {
                Some(number) => numbers[row as usize] = number,
                None => rows.push(row),
            }
        }
        if rows.is_empty() {
            return Ok(numbers);
        }
        let rows = UInt32Array::from(rows);
        let missed = if rows.len() == texts.len() {
            ArrayRef::clone(texts)
        } else {
            take(texts, &rows, None)?
        };
        let count = &mut self.count;
        let new = |_: Option<&[u8]>| {
            *count = count.saturating_add(1);
            *count - 1
        };
        let mut places = rows.values().iter();
        self.known.insert_if_new(&missed, new, |number| {
            if let Some(row) = places.next() {
                numbers[*row as usize] = number;
            }
        });
        if self.count == u32::MAX {
            return exec_err!("count(DISTINCT …): more than four billion different texts");
        }
        if is_known_buffer {
            for row in rows.values() {
                self.recent
                    .remember(views[*row as usize], numbers[*row as usize]);
            }
        }
        Ok(numbers)
    }

    /// All texts by their numbers. They are held no more.
    pub(super) fn take(&mut self) -> ArrayRef {
        self.recent = Recent::default();
        self.count = 0;
        self.known.take().into_state()
    }

    pub(super) fn bytes(&self) -> usize {
        self.known.size() + self.recent.entries.capacity() * size_of::<(u128, u32)>()
    }
}

/// Numbers of texts by where they lie: the texts of a Parquet dictionary lie in one buffer, which many batches have in common, so that
/// a text that was met before is known by its place and need not be read. Of two texts at one entry the later one stays.
#[derive(Default)]
struct Recent {
    /// Where the places are. Held, so that nothing else lies there meanwhile.
    buffers: Vec<Buffer>,
    entries: Vec<(u128, u32)>,
}

/// As many as an address column of a busy site has in a row group; 2 MB.
const ENTRIES_LOG2: u32 = 16;

/// The place of no text: none is so long.
const NO_VIEW: u128 = u128::MAX;

impl Recent {
    /// Whether these texts lie where the last ones did. Else forgets those.
    fn meet(&mut self, texts: &ArrayRef) -> bool {
        let buffers = texts.as_string_view().data_buffers();
        let is_same = buffers.len() == self.buffers.len()
            && !buffers.is_empty()
            && buffers
                .iter()
                .zip(&self.buffers)
                .all(|(one, other)| one.ptr_eq(other) && one.len() == other.len());
        if !is_same {
            self.buffers = buffers.to_vec();
            self.entries.clear();
        } else if self.entries.is_empty() {
            self.entries.resize(1 << ENTRIES_LOG2, (NO_VIEW, 0));
        }
        is_same
    }

    #[inline]
    fn number(&self, view: u128) -> Option<u32> {
        let (known, number) = self.entries.get(place(view))?;
        (*known == view).then_some(*number)
    }

    #[inline]
    fn remember(&mut self, view: u128, number: u32) {
        if let Some(entry) = self.entries.get_mut(place(view)) {
            *entry = (view, number);
        }
    }
}

/// By the golden ratio, as Knuth has it: neighbours come far apart.
#[expect(
    clippy::cast_possible_truncation,
    reason = "both halves are taken, and then so many bits as there are entries"
)]
#[inline]
fn place(view: u128) -> usize {
    let folded = (view as u64) ^ (view >> 64) as u64;
    (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - ENTRIES_LOG2)) as usize
}
