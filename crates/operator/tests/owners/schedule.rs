//! Random stories, and what goes wrong between two replicas while they happen.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use timeline::Kind;

use crate::acts::{self, Act, Manner};
use crate::collector::Taste;
use crate::story::Story;
use crate::world::{Fault, InFlight, Who, World};

/// What goes wrong, and at which part of a story.
type Schedule = Vec<(prop::sample::Index, Fault)>;

/// Schedules of one story.
const SCHEDULES: usize = 8;

/// A story, and several schedules of it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    first: (Manner, Vec<Act>),
    second: Option<(Manner, Vec<Act>)>,
    no_keptn: bool,
    schedules: Vec<Schedule>,
}

/// Milliseconds: shorter than a lease, longer than one, much longer.
fn outage() -> impl Strategy<Value = u32> {
    prop_oneof![3 => 0u32..5_000, 4 => 5_000u32..40_000, 1 => 40_000u32..400_000]
}

fn fault() -> impl Strategy<Value = Fault> {
    let who = || prop_oneof![3 => Just(Who::Leader), 1 => Just(Who::Standby)];
    let down = || prop_oneof![2 => 0u32..2_000, 1 => 0u32..60_000];
    let kind = || {
        prop::sample::select(vec![
            Kind::Rollout,
            Kind::ReplicaSet,
            Kind::AnalysisRun,
            Kind::AppVersion,
            Kind::AppContext,
            Kind::RolloutTrace,
            Kind::RolloutAttempt,
        ])
    };
    // What Argo's objects say of each other is frozen when an attempt is over: one watch that lags far
    // behind the others is of what we write.
    let own =
        prop::sample::select(vec![Kind::AppContext, Kind::RolloutTrace, Kind::RolloutAttempt]);
    let in_flight = prop_oneof![
        Just(InFlight::Lost),
        Just(InFlight::Done),
        (0u32..9_000).prop_map(InFlight::Late),
    ];
    prop_oneof![
        3 => (who(), outage()).prop_map(|(who, long)| Fault::StandsStill(who, long)),
        3 => outage().prop_map(Fault::StandsStillOnTheWay),
        3 => (who(), outage()).prop_map(|(who, long)| Fault::CutOff(who, long)),
        3 => (who(), in_flight, down()).prop_map(|(who, sent, down)| Fault::Crash(who, sent, down)),
        3 => down().prop_map(Fault::HandsOver),
        2 => Just(Fault::AnswerLost),
        1 => Just(Fault::Fails),
        1 => (0u32..9_000).prop_map(Fault::Slow),
        1 => (who(), kind()).prop_map(|(who, kind)| Fault::Relist(who, kind)),
        1 => (who(), own, 0u32..30_000).prop_map(|(who, kind, by)| Fault::Lags(who, kind, by)),
        1 => Just(Fault::NoLease),
        1 => any::<u8>().prop_map(Fault::Edit),
    ]
}

/// Cases of one Rollout or of two.
pub(crate) fn case(second: bool) -> impl Strategy<Value = Case> {
    let acts_of_one = || (acts::manner(), prop::collection::vec(acts::act(), 4..24));
    let schedule = prop::collection::vec((any::<prop::sample::Index>(), fault()), 1..7);
    let schedules = prop::collection::vec(schedule, SCHEDULES);
    (acts_of_one(), acts_of_one(), schedules, 0u8..4).prop_map(
        move |(first, other, schedules, keptn)| Case {
            first,
            second: second.then_some(other),
            no_keptn: keptn == 0,
            schedules,
        },
    )
}

impl Case {
    /// Plays all its schedules, and says how many these are.
    pub(crate) fn play(&self, prints: bool) -> usize {
        let wrong = self.findings(prints);
        assert!(wrong.is_empty(), "{wrong:#?}");
        self.schedules.len()
    }

    /// What comes out wrong, by rule: also where nothing goes wrong.
    pub(crate) fn findings(&self, prints: bool) -> BTreeMap<&'static str, String> {
        let acts = |acts: &[Act]| -> Vec<Act> {
            let there = |act: &&Act| !(self.no_keptn && matches!(act, Act::Keptn(_)));
            acts.iter().filter(there).copied().collect()
        };
        let first = acts(&self.first.1);
        let second = self.second.as_ref().map(|(manner, all)| (*manner, acts(all)));
        let second = second.as_ref().map(|(manner, acts)| (*manner, acts.as_slice()));
        let story = acts::random((self.first.0, &first), second);
        let story = Story { no_keptn: self.no_keptn, ..story };
        let undisturbed = World::new(&story, Taste::Everything, BTreeMap::new()).run();
        let mut wrong = undisturbed.judged(&undisturbed, BTreeSet::new());
        for schedule in &self.schedules {
            if !wrong.is_empty() {
                break;
            }
            let plan = schedule.iter().map(|(at, fault)| (at.index(undisturbed.steps) + 1, *fault));
            let mut world = World::new(&story, Taste::Everything, plan.collect());
            world.prints = prints;
            wrong = world.run().judged(&undisturbed, BTreeSet::new());
        }
        wrong
    }

    /// The same story with one schedule each.
    pub(crate) fn singles(&self) -> impl Iterator<Item = Self> + '_ {
        let single =
            |schedule: &Schedule| Self { schedules: vec![schedule.clone()], ..self.clone() };
        self.schedules.iter().map(single)
    }

    /// How long a person reads it.
    pub(crate) fn length(&self) -> usize {
        let second = self.second.as_ref().map_or(0, |second| second.1.len() + 10);
        let schedules: usize = self.schedules.iter().map(Vec::len).sum();
        self.first.1.len() + second + schedules * 5
    }
}
