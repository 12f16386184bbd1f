//! How a Rollout stands, in the words of its conditions. Every reason that a person can meet under
//! "why is it not linked" is here.

use jiff::Timestamp;

use crate::chain::{Attempt, Chain};
use crate::keptn::app_context::{Standing, WriteProblem};
use crate::seen::{Kind, Unavailable};
use crate::stored::{Condition, OBSERVE_ONLY, Report};

/// All that the conditions of one Rollout are made of.
pub(crate) struct RolloutView<'a> {
    pub(crate) chain: &'a Chain,
    pub(crate) problem: Option<&'a str>,
    pub(crate) earlier: Option<&'a Report>,
    pub(crate) observe_only: bool,
    pub(crate) missing: Vec<(Kind, &'a Unavailable)>,
    /// Why the newest attempt's trace cannot be read.
    pub(crate) broken: Option<String>,
    /// What keeps spans from leaving.
    pub(crate) export: Export,
    /// Name, standing, and how many links there was no room for.
    pub(crate) apps: Vec<(String, Standing, usize)>,
}

/// How the spans of a Rollout's attempts stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Export {
    /// There is no collector.
    NotConfigured,
    /// Nothing keeps them.
    Flowing,
    /// RolloutAttempts cannot be stored, and so nothing may leave.
    NotStored,
    /// The operator has no permission to store them.
    Forbidden,
    /// The API server refuses one, in these words.
    NotAccepted(String),
    /// The collector does not accept spans now, and some of this Rollout's wait; why, if it is known.
    Waiting(Option<&'static str>),
    /// The collector refused some for good, in these words.
    Refused(u32, String),
}

/// The condition `Exported`.
pub(crate) fn exported(view: &RolloutView<'_>, now: Timestamp) -> Condition {
    let earlier = view.earlier.map(|report| &report.exported);
    let (status, reason, message) = exports(&view.export);
    Condition::now(Some(status), reason, message, earlier, now)
}

/// Its status, reason and message.
pub(crate) fn exports(export: &Export) -> (bool, &'static str, String) {
    match export {
        Export::NotConfigured => {
            let message = "spans are not exported: set OTEL_EXPORTER_OTLP_ENDPOINT";
            (false, "NotConfigured", message.to_owned())
        }
        Export::Flowing => (true, "Flowing", "spans leave as they end".to_owned()),
        Export::NotStored => {
            let resource = Kind::RolloutAttempt.resource();
            let message =
                format!("{resource} cannot be written, and no span leaves before: see the log");
            (false, "NotStored", message)
        }
        Export::Forbidden => {
            let resource = Kind::RolloutAttempt.resource();
            let message = format!("no permission to write {resource}: apply config/rbac again");
            (false, "Forbidden", message)
        }
        Export::NotAccepted(why) => {
            let resource = Kind::RolloutAttempt.resource();
            let message = format!("the API server refuses one of {resource}: {why}");
            (false, "NotAccepted", message)
        }
        Export::Waiting(why) => {
            let message = match why {
                Some(why) => format!("the collector takes no spans now, they are kept: {why}"),
                None => "the collector takes no spans now, they are kept".to_owned(),
            };
            (false, "CollectorUnavailable", message)
        }
        Export::Refused(spans, why) => {
            (false, "SpansRefused", format!("the collector refused {spans} spans: {why}"))
        }
    }
}

/// The condition `Observed`.
pub(crate) fn observed(view: &RolloutView<'_>, now: Timestamp) -> Condition {
    let earlier = view.earlier.map(|report| &report.observed);
    if let Some(problem) = view.problem {
        let message = format!("the Rollout cannot be read: {problem}; what was known of it stays");
        return Condition::now(Some(false), "InvalidObject", message, earlier, now);
    }
    for (kind, why) in &view.missing {
        let counts = match kind {
            // Without RolloutAttempts nothing of an attempt can be written down.
            Kind::Rollout | Kind::ReplicaSet | Kind::RolloutAttempt => true,
            // Without Keptn there is nothing to confirm; without permission it goes unconfirmed.
            Kind::WorkloadVersion => matches!(why, Unavailable::Forbidden(_)),
            // Without Argo's the same; but a list that fails hides what decides about attempts.
            Kind::AnalysisRun | Kind::Experiment => *why != &Unavailable::NotInstalled,
            _ => false,
        };
        if counts {
            if let Some(stays) = stays(why, earlier) {
                return stays;
            }
            let (reason, message) = unavailable(*kind, why);
            return Condition::now(Some(false), reason, message, earlier, now);
        }
    }
    let message = "every version of the Rollout is followed";
    Condition::now(Some(true), "Following", message, earlier, now)
}

