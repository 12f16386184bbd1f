//! The timeline of one attempt: what happened, when, and the source of each time. It is what a
//! RolloutAttempt stores, and all that spans are made from.
//!
//! Entries that have ended are numbered in the order in which they ended, and never change again.
//! So what has left the process is one number, [`Exported::until`], and the journal is the queue.

mod entry;
mod fold;
mod of_analysis;
mod sink;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use entry::{
    Analysis, Experiment, Mark, MarkKind, Measurement, Metric, Pause, ResumedBy, Service, Step,
    StepResult, Switch, Weight,
};

pub use fold::{Look, Memory};
pub use of_analysis::of_analysis;
pub use sink::Sink;

use crate::base::{AttemptId, Moment, Phase, Source, SpanId, TraceId, Traceparent};
use crate::chain::Relation;
use crate::failure::Failure;
use crate::seen::Strategy;
use crate::seen::commit::{self, CommitTime};

/// The timeline of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Journal {
    /// Which attempt this is.
    pub identity: AttemptId,
    /// What is known of the revision; frozen when the attempt is placed.
    pub facts: Facts,
    /// Where the attempt stands; after the end this is its outcome.
    pub phase: Phase,
    /// Whether users could have been hit by the new revision.
    pub exposed: bool,
    /// Since when they could, as far as that is known.
    pub exposed_at: Option<Moment>,
    /// When it began.
    pub started: Moment,
    /// When it was decided: promoted, aborted, superseded, reverted or deleted.
    pub ended: Option<Moment>,
    /// After a promotion, when the Rollout was first Healthy; after an abort, when traffic was back
    /// on what is stable.
    pub settled: Option<Moment>,
    /// After an abort, when traffic was back on what is stable, if that was only after the root span
    /// had closed: spans that have left say nothing of it.
    pub recovered: Option<Moment>,
    /// Where its spans belong; decided once.
    pub placed: Option<Placement>,
    /// What its root span links to; frozen when the root closes.
    pub links: Vec<Link>,
    /// Argo's canary steps, in the order in which they began.
    pub steps: Vec<Step>,
    /// Pauses, in order.
    pub pauses: Vec<Pause>,
    /// AnalysisRuns, in the order in which they began.
    pub analyses: Vec<Analysis>,
    /// Experiments, in the order in which they began.
    pub experiments: Vec<Experiment>,
    /// Traffic weights of the new revision as Argo set them in a traffic router, in order.
    pub weights: Vec<Weight>,
    /// Switches of the services of a blue-green Rollout, in order.
    pub switches: Vec<Switch>,
    /// What else a reader has to know, in order: gaps, changed steps, deadlines.
    pub marks: Vec<Mark>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// How many entries there was no room for.
    pub cut: u32,
    /// How many entries have ended, the root among them.
    pub closed: u32,
    /// Number of the root span in the order of ends, once the attempt is over.
    pub root_closed: Option<u32>,
    /// What the collector of traces has acknowledged.
    pub exported: Exported,
    /// The same of each further sink; none until it has acknowledged something.
    pub offsets: BTreeMap<Sink, Exported>,
    /// What only this process remembers: neither stored nor compared.
    pub memory: Memory,
}

