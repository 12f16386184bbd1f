//! Bytes that hold what nobody looks at now: numbers as varints, times as differences, texts as
//! what differs from an earlier one of the same kind.
//!
//! They never leave the process, so there is no version: who writes them reads them. Reading
//! returns `None` where they end too early, and never panics.

use jiff::Timestamp;
use smol_str::SmolStr;

use super::{SpanId, TraceId, Traceparent};

/// Earlier texts of a kind that a text is compared with.
const LOOK_BACK: usize = 8;
/// Letters of Kubernetes' generated names, pod-template-hashes among them
/// (k8s.io/apimachinery/pkg/util/rand, `alphanums`).
const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// Stands for a part of a text that is known.
const PART: char = '\u{1}';
const NANOS: i128 = 1_000_000_000;
const MILLIS: i128 = 1_000_000;

/// What writes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    seen: [Seen; 4],
    second: i64,
}

/// What reads, in the same order.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    seen: [Seen; 4],
    second: i64,
}

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

/// Texts of one kind that came last.
#[derive(Debug, Default)]
struct Seen {
    texts: Vec<SmolStr>,
}

/// How a text is written, in the low bits of its first number.
mod form {
    pub(super) const RAW: u64 = 0;
    /// Equal to the earlier one at this place.
    pub(super) const SAME: u64 = 1;
    /// The start and the end of the earlier one at this place, and other bytes between.
    pub(super) const LIKE: u64 = 2;
    /// Two hexadecimal digits a byte.
    pub(super) const HEX: u64 = 3;
    /// Letters of generated names, five bits each.
    pub(super) const SAFE: u64 = 4;
    pub(super) const BITS: u32 = 3;
    pub(super) const MASK: u64 = 7;
}

impl Seen {
    fn add(&mut self, text: &str) {
        if self.texts.len() >= LOOK_BACK {
            self.texts.remove(0);
        }
        self.texts.push(text.into());
    }
}

impl Writer {
    /// The bytes, with no room left over.
    pub(crate) fn finish(self) -> Box<[u8]> {
        self.bytes.into_boxed_slice()
    }

    /// A number.
    pub(crate) fn number(&mut self, value: u64) {
        self.wide(u128::from(value));
    }

    /// A number of either sign.
    pub(crate) fn signed(&mut self, value: i64) {
        self.wide(zigzag(i128::from(value)));
    }

    fn wide(&mut self, mut value: u128) {
        loop {
            let low = u8::try_from(value & 0x7f).unwrap_or(0);
            value >>= 7;
            if value == 0 {
                self.bytes.push(low);
                return;
            }
            self.bytes.push(low | 0x80);
        }
    }

    /// A time, as the difference from the one before.
    pub(crate) fn time(&mut self, at: Timestamp) {
        let since =
            at.as_nanosecond().saturating_sub(i128::from(self.second).saturating_mul(NANOS));
        let (unit, count) = if since % NANOS == 0 {
            (0, since / NANOS)
        } else if since % MILLIS == 0 {
            (1, since / MILLIS)
        } else {
            (2, since)
        };
        self.wide((zigzag(count) << 2) | unit);
        self.second = at.as_second();
    }

    /// A trace context: 25 bytes.
    pub(crate) fn traceparent(&mut self, traceparent: &Traceparent) {
        self.bytes.push(traceparent.flags());
        self.bytes.extend_from_slice(&traceparent.trace_id().to_bytes());
        self.bytes.extend_from_slice(&traceparent.span_id().to_bytes());
    }

    /// A text of this kind.
    pub(crate) fn text(&mut self, kind: Text, text: &str) {
        if let Some(place) = self.seen[kind as usize].texts.iter().rposition(|it| it == text) {
            self.form(form::SAME, place);
            return;
        }
        if let Some(packed) = hexadecimal(text) {
            self.form(form::HEX, packed.len());
            self.bytes.extend_from_slice(&packed);
        } else if let Some(packed) = generated(text) {
            self.form(form::SAFE, text.len());
            self.bytes.extend_from_slice(&packed);
        } else if let Some((place, start, end)) = self.like(kind, text) {
            self.form(form::LIKE, place);
            self.number(start as u64);
            self.number(end as u64);
            let between = &text.as_bytes()[start..text.len().saturating_sub(end)];
            self.number(between.len() as u64);
            self.bytes.extend_from_slice(between);
        } else {
            self.form(form::RAW, text.len());
            self.bytes.extend_from_slice(text.as_bytes());
        }
        self.seen[kind as usize].add(text);
    }

