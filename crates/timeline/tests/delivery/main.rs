//! How timelines get out, whatever goes wrong: the operator dies or an answer is lost at every
//! single step of every story, the collector is away or refuses, and yet no span is lost, none
//! arrives twice with other bytes, none whose transition is not stored, and the end is one and the
//! same.
//!
//! The same ones each time, so that a failure is one of the change at hand.
//! `THROUGHLINE_CRASH_POINTS` says at how many points random stories are cut short, at least;
//! `THROUGHLINE_SEED` which stories.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::struct_excessive_bools,
    clippy::unwrap_used,
    reason = "what the model does not have fails the test, and a person sees it"
)]

mod acts;
mod api_server;
mod argo;
mod collector;
#[path = "../dora/lines.rs"]
mod lines;
#[path = "../dora/not_yet.rs"]
mod not_yet;
mod oracle;
mod random;
#[path = "../dora/reckoning.rs"]
mod reckoning;
mod story;
mod world;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use collector::Taste;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use story::Story;
use timeline::Kind;
use world::{Fault, InFlight, World};

/// The words of a panic.
fn words_of(why: &(dyn std::any::Any + Send)) -> String {
    let words = why.downcast_ref::<String>().cloned();
    words.or_else(|| why.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

/// What may go wrong at one step.
fn faults() -> Vec<Fault> {
    let mut faults = vec![
        Fault::AnswerLost,
        Fault::Fails,
        Fault::Relist(Kind::Rollout),
        Fault::NoTraces,
        Fault::NoAttempts,
    ];
    for in_flight in [InFlight::Lost, InFlight::Done, InFlight::Half, InFlight::Late(90)] {
        faults.push(Fault::Crash(in_flight, 0));
    }
    faults.push(Fault::Crash(InFlight::Late(2_500), 900));
    faults.push(Fault::Crash(InFlight::Lost, 20_000));
    faults.push(Fault::Refused(Kind::Rollout, true, 15_000));
    faults.push(Fault::Refused(Kind::RolloutTrace, false, 15_000));
    faults.push(Fault::Refused(Kind::RolloutAttempt, false, 15_000));
    faults
}

/// Tries every fault at every step, or each at one of so many steps; says at how many points, and
/// what was wrong at how many.
fn at_every_step(
    story: &Story,
    taste: Taste,
    faults: &[Fault],
    one_of: usize,
) -> (usize, Vec<String>) {
    let undisturbed = World::new(story, taste, BTreeMap::new()).run();
    let mut points = 0;
    let mut wrong: BTreeMap<&'static str, _> = BTreeMap::new();
    for step in 1..=undisturbed.steps {
        for (_, fault) in faults.iter().enumerate().filter(|(n, _)| (n + step) % one_of == 0) {
            let plan = BTreeMap::from([(step, *fault)]);
            let examples = wrong.keys().copied().collect();
            let run =
                || World::new(story, taste, plan).run().findings(&undisturbed, examples).unknown();
            points += 1;
            let found = catch_unwind(AssertUnwindSafe(run))
                .unwrap_or_else(|why| BTreeMap::from([("panic", words_of(&*why))]));
            for (rule, words) in found {
                wrong.entry(rule).or_insert((0, step, fault, words)).0 += 1;
            }
        }
    }
    let wrong = wrong.into_iter().map(|(rule, (count, step, fault, words))| {
        let name = story.name;
        format!("[{rule}] {name}: {count} of {points} points, at step {step} {fault:?}: {words}")
    });
    (points, wrong.collect())
}

fn nothing_is_wrong(wrong: &[String]) {
    for words in wrong {
        eprintln!("{}", words.chars().take(1_500).collect::<String>());
    }
    assert!(wrong.is_empty(), "{} things are wrong", wrong.len());
}

#[test]
fn every_story_comes_out_as_it_was() {
    let mut wrong = Vec::new();
    for story in story::all() {
        let world = World::new(&story, Taste::Everything, BTreeMap::new()).run();
        let new = world.findings(&world, BTreeSet::new()).unknown();
        wrong.extend(new.iter().map(|(rule, words)| format!("[{rule}] {}: {words}", story.name)));
    }
    nothing_is_wrong(&wrong);
}

/// A list of what is not right yet must shrink.
#[test]
fn what_is_said_not_to_be_right_yet_is_not() {
    let mut wrong = BTreeSet::new();
    let faults = [
        None,
        Some(Fault::Crash(InFlight::Half, 0)),
        Some(Fault::Crash(InFlight::Lost, 20_000)),
        Some(Fault::Refused(Kind::Rollout, true, 15_000)),
        Some(Fault::Refused(Kind::RolloutTrace, false, 90_000)),
    ];
    for story in story::all() {
        let undisturbed = World::new(&story, Taste::Everything, BTreeMap::new()).run();
        for (step, fault) in
            (1..=undisturbed.steps).step_by(5).flat_map(|it| faults.map(|fault| (it, fault)))
        {
            let plan = fault.map(|fault| (step, fault)).into_iter().collect();
            let world = World::new(&story, Taste::Everything, plan).run();
            let rules = world.findings(&undisturbed, BTreeSet::new()).rules();
            if !rules.is_empty() {
                wrong.extend(world.kinds.iter().copied());
            }
            if !world.kinds.iter().any(|kind| not_yet::is_known(kind)) {
                wrong.extend(rules);
            }
        }
    }
    let right = not_yet::NOT_YET.iter().filter(|(what, _)| !wrong.contains(what));
    assert_eq!(right.collect::<Vec<_>>(), Vec::<&(&str, &str)>::new());
}

/// One run, printed in full.
#[test]
#[ignore = "for a person who looks into a failure"]
fn one() {
    let asked = |name: &str| std::env::var(name).unwrap_or_default();
    let story = story::all().into_iter().find(|it| it.name == asked("STORY")).unwrap();
    let undisturbed = World::new(&story, Taste::Everything, BTreeMap::new()).run();
    let step = asked("STEP").parse().unwrap();
    let fault = faults().into_iter().find(|it| format!("{it:?}") == asked("FAULT")).unwrap();
    let mut world = World::new(&story, Taste::Everything, BTreeMap::from([(step, fault)]));
    world.prints = true;
    world.run().must_be_right(&undisturbed);
}

#[test]
fn at_steps_of_every_story_the_operator_may_crash_or_hear_nothing() {
    let mut points = 0;
    let mut wrong = Vec::new();
    let few = [
        Fault::AnswerLost,
        Fault::Crash(InFlight::Half, 0),
        Fault::Crash(InFlight::Lost, 20_000),
        Fault::NoTraces,
    ];
    for (n, story) in story::all().into_iter().enumerate() {
        let all = faults();
        let (faults, one_of) = if n < 10 { (all.as_slice(), 2) } else { (few.as_slice(), 3) };
        let (tried, found) = at_every_step(&story, Taste::Everything, faults, one_of);
        points += tried;
        wrong.extend(found);
    }
    nothing_is_wrong(&wrong);
    assert!(points > 10_000, "{points}");
}

#[test]
fn asked_to_stop_at_any_step_it_has_stored_what_it_knows() {
    let mut wrong = Vec::new();
    for story in story::all() {
        wrong.extend(at_every_step(&story, Taste::Everything, &[Fault::Stop(50)], 4).1);
    }
    nothing_is_wrong(&wrong);
}

#[test]
fn a_collector_that_is_away_or_refuses_changes_nothing_else() {
    let dies =
        [Fault::AnswerLost, Fault::Crash(InFlight::Half, 0), Fault::Crash(InFlight::Lost, 700)];
    let story = || story::all().swap_remove(3);
    for (story, taste) in [
        (story().without_collector(80, 900), Taste::Everything),
        (story().without_collector(110, 112).without_collector(120, 125), Taste::Everything),
        (story(), Taste::DropsPauses),
        (story(), Taste::RefusesPauses),
        (story().without_keptn(), Taste::Everything),
    ] {
        nothing_is_wrong(&at_every_step(&story, taste, &dies, 1).1);
    }
}

#[test]
fn a_canary_of_six_steps_in_a_minute_costs_four_writes() {
    let story = story::canary();
    let world = World::new(&story, Taste::Everything, BTreeMap::new()).run();
    let most = world.server.writes.values().max();
    assert!(most <= Some(&4), "{:?}", world.server.writes);
}

#[test]
fn a_rollout_trace_is_written_twice_for_an_attempt_and_once_before_the_first() {
    let story = story::canary();
    let world = World::new(&story, Taste::Everything, BTreeMap::new()).run();
    assert_eq!((world.server.ever.len(), world.server.reports), (2, 5));
}

#[test]
fn a_crowd_waits_in_the_cluster_and_not_in_memory_while_the_collector_is_away() {
    let story = story::crowd(300).without_collector(0, 3_000);
    let undisturbed = World::new(&story, Taste::Everything, BTreeMap::new()).run();
    undisturbed.must_be_right(&undisturbed);
    // Nor does a process that starts in the meantime read them all.
    let crash = Fault::Crash(InFlight::Lost, 100);
    let faults = [undisturbed.steps / 2, undisturbed.steps * 3 / 4].map(|step| (step, crash));
    let world = World::new(&story, Taste::Everything, faults.into()).run();
    world.must_be_right(&undisturbed);
}

/// What comes out wrong in random stories, by rule, each with a short example.
#[test]
#[ignore = "for a person who looks into failures"]
fn survey() {
    let asked = |name| std::env::var(name).ok().and_then(|number: String| number.parse().ok());
    let seed = asked("THROUGHLINE_SEED").unwrap_or(1);
    let config = Config { rng_seed: RngSeed::Fixed(seed), ..Config::default() };
    let mut runner = TestRunner::new(config);
    let mut wrong: BTreeMap<(bool, &str), (usize, usize, String)> = BTreeMap::new();
    // `RULE` says of which one a short example is printed in full.
    let mut asked_for = None;
    for _ in 0..asked("THROUGHLINE_STORIES").unwrap_or(2_000) {
        let case = random::case().new_tree(&mut runner).unwrap().current();
        let run = || case.findings(false);
        let (count, found) = catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|why| (0, BTreeMap::from([("panic", words_of(&*why))])));
        for (rule, words) in found {
            let shortest = wrong.get(&(count > 0, rule)).map_or(usize::MAX, |known| known.1);
            if std::env::var("RULE").as_deref() == Ok(rule) && case.length() < shortest {
                asked_for = Some(case.clone());
            }
            let entry = wrong.entry((count > 0, rule)).or_insert((0, usize::MAX, String::new()));
            entry.0 += 1;
            if case.length() < entry.1 {
                let words = words.chars().take(1_000).collect::<String>();
                (entry.1, entry.2) = (case.length(), format!("{words}\n    {case:?}"));
            }
        }
    }
    if let Some(case) = asked_for {
        drop(catch_unwind(AssertUnwindSafe(|| case.findings(true))));
    }
    for ((disturbed, rule), (count, _, words)) in wrong {
        eprintln!("[{rule}] {count}, disturbed: {disturbed}: {words}");
    }
}

#[test]
fn random_stories_end_the_same_wherever_they_are_cut_short() {
    let asked = |name| std::env::var(name).ok().and_then(|number: String| number.parse().ok());
    let wanted = asked("THROUGHLINE_CRASH_POINTS").unwrap_or(20_000usize);
    let seed = asked("THROUGHLINE_SEED").unwrap_or(1) as u64;
    let config = Config {
        cases: u32::MAX,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let points = Cell::new(0);
    while points.get() < wanted {
        let tree = random::case().new_tree(&mut runner).unwrap();
        let outcome = runner.run_one(tree, |case| {
            points.set(points.get() + case.play(false));
            Ok(())
        });
        if let Err(TestError::Fail(why, case)) = outcome {
            // The shortest that fails, printed in full.
            drop(catch_unwind(AssertUnwindSafe(|| case.play(true))));
            panic!("THROUGHLINE_SEED={seed}: {why} {case:?}");
        }
    }
}
