//! How many different values there were, in little room: a HyperLogLog.
//!
//! Up to [`FEW_MAX`] values their hashes are kept, and the count is exact but for two values that share a hash (1 chance in 4
//! billion a pair). Beyond, each of [`REGISTERS`] registers keeps the longest run of zero bits among the hashes that fall into it
//! (Flajolet, Fusy, Gandouet, Meunier: "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", 2007).
//! The count is then Ertl's improved raw estimate ("New cardinality estimation algorithms for HyperLogLog sketches", 2017,
//! section 4), which needs no table of corrections and depends on the registers alone. Its standard error is
//! [`RELATIVE_ERROR`], up to some hundred million values.
//!
//! A sketch is a function of the set of hashes: whatever the order in which values come and sketches are merged, it is the same,
//! and so are its bytes.

use crate::Error;

/// As many values are counted exactly.
pub const FEW_MAX: usize = 64;

/// Bits of a hash that choose its register.
const INDEX_BITS: u32 = 11;

/// Registers of a sketch of many values, a byte each.
pub const REGISTERS: usize = 1 << INDEX_BITS;

/// Standard error of a count of more than [`FEW_MAX`] values, as a share of it: 1.04 / √registers.
pub const RELATIVE_ERROR: f64 = 0.023;

/// Bits of a hash whose leading zeros are counted.
const RUN_BITS: u32 = 32 - INDEX_BITS;

/// The largest value of a register: all of these bits are zero.
const RANK_MAX: u8 = 22;

/// How sketches are written; other versions are refused.
const VERSION: u8 = 1;
/// Then: hashes, 4 bytes each, least significant first, ascending.
const FEW: u8 = 0;
/// Or: registers; a byte from [`ZEROS`] on stands for a run of zeros.
const MANY: u8 = 1;
/// The byte of one zero register; each more adds one.
const ZEROS: u8 = 0x80;
const ZEROS_MAX: usize = 128;

/// A count of different values that can be merged with others.
///
/// ```
/// use floodmark_traffic::hyper_log_log::{HyperLogLog, hash};
///
/// let mut clients = HyperLogLog::default();
/// for client in ["192.0.2.1", "192.0.2.2", "192.0.2.1"] {
///     clients.insert(hash(client.as_bytes()));
/// }
/// assert_eq!(clients.count(), 2);
/// let same = HyperLogLog::decode(&clients.encode())?;
/// assert_eq!(same, clients);
/// # Ok::<(), floodmark_traffic::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct HyperLogLog(Kept);

#[derive(Debug, Clone)]
enum Kept {
    Few(Few),
    Many(Box<[u8; REGISTERS]>),
}

/// The hash under which a value is counted: 64-bit FNV-1a, its bits mixed as MurmurHash3 ends, the upper half. Never 0.
///
/// It is the same on every machine and in every version, as sketches of many years are merged.
#[must_use]
pub fn hash(value: &[u8]) -> u32 {
    let mut hash = value.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    u32::try_from(hash >> 32).expect("a half").max(1)
}

impl Default for HyperLogLog {
    fn default() -> Self {
        Self(Kept::Few(Few::default()))
    }
}

impl PartialEq for HyperLogLog {
    fn eq(&self, other: &Self) -> bool {
        self.encode() == other.encode()
    }
}

impl Eq for HyperLogLog {}

impl HyperLogLog {
    /// Counts a value by its [`hash`]; 0 stands for no value.
    #[inline]
    pub fn insert(&mut self, hash: u32) {
        match &mut self.0 {
            Kept::Many(registers) => raise(registers, hash),
            Kept::Few(few) => {
                few.insert(hash);
                if few.len > FEW_MAX {
                    self.0 = Kept::Many(few.registers());
                }
            }
        }
    }

