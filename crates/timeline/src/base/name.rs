//! The name under which an attempt is stored.

use sha2::{Digest, Sha256};

use super::AttemptId;

/// As long as a label's value may be, so that the name can be one.
const LENGTH: usize = 63;
/// Hexadecimal digits that keep apart what was cut, and a Rollout from one of the same name before.
const DIGITS: usize = 5;

/// `<rollout>-<revision>-<number>-<digits>`, e.g. `cart-12-1-0f3a9`: the same for the same identity,
/// valid as name of an object (DNS-1123) and as value of a label.
///
/// Five digits distinguish identities well enough for people, not for certain: a caller that stores
/// under this name compares the identity that already stands there.
pub fn attempt_name(identity: &AttemptId) -> String {
    let revision = identity.revision.unsigned_abs();
    let end = format!("-{revision}-{}-{}", identity.number, digits(identity));
    let rollout: String = identity
        .rollout
        .name
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '.' | '-') => c,
            _ => '-',
        })
        .take(LENGTH.saturating_sub(end.len()))
        .collect();
    // Each part between dots begins and ends with a letter or digit.
    let parts = rollout.split('.').map(|part| part.trim_matches('-'));
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    match parts.join(".") {
        empty if empty.is_empty() => format!("rollout{end}"),
        rollout => rollout + &end,
    }
}

/// The name of an object as the value of a label: as it is, or cut and with digits that keep it
/// apart from others that begin alike.
pub fn label_of(name: &str) -> String {
    if name.len() <= LENGTH {
        return name.to_owned();
    }
    let begin: String = name.chars().take(LENGTH.saturating_sub(DIGITS + 1)).collect();
    format!("{}-{}", begin.trim_end_matches(['.', '-']), hexadecimal(&[name]))
}

fn digits(identity: &AttemptId) -> String {
    let (revision, number) = (identity.revision.to_string(), identity.number.to_string());
    hexadecimal(&[&identity.rollout_uid, &identity.hash, &revision, &number])
}

fn hexadecimal(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finalize();
    let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(DIGITS);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::Key;

    fn identity(rollout: &str, revision: i64, number: u32) -> AttemptId {
        AttemptId {
            rollout: Key::new("shop", rollout),
            rollout_uid: "1ca4f93b-c37f-437d-8401-e966a2eef6f4".into(),
            hash: "6d5694bbbf".into(),
            revision,
            number,
        }
    }

    #[test]
    fn a_name_shows_rollout_revision_and_number() {
        let long = "a".repeat(52) + "-b.c";
        for (rollout, revision, number, expected) in [
            ("cart", 2, 1, "cart-2-1-"),
            ("cart", 2, 2, "cart-2-2-"),
            ("cart.v2", 12, 1, "cart.v2-12-1-"),
            (&long, 2, 1, &format!("{}-2-1-", "a".repeat(52))),
            ("", 0, 1, "rollout-0-1-"),
            ("Cart_1-", -3, 1, "cart-1-3-1-"),
        ] {
            let name = attempt_name(&identity(rollout, revision, number));
            let digits = name.strip_prefix(expected);
            assert_eq!(digits.map(str::len), Some(DIGITS), "{name} is no {expected}…");
        }
    }

    #[test]
    fn whatever_makes_another_attempt_makes_another_name() {
        let one = identity("cart", 2, 1);
        let again = AttemptId { rollout_uid: "another".into(), ..one.clone() };
        let other = AttemptId { hash: "other".into(), ..one.clone() };
        let moved = AttemptId { rollout_uid: "x6d".into(), hash: "5".into(), ..one.clone() };
        let shifted = AttemptId { rollout_uid: "x6".into(), hash: "d5".into(), ..one.clone() };
        let all = [one, again, other, moved, shifted].map(|identity| attempt_name(&identity));
        for (n, a) in all.iter().enumerate() {
            assert!(!all[n + 1..].contains(a), "{a} twice");
        }
    }

    proptest! {
        #[test]
        fn any_identity_has_a_valid_name(
            rollout in ".{0,300}",
            revision in any::<i64>(),
            number in any::<u32>(),
        ) {
            let name = attempt_name(&identity(&rollout, revision, number));
            prop_assert!(name.len() <= LENGTH);
            for part in name.split('.') {
                let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
                prop_assert!(part.starts_with(inside) && part.ends_with(inside), "{}", name);
                prop_assert!(part.chars().all(|c| inside(c) || c == '-'), "{}", name);
            }
        }
    }
}
