//! A line: words with one space between them. A text that could be taken for something else stands
//! between single quotes, a quote in it is written twice.

use jiff::Timestamp;
use serde::de::value::{Error as NoSuchWord, StrDeserializer};
use serde::de::{Deserialize, IntoDeserializer};
use timeline::base::Moment;

use super::offset::{moment, read_moment};

/// What stands where there is nothing.
const NOTHING: &str = "-";
/// What stands for the time at which the entry before ended.
const THEN: &str = "<";
/// What stands for the beginning of the names of Argo's objects.
const PREFIX: &str = "*";

/// Why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It ends too early.
    #[error("it ends where {0} should follow")]
    Missing(&'static str),
    /// A word is none of those that may stand there.
    #[error("{word:?} is no {expected}")]
    Unknown {
        /// What was expected.
        expected: &'static str,
        /// What stands there, cut to 64 bytes.
        word: String,
    },
    /// A quote has no end.
    #[error("a quote has no end")]
    Quote,
    /// There is more than belongs there.
    #[error("{0:?} is too much")]
    TooMuch(String),
    /// A metric without its analysis.
    #[error("a metric stands before the first analysis")]
    NoAnalysis,
}

/// A line that is being written.
#[derive(Debug)]
pub(super) struct Writer {
    text: String,
    start: Timestamp,
}

impl Writer {
    /// An empty line of an attempt that began at `start`.
    pub(super) fn new(start: Timestamp) -> Self {
        Self { text: String::new(), start }
    }

    /// Moves the line to the right, below another.
    pub(super) fn indent(mut self) -> Self {
        self.text.push(' ');
        self
    }

    /// A word that needs no quotes.
    pub(super) fn word(mut self, word: impl AsRef<str>) -> Self {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(word.as_ref());
        self
    }

    /// One of a short list, by its name.
    pub(super) fn name(self, word: impl std::fmt::Debug) -> Self {
        self.word(format!("{word:?}"))
    }

    /// A number or a name that may be missing.
    pub(super) fn maybe(self, word: Option<impl ToString>) -> Self {
        match word {
            Some(word) => self.word(word.to_string()),
            None => self.word(NOTHING),
        }
    }

    /// Any text.
    pub(super) fn text(self, text: &str) -> Self {
        let first = text.chars().next();
        let ambiguous = text.contains([' ', '\'', '|'])
            || text == NOTHING
            || first.is_none_or(|first| "#*".contains(first));
        if ambiguous { self.quoted(text) } else { self.word(text) }
    }

    /// The name of an object that Argo made for the attempt, beginning with `prefix`.
    pub(super) fn object(self, name: &str, prefix: &str) -> Self {
        match name.strip_prefix(prefix) {
            Some(rest) if !rest.contains([' ', '\'']) => self.word(format!("{PREFIX}{rest}")),
            _ => self.text(name),
        }
    }

    /// Any text, always in quotes; nothing if it is empty.
    pub(super) fn message(self, text: &str) -> Self {
        if text.is_empty() { self } else { self.quoted(text) }
    }

    fn quoted(self, text: &str) -> Self {
        self.word(format!("'{}'", text.replace('\'', "''")))
    }

    pub(super) fn moment(self, at: &Moment) -> Self {
        let at = moment(at, self.start);
        self.word(at)
    }

    /// When an entry began that often begins where the one before ended.
    pub(super) fn moment_after(self, at: &Moment, before: Option<&Moment>) -> Self {
        if before == Some(at) { self.word(THEN) } else { self.moment(at) }
    }

    pub(super) fn maybe_moment(self, at: Option<&Moment>) -> Self {
        match at {
            Some(at) => self.moment(at),
            None => self.word(NOTHING),
        }
    }

    /// The number in the order of ends, if there is one.
    pub(super) fn closed(self, closed: Option<u32>) -> Self {
        match closed {
            Some(closed) => self.word(format!("#{closed}")),
            None => self,
        }
    }

    /// The same, and behind a slash the place of the step that it hangs below, if that is another
    /// than the `usual` one.
    pub(super) fn closed_below(
        self,
        closed: Option<u32>,
        below: Option<u32>,
        usual: Option<u32>,
    ) -> Self {
        match (closed, below) {
            (Some(closed), Some(below)) if Some(below) != usual => {
                self.word(format!("#{closed}/{below}"))
            }
            (Some(closed), None) if usual.is_some() => self.word(format!("#{closed}/{NOTHING}")),
            _ => self.closed(closed),
        }
    }

    pub(super) fn end(self) -> String {
        self.text
    }
}

/// A word as it stands in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word<'a> {
    Bare(&'a str),
    Quoted(String),
}

/// A line that is being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a str,
    start: Timestamp,
}

