//! Any journal at all, with whatever texts and times.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use timeline::base::{AttemptId, Moment, Phase};
use timeline::failure::{AbortCause, Failure, FailureClass};
use timeline::journal::{
    Analysis, Experiment, Facts, Journal, Link, LinkKind, Mark, MarkKind, Measurement, Metric,
    Pause, Placement, ResumedBy, Service, Step, StepResult, Switch, Weight,
};
use timeline::seen::{AnalysisKind, AnalysisPhase, PauseKind};
use timeline::{Key, Traceparent};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z/:@.-]{0,12}",
        2 => vec(any::<char>(), 0..20).prop_map(String::from_iter),
        1 => vec(any::<char>(), 1..4).prop_map(|of| String::from_iter(of).repeat(700)),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    let near = (0i64..600_000).prop_map(|ms| 1_800_000_000_000 + ms);
    let any = Timestamp::MIN.as_millisecond() + 1..Timestamp::MAX.as_millisecond();
    prop_oneof![12 => near, 1 => any].prop_map(|ms| Timestamp::from_millisecond(ms).unwrap())
}

fn moment() -> impl Strategy<Value = Moment> {
    (time(), 0..4, option::of(time())).prop_map(|(at, source, after)| match source {
        0 => Moment::observed(at),
        1 => Moment::status(at),
        2 => Moment::event(at),
        _ => Moment::inferred(after, at),
    })
}

fn parent() -> impl Strategy<Value = Traceparent> {
    (1u128..20, 1u64..20).prop_map(|(t, s)| format!("00-{t:032x}-{s:016x}-01").parse().unwrap())
}

/// Whether an entry has ended; which number it has is decided at the end.
fn closed() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![3 => Just(Some(0)), 1 => Just(None)]
}

fn phase() -> impl Strategy<Value = AnalysisPhase> {
    use AnalysisPhase as A;
    select(vec![
        A::Pending,
        A::Running,
        A::Successful,
        A::Failed,
        A::Error,
        A::Inconclusive,
        A::Cancelled,
    ])
}

fn step() -> impl Strategy<Value = Step> {
    use StepResult as R;
    let results = vec![R::Running, R::Completed, R::Skipped, R::Stopped, R::Unobserved];
    (0u32..4, text(), text(), moment(), moment(), select(results), closed()).prop_map(
        |(index, kind, setting, started, ended, result, closed)| Step {
            index,
            kind,
            setting,
            started,
            ended: closed.map(|_| ended),
            result,
            closed,
        },
    )
}

fn pause() -> impl Strategy<Value = Pause> {
    use PauseKind as K;
    use ResumedBy as R;
    let kinds = vec![
        K::Timed,
        K::Manual,
        K::InconclusiveAnalysis,
        K::InconclusiveExperiment,
        K::BlueGreen,
        K::Spec,
    ];
    let ends = vec![R::Timer, R::Person, R::FullPromotion, R::End, R::Unknown];
    let (step, planned) = (option::of(0u32..5), option::of(any::<u64>()));
    (select(kinds), step, planned, moment(), moment(), option::of(select(ends)), closed()).prop_map(
        |(kind, step, planned, started, ended, resumed_by, closed)| Pause {
            kind,
            step,
            planned,
            started,
            ended: closed.map(|_| ended),
            resumed_by,
            closed,
            below: None,
        },
    )
}

fn metric() -> impl Strategy<Value = Metric> {
    let measurement = (phase(), text(), text(), moment(), moment()).prop_map(
        |(phase, value, message, started, ended)| Measurement {
            phase,
            value,
            message,
            started,
            ended,
        },
    );
    (text(), phase(), text(), any::<bool>(), any::<u32>(), any::<u32>(), vec(measurement, 0..3))
        .prop_map(|(name, phase, message, dry_run, count, failed, measurements)| Metric {
            name,
            phase,
            message,
            dry_run,
            count,
            failed,
            measurements,
        })
}

fn analysis() -> impl Strategy<Value = Analysis> {
    use AnalysisKind as K;
    let kinds =
        vec![K::Step, K::Background, K::PrePromotion, K::PostPromotion, K::Experiment, K::Unknown];
    let what = (text(), text(), select(kinds), option::of(0u32..5), phase(), text());
    (what, moment(), moment(), vec(metric(), 0..3), closed()).prop_map(
        |((name, uid, kind, step, phase, message), started, ended, metrics, closed)| Analysis {
            name,
            uid,
            kind,
            step,
            phase,
            message,
            started,
            ended: closed.map(|_| ended),
            metrics,
            closed,
            below: None,
        },
    )
}

