//! A journal in the cluster: what is written is read back, is small, reads well, and what somebody
//! broke is refused.

#![expect(clippy::unwrap_used, reason = "what a test itself makes is as it should be")]

mod any;

use api::RolloutAttempt;
use api::rollout_attempt::OPEN;
use jiff::{SignedDuration, Timestamp};
use operator::journal::{Problem, object, read};
use proptest::prelude::*;
use timeline::base::{AttemptId, Moment, Phase};
use timeline::failure::{AbortCause, Failure, FailureClass};
use timeline::journal::{
    Analysis, Experiment, Journal, Link, LinkKind, Mark, MarkKind, Measurement, Metric, Pause,
    Placement, ResumedBy, Service, Step, StepResult, Switch, Weight,
};
use timeline::seen::{AnalysisKind, AnalysisPhase, PauseKind, Strategy};
use timeline::{Key, Traceparent};

const KEPTN: &str = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";

/// Through JSON, as the API server stores it.
fn stored(journal: &Journal) -> RolloutAttempt {
    serde_json::from_value(serde_json::to_value(object(journal)).unwrap()).unwrap()
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_795_240_980_000 + milliseconds).unwrap()
}

fn seen(milliseconds: i64) -> Moment {
    Moment::observed(at(milliseconds))
}

fn from_status(seconds: i64) -> Moment {
    Moment::status(at(seconds * 1000))
}

fn begun() -> Journal {
    let identity = AttemptId {
        rollout: Key::new("shop", "cart"),
        rollout_uid: "1ca4f93b-c37f-437d-8401-e966a2eef6f4".into(),
        hash: "6d5694bbbf".into(),
        revision: 2,
        number: 1,
    };
    Journal::begin(identity, seen(0))
}

fn measurement(seconds: i64, value: &str, phase: AnalysisPhase) -> Measurement {
    Measurement {
        phase,
        value: value.to_owned(),
        message: String::new(),
        started: from_status(seconds),
        ended: from_status(seconds),
    }
}

fn analysis(step: u32, seconds: i64, measurements: Vec<Measurement>) -> Analysis {
    let failed = measurements.iter().filter(|one| one.phase == AnalysisPhase::Failed).count();
    let phase = if failed > 0 { AnalysisPhase::Failed } else { AnalysisPhase::Successful };
    Analysis {
        name: format!("cart-6d5694bbbf-2-{step}"),
        uid: "1f18e6e4-984e-40c0-a43c-1af76250561d".to_owned(),
        kind: AnalysisKind::Step,
        step: Some(step),
        phase,
        message: String::new(),
        started: from_status(seconds),
        ended: Some(from_status(seconds + 10)),
        metrics: vec![Metric {
            name: "success-rate".to_owned(),
            phase,
            message: String::new(),
            dry_run: false,
            count: u32::try_from(measurements.len()).unwrap(),
            failed: u32::try_from(failed).unwrap(),
            measurements,
        }],
        closed: None,
        below: None,
    }
}

fn step(index: u32, kind: &str, setting: &str, from: i64, until: i64) -> Step {
    Step {
        index,
        kind: kind.to_owned(),
        setting: setting.to_owned(),
        started: seen(from),
        ended: Some(seen(until)),
        result: StepResult::Completed,
        closed: None,
    }
}

