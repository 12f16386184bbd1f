//! A model of the API server: objects, growing versions, merge patches with preconditions, and a
//! watch of each kind whose events wait until they are delivered.
//!
//! After every write of the operator's it checks that nothing foreign was lost, changed or moved.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde_json::{Value, json};
use timeline::keptn::app_context::{ContextWrite, ContextWritten};
use timeline::seen::AppContextSeen;
use timeline::{Key, Kind, Observation};

pub(crate) const NAMESPACE: &str = "ns";
const OURS: &str = "throughline.dev/span-links";

/// An event on its way to the operator.
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) observation: Observation,
    /// It shows a turn in a Rollout's fate.
    pub(crate) matters: bool,
}

#[derive(Default)]
pub(crate) struct ApiServer {
    version: u64,
    /// KeptnAppContexts in full: what is not ours in them must survive.
    contexts: BTreeMap<Key, Value>,
    /// The newest version of each object, as the operator reads it.
    objects: BTreeMap<(Kind, Key), Observation>,
    watches: BTreeMap<Kind, VecDeque<Event>>,
    /// When another writer took away entries that were marked as ours.
    resets: BTreeMap<Key, Vec<Timestamp>>,
}

impl ApiServer {
    pub(crate) fn put(&mut self, kind: Kind, key: Key, observation: Observation, at: Timestamp) {
        self.objects.insert((kind, key), observation.clone());
        self.send(kind, observation, at);
    }

    pub(crate) fn delete(&mut self, kind: Kind, key: &Key, at: Timestamp) {
        if self.objects.remove(&(kind, key.clone())).is_some() {
            self.send(kind, Observation::Gone(kind, key.clone()), at);
        }
    }

    pub(crate) fn get(&self, kind: Kind, key: &Key) -> Option<&Observation> {
        self.objects.get(&(kind, key.clone()))
    }

    fn send(&mut self, kind: Kind, observation: Observation, at: Timestamp) {
        self.watches.entry(kind).or_default().push_back(Event { at, observation, matters: false });
    }

    /// Says of the last event of a kind whether anything was decided by it.
    pub(crate) fn last_matters(&mut self, kind: Kind, matters: bool) {
        if let Some(event) = self.watches.get_mut(&kind).and_then(VecDeque::back_mut) {
            event.matters = matters;
        }
    }

    /// The turns of a Rollout that wait to be seen.
    pub(crate) fn waiting(&self, rollout: &Key) -> usize {
        let events = self.watches.get(&Kind::Rollout).into_iter().flatten();
        events.filter(|event| event.matters && is_about(&event.observation, rollout)).count()
    }

    /// The next event of a kind; a watch is in order, but knows nothing of the others.
    pub(crate) fn next_event(&mut self, kind: Kind) -> Option<Event> {
        self.watches.get_mut(&kind)?.pop_front()
    }

    /// The deletion of a Rollout was not delivered yet.
    pub(crate) fn hides_a_deletion(&self) -> bool {
        let mut events = self.watches.get(&Kind::Rollout).into_iter().flatten();
        events.any(|event| matches!(event.observation, Observation::Gone(..)))
    }

    pub(crate) fn has_events(&self) -> bool {
        self.watches.values().any(|events| !events.is_empty())
    }

    /// Reads the kind as a list; what was still on its way is never delivered.
    pub(crate) fn list(&mut self, kind: Kind) -> Vec<Observation> {
        self.watches.remove(&kind);
        let of_kind = || self.objects.iter().filter(|((of, _), _)| *of == kind);
        let present: BTreeSet<Key> = of_kind().map(|((_, key), _)| key.clone()).collect();
        let mut events: Vec<Observation> =
            of_kind().map(|(_, observation)| observation.clone()).collect();
        events.push(Observation::Listed(kind, present));
        events
    }

    pub(crate) fn span_links(&self, app: &Key) -> Option<Vec<String>> {
        self.contexts.get(app).map(span_links)
    }

    pub(crate) fn ours(&self, app: &Key) -> Vec<String> {
        self.contexts.get(app).map(ours).unwrap_or_default()
    }

    /// Whether our entries were taken away five times within ten minutes.
    pub(crate) fn was_fought_over(&self, app: &Key) -> bool {
        self.resets.get(app).is_some_and(|resets| {
            resets.windows(5).any(|five| five[4].duration_since(five[0]).as_secs() <= 600)
        })
    }

