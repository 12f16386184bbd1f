//! Lines of a ledger in the words of the reckoning.

#![expect(clippy::cast_precision_loss, reason = "seconds of a story are few")]

use timeline::dora::{Figures as Shown, Rate};
use timeline::ledger::{Exposed, Kind, Line, Word};
use timeline::seen::commit::{CommitTime, Refusal};

use crate::reckoning::{Entry, Figures, For, percentile};

pub(crate) fn entry_of_line(line: &Line) -> Entry {
    let second = |at: jiff::Timestamp| at.as_second();
    let word = |word: &Option<Word>| word.as_ref().map(|it| it.as_str().to_owned());
    let commit = word(&line.commit);
    Entry {
        hash: line.id.hash.as_str().to_owned(),
        number: line.id.number,
        outcome: line.outcome,
        what: match line.kind {
            Kind::Initial => For::Initial,
            Kind::Change => For::Change,
            Kind::Hotfix => For::Hotfix,
            Kind::Upgrade => For::Upgrade,
            Kind::Rollback => For::Rollback,
            Kind::Redeploy => For::Redeploy,
        },
        began: second(line.started),
        ended: line.ended.map(second),
        settled: line.settled.map(second),
        exposed: match line.exposed {
            Exposed::Yes => Some(true),
            Exposed::No => Some(false),
            Exposed::Unknown => None,
        },
        hit: line.exposed_at.map(second),
        content: line.template.map(|template| {
            let version = word(&line.version).filter(|it| it != line.id.hash.as_str());
            format!("{template} {version:?} {commit:?}")
        }),
        commit,
        committed: match line.commit_time {
            CommitTime::Unknown | CommitTime::Refused(Refusal::Redeployed) => None,
            CommitTime::At(at, _) => Some(Ok(second(at))),
            CommitTime::Refused(_) => Some(Err(())),
        },
    }
}

/// Whether the product's figures are these, with times up to so many seconds apart.
pub(crate) fn is_shown(shown: &Shown, real: &Figures, apart: i64) -> bool {
    let sum = &shown.sum;
    let counts = [
        sum.deployments,
        sum.rollbacks,
        sum.failed_live,
        sum.failed_exposed,
        sum.failed_blocked,
        sum.failed_unclear,
        sum.superseded,
        sum.fixes,
        sum.untimed,
        sum.refused,
        sum.unrecovered,
        sum.unmended,
    ];
    let apart = apart as f64 + 0.001;
    let near = |shown: Option<f64>, durations: &[i64], tenths| match (
        shown,
        percentile(durations, tenths),
    ) {
        (Some(shown), Some(real)) => (shown - real).abs() <= apart,
        (shown, real) => shown.is_none() && real.is_none(),
    };
    let share = |rate: &Rate, part: u32, n: u32| (rate.part, rate.n) == (part, n);
    let hit = real.failed_live + real.failed_exposed;
    let stopped = real.failed_blocked + real.failed_unclear;
    let live = real.deployments + real.failed_exposed;
    counts == real.counts()
        && shown.frequency.n == real.deployments
        && share(&shown.failed_exposed, hit, live)
        && share(&shown.failed_all, hit + stopped, live + stopped)
        && share(
            &shown.rework,
            real.superseded + real.rollbacks + real.fixes,
            real.deployments + real.rollbacks + real.superseded,
        )
        && shown.lead.n as usize == real.leads.len()
        && shown.recovery.n as usize == real.recoveries.len()
        && shown.mend.n as usize == real.mends.len()
        && near(shown.lead.median, &real.leads, 5)
        && near(shown.lead.p90, &real.leads, 9)
        && near(shown.recovery.median, &real.recoveries, 5)
        && near(shown.recovery.p90, &real.recoveries, 9)
        && near(shown.mend.median, &real.mends, 5)
        && near(shown.mend.p90, &real.mends, 9)
}
