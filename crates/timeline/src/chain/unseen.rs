//! What is doubted of a chain where versions of the Rollout passed unseen.

use super::Chain;
use crate::base::{Phase, Source};
use crate::chain::Attempt;

impl Chain {
    /// Versions passed unseen: what they showed first may have begun at any time since then.
    /// `before` was the newest attempt until now.
    pub(crate) fn bound_newest(&mut self, before: Option<&Attempt>) {
        let bound = |newest: &Attempt| {
            before.is_none_or(|before| !newest.is_same(before))
                && newest.started_source == Source::Observed
        };
        if self.newest().is_some_and(bound)
            && let Some(newest) = self.newest_mut()
        {
            newest.started_source = Source::Inferred;
        }
    }

    /// Versions passed unseen in which what was live came back. It got another number, as it does for a
    /// return after a promotion too: it is not known whether the attempt until then was promoted.
    /// `before` was the newest until now.
    pub(crate) fn doubt_return(&mut self, before: Option<&Attempt>) {
        let was_open = before.is_some_and(|before| {
            before.open() && self.newest().is_some_and(|newest| newest.is_same(before))
        });
        if let Some(newest) = self.newest_mut().filter(|_| was_open)
            && newest.phase == Phase::Reverted
        {
            newest.phase = Phase::Unknown;
        }
    }
}
