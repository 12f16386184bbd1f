//! What became of the link from an attempt's trace to what it follows, and why, for a person.

use super::Case;
use crate::base::{Phase, TraceId, Traceparent};
use crate::chain::{Follow, LinkState, Linked, Trace};

impl Case<'_> {
    pub(super) fn linked(&self, trace: Option<&Trace>) -> Linked {
        let Some(followed) = self.attempt.follows.first() else {
            return Linked::none(match self.attempt.linked.reason.as_str() {
                reason if reason.starts_with("not observed") => reason.to_owned(),
                _ => "the first revision: there is nothing before it".to_owned(),
            });
        };
        let Some(trace) = trace else {
            return self.no_trace();
        };
        let wanted = || self.attempt.follows.iter().filter(|follow| follow.trace.is_some());
        if wanted().next().is_none() {
            return Linked::none(format!("{} has no trace of Keptn's", called(followed)));
        }
        let Some(name) = &trace.app_version else {
            return Linked::none(
                "Keptn made no new trace for the retry: it goes on in that of the first try",
            );
        };
        let Some(version) = self.keptn.app_version(name) else {
            return self.attempt.linked.clone();
        };
        if let Some(older) = self.continued(version) {
            return Linked {
                state: LinkState::Lost,
                reason: format!(
                    "{name} goes on with the open spans of {}: Keptn drops the links of a span \
                     that it reuses",
                    older.key.name
                )
                .into(),
            };
        }
        let carried: Vec<TraceId> = version
            .span_links
            .iter()
            .filter_map(|link| link.parse::<Traceparent>().ok())
            .map(|link| link.trace_id())
            .collect();
        let missing = wanted()
            .find(|follow| follow.trace.is_some_and(|trace| !carried.contains(&trace.trace_id())));
        let names: Vec<String> = wanted().map(called).collect();
        let (state, reason) = match (missing, version.app_deploy.is_some()) {
            (None, true) => (LinkState::Applied, format!("{name} follows {}", names.join(" and "))),
            (None, false) => (
                LinkState::Requested,
                format!(
                    "{name} was asked to follow {}, its span is not known yet",
                    names.join(" and ")
                ),
            ),
            (Some(missing), _) => (
                LinkState::Lost,
                format!("Keptn made {name} before the link to {} was there", called(missing)),
            ),
        };
        Linked { state, reason: reason.into() }
    }

    fn no_trace(&self) -> Linked {
        match self.earlier_at_this_version() {
            Some(earlier) => Linked::none(format!(
                "Keptn made no trace: version {} is that of revision {} already; the chain goes on \
                 from there",
                self.workload.version, earlier.revision
            )),
            None if !matches!(self.attempt.phase, Phase::Progressing | Phase::Promoted) => {
                Linked::none("Keptn made no trace for it before it ended")
            }
            None => Linked::none(format!(
                "waiting for a KeptnAppVersion of app {} that lists {} {}",
                self.workload.app,
                self.workload.short_name(),
                self.workload.version
            )),
        }
    }
}

fn called(follow: &Follow) -> String {
    match &follow.version {
        Some(version) => format!("{version} (revision {})", follow.revision),
        None => format!("revision {}", follow.revision),
    }
}
