//! The keys, names and words that spans are made of, in one place. `docs/spans.md` explains each,
//! and a test holds the two together.

use crate::base::{Moment, Phase, Source};
use crate::failure::AbortCause;
use crate::journal::{LinkKind, MarkKind, ResumedBy, Service, StepResult};
use crate::seen::{AnalysisKind, AnalysisPhase, PauseKind, Strategy};
use crate::spans::{Attribute, Value};

use super::text;

/// How many attributes a span, a link or an event has at most.
const LIMIT: usize = 64;

macro_rules! names {
    ($(#[$doc:meta])* $all:ident: $($name:ident = $text:literal,)*) => {
        $(pub(super) const $name: &str = $text;)*

        $(#[$doc])*
        pub const $all: &[&str] = &[$($text),*];
    };
}

names! {
    /// Every key that occurs on a Resource, a span, a link or an event.
    ALL:
    // OpenTelemetry's semantic conventions.
    PIPELINE_NAME = "cicd.pipeline.name",
    PIPELINE_RESULT = "cicd.pipeline.result",
    PIPELINE_RUN_ID = "cicd.pipeline.run.id",
    TASK_NAME = "cicd.pipeline.task.name",
    TASK_RUN_ID = "cicd.pipeline.task.run.id",
    TASK_RUN_RESULT = "cicd.pipeline.task.run.result",
    TASK_TYPE = "cicd.pipeline.task.type",
    IMAGE_NAME = "container.image.name",
    IMAGE_DIGESTS = "container.image.repo_digests",
    IMAGE_TAGS = "container.image.tags",
    ENVIRONMENT = "deployment.environment.name",
    DEPLOYMENT_ID = "deployment.id",
    DEPLOYMENT_NAME = "deployment.name",
    DEPLOYMENT_STATUS = "deployment.status",
    ERROR_TYPE = "error.type",
    CONTAINER = "k8s.container.name",
    NAMESPACE = "k8s.namespace.name",
    POD = "k8s.pod.name",
    REPLICA_SET = "k8s.replicaset.name",
    REF_TYPE = "opentracing.ref_type",
    SERVICE = "service.name",
    SERVICE_NAMESPACE = "service.namespace",
    SERVICE_VERSION = "service.version",
    TEST_CASE = "test.case.name",
    TEST_RESULT = "test.case.result.status",
    COMMIT = "vcs.ref.head.revision",
    REPOSITORY = "vcs.repository.url.full",
    // Ours.
    ABORT_CAUSE = "argo_rollouts.abort.cause",
    ANALYSIS_KIND = "argo_rollouts.analysis.kind",
    ANALYSIS_MESSAGE = "argo_rollouts.analysis.message",
    ANALYSIS_METRICS = "argo_rollouts.analysis.metrics",
    ANALYSIS_NAME = "argo_rollouts.analysis.name",
    ANALYSIS_PHASE = "argo_rollouts.analysis.phase",
    ATTEMPT = "argo_rollouts.attempt",
    AUTHOR = "argo_rollouts.author",
    COMMIT_TIME = "argo_rollouts.commit.time",
    CUT = "argo_rollouts.cut",
    EXPERIMENT_MESSAGE = "argo_rollouts.experiment.message",
    EXPERIMENT_NAME = "argo_rollouts.experiment.name",
    EXPERIMENT_PHASE = "argo_rollouts.experiment.phase",
    EXPOSED = "argo_rollouts.exposed",
    FAILURE_CLASS = "argo_rollouts.failure.class",
    FAILURE_MESSAGE = "argo_rollouts.failure.message",
    FAILURE_REASON = "argo_rollouts.failure.reason",
    IMAGES = "argo_rollouts.images",
    LINK_KIND = "argo_rollouts.link.kind",
    MEASUREMENT_DRY_RUN = "argo_rollouts.measurement.dry_run",
    MEASUREMENT_MESSAGE = "argo_rollouts.measurement.message",
    MEASUREMENT_PHASE = "argo_rollouts.measurement.phase",
    MEASUREMENT_VALUE = "argo_rollouts.measurement.value",
    NOTE = "argo_rollouts.note",
    OUTCOME = "argo_rollouts.outcome",
    PAUSE_KIND = "argo_rollouts.pause.kind",
    PAUSE_PLANNED = "argo_rollouts.pause.planned",
    PAUSE_RESUMED_BY = "argo_rollouts.pause.resumed_by",
    HASH = "argo_rollouts.pod_template_hash",
    REBUILT = "argo_rollouts.rebuilt",
    REVISION = "argo_rollouts.revision",
    ROLLOUT = "argo_rollouts.rollout.name",
    ROLLOUT_UID = "argo_rollouts.rollout.uid",
    STEP_INDEX = "argo_rollouts.step.index",
    STEP_RESULT = "argo_rollouts.step.result",
    STEP_SETTING = "argo_rollouts.step.setting",
    STEPS_PLANNED = "argo_rollouts.steps.planned",
    STRATEGY = "argo_rollouts.strategy",
    SWITCH_SERVICE = "argo_rollouts.switch.service",
    SWITCH_TO = "argo_rollouts.switch.to",
    END_NOT_BEFORE = "argo_rollouts.time.end.not_before",
    END_SOURCE = "argo_rollouts.time.end.source",
    NOT_BEFORE = "argo_rollouts.time.not_before",
    SOURCE = "argo_rollouts.time.source",
    START_NOT_BEFORE = "argo_rollouts.time.start.not_before",
    START_SOURCE = "argo_rollouts.time.start.source",
    UPGRADE = "argo_rollouts.upgrade",
    WEIGHT_MAX = "argo_rollouts.weight.max",
    WEIGHT = "argo_rollouts.weight.percent",
}

names! {
    /// Every name of an event.
    EVENTS:
    CLOCK_DOUBTED = "argo_rollouts.clock_doubted",
    DEADLINE_EXCEEDED = "argo_rollouts.deadline_exceeded",
    FAILURE_SEEN = "argo_rollouts.failure_seen",
    FIRST_SIGHT = "argo_rollouts.first_sight",
    FULL_PROMOTION = "argo_rollouts.full_promotion",
    GAP = "argo_rollouts.gap",
    RESTARTED = "argo_rollouts.restarted",
    SCALED = "argo_rollouts.scaled",
    STEPS_CHANGED = "argo_rollouts.steps_changed",
}

/// Attributes in the making. A text that is empty says nothing and is left out.
pub(super) struct Attributes(Vec<Attribute>);

impl Attributes {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(super) fn text(&mut self, key: &'static str, value: &str) {
        if !value.is_empty() {
            self.0.push(Attribute { key, value: Value::Text(text::clean(value)) });
        }
    }

    pub(super) fn known(&mut self, key: &'static str, value: Option<&str>) {
        self.text(key, value.unwrap_or_default());
    }

    pub(super) fn texts<'a>(&mut self, key: &'static str, values: impl Iterator<Item = &'a str>) {
        let values: Vec<_> = values.take(LIMIT).map(text::clean).collect();
        if !values.is_empty() {
            self.0.push(Attribute { key, value: Value::Texts(values) });
        }
    }

    /// One of our own words.
    pub(super) fn word(&mut self, key: &'static str, word: &'static str) {
        self.0.push(Attribute { key, value: Value::Text(word.to_owned()) });
    }

    pub(super) fn integer(&mut self, key: &'static str, value: impl TryInto<i64>) {
        let value = Value::Integer(value.try_into().unwrap_or(i64::MAX));
        self.0.push(Attribute { key, value });
    }

    pub(super) fn bool(&mut self, key: &'static str, value: bool) {
        self.0.push(Attribute { key, value: Value::Bool(value) });
    }

    /// A flag that is worth a word only where it is set.
    pub(super) fn flag(&mut self, key: &'static str, set: bool) {
        if set {
            self.bool(key, true);
        }
    }

    /// The source of the start and end of a span, and how exact they are.
    pub(super) fn period(&mut self, start: Moment, end: Moment) {
        self.precision(START_SOURCE, START_NOT_BEFORE, start);
        self.precision(END_SOURCE, END_NOT_BEFORE, end);
    }

    /// The source of the time of an event, and how exact it is.
    pub(super) fn moment(&mut self, at: Moment) {
        self.precision(SOURCE, NOT_BEFORE, at);
    }

    /// What was observed as it happened needs no word.
    fn precision(&mut self, source: &'static str, not_before: &'static str, moment: Moment) {
        match moment.source {
            Source::Observed => {}
            Source::Status => self.word(source, "status"),
            Source::Event => self.word(source, "event"),
            Source::Inferred => {
                self.word(source, "inferred");
                if let Some(after) = moment.after {
                    self.text(not_before, &after.to_string());
                }
            }
        }
    }

    /// Sorted by key, each key once, and not too many.
    pub(super) fn finish(mut self) -> Vec<Attribute> {
        self.0.sort_by_key(|attribute| attribute.key);
        self.0.dedup_by_key(|attribute| attribute.key);
        self.0.truncate(LIMIT);
        self.0
    }
}

macro_rules! words {
    ($($name:ident($type:ident) { $($variant:ident => $word:expr,)* })*) => {$(
        pub(super) fn $name(value: $type) -> &'static str {
            match value {
                $($type::$variant => $word,)*
            }
        }
    )*};
}

