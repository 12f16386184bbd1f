//! A line that is being read.

use jiff::Timestamp;
use serde::de::value::{Error as NoSuchWord, StrDeserializer};
use serde::de::{Deserialize, IntoDeserializer};
use timeline::base::Moment;

use super::super::offset::read_moment;
use super::{LineError, NOTHING, PREFIX, THEN};

/// A word as it stands in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word<'a> {
    Bare(&'a str),
    Quoted(String),
}

/// A line that is being read.
#[derive(Debug)]
pub(in crate::journal) struct Reader<'a> {
    rest: &'a str,
    start: Timestamp,
}

impl<'a> Reader<'a> {
    /// A line of an attempt that began at `start`.
    pub(in crate::journal) fn new(line: &'a str, start: Timestamp) -> Self {
        Self { rest: line, start }
    }

    fn next(&mut self, expected: &'static str) -> Result<Word<'a>, LineError> {
        let rest = self.rest.trim_start_matches(' ');
        if rest.is_empty() {
            return Err(LineError::Missing(expected));
        }
        let Some(mut quoted) = rest.strip_prefix('\'') else {
            let (word, _) = rest.split_once(' ').unwrap_or((rest, ""));
            self.rest = &rest[word.len()..];
            return Ok(Word::Bare(word));
        };
        let mut text = String::new();
        loop {
            let (before, after) = quoted.split_once('\'').ok_or(LineError::Quote)?;
            text.push_str(before);
            let Some(more) = after.strip_prefix('\'') else {
                self.rest = after;
                return Ok(Word::Quoted(text));
            };
            text.push('\'');
            quoted = more;
        }
    }

    fn bare(&mut self, expected: &'static str) -> Result<&'a str, LineError> {
        match self.next(expected)? {
            Word::Bare(word) => Ok(word),
            Word::Quoted(text) => Err(unknown(expected, &text)),
        }
    }

    /// The next word if it is bare and `read` can read it; the line stays as it is if not.
    fn optional<T>(&mut self, read: impl FnOnce(&'a str) -> Option<T>) -> Option<T> {
        let before = self.rest;
        let found = match self.next("") {
            Ok(Word::Bare(word)) => read(word),
            _ => None,
        };
        if found.is_none() {
            self.rest = before;
        }
        found
    }

    /// Whether this very word comes next.
    pub(in crate::journal) fn is_word(&mut self, word: &str) -> bool {
        self.optional(|found| (found == word).then_some(())).is_some()
    }

    /// Any text.
    pub(in crate::journal) fn text(&mut self, expected: &'static str) -> Result<String, LineError> {
        Ok(match self.next(expected)? {
            Word::Bare(word) => word.to_owned(),
            Word::Quoted(text) => text,
        })
    }

    /// A text in quotes, or nothing.
    pub(in crate::journal) fn message(&mut self) -> Result<String, LineError> {
        let before = self.rest;
        match self.next("") {
            Ok(Word::Quoted(text)) => Ok(text),
            Err(LineError::Quote) => Err(LineError::Quote),
            _ => {
                self.rest = before;
                Ok(String::new())
            }
        }
    }

    /// One of a short list, by its name.
    pub(in crate::journal) fn name<T: Deserialize<'a>>(
        &mut self,
        expected: &'static str,
    ) -> Result<T, LineError> {
        let word = self.bare(expected)?;
        named(word).ok_or_else(|| unknown(expected, word))
    }

    pub(in crate::journal) fn maybe_name<T: Deserialize<'a>>(
        &mut self,
        expected: &'static str,
    ) -> Result<Option<T>, LineError> {
        if self.is_word(NOTHING) { Ok(None) } else { self.name(expected).map(Some) }
    }

    /// The name if one comes next.
    pub(in crate::journal) fn optional_name<T: Deserialize<'a>>(&mut self) -> Option<T> {
        self.optional(named)
    }