/// What is known of the revision beside what happened to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not exclude each other")]
pub struct Facts {
    /// Name of the ReplicaSet.
    pub replica_set: Option<String>,
    /// `Canary` or `BlueGreen`.
    pub strategy: Option<Strategy>,
    /// How many canary steps are planned.
    pub planned_steps: u32,
    /// Name of the service that is deployed (`service.name`).
    pub service: Option<String>,
    /// Version of the service that is deployed (`service.version`).
    pub version: Option<String>,
    /// Keptn's app (`service.namespace`), where there is one.
    pub app: Option<String>,
    /// Deployment environment (`deployment.environment.name`), if annotated.
    pub environment: Option<String>,
    /// Commit of the source (`vcs.ref.head.revision`).
    pub commit: Option<String>,
    /// When that commit was made, where that can be right.
    pub commit_time: Option<Timestamp>,
    /// Its source; none in what an earlier release stored.
    pub commit_time_source: Option<commit::Source>,
    /// Why what is said of that time was not used.
    pub commit_time_refused: Option<commit::Refusal>,
    /// It is declared to mend what it replaces.
    pub hotfix: bool,
    /// What was live when the attempt began.
    pub replaces: Option<Replaces>,
    /// Digest of the pod template without its labels and most annotations; 0 if it is not known.
    pub spec_digest: u64,
    /// Repository of the source (`vcs.repository.url.full`).
    pub repository: Option<String>,
    /// Who made the change (`vcs.change` author or a person's name), as annotated.
    pub author: Option<String>,
    /// Traceparent of the run that delivered it, as annotated: becomes a link, never a parent.
    pub origin: Option<Traceparent>,
    /// Images of the pods, `container=image`, in order.
    pub images: Vec<String>,
    /// A revision that a controller's upgrade made: its template equals that of what was live.
    pub upgrade: bool,
    /// The Rollout found its ReplicaSet there when it was created, and replaced nothing.
    pub adopted: bool,
    /// The attempt was under way, or over, before the operator first looked.
    pub rebuilt: bool,
}

/// What an attempt replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Replaces {
    /// Revision of what was live.
    pub revision: i64,
    /// Number of that attempt within the revision.
    pub number: u32,
    /// `Successor` or `Rollback`.
    pub relation: Relation,
}

impl Replaces {
    /// Whether it goes back to what was live before.
    pub fn goes_back(self) -> bool {
        self.relation == Relation::Rollback
    }
}

impl Facts {
    /// What is known of the time of the commit.
    pub fn commit_time_with_source(&self) -> CommitTime {
        let source = self.commit_time_source.unwrap_or(commit::Source::Throughline);
        match (self.commit_time, self.commit_time_refused) {
            (Some(at), _) => CommitTime::At(at, source),
            (None, Some(why)) => CommitTime::Refused(why),
            (None, None) => CommitTime::Unknown,
        }
    }
}

/// Where an attempt's spans belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Placement {
    /// The trace.
    pub trace: TraceId,
    /// Keptn's span that is the root's parent; none in a trace of its own.
    pub parent: Option<SpanId>,
}

/// A trace that an attempt's root span links to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Link {
    /// The span that is linked to.
    pub traceparent: Traceparent,
    /// Why.
    pub kind: LinkKind,
}

/// Why an attempt's root span links to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LinkKind {
    /// What was live when it began.
    PreviousRevision,
    /// What was live when it began, and this one goes back behind it.
    RollsBack,
    /// The attempt of the same revision before it.
    RetryOf,
    /// The attempt that was under way when it began.
    Supersedes,
    /// The attempt before it, which did not become live.
    After,
    /// The run that delivered the revision, by annotation.
    Origin,
}

/// What a sink has acknowledged: its offset into the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Exported {
    /// Everything that ended as number `until` or before was acknowledged, or refused.
    pub until: u32,
    /// How many spans were refused for good.
    pub refused: u32,
    /// What the sink said about the last of them.
    pub refusal: Option<String>,
}

impl Exported {
    /// Entries up to `until` are dealt with; so many of their spans were refused for good.
    pub(crate) fn refuse(&mut self, until: u32, spans: u64, why: &str) {
        self.until = self.until.max(until);
        self.refused = self.refused.saturating_add(u32::try_from(spans).unwrap_or(u32::MAX));
        self.refusal = Some(why.chars().take(128).collect());
    }
}

impl Journal {
    /// An attempt that has just begun, of which nothing else is known.
    pub fn begin(identity: AttemptId, started: Moment) -> Self {
        Self {
            identity,
            facts: Facts::default(),
            phase: Phase::Progressing,
            exposed: false,
            exposed_at: None,
            started: started.to_milliseconds(),
            ended: None,
            settled: None,
            recovered: None,
            placed: None,
            links: Vec::new(),
            steps: Vec::new(),
            pauses: Vec::new(),
            analyses: Vec::new(),
            experiments: Vec::new(),
            weights: Vec::new(),
            switches: Vec::new(),
            marks: Vec::new(),
            failure: None,
            cut: 0,
            closed: 0,
            root_closed: None,
            exported: Exported::default(),
            offsets: BTreeMap::new(),
            memory: Memory::default(),
        }
    }

