//! DORA's metrics of a life of a Rollout: worked out by hand here, and the same in the RolloutTrace,
//! in the metrics and in what `throughline dora` prints.

mod figures;
mod kept;
mod lost;
mod teams;

use std::error::Error;

use api::RolloutTrace;
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use serde_json::Value;
use throughline_tests::attempt::{Attempts, Which};
use throughline_tests::chain::Chains;
use throughline_tests::cluster::{Cluster, Namespace};
use throughline_tests::operator::Operator;
use throughline_tests::shop::{Manifest, PodKind, Rollout, Shop, State, pause, weight};
use timeline::ledger::{Exposed, Kind, Line};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// A namespace with a shop in it and an operator that follows it.
struct Story {
    namespace: Namespace,
    shop: Shop,
    attempts: Attempts,
    chains: Chains,
    operator: Operator,
}

impl Story {
    async fn begin(name: &str) -> Result<Self, Box<dyn Error>> {
        let cluster = Cluster::shared()?;
        let namespace = cluster.namespace_without_keptn(name).await?;
        let operator = Operator::in_namespace(cluster, namespace.name()).await?;
        operator.ready().await?;
        Ok(Self {
            shop: Shop::new(&namespace),
            attempts: Attempts::of(&namespace, cluster.jaeger()),
            chains: Chains::of(&namespace, cluster.jaeger()),
            operator,
            namespace,
        })
    }

    /// The first version of a Rollout, live: it counts as nothing.
    async fn first(&self, name: &str) -> Result<Rollout, Box<dyn Error>> {
        let manifest = self.shop.rollout(name).unnamed().version("1.0.0").replicas(2);
        let manifest = manifest.canary([weight(5), pause()]).deadline(5).abort_on_deadline();
        let rollout = manifest.apply().await?;
        rollout.healthy().await?;
        self.attempts.delivered(name, (1, 1)).await?;
        Ok(rollout)
    }

    /// Applies a version, and promotes it from its pause.
    async fn promotes(
        &self,
        rollout: &mut Rollout,
        version: &str,
        which: Which,
        change: impl FnOnce(Manifest) -> Manifest,
    ) -> Outcome {
        let before = rollout.state().await?.current().to_owned();
        rollout.change(|it| change(it.version(version).pods(PodKind::Ready))).await?;
        // What it replaces may stand at the same step.
        let anew = |it: &State| it.is_observed() && it.current() != before;
        rollout.until("at another template", anew).await?;
        rollout.paused_at(1).await?;
        rollout.promote().await?;
        rollout.healthy_at(version).await?;
        self.attempts.delivered(rollout.name(), which).await?;
        Ok(())
    }

    /// The RolloutTrace, once its ledger has so many lines that all are over.
    async fn trace(&self, rollout: &str, lines: usize) -> Result<RolloutTrace, Box<dyn Error>> {
        let is = |trace: &RolloutTrace| {
            let lines_of = ledger(trace);
            let over =
                |line: &Line| !line.open() && line.settled.is_some() == expects_settled(line);
            lines_of.len() == lines && lines_of.iter().all(over)
        };
        let condition = format!("of {lines} lines that are over");
        Ok(self.chains.trace_until(rollout, &condition, is).await?)
    }

    /// The value of one series.
    async fn gauge(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let (_, text) = self.operator.get("metrics").await?;
        let is = |line: &&str| {
            let begin = format!("throughline_{name}{{");
            line.starts_with(&begin) && labels.iter().all(|label| line.contains(label))
        };
        text.lines().find(is)?.rsplit_once(' ')?.1.parse().ok()
    }

    /// What `throughline dora` prints as JSON.
    async fn prints(&self) -> Result<Value, Box<dyn Error>> {
        let namespace = self.namespace.name();
        let args =
            ["dora", "--namespace", namespace, "--since", "7d", "--output", "json", "--audit"];
        Ok(serde_json::from_str(&self.operator.command(&args).await?)?)
    }

    fn traces(&self) -> Api<RolloutTrace> {
        self.namespace.api()
    }
}

/// Of these ends something follows that is waited for.
fn expects_settled(line: &Line) -> bool {
    use timeline::base::Phase::{Aborted, Promoted, Reverted};
    matches!(line.outcome, Promoted | Aborted | Reverted)
}

fn ledger(trace: &RolloutTrace) -> Vec<Line> {
    let lines = trace.status.iter().flat_map(|status| &status.ledger);
    lines.map(|line| line.parse().unwrap()).collect()
}

/// `3.1 Aborted Change exposed`, oldest first.
fn summary(trace: &RolloutTrace) -> Vec<String> {
    let line = |line: &Line| {
        let (id, exposed) = (line.id.short(), line.exposed == Exposed::Yes);
        let exposed = if exposed { " exposed" } else { "" };
        format!("{id} {} {}{exposed}", line.outcome, line.kind)
    };
    ledger(trace).iter().rev().map(line).collect()
}

/// Some hours ago, as a pipeline writes it.
fn ago(hours: i64) -> String {
    let at = Timestamp::now() - SignedDuration::from_hours(hours);
    Timestamp::from_second(at.as_second()).unwrap().to_string()
}

fn is_rollback(line: &Line) -> bool {
    line.kind == Kind::Rollback
}
