//! The documents of a manifest, and the Rollouts in them.

use serde_norway::{Mapping, Value};

use super::{AnnotateError, Facts, Place, edit};

/// A manifest with its Rollouts annotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotated {
    /// The manifest.
    pub text: String,
    /// `namespace/name` or `name` of each Rollout in it.
    pub rollouts: Vec<String>,
    /// Those of them whose document had to be rewritten, so that its comments are gone.
    pub rewritten: Vec<String>,
}

/// Adds the facts to each Rollout of the manifest; everything else stays byte for byte.
///
/// # Errors
/// If a document is no YAML, or a Rollout is not of a Rollout's shape.
pub fn annotate(manifest: &str, facts: &Facts, place: Place) -> Result<Annotated, AnnotateError> {
    let mut annotated = Annotated {
        text: String::with_capacity(manifest.len() + 1024),
        rollouts: Vec::new(),
        rewritten: Vec::new(),
    };
    let mut line = 1;
    for document in documents(manifest) {
        annotated.add(document, line, facts, place)?;
        line += document.lines().count();
    }
    Ok(annotated)
}

impl Annotated {
    fn add(
        &mut self,
        document: &str,
        line: usize,
        facts: &Facts,
        place: Place,
    ) -> Result<(), AnnotateError> {
        // What has no Rollout in it is not looked at closer: it need not even be YAML.
        if !document.contains("Rollout") {
            self.text.push_str(document);
            return Ok(());
        }
        let no_yaml = |error: serde_norway::Error| {
            let reason = timeline::base::text::bounded(&error.to_string(), 256);
            AnnotateError::NotYaml { line, reason }
        };
        let mut wanted: Value = serde_norway::from_str(document).map_err(no_yaml)?;
        let is_list = wanted.get("items").is_some();
        let mut names = Vec::new();
        for rollout in rollouts(&mut wanted) {
            let name = name(rollout);
            put(rollout, facts, place).map_err(|path| AnnotateError::Shape {
                rollout: name.clone(),
                line,
                path,
                other: match place {
                    Place::Rollout => "the pod template: --pod-template",
                    Place::PodTemplate => "the Rollout: without --pod-template",
                },
            })?;
            names.push(name);
        }
        if names.is_empty() {
            self.text.push_str(document);
            return Ok(());
        }
        let edited = if is_list { None } else { edit::insert(document, facts, place) };
        // Lines are believed only if they mean what was wanted, and nothing else.
        let same =
            |text: &String| serde_norway::from_str::<Value>(text).is_ok_and(|it| it == wanted);
        if let Some(edited) = edited.filter(same) {
            self.text.push_str(&edited);
        } else {
            if document.starts_with("---") {
                self.text.push_str("---\n");
            }
            self.text.push_str(&serde_norway::to_string(&wanted).map_err(no_yaml)?);
            self.rewritten.extend(names.iter().cloned());
        }
        self.rollouts.append(&mut names);
        Ok(())
    }
}

/// The documents, each with the line `---` that it begins with.
fn documents(manifest: &str) -> impl Iterator<Item = &str> {
    let mut rest = manifest;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut length = 0;
        for (number, line) in rest.split_inclusive('\n').enumerate() {
            let marker = line.strip_prefix("---");
            let begins =
                marker.is_some_and(|it| it.is_empty() || it.starts_with([' ', '\t', '\r', '\n']));
            if begins && number > 0 {
                break;
            }
            length += line.len();
        }
        let (document, after) = rest.split_at(length);
        rest = after;
        Some(document)
    })
}

fn is_rollout(value: &Value) -> bool {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    text("kind") == "Rollout" && text("apiVersion").starts_with("argoproj.io/")
}

/// The Rollout that it is, or those of the list that it is.
fn rollouts(document: &mut Value) -> Vec<&mut Value> {
    if is_rollout(document) {
        return vec![document];
    }
    let items = document.get_mut("items").and_then(Value::as_sequence_mut);
    items.into_iter().flatten().filter(|item| is_rollout(item)).collect()
}

fn name(rollout: &Value) -> String {
    let text = |key: &str| rollout.get("metadata")?.get(key)?.as_str();
    let name = text("name").or_else(|| text("generateName")).unwrap_or("without a name");
    match text("namespace") {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

/// Sets the annotations; what is no mapping on the way to them is the error.
fn put(rollout: &mut Value, facts: &Facts, place: Place) -> Result<(), &'static str> {
    let metadata = match place {
        Place::Rollout => child(rollout, "metadata", true).ok_or("metadata")?,
        Place::PodTemplate => {
            let spec = child(rollout, "spec", false).ok_or("spec")?;
            // One that takes its pods from elsewhere has none.
            let template = child(spec, "template", false).ok_or("spec.template")?;
            child(template, "metadata", true).ok_or("spec.template.metadata")?
        }
    };
    let annotations = child(metadata, "annotations", true).ok_or("annotations")?;
    let annotations = annotations.as_mapping_mut().ok_or("annotations")?;
    for (key, value) in facts.iter() {
        annotations.insert(Value::from(*key), Value::from(value.as_str()));
    }
    Ok(())
}

/// A mapping below another one, made if there is none.
fn child<'a>(parent: &'a mut Value, key: &str, make: bool) -> Option<&'a mut Value> {
    let parent = parent.as_mapping_mut()?;
    if make && parent.get(key).is_none_or(Value::is_null) {
        parent.insert(Value::from(key), Value::Mapping(Mapping::new()));
    }
    parent.get_mut(key).filter(|child| child.is_mapping())
}
