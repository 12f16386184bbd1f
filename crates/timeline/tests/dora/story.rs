//! Histories whose figures are worked out by hand beside them.

use timeline::base::Phase::{Aborted, Deleted, Progressing, Promoted, Reverted, Superseded};
use timeline::dora::{Band, Counts, Rate, Settings, Window, figures, judge};
use timeline::ledger::{Exposed, Kind, Ledger, Line};

use crate::build::{Build, UID, attempt, hour, ledger, minute, over};

/// The life of one Rollout. The window is that of 7 days, of which all but the first revision are
/// part.
fn everything() -> Ledger {
    ledger([
        // The Rollout is created: it counts as nothing.
        attempt(1, "a", Promoted, hour(0), hour(1)).kind(Kind::Initial),
        // Promoted, two hours after its commit.
        attempt(2, "b", Promoted, hour(10), hour(11)).commit("c2", hour(9)),
        // Aborted at 5 %: traffic from 20:10, stopped at 20:30, traffic back at 20:31.
        attempt(3, "c", Aborted, hour(20), minute(20 * 60 + 30))
            .exposed_at(minute(20 * 60 + 10))
            .settled(minute(20 * 60 + 31))
            .commit("c3", hour(19)),
        // Tried again, and promoted: live at 22:00, seven hours after its commit, all available
        // at 22:01. It makes the failure before it good, but is no fix: it is the same revision.
        attempt(3, "c", Promoted, hour(21), hour(22))
            .number(2)
            .settled(minute(22 * 60 + 1))
            .commit("c3", hour(15)),
        // A bad image, blocked before traffic.
        attempt(4, "d", Aborted, hour(30), hour(31)),
        // Promoted at 41:00, three hours after its commit. Traffic from 40:20.
        attempt(5, "e", Promoted, hour(40), hour(41))
            .exposed_at(minute(40 * 60 + 20))
            .commit("c5", hour(38)),
        // Rolled back to revision 3 from 43:00 on, live at 43:10, all available at 43:20.
        attempt(6, "c", Promoted, hour(43), minute(43 * 60 + 10))
            .settled(minute(43 * 60 + 20))
            .kind(Kind::Rollback),
        // A hotfix, live at 46:00 and available at once, one hour after its commit. What it
        // replaces is a rollback, so that nothing new has failed.
        attempt(7, "f", Promoted, hour(45), hour(46))
            .settled(hour(46))
            .kind(Kind::Hotfix)
            .commit("c7", hour(45)),
        // Replaced by the next one before it was decided.
        attempt(8, "g", Superseded, hour(60), hour(61)),
        // Promoted; the time of its commit is not known.
        attempt(9, "h", Promoted, hour(61), hour(62)),
        // The Rollout is deleted under way.
        attempt(10, "i", Deleted, hour(70), hour(71)),
    ])
}

