//! A trace as lines, the way a person reads it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Span, Trace};

/// What a line says beside the name of the span, in this order.
const SHOWN: [&str; 12] = [
    "argo_rollouts.outcome",
    "argo_rollouts.step.setting",
    "argo_rollouts.step.result",
    "argo_rollouts.pause.kind",
    "argo_rollouts.pause.planned",
    "argo_rollouts.pause.resumed_by",
    "argo_rollouts.analysis.phase",
    "argo_rollouts.experiment.phase",
    "argo_rollouts.measurement.value",
    "argo_rollouts.measurement.phase",
    "argo_rollouts.weight.percent",
    "argo_rollouts.switch.to",
];

impl Trace {
    /// A span and all below it, a line each, indented by two blanks for each level:
    ///
    /// ```text
    /// rollout shop/cart aborted !analysis_failed
    ///   setWeight 20 completed
    ///   pause 30s completed
    ///     pause timed 30 timer
    /// ```
    ///
    /// Siblings stand in the order of their starts, but what Argo states to the second only stands
    /// behind what was observed to the millisecond: pauses, experiments, analyses.
    pub fn lines(&self, root: &Span) -> Vec<String> {
        let mut lines = Vec::new();
        self.add(root, 0, &mut BTreeSet::new(), &mut lines);
        lines
    }

    // A span that is below itself is shown once.
    fn add<'a>(
        &'a self,
        span: &'a Span,
        depth: usize,
        seen: &mut BTreeSet<&'a str>,
        lines: &mut Vec<String>,
    ) {
        if !seen.insert(&span.span_id) {
            return;
        }
        lines.push(format!("{:width$}{}", "", span.line(), width = depth * 2));
        let mut children: Vec<_> = self.children(span).collect();
        children.sort_by_key(|it| (it.rank(), it.start, it.step(), it.end()));
        for child in children {
            self.add(child, depth + 1, seen, lines);
        }
    }
}

impl Span {
    /// When it ended, in microseconds since the epoch.
    pub fn end(&self) -> u64 {
        self.start + self.duration
    }

    /// Its status is Error.
    pub fn is_error(&self) -> bool {
        self.tags.get("error") == Some(&Value::Bool(true))
    }

    /// Steps that are passed over in one go begin at the same time.
    fn step(&self) -> Option<i64> {
        self.tags.get("argo_rollouts.step.index").and_then(Value::as_i64)
    }

    fn rank(&self) -> u8 {
        let observed = !self.tags.contains_key("argo_rollouts.time.start.source");
        match &*self.operation {
            "become healthy" | "recover" => 4,
            // Steps follow each other, wherever that comes from.
            _ if observed || self.tags.contains_key("argo_rollouts.step.result") => 0,
            "pause" => 1,
            "experiment" => 2,
            _ => 3,
        }
    }

    /// Its name, its attributes in short, and after a `!` the type of its error.
    pub fn line(&self) -> String {
        let mut line = self.operation.clone();
        for key in SHOWN {
            match self.tags.get(key) {
                Some(Value::String(text)) => line.extend([" ", text]),
                Some(other) => line.extend([" ", &other.to_string()]),
                None => {}
            }
        }
        if self.is_error() {
            line.extend([" !", self.tag("error.type").unwrap_or("?")]);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jaeger::{Reference, ReferenceKind};

    fn span(id: &str, parent: &str, name: &str, start: u64, tags: Value) -> Span {
        let references = [parent].into_iter().filter(|it| !it.is_empty()).map(|parent| Reference {
            kind: ReferenceKind::ChildOf,
            trace_id: "t".into(),
            span_id: parent.into(),
        });
        Span {
            trace_id: "t".into(),
            span_id: id.into(),
            operation: name.into(),
            references: references.collect(),
            tags: serde_json::from_value(tags).unwrap(),
            start,
            duration: 1,
            events: Vec::new(),
            service: "cart".into(),
            resource: std::collections::BTreeMap::default(),
        }
    }

    #[test]
    fn a_trace_reads_like_a_tree() {
        let tags = json!({
            "argo_rollouts.time.start.source": "status", "argo_rollouts.analysis.phase": "Failed",
            "error": true, "error.type": "analysis_failed",
        });
        let step = json!({
            "argo_rollouts.step.result": "completed", "argo_rollouts.step.setting": "20",
        });
        let pause =
            json!({ "argo_rollouts.pause.kind": "timed", "argo_rollouts.pause.planned": 1 });
        let trace = Trace {
            id: "t".into(),
            spans: vec![
                span("a", "", "rollout shop/cart", 10, json!({})),
                span("b", "a", "background analysis", 1, tags),
                span("d", "c", "pause", 30, pause),
                span("e", "a", "setWeight", 11, step),
                span("c", "a", "pause", 20, json!({})),
            ],
        };
        let expected = [
            "rollout shop/cart",
            "  setWeight 20 completed",
            "  pause",
            "    pause timed 1",
            "  background analysis Failed !analysis_failed",
        ];
        assert_eq!(trace.lines(&trace.spans[0]), expected);
    }

    #[test]
    fn a_trace_that_bites_its_tail_has_an_end() {
        let spans = vec![span("a", "b", "a", 1, json!({})), span("b", "a", "b", 1, json!({}))];
        let trace = Trace { id: "t".into(), spans };
        assert_eq!(trace.lines(&trace.spans[0]), ["a", "  b"]);
    }
}
