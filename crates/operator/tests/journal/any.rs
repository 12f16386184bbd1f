//! Any journal within its bounds, likely or not.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use timeline::base::{AttemptId, Moment, Phase, Source, SpanId, TraceId};
use timeline::chain::Relation;
use timeline::failure::{AbortCause, Failure, FailureClass};
use timeline::journal::{
    Analysis, Experiment, Exported, Facts, Journal, Link, LinkKind, Mark, MarkKind, Measurement,
    Metric, Pause, Placement, Replaces, ResumedBy, Service, Sink, Step, StepResult, Switch, Weight,
};
use timeline::seen::commit;
use timeline::seen::{AnalysisKind, AnalysisPhase, PauseKind, Strategy as RolloutStrategy};
use timeline::{Key, Traceparent};

macro_rules! one_of {
    ($name:ident: $type:ident { $($variant:ident),+ $(,)? }) => {
        fn $name() -> impl Strategy<Value = $type> {
            // Fails to compile when a variant is forgotten.
            let _ = |one: $type| match one { $($type::$variant => ()),+ };
            prop::sample::select(vec![$($type::$variant),+])
        }
    };
}
one_of!(phase: Phase { Progressing, Promoted, Aborted, Superseded, Reverted, Deleted, Unknown });
one_of!(result: StepResult { Running, Completed, Skipped, Stopped, Unobserved });
one_of!(pause_kind: PauseKind {
    Timed, Manual, InconclusiveAnalysis, InconclusiveExperiment, BlueGreen, Spec,
});
one_of!(resumed_by: ResumedBy { Timer, Person, FullPromotion, End, Unknown });
one_of!(analysis_kind: AnalysisKind {
    Step, Background, PrePromotion, PostPromotion, Experiment, Unknown,
});
one_of!(analysis_phase: AnalysisPhase {
    Pending, Running, Successful, Failed, Error, Inconclusive, Cancelled,
});
one_of!(service: Service { Preview, Active });
one_of!(mark_kind: MarkKind {
    Gap, FirstSight, FullPromotion, DeadlineExceeded, StepsChanged, Restarted, Scaled, ClockDoubted,
});
one_of!(link_kind: LinkKind {
    PreviousRevision, RollsBack, RetryOf, Supersedes, After, Origin,
});
one_of!(strategy: RolloutStrategy { Canary, BlueGreen });
one_of!(class: FailureClass {
    ImagePullFailed, OutOfMemory, CrashLoop, ContainerConfig, VolumeFailed, Unschedulable,
    QuotaExceeded, AdmissionRefused, ProbeFailed, AnalysisFailed, AnalysisError,
    AnalysisInconclusive, ExperimentFailed, PluginFailed, InvalidSpec, DeadlineExceeded,
    ManualAbort, Unknown,
});
one_of!(cause: AbortCause {
    Manual, StepAnalysis, BackgroundAnalysis, PrePromotionAnalysis, PostPromotionAnalysis,
    Experiment, StepPlugin, Deadline, Unknown,
});
one_of!(source: Source { Observed, Status, Event, Inferred });

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z-]{1,12}", "[ '#|*+~=a-z0-9-]{0,12}", ".{0,12}", any::<String>()]
}

fn time() -> impl Strategy<Value = Timestamp> {
    let range = Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond();
    prop_oneof![
        (1_700_000_000_000i64..1_800_000_000_000)
            .prop_map(|ms| Timestamp::from_millisecond(ms).unwrap()),
        range.prop_map(|ns| Timestamp::from_nanosecond(ns).unwrap()),
    ]
}

fn moment() -> impl Strategy<Value = Moment> {
    (time(), source(), option::of(time())).prop_map(|(at, source, after)| match source {
        Source::Inferred => Moment::inferred(after, at),
        source => Moment { at, source, after: None },
    })
}

fn traceparent() -> impl Strategy<Value = Traceparent> {
    (trace_id(), span_id()).prop_map(|(trace, span)| Traceparent::sampled(trace, span))
}

fn trace_id() -> impl Strategy<Value = TraceId> {
    any::<[u8; 16]>().prop_filter_map("zero", TraceId::new)
}

fn span_id() -> impl Strategy<Value = SpanId> {
    any::<[u8; 8]>().prop_filter_map("zero", SpanId::new)
}

