//! What the process ends with. The same table is in `throughline --help` and docs/cli.md.

use crate::cluster::{AskError, ConfigError};
use crate::dora::DoraError;
use crate::explain::ExplainError;
use crate::runtime::RunError;
use crate::uninstall::UninstallError;

/// How a command ended, as a script sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It failed in another way than those below.
    Failed = 1,
    /// The command line is wrong, or names a context or selector that is none.
    Usage = 2,
    /// The Rollout, the attempt or the kind that was asked for is not there.
    NotFound = 3,
    /// Permissions or credentials do not allow it.
    Forbidden = 4,
}

impl From<&RunError> for Exit {
    fn from(error: &RunError) -> Self {
        match error {
            RunError::Config(error) => Self::from(error),
            RunError::Explain(error) => Self::from(error),
            RunError::Dora(error) => Self::from(error),
            RunError::Uninstall(UninstallError::Ask(error)) => Self::from(error),
            RunError::LogFilter { .. } => Self::Usage,
            _ => Self::Failed,
        }
    }
}

impl From<&ConfigError> for Exit {
    fn from(error: &ConfigError) -> Self {
        match error {
            ConfigError::Context { .. } => Self::Usage,
            _ => Self::Failed,
        }
    }
}

impl From<&AskError> for Exit {
    fn from(error: &AskError) -> Self {
        match error {
            AskError::NotServed(_) => Self::NotFound,
            AskError::Forbidden { .. } | AskError::Unauthorized { .. } => Self::Forbidden,
            AskError::NoAnswer { .. } | AskError::Api { .. } => Self::Failed,
        }
    }
}

impl From<&ExplainError> for Exit {
    fn from(error: &ExplainError) -> Self {
        match error {
            ExplainError::Ask(error) => Self::from(error),
            ExplainError::TwoNamespaces { .. } => Self::Usage,
            ExplainError::NotFollowed(_) | ExplainError::NotThere(_) => Self::NotFound,
            ExplainError::Broken(_) | ExplainError::Write(_) => Self::Failed,
        }
    }
}

impl From<&DoraError> for Exit {
    fn from(error: &DoraError) -> Self {
        match error {
            DoraError::Ask(error) => Self::from(error),
            DoraError::Selector { .. } => Self::Usage,
            DoraError::NoArgo | DoraError::Nothing(_) | DoraError::NothingLabelled { .. } => {
                Self::NotFound
            }
            DoraError::RolloutsForbidden(_) => Self::Forbidden,
            DoraError::Window(_) | DoraError::Write(_) => Self::Failed,
        }
    }
}
