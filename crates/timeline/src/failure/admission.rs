//! Why the API server refuses a pod or a ReplicaSet. Its words are those of k8s.io/apiserver 0.34
//! (pkg/admission/plugin: resourcequota, webhook/errors, policy/validating) and of
//! k8s.io/pod-security-admission.

use jiff::Timestamp;

use super::{Failure, FailureClass, line};
use crate::base::Moment;
use crate::seen::ReplicaSetSeen;

/// Why the ReplicaSet cannot make its pods, while its condition ReplicaFailure is true.
pub fn of_replica_set(set: &ReplicaSetSeen, now: Timestamp) -> Option<Failure> {
    let (reason, message) = set.failure.as_ref()?;
    let said = if message.is_empty() { reason } else { message };
    let (class, words) = refused(said);
    Some(Failure::of(class, line(class, &[&words], ""), said, Moment::observed(now)))
}

/// What refuses an object, and its words.
pub(super) fn refused(message: &str) -> (FailureClass, String) {
    use FailureClass::{AdmissionRefused, QuotaExceeded, Unknown};

    if let Some((_, quota)) = message.split_once("exceeded quota: ") {
        // exceeded quota: NAME, requested: …, used: …, limited: …
        let words = quota.split_once(", ").map(|(name, rest)| named(name, rest));
        return (QuotaExceeded, words.unwrap_or_else(|| quota.to_owned()));
    }
    if let Some((_, quota)) = message.split_once("failed quota: ") {
        return (QuotaExceeded, quota.to_owned());
    }
    if message.contains("exceeded quota") {
        return (QuotaExceeded, message.to_owned());
    }
    // The opening quote stands in `start`, the closing one is `quote`.
    let said_by = |start: &str, quote: char, between: &str| {
        let (name, rest) = message.split_once(start)?.1.split_once(quote)?;
        let words = rest.split_once(between).map_or(rest, |(_, words)| words);
        Some((name, words.trim_start_matches(':').trim_start()))
    };
    if let Some((webhook, words)) = said_by("admission webhook \"", '"', "denied the request") {
        return (AdmissionRefused, named(webhook, words));
    }
    if let Some((webhook, words)) = said_by("failed calling webhook \"", '"', ": ") {
        return (AdmissionRefused, named(webhook, words));
    }
    let policies = [
        ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicy '", '\'', "denied request"),
        ("PodSecurity", "violates PodSecurity \"", '"', ": "),
    ];
    for (kind, start, quote, between) in policies {
        if let Some((name, words)) = said_by(start, quote, between) {
            return (AdmissionRefused, named(&format!("{kind} {name}"), words));
        }
    }
    if let Some((_, words)) = message.split_once(" forbidden: ") {
        return (AdmissionRefused, words.to_owned());
    }
    let lower = message.to_lowercase();
    let class = if lower.contains("denied") || lower.contains("forbidden") {
        AdmissionRefused
    } else {
        Unknown
    };
    (class, message.to_owned())
}

fn named(name: &str, words: &str) -> String {
    format!("{name}: {words}")
}