/// While a list fails nothing new is known: what was said before stands, and the RolloutTraces of a
/// whole cluster are not rewritten twice for it.
fn stays(why: &Unavailable, earlier: Option<&Condition>) -> Option<Condition> {
    earlier.filter(|_| matches!(why, Unavailable::Failed(_))).cloned()
}

/// The condition `Linked`: whether the links that the next revision needs are in place.
pub(crate) fn linked(view: &RolloutView<'_>, now: Timestamp) -> Condition {
    let earlier = view.earlier.map(|report| &report.linked);
    let decides = view.missing.iter().find(|(kind, _)| kind.decides_links());
    if let Some(stays) = decides.and_then(|(_, why)| stays(why, earlier))
        && !view.observe_only
    {
        return stays;
    }
    let (status, reason, message) = why(view);
    Condition::now(status, reason, message, earlier, now)
}

fn why(view: &RolloutView<'_>) -> (Option<bool>, &'static str, String) {
    if view.observe_only {
        let message = "links are only observed: spec.mode of this RolloutTrace or --observe-only";
        return (Some(false), OBSERVE_ONLY, message.to_owned());
    }
    for (kind, why) in &view.missing {
        if kind.decides_links() {
            let (reason, message) = unavailable(*kind, why);
            return (Some(false), reason, message);
        }
    }
    let Some(newest) = view.chain.newest() else {
        return (None, "NoRevision", "Argo has begun no revision yet".to_owned());
    };
    if newest.workload.is_none() {
        return match &newest.replica_set {
            Some(_) => (Some(false), "NoWorkload", newest.linked.reason.to_string()),
            None => (None, "Pending", "the ReplicaSet was not seen yet".to_owned()),
        };
    }
    if let Some(broken) = &view.broken {
        let message = format!("{broken}; Keptn would link to nothing");
        return (Some(false), "InvalidTraceparent", message);
    }
    for (app, standing, left_out) in &view.apps {
        match standing {
            Standing::Linked if *left_out > 0 => {
                let message = format!("KeptnAppContext {app} is full: {left_out} traces left out");
                return (Some(false), "TooManyLinks", message);
            }
            Standing::Linked => {}
            Standing::Pending => {
                return (None, "Pending", format!("KeptnAppContext {app} is about to be written"));
            }
            Standing::Contended => {
                let message = format!(
                    "somebody keeps resetting spec.spanLinks of KeptnAppContext {app}; it is left \
                     alone: exempt that field in your GitOps tool"
                );
                return (Some(false), "Contended", message);
            }
            Standing::Failing(WriteProblem::NamespaceGone) => {
                let message = "the namespace is being deleted: no links are written".to_owned();
                return (Some(false), "NamespaceGone", message);
            }
            Standing::Failing(WriteProblem::Forbidden(verb)) => {
                let message = format!(
                    "no permission to {verb} {} ({app}): apply config/rbac again",
                    Kind::AppContext.resource()
                );
                return (Some(false), "Forbidden", message);
            }
            Standing::Failing(WriteProblem::Failed(error)) => {
                let message = format!("KeptnAppContext {app} cannot be written: {error}");
                return (Some(false), "WriteFailed", message);
            }
        }
    }
    let live = view.chain.live().and_then(Attempt::standing_trace);
    if live.or_else(|| newest.standing_trace()).is_none() {
        return (None, "NoTrace", newest.linked.reason.to_string());
    }
    let apps: Vec<&str> = view.apps.iter().map(|(app, ..)| app.as_str()).collect();
    let message =
        format!("KeptnAppContext {} holds what the next revision follows", apps.join(", "));
    (Some(true), "Linked", message)
}

/// Reason and message of a kind that cannot be watched.
fn unavailable(kind: Kind, why: &Unavailable) -> (&'static str, String) {
    let resource = kind.resource();
    match why {
        Unavailable::NotInstalled => match kind {
            Kind::Rollout | Kind::AnalysisRun | Kind::Experiment => {
                ("ArgoNotInstalled", format!("{resource} is not served"))
            }
            Kind::RolloutTrace | Kind::RolloutAttempt => {
                ("NotInstalled", format!("{resource} is not served: apply crds/"))
            }
            Kind::ReplicaSet => ("NotServed", format!("{resource} is not served")),
            _ => (
                "KeptnNotInstalled",
                format!("{resource} is not served: install Keptn's lifecycle-operator"),
            ),
        },
        Unavailable::Forbidden(verb) => {
            ("Forbidden", format!("no permission to {verb} {resource}: apply config/rbac again"))
        }
        Unavailable::Failed(error) => {
            ("WatchFailed", format!("{resource} cannot be watched: {error}"))
        }
    }
}
