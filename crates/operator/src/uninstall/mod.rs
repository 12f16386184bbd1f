//! `throughline uninstall`: takes back what the operator wrote into objects of others.
//!
//! A KeptnAppVersion keeps the links that it was made with: they are part of a trace that was sent.

mod contexts;
mod history;

use std::time::Duration;

use crate::cluster::{AskError, Cluster, place};
use crate::terminal;

/// The operator answers a change within milliseconds.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Why not all was taken back; each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum UninstallError {
    /// The cluster does not say what there is.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Some objects are as they were; each was named.
    #[error(
        "{0} of the objects above are unchanged: fix what is said about each, and run it again"
    )]
    Left(usize),
    /// An operator still runs.
    #[error(
        "links of ours are in KeptnAppContexts again: stop the operator first (kubectl --namespace \
         throughline-system scale deployment/throughline --replicas 0), then run it again"
    )]
    StillWritten,
    /// Nothing can be printed.
    #[error("cannot print: {0}")]
    Write(std::io::Error),
}

/// Says what is done, one line for each object.
struct Progress {
    dry_run: bool,
    left: usize,
}

impl Progress {
    fn done(&self, object: &str, what: &str) -> Result<(), UninstallError> {
        let dry_run = if self.dry_run { " (dry run)" } else { "" };
        terminal::print(&format!("{object}: {what}{dry_run}\n")).map_err(UninstallError::Write)
    }

    fn left(&mut self, object: &str, why: &str) {
        self.left = self.left.saturating_add(1);
        terminal::note(&format!("{object} is left as it is: {why}"));
    }
}

/// Takes it back, in one namespace or in all, and prints what it does.
pub(crate) async fn uninstall(
    cluster: &Cluster,
    namespace: Option<&str>,
    history: bool,
    dry_run: bool,
) -> Result<(), UninstallError> {
    let mut progress = Progress { dry_run, left: 0 };
    let changed = contexts::mend(cluster, namespace, &mut progress).await?;
    if changed == 0 && progress.left == 0 {
        terminal::note(&format!("nothing of ours is in KeptnAppContexts of {}", place(namespace)));
    }
    history::delete(cluster, namespace, history, &mut progress).await?;
    if changed > 0 && !dry_run {
        tokio::time::sleep(SECOND_LOOK).await;
        if contexts::are_marked(cluster, namespace).await? > progress.left {
            return Err(UninstallError::StillWritten);
        }
    }
    if progress.left > 0 { Err(UninstallError::Left(progress.left)) } else { Ok(()) }
}
