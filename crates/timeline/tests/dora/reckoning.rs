//! DORA's metrics once more, by the text of docs/dora.md alone: small, slow, and without a line of
//! the product's. It is what the product's own figures are compared with.

#![expect(clippy::cast_precision_loss, reason = "seconds of a story are few")]

use timeline::base::Phase;

/// How long after a promotion a rollback or hotfix makes it a failure, and a fix is one.
pub(crate) const WINDOW: i64 = 24 * 3600;

/// What an attempt was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum For {
    Initial,
    Upgrade,
    Redeploy,
    Rollback,
    Hotfix,
    Change,
}

/// An attempt, with times in seconds.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) hash: String,
    /// 1, or more for a retry.
    pub(crate) number: u32,
    pub(crate) outcome: Phase,
    /// As it was declared: what it goes back to is found out here.
    pub(crate) what: For,
    pub(crate) began: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) settled: Option<i64>,
    /// Whether users could be hit; none if it is not known.
    pub(crate) exposed: Option<bool>,
    pub(crate) hit: Option<i64>,
    /// What is deployed, if that is known: template, commit and version.
    pub(crate) content: Option<String>,
    pub(crate) commit: Option<String>,
    /// When the commit was made; an error if what is said cannot be right.
    pub(crate) committed: Option<Result<i64, ()>>,
}

/// What attempts add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) deployments: u32,
    pub(crate) rollbacks: u32,
    pub(crate) failed_live: u32,
    pub(crate) failed_exposed: u32,
    pub(crate) failed_blocked: u32,
    pub(crate) failed_unclear: u32,
    pub(crate) superseded: u32,
    pub(crate) fixes: u32,
    pub(crate) untimed: u32,
    pub(crate) refused: u32,
    pub(crate) unrecovered: u32,
    pub(crate) unmended: u32,
    pub(crate) leads: Vec<i64>,
    pub(crate) recoveries: Vec<i64>,
    pub(crate) mends: Vec<i64>,
}

impl Figures {
    /// All numbers, without the durations.
    pub(crate) fn counts(&self) -> [u32; 12] {
        [
            self.deployments,
            self.rollbacks,
            self.failed_live,
            self.failed_exposed,
            self.failed_blocked,
            self.failed_unclear,
            self.superseded,
            self.fixes,
            self.untimed,
            self.refused,
            self.unrecovered,
            self.unmended,
        ]
    }
}

/// A failure that users could notice.
#[derive(Debug, Clone, Copy)]
struct Failure {
    entry: usize,
    from: i64,
    acted: i64,
    recovered: Option<i64>,
}

/// The middle, or the 90th percentile, in proportion between two values.
pub(crate) fn percentile(sorted: &[i64], tenths: i64) -> Option<f64> {
    let last = i64::try_from(sorted.len()).ok()? - 1;
    let place = last * tenths;
    let (whole, part) = (usize::try_from(place / 10).ok()?, place % 10);
    let below = *sorted.get(whole)? as f64;
    let above = sorted.get(whole + 1).map_or(below, |above| *above as f64);
    Some(below + (above - below) * part as f64 / 10.0)
}

/// What every attempt was for, by what was live before it: in the order in which they ended. All
/// that became live after `since` is known; all at all if there is none.
pub(crate) fn purposes(entries: &[Entry], since: Option<i64>) -> Vec<(usize, For)> {
    let mut order: Vec<usize> = (0..entries.len()).filter(|n| counts(&entries[*n])).collect();
    order.sort_by_key(|n| (entries[*n].ended, entries[*n].began, *n));
    let mut live: Vec<usize> = Vec::new();
    let mut found: Vec<(usize, For)> = Vec::new();
    for n in order {
        let entry = &entries[n];
        let declared = entry.what;
        let now = live.last().map(|now| &entries[*now]);
        let is_it = |other: &usize| entries[*other].hash == entry.hash;
        let is_like_it = |other: &usize| same_content(&entries[*other], entry);
        let stopped = |other: &(usize, For)| {
            is_it(&other.0)
                && matches!(other.1, For::Change | For::Hotfix)
                && !matches!(entries[other.0].outcome, Phase::Promoted | Phase::Unknown)
        };
        let what = if !matches!(declared, For::Change | For::Hotfix | For::Rollback) {
            declared
        } else if now.is_some_and(|now| now.hash != entry.hash && same_content(now, entry)) {
            For::Redeploy
        } else if live.iter().any(is_it) {
            // What was live just before is no rollback.
            if now.is_some_and(|now| now.hash == entry.hash) { declared } else { For::Rollback }
        } else if live.iter().any(is_like_it) {
            For::Rollback
        } else if declared == For::Rollback && (since.is_none() || found.iter().any(stopped)) {
            // It was never live.
            For::Change
        } else {
            declared
        };
        if entry.outcome == Phase::Promoted {
            live.push(n);
        }
        found.push((n, what));
    }
    found
}

fn counts(entry: &Entry) -> bool {
    entry.ended.is_some() && entry.outcome != Phase::Progressing
}

fn same_content(one: &Entry, other: &Entry) -> bool {
    one.content.is_some() && one.content == other.content
}

fn same(one: &Entry, other: &Entry) -> bool {
    one.hash == other.hash || same_content(one, other)
}

