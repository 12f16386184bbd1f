//! What came out of a replay, in lines.

use jiff::Timestamp;
use timeline::Traceparent;
use timeline::base::{Moment, Source};
use timeline::failure::Failure;
use timeline::journal::{
    Analysis, Experiment, Journal, Link, Pause, Placement, Step, Switch, Weight,
};

use crate::cluster::Replay;
use crate::recording::Event;

impl Replay {
    /// The chain, oldest first, one line an attempt.
    pub(crate) fn chain(&self, rollout: &str) -> Vec<String> {
        let (report, _) = self.traces.iter().find(|(key, _)| key.name == rollout).unwrap().1;
        report
            .attempts
            .iter()
            .rev()
            .map(|attempt| {
                let follows: Vec<_> = attempt
                    .follows
                    .iter()
                    .map(|follow| {
                        let number = match follow.number {
                            1 => String::new(),
                            n => format!("#{n}"),
                        };
                        format!("{} {}{number}", follow.relation, follow.revision)
                    })
                    .collect();
                let number = match attempt.number {
                    1 => String::new(),
                    n => format!("#{n}"),
                };
                format!(
                    "{}{number} {} {} [{}] {} {:?}",
                    attempt.revision,
                    attempt.version().unwrap_or("?"),
                    attempt.phase,
                    follows.join(", "),
                    attempt
                        .trace
                        .as_ref()
                        .map_or("-", |trace| trace.app_version.as_deref().unwrap_or("goes on")),
                    attempt.linked.state,
                )
            })
            .collect()
    }

    /// The KeptnAppVersions whose AppDeploy spans the context of an app links to.
    pub(crate) fn links(&self, app: &str) -> Vec<String> {
        let Some((_, context)) = self.contexts.iter().find(|(key, _)| key.name == app) else {
            return Vec::new();
        };
        assert_eq!(context.span_links, context.ours);
        let found = |link: &String| match link.parse() {
            Ok(to) => self.app_version(to).unwrap_or_else(|| format!("nothing: {link}")),
            Err(error) => format!("{link}: {error}"),
        };
        context.span_links.iter().map(found).collect()
    }

    /// The KeptnAppVersion that this is the AppDeploy span of.
    pub(crate) fn app_version(&self, span: Traceparent) -> Option<String> {
        let is_it =
            |event: &&Event| event.app_deploy.as_ref().is_some_and(|it| it.parse() == Ok(span));
        let found = self.objects.values().find(is_it);
        found.map(|event| event.key.name.clone()).map(|it| it.to_string())
    }

    /// The journals of a Rollout, oldest first, in lines: for each attempt its outcome and why,
    /// where its spans are and what the root links to, then all entries in the order in which they
    /// ended, then its marks.
    pub(crate) fn journal_lines(&self, rollout: &str) -> Vec<String> {
        let journals = self.journals(rollout);
        journals.into_iter().flat_map(|journal| self.lines_of(journal)).collect()
    }

