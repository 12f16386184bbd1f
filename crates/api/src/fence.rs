//! The rule by which the API server refuses what a leader writes that leads no more.

use kube::core::Rule;

/// What the API server says of a write that the rule refuses.
pub const FENCED: &str = "a later leader has written this: status.writerEpoch never goes back";

/// At the root of the schema: a rule on the field alone does not see that a write drops the status.
pub(crate) fn fence() -> Rule {
    Rule::new(
        "!has(oldSelf.status) || !has(oldSelf.status.writerEpoch) || (has(self.status) && \
         has(self.status.writerEpoch) && self.status.writerEpoch >= oldSelf.status.writerEpoch)",
    )
    .message(FENCED)
}
