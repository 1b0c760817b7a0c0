//! Trust in the certificates of a `ca_file` and in no others.
//!
//! Besides what they signed, a server may show one of them itself, as those with a certificate of `openssl req -x509` do:
//! it calls itself an authority (CA:TRUE), and an authority's certificate proves no server. Whoever named that very
//! certificate meant it, so it is taken where name and dates hold, too.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// The client's side of TLS that trusts what `pem` holds.
///
/// # Errors
/// There is no certificate in it, or one that cannot be read.
pub(super) fn client_config(pem: &[u8]) -> Result<ClientConfig, String> {
    let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let pinned = read.map_err(|error| format!("it cannot be read as PEM: {error}"))?;
    if pinned.is_empty() {
        return Err("it holds no certificate in PEM form".to_owned());
    }
    let mut roots = RootCertStore::empty();
    for certificate in &pinned {
        roots.add(certificate.clone()).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let by_roots = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let by_roots = by_roots.build().map_err(|error| error.to_string())?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?.dangerous();
    Ok(config.with_custom_certificate_verifier(Arc::new(Pinned { by_roots, pinned })).with_no_client_auth())
}

#[derive(Debug)]
struct Pinned {
    by_roots: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.by_roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            // The dates are looked at before this is found, the name after it.
            Err(error) if is_authority(&error) && self.pinned.iter().any(|pinned| pinned == end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_roots.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_roots.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_roots.supported_verify_schemes()
    }
}

/// The one complaint is that the certificate is an authority's. rustls has no name of its own for it.
fn is_authority(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::Other(other)) if other.to_string() == "CaUsedAsEndEntity")
}
