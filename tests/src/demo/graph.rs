//! A Rollout's chain, drawn: what was live on the left, what failed beside it.

use api::rollout_trace::{ChainEntry, Follow, LinkState, Phase};

use super::style::{Style, Tone};
use crate::chain::ids;

/// The lines of a chain, newest first, as it stands in a RolloutTrace.
pub(crate) fn draw(chain: &[ChainEntry], style: Style) -> Vec<String> {
    let heading =
        format!("    {:<4}  {:<8}  {:<11}  {:<32}  follows", "rev", "version", "outcome", "trace");
    let mut lines = vec![style.paint(Tone::Dim, &heading)];
    for (index, entry) in chain.iter().enumerate() {
        let above = index.checked_sub(1).and_then(|index| chain.get(index));
        let below = chain.get(index + 1);
        lines.push(row(entry, above.is_some(), below.is_some(), chain, style));
        if let Some(below) = below {
            let edge = edge(entry, below, above.is_some());
            lines.push(style.paint(Tone::Dim, edge));
        }
    }
    lines
}

fn row(entry: &ChainEntry, above: bool, below: bool, chain: &[ChainEntry], style: Style) -> String {
    let (tone, mark) = match entry.phase {
        Phase::Promoted => (Tone::Good, "●"),
        Phase::Progressing => (Tone::Busy, "○"),
        _ => (Tone::Bad, "✗"),
    };
    let mark = style.paint(tone, mark);
    let lane = if above && below { "│" } else { " " };
    let graph = if is_live(entry) {
        format!("{mark}  ")
    } else {
        format!("{} {mark}", style.paint(Tone::Dim, lane))
    };
    let keptn = entry.keptn.as_ref();
    let version = keptn.map_or("?", |keptn| &*keptn.version);
    let outcome = style.paint(tone, &format!("{:<11}", outcome(entry.phase)));
    let trace = keptn.and_then(|keptn| ids(keptn.traceparent.as_deref()?));
    let trace = trace.map_or_else(|| "-".to_owned(), |(trace, _)| trace);
    format!(
        "{graph} {:<4}  {version:<8}  {outcome}  {trace:<32}  {}",
        numbered(entry.revision, entry.attempt),
        follows(entry, chain, style),
    )
}

fn follows(entry: &ChainEntry, chain: &[ChainEntry], style: Style) -> String {
    if entry.follows.is_empty() {
        return style.paint(Tone::Dim, "nothing: the first");
    }
    let names: Vec<_> = entry.follows.iter().map(|follow| called(follow, chain)).collect();
    let names = names.join(" and ");
    let state = match entry.linked.state {
        LinkState::Applied => return names,
        LinkState::Requested => "not confirmed yet",
        LinkState::Lost => "Keptn made its span without the link",
        LinkState::None => "not linked",
    };
    let state = style.paint(Tone::Bad, &format!("({state})"));
    format!("{names} {state}")
}

fn called(follow: &Follow, chain: &[ChainEntry]) -> String {
    let phase = chain.iter().find(|entry| is(entry, follow));
    let name = match &follow.version {
        Some(version) => version.clone(),
        None => format!("revision {}", numbered(follow.revision, follow.attempt)),
    };
    match phase.map(|entry| entry.phase) {
        Some(Phase::Promoted) | None => name,
        Some(phase) => format!("the {} {name}", outcome(phase)),
    }
}

// From an attempt to the one below it. What failed stands in the second column, between what was
// live before it and what came after.
fn edge(upper: &ChainEntry, lower: &ChainEntry, above: bool) -> &'static str {
    let linked = upper.follows.iter().any(|follow| is(lower, follow));
    match (is_live(upper), is_live(lower)) {
        (true, false) if linked => "├─╮",
        (false, true) if above => "├─╯",
        (false, true) => "╭─╯",
        (false, false) if linked && above => "│ │",
        (false, false) if linked => "  │",
        _ => "│",
    }
}

fn is_live(entry: &ChainEntry) -> bool {
    entry.phase == Phase::Promoted
}

fn is(entry: &ChainEntry, follow: &Follow) -> bool {
    (entry.revision, entry.attempt, &entry.hash) == (follow.revision, follow.attempt, &follow.hash)
}

/// A phase in the words of a sentence.
pub(crate) fn outcome(phase: Phase) -> &'static str {
    match phase {
        Phase::Progressing => "unfinished",
        Phase::Promoted => "promoted",
        Phase::Aborted => "aborted",
        Phase::Superseded => "superseded",
        Phase::Reverted => "reverted",
        Phase::Deleted => "deleted",
        Phase::Unknown => "unknown",
    }
}

fn numbered(revision: i64, attempt: i32) -> String {
    match attempt {
        1 => revision.to_string(),
        attempt => format!("{revision}#{attempt}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::attempt;
    use super::*;

    fn drawn(chain: &[ChainEntry]) -> Vec<String> {
        let newest_first: Vec<_> = chain.iter().rev().cloned().collect();
        let lines = draw(&newest_first, Style::plain());
        lines[1..].iter().map(|line| line.trim_end().into()).collect()
    }

    #[test]
    fn a_fix_joins_what_is_live_and_what_failed() {
        let chain = [
            attempt(3, Phase::Promoted, &[]),
            attempt(4, Phase::Aborted, &[3]),
            attempt(5, Phase::Promoted, &[3, 4]),
        ];
        let trace = |number: u8| format!("{number:032x}");
        let expected = [
            format!("●   5     5.0.0     promoted     {}  3.0.0 and the aborted 4.0.0", trace(5)),
            "├─╮".into(),
            format!("│ ✗ 4     4.0.0     aborted      {}  3.0.0", trace(4)),
            "├─╯".into(),
            format!("●   3     3.0.0     promoted     {}  nothing: the first", trace(3)),
        ];
        assert_eq!(drawn(&chain), expected);
        assert!(expected.iter().all(|line| line.chars().count() <= 98));
    }

    #[test]
    fn nothing_is_above_the_newest() {
        let chain = [
            attempt(1, Phase::Promoted, &[]),
            attempt(2, Phase::Promoted, &[1]),
            attempt(3, Phase::Aborted, &[2]),
            attempt(4, Phase::Progressing, &[2, 3]),
        ];
        let graph: Vec<String> = drawn(&chain)
            .iter()
            .map(|line| line.chars().take(3).collect::<String>().trim_end().into())
            .collect();
        assert_eq!(graph, ["  ○", "  │", "│ ✗", "├─╯", "●", "│", "●"]);
    }

    #[test]
    fn a_link_that_did_not_come_about_is_said() {
        let mut late = attempt(2, Phase::Promoted, &[1]);
        late.linked.state = LinkState::Lost;
        let chain = [attempt(1, Phase::Promoted, &[]), late];
        let line = &drawn(&chain)[0];
        assert!(line.ends_with("1.0.0 (Keptn made its span without the link)"), "{line}");
    }
}
