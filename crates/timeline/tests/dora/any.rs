//! Any history of a Rollout, as Argo may write it; and any lines at all.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use timeline::base::Phase;
use timeline::failure::FailureClass;
use timeline::ledger::{Exposed, Id, Kind, Line, Word};
use timeline::seen::commit::{CommitTime, Refusal, Source};

use crate::build::{DAY_ONE, second};

/// What happens next.
#[derive(Debug, Clone)]
struct Act {
    what: What,
    /// Minutes that pass before it.
    pause: i64,
    /// Minutes that it takes.
    takes: i64,
    /// Minutes until it is settled, if that is seen.
    settles: Option<i64>,
    /// Minutes from the start until users could be hit, if that is seen.
    hits: Option<i64>,
    /// Hours from its commit to its start, if that is known.
    age: Option<i64>,
    /// The commit is that of the attempt before.
    same_commit: bool,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Promote(Kind),
    Back(usize),
    Abort(Exposed),
    AbortBack(usize),
    Supersede,
    Revert(Exposed),
    Retry,
    /// What was stopped before is shipped at last.
    Reship(usize),
    /// Back to what was live before the operator first looked.
    BackFar,
    /// What was live, under another hash; it is promoted or stopped.
    Stamp(usize, bool),
}

fn act() -> impl Strategy<Value = Act> {
    let kind =
        prop_oneof![6 => Just(Kind::Change), 2 => Just(Kind::Hotfix), 1 => Just(Kind::Upgrade)];
    let exposed = || select(vec![Exposed::Yes, Exposed::No, Exposed::Unknown]);
    let what = prop_oneof![
        6 => kind.prop_map(What::Promote),
        2 => (0usize..4).prop_map(What::Back),
        3 => exposed().prop_map(What::Abort),
        1 => (0usize..4).prop_map(What::AbortBack),
        1 => Just(What::Supersede),
        1 => exposed().prop_map(What::Revert),
        2 => Just(What::Retry),
        1 => (0usize..4).prop_map(What::Reship),
        1 => Just(What::BackFar),
        2 => (0usize..3, any::<bool>()).prop_map(|(n, good)| What::Stamp(n, good)),
    ];
    let pause = prop_oneof![1 => 0i64..3, 3 => 0i64..600, 3 => 600i64..6000];
    let takes = prop_oneof![1 => Just(0i64), 4 => 1i64..300];
    (
        what,
        pause,
        takes,
        option::of(0i64..40),
        option::of(0i64..60),
        option::of(-20i64..900),
        any::<bool>(),
    )
        .prop_map(|(what, pause, takes, settles, hits, age, same_commit)| Act {
            what,
            pause,
            takes,
            settles,
            hits,
            age,
            same_commit: same_commit && pause % 3 == 0,
        })
}

/// The attempts of a Rollout, oldest first, the last of them perhaps under way.
pub(crate) fn history(most: usize) -> impl Strategy<Value = Vec<Line>> {
    (vec(act(), 0..most), any::<bool>()).prop_map(|(acts, open)| {
        let mut lines = play(&acts);
        if let Some(last) = lines.last_mut().filter(|_| open) {
            *last = under_way(last);
        }
        lines
    })
}

/// The same attempt before it was decided.
pub(crate) fn under_way(line: &Line) -> Line {
    let outcome = Phase::Progressing;
    Line {
        outcome,
        ended: None,
        settled: None,
        exposed: Exposed::No,
        exposed_at: None,
        ..line.clone()
    }
}

fn play(acts: &[Act]) -> Vec<Line> {
    let first = Line {
        outcome: Phase::Promoted,
        kind: Kind::Initial,
        exposed: Exposed::Yes,
        ended: Some(second(60)),
        template: Some(1),
        ..Line::begin(Id::new(1, 1, "h1"), DAY_ONE)
    };
    let mut lines = vec![first];
    let mut clock = 2;
    for act in acts {
        clock += act.pause;
        let line = next(&lines, act, clock);
        clock += act.takes;
        lines.push(line);
    }
    lines
}

