//! What holds of every journal, whatever is seen and however absurd.

use jiff::Timestamp;
use proptest::prelude::*;
use timeline::Key;
use timeline::base::{AttemptId, Moment, Phase, Source, Turn};
use timeline::chain::{Attempt, Linked};
use timeline::journal::{Journal, Look};
use timeline::seen::{
    AnalysisKind, AnalysisPhase, ConditionSeen, NoWorkload, OwnedMetadata, PauseKind, PauseSeen,
    Progress, ReplicaSetSeen, RevisionFacts, RolloutSeen, StepPlan, Strategy as Way, Template,
};

use crate::evidence;
use crate::story::BEGIN;

/// One thing that a journal takes in.
#[derive(Debug, Clone)]
enum Input {
    Version(Box<Version>),
    Analysis(usize, AnalysisPhase, Option<Timestamp>),
    Tick,
    Deleted,
}

#[derive(Debug, Clone)]
struct Version {
    rollout: RolloutSeen,
    gap: bool,
    phase: Phase,
    started: Timestamp,
    ended: Option<Timestamp>,
    newest: bool,
    available: Option<i32>,
    keptn_may_come: bool,
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => (0i64..600).prop_map(|seconds| Timestamp::from_second(BEGIN + seconds).unwrap()),
        1 => Just(Timestamp::MIN),
        1 => Just(Timestamp::MAX),
        1 => any::<i32>().prop_map(|seconds| Timestamp::from_second(seconds.into()).unwrap()),
        1 => (0i64..200_000).prop_map(|seconds| Timestamp::from_second(BEGIN + seconds).unwrap()),
    ]
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![
        12 => Just(Phase::Progressing),
        1 => Just(Phase::Promoted),
        1 => Just(Phase::Aborted),
        1 => Just(Phase::Superseded),
        1 => Just(Phase::Reverted),
        1 => Just(Phase::Unknown),
    ]
}

fn hash() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        6 => Just(Some("b".to_owned())),
        1 => Just(Some("a".to_owned())),
        1 => Just(None),
    ]
}

fn pause() -> impl Strategy<Value = PauseSeen> {
    let kind = prop::sample::select(vec![
        PauseKind::Timed,
        PauseKind::Manual,
        PauseKind::InconclusiveAnalysis,
        PauseKind::BlueGreen,
        PauseKind::Spec,
    ]);
    (kind, prop::option::of(time())).prop_map(|(kind, started)| PauseSeen { kind, started })
}

fn plan() -> impl Strategy<Value = Vec<StepPlan>> {
    let seconds = prop::option::of(prop_oneof![Just(u64::MAX), 0u64..100]);
    let step = (
        prop::sample::select(vec!["a", "\u{0}\n", "setHeaderRoute", "pause", "analysis"]),
        seconds,
    )
        .prop_map(|(kind, seconds)| StepPlan {
            kind: kind.to_owned().into(),
            setting: kind.repeat(40).into(),
            seconds,
            matches: seconds.is_some(),
        });
    prop::collection::vec(step, 0..8)
}

fn progress() -> impl Strategy<Value = Progress> {
    let count = prop_oneof![8 => 0u32..10, 1 => 60u32..200, 1 => any::<u32>()];
    let steps = (prop::option::of(count.clone()), count, plan(), 0u8..3, any::<bool>());
    let traffic = (prop::option::of(any::<u32>()), prop::option::of(hash()), hash());
    let pauses = (
        prop_oneof![8 => prop::collection::vec(pause(), 0..3), 1 => prop::collection::vec(pause(), 40)],
        any::<bool>(),
        any::<bool>(),
    );
    let rest = (prop::option::of(time()), prop::option::of(any::<i32>()), any::<bool>());
    (steps, traffic, pauses, rest, time()).prop_map(|(steps, traffic, pauses, rest, since)| {
        let (step, step_count, steps, step_hash, up_to_date) = steps;
        let reasons = ["RolloutAborted", "ProgressDeadlineExceeded"];
        Progress {
            up_to_date,
            template: None,
            strategy: Some(if since.as_second() % 2 == 0 { Way::Canary } else { Way::BlueGreen }),
            steps,
            step_count,
            step,
            step_hash: Some(step_hash.to_string().into()),
            pauses: pauses.0,
            auto_promotion: rest.0.map(|at| at.as_second().unsigned_abs()),
            controller_pause: pauses.1,
            promote_full: pauses.2,
            routed: pauses.1,
            weight: traffic.0,
            weight_hash: traffic.2.clone().map(Into::into),
            experiment_weighted: pauses.2,
            preview: traffic.1.flatten().map(Into::into),
            active: traffic.2.map(Into::into),
            progressing: Some(ConditionSeen {
                status: None,
                reason: reasons[usize::from(rest.2)].to_owned(),
                message: "\u{1b}".repeat(130),
                since: Some(since),
            }),
            invalid_spec: None,
            healthy_since: rest.0,
            restart_at: rest.0,
            replicas: rest.1,
            was_healthy: rest.2,
            step_run: pauses.1,
            plugins: vec![(u32::from(rest.2), pauses.2)],
        }
    })
}

