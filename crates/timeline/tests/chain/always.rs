//! What holds of every chain, whatever Argo writes and however much of it is seen.

use proptest::prelude::*;
use timeline::base::Turn;

use crate::story::Story;

#[derive(Debug, Clone, Copy)]
enum Step {
    Apply(usize),
    Promote,
    Abort,
    Retry,
    Flap,
    Trim(usize),
    Leave,
    Return,
    SeeReplicaSets(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0usize..5).prop_map(Step::Apply),
        4 => Just(Step::Promote),
        2 => Just(Step::Abort),
        2 => Just(Step::Retry),
        1 => Just(Step::Flap),
        1 => (1usize..5).prop_map(Step::Trim),
        1 => Just(Step::Leave),
        2 => Just(Step::Return),
        2 => any::<bool>().prop_map(Step::SeeReplicaSets),
    ]
}

fn take(story: Story, step: Step) -> Story {
    let rollout = &story.rollout;
    let under_way = rollout.current_hash != rollout.stable_hash;
    match step {
        Step::Apply(n) => {
            let hash = ["a", "b", "c", "d", "e"][n];
            if rollout.current_hash.as_deref() == Some(hash) { story } else { story.applies(hash) }
        }
        Step::Promote if rollout.current_hash.is_some() && !rollout.abort => story.gets_promoted(),
        Step::Abort if under_way => story.gets_aborted(),
        Step::Retry if rollout.abort => story.gets_retried(),
        Step::Flap => story.changes(|story| story.rollout.healthy ^= true),
        Step::Trim(history) => story.keeps(history),
        Step::Leave => story.leaves(),
        Step::Return => story.returns(),
        Step::SeeReplicaSets(sees) => story.sees_replica_sets(sees).observed(),
        Step::Promote | Step::Abort | Step::Retry => story,
    }
}

fn assert_sound(story: &Story) -> Result<(), TestCaseError> {
    let attempts = story.chain.attempts();
    for (index, attempt) in attempts.iter().enumerate() {
        prop_assert!(!attempt.open() || index == 0, "open but not the newest: {:?}", story.lines());
        prop_assert!(attempt.ended.is_none_or(|ended| ended >= attempt.started));
        for follow in &attempt.follows {
            prop_assert!(
                !attempts[..=index].iter().any(|newer| newer.is(follow)),
                "follows itself or a newer one: {:?}",
                story.lines()
            );
        }
        let named_twice = attempts[..index].iter().any(|newer| {
            let name = |a: &timeline::chain::Attempt| (a.hash.clone(), a.revision, a.number);
            name(newer) == name(attempt)
        });
        prop_assert!(!named_twice, "two attempts of one name: {:?}", story.lines());
    }
    let live = story.chain.live().map(|live| live.hash.as_str());
    // A revision that was never seen is known by nothing but its ReplicaSet.
    let sees_all = !story.is_away() && !story.is_blind();
    // What never was healthy is stable for Argo alone.
    let lived = live.is_some() || story.rollout.progress.was_healthy;
    if sees_all && lived && story.rollout.current_hash != story.rollout.stable_hash {
        prop_assert_eq!(live, story.rollout.stable_hash.as_deref(), "{:?}", story.lines());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_chain_is_sound_and_the_same_observation_twice_changes_nothing(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut story = Story::begins();
        for step in steps {
            story = take(story, step);
            assert_sound(&story)?;
            if !story.is_away() {
                story = story.changes(|_| {});
                let again = story.clone().changes(|_| {});
                prop_assert_eq!(again.turn, Turn::Same, "{:?}", story.lines());
                prop_assert_eq!(&again.chain, &story.chain);
            }
        }
    }
}
