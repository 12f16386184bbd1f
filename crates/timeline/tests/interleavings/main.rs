//! Random interleavings of people, tools, Argo, Keptn and faults: whatever they do, nothing foreign
//! is lost, and once they are done the links are right and nothing is written any more.
//!
//! The same ones each time, so that a failure is one of the change at hand.
//! `THROUGHLINE_INTERLEAVINGS` says how many each test tries, `THROUGHLINE_SEED` which ones.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the model does not have fails the test"
)]

mod admitted;
mod api_server;
mod cluster;
mod keptn;
mod oracle;
mod world;
mod writes;

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use timeline::Kind;

use api_server::Edit;
use cluster::{RANDOM_TEMPLATES, app_key};
use world::World;
use writes::Fate;

/// One small step.
#[derive(Debug, Clone)]
enum Action {
    /// A person, or a tool on their behalf, applies a template to a Rollout, or makes it.
    Apply(usize, u8),
    Promote(usize),
    Abort(usize),
    Retry(usize),
    Revert(usize),
    Flap(usize),
    DeleteRollout(usize),
    PodsStart(usize),
    OldPodDies(usize),
    SpansAreKnown,
    WorkloadsAreNamed(usize),
    CreateContext(usize),
    DeleteContext(usize),
    EditContext(usize, Edit, u8),
    GitOpsReset(usize, bool),
    Deliver(Kind),
    DeliverAll,
    Relist(Kind),
    GoAway(Kind),
    Commit(u8, Fate),
    Answer(u8),
    CollectGarbage,
    Crash,
    Wait(u16),
}

fn action(rollouts: usize) -> impl Strategy<Value = Action> {
    use Action::*;
    let r = 0..rollouts;
    // Mostly the app that the Rollouts are in.
    let app = prop_oneof![7 => Just(0usize), 1 => Just(1usize)];
    let kind = prop::sample::select(Kind::ALL.to_vec());
    // Without Rollouts nothing goes on at all.
    let away = prop::sample::select(vec![
        Kind::ReplicaSet,
        Kind::AppVersion,
        Kind::WorkloadVersion,
        Kind::AppContext,
        Kind::RolloutAttempt,
        Kind::AnalysisRun,
        Kind::Experiment,
        Kind::RolloutTrace,
    ]);
    let edit = prop::sample::select(Edit::ALL.to_vec());
    let fate = prop_oneof![
        8 => Just(Fate::Done),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::Refused),
    ];
    prop_oneof![
        6 => (r.clone(), 0..RANDOM_TEMPLATES).prop_map(|(r, template)| Apply(r, template)),
        5 => r.clone().prop_map(Promote),
        2 => r.clone().prop_map(Abort),
        2 => r.clone().prop_map(Retry),
        1 => r.clone().prop_map(Revert),
        1 => r.clone().prop_map(Flap),
        1 => r.clone().prop_map(DeleteRollout),
        5 => r.clone().prop_map(PodsStart),
        2 => r.clone().prop_map(OldPodDies),
        3 => Just(SpansAreKnown),
        2 => r.prop_map(WorkloadsAreNamed),
        1 => app.clone().prop_map(CreateContext),
        1 => app.clone().prop_map(DeleteContext),
        5 => (app.clone(), edit, any::<u8>()).prop_map(|(app, edit, n)| EditContext(app, edit, n)),
        2 => (app, any::<bool>()).prop_map(|(app, wipe)| GitOpsReset(app, wipe)),
        12 => kind.clone().prop_map(Deliver),
        8 => Just(DeliverAll),
        1 => kind.prop_map(Relist),
        1 => away.prop_map(GoAway),
        10 => (any::<u8>(), fate).prop_map(|(n, fate)| Commit(n, fate)),
        8 => any::<u8>().prop_map(Answer),
        1 => Just(CollectGarbage),
        1 => Just(Crash),
        3 => (0u16..3000).prop_map(Wait),
    ]
}

impl World {
    fn perform(&mut self, action: &Action) {
        use Action::*;
        // Argo's turns are seconds apart, as are Keptn's; the rest is a matter of milliseconds.
        self.pass(SignedDuration::from_millis(match action {
            Apply(..) | Promote(_) | Abort(_) | Retry(_) | Revert(_) | DeleteRollout(_) => 6000,
            PodsStart(_) | OldPodDies(_) => 1000,
            _ => 30,
        }));
        let (now, server) = (self.now, &mut self.server);
        match *action {
            Apply(r, template) => self.cluster.apply(server, r, template, now),
            Promote(r) => self.cluster.promote(server, r, now),
            Abort(r) => self.cluster.abort(server, r, now),
            Retry(r) => self.cluster.retry(server, r, now),
            Revert(r) => self.cluster.revert(server, r, now),
            Flap(r) => self.cluster.flap(server, r, now),
            DeleteRollout(r) => self.cluster.delete(server, r, now),
            PodsStart(r) => self.cluster.pods_start(server, r, false, now),
            OldPodDies(r) => self.cluster.pods_start(server, r, true, now),
            SpansAreKnown => self.cluster.spans_are_known(server, now),
            WorkloadsAreNamed(r) => self.cluster.name_workloads(server, r, now),
            CreateContext(app) => server.create(&app_key(app), &["theirs-0".to_owned()], now),
            DeleteContext(app) => server.remove(&app_key(app), now),
            EditContext(app, edit, n) => {
                server.edit(&app_key(app), now, |context| edit.perform(context, n));
            }
            GitOpsReset(app, wipe) => server.reset(&app_key(app), wipe, now),
            Deliver(kind) => drop(self.deliver(kind)),
            DeliverAll => self.deliver_all(),
            Relist(kind) => self.relist(kind),
            GoAway(kind) => self.go_away(kind),
            Commit(n, fate) => self.commit(n, fate),
            Answer(n) => drop(self.answer(n)),
            CollectGarbage => self.collect_garbage(),
            Crash => self.crash(),
            Wait(tenths) => self.pass(SignedDuration::from_millis(i64::from(tenths) * 100)),
        }
        self.act();
    }
}

fn interleavings(rollouts: usize, default: u32) {
    let asked = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let cases = asked("THROUGHLINE_INTERLEAVINGS").unwrap_or(default);
    let seed = asked("THROUGHLINE_SEED").unwrap_or(1);
    let config = Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed.into()),
        ..Config::default()
    };
    let actions = prop::collection::vec(action(rollouts), 1..50);
    let outcome = TestRunner::new(config).run(&(any::<bool>(), actions), |(prompt, actions)| {
        let mut world = World::new();
        for action in &actions {
            world.perform(action);
            // Argo is seen at once in every other interleaving: then nothing about it is ambiguous.
            while prompt && world.deliver(Kind::Rollout) {}
        }
        world.must_be_right();
        world.bring_something_new_live();
        world.must_be_right();
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("THROUGHLINE_SEED={seed}: {error}");
    }
}

#[test]
fn one_rollout_has_its_links_whatever_happens() {
    interleavings(1, 50_000);
}

#[test]
fn two_rollouts_share_their_links_whatever_happens() {
    interleavings(2, 50_000);
}
