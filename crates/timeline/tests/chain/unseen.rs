//! What was not seen, or was seen late.

use jiff::SignedDuration;
use timeline::base::Source;
use timeline::engine::{Effect, Options};
use timeline::seen::Unavailable;
use timeline::stored::{Condition, Report, RolloutTraceSeen, Settings};
use timeline::{Engine, Kind, Observation};

use crate::story::{Story, key, lines};

#[test]
fn what_is_superseded_ends_when_what_replaces_it_began_however_late_that_is_seen() {
    let story =
        Story::of_a_live().applies("b").while_away(|story| story.applies("c")).changes(|_| {});
    let [newest, superseded, ..] = story.chain.attempts() else { panic!() };
    assert_eq!(newest.started_source, Source::Status);
    assert_eq!(superseded.ended, Some(newest.started));
}

#[test]
fn a_promotion_while_away_is_dated_by_argo() {
    let story = Story::of_a_live()
        .applies("b")
        .while_away(|story| story.gets_promoted().changes(|_| {}).changes(|_| {}))
        .reads(&["1 a Promoted []", "2 b Promoted [Successor 1]"]);
    assert_eq!(story.newest().ended, story.rollout.completed.map(|(_, at)| at));
}

#[test]
fn an_abort_and_a_retry_while_away_leave_no_mark() {
    Story::of_a_live()
        .applies("b")
        .while_away(|story| story.gets_aborted().gets_retried())
        .nothing_happened()
        .reads(&["1 a Promoted []", "2 b Progressing [Successor 1]"]);
}

#[test]
fn revisions_that_passed_while_away_are_known_to_have_been_there() {
    Story::of_a_live()
        .while_away(|story| story.applies("b").gets_promoted().applies("c").gets_promoted())
        .reads(&["1 a Promoted []", "2 b Unknown []", "3 c Promoted [Successor 1, After 2]"]);
    Story::of_a_live()
        .while_away(|story| story.applies("b").gets_promoted().applies("c"))
        .reads(&["1 a Promoted []", "2 b Promoted [Successor 1]", "3 c Progressing [Successor 2]"]);
}

#[test]
fn what_came_before_a_promotion_that_was_not_seen_is_known_too() {
    Story::of_a_live()
        .while_away(|story| {
            story.applies("b").gets_promoted().applies("c").gets_promoted().applies("d")
        })
        .reads(&[
            "1 a Promoted []",
            "2 b Unknown []",
            "3 c Promoted [Successor 1, After 2]",
            "4 d Progressing [Successor 3]",
        ]);
}

#[test]
fn what_came_and_went_while_away_is_known_though_the_same_revision_is_live() {
    Story::of_a_live()
        .while_away(|story| story.applies("b").gets_promoted().applies("a").gets_promoted())
        .reads(&["1 a Promoted []", "2 b Unknown []"])
        .observed()
        .nothing_happened()
        .applies("c")
        .reads(&["1 a Promoted []", "2 b Unknown []", "4 c Progressing [Successor 1, After 2]"]);
}

#[test]
fn what_was_replaced_while_away_was_not_reverted() {
    Story::of_a_live()
        .applies("b")
        .while_away(|story| story.applies("c").applies("a").gets_promoted())
        .reads(&["1 a Promoted []", "2 b Unknown [Successor 1]", "3 c Unknown []"]);
}

#[test]
fn a_rollback_that_was_not_seen_began_after_what_it_takes_back() {
    let story = Story::of_a_live().applies("b").gets_promoted();
    let live_since = story.newest().ended;
    let story = story.while_away(|story| story.applies("a").gets_promoted().applies("c")).reads(&[
        "1 a Promoted []",
        "2 b Promoted [Successor 1]",
        "3 a Promoted [Rollback 2]",
        "4 c Progressing [Successor 3]",
    ]);
    let missed = &story.chain.attempts()[1];
    assert!(Some(missed.started) >= live_since, "{missed:?}");
    assert_eq!(missed.started_source, Source::Inferred);
    assert!(missed.ended >= Some(missed.started));
}

