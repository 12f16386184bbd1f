//! A ledger stays small, and its figures stay what they are.

use proptest::prelude::*;
use timeline::base::Phase::{Aborted, Promoted};
use timeline::dora::{Bounds, Settings, Window, figures_of};
use timeline::failure::FailureClass;
use timeline::ledger::{Compacted, Day, Exposed, Id, Kind, Ledger, Line, Ref, Word};
use timeline::seen::commit::{CommitTime, Source};

use crate::always::end;
use crate::any::{history, under_way};
use crate::build::{Build, UID, attempt, hour, ledger, minute, over};

const ROOM: Bounds = Bounds { lines: 4, durations: 100_000, bytes: usize::MAX };

/// The ledger as a process finds it that starts again: from its text alone.
pub(crate) fn reread(ledger: &Ledger) -> Ledger {
    let lines = ledger.lines().iter().map(|line| line.to_string().parse::<Line>().unwrap());
    let days = ledger.days().map(|day| day.to_string().parse::<Day>().unwrap());
    let mark = ledger.compacted().map(|mark| mark.to_string().parse::<Compacted>().unwrap());
    Ledger::restored(ledger.rollout_uid(), ledger.known_since(), lines, days, mark)
}

/// A history of which nothing is missing: there is no way back to what is not known in it. Of what
/// was live under another hash the ReplicaSets say, also once its line is gone.
fn whole(mut lines: Vec<Line>) -> Vec<Line> {
    for place in 0..lines.len() {
        let (before, rest) = lines.split_at_mut(place);
        let Some(line) = rest.first_mut() else { continue };
        let mut lived = before.iter().rev().filter(|it| it.outcome == Promoted);
        let known = before.iter().any(|other| other.id.hash == line.id.hash);
        let same = |other: &Line| other.is_same_as(line);
        let back = !lived.next().is_some_and(same) && lived.any(same);
        line.kind = match line.kind {
            Kind::Change | Kind::Hotfix if back => Kind::Rollback,
            Kind::Rollback if !known && !back => Kind::Change,
            kind => kind,
        };
    }
    lines
}

/// The ledger as it grows: written and compacted at the start, the end and the settling of each.
fn grown(lines: &[Line], bounds: &Bounds) -> Ledger {
    let settings = Settings::default();
    let mut ledger = Ledger::new(UID, None);
    let mut now = hour(0);
    for line in lines {
        let ended = Line { settled: None, ..line.clone() };
        let states = [
            (under_way(line), Some(line.started)),
            (ended, line.ended),
            (line.clone(), line.settled),
        ];
        for (line, at) in states {
            let Some(at) = at else { continue };
            now = now.max(at);
            ledger.take(line);
            ledger.compact(bounds, &settings, now);
        }
    }
    ledger
}

proptest! {
    #[test]
    fn compaction_changes_no_figure_inside_its_window(
        lines in history(60),
        wait in 0i64..3000,
        most in 2usize..16,
    ) {
        let lines = whole(lines);
        let now = end(&lines).max(hour(wait));
        let settings = Settings::default();
        let room = Bounds { lines: most, ..ROOM };
        let windows = [1, 7, 30, 90].map(|days| Window::days(days, now).unwrap());
        let kept = ledger(lines.clone());
        let mut small = grown(&lines, &room);
        small.compact(&room, &settings, now);
        prop_assert!(small.lines().len() <= most);
        let expected = figures_of([&kept], windows, &settings);
        let found = figures_of([&small], windows, &settings);
        // What had to be summed up before it was final is said to be so.
        let early = small.days().any(|day| day.sum.early > 0);
        for (expected, found) in expected.into_iter().zip(found) {
            prop_assert!(early || !found.at_least);
            if !found.at_least {
                prop_assert_eq!(expected, found);
            }
        }
    }

    #[test]
    fn a_process_that_starts_again_takes_nothing_twice(lines in history(40)) {
        let lines = whole(lines);
        let now = end(&lines);
        let settings = Settings::default();
        let mut small = grown(&lines, &ROOM);
        small.compact(&ROOM, &settings, now);
        let mut again = reread(&small);
        prop_assert_eq!(&again, &small);
        for line in &lines {
            again.take(line.clone());
        }
        again.compact(&ROOM, &settings, now);
        let window = Window::days(90, now).unwrap();
        let of = |ledger: &Ledger| figures_of([ledger], [window], &settings);
        prop_assert_eq!(of(&again), of(&small));
    }

    #[test]
    fn compacting_again_changes_nothing(lines in history(40), most in 0usize..10) {
        let bounds = Bounds { lines: most, durations: 5, bytes: 1_500 };
        let now = end(&lines);
        let mut small = ledger(lines);
        small.compact(&bounds, &Settings::default(), now);
        let once = small.clone();
        prop_assert!(!small.compact(&bounds, &Settings::default(), now));
        prop_assert_eq!(small, once);
    }
}

