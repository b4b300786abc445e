//! Texts by number: where values come again and again, a value is hashed once a row and converted once in all.

use std::hash::{BuildHasher, Hasher};

use floodmark_traffic::hyper_log_log::hash;
use hashbrown::{DefaultHashBuilder, HashTable};

/// The texts of one column, each with a code that counts from 0 in the order of their first appearance.
///
/// It is asked by the bytes as logged, so that unescaping, validation and redaction are done once for each text.
/// Two codes may stand for equal texts, if these were logged differently.
#[derive(Debug, Default)]
pub struct Dictionary {
    hasher: DefaultHashBuilder,
    bytes: Vec<u8>,
    texts: Vec<Span>,
    logged: HashTable<Entry>,
    /// Codes of texts that are not as logged: many secrets become one text.
    converted: HashTable<u32>,
    asked: usize,
    is_sparse: bool,
    /// By code, as far as they were asked for.
    hashes: Vec<u32>,
}

/// What was logged, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) code: u32,
    /// Whether its text is the very bytes that were logged.
    pub(crate) is_text: bool,
}

/// A place in the dictionary's bytes.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    bytes: u32,
}

/// What was logged once. Its first bytes lie in the table itself: an address is compared without another miss of the cache.
#[derive(Debug, Clone, Copy)]
struct Entry {
    place: Span,
    head: Head,
    logged: Logged,
}

const HEAD_BYTES: usize = 16;

/// The first bytes of a value, zeros after its end.
type Head = [u8; HEAD_BYTES];

fn head_of(value: &[u8]) -> Head {
    let mut head = [0; HEAD_BYTES];
    match value.first_chunk() {
        Some(first) => head = *first,
        None => head[..value.len()].copy_from_slice(value),
    }
    head
}

impl Span {
    fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &bytes[start..start + self.bytes as usize]
    }
}

impl Entry {
    fn is(&self, value: &[u8], head: &Head, bytes: &[u8]) -> bool {
        self.place.bytes as usize == value.len()
            && self.head == *head
            && (value.len() <= HEAD_BYTES || self.place.of(bytes) == value)
    }
}

/// Values whose hashes wait for their turn.
const HASHED_AT_ONCE: usize = 32;

/// Values after which a column shows whether they repeat: addresses look new for the first tens of thousands.
const ASKED_TO_TELL: usize = 262_144;

impl Dictionary {
    /// The text of a code that this dictionary gave.
    #[must_use]
    pub fn text(&self, code: u32) -> &[u8] {
        self.texts[code as usize].of(&self.bytes)
    }

    /// How many codes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is no code yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The code of a text that is no log's.
    pub fn add(&mut self, text: &str) -> u32 {
        self.code(text.as_bytes(), |_| None).code
    }

    /// The code of what was logged. `text_of` gives its text if that is not the logged bytes themselves, which must be
    /// UTF-8 otherwise.
    pub(crate) fn code(
        &mut self,
        logged: &[u8],
        text_of: impl Fn(&[u8]) -> Option<String>,
    ) -> Logged {
        self.asked += 1;
        let hash = hash_of(&self.hasher, logged);
        self.code_by(hash, logged, &text_of)
    }

    /// The codes of what was logged, as [`Dictionary::code`] gives each, in order to `take`. Some are hashed at once: while one is
    /// waited for, the next ones can be looked up.
    pub(crate) fn codes(
        &mut self,
        logged: &[Option<&[u8]>],
        text_of: impl Fn(&[u8]) -> Option<String>,
        mut take: impl FnMut(Option<Logged>),
    ) {
        let mut before: Option<(&[u8], Logged)> = None;
        for logged in logged.chunks(HASHED_AT_ONCE) {
            let mut hashes = [0; HASHED_AT_ONCE];
            // Methods and protocols seldom change from line to line.
            let mut repeats = [false; HASHED_AT_ONCE];
            let mut last = before.map(|(value, _)| value);
            for (at, value) in logged.iter().enumerate() {
                let Some(value) = *value else { continue };
                repeats[at] = last == Some(value);
                if !repeats[at] {
                    hashes[at] = hash_of(&self.hasher, value);
                }
                last = Some(value);
            }
            for (at, value) in logged.iter().enumerate() {
                let Some(value) = *value else {
                    take(None);
                    continue;
                };
                self.asked += 1;
                let code = match before {
                    Some((_, code)) if repeats[at] => code,
                    _ => self.code_by(hashes[at], value, &text_of),
                };
                before = Some((value, code));
                take(Some(code));
            }
        }
    }

    fn code_by(
        &mut self,
        hash: u64,
        logged: &[u8],
        text_of: impl Fn(&[u8]) -> Option<String>,
    ) -> Logged {
        let head = head_of(logged);
        let bytes = &self.bytes;
        let found = self
            .logged
            .find(hash, |entry| entry.is(logged, &head, bytes));
        match found {
            Some(entry) => entry.logged,
            None => self.insert(logged, head, hash, text_of(logged)),
        }
    }

    fn insert(&mut self, logged: &[u8], head: Head, hash: u64, text: Option<String>) -> Logged {
        let place = self.keep(logged);
        let entry = Entry {
            place,
            head,
            logged: Logged {
                is_text: text.is_none(),
                code: match text {
                    None => self.number(place),
                    Some(text) => self.converted(&text),
                },
            },
        };
        let (hasher, bytes) = (&self.hasher, &self.bytes);
        self.logged
            .insert_unique(hash, entry, |entry| hash_of(hasher, entry.place.of(bytes)));
        self.is_sparse |= self.asked >= ASKED_TO_TELL && self.logged.len() * 2 > self.asked;
        entry.logged
    }

