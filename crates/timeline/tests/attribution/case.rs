//! What Keptn made, and a Rollout's attempts, in few words.

use std::sync::Arc;

use jiff::Timestamp;
use timeline::base::{Phase, Source};
use timeline::chain::{Attempt, Follow, LinkState, Linked, Relation};
use timeline::keptn::attribution::attribute;
use timeline::keptn::objects::KeptnObjects;
use timeline::seen::{AppVersionSeen, Workload, WorkloadVersionSeen};
use timeline::{Key, Traceparent};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// The span of Keptn's phase AppDeploy in trace `n`.
pub(crate) fn trace(n: u32) -> Traceparent {
    format!("00-{n:032x}-{n:016x}-01").parse().unwrap()
}

/// A span before the deployment in trace `n`.
pub(crate) fn early_span(n: u32) -> Traceparent {
    format!("00-{n:032x}-{:016x}-01", n + 1000).parse().unwrap()
}

pub(crate) fn workload(version: &str) -> Workload {
    Workload {
        app: "shop".into(),
        name: "shop-cart".into(),
        version: version.into(),
        hashed: false,
    }
}

pub(crate) fn attempt(revision: i64, version: &str, phase: Phase, began: i64) -> Attempt {
    Attempt {
        revision,
        hash: format!("hash-{version}").into(),
        number: 1,
        replica_set: Some(format!("cart-{version}").into()),
        workload: Some(workload(version)),
        follows: Box::default(),
        phase,
        started: at(began),
        started_source: Source::Status,
        ended: (phase != Phase::Progressing).then(|| at(began + 50)),
        reason: None,
        trace: None,
        linked: Linked::none("not looked for yet"),
    }
}

pub(crate) fn following(mut attempt: Attempt, followed: &Attempt, relation: Relation) -> Attempt {
    let follow = Follow {
        hash: followed.hash.clone(),
        revision: followed.revision,
        number: followed.number,
        version: followed.version().map(Into::into),
        relation,
        trace: None,
    };
    attempt.follows = attempt.follows.into_iter().chain([follow]).collect();
    attempt
}

/// A KeptnAppVersion that lists this version of the workload, with its span in trace `n`.
pub(crate) fn app_version(name: &str, version: &str, made: i64, n: u32) -> AppVersionSeen {
    AppVersionSeen {
        key: Key::new("ns", name),
        app: "shop".into(),
        workloads: vec![("cart".into(), version.into())],
        span_links: Vec::new(),
        created: Some(at(made)),
        ended: None,
        deprecated: false,
        held: false,
        before_deploy: None,
        app_deploy: Some(trace(n)),
        broken: None,
    }
}

pub(crate) fn workload_version(version: &str, names: Option<u32>) -> WorkloadVersionSeen {
    WorkloadVersionSeen {
        key: Key::new("ns", format!("shop-cart-{version}")),
        app: "shop".into(),
        workload: "shop-cart".into(),
        version: version.into(),
        replica_set_uid: None,
        trace: names.map(trace),
    }
}

/// What Keptn has made, and a Rollout's attempts, oldest first.
#[derive(Default)]
pub(crate) struct Case {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) app_versions: Vec<AppVersionSeen>,
    pub(crate) workload_versions: Vec<WorkloadVersionSeen>,
    pub(crate) replica_set_uid: Option<&'static str>,
}

impl Case {
    /// Decides twice: the second time changes nothing.
    pub(crate) fn decide(&mut self) -> &mut Self {
        let mut keptn = KeptnObjects::default();
        self.app_versions.iter().cloned().for_each(|it| keptn.insert_app_version(it));
        self.workload_versions.iter().cloned().for_each(|it| keptn.insert_workload_version(it));
        let newest_first = self.attempts.drain(..).rev();
        let mut attempts: Vec<_> = newest_first.map(Arc::new).collect();
        for round in 0..2 {
            for index in (0..attempts.len()).rev() {
                let changed = attribute(&mut attempts, index, self.replica_set_uid, &keptn);
                assert!(!changed || round == 0, "{:#?}", attempts[index]);
            }
        }
        self.attempts = attempts.into_iter().rev().map(Arc::unwrap_or_clone).collect();
        self
    }

    pub(crate) fn newest(&self) -> &Attempt {
        self.attempts.last().unwrap()
    }

    pub(crate) fn trace(&self) -> Option<Traceparent> {
        self.newest().trace.as_ref().map(|trace| trace.traceparent)
    }

    pub(crate) fn app_version(&self) -> Option<&str> {
        self.newest().trace.as_ref()?.app_version.as_deref()
    }

    pub(crate) fn state(&self) -> LinkState {
        self.newest().linked.state
    }
}
