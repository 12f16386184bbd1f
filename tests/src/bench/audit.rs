//! The same latency by the clock of the API server, from its audit log, and who asked for what.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::Error;
use super::objects::App;
use crate::cluster::{self, Cluster, Request, User};

/// When a write was received and answered.
#[derive(Debug, Clone, Copy)]
struct Write {
    received: Timestamp,
    answered: Timestamp,
}

/// Writes by resource, namespace and name, in the order of their answers.
#[derive(Debug, Default)]
pub(super) struct Log(HashMap<(String, String, String), Vec<Write>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    stage: String,
    verb: String,
    object_ref: Option<Object>,
    request_received_timestamp: Timestamp,
    stage_timestamp: Timestamp,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    resource: String,
    namespace: String,
    name: String,
}

/// Reads the writes to KeptnAppVersions and KeptnAppContexts.
pub(super) fn read(cluster: &Cluster) -> Result<Log, Error> {
    let path = cluster.logs().join("audit.jsonl");
    let file = std::fs::File::open(&path).map_err(cluster::Error::file("read", &path))?;
    let mut log = Log::default();
    for (line, text) in (1..).zip(std::io::BufReader::new(file).lines()) {
        let text = text.map_err(cluster::Error::file("read", &path))?;
        if !text.contains("\"keptnapp") {
            continue;
        }
        let record: Record =
            serde_json::from_str(&text).map_err(|source| cluster::Error::Audit { line, source })?;
        log.add(record);
    }
    Ok(log)
}

impl Log {
    fn add(&mut self, record: Record) {
        let object = record.object_ref.unwrap_or_default();
        if record.stage != "ResponseComplete" || !is_write(&record.verb) {
            return;
        }
        let write =
            Write { received: record.request_received_timestamp, answered: record.stage_timestamp };
        let key = (object.resource, object.namespace, object.name);
        self.0.entry(key).or_default().push(write);
    }

    fn of(&self, resource: &str, namespace: &str, name: &str) -> &[Write] {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }
}

/// From the answer to the write of the trace to the arrival of the link's write, and from there to
/// its answer. The operator may be faster than the first answer; that counts as no time.
pub(super) fn split(log: &Log, app: &App, revision: u32) -> Option<(Duration, Duration)> {
    let App { namespace, name } = app;
    let version = app.revision(revision).app_version();
    // Its creation comes first and shows no trace.
    let trace = log.of("keptnappversions", namespace, &version).get(1)?;
    let writes = log.of("keptnappcontexts", namespace, name);
    let link = writes.iter().find(|write| write.received > trace.received)?;
    let between = |from: Timestamp, to: Timestamp| {
        Duration::try_from(to.duration_since(from)).unwrap_or_default()
    };
    Some((between(trace.answered, link.received), between(link.received, link.answered)))
}

fn is_write(verb: &str) -> bool {
    matches!(verb, "create" | "update" | "patch" | "delete")
}

/// What the operator asked the API server for in some span of time.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// By resource, then verb.
    pub(super) counts: BTreeMap<(String, String), usize>,
    /// Answers that somebody else was faster.
    pub(super) conflicts: usize,
}

/// All requests of the operator so far.
pub(super) fn operators(cluster: &Cluster) -> Result<Vec<Request>, Error> {
    let name = User::throughline().username;
    let mut requests = cluster.audit()?.requests()?;
    requests.retain(|request| request.user == name);
    Ok(requests)
}

impl Tally {
    pub(super) fn of(requests: &[Request]) -> Self {
        let mut tally = Self::default();
        for request in requests {
            let key = (request.resource.clone(), request.verb.clone());
            *tally.counts.entry(key).or_default() += 1;
            tally.conflicts += usize::from(request.code == 409);
        }
        tally
    }

    pub(super) fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// Writes to a resource, its status included.
    pub(super) fn writes(&self, resource: &str) -> usize {
        self.written(resource).map(|(_, count)| count).sum()
    }

    /// Those writes in words: `create 10, patch 20, patch status 30`.
    pub(super) fn words(&self, resource: &str) -> String {
        let words: Vec<_> =
            self.written(resource).map(|(what, count)| format!("{what} {count}")).collect();
        words.join(", ")
    }

    fn written(&self, resource: &str) -> impl Iterator<Item = (String, usize)> {
        self.counts.iter().filter_map(move |((of, verb), count)| {
            let rest = of.strip_prefix(resource)?;
            let what = match rest.strip_prefix('/') {
                Some(subresource) => format!("{verb} {subresource}"),
                None if rest.is_empty() => verb.clone(),
                None => return None,
            };
            is_write(verb).then_some((what, *count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_counted_by_resource_with_their_status() {
        let request = |verb: &str, resource: &str, code| Request {
            user: "throughline".into(),
            verb: verb.into(),
            resource: resource.into(),
            namespace: "n".into(),
            name: "cart".into(),
            code,
            received: String::new(),
        };
        let tally = Tally::of(&[
            request("create", "rollouttraces", 201),
            request("patch", "rollouttraces/status", 200),
            request("patch", "rollouttraces/status", 200),
            request("watch", "rollouttraces", 200),
            request("patch", "keptnappcontexts", 409),
            request("get", "keptnappcontexts", 200),
        ]);
        assert_eq!(tally.writes("rollouttraces"), 3);
        assert_eq!(tally.words("rollouttraces"), "create 1, patch status 2");
        assert_eq!(tally.writes("keptnappcontexts"), 1);
        assert_eq!((tally.conflicts, tally.total()), (1, 6));
    }

    #[test]
    fn the_link_is_the_first_write_after_the_trace() {
        let app = App { namespace: "n".into(), name: "cart".into() };
        let version = app.revision(1).app_version();
        let record = |resource: &str, name: &str, verb: &str, from: u32, to: u32| {
            let text = serde_json::json!({
                "stage": "ResponseComplete", "verb": verb,
                "objectRef": { "resource": resource, "namespace": "n", "name": name },
                "requestReceivedTimestamp": format!("2026-01-01T00:00:00.{from:06}Z"),
                "stageTimestamp": format!("2026-01-01T00:00:00.{to:06}Z"),
            });
            serde_json::from_value::<Record>(text).unwrap()
        };
        let mut log = Log::default();
        log.add(record("keptnappversions", &version, "create", 1, 2));
        log.add(record("keptnappcontexts", "cart", "patch", 3, 4));
        log.add(record("keptnappversions", &version, "patch", 5, 6));
        log.add(record("keptnappcontexts", "cart", "get", 6, 7));
        log.add(record("keptnappcontexts", "cart", "patch", 8, 11));
        let expected = (Duration::from_micros(2), Duration::from_micros(3));
        assert_eq!(split(&log, &app, 1), Some(expected));
    }
}
