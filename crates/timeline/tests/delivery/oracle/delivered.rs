//! Everything that is stored has left, once, and nothing is owed for ever.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use timeline::base::{Moment, Phase};
use timeline::journal::{Analysis, Exported, Journal, MarkKind};
use timeline::outbox::Stage;
use timeline::spans;

use super::Findings;
use crate::api_server::StoredAttempt as Stored;
use crate::argo::Tried;
use crate::world::World;

impl World<'_> {
    pub(super) fn judge_delivery(&self, findings: &Findings) {
        let operator = self.operator.as_ref().expect("it runs in the end");
        let ever = self.server.ever.values();
        let wait = ever.filter(|it| self.waits_for_traffic(&it.journal)).count();
        findings.rule("memory", operator.delivery().0 <= wait, || {
            format!("{} journals are left in memory, and {wait} wait", operator.delivery().0)
        });
        findings.rule("owed", operator.behind() == timeline::outbox::Behind::default(), || {
            format!("something is owed for ever: {:?}", operator.behind())
        });
        for (key, stored) in &self.server.ever {
            let again = self.server.made_again.contains(key);
            // A request of an earlier process made it done, which looks as if it was deleted. The
            // garbage collector takes what is stored again of a Rollout that is gone.
            let uid = &stored.journal.identity.rollout_uid;
            let collected = self.late && !self.rollouts.values().any(|it| *uid == **it);
            findings.rule("made again", self.taken || collected || !again, || {
                format!("{key} was stored anew")
            });
            let taken =
                (self.taken || self.server.terminating) && !self.server.attempts.contains_key(key);
            let done = stored.stage == Stage::Done || self.waits_for_traffic(&stored.journal);
            findings.rule("done", done || taken, || {
                format!("{key} is {:?}: {:?}", stored.stage, stored.journal)
            });
            let gone = self.server.terminating;
            findings.rule("decided", gone || stored.journal.phase != Phase::Progressing, || {
                format!("{key} is under way for ever")
            });
        }
        self.judge_spans(findings);
    }

    /// All of its spans have left, but its traffic is not back, and may never be.
    fn waits_for_traffic(&self, journal: &Journal) -> bool {
        let tried = self.story.truth.iter().rfind(|it| it.identity == journal.identity);
        let waits = |it: &Tried| it.hit.is_some() && it.settled.is_none() && it.gone.is_none();
        // What is stored may be of later tries too.
        let merged = |tried: &Tried| {
            let mut next = self.next_tries(tried);
            next.any(|next| waits(next) && self.merged_tries(next).any(|it| it.key == tried.key))
        };
        journal.root_closed.is_some() && tried.is_some_and(|it| waits(it) || merged(it))
    }

    /// Each closed entry of each journal has arrived, and nothing else has.
    fn judge_spans(&self, findings: &Findings) {
        let mut arrived: BTreeSet<_> = self.collector.spans.keys().copied().collect();
        let over = |it: &&Stored| it.stage == Stage::Done || self.waits_for_traffic(&it.journal);
        for (key, stored) in self.server.ever.iter().filter(|(_, it)| over(it)) {
            let journal = &stored.journal;
            findings.rule("root", journal.root_closed == Some(journal.closed), || {
                format!("{key}: the root is not the last")
            });
            let batch = spans::of(journal, 0, journal.closed);
            let spans = batch.as_ref().map(|batch| batch.spans.as_slice()).unwrap_or_default();
            let numbers: BTreeSet<u32> = spans.iter().map(|span| span.closed).collect();
            findings.rule("entries", numbers.len() == journal.closed as usize, || {
                format!("{key}: an entry has no span")
            });
            let mut refused = 0;
            // A person took it away before the count was stored.
            let uncounted = self.taken && !self.server.attempts.contains_key(key);
            for span in spans {
                if self.collector.dislikes(span) {
                    refused += 1;
                    continue;
                }
                let there = self.collector.spans.get(&(span.trace, span.id));
                let there = there.map(|(span, _)| span);
                findings.rule("spans", there == Some(span), || {
                    format!("{key}: a span is missing or another: {} {there:?}", span.name)
                });
                arrived.remove(&(span.trace, span.id));
            }
            findings.rule("refused", journal.exported.refused == refused || uncounted, || {
                format!("{key}: refused spans are not counted")
            });
        }
        let left: Vec<_> =
            arrived.iter().map(|id| &self.collector.spans[id].0).map(|it| &it.name).collect();
        findings.rule("strays", left.is_empty() || self.taken || self.server.terminating, || {
            format!("spans of nothing that is stored: {left:?}")
        });
    }

    /// What was not missed is to the last byte as if nothing had gone wrong; of what somebody may
    /// have missed the essence is.
    pub(super) fn judge_likeness(
        &self,
        findings: &Findings,
        tried: &Tried,
        stored: &Journal,
        expected: &Journal,
    ) {
        let key = &tried.key;
        if !self.lossy && !self.taken {
            let (mut stored, mut expected) = (stored.clone(), expected.clone());
            for journal in [&mut stored, &mut expected] {
                journal.exported = Exported::default();
                if self.crashes > 0 || self.forgot {
                    journal.marks.retain(|mark| mark.kind != MarkKind::Gap);
                }
                // To a new process the line of a return may be all that is left of its first
                // attempt: it has the first digits.
                if let Some(commit) = &mut journal.facts.commit {
                    commit.truncate(12);
                }
                // A new process sees pods when it looks at them, and Events when they can be read.
                if let Some(failure) = journal.failure.as_mut() {
                    failure.at = Moment::observed(Timestamp::UNIX_EPOCH);
                }
            }
            findings.rule("alike", stored == expected, || {
                let (is, was) = (format!("{stored:#?}"), format!("{expected:#?}"));
                let lines = is.lines().zip(was.lines()).filter(|(is, was)| is != was);
                let lines: Vec<_> = lines.take(6).collect();
                format!("{key} is another than if nothing goes wrong: {lines:?}")
            });
            return;
        }
        // With a Rollout that is deleted go its AnalysisRuns.
        let gone = self.was_away() && expected.phase == Phase::Deleted;
        if !gone && !self.partly_unseen(tried) {
            let same = runs(stored) == runs(expected);
            findings.rule("analyses", same, || format!("the analyses of {key} are others"));
        }
        if self.never_blind(&tried.identity.rollout) && !self.forgot && !self.server.terminating {
            let same = stored.placed == expected.placed && stored.links == expected.links;
            findings.rule("placed", same, || format!("the spans of {key} are elsewhere"));
        }
    }
}

/// What analyses came to.
fn runs(journal: &Journal) -> BTreeMap<&str, (u32, usize)> {
    let run = |analysis: &Analysis| (analysis.step.unwrap_or_default(), analysis.metrics.len());
    journal.analyses.iter().map(|analysis| (analysis.uid.as_str(), run(analysis))).collect()
}
