use std::path::PathBuf;

/// What can go wrong with the demo itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The cluster, or something on it.
    #[error(transparent)]
    Cluster(#[from] crate::cluster::Error),
    /// Keptn, or the stand-in for it.
    #[error(transparent)]
    Keptn(#[from] crate::keptn::Error),
    /// A thread ended before its work did.
    #[error("the start of the cluster broke off ({0}): run the demo again")]
    Broken(#[from] tokio::task::JoinError),
    /// Nothing can run.
    #[error("cannot start a runtime ({0}): end other programs, then run the demo again")]
    Runtime(std::io::Error),
    /// Ctrl-C would go unheard.
    #[error("cannot listen for Ctrl-C: {0}")]
    Signals(std::io::Error),
    /// The logs would have been removed with the cluster.
    #[error("cannot move the logs from {from} to {to}: {source}", from = from.display(), to = to.display())]
    Logs {
        /// Where they are.
        from: PathBuf,
        /// Where they should stay.
        to: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It was asked to end.
    #[error("interrupted")]
    Interrupted,
}
