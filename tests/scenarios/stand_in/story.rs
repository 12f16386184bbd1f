//! What happened in a namespace, with ids, times and the namespace's name left out: the same
//! function makes it of a recording of the real Keptn and of what the stand-in did.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

/// Objects in the order in which their states were seen, and the traces.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// By resource (`keptnappversions`), each state.
    pub(super) states: BTreeMap<String, Vec<Value>>,
    /// Spans, by trace id.
    pub(super) spans: BTreeMap<String, Vec<Span>>,
}

/// A span as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) parent: Option<String>,
    /// Trace id and span id.
    pub(super) links: Vec<(String, String)>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) events: Vec<String>,
    pub(super) service: String,
}

/// One object with all that was seen of it.
struct History<'a> {
    name: &'a str,
    states: Vec<&'a Value>,
}

impl History<'_> {
    fn last(&self) -> &Value {
        self.states.last().copied().unwrap_or(&Value::Null)
    }

    fn text(&self, pointer: &str) -> &str {
        self.last().pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The different values of something, in order.
    fn values(&self, read: impl Fn(&Value) -> String) -> Vec<String> {
        let mut values: Vec<String> = self.states.iter().map(|state| read(state)).collect();
        values.dedup();
        values
    }
}

impl Seen {
    /// The last state of an object.
    pub(super) fn last(&self, kind: &str, name: &str) -> Option<&Value> {
        let states = self.states.get(kind)?;
        states.iter().rfind(|it| it["metadata"]["name"] == name)
    }

    /// The traces that Keptn's objects name.
    pub(super) fn trace_ids(&self) -> BTreeSet<String> {
        let states = ["keptnappversions", "keptnworkloadversions"].into_iter();
        let carriers = states.flat_map(|kind| self.of(kind)).flat_map(|state| {
            let phases = state.pointer("/status/phaseTraceIDs").and_then(Value::as_object);
            phases.into_iter().flat_map(|it| it.values()).chain(state.pointer("/spec/traceId"))
        });
        carriers
            .filter_map(|carrier| carrier["traceparent"].as_str())
            .map(|traceparent| ids(traceparent).0)
            .collect()
    }

    /// How many spans there are.
    pub(super) fn span_count(&self) -> usize {
        self.spans.values().map(Vec::len).sum()
    }

    /// The story, one fact per line.
    pub(super) fn story(&self) -> String {
        let mut story = String::new();
        for app in self.histories("keptnapps") {
            let managed = &app.last()["metadata"]["labels"]["app.kubernetes.io/managed-by"];
            let kind = &app.last()["metadata"]["annotations"]["keptn.sh/app-type"];
            let _ = writeln!(story, "app {} managed by {managed}, type {kind}", app.name);
            for spec in app.values(|it| {
                let spec = &it["spec"];
                format!("{}: {} {}", it["metadata"]["generation"], spec["version"], workloads(spec))
            }) {
                let _ = writeln!(story, "  generation {spec}");
            }
        }
        for it in self.histories("keptnappcontexts") {
            let links = it.values(|state| self.links(&state["spec"]["spanLinks"]));
            let _ = writeln!(story, "context {}: {}", it.name, links.join(", then "));
        }
        self.app_versions(&mut story);
        self.workload_versions(&mut story);
        self.traces(&mut story);
        story
    }

    fn app_versions(&self, story: &mut String) {
        for it in self.histories("keptnappversions") {
            let spec = &it.last()["spec"];
            let _ = writeln!(
                story,
                "app version {}: {} after {}, {}, links {}, {} trace, {} at {}, owner {}",
                it.name,
                spec["version"],
                spec["previousVersion"],
                workloads(spec),
                self.links(&spec["spanLinks"]),
                self.trace_of(it.name),
                it.text("/status/status"),
                it.text("/status/currentPhase"),
                owner(it.last()),
            );
            let _ = writeln!(story, "  phase keys {}", phase_keys(&it));
            let _ = writeln!(story, "  status {}", statuses(it.last()));
        }
    }

