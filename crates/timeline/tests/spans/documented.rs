//! `docs/spans.md` and the code say the same.

use std::collections::{BTreeMap, BTreeSet};

use timeline::spans;
use timeline::spans::{Attribute, Span, Value, attributes};

use crate::results::text;
use crate::rich;

const PAGE: &str = include_str!("../../../../docs/spans.md");

/// Rows of the table below a heading, cell by cell.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, rest) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let (_, rows) = section.split_once("|---|").unwrap();
    let rows = rows.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

fn unquoted(cell: &'static str) -> &'static str {
    cell.trim_matches('`')
}

/// The word for a kind of span in the column «on».
fn kind(span: &Span) -> &'static str {
    match span.name.as_str() {
        name if name.starts_with("rollout ") => "root",
        name if name.starts_with("measure ") => "measurement",
        name if name.starts_with("switch ") => "switch",
        "become healthy" | "recover" => "settling",
        _ if text(span, "cicd.pipeline.task.run.id").is_some_and(|id| id.starts_with("step/")) => {
            "step"
        }
        "pause" => "pause",
        "weight" => "weight",
        "experiment" => "experiment",
        _ => "analysis",
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "string",
        Value::Texts(_) => "string[]",
        Value::Integer(_) => "int",
        Value::Float(_) => "double",
        Value::Bool(_) => "boolean",
    }
}

/// Where each key occurs in the journals that have something of everything, and its type.
fn used() -> BTreeMap<&'static str, (BTreeSet<&'static str>, &'static str)> {
    let mut used = BTreeMap::new();
    let mut note = |on: &'static str, attributes: &[Attribute]| {
        for attribute in attributes {
            let (places, _): &mut (BTreeSet<_>, _) = used
                .entry(attribute.key)
                .or_insert_with(|| (BTreeSet::new(), type_of(&attribute.value)));
            places.insert(on);
        }
    };
    for (_, journal) in rich::all() {
        let batch = spans::of(&journal, 0, journal.closed).unwrap();
        note("resource", &batch.resource);
        for span in &batch.spans {
            note(kind(span), &span.attributes);
            span.events.iter().for_each(|event| note("event", &event.attributes));
            span.links.iter().for_each(|link| note("link", &link.attributes));
        }
    }
    used
}

#[test]
fn every_attribute_is_documented_where_it_occurs_and_no_other_is() {
    let documented: Vec<_> = table("Attributes");
    let keys: Vec<_> = documented.iter().map(|row| unquoted(row[0])).collect();
    let all: BTreeSet<_> = attributes::ALL.iter().copied().collect();
    assert_eq!(keys.iter().copied().collect::<BTreeSet<_>>(), all);
    assert_eq!(keys.len(), all.len(), "a key is documented twice");

    let used = used();
    for row in documented {
        let [key, on, value, meaning, source, example] = row[..] else {
            panic!("{row:?} has not six cells");
        };
        let (places, used_type) =
            used.get(unquoted(key)).unwrap_or_else(|| panic!("{key}: unused"));
        if on != "every span" {
            let on: BTreeSet<_> = on.split(", ").collect();
            assert_eq!(&on, places, "where {key} occurs");
        }
        assert_eq!(value, *used_type, "the type of {key}");
        for cell in [meaning, source, example] {
            assert!(!cell.is_empty(), "{key} is not explained");
        }
        let of_otel = !unquoted(key).starts_with("argo_rollouts.");
        assert_eq!(source.starts_with("semconv"), of_otel, "the source of {key}");
    }
}

#[test]
fn every_event_is_documented_and_occurs() {
    let documented: BTreeSet<_> = table("Events").iter().map(|row| unquoted(row[0])).collect();
    assert_eq!(documented, attributes::EVENTS.iter().copied().collect());
    let occurring: BTreeSet<_> = rich::all()
        .iter()
        .flat_map(|(_, journal)| spans::of(journal, 0, journal.closed).unwrap().spans)
        .flat_map(|span| span.events)
        .map(|event| event.name)
        .collect();
    assert_eq!(documented, occurring);
}

