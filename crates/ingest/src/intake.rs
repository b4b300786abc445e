//! Blocks of many logs, pulled and parsed by any number of threads.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use floodmark_source::{Feed, Piece, SourceId};

use crate::Error;
use crate::columns::LineSchema;
use crate::condition::Condition;
use crate::gap::{Gap, gap_rows};
use crate::recipe::{LogSettings, Recipe, recipes};
use crate::relay::{Chain, Heard, Teller};
use crate::rows::{Layout, LineBatch, Place, long_line, parse_block};
use crate::scratch::{Scratch, TextAs};

/// Logs being read: each call of [`Intake::next`] takes the next block and parses it on the calling thread. Pulling is what bounds memory: there is no queue, so at most one block a thread is held.
#[derive(Debug)]
pub struct Intake {
    feed: Arc<Feed>,
    /// The times that go from block to block.
    chains: Mutex<HashMap<SourceId, Chain>>,
    recipes: HashMap<PathBuf, Arc<Recipe>>,
    layout: Layout,
    /// To be given before all lines.
    gaps: Mutex<Vec<Gap>>,
}

impl Intake {
    /// Reads `feed` into rows of `schema`. `logs` has the settings of each file the feed may give.
    #[must_use]
    pub fn new(
        feed: Arc<Feed>,
        logs: &HashMap<PathBuf, Arc<LogSettings>>,
        schema: LineSchema,
        text_as: TextAs,
    ) -> Self {
        Self::of_lines(feed, logs, schema, text_as, &[])
    }

    /// As [`Intake::new`], with rows of those lines alone that meet all conditions. The other ones are in the [`Tally`](crate::Tally)
    /// too: they are read, parsed and counted, and no column is built of them.
    #[must_use]
    pub fn of_lines(
        feed: Arc<Feed>,
        logs: &HashMap<PathBuf, Arc<LogSettings>>,
        schema: LineSchema,
        text_as: TextAs,
        conditions: &[Condition],
    ) -> Self {
        Self {
            recipes: recipes(logs, &schema, conditions),
            feed,
            chains: Mutex::default(),
            layout: Layout {
                arrow: schema.arrow(),
                schema,
                text_as,
            },
            gaps: Mutex::default(),
        }
    }

    /// Gives rows for what is lost, too, with the first block.
    #[must_use]
    pub fn with_gaps(mut self, gaps: Vec<Gap>) -> Self {
        self.gaps = Mutex::new(gaps);
        self
    }

    /// The logs as they are read: offsets reached, failures, progress.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The columns of all batches.
    #[must_use]
    pub fn schema(&self) -> &LineSchema {
        &self.layout.schema
    }

    /// The Arrow schema of the table. Batches have it too, but for texts that are codes.
    #[must_use]
    pub fn arrow_schema(&self) -> &SchemaRef {
        &self.layout.arrow
    }

    /// The next block's rows, in no order between threads; `None` when all logs are read.
    ///
    /// # Errors
    ///
    /// A bug of ours only: a file that cannot be read does not stop the others and is told by [`Feed::take_failures`].
    pub fn next(&self, scratch: &mut Scratch) -> Result<Option<LineBatch>, Error> {
        let gaps = std::mem::take(&mut *self.gaps.lock().unwrap_or_else(PoisonError::into_inner));
        if !gaps.is_empty() {
            return gap_rows(&self.layout, &gaps, scratch).map(Some);
        }
        let Some((piece, times)) = self.take() else {
            return Ok(None);
        };
        match piece {
            Piece::Lines(block) => {
                let place = Place {
                    source: block.source.to_string(),
                    file: block.file.path.display().to_string(),
                    source_offset: block.source_offset,
                    file_offset: block.file_offset,
                };
                let recipe = self.recipe(&block.file.path)?;
                parse_block(&self.layout, recipe, &place, block.bytes, times, scratch)
            }
            Piece::LongLine(line) => {
                let place = Place {
                    source: line.source.to_string(),
                    file: line.file.path.display().to_string(),
                    source_offset: line.source_offset,
                    file_offset: line.file_offset,
                };
                let recipe = self.recipe(&line.file.path)?;
                let (head, line_bytes) = (line.head, line.line_bytes);
                long_line(
                    &self.layout,
                    recipe,
                    &place,
                    head,
                    line_bytes,
                    times,
                    scratch,
                )
            }
        }
        .map(Some)
    }

    /// Takes the next piece and its link in the chain of times, both in the order of their source.
    fn take(&self) -> Option<(Piece, (Heard, Teller))> {
        self.feed.next_in_order(|piece| {
            let source = match piece {
                Piece::Lines(block) => &block.source,
                Piece::LongLine(line) => &line.source,
            };
            let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
            chains.entry(source.clone()).or_default().link()
        })
    }

    fn recipe(&self, file: &PathBuf) -> Result<&Recipe, Error> {
        self.recipes
            .get(file)
            .map(AsRef::as_ref)
            .ok_or_else(|| Error::NoSettings { path: file.clone() })
    }
}
