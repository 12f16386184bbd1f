//! Words of others, made fit to be stored and shown.

/// The text without control characters, cut to at most `limit` bytes between two characters.
pub(super) fn clean(text: &str, limit: usize) -> String {
    let kept = text.get(..text.floor_char_boundary(limit)).unwrap_or_default();
    // A control character is never shorter than the space that replaces it.
    kept.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The same of an optional text; none if nothing is left.
pub(super) fn clean_option(text: Option<&str>, limit: usize) -> Option<String> {
    text.map(|text| clean(text, limit)).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_characters_become_spaces_and_characters_stay_whole() {
        assert_eq!(clean("a\nb\u{1b}[0m\u{85}", 64), "a b [0m ");
        assert_eq!(clean("héé", 4), "hé");
        assert_eq!(clean("é", 1), "");
        assert_eq!(clean_option(Some("\n\t"), 8), None);
    }

    proptest! {
        #[test]
        fn any_text_is_cut_to_its_limit(text in any::<String>(), limit in 0usize..40) {
            let cut = clean(&text, limit);
            prop_assert!(cut.len() <= limit);
            prop_assert!(!cut.chars().any(char::is_control));
        }
    }
}
