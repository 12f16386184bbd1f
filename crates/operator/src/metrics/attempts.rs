//! What is counted of attempts that ended: facts of their journals, each once, when they are stored.
//!
//! A counter rises by one for each attempt of which this process stores the end. An end that a
//! process before this one has stored was counted by that one, so none is counted twice, and the
//! sum over all processes misses one only where a process died between its write and the scrape.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::exemplar::{CounterWithExemplar, HistogramWithExemplars};
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use timeline::Key;
use timeline::base::{Moment, Phase};
use timeline::journal::{Journal, ResumedBy, StepResult};

/// From seconds to the days that a pause may take.
const SECONDS: [f64; 14] = [
    5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0,
    259_200.0, 604_800.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    namespace: String,
    rollout: String,
    outcome: &'static str,
    exposed: &'static str,
    failure: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Followed {
    namespace: String,
    rollout: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lasted {
    namespace: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stepped {
    namespace: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Paused {
    namespace: String,
    resumed_by: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Trace {
    trace_id: String,
}

impl Trace {
    pub(super) fn of(journal: &Journal) -> Option<Self> {
        journal.placed.map(|placed| Self { trace_id: placed.trace.to_string() })
    }
}

#[derive(Debug, Clone, Copy)]
struct InSeconds;

impl Followed {
    fn of(rollout: &Key) -> Self {
        Self { namespace: rollout.namespace.to_string(), rollout: rollout.name.to_string() }
    }
}

impl MetricConstructor<Histogram> for InSeconds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(SECONDS)
    }
}

impl MetricConstructor<HistogramWithExemplars<Trace>> for InSeconds {
    fn new_metric(&self) -> HistogramWithExemplars<Trace> {
        HistogramWithExemplars::new(SECONDS.into_iter())
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Attempts {
    ended: Family<Ended, CounterWithExemplar<Trace>>,
    failures: Family<Followed, CounterWithExemplar<Trace>>,
    followed: Arc<Mutex<BTreeSet<Key>>>,
    durations: Family<Lasted, HistogramWithExemplars<Trace>, InSeconds>,
    steps: Family<Stepped, Histogram, InSeconds>,
    pauses: Family<Paused, Histogram, InSeconds>,
}

impl Attempts {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let attempts = Self {
            ended: Family::default(),
            failures: Family::default(),
            followed: Arc::default(),
            durations: Family::new_with_constructor(InSeconds),
            steps: Family::new_with_constructor(InSeconds),
            pauses: Family::new_with_constructor(InSeconds),
        };
        registry.register(
            "attempts",
            "Attempts that ended, by outcome, whether users could be hit, and class of failure",
            attempts.ended.clone(),
        );
        registry.register(
            "attempt_failures",
            "Attempts that were aborted, or reverted before they were decided",
            attempts.failures.clone(),
        );
        registry.register_with_unit(
            "attempt_duration",
            "From the start of an attempt to its end",
            Unit::Seconds,
            attempts.durations.clone(),
        );
        registry.register_with_unit(
            "step_duration",
            "How long canary steps took that Argo completed",
            Unit::Seconds,
            attempts.steps.clone(),
        );
        registry.register_with_unit(
            "pause_duration",
            "How long pauses took, by who ended them",
            Unit::Seconds,
            attempts.pauses.clone(),
        );
        attempts
    }

    /// There is this Rollout. A rise from nothing to 1 is none to Prometheus; one from 0 is.
    pub(super) fn follow(&self, rollout: &Key) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if !followed.contains(rollout) {
            followed.insert(rollout.clone());
            drop(self.failures.get_or_create(&Followed::of(rollout)));
            for outcome in ["promoted", "aborted"] {
                let lasted = Lasted { namespace: rollout.namespace.to_string(), outcome };
                drop(self.durations.get_or_create(&lasted));
            }
        }
    }

    /// These Rollouts are not there any more.
    pub(super) fn forget(&self, gone: impl Fn(&Key) -> bool) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.retain(|rollout| {
            let gone = gone(rollout);
            if gone {
                self.failures.remove(&Followed::of(rollout));
            }
            !gone
        });
    }

    /// The end of an attempt is stored.
    pub(super) fn ended(&self, journal: &Journal, now: Timestamp) {
        let now = Some(now.into());
        let rollout = &journal.identity.rollout;
        let outcome = outcome(journal.phase);
        let trace = || Trace::of(journal);
        let ended = Ended {
            namespace: rollout.namespace.to_string(),
            rollout: rollout.name.to_string(),
            outcome,
            exposed: if journal.exposed { "true" } else { "false" },
            failure: journal.failure.as_ref().map_or("", |failure| failure.class.error_type()),
        };
        self.ended.get_or_create(&ended).inc_by(1, trace(), now);
        if matches!(journal.phase, Phase::Aborted | Phase::Reverted) {
            self.failures.get_or_create(&Followed::of(rollout)).inc_by(1, trace(), now);
        }
        let namespace = || rollout.namespace.to_string();
        if let Some(seconds) = journal.ended.and_then(|end| seconds(journal.started, end)) {
            let lasted = Lasted { namespace: namespace(), outcome };
            self.durations.get_or_create(&lasted).observe(seconds, trace(), now);
        }
        for step in journal.steps.iter().filter(|step| step.result == StepResult::Completed) {
            if let Some(seconds) = step.ended.and_then(|end| seconds(step.started, end)) {
                let stepped = Stepped { namespace: namespace(), kind: kind(&step.kind) };
                self.steps.get_or_create(&stepped).observe(seconds);
            }
        }
        for pause in &journal.pauses {
            if let Some(seconds) = pause.ended.and_then(|end| seconds(pause.started, end)) {
                let paused =
                    Paused { namespace: namespace(), resumed_by: resumed_by(pause.resumed_by) };
                self.pauses.get_or_create(&paused).observe(seconds);
            }
        }
    }
}

/// How long it took, where both ends are known: between bounds there is no duration.
fn seconds(start: Moment, end: Moment) -> Option<f64> {
    start.precision()?;
    end.precision()?;
    let took = |start: Timestamp, end: Timestamp| end.duration_since(start).as_secs_f64();
    Some(took(start.at, end.at).max(0.0))
}

fn outcome(phase: Phase) -> &'static str {
    match phase {
        Phase::Promoted => "promoted",
        Phase::Aborted => "aborted",
        Phase::Superseded => "superseded",
        Phase::Reverted => "reverted",
        Phase::Deleted => "deleted",
        Phase::Progressing | Phase::Unknown => "unknown",
    }
}

/// A step of a newer Argo may have any name.
fn kind(step: &str) -> &'static str {
    const KINDS: [&str; 8] = [
        "setWeight",
        "pause",
        "analysis",
        "experiment",
        "setCanaryScale",
        "setHeaderRoute",
        "setMirrorRoute",
        "plugin",
    ];
    KINDS.into_iter().find(|kind| *kind == step).unwrap_or("other")
}

