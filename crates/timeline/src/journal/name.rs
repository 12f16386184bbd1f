//! What a RolloutAttempt is called.

use super::Identity;

impl Identity {
    /// The name of its RolloutAttempt: the Rollout's, cut to fit, revision, number, and a few
    /// digits that tell it from one of a Rollout deleted and made again.
    pub fn name(&self) -> String {
        let digits: String = self.span(&["name"]).to_string().chars().take(5).collect();
        let tail = format!("-{}-{}-{digits}", self.revision, self.number);
        let cut: String = self.rollout.name.chars().take(253 - tail.len()).collect();
        format!("{cut}{tail}")
    }
}
