//! What a candidate does about a Lease that it looks at.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

/// Where the Lease is; without a namespace, in that of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, text),
        };
        let bad = |part: &str| part.is_empty() || part.contains('/');
        if bad(name) || namespace.is_some_and(bad) {
            return Err("write it as NAME or NAMESPACE/NAME, e.g. throughline".to_owned());
        }
        Ok(Self { namespace: namespace.map(str::to_owned), name: name.to_owned() })
    }
}

/// A Lease of another, and since when this process has seen it so.
#[derive(Debug, Default)]
pub(super) struct Watched(Option<(String, Instant)>);

impl Watched {
    /// Until when a Lease is not to be taken; none if it may be now.
    pub(super) fn held_until(&mut self, lease: &Lease, me: &str, now: Instant) -> Option<Instant> {
        let holder = holder(lease);
        if holder.is_empty() || holder == me {
            return None;
        }
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let since = match &self.0 {
            Some((known, since)) if *known == version => *since,
            _ => now,
        };
        self.0 = Some((version, since));
        let until = since + duration(lease);
        (until > now).then_some(until)
    }
}

/// Who holds it; empty if nobody does.
pub(super) fn holder(lease: &Lease) -> &str {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
}

/// How often it changed hands.
pub(super) fn transitions(lease: &Lease) -> i64 {
    let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
    transitions.map_or(0, i64::from).max(0)
}

/// How long its holder may be silent. A foreign number: bounded.
fn duration(lease: &Lease) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(15);
    Duration::from_secs(seconds.clamp(1, 600))
}

/// The spec of a Lease that is taken, renewed or given back (by no holder).
pub(super) fn spec(
    holder: &str,
    epoch: i64,
    lasts: Duration,
    (acquired, now): (jiff::Timestamp, jiff::Timestamp),
) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: Some(i32::try_from(lasts.as_secs()).unwrap_or(i32::MAX)),
        lease_transitions: Some(i32::try_from(epoch).unwrap_or(i32::MAX)),
        acquire_time: Some(MicroTime(acquired)),
        renew_time: Some(MicroTime(now)),
        ..LeaseSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, version: &str) -> Lease {
        let time = jiff::Timestamp::UNIX_EPOCH;
        let mut lease = Lease::default();
        lease.metadata.resource_version = Some(version.to_owned());
        lease.spec = Some(spec(holder, 3, Duration::from_secs(15), (time, time)));
        lease
    }

    #[test]
    fn a_lease_expires_when_it_was_not_seen_to_change_whatever_its_times_say() {
        let mut watched = Watched::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        // Its renewTime lies fifty years back: that is the holder's clock.
        assert_eq!(watched.held_until(&lease("b", "1"), "a", at(0)), Some(at(15)));
        assert_eq!(watched.held_until(&lease("b", "1"), "a", at(14)), Some(at(15)));
        assert_eq!(watched.held_until(&lease("b", "2"), "a", at(14)), Some(at(29)), "renewed");
        assert_eq!(watched.held_until(&lease("b", "2"), "a", at(29)), None, "expired");
    }

    #[test]
    fn a_lease_that_was_given_back_or_is_ones_own_may_be_taken_at_once() {
        let mut watched = Watched::default();
        for holder in ["", "a"] {
            assert_eq!(watched.held_until(&lease(holder, "1"), "a", Instant::now()), None);
        }
    }

    #[test]
    fn a_duration_that_makes_no_sense_is_bounded() {
        let mut lease = lease("b", "1");
        for (said, means) in [(i32::MAX, 600), (0, 1), (-5, 15)] {
            lease.spec.as_mut().unwrap().lease_duration_seconds = Some(said);
            assert_eq!(duration(&lease).as_secs(), means);
        }
    }

    #[test]
    fn a_name_has_a_namespace_or_none() {
        let name = |text: &str| text.parse::<Name>().map(|it| (it.namespace, it.name));
        assert_eq!(name("throughline"), Ok((None, "throughline".to_owned())));
        assert_eq!(name("ops/throughline"), Ok((Some("ops".to_owned()), "throughline".to_owned())));
        for wrong in ["", "/", "a/", "/b", "a/b/c"] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
