//! Where the spans of an attempt belong, its facts, and its links.

use jiff::SignedDuration;
use timeline::Traceparent;
use timeline::base::{AttemptId, Turn};
use timeline::chain::{Attempt, Trace};
use timeline::journal::{Journal, LinkKind, Look, Placement};
use timeline::seen::{RevisionFacts, RolloutSeen};

use crate::story::Story;

const KEPTN: &str = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";
const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-01";

fn trace(agreed: bool) -> Trace {
    Trace {
        traceparent: KEPTN.parse().unwrap(),
        app_version: Some("shop-1".into()),
        workload_version: agreed.then(|| "shop-cart-1".to_owned()).map(Into::into),
    }
}

/// A story with Keptn, and a look at its newest attempt that Keptn's trace was found for.
struct WithKeptn {
    story: Story,
    journal: Journal,
}

impl WithKeptn {
    fn new() -> Self {
        let mut story = Story::canary();
        story.keptn_may_come = true;
        let story = story.after(10).applies("b");
        let journal = story.journal().clone();
        assert_eq!(journal.placed, None);
        Self { story, journal }
    }

    fn looks(&mut self, trace: Option<Trace>, keptn_may_come: bool) -> Turn {
        let mut attempt = self.story.chain.newest().unwrap().clone();
        attempt.trace = trace;
        self.journal.observe(&Look {
            rollout: &self.story.rollout,
            before: self.story.before.as_ref(),
            attempt: &attempt,
            newest: true,
            replica_set: self.story.sets.last(),
            stable_set: self.story.sets.first(),
            keptn_may_come,
            now: self.story.now,
        })
    }
}

#[test]
fn an_attempt_is_placed_into_keptns_trace_when_both_of_its_objects_agree() {
    let mut with = WithKeptn::new();
    assert_eq!(with.looks(Some(trace(false)), true), Turn::Same);
    assert_eq!(with.journal.placed, None);
    with.story = with.story.after(2);
    assert_eq!(with.looks(Some(trace(true)), true), Turn::Moved);
    let keptn: Traceparent = KEPTN.parse().unwrap();
    assert_eq!(with.journal.placed, Some(Placement::inside(keptn)));
    // Decided once.
    assert_eq!(with.looks(None, false), Turn::Same);
}

#[test]
fn a_placement_that_spans_wait_for_is_stored_at_once() {
    let mut with = WithKeptn::new();
    with.story = with.story.after(2).reaches(1);
    with.journal = with.story.journal().clone();
    assert_eq!(with.journal.closed, 1);
    assert_eq!(with.looks(Some(trace(true)), true), Turn::Vital);
}

#[test]
fn after_half_a_minute_it_is_placed_with_what_is_known() {
    let mut with = WithKeptn::new();
    with.looks(Some(trace(false)), true);
    let due = with.journal.due().unwrap();
    assert_eq!(due, with.journal.started.at + SignedDuration::from_secs(30));
    let own = WithKeptn::new().journal;
    for (mut journal, inside) in [(with.journal, true), (own, false)] {
        assert_eq!(journal.tick(due - SignedDuration::from_millis(1)), Turn::Same);
        assert_eq!(journal.tick(due), Turn::Moved);
        assert_eq!(journal.placed.unwrap().parent.is_some(), inside);
        assert_eq!(journal.due(), None);
    }
}

#[test]
fn nothing_is_placed_before_a_look_of_this_process() {
    let mut with = WithKeptn::new();
    with.journal.memory = timeline::journal::Memory::default();
    assert_eq!(with.journal.due(), None);
    let late = with.story.now + SignedDuration::from_hours(1);
    assert_eq!(with.journal.tick(late), Turn::Same);
}

#[test]
fn without_keptn_it_is_placed_as_soon_as_its_facts_are_known() {
    let story = Story::canary().after(10).applies("b");
    let journal = story.journal();
    assert_eq!(journal.placed, Some(Placement::own(&journal.identity)));
    assert_eq!(journal.facts.service.as_deref(), Some("shop-cart"));
    assert_eq!(journal.facts.version.as_deref(), Some("version-b"));
    assert_eq!(journal.facts.app.as_deref(), Some("shop"));
    assert_eq!(journal.facts.planned_steps, 4);
    assert!(!journal.facts.upgrade);
}

#[test]
fn facts_freeze_with_the_placement() {
    let mut story = Story::canary().after(10).applies("b");
    let facts = story.journal().facts.clone();
    story.sets[1].facts = RevisionFacts { version: Some("9".into()), ..Default::default() };
    assert_eq!(story.after(1).version(|_| {}).journal().facts, facts);
}

/// A pipeline applies the template, and annotates the Rollout a moment later: until then the new
/// ReplicaSet has a copy of the commit that is live.
fn annotated_later() -> Story {
    Story::canary().after(600).while_away(|mut story| {
        story.sets[0].facts.commit = Some("aaaa".into());
        let mut story = story.applies("b");
        story.sets[1].facts.commit = Some("aaaa".into());
        story
    })
}

#[test]
fn a_commit_that_is_annotated_after_the_template_is_waited_for() {
    let mut story = annotated_later();
    assert_eq!(story.journal().placed, None);
    story.sets[1].facts.commit = Some("bbbb".into());
    let story = story.after(2).version(|_| {});
    assert!(story.journal().placed.is_some());
    assert_eq!(story.journal().facts.commit.as_deref(), Some("bbbb"));
}

