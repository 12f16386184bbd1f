//! Values by the name of an object, found among 30,000 as fast as among 100.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::Key;

/// So much room is never given back.
const ROOM: usize = 256;

/// What is looked up many times for each event. Names share long beginnings, so an ordered map would
/// compare most of their text at every step down.
///
/// Values stay where they are when there are more; a large table would keep room for as many of them.
///
/// The seed of the hash is fixed: what a recording is replayed into does the same again. Nothing that
/// depends on order can be asked, but for the keys, which are sorted first.
#[derive(Debug, Clone)]
pub(crate) struct ByKey<V>(HashMap<Key, Box<V>, FixedState>);

impl<V> Default for ByKey<V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<V> ByKey<V> {
    pub(crate) fn get(&self, key: &Key) -> Option<&V> {
        self.0.get(key).map(AsRef::as_ref)
    }

    pub(crate) fn get_mut(&mut self, key: &Key) -> Option<&mut V> {
        self.0.get_mut(key).map(AsMut::as_mut)
    }

    pub(crate) fn contains_key(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn insert(&mut self, key: Key, value: V) {
        self.0.insert(key, Box::new(value));
    }

    /// Room that very many have left is given back: at a start all are there at once, and then rest.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<V> {
        let removed = self.0.remove(key);
        if removed.is_some() && self.0.capacity() > ROOM.max(self.0.len().saturating_mul(8)) {
            self.0.shrink_to(self.0.len().saturating_mul(2));
        }
        removed.map(|value| *value)
    }

    /// What is there, or a new one.
    pub(crate) fn or_default(&mut self, key: &Key) -> &mut V
    where
        V: Default,
    {
        self.0.entry(key.clone()).or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// In the order of keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        let mut keys: Vec<_> = self.0.keys().collect();
        keys.sort_unstable();
        keys.into_iter()
    }

    /// Whether this holds for any.
    pub(crate) fn any(&self, holds: impl Fn(&V) -> bool) -> bool {
        self.0.values().any(|value| holds(value))
    }

    /// Does the same to each.
    pub(crate) fn each(&mut self, change: impl Fn(&mut V)) {
        self.0.values_mut().for_each(|value| change(value));
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        Key::new("shop", format!("cart-{number}"))
    }

    #[test]
    fn keys_are_sorted_whatever_the_order_in_which_they_came() {
        let mut map = ByKey::default();
        for number in [7, 3, 9, 1] {
            *map.or_default(&key(number)) = number;
        }
        assert_eq!(map.remove(&key(9)), Some(9));
        assert_eq!(map.keys().cloned().collect::<Vec<_>>(), [1, 3, 7].map(key));
    }

    #[test]
    fn room_that_many_have_left_is_given_back_and_none_is_lost() {
        let mut map = ByKey::default();
        for number in 0..10_000 {
            map.insert(key(number), number);
        }
        for number in 10..10_000 {
            assert_eq!(map.remove(&key(number)), Some(number));
        }
        assert!(map.0.capacity() <= ROOM, "{}", map.0.capacity());
        assert!((0..10).all(|number| map.get(&key(number)) == Some(&number)));
    }
}
