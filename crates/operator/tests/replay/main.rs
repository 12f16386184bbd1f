//! The recordings of the real Argo and the real Keptn, through the pure core: the chain and the
//! links that come out, told the events once, twice, as lists, and with a restart after each.

#![expect(clippy::unwrap_used, reason = "what is missing from a recording fails the test")]

mod progress;
mod recording;

use std::collections::{BTreeMap, BTreeSet};

use api::{RolloutTrace, RolloutTraceSpec};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use operator::observe::Observed;
use operator::report;
use serde_json::Value;
use timeline::app_context::{ContextWrite, ContextWritten};
use timeline::lineage::{Effect, Options};
use timeline::observation::AppContextSeen;
use timeline::report::Report;
use timeline::{Key, Kind, Lineage, Observation};

use recording::{Event, key_of, observe, recording};

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Once,
    Twice,
    AsLists,
    WithRestarts,
}

/// A cluster that holds what was told so far, and answers what the core asks for.
struct Replay {
    lineage: Lineage,
    objects: BTreeMap<(Kind, Key), Value>,
    contexts: BTreeMap<Key, AppContextSeen>,
    /// What is stored, and the UID of its owner.
    traces: BTreeMap<Key, (Report, Option<String>)>,
    version: u64,
}

impl Replay {
    fn new() -> Self {
        let mut replay = Self {
            lineage: Lineage::new(Options::default()),
            objects: BTreeMap::new(),
            contexts: BTreeMap::new(),
            traces: BTreeMap::new(),
            version: 0,
        };
        replay.list(Timestamp::UNIX_EPOCH);
        replay
    }

    fn of(name: &str, how: How) -> Self {
        let mut replay = Self::new();
        let mut last = Timestamp::UNIX_EPOCH;
        let watched = |event: &Event| Kind::ALL.contains(&event.kind);
        for event in recording(name).into_iter().filter(watched) {
            replay.wait(event.at);
            let key = key_of(&event.object);
            last = event.at;
            if event.deleted {
                replay.objects.remove(&(event.kind, key.clone()));
            } else {
                replay.objects.insert((event.kind, key.clone()), event.object.clone());
            }
            let times = match how {
                How::Twice => 2,
                How::Once => 1,
                How::AsLists | How::WithRestarts => 0,
            };
            for _ in 0..times {
                let observation = if event.deleted {
                    Some(Observation::Gone(event.kind, key.clone()))
                } else {
                    observe(event.kind, &event.object)
                };
                if let Some(observation) = observation {
                    replay.lineage.observe(observation, event.at);
                }
            }
            if how == How::WithRestarts {
                replay.lineage = Lineage::new(Options::default());
            }
            if times == 0 {
                replay.list(event.at);
            }
            replay.act(event.at);
        }
        replay.wait(last + SignedDuration::from_mins(1));
        replay
    }

    /// Tells all that is there, as a list does.
    fn list(&mut self, at: Timestamp) {
        for kind in Kind::ALL {
            let mut present = BTreeSet::new();
            let mut tell = |key: &Key, observation: Option<Observation>| {
                present.insert(key.clone());
                if let Some(observation) = observation {
                    self.lineage.observe(observation, at);
                }
            };
            match kind {
                Kind::AppContext => {
                    for (key, seen) in &self.contexts {
                        tell(key, Some(Observation::AppContext(seen.clone())));
                    }
                }
                Kind::RolloutTrace => {
                    for (key, (report, owner)) in &self.traces {
                        tell(key, stored(key, report, owner.as_deref()).observe());
                    }
                }
                _ => {
                    for ((of, key), object) in &self.objects {
                        if *of == kind {
                            tell(key, observe(kind, object));
                        }
                    }
                }
            }
            self.lineage.observe(Observation::Listed(kind, present), at);
        }
    }

    /// Lets time pass; what is due meanwhile is done.
    fn wait(&mut self, until: Timestamp) {
        while let Some(due) = self.lineage.due().filter(|due| *due < until) {
            self.act(due);
        }
    }

