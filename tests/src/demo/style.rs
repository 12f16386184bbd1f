//! Colours, where somebody wants them.

use std::env::var_os;

/// Whether a stream is written in colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    coloured: bool,
}

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Busy,
    Dim,
    Strong,
}

impl Style {
    /// For a stream that is a terminal, or is not. <https://no-color.org>
    pub(crate) fn of(terminal: bool) -> Self {
        let refused = var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = var_os("TERM").is_some_and(|term| term == "dumb");
        Self { coloured: terminal && !refused && !dumb }
    }

    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { coloured: false }
    }

    /// The text in the colour. Pad it before: a colour counts as width.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.coloured || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Busy => "36",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Breaks a line between words, so that no part is wider unless a word is.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match parts.last_mut() {
            Some(part) if part.chars().count() + 1 + word.chars().count() <= width => {
                part.push(' ');
                part.push_str(word);
            }
            _ => parts.push(word.into()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_has_colours() {
        assert_eq!(Style::of(false), Style::plain());
        assert_eq!(Style::plain().paint(Tone::Bad, "no"), "no");
        let coloured = Style { coloured: true };
        assert_eq!(coloured.paint(Tone::Bad, "no"), "\x1b[31mno\x1b[0m");
        assert_eq!(coloured.paint(Tone::Bad, ""), "");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("  one two three", 7), ["  one", "two", "three"]);
        assert_eq!(wrap("overlong and", 4), ["overlong", "and"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