#[test]
fn at_first_sight_the_old_replica_sets_are_what_was_there_before() {
    Story::begins()
        .while_away(|story| story.applies("a").gets_promoted().applies("b").applies("c"))
        .reads(&["1 a Promoted []", "2 b Unknown []", "3 c Progressing [Successor 1, After 2]"]);
}

#[test]
fn what_argo_called_stable_before_first_sight_and_never_was_healthy_was_not_live() {
    Story::begins()
        .while_away(|story| story.applies("a").applies("b"))
        .reads(&["1 a Unknown []", "2 b Progressing [After 1]"]);
}

#[test]
fn a_rollout_that_is_created_over_older_replica_sets_never_tried_to_bring_them_live() {
    let over = |seconds: i64| {
        Story::begins().while_away(|story| {
            let mut story =
                story.applies("a").gets_promoted().applies("b").applies("c").applies("d");
            let last = story.sets.iter().filter_map(|set| set.created).max().unwrap();
            story.rollout.created = Some(last + jiff::SignedDuration::from_secs(seconds));
            story
        })
    };
    over(1).reads(&["1 a Promoted []", "4 d Progressing [Successor 1]"]);
    over(-3600).reads(&[
        "1 a Promoted []",
        "2 b Unknown []",
        "3 c Unknown []",
        "4 d Progressing [Successor 1, After 3]",
    ]);
}

#[test]
fn a_replica_set_that_is_seen_before_its_rollout_turns_to_it_was_not_there_before() {
    let mut story = Story::begins().while_away(|story| story.applies("a"));
    story.chain = timeline::chain::Chain::default();
    let next = story.clone().while_away(|story| story.applies("b"));
    story.sets = next.sets;
    story.changes(|_| {}).reads(&["1 a Progressing []"]);
}

#[test]
fn what_is_live_comes_before_what_replaces_it_even_if_its_replica_set_is_seen_later() {
    Story::begins()
        .before_replica_sets(|story| {
            story.while_away(|story| story.applies("a").gets_promoted().applies("b"))
        })
        .reads(&["2 b Progressing []"])
        .observed()
        .reads(&["1 a Promoted []", "2 b Progressing [Successor 1]"]);
}

#[test]
fn without_the_annotation_the_replica_set_has_the_revision() {
    Story::of_a_live()
        .while_away(|story| story.applies("b").changes(|story| story.rollout.revision = None))
        .reads(&["1 a Promoted []", "2 b Progressing [Successor 1]"]);
}

#[test]
fn a_replica_set_may_come_late_and_still_shows_when_the_attempt_began() {
    let story = Story::of_a_live()
        .applies("b")
        .before_replica_sets(|story| story.applies("c").changes(|_| {}));
    assert_eq!(story.newest().workload, None);
    let story = story.changes(|_| {});
    let newest = story.newest();
    assert_eq!(newest.version(), Some("version-c"));
    assert_eq!(
        (Some(newest.started), newest.started_source),
        (story.sets[2].created, Source::Status)
    );
    assert_eq!(story.chain.attempts()[1].ended, Some(newest.started));
}

#[test]
fn a_hash_without_a_replica_set_is_an_attempt_without_a_version() {
    let story = Story::begins()
        .before_replica_sets(|story| story.applies("a").gets_promoted())
        .reads(&["1 a Promoted []"]);
    assert_eq!(story.newest().replica_set, None);
}

/// What is asked for in the end, where no RolloutAttempt is left of earlier.
fn effects_of(engine: &mut Engine, now: jiff::Timestamp) -> Vec<Effect> {
    let mut effects = engine.effects(now);
    let reads = |effect: &Effect| match effect {
        Effect::ReadAttempts(key, uid) => Some((key.clone(), uid.clone())),
        _ => None,
    };
    for (key, uid) in effects.iter().filter_map(reads).collect::<Vec<_>>() {
        engine.attempts_read(&key, &uid, Some(Vec::new()), now);
    }
    effects.retain(|effect| reads(effect).is_none());
    effects.extend(engine.effects(now));
    effects
}

