//! The chain as Jaeger holds it: for each revision the root span of its KeptnAppVersion, and the
//! AppDeploy spans that it follows from.

use std::collections::{BTreeMap, BTreeSet};

use api::rollout_trace::{ChainEntry, Phase};

use super::graph::outcome;
use super::story::Release;
use super::style::{Style, Tone};
use crate::chain::ids;
use crate::cluster::Error;
use crate::jaeger::{Jaeger, Reference, Span, Trace};

// What stands left of the arrows.
const WIDTH: usize = 39;

/// The chain of a Rollout, newest first, and the app that Keptn takes it for a part of.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) app: &'static str,
    pub(crate) rollout: &'static str,
    pub(crate) entries: Vec<ChainEntry>,
}

/// What Jaeger says of one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    rollout: &'static str,
    version: String,
    phase: Option<Phase>,
    root: String,
    references: Vec<Seen>,
    /// What is not as it should be, each a sentence.
    pub(crate) faults: Vec<String>,
}

/// A span that a root follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// The attempts whose AppDeploy span it is, those of the Rollout itself first.
    of: Vec<Owner>,
    /// Whether Jaeger has it, and it is called AppDeploy.
    there: bool,
    span: String,
}

/// An attempt whose AppDeploy span is linked to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    rollout: &'static str,
    version: String,
    phase: Phase,
}

/// Reads the releases of a Rollout, oldest first. `chains` are those of all Rollouts, `traces` are
/// by their id.
pub(crate) fn read(
    chain: &Chain,
    releases: &[Release],
    chains: &[Chain],
    traces: &BTreeMap<String, Trace>,
) -> Vec<Reading> {
    let one = |release| reading(chain, release, chains, traces);
    releases.iter().map(one).collect()
}

/// The traces of all attempts, and those that their spans link to.
pub(crate) async fn traces(
    chains: &[Chain],
    jaeger: &Jaeger,
) -> Result<BTreeMap<String, Trace>, Error> {
    let entries = chains.iter().flat_map(|chain| &chain.entries);
    let mut wanted: BTreeSet<String> =
        entries.filter_map(|entry| anchor(entry).map(|(trace, _)| trace)).collect();
    let mut traces: BTreeMap<String, Trace> = BTreeMap::new();
    while let Some(id) = wanted.pop_first() {
        let Some(trace) = jaeger.trace(&id).await? else {
            continue;
        };
        let links = trace.spans.iter().flat_map(Span::links);
        let new = links.filter(|link| !traces.contains_key(&link.trace_id) && link.trace_id != id);
        wanted.extend(new.map(|link| link.trace_id.clone()));
        traces.insert(id, trace);
    }
    Ok(traces)
}

fn reading(
    chain: &Chain,
    release: &Release,
    chains: &[Chain],
    traces: &BTreeMap<String, Trace>,
) -> Reading {
    let mut reading = Reading {
        rollout: chain.rollout,
        version: release.version.into(),
        phase: None,
        root: String::new(),
        references: Vec::new(),
        faults: Vec::new(),
    };
    if let Err(fault) = fill(&mut reading, chain, chains, traces) {
        reading.faults.push(fault);
        return reading;
    }
    let expected = if release.bad { Phase::Aborted } else { Phase::Promoted };
    if reading.phase != Some(expected) {
        let is = reading.phase.map_or("unknown", outcome);
        reading.faults.push(format!("it is {is} and not {}", outcome(expected)));
    }
    let faults = compare(&reading, release);
    reading.faults.extend(faults);
    reading
}

fn fill(
    reading: &mut Reading,
    chain: &Chain,
    chains: &[Chain],
    traces: &BTreeMap<String, Trace>,
) -> Result<(), String> {
    let found = chain.entries.iter().find(|entry| version(entry) == Some(&reading.version));
    let entry = found.ok_or_else(|| {
        let Reading { rollout, version, .. } = &*reading;
        format!("RolloutTrace {rollout} knows nothing of {version}")
    })?;
    reading.phase = Some(entry.phase);
    let (trace, span) = anchor(entry).ok_or("Keptn made no trace of it")?;
    let name = entry.keptn.as_ref().and_then(|keptn| keptn.app_version.as_deref());
    let name = name.ok_or("it has no KeptnAppVersion of its own")?;
    name.clone_into(&mut reading.root);
    let found = traces.get(&trace);
    let found = found.ok_or_else(|| format!("Jaeger has no trace {trace}"))?;
    let root = found.spans.iter().find(|span| span.operation == name);
    let root = root
        .filter(|root| root.parent().is_none())
        .ok_or_else(|| format!("Jaeger has no root span {name} (trace {trace})"))?;
    if !is_there(&trace, &span, traces) {
        reading.faults.push(format!("Jaeger has no AppDeploy span {span} (trace {trace})"));
    }
    let seen = |link: &Reference| Seen {
        of: owners(link, chain, chains),
        there: is_there(&link.trace_id, &link.span_id, traces),
        span: link.span_id.clone(),
    };
    reading.references = root.links().map(seen).collect();
    reading
        .references
        .sort_by_key(|seen| seen.of.first().is_none_or(|of| of.rollout != chain.rollout));
    Ok(())
}

