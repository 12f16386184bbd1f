//! What is rolled out, and what has to follow what.

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;

use api::RolloutTrace;
use api::rollout_trace::Phase;

use super::steps::{Step, Steps};
use crate::chain::{Chains, newest};
use crate::cluster::{Error, Namespace};
use crate::jaeger::Jaeger;
use crate::shop::{PodKind, Rollout, Shop, State, pause_for, weight};

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
    App {
        name: "shop",
        rollouts: &["cart"],
    },
    App {
        name: "checkout",
        rollouts: &["pay", "ship"],
    },
];

/// What is released, one after the other.
pub(crate) const RELEASES: [Release; 5] = [
    good("1.0.0", &[]),
    good("2.0.0", &["1.0.0"]),
    good("3.0.0", &["2.0.0"]),
    Release {
        version: "4.0.0",
        bad: true,
        follows: &["3.0.0"],
    },
    good("5.0.0", &["3.0.0", "4.0.0"]),
];

const fn good(version: &'static str, follows: &'static [&'static str]) -> Release {
    Release {
        version,
        bad: false,
        follows,
    }
}

/// All Rollouts of the demo, with their apps.
pub(crate) fn rollouts() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of = |app: &'static App| app.rollouts.iter().map(|rollout| (app.name, *rollout));
    APPS.iter().flat_map(of)
}

/// Rolls everything out: the apps side by side, the Rollouts of an app together.
pub(crate) async fn tell(
    namespace: &Namespace,
    jaeger: Jaeger,
    steps: &Steps,
) -> Result<(), Error> {
    let chains = Chains::of(namespace, jaeger);
    let shop = Shop::new(namespace);
    let apps = APPS.iter().map(async |app| {
        let mut rollouts: Vec<Option<Rollout>> = app.rollouts.iter().map(|_| None).collect();
        for release in &RELEASES {
            let released = app.rollouts.iter().zip(&mut rollouts);
            let released = released.map(async |(name, rollout)| {
                let step = steps.begin(&format!("{name} {}", release.version), "applying");
                match rollout {
                    Some(rollout) => change(rollout, release).await?,
                    None => *rollout = Some(create(&shop, app, name, release).await?),
                }
                match rollout {
                    Some(rollout) => outcome(rollout, release, &chains, step).await,
                    None => Ok(()),
                }
            });
            try_join_all(released).await?;
        }
        Ok(())
    });
    try_join_all(apps).await.map(drop)
}

async fn create(shop: &Shop, app: &App, name: &str, release: &Release) -> Result<Rollout, Error> {
    let steps = [weight(34), pause_for(1), weight(67), pause_for(1)];
    shop.rollout(name)
        .app(app.name)
        .version(release.version)
        .canary(steps)
        .apply()
        .await
}

async fn change(rollout: &mut Rollout, release: &Release) -> Result<(), Error> {
    let pods = if release.bad {
        PodKind::ImagePull
    } else {
        PodKind::Ready
    };
    rollout.apply_version_with(release.version, pods).await
}

async fn outcome(
    rollout: &Rollout,
    release: &Release,
    chains: &Chains,
    step: Step,
) -> Result<(), Error> {
    let told = if release.bad {
        aborted(rollout, release, chains, &step).await
    } else {
        promoted(rollout, release, chains, &step).await
    };
    match told {
        Ok(told) => step.done(&told),
        Err(error) => {
            step.failed("did not come to its end");
            return Err(error);
        }
    }
    Ok(())
}

async fn promoted(
    rollout: &Rollout,
    release: &Release,
    chains: &Chains,
    step: &Step,
) -> Result<String, Error> {
    let version = release.version;
    let is = |state: &State| {
        step.now(&doing(state));
        state.is_observed()
            && state.phase() == "Healthy"
            && state.stable() == state.current()
            && state.version() == Some(version)
    };
    rollout.until(&format!("Healthy at {version}"), is).await?;
    step.now("live; waiting until Throughline has seen its trace");
    let name = rollout.name();
    chains
        .trace_until(name, &format!("promoted at {version}"), |trace| {
            stands(trace, version, Phase::Promoted)
        })
        .await?;
    chains.written_ahead(name, version).await?;
    Ok("promoted; its trace is linked ahead of the next one".into())
}

async fn aborted(
    rollout: &Rollout,
    release: &Release,
    chains: &Chains,
    step: &Step,
) -> Result<String, Error> {
    let version = release.version;
    step.now("one pod of it is started");
    let condition = format!("of {version} and cannot pull its image");
    let stuck = |pod: &Pod| cannot_pull(pod, version);
    rollout.pod_until(&condition, stuck).await?;
    step.now("its image cannot be pulled");
    let name = rollout.name();
    chains.written_ahead(name, version).await?;
    rollout.abort().await?;
    step.now("its image cannot be pulled: aborting");
    rollout.aborted().await?;
    chains
        .trace_until(name, &format!("aborted at {version}"), |trace| {
            stands(trace, version, Phase::Aborted)
        })
        .await?;
    let live = release.follows.first().unwrap_or(&"nothing");
    Ok(format!(
        "aborted, as its image cannot be pulled; {live} stays live"
    ))
}

fn stands(trace: &RolloutTrace, version: &str, phase: Phase) -> bool {
    newest(trace).is_some_and(|entry| {
        let keptn = entry.keptn.as_ref();
        entry.phase == phase && keptn.is_some_and(|keptn| keptn.version == version)
    })
}

fn doing(state: &State) -> String {
    let step = state.step().map_or(0, |step| step + 1);
    match state.phase() {
        "Paused" => format!("canary: paused at step {step} of 4"),
        "Progressing" if (1..=4).contains(&step) => format!("canary: step {step} of 4"),
        _ => "rolling out".into(),
    }
}

fn cannot_pull(pod: &Pod, version: &str) -> bool {
    let labels = pod.metadata.labels.as_ref();
    let ours = labels
        .and_then(|labels| labels.get("app.kubernetes.io/version"))
        .is_some_and(|it| it == version);
    let containers = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    let mut waiting = containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref());
    ours && waiting.any(|waiting| {
        let reason = waiting.reason.as_deref();
        matches!(reason, Some("ImagePullBackOff" | "ErrImagePull"))
    })
}
