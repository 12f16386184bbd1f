//! DORA's metrics: how a RolloutTrace holds them, and `throughline dora`, which makes them of many.

mod audit;
mod csv;
mod json;
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
    #[error("cannot list rollouttraces: {0}")]
    Api(String),
    /// No Rollout is followed there.
    #[error(
        "no Rollout is followed in {0}: kubectl get rtr --all-namespaces lists those that are; a \
         selector asks for labels of the RolloutTrace"
    )]
    Nothing(String),
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
    let traces: Api<RolloutTrace> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let place =
        namespace.map_or_else(|| "all namespaces".to_owned(), |it| format!("namespace {it}"));
    let mut params = ListParams::default().limit(PAGE);
    if let Some(selector) = selector {
        params = params.labels(selector);
    }
    let mut books = Vec::new();
    loop {
        let found = traces.list(&params).await.map_err(|error| failed(&error, &place, selector))?;
        // A RolloutTrace is large, and its ledger a small part of it.
        books.extend(found.items.iter().filter_map(book));
        params.continue_token = found.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            break;
        }
    }
    if books.is_empty() {
        return Err(DoraError::Nothing(place));
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

fn failed(error: &kube::Error, place: &str, selector: Option<&str>) -> DoraError {
    match error {
        kube::Error::Api(status) if status.code == 404 => DoraError::NotInstalled,
        kube::Error::Api(status) if status.is_forbidden() => DoraError::Forbidden(place.to_owned()),
        kube::Error::Api(status) if status.code == 400 && selector.is_some() => {
            let selector = selector.unwrap_or_default().to_owned();
            DoraError::Selector { selector, reason: status.message.clone() }
        }
        other => DoraError::Api(words_of(other)),
    }
}

/// A length of time as `--since` takes it: whole days, e.g. `30d`.
pub(crate) fn days(text: &str) -> Result<u16, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    days.filter(|days| (1..=timeline::dora::LONGEST).contains(days)).ok_or_else(|| {
        format!("write it as days from 1d to {}d, e.g. 30d", timeline::dora::LONGEST)
    })
}