/// So that the property above is one of more than nothing.
#[test]
fn a_deployment_a_day_for_a_quarter_keeps_its_figures_in_four_lines() {
    let lines: Vec<Line> = (0..90)
        .map(|n| {
            let failed = n % 10 == 5;
            let outcome = if failed { Aborted } else { Promoted };
            let (started, ended) = (hour(24 * n), hour(24 * n + 1));
            let line = attempt(n + 2, &format!("h{n}"), outcome, started, ended)
                .commit(&format!("c{n}"), hour(24 * n - n));
            if failed { line.exposed_at(started).settled(ended) } else { line }
        })
        .collect();
    let now = hour(24 * 89 + 2);
    let kept = over(90, now, &ledger(lines.clone()));
    let small = grown(&lines, &ROOM);
    assert_eq!(small.lines().len(), 4);
    assert_eq!(over(90, now, &small), kept);
    assert!(!kept.at_least && kept.frequency.n == 81 && kept.recovery.n == 9);
}

#[test]
fn a_rollback_that_only_the_ledger_knows_stays_one_when_what_it_goes_back_to_is_summed_up() {
    let hashes = ["v1", "v2", "v1", "v3", "v4"];
    let lines = (2i64..).zip(hashes).map(|(revision, hash)| {
        attempt(revision, hash, Promoted, hour(48 * revision), hour(48 * revision + 1))
    });
    let mut ledger = ledger(lines);
    let now = hour(48 * 8);
    let before = over(30, now, &ledger);
    ledger.compact(&Bounds { lines: 3, ..ROOM }, &Settings::default(), now);
    assert_eq!(ledger.lines().len(), 3);
    assert_eq!(over(30, now, &ledger), before);
    assert_eq!((before.frequency.n, before.sum.rollbacks), (4, 1));
}

#[test]
fn what_had_to_be_summed_up_too_early_is_said() {
    let many = (0..9).map(|n| attempt(n + 2, &format!("h{n}"), Promoted, minute(n), minute(n)));
    let mut ledger = ledger(many);
    ledger.compact(&ROOM, &Settings::default(), minute(9));
    let day = over(7, minute(9), &ledger);
    assert_eq!((day.frequency.n, day.sum.early, day.at_least), (9, 5, true));
    // Only where it can matter: on that day and within the failure window after it.
    assert!(over(7, hour(24 * 7 + 23), &ledger).at_least);
    assert!(!over(7, hour(24 * 8), &ledger).at_least);
}

#[test]
fn durations_that_are_forgotten_leave_no_middle_behind() {
    let of = |n: i64| {
        attempt(n + 2, &format!("h{n}"), Promoted, hour(48 * n), hour(48 * n + 1))
            .commit(&format!("c{n}"), hour(48 * n))
    };
    let mut ledger = ledger((0..10).map(of));
    let now = hour(48 * 9 + 2);
    let bounds = Bounds { durations: 3, ..ROOM };
    ledger.compact(&bounds, &Settings::default(), now);
    let quarter = over(90, now, &ledger);
    assert_eq!((quarter.frequency.n, quarter.lead.n, quarter.sum.dropped), (10, 7, 3));
    assert_eq!((quarter.lead.median, quarter.at_least), (None, true));
    // The newest days still have all of theirs.
    let week = over(7, now, &ledger);
    assert_eq!((week.lead.n, week.lead.median, week.at_least), (4, Some(3600.0), false));
}