/// An attempt that an analysis aborted, with one entry of everything.
fn aborted() -> Journal {
    let mut journal = begun();
    journal.phase = Phase::Aborted;
    journal.exposed = true;
    journal.ended = Some(from_status(92));
    journal.settled = Some(Moment::inferred(Some(at(92_000)), at(95_500)));
    journal.placed = Some(Placement::inside(KEPTN.parse().unwrap()));
    journal.links =
        vec![Link { traceparent: KEPTN.parse().unwrap(), kind: LinkKind::PreviousRevision }];
    journal.facts.version = Some("2.0.0".to_owned());
    journal.facts.strategy = Some(Strategy::Canary);
    journal.facts.planned_steps = 4;
    journal.facts.images = vec!["cart=example/cart:2.0.0".to_owned()];
    journal.steps =
        vec![step(0, "setWeight", "20", 0, 12_345), step(1, "pause", "", 12_345, 42_400)];
    journal.steps[1].result = StepResult::Skipped;
    journal.pauses = vec![Pause {
        kind: PauseKind::Manual,
        step: Some(1),
        planned: None,
        started: from_status(12),
        ended: Some(seen(42_400)),
        resumed_by: Some(ResumedBy::Person),
        closed: None,
        below: None,
    }];
    let mut failing = measurement(62, "0.10", AnalysisPhase::Failed);
    failing.message.push_str("it's low");
    let passing = measurement(52, "0.99", AnalysisPhase::Successful);
    journal.analyses = vec![analysis(3, 50, vec![passing, failing])];
    journal.experiments = vec![Experiment {
        name: "cart-6d5694bbbf-2-2".to_owned(),
        uid: "e".to_owned(),
        step: Some(2),
        phase: AnalysisPhase::Successful,
        message: String::new(),
        started: seen(42_400),
        ended: Some(seen(50_000)),
        closed: None,
        below: None,
    }];
    journal.weights = vec![Weight { percent: 20, started: seen(500), ended: None, closed: None }];
    journal.switches = vec![Switch {
        service: Service::Preview,
        at: Moment::event(at(700)),
        to_new: true,
        closed: None,
    }];
    journal.marks = vec![Mark {
        kind: MarkKind::Gap,
        at: Moment::inferred(None, at(1000)),
        note: "the watch began anew".to_owned(),
    }];
    journal.failure = Some(Failure {
        class: FailureClass::AnalysisFailed,
        cause: Some(AbortCause::StepAnalysis),
        reason: "AnalysisFailed: success-rate: 0.10 (1 of 2)".to_owned(),
        message: "Metric \"success-rate\" assessed Failed".to_owned(),
        pod: None,
        container: None,
        image: None,
        at: from_status(62),
    });
    journal.steps[0].closed = Some(journal.next_closed());
    journal.pauses[0].closed = Some(journal.next_closed());
    journal.steps[1].closed = Some(journal.next_closed());
    journal.analyses[0].closed = Some(journal.next_closed());
    journal.belong(0);
    journal.root_closed = Some(journal.next_closed());
    journal.exported.until = 3;
    journal
}

#[test]
fn an_attempt_reads_like_a_report() {
    let object = stored(&aborted());
    let status = object.status.unwrap();
    assert_eq!(status.outcome, "Aborted after 1m32s: AnalysisFailed: success-rate: 0.10 (1 of 2)");
    assert_eq!(status.steps, ["0 setWeight 20 +0s +12.345s #1", "1 pause '' Skipped < +42.4s #3"]);
    assert_eq!(status.pauses, ["1 Manual - Person =+12s +42.4s #2"]);
    assert_eq!(
        status.analyses,
        [
            "Step 3 Failed =+50s =+1m #4 *-3 1f18e6e4-984e-40c0-a43c-1af76250561d",
            "  success-rate Failed 1/2 | 0.99 =+52s | 0.10 =+1m2s Failed 'it''s low'",
        ]
    );
    assert_eq!(status.experiments, ["2 Successful +42.4s +50s *-2 e"]);
    assert_eq!(status.weights, ["20% +0.5s -"]);
    assert_eq!(status.switches, ["Preview new ^+0.7s"]);
    assert_eq!(status.marks, ["Gap ~+1s 'the watch began anew'"]);
    assert_eq!(status.exported.progress, "3/5");
    assert_eq!(status.max_weight, Some(20));
    let trace = status.trace.unwrap();
    assert!(trace.keptn);
    assert_eq!(trace.id, "28e7c919c887709c210854f40838e0d7");
    assert_eq!(trace.parent.as_deref(), Some("bf5933e028d3fc36"));
    let root: Traceparent = trace.traceparent.parse().unwrap();
    assert_eq!(Some(root), aborted().root_context());
}

#[test]
fn it_is_labelled_open_until_all_of_it_was_delivered() {
    let mut journal = aborted();
    let labels = |journal: &Journal| object(journal).metadata.labels.unwrap();
    assert_eq!(labels(&journal).get(OPEN).map(String::as_str), Some("true"));
    journal.exported.until = journal.closed;
    let labels = labels(&journal);
    assert_eq!(labels.get(OPEN), None);
    assert_eq!(labels["throughline.dev/rollout-uid"], journal.identity.rollout_uid);
    assert_eq!(labels["app.kubernetes.io/managed-by"], "throughline");
}