#[test]
fn every_name_of_a_span_is_documented() {
    let documented: BTreeSet<_> = table("Spans").iter().map(|row| unquoted(row[0])).collect();
    for (_, journal) in rich::all() {
        for span in spans::of(&journal, 0, journal.closed).unwrap().spans {
            let pattern = match kind(&span) {
                "root" => "rollout {namespace}/{name}",
                "measurement" => "measure {metric}",
                "step" => "{step}",
                _ => span.name.as_str(),
            };
            assert!(documented.contains(pattern), "{pattern} is not documented");
        }
    }
}

#[test]
fn every_class_of_failure_is_documented_as_an_error_type() {
    use timeline::failure::FailureClass as C;
    let documented: BTreeSet<_> = table("Error types").iter().map(|row| unquoted(row[0])).collect();
    let classes = [
        C::ImagePullFailed,
        C::OutOfMemory,
        C::CrashLoop,
        C::ContainerConfig,
        C::VolumeFailed,
        C::Unschedulable,
        C::QuotaExceeded,
        C::AdmissionRefused,
        C::ProbeFailed,
        C::AnalysisFailed,
        C::AnalysisError,
        C::AnalysisInconclusive,
        C::ExperimentFailed,
        C::PluginFailed,
        C::InvalidSpec,
        C::DeadlineExceeded,
        C::ManualAbort,
        C::Unknown,
    ];
    let found: BTreeSet<_> = classes
        .into_iter()
        .map(|class| {
            let mut journal = rich::bad_image_until_the_deadline();
            journal.failure.as_mut().unwrap().class = class;
            let root = spans::of(&journal, 0, journal.closed).unwrap().spans.pop().unwrap();
            text(&root, "error.type").unwrap().to_owned()
        })
        .collect();
    assert_eq!(documented, found.iter().map(String::as_str).collect());
}

#[test]
fn every_kind_of_link_is_documented() {
    use timeline::journal::{Link, LinkKind as K};
    let documented: BTreeSet<_> = table("Links").iter().map(|row| unquoted(row[0])).collect();
    let kinds = [K::PreviousRevision, K::RollsBack, K::RetryOf, K::Supersedes, K::After, K::Origin];
    let mut journal = rich::bad_image_until_the_deadline();
    journal.links =
        kinds.map(|kind| Link { traceparent: rich::trace(0xbbbb), kind }).into_iter().collect();
    let root = spans::of(&journal, 0, journal.closed).unwrap().spans.pop().unwrap();
    let found: Vec<_> = root.links.iter().flat_map(|link| &link.attributes).collect();
    let found: BTreeSet<_> = found
        .into_iter()
        .filter(|attribute| attribute.key == "argo_rollouts.link.kind")
        .map(|attribute| match &attribute.value {
            Value::Text(kind) => kind.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(documented, found);
}

/// The spans below one, as a person's viewer shows them: in order of their starts.
fn branches(spans: &[Span], below: &Span, indent: &str, lines: &mut Vec<String>) {
    let mut children: Vec<_> = spans
        .iter()
        .filter(|span| span.id != below.id && span.parent.is_some_and(|up| up.id == below.id))
        .collect();
    children.sort_by_key(|span| span.start);
    for (n, child) in children.iter().enumerate() {
        let (branch, deeper) =
            if n + 1 == children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let failed = if child.error.is_some() { "  ✗" } else { "" };
        lines.push(format!("{indent}{branch}{}{failed}", child.name));
        branches(spans, child, &format!("{indent}{deeper}"), lines);
    }
}

#[test]
fn the_picture_is_the_trace_of_the_canary_whose_analysis_fails() {
    let journal = rich::canary_whose_analysis_fails();
    let spans = spans::of(&journal, 0, journal.closed).unwrap().spans;
    let root = spans.last().unwrap();
    let indent = " ".repeat(3);
    let mut expected = vec![format!("{indent}└─ {}  ✗", root.name)];
    branches(&spans, root, &" ".repeat(6), &mut expected);

    let (_, picture) = PAGE.split_once("```text\n").unwrap();
    let (picture, _) = picture.split_once("```").unwrap();
    // Behind two spaces or more stands what a person would like to know.
    let drawn: Vec<_> = picture
        .lines()
        .skip(2)
        .map(|line| {
            let name = line.find(|c: char| !" │├└─".contains(c)).unwrap();
            let (tree, rest) = line.split_at(name);
            let (named, rest) = rest.split_once("  ").unwrap();
            format!("{tree}{named}{}", if rest.starts_with('✗') { "  ✗" } else { "" })
        })
        .collect();
    assert_eq!(drawn, expected);
}
