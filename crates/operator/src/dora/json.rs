//! Figures as JSON.

use jiff::Timestamp;
use serde_json::{Value, json};
use timeline::dora::{Band, Figures, Rate, Times};

use super::audit;
use super::select::{Selection, Wanted};

/// Everything; null where there is no figure.
pub(super) fn of(selection: &Selection<'_>, wanted: Wanted, now: Timestamp) -> Value {
    let rollouts: Vec<Value> = selection
        .each
        .iter()
        .map(|(book, figures)| {
            let mut rollout = json!({
                "namespace": book.rollout.namespace,
                "rollout": book.rollout.name,
                "knownSince": book.ledger.known_since().map(|since| since.to_string()),
                "figures": figures_of(figures),
            });
            if wanted.audit {
                let lines = audit::lines(book, selection.window);
                let line = |line: &audit::Audited<'_>| {
                    json!({
                        "ended": line.verdict.at.to_string(),
                        "countsAs": line.counts,
                        "notes": line.notes,
                        "line": line.verdict.line.to_string(),
                    })
                };
                rollout["lines"] = lines.iter().map(line).collect();
                rollout["days"] = json!(audit::days(book, selection.window));
            }
            rollout
        })
        .collect();
    json!({
        "days": wanted.days,
        "from": selection.window.from().to_string(),
        "until": now.to_string(),
        "figures": figures_of(&selection.total),
        "rollouts": rollouts,
    })
}

fn figures_of(figures: &Figures) -> Value {
    let bands = figures.bands.unwrap_or_default();
    let level = |band: Option<Band>| band.map(|band| band.to_string());
    let times = |times: &Times, band| {
        json!({
            "medianSeconds": times.median, "p90Seconds": times.p90, "n": times.n,
            "unknown": times.unknown, "refused": times.refused, "level": level(band),
        })
    };
    let rate = |rate: &Rate, band| json!({ "rate": rate.rate, "part": rate.part, "n": rate.n, "level": level(band) });
    let sum = &figures.sum;
    json!({
        "atLeast": figures.at_least,
        "deploymentFrequency": {
            "perDay": figures.frequency.per_day, "n": figures.frequency.n,
            "level": level(bands.frequency),
        },
        "changeLeadTime": times(&figures.lead, bands.lead),
        "changeFailRateExposed": rate(&figures.failed_exposed, bands.fail_rate),
        "changeFailRateAll": rate(&figures.failed_all, None),
        "recoveryTime": times(&figures.recovery, bands.recovery),
        "nextGoodRevisionTime": times(&figures.mend, None),
        "reworkRate": rate(&figures.rework, None),
        "counts": {
            "deployments": sum.deployments, "rollbacks": sum.rollbacks,
            "failedLive": sum.failed_live, "failedExposed": sum.failed_exposed,
            "failedBlocked": sum.failed_blocked, "failedUnclear": sum.failed_unclear,
            "superseded": sum.superseded, "fixes": sum.fixes,
        },
    })
}
