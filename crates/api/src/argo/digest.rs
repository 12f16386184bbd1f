//! A digest of JSON that is read and not kept.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Shows whether two pieces of JSON are the same, whatever the order of their fields.
///
/// A pod template is compared with that of an earlier revision, which is gone by then. Read field
/// by field into eight bytes, it costs no memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// The digest as a number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The digest of parts in order.
    #[must_use]
    pub fn of(parts: impl IntoIterator<Item = Self>) -> Self {
        parts
            .into_iter()
            .fold(Self::tagged(b'[', &[]), |all, part| Self(mix(all.0.rotate_left(5) ^ part.0)))
    }

    /// The digest of a text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::tagged(b'"', text.as_bytes())
    }

    /// FNV-1a; the tag keeps `"1"` and `1` apart.
    fn tagged(tag: u8, bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = [tag].iter().chain(bytes).fold(0xcbf2_9ce4_8422_2325, step);
        Self(mix(hash))
    }
}

/// Spreads each bit over all (the finalizer of SplitMix64): sums of fields must not cancel out.
const fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Digest, E> {
        Ok(Digest::tagged(b'0', &[]))
    }

    fn visit_none<E: Error>(self) -> Result<Digest, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<Digest, D::Error> {
        Digest::deserialize(value)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Digest, E> {
        Ok(Digest::tagged(b'?', &[u8::from(value)]))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Digest, E> {
        Ok(Digest::tagged(b'i', &value.to_be_bytes()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Digest, E> {
        Ok(Digest::tagged(b'i', &value.to_be_bytes()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Digest, E> {
        Ok(Digest::tagged(b'f', &value.to_bits().to_be_bytes()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Digest, E> {
        Ok(Digest::text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Digest, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = list.next_element()? {
            parts.push(part);
        }
        Ok(Digest::of(parts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Digest, A::Error> {
        // A sum: the order of fields says nothing.
        let mut sum = Digest::tagged(b'{', &[]).0;
        while let Some((Digest(key), Digest(value))) = map.next_entry()? {
            sum = sum.wrapping_add(mix(key.rotate_left(17) ^ value));
        }
        Ok(Digest(sum))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::argo::PodSpec;

    fn digest(value: &Value) -> Digest {
        Digest::deserialize(value).unwrap()
    }

    #[test]
    fn the_order_of_fields_says_nothing() {
        let a: Digest = serde_json::from_str(r#"{"a": 1, "b": [true, null]}"#).unwrap();
        let b: Digest = serde_json::from_str(r#"{"b": [true, null], "a": 1}"#).unwrap();
        assert_eq!(a, b);
    }

    #[test]
    fn whatever_else_differs_has_another_digest() {
        let values = [
            json!(null),
            json!(true),
            json!(false),
            json!(1),
            json!(-1),
            json!(1.5),
            json!("1"),
            json!(""),
            json!([]),
            json!({}),
            json!([1, 2]),
            json!([2, 1]),
            json!([[1], 2]),
            json!({ "a": "b" }),
            json!({ "b": "a" }),
            json!({ "a": { "b": 1 }, "c": {} }),
            json!({ "a": {}, "c": { "b": 1 } }),
            json!({ "a": 1, "b": 2 }),
            json!({ "a": 2, "b": 1 }),
        ];
        for (n, a) in values.iter().enumerate() {
            for b in &values[n + 1..] {
                assert_ne!(digest(a), digest(b), "{a} and {b}");
            }
        }
    }

    #[test]
    fn beside_fields_that_are_read_it_covers_the_others() {
        let spec = |spec: Value| serde_json::from_value::<PodSpec>(spec).unwrap();
        let a =
            spec(json!({ "containers": [{ "name": "a", "tty": true }], "dnsPolicy": "Default" }));
        let b =
            spec(json!({ "containers": [{ "name": "b", "tty": false }], "dnsPolicy": "Default" }));
        assert_eq!(a.rest, b.rest);
        let [a, b] = [a, b].map(|spec| spec.containers.unwrap_or_default()[0].clone());
        assert_eq!((a.name.as_deref(), b.name.as_deref()), (Some("a"), Some("b")));
        assert_ne!(a.rest, b.rest);
    }
}
