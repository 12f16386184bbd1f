//! A line that is being written.

use jiff::Timestamp;
use timeline::base::Moment;

use super::super::offset::moment;
use super::{NOTHING, PREFIX, THEN};

/// A line that is being written.
#[derive(Debug)]
pub(in crate::journal) struct Writer {
    text: String,
    start: Timestamp,
}

impl Writer {
    /// An empty line of an attempt that began at `start`.
    pub(in crate::journal) fn new(start: Timestamp) -> Self {
        Self { text: String::new(), start }
    }

    /// Moves the line to the right, below another.
    pub(in crate::journal) fn indent(mut self) -> Self {
        self.text.push(' ');
        self
    }

    /// A word that needs no quotes.
    pub(in crate::journal) fn word(mut self, word: impl AsRef<str>) -> Self {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(word.as_ref());
        self
    }

    /// One of a short list, by its name.
    pub(in crate::journal) fn name(self, word: impl std::fmt::Debug) -> Self {
        self.word(format!("{word:?}"))
    }

    /// A number or a name that may be missing.
    pub(in crate::journal) fn maybe(self, word: Option<impl ToString>) -> Self {
        match word {
            Some(word) => self.word(word.to_string()),
            None => self.word(NOTHING),
        }
    }

    /// Any text.
    pub(in crate::journal) fn text(self, text: &str) -> Self {
        let first = text.chars().next();
        let ambiguous = text.contains([' ', '\'', '|'])
            || text == NOTHING
            || first.is_none_or(|first| "#*".contains(first));
        if ambiguous { self.quoted(text) } else { self.word(text) }
    }

    /// The name of an object that Argo made for the attempt, beginning with `prefix`.
    pub(in crate::journal) fn object(self, name: &str, prefix: &str) -> Self {
        match name.strip_prefix(prefix) {
            Some(rest) if !rest.contains([' ', '\'']) => self.word(format!("{PREFIX}{rest}")),
            _ => self.text(name),
        }
    }

    /// Any text, always in quotes; nothing if it is empty.
    pub(in crate::journal) fn message(self, text: &str) -> Self {
        if text.is_empty() { self } else { self.quoted(text) }
    }

    fn quoted(self, text: &str) -> Self {
        self.word(format!("'{}'", text.replace('\'', "''")))
    }

    pub(in crate::journal) fn moment(self, at: &Moment) -> Self {
        let at = moment(at, self.start);
        self.word(at)
    }

    /// When an entry began that often begins where the one before ended.
    pub(in crate::journal) fn moment_after(self, at: &Moment, before: Option<&Moment>) -> Self {
        if before == Some(at) { self.word(THEN) } else { self.moment(at) }
    }

    pub(in crate::journal) fn maybe_moment(self, at: Option<&Moment>) -> Self {
        match at {
            Some(at) => self.moment(at),
            None => self.word(NOTHING),
        }
    }

    /// The number in the order of ends, if there is one.
    pub(in crate::journal) fn closed(self, closed: Option<u32>) -> Self {
        match closed {
            Some(closed) => self.word(format!("#{closed}")),
            None => self,
        }
    }

    /// The same, and behind a slash the place of the step that it hangs below, if that is another
    /// than the `usual` one.
    pub(in crate::journal) fn closed_below(
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

    pub(in crate::journal) fn end(self) -> String {
        self.text
    }
}
