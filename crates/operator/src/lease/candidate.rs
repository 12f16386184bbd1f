//! What a candidate does about a Lease that it looks at.

use std::time::Duration;

use jiff::Timestamp;
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

/// What a process makes of the Lease that it looks at: each decision, and no request.
#[derive(Debug)]
pub struct Candidate {
    me: String,
    lasts: Duration,
    /// A Lease of another, and since when this process has seen it so.
    watched: Option<(String, Instant)>,
    /// Since when there is none.
    missing: Option<Instant>,
}

/// The result of a look at the Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Another holds it, at least until then.
    HeldBy(String, Instant),
    /// There is none. If there ever was one, its holder may believe until then that it leads.
    Missing(Instant),
    /// It may be taken now.
    Free,
}

/// A term of this process: the Lease as it wrote it last.
#[derive(Debug, Clone)]
pub struct Term {
    lease: Lease,
    epoch: i64,
    acquired: Timestamp,
    until: Instant,
}

impl Candidate {
    /// One that has seen nothing, of a process of this name.
    pub fn new(me: String, lasts: Duration) -> Self {
        Self { me, lasts, watched: None, missing: None }
    }

    /// The name of the process.
    pub fn me(&self) -> &str {
        &self.me
    }

    /// Whether the Lease may be taken now, as it was found. What its holder's clock says does not
    /// matter: it has expired when it was not seen to change for long enough.
    pub fn look(&mut self, found: Option<&Lease>, now: Instant) -> Look {
        let Some(lease) = found else {
            let until = *self.missing.get_or_insert(now) + self.lasts;
            return if until > now { Look::Missing(until) } else { Look::Free };
        };
        self.missing = None;
        if holder(lease).is_empty() || self.is_mine(lease) {
            return Look::Free;
        }
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let since = match &self.watched {
            Some((known, since)) if *known == version => *since,
            _ => now,
        };
        self.watched = Some((version, since));
        let until = since + duration(lease);
        if until > now { Look::HeldBy(holder(lease).to_owned(), until) } else { Look::Free }
    }

    /// Whether there was a Lease before it went missing: this process has seen one of another, or an
    /// epoch is stored.
    pub fn was_led(&self, stored: i64) -> bool {
        stored > 0 || self.watched.is_some()
    }

    /// The Lease as this process takes it, and the epoch of its term: after the one before, and after
    /// the highest that is `stored` where that had to be looked at.
    pub fn takes(&self, found: Option<Lease>, stored: i64, now: Timestamp) -> (Lease, i64) {
        let epoch = found.as_ref().map_or(0, transitions).max(stored).saturating_add(1);
        let mut lease = found.unwrap_or_default();
        lease.spec = Some(spec(&self.me, epoch, self.lasts, (now, now)));
        (lease, epoch)
    }

    /// The Lease was taken, as it is stored now; asked for at `sent`.
    pub fn took(&self, lease: Lease, epoch: i64, acquired: Timestamp, sent: Instant) -> Term {
        Term { lease, epoch, acquired, until: sent + self.patience() }
    }

    /// The Lease as this process renews it.
    pub fn renews(&self, term: &Term, now: Timestamp) -> Lease {
        self.written(term, &self.me, now)
    }

    /// The Lease as this process gives it back: without a holder.
    pub fn gives_back(&self, term: &Term, now: Timestamp) -> Lease {
        self.written(term, "", now)
    }

    fn written(&self, term: &Term, holder: &str, now: Timestamp) -> Lease {
        let mut lease = term.lease.clone();
        lease.spec = Some(spec(holder, term.epoch, self.lasts, (term.acquired, now)));
        lease
    }

    /// The Lease was renewed, as it is stored now; asked for at `sent`.
    pub fn renewed(&self, term: &mut Term, lease: Lease, sent: Instant) {
        term.lease = lease;
        term.until = sent + self.patience();
    }

    /// The Lease was written by another process meanwhile. Who leads then, if it is not this process.
    pub fn rewritten(&self, term: &mut Term, found: Lease) -> Option<String> {
        if !self.is_mine(&found) {
            return Some(holder(&found).to_owned());
        }
        term.lease = found;
        None
    }

