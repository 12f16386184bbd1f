//! Any words in the places where Kubernetes and Argo say why something failed. The first line is
//! the reason, what follows is the message.

use jiff::Timestamp;
use timeline::Key;
use timeline::base::Moment;
use timeline::base::text::bounded;
use timeline::failure::{Failure, decide, of_argo, of_pods, of_replica_set};
use timeline::journal::{Analysis, Measurement, Metric, of_analysis};
use timeline::seen::{
    AnalysisKind, AnalysisPhase, ConditionSeen, ContainerSeen, OwnedMetadata, PodSeen, Progress,
    ReplicaSetSeen, RevisionFacts, RolloutSeen, Template, Terminated,
};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// The target.
///
/// # Panics
/// If something does not hold that must.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (reason, message) = text.split_once('\n').unwrap_or((&text, ""));

    for bytes in [0, 1, 2, 3, 4, 64, 256] {
        let line = bounded(&text, bytes);
        assert!(line.len() <= bytes, "bounded");
        assert_eq!(bounded(&line, bytes), line, "it stays as it became");
        shown(&line);
    }

    let pods = pods(reason, message);
    for pod in &pods {
        of_pods(&[pod], NOW).failure.iter().for_each(holds);
    }
    let forth: Vec<_> = pods.iter().collect();
    let back: Vec<_> = pods.iter().rev().collect();
    let evidence = of_pods(&forth, NOW);
    assert_eq!(of_pods(&back, NOW), evidence, "in any order");
    let (evidence, starting) = (evidence.failure, evidence.starting);
    let refused = of_replica_set(&replica_set(reason, message), NOW);
    let analysed = of_analysis(&analysis(reason, message));

    for known in ["RolloutAborted", "ProgressDeadlineExceeded", "ReplicaSetCreateError", reason] {
        for (aborted, invalid) in [(false, false), (true, false), (false, true)] {
            let argo = of_argo(&rollout(known, message, aborted, invalid), NOW);
            argo.iter().for_each(holds);
            for evidence in [&evidence, &starting, &refused, &analysed] {
                evidence.iter().for_each(holds);
                let decided = decide(evidence.clone(), argo.clone());
                decided.iter().for_each(holds);
                if let Some(argo) = &argo {
                    let cause = decided.and_then(|decided| decided.cause);
                    assert_eq!(cause, argo.cause, "Argo's cause stays");
                }
            }
        }
    }
}

fn holds(failure: &Failure) {
    assert!(failure.reason.starts_with(&failure.class.to_string()), "{}", failure.reason);
    assert!(failure.reason.len() <= 256, "{}", failure.reason);
    assert!(failure.message.len() <= 512, "{}", failure.message);
    let names = [&failure.pod, &failure.container, &failure.image];
    for name in names.into_iter().flatten() {
        assert!(name.len() <= 256, "{name}");
        shown(name);
    }
    shown(&failure.reason);
    shown(&failure.message);
}

fn shown(line: &str) {
    let hides = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}');
    assert!(!line.contains(hides), "{line:?}");
}

/// The words in each place of a pod, one place a pod.
fn pods(reason: &str, message: &str) -> [PodSeen; 6] {
    let said = Some((reason.to_owned(), message.to_owned()));
    let container = ContainerSeen {
        name: bounded(message, 63),
        image: reason.to_owned(),
        ..ContainerSeen::default()
    };
    let ended = Terminated {
        exit_code: 1,
        reason: reason.to_owned(),
        message: message.to_owned(),
        ..Terminated::default()
    };
    let pod = |name: &str, container: ContainerSeen| PodSeen {
        key: Key::new("shop", name),
        replica_set_uid: "uid-b".into(),
        containers: vec![container],
        ..PodSeen::default()
    };
    [
        pod("cart-1", ContainerSeen { waiting: said.clone(), ..container.clone() }),
        pod("cart-2", ContainerSeen { terminated: Some(ended), ..container.clone() }),
        pod("cart-3", ContainerSeen { running: true, ..container.clone() }),
        PodSeen { unscheduled: said.clone(), ..pod("cart-4", container.clone()) },
        PodSeen { failed: said, ..pod("cart-5", container.clone()) },
        pod(message, container),
    ]
}

fn replica_set(reason: &str, message: &str) -> ReplicaSetSeen {
    ReplicaSetSeen {
        key: Key::new("shop", "cart-b"),
        uid: "uid-b".into(),
        rollout: "cart".into(),
        rollout_uid: "uid-1".into(),
        hash: "b".into(),
        revision: Some(2),
        created: None,
        template: Template::AskRollout(Vec::new()),
        desired: None,
        ready: 0,
        available: 0,
        failure: Some((reason.to_owned(), message.to_owned())),
        facts: RevisionFacts::default(),
    }
}

fn analysis(name: &str, message: &str) -> Analysis {
    let now = Moment::status(NOW);
    let phase = AnalysisPhase::Failed;
    let measurement = Measurement {
        phase,
        value: message.to_owned(),
        message: message.to_owned(),
        started: now,
        ended: now,
    };
    let metric = Metric {
        name: name.to_owned(),
        phase,
        message: message.to_owned(),
        dry_run: false,
        count: 1,
        failed: 1,
        measurements: vec![measurement],
    };
    Analysis {
        name: name.to_owned(),
        uid: "uid-run".to_owned(),
        kind: AnalysisKind::Step,
        step: Some(0),
        phase,
        message: message.to_owned(),
        started: now,
        ended: None,
        metrics: vec![metric],
        closed: None,
        below: None,
    }
}

fn rollout(reason: &str, message: &str, aborted: bool, invalid: bool) -> RolloutSeen {
    RolloutSeen {
        key: Key::new("shop", "cart"),
        uid: "uid-1".into(),
        created: None,
        revision: Some(2),
        current_hash: Some("b".into()),
        stable_hash: Some("a".into()),
        abort: aborted,
        aborted_at: aborted.then_some(NOW),
        healthy: false,
        completed: None,
        metadata: OwnedMetadata::default(),
        progress: Progress {
            progressing: Some(ConditionSeen {
                status: Some(false),
                reason: reason.to_owned(),
                message: message.to_owned(),
                since: None,
            }),
            invalid_spec: invalid.then(|| message.to_owned()),
            ..Progress::default()
        },
    }
}