// The links of an app are those of all its Rollouts: what is not of this one is not counted.
fn compare(reading: &Reading, release: &Release) -> Vec<String> {
    let mut faults = Vec::new();
    let mut own = BTreeSet::new();
    for seen in &reading.references {
        let ours = seen.of.iter().filter(|of| of.rollout == reading.rollout);
        own.extend(ours.map(|of| &*of.version));
        if !seen.there {
            faults.push(format!("it follows span {}, which is not there", seen.span));
        } else if seen.of.is_empty() {
            faults.push(format!("it follows span {}, of no known revision", seen.span));
        }
    }
    let expected: BTreeSet<&str> = release.follows.iter().copied().collect();
    for missing in expected.difference(&own) {
        faults.push(format!("it does not follow the AppDeploy span of {missing}"));
    }
    for more in own.difference(&expected) {
        faults.push(format!("it follows {more} as well, which it should not"));
    }
    faults
}

// Rollouts that are released together share a KeptnAppVersion, and its spans.
fn owners(link: &Reference, chain: &Chain, chains: &[Chain]) -> Vec<Owner> {
    let mut of = Vec::new();
    for other in chains.iter().filter(|other| other.app == chain.app) {
        for entry in &other.entries {
            if anchor(entry)
                .is_some_and(|(trace, span)| (&trace, &span) == (&link.trace_id, &link.span_id))
            {
                of.push(Owner {
                    rollout: other.rollout,
                    version: version(entry).unwrap_or("?").to_owned(),
                    phase: entry.phase,
                });
            }
        }
    }
    of.sort_by_key(|owner| owner.rollout != chain.rollout);
    of
}

fn is_there(trace: &str, span: &str, traces: &BTreeMap<String, Trace>) -> bool {
    traces.get(trace).is_some_and(|trace| {
        let mut spans = trace.spans.iter();
        spans.any(|it| it.span_id == span && it.operation == "AppDeploy")
    })
}

fn version(entry: &ChainEntry) -> Option<&str> {
    Some(&entry.keptn.as_ref()?.version)
}

fn anchor(entry: &ChainEntry) -> Option<(String, String)> {
    ids(entry.keptn.as_ref()?.traceparent.as_deref()?)
}

impl Reading {
    /// What is wrong with it, with its name.
    pub(crate) fn said(&self) -> impl Iterator<Item = String> {
        let Self { rollout, version, .. } = self;
        self.faults.iter().map(move |fault| format!("{rollout} {version}: {fault}"))
    }

    /// Its lines: the root, then a line for each span that it follows.
    pub(crate) fn lines(&self, style: Style) -> Vec<String> {
        let (tone, mark) =
            if self.faults.is_empty() { (Tone::Good, "✓") } else { (Tone::Bad, "✗") };
        let mark = style.paint(tone, mark);
        let mut right = Vec::new();
        let own = |seen: &Seen| seen.of.iter().any(|of| of.rollout == self.rollout);
        if !self.references.iter().any(own) && self.faults.is_empty() {
            right.push(style.paint(Tone::Dim, "follows nothing: the first"));
        }
        right.extend(self.references.iter().map(|it| self.line(it, style)));
        let mut left = format!("{mark} {:<6}  {:<29}", self.version, self.root);
        let mut lines = Vec::new();
        for right in &right {
            lines.push(format!("{left} {right}"));
            left = " ".repeat(WIDTH);
        }
        if lines.is_empty() {
            lines.push(left);
        }
        let faults = self.faults.iter();
        lines.extend(faults.map(|fault| format!("    {}", style.paint(Tone::Bad, fault))));
        lines
    }

