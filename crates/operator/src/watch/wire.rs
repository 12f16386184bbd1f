//! The answers of the API server as text, of which objects stay text until their turn.

use api::metadata::MetadataOnly;
use kube::core::ObjectMeta;
use serde::Deserialize;
use serde_json::value::RawValue;
use timeline::Kind;

use super::source::Failure;

/// The annotation of the bookmark that ends a list which comes as a stream.
pub(super) const INITIAL_END: &str = "k8s.io/initial-events-end";

/// What a list is read as. Objects stay text until their turn.
#[derive(Deserialize)]
pub(super) struct Page<'a> {
    pub(super) metadata: PageMetadata,
    #[serde(borrow)]
    pub(super) items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageMetadata {
    pub(super) resource_version: Option<String>,
    pub(super) r#continue: Option<String>,
}

/// What a line of a watch is read as.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    pub(super) r#type: &'a str,
    #[serde(borrow)]
    pub(super) object: &'a RawValue,
}

impl<'a> Page<'a> {
    /// One page of a list.
    pub(super) fn read(page: &'a [u8]) -> Result<Self, Failure> {
        serde_json::from_slice(page).map_err(|error| Failure::unreadable(&error))
    }
}

impl<'a> Event<'a> {
    /// One line of a watch.
    pub(super) fn read(line: &'a str) -> Result<Self, Failure> {
        serde_json::from_str(line).map_err(|error| Failure::unreadable(&error))
    }

    /// What a line says that brings no object.
    pub(super) fn error(&self) -> Result<Option<String>, Failure> {
        if self.r#type != "ERROR" {
            // A newer API server may have more to say.
            return Ok(None);
        }
        let status = serde_json::from_str(self.object.get());
        Err(Failure::of_status(&status.map_err(|error| Failure::unreadable(&error))?))
    }
}

pub(super) fn metadata(text: &str) -> Result<ObjectMeta, Failure> {
    let only = serde_json::from_str::<MetadataOnly>(text);
    Ok(only.map_err(|error| Failure::unreadable(&error))?.metadata)
}

/// Objects in a page: a page is held as text while it is read, and ours are the largest.
pub(super) const fn page_size(kind: Kind) -> u32 {
    match kind {
        Kind::RolloutTrace | Kind::RolloutAttempt => 50,
        Kind::Rollout | Kind::ReplicaSet | Kind::Pod => 250,
        Kind::AppVersion
        | Kind::WorkloadVersion
        | Kind::AppContext
        | Kind::AnalysisRun
        | Kind::Experiment => 500,
    }
}
