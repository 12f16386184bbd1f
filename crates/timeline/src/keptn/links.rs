//! The links of an app: which ones are wanted, and how they go into a list that others edit too.

use crate::base::Traceparent;
use crate::chain::{Attempt, Chain};

/// How many links of ours an app carries at most. Keptn's spans take 128; a person reads a few.
pub const OURS_LIMIT: usize = 8;

/// The links that a Rollout wants in its app: the trace of what is live and, if it is another, the
/// trace of the newest attempt. Written ahead, because Keptn reads them within milliseconds of the
/// first new pod.
///
/// An attempt that has just begun has no trace yet, and Keptn is about to read the links for it:
/// until then they stay what it follows.
pub fn wanted_of(chain: &Chain) -> impl Iterator<Item = Traceparent> + '_ {
    let awaited = chain.newest().filter(|newest| newest.open() && newest.trace.is_none());
    let followed = awaited.into_iter().flat_map(|newest| &newest.follows);
    [chain.live(), chain.newest()]
        .into_iter()
        .flatten()
        .filter_map(Attempt::standing_trace)
        .chain(followed.filter_map(|follow| follow.trace))
}

/// Deduplicates by trace and keeps the first [`OURS_LIMIT`]; also says how many were left out.
pub fn bounded(links: impl IntoIterator<Item = Traceparent>) -> (Vec<Traceparent>, usize) {
    let mut kept: Vec<Traceparent> = Vec::new();
    let mut left_out = 0_usize;
    for link in links {
        if kept.iter().any(|known| known.trace_id() == link.trace_id()) {
            continue;
        }
        if kept.len() < OURS_LIMIT {
            kept.push(link);
        } else {
            left_out = left_out.saturating_add(1);
        }
    }
    (kept, left_out)
}

/// A list of span links and which of its entries are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanLinks {
    /// The whole list, foreign entries included.
    pub all: Vec<String>,
    /// Our entries; each stands once in `all`.
    pub ours: Vec<String>,
}

/// Brings our entries to `wanted` and touches nothing else: foreign entries stay, in their order.
///
/// An entry that a person put there already is not added again and stays theirs.
pub fn merge(present: &[String], ours: &[String], wanted: &[Traceparent]) -> SpanLinks {
    let wanted: Vec<String> = wanted.iter().map(Traceparent::to_string).collect();
    // One place in the list for each entry that the annotation names; a second is foreign.
    let mut unclaimed: Vec<&String> = ours.iter().collect();
    let is_ours: Vec<bool> = present
        .iter()
        .map(|entry| match unclaimed.iter().position(|our| *our == entry) {
            Some(place) => {
                unclaimed.swap_remove(place);
                true
            }
            None => false,
        })
        .collect();
    let mut all = Vec::with_capacity(present.len().saturating_add(wanted.len()));
    let mut kept = Vec::new();
    for (entry, is_ours) in present.iter().zip(&is_ours) {
        if !is_ours {
            all.push(entry.clone());
        } else if wanted.contains(entry) && !kept.contains(entry) {
            kept.push(entry.clone());
            all.push(entry.clone());
        }
    }
    for link in wanted {
        if !all.contains(&link) {
            all.push(link.clone());
            kept.push(link);
        }
    }
    SpanLinks { all, ours: kept }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link(n: u8) -> Traceparent {
        format!("00-{:032x}-{:016x}-01", u32::from(n) + 1, 1).parse().unwrap()
    }

    fn text(ns: &[u8]) -> Vec<String> {
        ns.iter().map(|n| link(*n).to_string()).collect()
    }

    #[test]
    fn ours_are_added_behind_what_a_person_has() {
        let merged = merge(&["theirs".to_owned()], &[], &[link(1)]);
        assert_eq!(merged.all, ["theirs".to_owned(), link(1).to_string()]);
        assert_eq!(merged.ours, text(&[1]));
    }

    #[test]
    fn ours_go_when_no_longer_wanted_and_foreign_entries_keep_their_places() {
        let present = ["a".to_owned(), link(1).to_string(), "b".to_owned(), "a".to_owned()];
        let merged = merge(&present, &text(&[1]), &[link(2)]);
        assert_eq!(merged.all, ["a".to_owned(), "b".into(), "a".into(), link(2).to_string()]);
        assert_eq!(merged.ours, text(&[2]));
    }

    #[test]
    fn a_link_that_a_person_wrote_is_left_to_them() {
        let merged = merge(&text(&[1]), &[], &[link(1)]);
        assert_eq!((merged.all, merged.ours), (text(&[1]), vec![]));
    }

    #[test]
    fn a_second_copy_of_ours_is_foreign() {
        let merged = merge(&text(&[1, 1]), &text(&[1]), &[]);
        assert_eq!((merged.all, merged.ours), (text(&[1]), vec![]));
    }

    #[test]
    fn an_entry_that_is_marked_as_ours_twice_stands_once() {
        let merged = merge(&text(&[1, 1]), &text(&[1, 1]), &[link(1)]);
        assert_eq!((merged.all, merged.ours), (text(&[1]), text(&[1])));
    }

    #[test]
    fn at_most_eight_traces_are_linked_and_each_once() {
        let (kept, left_out) = bounded((0..12).chain(0..3).map(link));
        assert_eq!((kept.len(), left_out), (OURS_LIMIT, 4));
    }

    proptest! {
        #[test]
        fn foreign_entries_survive_in_order_and_a_second_merge_changes_nothing(
            present in prop::collection::vec(0u8..6, 0..8),
            ours in prop::collection::hash_set(0u8..6, 0..4),
            wanted in prop::collection::hash_set(0u8..6, 0..4),
        ) {
            let (present, ours) = (text(&present), text(&ours.into_iter().collect::<Vec<_>>()));
            let wanted: Vec<_> = wanted.into_iter().map(link).collect();
            let merged = merge(&present, &ours, &wanted);
            let foreign = |all: &[String], ours: &[String]| {
                let mut ours = ours.to_vec();
                all.iter()
                    .filter(|entry| match ours.iter().position(|our| our == *entry) {
                        Some(place) => { ours.swap_remove(place); false }
                        None => true,
                    })
                    .cloned()
                    .collect::<Vec<_>>()
            };
            prop_assert_eq!(foreign(&merged.all, &merged.ours), foreign(&present, &ours));
            for link in &wanted {
                prop_assert!(merged.all.contains(&link.to_string()));
            }
            prop_assert_eq!(merge(&merged.all, &merged.ours, &wanted), merged);
        }
    }
}
