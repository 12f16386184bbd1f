//! The root span: what became of the attempt, why, what it follows, and what else has to be known.

use crate::base::Phase;
use crate::failure::{Failure, FailureClass};
use crate::journal::{Link, Mark};
use crate::spans::{Parent, Span, SpanEvent, SpanKind, SpanLink};

use super::attributes::{
    ABORT_CAUSE, ATTEMPT, AUTHOR, Attributes, COMMIT, COMMIT_TIME, CONTAINER, CUT, DEPLOYMENT_ID,
    DEPLOYMENT_NAME, DEPLOYMENT_STATUS, ERROR_TYPE, EXPOSED, FAILURE_CLASS, FAILURE_MESSAGE,
    FAILURE_REASON, FAILURE_SEEN, HASH, IMAGE_DIGESTS, IMAGE_NAME, IMAGE_TAGS, IMAGES, LINK_KIND,
    NOTE, OUTCOME, PIPELINE_NAME, PIPELINE_RESULT, PIPELINE_RUN_ID, POD, REBUILT, REF_TYPE,
    REPOSITORY, REVISION, ROLLOUT, ROLLOUT_UID, STEPS_PLANNED, STRATEGY, UPGRADE, WEIGHT_MAX,
    abort_cause, event, link_kind, outcome, strategy,
};
use super::result::RunResult;
use super::{Draft, Trace, bounded, period, text};

/// How many links and how many events a span has at most: the default limits of OpenTelemetry's
/// SDKs (specification/trace/sdk.md, "Span Limits").
const LIMIT: usize = 128;

impl Trace<'_> {
    /// The whole attempt. What came after its end is a span of its own, see [`Trace::settling`].
    pub(super) fn attempt(&self, closed: u32) -> Option<Span> {
        let journal = self.journal;
        let ended = journal.ended?;
        let result = RunResult::of_attempt(journal);
        let (events, no_room) = self.events();
        let mut attributes = Attributes::with_capacity(32);
        self.identify(&mut attributes);
        self.describe(&mut attributes);
        attributes.word(PIPELINE_RESULT, result.word());
        attributes.word(OUTCOME, outcome(journal.phase));
        attributes.bool(EXPOSED, journal.exposed);
        let cut = u64::from(journal.cut).saturating_add(no_room as u64);
        if cut > 0 {
            attributes.integer(CUT, cut);
        }
        if result == RunResult::Success {
            attributes.word(DEPLOYMENT_STATUS, "succeeded");
        }
        if let Some(failure) = &journal.failure {
            explain(failure, &mut attributes);
        }
        let error = result.failed().then(|| {
            let class = journal.failure.as_ref().map_or(FailureClass::Unknown, |why| why.class);
            attributes.word(DEPLOYMENT_STATUS, "failed");
            attributes.word(ERROR_TYPE, class.error_type());
            let reason = journal.failure.as_ref().map_or("", |why| why.reason.as_str());
            text::clean(if reason.is_empty() { "aborted; nobody says why" } else { reason })
        });
        let (start, end, attributes) = period(journal.started, ended, attributes);
        Some(Span {
            trace: self.placed.trace,
            id: self.root,
            parent: self.placed.parent.map(|id| Parent { id, remote: true }),
            name: text::clean(&format!("rollout {}", journal.identity.rollout)),
            kind: SpanKind::Server,
            start,
            end,
            attributes: attributes.finish(),
            events,
            links: self.links(),
            error,
            closed,
        })
    }

    /// From the end of the attempt until the Rollout was Healthy, or traffic was back on what is
    /// stable. It has no number of its own and goes with the root.
    pub(super) fn settling(&self, closed: u32) -> Option<Span> {
        let name = match self.journal.phase {
            Phase::Promoted => "become healthy",
            Phase::Aborted => "recover",
            _ => return None,
        };
        let draft = Draft {
            path: &["settle"],
            parent: self.root,
            name: name.to_owned(),
            started: self.journal.ended?,
            ended: self.journal.settled?,
            closed,
        };
        Some(self.child(draft, Attributes::with_capacity(4), None))
    }

    fn identify(&self, attributes: &mut Attributes) {
        let identity = &self.journal.identity;
        let run = format!(
            "{}/{}/{}/{}",
            identity.rollout_uid, identity.hash, identity.revision, identity.number
        );
        attributes.text(PIPELINE_NAME, &identity.rollout.to_string());
        attributes.text(PIPELINE_RUN_ID, &run);
        attributes.text(DEPLOYMENT_NAME, &identity.rollout.name);
        attributes.text(DEPLOYMENT_ID, &run);
        attributes.text(ROLLOUT, &identity.rollout.name);
        attributes.text(ROLLOUT_UID, &identity.rollout_uid);
        attributes.text(HASH, &identity.hash);
        attributes.integer(ATTEMPT, identity.number);
        // 0 if it is not known.
        if identity.revision != 0 {
            attributes.integer(REVISION, identity.revision);
        }
    }

    fn describe(&self, attributes: &mut Attributes) {
        let facts = &self.journal.facts;
        if let Some(kind) = facts.strategy {
            attributes.word(STRATEGY, strategy(kind));
        }
        if facts.planned_steps > 0 {
            attributes.integer(STEPS_PLANNED, facts.planned_steps);
        }
        if let Some(max) = self.journal.max_weight() {
            attributes.integer(WEIGHT_MAX, max);
        }
        attributes.known(COMMIT, facts.commit.as_deref());
        attributes.known(REPOSITORY, facts.repository.as_deref());
        attributes.known(AUTHOR, facts.author.as_deref());
        if let Some(time) = facts.commit_time {
            attributes.text(COMMIT_TIME, &time.to_string());
        }
        attributes.texts(IMAGES, facts.images.iter().map(String::as_str));
        attributes.flag(UPGRADE, facts.upgrade);
        attributes.flag(REBUILT, facts.rebuilt);
    }

    /// Marks and the first sight of a failure, in order of time, and how many had no room.
    fn events(&self) -> (Vec<SpanEvent>, usize) {
        let marks = self.journal.marks.iter().map(mark);
        let failure = self.journal.failure.iter().map(first_seen);
        let mut events: Vec<_> = marks.chain(failure).collect();
        events.sort_by_key(|event| event.at);
        let no_room = events.len().saturating_sub(LIMIT);
        events.truncate(LIMIT);
        (events, no_room)
    }

    /// Never into the trace that the root is in: Jaeger would draw such a link as its parent
    /// (jaegertracing/jaeger-ui packages/jaeger-ui/src/model/OtelSpanFacade.ts).
    fn links(&self) -> Vec<SpanLink> {
        let elsewhere = |link: &&Link| link.traceparent.trace_id() != self.placed.trace;
        self.journal.links.iter().filter(elsewhere).take(LIMIT).map(link).collect()
    }
}

