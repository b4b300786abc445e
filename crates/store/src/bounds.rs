//! How much the threads of a load may hold.

use floodmark_ingest::Scratch;

use crate::load::LoadOptions;

/// A thread with less would write row groups that hardly compress; there are fewer threads instead.
const THREAD_BYTES_MIN: usize = 64 << 20;

/// A row group of more encoded bytes than these would gain nothing.
pub(crate) const GROUP_BYTES_MAX: usize = 32 << 20;

/// A row of minutes with its sketches takes some 2 KB; an eighth of the memory is for them. Fewer would make many commits of a long log.
const MINUTE_ROWS: std::ops::RangeInclusive<usize> = 16_384..=50_000;
const MEMORY_OF_A_MINUTE_ROW: usize = 8 * 2_048;

/// Beside the dictionaries and the row groups, each a fifth of what a thread has, it holds a block and its columns, pages that are
/// being compressed, minutes, and what the allocator keeps: as much again, and half of it.
const SHARES: usize = 5;

/// Bounds of what a load holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) threads: usize,
    /// Bytes of the dictionaries of a thread.
    pub(crate) dictionary_bytes: usize,
    /// Encoded bytes in the open row groups of a thread; one of them is full at as many.
    pub(crate) group_bytes: usize,
    /// Rows of minutes that a thread counts before a commit takes them.
    pub(crate) minute_rows: usize,
}

impl Bounds {
    pub(crate) fn of(options: &LoadOptions) -> Self {
        let threads_max = (options.memory_bytes / THREAD_BYTES_MIN).max(1);
        let threads = options.threads.clamp(1, threads_max);
        let share = options.memory_bytes / threads / SHARES;
        Self {
            threads,
            dictionary_bytes: share.min(Scratch::BYTES_MAX),
            group_bytes: share.min(GROUP_BYTES_MAX),
            minute_rows: (options.memory_bytes / MEMORY_OF_A_MINUTE_ROW)
                .clamp(*MINUTE_ROWS.start(), *MINUTE_ROWS.end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(threads: usize, memory_bytes: usize) -> Bounds {
        Bounds::of(&LoadOptions {
            threads,
            memory_bytes,
            ..LoadOptions::default()
        })
    }

    #[test]
    fn little_memory_takes_threads_away_and_then_dictionaries() {
        assert_eq!(bounds(2, 1 << 30).dictionary_bytes, Scratch::BYTES_MAX);
        assert_eq!(bounds(64, 1 << 30).threads, 16);
        assert_eq!(bounds(64, 1 << 30).dictionary_bytes, THREAD_BYTES_MIN / 5);
        assert_eq!(bounds(2, 1 << 20).threads, 1);
        assert_eq!(bounds(2, 1 << 20).group_bytes, (1 << 20) / 5);
        assert_eq!(bounds(0, 0).threads, 1);
        assert_eq!(bounds(0, 0).minute_rows, 16_384);
        assert_eq!(bounds(2, 1 << 30).minute_rows, 50_000);
    }
}