    pub(crate) fn lines_of(&self, journal: &Journal) -> Vec<String> {
        let since = |moment: &Moment| since(journal.started.at, moment);
        let period = |started: &Moment, ended: &Option<Moment>| {
            let ended = ended.as_ref().map_or("…".to_owned(), since);
            format!("{} to {ended}", since(started))
        };
        let Journal { identity, facts, .. } = journal;
        let mut head = vec![format!(
            "{}#{} {} {:?} {}{}",
            identity.revision,
            identity.number,
            facts.version.as_deref().unwrap_or("?"),
            journal.phase,
            journal.ended.as_ref().map_or("…".to_owned(), since),
            if journal.exposed { " exposed" } else { "" },
        )];
        head.push(
            journal
                .settled
                .as_ref()
                .map_or("not settled".to_owned(), |settled| format!("settled {}", since(settled))),
        );
        head.push(match journal.placed {
            None => "not placed".to_owned(),
            Some(Placement { trace, parent: Some(parent) }) => {
                let parent = Traceparent::sampled(trace, parent);
                let parent = self.app_version(parent).unwrap_or_else(|| parent.to_string());
                format!("in {parent}")
            }
            Some(Placement { trace, parent: None }) => {
                assert_eq!(trace, identity.own_trace());
                "in its own trace".to_owned()
            }
        });
        let mut lines = vec![head.join(", ")];
        lines.extend(journal.links.iter().map(|link| self.link_line(link)));
        lines.extend(journal.failure.iter().map(|failure| {
            let cause = failure.cause.map_or("-".to_owned(), |cause| format!("{cause:?}"));
            let Failure { pod, container, image, .. } = failure;
            let place = [pod, container, image].into_iter().filter_map(Option::as_deref);
            let place: Vec<&str> = place.chain([""]).collect();
            format!("  {cause}: {} {}{}", failure.reason, place.join(" "), since(&failure.at))
        }));
        let mut entries: Vec<(Option<u32>, String)> = Vec::new();
        for Step { index, kind, setting, started, ended, result, closed } in &journal.steps {
            let what = format!("{index} {kind} {setting}");
            let line = format!("{} {result:?} {}", what.trim_end(), period(started, ended));
            entries.push((*closed, line));
        }
        for Pause { kind, step, planned, started, ended, resumed_by, closed, below: _ } in
            &journal.pauses
        {
            let planned = planned.map_or(String::new(), |planned| format!(" {planned}s"));
            let by = resumed_by.map_or("…".to_owned(), |by| format!("{by:?}"));
            let step = step.map_or("-".to_owned(), |step| step.to_string());
            let line = format!("{step} pause {kind:?}{planned}, {by} {}", period(started, ended));
            entries.push((*closed, line));
        }
        for Analysis { kind, step, phase, metrics, started, ended, closed, .. } in &journal.analyses
        {
            let metrics = metrics.iter().map(|metric| {
                let values = metric.measurements.iter().map(|one| one.value.as_str());
                let values: Vec<&str> = values.collect();
                format!("{} {}/{} {}", metric.name, metric.failed, metric.count, values.join(" "))
            });
            let metrics: Vec<String> = metrics.collect();
            let (metrics, period) = (metrics.join("; "), period(started, ended));
            let step = step.map_or("-".to_owned(), |step| step.to_string());
            entries
                .push((*closed, format!("{step} analysis {kind:?} {phase:?} {metrics} {period}")));
        }
        for Experiment { step, phase, started, ended, closed, .. } in &journal.experiments {
            let step = step.map_or("-".to_owned(), |step| step.to_string());
            let line = format!("{step} experiment {phase:?} {}", period(started, ended));
            entries.push((*closed, line));
        }
        for Weight { percent, started, ended, closed } in &journal.weights {
            entries.push((*closed, format!("weight {percent} {}", period(started, ended))));
        }
        for Switch { service, at, to_new, closed } in &journal.switches {
            let to = if *to_new { "new" } else { "stable" };
            entries.push((*closed, format!("{service:?} to {to} {}", since(at))));
        }
        entries.push((journal.root_closed, "root".to_owned()));
        entries.sort_by_key(|(closed, _)| closed.unwrap_or(u32::MAX));
        // All that ended is numbered without a hole, the root last of all: it is not shown then.
        let numbers: Vec<u32> = entries.iter().filter_map(|(closed, _)| *closed).collect();
        assert!(numbers.iter().copied().eq(1..=journal.closed), "{numbers:?}");
        if journal.root_closed == Some(journal.closed) {
            entries.pop();
        }
        lines.extend(entries.into_iter().map(|(_, line)| format!("  {line}")));
        lines.extend(journal.marks.iter().map(|mark| {
            format!("  ! {:?} {} {}", mark.kind, since(&mark.at), mark.note).trim_end().to_owned()
        }));
        lines
    }

    fn link_line(&self, link: &Link) -> String {
        let to = link.traceparent;
        let of_ours = || {
            let stored = self.attempts.values().map(|stored| &stored.journal);
            let of = stored.into_iter().find(|journal| journal.root_context() == Some(to));
            of.map(|journal| format!("{}#{}", journal.identity.revision, journal.identity.number))
        };
        let to = self.app_version(to).or_else(of_ours).unwrap_or_else(|| to.to_string());
        format!("  links to {to}: {:?}", link.kind)
    }
}

/// Seconds since a start: `+1.2` was observed, `=+1` is said by a timestamp of an object, and
/// `~0.5+1.2` was recorded by nobody.
fn since(start: Timestamp, moment: &Moment) -> String {
    let seconds = |at: Timestamp| at.duration_since(start).as_secs_f64();
    let at = seconds(moment.at);
    match (moment.source, moment.after) {
        (Source::Observed, _) => format!("{at:+.1}"),
        (Source::Status, _) => format!("={at:+}"),
        (Source::Event, _) => format!("^{at:+.1}"),
        (Source::Inferred, None) => format!("~{at:+.1}"),
        (Source::Inferred, Some(after)) => format!("~{:.1}{at:+.1}", seconds(after)),
    }
}
