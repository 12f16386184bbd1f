//! What each version of a recorded Rollout, AnalysisRun and pod says of the attempt under way.

use smol_str::SmolStr;
use timeline::seen::{AnalysisRunSeen, PauseKind, RolloutSeen};
use timeline::{Kind, Observation};

use crate::recording::recording;

fn observations(name: &str, kind: Kind) -> Vec<Observation> {
    let events = recording(name);
    let of_kind = events.iter().filter(|event| event.kind == kind && !event.deleted);
    of_kind.filter_map(|event| event.observation.clone()).collect()
}

fn rollouts(name: &str) -> Vec<RolloutSeen> {
    let observations = observations(name, Kind::Rollout).into_iter();
    observations
        .map(|observation| match observation {
            Observation::Rollout(seen) => seen,
            other => unreachable!("{other:?}"),
        })
        .collect()
}

fn runs(name: &str) -> Vec<AnalysisRunSeen> {
    let observations = observations(name, Kind::AnalysisRun).into_iter();
    observations
        .map(|observation| match observation {
            Observation::AnalysisRun(seen) => *seen,
            other => unreachable!("{other:?}"),
        })
        .collect()
}

/// Where each attempt stood, repetitions left out: revision, step and its plan, what holds it.
fn standings(name: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for seen in rollouts(name) {
        let progress = &seen.progress;
        // Between the change of the spec and Argo's answer the status shows what was.
        if !progress.up_to_date || seen.current_hash == seen.stable_hash {
            continue;
        }
        let step = progress.step.map_or("-".to_owned(), |index| {
            let plan = progress.steps.get(usize::try_from(index).unwrap());
            let plan = plan.map(|plan| format!("{} {}", plan.kind, plan.setting));
            format!("{index} {}", plan.as_deref().unwrap_or("end").trim_end())
        });
        let mut line = vec![format!("{}: {step}", seen.revision.unwrap())];
        for pause in &progress.pauses {
            assert_eq!(pause.started.is_none(), pause.kind == PauseKind::Spec);
            line.push(format!("{:?}", pause.kind));
        }
        line.extend(progress.promote_full.then(|| "full promotion".to_owned()));
        line.extend(seen.abort.then(|| "aborted".to_owned()));
        let line = line.join(", ");
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn a_timed_canary_goes_from_step_to_step() {
    assert_eq!(
        standings("hash-version"),
        [
            "1: 0 setWeight 34",
            "2: 0 setWeight 34",
            "2: 1 pause 4s",
            "2: 1 pause 4s, Timed",
            "2: 2 setWeight 67",
            "2: 3 pause 4s",
            "2: 3 pause 4s, Timed",
            "2: 4 end",
        ]
    );
}

#[test]
fn a_pause_without_a_length_waits_for_a_person() {
    assert_eq!(
        standings("promote-full"),
        [
            "1: 0 setWeight 34",
            "2: 0 setWeight 34",
            "2: 1 pause",
            "2: 1 pause, Manual",
            "2: 1 pause, Manual, full promotion",
            "2: 4 end, full promotion",
        ]
    );
}

#[test]
fn an_abort_and_its_retry_begin_at_the_first_step() {
    assert_eq!(
        standings("abort-retry"),
        [
            "1: 0 setWeight 34",
            "2: 0 setWeight 34",
            "2: 1 pause",
            "2: 1 pause, Manual",
            "2: 1 pause, Manual, aborted",
            "2: 0 setWeight 34, aborted",
            "2: 0 setWeight 34",
            "2: 1 pause",
            "2: 1 pause, Manual",
            "2: 1 pause",
            "2: 2 setWeight 100",
            "2: 3 end",
        ]
    );
}

#[test]
fn a_promotion_by_a_person_is_a_version_without_pauses_that_the_controller_still_holds() {
    let mut by_person: Vec<_> = rollouts("abort-retry")
        .into_iter()
        .filter(|seen| seen.progress.controller_pause && seen.progress.pauses.is_empty())
        .map(|seen| seen.progress.step)
        .collect();
    // The controller may write once more before it goes on.
    by_person.dedup();
    assert_eq!(by_person, [Some(1)]);
    for name in ["linear", "hash-version"] {
        assert!(
            rollouts(name).iter().all(|seen| {
                !seen.progress.controller_pause || !seen.progress.pauses.is_empty()
            })
        );
    }
}

#[test]
fn a_blue_green_rollout_switches_its_preview_and_then_what_is_active() {
    let mut lines: Vec<String> = Vec::new();
    for seen in rollouts("bluegreen") {
        let progress = &seen.progress;
        let is_new = |hash: &Option<SmolStr>| match hash {
            None => "none",
            Some(hash) if Some(hash) == seen.stable_hash.as_ref() => "stable",
            Some(_) => "new",
        };
        if !progress.up_to_date || seen.current_hash == seen.stable_hash {
            continue;
        }
        let pauses: Vec<PauseKind> = progress.pauses.iter().map(|pause| pause.kind).collect();
        let line = format!(
            "preview {} active {} {pauses:?}",
            is_new(&progress.preview),
            is_new(&progress.active),
        );
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    assert_eq!(
        lines,
        [
            "preview new active stable []",
            "preview new active stable [BlueGreen]",
            "preview new active new []",
        ]
    );
}

#[test]
fn the_deadline_stands_in_the_condition_progressing() {
    let reasons = |name: &str| {
        let mut reasons: Vec<String> = rollouts(name)
            .into_iter()
            .filter_map(|seen| seen.progress.progressing)
            .map(|condition| condition.reason)
            .filter(|reason| reason.contains("Deadline") || reason.contains("Abort"))
            .collect();
        reasons.dedup();
        reasons
    };
    assert_eq!(reasons("bad-image-then-fix"), ["ProgressDeadlineExceeded"]);
    let reasons = reasons("bad-image-deadline-abort");
    assert_eq!(reasons.last().map(String::as_str), Some("RolloutAborted"));
}

#[test]
fn analysis_runs_are_read_with_their_measurements() {
    let line = |run: &AnalysisRunSeen| {
        let metrics: Vec<String> = run
            .metrics
            .iter()
            .map(|metric| {
                let values: Vec<&str> =
                    metric.measurements.iter().map(|one| one.value.as_str()).collect();
                format!(
                    "{} {:?} {}/{} {values:?}",
                    metric.name, metric.phase, metric.failed, metric.count
                )
            })
            .collect();
        format!("{:?} {:?} {:?} {}", run.kind, run.step, run.phase, metrics.join("; "))
            .trim_end()
            .to_owned()
    };
    let runs_of = |name: &str| runs(name).iter().map(line).collect::<Vec<_>>();
    assert_eq!(
        runs_of("analysis-fail"),
        [
            "Step Some(1) Pending",
            r#"Step Some(1) Running success-rate Running 0/1 ["0.99"]"#,
            r#"Step Some(1) Successful success-rate Successful 0/2 ["0.99", "0.99"]"#,
            "Step Some(3) Pending",
            r#"Step Some(3) Failed success-rate Failed 1/1 ["0.10"]"#,
        ]
    );
    assert_eq!(
        runs_of("bluegreen"),
        [
            "PrePromotion None Pending",
            r#"PrePromotion None Running success-rate Running 0/1 ["0.99"]"#,
            r#"PrePromotion None Successful success-rate Successful 0/2 ["0.99", "0.99"]"#,
            "PostPromotion None Pending",
            r#"PostPromotion None Running success-rate Running 0/1 ["0.99"]"#,
            r#"PostPromotion None Successful success-rate Successful 0/2 ["0.99", "0.99"]"#,
        ]
    );
    for run in runs("analysis-fail").into_iter().chain(runs("bluegreen")) {
        assert!(run.created.is_some() && run.hash.is_some() && run.revision == Some(2), "{run:?}");
    }
}

#[test]
fn each_revision_has_the_facts_of_its_own_template() {
    let facts = |name: &str| {
        let mut facts: Vec<_> = observations(name, Kind::ReplicaSet)
            .into_iter()
            .map(|observation| match observation {
                Observation::ReplicaSet(seen) => (seen.hash, seen.facts),
                other => unreachable!("{other:?}"),
            })
            .collect();
        facts.sort_by(|(a, _), (b, _)| a.cmp(b));
        facts.dedup();
        facts
    };
    let linear = facts("linear");
    assert_eq!(linear.len(), 3, "the facts of a ReplicaSet never change: {linear:?}");
    let mut versions: Vec<_> = linear.iter().map(|(_, facts)| facts.version.clone()).collect();
    versions.sort();
    assert_eq!(versions, ["1.0.0", "2.0.0", "3.0.0"].map(|version| Some(version.into())));
    let mut digests: Vec<_> = linear.iter().map(|(_, facts)| facts.template_digest).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 3);
    for (_, facts) in &linear {
        assert_eq!(facts.service.as_deref(), Some("cart"));
        let image = format!("cart=example/cart:{}", facts.version.as_deref().unwrap());
        assert_eq!(facts.images, [image]);
    }
}

#[test]
fn every_recorded_pod_is_read() {
    for name in ["linear", "bad-image-deadline-abort", "bluegreen"] {
        let pods = observations(name, Kind::Pod);
        assert!(!pods.is_empty());
        let ready = pods.iter().any(|pod| matches!(pod, Observation::Pod(seen) if seen.ready));
        let gated = pods.iter().any(|pod| match pod {
            Observation::Pod(seen) => {
                seen.unscheduled.as_ref().is_some_and(|(reason, _)| reason == "SchedulingGated")
            }
            _ => false,
        });
        assert!(ready && gated, "{name}");
    }
}