    /// The code of a text that is asked for by itself, whatever was logged for it.
    pub(crate) fn converted(&mut self, text: &str) -> u32 {
        let hash = hash_of(&self.hasher, text.as_bytes());
        let (bytes, texts) = (&self.bytes, &self.texts);
        let is_equal = |code: &u32| texts[*code as usize].of(bytes) == text.as_bytes();
        if let Some(code) = self.converted.find(hash, is_equal) {
            return *code;
        }
        let place = self.keep(text.as_bytes());
        let code = self.number(place);
        let (hasher, bytes, texts) = (&self.hasher, &self.bytes, &self.texts);
        self.converted.insert_unique(hash, code, |code| {
            hash_of(hasher, texts[*code as usize].of(bytes))
        });
        code
    }

    fn keep(&mut self, text: &[u8]) -> Span {
        let narrow =
            |bytes: usize| u32::try_from(bytes).expect("a dictionary is cleared long before 4 GiB");
        let start = narrow(self.bytes.len());
        self.bytes.extend_from_slice(text);
        Span {
            start,
            bytes: narrow(text.len()),
        }
    }

    fn number(&mut self, place: Span) -> u32 {
        let code = u32::try_from(self.texts.len()).expect("fewer texts than bytes");
        self.texts.push(place);
        code
    }

    /// Hashes the texts that are new since the last time, each once, for [`Dictionary::hashes`].
    pub(crate) fn hash_texts(&mut self) {
        let new = self.texts[self.hashes.len()..].iter();
        let bytes = &self.bytes;
        self.hashes.extend(new.map(|text| hash(text.of(bytes))));
    }

    /// By code, the hashes under which a sketch counts the texts.
    pub(crate) fn hashes(&self) -> &[u32] {
        &self.hashes
    }

    /// Whether most values are new ones, so that codes only cost.
    pub(crate) fn is_sparse(&self) -> bool {
        self.is_sparse
    }

    /// Bytes in memory, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.texts.capacity() * size_of::<Span>()
            + self.hashes.capacity() * size_of::<u32>()
            + self.logged.allocation_size()
            + self.converted.allocation_size()
    }

    /// Keeps the texts, and forgets what was logged for them.
    pub(crate) fn forget_logged(&mut self) {
        self.logged.clear();
    }

    /// Forgets all texts. What is known of the column stays.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            is_sparse: self.is_sparse,
            hasher: self.hasher.clone(),
            ..Self::default()
        };
    }
}

fn hash_of(hasher: &DefaultHashBuilder, bytes: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn as_logged(_: &[u8]) -> Option<String> {
        None
    }

    #[test]
    fn equal_texts_have_one_code() {
        let mut words = Dictionary::default();
        let codes: Vec<u32> = ["a", "b", "a", "", "b"]
            .iter()
            .map(|word| words.code(word.as_bytes(), as_logged).code)
            .collect();
        assert_eq!(codes, [0, 1, 0, 2, 1]);
        assert_eq!(words.text(1), b"b");
        assert_eq!(words.len(), 3);
    }

    #[test]
    fn many_values_have_the_codes_that_each_would_have() {
        let some: [&[u8]; 8] = [
            b"a",
            b"a",
            b"b",
            b"",
            b"",
            b"a",
            b"a long one, longer than a head",
            b"b",
        ];
        // Across the values that are hashed at once, too.
        let logged = some.iter().cycle().take(2 * HASHED_AT_ONCE + 3);
        let logged: Vec<Option<&[u8]>> = logged.flat_map(|value| [Some(*value), None]).collect();
        let (mut one_by_one, mut at_once) = (Dictionary::default(), Dictionary::default());
        let text_of = |raw: &[u8]| (raw == b"b").then(|| "converted".to_owned());
        for _ in 0..2 {
            let codes = logged.iter();
            let codes: Vec<Option<Logged>> = codes
                .map(|raw| Some(one_by_one.code((*raw)?, text_of)))
                .collect();
            let mut taken = Vec::new();
            at_once.codes(&logged, text_of, |code| taken.push(code));
            assert_eq!(taken, codes);
        }
        assert_eq!(at_once.len(), one_by_one.len());
    }

    #[test]
    fn what_is_logged_differently_may_be_one_text_and_is_converted_once() {
        let mut words = Dictionary::default();
        let conversions = Cell::new(0);
        let mut code = |logged: &[u8]| {
            words
                .code(logged, |_| {
                    conversions.set(conversions.get() + 1);
                    Some("key=[redacted]".to_owned())
                })
                .code
        };
        assert_eq!(code(b"key=1"), code(b"key=2"));
        assert_eq!(code(b"key=1"), 0);
        assert_eq!(conversions.get(), 2);
        assert_eq!(words.text(0), b"key=[redacted]");
    }

    #[test]
    fn a_column_of_new_values_shows() {
        let mut words = Dictionary::default();
        for row in 0..ASKED_TO_TELL {
            assert!(!words.is_sparse());
            words.code(row.to_string().as_bytes(), as_logged);
        }
        assert!(words.is_sparse());
        words.clear();
        assert!(words.is_sparse() && words.is_empty());
    }
}
