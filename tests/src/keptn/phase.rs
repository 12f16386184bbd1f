//! The phases of app versions and workload versions, and their spans
//! (controllers/common/phase/handler.go).

use std::fmt::Debug;
use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use opentelemetry::trace::{SpanContext, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::api::{Carrier, Progress, State};
use super::error::Error;
use super::owner::{Kept, Owner};
use super::span::{Seed, now, traceparent};

/// The phases, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    PreTasks,
    PreEvaluations,
    Deploy,
    PostTasks,
    PostEvaluations,
}

pub(super) const PHASES: [Phase; 5] = [
    Phase::PreTasks,
    Phase::PreEvaluations,
    Phase::Deploy,
    Phase::PostTasks,
    Phase::PostEvaluations,
];

impl Phase {
    fn short(self, item: &str) -> String {
        let phase = match self {
            Self::PreTasks => "PreDeployTasks",
            Self::PreEvaluations => "PreDeployEvaluations",
            Self::Deploy => "Deploy",
            Self::PostTasks => "PostDeployTasks",
            Self::PostEvaluations => "PostDeployEvaluations",
        };
        format!("{item}{phase}")
    }

    fn long(self, item: &str) -> String {
        let phase = match self {
            Self::PreTasks => "Pre-Deployment Tasks",
            Self::PreEvaluations => "Pre-Deployment Evaluations",
            Self::Deploy => "Deployment",
            Self::PostTasks => "Post-Deployment Tasks",
            Self::PostEvaluations => "Post-Deployment Evaluations",
        };
        format!("{item} {phase}")
    }
}

/// What `KeptnAppVersion` and `KeptnWorkloadVersion` have in common.
pub(super) trait Phased:
    Kept
    + Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
{
    /// `App` or `Workload`.
    const ITEM: &'static str;
    /// How the first event on the root span calls it.
    const TITLE: &'static str;
    const SCOPE: &'static str;

    fn progress(&self) -> Progress;
    fn progress_mut(&mut self) -> &mut Progress;
    /// State of the phase in the middle.
    fn deployed(&mut self) -> &mut Option<State>;
    /// Marks what comes after a failed deployment.
    fn deprecate_rest(&mut self);
    fn has_same_status(&self, other: &Self) -> bool;
    /// Key of the span map, without the phase.
    fn key(&self) -> String;
    fn phase_span_name(&self, phase: &str) -> String;
    fn attributes(&self) -> Vec<(String, String)>;
    fn parent(&self) -> Option<SpanContext>;
    fn links(&self) -> Vec<String>;
    /// Looks how far the deployment is.
    async fn deploy(&mut self, owner: &mut Owner) -> Result<State, Error>;

    fn slot(&mut self, phase: Phase) -> &mut Option<State> {
        match phase {
            Phase::PreTasks => &mut self.progress_mut().pre_deployment_status,
            Phase::PreEvaluations => &mut self.progress_mut().pre_deployment_evaluation_status,
            Phase::Deploy => self.deployed(),
            Phase::PostTasks => &mut self.progress_mut().post_deployment_status,
            Phase::PostEvaluations => &mut self.progress_mut().post_deployment_evaluation_status,
        }
    }

    fn span_key(&self, phase: &str) -> String {
        format!("{}.{phase}", self.key())
    }
}

impl Owner {
    /// All phases, as far as they go now. What to wait for, if anything.
    pub(super) async fn advance<T: Phased>(
        &mut self,
        mut item: T,
    ) -> Result<Option<Duration>, Error> {
        let root = item.span_key("");
        let bound = self.spans.bind(&root, || Seed {
            name: item.name_any(),
            parent: item.parent(),
            links: item.links(),
            attributes: item.attributes(),
            scope: T::SCOPE,
        });
        if item.progress().current_phase.is_none() {
            self.spans.note(&root, format!("{} Pre-Deployment Tasks started", T::TITLE));
        }
        let outcome = self.phases(&mut item, &bound.context).await;
        if item.progress().status == Some(State::Failed) {
            // Also when it had failed before: then this is a span of its own (docs/keptn.md 4.7).
            let event = format!("{} has failed", item.name_any());
            self.spans.end(&root, event, Status::error("Failed"));
        }
        outcome
    }

