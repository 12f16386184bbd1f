//! Two replicas: how long nobody leads after a leader ends, and what admission costs and gives.
//!
//! With admission the link stands in the KeptnAppVersion as it is created: there is no latency to
//! measure, only how much longer the create takes.

use std::time::{Duration, Instant};

use futures::join;
use tokio::time::sleep;

use super::distribution::Distribution;
use super::objects::App;
use super::stage::Stage;
use super::{Error, Sizes, say};
use crate::admission::Webhook;
use crate::cluster::{Cluster, Namespace};
use crate::operator::{Operator, Settings};

/// How long the Lease of the shipped Deployment lasts.
pub(super) const LEASE: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_mins(1);

/// What was measured.
#[derive(Debug)]
pub(super) struct Replicas {
    /// SIGTERM sent to the leader until the next one leads.
    pub(super) terminated: Distribution,
    /// SIGKILL until the next one leads.
    pub(super) killed: Distribution,
    /// How long the create of a KeptnAppVersion takes where the operator is asked,
    pub(super) asked: Distribution,
    /// and where it is not.
    pub(super) unasked: Distribution,
    /// Second versions that were created with the link to the first, of those where it is asked.
    pub(super) linked: usize,
}

/// Measures beside what is there; nobody else leads.
pub(super) async fn measure(
    cluster: &'static Cluster,
    stage: &Stage,
    sizes: &Sizes,
) -> Result<Replicas, Error> {
    let asked = cluster.namespace_without_keptn("bench-asked").await?;
    let webhook = Webhook::register(cluster, asked.name()).await?;
    let lease = "--lease=throughline-system/throughline".to_owned();
    let start = async |name: &str, flags: Vec<String>| {
        let settings = Settings { flags, ..Settings::default() };
        Operator::start(cluster, &format!("throughline-{name}"), settings).await
    };
    let mut flags = webhook.flags();
    flags.push(lease.clone());
    let first = start("replica-a", flags).await?;
    leads(&first).await?;
    let second = start("replica-b", vec![lease]).await?;
    second.ready().await?;

    let (with, linked) = admitted(stage, sizes, &asked, Some((&webhook, &first))).await?;
    let unasked = cluster.namespace_without_keptn("bench-unasked").await?;
    let (without, _) = admitted(stage, sizes, &unasked, None).await?;

    let pair = [first, second];
    say("hand-over between two replicas");
    let mut terminated = Vec::new();
    let mut killed = Vec::new();
    for round in 0..sizes.terminations + sizes.kills {
        let (leader, next) = (&pair[round % 2], &pair[(round + 1) % 2]);
        let since = Instant::now();
        if round < sizes.terminations {
            let (ended, led) = join!(leader.terminate(), leads(next));
            ended?;
            terminated.push(led?.duration_since(since));
        } else {
            leader.kill();
            killed.push(leads(next).await?.duration_since(since));
        }
        leader.resume()?;
        leader.ready().await?;
    }
    Ok(Replicas {
        terminated: terminated.into_iter().collect(),
        killed: killed.into_iter().collect(),
        asked: with,
        unasked: without,
        linked,
    })
}

/// Waits until it leads; says when it did.
async fn leads(operator: &Operator) -> Result<Instant, Error> {
    let since = Instant::now();
    while operator.metric("throughline_leader", "").await < 1.0 {
        if since.elapsed() > PATIENCE {
            return Err(Error::NoLeader { seconds: PATIENCE.as_secs() });
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(Instant::now())
}

/// The second version of each app is created: how long that takes, and how many have their link.
async fn admitted(
    stage: &Stage,
    sizes: &Sizes,
    namespace: &Namespace,
    asked: Option<(&Webhook, &Operator)>,
) -> Result<(Distribution, usize), Error> {
    if let Some((webhook, operator)) = asked {
        webhook.asked(namespace, operator).await?;
    }
    let how = if asked.is_some() { "with" } else { "without" };
    say(&format!("{} KeptnAppVersions {how} admission", sizes.admitted));
    let (mut took, mut linked) = (Vec::new(), 0);
    for n in 0..sizes.admitted {
        let app = App { namespace: namespace.name().to_owned(), name: format!("asked-{n}") };
        let first = app.revision(1);
        let begun = stage.begin(first).await?;
        stage.admit(first).await?;
        stage.deploy(first, true).await?;
        stage.name(first, &begun).await?;
        stage.promote(first).await?;
        // Keptn's webhook makes the object of a pod some time after Argo's status.
        sleep(Duration::from_millis(100)).await;
        let second = app.revision(2);
        stage.begin(second).await?;
        sleep(Duration::from_millis(100)).await;
        let since = Instant::now();
        let links = stage.ask(second).await?;
        took.push(since.elapsed());
        let link = first.traceparent("AppDeploy");
        linked += usize::from(links.contains(&link));
    }
    Ok((took.into_iter().collect(), linked))
}
