//! How the journal of an attempt that was seen badly may differ from that of an undisturbed one.

use std::fmt::Debug;

use jiff::SignedDuration;
use timeline::base::{Moment, Phase, Source};
use timeline::failure::Failure;
use timeline::journal::{
    Analysis, Facts, Journal, Link, LinkKind, Mark, MarkKind, Pause, ResumedBy, Step, StepResult,
    Switch,
};

use crate::SECOND;

/// From what happens to when it is observed.
const LATENCY: SignedDuration = SignedDuration::from_millis(500);

/// What must not differ between an undisturbed journal and another of the same attempt, and does,
/// in words.
///
/// AttemptId, facts, outcome, exposure, place, links, reason and analyses are the same. Steps may
/// be missing that nobody saw before Argo went back to the first one, and so may pauses, switches
/// and recoveries; but then a mark says that nobody was looking. How a step or a pause ended may be
/// unknown. A time may be inferred, if its bounds hold the time that was observed. A mark that the
/// Rollout bears for a while only may be missing without a word.
pub(crate) struct Differences {
    /// It was under way, or over, before anybody looked.
    first_sight: bool,
    wrong: Vec<String>,
    missing: Vec<String>,
}

impl Differences {
    pub(crate) fn between(live: &Journal, other: &Journal) -> Vec<String> {
        Self { first_sight: false, wrong: Vec::new(), missing: Vec::new() }.found(live, other)
    }

    /// The same for one that was under way, or over, before anybody looked: it is not known then
    /// whether users had been hit, nor how the attempt before it ended.
    pub(crate) fn at_first_sight(live: &Journal, other: &Journal) -> Vec<String> {
        Self { first_sight: true, wrong: Vec::new(), missing: Vec::new() }.found(live, other)
    }

    fn found(mut self, live: &Journal, other: &Journal) -> Vec<String> {
        self.compare(live, other);
        self.compare_entries(live, other);
        let says_so = |mark: &Mark| matches!(mark.kind, MarkKind::Gap | MarkKind::FirstSight);
        if !self.missing.is_empty() && !other.marks.iter().any(says_so) {
            self.wrong.push(format!("nothing says that this is missing: {:?}", self.missing));
        }
        self.wrong
    }

    fn compare(&mut self, live: &Journal, other: &Journal) {
        self.same("identity", &live.identity, &other.identity);
        let facts =
            |journal: &Journal| Facts { rebuilt: false, replaces: None, ..journal.facts.clone() };
        self.same("facts", &facts(live), &facts(other));
        if live.phase == Phase::Reverted {
            // A promotion and a rollback, both unseen, look the same.
            self.same_or("outcome", &live.phase, &other.phase, &Phase::Unknown);
        } else {
            self.same("outcome", &live.phase, &other.phase);
        }
        if !(self.first_sight && other.phase == Phase::Aborted) {
            self.same("exposed", &live.exposed, &other.exposed);
        }
        self.same("place", &live.placed, &other.placed);
        let links = |journal: &Journal| -> Vec<Link> {
            let after = |kind| match kind {
                LinkKind::Supersedes if self.first_sight => LinkKind::After,
                kind => kind,
            };
            let links = journal.links.iter();
            links.map(|link| Link { kind: after(link.kind), ..*link }).collect()
        };
        let (links_of_live, links) = (links(live), links(other));
        self.same("links", &links_of_live, &links);
        self.moment("start", Some(live.started), Some(other.started));
        self.moment("end", live.ended, other.ended);
        if other.settled.is_some() || live.settled.is_none() {
            self.moment("settled", live.settled, other.settled);
        } else {
            self.missing.push("settled".to_owned());
        }
        let why = |journal: &Journal| {
            let failure = journal.failure.clone();
            failure.map(|failure| Failure { at: live.started, ..failure })
        };
        self.same("failure", &why(live), &why(other));
        // It is when the failure was seen first.
        if let (Some(live), Some(other)) = (&live.failure, &other.failure)
            && live.at.at > other.at.at + SECOND
        {
            self.wrong.push(format!("failure: {}, and not {}", live.at, other.at));
        }
    }