#[test]
fn a_life_of_a_rollout_gives_the_figures_that_are_worked_out_by_hand() {
    let ledger = everything();
    // Hour 71 is 23:00 on the third day: the window goes from four days before the first.
    let week = over(7, hour(71), &ledger);
    // Revisions 2, 3 (its second attempt), 5, 7 and 9: 5 in 7 days.
    assert_eq!((week.frequency.n, week.frequency.per_day), (5, Some(5.0 / 7.0)));
    // 2 h, 7 h, 3 h, 1 h: in order 1, 2, 3, 7. The middle is 2.5 h; nine tenths of the way from
    // the first to the last is 2.7 places on: 3 + 0.7 * 4 = 5.8 h. Revision 9 has no commit time.
    assert_eq!((week.lead.n, week.lead.unknown, week.lead.refused), (4, 1, 0));
    assert_eq!(week.lead.median, Some(2.5 * 3600.0));
    assert!((week.lead.p90.unwrap() - 5.8 * 3600.0).abs() < 1e-6);
    // Users noticed revision 3, first attempt, and revision 5. Of them and of five deployments,
    // 5 among them: 2 of 6.
    assert_eq!(week.failed_exposed, Rate { part: 2, n: 6, rate: Some(2.0 / 6.0) });
    // Revision 4 failed too: 3 of 7.
    assert_eq!(week.failed_all, Rate { part: 3, n: 7, rate: Some(3.0 / 7.0) });
    // Revision 3: 20:10 to 20:31, 21 min. Revision 5: 40:20 to 43:20, 180 min.
    assert_eq!((week.recovery.n, week.recovery.unknown), (2, 0));
    assert_eq!(week.recovery.median, Some(f64::midpoint(21.0, 180.0) * 60.0));
    // To the next good revision: 20:10 to 22:01 is 111 min, 40:20 to 46:00 is 340 min.
    assert_eq!((week.mend.n, week.mend.unknown), (2, 0));
    assert_eq!(week.mend.median, Some(f64::midpoint(111.0, 340.0) * 60.0));
    // Rework: the rollback, the hotfix, the superseded one. Of five deployments, one rollback and
    // one superseded attempt: 3 of 7.
    assert_eq!(week.rework, Rate { part: 3, n: 7, rate: Some(3.0 / 7.0) });
    assert!(!week.at_least);
    let bands = week.bands.unwrap();
    assert_eq!((bands.frequency, bands.lead), (Some(Band::High), Some(Band::Elite)));
    assert_eq!((bands.fail_rate, bands.recovery), (Some(Band::Low), Some(Band::High)));
    // The longer windows know no more, and divide by more days.
    for days in [30, 90] {
        let longer = over(days, hour(71), &ledger);
        assert_eq!(longer.sum, week.sum);
        assert_eq!(longer.frequency.per_day, Some(5.0 / f64::from(days)));
    }
}

#[test]
fn each_attempt_counts_once_and_says_as_what() {
    let ledger = everything();
    let verdicts = judge(&ledger, &Settings::default());
    let counts: Vec<_> =
        verdicts.iter().map(|it| (it.line.id.revision, it.counts, it.recovers)).collect();
    let id = |revision: i64, number: u32| {
        let of = |line: &&Line| line.id.revision == revision && line.id.number == number;
        ledger.lines().iter().find(of).map(|line| line.id.short())
    };
    assert_eq!(
        counts,
        [
            (1, Counts::Nothing, None),
            (2, Counts::Deployment, None),
            (3, Counts::FailedExposed, None),
            (3, Counts::Deployment, None),
            (4, Counts::FailedBlocked, None),
            (5, Counts::FailedDeployment, None),
            (6, Counts::Rollback, id(5, 1)),
            (7, Counts::Deployment, id(5, 1)),
            (8, Counts::Superseded, None),
            (9, Counts::Deployment, None),
            (10, Counts::Nothing, None),
        ]
    );
}

#[test]
fn where_nothing_is_counted_there_is_no_figure() {
    let initial = attempt(1, "a", Promoted, hour(0), hour(1)).kind(Kind::Initial);
    let under_way = Line { ended: None, ..attempt(2, "b", Progressing, hour(2), hour(2)) };
    for ledger in [ledger([]), ledger([initial.clone()]), ledger([initial, under_way])] {
        let none = over(7, hour(3), &ledger);
        assert_eq!((none.frequency.n, none.frequency.per_day), (0, None));
        for rate in [none.failed_exposed, none.failed_all, none.rework] {
            assert_eq!(rate, Rate { part: 0, n: 0, rate: None });
        }
        for times in [none.lead, none.recovery, none.mend] {
            assert_eq!((times.n, times.median, times.p90), (0, None, None));
        }
        assert_eq!(none.bands, Some(timeline::dora::Bands::default()));
    }
}

#[test]
fn levels_can_be_switched_off_and_change_no_figure() {
    let ledger = everything();
    let off = Settings::default().without_bands();
    let window = Window::days(7, hour(71)).unwrap();
    let (without, with) =
        (figures([&ledger], window, &off), figures([&ledger], window, &Settings::default()));
    assert_eq!(without.bands, None);
    assert_eq!(timeline::dora::Figures { bands: None, ..with }, without);
}

