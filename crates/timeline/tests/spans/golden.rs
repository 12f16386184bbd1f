//! What the spans of a few journals look like, to the byte.

use std::fmt::Write;
use std::path::Path;

use timeline::spans;
use timeline::spans::{Attribute, Batch, Parent, Span, Value};

use crate::rich;

fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Texts(texts) => format!("{texts:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
    }
}

fn list(out: &mut String, attributes: &[Attribute]) {
    for attribute in attributes {
        writeln!(out, "    {} = {}", attribute.key, value(&attribute.value)).unwrap();
    }
}

fn one(out: &mut String, span: &Span) {
    writeln!(out, "\n{}. {} ({:?})", span.closed, span.name, span.kind).unwrap();
    writeln!(out, "  trace {} span {}", span.trace, span.id).unwrap();
    if let Some(Parent { id, remote }) = span.parent {
        writeln!(out, "  parent {id}{}", if remote { ", remote" } else { "" }).unwrap();
    }
    writeln!(out, "  {} to {}", span.start, span.end).unwrap();
    if let Some(error) = &span.error {
        writeln!(out, "  error {error:?}").unwrap();
    }
    list(out, &span.attributes);
    for event in &span.events {
        writeln!(out, "  event {} at {}", event.name, event.at).unwrap();
        list(out, &event.attributes);
    }
    for link in &span.links {
        writeln!(out, "  link {}", link.to).unwrap();
        list(out, &link.attributes);
    }
}

fn render(batch: &Batch) -> String {
    let mut out = "resource\n".to_owned();
    list(&mut out, &batch.resource);
    for span in &batch.spans {
        one(&mut out, span);
    }
    out
}

/// Whoever changes them on purpose changes `DOMAIN` of the ids as well, and copies the new text.
#[test]
fn the_spans_of_these_journals_are_what_they_always_were() {
    let mut others = Vec::new();
    for (name, journal) in rich::all() {
        let made = render(&spans::of(&journal, 0, journal.closed).unwrap());
        let file = format!("{name}.txt");
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spans/golden").join(&file);
        if std::fs::read_to_string(&golden).unwrap_or_default() != made {
            let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&file);
            std::fs::write(&new, made).unwrap();
            others.push(format!("diff {} {}", golden.display(), new.display()));
        }
    }
    assert!(others.is_empty(), "the spans are others now:\n{}", others.join("\n"));
}
