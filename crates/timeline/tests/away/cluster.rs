//! The cluster that every test of what is away runs in.

use std::collections::BTreeSet;

use jiff::Timestamp;
use timeline::base::Phase;
use timeline::engine::{Effect, Options, ReportWrite, ReportWritten};
use timeline::outbox::{AttemptWritten, Sent};
use timeline::seen::{
    OwnedMetadata, Progress, ReplicaSetSeen, RevisionFacts, RolloutSeen, Template,
};
use timeline::stored::{RolloutAttemptSeen, RolloutTraceSeen, Settings};
use timeline::{Engine, Key, Kind, Observation};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn cart() -> Key {
    Key::new("ns", "cart")
}

/// Revision `revision` is current; what is stable is live, and `done` says that all is well.
pub(crate) fn version(
    uid: &str,
    revision: i64,
    current: &str,
    stable: &str,
    done: bool,
) -> RolloutSeen {
    RolloutSeen {
        key: cart(),
        uid: uid.into(),
        created: Some(at(0)),
        revision: Some(revision),
        current_hash: Some(current.into()),
        stable_hash: Some(stable.into()),
        abort: false,
        aborted_at: None,
        healthy: done,
        completed: None,
        metadata: OwnedMetadata::default(),
        progress: Progress { up_to_date: true, ..Progress::default() },
    }
}

pub(crate) fn replica_set(uid: &str, hash: &str, revision: i64, hotfix: bool) -> Observation {
    Observation::ReplicaSet(ReplicaSetSeen {
        key: Key::new("ns", format!("{uid}-{hash}")),
        uid: format!("{uid}-{hash}").into(),
        rollout: "cart".into(),
        rollout_uid: uid.into(),
        hash: hash.into(),
        revision: Some(revision),
        created: None,
        template: Template::AskRollout(Vec::new()),
        desired: None,
        ready: 0,
        available: 0,
        failure: None,
        facts: RevisionFacts { hotfix, ..RevisionFacts::default() },
    })
}

/// The cluster as one operator process after the other sees it: it stores what is written.
#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) attempts: Vec<RolloutAttemptSeen>,
    pub(crate) trace: Option<RolloutTraceSeen>,
    /// Writes of the RolloutTrace fail.
    pub(crate) refuses: bool,
    /// The namespace is being deleted: nothing can be stored in it.
    pub(crate) goes: bool,
    /// What a collector answers to spans; nothing is exported without one.
    pub(crate) collector: Option<Sent>,
    /// How often spans were sent.
    pub(crate) sent: usize,
    pub(crate) tried: Vec<ReportWrite>,
    pub(crate) watched: Vec<String>,
    /// How often pods were not watched any more.
    pub(crate) left: usize,
}

impl Cluster {
    pub(crate) fn run_until_idle(&mut self, engine: &mut Engine, mut now: Timestamp) -> Timestamp {
        for _ in 0..50 {
            let effects = engine.effects(now);
            let nothing = effects.is_empty();
            for effect in effects {
                match effect {
                    Effect::WriteAttempt(key, write) => {
                        if self.goes {
                            engine.attempt_written(&key, AttemptWritten::NamespaceGone, now);
                            continue;
                        }
                        let resource_version = format!("{}", self.attempts.len());
                        self.attempts.retain(|stored| stored.key != key);
                        let journal = write.journal.clone();
                        let version = resource_version.clone();
                        self.attempts.push(RolloutAttemptSeen {
                            key: key.clone(),
                            resource_version,
                            journal,
                        });
                        engine.attempt_written(&key, AttemptWritten::Stored(version), now);
                    }
                    Effect::WriteReport(key, write) => {
                        self.tried.push((*write).clone());
                        if self.goes {
                            engine.reported(&key, ReportWritten::NamespaceGone, now);
                            continue;
                        }
                        if !self.refuses {
                            self.trace = Some(RolloutTraceSeen {
                                key: key.clone(),
                                generation: None,
                                owners: write.owner.iter().cloned().collect(),
                                settings: Settings::default(),
                                stored: Some(Box::new(write.report)),
                            });
                        }
                        engine.reported(&key, !self.refuses, now);
                    }
                    Effect::ReadAttempts(key, uid) => {
                        let journals = self.attempts.iter().map(|it| it.journal.clone()).collect();
                        engine.attempts_read(&key, &uid, Some(journals), now);
                    }
                    Effect::Send(key, batch) => {
                        self.sent += 1;
                        let answer = self.collector.clone().unwrap();
                        let spans = batch.spans.len() as u64;
                        engine.sent(&key, &answer, spans, 0, now);
                    }
                    Effect::WatchPods(_, hash) => self.watched.push(hash.to_string()),
                    Effect::LeavePods(_) => self.left += 1,
                    _ => {}
                }
            }
            match engine.due().filter(|due| *due <= now + jiff::SignedDuration::from_secs(20)) {
                Some(due) => now = now.max(due),
                None if nothing => break,
                None => {}
            }
        }
        now
    }

    /// A process that has listed everything but this kind.
    pub(crate) fn start(&self, but: Option<Kind>, now: Timestamp) -> Engine {
        let mut engine =
            Engine::new(Options { export: self.collector.is_some(), ..Options::default() });
        for kind in Kind::ALL.into_iter().filter(|kind| Some(*kind) != but) {
            match kind {
                Kind::RolloutTrace => {
                    if let Some(trace) = self.trace.clone() {
                        engine.observe(Observation::RolloutTrace(Box::new(trace)), now);
                    }
                }
                Kind::RolloutAttempt => {
                    for attempt in self.attempts.clone() {
                        engine.observe(Observation::RolloutAttempt(Box::new(attempt)), now);
                    }
                }
                _ => {}
            }
            engine.observe(Observation::Listed(kind, self.keys(kind)), now);
        }
        engine
    }

    pub(crate) fn keys(&self, kind: Kind) -> BTreeSet<Key> {
        match kind {
            Kind::RolloutTrace => self.trace.iter().map(|trace| trace.key.clone()).collect(),
            Kind::RolloutAttempt => self.attempts.iter().map(|it| it.key.clone()).collect(),
            _ => BTreeSet::new(),
        }
    }

    pub(crate) fn phases(&self) -> Vec<(String, Phase)> {
        let attempts = self.attempts.iter().map(|it| &it.journal);
        let mut phases: Vec<_> =
            attempts.map(|journal| (journal.identity.hash.to_string(), journal.phase)).collect();
        phases.sort_by(|a, b| a.0.cmp(&b.0));
        phases
    }

    pub(crate) fn last(&self) -> &ReportWrite {
        self.tried.last().unwrap()
    }
}

/// Revision 1 was live when a process started, and revision 2 is under way.
pub(crate) fn under_way(cluster: &mut Cluster) -> Engine {
    let mut engine = cluster.start(Some(Kind::Rollout), at(0));
    engine.observe(Observation::Rollout(version("u1", 1, "a", "a", true)), at(1));
    engine.observe(Observation::Listed(Kind::Rollout, BTreeSet::from([cart()])), at(1));
    cluster.run_until_idle(&mut engine, at(1));
    engine.observe(Observation::Rollout(version("u1", 2, "b", "a", false)), at(100));
    cluster.run_until_idle(&mut engine, at(100));
    assert_eq!(cluster.phases(), [("b".into(), Phase::Progressing)]);
    engine
}