words! {
    abort_cause(AbortCause) {
        Manual => "manual",
        StepAnalysis => "step_analysis",
        BackgroundAnalysis => "background_analysis",
        PrePromotionAnalysis => "pre_promotion_analysis",
        PostPromotionAnalysis => "post_promotion_analysis",
        Experiment => "experiment",
        StepPlugin => "step_plugin",
        Deadline => "deadline",
        Unknown => "unknown",
    }
    outcome(Phase) {
        Progressing => "progressing",
        Promoted => "promoted",
        Aborted => "aborted",
        Superseded => "superseded",
        Reverted => "reverted",
        Deleted => "deleted",
        Unknown => "unknown",
    }
    strategy(Strategy) {
        Canary => "canary",
        BlueGreen => "blue_green",
    }
    step_result(StepResult) {
        Running => "running",
        Completed => "completed",
        Skipped => "skipped",
        Stopped => "stopped",
        Unobserved => "unobserved",
    }
    pause_kind(PauseKind) {
        Timed => "timed",
        Manual => "manual",
        InconclusiveAnalysis => "inconclusive_analysis",
        InconclusiveExperiment => "inconclusive_experiment",
        BlueGreen => "blue_green",
        Spec => "spec",
    }
    resumed_by(ResumedBy) {
        Timer => "timer",
        Person => "person",
        FullPromotion => "full_promotion",
        End => "end",
        Unknown => "unknown",
    }
    analysis_kind(AnalysisKind) {
        Step => "step",
        Background => "background",
        PrePromotion => "pre_promotion",
        PostPromotion => "post_promotion",
        Experiment => "experiment",
        Unknown => "unknown",
    }
    analysis_phase(AnalysisPhase) {
        Pending => "Pending",
        Running => "Running",
        Successful => "Successful",
        Failed => "Failed",
        Error => "Error",
        Inconclusive => "Inconclusive",
        Cancelled => "Cancelled",
    }
    service(Service) {
        Preview => "preview",
        Active => "active",
    }
    link_kind(LinkKind) {
        PreviousRevision => "previous_revision",
        RollsBack => "rolls_back",
        RetryOf => "retry_of",
        Supersedes => "supersedes",
        After => "after",
        Origin => "origin",
    }
    event(MarkKind) {
        Gap => GAP,
        FirstSight => FIRST_SIGHT,
        FullPromotion => FULL_PROMOTION,
        DeadlineExceeded => DEADLINE_EXCEEDED,
        StepsChanged => STEPS_CHANGED,
        Restarted => RESTARTED,
        Scaled => SCALED,
        ClockDoubted => CLOCK_DOUBTED,
    }
}
