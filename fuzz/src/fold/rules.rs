//! What holds of a journal after each observation, by the documentation of `timeline::journal` and
//! `timeline::spans`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use timeline::base::Moment;
use timeline::journal::{
    Analysis, Experiment, Facts, Journal, Link, Pause, Placement, Step, Switch, Weight,
};
use timeline::spans;
use timeline::spans::{Attribute, Span, Value};

/// What a journal once said and may not take back.
#[derive(Default)]
pub(crate) struct Said {
    closed: BTreeMap<u32, Entry>,
    /// An entry may make several spans, e.g. an analysis its measurements.
    spans: Vec<Span>,
    placed: Option<(Placement, Facts)>,
    root: Option<(u32, Vec<Link>)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Entry {
    Step(Step),
    Pause(Pause),
    Analysis(Analysis),
    Experiment(Experiment),
    Weight(Weight),
    Switch(Switch),
}

impl Said {
    pub(crate) fn must_hold(&mut self, journal: &Journal) {
        self.ends_stay(journal);
        self.decisions_stay(journal);
        self.spans_stay(journal);
        due_is_done(journal);
    }

    /// Entries that have ended are numbered in the order of ends, each once, and never change.
    fn ends_stay(&mut self, journal: &Journal) {
        let mut closed = BTreeMap::new();
        for (number, started, ended, entry) in entries(journal) {
            if let Some(ended) = ended {
                assert!(ended.at >= started.at, "an end is never before its start: {entry:?}");
            }
            if let Some(number) = number {
                assert!(ended.is_some(), "what has a number has ended: {entry:?}");
                assert!((1..=journal.closed).contains(&number), "{number}: {entry:?}");
                let other = closed.insert(number, entry);
                assert!(other.is_none(), "{number} is given once: {other:?}");
            }
        }
        if let Some(root) = journal.root_closed {
            assert_eq!(root, journal.closed, "the root has the last number");
            assert!(!closed.contains_key(&root), "{root} is the root's");
        }
        for (number, entry) in &self.closed {
            assert_eq!(closed.get(number), Some(entry), "{number} never changes");
        }
        self.closed = closed;
    }

    /// The placement and the facts are decided together, the links with the end of the root.
    fn decisions_stay(&mut self, journal: &Journal) {
        let placed = journal.placed.map(|placed| (placed, journal.facts.clone()));
        assert!(self.placed.is_none() || self.placed == placed, "placed once: {placed:?}");
        self.placed = placed;
        let root = journal.root_closed.map(|root| (root, journal.links.clone()));
        assert!(self.root.is_none() || self.root == root, "the root ends once: {root:?}");
        self.root = root;
    }

    /// The spans of what has ended are the same ever after, whole or in parts.
    fn spans_stay(&mut self, journal: &Journal) {
        let made = |after, until| spans::of(journal, after, until);
        assert!(made(0, journal.closed) == made(0, journal.closed), "the same journal, the same");
        let Some(batch) = made(0, journal.closed) else {
            assert!(self.spans.is_empty(), "what was a span once stays one");
            return;
        };
        let half = journal.closed / 2;
        let parts = [made(0, half), made(half, journal.closed)];
        let parts: Vec<_> = parts.into_iter().flatten().flat_map(|part| part.spans).collect();
        assert!(parts == batch.spans, "in parts as in one");
        assert!(batch.spans.is_sorted_by_key(|span| span.closed), "in the order of ends");
        attributes(&batch.resource);
        for span in &batch.spans {
            assert!((1..=journal.closed).contains(&span.closed));
            assert!(span.end >= span.start, "{span:?}");
            assert!(span.events.is_sorted_by_key(|event| event.at), "{span:?}");
            attributes(&span.attributes);
            span.events.iter().for_each(|event| attributes(&event.attributes));
            span.links.iter().for_each(|link| attributes(&link.attributes));
        }
        let ids: BTreeSet<_> = batch.spans.iter().map(|span| span.id).collect();
        assert_eq!(ids.len(), batch.spans.len(), "an id for each");
        for (n, span) in self.spans.iter().enumerate() {
            assert_eq!(batch.spans.get(n), Some(span), "exported the same again");
        }
        self.spans = batch.spans;
    }
}

/// What is due is decided when it is due: nobody asks twice for the same.
fn due_is_done(journal: &Journal) {
    // What is due at the end of all time never is.
    let Some(due) = journal.due().filter(|due| *due < Timestamp::MAX) else { return };
    let mut later = journal.clone();
    let _ = later.tick(due);
    assert!(later.due().is_none_or(|next| next > due), "{due} is still due");
}

fn attributes(attributes: &[Attribute]) {
    let keys = |pair: &[Attribute]| pair[0].key < pair[1].key;
    assert!(attributes.windows(2).all(keys), "sorted, each once: {attributes:?}");
    let text = |text: &String| {
        assert!(text.len() <= 1024 && !text.contains(char::is_control), "{text:?}");
    };
    for attribute in attributes {
        match &attribute.value {
            Value::Text(value) => text(value),
            Value::Texts(values) => values.iter().for_each(text),
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) => {}
        }
    }
}

/// Number, start, end, and what it is.
fn entries(
    journal: &Journal,
) -> impl Iterator<Item = (Option<u32>, Moment, Option<Moment>, Entry)> + '_ {
    macro_rules! ending {
        ($list:ident, $name:ident) => {
            journal
                .$list
                .iter()
                .map(|of| (of.closed, of.started, of.ended, Entry::$name(of.clone())))
        };
    }
    let switches = journal.switches.iter();
    ending!(steps, Step)
        .chain(ending!(pauses, Pause))
        .chain(ending!(analyses, Analysis))
        .chain(ending!(experiments, Experiment))
        .chain(ending!(weights, Weight))
        .chain(switches.map(|of| (of.closed, of.at, Some(of.at), Entry::Switch(of.clone()))))
}
