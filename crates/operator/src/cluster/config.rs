//! Reads the kubeconfig, or what a pod has instead.

use std::io;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::{ClusterArgs, proxy};
use crate::cause;

/// Why there is no cluster to ask; each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no kubeconfig, and this is no pod.
    #[error(
        "no cluster found ({0}): give --kubeconfig FILE, set KUBECONFIG, or run it in a pod with a \
         service account"
    )]
    None(String),
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used ({0}): kubectl config view shows what is read")]
    Kubeconfig(String),
    /// It has no such context.
    #[error("the kubeconfig has no context {wanted:?}: {present}")]
    Context {
        /// What was asked for.
        wanted: String,
        /// What there is, in words.
        present: String,
    },
    /// What it says of TLS, proxy or user cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Client(String),
}

/// The kubeconfig; none in a pod that has none.
pub(super) fn load(args: &ClusterArgs) -> Result<Option<Kubeconfig>, ConfigError> {
    let read = args.kubeconfig.as_ref().map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let named = args.kubeconfig.is_some() || std::env::var_os("KUBECONFIG").is_some();
    match read {
        Ok(config) => Ok(Some(config)),
        Err(KubeconfigError::FindPath) => Ok(None),
        Err(KubeconfigError::ReadConfig(error, _))
            if error.kind() == io::ErrorKind::NotFound && !named =>
        {
            Ok(None)
        }
        Err(error) => Err(ConfigError::Kubeconfig(cause(&error))),
    }
}

/// What the client needs of it.
pub(super) async fn of(
    kubeconfig: Option<Kubeconfig>,
    args: &ClusterArgs,
) -> Result<Config, ConfigError> {
    let mut config = match kubeconfig {
        Some(kubeconfig) => of_context(kubeconfig, args).await?,
        None if args.context.is_some() => {
            return Err(ConfigError::None("there is no kubeconfig for --context".to_owned()));
        }
        None => Config::incluster().map_err(|error| ConfigError::None(cause(&error)))?,
    };
    if args.as_user.is_some() {
        config.auth_info.impersonate.clone_from(&args.as_user);
    }
    if !args.as_group.is_empty() {
        config.auth_info.impersonate_groups = Some(args.as_group.clone());
    }
    Ok(config)
}

async fn of_context(kubeconfig: Kubeconfig, args: &ClusterArgs) -> Result<Config, ConfigError> {
    let wanted = args.context.as_ref().or(kubeconfig.current_context.as_ref());
    let context = wanted.and_then(|wanted| {
        let named = kubeconfig.contexts.iter().find(|named| named.name == *wanted)?;
        named.context.as_ref()
    });
    if let (Some(wanted), None) = (wanted, context) {
        let names: Vec<&str> =
            kubeconfig.contexts.iter().map(|named| named.name.as_str()).collect();
        let present = match names.as_slice() {
            [] => "it has none".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        return Err(ConfigError::Context { wanted: wanted.clone(), present });
    }
    let cluster = context.and_then(|context| {
        let named = kubeconfig.clusters.iter().find(|named| named.name == context.cluster)?;
        named.cluster.as_ref()
    });
    let proxy_url = cluster.and_then(|cluster| cluster.proxy_url.clone());
    let options = KubeConfigOptions { context: args.context.clone(), ..Default::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.map_err(|error| ConfigError::Kubeconfig(cause(&error)))?;
    let env = |name: &str| std::env::var(name).ok();
    let proxy = proxy::of(&config.cluster_url, proxy_url, env);
    config.proxy_url = proxy.map_err(ConfigError::Client)?;
    Ok(config)
}