fn next(lines: &[Line], act: &Act, clock: i64) -> Line {
    let revision = lines.iter().map(|line| line.id.revision).max().unwrap_or(0) + 1;
    let fresh = Id::new(revision, 1, &format!("h{revision}"));
    // What was live before what is live now.
    let back = |n: usize| {
        let mut was: Vec<_> = Vec::new();
        for line in lines.iter().rev().filter(|line| line.outcome == Phase::Promoted) {
            if !was.contains(&line.id.hash.as_str()) {
                was.push(line.id.hash.as_str());
            }
        }
        was.get(n + 1).map(|hash| Id::new(revision, 1, hash))
    };
    // What never was live.
    let stopped = |n: usize| {
        let live = |hash: &str| {
            lines.iter().any(|it| it.outcome == Phase::Promoted && it.id.hash.as_str() == hash)
        };
        let never = lines.iter().rev().map(|line| line.id.hash.as_str()).filter(|it| !live(it));
        never.clone().nth(n).map(|hash| Id::new(revision, 1, hash))
    };
    let retried = lines.last().filter(|last| last.outcome == Phase::Aborted);
    let (id, outcome, kind, exposed) = match act.what {
        What::Promote(kind) => (fresh, Phase::Promoted, kind, Exposed::Yes),
        What::Back(n) => match back(n) {
            Some(id) => (id, Phase::Promoted, Kind::Rollback, Exposed::Yes),
            None => (fresh, Phase::Promoted, Kind::Change, Exposed::Yes),
        },
        What::BackFar => {
            let id = Id::new(revision, 1, &format!("old{revision}"));
            (id, Phase::Promoted, Kind::Rollback, Exposed::Yes)
        }
        What::Stamp(_, true) => (fresh, Phase::Promoted, Kind::Change, Exposed::Yes),
        What::Stamp(_, false) => (fresh, Phase::Aborted, Kind::Change, Exposed::Yes),
        What::Reship(n) => match stopped(n) {
            Some(id) => (id, Phase::Promoted, Kind::Change, Exposed::Yes),
            None => (fresh, Phase::Promoted, Kind::Change, Exposed::Yes),
        },
        What::Abort(exposed) => (fresh, Phase::Aborted, Kind::Change, exposed),
        What::AbortBack(n) => match back(n) {
            Some(id) => (id, Phase::Aborted, Kind::Rollback, Exposed::Yes),
            None => (fresh, Phase::Aborted, Kind::Hotfix, Exposed::No),
        },
        What::Supersede => (fresh, Phase::Superseded, Kind::Change, Exposed::No),
        What::Revert(exposed) => (fresh, Phase::Reverted, Kind::Change, exposed),
        What::Retry => match retried {
            Some(last) => {
                let id = Id { number: last.id.number + 1, ..last.id.clone() };
                (id, Phase::Promoted, last.kind, Exposed::Yes)
            }
            None => (fresh, Phase::Promoted, Kind::Change, Exposed::Yes),
        },
    };
    let started = second(clock * 60);
    let ended = clock + act.takes;
    let before = match act.what {
        What::Stamp(n, _) => {
            lines.iter().rev().filter(|line| line.outcome == Phase::Promoted).nth(n)
        }
        _ => lines.iter().rev().find(|line| line.id.hash == id.hash),
    };
    let template = before.map_or(u32::try_from(revision).ok(), |before| before.template);
    let failed = !matches!(outcome, Phase::Promoted | Phase::Superseded);
    let commit = match lines.last() {
        _ if before.is_some() => before.and_then(|before| before.commit.clone()),
        Some(last) if act.same_commit => last.commit.clone(),
        _ => Word::new(&format!("c{revision}"), 40),
    };
    Line {
        outcome,
        kind,
        exposed,
        ended: Some(second(ended * 60)),
        settled: act.settles.map(|settles| second((ended + settles) * 60)),
        exposed_at: act
            .hits
            .filter(|_| exposed == Exposed::Yes)
            .map(|hits| second((clock + hits.min(act.takes)) * 60)),
        class: failed.then_some(FailureClass::CrashLoop),
        commit,
        template,
        commit_time: act.age.map_or(CommitTime::Unknown, |age| {
            CommitTime::At(second((clock - age * 60) * 60), Source::Throughline)
        }),
        ..Line::begin(id, started)
    }
}

