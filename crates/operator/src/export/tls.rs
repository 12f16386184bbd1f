//! Certificates: whom we trust, and who we say we are.

use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, load_native_certs};

use super::settings::{Certificates, File, SettingsError};

/// The provider is named: one that is installed for the whole process is somebody else's choice.
fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, SettingsError> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::Tls { reason: error.to_string() })
}

/// For what is sent in clear: no certificate is trusted.
pub(super) fn none() -> Result<ClientConfig, SettingsError> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// Whom we trust and who we are, to a collector over TLS.
pub(super) fn to(certificates: &Certificates) -> Result<ClientConfig, SettingsError> {
    let builder = builder()?;
    let builder = match &certificates.authority {
        Some(file) => builder.with_root_certificates(authorities(file)?),
        None => builder.with_root_certificates(everybodys(load_native_certs())),
    };
    let Some((certificate, key)) = &certificates.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = all_of(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(&key.path)
        .map_err(|error| key.unusable(&in_words(error, "private key")))?;
    builder.with_client_auth_cert(chain, secret).map_err(|error| certificate.unusable(&error))
}

/// The authorities of the system, else those that the browsers of Mozilla trust: the image is nothing
/// but the binary. Never both: whoever removes one from the system means it.
fn everybodys(found: CertificateResult) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let reason = found.errors.first().map(ToString::to_string);
        let reason = reason.as_deref().unwrap_or("there are none");
        tracing::info!(reason, "no root certificate of the system can be used: those built in are");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn authorities(file: &File) -> Result<RootCertStore, SettingsError> {
    let mut roots = RootCertStore::empty();
    for certificate in all_of(file)? {
        roots.add(certificate).map_err(|error| file.unusable(&error))?;
    }
    Ok(roots)
}

fn all_of(file: &File) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let certificates = CertificateDer::pem_file_iter(&file.path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| file.unusable(&in_words(error, "certificate")))?;
    if certificates.is_empty() {
        return Err(file.unusable(&in_words(pem::Error::NoItemsFound, "certificate")));
    }
    Ok(certificates)
}

/// What is wrong with a file of PEM. Its own words repeat lines of the file, which may be a key's.
fn in_words(error: pem::Error, what: &str) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("there is no {what} in it"),
        _ => "it is not PEM".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_authorities_of_the_system_those_built_in_are_trusted() {
        let roots = everybodys(CertificateResult::default());
        assert_eq!(roots.len(), webpki_roots::TLS_SERVER_ROOTS.len());
        let mut broken = CertificateResult::default();
        broken.certs.push(CertificateDer::from_slice(b"none"));
        assert_eq!(everybodys(broken).len(), webpki_roots::TLS_SERVER_ROOTS.len());
    }

    #[test]
    fn beside_an_authority_of_the_system_none_that_is_built_in_is_trusted() {
        let own = rcgen::generate_simple_self_signed(["ours".to_owned()]).unwrap();
        let mut found = CertificateResult::default();
        found.certs.push(own.cert.der().clone());
        assert_eq!(everybodys(found).len(), 1);
    }
}
