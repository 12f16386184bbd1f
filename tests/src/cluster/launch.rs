//! How each program of the cluster is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::access::Access;
use super::ports::Port;
use super::programs::Program;
use super::{Error, Options, audit};

/// The ports of a cluster.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) etcd: Port,
    etcd_peer: Port,
    pub(crate) api: Port,
    kwok: Port,
    pub(crate) argo_health: Port,
    pub(crate) argo_metrics: Port,
    pub(crate) otlp_grpc: Port,
    pub(crate) otlp_http: Port,
    pub(crate) query: Port,
    query_grpc: Port,
}

impl Ports {
    pub(crate) fn choose() -> Result<Self, Error> {
        Ok(Self {
            etcd: Port::free()?,
            etcd_peer: Port::free()?,
            api: Port::free()?,
            kwok: Port::free()?,
            argo_health: Port::free()?,
            argo_metrics: Port::free()?,
            otlp_grpc: Port::free()?,
            otlp_http: Port::free()?,
            query: Port::free()?,
            query_grpc: Port::free()?,
        })
    }

    fn release(&mut self, program: Program) {
        let ports: &mut [&mut Port] = match program {
            Program::Etcd => &mut [&mut self.etcd, &mut self.etcd_peer],
            Program::KubeApiserver => &mut [&mut self.api],
            Program::Kwok => &mut [&mut self.kwok],
            Program::RolloutsController => &mut [&mut self.argo_health, &mut self.argo_metrics],
            Program::Jaeger => &mut [
                &mut self.otlp_grpc,
                &mut self.otlp_http,
                &mut self.query,
                &mut self.query_grpc,
            ],
            _ => &mut [],
        };
        for port in ports {
            port.release();
        }
    }
}

/// A program with its arguments, for the first start and any later one.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    path: PathBuf,
    args: Vec<String>,
}

impl Launch {
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        // Jaeger would send spans of its own to the usual port, where another one may listen.
        command.args(&self.args).env("OTEL_TRACES_SAMPLER", "always_off");
        command
    }

    /// Writes the files that the program reads and lets go of its ports.
    pub(crate) fn new(
        program: Program,
        dir: &Path,
        ports: &mut Ports,
        access: &Access,
        options: &Options,
    ) -> Result<Self, Error> {
        let path = program.path()?;
        ports.release(program);
        let admin = access.admin().display().to_string();
        let args = match program {
            Program::Etcd => etcd(dir, ports),
            Program::KubeApiserver => api_server(dir, ports, access, options)?,
            Program::KubeControllerManager => with_kubeconfigs(
                &admin,
                &[
                    "--controllers=replicaset-controller,garbage-collector-controller,\
                     namespace-controller,job-controller",
                    "--concurrent-replicaset-syncs=10",
                ],
            ),
            Program::KubeScheduler => with_kubeconfigs(&admin, &[]),
            Program::RolloutsController => words(&[
                ("--kubeconfig", &admin),
                ("--leader-elect", "false"),
                ("--healthzPort", &ports.argo_health.number().to_string()),
                ("--metricsPort", &ports.argo_metrics.number().to_string()),
                ("--qps", "300"),
                ("--burst", "600"),
                ("--loglevel", "debug"),
            ]),
            Program::Kwok => kwok(&admin, ports)?,
            Program::Jaeger => {
                let config = dir.join("jaeger.yaml");
                fs::write(&config, jaeger(ports)).map_err(Error::file("write", &config))?;
                words(&[("--config", &config.display().to_string())])
            }
            // Command lines, and what is started beside a cluster.
            Program::Kubectl
            | Program::KubectlArgoRollouts
            | Program::Prometheus
            | Program::Promtool => Vec::new(),
        };
        Ok(Self { path, args })
    }
}