#[test]
fn a_rollback_after_the_failure_window_makes_nothing_a_failure() {
    for (started, failed) in [(35, 1), (36, 0)] {
        let ledger = ledger([
            attempt(1, "a", Promoted, hour(0), hour(1)).kind(Kind::Initial),
            attempt(2, "b", Promoted, hour(10), hour(11)),
            attempt(3, "a", Promoted, hour(started), hour(started + 1)).kind(Kind::Rollback),
        ]);
        let week = over(7, hour(50), &ledger);
        assert_eq!((week.failed_exposed.part, week.failed_exposed.n), (failed, 1), "{started}");
        assert_eq!((week.frequency.n, week.sum.rollbacks), (1, 1));
    }
    let ledger = ledger([
        attempt(1, "a", Promoted, hour(0), hour(1)).kind(Kind::Initial),
        attempt(2, "b", Promoted, hour(10), hour(11)),
        attempt(3, "a", Promoted, hour(36), hour(37)).kind(Kind::Rollback),
    ]);
    let longer = Settings::default().failure_window_hours(25).unwrap();
    let window = Window::days(7, hour(50)).unwrap();
    assert_eq!(figures([&ledger], window, &longer).failed_exposed.part, 1);
}

#[test]
fn a_rollback_takes_back_all_that_came_after_what_it_goes_back_to() {
    // V1, V2, V3, V1: it may not be declared a rollback, but the ledger knows.
    let ledger = ledger([
        attempt(1, "v1", Promoted, hour(0), hour(1)).kind(Kind::Initial),
        attempt(2, "v2", Promoted, hour(2), hour(3)),
        attempt(3, "v3", Promoted, hour(4), hour(5)),
        attempt(4, "v1", Promoted, hour(6), hour(7)),
    ]);
    let week = over(7, hour(8), &ledger);
    assert_eq!((week.failed_exposed.part, week.failed_exposed.n, week.frequency.n), (2, 2, 2));
    // From the start of each, since it is not recorded when its traffic began: 5 h and 3 h.
    assert_eq!(week.recovery.median, Some(4.0 * 3600.0));
    assert_eq!((week.mend.n, week.mend.unknown), (0, 2));
}

#[test]
fn a_revision_of_a_year_ago_takes_back_only_what_is_new() {
    let ledger = ledger([
        attempt(2, "old", Promoted, hour(-9000), hour(-8999)),
        attempt(3, "v2", Promoted, hour(-200), hour(-199)),
        attempt(4, "v3", Promoted, hour(4), hour(5)),
        attempt(5, "old", Promoted, hour(6), hour(7)).kind(Kind::Rollback),
    ]);
    let quarter = over(90, hour(8), &ledger);
    assert_eq!((quarter.failed_exposed.part, quarter.failed_exposed.n), (1, 2));
}

#[test]
fn a_hotfix_makes_what_it_replaces_a_failure_that_it_also_recovers() {
    let ledger = ledger([
        attempt(2, "b", Promoted, hour(10), hour(11)),
        attempt(3, "c", Promoted, hour(12), hour(13)).kind(Kind::Hotfix).settled(hour(14)),
    ]);
    let week = over(7, hour(20), &ledger);
    assert_eq!((week.frequency.n, week.failed_exposed.part, week.failed_exposed.n), (2, 1, 2));
    assert_eq!(week.recovery.median, Some(4.0 * 3600.0));
    assert_eq!(week.mend.median, week.recovery.median);
    assert_eq!((week.rework.part, week.rework.n), (1, 2));
}

#[test]
fn a_new_revision_soon_after_a_failure_is_rework_and_a_later_one_is_not() {
    for (started, rework) in [(35, 1), (36, 0)] {
        let ledger = ledger([
            attempt(2, "b", Aborted, hour(10), hour(11)).exposed_at(hour(10)).settled(hour(11)),
            attempt(3, "c", Promoted, hour(started), hour(started + 1)),
        ]);
        let week = over(7, hour(50), &ledger);
        assert_eq!((week.rework.part, week.rework.n), (rework, 1), "{started}");
        assert_eq!(week.mend.n, 1);
    }
}

#[test]
fn a_failure_without_an_end_is_open_and_neither_nothing_nor_forgotten() {
    let ledger = ledger([attempt(2, "b", Aborted, hour(10), hour(11)).exposed_at(hour(10))]);
    let week = over(7, hour(50), &ledger);
    assert_eq!((week.recovery.n, week.recovery.unknown, week.recovery.median), (0, 1, None));
    assert_eq!((week.mend.n, week.mend.unknown), (0, 1));
}

