//! Why attempts failed, against what was wrong with them.

use std::collections::BTreeSet;

use timeline::base::Phase;
use timeline::failure::{AbortCause, FailureClass};
use timeline::journal::Journal;

use super::Findings;
use crate::argo::Tried;
use crate::world::World;

impl World<'_> {
    pub(super) fn judge_failure(&self, findings: &Findings, tried: &Tried, stored: &Journal) {
        let failure = stored.failure.as_ref();
        let (class, cause) = (failure.map(|it| it.class), failure.and_then(|it| it.cause));
        let unseen = self.partly_unseen(tried);
        // Of two tries that are one the last failed, and what was wrong with the first is said of both.
        let as_next = |next: &Tried| {
            is_class(next, class, true, &tried.troubles) && is_cause(next, cause, true)
        };
        if unseen && self.next_tries(tried).any(as_next) {
            return;
        }
        let earlier = self.merged_tries(tried);
        let troubles = earlier.flat_map(|it| it.troubles.iter().copied().chain(it.class)).collect();
        let goes = tried.outcome == Phase::Deleted;
        findings.rule("class", goes || is_class(tried, class, unseen, &troubles), || {
            format!("{} failed for {failure:?}, and not {:?}: {tried}", tried.key, tried.class)
        });
        findings.rule("cause", is_cause(tried, cause, unseen), || {
            format!("{} was stopped for {failure:?}, and not {:?}", tried.key, tried.cause)
        });
    }
}

/// Whether that may be why it failed, if only part of it was seen; `earlier` was wrong with what is
/// taken for the same attempt.
fn is_class(
    tried: &Tried,
    class: Option<FailureClass>,
    unseen: bool,
    earlier: &BTreeSet<FailureClass>,
) -> bool {
    // What Argo says of an abort is right even where the reason was not seen.
    let said = match tried.cause {
        Some(AbortCause::Manual) => Some(FailureClass::ManualAbort),
        Some(AbortCause::Deadline) => Some(FailureClass::DeadlineExceeded),
        _ => None,
    };
    let less = class.is_none() || class == said || class == Some(FailureClass::Unknown);
    let was = |class| tried.troubles.contains(&class) || earlier.contains(&class);
    class == tried.class || (unseen || tried.doubtful) && (less || class.is_some_and(was))
}

fn is_cause(tried: &Tried, cause: Option<AbortCause>, unseen: bool) -> bool {
    let less = matches!(cause, None | Some(AbortCause::Unknown | AbortCause::Manual));
    cause == tried.cause || (unseen && less)
}