    fn workload_versions(&self, story: &mut String) {
        let workloads = self.histories("keptnworkloads");
        // ReplicaSets are called by the order in which their pods came.
        let mut sets: Vec<&str> = Vec::new();
        let references = workloads.iter().flat_map(|it| it.states.iter());
        for name in references.filter_map(|it| it["spec"]["resourceReference"]["name"].as_str()) {
            if !sets.contains(&name) {
                sets.push(name);
            }
        }
        let set = |state: &Value| {
            let name = state["spec"]["resourceReference"]["name"].as_str().unwrap_or_default();
            let place = sets.iter().position(|set| *set == name);
            place.map_or("no set".to_owned(), |place| format!("set {}", place + 1))
        };
        for it in &workloads {
            let specs =
                it.values(|state| format!("{} of {}", state["spec"]["version"], set(state)));
            let owned = it.states.iter().all(|state| {
                state["metadata"]["ownerReferences"][0]["uid"]
                    == state["spec"]["resourceReference"]["uid"]
            });
            let _ = writeln!(
                story,
                "workload {}: {}; current {}; owned by the set: {owned}",
                it.name,
                specs.join(", then "),
                it.text("/status/currentVersion"),
            );
        }
        // Which of two workloads came first is chance.
        let mut versions = self.histories("keptnworkloadversions");
        versions.sort_by_key(|it| it.text("/spec/workloadName").to_owned());
        for it in versions {
            let traces = it.values(|state| self.carrier(&state["spec"]["traceId"]));
            let _ = writeln!(
                story,
                "workload version {}: {} after {}, {}, trace {}, {} at {}, generation {}, owner {}",
                it.name,
                it.last()["spec"]["version"],
                it.last()["spec"]["previousVersion"],
                it.values(set).join(", then "),
                traces.join(", then "),
                it.text("/status/status"),
                it.text("/status/currentPhase"),
                it.last()["metadata"]["generation"],
                owner(it.last()),
            );
            let _ = writeln!(story, "  phase keys {}", phase_keys(&it));
            let _ = writeln!(story, "  status {}", statuses(it.last()));
        }
    }

    fn traces(&self, story: &mut String) {
        let mut written = BTreeSet::new();
        for version in self.histories("keptnappversions") {
            let Some(trace) = first_trace(&version) else {
                continue;
            };
            if !written.insert(trace.clone()) {
                continue;
            }
            let _ = writeln!(story, "trace of {}:", version.name);
            let spans = self.spans.get(&trace).map_or(&[][..], Vec::as_slice);
            let mut lines: Vec<String> = spans.iter().map(|it| self.span_line(it, spans)).collect();
            lines.sort();
            for line in lines {
                let _ = writeln!(story, "  {line}");
            }
        }
        for trace in self.spans.keys().filter(|trace| !written.contains(*trace)) {
            let _ = writeln!(story, "trace of nobody: {} spans", self.spans[trace].len());
        }
    }

    fn span_line(&self, span: &Span, spans: &[Span]) -> String {
        let parent = span.parent.as_ref().map_or("nothing", |id| {
            let parent = spans.iter().find(|it| it.id == *id);
            parent.map_or("a span that is missing", |it| it.name.as_str())
        });
        let links: Vec<String> =
            span.links.iter().map(|(trace, id)| self.anchor(trace, id)).collect();
        // That a cache lagged behind is no part of the story.
        let events: Vec<&str> = span
            .events
            .iter()
            .map(String::as_str)
            .filter(|event| !event.ends_with("could not get reconciled"))
            .collect();
        let tags: Vec<String> = span
            .tags
            .iter()
            .map(|(key, value)| {
                let value = if key.ends_with(".namespace") { "NAMESPACE" } else { value };
                format!("{key}={value}")
            })
            .collect();
        format!(
            "{} under {parent} links {links:?} events {events:?} tags {tags:?} of {}",
            span.name, span.service
        )
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.states.get(kind).into_iter().flatten()
    }

