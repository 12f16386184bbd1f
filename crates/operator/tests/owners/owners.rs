//! What has to hold beside what holds for one owner.

use std::collections::{BTreeMap, BTreeSet};

use timeline::{Observation, Traceparent};

use crate::world::World;

/// What is held also where who leads stood still or was cut off, and then went on: nothing is lost,
/// doubled, made up or written by two. What it saw late has the time at which it was seen, and what
/// follows from times (outcomes of what passed meanwhile, exposure, figures) may be another.
const ALWAYS: [&str; 22] = [
    "chain",
    "decided",
    "done",
    "entries",
    "leads",
    "ledger",
    "lines",
    "made again",
    "memory",
    "missing",
    "one line",
    "one record",
    "one writer",
    "ours",
    "owed",
    "phantom",
    "refused",
    "rest",
    "root",
    "spans",
    "strays",
    "theirs",
];

impl World<'_> {
    /// All that is wrong, by rule.
    pub(crate) fn judged(
        &self,
        undisturbed: &World<'_>,
        examples: BTreeSet<&'static str>,
    ) -> BTreeMap<&'static str, String> {
        let findings = self.findings(undisturbed, examples);
        let back: Vec<_> = self.epochs.gone_back().collect();
        findings.rule("one writer", back.is_empty(), || {
            format!("an earlier leader wrote after a later one: {back:?}")
        });
        findings.rule("leads", self.without_lease.is_empty(), || {
            format!("requests left replicas that did not lead: {:?}", self.without_lease)
        });
        for (key, context) in &self.contexts.all {
            let theirs = |seen: &[String]| -> Vec<String> {
                seen.iter().filter(|link| link.starts_with("theirs")).cloned().collect()
            };
            let edits: Vec<_> =
                self.edits.iter().filter(|it| it.0 == *key).map(|it| &it.1).collect();
            let kept = theirs(&context.span_links);
            findings.rule("theirs", kept.iter().eq(edits.iter().copied()), || {
                format!("{key} holds {kept:?} of others, and not {edits:?}")
            });
            let made = self.traces_of_keptn();
            let ours = context.ours.iter();
            let strange: Vec<_> = ours
                .filter(|it| it.parse().is_ok_and(|it: Traceparent| !made.contains(&it)))
                .collect();
            findings.rule("ours", strange.is_empty(), || format!("{key} links to {strange:?}"));
        }
        if self.keys.iter().all(|rollout| self.never_blind(rollout)) {
            let ours = |world: &World<'_>| -> BTreeMap<_, BTreeSet<_>> {
                let there = world.contexts.all.iter().filter(|(_, seen)| !seen.ours.is_empty());
                there
                    .map(|(key, seen)| (key.clone(), seen.ours.iter().cloned().collect()))
                    .collect()
            };
            let (is, was) = (ours(self), ours(undisturbed));
            findings
                .rule("context", is == was, || format!("the links are {is:?}, and not {was:?}"));
        }
        let mut wrong = findings.unknown();
        if self.kept {
            wrong.retain(|rule, _| ALWAYS.contains(rule));
        }
        // What an earlier leader wrote late and the garbage collector took with its Rollout is stored
        // once more, as it was.
        let live = |uid: &str| self.rollouts.values().any(|known| known == uid);
        let mut again = self.server.made_again.iter().filter_map(|key| self.server.ever.get(key));
        if !again.any(|stored| live(&stored.journal.identity.rollout_uid)) {
            wrong.remove("made again");
        }
        wrong
    }

    fn traces_of_keptn(&self) -> BTreeSet<Traceparent> {
        let made = self.story.changes.iter().filter_map(|change| match &change.what {
            Observation::AppVersion(seen) => seen.app_deploy,
            _ => None,
        });
        made.collect()
    }
}
