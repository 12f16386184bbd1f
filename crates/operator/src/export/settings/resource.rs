//! `OTEL_RESOURCE_ATTRIBUTES`: all of it describes this process, whose metrics and own traces are sent,
//! and a part also the service that is rolled out, whose spans are.

use std::collections::BTreeMap;

use super::variables::Variables;
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

/// Attributes, sorted by key.
type Attributes = Vec<(String, String)>;

/// What goes to the Resource of each span, and the keys that are left out.
pub(super) fn of_spans(read: &Variables<'_>) -> Result<(Attributes, Vec<String>), SettingsError> {
    let (left_out, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
        all(read)?.into_iter().partition(|(key, _)| of_this_process(key));
    Ok((kept.into_iter().collect(), left_out.into_keys().collect()))
}

/// The Resource of the operator's own metrics and traces: this process.
///
/// In a pod `HOSTNAME` is the name of the pod, which distinguishes instances.
pub(super) fn of_process(read: &Variables<'_>) -> Result<Attributes, SettingsError> {
    let mut resource: BTreeMap<_, _> = [
        ("service.name".to_owned(), "throughline".to_owned()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]
    .into();
    if let Some(host) = read.get("HOSTNAME") {
        resource.insert("service.instance.id".to_owned(), host.value);
    }
    resource.extend(all(read)?);
    if let Some(name) = read.get("OTEL_SERVICE_NAME") {
        resource.insert("service.name".to_owned(), name.value);
    }
    Ok(resource.into_iter().collect())
}

fn all(read: &Variables<'_>) -> Result<BTreeMap<String, String>, SettingsError> {
    let Some(setting) = read.get("OTEL_RESOURCE_ATTRIBUTES") else { return Ok(BTreeMap::new()) };
    let wrong = || setting.wrong("key=value,key2=value2 with values percent-encoded");
    let mut attributes = BTreeMap::new();
    for entry in list::entries(&setting.value) {
        let (key, value) = entry.ok_or_else(wrong)?;
        let value = String::from_utf8(value).map_err(|_| wrong())?;
        attributes.insert(key.to_owned(), value);
    }
    Ok(attributes)
}

fn of_this_process(key: &str) -> bool {
    OF_THIS_PROCESS.iter().any(|prefix| key.starts_with(prefix)) && !key.starts_with(OF_THE_CLUSTER)
}