    fn histories(&self, kind: &str) -> Vec<History<'_>> {
        let mut histories: Vec<History<'_>> = Vec::new();
        for state in self.of(kind) {
            let name = state["metadata"]["name"].as_str().unwrap_or_default();
            match histories.iter_mut().find(|it| it.name == name) {
                Some(history) => history.states.push(state),
                None => histories.push(History { name, states: vec![state] }),
            }
        }
        histories
    }

    fn links(&self, links: &Value) -> String {
        let links = links.as_array().map_or(&[][..], Vec::as_slice);
        let named = links.iter().filter_map(Value::as_str).map(|it| {
            let (trace, span) = ids(it);
            self.anchor(&trace, &span)
        });
        format!("{:?}", named.collect::<Vec<_>>())
    }

    fn carrier(&self, carrier: &Value) -> String {
        carrier["traceparent"].as_str().map_or("none".to_owned(), |it| {
            let (trace, span) = ids(it);
            self.anchor(&trace, &span)
        })
    }

    // The phase of an app version that a traceparent belongs to.
    fn anchor(&self, trace: &str, span: &str) -> String {
        for version in self.histories("keptnappversions") {
            for state in &version.states {
                let phases = state.pointer("/status/phaseTraceIDs").and_then(Value::as_object);
                for (phase, carrier) in phases.into_iter().flatten() {
                    let known = carrier["traceparent"].as_str().map(ids);
                    if known == Some((trace.to_owned(), span.to_owned())) {
                        return format!("{phase} of {}", version.name);
                    }
                }
            }
        }
        "nothing known".to_owned()
    }

    fn trace_of(&self, name: &str) -> String {
        let versions = self.histories("keptnappversions");
        let trace = |it: &History<'_>| first_trace(it);
        let own = versions.iter().find(|it| it.name == name).and_then(trace);
        let first = versions.iter().find(|it| trace(it) == own && own.is_some());
        match first {
            Some(first) if first.name == name => "own".to_owned(),
            Some(first) => format!("{}'s", first.name),
            None => "no".to_owned(),
        }
    }
}

fn first_trace(version: &History<'_>) -> Option<String> {
    let tasks = version.text("/status/phaseTraceIDs/AppPreDeployTasks/traceparent");
    (!tasks.is_empty()).then(|| ids(tasks).0)
}

fn ids(traceparent: &str) -> (String, String) {
    let mut parts = traceparent.split('-').skip(1).map(str::to_owned);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn workloads(spec: &Value) -> String {
    let list = spec["workloads"].as_array().map_or(&[][..], Vec::as_slice);
    let named = list.iter().map(|it| format!("{} {}", it["name"], it["version"]));
    format!("[{}]", named.collect::<Vec<_>>().join(", "))
}

fn owner(object: &Value) -> String {
    let owner = &object["metadata"]["ownerReferences"][0];
    format!("{} {} controller {}", owner["kind"], owner["name"], owner["controller"])
}

// Every key that was ever there.
fn phase_keys(it: &History<'_>) -> String {
    let keys: BTreeSet<&str> = it
        .states
        .iter()
        .filter_map(|state| state.pointer("/status/phaseTraceIDs").and_then(Value::as_object))
        .flat_map(|phases| phases.keys().map(String::as_str))
        .collect();
    format!("{keys:?}")
}

fn statuses(object: &Value) -> String {
    let status = object["status"].as_object();
    let said = status.into_iter().flatten().map(|(key, value)| match key.as_str() {
        "phaseTraceIDs" => String::new(),
        key if key.ends_with("Time") => format!("{key} "),
        key => format!("{key}={value} "),
    });
    said.collect::<String>().trim_end().to_owned()
}
