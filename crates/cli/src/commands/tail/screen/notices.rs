//! What the system tells of files that are written, so that a line is seen at once. Nothing depends on it: a file system that tells nothing,
//! such as NFS, or a system that watches no more folders, only shows a line later, as it is looked for anyway.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use notify::{Event, EventHandler, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// So long after a write was told the next ones are told, together: a look costs more than a line. Meanwhile the system keeps them, equal ones as one.
const TOGETHER: Duration = Duration::from_millis(250);

/// Folders that are watched.
pub(super) struct Notices {
    /// `None` where the system watches nothing.
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

struct Tell<F>(F);

impl<F: Fn() + Send + 'static> EventHandler for Tell<F> {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        // Whoever looks at a log opens it.
        if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            (self.0)();
            thread::sleep(TOGETHER);
        }
    }
}

impl Notices {
    /// Calls `tell`, on a thread of its own, after something was written.
    pub(super) fn new(tell: impl Fn() + Send + 'static) -> Self {
        Self {
            watcher: notify::recommended_watcher(Tell(tell)).ok(),
            folders: BTreeSet::new(),
        }
    }

    /// Watches these folders and no others, if they are known.
    pub(super) fn watch(&mut self, folders: Option<&BTreeSet<PathBuf>>) {
        let (Some(watcher), Some(folders)) = (&mut self.watcher, folders) else {
            return;
        };
        if *folders == self.folders {
            return;
        }
        for gone in self.folders.difference(folders) {
            let _ = watcher.unwatch(gone);
        }
        for new in folders.difference(&self.folders) {
            let _ = watcher.watch(new, RecursiveMode::NonRecursive);
        }
        self.folders.clone_from(folders);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_write_is_told_and_a_look_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("access.log");
        fs::write(&log, "one\n").unwrap();
        let (tell, told) = mpsc::channel();
        let mut notices = Notices::new(move || {
            let _ = tell.send(());
        });
        notices.watch(Some(&BTreeSet::from([folder.path().to_owned()])));
        fs::read(&log).unwrap();
        assert!(told.try_recv().is_err());
        fs::write(&log, "one\ntwo\n").unwrap();
        told.recv().unwrap();
        // Told of no longer, once nothing is watched.
        notices.watch(Some(&BTreeSet::new()));
        drop(notices);
        while told.recv().is_ok() {}
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_watched() {
        let mut notices = Notices::new(|| {});
        notices.watch(Some(&BTreeSet::from([PathBuf::from("/nowhere/at/all")])));
    }
}
