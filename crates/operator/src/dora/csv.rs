//! Figures as CSV.

use super::audit;
use super::select::Selection;

const COLUMNS: [&str; 27] = [
    "namespace",
    "rollout",
    "known_since",
    "at_least",
    "deployments",
    "deployments_per_day",
    "lead_time_median_seconds",
    "lead_time_p90_seconds",
    "lead_time_n",
    "lead_time_unknown",
    "lead_time_refused",
    "fail_rate_exposed",
    "fail_rate_exposed_n",
    "fail_rate_all",
    "fail_rate_all_n",
    "failed_live",
    "failed_exposed",
    "failed_blocked",
    "failed_unclear",
    "recovery_median_seconds",
    "recovery_p90_seconds",
    "recovery_n",
    "next_good_median_seconds",
    "next_good_n",
    "rework_rate",
    "rework",
    "rework_n",
];

/// A row for each Rollout, and one without a name for all.
pub(super) fn figures(selection: &Selection<'_>) -> String {
    let mut text = format!("{}\n", COLUMNS.join(","));
    let each = selection.each.iter().map(|(book, figures)| {
        let since = book.ledger.known_since().map(|since| since.to_string()).unwrap_or_default();
        (book.rollout.namespace.to_string(), book.rollout.name.to_string(), since, figures)
    });
    let all = (String::new(), String::new(), String::new(), &selection.total);
    for (namespace, name, since, figures) in each.chain([all]) {
        let known = |figure: Option<f64>| figure.map(|it| it.to_string()).unwrap_or_default();
        let sum = &figures.sum;
        let cells = [
            namespace,
            name,
            since,
            figures.at_least.to_string(),
            figures.frequency.n.to_string(),
            known(figures.frequency.per_day),
            known(figures.lead.median),
            known(figures.lead.p90),
            figures.lead.n.to_string(),
            figures.lead.unknown.to_string(),
            figures.lead.refused.to_string(),
            known(figures.failed_exposed.rate),
            figures.failed_exposed.n.to_string(),
            known(figures.failed_all.rate),
            figures.failed_all.n.to_string(),
            sum.failed_live.to_string(),
            sum.failed_exposed.to_string(),
            sum.failed_blocked.to_string(),
            sum.failed_unclear.to_string(),
            known(figures.recovery.median),
            known(figures.recovery.p90),
            figures.recovery.n.to_string(),
            known(figures.mend.median),
            figures.mend.n.to_string(),
            known(figures.rework.rate),
            figures.rework.part.to_string(),
            figures.rework.n.to_string(),
        ];
        text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
        text.push('\n');
    }
    text
}

/// The lines behind the figures.
pub(super) fn lines(selection: &Selection<'_>) -> String {
    let mut text = "namespace,rollout,ended,counts_as,notes,line\n".to_owned();
    for (book, _) in &selection.each {
        for line in audit::lines(book, selection.window) {
            let cells = [
                book.rollout.namespace.to_string(),
                book.rollout.name.to_string(),
                line.verdict.at.to_string(),
                line.counts.to_owned(),
                line.notes.join("; "),
                line.verdict.line.to_string(),
            ];
            text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
            text.push('\n');
        }
        for day in audit::days(book, selection.window) {
            let cells = [
                book.rollout.namespace.to_string(),
                book.rollout.name.to_string(),
                String::new(),
                "summed up".to_owned(),
                String::new(),
                day,
            ];
            text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
            text.push('\n');
        }
    }
    text
}

/// RFC 4180.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
