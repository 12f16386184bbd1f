use jiff::{SignedDuration, Timestamp};
use timeline::Key;
use timeline::base::Moment;
use timeline::failure::{AbortCause, FailureClass, abort_cause, of_argo};
use timeline::seen::{ConditionSeen, OwnedMetadata, Progress, RolloutSeen};

use super::NOW;

fn before(seconds: i64) -> Timestamp {
    NOW - SignedDuration::from_secs(seconds)
}

pub(crate) fn rollout(reason: &str, message: &str) -> RolloutSeen {
    RolloutSeen {
        key: Key::new("shop", "cart"),
        uid: "uid-1".into(),
        created: None,
        revision: Some(2),
        current_hash: Some("b".into()),
        stable_hash: Some("a".into()),
        abort: false,
        aborted_at: None,
        healthy: false,
        completed: None,
        metadata: OwnedMetadata::default(),
        progress: Progress {
            progressing: Some(ConditionSeen {
                status: Some(false),
                reason: reason.to_owned(),
                message: message.to_owned(),
                since: Some(before(20)),
            }),
            ..Progress::default()
        },
    }
}

pub(crate) fn aborted(reason: &str, message: &str) -> RolloutSeen {
    RolloutSeen { abort: true, aborted_at: Some(before(30)), ..rollout(reason, message) }
}

/// What Argo says after `Rollout aborted update to revision 2`, the cause, the words that remain,
/// and the line.
const ABORTS: [(&str, AbortCause, &str, &str); 16] = [
    ("", AbortCause::Manual, "", "ManualAbort: aborted by a person or a tool"),
    (
        ": Step-based analysis phase error/failed: Metric \"success-rate\" assessed Failed due to \
         failed (1) > failureLimit (0)",
        AbortCause::StepAnalysis,
        "Metric \"success-rate\" assessed Failed due to failed (1) > failureLimit (0)",
        "AnalysisFailed: step analysis: Metric \"success-rate\" assessed Failed due to failed (1) > \
         failureLimit (0)",
    ),
    (
        ": Step-based analysis phase error/failed: Metric \"rate\" assessed Error due to \
         consecutiveErrors (5) > consecutiveErrorLimit (4): \"Error Message: received non 2xx response \
         code: 503\"",
        AbortCause::StepAnalysis,
        "Metric \"rate\" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): \
         \"Error Message: received non 2xx response code: 503\"",
        "AnalysisError: step analysis: Metric \"rate\" assessed Error due to consecutiveErrors (5) > \
         consecutiveErrorLimit (4): \"Error Message: received non 2xx response code: 503\"",
    ),
    (
        ": Step-based analysis phase error/failed: Unable to resolve metric arguments: no args.url",
        AbortCause::StepAnalysis,
        "Unable to resolve metric arguments: no args.url",
        "AnalysisError: step analysis: Unable to resolve metric arguments: no args.url",
    ),
    (
        ": Step-based analysis phase error/failed",
        AbortCause::StepAnalysis,
        "",
        "AnalysisFailed: step analysis",
    ),
    (
        ": Background analysis phase error/failed: Run Terminated",
        AbortCause::BackgroundAnalysis,
        "Run Terminated",
        "AnalysisFailed: background analysis: Run Terminated",
    ),
    (
        ": Blue/green pre-promotion analysis phase error/failed",
        AbortCause::PrePromotionAnalysis,
        "",
        "AnalysisFailed: pre-promotion analysis",
    ),
    (
        ": Blue/green post-promotion analysis phase error/failed: Metric \"x\" assessed Inconclusive \
         due to inconclusive (1) > inconclusiveLimit (0)",
        AbortCause::PostPromotionAnalysis,
        "Metric \"x\" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)",
        "AnalysisInconclusive: post-promotion analysis: Metric \"x\" assessed Inconclusive due to \
         inconclusive (1) > inconclusiveLimit (0)",
    ),
    (
        ": Experiment analysis phase is error/failed: Template 'canary' exceeded its \
         progressDeadlineSeconds (60)",
        AbortCause::Experiment,
        "Template 'canary' exceeded its progressDeadlineSeconds (60)",
        "ExperimentFailed: experiment: Template 'canary' exceeded its progressDeadlineSeconds (60)",
    ),
    (
        ": Step Plugin 2 (argoproj-labs/step-exec) failed: exit status 1",
        AbortCause::StepPlugin,
        "2 (argoproj-labs/step-exec): exit status 1",
        "PluginFailed: step 2 (argoproj-labs/step-exec): exit status 1",
    ),
    (
        ": ReplicaSet \"cart-57876455c6\" has timed out progressing.",
        AbortCause::Deadline,
        "ReplicaSet \"cart-57876455c6\" has timed out progressing.",
        "DeadlineExceeded: ReplicaSet \"cart-57876455c6\" has timed out progressing.",
    ),
    (
        ": Rollout \"cart\" has timed out progressing.",
        AbortCause::Deadline,
        "Rollout \"cart\" has timed out progressing.",
        "DeadlineExceeded: Rollout \"cart\" has timed out progressing.",
    ),
    (": the moon is full", AbortCause::Unknown, "the moon is full", "Unknown: the moon is full"),
    (":", AbortCause::Unknown, "", "Unknown"),
    (
        " by decree",
        AbortCause::Unknown,
        "Rollout aborted update to revision 2 by decree",
        "Unknown: Rollout aborted update to revision 2 by decree",
    ),
    (": Step Plugin", AbortCause::Unknown, "Step Plugin", "Unknown: Step Plugin"),
];