    fn is_mine(&self, lease: &Lease) -> bool {
        holder(lease) == self.me
    }

    /// After so long without a renewal this process stops: well before another takes over.
    fn patience(&self) -> Duration {
        self.lasts * 2 / 3
    }
}

impl Term {
    /// Its number.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Until when this process may act.
    pub fn until(&self) -> Instant {
        self.until
    }
}

/// Its holder; empty if there is none.
fn holder(lease: &Lease) -> &str {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
}

/// How often it changed hands.
fn transitions(lease: &Lease) -> i64 {
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
fn spec(
    holder: &str,
    epoch: i64,
    lasts: Duration,
    (acquired, now): (Timestamp, Timestamp),
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
        let time = Timestamp::UNIX_EPOCH;
        let mut lease = Lease::default();
        lease.metadata.resource_version = Some(version.to_owned());
        lease.spec = Some(spec(holder, 3, Duration::from_secs(15), (time, time)));
        lease
    }

    fn candidate() -> Candidate {
        Candidate::new("a".to_owned(), Duration::from_secs(15))
    }

    #[test]
    fn a_lease_expires_when_it_was_not_seen_to_change_whatever_its_times_say() {
        let mut candidate = candidate();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let held_until = |seconds| Look::HeldBy("b".to_owned(), at(seconds));
        // Its renewTime lies fifty years back: that is the holder's clock.
        assert_eq!(candidate.look(Some(&lease("b", "1")), at(0)), held_until(15));
        assert_eq!(candidate.look(Some(&lease("b", "1")), at(14)), held_until(15));
        assert_eq!(candidate.look(Some(&lease("b", "2")), at(14)), held_until(29), "renewed");
        assert_eq!(candidate.look(Some(&lease("b", "2")), at(29)), Look::Free, "expired");
    }

    #[test]
    fn a_lease_that_was_given_back_or_is_ones_own_may_be_taken_at_once() {
        for holder in ["", "a"] {
            assert_eq!(candidate().look(Some(&lease(holder, "1")), Instant::now()), Look::Free);
        }
    }

    #[test]
    fn a_lease_that_was_deleted_may_be_made_again_when_its_holder_has_stopped() {
        let mut candidate = candidate();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(candidate.look(None, at(0)), Look::Missing(at(15)));
        assert!(!candidate.was_led(0), "the first of all waits for nobody");
        assert!(candidate.was_led(3));
        assert_eq!(candidate.look(None, at(14)), Look::Missing(at(15)));
        assert_eq!(candidate.look(None, at(15)), Look::Free);
        candidate.look(Some(&lease("b", "1")), at(16));
        assert_eq!(candidate.look(None, at(17)), Look::Missing(at(32)));
        assert!(candidate.was_led(0));
    }

    #[test]
    fn an_epoch_is_after_the_one_before_and_after_all_that_are_stored() {
        let now = Timestamp::UNIX_EPOCH;
        for (found, stored, expected) in [
            (Some(lease("b", "1")), 0, 4),
            (None, 0, 1),
            (None, 7, 8),
            (Some(lease("", "1")), 7, 8),
        ] {
            let (lease, epoch) = candidate().takes(found, stored, now);
            assert_eq!((epoch, transitions(&lease), holder(&lease)), (expected, expected, "a"));
        }
    }

    #[test]
    fn a_term_ends_well_before_another_may_take_the_lease() {
        let (candidate, sent) = (candidate(), Instant::now());
        let mut term = candidate.took(lease("a", "1"), 4, Timestamp::UNIX_EPOCH, sent);
        assert_eq!(term.until(), sent + Duration::from_secs(10));
        candidate.renewed(&mut term, lease("a", "2"), sent + Duration::from_secs(5));
        assert_eq!(term.until(), sent + Duration::from_secs(15));
        assert_eq!(candidate.rewritten(&mut term, lease("a", "3")), None);
        assert_eq!(candidate.rewritten(&mut term, lease("b", "4")), Some("b".to_owned()));
        assert_eq!(holder(&candidate.gives_back(&term, Timestamp::UNIX_EPOCH)), "");
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
