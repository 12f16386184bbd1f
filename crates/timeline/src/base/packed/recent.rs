//! What was written or read last, which what comes next is compared with.

use smol_str::SmolStr;

/// Earlier texts of a kind that a text is compared with.
const LOOK_BACK: usize = 8;
/// Earlier numbers that a number may repeat, so that the place of each takes one byte.
const NUMBERS: usize = 64;

/// The kinds of text: those of one kind resemble each other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text {
    /// Pod-template-hashes, commits: nothing to compare.
    Digits,
    /// Versions.
    Version,
    /// Names of objects.
    Name,
    /// Sentences.
    Words,
}

/// How a text is written, in the low bits of its first number.
pub(super) mod form {
    pub(in crate::base::packed) const RAW: u64 = 0;
    /// Equal to the earlier one at this place.
    pub(in crate::base::packed) const SAME: u64 = 1;
    /// The start and the end of the earlier one at this place, and other bytes between.
    pub(in crate::base::packed) const LIKE: u64 = 2;
    /// Two hexadecimal digits a byte.
    pub(in crate::base::packed) const HEX: u64 = 3;
    /// Letters of generated names.
    pub(in crate::base::packed) const SAFE: u64 = 4;
    /// The earlier one at this place with one of its numbers changed.
    pub(in crate::base::packed) const COUNTED: u64 = 5;
    pub(in crate::base::packed) const BITS: u32 = 3;
    pub(in crate::base::packed) const MASK: u64 = 7;
}

/// Stands for a part of a text that is known.
pub(super) const PART: char = '\u{1}';
pub(super) const NANOS: i128 = 1_000_000_000;
pub(super) const MILLIS: i128 = 1_000_000;

/// What came last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    texts: [Vec<SmolStr>; 4],
    /// The last one first.
    numbers: Vec<u64>,
    /// The second of the last time.
    pub(super) second: i64,
}

impl Recent {
    /// Earlier texts of this kind.
    pub(super) fn texts(&self, kind: Text) -> &[SmolStr] {
        &self.texts[kind as usize]
    }

    pub(super) fn add_text(&mut self, kind: Text, text: &str) {
        let texts = &mut self.texts[kind as usize];
        if texts.len() >= LOOK_BACK {
            texts.remove(0);
        }
        texts.push(text.into());
    }

    /// Where a number stands among the last ones.
    pub(super) fn place_of(&self, number: u64) -> Option<usize> {
        self.numbers.iter().position(|known| *known == number)
    }

    /// The number at this place, which comes first from now on.
    pub(super) fn repeat(&mut self, place: usize) -> Option<u64> {
        self.numbers.get_mut(..=place)?.rotate_right(1);
        self.numbers.first().copied()
    }

    pub(super) fn add_number(&mut self, number: u64) {
        self.numbers.truncate(NUMBERS.saturating_sub(1));
        self.numbers.insert(0, number);
    }
}

pub(super) fn zigzag(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)).cast_unsigned()
}

pub(super) fn unzigzag(value: u128) -> i128 {
    (value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg()
}
