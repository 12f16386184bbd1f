//! Kubernetes' words become ours: the only place where they do, one file for each group of kinds.
//!
//! Texts of unbounded length are cut or refused here, so nothing behind this has to mind them.

mod analysis;
mod duration;
mod event;
pub mod facts;
mod keptn;
mod own;
mod pod;
mod read;
mod replica_set;
mod rollout;
mod template;
mod text;

use api::argo;
use jiff::Timestamp;
use kube::core::ObjectMeta;
use timeline::seen::EvidenceOwner;
use timeline::{Key, Kind, Observation};

pub(crate) use event::{event, object};
pub use keptn::app_context;
pub(crate) use own::attempt_seen;
pub use read::{Decoded, read};
pub(crate) use text::bounded;

/// A kind that is watched, and how one of its objects is read.
pub trait Observed {
    /// Which kind it is.
    const KIND: Kind;

    /// What the object says; none if it does not concern us.
    fn observe(self) -> Option<Observation>;
}

/// Namespace and name of an object.
pub fn key(metadata: &ObjectMeta) -> Key {
    Key::new(
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

fn created(metadata: &ObjectMeta) -> Option<Timestamp> {
    metadata.creation_timestamp.as_ref().map(|time| time.0)
}

fn revision(metadata: &ObjectMeta) -> Option<i64> {
    metadata.annotations.as_ref()?.get(argo::REVISION)?.parse().ok().filter(|n| *n > 0)
}

fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The Rollout or Experiment that controls an object.
fn controller(metadata: &ObjectMeta) -> Option<EvidenceOwner> {
    let owners = metadata.owner_references.iter().flatten();
    let owner = owners.into_iter().find(|owner| owner.controller == Some(true))?;
    let (name, uid) = (owner.name.clone(), owner.uid.clone());
    match owner.kind.as_str() {
        "Rollout" => Some(EvidenceOwner::Rollout(name, uid)),
        "Experiment" => Some(EvidenceOwner::Experiment(name, uid)),
        _ => None,
    }
}

fn not_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
