//! Events of pods: what nothing else says of a pod that does not start, e.g. that a volume cannot be
//! mounted. They are read for a few pods of an attempt that is stalled, and never watched.

use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client};
use smol_str::SmolStr;
use timeline::seen::{EventSeen, EventsSeen};

use crate::observe::bounded;

/// A pod rarely has more than twenty.
const EVENTS_OF_A_POD: u32 = 128;
const REASON_LIMIT: usize = 128;
const MESSAGE_LIMIT: usize = 1024;

/// The Events of these pods.
pub(crate) async fn read(
    client: Client,
    namespace: &str,
    replica_set_uid: SmolStr,
    pods: Vec<SmolStr>,
) -> Result<EventsSeen, kube::Error> {
    let api: Api<Event> = Api::namespaced(client, namespace);
    let mut events = Vec::new();
    for pod in &pods {
        let of_pod = ListParams::default().fields(&format!("involvedObject.uid={pod}"));
        let found = api.list(&of_pod.limit(EVENTS_OF_A_POD)).await?;
        events.extend(found.items.into_iter().map(|event| seen(pod, event)));
    }
    Ok(EventsSeen { replica_set_uid, pods, events })
}

fn seen(pod: &SmolStr, event: Event) -> EventSeen {
    // The kubelet counts in `lastTimestamp`, the scheduler in `series` or `eventTime`.
    let series = event.series.and_then(|series| series.last_observed_time).map(|time| time.0);
    let once = event.event_time.map(|time| time.0);
    let last = event.last_timestamp.map(|time| time.0);
    EventSeen {
        pod_uid: pod.clone(),
        warning: event.type_.as_deref() == Some("Warning"),
        reason: bounded(event.reason.unwrap_or_default(), REASON_LIMIT),
        message: bounded(event.message.unwrap_or_default(), MESSAGE_LIMIT),
        at: [series, once, last].into_iter().flatten().max(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_as_new_as_its_last_repetition() {
        let event = |times: serde_json::Value| {
            let mut event = json!({
                "metadata": { "name": "cart-1.abc", "namespace": "shop" },
                "involvedObject": { "kind": "Pod", "uid": "p" },
                "reason": "FailedMount", "message": "no\nvolume",
            });
            event.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
            seen(&"p".into(), serde_json::from_value(event).unwrap())
        };
        let (early, late) = ("2026-11-21T06:04:00Z", "2026-11-21T06:09:00Z");
        for times in [
            json!({ "firstTimestamp": early, "lastTimestamp": late }),
            json!({ "eventTime": "2026-11-21T06:09:00.000000Z" }),
            json!({
                "eventTime": "2026-11-21T06:04:00.000000Z",
                "series": { "count": 3, "lastObservedTime": "2026-11-21T06:09:00.000000Z" },
            }),
        ] {
            let seen = event(times);
            assert_eq!(seen.at.map(|at| at.to_string()).as_deref(), Some(late));
            assert_eq!((seen.reason.as_str(), seen.message.as_str()), ("FailedMount", "no volume"));
        }
        assert_eq!(event(json!({})).at, None);
    }
}
