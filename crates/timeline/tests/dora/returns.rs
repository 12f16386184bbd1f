//! What comes back: under another hash, or after it was taken back.

use timeline::base::Phase::Promoted;
use timeline::dora::{Counts, Lead, Settings, judge};
use timeline::ledger::{Kind, Line, Word};
use timeline::seen::commit::Refusal;

use crate::build::{Build, attempt, hour, ledger, over};

/// An attempt of a chart that stamps the time into the template: each has a hash of its own.
fn stamped(revision: i64, template: u32, commit: &str) -> Line {
    let at = revision * 2;
    let line = attempt(revision, &format!("h{revision}"), Promoted, hour(at), hour(at + 1));
    Line { template: Some(template), ..line.commit(commit, hour(-5)) }
}

#[test]
fn the_same_under_another_hash_is_a_redeploy_or_a_rollback_and_no_deployment() {
    let (a, b) = (0xa, 0xb);
    let ledger = ledger([
        stamped(1, a, "aaaa").kind(Kind::Initial),
        stamped(2, a, "aaaa"),
        stamped(3, b, "bbbb"),
        stamped(4, a, "aaaa"),
        stamped(5, a, "aaaa"),
        // The commit again, with a switch turned off.
        stamped(6, 0xc, "bbbb"),
        // The template again, of another commit.
        stamped(7, 0xc, "dddd"),
    ]);
    let verdicts = judge(&ledger, &Settings::default());
    let counted: Vec<_> = verdicts.iter().map(|it| (it.kind, it.counts)).collect();
    assert_eq!(
        counted,
        [
            (Kind::Initial, Counts::Nothing),
            (Kind::Redeploy, Counts::Nothing),
            (Kind::Change, Counts::FailedDeployment),
            (Kind::Rollback, Counts::Rollback),
            (Kind::Redeploy, Counts::Nothing),
            (Kind::Change, Counts::Deployment),
            (Kind::Change, Counts::Deployment),
        ]
    );
    let week = over(7, hour(20), &ledger);
    assert_eq!((week.frequency.n, week.lead.n, week.lead.refused), (3, 3, 0));
    assert_eq!(verdicts[4].lead, Lead::Refused(Refusal::Redeployed));
}

#[test]
fn another_version_of_the_same_template_and_commit_is_a_change() {
    let of = |revision, version| Line {
        version: Word::new(version, 40),
        ..stamped(revision, 0xa, "aaaa")
    };
    let ledger = ledger([of(2, "1.0.0"), of(3, "2.0.0"), of(4, "2.0.0")]);
    let kinds = judge(&ledger, &Settings::default()).into_iter().map(|it| it.kind);
    assert_eq!(kinds.collect::<Vec<_>>(), [Kind::Change, Kind::Change, Kind::Redeploy]);
}

#[test]
fn a_template_that_is_not_known_is_like_no_other() {
    let of = |revision| Line { template: None, ..stamped(revision, 0xa, "aaaa") };
    let ledger = ledger([of(2), of(3)]);
    assert_eq!(over(7, hour(20), &ledger).frequency.n, 2);
}

#[test]
fn what_was_taken_back_is_not_taken_back_again() {
    // V1, V2, V3, V2, V1: the second rollback finds V3 mended.
    let ledger = ledger([
        attempt(1, "v1", Promoted, hour(0), hour(1)).kind(Kind::Initial),
        attempt(2, "v2", Promoted, hour(2), hour(3)),
        attempt(3, "v3", Promoted, hour(4), hour(5)),
        attempt(4, "v2", Promoted, hour(6), hour(7)),
        attempt(5, "v1", Promoted, hour(8), hour(9)),
    ]);
    let week = over(7, hour(10), &ledger);
    assert_eq!((week.failed_exposed.part, week.failed_exposed.n), (2, 2));
    // V3 took 3 h, V2 took 7 h.
    assert_eq!(week.recovery.median, Some(5.0 * 3600.0));
}
