//! Certificates: an authority that lives in this process alone and one certificate of it; and what
//! the server shows.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use timeline::base::time::later;

/// How long an authority is good for. One that a process left behind when it was killed is trusted
/// until then, though its key is gone.
const LIFE: SignedDuration = SignedDuration::from_hours(48);
/// When the next one is made: then the API server may be away for a day.
const RENEWED: SignedDuration = SignedDuration::from_hours(24);
/// Clocks differ.
const SLACK: SignedDuration = SignedDuration::from_mins(10);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    /// It cannot be made.
    #[error("a certificate for {names} cannot be made: {source}")]
    Make {
        /// Names of the server.
        names: String,
        /// What is wrong.
        source: rcgen::Error,
    },
    /// A file cannot be read.
    #[error("{file} cannot be read ({source}): mount the certificate again")]
    File {
        /// Where it should be.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// It is no certificate with its key.
    #[error("no certificate with its key ({0}): issue it again")]
    Unusable(String),
}

/// A certificate with its key, and the authority that vouches for it.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) authority: String,
    pub(super) key: Arc<CertifiedKey>,
    pub(super) names: Vec<String>,
    /// The authority is good until then.
    pub(super) until: Timestamp,
    /// The next one is made then.
    pub(super) renewed: Timestamp,
}

impl Issued {
    /// Makes an authority and a certificate for a server with these names. The authority's key is
    /// forgotten at once: it vouches for nothing else.
    pub(super) fn new(names: &[String], now: Timestamp) -> Result<Self, CertificateError> {
        let until = later(now, LIFE);
        let made = make(names, now, until);
        let (authority, certificate, key) =
            made.map_err(|source| CertificateError::Make { names: names.join(", "), source })?;
        let key = certified(vec![certificate], &key)?;
        let renewed = later(now, RENEWED);
        Ok(Self { authority, key: Arc::new(key), names: names.to_vec(), until, renewed })
    }
}

type Made = (String, CertificateDer<'static>, PrivateKeyDer<'static>);

fn make(names: &[String], now: Timestamp, until: Timestamp) -> Result<Made, rcgen::Error> {
    // A caBundle with several authorities: only their names say whose a certificate is.
    let called = |what: &str| {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, format!("throughline admission {what} of {now}"));
        name
    };
    let from = now.saturating_sub(SLACK).unwrap_or(now);
    let since_1970 =
        |at: Timestamp| Duration::from_secs(u64::try_from(at.as_second()).unwrap_or_default());
    let dated = |mut params: CertificateParams| {
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(from);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(until);
        params
    };
    let mut params = dated(CertificateParams::default());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name = called("authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let mut params = dated(CertificateParams::new(names)?);
    params.distinguished_name = called("server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Ok((authority.pem(), certificate.der().clone(), key))
}

/// A chain and its key, as PEM.
pub(super) fn from_pem(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, CertificateError> {
    let unusable = |error: &dyn std::fmt::Display| CertificateError::Unusable(error.to_string());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(|error| unusable(&error))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| unusable(&error))?;
    let certified = certified(chain, &key)?;
    certified.keys_match().map_err(|error| unusable(&error))?;
    Ok(certified)
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'_>,
) -> Result<CertifiedKey, CertificateError> {
    let key = any_supported_type(key);
    let key = key.map_err(|error| CertificateError::Unusable(error.to_string()))?;
    Ok(CertifiedKey::new(chain, key))
}

/// The certificate that the server shows now. Before there is one, no connection comes about.
#[derive(Debug, Default)]
pub(super) struct Served(RwLock<Option<Arc<CertifiedKey>>>);

impl Served {
    pub(super) fn show(&self, key: Arc<CertifiedKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