#[test]
fn that_users_were_spared_is_not_assumed() {
    let unclear =
        Line { exposed: Exposed::Unknown, ..attempt(3, "c", Aborted, hour(12), hour(13)) };
    let ledger = ledger([
        attempt(2, "b", Promoted, hour(10), hour(11)),
        unclear,
        attempt(4, "d", Reverted, hour(14), hour(15)),
    ]);
    let week = over(7, hour(20), &ledger);
    assert_eq!((week.failed_exposed.part, week.failed_exposed.n), (0, 1));
    assert_eq!((week.failed_all.part, week.failed_all.n), (2, 3));
    assert_eq!((week.sum.failed_unclear, week.sum.failed_blocked), (1, 1));
}

#[test]
fn an_upgrade_of_the_controller_counts_as_nothing_and_hides_no_failure() {
    let ledger = ledger([
        attempt(1, "a", Promoted, hour(0), hour(1)).kind(Kind::Initial),
        attempt(2, "b", Promoted, hour(10), hour(11)),
        attempt(3, "b2", Promoted, hour(12), hour(13)).kind(Kind::Upgrade),
        attempt(4, "a", Promoted, hour(14), hour(15)).kind(Kind::Rollback),
        attempt(5, "c", Promoted, hour(50), hour(51)),
        attempt(6, "c2", Promoted, hour(52), hour(53)).kind(Kind::Upgrade),
        attempt(7, "d", Promoted, hour(54), hour(55)).kind(Kind::Hotfix),
    ]);
    let week = over(7, hour(60), &ledger);
    assert_eq!((week.frequency.n, week.failed_exposed.part, week.failed_exposed.n), (3, 2, 3));
}

#[test]
fn a_rollout_that_was_there_at_first_sight_is_known_only_in_part() {
    let mut ledger = Ledger::new("uid", Some(hour(5)));
    ledger.take(attempt(7, "b", Promoted, hour(10), hour(11)));
    assert!(over(7, hour(20), &ledger).at_least);
    assert!(!over(7, hour(20 + 24 * 7), &ledger).at_least);
}

#[test]
fn figures_over_several_rollouts_are_those_of_all_their_attempts() {
    // Lead times of 1 h and of 2, 3 and 4 h: the middle of all is 2.5 h, not the mean 2 h of
    // the two middles 1 h and 3 h. One of one and none of three failed: a quarter, not a half.
    let of = |n: i64, lead: i64| {
        attempt(n, &format!("h{n}"), Promoted, hour(40 * n), hour(40 * n + 1))
            .commit(&format!("c{n}"), hour(40 * n + 1 - lead))
    };
    let initial = attempt(1, "h1", Promoted, hour(0), hour(1)).kind(Kind::Initial);
    let one = ledger([
        initial,
        of(2, 1),
        attempt(3, "h1", Promoted, hour(82), hour(83)).kind(Kind::Rollback),
    ]);
    let other = ledger([of(2, 2), of(3, 3), of(4, 4)]);
    let window = Window::days(30, hour(200)).unwrap();
    let all = figures([&one, &other], window, &Settings::default());
    assert_eq!((all.rollouts, all.frequency.n, all.lead.n), (2, 4, 4));
    assert_eq!(all.lead.median, Some(2.5 * 3600.0));
    assert_eq!(all.failed_exposed.rate, Some(0.25));
}

/// 2.0.0 is stopped with users on it; an hour later exactly that is applied again.
fn stopped_and_shipped_later(said: Kind) -> Ledger {
    ledger([
        attempt(1, "v1", Promoted, hour(0), hour(1)).kind(Kind::Initial),
        attempt(2, "v2", Aborted, hour(2), hour(3)).exposed_at(hour(2)).settled(hour(3)),
        attempt(3, "v3", Promoted, hour(4), hour(5)),
        attempt(4, "v2", Promoted, hour(6), hour(7)).kind(said),
        attempt(5, "v4", Promoted, hour(8), hour(9)),
    ])
}

