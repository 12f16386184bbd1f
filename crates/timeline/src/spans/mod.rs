//! Spans as a pure function of a journal: the same journal makes the same bytes, so that a backend
//! shows a span once however often it was sent.
//!
//! The span of an entry is made of nothing but that entry, the identity, and what froze when the
//! attempt was placed. Only the root may say what became of the attempt. An entry that left before
//! the attempt ended would otherwise be another one when it is sent again.

pub mod attributes;
mod children;
mod resource;
mod result;
mod root;
mod span;
mod text;

use jiff::Timestamp;

use crate::base::{Moment, SpanId, SpanIds};
use crate::journal::{Analysis, Experiment, Journal, Pause, Placement, Step, Switch, Weight};

use attributes::Attributes;
pub use span::{Attribute, Batch, Parent, Span, SpanEvent, SpanKind, SpanLink, Value};

/// The latest time that backends understand, which count nanoseconds in 64 bits with a sign.
const LATEST: Timestamp = Timestamp::constant(9_223_372_036, 0);

/// The spans of the entries that ended as number `after + 1` to `until`, in that order. An analysis
/// brings its measurements along, the root what came after the end: they have its number, and stand
/// before it.
///
/// None before it is decided where the spans belong, and none if no entry has such a number.
pub fn of(journal: &Journal, after: u32, until: u32) -> Option<Batch> {
    let ids = journal.identity.spans();
    let root = ids.at(&[]);
    let trace = Trace { journal, placed: journal.placed?, ids, root };
    let mut entries = numbered(journal);
    entries.retain(|(closed, _)| (after.saturating_add(1)..=until).contains(closed));
    entries.sort_by_key(|(closed, _)| *closed);
    let mut spans = Vec::with_capacity(entries.len());
    for (closed, entry) in entries {
        match entry {
            Entry::Step(n, step) => spans.extend(trace.step(n, step, closed)),
            Entry::Pause(n, pause) => spans.extend(trace.pause(n, pause, closed)),
            Entry::Analysis(analysis) => trace.analysis(analysis, closed, &mut spans),
            Entry::Experiment(experiment) => spans.extend(trace.experiment(experiment, closed)),
            Entry::Weight(n, weight) => spans.extend(trace.weight(n, weight, closed)),
            Entry::Switch(n, switch) => spans.push(trace.switch(n, switch, closed)),
            Entry::Root => {
                spans.extend(trace.settling(closed));
                spans.extend(trace.attempt(closed));
            }
        }
    }
    (!spans.is_empty()).then(|| Batch { resource: resource::of(journal), spans })
}

/// An entry that has ended, with its place among its like where that is what names it. Places do
/// not change: entries are added behind the others and never taken away.
enum Entry<'a> {
    Step(usize, &'a Step),
    Pause(usize, &'a Pause),
    Analysis(&'a Analysis),
    Experiment(&'a Experiment),
    Weight(usize, &'a Weight),
    Switch(usize, &'a Switch),
    Root,
}

fn numbered(journal: &Journal) -> Vec<(u32, Entry<'_>)> {
    let mut entries = Vec::new();
    let mut add = |closed: Option<u32>, entry| entries.extend(closed.map(|closed| (closed, entry)));
    for (n, step) in journal.steps.iter().enumerate() {
        add(step.closed, Entry::Step(n, step));
    }
    for (n, pause) in journal.pauses.iter().enumerate() {
        add(pause.closed, Entry::Pause(n, pause));
    }
    for analysis in &journal.analyses {
        add(analysis.closed, Entry::Analysis(analysis));
    }
    for experiment in &journal.experiments {
        add(experiment.closed, Entry::Experiment(experiment));
    }
    for (n, weight) in journal.weights.iter().enumerate() {
        add(weight.closed, Entry::Weight(n, weight));
    }
    for (n, switch) in journal.switches.iter().enumerate() {
        add(switch.closed, Entry::Switch(n, switch));
    }
    add(journal.root_closed, Entry::Root);
    entries
}

/// The trace that the spans of a journal belong to.
struct Trace<'a> {
    journal: &'a Journal,
    placed: Placement,
    ids: SpanIds,
    root: SpanId,
}

/// What every span has.
struct Draft<'a> {
    path: &'a [&'a str],
    parent: SpanId,
    name: String,
    started: Moment,
    ended: Moment,
    closed: u32,
}

impl Trace<'_> {
    /// A span inside of the attempt.
    fn child(&self, draft: Draft<'_>, attributes: Attributes, error: Option<String>) -> Span {
        let (start, end, attributes) = period(draft.started, draft.ended, attributes);
        Span {
            trace: self.placed.trace,
            id: self.ids.at(draft.path),
            parent: Some(Parent { id: draft.parent, remote: false }),
            name: draft.name,
            kind: SpanKind::Internal,
            start,
            end,
            attributes: attributes.finish(),
            events: Vec::new(),
            links: Vec::new(),
            error,
            closed: draft.closed,
        }
    }
}

/// Start and end of a span, and their sources. Clocks differ: a parent may begin after its child,
/// and stays where it is; but nothing ends before it began.
fn period(
    started: Moment,
    ended: Moment,
    mut attributes: Attributes,
) -> (Timestamp, Timestamp, Attributes) {
    attributes.period(started, ended);
    let start = bounded(started.at);
    (start, bounded(ended.at).max(start), attributes)
}

/// The time as OTLP and its backends can say it.
fn bounded(at: Timestamp) -> Timestamp {
    at.clamp(Timestamp::UNIX_EPOCH, LATEST)
}
