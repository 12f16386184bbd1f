//! The fold, as stories: what Argo writes, and the chain that comes of it.

#![expect(clippy::unwrap_used, reason = "what a story does not have fails the test")]

mod always;
mod packed;
mod story;
mod unseen;

use story::Story;
use timeline::base::Phase;

#[test]
fn the_first_revision_is_promoted_when_it_is_healthy_for_the_first_time() {
    Story::begins()
        .applies("a")
        .reads(&["1 a Progressing []"])
        .changes(|_| {})
        .reads(&["1 a Progressing []"])
        .gets_promoted()
        .reads(&["1 a Promoted []"]);
}

#[test]
fn a_first_revision_that_never_was_healthy_is_superseded_though_argo_calls_it_stable() {
    Story::begins()
        .applies("a")
        .applies("b")
        .reads(&["1 a Superseded []", "2 b Progressing [Supersedes 1]"])
        .observed()
        .reads(&["1 a Superseded []", "2 b Progressing [Supersedes 1]"])
        .gets_aborted()
        .reads(&["1 a Superseded []", "2 b Aborted [Supersedes 1]"])
        .applies("c")
        .gets_promoted()
        .reads(&["1 a Superseded []", "2 b Aborted [Supersedes 1]", "3 c Promoted [After 2]"])
        .applies("d")
        .reads(&[
            "1 a Superseded []",
            "2 b Aborted [Supersedes 1]",
            "3 c Promoted [After 2]",
            "4 d Progressing [Successor 3]",
        ]);
}

#[test]
fn a_first_revision_that_was_healthy_unseen_was_live() {
    Story::begins()
        .applies("a")
        .while_away(|story| story.gets_promoted().applies("b"))
        .reads(&["1 a Promoted []", "2 b Progressing [Successor 1]"]);
}

#[test]
fn a_return_to_a_first_revision_that_never_was_healthy_waits_for_its_health() {
    Story::begins()
        .applies("a")
        .applies("b")
        .gets_aborted()
        .applies("a")
        .reads(&["1 a Superseded []", "2 b Aborted [Supersedes 1]", "3 a Progressing [After 2]"])
        .gets_promoted()
        .reads(&["1 a Superseded []", "2 b Aborted [Supersedes 1]", "3 a Promoted [After 2]"]);
}

#[test]
fn what_replaces_a_first_revision_that_never_was_healthy_is_promoted_when_argo_says_so() {
    // Healthy comes later: Argo scales down what was stable after a delay.
    let promoted = |mut story: Story| {
        story.rollout.stable_hash.clone_from(&story.rollout.current_hash);
        story.rollout.completed = Some((true, story.now));
        story.changes(|_| {})
    };
    let story = promoted(Story::begins().applies("a").applies("b"))
        .reads(&["1 a Superseded []", "2 b Promoted [Supersedes 1]"]);
    assert_eq!(story.newest().ended, story.rollout.completed.map(|(_, at)| at));
    story.applies("c").reads(&[
        "1 a Superseded []",
        "2 b Promoted [Supersedes 1]",
        "3 c Progressing [Successor 2]",
    ]);
    Story::begins()
        .applies("a")
        .applies("b")
        .while_away(|story| promoted(story).applies("c"))
        .reads(&[
            "1 a Superseded []",
            "2 b Promoted [Supersedes 1]",
            "3 c Progressing [Successor 2]",
        ]);
}

#[test]
fn an_abort_that_argo_ignores_ends_nothing() {
    let story = Story::of_a_live()
        .applies("b")
        .changes(|story| story.rollout.abort = true)
        .reads(&["1 a Promoted []", "2 b Progressing [Successor 1]"])
        .changes(|story| story.rollout.abort = false)
        .gets_promoted();
    story.reads(&["1 a Promoted []", "2 b Promoted [Successor 1]"]);
}

