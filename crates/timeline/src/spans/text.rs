//! Text that any backend takes: bounded, and free of control characters.

/// How long a text may be, in bytes: half of what Tempo keeps of an attribute
/// (grafana/tempo docs/sources/tempo/configuration, `max_attribute_bytes`).
pub(super) const LIMIT: usize = 1024;

const CUT: &str = "…";

/// The same text with a space for each control character, cut to [`LIMIT`].
pub(super) fn clean(text: &str) -> String {
    // What is not kept is not looked at either: a megabyte costs no more than a kilobyte.
    let kept = head(text, LIMIT);
    let cut = kept.len() < text.len();
    let kept = if cut { head(kept, LIMIT.saturating_sub(CUT.len())) } else { kept };
    let mut clean = String::with_capacity(kept.len().saturating_add(CUT.len()));
    let mut rest = kept;
    while let Some(at) = rest.find(char::is_control) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        clean.push_str(before);
        clean.push(' ');
        rest = after.trim_start_matches(char::is_control);
    }
    clean.push_str(rest);
    if cut {
        clean.push_str(CUT);
    }
    clean
}

/// The longest beginning of at most `limit` bytes.
fn head(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_a_space_and_long_texts_are_cut_with_a_mark() {
        let cases = [
            ("as it is".to_owned(), "as it is".to_owned()),
            ("two\r\nlines\u{85}\u{7f}and\u{0}".to_owned(), "two lines and ".to_owned()),
            ("x".repeat(LIMIT), "x".repeat(LIMIT)),
            ("x".repeat(LIMIT + 1), "x".repeat(LIMIT - 3) + "…"),
            ("é".repeat(LIMIT), "é".repeat(LIMIT / 2 - 2) + "…"),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(&text), expected);
            assert!(clean(&text).len() <= LIMIT);
        }
    }
}
