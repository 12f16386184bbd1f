//! Two replicas over one cluster: watches that lag, break and list anew for each on its own, partitions,
//! replicas that stand still between deciding and writing, crashes, hand-overs, writes that land though
//! their answer is lost, a Lease that a person deletes. Whatever the schedule: each attempt is stored once
//! and rightly, its spans arrive at least once and with the same bytes, nothing leaves a replica that
//! does not lead, and no write of an earlier leader is taken after one of a later.
//!
//! What decides is the product's: `lease` (who leads, whether a request may leave, which epoch it
//! carries), `standby` (what who comes to lead begins with), the engine and its outbox. Modelled are
//! what they meet: Argo, which knows what really happened, an API server that refuses a
//! resourceVersion or an epoch that is gone by, a collector, the time that everything takes.
//!
//! Where who leads stands still or is cut off, fewer rules are held (`owners::ALWAYS`).
//!
//! `THROUGHLINE_INTERLEAVINGS` says how many schedules each test plays, `THROUGHLINE_SEED` which ones.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::struct_excessive_bools,
    clippy::unwrap_used,
    reason = "what the model does not have fails the test, and a person sees it"
)]

#[path = "../../../timeline/tests/delivery/acts.rs"]
#[allow(dead_code, reason = "shared with the simulation of one owner")]
mod acts;
#[path = "../../../timeline/tests/delivery/api_server.rs"]
#[allow(dead_code, reason = "shared with the simulation of one owner")]
mod api_server;
#[path = "../../../timeline/tests/delivery/argo/mod.rs"]
#[allow(dead_code, reason = "shared with the simulation of one owner")]
mod argo;
mod cluster;
#[path = "../../../timeline/tests/delivery/collector.rs"]
#[allow(dead_code, reason = "shared with the simulation of one owner")]
mod collector;
#[path = "../../../timeline/tests/dora/lines.rs"]
mod lines;
#[path = "../../../timeline/tests/dora/not_yet.rs"]
mod not_yet;
#[path = "../../../timeline/tests/delivery/oracle/mod.rs"]
#[allow(dead_code, reason = "shared with the simulation of one owner")]
mod oracle;
mod owners;
#[path = "../../../timeline/tests/dora/reckoning.rs"]
#[allow(dead_code, reason = "shared with the simulation of one owner")]
mod reckoning;
mod schedule;
#[path = "../../../timeline/tests/delivery/story.rs"]
#[allow(dead_code, reason = "shared with the simulation of one owner")]
mod story;
mod world;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

/// Plays schedules until there were so many; a failure is printed with the shortest story that fails.
fn interleavings(seed: u64, second: bool, default: usize) {
    let asked = |name| std::env::var(name).ok().and_then(|number: String| number.parse().ok());
    let wanted = asked("THROUGHLINE_INTERLEAVINGS").unwrap_or(default);
    let seed = asked("THROUGHLINE_SEED").map_or(seed, |seed| seed as u64);
    let config = Config {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        max_shrink_iters: 1_500,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let played = Cell::new(0);
    while played.get() < wanted {
        let tree = schedule::case(second).new_tree(&mut runner).unwrap();
        let outcome = runner.run_one(tree, |case| {
            played.set(played.get() + case.play(false));
            Ok(())
        });
        if let Err(TestError::Fail(why, case)) = outcome {
            drop(catch_unwind(AssertUnwindSafe(|| case.play(true))));
            panic!("THROUGHLINE_SEED={seed}: {why} {case:?}");
        }
    }
}

#[test]
fn two_owners_lose_and_double_nothing_of_one_rollout() {
    interleavings(1, false, 6_000);
}

#[test]
fn two_owners_lose_and_double_nothing_of_two_rollouts() {
    interleavings(2, true, 4_000);
}

/// What comes out wrong, by rule, each with its shortest example.
#[test]
#[ignore = "for a person who looks into failures"]
fn survey() {
    let asked = |name| std::env::var(name).ok().and_then(|number: String| number.parse().ok());
    let config = Config {
        rng_seed: RngSeed::Fixed(asked("THROUGHLINE_SEED").unwrap_or(1u64)),
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let mut wrong = std::collections::BTreeMap::new();
    let rule_asked = std::env::var("RULE").unwrap_or_default();
    let mut shortest = None;
    for n in 0..asked("THROUGHLINE_STORIES").unwrap_or(300u64) {
        let case = schedule::case(n % 2 == 1).new_tree(&mut runner).unwrap().current();
        for single in case.singles() {
            let run = || single.findings(false);
            let found = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|why| {
                let words = why.downcast_ref::<String>().cloned();
                let words = words.or_else(|| why.downcast_ref::<&str>().map(ToString::to_string));
                [("panic", words.unwrap_or_default())].into()
            });
            for (rule, words) in found {
                let length = single.length();
                let entry = wrong.entry(rule).or_insert((0, usize::MAX, String::new()));
                entry.0 += 1;
                if length < entry.1 {
                    let words = words.chars().take(1_500).collect::<String>();
                    (entry.1, entry.2) = (length, format!("{words}\n    {single:?}"));
                    if rule == rule_asked {
                        shortest = Some(single.clone());
                    }
                }
            }
        }
    }
    if let Some(case) = shortest {
        drop(catch_unwind(AssertUnwindSafe(|| case.play(true))));
    }
    for (rule, (count, _, words)) in wrong {
        eprintln!("[{rule}] {count}: {words}");
    }
}
