use std::net::SocketAddr;
use std::path::PathBuf;

/// What can go wrong with the stand-in, or with starting it or a real operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused a request.
    #[error("cannot {what}: {source}")]
    Api {
        /// Verb and object.
        what: String,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// Something that a decision needs is not known (yet), or of a kind the stand-in does not know.
    #[error("nothing is known of {what}")]
    Unknown {
        /// Kind and name.
        what: String,
    },
    /// A kubeconfig is of no use.
    #[error("the kubeconfig {path} is of no use: {source}", path = path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<kube::config::KubeconfigError>,
    },
    /// The client has no server certificate to trust, or the like.
    #[error("cannot make a client for the API server: {0}")]
    Client(Box<kube::Error>),
    /// The webhook's certificate could not be made.
    #[error("cannot make a certificate for the webhook: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificate was not accepted.
    #[error("the webhook's certificate is of no use: {0}")]
    Tls(#[from] rustls::Error),
    /// The webhook's port is not to be had.
    #[error("the webhook cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The exporter could not be built.
    #[error("cannot export spans to {endpoint}: {source}")]
    Exporter {
        /// The endpoint.
        endpoint: String,
        /// Why.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// A manifest is not what it should be.
    #[error("the manifest {name} is of no use: {source}")]
    Manifest {
        /// Its file.
        name: String,
        /// Why.
        source: serde_norway::Error,
    },
    /// A CRD did not come into force.
    #[error("the CRD {name} is not established after {seconds} s")]
    NotEstablished {
        /// Its name.
        name: String,
        /// How long was waited.
        seconds: u64,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    File {
        /// The verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A program cannot be found.
    #[error("{what} is not at {path}: {hint}", path = path.display())]
    Missing {
        /// What it is.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// The configuration in the environment is incomplete.
    #[error("{set} is set and {missing} is not: a real lifecycle-operator needs both")]
    HalfReal {
        /// The variable that is set.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// The cluster is of no help.
    #[error(transparent)]
    Cluster(Box<crate::cluster::Error>),
    /// The program runs and does not answer.
    #[error("{program} does not serve its webhook after {seconds} s; look at its log")]
    NotReady {
        /// Its name.
        program: String,
        /// How long was waited.
        seconds: u64,
    },
    /// A recording could not be read.
    #[error("the recording {name} is of no use: {reason}")]
    Recording {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
}

impl Error {
    pub(crate) fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Api { what, source: Box::new(source) }
    }
}
