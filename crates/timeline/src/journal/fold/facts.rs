//! What is known of the revision, until it is frozen.

use jiff::Timestamp;

use super::super::{Facts, Journal, Mark, MarkKind, Replaces};
use super::clock::COMMIT_TIME;
use super::memory::{FactsSeen, LastLook};
use super::text::{clean, clean_option};
use super::{Look, View};
use crate::base::Moment;
use crate::chain::Relation;
use crate::seen::ReplicaSetSeen;
use crate::seen::commit::{CommitTime, Refusal};

const FACT: usize = 256;
const IMAGES: usize = 16;

impl Journal {
    /// Takes over what the ReplicaSet and the attempt say now.
    pub(super) fn gather(&mut self, view: &View<'_>) {
        let look = view.look;
        let trace = look.attempt.trace.as_ref();
        self.memory.look = Some(LastLook {
            newest: look.newest,
            keptn_may_come: look.keptn_may_come,
            facts: facts_seen(look),
            trace: trace.map(|trace| (trace.traceparent, trace.workload_version.is_some())),
        });
        if self.placed.is_some() {
            return;
        }
        if view.ours {
            self.facts.strategy = view.progress.strategy.or(self.facts.strategy);
            self.facts.planned_steps = view.progress.step_count;
        }
        let workload = look.attempt.workload.as_ref();
        let facts = &mut self.facts;
        let mut refused = None;
        if let Some(name) = &look.attempt.replica_set {
            facts.replica_set = Some(clean(name, FACT));
        }
        let live = look.attempt.follows.first();
        let live =
            live.filter(|it| matches!(it.relation, Relation::Successor | Relation::Rollback));
        facts.replaces = live.map(|it| Replaces {
            revision: it.revision,
            number: it.number,
            relation: it.relation,
        });
        if let Some(workload) = workload {
            facts.app = Some(clean(&workload.app, FACT));
        }
        if let Some(set) = look.replica_set {
            facts.replica_set = Some(clean(&set.key.name, FACT));
            // What comes after another attempt is a change, whatever made its ReplicaSet.
            let first = look.attempt.follows.is_empty() && self.identity.number == 1;
            facts.adopted = first && set.is_inherited(look.rollout);
            let commit = facts.commit.take();
            facts.take_set(set);
            refused = facts.date(commit.as_deref(), set.facts.commit_time.as_of(view.now));
            facts.upgrade = look.stable_set.is_some_and(|stable| {
                let (was, is) = (stable.facts.template_digest, set.facts.template_digest);
                is != 0 && is == was && stable.hash != set.hash
            });
        }
        if let Some(workload) = workload.filter(|_| look.replica_set.is_some()) {
            facts.service.get_or_insert_with(|| clean(&workload.name, FACT));
            facts.version.get_or_insert_with(|| clean(&workload.version, FACT));
        }
        if let Some(why) = refused {
            self.refuse_commit_time(&why.to_string(), view.now);
        }
    }

    /// Says once that what is said of the time of the commit was not used.
    fn refuse_commit_time(&mut self, why: &str, now: Timestamp) {
        let note = format!("{COMMIT_TIME}{why}");
        let said = |mark: &Mark| mark.kind == MarkKind::ClockDoubted && mark.note == note;
        if !self.marks.iter().any(said) {
            self.mark(MarkKind::ClockDoubted, Moment::observed(now), &note);
        }
    }

    /// Default name and version, where none are given.
    pub(super) fn name(&mut self) {
        let Facts { service, version, images, .. } = &mut self.facts;
        service.get_or_insert_with(|| clean(&self.identity.rollout.name, FACT));
        let tag = images.first().and_then(|image| tag(image));
        let hash = &self.identity.hash;
        version.get_or_insert_with(|| clean(tag.unwrap_or(hash), FACT));
    }
}

impl Facts {
    /// Takes over what is said of the time of the commit; why it was not used, if so. A time that
    /// lay in the future when it was first read stays refused for that commit: it does not become
    /// right by waiting. `before` is the commit that was read before.
    fn date(&mut self, before: Option<&str>, time: CommitTime) -> Option<Refusal> {
        let stays =
            self.commit_time_refused == Some(Refusal::Future) && before == self.commit.as_deref();
        let time = match time {
            CommitTime::At(..) if stays => CommitTime::Refused(Refusal::Future),
            time => time,
        };
        (self.commit_time, self.commit_time_source, self.commit_time_refused) = match time {
            CommitTime::At(at, source) => (Some(at), Some(source), None),
            CommitTime::Refused(why) => (None, None, Some(why)),
            CommitTime::Unknown => (None, None, None),
        };
        self.commit_time_refused
    }

    fn take_set(&mut self, set: &ReplicaSetSeen) {
        let read = &set.facts;
        self.service = clean_option(read.service.as_deref(), FACT);
        self.version = clean_option(read.version.as_deref(), FACT);
        self.environment = clean_option(read.environment.as_deref(), FACT);
        self.commit = clean_option(read.commit.as_deref(), FACT);
        self.repository = clean_option(read.repository.as_deref(), FACT);
        self.author = clean_option(read.author.as_deref(), FACT);
        self.origin = read.origin;
        self.hotfix = read.hotfix;
        self.spec_digest = read.spec_digest;
        let images = read.images.iter().take(IMAGES);
        self.images = images.map(|image| clean(image, FACT)).collect();
    }
}

fn facts_seen(look: &Look<'_>) -> FactsSeen {
    let Some(set) = look.replica_set.map(|set| &set.facts) else {
        return FactsSeen::No;
    };
    let of_live = look.stable_set.map(|stable| &stable.facts).is_some_and(|live| {
        let same = set.spec_digest != 0 && set.spec_digest == live.spec_digest;
        let commit = set.commit.is_some() && set.commit == live.commit;
        commit && set.commit_time == live.commit_time && !same
    });
    if of_live { FactsSeen::CommitOfLive } else { FactsSeen::All }
}

/// The tag of `container=registry:port/name:tag@digest`.
fn tag(image: &str) -> Option<&str> {
    let (_, image) = image.split_once('=')?;
    let image = image.split('@').next()?;
    let name = image.rsplit('/').next()?;
    let (_, tag) = name.split_once(':')?;
    (!tag.is_empty()).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_lay_in_the_future_stays_refused_until_the_commit_is_another() {
        let at = CommitTime::At(Timestamp::UNIX_EPOCH, crate::seen::commit::Source::Throughline);
        let future = CommitTime::Refused(Refusal::Future);
        let mut facts = Facts { commit: Some("a".to_owned()), ..Facts::default() };
        facts.date(None, future);
        facts.date(Some("a"), at);
        assert_eq!(facts.commit_time_with_source(), future);
        facts.commit = Some("b".to_owned());
        facts.date(Some("a"), at);
        assert_eq!(facts.commit_time_with_source(), at);
    }

    #[test]
    fn the_tag_of_an_image_is_neither_a_port_nor_a_digest() {
        assert_eq!(tag("cart=example/cart:2.0.0"), Some("2.0.0"));
        assert_eq!(tag("cart=registry:5000/example/cart:2.0.0@sha256:abc"), Some("2.0.0"));
        assert_eq!(tag("cart=registry:5000/example/cart@sha256:abc"), None);
        assert_eq!(tag("cart=registry:5000/example/cart"), None);
        assert_eq!(tag("cart"), None);
    }
}