fn experiment() -> impl Strategy<Value = Experiment> {
    let what = (text(), text(), option::of(0u32..5), phase(), text());
    (what, moment(), moment(), closed()).prop_map(
        |((name, uid, step, phase, message), started, ended, closed)| Experiment {
            name,
            uid,
            step,
            phase,
            message,
            started,
            ended: closed.map(|_| ended),
            closed,
            below: None,
        },
    )
}

fn weight() -> impl Strategy<Value = Weight> {
    (any::<u32>(), moment(), moment(), closed()).prop_map(|(percent, started, ended, closed)| {
        Weight { percent, started, ended: closed.map(|_| ended), closed }
    })
}

fn switch() -> impl Strategy<Value = Switch> {
    let service = select(vec![Service::Preview, Service::Active]);
    (service, moment(), any::<bool>(), closed()).prop_map(|(service, at, to_new, closed)| Switch {
        service,
        at,
        to_new,
        closed,
    })
}

fn mark() -> impl Strategy<Value = Mark> {
    use MarkKind as K;
    let kinds = vec![
        K::Gap,
        K::FirstSight,
        K::FullPromotion,
        K::DeadlineExceeded,
        K::StepsChanged,
        K::Restarted,
        K::Scaled,
        K::ClockDoubted,
    ];
    (select(kinds), moment(), text()).prop_map(|(kind, at, note)| Mark { kind, at, note })
}

fn link() -> impl Strategy<Value = Link> {
    use LinkKind as K;
    let kinds =
        vec![K::PreviousRevision, K::RollsBack, K::RetryOf, K::Supersedes, K::After, K::Origin];
    (parent(), select(kinds)).prop_map(|(traceparent, kind)| Link { traceparent, kind })
}

fn failure() -> impl Strategy<Value = Failure> {
    use AbortCause as A;
    use FailureClass as C;
    let classes =
        vec![C::ImagePullFailed, C::AnalysisFailed, C::AnalysisError, C::ManualAbort, C::Unknown];
    let causes = vec![A::Manual, A::StepAnalysis, A::StepPlugin, A::Deadline, A::Unknown];
    let pod = (option::of(text()), option::of(text()), option::of(text()));
    (select(classes), option::of(select(causes)), text(), text(), pod, moment()).prop_map(
        |(class, cause, reason, message, (pod, container, image), at)| Failure {
            class,
            cause,
            reason,
            message,
            pod,
            container,
            image,
            at,
        },
    )
}

fn facts() -> impl Strategy<Value = Facts> {
    use timeline::seen::Strategy as S;
    let some = || option::of(text());
    let names = (some(), some(), some(), some(), some());
    let change = (some(), option::of(time()), some(), some());
    let strategy = option::of(select(vec![S::Canary, S::BlueGreen]));
    (names, change, strategy, any::<u32>(), vec(text(), 0..3), any::<(bool, bool, bool)>())
        .prop_map(
            |(names, change, strategy, planned_steps, images, (upgrade, adopted, rebuilt))| {
                let (replica_set, service, version, app, environment) = names;
                let (commit, commit_time, repository, author) = change;
                Facts {
                    replica_set,
                    strategy,
                    planned_steps,
                    service,
                    version,
                    app,
                    environment,
                    commit,
                    commit_time,
                    repository,
                    author,
                    origin: None,
                    images,
                    upgrade,
                    adopted,
                    rebuilt,
                    ..Facts::default()
                }
            },
        )
}

/// How it stands: phase, exposed, ended, settled, failure, links, marks, cut.
type Standing =
    (Phase, bool, Option<Moment>, Option<Moment>, Option<Failure>, Vec<Link>, Vec<Mark>, u32);

fn standing() -> impl Strategy<Value = Standing> {
    use Phase as P;
    let phases = vec![
        P::Progressing,
        P::Promoted,
        P::Aborted,
        P::Superseded,
        P::Reverted,
        P::Deleted,
        P::Unknown,
    ];
    (
        select(phases),
        any::<bool>(),
        option::of(moment()),
        option::of(moment()),
        option::of(failure()),
        vec(link(), 0..6),
        vec(mark(), 0..6),
        any::<u32>(),
    )
}

