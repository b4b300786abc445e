//! What one thread keeps from block to block.

use floodmark_format::{Escape, RequestParts, unescape};
use floodmark_traffic::agent::{Agent, agent, is_probe};
use floodmark_traffic::scan::{Scan, scan};
use hashbrown::HashMap;

use crate::dictionary::{Dictionary, Logged};
use crate::recipe::Secrets;

/// How the text columns of a batch are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextAs {
    /// As text: views into the block. For what is read once.
    #[default]
    Views,
    /// As codes (`u32`) into the dictionaries of the thread's [`Scratch`], but for columns whose values do not repeat,
    /// which are binary views of UTF-8. For what is encoded: each text is hashed once a row, and handled once.
    Codes,
}

/// What one thread keeps from block to block of one [`Intake`](crate::Intake): dictionaries and judgments.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) dictionaries: Vec<Dictionary>,
    pub(crate) judged: Judged,
    converted_by: Option<(Escape, Secrets)>,
}

impl Scratch {
    /// The texts behind the codes of the column at `index`.
    #[must_use]
    pub fn dictionary(&self, index: usize) -> &Dictionary {
        &self.dictionaries[index]
    }

    /// Empty dictionaries for so many columns, for texts that come from elsewhere than a log.
    #[must_use]
    pub fn with_columns(columns: usize) -> Self {
        let mut scratch = Self::default();
        scratch
            .dictionaries
            .resize_with(columns, Dictionary::default);
        scratch
    }

    /// The dictionary of the column at `index`, to add texts to.
    pub fn dictionary_mut(&mut self, index: usize) -> &mut Dictionary {
        &mut self.dictionaries[index]
    }

    /// Dictionaries of more bytes than these make nothing better.
    pub const BYTES_MAX: usize = 32 << 20;

    /// Whether the dictionaries have grown so large that they are to be cleared.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.memory_bytes() >= Self::BYTES_MAX
    }

    /// Bytes that the dictionaries take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.dictionaries.iter().map(Dictionary::memory_bytes).sum()
    }

    /// Forgets all texts: codes of batches given before mean nothing any more.
    pub fn clear(&mut self) {
        self.dictionaries.iter_mut().for_each(Dictionary::clear);
        self.judged.forget_codes();
    }

    /// Makes ready for a block of a table with so many columns, whose texts are made in the given way.
    pub(crate) fn prepare(&mut self, columns: usize, converted_by: (Escape, Secrets)) {
        self.dictionaries.resize_with(columns, Dictionary::default);
        if self.converted_by.replace(converted_by) != Some(converted_by) {
            self.dictionaries
                .iter_mut()
                .for_each(Dictionary::forget_logged);
            self.judged.forget_logged();
        }
    }
}

/// Judgments that depend on one value, remembered by it.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    agents: Memory<(Option<Agent>, bool)>,
    paths: Memory<Option<Scan>>,
    args: Memory<Option<Scan>>,
}

impl Judged {
    fn forget_codes(&mut self) {
        self.agents.by_code.clear();
        self.paths.by_code.clear();
        self.args.by_code.clear();
    }

    fn forget_logged(&mut self) {
        self.agents.by_bytes.clear();
        self.paths.by_bytes.clear();
        self.args.by_bytes.clear();
    }

    /// What the agent says of itself, and whether that is a probe.
    pub(crate) fn agent(&mut self, agent_field: Judgeable<'_>) -> (Option<Agent>, bool) {
        self.agents
            .of(agent_field, |text| (agent(text), is_probe(text)))
    }

    /// What a request shows by itself.
    pub(crate) fn request(
        &mut self,
        request: &RequestParts<'_>,
        path: Option<Judgeable<'_>>,
        args: Option<Judgeable<'_>>,
        escape: Escape,
    ) -> Option<Scan> {
        let by_path = match (request.method, path) {
            (Some(b"GET" | b"POST" | b"HEAD"), Some(path)) => self
                .paths
                .of(path, |path| scan(None, Some(path), None, None)),
            (method, path) => {
                let text = |logged| unescape(escape, logged);
                scan(
                    method.map(text).as_deref(),
                    path.map(|path| text(path.logged)).as_deref(),
                    None,
                    request.whole.map(text).as_deref(),
                )
            }
        };
        let of_args = |args: &str| scan(None, None, Some(args), None);
        let by_args = args.and_then(|args| match args.code {
            Some(_) => self.args.of(args, of_args),
            // Without codes most are new ones.
            None => of_args(&unescape(escape, args.logged)),
        });
        // The surest finding speaks; between equals, the one nearer the front of the line.
        [by_path, by_args]
            .into_iter()
            .flatten()
            .min_by_key(|scan| scan.strength)
    }
}

/// A value to be judged: as logged, and its code if that stands for just what was logged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judgeable<'line> {
    pub(crate) logged: &'line [u8],
    pub(crate) escape: Escape,
    pub(crate) code: Option<Logged>,
}

/// Judgments by value, and by code where there is one.
#[derive(Debug)]
struct Memory<V> {
    by_code: Vec<Option<V>>,
    by_bytes: HashMap<Vec<u8>, V>,
}

impl<V> Default for Memory<V> {
    fn default() -> Self {
        Self {
            by_code: Vec::new(),
            by_bytes: HashMap::new(),
        }
    }
}

/// Values remembered by their bytes: some 4 MB. A flood of invented ones starts the memory afresh.
const REMEMBERED_MAX: usize = 16_384;

impl<V: Copy> Memory<V> {
    fn of(&mut self, value: Judgeable<'_>, judge: impl Fn(&str) -> V) -> V {
        let judged = || judge(&unescape(value.escape, value.logged));
        match value.code {
            Some(Logged {
                code,
                is_text: true,
            }) => {
                let at = code as usize;
                if at >= self.by_code.len() {
                    self.by_code.resize(at + 1, None);
                }
                *self.by_code[at].get_or_insert_with(judged)
            }
            // A secret taken out of the text may be what a scanner shows itself by.
            Some(_) => judged(),
            None => {
                if let Some(known) = self.by_bytes.get(value.logged) {
                    return *known;
                }
                if self.by_bytes.len() >= REMEMBERED_MAX {
                    self.by_bytes.clear();
                }
                let judged = judged();
                self.by_bytes.insert(value.logged.to_vec(), judged);
                judged
            }
        }
    }
}
