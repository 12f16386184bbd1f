//! `OTEL_RESOURCE_ATTRIBUTES`, as far as it is about the service that is rolled out.

use std::collections::BTreeMap;

use super::variables::Setting;
use super::{SettingsError, list};

/// What describes this process. The Resource of our spans is the service that is rolled out, and
/// with the name of a pod of ours in it a span that is sent again after a restart would be another.
const OF_THIS_PROCESS: [&str; 9] = [
    "container.",
    "faas.",
    "host.",
    "k8s.",
    "os.",
    "process.",
    "service.",
    "telemetry.",
    "webengine.",
];
/// The one thing of `k8s.` that is the same for us and for what is rolled out.
const OF_THE_CLUSTER: &str = "k8s.cluster.";

/// Attributes for each Resource, sorted by key, and the keys that are left out.
pub(super) type Attributes = (Vec<(String, String)>, Vec<String>);

pub(super) fn parse(setting: &Setting) -> Result<Attributes, SettingsError> {
    let wrong = || setting.wrong("key=value,key2=value2 with values percent-encoded");
    let mut attributes = BTreeMap::new();
    for entry in list::entries(&setting.value) {
        let (key, value) = entry.ok_or_else(wrong)?;
        let value = String::from_utf8(value).map_err(|_| wrong())?;
        attributes.insert(key.to_owned(), value);
    }
    let (left_out, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
        attributes.into_iter().partition(|(key, _)| of_this_process(key));
    Ok((kept.into_iter().collect(), left_out.into_keys().collect()))
}

fn of_this_process(key: &str) -> bool {
    OF_THIS_PROCESS.iter().any(|prefix| key.starts_with(prefix)) && !key.starts_with(OF_THE_CLUSTER)
}