/// 50 steps, a pause in every third, 20 analyses, a traffic router, Keptn, and all facts.
#[test]
fn a_long_rollout_with_many_analyses_stays_below_eight_kilobytes() {
    let mut journal = begun();
    for index in 0..50 {
        let start = i64::from(index) * 601_234;
        let (kind, setting) = match index % 3 {
            0 => ("setWeight", (index * 2).to_string()),
            1 => ("pause", "10m".to_owned()),
            _ => ("analysis", "success-rate".to_owned()),
        };
        let mut step = step(index, kind, &setting, start, start + 601_234);
        step.closed = Some(journal.next_closed());
        journal.steps.push(step);
        if kind == "pause" {
            let closed = Some(journal.next_closed());
            journal.pauses.push(Pause {
                kind: PauseKind::Timed,
                step: Some(index),
                planned: Some(600),
                started: from_status(start / 1000),
                ended: Some(seen(start + 601_234)),
                resumed_by: Some(ResumedBy::Timer),
                closed,
                below: None,
            });
        }
        if kind == "setWeight" {
            let closed = Some(journal.next_closed());
            journal.weights.push(Weight {
                percent: index * 2,
                started: seen(start + 100),
                ended: Some(seen(start + 601_300)),
                closed,
            });
        }
    }
    for step in 0..20 {
        let start = i64::from(step) * 1800;
        let value = |n: i64| measurement(start + 60 * n, "0.987", AnalysisPhase::Successful);
        let mut analysis = analysis(step, start, vec![value(1), value(2)]);
        analysis.closed = Some(journal.next_closed());
        journal.analyses.push(analysis);
    }
    let finished = aborted();
    journal.links = vec![finished.links[0]; 3];
    (journal.phase, journal.ended) = (finished.phase, finished.ended);
    (journal.placed, journal.failure) = (finished.placed, finished.failure);
    let facts = &mut journal.facts;
    let text = |text: &str| Some(text.to_owned());
    facts.replica_set = text("cart-6d5694bbbf");
    facts.strategy = Some(Strategy::Canary);
    (facts.service, facts.version, facts.app) = (text("cart"), text("2.0.0"), text("shop"));
    facts.environment = text("production");
    facts.commit = text("c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00");
    facts.commit_time = Some(at(-86_400_000));
    facts.repository = text("https://git.example.com/shop/cart");
    facts.author = text("Ada Lovelace");
    facts.origin = Some(KEPTN.parse().unwrap());
    facts.images = vec!["cart=registry.example.com/shop/cart:2.0.0".to_owned()];
    journal.belong(0);
    let object = object(&journal);
    let size = serde_json::to_string(&object).unwrap().len();
    assert!(size < 8 * 1024, "{size} bytes");
    // Two or three are what is meant to be usual.
    let usual = serde_json::to_string(&crate::object(&aborted())).unwrap().len();
    assert!(usual < 2 * 1024, "{usual} bytes");
}

#[test]
fn what_hangs_below_another_than_the_first_step_of_its_index_says_so() {
    let mut journal = aborted();
    journal.steps.push(step(1, "pause", "", 42_400, 50_000));
    for (below, expected) in [(Some(1), "#2"), (Some(2), "#2/2"), (None, "#2/-")] {
        journal.pauses[0].below = below;
        let object = stored(&journal);
        let lines = &object.status.as_ref().unwrap().pauses;
        assert_eq!(lines[0], format!("1 Manual - Person =+12s +42.4s {expected}"));
        assert_eq!(read(&object).unwrap(), journal);
    }
}

