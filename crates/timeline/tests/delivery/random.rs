//! Random stories, cut short at random points.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use proptest::prelude::*;
use timeline::Kind;

use crate::acts::{self, Act, Manner};
use crate::collector::Taste;
use crate::story::{Story, start};
use crate::world::{Fault, InFlight, World};

/// A story, and all that goes wrong in it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    first: (Manner, Vec<Act>),
    second: Option<(Manner, Vec<Act>)>,
    no_keptn: bool,
    taste: Taste,
    /// When the collector goes away, and for how many seconds.
    away: Vec<(u16, u16)>,
    /// At which part of the story what goes wrong.
    faults: Vec<(prop::sample::Index, Fault)>,
}

/// A request outlives its process by a moment only. One that creates what another process has
/// created, delivered and lost with its Rollout meanwhile cannot be distinguished from one left
/// over.
fn in_flight() -> impl Strategy<Value = InFlight> {
    prop_oneof![
        Just(InFlight::Lost),
        Just(InFlight::Done),
        Just(InFlight::Half),
        (0u32..1_000).prop_map(InFlight::Late),
    ]
}

/// A process that starts again does not know a journal that is not stored any more: what is taken
/// away while it is away is lost. So either the one or the other.
fn faults() -> impl Strategy<Value = Vec<(prop::sample::Index, Fault)>> {
    let down = prop_oneof![4 => Just(0u32), 3 => 0u32..2_000, 1 => 0u32..400_000];
    let answers = || prop_oneof![Just(Fault::AnswerLost), Just(Fault::Fails)];
    let relist = prop::sample::select(vec![
        Kind::Rollout,
        Kind::ReplicaSet,
        Kind::AnalysisRun,
        Kind::RolloutTrace,
        Kind::RolloutAttempt,
    ])
    .prop_map(Fault::Relist);
    let refused =
        prop::sample::select(vec![Kind::Rollout, Kind::RolloutTrace, Kind::RolloutAttempt]);
    let dies = prop_oneof![
        5 => (in_flight(), down).prop_map(|(in_flight, down)| Fault::Crash(in_flight, down)),
        4 => answers(),
        1 => relist.clone(),
        1 => Just(Fault::NoTraces),
        1 => (refused, any::<bool>(), 0u32..300_000)
            .prop_map(|(kind, crashes, until)| Fault::Refused(kind, crashes, until)),
    ];
    let lives = prop_oneof![4 => answers(), 1 => relist, 1 => Just(Fault::NoAttempts)];
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => prop::collection::vec((at(), dies), 1..8),
        1 => prop::collection::vec((at(), lives), 1..8),
    ]
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let one = || (acts::manner(), prop::collection::vec(acts::act(), 4..30));
    let taste = prop_oneof![
        6 => Just(Taste::Everything),
        1 => Just(Taste::DropsPauses),
        1 => Just(Taste::RefusesPauses),
    ];
    let away = prop::collection::vec((0u16..600, 0u16..400), 0..3);
    let second = prop::option::weighted(0.3, one());
    (one(), second, any::<bool>(), taste, away, faults()).prop_map(
        |(first, second, no_keptn, taste, away, faults)| Case {
            first,
            second,
            no_keptn,
            taste,
            away,
            faults,
        },
    )
}

impl Case {
    /// Plays it, and says at how many points something went wrong.
    pub(crate) fn play(&self, prints: bool) -> usize {
        let (count, wrong) = self.findings(prints);
        assert!(wrong.is_empty(), "{wrong:#?}");
        count
    }

    /// The same, and what came out wrong, by rule: also where nothing went wrong.
    pub(crate) fn findings(&self, prints: bool) -> (usize, BTreeMap<&'static str, String>) {
        let acts = |acts: &[Act]| -> Vec<Act> {
            let there = |act: &&Act| !(self.no_keptn && matches!(act, Act::Keptn(_)));
            acts.iter().filter(there).copied().collect()
        };
        let first = acts(&self.first.1);
        let second = self.second.as_ref().map(|(manner, list)| (*manner, acts(list)));
        let second = second.as_ref().map(|(manner, acts)| (*manner, acts.as_slice()));
        let story = acts::random((self.first.0, &first), second);
        let story = Story { no_keptn: self.no_keptn, ..story };
        let mut undisturbed = World::new(&story, Taste::Everything, BTreeMap::new());
        undisturbed.prints = prints;
        let undisturbed = undisturbed.run();
        let wrong = undisturbed.findings(&undisturbed, BTreeSet::new()).unknown();
        if !wrong.is_empty() {
            return (0, wrong);
        }
        let at = |second: u16| start() + SignedDuration::from_secs(second.into());
        let away = self.away.iter().map(|(from, long)| (at(*from), at(from + long))).collect();
        let disturbed = Story { away, ..story.clone() };
        let plan = self.faults.iter().map(|(at, fault)| (at.index(undisturbed.steps) + 1, *fault));
        let plan: BTreeMap<_, _> = plan.collect();
        let count = plan.len();
        let mut world = World::new(&disturbed, self.taste, plan);
        world.prints = prints;
        (count, world.run().findings(&undisturbed, BTreeSet::new()).unknown())
    }

    /// How long a person reads it.
    pub(crate) fn length(&self) -> usize {
        let second = self.second.as_ref().map_or(0, |second| second.1.len() + 10);
        self.first.1.len() + second + self.faults.len()
    }
}
