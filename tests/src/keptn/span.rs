//! The spans that are open, as Keptn keeps them: in memory, under a key that knows neither the
//! name nor the generation of an app version (docs/keptn.md 2.2).

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::SystemTime;

use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};
use tokio::sync::mpsc::UnboundedSender;

// The SDK's limit; older links give way.
const MOST_LINKS: usize = 128;

/// What a span is begun with.
#[derive(Debug)]
pub(super) struct Seed {
    /// Its name.
    pub name: String,
    /// Its parent; without one a new trace begins.
    pub parent: Option<SpanContext>,
    /// Traceparents to link to, valid or not.
    pub links: Vec<String>,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
    /// Its instrumentation scope.
    pub scope: &'static str,
}

/// A span that was looked up or begun.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    /// Where children hang.
    pub context: SpanContext,
    /// Whether it was begun just now. A span that was open already keeps its links, its parent
    /// and its name, and its phase key is not set again.
    pub fresh: bool,
}

/// The open spans of one namespace.
#[derive(Debug)]
pub(super) struct OpenSpans {
    open: HashMap<String, SpanData>,
    ids: RandomIdGenerator,
    ended: UnboundedSender<SpanData>,
}

impl OpenSpans {
    /// None open. Spans that end go to `ended`.
    pub(super) fn new(ended: UnboundedSender<SpanData>) -> Self {
        Self { open: HashMap::new(), ids: RandomIdGenerator::default(), ended }
    }

    /// The open span of that key, or a new one (`SpanHandler.GetSpan`).
    pub(super) fn bind(&mut self, key: &str, seed: impl FnOnce() -> Seed) -> Bound {
        if let Some(span) = self.open.get(key) {
            return Bound { context: span.span_context.clone(), fresh: false };
        }
        let seed = seed();
        let parent = seed.parent.filter(SpanContext::is_valid);
        let trace = parent.as_ref().map_or_else(|| self.ids.new_trace_id(), SpanContext::trace_id);
        // The sampler is parent-based: only a root is sampled by itself.
        let flags = parent.as_ref().map_or(TraceFlags::SAMPLED, SpanContext::trace_flags);
        let context =
            SpanContext::new(trace, self.ids.new_span_id(), flags, false, TraceState::default());
        let now = now();
        let span = SpanData {
            span_context: context.clone(),
            parent_span_id: parent.as_ref().map_or(SpanId::INVALID, SpanContext::span_id),
            parent_span_is_remote: parent.as_ref().is_some_and(SpanContext::is_remote),
            span_kind: SpanKind::Consumer,
            name: Cow::Owned(seed.name),
            start_time: now,
            end_time: now,
            attributes: seed
                .attributes
                .into_iter()
                .map(|(key, value)| KeyValue::new(key, value))
                .collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: links(&seed.links),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder(seed.scope).build(),
        };
        self.open.insert(key.to_owned(), span);
        Bound { context, fresh: true }
    }

    /// Adds an event to an open span.
    pub(super) fn note(&mut self, key: &str, event: impl Into<Cow<'static, str>>) {
        if let Some(span) = self.open.get_mut(key) {
            span.events.events.push(Event::new(event, now(), Vec::new(), 0));
        }
    }

    /// Ends a span with a last event, and forgets its key.
    pub(super) fn end(&mut self, key: &str, event: String, status: Status) {
        self.note(key, event);
        if let Some(mut span) = self.open.remove(key) {
            span.status = status;
            span.end_time = now();
            if span.span_context.is_sampled() {
                // The other end is gone only when everything ends.
                let _ = self.ended.send(span);
            }
        }
    }
}

// A malformed entry becomes a link to nothing, which the SDK keeps because it has an attribute
// (docs/keptn.md 2.5).
fn links(traceparents: &[String]) -> SpanLinks {
    let mut links = SpanLinks::default();
    let from = traceparents.len().saturating_sub(MOST_LINKS);
    links.dropped_count = u32::try_from(from).unwrap_or(u32::MAX);
    links.links = traceparents[from..]
        .iter()
        .map(|text| {
            let context = parse_traceparent(text).unwrap_or(SpanContext::NONE);
            Link::new(context, vec![KeyValue::new("opentracing.ref_type", "follows-from")], 0)
        })
        .collect();
    links
}

/// Reads a traceparent as strictly as go-otel 1.31 does (docs/keptn.md 2.5).
pub(super) fn parse_traceparent(text: &str) -> Option<SpanContext> {
    let lower_hex = |part: &str, length: usize| {
        part.len() == length
            && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags, ref rest @ ..] = parts[..] else {
        return None;
    };
    let well_formed = lower_hex(version, 2)
        && version != "ff"
        && lower_hex(trace, 32)
        && lower_hex(span, 16)
        && lower_hex(flags, 2)
        && (version != "00" || rest.is_empty());
    let bits = u8::from_str_radix(flags, 16).ok()?;
    if !well_formed || (version == "00" && bits > 2) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(bits & 1),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

/// Writes a traceparent.
pub(super) fn traceparent(context: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags().to_u8() & 1
    )
}

/// The stand-in lives by the clock of the machine, like what it stands in for.
pub(super) fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "the spans of a stand-in happen now")]
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::unbounded_channel;

    const LINK: &str = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";

    fn seed(name: &str, parent: Option<SpanContext>, links: &[&str]) -> Seed {
        Seed {
            name: name.into(),
            parent,
            links: links.iter().map(|&link| link.to_owned()).collect(),
            attributes: vec![("keptn.deployment.app.name".into(), "shop".into())],
            scope: "keptn/lifecycle-operator/appversion",
        }
    }

    #[test]
    fn traceparents_are_read_strictly() {
        assert_eq!(traceparent(&parse_traceparent(LINK).unwrap()), LINK);
        let zero = "00-00000000000000000000000000000000-bf5933e028d3fc36-01";
        let bad =
            [&LINK.to_uppercase(), " 00", &format!("{LINK}-x"), &LINK.replace("-01", "-03"), zero];
        for text in bad {
            assert_eq!(parse_traceparent(text), None, "{text}");
        }
    }

    #[test]
    fn an_open_span_is_reused_with_what_it_was_begun_with() {
        let (ended, mut spans) = unbounded_channel();
        let mut open = OpenSpans::new(ended);
        let first = open.bind("k", || seed("shop-1-a", None, &[]));
        let again = open.bind("k", || seed("shop-1-b", None, &[LINK]));
        assert!(first.fresh && !again.fresh);
        assert_eq!(first.context, again.context);
        let child =
            open.bind("k.AppDeploy", || seed("AppDeploy", Some(first.context.clone()), &[]));
        assert_eq!(child.context.trace_id(), first.context.trace_id());
        open.end("k", "shop-1-b has finished".into(), Status::Ok);
        let span = spans.try_recv().unwrap();
        assert_eq!(span.name, "shop-1-a");
        assert!(span.links.is_empty());
        assert!(open.bind("k", || seed("shop-1-c", None, &[])).fresh);
    }

    #[test]
    fn malformed_links_point_nowhere_and_stay() {
        let (ended, mut spans) = unbounded_channel();
        let mut open = OpenSpans::new(ended);
        open.bind("k", || seed("shop", None, &[LINK, "nonsense", LINK]));
        open.end("k", "done".into(), Status::Ok);
        let links = spans.try_recv().unwrap().links;
        assert_eq!(links.len(), 3);
        assert_eq!(links[1].span_context, SpanContext::NONE);
        assert_eq!(links[1].attributes.len(), 1);
    }
}