#[test]
fn what_somebody_broke_is_refused_with_the_place_and_what_to_do() {
    type Break = fn(&mut RolloutAttempt);
    let cases: [(Break, &str); 18] = [
        (|it| it.status = None, "it has no status"),
        (|it| status(it).started = None, "started is missing"),
        (|it| it.spec.attempt = -1, "spec.attempt cannot be -1"),
        (|it| status(it).closed = i64::MAX, "closed cannot be 9223372036854775807"),
        (|it| status(it).exported.until = 6, "exported.until cannot be 6"),
        (|it| status(it).closed = 4_294_967_295, "closed cannot be 4294967295"),
        (|it| status(it).closed = 3, "#4 is given twice, or is higher than closed"),
        (|it| status(it).steps[0] += " more", r#"line 1 of steps: "more" is too much"#),
        (|it| status(it).steps[1] = "x".to_owned(), r#"line 2 of steps: "x" is no index"#),
        (|it| status(it).steps[1].clear(), "line 2 of steps: it ends where index should follow"),
        (|it| status(it).pauses[0] = "1 Nap - - +0s -".to_owned(), r#""Nap" is no kind of pause"#),
        (|it| drop(status(it).analyses.remove(0)), "a metric stands before the first analysis"),
        (|it| status(it).weights[0] = "20 +0s -".to_owned(), r#""20" is no percentage"#),
        (|it| trace(it).id = "0".repeat(32), "trace.id: the trace id is all zeros"),
        (|it| status(it).links[0].kind = "Friend".to_owned(), r#"links.kind cannot be "Friend""#),
        (|it| status(it).links[0].traceparent.clear(), "links.traceparent: a traceparent has 55"),
        (|it| status(it).steps[1] = status(it).steps[0].clone(), "#1 is given twice"),
        (|it| status(it).pauses[0] += "/7", "there is no step 7 that something could hang below"),
    ];
    for (break_it, expected) in cases {
        let mut object = stored(&aborted());
        break_it(&mut object);
        let said = match read(&object) {
            Err(error) => error.to_string(),
            Ok(_) => "nothing".to_owned(),
        };
        let begin = "RolloutAttempt shop/cart-2-1-";
        assert!(said.contains(expected) && said.starts_with(begin), "{said}\nand not {expected}");
        assert!(said.ends_with("put back what stood there, or delete it"), "{said}");
    }
    let mut object = stored(&aborted());
    status(&mut object).root_closed = Some(6);
    assert_eq!(read(&object).unwrap_err().problem, Problem::Closed(6));
}

fn status(object: &mut RolloutAttempt) -> &mut api::RolloutAttemptStatus {
    object.status.as_mut().unwrap()
}

fn trace(object: &mut RolloutAttempt) -> &mut api::rollout_attempt::Trace {
    status(object).trace.as_mut().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_is_read_back(journal in any::journal()) {
        prop_assert_eq!(read(&stored(&journal)).unwrap(), journal);
    }

    #[test]
    fn whatever_somebody_makes_of_a_line_is_read_or_refused(
        list in 0usize..7,
        line in 0usize..4,
        place in 0usize..80,
        text in "[ '#|=~^<+0-9hmsA-Za-z.%/-]{0,6}|.{0,6}",
        insert in any::<bool>(),
    ) {
        let mut object = stored(&aborted());
        let status = status(&mut object);
        let lists = [
            &mut status.steps, &mut status.pauses, &mut status.analyses, &mut status.experiments,
            &mut status.weights, &mut status.switches, &mut status.marks,
        ];
        let lines = lists.into_iter().nth(list).unwrap();
        let count = lines.len();
        let line = &mut lines[line % count];
        let place = line.floor_char_boundary(place);
        let end = if insert { place } else { line.floor_char_boundary(place + text.len()) };
        line.replace_range(place..end, &text);
        if let Ok(journal) = read(&object) {
            // What can be read can be written, and is the same again.
            prop_assert_eq!(read(&stored(&journal)).unwrap(), journal);
        }
    }
}

#[test]
fn a_moment_is_stored_to_the_nanosecond() {
    let mut journal = begun();
    journal.started = Moment::observed(at(0) + SignedDuration::from_nanos(123_456_789));
    journal.marks.push(Mark {
        kind: MarkKind::Scaled,
        at: Moment::observed(at(7) + SignedDuration::from_nanos(1)),
        note: String::new(),
    });
    assert_eq!(read(&stored(&journal)).unwrap(), journal);
}
