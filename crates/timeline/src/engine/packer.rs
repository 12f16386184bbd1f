//! What rests, as bytes: what one has in common with the first that rested is not kept again.

use std::hash::{DefaultHasher, Hasher as _};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Beyond this a text to compare with makes packing slower, and little smaller.
const TEXT: usize = 16_384;

/// Packs things of one kind. The bytes never leave the process.
#[derive(Debug, Default)]
pub(super) struct Packer {
    /// The first that was packed, which the others resemble: sentences, names of steps and labels.
    first: Vec<u8>,
}

impl Packer {
    /// None if it cannot be written.
    pub(super) fn pack(&mut self, value: &impl Serialize) -> Option<Box<[u8]>> {
        let bytes = postcard::to_allocvec(value).ok()?;
        if self.first.is_empty() {
            self.first = bytes.iter().copied().take(TEXT).collect();
        }
        let bytes = lz4_flex::block::compress_prepend_size_with_dict(&bytes, &self.first);
        // Copied: an allocator may leave what only shrinks where it is, with all its room.
        Some(bytes.as_slice().into())
    }

    /// None if the bytes are not of this packer, or of another kind of thing.
    pub(super) fn unpack<T: DeserializeOwned>(&self, bytes: &[u8]) -> Option<T> {
        let bytes =
            lz4_flex::block::decompress_size_prepended_with_dict(bytes, &self.first).ok()?;
        postcard::from_bytes(&bytes).ok()
    }
}

/// Two that differ have the same one in one of 2^64 cases.
pub(super) fn fingerprint(seen: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&postcard::to_allocvec(seen).unwrap_or_default());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_resembles_the_first_takes_few_bytes_and_comes_back_as_it_was() {
        let mut packer = Packer::default();
        let texts = |n: u32| {
            let line = |at: u32| format!("The next revision's trace links to number {}", n * at);
            (1..20).map(line).collect::<Vec<_>>()
        };
        let all: Vec<_> = (0..3).map(|n| packer.pack(&texts(n)).unwrap()).collect();
        for (n, bytes) in (0..3).zip(&all) {
            assert_eq!(packer.unpack(bytes), Some(texts(n)));
            assert!(bytes.len() < 400, "{} bytes", bytes.len());
        }
        let longer = vec!["words of another kind".repeat(2_000)];
        let bytes = packer.pack(&longer).unwrap();
        assert_eq!(packer.unpack(&bytes), Some(longer));
    }

    #[test]
    fn bytes_that_are_not_its_own_are_nothing() {
        let packer = Packer::default();
        for bytes in [&b""[..], b"\x01", b"\xff\xff\xff\xffwords", &[0xff; 64]] {
            assert_eq!(packer.unpack::<Vec<String>>(bytes), None, "{bytes:?}");
        }
    }
}
