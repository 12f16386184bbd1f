//! The cluster that a command of a person talks to, found and asked as kubectl does.

mod ask;
mod config;
mod proxy;

use std::path::PathBuf;

use clap::Args;
use kube::Client;

pub use ask::AskError;
pub(crate) use ask::place;
pub use config::ConfigError;

/// Which cluster, and as whom; the words of kubectl.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// The kubeconfig [default: the files in KUBECONFIG, ~/.kube/config, the pod's service account].
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Act as this user, where you may.
    #[arg(long = "as", value_name = "USER")]
    pub(crate) as_user: Option<String>,
    /// Act as a member of this group, too; it may be given several times.
    #[arg(long, value_name = "GROUP", requires = "as_user")]
    pub(crate) as_group: Vec<String>,
}

/// A cluster that can be asked.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    /// The namespace of the context.
    pub(crate) namespace: String,
    /// URL of the API server.
    server: String,
}

impl ClusterArgs {
    /// Finds the cluster; nothing is asked of it yet.
    pub(crate) async fn open(&self) -> Result<Cluster, ConfigError> {
        let config = config::load(self)?;
        let config = config::of(config, self).await?;
        let server = config.cluster_url.to_string();
        let namespace = match config.default_namespace.as_str() {
            "" => "default".to_owned(),
            namespace => namespace.to_owned(),
        };
        let client = crate::connection::connect(config);
        let client = client.map_err(|error| ConfigError::Client(crate::cause(&error)))?;
        Ok(Cluster { client, namespace, server })
    }
}

impl Cluster {
    /// The namespace that was given, or that of the context.
    pub(crate) fn namespace<'a>(&'a self, given: Option<&'a str>) -> &'a str {
        given.filter(|given| !given.is_empty()).unwrap_or(&self.namespace)
    }
}
