//! KeptnAppVersions in numbers while leaders are ended one after the other: each that an operator was
//! asked about has the links of its own attempt, and no others.
//!
//! `THROUGHLINE_VERSIONS` says how many at least.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use api::keptn::KeptnAppVersion;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use throughline_tests::admission::Webhook;
use throughline_tests::chain::{Chains, app_deploy};
use throughline_tests::cluster::{Cluster, Namespace, free_port};
use throughline_tests::keptn::Keptn;
use throughline_tests::operator::{Operator, Settings, install};
use throughline_tests::relay::Relay;
use throughline_tests::shop::{Rollout, Shop, pause, weight};
use tokio::sync::watch;

use super::{LEASE, Outcome, leads, permission};

/// KeptnAppVersions, unless something else is asked for.
const APP_VERSIONS: usize = 60;
/// Rollouts, each an app of its own.
const ROLLOUTS: usize = 10;
/// Keptn makes so many versions of a revision after the first: its own, one of the revision before when
/// an old pod dies in mid-canary, and one of itself with its next pod.
const OF_A_REVISION: usize = 3;
const PATIENCE: Duration = Duration::from_mins(2);

/// Two replicas behind one address, as a Service leads to those that are ready.
struct Replicas {
    namespace: Namespace,
    webhook: Webhook,
    service: Relay,
    /// Each with the address that it answers admission at.
    both: [(Operator, String); 2],
}

impl Replicas {
    async fn begin(name: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let cluster = Cluster::shared()?;
        install(cluster).await?;
        Keptn::shared().await?;
        let namespace = cluster.namespace(name).await?;
        let at = namespace.name().to_owned();
        namespace.apply(&permission(&at)).await?;
        let addresses = [free_port()?, free_port()?].map(|port| format!("127.0.0.1:{port}"));
        let service = Relay::to(&addresses[0]).await?;
        let webhook = Webhook::register_at(cluster, &at, service.socket().port()).await?;
        let start = async |replica: &str, address: &str| {
            let flags = [
                format!("--lease={at}/throughline"),
                format!("--lease-seconds={}", LEASE.as_secs()),
                format!("--admission-address={address}"),
                format!("--admission-configuration={}", webhook.name()),
            ];
            let settings = Settings {
                namespace: Some(at.clone()),
                flags: flags.into(),
                ..Settings::default()
            };
            Operator::start(cluster, &format!("throughline-{at}-{replica}"), settings).await
        };
        let [a, b] = addresses;
        let both = [(start("a", &a).await?, a), (start("b", &b).await?, b)];
        let replicas = Self { namespace, webhook, service, both };
        replicas.is_asked(0).await?;
        Ok(replicas)
    }

    /// Waits until the API server reaches this replica.
    async fn is_asked(&self, replica: usize) -> Outcome {
        let (operator, _) = &self.both[replica];
        operator.ready().await?;
        Ok(self.webhook.asked(&self.namespace, operator).await?)
    }

