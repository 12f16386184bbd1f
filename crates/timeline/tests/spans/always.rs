//! What holds of the spans of any journal.

use std::collections::BTreeSet;

use proptest::prelude::*;
use timeline::journal::Journal;
use timeline::spans;
use timeline::spans::{Attribute, Batch, Parent, Span, Value, attributes};

use crate::any_journal::{earlier, journals, numbers};

fn all(journal: &Journal) -> Option<Batch> {
    spans::of(journal, 0, u32::MAX)
}

fn fine(text: &str) -> bool {
    text.len() <= 1024 && !text.contains(char::is_control)
}

fn well_formed(attributes: &[Attribute]) -> bool {
    attributes.len() <= 64
        && attributes.is_sorted_by(|a, b| a.key < b.key)
        && attributes.iter().all(|attribute| {
            attributes::ALL.contains(&attribute.key)
                && match &attribute.value {
                    Value::Text(text) => !text.is_empty() && fine(text),
                    Value::Texts(texts) => {
                        !texts.is_empty() && texts.len() <= 64 && texts.iter().all(|t| fine(t))
                    }
                    Value::Float(number) => number.is_finite(),
                    Value::Integer(_) | Value::Bool(_) => true,
                }
        })
}

/// Bounded and readable, whatever the journal says.
fn harmless(batch: &Batch) -> Result<(), TestCaseError> {
    prop_assert!(well_formed(&batch.resource), "{:?}", batch.resource);
    prop_assert!(batch.spans.is_sorted_by_key(|span| span.closed));
    for span in &batch.spans {
        prop_assert!(span.start <= span.end);
        prop_assert!(span.start.as_second() >= 0);
        prop_assert!(i64::try_from(span.end.as_nanosecond()).is_ok());
        prop_assert!(!span.name.is_empty() && fine(&span.name), "{:?}", span.name);
        prop_assert!(span.error.iter().all(|error| fine(error)), "{:?}", span.error);
        prop_assert!(well_formed(&span.attributes), "{:?}", span.attributes);
        prop_assert!(span.events.len() <= 128 && span.links.len() <= 128);
        prop_assert!(span.events.is_sorted_by_key(|event| event.at));
        for event in &span.events {
            prop_assert!(attributes::EVENTS.contains(&event.name));
            prop_assert!(well_formed(&event.attributes), "{:?}", event.attributes);
        }
        for link in &span.links {
            prop_assert!(link.to.trace_id() != span.trace);
            prop_assert!(well_formed(&link.attributes), "{:?}", link.attributes);
        }
    }
    Ok(())
}

/// The spans that something can hang below, whether they have left or not.
fn possible_parents(journal: &Journal) -> BTreeSet<[u8; 8]> {
    let id = |path: &[&str]| journal.identity.span(path).to_bytes();
    let steps = (0..journal.steps.len()).map(|n| id(&["step", &n.to_string()]));
    let analyses = journal.analyses.iter().map(|run| id(&["analysis", &run.uid]));
    steps.chain(analyses).chain([id(&[])]).collect()
}

fn spans_of(batch: Option<Batch>) -> Vec<Span> {
    batch.map(|batch| batch.spans).unwrap_or_default()
}

proptest! {
    #[test]
    fn spans_are_bounded_readable_and_in_order(journal in journals()) {
        if let Some(batch) = all(&journal) {
            harmless(&batch)?;
        }
    }

    #[test]
    fn each_entry_that_ended_is_one_span_with_an_id_of_its_own(journal in journals()) {
        let spans = spans_of(all(&journal));
        let ids: BTreeSet<_> = spans.iter().map(|span| span.id.to_bytes()).collect();
        prop_assert_eq!(ids.len(), spans.len());
        prop_assert!(!ids.contains(&[0; 8]));
        let found: BTreeSet<_> = spans.iter().map(|span| span.closed).collect();
        prop_assert_eq!(found, (1..=journal.closed).collect());
    }

    #[test]
    fn every_span_hangs_below_a_span_of_the_attempt_and_the_root_below_keptns(
        journal in journals(),
    ) {
        let placed = journal.placed.unwrap();
        let root = journal.identity.span(&[]);
        let parents = possible_parents(&journal);
        for span in spans_of(all(&journal)) {
            prop_assert_eq!(span.trace, placed.trace);
            if span.id == root {
                prop_assert_eq!(span.parent, placed.parent.map(|id| Parent { id, remote: true }));
            } else {
                let parent = span.parent.unwrap();
                prop_assert!(!parent.remote && parents.contains(&parent.id.to_bytes()));
                prop_assert!(parent.id != span.id);
            }
        }
    }

    #[test]
    fn however_they_are_asked_for_they_are_the_same(journal in journals(), size in 1u32..7) {
        let whole = all(&journal);
        let mut spans = Vec::new();
        let mut after = 0;
        while after < journal.closed {
            if let Some(batch) = spans::of(&journal, after, after + size) {
                prop_assert_eq!(Some(&batch.resource), whole.as_ref().map(|all| &all.resource));
                spans.extend(batch.spans);
            }
            after += size;
        }
        prop_assert_eq!(spans, spans_of(whole));
    }

    #[test]
    fn what_has_left_is_what_it_was_whatever_follows(
        journal in journals(),
        left in any::<prop::sample::Index>(),
    ) {
        let ended = journal.closed - u32::from(journal.root_closed.is_some());
        let until = u32::try_from(left.index(ended as usize + 1)).unwrap();
        let then = spans::of(&earlier(&journal, until), 0, until);
        prop_assert_eq!(then, spans::of(&journal, 0, until));
    }

    #[test]
    fn a_broken_journal_does_no_harm(
        journal in journals(),
        broken in prop::collection::vec(prop::option::of(0u32..5), 24),
        root in prop::option::of(any::<u32>()),
    ) {
        let mut journal = journal;
        for (closed, broken) in numbers(&mut journal).zip(broken) {
            *closed = broken;
        }
        journal.root_closed = root;
        if let Some(batch) = all(&journal) {
            harmless(&batch)?;
        }
    }
}
