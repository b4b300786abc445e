//! Logs read once into a lake that lasts as long as the command.
//!
//! A report asks the same lines a dozen questions; parsing them for each would cost more than writing them down.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use floodmark_ingest::{Intake, LineSchema, Tally, TextAs};
use floodmark_source::{BlockOptions, Feed, plan as plan_readings};
use floodmark_store::{Lake, LoadOptions};

use crate::account;
use crate::logs::Logs;
use crate::plan::Plan;

/// A lake in a temporary folder, and the account of the lines in it.
pub(crate) struct TemporaryLake {
    pub(crate) lake: Lake,
    pub(crate) tally: Tally,
    /// Files that could not be read to their end, each with its reason.
    pub(crate) failures: Vec<(PathBuf, String)>,
    _folder: tempfile::TempDir,
}

impl TemporaryLake {
    /// Reads all of the logs, an unterminated last line included.
    pub(crate) async fn of(plan: &Plan, logs: &Logs) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("floodmark-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let mut lake = Lake::open_or_create(folder.path()).await?;
        let settings = logs.settings();
        let files = logs.files.iter().map(|(file, _)| file.clone()).collect();
        let feed = Arc::new(Feed::new(
            plan_readings(files, &[]),
            BlockOptions::default(),
        ));
        let schema = LineSchema::new(logs.variables().iter().map(String::as_str));
        let intake = Intake::new(Arc::clone(&feed), &settings, schema, TextAs::Codes);
        let options = LoadOptions {
            memory_bytes: plan.memory_bytes,
            threads: plan.threads,
            ..LoadOptions::default()
        };
        let never = AtomicBool::new(false);
        let tally = lake.load(&intake, &options, &never, &|_| {}).await?;
        let failures = feed
            .take_failures()
            .into_iter()
            .map(|(path, error)| (path, account::chain(&error)))
            .collect();
        Ok(Self {
            lake,
            tally,
            failures,
            _folder: folder,
        })
    }
}
