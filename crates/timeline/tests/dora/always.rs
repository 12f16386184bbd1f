//! What holds of any history.

use proptest::collection::vec;
use proptest::prelude::*;
use timeline::dora::{Counts, Figures, Settings, Window, figures, figures_of, judge};
use timeline::ledger::{Ledger, Line, Sum};

use crate::any::{history, line, under_way};
use crate::build::{UID, hour, ledger};

fn windows(now: jiff::Timestamp) -> [Window; 3] {
    [7, 30, 90].map(|days| Window::days(days, now).unwrap())
}

fn all(ledgers: &[&Ledger], now: jiff::Timestamp) -> [Figures; 3] {
    figures_of(ledgers.iter().copied(), windows(now), &Settings::default())
}

/// The end of a history.
pub(crate) fn end(lines: &[Line]) -> jiff::Timestamp {
    let known = lines.iter().flat_map(|line| [Some(line.started), line.ended, line.settled]);
    known.flatten().max().unwrap_or(hour(0))
}

proptest! {
    #[test]
    fn an_attempt_of_another_rollout_changes_no_figure_of_this_one(
        ours in history(20),
        theirs in history(20),
        more in line(),
    ) {
        let now = end(&ours).max(end(&theirs));
        let (ours, theirs) = (ledger(ours), ledger(theirs));
        let before = all(&[&ours], now);
        let mut others = theirs.clone();
        others.take(more);
        let together = all(&[&ours, &others], now);
        prop_assert_eq!(all(&[&ours], now), before.clone());
        let alone = all(&[&others], now);
        for ((together, ours), others) in together.iter().zip(&before).zip(&alone) {
            let mut sum = ours.sum.clone();
            sum.merge(&others.sum);
            prop_assert_eq!(&together.sum, &sum);
        }
    }

    #[test]
    fn the_parts_of_a_window_add_up_to_it(lines in history(40), day in 1u16..90) {
        let now = end(&lines);
        let ledger = ledger(lines);
        let settings = Settings::default();
        let window = Window::days(90, now).unwrap();
        let later = Window::days(day, now).unwrap();
        let (first, second) = window.split(later.first()).unwrap();
        let [whole, first, second, later] =
            figures_of([&ledger], [window, first, second, later], &settings);
        prop_assert_eq!(&second, &later);
        let mut sum = first.sum.clone();
        sum.merge(&second.sum);
        prop_assert_eq!(&whole.sum, &sum);
        let n = |figures: &Figures| {
            [figures.lead.n, figures.recovery.n, figures.mend.n, figures.rework.n]
        };
        for ((whole, first), second) in n(&whole).into_iter().zip(n(&first)).zip(n(&second)) {
            prop_assert_eq!(whole, first + second);
        }
    }

    #[test]
    fn the_order_in_which_attempts_arrive_does_not_matter(
        (lines, shuffled) in vec(line(), 0..30)
            .prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
    ) {
        let (one, other) = (ledger(lines), ledger(shuffled));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(all(&[&one], hour(2000)), all(&[&other], hour(2000)));
    }

    #[test]
    fn an_attempt_that_is_taken_twice_is_there_once(lines in vec(line(), 0..20)) {
        let once = ledger(lines.clone());
        let mut twice = once.clone();
        for line in lines {
            prop_assert!(!twice.take(line));
        }
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn what_was_known_early_of_an_attempt_adds_nothing_to_what_is_known_late(lines in history(20)) {
        let known = ledger(lines.clone());
        let mut early_and_late = ledger(lines.iter().map(under_way));
        for line in &lines {
            early_and_late.take(line.clone());
        }
        for line in &lines {
            early_and_late.take(under_way(line));
        }
        prop_assert_eq!(early_and_late, known);
    }

    #[test]
    fn an_attempt_under_way_is_not_counted(lines in history(20)) {
        let now = end(&lines);
        let decided = lines.iter().filter(|line| !line.open()).cloned();
        let sums = |ledger: &Ledger| all(&[ledger], now).map(|figures| figures.sum);
        prop_assert_eq!(sums(&ledger(lines.clone())), sums(&ledger(decided)));
    }

    #[test]
    fn rates_are_shares_and_middles_are_in_order(lines in vec(line(), 0..40)) {
        let ledger = ledger(lines);
        for figures in all(&[&ledger], hour(2400)) {
            for rate in [figures.failed_exposed, figures.failed_all, figures.rework] {
                prop_assert_eq!(rate.rate.is_some(), rate.n > 0);
                prop_assert!(rate.rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
            }
            for times in [figures.lead, figures.recovery, figures.mend] {
                prop_assert_eq!(times.median.is_some(), times.n > 0);
                prop_assert!(times.median <= times.p90 && times.median.is_none_or(|it| it >= 0.0));
            }
            let (exposed, all) = (figures.failed_exposed, figures.failed_all);
            prop_assert!(exposed.part <= all.part && exposed.n <= all.n);
            let leads = figures.lead.n + figures.lead.unknown + figures.lead.refused;
            prop_assert_eq!(leads, figures.frequency.n);
            let failures = figures.recovery.n + figures.recovery.unknown;
            prop_assert_eq!(failures, figures.failed_exposed.part);
        }
    }

    #[test]
    fn an_attempt_is_deployed_at_most_once_and_fails_at_most_once(lines in vec(line(), 0..40)) {
        let ledger = ledger(lines);
        let verdicts = judge(&ledger, &Settings::default());
        let decided = ledger.lines().iter().filter(|line| !line.open() && line.ended.is_some());
        prop_assert_eq!(verdicts.len(), decided.count());
        for verdict in &verdicts {
            let Sum { deployments, rollbacks, failed_live, failed_exposed, .. } = Sum::of(verdict);
            let Sum { failed_blocked, failed_unclear, superseded, .. } = Sum::of(verdict);
            prop_assert!(deployments + rollbacks + failed_exposed + failed_blocked + failed_unclear
                + superseded <= 1);
            prop_assert!(failed_live <= deployments);
            let noticed = matches!(verdict.counts, Counts::FailedDeployment | Counts::FailedExposed);
            prop_assert_eq!(verdict.failure.is_some(), noticed);
        }
    }
}

#[test]
fn figures_are_made_of_ledgers_that_are_let_go_one_by_one() {
    let window = Window::days(90, hour(24 * 80)).unwrap();
    let one = |n: i64| {
        let mut ledger = Ledger::new(UID, None);
        let promoted = timeline::base::Phase::Promoted;
        ledger.take(crate::build::attempt(n, "h", promoted, hour(n), hour(n + 1)));
        ledger
    };
    let all = figures((2..1002).map(one), window, &Settings::default());
    assert_eq!((all.rollouts, all.frequency.n), (1000, 1000));
}
