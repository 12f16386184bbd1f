//! Any bytes as an object of each kind that is watched, decoded as the watches decode it.

use api::argo::{AnalysisRun, Experiment, Pod, ReplicaSet, Rollout};
use api::keptn::{KeptnAppContext, KeptnAppVersion, KeptnWorkloadVersion};
use api::{RolloutAttempt, RolloutTrace};
use kube::Resource;
use kube::core::DeserializeGuard;
use operator::observe::{Observed, key};
use serde::de::DeserializeOwned;
use timeline::{Kind, Observation};

/// The target.
///
/// # Panics
/// If something does not hold that must.
pub fn run(data: &[u8]) {
    let _ = kinds(data);
}

/// The kinds as which it says something: every field is optional, so these may be several.
pub fn kinds(data: &[u8]) -> Vec<Kind> {
    [
        read::<Rollout>(data),
        read::<ReplicaSet>(data),
        read::<KeptnAppVersion>(data),
        read::<KeptnWorkloadVersion>(data),
        read::<KeptnAppContext>(data),
        read::<RolloutTrace>(data),
        read::<RolloutAttempt>(data),
        read::<AnalysisRun>(data),
        read::<Experiment>(data),
        read::<Pod>(data),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn read<K>(data: &[u8]) -> Option<Kind>
where
    K: Observed + Resource<DynamicType = ()> + Clone + DeserializeOwned,
{
    let guard = serde_json::from_slice::<DeserializeGuard<K>>(data).ok()?;
    match guard.0 {
        Ok(object) => {
            let once = format!("{:?}", object.clone().observe());
            let again = object.observe();
            assert_eq!(format!("{again:?}"), once, "the same object says the same");
            match again {
                None | Some(Observation::Invalid(..)) => None,
                Some(_) => Some(K::KIND),
            }
        }
        Err(invalid) => {
            drop(key(&invalid.metadata));
            None
        }
    }
}