    /// Counts the values of another sketch as well.
    pub fn merge(&mut self, other: &Self) {
        match &other.0 {
            Kept::Few(few) => few.hashes().for_each(|hash| self.insert(hash)),
            Kept::Many(theirs) => {
                for (register, rank) in self.registers().iter_mut().zip(theirs.iter()) {
                    *register = (*register).max(*rank);
                }
            }
        }
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Kept::Few(few) if few.len == 0)
    }

    /// How many different values there were, to the nearest whole one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate is positive and far below 2^64"
    )]
    #[must_use]
    pub fn count(&self) -> u64 {
        match &self.0 {
            Kept::Few(few) => few.len as u64,
            Kept::Many(registers) => estimate(registers).round() as u64,
        }
    }

    /// The standard error of the count, as a share of it: 0 where it is exact.
    #[must_use]
    pub fn relative_error(&self) -> f64 {
        match &self.0 {
            Kept::Few(_) => 0.0,
            Kept::Many(_) => RELATIVE_ERROR,
        }
    }

    /// The sketch as bytes, equal for equal sketches.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match &self.0 {
            Kept::Few(few) => {
                let mut hashes: Vec<u32> = few.hashes().collect();
                hashes.sort_unstable();
                let hashes = hashes.into_iter().flat_map(u32::to_le_bytes);
                [VERSION, FEW].into_iter().chain(hashes).collect()
            }
            Kept::Many(registers) => {
                let mut bytes = Vec::with_capacity(REGISTERS / 2);
                bytes.extend([VERSION, MANY]);
                let mut zeros = 0;
                for eight in registers.as_chunks().0 {
                    // Most registers of a minute are zero: from one that is not, on to the next.
                    let mut rest = u64::from_le_bytes(*eight);
                    let mut at = 0;
                    while rest != 0 {
                        let skipped = rest.trailing_zeros() as usize / 8;
                        zeros += skipped;
                        push_zeros(&mut bytes, &mut zeros);
                        bytes.push(eight[at + skipped]);
                        at += skipped + 1;
                        // In two steps, as all 64 bits cannot be shifted out at once.
                        rest = rest >> (8 * skipped) >> 8;
                    }
                    zeros += eight.len() - at;
                }
                push_zeros(&mut bytes, &mut zeros);
                bytes
            }
        }
    }

    /// Reads what [`HyperLogLog::encode`] wrote.
    ///
    /// # Errors
    ///
    /// The bytes are no such sketch.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let not_one = |found| Error::NotASketch {
            kind: "HyperLogLog",
            found,
        };
        match bytes {
            [VERSION, FEW, hashes @ ..] => few(hashes).map_err(not_one),
            [VERSION, MANY, ranks @ ..] => many(ranks).map_err(not_one),
            [VERSION, ..] => Err(not_one("neither hashes nor registers")),
            [_, ..] => Err(not_one("another version")),
            [] => Err(not_one("nothing")),
        }
    }

    /// The registers, which the sketch has from now on.
    fn registers(&mut self) -> &mut [u8; REGISTERS] {
        if let Kept::Few(few) = &self.0 {
            self.0 = Kept::Many(few.registers());
        }
        match &mut self.0 {
            Kept::Many(registers) => registers,
            Kept::Few(_) => unreachable!("made above"),
        }
    }
}

fn push_zeros(bytes: &mut Vec<u8>, zeros: &mut usize) {
    while *zeros > 0 {
        let run = (*zeros).min(ZEROS_MAX);
        bytes.push(ZEROS + u8::try_from(run - 1).expect("a run of at most ZEROS_MAX"));
        *zeros -= run;
    }
}

#[inline]
fn raise(registers: &mut [u8; REGISTERS], hash: u32) {
    let register = &mut registers[(hash >> RUN_BITS) as usize];
    // The bit set below the run ends it where the hash does.
    let run = (hash << INDEX_BITS) | (1 << (INDEX_BITS - 1));
    let rank = u8::try_from(run.leading_zeros() + 1).expect("at most 32");
    *register = (*register).max(rank);
}

fn few(hashes: &[u8]) -> Result<HyperLogLog, &'static str> {
    let (hashes, rest) = hashes.as_chunks();
    if !rest.is_empty() {
        return Err("part of a hash");
    }
    if hashes.len() > FEW_MAX {
        return Err("too many hashes");
    }
    let mut few = Few::default();
    let mut last = 0;
    for hash in hashes.iter().map(|bytes| u32::from_le_bytes(*bytes)) {
        if hash <= last {
            return Err("hashes out of order");
        }
        few.insert(hash);
        last = hash;
    }
    Ok(HyperLogLog(Kept::Few(few)))
}

fn many(ranks: &[u8]) -> Result<HyperLogLog, &'static str> {
    let mut registers = Box::new([0; REGISTERS]);
    let mut at = 0;
    for &rank in ranks {
        match rank {
            1..=RANK_MAX => {
                *registers.get_mut(at).ok_or("too many registers")? = rank;
                at += 1;
            }
            ZEROS.. => at += usize::from(rank - ZEROS) + 1,
            _ => return Err("a register that no hash gives"),
        }
    }
    match at {
        REGISTERS => Ok(HyperLogLog(Kept::Many(registers))),
        _ => Err("another number of registers"),
    }
}

/// Ertl's improved raw estimate, algorithm 6.
#[expect(clippy::cast_precision_loss, reason = "counts of registers")]
fn estimate(registers: &[u8; REGISTERS]) -> f64 {
    let mut of_rank = [0_u32; RANK_MAX as usize + 1];
    for rank in registers {
        of_rank[usize::from(*rank)] += 1;
    }
    let [none, ranks @ .., full] = &of_rank;
    let all = REGISTERS as f64;
    let mut z = all * tau(1.0 - f64::from(*full) / all);
    for count in ranks.iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += all * sigma(f64::from(*none) / all);
    all * all / (2.0 * std::f64::consts::LN_2 * z)
}

/// x + Σ x^(2^k) · 2^(k−1)
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut sum, mut weight) = (x, 1.0);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight *= 2.0;
        if sum <= before {
            return sum;
        }
    }
}

/// (1 − x − Σ (1 − x^(2^−k))² · 2^−k) / 3
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut sum, mut weight) = (1.0 - x, 1.0);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x).powi(2) * weight;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

/// A set of a few hashes, in a table with open addressing.
#[derive(Debug, Clone, Default)]
struct Few {
    /// A power of two of them, at least half of them free, or none; 0 is free.
    slots: Vec<u32>,
    len: usize,
}