    fn line(&self, seen: &Seen, style: Style) -> String {
        let called = |owner: &Owner| {
            let mut name = owner.version.clone();
            if owner.phase != Phase::Promoted {
                name = format!("the {} {name}", outcome(owner.phase));
            }
            if owner.rollout != self.rollout {
                name = format!("{} {}", owner.rollout, owner.version);
            }
            name
        };
        let names: Vec<_> = seen.of.iter().map(called).collect();
        let names = match names.as_slice() {
            [] => "no known revision".into(),
            names => names.join(", "),
        };
        let word = if seen.there { "AppDeploy" } else { "span" };
        let own = seen.of.iter().any(|owner| owner.rollout == self.rollout);
        if own {
            let arrow = style.paint(Tone::Good, "─▶");
            let span = style.paint(Tone::Dim, &seen.span);
            return format!("{arrow} {word:<9} {span} of {names}");
        }
        let text = format!("─▶ {word:<9} {} of {names}", seen.span);
        style.paint(Tone::Dim, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{attempt, trace};
    use super::*;

    const RELEASES: [Release; 3] = [
        Release { version: "1.0.0", bad: false, follows: &[] },
        Release { version: "2.0.0", bad: true, follows: &["1.0.0"] },
        Release { version: "3.0.0", bad: false, follows: &["1.0.0", "2.0.0"] },
    ];

    fn chain(rollout: &'static str) -> Chain {
        let entries = vec![
            attempt(3, Phase::Promoted, &[1, 2]),
            attempt(2, Phase::Aborted, &[1]),
            attempt(1, Phase::Promoted, &[]),
        ];
        Chain { app: "shop", rollout, entries }
    }

    fn traces(links: [&[u8]; 3]) -> BTreeMap<String, Trace> {
        let trace = |(number, links): (u8, &&[u8])| {
            let trace = trace(number, links);
            (trace.id.clone(), trace)
        };
        (1..).zip(&links).map(trace).collect()
    }

    fn said(readings: &[Reading]) -> Vec<String> {
        readings.iter().flat_map(Reading::said).collect()
    }

    #[test]
    fn a_whole_chain_has_no_faults() {
        let chains = [chain("cart")];
        let readings = read(&chains[0], &RELEASES, &chains, &traces([&[], &[1], &[1, 2]]));
        assert_eq!(said(&readings), [""; 0]);
        let lines: Vec<_> = readings.iter().flat_map(|it| it.lines(Style::plain())).collect();
        let expected = [
            "✓ 1.0.0   shop-1                        follows nothing: the first",
            "✓ 2.0.0   shop-2                        ─▶ AppDeploy 00000000000000a1 of 1.0.0",
            "✓ 3.0.0   shop-3                        ─▶ AppDeploy 00000000000000a1 of 1.0.0",
            "                                        ─▶ AppDeploy 00000000000000a2 of the aborted 2.0.0",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_is_missing_and_what_is_too_much_is_named() {
        let chains = [chain("cart")];
        let readings = read(&chains[0], &RELEASES, &chains, &traces([&[], &[], &[2, 7]]));
        assert_eq!(
            said(&readings),
            [
                "cart 2.0.0: it does not follow the AppDeploy span of 1.0.0",
                "cart 3.0.0: it follows span 00000000000000a7, which is not there",
                "cart 3.0.0: it does not follow the AppDeploy span of 1.0.0",
            ]
        );
        let readings = read(&chains[0], &RELEASES, &chains, &traces([&[], &[1], &[1, 2, 3]]));
        let expected = ["cart 3.0.0: it follows 3.0.0 as well, which it should not"];
        assert_eq!(said(&readings), expected);
    }

    #[test]
    fn a_trace_that_jaeger_does_not_have_is_a_fault() {
        let chains = [chain("cart")];
        let mut traces = traces([&[], &[1], &[1, 2]]);
        traces.remove(&format!("{:032x}", 2));
        let readings = read(&chains[0], &RELEASES, &chains, &traces);
        let trace = "00000000000000000000000000000002";
        assert_eq!(
            said(&readings),
            [
                format!("cart 2.0.0: Jaeger has no trace {trace}"),
                "cart 3.0.0: it follows span 00000000000000a2, which is not there".into(),
            ]
        );
    }

    #[test]
    fn links_of_the_other_rollouts_of_the_app_are_named_and_not_counted() {
        let mut pay = chain("pay");
        pay.entries.truncate(1);
        pay.entries[0] = attempt(4, Phase::Promoted, &[]);
        let chains = [chain("cart"), pay];
        let mut traces = traces([&[], &[1], &[1, 4, 2]]);
        let (id, other) = (format!("{:032x}", 4), trace(4, &[]));
        traces.insert(id, other);
        let readings = read(&chains[0], &RELEASES, &chains, &traces);
        assert_eq!(said(&readings), [""; 0]);
        let lines = readings[2].lines(Style::plain());
        assert!(lines[2].ends_with("─▶ AppDeploy 00000000000000a4 of pay 4.0.0"), "{lines:?}");
    }
}