impl<'a> Reader<'a> {
    /// A line of an attempt that began at `start`.
    pub(super) fn new(line: &'a str, start: Timestamp) -> Self {
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
    pub(super) fn is_word(&mut self, word: &str) -> bool {
        self.optional(|found| (found == word).then_some(())).is_some()
    }

    /// Any text.
    pub(super) fn text(&mut self, expected: &'static str) -> Result<String, LineError> {
        Ok(match self.next(expected)? {
            Word::Bare(word) => word.to_owned(),
            Word::Quoted(text) => text,
        })
    }

    /// A text in quotes, or nothing.
    pub(super) fn message(&mut self) -> Result<String, LineError> {
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
    pub(super) fn name<T: Deserialize<'a>>(
        &mut self,
        expected: &'static str,
    ) -> Result<T, LineError> {
        let word = self.bare(expected)?;
        named(word).ok_or_else(|| unknown(expected, word))
    }

    pub(super) fn maybe_name<T: Deserialize<'a>>(
        &mut self,
        expected: &'static str,
    ) -> Result<Option<T>, LineError> {
        if self.is_word(NOTHING) { Ok(None) } else { self.name(expected).map(Some) }
    }

    /// The name if one comes next.
    pub(super) fn optional_name<T: Deserialize<'a>>(&mut self) -> Option<T> {
        self.optional(named)
    }

    /// A number and what stands right behind it.
    pub(super) fn number<T: std::str::FromStr>(
        &mut self,
        expected: &'static str,
        unit: &str,
    ) -> Result<T, LineError> {
        let word = self.bare(expected)?;
        let digits = word.strip_suffix(unit).filter(|digits| is_number(digits));
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| unknown(expected, word))
    }

    pub(super) fn maybe_number<T: std::str::FromStr>(
        &mut self,
        expected: &'static str,
        unit: &str,
    ) -> Result<Option<T>, LineError> {
        if self.is_word(NOTHING) { Ok(None) } else { self.number(expected, unit).map(Some) }
    }

    /// Two numbers with a slash between them.
    pub(super) fn ratio(&mut self, expected: &'static str) -> Result<(u32, u32), LineError> {
        let word = self.bare(expected)?;
        let read = |digits: &str| is_number(digits).then(|| digits.parse().ok())?;
        let both = word.split_once('/').and_then(|(a, b)| Some((read(a)?, read(b)?)));
        both.ok_or_else(|| unknown(expected, word))
    }

    pub(super) fn moment(&mut self, expected: &'static str) -> Result<Moment, LineError> {
        let word = self.bare(expected)?;
        read_moment(word, self.start).ok_or_else(|| unknown(expected, word))
    }

    /// When an entry began, or `before` where it says so.
    pub(super) fn moment_after(
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
    pub(super) fn object(
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

    pub(super) fn maybe_moment(
        &mut self,
        expected: &'static str,
    ) -> Result<Option<Moment>, LineError> {
        if self.is_word(NOTHING) { Ok(None) } else { self.moment(expected).map(Some) }
    }

    /// The moment if one comes next.
    pub(super) fn optional_moment(&mut self) -> Option<Moment> {
        let start = self.start;
        self.optional(|word| read_moment(word, start))
    }

    /// The number in the order of ends, if there is one.
    pub(super) fn closed(&mut self) -> Option<u32> {
        self.optional(|word| {
            word.strip_prefix('#').filter(|digits| is_number(digits))?.parse().ok()
        })
    }

    /// The same, and the place of the step that it hangs below: the `usual` one if it is over and
    /// does not say.
    pub(super) fn closed_below(&mut self, usual: Option<u32>) -> (Option<u32>, Option<u32>) {
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
    pub(super) fn end<T>(&self, entry: T) -> Result<T, LineError> {
        match self.rest.trim_start() {
            "" => Ok(entry),
            rest => Err(LineError::TooMuch(cut(rest))),
        }
    }
}

/// The one of a short list that has this name.
pub(super) fn named<'a, T: Deserialize<'a>>(name: &'a str) -> Option<T> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_text_stands_in_quotes_only_where_it_could_be_taken_for_something_else() {
        for (text, expected) in [
            ("cart", "cart"),
            ("example/cart:2@x", "example/cart:2@x"),
            ("", "''"),
            ("-", "'-'"),
            ("#3", "'#3'"),
            ("two words", "'two words'"),
            ("it's", "'it''s'"),
            ("né", "né"),
        ] {
            assert_eq!(Writer::new(START).text(text).end(), expected);
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        let read = |line: &'static str| Reader::new(line, START);
        let missing = read("").text("kind").unwrap_err();
        assert_eq!(missing.to_string(), "it ends where kind should follow");
        let unknown = read("+5").number::<u32>("index", "").unwrap_err();
        assert_eq!(unknown.to_string(), r#""+5" is no index"#);
        assert_eq!(read("'open").text("kind"), Err(LineError::Quote));
        let line = read("more");
        assert_eq!(line.end(()).unwrap_err().to_string(), r#""more" is too much"#);
    }

    proptest! {
        #[test]
        fn any_texts_are_read_back(texts in prop::collection::vec(any::<String>(), 0..6)) {
            let line = texts.iter().fold(Writer::new(START), |line, text| line.text(text)).end();
            let mut reader = Reader::new(&line, START);
            for text in &texts {
                prop_assert_eq!(&reader.text("text").unwrap(), text);
            }
            prop_assert_eq!(reader.end(()), Ok(()));
        }

        #[test]
        fn any_line_is_read_or_refused(line in "[ '#|a-z0-9+-]{0,30}") {
            let mut reader = Reader::new(&line, START);
            while reader.text("text").is_ok() {
                reader.closed();
                let _ = reader.message();
            }
        }
    }
}
