//! What the operator still waits for, by name, and what mends it.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use timeline::Kind;
use timeline::seen::Unavailable;

use crate::watch::Connections;

/// A watch that does not run for so long does not come back by itself.
const TOO_LONG: Duration = Duration::from_mins(3);

/// Shared between the owner, who knows, and the admin server, who is asked.
#[derive(Clone)]
pub(crate) struct Readiness {
    missing: Arc<Mutex<Option<Missing>>>,
    connections: Connections,
    /// Why this process does not lead, if it does not.
    stands_by: Arc<Mutex<Option<String>>>,
}

/// Kinds that are not watched, and why where that is known.
type Missing = Vec<(Kind, Option<Unavailable>)>;

impl Readiness {
    /// Nothing was looked at yet.
    pub(crate) fn new(connections: Connections) -> Self {
        Self { missing: Arc::default(), connections, stands_by: Arc::default() }
    }

    /// The owner looked again. Changes are logged once; says whether there is one.
    pub(crate) fn update<'a>(
        &self,
        missing: impl Iterator<Item = (Kind, Option<&'a Unavailable>)>,
    ) -> bool {
        let mut known = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let missing: Missing = missing.map(|(kind, why)| (kind, why.cloned())).collect();
        if known.as_ref() == Some(&missing) {
            return false;
        }
        for (kind, why) in &missing {
            let before = known.iter().flatten().find(|(known, _)| known == kind);
            if let Some(why) = why
                && before.is_none_or(|(_, before)| before.as_ref() != Some(why))
            {
                tracing::warn!(kind = kind.resource(), "{}", words(*kind, why));
            }
        }
        for (kind, _) in known.iter().flatten() {
            if !missing.iter().any(|(still, _)| still == kind) {
                tracing::info!(kind = kind.resource(), "watching");
            }
        }
        *known = Some(missing);
        true
    }

    /// This process leads from now on, or why it does not.
    pub(crate) fn stands_by(&self, why: Option<String>) {
        *self.stands_by.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Whether the operator does what it is for, and what it does without.
    ///
    /// It is not ready before everything was looked at once, nor without a kind that is
    /// [required](is_required). Without another one the rest works.
    pub(crate) fn report(&self, now: Instant) -> (bool, String) {
        let known = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(missing) = &*known else {
            return (false, "starting\n".to_owned());
        };
        let mut ready = true;
        // Writing to a String cannot fail.
        let mut text = String::new();
        if let Some(why) = &*self.stands_by.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(text, "standby: {why}");
        }
        for kind in Kind::ALL {
            let missing = missing.iter().find(|(it, _)| *it == kind).map(|(_, why)| why);
            let broken = self.connections.broken_for(kind, now);
            let broken = broken.filter(|(since, _)| *since >= TOO_LONG);
            let line = match (missing, broken) {
                (Some(None), None) => {
                    ready = false;
                    format!("{} was not listed yet", kind.resource())
                }
                (Some(Some(why)), _) => {
                    ready &= !is_required(kind);
                    words(kind, why)
                }
                (_, Some((since, why))) => {
                    ready &= !is_required(kind);
                    let minutes = since.as_secs() / 60;
                    let rest = the_rest(kind);
                    format!("{} is not watched for {minutes} min: {why}{rest}", kind.resource())
                }
                (None, None) => continue,
            };
            let _ = writeln!(text, "{line}");
        }
        if text.is_empty() {
            text.push_str("everything is watched\n");
        }
        (ready, text)
    }
}

/// Without these nothing at all is done.
const fn is_required(kind: Kind) -> bool {
    match kind {
        Kind::Rollout | Kind::ReplicaSet | Kind::RolloutTrace | Kind::RolloutAttempt => true,
        Kind::AppVersion
        | Kind::WorkloadVersion
        | Kind::AppContext
        | Kind::AnalysisRun
        | Kind::Experiment
        | Kind::Pod => false,
    }
}

const fn the_rest(kind: Kind) -> &'static str {
    if is_required(kind) { "" } else { "; the rest goes on" }
}

fn words(kind: Kind, why: &Unavailable) -> String {
    let (resource, rest) = (kind.resource(), the_rest(kind));
    match why {
        Unavailable::NotInstalled => {
            let mend = match kind {
                Kind::RolloutTrace | Kind::RolloutAttempt => {
                    ": kubectl apply --server-side -k config/crd"
                }
                Kind::Rollout => {
                    ": kubectl apply -n argo-rollouts -f \
                     https://github.com/argoproj/argo-rollouts/releases/latest/download/install.yaml"
                }
                _ => "",
            };
            format!("{resource} is not installed{mend}{rest}")
        }
        Unavailable::Forbidden(verb) => format!(
            "no permission to {verb} {resource}: kubectl apply --server-side -k config/rbac{rest}"
        ),
        Unavailable::Failed(error) => format!("{resource} cannot be listed: {error}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(kind: Kind, why: Option<&Unavailable>) -> (bool, String) {
        let readiness = Readiness::new(Connections::default());
        readiness.update([(kind, why)].into_iter());
        readiness.report(Instant::now())
    }

    #[test]
    fn without_a_kind_that_everything_needs_it_is_not_ready_and_says_what_mends_it() {
        let absent = Unavailable::NotInstalled;
        let (ready, text) = report(Kind::RolloutAttempt, Some(&absent));
        assert!(!ready);
        assert_eq!(
            text,
            "rolloutattempts.throughline.dev is not installed: kubectl apply --server-side -k \
             config/crd\n"
        );
        assert!(!report(Kind::Rollout, Some(&absent)).0);
        let (ready, text) = report(Kind::ReplicaSet, Some(&Unavailable::Forbidden("list")));
        assert!(!ready);
        assert!(text.ends_with("kubectl apply --server-side -k config/rbac\n"), "{text}");
    }

    #[test]
    fn without_keptn_or_argos_analysis_it_is_ready_and_says_so() {
        for why in [
            Unavailable::NotInstalled,
            Unavailable::Forbidden("watch"),
            Unavailable::Failed("conversion webhook failed".to_owned()),
        ] {
            for kind in [Kind::AppVersion, Kind::AppContext, Kind::AnalysisRun] {
                let (ready, text) = report(kind, Some(&why));
                assert!(ready, "{text}");
                assert!(text.ends_with("; the rest goes on\n"), "{text}");
            }
        }
        assert!(!report(Kind::AppVersion, None).0, "it was not looked at");
    }

    #[test]
    fn a_watch_that_does_not_run_for_minutes_is_reported() {
        let connections = Connections::default();
        let readiness = Readiness::new(connections.clone());
        readiness.update([].into_iter());
        let now = Instant::now();
        let why = || "connection refused".to_owned();
        connections.broken(Kind::Rollout, now, why());
        let after = |seconds| readiness.report(now + Duration::from_secs(seconds));
        assert_eq!(after(179), (true, "everything is watched\n".to_owned()));
        let said = "rollouts.argoproj.io is not watched for 3 min: connection refused\n";
        assert_eq!(after(180), (false, said.to_owned()));
        connections.well(Kind::Rollout);
        connections.broken(Kind::AppVersion, now, why());
        let (ready, text) = after(600);
        assert!(ready && text.ends_with("; the rest goes on\n"), "{text}");
    }
}
