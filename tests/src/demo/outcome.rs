//! What came of it: the chains from the RolloutTraces, from Jaeger, and in kubectl's words.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use api::RolloutTrace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::error::Error;
use super::graph;
use super::readback::{self, Chain, Reading};
use super::stage::Stage;
use super::story::{self, RELEASES};
use super::style::{Style, Tone};
use crate::chain::ids;
use crate::cluster::{self, Cluster};

// Keptn exports in batches, and a root when all below it is over.
const PATIENCE: Duration = Duration::from_secs(30);

/// The chains of all Rollouts, twice.
#[derive(Debug)]
pub(crate) struct Outcome {
    chains: Vec<Chain>,
    readings: Vec<Vec<Reading>>,
}

impl Outcome {
    /// Reads until everything is there, or nothing more is to be expected.
    pub(crate) async fn read(stage: &Stage, cluster: &Cluster) -> Result<Self, Error> {
        let since = Instant::now();
        loop {
            let outcome = Self::now(stage, cluster).await?;
            if outcome.is_whole() || since.elapsed() > PATIENCE {
                return Ok(outcome);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn now(stage: &Stage, cluster: &Cluster) -> Result<Self, Error> {
        let api: Api<RolloutTrace> = stage.namespace.api();
        let mut chains = Vec::new();
        for (app, rollout) in story::rollouts() {
            let what = format!("read RolloutTrace {rollout}");
            let trace = api.get_opt(rollout).await.map_err(cluster::Error::api(what))?;
            let entries = trace.and_then(|trace| trace.status);
            let entries = entries.map(|status| status.chain).unwrap_or_default();
            chains.push(Chain { app, rollout, entries });
        }
        let traces = readback::traces(&chains, &cluster.jaeger()).await?;
        let readings =
            chains.iter().map(|chain| readback::read(chain, &RELEASES, &chains, &traces)).collect();
        Ok(Self { chains, readings })
    }

    /// Whether Jaeger holds each link that there should be, and no other.
    pub(crate) fn is_whole(&self) -> bool {
        self.readings.iter().flatten().all(|it| it.faults.is_empty())
    }

    /// The chains, drawn; what Jaeger says; what kubectl says.
    pub(crate) async fn shown(
        &self,
        stage: &Stage,
        cluster: &Cluster,
        style: Style,
    ) -> Result<String, Error> {
        let mut text = String::new();
        title(&mut text, style, "The chains, from the RolloutTraces");
        for chain in &self.chains {
            name(&mut text, style, chain);
            for line in graph::draw(&chain.entries, style) {
                let _ = writeln!(text, "  {line}");
            }
        }
        title(
            &mut text,
            style,
            "The same from Jaeger: the root span of each KeptnAppVersion, and what it FOLLOWS_FROM",
        );
        for (chain, readings) in self.chains.iter().zip(&self.readings) {
            name(&mut text, style, chain);
            let shared = self.chains.iter().filter(|other| other.app == chain.app);
            if shared.count() > 1 {
                let note =
                    "Keptn links apps: the traces of the app's other Rollouts are linked too.";
                let _ = writeln!(text, "  {}", style.paint(Tone::Dim, note));
            }
            for line in readings.iter().rev().flat_map(|it| it.lines(style)) {
                let _ = writeln!(text, "  {line}");
            }
        }
        let namespace = stage.namespace.name();
        title(&mut text, style, &format!("kubectl get rtr -n {namespace}"));
        text.push('\n');
        text.push_str(&cluster.kubectl(&["get", "rtr", "-n", namespace]).await?);
        Ok(text)
    }

    /// Which links are missing.
    pub(crate) fn faults(&self, logs: &Path, style: Style) -> String {
        let mut text = String::new();
        title(&mut text, style, "The chain is not whole");
        text.push('\n');
        for fault in self.readings.iter().flatten().flat_map(Reading::said) {
            let _ = writeln!(text, "  {} {fault}", style.paint(Tone::Bad, "✗"));
        }
        let _ = writeln!(text, "\n  The logs are in {}", logs.display());
        text
    }

    /// The trace of the newest revision of the first Rollout.
    pub(crate) fn newest_trace(&self) -> Option<String> {
        let keptn = self.chains.first()?.entries.first()?.keptn.as_ref()?;
        Some(ids(keptn.traceparent.as_deref()?)?.0)
    }
}

/// What Throughline itself says is not as it should be.
pub(crate) async fn complaints(cluster: &Cluster) -> Result<Vec<String>, Error> {
    let traces: Api<RolloutTrace> = Api::all(cluster.client().await?);
    let listed = traces.list(&ListParams::default()).await;
    let listed = listed.map_err(cluster::Error::api("list RolloutTraces"))?;
    let mut complaints = Vec::new();
    for trace in listed {
        let conditions = trace.status.iter().flat_map(|status| &status.conditions);
        for condition in conditions.filter(|condition| condition.status != "True") {
            let Condition { reason, message, .. } = condition;
            complaints.push(format!("{}: {reason}: {message}", trace.name_any()));
        }
    }
    Ok(complaints)
}

/// Writes a line that stands out.
pub(crate) fn title(text: &mut String, style: Style, title: &str) {
    let _ = writeln!(text, "\n{}", style.paint(Tone::Strong, title));
}

fn name(text: &mut String, style: Style, chain: &Chain) {
    let Chain { app, rollout, .. } = chain;
    let rollout = style.paint(Tone::Strong, rollout);
    let app = style.paint(Tone::Dim, &format!("(app {app})"));
    let _ = writeln!(text, "\n  {rollout} {app}");
}