    fn act(&mut self, now: Timestamp) {
        loop {
            let effects = self.lineage.effects(now);
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::WriteContext(key, write) => {
                        self.version += 1;
                        let (ContextWrite::Create(links) | ContextWrite::Patch { links, .. }) =
                            write;
                        let seen = AppContextSeen {
                            key: key.clone(),
                            resource_version: self.version.to_string(),
                            span_links: links.all,
                            ours: links.ours,
                        };
                        self.contexts.insert(key.clone(), seen.clone());
                        self.lineage.written(&key, ContextWritten::Stored(seen), now);
                    }
                    Effect::WriteReport(key, write) => {
                        let trace = stored(&key, &write.report, write.owner.as_deref());
                        self.traces.insert(key.clone(), (write.report, write.owner));
                        self.lineage.reported(&key, true, now);
                        self.lineage.observe(trace.observe().unwrap(), now);
                    }
                }
            }
        }
    }

    /// The chain, oldest first, one line an attempt.
    fn told(&self, rollout: &str) -> Vec<String> {
        let (report, _) = self.traces.iter().find(|(key, _)| key.name == rollout).unwrap().1;
        report
            .attempts
            .iter()
            .rev()
            .map(|attempt| {
                let follows: Vec<_> = attempt
                    .follows
                    .iter()
                    .map(|follow| {
                        let number = match follow.number {
                            1 => String::new(),
                            n => format!("#{n}"),
                        };
                        format!("{} {}{number}", follow.relation, follow.revision)
                    })
                    .collect();
                let number = match attempt.number {
                    1 => String::new(),
                    n => format!("#{n}"),
                };
                format!(
                    "{}{number} {} {} [{}] {} {:?}",
                    attempt.revision,
                    attempt.version().unwrap_or("?"),
                    attempt.phase,
                    follows.join(", "),
                    attempt
                        .trace
                        .as_ref()
                        .map_or("-", |trace| trace.app_version.as_deref().unwrap_or("goes on")),
                    attempt.linked.state,
                )
            })
            .collect()
    }

    /// The KeptnAppVersions whose AppDeploy spans the context of an app links to.
    fn links(&self, app: &str) -> Vec<String> {
        let Some((_, context)) = self.contexts.iter().find(|(key, _)| key.name == app) else {
            return Vec::new();
        };
        assert_eq!(context.span_links, context.ours);
        context
            .span_links
            .iter()
            .map(|link| {
                let app_deploy = |object: &Value| {
                    object["status"]["phaseTraceIDs"]["AppDeploy"]["traceparent"] == **link
                };
                let found = self
                    .objects
                    .iter()
                    .find(|((kind, _), object)| *kind == Kind::AppVersion && app_deploy(object));
                found.map_or_else(|| format!("nothing: {link}"), |((_, key), _)| key.name.clone())
            })
            .collect()
    }
}

fn stored(key: &Key, report: &Report, owner: Option<&str>) -> RolloutTrace {
    let mut trace = RolloutTrace::new(&key.name, RolloutTraceSpec::default());
    trace.metadata.namespace = Some(key.namespace.clone());
    trace.metadata.owner_references =
        owner.map(|uid| vec![OwnerReference { uid: uid.to_owned(), ..OwnerReference::default() }]);
    trace.status = Some(report::status(report));
    // Through JSON, as the API server would store it.
    serde_json::from_value(serde_json::to_value(trace).unwrap()).unwrap()
}

fn assert_told(name: &str, chains: &[(&str, &[&str])], links: &[(&str, &[&str])]) {
    for how in [How::Once, How::Twice, How::AsLists, How::WithRestarts] {
        let replay = Replay::of(name, how);
        for (rollout, chain) in chains {
            assert_eq!(replay.told(rollout), *chain, "{name}, {how:?}: chain of {rollout}");
        }
        for (app, links) in links {
            assert_eq!(replay.links(app), *links, "{name}, {how:?}: links of {app}");
        }
    }
}

/// (scenario, rollout -> chain oldest first, app -> KeptnAppVersions linked to at the end).
///
/// Only linear, single-service, two-workloads and hash-version were recorded with links in their
/// contexts, so elsewhere Keptn's spans were made without them.
macro_rules! tells {
    ($test:ident, $name:literal, $([$rollout:literal: $($line:literal),+]),+ => $([$app:literal: $($link:literal),*]),+) => {
        #[test]
        fn $test() {
            assert_told($name, &[$(($rollout, &[$($line),+])),+], &[$(($app, &[$($link),*])),+]);
        }
    };
}

tells!(
    three_promotions_are_one_chain,
    "linear",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
        "3 3.0.0 Promoted [Successor 2] shop-3.0.0-4e074085 Applied"]
    => ["shop": "shop-3.0.0-4e074085"]
);