#[test]
fn what_was_never_live_is_a_deployment_and_no_failure() {
    // Whatever was written down of it.
    for said in [Kind::Change, Kind::Rollback] {
        let ledger = stopped_and_shipped_later(said);
        let week = over(7, hour(20), &ledger);
        assert_eq!((week.frequency.n, week.sum.rollbacks, week.sum.failed_live), (3, 0, 0));
        assert_eq!((week.failed_exposed.part, week.failed_exposed.n), (1, 4), "{said}");
        assert_eq!(week.sum.fixes, 1);
    }
}

#[test]
fn a_return_that_was_stopped_stays_a_return_when_it_is_tried_again() {
    // What is gone from the ledger was live long ago.
    let lines = [
        attempt(7, "v7", Promoted, hour(0), hour(1)),
        attempt(8, "old", Aborted, hour(2), hour(3)).kind(Kind::Rollback),
        attempt(8, "old", Promoted, hour(4), hour(5)).number(2).kind(Kind::Rollback),
    ];
    let mut ledger = Ledger::new(UID, Some(hour(-1)));
    for line in lines.clone() {
        ledger.take(line);
    }
    let week = over(7, hour(20), &ledger);
    assert_eq!((week.frequency.n, week.sum.rollbacks, week.sum.failed_live), (1, 1, 1));
    // Where nothing is missing, it was never live.
    let whole = crate::build::ledger(lines);
    let week = over(7, hour(20), &whole);
    assert_eq!((week.frequency.n, week.sum.rollbacks, week.sum.failed_live), (2, 0, 0));
}

#[test]
fn a_return_to_what_is_not_known_takes_back_at_most_what_came_after_that() {
    let mut ledger = Ledger::new(UID, Some(hour(5)));
    ledger.take(attempt(7, "v7", Promoted, hour(2), hour(3)));
    ledger.take(attempt(9, "v9", Promoted, hour(6), hour(7)));
    ledger.take(attempt(10, "v8", Promoted, hour(8), hour(9)).kind(Kind::Rollback));
    let verdicts = judge(&ledger, &Settings::default());
    let counts: Vec<_> = verdicts.iter().map(|it| (it.line.id.revision, it.counts)).collect();
    let counted = [(7, Counts::Deployment), (9, Counts::FailedDeployment), (10, Counts::Rollback)];
    assert_eq!(counts, counted);
}

#[test]
fn a_hotfix_mends_the_abort_that_users_noticed_and_not_what_was_good_before_it() {
    let aborted = || attempt(3, "c", Aborted, hour(12), hour(13));
    let unclear = Line { exposed: Exposed::Unknown, ..aborted() };
    let cases = [
        ("users were hit", aborted().exposed_at(hour(12)), 0),
        ("nobody knows whether users were hit", unclear, 0),
        ("users were spared", aborted(), 1),
        ("it was a hotfix itself", aborted().exposed_at(hour(12)).kind(Kind::Hotfix), 1),
    ];
    for (case, stopped, failed_live) in cases {
        let id = stopped.id.short();
        let exposed = stopped.exposed == Exposed::Yes;
        let ledger = ledger([
            attempt(1, "a", Promoted, hour(0), hour(1)).kind(Kind::Initial),
            attempt(2, "b", Promoted, hour(10), hour(11)),
            stopped,
            attempt(4, "d", Promoted, hour(14), hour(15)).kind(Kind::Hotfix),
        ]);
        let week = over(7, hour(20), &ledger);
        assert_eq!((week.frequency.n, week.sum.failed_live), (2, failed_live), "{case}");
        let verdicts = judge(&ledger, &Settings::default());
        let hotfix = verdicts.iter().find(|it| it.line.id.revision == 4).unwrap();
        assert_eq!(hotfix.counts, Counts::Deployment, "{case}");
        assert_eq!(hotfix.recovers == Some(id), exposed, "{case}");
    }
}

#[test]
fn a_hotfix_mends_what_is_live_where_the_abort_was_before_that() {
    for began in [22, 30] {
        let ledger = ledger([
            attempt(3, "c", Aborted, hour(2), hour(3)).exposed_at(hour(2)),
            attempt(4, "d", Promoted, hour(20), hour(21)),
            attempt(5, "e", Promoted, hour(began), hour(began + 1)).kind(Kind::Hotfix),
        ]);
        assert_eq!(over(7, hour(50), &ledger).sum.failed_live, 1, "{began}");
    }
}
