//! A journal as it was stored.

mod lines;

use std::collections::BTreeSet;

use api::RolloutAttempt;
use api::rollout_attempt as rat;
use api::rollout_trace as rtr;
use kube::ResourceExt as _;
use serde::Deserialize;
use timeline::Key;
use timeline::base::{AttemptId, Moment, Phase, Source, TraceparentError};
use timeline::failure::Failure;
use timeline::journal::{Exported, Facts, Journal, Link, Placement, Replaces, Sink, Step, Weight};

use lines::Lines;

use super::line::{LineError, named};
use super::write::prefix;

/// No attempt has so many entries.
const MOST_CLOSED: u32 = 1_000_000;

/// A RolloutAttempt that stores no journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "RolloutAttempt {key}: {problem}; it is left alone: put back what stood there, or delete it"
)]
pub struct ReadError {
    /// Which one.
    pub key: Key,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a stored journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing is stored.
    #[error("it has no status")]
    Empty,
    /// A field is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A number is none.
    #[error("{field} cannot be {number}")]
    Number {
        /// Which.
        field: &'static str,
        /// What stands there.
        number: i64,
    },
    /// A word is none of those that may stand there.
    #[error("{field} cannot be {word:?}")]
    Word {
        /// Which.
        field: &'static str,
        /// What stands there.
        word: String,
    },
    /// An id is none.
    #[error("{field}: {source}")]
    Id {
        /// Which.
        field: &'static str,
        /// Why.
        source: TraceparentError,
    },
    /// An inferred time ends before it begins.
    #[error("{0}.notBefore is later than {0}.at")]
    Bounds(&'static str),
    /// A line cannot be read.
    #[error("line {line} of {field}: {source}")]
    Line {
        /// Which list.
        field: &'static str,
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: LineError,
    },
    /// The entries do not add up.
    #[error("#{0} is given twice, or is higher than closed")]
    Closed(u32),
    /// An entry hangs below a step that is not there.
    #[error("there is no step {0} that something could hang below")]
    Below(u32),
}

/// The journal that a RolloutAttempt stores.
pub fn read(object: &RolloutAttempt) -> Result<Journal, ReadError> {
    let key = Key::new(object.namespace().unwrap_or_default(), object.name_any());
    journal(object).map_err(|problem| ReadError { key, problem })
}

fn journal(object: &RolloutAttempt) -> Result<Journal, Problem> {
    let status = object.status.as_ref().ok_or(Problem::Empty)?;
    let started = status.started.as_ref().ok_or(Problem::Missing("started"))?;
    let started = moment("started", started)?;
    let maybe = |field, stored: &Option<rat::Moment>| {
        stored.as_ref().map(|stored| moment(field, stored)).transpose()
    };
    let identity = identity(object)?;
    let prefix = prefix(&identity);
    let lines = Lines { start: started.at, prefix: &prefix, steps: &[] };
    let steps = lines.in_a_row("steps", &status.steps, |step: &Step| step.ended, Lines::step)?;
    let lines = Lines { steps: &steps, ..lines };
    let journal = Journal {
        identity: identity.clone(),
        facts: facts(&status.facts)?,
        phase: phase(status.phase),
        exposed: status.exposed,
        exposed_at: maybe("exposedAt", &status.exposed_at)?,
        started,
        ended: maybe("ended", &status.ended)?,
        settled: maybe("settled", &status.settled)?,
        recovered: maybe("recovered", &status.recovered)?,
        placed: status.trace.as_ref().map(placed).transpose()?,
        links: status.links.iter().map(link).collect::<Result<_, _>>()?,
        pauses: lines.each("pauses", &status.pauses, |line| lines.pause(line))?,
        analyses: lines.analyses(&status.analyses)?,
        experiments: lines
            .each("experiments", &status.experiments, |line| lines.experiment(line))?,
        weights: lines.in_a_row(
            "weights",
            &status.weights,
            |one: &Weight| one.ended,
            Lines::weight,
        )?,
        switches: lines.each("switches", &status.switches, Lines::switch)?,
        marks: lines.each("marks", &status.marks, Lines::mark)?,
        failure: status.failure.as_ref().map(failure).transpose()?,
        cut: number("cut", status.cut)?,
        closed: number("closed", status.closed)?,
        root_closed: status.root_closed.map(|n| number("rootClosed", n)).transpose()?,
        exported: exported(&status.exported, status.closed)?,
        offsets: status
            .sinks
            .iter()
            .map(|(sink, offset)| Ok((Sink::new(sink), exported(offset, status.closed)?)))
            .collect::<Result<_, _>>()?,
        memory: timeline::journal::Memory::default(),
        steps: steps.clone(),
    };
    // The next number has to be one, too.
    if journal.closed > MOST_CLOSED {
        return Err(Problem::Number { field: "closed", number: status.closed });
    }
    add_up(&journal)?;
    Ok(journal)
}

/// A number that was given twice would be a span that is never sent, and one below a step that is
/// not there would have no parent.
fn add_up(journal: &Journal) -> Result<(), Problem> {
    let mut given = BTreeSet::new();
    let closed = journal
        .steps
        .iter()
        .map(|step| step.closed)
        .chain(journal.pauses.iter().map(|pause| pause.closed))
        .chain(journal.analyses.iter().map(|analysis| analysis.closed))
        .chain(journal.experiments.iter().map(|experiment| experiment.closed))
        .chain(journal.weights.iter().map(|weight| weight.closed))
        .chain(journal.switches.iter().map(|switch| switch.closed))
        .chain([journal.root_closed]);
    for number in closed.flatten() {
        if number == 0 || number > journal.closed || !given.insert(number) {
            return Err(Problem::Closed(number));
        }
    }
    let below = journal
        .pauses
        .iter()
        .map(|pause| pause.below)
        .chain(journal.analyses.iter().map(|analysis| analysis.below))
        .chain(journal.experiments.iter().map(|experiment| experiment.below));
    for place in below.flatten() {
        if place as usize >= journal.steps.len() {
            return Err(Problem::Below(place));
        }
    }
    Ok(())
}

fn identity(object: &RolloutAttempt) -> Result<AttemptId, Problem> {
    let spec = &object.spec;
    Ok(AttemptId {
        rollout: Key::new(object.namespace().unwrap_or_default(), &spec.rollout),
        rollout_uid: spec.rollout_uid.clone().into(),
        hash: spec.hash.clone().into(),
        revision: spec.revision,
        number: number("spec.attempt", spec.attempt)?,
    })
}

fn number(field: &'static str, number: i64) -> Result<u32, Problem> {
    u32::try_from(number).map_err(|_| Problem::Number { field, number })
}

fn word<'a, T: Deserialize<'a>>(field: &'static str, word: &'a str) -> Result<T, Problem> {
    named(word).ok_or_else(|| Problem::Word { field, word: word.to_owned() })
}

fn id<T: std::str::FromStr<Err = TraceparentError>>(
    field: &'static str,
    text: &str,
) -> Result<T, Problem> {
    text.parse().map_err(|source| Problem::Id { field, source })
}

fn exported(offset: &rat::Exported, closed: i64) -> Result<Exported, Problem> {
    if offset.until > closed {
        return Err(Problem::Number { field: "exported.until", number: offset.until });
    }
    Ok(Exported {
        until: number("exported.until", offset.until)?,
        refused: number("exported.refused", offset.refused)?,
        refusal: offset.refusal.clone(),
    })
}

fn moment(field: &'static str, stored: &rat::Moment) -> Result<Moment, Problem> {
    if stored.not_before.is_some_and(|after| after > stored.at) {
        return Err(Problem::Bounds(field));
    }
    let source = match stored.source {
        rtr::Source::Observed => Source::Observed,
        rtr::Source::Status => Source::Status,
        rtr::Source::Event => Source::Event,
        rtr::Source::Inferred => Source::Inferred,
    };
    Ok(Moment { at: stored.at, source, after: stored.not_before })
}

fn phase(phase: rtr::Phase) -> Phase {
    match phase {
        rtr::Phase::Progressing => Phase::Progressing,
        rtr::Phase::Promoted => Phase::Promoted,
        rtr::Phase::Aborted => Phase::Aborted,
        rtr::Phase::Superseded => Phase::Superseded,
        rtr::Phase::Reverted => Phase::Reverted,
        rtr::Phase::Deleted => Phase::Deleted,
        rtr::Phase::Unknown => Phase::Unknown,
    }
}

fn placed(trace: &rat::Trace) -> Result<Placement, Problem> {
    let parent = trace.parent.as_ref().map(|parent| id("trace.parent", parent)).transpose()?;
    Ok(Placement { trace: id("trace.id", &trace.id)?, parent })
}

fn link(link: &rat::Link) -> Result<Link, Problem> {
    Ok(Link {
        traceparent: id("links.traceparent", &link.traceparent)?,
        kind: word("links.kind", &link.kind)?,
    })
}

fn failure(failure: &rat::Failure) -> Result<Failure, Problem> {
    let cause = failure.cause.as_deref();
    Ok(Failure {
        class: word("failure.class", &failure.class)?,
        cause: cause.map(|cause| word("failure.cause", cause)).transpose()?,
        reason: failure.reason.clone(),
        message: failure.message.clone(),
        pod: failure.pod.clone(),
        container: failure.container.clone(),
        image: failure.image.clone(),
        at: moment("failure.at", &failure.at)?,
    })
}

fn replaces(text: &str) -> Result<Replaces, Problem> {
    let (relation, place) = text.split_once(' ').unwrap_or((text, ""));
    let relation = word("facts.replaces", relation)?;
    let (revision, number) = place.split_once('.').unwrap_or((place, ""));
    match (revision.parse(), number.parse()) {
        (Ok(revision), Ok(number)) => Ok(Replaces { revision, number, relation }),
        _ => Err(Problem::Word { field: "facts.replaces", word: text.to_owned() }),
    }
}

fn digest(text: &str) -> Result<u64, Problem> {
    let digits = u64::from_str_radix(text, 16);
    digits.map_err(|_| Problem::Word { field: "facts.specDigest", word: text.to_owned() })
}

fn facts(facts: &rat::Facts) -> Result<Facts, Problem> {
    let (origin, strategy) = (facts.origin.as_deref(), facts.strategy.as_deref());
    Ok(Facts {
        replica_set: facts.replica_set.clone(),
        strategy: strategy.map(|strategy| word("facts.strategy", strategy)).transpose()?,
        planned_steps: number("facts.plannedSteps", facts.planned_steps)?,
        service: facts.service.clone(),
        version: facts.version.clone(),
        app: facts.app.clone(),
        environment: facts.environment.clone(),
        commit: facts.commit.clone(),
        commit_time: facts.commit_time,
        commit_time_source: facts
            .commit_time_source
            .as_deref()
            .map(|source| word("facts.commitTimeSource", source))
            .transpose()?,
        commit_time_refused: facts
            .commit_time_refused
            .as_deref()
            .map(|why| word("facts.commitTimeRefused", why))
            .transpose()?,
        hotfix: facts.hotfix,
        replaces: facts.replaces.as_deref().map(replaces).transpose()?,
        spec_digest: facts.spec_digest.as_deref().map(digest).transpose()?.unwrap_or_default(),
        repository: facts.repository.clone(),
        author: facts.author.clone(),
        origin: origin.map(|origin| id("facts.origin", origin)).transpose()?,
        images: facts.images.clone(),
        upgrade: facts.upgrade,
        adopted: facts.adopted,
        rebuilt: facts.rebuilt,
    })
}
