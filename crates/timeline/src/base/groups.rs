//! Keys by what they belong to.

use std::collections::{BTreeMap, BTreeSet};

use super::Key;

/// Takes a key out of a group, and the group away with its last one.
pub(crate) fn forget(groups: &mut BTreeMap<Key, BTreeSet<Key>>, group: &Key, key: &Key) {
    if let Some(keys) = groups.get_mut(group) {
        keys.remove(key);
        if keys.is_empty() {
            groups.remove(group);
        }
    }
}
