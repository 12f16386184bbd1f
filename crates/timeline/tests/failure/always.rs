//! What holds for any words, sizes and orders.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use timeline::base::Moment;
use timeline::failure::{Failure, abort_cause, decide, of_argo, of_pods, of_replica_set};
use timeline::journal::{Analysis, Measurement, Metric, of_analysis};
use timeline::seen::{AnalysisKind, AnalysisPhase, ContainerSeen, PodSeen, Terminated};

use super::{CLASSES, NOW, argo, pod, replica_set};

/// Words that decide something, and hostile ones between and around them.
fn text() -> impl Strategy<Value = String> {
    let known = select(vec![
        "not found",
        "rpc error: code = NotFound desc = ",
        "Back-off pulling image \"",
        "failed to resolve reference \"x\": ",
        "\": ",
        "Error: ",
        "nodes are available: ",
        "preemption:",
        "persistentvolumeclaim",
        "exceeded quota: ",
        "failed quota: ",
        "admission webhook \"",
        "\" denied the request",
        "failed calling webhook \"",
        "ValidatingAdmissionPolicy '",
        "violates PodSecurity \"",
        "is forbidden: ",
        "Rollout aborted update to revision ",
        ": Step-based analysis phase error/failed",
        ": Step Plugin ",
        " failed: ",
        "has timed out progressing.",
        "\" assessed ",
        "Failed to create new replica set \"",
        "\" is invalid: ",
        "\u{202e}\u{1b}[2J\0\r\n",
        "🚀é…",
    ]);
    let any = "(?s).{0,12}";
    let piece =
        prop_oneof![4 => known.prop_map(str::to_owned), 2 => any, 1 => Just("x".repeat(2000))];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn reason() -> impl Strategy<Value = String> {
    let known = select(vec![
        "",
        "ErrImagePull",
        "ImagePullBackOff",
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "ContainerCreating",
        "PodInitializing",
        "OOMKilled",
        "Completed",
        "Error",
        "StartError",
        "Evicted",
        "OutOfcpu",
        "Unschedulable",
        "SchedulingGated",
        "RolloutAborted",
        "ProgressDeadlineExceeded",
        "ReplicaSetCreateError",
    ]);
    prop_oneof![8 => known.prop_map(str::to_owned), 1 => text()]
}

fn said() -> impl Strategy<Value = Option<(String, String)>> {
    prop::option::of((reason(), text()))
}

/// Any time that an object may hold, often one near now.
fn time() -> impl Strategy<Value = Option<Timestamp>> {
    let near = (-600i64..600).prop_map(|seconds| NOW + SignedDuration::from_secs(seconds));
    let any = any::<i64>().prop_map(|at| Timestamp::from_second(at).unwrap_or(Timestamp::MAX));
    prop::option::of(prop_oneof![4 => near, 1 => any, 1 => Just(Timestamp::MIN)])
}

prop_compose! {
    fn container()(
        name in prop_oneof![3 => select(vec!["cart", "proxy"]).prop_map(str::to_owned), 1 => text()],
        image in prop_oneof![3 => select(vec!["a:1", "b:2"]).prop_map(str::to_owned), 1 => text()],
        (ready, running) in any::<(bool, bool)>(),
        restarts in prop_oneof![-1..3, any::<i32>()],
        waiting in said(),
        ended in prop::option::of((prop_oneof![0..3, any::<i32>()], reason(), text())),
        (sidecar, started) in any::<(bool, Option<bool>)>(),
        times in (time(), time(), time()),
    ) -> ContainerSeen {
        let terminated = ended.map(|(exit_code, reason, message)| Terminated {
            exit_code, reason, message, started: times.1, finished: times.2,
        });
        ContainerSeen {
            name, image, ready, running, restarts, waiting, terminated, sidecar, started,
            since: times.0,
        }
    }
}

prop_compose! {
    fn any_pod()(
        name in prop_oneof!["cart-[0-9]", text()],
        ready in prop::bool::weighted(0.2),
        unscheduled in prop::option::weighted(0.2, (reason(), text())),
        failed in prop::option::weighted(0.1, (reason(), text())),
        containers in prop::collection::vec(container(), 0..4),
        over in prop::bool::weighted(0.1),
        (created, turned) in (time(), time()),
        (gates, held_by) in (prop::collection::vec((text(), text()), 0..2), prop::collection::vec(text(), 0..2)),
        event in said(),
    ) -> PodSeen {
        PodSeen {
            ready, unscheduled, failed, over, created, turned, gates, held_by, event,
            ..pod(&name, containers)
        }
    }
}

fn phase() -> impl Strategy<Value = AnalysisPhase> {
    use AnalysisPhase::{Cancelled, Error, Failed, Inconclusive, Pending, Running, Successful};
    select(vec![Pending, Running, Successful, Failed, Error, Inconclusive, Cancelled])
}

prop_compose! {
    fn metric()(
        name in text(),
        phase in phase(),
        message in text(),
        dry_run in any::<bool>(),
        measured in prop::collection::vec((phase(), text(), text()), 0..3),
    ) -> Metric {
        let now = Moment::status(NOW);
        let measurements = measured
            .into_iter()
            .map(|(phase, value, message)| Measurement {
                phase, value, message, started: now, ended: now,
            })
            .collect();
        Metric { name, phase, message, dry_run, count: 0, failed: 0, measurements }
    }
}

prop_compose! {
    fn analysis()(
        name in text(),
        kind in select(vec![
            AnalysisKind::Step,
            AnalysisKind::Background,
            AnalysisKind::PrePromotion,
            AnalysisKind::PostPromotion,
            AnalysisKind::Experiment,
            AnalysisKind::Unknown,
        ]),
        step in any::<Option<u32>>(),
        phase in phase(),
        message in text(),
        metrics in prop::collection::vec(metric(), 0..4),
    ) -> Analysis {
        let started = Moment::status(NOW);
        Analysis {
            name, uid: String::new(), kind, step, phase, message, started, ended: None, metrics,
            closed: None,
            below: None,
        }
    }
}

fn holds(failure: &Failure) -> Result<(), TestCaseError> {
    prop_assert!(CLASSES.contains(&failure.class));
    prop_assert!(failure.reason.starts_with(&failure.class.to_string()), "{}", failure.reason);
    prop_assert!(failure.reason.len() <= 256, "{}", failure.reason.len());
    prop_assert!(failure.message.len() <= 512, "{}", failure.message.len());
    let names = [&failure.pod, &failure.container, &failure.image].into_iter().flatten();
    for text in [&failure.reason, &failure.message].into_iter().chain(names) {
        prop_assert!(text.len() <= 512, "{}", text.len());
        prop_assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        prop_assert!(!text.contains("  "), "{text:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pods_in_any_order_say_the_same(
        pods in prop::collection::vec(any_pod(), 0..6),
        swaps in prop::collection::vec(any::<(Index, Index)>(), 0..6),
    ) {
        let mut shuffled: Vec<&PodSeen> = pods.iter().collect();
        let said = of_pods(&shuffled, NOW);
        for failure in said.failure.iter().chain(&said.starting) {
            holds(failure)?;
            let live = pods.iter().filter(|pod| !pod.over && pod.failed.is_none()).count();
            let ends = [format!(" of {live} pods)"), " ended pod)".into(), " ended pods)".into()];
            prop_assert!(ends.iter().any(|end| failure.reason.ends_with(end)), "{}", failure.reason);
        }
        if !pods.is_empty() {
            for (one, other) in swaps {
                shuffled.swap(one.index(pods.len()), other.index(pods.len()));
            }
        }
        prop_assert_eq!(of_pods(&shuffled, NOW), said);
    }

    #[test]
    fn any_words_of_a_replica_set_or_an_analysis_are_bounded(said in said(), run in analysis()) {
        for failure in [of_replica_set(&replica_set::set(said), NOW), of_analysis(&run)] {
            failure.iter().try_for_each(holds)?;
        }
    }

    #[test]
    fn any_words_of_argo_are_bounded_and_merge_with_any_evidence(
        (reason, message) in (reason(), text()),
        (abort, aborted_at, since) in any::<(bool, bool, bool)>(),
        invalid in prop::option::of(text()),
        evidence in any_pod(),
    ) {
        let mut rollout = argo::rollout(&reason, &message);
        rollout.abort = abort;
        rollout.aborted_at = aborted_at.then_some(NOW);
        rollout.progress.invalid_spec = invalid;
        if let Some(condition) = &mut rollout.progress.progressing {
            condition.since = condition.since.filter(|_| since);
        }
        abort_cause(&message);
        let argo = of_argo(&rollout, NOW);
        argo.iter().try_for_each(holds)?;
        let evidence = of_pods(&[&evidence], NOW).failure;
        let decided = decide(evidence.clone(), argo.clone());
        decided.iter().try_for_each(holds)?;
        prop_assert_eq!(decided.is_some(), evidence.is_some() || argo.is_some());
        if let Some(argo) = argo {
            prop_assert_eq!(decided.and_then(|decided| decided.cause), argo.cause);
        }
    }
}
