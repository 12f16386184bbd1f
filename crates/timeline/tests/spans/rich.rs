//! Outbox that have something of everything.

use jiff::Timestamp;
use timeline::base::{AttemptId, Moment, Phase, Source};
use timeline::failure::{AbortCause, Failure, FailureClass};
use timeline::journal::{
    Analysis, Experiment, Facts, Journal, Link, LinkKind, Mark, MarkKind, Measurement, Metric,
    Pause, Placement, ResumedBy, Service, Step, StepResult, Switch, Weight,
};
use timeline::seen::{AnalysisKind, AnalysisPhase, PauseKind, Strategy};
use timeline::{Key, Traceparent};

/// A time of the day of all these journals, e.g. `10:00:05`.
pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-11-21T{time}Z").parse().unwrap()
}

pub(crate) fn seen(time: &str) -> Moment {
    Moment::observed(at(time))
}

pub(crate) fn stated(time: &str) -> Moment {
    Moment::status(at(time))
}

pub(crate) fn between(after: &str, until: &str) -> Moment {
    Moment::inferred(Some(at(after)), at(until))
}

pub(crate) fn trace(n: u32) -> Traceparent {
    format!("00-{n:032x}-{n:016x}-01").parse().unwrap()
}

/// An attempt at `shop/cart` that began at 10:00.
pub(crate) fn attempt(hash: &str, revision: i64) -> Journal {
    let identity = AttemptId {
        rollout: Key::new("shop", "cart"),
        rollout_uid: "5f0c9e2a-0000-4000-8000-000000000001".into(),
        hash: hash.to_owned().into(),
        revision,
        number: 1,
    };
    let mut journal = Journal::begin(identity, seen("10:00:00.125"));
    journal.placed = Some(Placement::own(&journal.identity));
    journal
}

pub(crate) fn step(index: u32, kind: &str, setting: &str, from: Moment, to: Moment) -> Step {
    Step {
        index,
        kind: kind.to_owned(),
        setting: setting.to_owned(),
        started: from,
        ended: Some(to),
        result: StepResult::Completed,
        closed: None,
    }
}

pub(crate) fn pause(step: Option<u32>, from: Moment, to: Moment) -> Pause {
    Pause {
        kind: PauseKind::Timed,
        step,
        planned: Some(30),
        started: from,
        ended: Some(to),
        resumed_by: Some(ResumedBy::Timer),
        closed: None,
        below: None,
    }
}

pub(crate) fn analysis(uid: &str, kind: AnalysisKind, from: Moment, to: Moment) -> Analysis {
    Analysis {
        name: format!("cart-{uid}"),
        uid: uid.to_owned(),
        kind,
        step: None,
        phase: AnalysisPhase::Successful,
        message: String::new(),
        started: from,
        ended: Some(to),
        metrics: Vec::new(),
        closed: None,
        below: None,
    }
}

fn measured(phase: AnalysisPhase, value: &str, message: &str, time: &str) -> Measurement {
    Measurement {
        phase,
        value: value.to_owned(),
        message: message.to_owned(),
        started: stated(time),
        ended: stated(time),
    }
}

/// Gives numbers in the order of ends, as the fold does; the root's is the last.
pub(crate) fn number(journal: &mut Journal) {
    let mut open: Vec<(Moment, &mut Option<u32>)> = Vec::new();
    open.extend(journal.analyses.iter_mut().filter_map(|e| Some((e.ended?, &mut e.closed))));
    open.extend(journal.experiments.iter_mut().filter_map(|e| Some((e.ended?, &mut e.closed))));
    open.extend(journal.pauses.iter_mut().filter_map(|e| Some((e.ended?, &mut e.closed))));
    open.extend(journal.steps.iter_mut().filter_map(|e| Some((e.ended?, &mut e.closed))));
    open.extend(journal.weights.iter_mut().filter_map(|e| Some((e.ended?, &mut e.closed))));
    open.extend(journal.switches.iter_mut().map(|e| (e.at, &mut e.closed)));
    open.sort_by_key(|(ended, _)| ended.at);
    let mut last = 0;
    for (_, closed) in open {
        last += 1;
        *closed = Some(last);
    }
    journal.closed = last;
    journal.belong(0);
    if journal.ended.is_some() {
        journal.root_closed = Some(journal.next_closed());
    }
}

