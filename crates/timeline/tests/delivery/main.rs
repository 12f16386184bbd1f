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
use world::World;

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