    /// The leader ends, by SIGTERM or SIGKILL in turns; the other one is asked from then on, and
    /// a new process takes its place.
    async fn replace(&self, round: usize) -> Outcome {
        let since = Instant::now();
        let leader = loop {
            match (leads(&self.both[0].0).await, leads(&self.both[1].0).await) {
                (true, false) => break 0,
                (false, true) => break 1,
                leads => assert!(since.elapsed() < 10 * LEASE, "one leads: {leads:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let other = 1 - leader;
        self.service.lead(&self.both[other].1);
        if round.is_multiple_of(2) {
            self.both[leader].0.kill();
        } else {
            self.both[leader].0.terminate().await?;
        }
        self.is_asked(other).await?;
        self.both[leader].0.resume()?;
        self.both[leader].0.ready().await?;
        Ok(())
    }
}

async fn app_versions(
    namespace: &Namespace,
) -> Result<Vec<KeptnAppVersion>, Box<dyn std::error::Error>> {
    let api: Api<KeptnAppVersion> = namespace.api();
    let mut all = api.list(&ListParams::default()).await?.items;
    all.sort_by_key(|it| {
        (it.creation_timestamp(), timeline::keptn::generation::of_name(&it.name_any()))
    });
    Ok(all)
}

/// The names of all of them, listed twice a second for all that wait for one.
type Names = watch::Receiver<Vec<String>>;

/// Lists them until that fails.
async fn list(namespace: &Namespace, names: watch::Sender<Vec<String>>) -> kube::Error {
    let api: Api<KeptnAppVersion> = namespace.api();
    loop {
        match api.list_metadata(&ListParams::default()).await {
            Ok(all) => names.send_replace(all.iter().map(ResourceExt::name_any).collect()),
            Err(error) => return error,
        };
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn count(names: &[String], begins: &str) -> usize {
    names.iter().filter(|name| name.starts_with(begins)).count()
}

/// Waits until Keptn has made as many of this version of an app.
async fn made(names: &mut Names, begins: &str, wanted: usize) -> Outcome {
    let made = names.wait_for(|names| count(names, begins) >= wanted);
    let made = tokio::time::timeout(PATIENCE, made).await.map(|made| made.map(drop));
    match made {
        Ok(made) => Ok(made?),
        Err(_) => Err(format!("no {wanted} of {begins} after two minutes").into()),
    }
}

/// A pod of this version dies, and its ReplicaSet makes another.
async fn pod_dies(cart: &Rollout, version: &str) -> Outcome {
    let of = |pod: &k8s_openapi::api::core::v1::Pod| {
        pod.labels().get("app.kubernetes.io/version").is_some_and(|it| it == version)
    };
    let pod = cart.pods().await?.into_iter().find(of).ok_or("no pod of that version")?;
    cart.namespace().kubectl(&["delete", "pod", &pod.name_any(), "--wait=false"]).await?;
    Ok(())
}

/// One Rollout goes through all of its revisions.
async fn roll_out(
    namespace: &Namespace,
    chains: &Chains,
    mut names: Names,
    (name, updates): (&str, usize),
) -> Outcome {
    let version = |number: usize| format!("{number}.0.0");
    let steps = [weight(50), pause(), weight(100)];
    let manifest = Shop::new(namespace).rollout(name).version(&version(1)).replicas(2);
    let mut cart = manifest.canary(steps).apply().await?.within(PATIENCE);
    cart.healthy_at(&version(1)).await?;
    chains.written_ahead(name, &version(1)).await?;
    for number in 2..2 + updates {
        let (old, new) = (version(number - 1), version(number));
        let of = |version: &str| format!("{name}-{version}-");
        let before = count(&names.borrow(), &of(&old));
        cart.apply_version(&new).await?;
        cart.paused().await?;
        chains.written_ahead(name, &new).await?;
        pod_dies(&cart, &old).await?;
        made(&mut names, &of(&old), before + 1).await?;
        pod_dies(&cart, &new).await?;
        made(&mut names, &of(&new), 2).await?;
        cart.promote().await?;
        cart.healthy_at(&new).await?;
    }
    Ok(())
}

#[tokio::test]
async fn versions_in_numbers_follow_what_they_followed_while_leaders_end() -> Outcome {
    let asked = std::env::var("THROUGHLINE_VERSIONS").ok().and_then(|number| number.parse().ok());
    let wanted: usize = asked.unwrap_or(APP_VERSIONS);
    let updates = wanted.div_ceil(ROLLOUTS).saturating_sub(1).div_ceil(OF_A_REVISION);
    let cluster = Cluster::shared()?;
    let replicas = Replicas::begin("churned").await?;
    let chains = Chains::of(&replicas.namespace, cluster.jaeger()).within(PATIENCE);
    let before = replicas.webhook.unanswered(cluster).await?;
    let carts: Vec<_> = (0..ROLLOUTS).map(|number| format!("cart{number}")).collect();
    let (sender, names) = watch::channel(Vec::new());
    let rollouts = async {
        let of = |cart| roll_out(&replicas.namespace, &chains, names.clone(), (cart, updates));
        futures::future::try_join_all(carts.iter().map(String::as_str).map(of)).await
    };
    let mut ended = 0;
    let leaders = async {
        loop {
            tokio::time::sleep(3 * LEASE).await;
            if let Err(error) = replicas.replace(ended).await {
                return error;
            }
            ended += 1;
        }
    };
    tokio::select! {
        all = rollouts => { all?; }
        error = leaders => return Err(error),
        error = list(&replicas.namespace, sender) => return Err(error.into()),
    }
    // One in half a minute, at the least.
    assert!(ended > wanted / 100, "{ended} leaders ended");

    let all = app_versions(&replicas.namespace).await?;
    assert!(all.len() >= wanted, "{} KeptnAppVersions", all.len());
    // What others link to is the trace of the first of a version.
    let mut first: BTreeMap<(String, usize), String> = BTreeMap::new();
    let app_and_number = |it: &KeptnAppVersion| {
        let spec = it.spec.as_ref()?;
        let version = spec.workloads.iter().flatten().next()?.version.as_deref()?;
        let number = version.split('.').next()?.parse::<usize>().ok()?;
        Some((spec.app_name.clone()?, number))
    };
    for it in &all {
        let (app, number) =
            app_and_number(it).ok_or_else(|| format!("{} has no version", it.name_any()))?;
        first.entry((app, number)).or_insert(app_deploy(it).unwrap_or_default());
    }
    let mut wrong = Vec::new();
    for it in &all {
        let (app, number) = app_and_number(it).unwrap_or_default();
        let links = it.spec.as_ref().and_then(|spec| spec.span_links.clone()).unwrap_or_default();
        let expected: Vec<_> = first.get(&(app, number - 1)).into_iter().cloned().collect();
        if links != expected {
            wrong.push(format!("{}: {links:?}, and not {expected:?}", it.name_any()));
        }
    }
    let unanswered = replicas.webhook.unanswered(cluster).await? - before;
    eprintln!(
        "{} KeptnAppVersions, {ended} leaders ended, {} with other links, {unanswered} unanswered",
        all.len(),
        wrong.len()
    );
    // What the API server got no answer about has what was written ahead.
    assert!(wrong.len() <= unanswered, "{unanswered} unanswered: {wrong:#?}");
    Ok(())
}
