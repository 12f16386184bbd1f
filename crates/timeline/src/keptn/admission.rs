//! The links of one KeptnAppVersion, decided at the moment when Keptn makes it.
//!
//! Keptn copies what stands in the KeptnAppContext then, whichever version it makes. For one of an
//! old version that is wrong: it would follow what came after it. What a KeptnAppVersion really
//! follows is decided by the attempts that may claim it (`attribution`), or that claimed the one
//! that it repeats.

use std::sync::Arc;

use smol_str::SmolStr;

use super::links::{bounded, merge};
use crate::base::{Phase, Traceparent};
use crate::chain::{Attempt, Chain, PackedChain};

/// What is known of an app, as it was published. It never changes: a later one takes its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppKnown {
    /// The Rollouts of the app whose links are ours to decide.
    pub rollouts: Box<[ChainKnown]>,
    /// Short name and version of workloads for which Keptn has made a KeptnAppVersion whose span is
    /// not known yet.
    pub unnamed: Box<[(SmolStr, SmolStr)]>,
    /// Links of ours that Keptn may still find in the KeptnAppContext and that no chain names.
    pub ours: Box<[Traceparent]>,
    /// What others put into the KeptnAppContext.
    pub foreign: Box<[String]>,
}

/// The chain of a Rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainKnown {
    /// Of one that is worked with.
    Awake(Chain),
    /// Of one that rests.
    Resting(Arc<PackedChain>),
}

/// The KeptnAppVersion that Keptn is about to make.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `metadata.name`
    pub name: &'a str,
    /// `spec.appName`
    pub app: &'a str,
    /// `spec.workloads`: short name and version.
    pub workloads: &'a [(SmolStr, SmolStr)],
    /// `spec.spanLinks`: as Keptn copied them from the KeptnAppContext.
    pub span_links: &'a [String],
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// `spec.spanLinks` as they have to be.
    Links(Vec<String>),
    /// An attempt or a trace is about to be seen: to be asked again when more is published, and if
    /// nothing is, these; none if it is better left as it is.
    NotYet(Option<Vec<String>>),
}

/// What one Rollout says of a workload in a version.
enum Word {
    /// An attempt that may claim the KeptnAppVersion.
    Own(Arc<Attempt>),
    /// An attempt that has claimed another; whether the version is live or tried now.
    Repeated(Arc<Attempt>, bool),
    /// None that was seen, though the workload is its.
    Unseen,
}

impl AppKnown {
    /// Decides the links of one KeptnAppVersion.
    pub fn decide(&self, asked: &Asked<'_>) -> Decision {
        let chains: Vec<Chain> = self.rollouts.iter().filter_map(ChainKnown::chain).collect();
        let mut own = Vec::new();
        let mut repeated = Vec::new();
        let (mut unseen, mut late) = (false, false);
        for (chain, (name, version)) in
            chains.iter().flat_map(|chain| asked.workloads.iter().map(move |it| (chain, it)))
        {
            let attempts = chain.attempts();
            let Some(word) = word(attempts, asked.app, name, version) else { continue };
            match word {
                Word::Own(attempt) => {
                    late |= self.waits(&attempt, attempts);
                    own.push(attempt);
                }
                Word::Repeated(attempt, current) => {
                    // A pod of what is neither live nor tried is of an attempt that begins just now,
                    // or it is one of the last of its ReplicaSet.
                    late |= !current;
                    repeated.push(attempt);
                }
                Word::Unseen => unseen = true,
            }
        }
        if unseen {
            return Decision::NotYet(None);
        }
        if own.is_empty() {
            let alone = asked.workloads.len() == 1;
            repeated.retain(|attempt| alone || repeats(asked.name, attempt));
            own = repeated;
        }
        let (links, _) = bounded(own.iter().flat_map(|attempt| follows(attempt)));
        let links = self.replaced(asked.span_links, &chains, &links);
        if late { Decision::NotYet(Some(links)) } else { Decision::Links(links) }
    }

    /// Whether Keptn is about to show the trace of something that this attempt follows.
    fn waits(&self, attempt: &Attempt, attempts: &[Arc<Attempt>]) -> bool {
        let followed = attempt.follows.iter().filter_map(|it| attempts.iter().find(|a| a.is(it)));
        followed.filter(|followed| followed.trace.is_none()).any(|followed| {
            let workload = followed.workload.as_ref();
            workload.is_some_and(|workload| {
                let is = |(name, version): &(SmolStr, SmolStr)| {
                    name == workload.short_name() && *version == workload.version
                };
                self.unnamed.iter().any(is)
            })
        })
    }