fn step() -> impl Strategy<Value = Step> {
    (any::<u32>(), text(), text(), moment(), option::of(moment()), result()).prop_map(
        |(index, kind, setting, started, ended, result)| Step {
            index,
            kind,
            setting,
            started,
            ended,
            result,
            closed: None,
        },
    )
}

fn pause() -> impl Strategy<Value = Pause> {
    let resumed = option::of(resumed_by());
    let step = option::of(any::<u32>());
    (pause_kind(), step, option::of(any::<u64>()), moment(), option::of(moment()), resumed)
        .prop_map(|(kind, step, planned, started, ended, resumed_by)| Pause {
            kind,
            step,
            planned,
            started,
            ended,
            resumed_by,
            closed: None,
            below: None,
        })
}

fn measurement() -> impl Strategy<Value = Measurement> {
    (analysis_phase(), text(), text(), moment(), option::of(moment())).prop_map(
        |(phase, value, message, started, ended)| Measurement {
            phase,
            value,
            message,
            started,
            ended: ended.unwrap_or(started),
        },
    )
}

fn metric() -> impl Strategy<Value = Metric> {
    let counts = (any::<u32>(), any::<u32>());
    (text(), analysis_phase(), text(), any::<bool>(), counts, vec(measurement(), 0..4)).prop_map(
        |(name, phase, message, dry_run, (count, failed), measurements)| Metric {
            name,
            phase,
            message,
            dry_run,
            count,
            failed,
            measurements,
        },
    )
}

fn analysis() -> impl Strategy<Value = Analysis> {
    let names = (text(), text(), text());
    let kind = (analysis_kind(), option::of(any::<u32>()), analysis_phase());
    (names, kind, moment(), option::of(moment()), vec(metric(), 0..3)).prop_map(
        |((name, uid, message), (kind, step, phase), started, ended, metrics)| Analysis {
            name,
            uid,
            kind,
            step,
            phase,
            message,
            started,
            ended,
            metrics,
            closed: None,
            below: None,
        },
    )
}

fn experiment() -> impl Strategy<Value = Experiment> {
    let names = (text(), text(), text());
    (names, option::of(any::<u32>()), analysis_phase(), moment(), option::of(moment())).prop_map(
        |((name, uid, message), step, phase, started, ended)| Experiment {
            name,
            uid,
            step,
            phase,
            message,
            started,
            ended,
            closed: None,
            below: None,
        },
    )
}

fn weight() -> impl Strategy<Value = Weight> {
    (any::<u32>(), moment(), option::of(moment())).prop_map(|(percent, started, ended)| Weight {
        percent,
        started,
        ended,
        closed: None,
    })
}

fn switch() -> impl Strategy<Value = Switch> {
    (service(), moment(), any::<bool>()).prop_map(|(service, at, to_new)| Switch {
        service,
        at,
        to_new,
        closed: None,
    })
}

fn mark() -> impl Strategy<Value = Mark> {
    (mark_kind(), moment(), text()).prop_map(|(kind, at, note)| Mark { kind, at, note })
}

