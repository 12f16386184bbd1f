//! DORA's metrics: how a RolloutTrace holds them, and `throughline dora`, which makes them of many.

mod audit;
mod csv;
mod json;
mod labelled;
mod page;
mod select;
mod stored;
mod words;

use api::RolloutTrace;
use jiff::Timestamp;
use timeline::Key;

use labelled::labelled;
pub use page::{Output, WIDTH, render};
pub use select::{Book, Wanted};
pub(crate) use stored::write;
pub use stored::{WINDOWS, ledger, settings};
pub use words::line;

use crate::cluster::{AskError, Cluster, place};
use crate::terminal;

/// Objects of one answer of the API server.
const PAGE: u32 = 250;

/// Why there are no figures; each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum DoraError {
    /// The cluster does not say.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The labels of Rollouts cannot be asked for: Argo's CRDs are not there.
    #[error(
        "this cluster serves no rollouts.argoproj.io, whose labels --selector asks for: leave \
         --selector out to see what was known of them"
    )]
    NoArgo,
    /// The labels of Rollouts cannot be asked for: a permission is missing.
    #[error(
        "no permission to list rollouts in {0}, whose labels --selector asks for: apply \
         config/rbac, which gives it to the role `view`; or leave --selector out"
    )]
    RolloutsForbidden(String),
    /// The label selector is none.
    #[error(
        "--selector {selector:?} is refused ({reason}): write it as for kubectl, e.g. team=shop"
    )]
    Selector {
        /// What was given.
        selector: String,
        /// The API server's words.
        reason: String,
    },
    /// No Rollout is followed there.
    #[error(
        "no Rollout is followed in {0}: kubectl get rtr --all-namespaces lists those that are, and \
         --all-namespaces counts them all"
    )]
    Nothing(String),
    /// No Rollout that is followed has the labels.
    #[error(
        "no Rollout that is followed in {place} has the labels {selector:?}: kubectl get rollouts \
         --all-namespaces --show-labels shows those that there are"
    )]
    NothingLabelled {
        /// The label selector.
        selector: String,
        /// Where it was looked for.
        place: String,
    },
    /// There is no such window.
    #[error(transparent)]
    Window(#[from] timeline::dora::WindowError),
    /// They cannot be written.
    #[error("cannot print: {0}")]
    Write(std::io::Error),
}

/// Reads the ledgers that are stored and prints their figures.
pub(crate) async fn dora(
    cluster: &Cluster,
    namespace: Option<&str>,
    selector: Option<&str>,
    wanted: Wanted,
    output: Output,
    now: Timestamp,
) -> Result<(), DoraError> {
    let labelled = match selector {
        Some(selector) => Some(labelled(cluster, namespace, selector).await?),
        None => None,
    };
    let mut books = Vec::new();
    // A RolloutTrace is large, and its ledger a small part of it.
    let of_trace = |trace: RolloutTrace| {
        let book = book(&trace).filter(|book| {
            labelled.as_ref().is_none_or(|labelled| labelled.contains(&book.rollout))
        });
        if let Some(book) = book {
            note_unreadable(&trace, &book.rollout);
            books.push(book);
        }
    };
    cluster.list(namespace, of_trace).await?;
    if books.is_empty() {
        let place = place(namespace);
        return Err(match selector {
            Some(selector) => DoraError::NothingLabelled { selector: selector.to_owned(), place },
            None => DoraError::Nothing(place),
        });
    }
    let page = render(&books, wanted, output, now)?;
    terminal::print(&page).map_err(DoraError::Write)
}

fn note_unreadable(trace: &RolloutTrace, rollout: &Key) {
    let unreadable = trace.status.as_ref().map_or(0, stored::unreadable);
    if unreadable > 0 {
        terminal::note(&format!(
            "{unreadable} lines of the ledger of RolloutTrace {rollout} cannot be read and are left \
             out: somebody changed them"
        ));
    }
}

/// What a RolloutTrace says; none if it holds no ledger yet.
pub fn book(trace: &RolloutTrace) -> Option<Book> {
    let name = trace.metadata.name.as_deref().unwrap_or_default();
    let namespace = trace.metadata.namespace.as_deref().unwrap_or_default();
    Some(Book {
        rollout: Key::new(namespace, name),
        ledger: ledger(trace.status.as_ref()?)?,
        settings: settings(&trace.spec),
    })
}

/// A length of time as `--since` takes it: whole days, e.g. `30d`.
pub(crate) fn days(text: &str) -> Result<u16, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    days.filter(|days| (1..=timeline::dora::LONGEST).contains(days)).ok_or_else(|| {
        format!("write it as days from 1d to {}d, e.g. 30d", timeline::dora::LONGEST)
    })
}
