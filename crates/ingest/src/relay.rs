//! The time of the last good line, handed from block to block of a source in order while they are parsed in any order.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

#[derive(Debug, Default)]
struct Slot {
    told: Mutex<Option<Option<i64>>>,
    bell: Condvar,
}

/// Learns the time that the block before ended with.
#[derive(Debug, Default)]
pub(crate) struct Heard(Option<Arc<Slot>>);

/// Tells the block after. Telling nothing, as on an error, counts as telling `None`.
#[derive(Debug)]
pub(crate) struct Teller {
    slot: Arc<Slot>,
    /// What holds if this block has no good line.
    inherited: Option<Arc<Slot>>,
}

impl Heard {
    /// Waits until the block before is parsed. It was taken by its thread before this one, so it will be.
    pub(crate) fn wait(self) -> Option<i64> {
        wait_for(self.0?.as_ref())
    }
}

fn wait_for(slot: &Slot) -> Option<i64> {
    let told = slot.told.lock().unwrap_or_else(PoisonError::into_inner);
    let told = slot
        .bell
        .wait_while(told, |told| told.is_none())
        .unwrap_or_else(PoisonError::into_inner);
    (*told).flatten()
}

impl Teller {
    pub(crate) fn tell(mut self, time_us: Option<i64>) {
        let time_us = time_us.or_else(|| wait_for(self.inherited.take()?.as_ref()));
        self.ring(time_us);
    }

    fn ring(&self, time_us: Option<i64>) {
        let mut told = self
            .slot
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if told.is_none() {
            *told = Some(time_us);
            self.slot.bell.notify_all();
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.ring(None);
    }
}

/// The chain of blocks of one source.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    last: Option<Arc<Slot>>,
}

impl Chain {
    /// The next link; call in the order of the source.
    pub(crate) fn link(&mut self) -> (Heard, Teller) {
        let slot = Arc::new(Slot::default());
        let before = self.last.replace(Arc::clone(&slot));
        (
            Heard(before.clone()),
            Teller {
                slot,
                inherited: before,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_passes_through_blocks_without_one() {
        let mut chain = Chain::default();
        let (_, first) = chain.link();
        let (_, empty) = chain.link();
        let (heard, _last) = chain.link();
        first.tell(Some(7));
        empty.tell(None);
        assert_eq!(heard.wait(), Some(7));
    }

    #[test]
    fn a_block_that_failed_tells_nothing() {
        let mut chain = Chain::default();
        let (first, teller) = chain.link();
        let (heard, _last) = chain.link();
        assert_eq!(first.wait(), None);
        drop(teller);
        assert_eq!(heard.wait(), None);
    }
}