#[test]
fn a_commit_that_several_revisions_are_made_of_is_believed_after_ten_seconds() {
    let mut journal = annotated_later().journal().clone();
    let due = journal.due().unwrap();
    assert_eq!(due, journal.started.at + SignedDuration::from_secs(10));
    assert_eq!(journal.tick(due), Turn::Moved);
    assert!(journal.placed.is_some());
    assert_eq!(journal.facts.commit.as_deref(), Some("aaaa"));
    assert_eq!(journal.due(), None);
}

#[test]
fn what_is_live_already_brings_no_other_commit() {
    let story = Story::canary().after(600).while_away(|mut story| {
        story.sets[0].facts.commit = Some("aaaa".into());
        story.sets[0].facts.spec_digest = 7;
        let mut story = story.applies("b");
        story.sets[1].facts = RevisionFacts { ..story.sets[0].facts.clone() };
        story
    });
    assert!(story.journal().placed.is_some());
}

#[test]
fn a_name_and_a_version_that_are_not_given_are_taken_from_the_next_best() {
    let with = WithKeptn::new();
    let mut story = with.story;
    story.journals.pop();
    story.sets[1].facts.images = vec!["cart=registry:5000/cart:2.1@sha256:00".into()];
    let mut attempt = story.chain.newest().unwrap().clone();
    attempt.workload = None;
    let begin = |attempt: &Attempt| {
        let mut journal = Journal::begin(with.journal.identity.clone(), with.journal.started);
        journal.observe(&look(&story, attempt));
        journal.facts
    };
    let facts = begin(&attempt);
    assert_eq!(facts.service.as_deref(), Some("cart"));
    assert_eq!(facts.version.as_deref(), Some("2.1"));
    story.sets[1].facts.images.clear();
    let begin = Journal::begin(with.journal.identity.clone(), with.journal.started);
    let mut journal = begin;
    journal.observe(&look(&story, &attempt));
    assert_eq!(journal.facts.version.as_deref(), Some("b"));
}

#[test]
fn a_revision_with_the_template_of_what_is_live_was_made_by_an_upgrade() {
    let story = Story::canary().while_away(|story| {
        let mut story = story.applies("b");
        story.sets[1].facts.template_digest = story.sets[0].facts.template_digest;
        story
    });
    assert!(story.journal().facts.upgrade);
}

#[test]
fn a_rollout_that_is_created_over_a_replica_set_that_is_there_deploys_nothing() {
    let with = WithKeptn::new();
    let story = &with.story;
    let made = story.sets[1].created.unwrap();
    let change = story.chain.newest().unwrap().clone();
    let first = Attempt { follows: Box::default(), ..change.clone() };
    for (what, second, attempt, adopted) in [
        ("the first over what is there", 10, &first, true),
        ("the first, which made its own", -10, &first, false),
        ("what follows another attempt", 10, &change, false),
    ] {
        let created = Some(made + SignedDuration::from_secs(second));
        let rollout = RolloutSeen { created, ..story.rollout.clone() };
        let mut journal = Journal::begin(with.journal.identity.clone(), with.journal.started);
        journal.observe(&Look { rollout: &rollout, ..look(story, attempt) });
        assert_eq!(journal.facts.adopted, adopted, "{what}");
    }
}

/// A look at an attempt of "b" that Keptn has nothing to say about.
fn look<'a>(story: &'a Story, attempt: &'a Attempt) -> Look<'a> {
    Look {
        rollout: &story.rollout,
        before: None,
        attempt,
        newest: true,
        replica_set: Some(&story.sets[1]),
        stable_set: None,
        keptn_may_come: false,
        now: story.now,
    }
}

fn root(story: &Story, hash: &str, revision: i64) -> Traceparent {
    let identity = AttemptId {
        hash: hash.to_owned().into(),
        revision,
        number: 1,
        ..story.journal().identity.clone()
    };
    Traceparent::sampled(identity.own_trace(), identity.span(&[]))
}

#[test]
fn a_root_links_to_what_it_follows_and_to_where_it_comes_from() {
    let story = Story::canary().applies("b").after(5).aborted("").while_away(|story| {
        let mut story = story.after(5).applies("c");
        story.sets[2].facts.origin = Some(OTHER.parse().unwrap());
        story
    });
    let links: Vec<_> =
        story.journal().links.iter().map(|link| (link.kind, link.traceparent)).collect();
    assert_eq!(
        links,
        [
            (LinkKind::PreviousRevision, root(&story, "a", 1)),
            (LinkKind::After, root(&story, "b", 2)),
            (LinkKind::Origin, OTHER.parse().unwrap()),
        ]
    );
    // They are the roots that those attempts have.
    assert_eq!(story.journals[1].root_context(), Some(root(&story, "b", 2)));
}

#[test]
fn a_root_does_not_link_into_its_own_trace() {
    let mut with = WithKeptn::new();
    with.story = with.story.after(5).aborted("").after(5).retried();
    with.journal = with.story.journal().clone();
    let mut attempt = with.story.chain.newest().unwrap().clone();
    attempt.trace = Some(trace(true));
    for follow in &mut attempt.follows {
        let retry = follow.relation == timeline::chain::Relation::RetryAfter;
        follow.trace = retry.then(|| KEPTN.parse().unwrap());
    }
    with.journal.observe(&Look {
        rollout: &with.story.rollout,
        before: with.story.before.as_ref(),
        attempt: &attempt,
        newest: true,
        replica_set: with.story.sets.last(),
        stable_set: with.story.sets.first(),
        keptn_may_come: true,
        now: with.story.now,
    });
    let kinds: Vec<_> = with.journal.links.iter().map(|link| link.kind).collect();
    assert_eq!(kinds, [LinkKind::PreviousRevision]);
}
