//! What a process remembers of a journal beside what is stored.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use super::super::Journal;
use super::{ANNOTATION_WAIT, PLACEMENT_WAIT};
use crate::base::{AttemptId, Traceparent};
use crate::failure::Failure;

/// As many things as are counted that there is no room for.
const COUNTED: usize = 4096;

/// What only this process knows of a journal. It is not stored and says nothing about the attempt:
/// two journals that differ in it alone are equal.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// What the last look said beside the version of the Rollout.
    pub(super) look: Option<LastLook>,
    /// The Rollout is gone.
    pub(super) gone: bool,
    /// After an abort, its traffic is that of a later try: when it was back is not to be seen.
    pub(super) taken_over: bool,
    /// `status.currentStepHash` of the steps that were followed last.
    pub(super) step_hash: Option<SmolStr>,
    /// Digest of the template that the attempt is of.
    pub(super) template: Option<u64>,
    /// A failure was seen, and stored at once.
    pub(super) failed: bool,
    /// What Argo said of an abort before it gave its reason.
    pub(super) blamed: Option<Failure>,
    /// Why pods are not ready that may only be starting.
    pub(super) starting: Option<Failure>,
    /// What Argo said of the attempt in the last look at it, and had not taken back.
    pub(super) standing: Option<Failure>,
    /// Since when pods are not ready and do not say why.
    pub(super) silent_since: Option<Timestamp>,
    /// When the pods that were seen last have to be looked at again.
    pub(super) look_again: Option<Timestamp>,
    /// The root of the attempt that it follows, if Keptn made no trace for that: ids are digests, and
    /// each version of the Rollout asks for the same.
    pub(super) followed: Option<(AttemptId, Traceparent)>,
    /// Digests of the things that there was no room for, to count each once.
    unfit: BTreeSet<u64>,
}

/// What the last look said.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastLook {
    /// Nothing has replaced the attempt.
    pub(super) newest: bool,
    /// Keptn may still make a trace.
    pub(super) keptn_may_come: bool,
    /// What is known of the facts.
    pub(super) facts: FactsSeen,
    /// Keptn's trace, and whether its KeptnWorkloadVersion agrees.
    pub(super) trace: Option<(Traceparent, bool)>,
}

/// What a look says of the facts of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FactsSeen {
    /// The ReplicaSet was not seen.
    No,
    /// It names the commit of what is live: Argo copied the annotations of the Rollout, and a
    /// pipeline may write others in a moment.
    CommitOfLive,
    /// All.
    All,
}

impl LastLook {
    /// How long it may take until all is known that freezes with the placement.
    pub(super) fn wait(&self) -> SignedDuration {
        let agreed = self.trace.is_some_and(|(_, agreed)| agreed);
        match self.facts {
            _ if self.keptn_may_come && !agreed => PLACEMENT_WAIT,
            FactsSeen::No => PLACEMENT_WAIT,
            FactsSeen::CommitOfLive => ANNOTATION_WAIT,
            FactsSeen::All => SignedDuration::ZERO,
        }
    }
}

impl PartialEq for Memory {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memory {}

impl Hash for Memory {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Journal {
    /// This process has folded no version of the Rollout into it.
    pub(crate) fn never_looked_at(&self) -> bool {
        self.memory.look.is_none()
    }

    /// Counts a thing that there is no room for, once; false if no more are counted. What an
    /// earlier process counted is counted again by this one, so the higher count is the right one.
    pub(super) fn cut(&mut self, thing: &impl Hash) -> bool {
        if self.memory.unfit.len() < COUNTED {
            // Its keys are fixed: the same thing has the same digest.
            let mut hasher = DefaultHasher::new();
            thing.hash(&mut hasher);
            self.memory.unfit.insert(hasher.finish());
        }
        let count = u32::try_from(self.memory.unfit.len()).unwrap_or(u32::MAX);
        self.cut = self.cut.max(count);
        self.memory.unfit.len() < COUNTED
    }
}
