//! Words of others made fit to be stored and shown: short, on one line, nothing hidden in them.

/// The text on one line, in at most `bytes` bytes.
///
/// Runs of white space and control characters become one space; characters that cannot be seen or
/// that change the direction of reading become `�`. What is cut off leaves a `…`, which counts.
/// A text that came from here stays as it is.
pub fn bounded(text: &str, bytes: usize) -> String {
    let mut line = String::with_capacity(bytes.min(text.len()));
    let mut gap = false;
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            gap = !line.is_empty();
            continue;
        }
        let shown = if hides(character) { char::REPLACEMENT_CHARACTER } else { character };
        let more = usize::from(gap).saturating_add(shown.len_utf8());
        if line.len().saturating_add(more) > bytes {
            return cut(line, bytes);
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(shown);
    }
    line
}

fn cut(mut line: String, bytes: usize) -> String {
    const MARK: char = '…';
    while line.len().saturating_add(MARK.len_utf8()) > bytes {
        if line.pop().is_none() {
            return line;
        }
    }
    line.truncate(line.trim_end().len());
    line.push(MARK);
    line
}

/// Unicode's format characters (Cf), but the two joiners that scripts and emoji are written with.
fn hides(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_becomes_one_visible_line_of_bounded_length() {
        let cases = [
            ("not found", 16, "not found"),
            ("not found", 9, "not found"),
            ("not found", 8, "not f…"),
            ("not found", 7, "not…"),
            ("not found", 6, "not…"),
            ("not found", 3, "…"),
            ("not found", 2, ""),
            ("not found", 0, ""),
            ("", 8, ""),
            (" \n\t ", 8, ""),
            ("\u{85}a\r\n\u{2028}b\0\u{1b}[31mc  ", 16, "a b [31mc"),
            ("user\u{202e}gpj.exe", 32, "user�gpj.exe"),
            ("\u{feff}a\u{200b}b", 32, "�a�b"),
            ("👩\u{200d}🚀 café", 32, "👩\u{200d}🚀 café"),
            ("éééé", 8, "éééé"),
            ("éééé", 7, "éé…"),
            ("ab                    ", 2, "ab"),
        ];
        for (text, bytes, expected) in cases {
            assert_eq!(bounded(text, bytes), expected, "{text:?} in {bytes}");
        }
    }

    #[test]
    fn a_megabyte_is_cut() {
        let text = "very long ".repeat(100_000);
        assert_eq!(bounded(&text, 22), "very long very long…");
    }

    proptest! {
        #[test]
        fn any_text_is_bounded_and_stays_as_it_became(text in "\\PC*|(?s).*", bytes in 0usize..96) {
            let line = bounded(&text, bytes);
            prop_assert!(line.len() <= bytes);
            prop_assert!(!line.chars().any(|c| c.is_control() || hides(c)));
            prop_assert!(!line.contains("  ") && line.trim() == line);
            prop_assert_eq!(bounded(&line, bytes), line);
        }
    }
}
