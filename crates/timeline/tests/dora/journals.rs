//! Lines from the journals of attempts, and a ledger from what attempts are left.

use jiff::Timestamp;
use proptest::prelude::*;
use timeline::Key;
use timeline::base::Phase::{Aborted, Progressing, Promoted, Unknown};
use timeline::base::{AttemptId, Moment};
use timeline::chain::Relation;
use timeline::failure::{Failure, FailureClass};
use timeline::journal::{
    Facts, Journal, Link, LinkKind, Mark, MarkKind, Placement, Replaces, Service, Switch, Weight,
};
use timeline::ledger::{Exposed, Kind, Ledger, Line};
use timeline::seen::commit::{CommitTime, Refusal, Source};

use crate::any::history;
use crate::build::{Build, UID, attempt, hour, second};

fn journal(revision: i64) -> Journal {
    let identity = AttemptId {
        rollout: Key::new("shop", "cart"),
        rollout_uid: UID.to_owned().into(),
        hash: "6d5694bbbf".into(),
        revision,
        number: 1,
    };
    let placed = Some(Placement::own(&identity));
    Journal { placed, ..Journal::begin(identity, Moment::observed(second(0))) }
}

fn of(journal: &Journal) -> Line {
    Line::of_journal(journal)
}

fn at(seconds: i64) -> Moment {
    Moment::status(second(seconds))
}

fn aborted() -> Journal {
    Journal { phase: Aborted, ended: Some(at(95)), ..journal(2) }
}

#[test]
fn a_line_says_what_its_journal_says() {
    let mut journal = Journal { exposed: true, settled: Some(at(97)), ..aborted() };
    let weight =
        |percent, seconds| Weight { percent, started: at(seconds), ended: None, closed: None };
    journal.weights = vec![weight(0, 2), weight(5, 5), weight(20, 50)];
    journal.failure = Some(Failure {
        class: FailureClass::AnalysisFailed,
        cause: Some(timeline::failure::AbortCause::StepAnalysis),
        reason: String::new(),
        message: String::new(),
        pod: None,
        container: None,
        image: None,
        at: at(90),
    });
    journal.facts.version = Some("2.0.0 beta".to_owned());
    journal.facts.commit = Some("main@sha1:6ec3dd4bd1ea1f9a0f8a3b9e9e8a6b1f3d7f2c11".to_owned());
    journal.facts.commit_time = Some(second(-7200));
    let relation = Relation::Successor;
    journal.facts.replaces = Some(Replaces { revision: 1, number: 1, relation });
    journal.facts.spec_digest = 0xa000_0000_0000_000b;
    assert_eq!(
        of(&journal).to_string(),
        "2.1@6d5694bbbf Aborted 2026-11-01T00:00:00Z ended=+95 settled=+97 exposed=+5 \
         class=AnalysisFailed version=2.0.0_beta commit=6ec3dd4bd1ea@-7200 \
         template=a000000b replaces=1.1"
    );
}

#[test]
fn what_was_promoted_has_not_failed() {
    let failure = Failure {
        class: FailureClass::ProbeFailed,
        cause: None,
        reason: String::new(),
        message: String::new(),
        pod: None,
        container: None,
        image: None,
        at: at(5),
    };
    let under_way = Journal { failure: Some(failure), ..journal(2) };
    let promoted = Journal { phase: Promoted, ended: Some(at(95)), ..under_way.clone() };
    // What holds it up while it is open may be taken back.
    assert_eq!(of(&under_way).class, None);
    assert_eq!(of(&promoted).class, None);
    let mut ledger = Ledger::new(UID, None);
    ledger.take(of(&under_way));
    ledger.take(of(&promoted));
    assert_eq!(ledger.lines()[0].class, None);
    // As the release before stored it.
    let stored = Line { class: Some(FailureClass::ProbeFailed), ..of(&promoted) };
    let ledger = Ledger::restored(UID, None, [stored], [], None);
    assert_eq!(ledger.lines()[0].class, None);
}

