//! Where the spans belong, and what the root links to.

use jiff::Timestamp;

use super::super::{Journal, Link, LinkKind, Placement};
use super::Look;
use super::clock::waited;
use crate::base::{AttemptId, Traceparent};
use crate::chain::{Follow, Relation};

const LINKS: usize = 8;

impl Journal {
    /// Decides once whether the spans belong into Keptn's trace: as soon as Keptn's two objects
    /// agree about it, or when waiting longer would show nothing more. The facts freeze with it,
    /// because they go out with each batch of spans.
    pub(super) fn place(&mut self, now: Timestamp) {
        if self.placed.is_some() {
            return;
        }
        let enough = self.memory.look.is_some_and(|look| waited(self.started.at, look.wait(), now));
        if !enough && !self.memory.gone {
            return;
        }
        let keptn = self.memory.look.and_then(|look| look.trace).map(|(trace, _)| trace);
        self.placed = Some(keptn.map_or_else(|| Placement::own(&self.identity), Placement::inside));
        self.name();
        self.unlink_own_trace();
    }

    /// What the root links to, as far as is known now. It may become known late which trace a
    /// predecessor has, so it is followed until the root closes.
    pub(super) fn follow_links(&mut self, look: &Look<'_>) {
        // Without a revision it has no journal, and so no root to link to.
        let known = |follow: &&Follow| follow.trace.is_some() || follow.revision > 0;
        let origin =
            self.facts.origin.map(|traceparent| Link { traceparent, kind: LinkKind::Origin });
        let mut links: Vec<Link> = Vec::new();
        let follows = look.attempt.follows.iter().filter(known).map(|follow| Link {
            traceparent: follow.trace.unwrap_or_else(|| self.root_of(follow)),
            kind: kind(follow.relation),
        });
        for link in follows.chain(origin) {
            if links.iter().all(|other| other.traceparent != link.traceparent) {
                links.push(link);
            }
        }
        self.links = links;
        self.unlink_own_trace();
        self.links.truncate(LINKS);
    }

    /// A trace that links to itself says nothing: a retry goes on in the trace of the first try.
    fn unlink_own_trace(&mut self) {
        if let Some(placed) = self.placed {
            self.links.retain(|link| link.traceparent.trace_id() != placed.trace);
        }
    }

    /// The root of an attempt that Keptn made no trace for.
    fn root_of(&mut self, follow: &Follow) -> Traceparent {
        let is = |identity: &AttemptId| {
            identity.hash == follow.hash
                && identity.revision == follow.revision
                && identity.number == follow.number
        };
        if let Some((_, root)) = self.memory.followed.as_ref().filter(|(it, _)| is(it)) {
            return *root;
        }
        let identity = AttemptId {
            hash: follow.hash.clone(),
            revision: follow.revision,
            number: follow.number,
            ..self.identity.clone()
        };
        let root = Traceparent::sampled(identity.own_trace(), identity.span(&[]));
        self.memory.followed = Some((identity, root));
        root
    }
}

fn kind(relation: Relation) -> LinkKind {
    match relation {
        Relation::Successor => LinkKind::PreviousRevision,
        Relation::Rollback => LinkKind::RollsBack,
        Relation::RetryAfter => LinkKind::RetryOf,
        Relation::Supersedes => LinkKind::Supersedes,
        Relation::After => LinkKind::After,
    }
}
