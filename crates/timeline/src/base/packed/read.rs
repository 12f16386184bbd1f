//! What reads.

use jiff::Timestamp;
use smol_str::SmolStr;

use super::letters::{count, from_generated, from_hexadecimal, generated_length};
use super::recent::{MILLIS, NANOS, PART, Recent, Text, form, unzigzag};
use crate::base::{SpanId, TraceId, Traceparent};

/// Reads what a [`super::Writer`] wrote, in the same order.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    recent: Recent,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, recent: Recent::default() }
    }

    /// A number.
    pub(crate) fn number(&mut self) -> Option<u64> {
        u64::try_from(self.wide()?).ok()
    }

    /// A number of either sign.
    pub(crate) fn signed(&mut self) -> Option<i64> {
        i64::try_from(unzigzag(self.wide()?)).ok()
    }

    /// A number that is one of few.
    pub(crate) fn one_of_few(&mut self) -> Option<u64> {
        if let Some(place) = usize::try_from(self.number()?).ok()?.checked_sub(1) {
            return self.recent.repeat(place);
        }
        let value = self.number()?;
        self.recent.add_number(value);
        Some(value)
    }

    /// A number of which all bits are as likely.
    pub(crate) fn bits(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
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
        let at = i128::from(self.recent.second).checked_mul(NANOS)?.checked_add(since)?;
        let at = Timestamp::from_nanosecond(at).ok()?;
        self.recent.second = at.as_second();
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
            form::SAME => return self.recent.texts(kind).get(value).cloned(),
            form::RAW => std::str::from_utf8(self.take(value)?).ok()?.into(),
            form::LIKE => {
                let start = usize::try_from(self.number()?).ok()?;
                let end = usize::try_from(self.number()?).ok()?;
                let length = usize::try_from(self.number()?).ok()?;
                let between = self.take(length)?;
                let other = self.recent.texts(kind).get(value)?.as_bytes();
                let mut bytes = other.get(..start)?.to_vec();
                bytes.extend_from_slice(between);
                bytes.extend_from_slice(other.get(other.len().checked_sub(end)?..)?);
                String::from_utf8(bytes).ok()?.into()
            }
            form::COUNTED => {
                let coded = self.wide()?;
                let place = usize::try_from(coded & 7).ok()?;
                let by = i64::try_from(unzigzag(coded >> 3)).ok()?;
                count(self.recent.texts(kind).get(value)?, place, by)?.into()
            }
            form::HEX => from_hexadecimal(self.take(value)?).into(),
            form::SAFE => from_generated(self.take(generated_length(value)?)?, value)?.into(),
            _ => return None,
        };
        self.recent.add_text(kind, &text);
        Some(text)
    }
}

#[cfg(test)]
impl Reader<'_> {
    pub(super) fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }
}
