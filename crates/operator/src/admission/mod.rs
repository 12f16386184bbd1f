//! Links by admission: the API server asks about each KeptnAppVersion that Keptn makes, and gets
//! its links.
//!
//! The owner publishes what it knows of an app ([`published`]), and the server answers from that
//! alone ([`review`], [`server`]): it asks the owner nothing and answers within a
//! moment. Whatever goes wrong, the KeptnAppVersion is made as it is. The API server trusts an
//! authority that each process makes for itself and puts into the webhook's configuration
//! ([`certificate`], [`registration`]), or certificates come from a folder ([`folder`]).

mod bundle;
mod certificate;
mod folder;
mod published;
mod registration;
mod review;
mod server;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use kube::Client;
use timeline::engine::Ways;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use certificate::Served;
use folder::Folder;
pub(crate) use published::Published;
use registration::Registration;

/// By which way links reach Keptn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Links {
    /// Decided for each KeptnAppVersion when Keptn makes it, and nothing written into
    /// KeptnAppContexts.
    Admission,
    /// Written ahead into KeptnAppContexts.
    Context,
    /// Both: what is written ahead serves while admission cannot be had.
    Both,
}

/// Flags of the way of links.
#[derive(Debug, Clone, Args)]
pub(crate) struct AdmissionArgs {
    /// By which way links reach Keptn. Admission takes part where --admission-address is given.
    #[arg(long, value_enum, default_value_t = Links::Both, env = "THROUGHLINE_LINKS")]
    links: Links,
    /// Where the API server asks about KeptnAppVersions, by TLS, e.g. 0.0.0.0:9443.
    #[arg(long, value_name = "ADDRESS", env = "THROUGHLINE_ADMISSION_ADDRESS")]
    admission_address: Option<SocketAddr>,
    /// The MutatingWebhookConfiguration that sends it here; it gets the authority of this process.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "throughline",
        env = "THROUGHLINE_ADMISSION_CONFIGURATION"
    )]
    admission_configuration: String,
    /// A folder with tls.crt and tls.key, as cert-manager writes them, instead of an authority of
    /// this process; they are read again when they change.
    #[arg(long, value_name = "FOLDER", env = "THROUGHLINE_ADMISSION_CERT_DIR")]
    admission_cert_dir: Option<PathBuf>,
}

/// Why links cannot be decided by admission.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// Nowhere to be asked.
    #[error("--links admission needs an address to be asked at: add --admission-address")]
    NoAddress,
    /// The port is taken.
    #[error("cannot serve on {address} ({source}): choose another --admission-address")]
    Address {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A server that listens, and what keeps its certificate.
pub(crate) struct Admission {
    listener: TcpListener,
    configuration: String,
    folder: Option<PathBuf>,
}

impl AdmissionArgs {
    /// By which way links go, and the server that listens if admission is one.
    pub(crate) async fn listen(
        &self,
        observe_only: bool,
    ) -> Result<(Ways, Option<Admission>), AdmissionError> {
        let address = match (self.links, self.admission_address) {
            (Links::Admission, None) => return Err(AdmissionError::NoAddress),
            (Links::Context, _) | (Links::Both, None) => return Ok((Ways::Context, None)),
            (Links::Admission | Links::Both, Some(address)) => address,
        };
        let ways = if self.links == Links::Both { Ways::Both } else { Ways::Admission };
        if observe_only {
            return Ok((ways, None));
        }
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| AdmissionError::Address { address, source })?;
        let configuration = self.admission_configuration.clone();
        let folder = self.admission_cert_dir.clone();
        Ok((ways, Some(Admission { listener, configuration, folder })))
    }
}

impl Admission {
    /// Where it listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until asked to stop. What has to be waited for then: the server, and that its authority
    /// is taken out of the configuration.
    pub(crate) fn start(
        self,
        client: Client,
        published: Published,
        metrics: Metrics,
        clock: fn() -> Timestamp,
        stop: &CancellationToken,
    ) -> [JoinHandle<()>; 2] {
        let served = Arc::new(Served::default());
        let keep = if let Some(folder) = self.folder {
            tokio::spawn(Folder::new(folder, Arc::clone(&served)).keep(stop.clone()))
        } else {
            let shown = Arc::clone(&served);
            let registration =
                Registration::new(client, self.configuration, shown, metrics.clone(), clock);
            tokio::spawn(registration.keep(stop.clone()))
        };
        let serving = server::serve(self.listener, served, published, metrics, stop.clone());
        [tokio::spawn(serving), keep]
    }
}
