//! Input that cannot be right is refused or marked, and never counted.

use jiff::Timestamp;
use timeline::base::Phase::{Aborted, Promoted};
use timeline::dora::{Lead, Settings, SettingsError, Window, WindowError, figures, judge};
use timeline::ledger::Line;
use timeline::seen::commit::{CommitTime, FIRST_COMMIT, Refusal};

use crate::build::{Build, attempt, hour, ledger, over};

#[test]
fn a_time_of_a_commit_that_cannot_be_right_is_counted_as_refused_and_never_as_a_lead_time() {
    let since = Settings::default().repository_since_time(hour(-48));
    let at = |at: Timestamp| attempt(2, "b", Promoted, hour(1), hour(2)).commit("c", at);
    let refused = |why| Line {
        commit_time: CommitTime::Refused(why),
        ..attempt(2, "b", Promoted, hour(1), hour(2))
    };
    for (line, settings, why) in [
        (at(hour(3)), Settings::default(), Refusal::Negative),
        (at(Timestamp::MAX), Settings::default(), Refusal::Negative),
        (at(Timestamp::MIN), Settings::default(), Refusal::BeforeRepository),
        (at(Timestamp::UNIX_EPOCH), Settings::default(), Refusal::BeforeRepository),
        (at(hour(-49)), since, Refusal::BeforeRepository),
        (refused(Refusal::NotATime), Settings::default(), Refusal::NotATime),
        (refused(Refusal::Future), Settings::default(), Refusal::Future),
    ] {
        let ledger = ledger([line]);
        assert_eq!(judge(&ledger, &settings)[0].lead, Lead::Refused(why));
        let week = figures([&ledger], Window::days(7, hour(5)).unwrap(), &settings);
        assert_eq!((week.lead.n, week.lead.refused, week.lead.median), (0, 1, None), "{why}");
        assert_eq!(week.frequency.n, 1);
    }
    let at_once = over(7, hour(5), &ledger([at(hour(2))]));
    assert_eq!((at_once.lead.n, at_once.lead.median), (1, Some(0.0)));
}

#[test]
fn windows_and_settings_out_of_bounds_are_refused() {
    let now = hour(5);
    for days in [0, 91, u16::MAX] {
        assert_eq!(Window::days(days, now), Err(WindowError::Days(days)));
    }
    for now in [Timestamp::MIN, Timestamp::MAX] {
        assert_eq!(Window::days(90, now), Err(WindowError::Time(now)));
    }
    for hours in [-1, 721, i64::MIN, i64::MAX] {
        let settings = Settings::default().failure_window_hours(hours);
        assert_eq!(settings, Err(SettingsError::FailureWindow(hours)));
    }
    let early = Settings::default().repository_since_time(Timestamp::MIN);
    assert_eq!(early.repository_since(), FIRST_COMMIT);
    let window = Window::days(7, now).unwrap();
    assert!(window.split(window.first()).is_err());
}

#[test]
fn times_at_the_ends_of_time_make_no_panic_and_no_figure_of_now() {
    let ledger = ledger([
        attempt(2, "b", Promoted, Timestamp::MIN, Timestamp::MIN).commit("a", Timestamp::MAX),
        attempt(3, "c", Aborted, Timestamp::MIN, Timestamp::MAX).exposed_at(Timestamp::MIN),
        attempt(i64::MIN, "d", Promoted, Timestamp::MAX, Timestamp::MAX),
        attempt(i64::MAX, "b", Promoted, Timestamp::MAX, Timestamp::MIN),
    ]);
    assert_eq!(over(90, hour(5), &ledger).sum, timeline::ledger::Sum::default());
    let mut compacted = ledger.clone();
    compacted.compact(&timeline::dora::Bounds::default(), &Settings::default(), hour(5));
    assert_eq!(over(90, hour(5), &compacted).frequency.n, 0);
}
