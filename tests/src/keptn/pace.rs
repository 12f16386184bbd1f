//! How long the stand-in waits, and between what.

use std::time::Duration;

/// The waits of Keptn. The order of things is the same at any pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From a `KeptnAppCreationRequest` to the app, when the app may have several workloads
    /// (`keptnAppCreationRequestTimeoutSeconds`).
    pub discovery: Duration,
    /// Until a workload version looks for its app version again
    /// (keptnworkloadversion/controller.go:106).
    pub match_retry: Duration,
    /// Between two looks at a phase that is under way (controllers/common/phase/handler.go:46).
    pub phase_poll: Duration,
    /// Between two looks at a gated pod (schedulinggates/controller.go).
    pub gate_poll: Duration,
    /// How long a deployment may take (`observabilityTimeout`).
    pub observability: Duration,
}

impl Pace {
    /// Keptn's own waits, with the `KeptnConfig` of the recordings.
    pub const fn real() -> Self {
        Self {
            discovery: Duration::from_secs(1),
            match_retry: Duration::from_secs(10),
            phase_poll: Duration::from_secs(5),
            gate_poll: Duration::from_secs(10),
            observability: Duration::from_mins(5),
        }
    }

    /// For tests: a revision's trace is known after a second instead of ten.
    pub const fn fast() -> Self {
        Self {
            discovery: Duration::from_millis(300),
            match_retry: Duration::from_secs(1),
            phase_poll: Duration::from_millis(300),
            gate_poll: Duration::from_millis(200),
            observability: Duration::from_mins(5),
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::fast()
    }
}