fn version() -> impl Strategy<Value = Version> {
    let attempt = (phase(), time(), prop::option::of(time()), prop::bool::weighted(0.9));
    let hashes = (hash(), hash(), any::<bool>(), prop::option::of(time()), any::<bool>());
    let around = (prop::option::of(-1i32..3), any::<bool>(), prop::bool::weighted(0.2));
    (attempt, hashes, around, progress()).prop_map(|(attempt, hashes, around, progress)| Version {
        rollout: RolloutSeen {
            key: Key::new("ns", "cart"),
            uid: "uid-1".into(),
            created: None,
            revision: Some(2),
            current_hash: hashes.0.map(Into::into),
            stable_hash: hashes.1.map(Into::into),
            abort: hashes.2,
            aborted_at: hashes.3,
            healthy: hashes.4,
            completed: hashes.3.map(|at| (hashes.2, at)),
            metadata: OwnedMetadata::default(),
            progress,
        },
        gap: around.2,
        phase: attempt.0,
        started: attempt.1,
        ended: attempt.2,
        newest: attempt.3,
        available: around.0,
        keptn_may_come: around.1,
    })
}

fn input() -> impl Strategy<Value = Input> {
    let phases = prop::sample::select(vec![
        AnalysisPhase::Pending,
        AnalysisPhase::Running,
        AnalysisPhase::Failed,
        AnalysisPhase::Cancelled,
    ]);
    prop_oneof![
        12 => version().prop_map(|version| Input::Version(Box::new(version))),
        4 => (0usize..30, phases, prop::option::of(time()))
            .prop_map(|(index, phase, at)| Input::Analysis(index, phase, at)),
        1 => Just(Input::Tick),
        1 => Just(Input::Deleted),
    ]
}

/// What has a number, as it was when it got it.
fn closed(journal: &Journal) -> Vec<(u32, String)> {
    macro_rules! entries {
        ($($name:ident),*) => {{
            let mut entries: Vec<(u32, String)> = Vec::new();
            $(for entry in &journal.$name {
                entries.extend(entry.closed.map(|closed| (closed, format!("{entry:?}"))));
            })*
            entries
        }};
    }
    let mut entries = entries!(steps, pauses, analyses, experiments, weights, switches);
    entries.extend(journal.root_closed.map(|closed| (closed, format!("{:?}", journal.ended))));
    entries.sort();
    entries
}

fn assert_sound(journal: &Journal) -> Result<(), TestCaseError> {
    let numbers: Vec<u32> = closed(journal).iter().map(|(number, _)| *number).collect();
    prop_assert_eq!(numbers, (1..=journal.closed).collect::<Vec<_>>());
    prop_assert!(journal.root_closed.is_none_or(|root| root == journal.closed));
    let mut spans: Vec<(Moment, Option<Moment>, Option<u32>)> = Vec::new();
    spans.extend(journal.steps.iter().map(|it| (it.started, it.ended, it.closed)));
    spans.extend(journal.pauses.iter().map(|it| (it.started, it.ended, it.closed)));
    spans.extend(journal.analyses.iter().map(|it| (it.started, it.ended, it.closed)));
    spans.extend(journal.weights.iter().map(|it| (it.started, it.ended, it.closed)));
    for (started, ended, closed) in spans {
        prop_assert_eq!(ended.is_some(), closed.is_some());
        prop_assert!(ended.is_none_or(|ended| started.at <= ended.at));
        prop_assert!(closed.is_some() || journal.root_closed.is_none());
    }
    prop_assert!(journal.ended.is_none_or(|ended| journal.started.at <= ended.at));
    prop_assert!(journal.root_closed.is_none() || journal.placed.is_some());
    prop_assert!(journal.steps.len() <= 128 && journal.pauses.len() <= 128);
    prop_assert!(journal.analyses.len() <= 24 && journal.weights.len() <= 128);
    prop_assert!(journal.switches.len() <= 16 && journal.marks.len() <= 16 + 8);
    prop_assert!(journal.links.len() <= 8);
    let running = journal.steps.iter().filter(|step| step.ended.is_none()).count();
    prop_assert!(running <= 1);
    Ok(())
}