    /// Whether it is still to be decided.
    pub fn open(&self) -> bool {
        self.ended.is_none()
    }

    /// When the entry of this number ended; none if there is none.
    pub fn closed_at(&self, number: u32) -> Option<Timestamp> {
        let is = |closed: Option<u32>| closed == Some(number);
        let steps = self.steps.iter().filter(|it| is(it.closed)).map(|it| it.ended);
        let pauses = self.pauses.iter().filter(|it| is(it.closed)).map(|it| it.ended);
        let analyses = self.analyses.iter().filter(|it| is(it.closed)).map(|it| it.ended);
        let experiments = self.experiments.iter().filter(|it| is(it.closed)).map(|it| it.ended);
        let weights = self.weights.iter().filter(|it| is(it.closed)).map(|it| it.ended);
        let switches = self.switches.iter().filter(|it| is(it.closed)).map(|it| Some(it.at));
        let root = is(self.root_closed).then_some(self.settled.or(self.ended));
        let entries = steps.chain(pauses).chain(analyses).chain(experiments);
        let mut all = entries.chain(weights).chain(switches).chain(root);
        all.next().flatten().map(|moment| moment.at)
    }

    /// The next number in the order of ends.
    pub fn next_closed(&mut self) -> u32 {
        self.closed = self.closed.saturating_add(1);
        self.closed
    }

    /// The highest traffic weight that the new revision reached, where it is known.
    pub fn max_weight(&self) -> Option<u32> {
        self.weights.iter().map(|weight| weight.percent).max()
    }

    /// Whether this journal goes on from `stored`: the same attempt, in the same place, and whatever
    /// makes a span there makes the same one here. An end that is stored stays what it is.
    pub fn continues(&self, stored: &Self) -> bool {
        fn same<T: PartialEq>(ours: &[T], stored: &[T], ended: impl Fn(&T) -> bool) -> bool {
            stored
                .iter()
                .enumerate()
                .all(|(at, entry)| !ended(entry) || ours.get(at) == Some(entry))
        }
        if stored.root_closed.is_some() {
            // The root says it all, but when traffic came back.
            let same = Self {
                recovered: stored.recovered.or(self.recovered),
                exported: self.exported.clone(),
                offsets: self.offsets.clone(),
                ..stored.clone()
            };
            return *self == same;
        }
        let placed = (&self.placed, &self.facts) == (&stored.placed, &stored.facts);
        let end = (self.phase, self.ended) == (stored.phase, stored.ended);
        self.identity == stored.identity
            && (stored.ended.is_none() || end)
            && (stored.placed.is_none() || placed)
            && same(&self.steps, &stored.steps, |entry| entry.closed.is_some())
            && same(&self.pauses, &stored.pauses, |entry| entry.closed.is_some())
            && same(&self.analyses, &stored.analyses, |entry| entry.closed.is_some())
            && same(&self.experiments, &stored.experiments, |entry| entry.closed.is_some())
            && same(&self.weights, &stored.weights, |entry| entry.closed.is_some())
            && same(&self.switches, &stored.switches, |entry| entry.closed.is_some())
    }

    /// Whether a moment of it is inferred.
    pub fn inferred(&self) -> bool {
        self.facts.rebuilt || self.started.source == Source::Inferred
    }
}

impl Journal {
    /// The context of the root span, once it is decided where that belongs.
    pub fn root_context(&self) -> Option<Traceparent> {
        let placed = self.placed?;
        Some(Traceparent::sampled(placed.trace, self.identity.span(&[])))
    }
}

impl Placement {
    /// A trace of the attempt's own.
    pub fn own(identity: &AttemptId) -> Self {
        Self { trace: identity.own_trace(), parent: None }
    }

    /// Inside the trace that Keptn made for the revision.
    pub fn inside(keptn: Traceparent) -> Self {
        Self { trace: keptn.trace_id(), parent: Some(keptn.span_id()) }
    }
}