    /// A person or a tool changes a KeptnAppContext, if there is one.
    pub(crate) fn edit(&mut self, app: &Key, at: Timestamp, edit: impl FnOnce(&mut Value)) {
        let Some(before) = self.contexts.get(app).cloned() else {
            return;
        };
        let mut after = before.clone();
        edit(&mut after);
        if after != before {
            self.note_reset(app, &before, Some(&after), at);
            self.store(app, after, at);
        }
    }

    /// A GitOps tool brings the whole list to what stands in git, and may prune our annotation.
    pub(crate) fn reset(&mut self, app: &Key, wipe: bool, at: Timestamp) {
        self.create(app, &[], at);
        self.edit(app, at, |context| {
            context["spec"]["spanLinks"] = json!(["git-1", "git-2"]);
            if wipe && let Some(annotations) = context["metadata"].get_mut("annotations") {
                annotations.as_object_mut().unwrap().remove(OURS);
            }
        });
    }

    /// A person or a tool makes a KeptnAppContext.
    pub(crate) fn create(&mut self, app: &Key, span_links: &[String], at: Timestamp) {
        if !self.contexts.contains_key(app) {
            let context = json!({
                "metadata": { "name": app.name, "labels": { "team": "shop" } },
                "spec": {
                    "spanLinks": span_links,
                    "metadata": { "commit": "c0ffee" },
                    "preDeploymentTasks": ["notify", "scan"],
                },
            });
            self.store(app, context, at);
        }
    }

    pub(crate) fn remove(&mut self, app: &Key, at: Timestamp) {
        if let Some(before) = self.contexts.remove(app) {
            self.note_reset(app, &before, None, at);
            self.delete(Kind::AppContext, app, at);
        }
    }

    /// Carries out a write of the operator's, as its linker sends it, and says what it would say.
    pub(crate) fn write(
        &mut self,
        app: &Key,
        write: &ContextWrite,
        at: Timestamp,
    ) -> ContextWritten {
        let present = self.contexts.get(app);
        let after = match (write, present) {
            (ContextWrite::Create(_), Some(present)) => {
                return ContextWritten::Conflict(Some(seen(app, present)));
            }
            (ContextWrite::Create(links), None) => json!({
                "metadata": { "name": app.name, "annotations": { OURS: marked(&links.ours) } },
                "spec": { "spanLinks": links.all },
            }),
            (ContextWrite::Patch { .. }, None) => return ContextWritten::Conflict(None),
            (ContextWrite::Patch { resource_version, links }, Some(present)) => {
                let patch = json!({
                    "metadata": {
                        "resourceVersion": resource_version,
                        "annotations": {
                            OURS: (!links.ours.is_empty()).then(|| marked(&links.ours)),
                        },
                    },
                    "spec": { "spanLinks": links.all },
                });
                if patch["metadata"]["resourceVersion"] != present["metadata"]["resourceVersion"] {
                    return ContextWritten::Conflict(Some(seen(app, present)));
                }
                if links.all.is_empty() && is_ours_alone(present) {
                    self.contexts.remove(app);
                    self.delete(Kind::AppContext, app, at);
                    return ContextWritten::Removed;
                }
                let mut after = present.clone();
                merge(&mut after, &patch);
                assert_nothing_foreign_changed(present, &after);
                after
            }
        };
        let ours = ours(&after);
        assert!(
            ours.iter().all(|our| span_links(&after).contains(our)),
            "an entry is marked as ours that is not in the list: {after}"
        );
        self.store(app, after, at);
        ContextWritten::Stored(seen(app, &self.contexts[app]))
    }