    /// A text that is likely to contain another one, which is known before it is read.
    pub(crate) fn text_around(&mut self, kind: Text, text: &str, part: &str) {
        if text.contains(PART) {
            self.text(kind, &format!("{PART}{PART}{text}"));
        } else if let Some((start, end)) = text.split_once(part).filter(|_| !part.is_empty()) {
            self.text(kind, &format!("{start}{PART}{end}"));
        } else {
            self.text(kind, text);
        }
    }

    fn form(&mut self, form: u64, value: usize) {
        self.wide((u128::try_from(value).unwrap_or(0) << form::BITS) | u128::from(form));
    }

    /// The earlier text that shares most with this one, and how much at its start and end.
    fn like(&self, kind: Text, text: &str) -> Option<(usize, usize, usize)> {
        let shared = |other: &SmolStr| {
            let (one, other) = (text.as_bytes(), other.as_bytes());
            let start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
            let (one, other) = (&one[start..], &other[start..]);
            let end = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
            (start, end)
        };
        let all = self.seen[kind as usize].texts.iter().enumerate();
        let all = all.map(|(place, other)| (place, shared(other)));
        let (place, (start, end)) =
            all.max_by_key(|(_, (start, end))| start.saturating_add(*end))?;
        (start.saturating_add(end) > 4).then_some((place, start, end))
    }
}

impl<'a> Reader<'a> {
    /// Reads what a [`Writer`] wrote.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, seen: Default::default(), second: 0 }
    }

    /// A number.
    pub(crate) fn number(&mut self) -> Option<u64> {
        u64::try_from(self.wide()?).ok()
    }

    /// A number of either sign.
    pub(crate) fn signed(&mut self) -> Option<i64> {
        i64::try_from(unzigzag(self.wide()?)).ok()
    }

    fn wide(&mut self) -> Option<u128> {
        let mut value = 0;
        for shift in (0..126).step_by(7) {
            let byte = self.take(1)?.first().copied()?;
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    /// A time.
    pub(crate) fn time(&mut self) -> Option<Timestamp> {
        let coded = self.wide()?;
        let count = unzigzag(coded >> 2);
        let unit = match coded & 3 {
            0 => NANOS,
            1 => MILLIS,
            _ => 1,
        };
        let since = count.checked_mul(unit)?;
        let at = i128::from(self.second).checked_mul(NANOS)?.checked_add(since)?;
        let at = Timestamp::from_nanosecond(at).ok()?;
        self.second = at.as_second();
        Some(at)
    }

    /// A trace context.
    pub(crate) fn traceparent(&mut self) -> Option<Traceparent> {
        let flags = self.take(1)?.first().copied()?;
        let trace = TraceId::new(self.take(16)?.try_into().ok()?)?;
        let span = SpanId::new(self.take(8)?.try_into().ok()?)?;
        Some(Traceparent::with_flags(trace, span, flags))
    }

    /// A text that may contain another one.
    pub(crate) fn text_around(&mut self, kind: Text, part: &str) -> Option<SmolStr> {
        let text = self.text(kind)?;
        Some(match text.split_once(PART) {
            Some((start, end)) => match end.strip_prefix(PART).filter(|_| start.is_empty()) {
                Some(escaped) => escaped.into(),
                None => format!("{start}{part}{end}").into(),
            },
            None => text,
        })
    }

    /// A text of this kind.
    pub(crate) fn text(&mut self, kind: Text) -> Option<SmolStr> {
        let coded = self.number()?;
        let value = usize::try_from(coded >> form::BITS).ok()?;
        let text: SmolStr = match coded & form::MASK {
            form::SAME => return self.seen[kind as usize].texts.get(value).cloned(),
            form::RAW => std::str::from_utf8(self.take(value)?).ok()?.into(),
            form::LIKE => {
                let start = usize::try_from(self.number()?).ok()?;
                let end = usize::try_from(self.number()?).ok()?;
                let length = usize::try_from(self.number()?).ok()?;
                let between = self.take(length)?;
                let other = self.seen[kind as usize].texts.get(value)?.as_bytes();
                let mut bytes = other.get(..start)?.to_vec();
                bytes.extend_from_slice(between);
                bytes.extend_from_slice(other.get(other.len().checked_sub(end)?..)?);
                String::from_utf8(bytes).ok()?.into()
            }
            form::HEX => {
                let digits = self.take(value)?.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
            }
            form::SAFE => {
                let bytes = self.take(value.checked_mul(5)?.div_ceil(8))?;
                (0..value)
                    .map(|place| Some(char::from(*SAFE.get(five(bytes, place))?)))
                    .collect::<Option<_>>()?
            }
            _ => return None,
        };
        self.seen[kind as usize].add(&text);
        Some(text)
    }
}

fn zigzag(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)).cast_unsigned()
}

