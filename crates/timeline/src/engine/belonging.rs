//! Which of the objects around a Rollout belong to one of its attempts.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Engine;
use super::evidence::Evidence;
use crate::base::Key;
use crate::chain::Attempt;
use crate::seen::{AnalysisRunSeen, EvidenceOwner, ExperimentSeen};

/// Timestamps of the API server and of Argo's controller come from two clocks, to the second.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(2);

/// The AnalysisRuns and Experiments of an attempt, oldest first.
pub(super) fn evidence_of<'a>(
    evidence: &'a Evidence,
    (key, rollout_uid): (&Key, &str),
    attempt: &Attempt,
    attempts: &[Arc<Attempt>],
) -> (Vec<&'a AnalysisRunSeen>, Vec<&'a ExperimentSeen>) {
    let tries: Vec<&Attempt> =
        attempts.iter().map(Arc::as_ref).filter(|a| a.revision == attempt.revision).collect();
    let controls = |owner: &EvidenceOwner| match owner {
        EvidenceOwner::Rollout(_, uid) => uid == rollout_uid,
        EvidenceOwner::Experiment(..) => false,
    };
    let belongs = |run: &&AnalysisRunSeen| {
        let revision = match &run.owner {
            EvidenceOwner::Experiment(_, uid) => {
                let experiment = evidence.experiment_of(key, uid);
                let ours = experiment.filter(|experiment| controls(&experiment.owner));
                let Some(experiment) = ours else { return false };
                experiment.revision
            }
            owner if !controls(owner) => return false,
            EvidenceOwner::Rollout(..) => run.revision,
        };
        let of_revision = revision == Some(attempt.revision)
            || (revision.is_none() && run.hash.as_deref() == Some(&attempt.hash));
        of_revision && tried_by(run.created, &tries) == Some(attempt.number)
    };
    let runs: Vec<_> = evidence.runs_of(key).into_iter().filter(|run| belongs(run)).collect();
    let experiments: Vec<_> = evidence
        .experiments_of(key)
        .into_iter()
        .filter(|it| controls(&it.owner) && it.revision == Some(attempt.revision))
        .filter(|it| tried_by(it.created, &tries) == Some(attempt.number))
        .collect();
    (runs, experiments)
}

/// Which try of a revision something belongs to that was made at this time: the last one that had
/// begun by then, or else the first. When a try began may be known late, when the one before it
/// ended is known: Argo makes nothing in between.
fn tried_by(made: Option<Timestamp>, tries: &[&Attempt]) -> Option<u32> {
    let Some(made) = made else {
        return tries.iter().map(|attempt| attempt.number).max();
    };
    let begun = |attempt: &&&Attempt| {
        let before = tries.iter().find(|other| other.number.checked_add(1) == Some(attempt.number));
        let over = before.and_then(|before| before.ended);
        attempt.started.duration_since(made) <= CLOCK_SLACK
            || over.is_some_and(|over| made.duration_since(over) > CLOCK_SLACK)
    };
    let last = tries.iter().filter(begun).map(|attempt| attempt.number).max();
    last.or_else(|| tries.iter().map(|attempt| attempt.number).min())
}

impl Engine {
    /// Forgets what belongs to attempts whose journals are closed, whatever of them still waits for a
    /// collector.
    pub(super) fn forget_evidence(&mut self, key: &Key, names: &[Key]) {
        let journals = names.iter().filter_map(|name| self.journals.journal(name));
        let unclosed = journals.filter(|journal| journal.root_closed.is_none());
        let newest = self.chain(key).and_then(|chain| Some(chain.newest()?.revision));
        match unclosed.map(|journal| journal.identity.revision).min() {
            Some(oldest) => self.evidence.forget_until(key, oldest.saturating_sub(1), true),
            None => self.evidence.forget_until(key, newest.unwrap_or(0), false),
        }
    }
}

#[cfg(test)]
mod tests;
