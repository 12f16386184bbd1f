//! Names by what they belong to.

use std::collections::BTreeSet;
use std::ops::Bound;

use smol_str::SmolStr;

use super::Key;

/// Objects by the group that they belong to, in the same namespace. Most groups have one member, so
/// a pair is all that is kept of it.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeSet<(Key, SmolStr)>);

impl Groups {
    /// Adds an object to a group; false if it was there.
    pub(crate) fn insert(&mut self, group: Key, member: &Key) -> bool {
        debug_assert_eq!(group.namespace, member.namespace, "a group is of one namespace");
        self.0.insert((group, member.name.clone()))
    }

    /// Takes an object out of a group.
    pub(crate) fn remove(&mut self, group: Key, member: &Key) {
        self.0.remove(&(group, member.name.clone()));
    }

    /// The objects of a group, by name.
    pub(crate) fn of<'a>(&'a self, group: &'a Key) -> impl Iterator<Item = Key> + 'a {
        let first = (Bound::Included((group.clone(), SmolStr::default())), Bound::Unbounded);
        let members = self.0.range(first).take_while(move |(of, _)| of == group);
        members.map(|(of, name)| Key::new(of.namespace.clone(), name.clone()))
    }

    /// Whether anything belongs to a group.
    pub(crate) fn has(&self, group: &Key) -> bool {
        self.of(group).next().is_some()
    }

    /// The groups that anything belongs to, each at least once.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().map(|(group, _)| group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_members_that_were_not_taken_out_and_none_of_the_next_one() {
        let key = |name: &str| Key::new("shop", name);
        let mut groups = Groups::default();
        for (group, member) in [("app", "b"), ("app", "a"), ("app-2", "c"), ("ap", "d")] {
            assert!(groups.insert(key(group), &key(member)));
        }
        assert!(!groups.insert(key("app"), &key("a")));
        let of = |groups: &Groups, group| groups.of(&key(group)).collect::<Vec<_>>();
        assert_eq!(of(&groups, "app"), [key("a"), key("b")]);
        groups.remove(key("app"), &key("a"));
        assert_eq!(of(&groups, "app"), [key("b")]);
        groups.remove(key("app"), &key("b"));
        assert!(!groups.has(&key("app")) && groups.has(&key("app-2")));
    }
}