    /// The list with our entries brought to `wanted`; what is not ours stays.
    fn replaced(&self, list: &[String], chains: &[Chain], wanted: &[Traceparent]) -> Vec<String> {
        let attempts = || chains.iter().flat_map(Chain::attempts);
        let is_ours = |entry: &&String| {
            entry.parse::<Traceparent>().is_ok_and(|link| {
                self.ours.contains(&link) || attempts().any(|it| own_trace(it) == Some(link))
            }) && !self.foreign.contains(entry)
        };
        let ours: Vec<String> = list.iter().filter(is_ours).cloned().collect();
        merge(list, &ours, wanted).all
    }
}

impl ChainKnown {
    fn chain(&self) -> Option<Chain> {
        match self {
            Self::Awake(chain) => Some(chain.clone()),
            Self::Resting(packed) => packed.chain(),
        }
    }

    /// The traces that Keptn has made for its attempts.
    pub fn traces(&self) -> Vec<Traceparent> {
        let chain = self.chain().unwrap_or_default();
        chain.attempts().iter().filter_map(|attempt| own_trace(attempt)).collect()
    }
}

/// What a Rollout says of a workload in a version; nothing if it is not its. `attempts` are newest
/// first.
fn word(attempts: &[Arc<Attempt>], app: &str, name: &str, version: &str) -> Option<Word> {
    let is_it = |attempt: &Arc<Attempt>| {
        attempt.workload.as_ref().is_some_and(|it| it.app == app && it.short_name() == name)
    };
    let tried = |attempt: &&Arc<Attempt>| is_it(attempt) && attempt.version() == Some(version);
    let mut at_version = attempts.iter().filter(tried);
    let live = || attempts.iter().find(|attempt| attempt.phase == Phase::Promoted);
    let Some(newest) = at_version.next() else {
        // It may be what an attempt is that has just begun, whose ReplicaSet was not seen yet.
        let current = attempts.first().is_some_and(|it| it.workload.is_none() || is_it(it));
        let had = attempts.iter().any(is_it);
        return (had && (current || live().is_some_and(is_it))).then_some(Word::Unseen);
    };
    let is_first = at_version.clone().next().is_none();
    let agreed = newest.trace.as_ref().is_some_and(|trace| trace.workload_version.is_some());
    let is_newest = attempts.first().is_some_and(|first| Arc::ptr_eq(first, newest));
    let going_on = is_newest && matches!(newest.phase, Phase::Progressing | Phase::Promoted);
    let claims = if is_first {
        !agreed && (going_on || claimed(newest).is_none())
    } else {
        going_on && claimed(newest).is_none()
    };
    if claims {
        return Some(Word::Own(Arc::clone(newest)));
    }
    // One that Keptn made nothing for goes on with the version of an older one.
    let claiming = |attempt: &&Arc<Attempt>| claimed(attempt).is_some();
    let repeated = if claimed(newest).is_some() { None } else { at_version.find(claiming) };
    let current = newest.open() || live().is_some_and(|live| Arc::ptr_eq(live, newest));
    Some(Word::Repeated(Arc::clone(repeated.unwrap_or(newest)), current))
}

fn claimed(attempt: &Attempt) -> Option<&str> {
    attempt.trace.as_ref()?.app_version.as_deref()
}

fn own_trace(attempt: &Attempt) -> Option<Traceparent> {
    attempt.trace.as_ref().map(|trace| trace.traceparent)
}

/// The traces that an attempt follows, never its own.
fn follows(attempt: &Attempt) -> impl Iterator<Item = Traceparent> + '_ {
    let own = own_trace(attempt).filter(|_| claimed(attempt).is_some());
    let own = own.map(|trace| trace.trace_id());
    let traces = attempt.follows.iter().filter_map(|follow| follow.trace);
    traces.filter(move |trace| Some(trace.trace_id()) != own)
}

/// Whether Keptn makes again what this attempt has claimed: app and version are the same, and the
/// generation is another (`generation`).
fn repeats(name: &str, attempt: &Attempt) -> bool {
    let without_generation = |name: &str| Some(name.rsplit_once('-')?.0.to_owned());
    let this = without_generation(name);
    this.is_some() && claimed(attempt).and_then(without_generation) == this
}