tells!(
    an_app_of_one_workload_is_its_own_app,
    "single-service",
    ["cart":
        "1 1.0.0 Promoted [] cart-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] cart-2.0.0-d4735e3a Applied",
        "3 3.0.0 Promoted [Successor 2] cart-3.0.0-4e074085 Applied"]
    => ["cart": "cart-3.0.0-4e074085"]
);

tells!(
    two_rollouts_share_the_links_of_their_app,
    "two-workloads",
    ["cart":
        "1 1.0.0 Promoted [] shop-9601637160-d4735e3a None",
        "2 2.0.0 Promoted [Successor 1] shop-6273950f13-4e074085 Applied",
        "3 3.0.0 Promoted [Successor 2] shop-49473cb4f6-ef2d127d Lost",
        "4 4.0.0 Promoted [Successor 3] shop-d0e2962a9f-e7f6c011 Applied"],
    ["pay":
        "1 1.0.0 Promoted [] shop-9601637160-d4735e3a None",
        "2 2.0.0 Promoted [Successor 1] shop-244ac2eb13-4b227777 Applied",
        "3 3.0.0 Promoted [Successor 2] shop-49473cb4f6-ef2d127d Applied"]
    => ["shop": "shop-49473cb4f6-ef2d127d", "shop-d0e2962a9f-e7f6c011"]
);

tells!(
    a_version_that_keptn_hashed_is_found,
    "hash-version",
    ["cart":
        "1 3391518271 Promoted [] shop-3391518271-6b86b273 None",
        "2 214277426 Promoted [Successor 1] shop-214277426-d4735e3a Applied"]
    => ["shop": "shop-214277426-d4735e3a"]
);

tells!(
    an_unchanged_version_has_no_trace_and_breaks_no_chain,
    "same-version",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 1.0.0 Promoted [Successor 1] - None",
        "3 1.0.0 Promoted [Successor 2] - None"]
    => ["shop": "shop-1.0.0-6b86b273"]
);

tells!(
    a_full_promotion_is_a_promotion,
    "promote-full",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Lost"]
    => ["shop": "shop-2.0.0-d4735e3a"]
);

tells!(
    a_retry_follows_what_is_live_and_the_try_that_failed,
    "abort-retry",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Aborted [Successor 1] shop-2.0.0-d4735e3a Lost",
        "2#2 2.0.0 Promoted [Successor 1, RetryAfter 2] shop-2.0.0-4b227777 Lost"]
    => ["shop": "shop-2.0.0-d4735e3a"]
);

tells!(
    a_return_to_what_is_live_is_no_attempt,
    "revert-midway",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Reverted [Successor 1] shop-2.0.0-d4735e3a Lost"]
    => ["shop": "shop-1.0.0-6b86b273", "shop-2.0.0-d4735e3a"]
);

tells!(
    a_rollback_has_the_trace_of_its_own_app_version,
    "rollback",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Lost",
        "3 1.0.0 Promoted [Rollback 2] shop-1.0.0-4e074085 Lost"]
    => ["shop": "shop-1.0.0-4e074085"]
);

tells!(
    what_was_superseded_is_followed_too,
    "superseded",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Superseded [Successor 1] shop-2.0.0-d4735e3a Lost",
        "3 3.0.0 Promoted [Successor 1, Supersedes 2] shop-3.0.0-4e074085 Lost"]
    => ["shop": "shop-3.0.0-4e074085"]
);

tells!(
    a_deadline_without_abort_ends_nothing,
    "bad-image-then-fix",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Superseded [Successor 1] shop-2.0.0-d4735e3a Lost",
        "3 3.0.0 Promoted [Successor 1, Supersedes 2] shop-3.0.0-4e074085 Lost"]
    => ["shop": "shop-3.0.0-4e074085"]
);

tells!(
    a_deadline_with_abort_does,
    "bad-image-deadline-abort",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Aborted [Successor 1] shop-2.0.0-d4735e3a Lost"]
    => ["shop": "shop-1.0.0-6b86b273", "shop-2.0.0-d4735e3a"]
);

tells!(
    a_failed_analysis_aborts,
    "analysis-fail",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Aborted [Successor 1] shop-2.0.0-d4735e3a Lost"]
    => ["shop": "shop-1.0.0-6b86b273", "shop-2.0.0-d4735e3a"]
);

tells!(
    blue_green_is_no_different,
    "bluegreen",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Lost"]
    => ["shop": "shop-2.0.0-d4735e3a"]
);

tells!(
    restarts_and_scaling_are_no_attempts,
    "restart-and-scale",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None"]
    => ["shop": "shop-1.0.0-6b86b273"]
);