/// Inside Keptn's trace: steps, pauses, weights, an experiment, and the analysis of a step that
/// fails and ends it.
pub(crate) fn canary_whose_analysis_fails() -> Journal {
    let mut journal = attempt("7d9c6b5f4", 4);
    journal.placed = Some(Placement::inside(trace(0xaaaa)));
    journal.phase = Phase::Aborted;
    journal.exposed = true;
    journal.ended = Some(stated("10:07:30"));
    journal.settled = Some(seen("10:07:42.500"));
    journal.facts = Facts {
        replica_set: Some("cart-7d9c6b5f4".to_owned()),
        strategy: Some(Strategy::Canary),
        planned_steps: 6,
        service: Some("cart".to_owned()),
        version: Some("4.0.0".to_owned()),
        app: Some("webshop".to_owned()),
        environment: Some("production".to_owned()),
        commit: Some("9bf76a9c1f0e".to_owned()),
        commit_time: Some(at("08:12:00")),
        repository: Some("https://git.example/shop/cart".to_owned()),
        author: Some("ada".to_owned()),
        origin: Some(trace(0xcccc)),
        images: vec!["cart=example/cart:4.0.0".to_owned(), "proxy=example/proxy:1".to_owned()],
        upgrade: false,
        rebuilt: false,
        ..Facts::default()
    };
    let links = [
        (0xbbbb, LinkKind::PreviousRevision),
        (0xaaaa, LinkKind::After),
        (0xcccc, LinkKind::Origin),
    ];
    journal.links =
        links.map(|(n, kind)| Link { traceparent: trace(n), kind }).into_iter().collect();
    journal.steps = vec![
        step(0, "setWeight", "20", seen("10:00:00.125"), seen("10:00:02.250")),
        step(1, "pause", "30s", seen("10:00:02.250"), seen("10:00:33")),
        step(2, "experiment", "baseline", seen("10:00:33"), seen("10:02:40")),
        step(3, "setCanaryScale", "", seen("10:02:40"), seen("10:02:40")),
        step(4, "pause", "", seen("10:02:40"), seen("10:05:00.750")),
        step(5, "analysis", "success-rate", seen("10:05:00.750"), stated("10:07:30")),
    ];
    journal.steps[3].result = StepResult::Unobserved;
    journal.steps[5].result = StepResult::Stopped;
    journal.pauses = vec![
        pause(Some(1), stated("10:00:02"), seen("10:00:33")),
        Pause {
            kind: PauseKind::Manual,
            planned: None,
            resumed_by: Some(ResumedBy::Person),
            ..pause(Some(4), stated("10:02:40"), seen("10:05:00.750"))
        },
    ];
    journal.weights = vec![Weight {
        percent: 20,
        started: seen("10:00:00.900"),
        ended: Some(stated("10:07:30")),
        closed: None,
    }];
    journal.experiments = vec![Experiment {
        name: "cart-7d9c6b5f4-4-2".to_owned(),
        uid: "e1".to_owned(),
        step: Some(2),
        phase: AnalysisPhase::Inconclusive,
        message: "Assessed inconclusive".to_owned(),
        started: stated("10:00:33"),
        ended: Some(stated("10:02:40")),
        closed: None,
        below: None,
    }];
    journal.analyses = analyses();
    journal.failure = Some(Failure {
        class: FailureClass::AnalysisFailed,
        cause: Some(AbortCause::StepAnalysis),
        reason: "AnalysisFailed: success-rate: 2 of 3 measurements failed, the last was 0.71"
            .to_owned(),
        message: "Step-based analysis phase error/failed: Metric \"success-rate\" assessed Failed"
            .to_owned(),
        pod: None,
        container: None,
        image: None,
        at: stated("10:07:30"),
    });
    number(&mut journal);
    journal
}

fn analyses() -> Vec<Analysis> {
    use AnalysisPhase::{Cancelled, Error, Failed, Inconclusive, Successful};
    let metric = |name: &str, phase, failed, measurements: Vec<Measurement>| Metric {
        name: name.to_owned(),
        phase,
        message: String::new(),
        dry_run: false,
        count: u32::try_from(measurements.len()).unwrap(),
        failed,
        measurements,
    };
    let background = Analysis {
        phase: Cancelled,
        metrics: vec![metric(
            "latency",
            Inconclusive,
            0,
            vec![measured(Inconclusive, "NaN", "", "10:03:00")],
        )],
        ..analysis("a0", AnalysisKind::Background, stated("10:00:00"), stated("10:07:31"))
    };
    let of_experiment = Analysis {
        step: Some(2),
        phase: Inconclusive,
        ..analysis("a1", AnalysisKind::Experiment, stated("10:00:40"), stated("10:02:30"))
    };
    let rates = vec![
        measured(Successful, "0.99", "", "10:05:10"),
        measured(Failed, "0.70", "", "10:06:10"),
        measured(Failed, "0.71", "", "10:07:10"),
    ];
    let of_step = Analysis {
        step: Some(5),
        phase: Failed,
        message: "Metric \"success-rate\" assessed Failed due to failed (2) > failureLimit (1)"
            .to_owned(),
        metrics: vec![
            metric("success-rate", Failed, 2, rates),
            Metric {
                dry_run: true,
                message: "connection refused".to_owned(),
                ..metric(
                    "errors",
                    Error,
                    1,
                    vec![measured(Error, "", "connection\nrefused", "10:06:00")],
                )
            },
        ],
        // Written to the second, so before the step that it belongs to.
        ..analysis("a2", AnalysisKind::Step, stated("10:05:00"), stated("10:07:29"))
    };
    vec![background, of_experiment, of_step]
}

