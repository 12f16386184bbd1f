//! Several replicas: one leads, the others stand by, and nothing is lost or written twice between
//! them.

mod admission;
mod churn;
mod fence;
mod hand_over;
mod stop;

use std::time::{Duration, Instant};

use throughline_tests::chain::Chains;
use throughline_tests::cluster::{Cluster, Error, Namespace};
use throughline_tests::operator::{Operator, Settings, install};
use throughline_tests::shop::Shop;

pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// How long a lease lasts here.
const LEASE: Duration = Duration::from_secs(3);

/// Two replicas that follow one namespace.
struct Pair {
    namespace: Namespace,
    shop: Shop,
    chains: Chains,
    replicas: [Operator; 2],
}

impl Pair {
    /// Both have started, and one leads.
    async fn begin(name: &str) -> Result<Self, Box<dyn std::error::Error>> {
        Self::with_lease(name, LEASE).await
    }

    /// The same with a lease that lasts so long.
    async fn with_lease(name: &str, lease: Duration) -> Result<Self, Box<dyn std::error::Error>> {
        let cluster = Cluster::shared()?;
        install(cluster).await?;
        let namespace = cluster.namespace_without_keptn(name).await?;
        let at = namespace.name();
        namespace.apply(&permission(at)).await?;
        let start = async |replica: &str| {
            let seconds = lease.as_secs();
            let flags = [format!("--lease={at}/throughline"), format!("--lease-seconds={seconds}")];
            let settings = Settings {
                namespace: Some(at.to_owned()),
                flags: flags.into(),
                ..Settings::default()
            };
            Operator::start(cluster, &format!("throughline-{at}-{replica}"), settings).await
        };
        let replicas = [start("a").await?, start("b").await?];
        let (shop, chains) = (Shop::new(&namespace), Chains::of(&namespace, cluster.jaeger()));
        let pair = Self { namespace, shop, chains, replicas };
        pair.leader().await?;
        Ok(pair)
    }

    /// Who leads, and who does not, as soon as one does.
    async fn leader(&self) -> Result<(&Operator, &Operator), Error> {
        let since = Instant::now();
        loop {
            let [a, b] = &self.replicas;
            match (leads(a).await, leads(b).await) {
                (true, false) => return Ok((a, b)),
                (false, true) => return Ok((b, a)),
                leads => assert!(since.elapsed() < 10 * LEASE, "one leads: {leads:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn leads(operator: &Operator) -> bool {
    operator.metric("throughline_leader", "").await > 0.0
}

/// Waits until it leads.
async fn takes_over(operator: &Operator) {
    let since = Instant::now();
    while !leads(operator).await {
        assert!(since.elapsed() < 10 * LEASE, "nobody takes over");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What config/rbac gives in the operator's own namespace, in another.
fn permission(namespace: &str) -> String {
    let shipped = include_str!("../../../config/rbac/lease.yaml");
    let (role, binding) = shipped.split_once("---\n").unwrap();
    let ours = "namespace: throughline-system";
    let (binding, subject) = binding.split_once("subjects:").unwrap();
    let here = format!("namespace: {namespace}");
    format!("{}---\n{}subjects:{subject}", role.replace(ours, &here), binding.replace(ours, &here))
}
