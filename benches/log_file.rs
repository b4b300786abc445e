//! The benches' log as a file in a folder of its own, ready to be read.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use floodmark_format::CompiledFormat;
use floodmark_ingest::{LogSettings, Secrets, Trust};
use floodmark_source::{DiscoverOptions, LogFile, discover};

use crate::{log_lines, rounds};

pub(crate) struct LogInFolder {
    folder: tempfile::TempDir,
    bytes: usize,
    settings: Arc<LogSettings>,
}

impl LogInFolder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = log_lines::combined(rounds::LOG_BYTES, rounds::SEED);
        std::fs::write(folder.path().join("access.log"), &log).expect("room for the log");
        let settings = Arc::new(LogSettings {
            format: CompiledFormat::preset("combined").expect("a preset"),
            further: Vec::new(),
            server_port: 443,
            server_name: None,
            trust: Trust::default(),
            secrets: Secrets::Redact,
        });
        Self {
            folder,
            bytes: log.len(),
            settings,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.settings.variables()
    }

    pub(crate) fn files(&self) -> Vec<LogFile> {
        let folder = self.folder.path().display().to_string();
        discover(&[folder], &DiscoverOptions::default())
            .expect("a log in the folder")
            .files
    }

    pub(crate) fn settings(&self) -> HashMap<PathBuf, Arc<LogSettings>> {
        self.files()
            .into_iter()
            .map(|file| (file.path, Arc::clone(&self.settings)))
            .collect()
    }
}
