//! The recordings of the real Argo and the real Keptn, through the pure core: the chain and the
//! links that come out, with each event once, twice, as lists, and with a restart after each; and
//! the journals of all attempts, and the spans made of them.

#![expect(clippy::unwrap_used, reason = "what is missing from a recording fails the test")]

mod cluster;
mod differences;
mod disturbed;
mod endings;
mod exported;
mod hostile;
mod journals;
mod progress;
mod recording;
mod rendering;

use cluster::{How, Replay};
use jiff::SignedDuration;

/// Timestamps of objects have no fraction.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn assert_chains(name: &str, chains: &[(&str, &[&str])], links: &[(&str, &[&str])]) {
    for how in [How::Once, How::Twice, How::AsLists, How::WithRestarts] {
        let replay = Replay::of(name, how);
        for (rollout, chain) in chains {
            let found = replay.chain(rollout);
            // Where something passes unseen, a promotion and a rollback could have: they look as a
            // return does.
            let doubtful = matches!(how, How::AsLists | How::WithRestarts);
            let unseen = chain.iter().map(|line| line.replace(" Reverted ", " Unknown "));
            if !(doubtful && unseen.eq(found.iter().cloned())) {
                assert_eq!(found, *chain, "{name}, {how:?}: chain of {rollout}");
            }
        }
        for (app, links) in links {
            assert_eq!(replay.links(app), *links, "{name}, {how:?}: links of {app}");
        }
    }
}

/// (scenario, rollout -> chain oldest first, app -> KeptnAppVersions linked to at the end).
///
/// Only linear, single-service, two-workloads and hash-version were recorded with links in their
/// contexts, so elsewhere Keptn's spans were made without them.
macro_rules! chains {
    ($test:ident, $name:literal, $([$rollout:literal: $($line:literal),+]),+ => $([$app:literal: $($link:literal),*]),+) => {
        #[test]
        fn $test() {
            assert_chains($name, &[$(($rollout, &[$($line),+])),+], &[$(($app, &[$($link),*])),+]);
        }
    };
}

chains!(
    three_promotions_are_one_chain,
    "linear",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
        "3 3.0.0 Promoted [Successor 2] shop-3.0.0-4e074085 Applied"]
    => ["shop": "shop-3.0.0-4e074085"]
);

chains!(
    an_app_of_one_workload_is_its_own_app,
    "single-service",
    ["cart":
        "1 1.0.0 Promoted [] cart-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] cart-2.0.0-d4735e3a Applied",
        "3 3.0.0 Promoted [Successor 2] cart-3.0.0-4e074085 Applied"]
    => ["cart": "cart-3.0.0-4e074085"]
);

chains!(
    two_rollouts_share_the_links_of_their_app,
    "two-workloads",
    ["cart":
        "1 1.0.0 Promoted [] shop-9601637160-d4735e3a None",
        "2 2.0.0 Promoted [Successor 1] shop-6273950f13-4e074085 Applied",
        "3 3.0.0 Promoted [Successor 2] shop-49473cb4f6-ef2d127d Lost",
        "4 4.0.0 Promoted [Successor 3] shop-d0e2962a9f-e7f6c011 Applied"],
    ["pay":
        "1 1.0.0 Promoted [] shop-9601637160-d4735e3a None",
        "2 2.0.0 Promoted [Successor 1] shop-244ac2eb13-4b227777 Applied",
        "3 3.0.0 Promoted [Successor 2] shop-49473cb4f6-ef2d127d Applied"]
    => ["shop": "shop-49473cb4f6-ef2d127d", "shop-d0e2962a9f-e7f6c011"]
);

chains!(
    a_version_that_keptn_hashed_is_found,
    "hash-version",
    ["cart":
        "1 3391518271 Promoted [] shop-3391518271-6b86b273 None",
        "2 214277426 Promoted [Successor 1] shop-214277426-d4735e3a Applied"]
    => ["shop": "shop-214277426-d4735e3a"]
);

chains!(
    an_unchanged_version_has_no_trace_and_breaks_no_chain,
    "same-version",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 1.0.0 Promoted [Successor 1] - None",
        "3 1.0.0 Promoted [Successor 2] - None"]
    => ["shop": "shop-1.0.0-6b86b273"]
);

chains!(
    a_full_promotion_is_a_promotion,
    "promote-full",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Lost"]
    => ["shop": "shop-2.0.0-d4735e3a"]
);

chains!(
    a_retry_follows_what_is_live_and_the_try_that_failed,
    "abort-retry",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Aborted [Successor 1] shop-2.0.0-d4735e3a Lost",
        "2#2 2.0.0 Promoted [Successor 1, RetryAfter 2] shop-2.0.0-4b227777 Lost"]
    => ["shop": "shop-2.0.0-d4735e3a"]
);

chains!(
    a_return_to_what_is_live_is_no_attempt,
    "revert-midway",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Reverted [Successor 1] shop-2.0.0-d4735e3a Lost"]
    => ["shop": "shop-1.0.0-6b86b273", "shop-2.0.0-d4735e3a"]
);

chains!(
    a_rollback_has_the_trace_of_its_own_app_version,
    "rollback",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Lost",
        "3 1.0.0 Promoted [Rollback 2] shop-1.0.0-4e074085 Lost"]
    => ["shop": "shop-1.0.0-4e074085"]
);

chains!(
    what_was_superseded_is_followed_too,
    "superseded",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Superseded [Successor 1] shop-2.0.0-d4735e3a Lost",
        "3 3.0.0 Promoted [Successor 1, Supersedes 2] shop-3.0.0-4e074085 Lost"]
    => ["shop": "shop-3.0.0-4e074085"]
);

chains!(
    a_deadline_without_abort_ends_nothing,
    "bad-image-then-fix",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Superseded [Successor 1] shop-2.0.0-d4735e3a Lost",
        "3 3.0.0 Promoted [Successor 1, Supersedes 2] shop-3.0.0-4e074085 Lost"]
    => ["shop": "shop-3.0.0-4e074085"]
);

chains!(
    a_deadline_with_abort_does,
    "bad-image-deadline-abort",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Aborted [Successor 1] shop-2.0.0-d4735e3a Lost"]
    => ["shop": "shop-1.0.0-6b86b273", "shop-2.0.0-d4735e3a"]
);

chains!(
    a_failed_analysis_aborts,
    "analysis-fail",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Aborted [Successor 1] shop-2.0.0-d4735e3a Lost"]
    => ["shop": "shop-1.0.0-6b86b273", "shop-2.0.0-d4735e3a"]
);

chains!(
    blue_green_is_no_different,
    "bluegreen",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Lost"]
    => ["shop": "shop-2.0.0-d4735e3a"]
);

chains!(
    restarts_and_scaling_are_no_attempts,
    "restart-and-scale",
    ["cart":
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None"]
    => ["shop": "shop-1.0.0-6b86b273"]
);