fn unzigzag(value: u128) -> i128 {
    (value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg()
}

/// Pairs of lower-case hexadecimal digits as bytes; none if it is anything else.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    if text.len() < 2 || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'f' => char::from(byte).to_digit(16),
        _ => None,
    };
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::try_from((digit(pair[0])? << 4) | digit(pair[1])?).ok()).collect()
}

/// Letters of generated names, five bits each; none if it is anything else.
fn generated(text: &str) -> Option<Vec<u8>> {
    if text.len() < 4 {
        return None;
    }
    let mut packed = vec![0; text.len().saturating_mul(5).div_ceil(8)];
    for (place, letter) in text.bytes().enumerate() {
        let index = SAFE.iter().position(|safe| *safe == letter)?;
        for bit in 0..5 {
            if index >> bit & 1 == 1 {
                let at = place.saturating_mul(5).saturating_add(bit);
                packed[at / 8] |= 1 << (at % 8);
            }
        }
    }
    Some(packed)
}

/// The five bits of a letter.
fn five(bytes: &[u8], place: usize) -> usize {
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
    let first = place.saturating_mul(5);
    (0..5).map(|n| usize::from(bit(first.saturating_add(n))) << n).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_alike_takes_little_room() {
        let mut writer = Writer::default();
        writer.text(Text::Digits, "6d5694bbbf");
        assert_eq!(writer.bytes.len(), 6);
        writer.text(Text::Digits, "6d5694bbbf");
        assert_eq!(writer.bytes.len(), 7);
        writer.text(Text::Digits, "7c9xz4d8qz");
        assert_eq!(writer.bytes.len(), 15);
        writer.text(Text::Version, "2.13.0-rc.1");
        let before = writer.bytes.len();
        writer.text(Text::Version, "2.13.0-rc.2");
        assert!(writer.bytes.len() - before <= 5);
        let before = writer.bytes.len();
        writer.text(Text::Version, "2.13.0-rc.1");
        assert_eq!(writer.bytes.len() - before, 1);
    }

    #[test]
    fn bytes_that_are_cut_or_wrong_are_none() {
        for bytes in [&[][..], &[0x80], &[0xff; 40], &[0x12, 1, 2, 3], &[0x3b]] {
            let mut reader = Reader::new(bytes);
            while reader.text(Text::Name).is_some() {}
            let mut reader = Reader::new(bytes);
            while reader.time().is_some() {}
            let mut reader = Reader::new(bytes);
            while reader.traceparent().is_some() {}
        }
    }

    proptest! {
        #[test]
        fn any_text_and_number_and_time_is_read_as_it_was_written(
            texts in prop::collection::vec(
                prop_oneof![".{0,40}", "[0-9a-f]{0,16}", "[bcdf2456789]{0,12}", "shop-[0-9]\\.[0-9]-[a-f]{4}"],
                0..24,
            ),
            numbers in prop::collection::vec((any::<u64>(), any::<i64>()), 0..8),
            times in prop::collection::vec((-377_705_023_201i64..=253_402_207_200, 0i32..1_000_000_000), 0..8),
        ) {
            let times: Vec<Timestamp> = times
                .into_iter()
                .filter_map(|(second, nano)| Timestamp::new(second, nano).ok())
                .flat_map(|at| [at, Timestamp::from_second(at.as_second()).unwrap_or(at)])
                .collect();
            let mut writer = Writer::default();
            for text in &texts {
                writer.text(Text::Name, text);
            }
            for text in &texts {
                writer.text_around(Text::Words, text, "b");
                writer.text_around(Text::Words, &format!("\u{1}{text}"), text);
            }
            for (number, signed) in &numbers {
                writer.number(*number);
                writer.signed(*signed);
            }
            for at in &times {
                writer.time(*at);
            }
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            for text in &texts {
                let read = reader.text(Text::Name);
                prop_assert_eq!(read.as_deref(), Some(text.as_str()));
            }
            for text in &texts {
                let read = reader.text_around(Text::Words, "b");
                prop_assert_eq!(read.as_deref(), Some(text.as_str()));
                let read = reader.text_around(Text::Words, text);
                prop_assert_eq!(read, Some(format!("\u{1}{text}").into()));
            }
            for (number, signed) in &numbers {
                prop_assert_eq!(reader.number(), Some(*number));
                prop_assert_eq!(reader.signed(), Some(*signed));
            }
            for at in &times {
                prop_assert_eq!(reader.time(), Some(*at));
            }
            prop_assert!(reader.bytes.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            while reader.text(Text::Words).is_some() || reader.time().is_some() || reader.signed().is_some() {}
        }
    }
}