    /// A number and what stands right behind it.
    pub(in crate::journal) fn number<T: std::str::FromStr>(
        &mut self,
        expected: &'static str,
        unit: &str,
    ) -> Result<T, LineError> {
        let word = self.bare(expected)?;
        let digits = word.strip_suffix(unit).filter(|digits| is_number(digits));
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| unknown(expected, word))
    }

    pub(in crate::journal) fn maybe_number<T: std::str::FromStr>(
        &mut self,
        expected: &'static str,
        unit: &str,
    ) -> Result<Option<T>, LineError> {
        if self.is_word(NOTHING) { Ok(None) } else { self.number(expected, unit).map(Some) }
    }

    /// Two numbers with a slash between them.
    pub(in crate::journal) fn ratio(
        &mut self,
        expected: &'static str,
    ) -> Result<(u32, u32), LineError> {
        let word = self.bare(expected)?;
        let read = |digits: &str| is_number(digits).then(|| digits.parse().ok())?;
        let both = word.split_once('/').and_then(|(a, b)| Some((read(a)?, read(b)?)));
        both.ok_or_else(|| unknown(expected, word))
    }

    pub(in crate::journal) fn moment(
        &mut self,
        expected: &'static str,
    ) -> Result<Moment, LineError> {
        let word = self.bare(expected)?;
        read_moment(word, self.start).ok_or_else(|| unknown(expected, word))
    }

    /// When an entry began, or `before` where it says so.
    pub(in crate::journal) fn moment_after(
        &mut self,
        expected: &'static str,
        before: Option<Moment>,
    ) -> Result<Moment, LineError> {
        match before {
            Some(before) if self.is_word(THEN) => Ok(before),
            _ => self.moment(expected),
        }
    }

    /// The name of an object that Argo made for the attempt, beginning with `prefix`.
    pub(in crate::journal) fn object(
        &mut self,
        expected: &'static str,
        prefix: &str,
    ) -> Result<String, LineError> {
        let rest = self.optional(|word| word.strip_prefix(PREFIX));
        match rest {
            Some(rest) => Ok(format!("{prefix}{rest}")),
            None => self.text(expected),
        }
    }

    pub(in crate::journal) fn maybe_moment(
        &mut self,
        expected: &'static str,
    ) -> Result<Option<Moment>, LineError> {
        if self.is_word(NOTHING) { Ok(None) } else { self.moment(expected).map(Some) }
    }

    /// The moment if one comes next.
    pub(in crate::journal) fn optional_moment(&mut self) -> Option<Moment> {
        let start = self.start;
        self.optional(|word| read_moment(word, start))
    }

    /// The number in the order of ends, if there is one.
    pub(in crate::journal) fn closed(&mut self) -> Option<u32> {
        self.optional(|word| {
            word.strip_prefix('#').filter(|digits| is_number(digits))?.parse().ok()
        })
    }

    /// The same, and the place of the step that it hangs below: the `usual` one if it is over and
    /// does not say.
    pub(in crate::journal) fn closed_below(
        &mut self,
        usual: Option<u32>,
    ) -> (Option<u32>, Option<u32>) {
        let read = |digits: &str| is_number(digits).then(|| digits.parse().ok())?;
        let both = self.optional(|word| {
            let (closed, below) = word.strip_prefix('#')?.split_once('/')?;
            let below = if below == NOTHING { None } else { Some(read(below)?) };
            Some((Some(read(closed)?), below))
        });
        both.unwrap_or_else(|| {
            let closed = self.closed();
            (closed, closed.and(usual))
        })
    }

    /// Nothing may follow.
    pub(in crate::journal) fn end<T>(&self, entry: T) -> Result<T, LineError> {
        match self.rest.trim_start() {
            "" => Ok(entry),
            rest => Err(LineError::TooMuch(cut(rest))),
        }
    }
}

/// The one of a short list that has this name.
pub(in crate::journal) fn named<'a, T: Deserialize<'a>>(name: &'a str) -> Option<T> {
    let name: StrDeserializer<'a, NoSuchWord> = name.into_deserializer();
    T::deserialize(name).ok()
}

/// `parse` would take a sign.
fn is_number(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn unknown(expected: &'static str, word: &str) -> LineError {
    LineError::Unknown { expected, word: cut(word) }
}

fn cut(word: &str) -> String {
    word[..word.floor_char_boundary(64)].to_owned()
}