#[test]
fn the_message_of_an_abort_says_what_argo_acted_upon() {
    for (suffix, cause, words, line) in ABORTS {
        let message = format!("Rollout aborted update to revision 2{suffix}");
        assert_eq!(abort_cause(&message), (cause, words.to_owned()), "{message}");
        let failure = of_argo(&aborted("RolloutAborted", &message), NOW).unwrap();
        assert_eq!(failure.reason, line);
        assert_eq!((failure.cause, failure.message), (Some(cause), message));
        assert_eq!(failure.at, Moment::status(before(30)));
    }
    assert_eq!(abort_cause(""), (AbortCause::Unknown, String::new()));
    assert_eq!(abort_cause("Rollout is aborted").0, AbortCause::Unknown);
}

#[test]
fn an_abort_that_the_controller_has_not_met_yet_is_by_hand() {
    let by_client = RolloutSeen { abort: true, ..rollout("RolloutPaused", "Rollout is paused") };
    let failure = of_argo(&by_client, NOW).unwrap();
    assert_eq!(
        (failure.class, failure.cause),
        (FailureClass::ManualAbort, Some(AbortCause::Manual))
    );
    assert_eq!((failure.message.as_str(), failure.at), ("", Moment::observed(NOW)));

    let late = RolloutSeen { abort: true, ..rollout("ProgressDeadlineExceeded", "too late") };
    assert_eq!(of_argo(&late, NOW).unwrap().cause, Some(AbortCause::Manual));
}

#[test]
fn until_1_9_an_abort_by_deadline_is_known_only_in_the_version_that_brings_it() {
    let message = "ReplicaSet \"cart-b\" has timed out progressing.";
    let first = of_argo(&aborted("ProgressDeadlineExceeded", message), NOW).unwrap();
    assert_eq!(
        (first.class, first.cause),
        (FailureClass::DeadlineExceeded, Some(AbortCause::Deadline))
    );
    assert_eq!(first.reason, format!("DeadlineExceeded: {message}"));
    let then = of_argo(&aborted("RolloutAborted", "Rollout aborted update to revision 2"), NOW);
    assert_eq!(then.unwrap().cause, Some(AbortCause::Manual));
}

#[test]
fn a_deadline_that_aborts_nothing_has_no_cause() {
    let message = "ReplicaSet \"cart-57876455c6\" has timed out progressing.";
    let failure = of_argo(&rollout("ProgressDeadlineExceeded", message), NOW).unwrap();
    assert_eq!((failure.class, failure.cause), (FailureClass::DeadlineExceeded, None));
    assert_eq!(failure.reason, format!("DeadlineExceeded: {message}"));
    assert_eq!(failure.at, Moment::status(before(20)));
}

#[test]
fn a_replica_set_that_cannot_be_made_says_what_forbids_it() {
    let cases = [
        (
            "replicasets.apps \"cart-b\" is forbidden: exceeded quota: objects, requested: \
             count/replicasets.apps=1, used: count/replicasets.apps=9, limited: \
             count/replicasets.apps=9",
            "QuotaExceeded: objects: requested: count/replicasets.apps=1, used: \
             count/replicasets.apps=9, limited: count/replicasets.apps=9",
        ),
        (
            "admission webhook \"policy.test\" denied the request: no",
            "AdmissionRefused: policy.test: no",
        ),
        ("etcdserver: request timed out", "Unknown: etcdserver: request timed out"),
    ];
    for (error, expected) in cases {
        let message = format!("Failed to create new replica set \"cart-b\": {error}");
        let failure = of_argo(&rollout("ReplicaSetCreateError", &message), NOW).unwrap();
        assert_eq!((failure.reason.as_str(), failure.cause), (expected, None));
        assert_eq!((failure.message, failure.at), (message, Moment::status(before(20))));
    }
}

#[test]
fn a_spec_that_argo_refuses_says_which_field() {
    let message = "The Rollout \"cart\" is invalid: spec.strategy.canary.steps[0].setWeight: Invalid \
                   value: 101: SetWeight needs to be between 0 and 100";
    let invalid = |mut rollout: RolloutSeen| {
        rollout.progress.invalid_spec = Some(message.to_owned());
        of_argo(&rollout, NOW).unwrap()
    };
    let failure = invalid(rollout("ReplicaSetUpdated", "progressing"));
    assert_eq!(failure.class, FailureClass::InvalidSpec);
    assert_eq!(
        failure.reason,
        "InvalidSpec: spec.strategy.canary.steps[0].setWeight: Invalid value: 101: SetWeight needs \
         to be between 0 and 100"
    );
    assert_eq!((failure.cause, failure.message.as_str()), (None, message));

    // A spec that came after the abort does not explain it.
    let bare = "Rollout aborted update to revision 2";
    assert_eq!(invalid(aborted("RolloutAborted", bare)).class, FailureClass::ManualAbort);
}

#[test]
fn a_rollout_that_goes_on_or_whose_abort_is_over_is_no_failure() {
    for reason in ["NewReplicaSetCreated", "RolloutPaused", "RolloutRetry", "RolloutAborted", ""] {
        assert_eq!(of_argo(&rollout(reason, "Rollout aborted update to revision 2"), NOW), None);
    }
    let mut silent = rollout("", "");
    silent.progress.progressing = None;
    assert_eq!(of_argo(&silent, NOW), None);
}
