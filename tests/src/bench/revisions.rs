//! What a revision costs the API server, and what an hour without any: with Argo's controller, and
//! Keptn or its stand-in.

use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::sleep;

use super::audit::{self, Tally};
use super::scale::at_rest;
use super::{Error, Sizes, process, say};
use crate::chain::Chains;
use crate::cluster::{Cluster, Namespace};
use crate::operator::Operator;
use crate::shop::{Shop, pause_for, weight};

/// What was counted.
#[derive(Debug)]
pub(super) struct Revisions {
    /// How many revisions were rolled out.
    pub(super) count: usize,
    /// What the operator asked for meanwhile.
    pub(super) tally: Tally,
    /// CPU time of the operator meanwhile.
    pub(super) cpu: Duration,
    /// What it asked for while nothing changed.
    pub(super) idle: Tally,
    /// CPU time of the operator meanwhile.
    pub(super) idle_cpu: Duration,
    /// How many watches it keeps.
    pub(super) watches: usize,
}

/// Rolls out, and then waits beside what was rolled out.
pub(super) async fn measure(
    cluster: &'static Cluster,
    operator: &Operator,
    sizes: &Sizes,
) -> Result<Revisions, Error> {
    at_rest(operator).await?;
    let id = process::running(operator)?;
    let namespace = cluster.namespace("bench-revisions").await?;

    let before = (audit::operators(cluster)?.len(), process::cpu(id)?);
    say(&format!("{} Rollouts, {} versions each, with Argo and Keptn", sizes.real, sizes.versions));
    let names = (0..sizes.real).map(|n| format!("service-{n}"));
    let rolled = names.map(|name| roll_out(cluster, &namespace, name, sizes.versions));
    try_join_all(rolled).await?;
    at_rest(operator).await?;
    let requests = audit::operators(cluster)?;
    let tally = Tally::of(&requests[before.0..]);
    let cpu = process::cpu(id)?.saturating_sub(before.1);

    say(&format!("{} Rollouts more, then {} s of rest", sizes.resting, sizes.rest.as_secs()));
    let shop = Shop::new(&namespace);
    let resting = (0..sizes.resting).map(|n| {
        let manifest = shop.rollout(&format!("resting-{n}")).replicas(1);
        async move { manifest.apply().await?.healthy_at("1.0.0").await.map(drop) }
    });
    try_join_all(resting).await?;
    at_rest(operator).await?;
    let before = (audit::operators(cluster)?.len(), process::cpu(id)?);
    sleep(sizes.rest).await;
    let requests = audit::operators(cluster)?;
    let watched: std::collections::BTreeSet<_> = requests
        .iter()
        .filter(|request| request.verb == "watch")
        .map(|request| &request.resource)
        .collect();
    Ok(Revisions {
        count: sizes.real * sizes.versions,
        tally,
        cpu,
        idle: Tally::of(&requests[before.0..]),
        idle_cpu: process::cpu(id)?.saturating_sub(before.1),
        watches: watched.len(),
    })
}

// The next version follows when the last one is live and its trace is written ahead.
async fn roll_out(
    cluster: &Cluster,
    namespace: &Namespace,
    name: String,
    versions: usize,
) -> Result<(), Error> {
    let chains = Chains::of(namespace, cluster.jaeger());
    let steps = [weight(34), pause_for(2), weight(67), pause_for(2)];
    let manifest = Shop::new(namespace).rollout(&name).canary(steps);
    let mut rollout = manifest.apply().await?;
    for number in 1..=versions {
        let version = format!("{number}.0.0");
        if number > 1 {
            rollout.apply_version(&version).await?;
        }
        rollout.healthy_at(&version).await?;
        chains.written_ahead(&name, &version).await?;
    }
    Ok(())
}