#[test]
fn a_switch_of_the_active_service_exposes_and_one_of_the_preview_does_not() {
    let switch = |service, seconds| Switch { service, at: at(seconds), to_new: true, closed: None };
    let mut journal = Journal { exposed: true, ..aborted() };
    journal.switches = vec![switch(Service::Preview, 3), switch(Service::Active, 30)];
    assert_eq!(of(&journal).exposed_at, Some(second(30)));
}

#[test]
fn that_no_traffic_was_seen_says_nothing_where_versions_passed_unseen() {
    assert_eq!(of(&aborted()).exposed, Exposed::No);
    for kind in [MarkKind::Gap, MarkKind::FirstSight] {
        let mut journal = aborted();
        journal.marks.push(Mark { kind, at: at(10), note: String::new() });
        assert_eq!(of(&journal).exposed, Exposed::Unknown);
        journal.exposed = true;
        assert_eq!(of(&journal).exposed, Exposed::Yes);
    }
}

#[test]
fn what_an_attempt_was_for_is_shown_by_what_it_does() {
    assert_eq!(of(&journal(1)).kind, Kind::Initial);
    assert_eq!(of(&journal(2)).kind, Kind::Change);
    let mut upgrade = journal(2);
    upgrade.facts.upgrade = true;
    assert_eq!(of(&upgrade).kind, Kind::Upgrade);
    let mut back = journal(2);
    let traceparent = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01".parse().unwrap();
    back.links.push(Link { traceparent, kind: LinkKind::RollsBack });
    assert_eq!(of(&back).kind, Kind::Rollback);
    let kind = |facts| of(&Journal { facts, ..journal(2) }).kind;
    let replaces = |relation| Some(Replaces { revision: 1, number: 1, relation });
    let back = Facts { replaces: replaces(Relation::Rollback), ..Facts::default() };
    assert_eq!(kind(back), Kind::Rollback);
    let on = Facts { replaces: replaces(Relation::Successor), ..Facts::default() };
    assert_eq!(kind(on), Kind::Change);
    assert_eq!(kind(Facts { hotfix: true, ..Facts::default() }), Kind::Hotfix);
}

#[test]
fn what_is_read_before_it_is_frozen_does_not_bind_the_ledger() {
    let read = |commit: &str, relation, hotfix| {
        let mut journal = Journal { placed: None, ..journal(3) };
        journal.facts.commit = Some(commit.to_owned());
        journal.facts.version = Some(commit.to_owned());
        journal.facts.spec_digest = commit.len() as u64;
        journal.facts.hotfix = hotfix;
        journal.facts.replaces = Some(Replaces { revision: 2, number: 1, relation });
        journal
    };
    // Annotations that are written after the template stand at the ReplicaSet a version later.
    let early = read("ffffff", Relation::Rollback, true);
    let late = read("aaaa", Relation::Successor, false);
    let late = Journal { placed: journal(3).placed, ..late };
    let ended = Journal { phase: Promoted, ended: Some(at(95)), ..late.clone() };
    let mut kept = Ledger::new(UID, None);
    for look in [&early, &late, &ended] {
        kept.take_journal(look).unwrap();
        let rebuilt = Ledger::restored(UID, None, [of(look)], [], None);
        assert_eq!(kept.lines(), rebuilt.lines());
    }
    assert_eq!(kept.lines()[0].kind, Kind::Change);
    // An attempt that ended before it could be placed says what was read.
    let over = Journal { phase: Aborted, ended: Some(at(5)), ..early };
    assert_eq!(of(&over).kind, Kind::Rollback);
}

#[test]
fn an_end_that_was_not_seen_and_nothing_bounds_is_no_end() {
    let over =
        Journal { phase: Promoted, ended: Some(Moment::inferred(None, second(95))), ..journal(2) };
    assert_eq!((of(&over).ended, of(&over).inferred), (None, false));
    let bounded = Journal {
        phase: Promoted,
        ended: Some(Moment::inferred(Some(second(10)), second(95))),
        ..journal(2)
    };
    assert_eq!((of(&bounded).ended, of(&bounded).inferred), (Some(second(95)), true));
}