#[derive(Debug)]
struct World {
    journal: Journal,
    before: Option<RolloutSeen>,
    now: Timestamp,
}

impl World {
    fn take(&mut self, input: &Input) -> Turn {
        let now = self.now;
        match input {
            Input::Version(version) => self.look(version),
            Input::Analysis(index, phase, at) => {
                let kind = AnalysisKind::Background;
                let mut run = evidence::run(&format!("run-{index}"), kind, now);
                (run.phase, run.started, run.completed) = (*phase, *at, *at);
                self.journal.analysis_seen(&run, now)
            }
            Input::Tick => self.journal.tick(now),
            Input::Deleted => self.journal.deleted(Moment::observed(now)),
        }
    }

    fn look(&mut self, version: &Version) -> Turn {
        let attempt = Attempt {
            revision: 2,
            hash: "b".into(),
            number: 1,
            replica_set: None,
            workload: None,
            follows: Box::default(),
            phase: version.phase,
            started: version.started,
            started_source: Source::Status,
            ended: version.ended,
            reason: None,
            trace: None,
            linked: Linked::none(""),
        };
        let set = version.available.map(|available| ReplicaSetSeen {
            key: Key::new("ns", "cart-b"),
            uid: "uid-of-b".into(),
            rollout: "cart".into(),
            rollout_uid: "uid-1".into(),
            hash: "b".into(),
            revision: Some(2),
            created: None,
            template: Template::Decided(Err(NoWorkload::Unnamed)),
            desired: None,
            ready: available,
            available,
            failure: None,
            facts: RevisionFacts::default(),
        });
        self.journal.observe(&Look {
            rollout: &version.rollout,
            before: self.before.as_ref().filter(|_| !version.gap),
            attempt: &attempt,
            newest: version.newest,
            replica_set: set.as_ref(),
            stable_set: None,
            keptn_may_come: version.keptn_may_come,
            now: self.now,
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_is_sound_and_what_is_seen_twice_changes_nothing(
        started in time(),
        story in prop::collection::vec((input(), 0i64..20_000), 1..60),
    ) {
        let identity = AttemptId {
            rollout: Key::new("ns", "cart"),
            rollout_uid: "uid-1".into(),
            hash: "b".into(),
            revision: 2,
            number: 1,
        };
        let mut world = World {
            journal: Journal::begin(identity, Moment::observed(started)),
            before: None,
            now: Timestamp::from_second(BEGIN).unwrap(),
        };
        for (input, passed) in story {
            world.now += jiff::SignedDuration::from_millis(passed);
            let before = world.journal.clone();
            let turn = world.take(&input);
            // That recovery is not waited for any more is no fact of the attempt.
            let gone = before.awaits_recovery() && !world.journal.awaits_recovery();
            prop_assert!((turn == Turn::Same) == (world.journal == before) || gone);
            assert_sound(&world.journal)?;
            let is = closed(&world.journal);
            prop_assert!(closed(&before).iter().all(|entry| is.contains(entry)));
            let after = world.journal.clone();
            prop_assert_eq!(world.take(&input), Turn::Same, "{:?}", input);
            prop_assert_eq!(&world.journal, &after);
            // What is due can be decided: no call is in vain.
            if let Some(due) = world.journal.due().filter(|due| *due <= world.now) {
                let turn = world.journal.tick(world.now);
                prop_assert!(world.journal.due() != Some(due), "{:?} {:?}", turn, due);
            }
            if let Input::Version(version) = input {
                world.before = Some(version.rollout);
            }
        }
    }
}