/// Also where the attempt was cancelled: what was wrong with it may be why.
fn explain(failure: &Failure, attributes: &mut Attributes) {
    attributes.word(FAILURE_CLASS, failure.class.error_type());
    attributes.text(FAILURE_REASON, &failure.reason);
    attributes.text(FAILURE_MESSAGE, &failure.message);
    if let Some(cause) = failure.cause {
        attributes.word(ABORT_CAUSE, abort_cause(cause));
    }
    attributes.known(POD, failure.pod.as_deref());
    attributes.known(CONTAINER, failure.container.as_deref());
    if let Some(image) = &failure.image {
        let (named, digest) = image.split_once('@').unwrap_or((image, ""));
        // A colon before the last slash is that of a port.
        let (name, tag) =
            named.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((named, ""));
        attributes.text(IMAGE_NAME, name);
        attributes.texts(IMAGE_TAGS, Some(tag).filter(|tag| !tag.is_empty()).into_iter());
        if !digest.is_empty() {
            let digest = format!("{name}@{digest}");
            attributes.texts(IMAGE_DIGESTS, std::iter::once(digest.as_str()));
        }
    }
}

fn mark(mark: &Mark) -> SpanEvent {
    let mut attributes = Attributes::with_capacity(3);
    attributes.text(NOTE, &mark.note);
    attributes.moment(mark.at);
    SpanEvent { name: event(mark.kind), at: bounded(mark.at.at), attributes: attributes.finish() }
}

fn first_seen(failure: &Failure) -> SpanEvent {
    let mut attributes = Attributes::with_capacity(3);
    attributes.word(FAILURE_CLASS, failure.class.error_type());
    attributes.moment(failure.at);
    SpanEvent { name: FAILURE_SEEN, at: bounded(failure.at.at), attributes: attributes.finish() }
}

fn link(link: &Link) -> SpanLink {
    let mut attributes = Attributes::with_capacity(2);
    attributes.word(REF_TYPE, "follows_from");
    attributes.word(LINK_KIND, link_kind(link.kind));
    SpanLink { to: link.traceparent, attributes: attributes.finish() }
}