/// The figures of a Rollout over all of its attempts; all that were after `since`, if some are
/// missing.
#[expect(clippy::too_many_lines, reason = "the text of docs/dora.md from top to bottom")]
pub(crate) fn figures(entries: &[Entry], since: Option<i64>) -> Figures {
    let order = purposes(entries, since);
    let mut figures = Figures::default();
    let mut live: Vec<(usize, For)> = Vec::new();
    let mut failed = vec![false; entries.len()];
    let mut failures: Vec<Failure> = Vec::new();
    let is_change = |what: For| matches!(what, For::Change | For::Hotfix);

    for &(n, what) in &order {
        let entry = &entries[n];
        let ended = entry.ended.unwrap_or_default();
        match entry.outcome {
            Phase::Promoted => {
                let good = entry.settled.unwrap_or(ended).max(ended);
                let taken_back: Vec<usize> = match what {
                    For::Rollback => {
                        let target = live.iter().rposition(|(it, _)| same(&entries[*it], entry));
                        // Of what is not known it may have been live at any time before that.
                        let unknown = |it: &(usize, For)| entries[it.0].ended < since;
                        let target = target.or_else(|| live.iter().rposition(unknown));
                        let above = target.map_or(0, |at| at + 1);
                        live[above..].iter().map(|it| it.0).collect()
                    }
                    For::Hotfix => {
                        let upgrades =
                            |it: &&(usize, For)| !matches!(it.1, For::Upgrade | For::Redeploy);
                        let replaced = live.iter().rev().find(upgrades).map(|it| it.0);
                        // An abort since then that users may have noticed is what it mends: one bad
                        // change is one failure. That of another hotfix leaves open what that was for.
                        let place = |n: usize| order.iter().position(|(it, _)| *it == n);
                        let open = order.iter().any(|&(it, what)| {
                            let stopped = &entries[it];
                            what == For::Change
                                && matches!(stopped.outcome, Phase::Aborted | Phase::Reverted)
                                && stopped.exposed != Some(false)
                                && place(it) < place(n)
                                && replaced.is_none_or(|replaced| place(it) > place(replaced))
                                && entry.began - stopped.ended.unwrap_or_default() <= WINDOW
                        });
                        replaced.into_iter().filter(|_| !open).collect()
                    }
                    _ => Vec::new(),
                };
                for bad in taken_back {
                    let changed = live.iter().any(|(it, what)| *it == bad && is_change(*what));
                    let was = entries[bad].ended.unwrap_or_default();
                    if changed && !failed[bad] && entry.began - was <= WINDOW {
                        failed[bad] = true;
                        failures.push(Failure {
                            entry: bad,
                            from: entries[bad]
                                .hit
                                .unwrap_or(entries[bad].began)
                                .max(entries[bad].began),
                            acted: entry.began.max(was),
                            recovered: Some(good),
                        });
                    }
                }
                match what {
                    For::Rollback => figures.rollbacks += 1,
                    For::Change | For::Hotfix => {
                        figures.deployments += 1;
                        let before = live.last().map(|(it, _)| &entries[*it]);
                        let already = before.is_some_and(|before| {
                            entry.commit.is_some() && before.commit == entry.commit
                        });
                        match entry.committed {
                            None => figures.untimed += 1,
                            Some(Err(())) => figures.refused += 1,
                            Some(Ok(_)) if already => figures.untimed += 1,
                            Some(Ok(at)) if at > ended => figures.refused += 1,
                            Some(Ok(at)) => figures.leads.push(ended - at),
                        }
                    }
                    _ => {}
                }
                live.push((n, what));
            }
            Phase::Aborted | Phase::Reverted if is_change(what) => match entry.exposed {
                Some(true) => {
                    figures.failed_exposed += 1;
                    failures.push(Failure {
                        entry: n,
                        from: entry.hit.unwrap_or(entry.began).max(entry.began),
                        acted: ended,
                        recovered: entry.settled.map(|settled| settled.max(ended)),
                    });
                }
                Some(false) => figures.failed_blocked += 1,
                None => figures.failed_unclear += 1,
            },
            Phase::Superseded if is_change(what) => figures.superseded += 1,
            _ => {}
        }
    }
    figures.failed_live =
        u32::try_from(failed.iter().filter(|failed| **failed).count()).unwrap_or(u32::MAX);
    let place = |n: usize| order.iter().position(|(it, _)| *it == n);
    let mut fixes: Vec<usize> =
        live.iter().filter(|(_, what)| *what == For::Hotfix).map(|(n, _)| *n).collect();
    for failure in &failures {
        let after: Vec<usize> = live
            .iter()
            .filter(|(n, what)| {
                is_change(*what)
                    && place(*n) > place(failure.entry)
                    && entries[*n].ended >= Some(failure.acted)
            })
            .map(|(n, _)| *n)
            .collect();
        if let Some(first) = after.first() {
            let (fix, bad) = (&entries[*first], &entries[failure.entry]);
            let retry = fix.hash == bad.hash && fix.number > 1;
            if !retry && fix.began - failure.acted <= WINDOW {
                fixes.push(*first);
            }
        }
        match failure.recovered {
            Some(at) => figures.recoveries.push((at - failure.from).max(0)),
            None => figures.unrecovered += 1,
        }
        match after.iter().find(|n| !failed[**n]) {
            Some(good) => {
                let ended = entries[*good].ended.unwrap_or_default();
                let at = entries[*good].settled.unwrap_or(ended).max(ended);
                figures.mends.push((at - failure.from).max(0));
            }
            None => figures.unmended += 1,
        }
    }
    fixes.sort_unstable();
    fixes.dedup();
    figures.fixes = u32::try_from(fixes.len()).unwrap_or(u32::MAX);
    for durations in [&mut figures.leads, &mut figures.recoveries, &mut figures.mends] {
        durations.sort_unstable();
    }
    figures
}
