//! A watch that is polled, and what it says.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api::argo::Rollout;
use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use kube::Client;
use timeline::seen::Unavailable;
use timeline::{Kind, Observation};

use super::{PATIENCE, QUICK, ROLLOUTS};
use crate::metrics::Metrics;
use crate::watch::server::{ApiServer, Asked, Reply};
use crate::watch::{Connections, Watches, listed_anew, others};

pub(super) struct Followed {
    pub(super) server: ApiServer,
    metrics: Metrics,
    connections: Connections,
    said: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Followed {
    pub(super) async fn all(script: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let all = |watches: &Watches| stream::select(others(watches), listed_anew(watches));
        Self::start(script, all).await
    }

    pub(super) async fn rollouts(script: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        Self::start(script, |watches| watches.observe::<Rollout>(None)).await
    }

    async fn start<S: Stream<Item = Observation> + Send + 'static>(
        script: impl FnMut(&Asked) -> Reply + Send + 'static,
        observe: impl FnOnce(&Watches) -> S,
    ) -> Self {
        let server = ApiServer::start(script).await;
        let mut config = kube::Config::new(format!("http://{}", server.address).parse().unwrap());
        config.default_retry = false;
        let metrics = Metrics::new(|| Timestamp::UNIX_EPOCH, &[]);
        let connections = metrics.connections();
        let watches = Watches {
            client: Client::try_from(config).unwrap(),
            namespace: None,
            metrics: metrics.clone(),
            team_label: "team".to_owned(),
            limits: QUICK,
        };
        let said = Arc::new(Mutex::new(Vec::new()));
        let (mut observations, heard) = (Box::pin(observe(&watches)), said.clone());
        let task = tokio::spawn(async move {
            while let Some(observation) = observations.next().await {
                heard.lock().unwrap().push(words(&observation));
            }
        });
        Self { server, metrics, connections, said, task }
    }

    pub(super) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    pub(super) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let since = Instant::now();
        while !condition(self) {
            assert!(since.elapsed() < PATIENCE, "{:#?}", self.said());
            // Conditions are on server, metrics and observations together: they are polled.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(super) async fn until_said(&self, what: &str) {
        self.until(|it| it.said().iter().any(|said| said == what)).await;
    }

    pub(super) fn broken(&self) -> Option<(Duration, String)> {
        self.connections.broken_for(Kind::Rollout, Instant::now())
    }

    /// How many lists were begun, and how many watches.
    pub(super) fn begun(&self) -> (usize, usize) {
        let asked = self.server.asked(ROLLOUTS);
        let lists = asked.iter().filter(|it| !it.watches() && it.get("continue").is_none());
        (lists.count(), asked.iter().filter(|it| it.watches() && !it.streams()).count())
    }

    pub(super) fn errors(&self, error_type: &str) -> u32 {
        let text = self.metrics.text().unwrap();
        let of_it = |line: &&str| {
            line.starts_with("throughline_errors_total")
                && line.contains("rollouts.argoproj.io")
                && line.contains(&format!("error_type=\"{error_type}\""))
        };
        let counts = text.lines().filter(of_it);
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok()).sum()
    }
}

fn words(observation: &Observation) -> String {
    match observation {
        Observation::Rollout(seen) => seen.key.name.to_string(),
        Observation::Gone(_, key) => format!("{} gone", key.name),
        Observation::Listing(_) => "listing".to_owned(),
        Observation::Listed(_, keys) => {
            let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            format!("listed {}", names.join(" ")).trim().to_owned()
        }
        Observation::Unavailable(_, Unavailable::Failed(why)) => format!("failed: {why}"),
        Observation::Unavailable(_, why) => format!("{why:?}"),
        other => format!("{other:?}"),
    }
}
