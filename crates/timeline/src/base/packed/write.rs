//! What writes.

use jiff::Timestamp;
use smol_str::SmolStr;

use super::letters::{counted, generated, hexadecimal};
use super::recent::{MILLIS, NANOS, PART, Recent, Text, form, zigzag};
use crate::base::Traceparent;

/// Writes what a [`super::Reader`] reads.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    recent: Recent,
}

impl Writer {
    /// The bytes. They are copied: an allocator may leave what only shrinks where it is, with all its
    /// room.
    pub(crate) fn finish(self) -> Box<[u8]> {
        self.bytes.as_slice().into()
    }

    /// A number.
    pub(crate) fn number(&mut self, value: u64) {
        self.wide(u128::from(value));
    }

    /// A number of either sign.
    pub(crate) fn signed(&mut self, value: i64) {
        self.wide(zigzag(i128::from(value)));
    }

    /// A number that is one of few: a byte if it came lately.
    pub(crate) fn one_of_few(&mut self, value: u64) {
        if let Some(place) = self.recent.place_of(value) {
            self.number((place as u64).saturating_add(1));
            self.recent.repeat(place);
        } else {
            self.number(0);
            self.number(value);
            self.recent.add_number(value);
        }
    }

    /// A number of which all bits are as likely.
    pub(crate) fn bits(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
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
        let second = i128::from(self.recent.second);
        let since = at.as_nanosecond().saturating_sub(second.saturating_mul(NANOS));
        let (unit, count) = if since % NANOS == 0 {
            (0, since / NANOS)
        } else if since % MILLIS == 0 {
            (1, since / MILLIS)
        } else {
            (2, since)
        };
        self.wide((zigzag(count) << 2) | unit);
        self.recent.second = at.as_second();
    }

    /// A trace context: 25 bytes.
    pub(crate) fn traceparent(&mut self, traceparent: &Traceparent) {
        self.bytes.push(traceparent.flags());
        self.bytes.extend_from_slice(&traceparent.trace_id().to_bytes());
        self.bytes.extend_from_slice(&traceparent.span_id().to_bytes());
    }

    /// A text of this kind.
    pub(crate) fn text(&mut self, kind: Text, text: &str) {
        if let Some(place) = self.recent.texts(kind).iter().rposition(|it| it == text) {
            self.form(form::SAME, place);
            return;
        }
        if let Some((place, (number, by))) = self.counted(kind, text) {
            self.form(form::COUNTED, place);
            // Which of the first seven numbers, in the low bits.
            self.wide((zigzag(i128::from(by)) << 3) | number);
        } else if let Some(packed) = hexadecimal(text) {
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
        self.recent.add_text(kind, text);
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

    /// The last text that differs from this one in a number only.
    fn counted(&self, kind: Text, text: &str) -> Option<(usize, (u128, i64))> {
        let all = self.recent.texts(kind).iter().enumerate().rev();
        let mut counted = all.filter_map(|(place, it)| Some((place, counted(it, text)?)));
        counted.find_map(|(place, (number, by))| {
            Some((place, (u128::try_from(number).ok().filter(|it| *it < 8)?, by)))
        })
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
        let all = self.recent.texts(kind).iter().enumerate();
        let all = all.map(|(place, other)| (place, shared(other)));
        let (place, (start, end)) =
            all.max_by_key(|(_, (start, end))| start.saturating_add(*end))?;
        (start.saturating_add(end) > 4).then_some((place, start, end))
    }
}

#[cfg(test)]
impl Writer {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}