#[test]
fn what_no_window_reaches_is_forgotten_but_what_is_live_stays() {
    let mut ledger = ledger([
        attempt(1, "a", Promoted, hour(0), hour(1)).kind(Kind::Initial),
        attempt(2, "b", Promoted, hour(10), hour(11)),
        attempt(3, "c", Aborted, hour(20), hour(21)),
    ]);
    let now = hour(24 * 200);
    assert!(ledger.compact(&Bounds::default(), &Settings::default(), now));
    let revisions: Vec<_> = ledger.lines().iter().map(|line| line.id.revision).collect();
    assert_eq!(revisions, [2]);
    assert_eq!(ledger.days().count(), 0);
}

#[test]
fn attempts_that_never_end_are_bounded_too() {
    let open = |n: i64| Line::begin(Id::new(n, 1, "h"), hour(n));
    let mut ledger = ledger((1..50).map(open));
    ledger.compact(&ROOM, &Settings::default(), hour(60));
    assert_eq!(ledger.lines().len(), 4);
    assert!(over(7, hour(60), &ledger).at_least);
}

/// As the lines of a team with short versions that deploys so many times a day, for 95 days.
fn delivered(a_day: i64) -> Ledger {
    let every = 24 * 60 / a_day;
    let of = |n: i64| Line {
        outcome: if n % 7 == 3 { Aborted } else { Promoted },
        ended: Some(minute(every * n + 10)),
        settled: Some(minute(every * n + 11)),
        exposed: Exposed::Yes,
        exposed_at: Some(minute(every * n + 2)),
        class: (n % 7 == 3).then_some(FailureClass::AnalysisFailed),
        version: Word::new("2.14.3", 40),
        commit: Word::new(&format!("{:012x}", 0x6ec3_dd4b_d1ea_i64 + n), 40),
        commit_time: CommitTime::At(minute(every * n - n % 3_000), Source::Throughline),
        replaces: Some(Ref { revision: n + 1, number: 1 }),
        ..Line::begin(
            Id::new(n + 2, 1, &format!("{:010x}", 0x6d_5694_bbbf_i64 + n)),
            minute(every * n),
        )
    };
    let (bounds, settings) = (Bounds::default(), Settings::default());
    let mut ledger = Ledger::new(UID, None);
    for n in 0..a_day * 95 {
        ledger.take(of(n));
        if n % 20 == 0 || n + 1 == a_day * 95 {
            ledger.compact(&bounds, &settings, minute(every * n + 11));
        }
    }
    ledger
}

fn bytes(ledger: &Ledger) -> (usize, usize) {
    let of = |text: String| text.len() + 3;
    let lines = ledger.lines().iter().map(|line| of(line.to_string())).sum();
    (lines, ledger.days().map(|day| of(day.to_string())).sum())
}

#[test]
fn a_team_that_deploys_thrice_a_day_reads_200_attempts_one_by_one() {
    let ledger = delivered(3);
    let (lines, days) = bytes(&ledger);
    assert_eq!(ledger.lines().len(), 200, "{lines} and {days} bytes");
    assert!(!over(90, hour(24 * 95), &ledger).at_least);
}

#[test]
fn a_rollout_that_deploys_more_often_has_fewer_lines_more_sums_and_the_same_bytes() {
    let mut before = 200;
    for a_day in [6, 8, 24] {
        let ledger = delivered(a_day);
        let (lines, days) = bytes(&ledger);
        assert!(lines + days <= Bounds::default().bytes, "{lines} and {days} bytes");
        let count = ledger.lines().len();
        assert!((100..before).contains(&count), "{count} lines of {lines}, {days} bytes");
        before = count;
    }
}

#[test]
fn lines_that_are_very_long_leave_less_of_them() {
    let line = |n: i64| Line {
        version: Word::new(&"v".repeat(40), 40),
        commit: Word::new(&"c".repeat(40), 40),
        ..attempt(n + 2, &"h".repeat(40), Promoted, hour(48 * n), hour(48 * n + 1))
    };
    let mut ledger = ledger((0..40).map(line));
    let bounds = Bounds { bytes: 2_000, ..ROOM };
    ledger.compact(&Bounds { lines: 200, ..bounds }, &Settings::default(), hour(48 * 40));
    let (lines, days) = bytes(&ledger);
    assert!((1_700..=2_000).contains(&(lines + days)), "{lines} and {days} bytes");
    assert_eq!(over(90, hour(48 * 40), &ledger).frequency.n, 40);
}