#[test]
fn an_abort_that_only_the_condition_confirms_ends_the_attempt_of_its_revision() {
    for (message, line) in [
        ("Rollout aborted update to revision 2", "2 b Aborted [Successor 1]"),
        ("Rollout aborted update to revision 2: why", "2 b Aborted [Successor 1]"),
        ("Rollout aborted update to revision 1", "2 b Progressing [Successor 1]"),
        ("Rollout aborted update to revision 20", "2 b Progressing [Successor 1]"),
    ] {
        Story::of_a_live()
            .applies("b")
            .changes(|story| {
                story.rollout.abort = true;
                story.rollout.progress.progressing = Some(timeline::seen::ConditionSeen {
                    status: Some(false),
                    reason: "RolloutAborted".to_owned(),
                    message: message.to_owned(),
                    since: None,
                });
            })
            .reads(&["1 a Promoted []", line]);
    }
}

#[test]
fn a_new_revision_follows_what_is_live() {
    Story::of_a_live()
        .applies("b")
        .reads(&["1 a Promoted []", "2 b Progressing [Successor 1]"])
        .gets_promoted()
        .reads(&["1 a Promoted []", "2 b Promoted [Successor 1]"]);
}

#[test]
fn an_abort_ends_an_attempt_at_the_time_that_argo_says() {
    let story = Story::of_a_live()
        .applies("b")
        .gets_aborted()
        .reads(&["1 a Promoted []", "2 b Aborted [Successor 1]"]);
    assert_eq!(story.newest().ended, story.rollout.aborted_at);
}

#[test]
fn a_fix_follows_what_is_live_and_the_attempt_that_failed() {
    let mut story = Story::of_a_live();
    for hash in ["b", "c", "d"] {
        story = story.applies(hash).gets_promoted();
    }
    // 4 is live, 5 failed.
    story.applies("e").gets_aborted().applies("f").reads(&[
        "1 a Promoted []",
        "2 b Promoted [Successor 1]",
        "3 c Promoted [Successor 2]",
        "4 d Promoted [Successor 3]",
        "5 e Aborted [Successor 4]",
        "6 f Progressing [Successor 4, After 5]",
    ]);
}

#[test]
fn a_retry_is_a_second_attempt_at_the_same_revision() {
    Story::of_a_live()
        .applies("b")
        .gets_aborted()
        .gets_retried()
        .reads(&[
            "1 a Promoted []",
            "2 b Aborted [Successor 1]",
            "2#2 b Progressing [Successor 1, RetryAfter 2]",
        ])
        .gets_aborted()
        .gets_retried()
        .gets_promoted()
        .reads(&[
            "1 a Promoted []",
            "2 b Aborted [Successor 1]",
            "2#2 b Aborted [Successor 1, RetryAfter 2]",
            "2#3 b Promoted [Successor 1, RetryAfter 2#2]",
        ]);
}

#[test]
fn a_return_to_what_is_live_ends_an_attempt_and_begins_none() {
    Story::of_a_live()
        .applies("b")
        .applies("a")
        .reads(&["1 a Promoted []", "2 b Reverted [Successor 1]"])
        .gets_promoted()
        .reads(&["1 a Promoted []", "2 b Reverted [Successor 1]"]);
}

#[test]
fn a_return_to_what_is_live_after_an_abort_is_nothing() {
    Story::of_a_live()
        .applies("b")
        .gets_aborted()
        .applies("a")
        .nothing_happened()
        .applies("c")
        .reads(&[
            "1 a Promoted []",
            "2 b Aborted [Successor 1]",
            "4 c Progressing [Successor 1, After 2]",
        ]);
}

#[test]
fn what_is_superseded_is_followed_by_what_replaces_it() {
    Story::of_a_live().applies("b").applies("c").applies("d").reads(&[
        "1 a Promoted []",
        "2 b Superseded [Successor 1]",
        "3 c Superseded [Successor 1, Supersedes 2]",
        "4 d Progressing [Successor 1, Supersedes 3]",
    ]);
}

