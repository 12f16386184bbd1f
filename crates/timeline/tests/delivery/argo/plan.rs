//! The steps of a canary.

/// A step of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Weight(u32),
    /// Seconds; none waits for a person.
    Pause(Option<u64>),
    Analysis,
    /// Requests with a header go to the canary.
    Header,
    /// Requests are copied to the canary, its answers are thrown away.
    Mirror,
    /// Pods of the canary without regard to its weight.
    Scale(u32),
}
