//! What is rolled out, and what has to follow what.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use api::RolloutTrace;
use api::rollout_trace::Phase;
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;

use super::steps::{Step, Steps};
use crate::chain::{Chains, ids, newest};
use crate::cluster::{Error, Namespace};
use crate::jaeger::{Jaeger, Trace};
use crate::shop::{PodKind, Rollout, Shop, State, Step as CanaryStep, pause_for, weight};

const PATIENCE: Duration = Duration::from_mins(1);

/// Rollouts that Keptn takes for one app.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) name: &'static str,
    pub(crate) rollouts: &'static [&'static str],
}

/// A version that is rolled out, of each Rollout.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) version: &'static str,
    /// Its image cannot be pulled.
    pub(crate) bad: bool,
    /// The versions that it follows: what is live, and what failed before it.
    pub(crate) follows: &'static [&'static str],
}

/// The apps of the demo.
pub(crate) const APPS: [App; 2] = [
    App { name: "shop", rollouts: &["cart"] },
    App { name: "checkout", rollouts: &["pay", "ship"] },
];

/// What is released, one after the other.
pub(crate) const RELEASES: [Release; 5] = [
    good("1.0.0", &[]),
    good("2.0.0", &["1.0.0"]),
    good("3.0.0", &["2.0.0"]),
    Release { version: "4.0.0", bad: true, follows: &["3.0.0"] },
    good("5.0.0", &["3.0.0", "4.0.0"]),
];

const fn good(version: &'static str, follows: &'static [&'static str]) -> Release {
    Release { version, bad: false, follows }
}

impl App {
    // An app with more Rollouts takes less time for each.
    fn steps(&self) -> Vec<CanaryStep> {
        match self.rollouts {
            [_] => vec![weight(34), pause_for(1), weight(67), pause_for(1)],
            _ => vec![weight(50), pause_for(1)],
        }
    }
}

/// All Rollouts of the demo, with their apps.
pub(crate) fn rollouts() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of = |app: &'static App| app.rollouts.iter().map(|rollout| (app.name, *rollout));
    APPS.iter().flat_map(of)
}

