//! How timelines get out, whatever goes wrong: the operator dies or an answer is lost at every
//! single step of every story, the collector is away or refuses, and yet no span is lost, none
//! arrives twice with other bytes, none whose transition is not stored, and the end is one and the
//! same.
//!
//! The same ones each time, so that a failure is one of the change at hand.
//! `THROUGHLINE_CRASH_POINTS` says at how many points at least random stories are cut short,
//! `THROUGHLINE_SEED` which stories.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the model does not have fails the test"
)]

mod api_server;
mod argo;
mod collector;
mod oracle;
mod story;
mod world;

use std::collections::BTreeMap;

use collector::Taste;
use story::Story;
use timeline::Kind;
use world::{Fault, InFlight, World};

#[test]
fn undisturbed_all_is_as_it_was() {
    for story in story::all() {
        let run = || {
            let mut world = World::new(&story, Taste::Everything, BTreeMap::new());
            world.log = std::env::var_os("THROUGHLINE_LOG").map(|_| Vec::new());
            world.run()
        };
        let world = run();
        for line in world.log.iter().flatten() {
            eprintln!("{line}");
        }
        eprintln!("{}: {} steps {:?}", story.name, world.steps, world.server.writes);
        world.must_be_right(&world);
    }
}

/// What may go wrong at one step.
fn faults() -> Vec<Fault> {
    let mut faults = vec![Fault::AnswerLost, Fault::Fails, Fault::Relist(Kind::Rollout)];
    for in_flight in [InFlight::Lost, InFlight::Done, InFlight::Half, InFlight::Late(90)] {
        faults.push(Fault::Crash(in_flight, 0));
    }
    faults.push(Fault::Crash(InFlight::Late(2_500), 900));
    faults.push(Fault::Crash(InFlight::Lost, 20_000));
    faults
}

fn run(story: &Story, taste: Taste, faults: &BTreeMap<usize, Fault>, undisturbed: Option<&World>) -> World {
    let world = World::new(story, taste, faults.clone()).run();
    world.must_be_right(undisturbed.unwrap_or(&world));
    world
}

/// One run, told in full.
#[test]
#[ignore = "for a person who looks into a failure"]
fn one() {
    let asked = |name: &str| std::env::var(name).unwrap_or_default();
    let story = story::all().into_iter().find(|it| it.name == asked("STORY")).unwrap();
    let undisturbed = World::new(&story, Taste::Everything, BTreeMap::new()).run();
    let step = asked("STEP").parse().unwrap();
    let fault = faults().into_iter().find(|it| format!("{it:?}") == asked("FAULT")).unwrap();
    let mut world = World::new(&story, Taste::Everything, BTreeMap::from([(step, fault)]));
    world.log = Some(Vec::new());
    world.prints = true;
    let world = world.run();
    world.must_be_right(&undisturbed);
}

#[test]
fn at_every_step_of_every_story_the_operator_may_crash_or_hear_nothing() {
    let mut points = 0;
    let mut failures = BTreeMap::new();
    for story in story::all() {
        let undisturbed = run(&story, Taste::Everything, &BTreeMap::new(), None);
        for step in 1..=undisturbed.steps {
            for fault in faults() {
                let plan = BTreeMap::from([(step, fault)]);
                let result = std::panic::catch_unwind(|| {
                    run(&story, Taste::Everything, &plan, Some(&undisturbed)).crashes
                });
                points += 1;
                if let Err(why) = result {
                    let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
                    let line: String = why.chars().take(130).collect();
                    let entry = failures.entry(line).or_insert((0, story.name, step, fault));
                    entry.0 += 1;
                }
            }
        }
        eprintln!("{} {points}", story.name);
    }
    for (why, what) in &failures {
        eprintln!("{what:?} {why}");
    }
    assert!(failures.is_empty());
}