fn failure() -> impl Strategy<Value = Failure> {
    let place = (option::of(text()), option::of(text()), option::of(text()));
    (class(), option::of(cause()), text(), text(), place, moment()).prop_map(
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
    let texts = vec(option::of(text()), 8);
    let plan = (option::of(strategy()), any::<u32>());
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let replaces =
        (any::<i64>(), any::<u32>(), select(vec![Relation::Successor, Relation::Rollback]))
            .prop_map(|(revision, number, relation)| Replaces { revision, number, relation });
    let known = (
        option::of(select(vec![commit::Source::Throughline, commit::Source::OpenShift])),
        option::of(select(vec![commit::Refusal::Future, commit::Refusal::NotATime])),
        option::of(replaces),
        any::<u64>(),
    );
    let change = (option::of(time()), option::of(traceparent()), vec(text(), 0..3));
    (texts, plan, change, known, flags).prop_map(|(texts, plan, change, known, flags)| {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().unwrap();
        Facts {
            replica_set: text(),
            strategy: plan.0,
            planned_steps: plan.1,
            service: text(),
            version: text(),
            app: text(),
            environment: text(),
            commit: text(),
            commit_time: change.0,
            commit_time_source: known.0,
            commit_time_refused: known.1,
            hotfix: flags.2,
            replaces: known.2,
            spec_digest: known.3,
            repository: text(),
            author: text(),
            origin: change.1,
            images: change.2,
            upgrade: flags.0,
            adopted: flags.0 != flags.1,
            rebuilt: flags.1,
        }
    })
}

fn identity() -> impl Strategy<Value = AttemptId> {
    (text(), text(), text(), text(), any::<i64>(), any::<u32>()).prop_map(
        |(namespace, name, rollout_uid, hash, revision, number)| AttemptId {
            rollout: Key::new(namespace, name),
            rollout_uid: rollout_uid.into(),
            hash: hash.into(),
            revision,
            number,
        },
    )
}

fn exported() -> impl Strategy<Value = Exported> {
    (any::<u32>(), any::<u32>(), option::of(text()))
        .prop_map(|(until, refused, refusal)| Exported { until, refused, refusal })
}

type Entries =
    (Vec<Step>, Vec<Pause>, Vec<Analysis>, Vec<Experiment>, Vec<Weight>, Vec<Switch>, Vec<Mark>);

fn entries() -> impl Strategy<Value = Entries> {
    (
        vec(step(), 0..4),
        vec(pause(), 0..3),
        vec(analysis(), 0..3),
        vec(experiment(), 0..3),
        vec(weight(), 0..3),
        vec(switch(), 0..3),
        vec(mark(), 0..3),
    )
}

/// A journal whose numbers add up; nothing else of it has to make sense.
pub(crate) fn journal() -> impl Strategy<Value = Journal> {
    let placed = (trace_id(), option::of(span_id()));
    let placed = placed.prop_map(|(trace, parent)| Placement { trace, parent });
    let links = (traceparent(), link_kind());
    let links = links.prop_map(|(traceparent, kind)| Link { traceparent, kind });
    let times = (moment(), option::of(moment()), option::of(moment()));
    let sinks = vec(("[a-z]{1,9}", exported()), 0..3);
    let rest = (option::of(failure()), any::<u32>(), exported(), any::<bool>(), sinks);
    (identity(), facts(), phase(), times, option::of(placed), vec(links, 0..3), entries(), rest)
        .prop_flat_map(|parts| (Just(parts), vec(any::<bool>(), 32)))
        .prop_map(|(parts, is_over)| {
            let (identity, facts, phase, times, placed, links, entries, rest) = parts;
            let (failure, cut, exported, exposed, sinks) = rest;
            let mut journal = Journal {
                facts,
                phase,
                exposed,
                ended: times.1,
                settled: times.2,
                placed,
                links,
                failure,
                cut,
                ..Journal::begin(identity, times.0)
            };
            let (steps, pauses, analyses, experiments, weights, switches, marks) = entries;
            (journal.steps, journal.pauses, journal.analyses) = (steps, pauses, analyses);
            (journal.experiments, journal.weights) = (experiments, weights);
            (journal.switches, journal.marks) = (switches, marks);
            number(&mut journal, is_over);
            journal.exported =
                Exported { until: exported.until % (journal.closed + 1), ..exported };
            for (sink, offset) in sinks {
                let until = offset.until % (journal.closed + 1);
                *journal.offset_mut(&Sink::new(sink)) = Exported { until, ..offset };
            }
            journal
        })
}

/// Gives numbers to some entries, and to the root.
fn number(journal: &mut Journal, is_over: Vec<bool>) {
    let mut is_over = is_over.into_iter();
    let mut closed = 0;
    let mut next = || {
        is_over.next().unwrap_or(true).then(|| {
            closed += 1;
            closed
        })
    };
    journal.switches.iter_mut().for_each(|switch| switch.closed = next());
    journal.weights.iter_mut().for_each(|weight| weight.closed = next());
    journal.experiments.iter_mut().for_each(|experiment| experiment.closed = next());
    journal.analyses.iter_mut().for_each(|analysis| analysis.closed = next());
    journal.pauses.iter_mut().for_each(|pause| pause.closed = next());
    journal.steps.iter_mut().for_each(|step| step.closed = next());
    journal.root_closed = next();
    journal.closed = closed;
    journal.belong(0);
}
