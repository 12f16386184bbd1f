//! Chains, lines of ledgers and figures, against what really happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use timeline::Key;
use timeline::base::{Phase, Source};
use timeline::dora::{Figures as Shown, Settings, Window, figures_of};
use timeline::ledger::{Exposed, Kind, Ledger, Line};

use super::Findings;
use super::attempts::is_about;
use crate::argo::{Purpose, Tried, whole};
use crate::lines::{entry_of_line, is_shown};
use crate::reckoning::{Entry, For, figures};
use crate::world::World;

impl World<'_> {
    /// Chains in memory and in RolloutTraces say what was.
    pub(super) fn judge_chains(&self, findings: &Findings) {
        for (rollout, uid) in &self.rollouts {
            if !self.never_blind(rollout) || self.forgot {
                continue;
            }
            let truth: Vec<_> = self
                .truth_of(uid)
                .rev()
                .map(|it| (it.identity.revision, it.identity.number, it.outcome))
                .collect();
            let operator = self.operator.as_ref().expect("it runs in the end");
            let known = operator.chain(rollout).unwrap_or_default();
            let stored = self.server.trace(rollout).map(|trace| trace.attempts.as_slice());
            for attempts in [known.attempts(), stored.unwrap_or_default()] {
                let lines: Vec<_> =
                    attempts.iter().map(|it| (it.revision, it.number, it.phase)).collect();
                let most = lines.len().min(10);
                let same = lines.len() <= truth.len() && truth[..most] == lines[..most];
                let all = lines.len() == truth.len().min(lines.len().max(10));
                findings.rule("chain", same && all, || {
                    format!("the chain of {rollout} is {lines:?}, and not {truth:?}")
                });
            }
        }
    }

    fn truth_of<'a>(&'a self, uid: &'a str) -> impl DoubleEndedIterator<Item = &'a Tried> {
        self.story.truth.iter().filter(move |it| it.is_of(uid))
    }

    pub(super) fn judge_ledgers(&self, findings: &Findings) {
        for rollout in self.shown.keys() {
            findings.rule("shown", self.rollouts.contains_key(rollout), || {
                format!("{rollout} is gone and still shown")
            });
        }
        for (rollout, uid) in &self.rollouts {
            let stored = self.server.trace(rollout).and_then(|trace| trace.ledger.as_ref());
            let Some(ledger) = stored.filter(|ledger| ledger.rollout_uid() == uid) else {
                findings.rule("ledger", false, || format!("{rollout} has no ledger"));
                continue;
            };
            let quarter = Window::days(90, self.now).unwrap();
            let of = |ledger: &Ledger| {
                let [figures] = figures_of([ledger], [quarter], &Settings::default());
                figures
            };
            let shown = self.shown.get(rollout).map(Arc::as_ref).map(of);
            let figures = of(ledger);
            findings.rule("shown", shown.as_ref() == Some(&figures), || {
                format!("the figures of {rollout} that are shown are not those that are stored")
            });
            self.judge_lines(findings, rollout, uid, ledger);
            self.judge_figures(findings, rollout, uid, ledger, &figures);
        }
    }

    /// Every attempt that is over has one line that says what its journal says, and no line is
    /// without its attempt.
    fn judge_lines(&self, findings: &Findings, rollout: &Key, uid: &str, ledger: &Ledger) {
        let lines: BTreeMap<_, _> = ledger
            .lines()
            .iter()
            .map(|line| ((line.id.revision, line.id.number, line.id.hash.as_str()), line))
            .collect();
        findings.rule("one line", lines.len() == ledger.lines().len(), || {
            format!("{rollout}: an attempt has two lines")
        });
        let rebuilt = self.forgot && self.crashes > 0;
        // What could not be read is not in it, and it says since when it knows.
        let unread = self.kinds.contains("our own resources are away");
        let mut known = Vec::new();
        for (key, ever) in &self.server.ever {
            let journal = &ever.journal;
            let identity = &journal.identity;
            if identity.rollout_uid != uid {
                continue;
            }
            let id = (identity.revision, identity.number, identity.hash.as_str());
            known.push(id);
            let Some(line) = lines.get(&id) else {
                let left = self.server.attempts.contains_key(key);
                let since = ledger.known_since();
                let before = since.is_some_and(|since| journal.started.at <= since);
                findings.rule("lines", ((rebuilt && !left) || unread) && before, || {
                    format!("{rollout}: {id:?} has no line, known since {since:?}")
                });
                continue;
            };
            let class = journal.failure.as_ref().map(|failure| failure.class);
            let class = class.filter(|_| journal.phase != Phase::Promoted);
            findings.rule(
                "one record",
                (line.outcome, line.class) == (journal.phase, class),
                || format!("{rollout}: the line says {line:?}, and the journal {journal:?}"),
            );
        }
        for id in lines.keys() {
            findings.rule("lines", known.contains(id), || {
                format!("{rollout}: {id:?} has a line and never was")
            });
        }
        for tried in self.truth_of(uid) {
            let identity = &tried.identity;
            let line = lines.get(&(identity.revision, identity.number, identity.hash.as_str()));
            if let Some(line) = line.filter(|line| line.outcome == tried.outcome) {
                self.judge_line(findings, tried, line);
            }
        }
    }

    fn judge_line(&self, findings: &Findings, tried: &Tried, line: &Line) {
        let rollout = &tried.identity.rollout;
        let hidden = tried.hit.is_some() && line.exposed == Exposed::No;
        findings
            .rule("line exposed", !hidden, || format!("{line} hides that users were hit: {tried}"));
        if !self.never_blind(rollout) || self.forgot || self.taken {
            return;
        }
        let (kind, purpose) = (line.kind, tried.purpose);
        findings.rule("kind", is_kind(kind, purpose), || {
            format!("{} is a {kind:?}, and not a {purpose:?}: {tried}", tried.key)
        });
        let replaces = line.replaces.map(|it| (it.revision, it.number));
        findings.rule("replaces", replaces == tried.replaces, || {
            format!("{} replaces {replaces:?}, and not {:?}", tried.key, tried.replaces)
        });
        let hit = tried.hit.is_some();
        let exposed = if hit { Exposed::Yes } else { Exposed::No };
        findings.rule("line exposed", line.exposed == exposed, || {
            format!("{} is exposed {:?}, and not {exposed:?}: {tried}", tried.key, line.exposed)
        });
        let (is, was) = (line.exposed_at, tried.hit);
        let about = match (is, was) {
            (Some(is), Some(was)) => is_about(is, was),
            (is, was) => is == was,
        };
        findings.rule("exposed since", about || purpose == Purpose::Initial, || {
            format!("{} is exposed since {is:?}, and not {was:?}: {tried}", tried.key)
        });
    }

    /// Figures are those of the truth, or say that they are not.
    fn judge_figures(
        &self,
        findings: &Findings,
        rollout: &Key,
        uid: &str,
        ledger: &Ledger,
        shown: &Shown,
    ) {
        let truth: Vec<_> = self.truth_of(uid).map(entry_of).collect();
        let truth = figures(&truth, None);
        let lines: Vec<_> = ledger.lines().iter().rev().map(entry_of_line).collect();
        let since = ledger.known_since().max(ledger.compacted().map(|mark| mark.at));
        let of_lines = figures(&lines, since.map(jiff::Timestamp::as_second));
        findings.rule("figures of lines", is_shown(shown, &of_lines, 0), || {
            let texts: Vec<_> = ledger.lines().iter().rev().map(ToString::to_string).collect();
            format!("{rollout}: {:?}, and by its lines {of_lines:?}: {texts:#?}", shown.sum)
        });
        let never_blind = self.never_blind(rollout) && !self.forgot && !self.taken;
        let says = shown.at_least
            || ledger.lines().iter().any(|line| {
                line.outcome == Phase::Unknown
                    || line.exposed == Exposed::Unknown
                    || line.inferred
                    || (line.exposed_at.is_none() && line.kind != Kind::Initial)
                    || line.settled.is_none()
            });
        let missed = self.truth_of(uid).any(|it| self.stored(it).is_none());
        // A line does not say that a recovery is a bound: its RolloutAttempt does.
        let bounded = self.truth_of(uid).filter_map(|it| self.stored(it)).any(|journal| {
            let back = journal.settled.or(journal.recovered);
            back.is_some_and(|back| back.source == Source::Inferred)
        });
        // Two tries are one where it was not seen that the first was stopped, and nothing shows
        // that.
        let says = says || bounded || missed;
        let honest = is_shown(shown, &truth, 4) || (!never_blind && says);
        findings.rule("figures", honest, || {
            let real: Vec<_> = self.truth_of(uid).map(ToString::to_string).collect();
            let lines: Vec<_> = ledger.lines().iter().map(ToString::to_string).collect();
            format!("{rollout}: {:?}, and not {truth:?}: {real:#?} {lines:#?}", shown.sum)
        });
    }
}

