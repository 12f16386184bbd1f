//! What each attempt of a Rollout counts as, and what follows for it from those after it.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::Settings;
use super::sum::seconds;
use super::verdict::{Counts, Lead, Noticed, Verdict};
use crate::base::Phase;
use crate::ledger::{Kind, Ledger, Line, Ref};
use crate::seen::commit::{CommitTime, Refusal};

/// What every attempt counts as, in the order in which they ended. An attempt that is under way, or
/// whose end is not known, counts not at all and is left out.
pub fn judge<'a>(ledger: &'a Ledger, settings: &Settings) -> Vec<Verdict<'a>> {
    judge_lines(ledger.lines(), ledger.lines_since(), settings)
}

/// The same of lines, all that there are after `since`.
pub(crate) fn judge_lines<'a>(
    lines: &'a [Line],
    since: Option<Timestamp>,
    settings: &Settings,
) -> Vec<Verdict<'a>> {
    let mut before: Vec<&Line> = Vec::new();
    let mut verdicts: Vec<Verdict<'a>> = Vec::new();
    for line in lines {
        match line.ended {
            Some(at) if !line.open() => verdicts.push(Verdict::of(line, at)),
            _ if line.outcome == Phase::Promoted => before.push(line),
            _ => {}
        }
    }
    verdicts.sort_by(|a, b| {
        (a.at, a.line.started, &a.line.id).cmp(&(b.at, b.line.started, &b.line.id))
    });
    let live = Live::of(&mut verdicts, &before, since, settings);
    live.fail(&mut verdicts, settings);
    mend(&live, &mut verdicts, settings);
    verdicts
}

/// The attempts that became live, in order.
struct Live {
    /// Their places among the verdicts.
    order: Vec<usize>,
    /// Of each, the place in `order` of what it goes back to; only of rollbacks.
    target: Vec<Option<usize>>,
    /// All that became live after this has a line; none if nothing is missing.
    since: Option<Timestamp>,
}