    async fn phases<T: Phased>(
        &mut self,
        item: &mut T,
        root: &SpanContext,
    ) -> Result<Option<Duration>, Error> {
        for phase in PHASES {
            if *item.slot(phase) == Some(State::Succeeded) {
                continue;
            }
            let before = item.progress();
            if matches!(before.status, Some(State::Deprecated | State::Failed)) {
                return Ok(None);
            }
            let short = phase.short(T::ITEM);
            item.progress_mut().current_phase = Some(short.clone());
            let key = self.enter(item, &short, root);
            let state = if phase == Phase::Deploy {
                item.deploy(self).await
            } else {
                // No tasks, no evaluations: done at once.
                *item.slot(phase) = Some(State::Succeeded);
                self.persist(item).await.map(|()| State::Succeeded)
            };
            let state = match state {
                Ok(state) => state,
                Err(error) => {
                    let event = format!("{} could not get reconciled", phase.long(T::ITEM));
                    self.spans.note(&key, event);
                    return Err(error);
                }
            };
            if !self.leave(item, phase, state, &key).await? {
                let failed = state == State::Failed;
                return Ok((!failed).then_some(self.pace.phase_poll));
            }
        }
        self.finish(item).await
    }

    // The key is set with a new span only: what is reused leaves none (docs/keptn.md 2.2).
    fn enter<T: Phased>(&mut self, item: &mut T, short: &str, root: &SpanContext) -> String {
        let key = item.span_key(short);
        let bound = self.spans.bind(&key, || Seed {
            name: item.phase_span_name(short),
            parent: Some(root.clone()),
            links: Vec::new(),
            attributes: item.attributes(),
            scope: T::SCOPE,
        });
        if bound.fresh {
            let carrier = Carrier::from([("traceparent".to_owned(), traceparent(&bound.context))]);
            item.progress_mut().phase_trace_ids.insert(short.to_owned(), carrier);
        }
        key
    }

    async fn leave<T: Phased>(
        &mut self,
        item: &mut T,
        phase: Phase,
        state: State,
        key: &str,
    ) -> Result<bool, Error> {
        let long = phase.long(T::ITEM);
        match state {
            State::Failed => {
                let progress = item.progress_mut();
                progress.status = Some(State::Failed);
                progress.end_time.get_or_insert_with(whole_second);
                item.deprecate_rest();
                self.spans.end(key, format!("{long} has failed"), Status::error("Failed"));
            }
            state if state.is_completed() => {
                self.spans.end(key, format!("{long} has succeeded"), Status::Ok);
                return Ok(true);
            }
            _ => item.progress_mut().status = Some(State::Progressing),
        }
        self.persist(item).await?;
        Ok(false)
    }

    async fn finish<T: Phased>(&mut self, item: &mut T) -> Result<Option<Duration>, Error> {
        if item.progress().end_time.is_none() {
            let progress = item.progress_mut();
            progress.current_phase = Some("Completed".to_owned());
            progress.status = Some(State::Succeeded);
            progress.end_time = Some(whole_second());
        }
        self.persist(item).await?;
        let event = format!("{} has finished", item.name_any());
        self.spans.end(&item.span_key(""), event, Status::Ok);
        Ok(None)
    }

    /// Writes the status, unless it is what the API server has.
    pub(super) async fn persist<T: Phased>(&mut self, item: &mut T) -> Result<(), Error> {
        let known = T::shelf(self).get(&item.name_any());
        if known.is_none_or(|known| !item.has_same_status(known)) {
            *item = self.replace_status(item).await?;
        }
        Ok(())
    }
}

/// Now, as `metav1.Time` has it.
pub(super) fn whole_second() -> Time {
    let since = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let second = i64::try_from(since.as_secs()).unwrap_or_default();
    Time(Timestamp::from_second(second).unwrap_or_default())
}
