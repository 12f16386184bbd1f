//! What people and Argo do in random stories.

use proptest::prelude::*;
use timeline::seen::{AnalysisPhase, Strategy as Replacing};

use crate::argo::{Argo, Tried};
use crate::story::{ASKING, CANARY, MIRRORS, ROUTES, Story, TESTED, start};

/// A step in a random story.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Apply(u8),
    Ready,
    Step,
    Run,
    Resume,
    Abort,
    TimesOut,
    FailsAnalysis,
    Retry,
    PromoteFull,
    Delete,
    Flaps,
    Background,
    Previews,
    Switches(bool),
    Keptn(u8),
    Wait(u16),
    Hotfix(u8),
    Undo(u8),
    Returns(u8),
    LosesAbort,
    Skips,
    Stalls,
    Refuses,
    Accepts,
    Crashes,
    Evicts(bool),
    ShiftsBack(u8),
}

/// How a Rollout of a random story replaces its pods.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    Timed,
    Asking,
    Tested,
    Routed,
    Slow,
    Header,
    Mirror,
    BlueGreen,
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    use Act::*;
    prop_oneof![
        3 => (0u8..4).prop_map(Apply),
        1 => (0u8..8).prop_map(Apply),
        3 => Just(Ready),
        5 => Just(Step),
        5 => Just(Run),
        3 => Just(Resume),
        2 => Just(Abort),
        1 => Just(TimesOut),
        1 => Just(FailsAnalysis),
        3 => Just(Retry),
        1 => Just(PromoteFull),
        1 => Just(Delete),
        2 => Just(Flaps),
        1 => Just(Background),
        2 => Just(Previews),
        2 => any::<bool>().prop_map(Switches),
        1 => any::<u8>().prop_map(Keptn),
        6 => prop_oneof![0u16..10, 0u16..100, 0u16..4000].prop_map(Wait),
        1 => (0u8..4).prop_map(Hotfix),
        1 => (0u8..4).prop_map(Undo),
        1 => (0u8..4).prop_map(Returns),
        1 => Just(LosesAbort),
        1 => Just(Skips),
        1 => Just(Stalls),
        1 => Just(Refuses),
        1 => Just(Accepts),
        1 => Just(Crashes),
        1 => any::<bool>().prop_map(Evicts),
        2 => prop_oneof![Just(0u8), 0u8..80].prop_map(ShiftsBack),
    ]
}

pub(crate) fn manner() -> impl Strategy<Value = Manner> {
    use Manner::*;
    prop::sample::select(vec![Timed, Asking, Tested, Routed, Slow, Header, Mirror, BlueGreen])
}

fn played(name: &str, manner: Manner, acts: &[Act]) -> Argo {
    let canary = |plan| Argo::new(name, Replacing::Canary, plan, start());
    let mut argo = match manner {
        Manner::Timed => canary(&CANARY),
        Manner::Asking => canary(&ASKING),
        Manner::Tested => canary(&TESTED),
        Manner::Routed => canary(&ASKING).routed(),
        Manner::Slow => canary(&ASKING).slow(),
        Manner::Header => canary(&ROUTES).routed(),
        Manner::Mirror => canary(&MIRRORS).routed(),
        Manner::BlueGreen => Argo::new(name, Replacing::BlueGreen, &[], start()),
    };
    argo.cannot_pull("x");
    let hash = |n: u8| ["a", "b", "c", "d", "x", "m", "b2", "c2"][usize::from(n)];
    for act in acts {
        match *act {
            Act::Apply(n) => argo.apply(hash(n)),
            Act::Hotfix(n) => argo.hotfix(hash(n)),
            Act::Undo(n) => argo.undo(hash(n)),
            Act::Returns(n) => argo.returns_to(hash(n)),
            Act::LosesAbort => argo.loses_abort(),
            Act::Skips => argo.skips(),
            Act::Stalls => argo.stalls(),
            Act::Refuses => argo.refuses(),
            Act::Accepts => argo.accepts(),
            Act::Crashes => argo.crashes(),
            Act::Evicts(replaced) => argo.evicts(replaced),
            Act::ShiftsBack(percent) => argo.shifts_back(percent.into()),
            Act::Ready => argo.pods_get_ready(),
            Act::Step => argo.step(),
            Act::Run => argo.run(),
            Act::Resume => argo.resume(),
            Act::Abort => argo.abort(),
            Act::TimesOut => argo.times_out(),
            Act::FailsAnalysis => argo.fails_analysis(),
            Act::Retry => argo.retry(),
            Act::PromoteFull => argo.promote_full(),
            Act::Delete => argo.delete(),
            Act::Flaps => argo.flaps(),
            Act::Background => argo.watches_in_background(),
            Act::Previews => argo.previews(),
            Act::Switches(pass) => {
                argo.switches(if pass { AnalysisPhase::Successful } else { AnalysisPhase::Failed })
            }
            Act::Keptn(n) => argo.keptn(n),
            Act::Wait(seconds) => argo.wait(seconds.into()),
        };
        argo.wait(1);
    }
    // In the end everything is decided.
    argo.wait(200).accepts().abort();
    if argo.truth.last().is_some_and(Tried::open) {
        argo.wait(5).pods_get_ready();
    }
    if argo.truth.last().is_some_and(Tried::open) {
        argo.wait(5).delete();
    }
    argo
}

/// A random story.
pub(crate) fn random(first: (Manner, &[Act]), second: Option<(Manner, &[Act])>) -> Story {
    let mut all = vec![played("cart", first.0, first.1)];
    all.extend(second.map(|(manner, acts)| played("pay", manner, acts)));
    Story::of("random", all)
}
