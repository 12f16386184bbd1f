//! A Rollout's chain, read back from the three places where it stands: the RolloutTrace, the
//! KeptnAppContext and Jaeger.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use api::RolloutTrace;
use api::keptn::{KeptnAppContext, KeptnAppVersion};
use api::rollout_trace::{ChainEntry, LinkState};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use tokio::time::sleep;

use crate::cluster::{Error, Namespace};
use crate::jaeger::Jaeger;

/// Reads chains of one namespace.
#[derive(Debug, Clone)]
pub struct Chains {
    namespace: Namespace,
    jaeger: Jaeger,
    within: Duration,
}

impl Chains {
    /// The chains of a namespace, and the traces behind them.
    pub fn of(namespace: &Namespace, jaeger: Jaeger) -> Self {
        Self { namespace: namespace.clone(), jaeger, within: Duration::from_mins(1) }
    }

    /// The same, with another patience than a minute.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// The RolloutTrace of a Rollout, once it is as it should be.
    pub async fn trace_until(
        &self,
        rollout: &str,
        condition: &str,
        is: impl Fn(&RolloutTrace) -> bool,
    ) -> Result<RolloutTrace, Error> {
        let traces: Api<RolloutTrace> = self.namespace.api();
        let since = Instant::now();
        loop {
            let found = traces.get_opt(rollout).await;
            let found = found.map_err(Error::api(format!("read RolloutTrace {rollout}")))?;
            match found {
                Some(trace) if is(&trace) => return Ok(trace),
                found if since.elapsed() > self.within => {
                    let state = match found {
                        Some(trace) => serde_norway::to_string(&trace).unwrap_or_default(),
                        None => "(it was not there)".into(),
                    };
                    return Err(self.late(&format!("RolloutTrace {rollout}"), condition, state));
                }
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Waits until the chain reads like this, oldest first, a line an attempt as [`line`] words it.
    pub async fn reads(&self, rollout: &str, expected: &[&str]) -> Result<RolloutTrace, Error> {
        let condition = format!("\n  {}\n", expected.join("\n  "));
        self.trace_until(rollout, &condition, |trace| lines(trace) == expected).await
    }

    /// Waits until the newest attempt has this version and Keptn's trace, and the context of its
    /// app holds it: from here on the next revision will be linked.
    pub async fn written_ahead(&self, rollout: &str, version: &str) -> Result<ChainEntry, Error> {
        let condition = format!("with a trace of {version}");
        let has = |trace: &RolloutTrace| {
            newest(trace).is_some_and(|entry| {
                entry
                    .keptn
                    .as_ref()
                    .is_some_and(|keptn| keptn.version == version && keptn.traceparent.is_some())
            })
        };
        let trace = self.trace_until(rollout, &condition, has).await?;
        let entry = newest(&trace).cloned();
        let keptn = entry.as_ref().and_then(|entry| entry.keptn.clone());
        let (Some(entry), Some(keptn)) = (entry, keptn) else {
            return Err(self.late(
                &format!("RolloutTrace {rollout}"),
                &condition,
                lines(&trace).join("\n"),
            ));
        };
        let own = keptn.traceparent.unwrap_or_default();
        self.context_until(&keptn.app, "with the trace", |links| links.contains(&own)).await?;
        Ok(entry)
    }

    /// The span links of an app's KeptnAppContext, once they are as they should be.
    pub async fn context_until(
        &self,
        app: &str,
        condition: &str,
        are: impl Fn(&[String]) -> bool,
    ) -> Result<Vec<String>, Error> {
        let contexts: Api<KeptnAppContext> = self.namespace.api();
        let since = Instant::now();
        loop {
            let found = contexts.get_opt(app).await;
            let found = found.map_err(Error::api(format!("read KeptnAppContext {app}")))?;
            let links = found.and_then(|context| context.spec?.span_links).unwrap_or_default();
            if are(&links) {
                return Ok(links);
            }
            if since.elapsed() > self.within {
                return Err(self.late(
                    &format!("KeptnAppContext {app}"),
                    condition,
                    links.join("\n"),
                ));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until an app has no KeptnAppContext.
    pub async fn context_gone(&self, app: &str) -> Result<(), Error> {
        let contexts: Api<KeptnAppContext> = self.namespace.api();
        let since = Instant::now();
        loop {
            let found = contexts.get_opt(app).await;
            let found = found.map_err(Error::api(format!("read KeptnAppContext {app}")))?;
            let Some(context) = found else { return Ok(()) };
            if since.elapsed() > self.within {
                let state = format!("{context:?}");
                return Err(self.late(&format!("KeptnAppContext {app}"), "gone", state));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until an app's context links to the AppDeploy spans of exactly these
    /// KeptnAppVersions, in any order.
    pub async fn context_links(&self, app: &str, versions: &[&str]) -> Result<(), Error> {
        let known: Api<KeptnAppVersion> = self.namespace.api();
        let listed = known.list(&ListParams::default()).await;
        let listed = listed.map_err(Error::api("list KeptnAppVersions"))?;
        let mut expected = BTreeSet::new();
        for name in versions {
            let version = listed.iter().find(|version| version.name_any() == *name);
            let Some(link) = version.and_then(app_deploy) else {
                return Err(self.late(
                    name,
                    "a KeptnAppVersion with an AppDeploy span",
                    String::new(),
                ));
            };
            expected.insert(link);
        }
        let condition = format!("linking to {}", versions.join(", "));
        self.context_until(app, &condition, |links| {
            links.len() == expected.len() && links.iter().all(|link| expected.contains(link))
        })
        .await
        .map(drop)
    }

    /// Checks each attempt whose link was applied in Jaeger: the root span of its KeptnAppVersion
    /// follows from exactly the spans that the chain says, and those spans are there. `others` are
    /// traces of other Rollouts of the app, which may be linked as well.
    pub async fn jaeger_agrees(
        &self,
        trace: &RolloutTrace,
        others: &[String],
    ) -> Result<(), Error> {
        let entries = trace.status.as_ref().map(|status| &*status.chain).unwrap_or_default();
        for entry in entries.iter().filter(|entry| entry.linked.state == LinkState::Applied) {
            let keptn = entry.keptn.as_ref();
            let name = keptn.and_then(|keptn| keptn.app_version.clone()).unwrap_or_default();
            let own = keptn.and_then(|keptn| keptn.traceparent.clone()).unwrap_or_default();
            let expected: BTreeSet<(String, String)> = entry
                .follows
                .iter()
                .filter_map(|follow| ids(follow.traceparent.as_deref()?))
                .collect();
            let (id, _) = ids(&own).unwrap_or_default();
            let condition = format!("with a root {name} that follows from {expected:?}");
            self.jaeger
                .await_trace(&id, self.within, &condition, |trace| {
                    let root = trace.span(&name).filter(|root| root.parent().is_none());
                    root.is_some_and(|root| {
                        let links: BTreeSet<_> = root
                            .links()
                            .map(|link| (link.trace_id.clone(), link.span_id.clone()))
                            .collect();
                        let other = |id: &str| others.iter().any(|other| other.contains(id));
                        expected.is_subset(&links)
                            && links.iter().all(|link| expected.contains(link) || other(&link.0))
                    })
                })
                .await?;
            for (id, span) in expected {
                let there = |trace: &crate::jaeger::Trace| {
                    trace.spans.iter().any(|it| it.span_id == span && it.operation == "AppDeploy")
                };
                let condition = format!("with the AppDeploy span {span}");
                self.jaeger.await_trace(&id, self.within, &condition, there).await?;
            }
        }
        Ok(())
    }

    fn late(&self, object: &str, condition: &str, state: String) -> Error {
        Error::Waited {
            object: format!("{object} of {}", self.namespace.name()),
            condition: condition.into(),
            seconds: self.within.as_secs(),
            state,
        }
    }
}

/// The newest attempt.
pub fn newest(trace: &RolloutTrace) -> Option<&ChainEntry> {
    trace.status.as_ref()?.chain.first()
}

/// The chain, oldest first, a line an attempt.
pub fn lines(trace: &RolloutTrace) -> Vec<String> {
    let chain = trace.status.as_ref().map(|status| &*status.chain).unwrap_or_default();
    chain.iter().rev().map(line).collect()
}

/// An attempt in a line: revision, version, phase, what it follows, its KeptnAppVersion, and how
/// far its link came. `2#2 2.0.0 Promoted [Successor 1, RetryAfter 2] shop-2.0.0-4b227777 Lost`
pub fn line(entry: &ChainEntry) -> String {
    let numbered = |revision: i64, attempt: i32| match attempt {
        1 => revision.to_string(),
        attempt => format!("{revision}#{attempt}"),
    };
    let keptn = entry.keptn.as_ref();
    let follows: Vec<_> = entry
        .follows
        .iter()
        .map(|it| format!("{:?} {}", it.relation, numbered(it.revision, it.attempt)))
        .collect();
    let app_version = match keptn {
        Some(keptn) if keptn.traceparent.is_some() => {
            keptn.app_version.as_deref().unwrap_or("goes on")
        }
        _ => "-",
    };
    let mut line = numbered(entry.revision, entry.attempt);
    let _ = write!(
        line,
        " {} {:?} [{}] {app_version} {:?}",
        keptn.map_or("?", |keptn| &keptn.version),
        entry.phase,
        follows.join(", "),
        entry.linked.state,
    );
    line
}

/// Trace id and span id of a traceparent.
pub fn ids(traceparent: &str) -> Option<(String, String)> {
    let mut parts = traceparent.split('-').skip(1);
    Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
}

/// The traceparent of its AppDeploy span, which is what others link to.
pub fn app_deploy(version: &KeptnAppVersion) -> Option<String> {
    let phases = version.status.as_ref()?.phase_trace_ids.as_ref()?;
    phases.get("AppDeploy")?.get("traceparent").cloned()
}