impl Few {
    #[inline]
    fn insert(&mut self, hash: u32) {
        if hash == 0 {
            return;
        }
        if self.slots.len() < 2 * (self.len + 1) {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] != hash {
            if self.slots[at] == 0 {
                self.slots[at] = hash;
                self.len += 1;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let slots = vec![0; (4 * self.slots.len()).max(8)];
        let smaller = std::mem::replace(&mut self.slots, slots);
        self.len = 0;
        smaller.into_iter().for_each(|hash| self.insert(hash));
    }

    fn hashes(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().copied().filter(|hash| *hash != 0)
    }

    fn registers(&self) -> Box<[u8; REGISTERS]> {
        let mut registers = Box::new([0; REGISTERS]);
        self.hashes().for_each(|hash| raise(&mut registers, hash));
        registers
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use proptest::prelude::*;

    fn of(values: impl IntoIterator<Item = u64>) -> HyperLogLog {
        let mut sketch = HyperLogLog::default();
        for value in values {
            sketch.insert(hash(&value.to_le_bytes()));
        }
        sketch
    }

    #[test]
    fn a_hash_is_the_same_for_ever() {
        assert_eq!(hash(b""), 0xefd0_1f60);
        assert_eq!(hash(b"192.0.2.1"), 0x8fc4_3361);
    }

    #[test]
    fn few_are_counted_exactly() {
        for count in 0..=FEW_MAX as u64 {
            let sketch = of((0..count).chain(0..count));
            assert_eq!((sketch.count(), sketch.relative_error()), (count, 0.0));
        }
    }

    #[test]
    fn many_are_counted_within_the_error() {
        let mut squares = 0.0;
        let mut counts = 0.0;
        for seed in 0..40_u64 {
            for count in [100_u64, 1_000, 5_000, 20_000, 100_000] {
                let sketch = of((0..count).map(|value| seed << 32 | value));
                let error = sketch.count() as f64 / count as f64 - 1.0;
                assert!(error.abs() < 5.0 * RELATIVE_ERROR, "{count}: {error}");
                squares += error * error;
                counts += 1.0;
            }
        }
        let error = f64::sqrt(squares / counts);
        assert!(error < 1.1 * RELATIVE_ERROR, "{error}");
    }

    #[test]
    fn all_registers_full_is_a_number() {
        let sketch = HyperLogLog(Kept::Many(Box::new([RANK_MAX; REGISTERS])));
        assert!(sketch.count() > 1_000_000_000);
    }

    #[track_caller]
    fn refuses(bytes: &[u8], found: &'static str) {
        let kind = "HyperLogLog";
        assert_eq!(
            HyperLogLog::decode(bytes),
            Err(Error::NotASketch { kind, found })
        );
    }

    #[test]
    fn other_bytes_are_refused_by_what_is_wrong_with_them() {
        refuses(&[], "nothing");
        refuses(&[2, 0], "another version");
        refuses(&[1], "neither hashes nor registers");
        refuses(&[1, 2], "neither hashes nor registers");
        refuses(&[1, 0, 1, 2, 3], "part of a hash");
        refuses(&[1, 0, 0, 0, 0, 0], "hashes out of order");
        refuses(&[1, 0, 1, 0, 0, 0, 1, 0, 0, 0], "hashes out of order");
        let hashes = (1..=65_u32).flat_map(u32::to_le_bytes);
        refuses(
            &[1, 0].into_iter().chain(hashes).collect::<Vec<_>>(),
            "too many hashes",
        );
        refuses(&[1, 1, 0], "a register that no hash gives");
        refuses(&[1, 1, 23], "a register that no hash gives");
        refuses(&[1, 1, 0xff], "another number of registers");
        refuses(
            &[[1, 1].as_slice(), &[0xff; 17]].concat(),
            "another number of registers",
        );
        refuses(
            &[[1, 1].as_slice(), &[1; REGISTERS + 1]].concat(),
            "too many registers",
        );
    }

    proptest! {
        #[test]
        fn order_and_splits_do_not_show(
            values in prop::collection::vec(0_u64..300, 0..400),
            cut in 0_usize..400,
        ) {
            let whole = of(values.iter().copied());
            let (front, back) = values.split_at(cut.min(values.len()));
            let mut merged = of(back.iter().rev().copied());
            merged.merge(&of(front.iter().copied()));
            prop_assert_eq!(merged.encode(), whole.encode());
            let decoded = HyperLogLog::decode(&whole.encode()).unwrap();
            prop_assert_eq!(decoded.encode(), whole.encode());
            let distinct = values.iter().collect::<HashSet<_>>().len();
            if distinct <= FEW_MAX {
                prop_assert_eq!(whole.count(), distinct as u64);
            }
        }

        #[test]
        fn any_bytes_are_a_sketch_or_an_error(
            head in prop::sample::select(vec![vec![], vec![1, 0], vec![1, 1]]),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let bytes = [head, rest].concat();
            if let Ok(sketch) = HyperLogLog::decode(&bytes) {
                prop_assert_eq!(HyperLogLog::decode(&sketch.encode()).unwrap(), sketch);
            }
        }
    }
}
