//! One object, from the text that the API server sent to what it says.

use api::metadata::{MetadataOnly, Object};
use api::{RolloutAttempt, RolloutTrace};
use kube::core::ObjectMeta;
use serde::de::DeserializeOwned;
use timeline::seen::InvalidSeen;
use timeline::{Kind, Observation};

use super::{Observed, bounded, key};

/// The words of a problem, in bytes.
const PROBLEM_LIMIT: usize = 1024;

/// A kind that is read from JSON.
pub trait Decoded: Observed + kube::Resource<DynamicType = ()> + Sized {
    /// Reads an object straight from its text, so that nothing is kept that is not read.
    fn decode(text: &str) -> serde_json::Result<Self>;
}

/// What an object says; none if it does not concern us.
///
/// The kind is read first, and the metadata alone only if that fails: an object that cannot be read
/// harms itself and no other, and still has a name. `about` is shown the metadata of either.
///
/// # Errors
///
/// Not even the metadata can be read.
pub fn read<K: Decoded>(
    text: &str,
    about: impl FnOnce(&ObjectMeta),
) -> serde_json::Result<Option<Observation>> {
    match K::decode(text) {
        Ok(object) => {
            about(object.meta());
            if is_over::<K>(object.meta()) {
                return Ok(Some(Observation::Gone(K::KIND, key(object.meta()))));
            }
            Ok(object.observe())
        }
        Err(error) => {
            let MetadataOnly { metadata } = serde_json::from_str(text)?;
            about(&metadata);
            let key = key(&metadata);
            Ok(Some(if is_over::<K>(&metadata) {
                Observation::Gone(K::KIND, key)
            } else {
                let problem = bounded(words(&error), PROBLEM_LIMIT);
                Observation::Invalid(K::KIND, InvalidSeen { key, uid: metadata.uid, problem })
            }))
        }
    }
}

/// Argo does nothing more for a Rollout that is marked for deletion, however long finalizers and its
/// ReplicaSets keep it; and nothing that it owns can be made any more.
fn is_over<K: Decoded>(metadata: &ObjectMeta) -> bool {
    K::KIND == Kind::Rollout && metadata.deletion_timestamp.is_some()
}

/// Where in its text an object is wrong changes with each version of it, and helps nobody.
fn words(error: &serde_json::Error) -> String {
    let mut words = error.to_string();
    if let Some(at) = words.rfind(" at line ") {
        words.truncate(at);
    }
    words
}

macro_rules! as_it_is {
    ($($kind:ty),*) => { $(
        impl Decoded for $kind {
            fn decode(text: &str) -> serde_json::Result<Self> {
                plain(text)
            }
        }
    )* };
}

as_it_is!(
    api::argo::AnalysisRun,
    api::argo::Experiment,
    api::argo::Pod,
    api::argo::ReplicaSet,
    api::argo::Rollout,
    api::keptn::KeptnAppContext,
    api::keptn::KeptnAppVersion,
    api::keptn::KeptnWorkloadVersion
);

fn plain<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text)
}

impl Decoded for RolloutTrace {
    fn decode(text: &str) -> serde_json::Result<Self> {
        let Object { metadata, spec, status } = plain(text)?;
        Ok(Self { metadata, spec, status })
    }
}

impl Decoded for RolloutAttempt {
    fn decode(text: &str) -> serde_json::Result<Self> {
        let Object { metadata, spec, status } = plain(text)?;
        Ok(Self { metadata, spec, status })
    }
}

#[cfg(test)]
mod tests {
    use api::argo::Rollout;
    use serde_json::{Value, json};
    use timeline::Key;

    use super::*;

    fn rollout() -> Value {
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": { "namespace": "shop", "name": "cart", "uid": "u" },
            "spec": {}, "status": {},
        })
    }

    fn seen(rollout: &Value) -> Option<Observation> {
        read::<Rollout>(&rollout.to_string(), |_| {}).unwrap()
    }

    #[test]
    fn a_rollout_that_is_marked_for_deletion_is_gone_while_finalizers_keep_it() {
        let mut rollout = rollout();
        assert!(matches!(seen(&rollout), Some(Observation::Rollout(_))));
        let gone = |rollout: &Value| match seen(rollout) {
            Some(Observation::Gone(Kind::Rollout, key)) => key == Key::new("shop", "cart"),
            _ => false,
        };
        rollout["metadata"]["deletionTimestamp"] = "2026-11-26T15:00:00Z".into();
        rollout["metadata"]["finalizers"] = json!(["foregroundDeletion"]);
        assert!(gone(&rollout));
        rollout["spec"] = "not a spec".into();
        assert!(gone(&rollout), "also one that cannot be read");
    }

    #[test]
    fn an_object_that_cannot_be_read_still_has_a_name_and_says_what_is_wrong() {
        let mut rollout = rollout();
        rollout["spec"] = json!({ "replicas": "three" });
        let Some(Observation::Invalid(Kind::Rollout, invalid)) = seen(&rollout) else {
            panic!("it was read");
        };
        assert_eq!(invalid.key, Key::new("shop", "cart"));
        assert_eq!(invalid.uid.as_deref(), Some("u"));
        assert_eq!(invalid.problem, "invalid type: string \"three\", expected i32");
    }

    #[test]
    fn our_own_objects_are_read_without_what_nobody_reads() {
        let text = json!({
            "metadata": { "name": "cart", "managedFields": [{ "manager": "throughline" }] },
            "spec": { "history": 3 },
        })
        .to_string();
        let trace = RolloutTrace::decode(&text).unwrap();
        assert_eq!(trace.spec.history, Some(3));
        assert_eq!(trace.metadata.managed_fields, None);
    }
}
