//! What the API server adds where two write: it refuses an epoch that is gone by, keeps the Lease and
//! the KeptnAppContexts, and knows who wrote what.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use timeline::keptn::app_context::{ContextWrite, ContextWritten};
use timeline::seen::AppContextSeen;
use timeline::{Key, Kind, Observation};

/// A write carries an epoch that is lower than the one that is stored, which this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fenced(pub(crate) i64);

/// `status.writerEpoch` of each object, and who wrote it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Epochs {
    stored: BTreeMap<(Kind, Key), i64>,
    /// Writes that were taken, each with the term that it really is of.
    taken: BTreeMap<(Kind, Key), Vec<usize>>,
}

impl Epochs {
    /// The rule of the CRDs: an epoch that was set is never unset, and never goes back.
    pub(crate) fn allow(&self, kind: Kind, key: &Key, epoch: Option<i64>) -> Result<(), Fenced> {
        match self.of(kind, key) {
            Some(stored) if epoch.is_none_or(|epoch| epoch < stored) => Err(Fenced(stored)),
            _ => Ok(()),
        }
    }

    pub(crate) fn of(&self, kind: Kind, key: &Key) -> Option<i64> {
        self.stored.get(&(kind, key.clone())).copied()
    }

    /// It was stored.
    pub(crate) fn stored(&mut self, kind: Kind, key: &Key, epoch: Option<i64>, term: usize) {
        if let Some(epoch) = epoch {
            self.stored.insert((kind, key.clone()), epoch);
        }
        let taken = self.taken.entry((kind, key.clone())).or_default();
        taken.push(term);
    }

    /// The object is gone, and what it said with it.
    pub(crate) fn gone(&mut self, kind: Kind, is: impl Fn(&Key) -> bool) {
        self.stored.retain(|(of, key), _| *of != kind || !is(key));
        self.taken.retain(|(of, key), _| *of != kind || !is(key));
    }

    /// The highest of all objects that are there.
    pub(crate) fn highest(&self) -> i64 {
        self.stored.values().copied().max().unwrap_or_default()
    }

    /// Objects that were written by an earlier leader after a later one.
    pub(crate) fn gone_back(&self) -> impl Iterator<Item = (&(Kind, Key), &Vec<usize>)> {
        self.taken.iter().filter(|(_, terms)| !terms.is_sorted())
    }
}

/// The KeptnAppContexts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contexts {
    version: u64,
    pub(crate) all: BTreeMap<Key, AppContextSeen>,
}

impl Contexts {
    /// A write of the operator's arrives; what the watches bring of it, and the answer.
    pub(crate) fn write(
        &mut self,
        app: &Key,
        write: &ContextWrite,
    ) -> (Option<Observation>, ContextWritten) {
        let links = match (write, self.all.get(app)) {
            (ContextWrite::Create(links), None) => links,
            (ContextWrite::Patch { resource_version, links }, Some(there))
                if *resource_version == there.resource_version =>
            {
                links
            }
            (_, there) => return (None, ContextWritten::Conflict(there.cloned())),
        };
        self.version += 1;
        let seen = AppContextSeen {
            key: app.clone(),
            resource_version: self.version.to_string(),
            span_links: links.all.clone(),
            ours: links.ours.clone(),
        };
        self.all.insert(app.clone(), seen.clone());
        (Some(Observation::AppContext(seen.clone())), ContextWritten::Stored(seen))
    }

    /// A person adds a link.
    pub(crate) fn edit(&mut self, app: &Key, link: String) -> Observation {
        self.version += 1;
        let seen = self.all.entry(app.clone()).or_insert_with(|| AppContextSeen {
            key: app.clone(),
            resource_version: String::new(),
            span_links: Vec::new(),
            ours: Vec::new(),
        });
        seen.resource_version = self.version.to_string();
        seen.span_links.push(link);
        Observation::AppContext(seen.clone())
    }
}

/// The Lease, and how often it was written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leases {
    version: u64,
    pub(crate) lease: Option<Lease>,
    /// When a person deleted it: until the term before that ends, two may believe that they lead.
    pub(crate) deleted: Option<Timestamp>,
}

impl Leases {
    /// Replaces the Lease that was read, or makes it; none if somebody was faster.
    pub(crate) fn write(&mut self, mut lease: Lease) -> Option<Lease> {
        let there = self.lease.as_ref().and_then(|it| it.metadata.resource_version.as_ref());
        if there != lease.metadata.resource_version.as_ref() {
            return None;
        }
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        self.lease = Some(lease.clone());
        Some(lease)
    }

    /// Who holds it.
    pub(crate) fn holder(&self) -> &str {
        let spec = self.lease.as_ref().and_then(|lease| lease.spec.as_ref());
        spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
    }
}