#[test]
fn the_source_of_a_commits_time_is_a_fact_and_so_is_why_it_was_refused() {
    let time = |facts| of(&Journal { facts, ..journal(2) }).commit_time;
    let known = Facts { commit_time: Some(second(-60)), ..Facts::default() };
    // As the release before stored it.
    assert_eq!(time(known.clone()), CommitTime::At(second(-60), Source::Throughline));
    let shift = Facts { commit_time_source: Some(Source::OpenShift), ..known };
    assert_eq!(time(shift), CommitTime::At(second(-60), Source::OpenShift));
    let refused = Facts { commit_time_refused: Some(Refusal::Future), ..Facts::default() };
    assert_eq!(time(refused), CommitTime::Refused(Refusal::Future));
}

#[test]
fn the_digits_of_one_commit_never_stand_with_the_time_of_another() {
    let one = attempt(2, "b", Promoted, hour(1), hour(2)).commit("bbbb", hour(-5));
    let undated = Line { commit_time: CommitTime::Unknown, ..one.clone().commit("cccc", hour(0)) };
    for looks in [[&one, &undated], [&undated, &one]] {
        let mut ledger = Ledger::new(UID, None);
        for look in looks {
            ledger.take(look.clone());
        }
        let line = &ledger.lines()[0];
        assert_eq!(line.commit_time, CommitTime::Unknown, "{line}");
    }
}

#[test]
fn times_below_a_second_and_an_end_before_the_start_make_a_line_that_can_be_read_again() {
    let odd = Journal {
        started: Moment::observed(Timestamp::new(1_793_491_200, 999_000_000).unwrap()),
        ended: Some(at(-100)),
        settled: Some(Moment::observed(Timestamp::MIN)),
        ..aborted()
    };
    let line = of(&odd);
    assert_eq!((line.ended, line.settled), (Some(second(0)), Some(second(0))));
    assert_eq!(line.to_string().parse(), Ok(line));
}

#[test]
fn an_attempt_of_another_rollout_is_refused() {
    let mut ledger = Ledger::new("another", None);
    let refused = ledger.take_journal(&aborted()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "attempt 2.1@6d5694bbbf is of the Rollout with UID {UID}, the ledger of that with UID \
             another"
        )
    );
    assert_eq!(ledger, Ledger::new("another", None));
}

#[test]
fn an_attempt_enters_when_it_begins_and_is_updated_as_it_goes() {
    let mut ledger = Ledger::new(UID, None);
    let open = journal(2);
    assert_eq!(ledger.take_journal(&open), Ok(true));
    assert_eq!(ledger.take_journal(&open), Ok(false));
    assert_eq!(ledger.take_journal(&aborted()), Ok(true));
    assert_eq!(ledger.take_journal(&open), Ok(false));
    assert_eq!((ledger.lines().len(), ledger.lines()[0].outcome), (1, Aborted));
    assert_eq!(open.phase, Progressing);
}

#[test]
fn what_is_rebuilt_is_known_since_the_last_attempt_that_is_missing() {
    let of = |revision, number| {
        attempt(revision, "h", Promoted, hour(revision * 10), hour(revision * 10 + 1))
            .number(number)
    };
    let initial = || of(1, 1).kind(Kind::Initial);
    let since = |lines: &[Line]| Ledger::rebuilt(UID, lines.to_vec(), hour(500)).known_since();
    assert_eq!(since(&[]), Some(hour(500)));
    assert_eq!(since(&[initial(), of(2, 1), of(3, 1)]), None);
    assert_eq!(since(&[of(5, 1), of(6, 1), of(6, 2), of(7, 1)]), Some(hour(50)));
    assert_eq!(since(&[of(4, 1), of(6, 1), of(7, 1)]), Some(hour(60)));
    assert_eq!(since(&[initial(), of(2, 2), of(3, 1)]), Some(hour(20)));
    let unknown = Line { outcome: Unknown, ..of(0, 1) };
    assert_eq!(since(&[unknown, of(7, 1)]), Some(hour(70)));
}

proptest! {
    #[test]
    fn what_is_rebuilt_from_all_attempts_is_what_was_lost(lines in history(20)) {
        let now = crate::always::end(&lines);
        let lost = crate::build::ledger(lines.clone());
        prop_assert_eq!(Ledger::rebuilt(UID, lines, now), lost);
    }
}