/// Rolls everything out: the apps side by side, the Rollouts of an app one after the other.
///
/// Released in the same second, two Rollouts share a KeptnAppVersion or they do not, as it happens.
pub(crate) async fn play(
    namespace: &Namespace,
    jaeger: &Jaeger,
    steps: &Steps,
) -> Result<(), Error> {
    let apps = APPS.iter().map(async |app| {
        let tale = Tale {
            app,
            shop: Shop::new(namespace),
            chains: Chains::of(namespace, jaeger.clone()),
            jaeger,
        };
        let mut rollouts = BTreeMap::new();
        for release in &RELEASES {
            for name in app.rollouts {
                let step = steps.begin(&format!("{name} {}", release.version), "applying");
                let last = app.rollouts.last() == Some(name);
                let released = async {
                    let said = tale.release(name, release, &mut rollouts, &step).await?;
                    if last && !release.bad {
                        tale.ended(release, &step).await?;
                    }
                    Ok(said)
                };
                match released.await {
                    Ok(said) => step.done(said),
                    Err(error) => {
                        step.stopped();
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    });
    try_join_all(apps).await.map(drop)
}

struct Tale<'a> {
    app: &'static App,
    shop: Shop,
    chains: Chains,
    jaeger: &'a Jaeger,
}

impl Tale<'_> {
    async fn release(
        &self,
        name: &'static str,
        release: &Release,
        rollouts: &mut BTreeMap<&'static str, Rollout>,
        step: &Step,
    ) -> Result<&'static str, Error> {
        let rollout = match rollouts.entry(name) {
            Entry::Vacant(entry) => entry.insert(self.first(name, release).await?),
            Entry::Occupied(entry) => {
                let rollout = entry.into_mut();
                let pods = if release.bad { PodKind::ImagePull } else { PodKind::Ready };
                rollout.apply_version_with(release.version, pods).await?;
                rollout
            }
        };
        if release.bad {
            self.aborted(rollout, release, step).await
        } else {
            self.promoted(rollout, release.version, step).await
        }
    }

    async fn first(&self, name: &str, release: &Release) -> Result<Rollout, Error> {
        let manifest = self.shop.rollout(name).app(self.app.name);
        let manifest = manifest.version(release.version);
        manifest.canary(self.app.steps()).apply().await
    }

    async fn promoted(
        &self,
        rollout: &Rollout,
        version: &str,
        step: &Step,
    ) -> Result<&'static str, Error> {
        let is = |state: &State| {
            step.now(&doing(state));
            state.is_observed()
                && state.phase() == "Healthy"
                && state.stable() == state.current()
                && state.version() == Some(version)
        };
        rollout.until(&format!("Healthy at {version}"), is).await?;
        step.now("live; Throughline writes the link to it");
        let name = rollout.name();
        let condition = format!("promoted at {version}");
        let is = |trace: &RolloutTrace| stands(trace, version, Phase::Promoted);
        self.chains.trace_until(name, &condition, is).await?;
        self.chains.written_ahead(name, version).await?;
        Ok("promoted; the next revision's link to it is in place")
    }

    async fn aborted(
        &self,
        rollout: &Rollout,
        release: &Release,
        step: &Step,
    ) -> Result<&'static str, Error> {
        let version = release.version;
        step.now("its first pod is started");
        let condition = format!("of {version} and cannot pull its image");
        let stuck = |pod: &Pod| cannot_pull(pod, version);
        rollout.pod_until(&condition, stuck).await?;
        step.now("its image cannot be pulled");
        let name = rollout.name();
        self.chains.written_ahead(name, version).await?;
        rollout.abort().await?;
        step.now("its image cannot be pulled: aborting");
        rollout.aborted().await?;
        let condition = format!("aborted at {version}");
        let is = |trace: &RolloutTrace| stands(trace, version, Phase::Aborted);
        self.chains.trace_until(name, &condition, is).await?;
        Ok("cannot pull its image, so it is aborted")
    }

    // Keptn looks now and then whether a Rollout is healthy. What comes before it has looked leaves
    // the trace open, and an open span is not in Jaeger.
    async fn ended(&self, release: &Release, step: &Step) -> Result<(), Error> {
        step.now("live; Keptn ends its trace");
        for name in self.app.rollouts {
            let entry = self.chains.written_ahead(name, release.version).await?;
            let keptn = entry.keptn.as_ref();
            let trace = keptn.and_then(|keptn| ids(keptn.traceparent.as_deref()?));
            let root = keptn.and_then(|keptn| keptn.app_version.clone());
            let (Some((trace, _)), Some(root)) = (trace, root) else {
                continue;
            };
            let condition = format!("one with the root span {root}");
            let has = |trace: &Trace| trace.span(&root).is_some();
            self.jaeger.await_trace(&trace, PATIENCE, &condition, has).await?;
        }
        Ok(())
    }
}

fn stands(trace: &RolloutTrace, version: &str, phase: Phase) -> bool {
    newest(trace).is_some_and(|entry| {
        let keptn = entry.keptn.as_ref();
        entry.phase == phase && keptn.is_some_and(|keptn| keptn.version == version)
    })
}

fn doing(state: &State) -> String {
    match (state.phase(), state.step()) {
        ("Paused", Some(step)) => format!("canary, paused at step {}", step + 1),
        ("Progressing", Some(step)) => format!("canary, step {}", step + 1),
        _ => "rolling out".into(),
    }
}

fn cannot_pull(pod: &Pod, version: &str) -> bool {
    let labels = pod.metadata.labels.as_ref();
    let ours = labels
        .and_then(|labels| labels.get("app.kubernetes.io/version"))
        .is_some_and(|it| it == version);
    let containers =
        pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut waiting = containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref());
    ours && waiting.any(|waiting| {
        let reason = waiting.reason.as_deref();
        matches!(reason, Some("ImagePullBackOff" | "ErrImagePull"))
    })
}
