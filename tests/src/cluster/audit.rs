//! The audit log of the API server: who asked for what, how often.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Error;

pub(crate) const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// The reader of the audit log.
#[derive(Debug, Clone)]
pub struct Audit {
    path: PathBuf,
}

/// One request to the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The user's name.
    pub user: String,
    /// get, list, watch, create, update, patch, delete, deletecollection.
    pub verb: String,
    /// Resource, and subresource after a slash: `rollouts`, `rollouts/status`; or a path.
    pub resource: String,
    /// Namespace, empty for what has none.
    pub namespace: String,
    /// Name, empty for lists.
    pub name: String,
    /// HTTP status of the answer.
    pub code: u16,
    /// When it arrived, RFC 3339 with microseconds.
    pub received: String,
}

/// How often each user asked for each verb on each resource.
pub type Counts = BTreeMap<(String, String, String), usize>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(rename = "auditID")]
    id: String,
    verb: String,
    #[serde(rename = "requestURI")]
    uri: String,
    user: User,
    object_ref: Option<Object>,
    response_status: Option<Status>,
    #[serde(default)]
    request_received_timestamp: String,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

impl Audit {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.into() }
    }

    /// All requests so far, each once, in the order of their first record.
    pub fn requests(&self) -> Result<Vec<Request>, Error> {
        let file = std::fs::File::open(&self.path).map_err(Error::file("read", &self.path))?;
        let mut reader = std::io::BufReader::new(file);
        let mut seen = std::collections::HashSet::new();
        let mut requests = Vec::new();
        let mut text = String::new();
        for line in 1.. {
            text.clear();
            reader.read_line(&mut text).map_err(Error::file("read", &self.path))?;
            // Without a line feed it is the end, or a record that is being written.
            if !text.ends_with('\n') {
                break;
            }
            let record: Record =
                serde_json::from_str(&text).map_err(|source| Error::Audit { line, source })?;
            if seen.insert(record.id.clone()) {
                requests.push(record.into());
            }
        }
        Ok(requests)
    }

    /// Requests by user, verb and resource.
    pub fn counts(&self) -> Result<Counts, Error> {
        let mut counts = Counts::new();
        for Request { user, verb, resource, .. } in self.requests()? {
            *counts.entry((user, verb, resource)).or_default() += 1;
        }
        Ok(counts)
    }

    /// How many requests of a user there are so far, by verb and resource.
    pub fn of(&self, user: &str) -> Result<BTreeMap<(String, String), usize>, Error> {
        let counts = self.counts()?.into_iter();
        Ok(counts
            .filter(|((who, ..), _)| who == user)
            .map(|((_, verb, resource), count)| ((verb, resource), count))
            .collect())
    }
}

impl From<Record> for Request {
    fn from(record: Record) -> Self {
        let object = record.object_ref.unwrap_or_default();
        let resource = match (object.resource.as_str(), object.subresource.as_str()) {
            ("", _) => record.uri,
            (resource, "") => resource.into(),
            (resource, subresource) => format!("{resource}/{subresource}"),
        };
        Self {
            user: record.user.username,
            verb: record.verb,
            resource,
            namespace: object.namespace,
            name: object.name,
            code: record.response_status.map_or(0, |status| status.code),
            received: record.request_received_timestamp,
        }
    }
}