impl Live {
    /// Finds them, and decides what each attempt is and counts as.
    fn of<'a>(
        verdicts: &mut [Verdict<'a>],
        before: &[&'a Line],
        since: Option<Timestamp>,
        settings: &Settings,
    ) -> Self {
        let mut live = Self { order: Vec::new(), target: Vec::new(), since };
        let first = before.iter().copied().max_by_key(|line| line.started);
        // The place of each hash in `order`; none if it was live before the operator first looked.
        let mut last: HashMap<&'a str, Option<usize>> = HashMap::new();
        for line in before {
            last.insert(line.id.hash.as_str(), None);
        }
        // Hashes that were tried as a new revision and did not become live.
        let mut stopped: HashSet<&'a str> = HashSet::new();
        for n in 0..verdicts.len() {
            let hash = verdicts[n].line.id.hash.as_str();
            let newest = live.order.last().map(|newest| verdicts[*newest].line);
            let known = last.get(hash).copied();
            let was_live =
                known.is_some() && newest.is_none_or(|newest| newest.id.hash.as_str() != hash);
            let mut target = known.flatten();
            let goes_back = verdicts[n].kind == Kind::Rollback;
            if verdicts[n].is_change() || goes_back {
                let this = verdicts[n].line;
                // The same may come under another hash: a chart stamps the time into the template.
                let same = |other: &Line| this.id.hash != other.id.hash && this.is_same_as(other);
                let earlier = live.order.iter().rposition(|&other| same(verdicts[other].line));
                verdicts[n].kind = if newest.or(first).is_some_and(same) {
                    Kind::Redeploy
                } else if was_live {
                    Kind::Rollback
                } else if known.is_some() {
                    verdicts[n].kind
                } else if earlier.is_some() || before.iter().any(|line| same(line)) {
                    target = earlier;
                    Kind::Rollback
                } else if goes_back && (since.is_none() || stopped.contains(hash)) {
                    // An older ReplicaSet alone does not make a rollback: this was never live.
                    Kind::Change
                } else {
                    verdicts[n].kind
                };
            }
            verdicts[n].decide();
            if verdicts[n].kind == Kind::Redeploy && verdicts[n].line.outcome == Phase::Promoted {
                verdicts[n].lead = Lead::Refused(Refusal::Redeployed);
            }
            if verdicts[n].counts == Counts::Deployment {
                verdicts[n].lead = lead(&verdicts[n], newest, settings);
            }
            if verdicts[n].line.outcome == Phase::Promoted {
                last.insert(hash, Some(live.order.len()));
                live.order.push(n);
                live.target.push(target);
            } else if verdicts[n].is_change() && verdicts[n].line.outcome != Phase::Unknown {
                stopped.insert(hash);
            }
        }
        live
    }

    /// Deployments fail that were replaced within the window by what they replaced, or by what is
    /// declared to mend them. Each fails once, by the first that takes it back.
    fn fail(&self, verdicts: &mut [Verdict<'_>], settings: &Settings) {
        for (place, &n) in self.order.iter().enumerate() {
            let (kind, line) = (verdicts[n].kind, verdicts[n].line);
            let taken_back = match kind {
                Kind::Rollback => {
                    // What it goes back to may have been live at any time that has no line.
                    let known = |&n: &usize| self.since.is_some_and(|since| verdicts[n].at < since);
                    let above = match self.target[place] {
                        Some(target) => target.saturating_add(1),
                        None => self.order[..place]
                            .iter()
                            .rposition(known)
                            .map_or(0, |n| n.saturating_add(1)),
                    };
                    &self.order[above..place]
                }
                Kind::Hotfix if self.mends_abort(place, verdicts, settings) => continue,
                Kind::Hotfix => self.replaced(place, verdicts),
                _ => continue,
            };
            let (acted, good) = (line.started, verdicts[n].good_from());
            for &failed in taken_back.iter().rev() {
                let failed = &mut verdicts[failed];
                if !within(failed.at, acted, settings.failure_window()) {
                    break;
                }
                if failed.counts != Counts::Deployment {
                    continue;
                }
                failed.counts = Counts::FailedDeployment;
                failed.failure = Some(Noticed {
                    from: failed.line.hit_from(),
                    acted: acted.max(failed.at),
                    recovered: Some(good),
                    mended: None,
                });
                let id = failed.line.id.short();
                verdicts[n].recovers.get_or_insert(id);
            }
        }
    }

    /// Whether the hotfix at `place` has an abort to mend that users noticed, or may have: then
    /// what is live meanwhile was good. An abort of another hotfix leaves open what that was for.
    fn mends_abort(&self, place: usize, verdicts: &[Verdict<'_>], settings: &Settings) -> bool {
        let hotfix = self.order[place];
        let since = self.replaced(place, verdicts).last().map_or(0, |live| live.saturating_add(1));
        let began = verdicts[hotfix].line.started;
        verdicts[since..hotfix].iter().any(|it| {
            it.kind == Kind::Change
                && matches!(it.counts, Counts::FailedExposed | Counts::FailedUnclear)
                && within(it.at, began, settings.failure_window())
        })
    }

    /// What was live before; an upgrade of the controller and a redeploy leave that the same.
    fn replaced(&self, place: usize, verdicts: &[Verdict<'_>]) -> &[usize] {
        let before = &self.order[..place];
        let last = before
            .iter()
            .rposition(|&n| !matches!(verdicts[n].kind, Kind::Upgrade | Kind::Redeploy));
        last.map_or(&[], |last| &before[last..=last])
    }
}

/// Finds for each failure what came after it: the first new revision that became live is a fix if
/// it began within the window, the first good one mends.
fn mend(live: &Live, verdicts: &mut [Verdict<'_>], settings: &Settings) {
    for n in 0..verdicts.len() {
        let Some(failure) = verdicts[n].failure else { continue };
        let failed = verdicts[n].line;
        let from = live.order.partition_point(|&other| verdicts[other].at < failure.acted);
        let is_after = |other: &&usize| **other > n && verdicts[**other].is_live_change();
        let after = || live.order[from..].iter().filter(is_after);
        let fix = after().next().copied();
        let good = after().find(|&&other| verdicts[other].counts == Counts::Deployment);
        let mended = good.map(|&good| verdicts[good].good_from());
        if let Some(failure) = &mut verdicts[n].failure {
            failure.mended = mended;
        }
        if let Some(fix) = fix.map(|fix| &mut verdicts[fix]) {
            let retry = fix.line.id.number > 1 && fix.line.id.hash == failed.id.hash;
            if !retry && within(failure.acted, fix.line.started, settings.failure_window()) {
                // Of several failures the newest: they come in the order in which they ended.
                fix.recovers = Some(failed.id.short());
            }
        }
    }
    // What an attempt that was summed up long ago had to do with it was written down then.
    for n in 0..verdicts.len() {
        let stored = verdicts[n].line.recovers;
        let gone = |id: &Ref| verdicts.iter().all(|other| other.line.id.short() != *id);
        if verdicts[n].recovers.is_none() {
            verdicts[n].recovers = stored.filter(gone);
        }
    }
}

fn lead(verdict: &Verdict<'_>, newest: Option<&Line>, settings: &Settings) -> Lead {
    let line = verdict.line;
    let (at, source) = match line.commit_time {
        CommitTime::Unknown => return Lead::None,
        CommitTime::Refused(why) => return Lead::Refused(why),
        CommitTime::At(at, source) => (at, source),
    };
    let live_already =
        line.commit.is_some() && newest.is_some_and(|newest| newest.commit == line.commit);
    if live_already {
        return Lead::Refused(Refusal::Redeployed);
    }
    if at < settings.repository_since() {
        return Lead::Refused(Refusal::BeforeRepository);
    }
    match u32::try_from(seconds(at, verdict.at)) {
        Ok(seconds) => Lead::Seconds(seconds, source),
        Err(_) if at > verdict.at => Lead::Refused(Refusal::Negative),
        Err(_) => Lead::Refused(Refusal::BeforeRepository),
    }
}

/// Whether something that began at `to` began not more than `window` after `from`.
fn within(from: Timestamp, to: Timestamp, window: SignedDuration) -> bool {
    to.duration_since(from) <= window
}
