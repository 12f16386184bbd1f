//! What holds for all Rollouts.

/// By which way links reach Keptn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ways {
    /// They are written ahead, into KeptnAppContexts.
    #[default]
    Context,
    /// They are decided for each KeptnAppVersion: what that needs is published.
    Admission,
    /// Both.
    Both,
}

/// Options that hold for all Rollouts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// By which way links reach Keptn.
    pub links: Ways,
    /// Write no KeptnAppContext at all.
    pub observe_only: bool,
    /// There is a collector to send spans to.
    pub export: bool,
}