fn time() -> impl Strategy<Value = Timestamp> {
    let near = (0i64..9_000_000).prop_map(second);
    let any = Timestamp::MIN.as_second()..Timestamp::MAX.as_second();
    prop_oneof![9 => near, 1 => any.prop_map(|at| Timestamp::from_second(at).unwrap())]
}

fn id() -> impl Strategy<Value = Id> {
    let revision = prop_oneof![9 => 0i64..9, 1 => any::<i64>()];
    let number = prop_oneof![9 => 1u32..3, 1 => any::<u32>()];
    let hash = prop_oneof![9 => "h[0-3]", 1 => "\\PC{0,60}"];
    (revision, number, hash).prop_map(|(revision, number, hash)| Id::new(revision, number, &hash))
}

fn commit_time() -> impl Strategy<Value = CommitTime> {
    let sources = vec![Source::Throughline, Source::OpenShift];
    let refusals = vec![
        Refusal::NotATime,
        Refusal::BeforeRepository,
        Refusal::Future,
        Refusal::Negative,
        Refusal::Redeployed,
    ];
    prop_oneof![
        Just(CommitTime::Unknown),
        select(refusals).prop_map(CommitTime::Refused),
        (time(), select(sources)).prop_map(|(at, source)| CommitTime::At(at, source)),
    ]
}

/// Seconds after a start, or as many as there are.
fn after(start: Timestamp, seconds: u32) -> Timestamp {
    let at = start.as_second().saturating_add(i64::from(seconds));
    Timestamp::from_second(at)
        .unwrap_or_else(|_| Timestamp::from_second(start.as_second()).unwrap())
}

/// Any line that can be written, however little sense it makes.
pub(crate) fn line() -> impl Strategy<Value = Line> {
    use Phase as P;
    let outcomes = vec![
        P::Progressing,
        P::Promoted,
        P::Aborted,
        P::Superseded,
        P::Reverted,
        P::Deleted,
        P::Unknown,
    ];
    let kinds = vec![Kind::Change, Kind::Hotfix, Kind::Rollback, Kind::Upgrade, Kind::Initial];
    let seconds = || option::of(prop_oneof![9 => 0u32..200_000, 1 => any::<u32>()]);
    let word = || option::of("\\PC{1,50}").prop_map(|it| Word::new(it.as_deref()?, 40));
    let exposed = select(vec![Exposed::Yes, Exposed::No, Exposed::Unknown]);
    let class = option::of(select(vec![FailureClass::CrashLoop, FailureClass::Unknown]));
    let times = (time(), seconds(), seconds(), seconds(), any::<bool>());
    let kinds = (select(outcomes), select(kinds), exposed, class);
    let of = (word(), word(), commit_time(), option::of(id()), option::of(id()));
    (id(), times, kinds, of).prop_map(|(id, times, (outcome, kind, exposed, class), of)| {
        let (started, ended, settled, exposed_at, inferred) = times;
        let (version, commit, commit_time, replaces, recovers) = of;
        let at = |seconds: Option<u32>| seconds.map(|seconds| after(started, seconds));
        Line {
            outcome,
            kind,
            ended: at(ended),
            inferred: inferred && ended.is_some(),
            settled: at(settled),
            exposed,
            exposed_at: at(exposed_at).filter(|_| exposed == Exposed::Yes),
            class,
            version,
            commit,
            commit_time,
            replaces: replaces.map(|id| id.short()),
            recovers: recovers.map(|id| id.short()),
            ..Line::begin(id, started)
        }
    })
}
