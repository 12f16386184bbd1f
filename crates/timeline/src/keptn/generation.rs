//! Keptn's generation hash: a KeptnAppVersion ends with the first 8 hexadecimal digits of the
//! SHA-256 of its KeptnApp's generation (apis/lifecycle/v1/common/common.go, `Hash`).

use std::collections::HashMap;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// Generations that are recognised; a KeptnApp that was changed more often sorts by time alone.
const KNOWN: u32 = 4096;

static GENERATIONS: LazyLock<HashMap<String, u32>> =
    LazyLock::new(|| (1..=KNOWN).map(|generation| (hash(generation), generation)).collect());

/// The generation in a KeptnAppVersion's name, if it can be recognised.
pub fn of_name(name: &str) -> Option<u32> {
    let (_, suffix) = name.rsplit_once('-')?;
    GENERATIONS.get(suffix).copied()
}

fn hash(generation: u32) -> String {
    let digest = Sha256::digest(generation.to_string());
    let [a, b, c, d, ..] = digest.as_slice() else {
        return String::new();
    };
    format!("{a:02x}{b:02x}{c:02x}{d:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generation_is_read_from_the_names_of_the_recordings() {
        assert_eq!(of_name("shop-1.0.0-6b86b273"), Some(1));
        assert_eq!(of_name("shop-2.0.0-d4735e3a"), Some(2));
        assert_eq!(of_name("shop-2.0.0-4b227777"), Some(4));
        assert_eq!(of_name("shop-d0e2962a9f-e7f6c011"), Some(6));
        assert_eq!(of_name("shop"), None);
        assert_eq!(of_name("shop-1.0.0-00000000"), None);
    }
}
