//! Prometheus beside a cluster: it scrapes operators or takes what they push, evaluates rules and
//! answers queries.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cluster::programs::Program;
use crate::cluster::{Cluster, Error, Process, free_port};
use crate::jaeger::loopback;

const PATIENCE: Duration = Duration::from_mins(1);

/// A Prometheus that runs. It ends when it is dropped, and with the cluster.
#[derive(Debug)]
pub struct Prometheus {
    name: String,
    base: String,
    http: reqwest::Client,
    process: Process,
}

/// A series and its value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Sample {
    /// Labels, the name among them as `__name__`.
    #[serde(rename = "metric")]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    value: Option<(f64, String)>,
}

impl Sample {
    /// The value of an instant query.
    pub fn value(&self) -> Option<f64> {
        self.value.as_ref()?.1.parse().ok()
    }
}

/// An alert that is pending or fires.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Alert {
    /// Labels, `alertname` among them.
    pub labels: BTreeMap<String, String>,
    /// Annotations with their templates filled in.
    pub annotations: BTreeMap<String, String>,
    /// `pending` or `firing`.
    pub state: String,
}

impl Alert {
    /// Whether it fires and has this name.
    pub fn fires(&self, name: &str) -> bool {
        self.state == "firing" && self.labels.get("alertname").is_some_and(|it| it == name)
    }
}

/// An exemplar: the trace behind a count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Exemplar {
    /// Its labels, `trace_id` among them.
    pub labels: BTreeMap<String, String>,
}

impl Prometheus {
    /// Starts one that scrapes `target` each second and evaluates the rule files as often.
    ///
    /// The first time it is built, which takes minutes.
    pub async fn start(
        cluster: &Cluster,
        name: &str,
        target: SocketAddr,
        rules: &[PathBuf],
    ) -> Result<Self, Error> {
        Self::launch(cluster, name, &configuration(target, rules), &[]).await
    }

    /// Starts one that scrapes nothing and takes metrics by OTLP.
    pub async fn receiver(cluster: &Cluster, name: &str) -> Result<Self, Error> {
        Self::launch(cluster, name, "", &["--web.enable-otlp-receiver"]).await
    }

    async fn launch(
        cluster: &Cluster,
        name: &str,
        configuration: &str,
        flags: &[&str],
    ) -> Result<Self, Error> {
        let built = tokio::task::spawn_blocking(|| Program::Prometheus.path()).await;
        let path = built.unwrap_or_else(|error| {
            Err(Error::Absent { program: error.to_string(), hint: "its build panicked" })
        })?;
        let dir = cluster.dir().join(name);
        fs::create_dir_all(&dir).map_err(Error::file("create", &dir))?;
        let config = dir.join("prometheus.yaml");
        fs::write(&config, configuration).map_err(Error::file("write", &config))?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut command = Command::new(path);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--enable-feature=exemplar-storage")
            .arg("--log.level=warn")
            .args(flags);
        let process = cluster.spawn(name, command)?;
        let base = format!("http://{address}");
        let prometheus = Self { name: name.into(), base, http: loopback(), process };
        prometheus.ready().await?;
        Ok(prometheus)
    }

    /// The address of its API.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where a receiver takes metrics, over HTTP.
    pub fn otlp(&self) -> String {
        format!("{}/api/v1/otlp/v1/metrics", self.base)
    }