fn is_kind(kind: Kind, purpose: Purpose) -> bool {
    match purpose {
        Purpose::Initial => kind == Kind::Initial,
        Purpose::Change => kind == Kind::Change,
        Purpose::Hotfix => kind == Kind::Hotfix,
        Purpose::Upgrade => kind == Kind::Upgrade,
        // By what is deployed it may be known only beside the other lines.
        Purpose::Rollback => matches!(kind, Kind::Rollback | Kind::Change | Kind::Hotfix),
        Purpose::Redeploy => kind != Kind::Initial,
    }
}

fn entry_of(tried: &Tried) -> Entry {
    let second = |at: jiff::Timestamp| at.as_second();
    let initial = tried.purpose == Purpose::Initial;
    Entry {
        hash: tried.identity.hash.to_string(),
        number: tried.identity.number,
        outcome: tried.outcome,
        what: match tried.purpose {
            Purpose::Initial => For::Initial,
            Purpose::Change => For::Change,
            Purpose::Hotfix => For::Hotfix,
            Purpose::Upgrade => For::Upgrade,
            Purpose::Rollback => For::Rollback,
            Purpose::Redeploy => For::Redeploy,
        },
        began: second(tried.began),
        ended: tried.ended.map(second),
        settled: tried.settled.map(second),
        exposed: Some(tried.hit.is_some()),
        hit: tried.hit.filter(|_| !initial).map(second),
        content: Some(format!("{} {}", tried.version, tried.commit)),
        commit: Some(tried.commit.clone()),
        committed: Some(Ok(second(whole(tried.committed)))),
    }
}