fn words(pairs: &[(&str, &str)]) -> Vec<String> {
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn etcd(dir: &Path, ports: &Ports) -> Vec<String> {
    let client = format!("http://{}", ports.etcd.address());
    let peer = format!("http://{}", ports.etcd_peer.address());
    let mut args = words(&[
        ("--data-dir", &dir.join("etcd").display().to_string()),
        ("--listen-client-urls", &client),
        ("--advertise-client-urls", &client),
        ("--listen-peer-urls", &peer),
        ("--initial-advertise-peer-urls", &peer),
        ("--initial-cluster", &format!("default={peer}")),
        ("--log-level", "warn"),
    ]);
    // A cluster that lives for minutes has nothing to lose in a power cut.
    args.push("--unsafe-no-fsync".into());
    args
}

fn api_server(
    dir: &Path,
    ports: &Ports,
    access: &Access,
    options: &Options,
) -> Result<Vec<String>, Error> {
    let file = |name: &str| access.file(name).display().to_string();
    let mut args = words(&[
        ("--etcd-servers", &format!("http://{}", ports.etcd.address())),
        ("--bind-address", "127.0.0.1"),
        ("--secure-port", &ports.api.number().to_string()),
        ("--tls-cert-file", &file("serving.crt")),
        ("--tls-private-key-file", &file("serving.key")),
        ("--cert-dir", &file("")),
        ("--service-account-issuer", "https://kubernetes.default.svc"),
        ("--service-account-signing-key-file", &file("accounts.key")),
        ("--service-account-key-file", &file("accounts.pub")),
        ("--token-auth-file", &file("tokens.csv")),
        ("--authorization-mode", "RBAC"),
        ("--service-cluster-ip-range", "10.0.0.0/16"),
        ("--disable-admission-plugins", "ServiceAccount"),
        ("--profiling", "false"),
        ("--external-hostname", "localhost"),
    ]);
    if options.audit {
        let policy = access.file("audit-policy.yaml");
        fs::write(&policy, audit::POLICY).map_err(Error::file("write", &policy))?;
        args.extend(words(&[
            ("--audit-policy-file", &policy.display().to_string()),
            ("--audit-log-path", &audit_log(dir).display().to_string()),
            // One file: without this it is rotated at 100 MB.
            ("--audit-log-maxsize", "100000"),
        ]));
    }
    args.extend(options.api_server_flags.iter().cloned());
    Ok(args)
}

/// The file of the audit log.
pub(crate) fn audit_log(dir: &Path) -> PathBuf {
    dir.join("logs/audit.jsonl")
}

fn with_kubeconfigs(kubeconfig: &str, more: &[&str]) -> Vec<String> {
    let mut args = words(&[
        ("--kubeconfig", kubeconfig),
        ("--authentication-kubeconfig", kubeconfig),
        ("--authorization-kubeconfig", kubeconfig),
        ("--leader-elect", "false"),
        ("--secure-port", "0"),
        ("--kube-api-qps", "300"),
        ("--kube-api-burst", "600"),
    ]);
    args.extend(more.iter().map(ToString::to_string));
    args
}

fn kwok(kubeconfig: &str, ports: &Ports) -> Result<Vec<String>, Error> {
    let stages = Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster/stages");
    let mut args = words(&[
        ("--kubeconfig", kubeconfig),
        ("--manage-all-nodes", "true"),
        ("--server-address", &ports.kwok.address()),
        ("--cidr", "10.64.0.0/10"),
        ("--node-ip", "10.1.0.1"),
    ]);
    for entry in fs::read_dir(&stages).map_err(Error::file("read", &stages))? {
        let path = entry.map_err(Error::file("read", &stages))?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            args.push(format!("--config={}", path.display()));
        }
    }
    Ok(args)
}

fn jaeger(ports: &Ports) -> String {
    format!(
        "\
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [jaeger_storage_exporter]
  telemetry:
    resource: {{service.name: jaeger}}
    metrics: {{level: none}}
    logs: {{level: info}}
extensions:
  jaeger_query:
    storage: {{traces: memory}}
    http: {{endpoint: \"{query}\"}}
    grpc: {{endpoint: \"{query_grpc}\"}}
  jaeger_storage:
    backends:
      memory: {{memory: {{max_traces: 100000}}}}
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: \"{otlp_grpc}\"}}
      http: {{endpoint: \"{otlp_http}\"}}
exporters:
  jaeger_storage_exporter: {{trace_storage: memory}}
",
        query = ports.query.address(),
        query_grpc = ports.query_grpc.address(),
        otlp_grpc = ports.otlp_grpc.address(),
        otlp_http = ports.otlp_http.address(),
    )
}