#[test]
fn a_rollback_is_an_attempt_that_follows_what_it_replaces() {
    Story::of_a_live().applies("b").gets_promoted().applies("a").gets_promoted().reads(&[
        "1 a Promoted []",
        "2 b Promoted [Successor 1]",
        "3 a Promoted [Rollback 2]",
    ]);
}

#[test]
fn a_rollback_to_what_is_known_only_as_an_old_replica_set_is_one_too() {
    Story::of_a_live()
        .applies("b")
        .gets_promoted()
        .keeps(1)
        .reads(&["2 b Promoted [Successor 1]"])
        .applies("a")
        .reads(&["2 b Promoted [Successor 1]", "3 a Progressing [Rollback 2]"]);
}

#[test]
fn what_was_stopped_and_is_applied_again_later_is_no_rollback() {
    let stopped = |story: Story| story.applies("c").gets_promoted().applies("b");
    stopped(Story::of_a_live().applies("b").gets_aborted()).reads(&[
        "1 a Promoted []",
        "2 b Aborted [Successor 1]",
        "3 c Promoted [Successor 1, After 2]",
        "4 b Progressing [Successor 3]",
    ]);
    stopped(Story::of_a_live().applies("b")).reads(&[
        "1 a Promoted []",
        "2 b Superseded [Successor 1]",
        "3 c Promoted [Successor 1, Supersedes 2]",
        "4 b Progressing [Successor 3]",
    ]);
}

#[test]
fn a_rollback_while_another_revision_is_under_way_supersedes_that() {
    Story::of_a_live().applies("b").gets_promoted().applies("c").applies("a").reads(&[
        "1 a Promoted []",
        "2 b Promoted [Successor 1]",
        "3 c Superseded [Successor 2]",
        "4 a Progressing [Rollback 2, Supersedes 3]",
    ]);
}

#[test]
fn the_same_template_after_a_revert_is_a_new_attempt() {
    Story::of_a_live().applies("b").applies("a").applies("b").reads(&[
        "1 a Promoted []",
        "2 b Reverted [Successor 1]",
        "4 b Progressing [Successor 1, After 2]",
    ]);
}

#[test]
fn restarts_scaling_and_flaps_are_nothing() {
    Story::of_a_live()
        .changes(|story| story.rollout.healthy = false)
        .nothing_happened()
        .changes(|story| story.rollout.healthy = true)
        .nothing_happened()
        .applies("b")
        .changes(|story| story.rollout.healthy = false)
        .nothing_happened()
        .reads(&["1 a Promoted []", "2 b Progressing [Successor 1]"]);
}

#[test]
fn a_new_number_of_the_live_replica_set_is_nothing() {
    Story::of_a_live()
        .changes(|story| {
            story.sets[0].revision = Some(7);
            story.rollout.revision = Some(7);
        })
        .nothing_happened()
        .reads(&["1 a Promoted []"]);
}

#[test]
fn the_annotation_of_the_next_revision_comes_before_its_hash_and_is_nothing() {
    Story::of_a_live().changes(|story| story.rollout.revision = Some(2)).nothing_happened();
}

#[test]
fn the_oldest_attempts_are_forgotten_but_never_what_is_live() {
    let mut story = Story::of_a_live();
    for hash in ["b", "c", "d"] {
        story = story.applies(hash).gets_aborted();
    }
    story.keeps(2).reads(&[
        "1 a Promoted []",
        "3 c Aborted [Successor 1, After 2]",
        "4 d Aborted [Successor 1, After 3]",
    ]);
}

#[test]
fn a_rollout_without_a_status_has_no_attempts() {
    Story::begins().nothing_happened().reads(&[]);
}

#[test]
fn an_attempt_that_is_over_stays_as_it_ended() {
    let story = Story::of_a_live().applies("b").gets_aborted().applies("c").gets_promoted();
    let phases: Vec<Phase> = story.chain.attempts().iter().map(|attempt| attempt.phase).collect();
    assert_eq!(phases, [Phase::Promoted, Phase::Aborted, Phase::Promoted]);
}
