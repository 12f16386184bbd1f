//! DORA's metrics: how a RolloutTrace holds them, and `throughline dora`, which makes them of many.

mod audit;
mod csv;
mod json;
mod labelled;
mod page;
mod select;
mod stored;
mod words;

use std::io::Write as _;

use api::RolloutTrace;
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client};
use timeline::Key;

use labelled::labelled;
pub use page::{Output, WIDTH, render};
pub use select::{Book, Wanted};
pub(crate) use stored::write;
pub use stored::{WINDOWS, ledger, settings};
pub use words::line;

use crate::words as words_of;

/// Objects of one answer of the API server.
const PAGE: u32 = 250;

/// Why there are no figures; each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum DoraError {
    /// The CRDs are not there.
    #[error(
        "this cluster serves no rollouttraces.throughline.dev: install Throughline, or at least \
         its CRDs: kubectl apply --server-side -k config/crd"
    )]
    NotInstalled,
    /// A permission is missing.
    #[error(
        "no permission to list rollouttraces in {0}: the role `view` has it there; or name one \
         namespace with --namespace"
    )]
    Forbidden(String),
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
    /// The API server says something else.
    #[error("cannot list {resource}: {reason}")]
    Api {
        /// What was asked for.
        resource: &'static str,
        /// The API server's words.
        reason: String,
    },
    /// No Rollout is followed there.
    #[error("no Rollout is followed in {0}: kubectl get rtr --all-namespaces lists those that are")]
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
    /// They cannot be printed.
    #[error("cannot print: {0}")]
    Print(std::io::Error),
}

/// Reads the ledgers that are stored and prints their figures.
pub(crate) async fn dora(
    client: Client,
    namespace: Option<&str>,
    selector: Option<&str>,
    wanted: Wanted,
    output: Output,
    now: Timestamp,
) -> Result<(), DoraError> {
    let place =
        namespace.map_or_else(|| "all namespaces".to_owned(), |it| format!("namespace {it}"));
    let labelled = match selector {
        Some(selector) => Some(labelled(client.clone(), namespace, selector, &place).await?),
        None => None,
    };
    let traces: Api<RolloutTrace> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let mut params = ListParams::default().limit(PAGE);
    let mut books = Vec::new();
    loop {
        let found = traces.list(&params).await.map_err(|error| failed(&error, &place))?;
        // A RolloutTrace is large, and its ledger a small part of it.
        let found_books = found.items.iter().filter_map(book);
        books.extend(found_books.filter(|book| {
            labelled.as_ref().is_none_or(|labelled| labelled.contains(&book.rollout))
        }));
        params.continue_token = found.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            break;
        }
    }
    if books.is_empty() {
        return Err(match selector {
            Some(selector) => DoraError::NothingLabelled { selector: selector.to_owned(), place },
            None => DoraError::Nothing(place),
        });
    }
    let page = render(&books, wanted, output, now)?;
    std::io::stdout().write_all(page.as_bytes()).map_err(DoraError::Print)
}

/// What a RolloutTrace tells; none if it holds no ledger yet.
pub fn book(trace: &RolloutTrace) -> Option<Book> {
    let name = trace.metadata.name.as_deref().unwrap_or_default();
    let namespace = trace.metadata.namespace.as_deref().unwrap_or_default();
    Some(Book {
        rollout: Key::new(namespace, name),
        ledger: ledger(trace.status.as_ref()?)?,
        settings: settings(&trace.spec),
    })
}

fn failed(error: &kube::Error, place: &str) -> DoraError {
    match error {
        kube::Error::Api(status) if status.code == 404 => DoraError::NotInstalled,
        kube::Error::Api(status) if status.is_forbidden() => DoraError::Forbidden(place.to_owned()),
        other => DoraError::Api { resource: "rollouttraces", reason: words_of(other) },
    }
}

/// A length of time as `--since` takes it: whole days, e.g. `30d`.
pub(crate) fn days(text: &str) -> Result<u16, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    days.filter(|days| (1..=timeline::dora::LONGEST).contains(days)).ok_or_else(|| {
        format!("write it as days from 1d to {}d, e.g. 30d", timeline::dora::LONGEST)
    })
}