    fn compare_entries(&mut self, live: &Journal, other: &Journal) {
        let marks = |journal: &Journal| -> Vec<(MarkKind, String)> {
            let marks = journal.marks.iter().map(|mark| (mark.kind, mark.note.clone()));
            marks
                .filter(|(kind, _)| !matches!(kind, MarkKind::Gap | MarkKind::FirstSight))
                .collect()
        };
        let marks_of_live = marks(live);
        for mark in marks(other).iter().filter(|mark| !marks_of_live.contains(mark)) {
            self.wrong.push(format!("mark {mark:?} never was"));
        }
        let steps = |journal: &Journal| -> Vec<(u32, String, String)> {
            let plan = |step: &Step| (step.index, step.kind.clone(), step.setting.clone());
            journal.steps.iter().map(plan).collect()
        };
        self.some_of("step", &steps(live), &steps(other));
        if live.steps.len() > other.steps.len() && other.phase == Phase::Promoted {
            self.wrong.push("a promotion has all steps".to_owned());
        }
        for (live, other) in live.steps.iter().zip(&other.steps) {
            let what = format!("step {}", live.index);
            self.same_or(&what, &live.result, &other.result, &StepResult::Unobserved);
            self.moment(&what, Some(live.started), Some(other.started));
            // The last that anybody saw ended when the first that nobody saw began.
            self.moment(&what, live.ended, other.ended);
        }
        let pause = |pause: &Pause| (pause.kind, pause.step, pause.planned);
        let pauses = |journal: &Journal| journal.pauses.iter().map(pause).collect::<Vec<_>>();
        self.some_of("pause", &pauses(live), &pauses(other));
        for other in &other.pauses {
            let Some(live) = live.pauses.iter().find(|live| pause(live) == pause(other)) else {
                continue;
            };
            let what = format!("pause at {:?}", other.step);
            self.same_or(&what, &live.resumed_by, &other.resumed_by, &Some(ResumedBy::Unknown));
            self.moment(&what, Some(live.started), Some(other.started));
            self.moment(&what, live.ended, other.ended);
        }
        let analyses = |journal: &Journal| -> Vec<Analysis> {
            let analyses = journal.analyses.iter().cloned();
            analyses.map(|it| Analysis { closed: it.closed.map(|_| 0), ..it }).collect()
        };
        let (analyses_of_live, mut analyses) = (analyses(live), analyses(other));
        for (live, other) in analyses_of_live.iter().zip(&mut analyses) {
            // It ended before its step was seen.
            if other.below.is_none() && live.below.is_some() {
                other.below = live.below;
                self.missing.push(format!("step of analysis {}", other.name));
            }
        }
        self.same("analyses", &analyses_of_live, &analyses);
        self.same("experiments", &live.experiments.len(), &other.experiments.len());
        let switch = |switch: &Switch| (switch.service, switch.to_new);
        let switches = |journal: &Journal| journal.switches.iter().map(switch).collect::<Vec<_>>();
        self.some_of("switch", &switches(live), &switches(other));
        for other in &other.switches {
            let live = live.switches.iter().find(|live| switch(live) == switch(other));
            self.moment("switch", live.map(|live| live.at), Some(other.at));
        }
    }

    fn same<T: PartialEq + Debug>(&mut self, what: &str, live: &T, other: &T) {
        if live != other {
            self.wrong.push(format!("{what}: {live:?}, and not {other:?}"));
        }
    }

    fn same_or<T: PartialEq + Debug>(&mut self, what: &str, live: &T, other: &T, unknown: &T) {
        if other != unknown {
            self.same(what, live, other);
        }
    }

    /// Some may be missing, but nothing comes in another order and nothing is invented.
    fn some_of<T: PartialEq + Debug>(&mut self, what: &str, live: &[T], other: &[T]) {
        let mut rest = live.iter();
        for one in other {
            let skipped = rest.by_ref().take_while(|it| *it != one);
            self.missing.extend(skipped.map(|it| format!("{what} {it:?}")));
        }
        self.missing.extend(rest.map(|it| format!("{what} {it:?}")));
        if let Some(one) = other.iter().find(|one| !live.contains(one)) {
            self.wrong.push(format!("{what} {one:?} never was"));
        }
    }

    /// A time that nobody saw lies between its bounds, and one of an object is of the same second.
    fn moment(&mut self, what: &str, live: Option<Moment>, other: Option<Moment>) {
        let agrees = |live: Moment, other: Moment| match other.source {
            Source::Inferred => {
                let after = other.after.is_none_or(|after| after <= live.at + SECOND);
                after && live.at <= other.at + SECOND + LATENCY
            }
            _ if [live.source, other.source].contains(&Source::Status) => {
                live.at.duration_since(other.at).abs() < SECOND
            }
            _ => false,
        };
        let found = live == other || live.zip(other).is_some_and(|(a, b)| agrees(a, b));
        if !found {
            self.wrong.push(format!("time of {what}: {live:?}, and not {other:?}"));
        }
    }
}