fn resumed_by(who: Option<ResumedBy>) -> &'static str {
    match who {
        Some(ResumedBy::Timer) => "timer",
        Some(ResumedBy::Person) => "person",
        Some(ResumedBy::FullPromotion) => "full_promotion",
        Some(ResumedBy::End) => "end",
        Some(ResumedBy::Unknown) | None => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use timeline::base::AttemptId;
    use timeline::failure::{Failure, FailureClass};
    use timeline::journal::{Placement, Step};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn journal() -> Journal {
        let identity = AttemptId {
            rollout: Key::new("shop", "cart"),
            rollout_uid: "uid".into(),
            hash: "abc".into(),
            revision: 2,
            number: 1,
        };
        Journal::begin(identity, Moment::observed(at(0)))
    }

    fn step(kind: &str, end: Moment) -> Step {
        Step {
            index: 0,
            kind: kind.to_owned(),
            setting: String::new(),
            started: Moment::observed(at(0)),
            ended: Some(end),
            result: StepResult::Completed,
            closed: Some(1),
        }
    }

    fn text_of(journal: &Journal) -> String {
        let mut registry = Registry::default();
        Attempts::register(&mut registry).ended(journal, at(100));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn an_attempt_is_counted_by_outcome_exposure_and_class_of_failure() {
        let mut journal = journal();
        journal.phase = Phase::Aborted;
        journal.exposed = true;
        journal.ended = Some(Moment::status(at(90)));
        journal.failure = Some(Failure {
            class: FailureClass::AnalysisFailed,
            cause: None,
            reason: "AnalysisFailed: success-rate: 0.1".to_owned(),
            message: String::new(),
            pod: None,
            container: None,
            image: None,
            at: Moment::status(at(90)),
        });
        let text = text_of(&journal);
        let counted = "attempts_total{namespace=\"shop\",rollout=\"cart\",outcome=\"aborted\",\
                       exposed=\"true\",failure=\"analysis_failed\"} 1";
        assert!(text.contains(counted), "{text}");
        let sum = "attempt_duration_seconds_sum{namespace=\"shop\",outcome=\"aborted\"} 90.0";
        assert!(text.contains(sum), "{text}");
    }

    #[test]
    fn an_exemplar_says_which_trace_and_when_it_was_counted() {
        let mut journal = journal();
        journal.phase = Phase::Aborted;
        journal.ended = Some(Moment::status(at(90)));
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        journal.placed = Some(Placement { trace: trace.parse().unwrap(), parent: None });
        let text = text_of(&journal);
        let exemplar = |value| format!(" # {{trace_id=\"{trace}\"}} {value} 1800000100.0");
        for (name, value) in
            [("attempts_total", "1.0"), ("attempt_failures_total", "1.0"), ("_bucket", "90.0")]
        {
            let has = |line: &str| line.contains(name) && line.ends_with(&exemplar(value));
            assert!(text.lines().any(has), "{name} in {text}");
        }
    }

    #[test]
    fn of_an_end_that_nobody_saw_there_is_no_duration() {
        let mut journal = journal();
        journal.phase = Phase::Promoted;
        journal.ended = Some(Moment::inferred(Some(at(10)), at(90)));
        let text = text_of(&journal);
        assert!(text.contains("attempts_total"), "{text}");
        assert!(!text.contains("attempt_duration_seconds_sum"), "{text}");
    }

    #[test]
    fn a_step_of_an_unknown_kind_makes_no_series_of_its_own() {
        let mut journal = journal();
        journal.steps = vec![
            step("setWeight", Moment::observed(at(5))),
            step("setAnything-0815", Moment::observed(at(5))),
            step("pause", Moment::inferred(None, at(5))),
        ];
        let text = text_of(&journal);
        let count = |kind: &str| {
            format!("step_duration_seconds_count{{namespace=\"shop\",kind=\"{kind}\"}} 1")
        };
        assert!(text.contains(&count("setWeight")) && text.contains(&count("other")), "{text}");
        assert!(!text.contains("0815") && !text.contains("kind=\"pause\""), "{text}");
    }
}
