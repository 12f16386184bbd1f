//! What has to hold when everything has come to rest, told from the truth and from a run of the
//! same story in which nothing went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use timeline::base::Phase;
use timeline::chain::Chain;
use timeline::dora::{Settings, Window, figures_of};
use timeline::journal::{Exported, Journal, MarkKind};
use timeline::ledger::{Id, Ledger};
use timeline::outbox::Stage;
use timeline::{Key, spans};

use crate::world::{World, attempt_key};

/// How much of a journal has to be as if nothing had gone wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alike {
    /// All of it.
    Equal,
    /// All but the mark that versions may have passed unseen.
    ButForGaps,
    /// Which attempt it was, what became of it, and what cannot be forgotten.
    InEssence,
}

impl World<'_> {
    pub(crate) fn must_be_right(&self, undisturbed: &World<'_>) {
        let operator = self.operator.as_ref().expect("it runs in the end");
        assert_eq!(operator.delivery().0, 0, "journals are left in memory");
        assert_eq!(
            operator.behind(),
            timeline::outbox::Behind::default(),
            "something is owed for ever"
        );
        self.attempts_must_be_done();
        self.spans_must_be_those_of_the_journals();
        for tried in &self.story.truth {
            let identity = &tried.identity;
            if self.dropped.contains(&identity.rollout_uid) {
                continue;
            }
            let key = attempt_key(identity);
            let Some(stored) = self.server.ever.get(&key) else {
                panic!("{key} was never stored: {identity:?}");
            };
            assert_eq!(stored.journal.identity, *identity);
            let unknown = self.forgot && stored.journal.phase == Phase::Unknown;
            assert!(
                unknown || stored.journal.phase == tried.outcome,
                "the outcome of {key} is {:?}, and not {:?}",
                stored.journal.phase,
                tried.outcome
            );
            if unknown {
                continue;
            }
            let expected = &undisturbed.server.ever[&key].journal;
            self.must_be_alike(&key, &stored.journal, expected);
        }
        self.chains_must_be_true();
        self.ledgers_must_be_complete();
        self.ledgers_must_be_shown();
    }

    fn attempts_must_be_done(&self) {
        for (key, stored) in &self.server.ever {
            let journal = &stored.journal;
            let identity = &journal.identity;
            // Argo numbers a revision anew when somebody goes back to it, which nobody saw here.
            let dropped = self.dropped.contains(&identity.rollout_uid);
            let known = self.story.truth.iter().any(|tried| {
                let it = &tried.identity;
                (&it.rollout_uid, &it.hash) == (&identity.rollout_uid, &identity.hash)
                    && (dropped || it.revision == identity.revision && identity.number <= it.number)
            });
            assert!(known, "{key} never was: {identity:?}");
            assert!(self.taken || !self.server.made_again.contains(key), "{key} was stored anew");
            let taken = self.taken && !self.server.attempts.contains_key(key);
            assert!(
                stored.stage == Stage::Done || taken,
                "{key} is {:?}: {journal:#?}",
                stored.stage
            );
            assert_ne!(journal.phase, Phase::Progressing, "{key}");
        }
    }

    /// Each closed entry of each journal has arrived, and nothing else has.
    fn spans_must_be_those_of_the_journals(&self) {
        let mut arrived: BTreeSet<_> = self.collector.spans.keys().copied().collect();
        for (key, stored) in self.server.ever.iter().filter(|(_, it)| it.stage == Stage::Done) {
            let journal = &stored.journal;
            assert_eq!(journal.root_closed, Some(journal.closed), "{key}: the root is the last");
            let batch = spans::of(journal, 0, journal.closed);
            let spans = batch.as_ref().map(|batch| batch.spans.as_slice()).unwrap_or_default();
            let numbers: BTreeSet<u32> = spans.iter().map(|span| span.closed).collect();
            assert_eq!(numbers.len(), journal.closed as usize, "{key}: every entry has a span");
            let mut refused = 0;
            for span in spans {
                if self.collector.dislikes(span) {
                    refused += 1;
                    continue;
                }
                let there = self.collector.spans.get(&(span.trace, span.id));
                let there = there.map(|(span, _)| span);
                assert_eq!(there, Some(span), "{key}: a span is missing or another");
                arrived.remove(&(span.trace, span.id));
            }
            assert_eq!(journal.exported.refused, refused, "{key}: refused spans are counted");
        }
        let left: Vec<_> =
            arrived.iter().map(|id| &self.collector.spans[id].0).map(|it| &it.name).collect();
        assert!(left.is_empty() || self.taken, "spans of nothing that is stored: {left:?}");
    }

    fn must_be_alike(&self, key: &Key, stored: &Journal, expected: &Journal) {
        let alike = match (self.crashes, self.lossy) {
            _ if self.taken => Alike::InEssence,
            (0, false) => Alike::Equal,
            (_, false) => Alike::ButForGaps,
            _ => Alike::InEssence,
        };
        let (mut stored, mut expected) = (stored.clone(), expected.clone());
        let gap = stored.marks.iter().any(|mark| mark.kind == MarkKind::Gap);
        for journal in [&mut stored, &mut expected] {
            journal.exported = Exported::default();
            if alike != Alike::Equal {
                journal.marks.retain(|mark| mark.kind != MarkKind::Gap);
            }
        }
        if alike != Alike::InEssence {
            assert_eq!(stored, expected, "{key} is not {alike:?}");
            return;
        }
        let cause = |journal: &Journal| journal.failure.as_ref().map(|failure| failure.class);
        // While nobody looked a retry may have taken the reason away.
        if !self.was_away() {
            assert_eq!(cause(&stored), cause(&expected), "why {key} failed");
        }
        // With a Rollout that is deleted go its AnalysisRuns.
        if !(self.was_away() && expected.phase == Phase::Deleted) {
            assert_eq!(runs(&stored), runs(&expected), "the analyses of {key}");
        }
        let passed = |journal: &Journal| -> BTreeSet<u32> {
            journal.steps.iter().map(|step| step.index).collect()
        };
        // An abort takes Argo back to the first step, another revision takes all away. If that is
        // applied already, the status tells of steps that nobody plans any more.
        let decided = expected.phase == Phase::Promoted && !self.was_away() && !gap;
        let (is, was) = (passed(&stored), passed(&expected));
        assert!(
            if decided { is == was } else { is.is_subset(&was) },
            "the steps of {key}: {is:?}, and not {was:?}"
        );
        if !self.was_long_away() && expected.phase != Phase::Deleted {
            assert_eq!(stored.placed, expected.placed, "where the spans of {key} belong");
        }
        if !self.was_long_away() && !self.forgot {
            assert_eq!(stored.links, expected.links, "what {key} links to");
        }
    }

    /// Every attempt that is over has one line, and no line is without its attempt.
    /// Gauges say what is stored, whatever was told first.
    fn ledgers_must_be_shown(&self) {
        let quarter = Window::days(90, self.now).unwrap();
        let of = |ledger: &Ledger| figures_of([ledger], [quarter], &Settings::default());
        for rollout in self.rollouts.keys() {
            let stored = self.server.trace(rollout).and_then(|trace| trace.ledger.as_deref());
            let shown = self.shown.get(rollout).map(Arc::as_ref);
            assert_eq!(shown.map(of), stored.map(of), "the figures of {rollout} that are shown");
        }
        for rollout in self.shown.keys() {
            assert!(self.rollouts.contains_key(rollout), "{rollout} is gone and still shown");
        }
    }

    fn ledgers_must_be_complete(&self) {
        for (rollout, uid) in &self.rollouts {
            let told = self.server.trace(rollout).and_then(|trace| trace.ledger.as_ref());
            let Some(ledger) = told.filter(|ledger| ledger.rollout_uid() == uid) else {
                panic!("{rollout} has no ledger");
            };
            let lines: BTreeMap<_, _> =
                ledger.lines().iter().map(|line| (line.id.clone(), line.outcome)).collect();
            assert_eq!(lines.len(), ledger.lines().len(), "{rollout}: an attempt has two lines");
            let of = |key: &Key, journal: &Journal| {
                let identity = &journal.identity;
                let id = Id::new(identity.revision, identity.number, &identity.hash);
                let left = self.server.attempts.contains_key(key);
                (identity.rollout_uid == *uid).then_some((id, (journal.phase, left)))
            };
            let ever = self.server.ever.iter();
            let ever: BTreeMap<_, _> =
                ever.filter_map(|(key, stored)| of(key, &stored.journal)).collect();
            // What is told once more is what was rebuilt.
            let rebuilt = self.forgot && self.crashes > 0;
            for (id, (phase, left)) in &ever {
                let line = lines.get(id);
                assert!(
                    line == Some(phase) || (rebuilt && !left && line.is_none()),
                    "{rollout}: the line of {id} says {line:?}, and not {phase}"
                );
            }
            for id in lines.keys() {
                assert!(ever.contains_key(id), "{rollout}: {id} has a line and never was");
            }
        }
    }

    /// Chains in memory and in RolloutTraces say what was.
    fn chains_must_be_true(&self) {
        for (rollout, uid) in &self.rollouts {
            if self.dropped.contains(uid.as_str()) || (self.forgot && self.crashes > 0) {
                continue;
            }
            let truth: Vec<_> = self
                .story
                .truth
                .iter()
                .rev()
                .filter(|tried| tried.identity.rollout_uid == *uid)
                .map(|it| (it.identity.revision, it.identity.number, it.outcome))
                .collect();
            let operator = self.operator.as_ref().expect("it runs in the end");
            let known = operator.chain(rollout).map(Chain::attempts).unwrap_or_default();
            let told = self.server.trace(rollout).map(|trace| trace.attempts.as_slice());
            for attempts in [known, told.unwrap_or_default()] {
                let lines: Vec<_> =
                    attempts.iter().map(|it| (it.revision, it.number, it.phase)).collect();
                let same = lines.len() <= truth.len()
                    && truth[..lines.len().min(10)] == lines[..lines.len().min(10)];
                assert!(
                    same && lines.len() == truth.len().min(lines.len().max(10)),
                    "the chain of {rollout} is {lines:?}, and not {truth:?}"
                );
            }
        }
    }
}

/// What analyses came to.
fn runs(journal: &Journal) -> BTreeMap<&str, (u32, usize)> {
    let run = |analysis: &timeline::journal::Analysis| {
        (analysis.step.unwrap_or_default(), analysis.metrics.len())
    };
    journal.analyses.iter().map(|analysis| (analysis.uid.as_str(), run(analysis))).collect()
}