/// A trace of its own: a blue-green Rollout that went live and was then Healthy.
pub(crate) fn blue_green_that_is_promoted() -> Journal {
    let mut journal = attempt("66f8d", 2);
    journal.phase = Phase::Promoted;
    journal.exposed = true;
    journal.ended = Some(stated("10:02:10"));
    journal.settled = Some(stated("10:02:40"));
    journal.facts.replica_set = Some("cart-66f8d".to_owned());
    journal.facts.strategy = Some(Strategy::BlueGreen);
    journal.facts.upgrade = true;
    journal.links = vec![Link { traceparent: trace(0xbbbb), kind: LinkKind::RollsBack }];
    journal.pauses = vec![Pause {
        kind: PauseKind::BlueGreen,
        planned: None,
        resumed_by: Some(ResumedBy::FullPromotion),
        ..pause(None, stated("10:01:00"), seen("10:02:00"))
    }];
    journal.analyses =
        vec![analysis("b0", AnalysisKind::PrePromotion, stated("10:00:20"), stated("10:00:50"))];
    let switch = |service, time| Switch { service, at: seen(time), to_new: true, closed: None };
    journal.switches =
        vec![switch(Service::Preview, "10:00:04.010"), switch(Service::Active, "10:02:01")];
    journal.marks =
        vec![Mark { kind: MarkKind::FullPromotion, at: seen("10:02:00"), note: String::new() }];
    number(&mut journal);
    journal
}

/// First seen on its way, an image that does not exist, and the deadline that ends it.
pub(crate) fn bad_image_until_the_deadline() -> Journal {
    let mut journal = attempt("5b9", 0);
    journal.identity.number = 2;
    journal.placed = Some(Placement::own(&journal.identity));
    journal.phase = Phase::Aborted;
    journal.started = between("09:58:00", "10:00:00");
    journal.ended = Some(Moment::event(at("10:10:00.020")));
    journal.settled = None;
    journal.cut = 3;
    journal.facts.strategy = Some(Strategy::Canary);
    journal.facts.planned_steps = 2;
    journal.facts.rebuilt = true;
    journal.links = vec![Link { traceparent: trace(0xbbbb), kind: LinkKind::RetryOf }];
    journal.steps = vec![Step {
        result: StepResult::Stopped,
        ..step(
            0,
            "setWeight",
            "5",
            between("09:58:00", "10:00:00"),
            between("10:09:00", "10:10:00"),
        )
    }];
    let kinds = [
        (MarkKind::FirstSight, "10:00:00"),
        (MarkKind::Scaled, "10:04:00"),
        (MarkKind::Restarted, "10:05:00"),
        (MarkKind::StepsChanged, "10:06:00"),
        (MarkKind::ClockDoubted, "10:07:00"),
        (MarkKind::DeadlineExceeded, "10:10:00"),
    ];
    journal.marks = kinds
        .map(|(kind, time)| Mark { kind, at: stated(time), note: "see the Rollout".to_owned() })
        .into_iter()
        .collect();
    let gap = Mark {
        kind: MarkKind::Gap,
        at: between("10:02:00", "10:03:00"),
        note: "the watch began anew".to_owned(),
    };
    journal.marks.push(gap);
    journal.failure = Some(Failure {
        class: FailureClass::ImagePullFailed,
        cause: Some(AbortCause::Deadline),
        reason: "ImagePullFailed: cart: registry.example:5000/cart:4.0.0: not found (2 of 3 pods)"
            .to_owned(),
        message: "rpc error: code = NotFound\ndesc = manifest unknown".to_owned(),
        pod: Some("cart-5b9-x7k2p".to_owned()),
        container: Some("cart".to_owned()),
        image: Some("registry.example:5000/cart:4.0.0@sha256:19c92d0a".to_owned()),
        at: Moment { source: Source::Observed, ..seen("10:00:41.300") },
    });
    number(&mut journal);
    journal
}

pub(crate) fn all() -> [(&'static str, Journal); 3] {
    [
        ("canary-whose-analysis-fails", canary_whose_analysis_fails()),
        ("blue-green-that-is-promoted", blue_green_that_is_promoted()),
        ("bad-image-until-the-deadline", bad_image_until_the_deadline()),
    ]
}