/// A journal whose ended entries are numbered from 1 in some order, the root last.
pub(crate) fn journals() -> impl Strategy<Value = Journal> {
    let identity = (text(), text(), text(), text(), any::<i64>(), any::<u32>());
    let entries = (
        vec(step(), 0..5),
        vec(pause(), 0..4),
        vec(analysis(), 0..4),
        vec(experiment(), 0..3),
        vec(weight(), 0..4),
        vec(switch(), 0..3),
    );
    let placed = option::of(parent());
    (identity, moment(), facts(), standing(), entries, placed, vec(any::<u32>(), 24)).prop_map(
        |(identity, started, facts, standing, entries, placed, order)| {
            let (namespace, name, rollout_uid, hash, revision, number) = identity;
            let rollout = Key::new(namespace, name);
            let identity = AttemptId {
                rollout,
                rollout_uid: rollout_uid.into(),
                hash: hash.into(),
                revision,
                number,
            };
            let mut journal = Journal::begin(identity, started);
            journal.facts = facts;
            let own = Placement::own(&journal.identity);
            journal.placed = Some(placed.map_or(own, Placement::inside));
            (
                journal.phase,
                journal.exposed,
                journal.ended,
                journal.settled,
                journal.failure,
                journal.links,
                journal.marks,
                journal.cut,
            ) = standing;
            (
                journal.steps,
                journal.pauses,
                journal.analyses,
                journal.experiments,
                journal.weights,
                journal.switches,
            ) = entries;
            // The API server gives no UID twice.
            for (n, analysis) in journal.analyses.iter_mut().enumerate() {
                analysis.uid.push_str(&n.to_string());
            }
            for (n, experiment) in journal.experiments.iter_mut().enumerate() {
                experiment.uid.push_str(&n.to_string());
            }
            give_numbers(&mut journal, &order);
            journal
        },
    )
}

/// The number of every entry.
pub(crate) fn numbers(journal: &mut Journal) -> impl Iterator<Item = &mut Option<u32>> {
    let steps = journal.steps.iter_mut().map(|entry| &mut entry.closed);
    let pauses = journal.pauses.iter_mut().map(|entry| &mut entry.closed);
    let analyses = journal.analyses.iter_mut().map(|entry| &mut entry.closed);
    let experiments = journal.experiments.iter_mut().map(|entry| &mut entry.closed);
    let weights = journal.weights.iter_mut().map(|entry| &mut entry.closed);
    let switches = journal.switches.iter_mut().map(|entry| &mut entry.closed);
    steps.chain(pauses).chain(analyses).chain(experiments).chain(weights).chain(switches)
}

fn give_numbers(journal: &mut Journal, order: &[u32]) {
    let mut ended: Vec<_> = numbers(journal).filter(|closed| closed.is_some()).zip(order).collect();
    ended.sort_by_key(|(_, order)| **order);
    let mut last = 0;
    for (closed, _) in ended {
        last += 1;
        *closed = Some(last);
    }
    journal.closed = last;
    journal.belong(0);
    if journal.ended.is_some() {
        journal.root_closed = Some(journal.next_closed());
    }
}

/// The same journal as it was when only `until` entries had ended, and nothing else was known that
/// the end shows.
pub(crate) fn earlier(journal: &Journal, until: u32) -> Journal {
    let mut earlier = journal.clone();
    for closed in numbers(&mut earlier) {
        *closed = closed.filter(|closed| *closed <= until);
    }
    for step in earlier.steps.iter_mut().filter(|step| step.closed.is_none()) {
        (step.ended, step.result) = (None, StepResult::Running);
    }
    for pause in earlier.pauses.iter_mut().filter(|pause| pause.closed.is_none()) {
        pause.ended = None;
    }
    for analysis in earlier.analyses.iter_mut().filter(|analysis| analysis.closed.is_none()) {
        (analysis.ended, analysis.phase) = (None, AnalysisPhase::Running);
        analysis.metrics.clear();
    }
    for weight in earlier.weights.iter_mut().filter(|weight| weight.closed.is_none()) {
        weight.ended = None;
    }
    earlier.phase = Phase::Progressing;
    earlier.exposed = false;
    (earlier.ended, earlier.settled, earlier.failure) = (None, None, None);
    earlier.links.clear();
    earlier.marks.clear();
    earlier.cut = 0;
    earlier.closed = until;
    earlier.root_closed = None;
    earlier
}
