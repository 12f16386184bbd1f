//! Texts of others, made fit to be kept and shown.

/// The text on one line and within so many bytes: cut between characters, control characters made
/// spaces.
pub(crate) fn bounded(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    if text.chars().any(char::is_control) {
        // Some control characters are two bytes long: it only gets shorter.
        text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
    text
}

/// The same of a text that may be missing.
pub(super) fn optional(text: Option<String>, bytes: usize) -> String {
    text.map(|text| bounded(text, bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_stands_on_one_line() {
        for (text, bytes, expected) in [
            ("plain", 10, "plain"),
            ("plain", 3, "pla"),
            ("né", 2, "n"),
            ("a\nb\tc\0d\u{85}e", 20, "a b c d e"),
            ("", 0, ""),
        ] {
            assert_eq!(bounded(text.to_owned(), bytes), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_longer_than_its_bound_or_has_control_characters(
            text in any::<String>(),
            bytes in 0usize..64,
        ) {
            let kept = bounded(text, bytes);
            prop_assert!(kept.len() <= bytes);
            prop_assert!(!kept.chars().any(char::is_control));
        }
    }
}
