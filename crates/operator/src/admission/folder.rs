//! A certificate in a folder, as a mounted Secret of cert-manager's has it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::certificate::{CertificateError, Served, from_pem};

/// A mounted Secret is up to a minute late itself.
const EVERY: Duration = Duration::from_secs(10);

/// Reads the certificate again when its files change.
pub(super) struct Folder {
    path: PathBuf,
    served: Arc<Served>,
    read: Option<(Vec<u8>, Vec<u8>)>,
}

impl Folder {
    pub(super) fn new(path: PathBuf, served: Arc<Served>) -> Self {
        Self { path, served, read: None }
    }

    /// Until asked to stop. What cannot be read now is tried again; the one before is shown meanwhile.
    pub(super) async fn keep(mut self, stop: CancellationToken) {
        let mut logged = String::new();
        loop {
            match self.look().await {
                Ok(true) => {
                    tracing::info!(folder = %self.path.display(), "the certificate was read");
                    logged.clear();
                }
                Ok(false) => {}
                Err(error) if error.to_string() == logged => {}
                Err(error) => {
                    logged = error.to_string();
                    tracing::warn!(%error, "links are not decided by admission; trying again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Reads the files; says whether they changed.
    pub(super) async fn look(&mut self) -> Result<bool, CertificateError> {
        let read = (self.file("tls.crt").await?, self.file("tls.key").await?);
        if self.read.as_ref() == Some(&read) {
            return Ok(false);
        }
        // The two may be of different certificates for a moment.
        self.served.show(Arc::new(from_pem(&read.0, &read.1)?));
        self.read = Some(read);
        Ok(true)
    }

    async fn file(&self, name: &str) -> Result<Vec<u8>, CertificateError> {
        let file = self.path.join(name);
        let read = tokio::fs::read(&file).await;
        read.map_err(|source| CertificateError::File { file: file.display().to_string(), source })
    }
}
