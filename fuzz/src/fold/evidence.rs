//! What lies around a Rollout, by a number: the same number says the same.

use jiff::Timestamp;
use timeline::Key;
use timeline::seen::{
    AnalysisKind, AnalysisPhase, AnalysisRunSeen, ContainerSeen, EvidenceOwner, ExperimentSeen,
    MeasurementSeen, MetricSeen, PodSeen, Terminated,
};

fn phase(n: usize) -> AnalysisPhase {
    use AnalysisPhase::{Cancelled, Error, Failed, Inconclusive, Pending, Running, Successful};
    [Pending, Running, Successful, Failed, Error, Inconclusive, Cancelled][n % 7]
}

fn owner(n: usize) -> EvidenceOwner {
    match n % 3 {
        0 | 1 => EvidenceOwner::Rollout("cart".to_owned(), "uid-1".to_owned()),
        _ => EvidenceOwner::Experiment("try".to_owned(), "uid-try".to_owned()),
    }
}

/// One of seven phases of one of 36 runs: the same number is the same run again.
pub(crate) fn run(number: u8, now: Timestamp) -> AnalysisRunSeen {
    use AnalysisKind::{Background, Experiment, PostPromotion, PrePromotion, Step, Unknown};
    let n = usize::from(number);
    let (phase, which) = (phase(n), n / 7);
    let started = (phase != AnalysisPhase::Pending).then_some(now);
    let ended = started.filter(|_| phase != AnalysisPhase::Running);
    let measurement = MeasurementSeen {
        phase,
        value: n.to_string(),
        message: String::new(),
        started,
        finished: ended,
    };
    AnalysisRunSeen {
        key: Key::new("shop", format!("run-{which}")),
        uid: format!("uid-run-{which}"),
        owner: owner(which),
        revision: Some(2),
        hash: Some("b".into()),
        kind: [Step, Background, PrePromotion, PostPromotion, Experiment, Unknown][which % 6],
        step: (which % 2 == 0).then_some(u32::from(number)),
        phase,
        message: "\u{202e}".repeat(which),
        created: Some(now),
        started,
        completed: ended,
        metrics: vec![MetricSeen {
            name: "rate".to_owned(),
            phase,
            message: String::new(),
            dry_run: which % 5 == 4,
            count: u32::MAX,
            failed: 1,
            measurements: vec![measurement; which % 10],
        }],
        metric_count: u32::from(number),
    }
}

pub(crate) fn experiment(number: u8, now: Timestamp) -> ExperimentSeen {
    let n = usize::from(number);
    ExperimentSeen {
        key: Key::new("shop", format!("try-{}", n / 7)),
        uid: format!("uid-try-{}", n / 7),
        owner: owner(n / 7),
        revision: Some(2),
        step: Some(u32::from(number) / 7),
        phase: phase(n),
        message: String::new(),
        created: Some(now),
        available: None,
    }
}

pub(crate) fn pods(n: usize) -> Vec<PodSeen> {
    let said = |reason: &str, message: &str| Some((reason.to_owned(), message.to_owned()));
    let waiting = match n % 4 {
        0 => None,
        1 => said("ImagePullBackOff", "example/cart:4.0.0: not found"),
        2 => said("CrashLoopBackOff", "back-off 5m0s restarting failed container"),
        _ => said("ContainerCreating", ""),
    };
    let container = ContainerSeen {
        name: "cart".to_owned(),
        image: "example/cart:4.0.0".to_owned(),
        running: n.is_multiple_of(4),
        terminated: (n % 4 == 2).then(Terminated::default),
        waiting,
        ..ContainerSeen::default()
    };
    let pod = |index: usize| PodSeen {
        key: Key::new("shop", format!("cart-{index}")),
        replica_set_uid: "uid-b".into(),
        deleted: (index % 5 == 4).then_some(Timestamp::UNIX_EPOCH),
        ready: index % 3 == 2,
        containers: vec![container.clone()],
        ..PodSeen::default()
    };
    (0..n / 4).map(pod).collect()
}