    fn store(&mut self, app: &Key, mut context: Value, at: Timestamp) {
        self.version += 1;
        context["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let observation = Observation::AppContext(seen(app, &context));
        self.contexts.insert(app.clone(), context);
        self.put(Kind::AppContext, app.clone(), observation, at);
    }

    fn note_reset(&mut self, app: &Key, before: &Value, after: Option<&Value>, at: Timestamp) {
        let (was, is) = (span_links(before), after.map(span_links).unwrap_or_default());
        if ours(before).iter().any(|our| was.contains(our) && !is.contains(our)) {
            self.resets.entry(app.clone()).or_default().push(at);
        }
    }
}

fn is_about(observation: &Observation, rollout: &Key) -> bool {
    matches!(observation, Observation::Rollout(seen) if seen.key == *rollout)
}

/// The operator made it, and it holds nothing but links.
fn is_ours_alone(context: &Value) -> bool {
    let keys = |it: &Value| it.as_object().map_or(0, serde_json::Map::len);
    let (metadata, spec) = (&context["metadata"], &context["spec"]);
    // Name, resourceVersion and annotations; one of these, and the links.
    (keys(metadata), keys(&metadata["annotations"]), keys(spec)) == (3, 1, 1)
}

fn span_links(context: &Value) -> Vec<String> {
    let links = context["spec"]["spanLinks"].as_array();
    links.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn ours(context: &Value) -> Vec<String> {
    let text = context["metadata"]["annotations"][OURS].as_str();
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn marked(ours: &[String]) -> String {
    Value::from(ours).to_string()
}

fn seen(app: &Key, context: &Value) -> AppContextSeen {
    AppContextSeen {
        key: app.clone(),
        resource_version: context["metadata"]["resourceVersion"].as_str().unwrap().to_owned(),
        span_links: span_links(context),
        ours: ours(context),
    }
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let fields = target.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// What is whose: an entry of the list is ours if our annotation names it, and then only the first
/// of its kind. A copy that a person made of it is theirs, and so is an entry whose mark a tool
/// wiped: it stays for ever, because it looks like one that they wrote themselves.
fn foreign(context: &Value) -> Vec<String> {
    let mut ours = ours(context);
    let mut foreign = span_links(context);
    foreign.retain(|entry| match ours.iter().position(|our| our == entry) {
        Some(place) => {
            ours.remove(place);
            false
        }
        None => true,
    });
    foreign
}

fn assert_nothing_foreign_changed(before: &Value, after: &Value) {
    assert_eq!(foreign(before), foreign(after), "foreign entries: {before} became {after}");
    let others = |context: &Value| {
        let mut context = context.clone();
        context["metadata"]["resourceVersion"] = Value::Null;
        context["spec"]["spanLinks"] = Value::Null;
        if let Some(annotations) = context["metadata"].get_mut("annotations") {
            annotations.as_object_mut().unwrap().remove(OURS);
        }
        // An empty map is none, as for the API server.
        if context["metadata"]["annotations"].as_object().is_some_and(serde_json::Map::is_empty) {
            context["metadata"].as_object_mut().unwrap().remove("annotations");
        }
        context
    };
    assert_eq!(others(before), others(after), "a foreign field changed");
}

/// What people do to a KeptnAppContext.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Edit {
    AddTheirs,
    /// Takes away one entry, which may be one of ours.
    TakeOne,
    Reorder,
    CopyOneOfOurs,
    OtherFields,
}

impl Edit {
    pub(crate) const ALL: [Self; 5] =
        [Self::AddTheirs, Self::TakeOne, Self::Reorder, Self::CopyOneOfOurs, Self::OtherFields];

    pub(crate) fn perform(self, context: &mut Value, n: u8) {
        let mut links = span_links(context);
        let (length, place) = (links.len(), usize::from(n));
        match self {
            Self::AddTheirs => links.insert(place % (length + 1), format!("theirs-{}", n % 4)),
            Self::TakeOne if length > 0 => drop(links.remove(place % length)),
            Self::Reorder if length > 0 => links.rotate_left(place % length),
            Self::CopyOneOfOurs => {
                let ours = ours(context);
                if let Some(our) = ours.get(place % ours.len().max(1)) {
                    links.insert(place % (length + 1), our.clone());
                }
            }
            Self::OtherFields => {
                context["spec"]["metadata"]["commit"] = json!(n.to_string());
                context["spec"]["postDeploymentTasks"] = json!([n.to_string(), "report"]);
                context["metadata"]["labels"]["release"] = json!(n.to_string());
                context["metadata"]["annotations"]["team/note"] = json!(n.to_string());
            }
            Self::TakeOne | Self::Reorder => {}
        }
        context["spec"]["spanLinks"] = json!(links);
    }
}