    async fn ready(&self) -> Result<(), Error> {
        let since = Instant::now();
        loop {
            let url = format!("{}/-/ready", self.base);
            let answer = self.http.get(&url).send().await;
            if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            self.process.check()?;
            if since.elapsed() > PATIENCE {
                return Err(Error::Waited {
                    object: self.name.clone(),
                    condition: "ready".into(),
                    seconds: PATIENCE.as_secs(),
                    state: self.process.tail(20),
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What an instant query finds now.
    pub async fn query(&self, query: &str) -> Result<Vec<Sample>, Error> {
        #[derive(Deserialize)]
        struct Found {
            result: Vec<Sample>,
        }
        let found: Found = self.get("query", query, &[("query", query)]).await?;
        Ok(found.result)
    }

    /// What a query finds, as soon as it finds something.
    pub async fn await_data(&self, query: &str) -> Result<Vec<Sample>, Error> {
        self.until(query, "with data", async || {
            let found = self.query(query).await?;
            Ok((!found.is_empty(), found))
        })
        .await
    }

    /// The alerts, as soon as they are as they should be.
    pub async fn await_alerts(
        &self,
        condition: &str,
        are: impl Fn(&[Alert]) -> bool,
    ) -> Result<Vec<Alert>, Error> {
        self.until("alerts", condition, async || {
            let alerts = self.alerts().await?;
            Ok((are(&alerts), alerts))
        })
        .await
    }

    /// The alerts that are pending or fire.
    pub async fn alerts(&self) -> Result<Vec<Alert>, Error> {
        #[derive(Deserialize)]
        struct Alerts {
            alerts: Vec<Alert>,
        }
        let found: Alerts = self.get("alerts", "alerts", &[]).await?;
        Ok(found.alerts)
    }

    /// The exemplars of a query's series.
    pub async fn exemplars(&self, query: &str) -> Result<Vec<Exemplar>, Error> {
        #[derive(Deserialize)]
        struct Series {
            exemplars: Vec<Exemplar>,
        }
        let found: Vec<Series> = self.get("query_exemplars", query, &[("query", query)]).await?;
        Ok(found.into_iter().flat_map(|series| series.exemplars).collect())
    }

    /// Waits until something is true, by what it says is missing.
    pub async fn await_same(
        &self,
        condition: &str,
        mut missing: impl AsyncFnMut() -> Result<Vec<String>, Error>,
    ) -> Result<(), Error> {
        let found = self.until("series", condition, async || {
            let missing = missing().await?;
            Ok((missing.is_empty(), missing))
        });
        found.await.map(drop)
    }

    async fn until<T: std::fmt::Debug>(
        &self,
        object: &str,
        condition: &str,
        mut look: impl AsyncFnMut() -> Result<(bool, T), Error>,
    ) -> Result<T, Error> {
        let since = Instant::now();
        loop {
            let (is, found) = look().await?;
            if is {
                return Ok(found);
            }
            if since.elapsed() > PATIENCE {
                return Err(Error::Waited {
                    object: object.into(),
                    condition: condition.into(),
                    seconds: PATIENCE.as_secs(),
                    state: format!("{found:?}"),
                });
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        asked: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        #[derive(Deserialize)]
        #[serde(bound = "T: DeserializeOwned")]
        struct Envelope<T> {
            #[serde(default)]
            data: Option<T>,
            #[serde(default)]
            error: String,
        }
        let url = format!("{}/api/v1/{path}", self.base);
        let answered = self.http.get(&url).query(query).send().await;
        let read = async { answered?.json::<Envelope<T>>().await }.await;
        let envelope = read.map_err(|source| Error::Prometheus {
            url,
            log: self.name.clone(),
            source: Box::new(source),
        })?;
        envelope.data.ok_or(Error::Query { query: asked.into(), reason: envelope.error })
    }
}

/// Runs promtool with these arguments in a folder; what it wrote on stdout.
pub fn promtool(folder: &Path, args: &[&str]) -> Result<String, Error> {
    let mut command = Command::new(Program::Promtool.path()?);
    crate::cluster::run(command.args(args).current_dir(folder))
}

// The labels are those that a ServiceMonitor adds: what is scraped wins over them.
fn configuration(target: SocketAddr, rules: &[PathBuf]) -> String {
    let files: Vec<_> =
        rules.iter().map(|file| format!("{:?}", file.display().to_string())).collect();
    format!(
        "\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: throughline
    honor_labels: true
    static_configs:
      - targets: [\"{target}\"]
        labels: {{namespace: throughline-system, pod: throughline-0, service: throughline-metrics}}
rule_files: [{files}]
",
        files = files.join(", "),
    )
}