#[test]
fn a_rollout_that_was_made_again_while_away_has_a_chain_of_its_own() {
    let old = Story::of_a_live().applies("b").gets_promoted();
    let mut new = Story::begins();
    new.now = old.now + SignedDuration::from_mins(1);
    new.rollout.uid = "uid-2".into();
    let new = new.applies("b").gets_promoted();

    let condition =
        Condition { status: None, reason: String::new(), message: String::new(), since: old.now };
    let stored = Report {
        rollout_uid: old.rollout.uid.clone(),
        observed_generation: None,
        attempts: old.chain.attempts().to_vec(),
        ledger: None,
        dora: timeline::dora::Settings::default(),
        at: old.now,
        observed: condition.clone(),
        linked: condition.clone(),
        exported: condition,
    };
    let trace = RolloutTraceSeen {
        key: key(),
        generation: Some(1),
        owners: vec![old.rollout.uid.to_string().into()],
        settings: Settings::default(),
        stored: Some(Box::new(stored)),
    };
    let mut engine = Engine::new(Options::default());
    engine.observe(Observation::RolloutTrace(Box::new(trace)), new.now);
    engine.observe(Observation::Rollout(new.rollout), new.now);
    for set in new.sets {
        engine.observe(Observation::ReplicaSet(set), new.now);
    }
    for kind in Kind::ALL {
        let present = matches!(kind, Kind::Rollout | Kind::RolloutTrace).then(key);
        engine.observe(Observation::Listed(kind, present.into_iter().collect()), new.now);
    }
    let effects = effects_of(&mut engine, new.now);
    let written = effects.iter().find_map(|effect| match effect {
        Effect::WriteReport(_, write) => Some(lines(&write.report.attempts)),
        _ => None,
    });
    assert_eq!(written, Some(vec!["1 b Promoted []".to_owned()]));
}

#[test]
fn while_rollout_traces_are_not_served_nothing_is_due_and_nothing_is_done() {
    let story = Story::of_a_live();
    let mut engine = Engine::new(Options::default());
    for kind in Kind::ALL {
        engine.observe(Observation::Listed(kind, [].into()), story.now);
    }
    let mut seen = story.rollout;
    seen.revision = Some(2);
    engine.observe(Observation::Rollout(seen), story.now);
    assert!(engine.due().is_some(), "the chain is to be stored");
    let away = Observation::Unavailable(Kind::RolloutTrace, Unavailable::NotInstalled);
    engine.observe(away, story.now);
    assert_eq!(engine.due(), None);
    assert_eq!(engine.effects(story.now + SignedDuration::from_mins(1)), []);
}

#[test]
fn what_shows_the_inside_of_attempts_keeps_nothing_from_going_on() {
    let evidence = Kind::ALL
        .into_iter()
        .filter(|kind| !kind.decides_links() && *kind != Kind::WorkloadVersion);
    for (kind, why) in evidence.flat_map(|kind| {
        [
            Unavailable::NotInstalled,
            Unavailable::Forbidden("list"),
            Unavailable::Failed("timed out".to_owned()),
        ]
        .map(|why| (kind, why))
    }) {
        let story = Story::of_a_live();
        let mut engine = Engine::new(Options::default());
        engine.observe(Observation::Rollout(story.rollout), story.now);
        for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
            let present = (other == Kind::Rollout).then(key);
            engine.observe(Observation::Listed(other, present.into_iter().collect()), story.now);
        }
        assert_eq!(engine.effects(story.now), [], "{kind:?} was not looked at yet");
        engine.observe(Observation::Unavailable(kind, why.clone()), story.now);
        let effects = effects_of(&mut engine, story.now + SignedDuration::from_mins(1));
        let [Effect::WriteReport(_, write)] = effects.as_slice() else {
            panic!("{kind:?} {why:?}: {effects:?}");
        };
        assert_eq!(engine.missing().collect::<Vec<_>>(), [(kind, Some(&why))]);
        let linked = &write.report.linked;
        assert!(!linked.message.contains(kind.resource()), "{kind:?} {why:?}: {linked:?}");
        let named = write.report.observed.message.contains(kind.resource());
        let expected = kind == Kind::RolloutAttempt || why != Unavailable::NotInstalled;
        assert_eq!(named, expected, "{kind:?} {why:?}: {:?}", write.report.observed);
    }
}
