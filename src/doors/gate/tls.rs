//! TLS for listeners that have a certificate.

use std::{path::Path, sync::Arc};

use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{Error as PemError, PemObject},
};
use tokio_rustls::TlsAcceptor;

/// Why TLS cannot be offered. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be read, or holds none.
    #[error("tls.cert {path}: {why}")]
    Certificate {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The key file cannot be read, or holds none.
    #[error("tls.key {path}: {why}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong with it; never its content.
        why: String,
    },
    /// The two do not fit together.
    #[error("tls.cert and tls.key: {0}")]
    Pair(String),
}

/// Reads certificate chain and key from PEM files. TLS 1.2 and 1.3, HTTP/2 preferred.
///
/// # Errors
/// If a file cannot be used; the message names it.
pub fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    // What cannot be read is told as everywhere else, without the "I/O error" before it.
    let told = |error: PemError| match error {
        PemError::Io(error) => error.to_string(),
        PemError::NoItemsFound => "there is none in it, in PEM".to_owned(),
        other => other.to_string(),
    };
    let refused = |why: String| TlsError::Certificate { path: certificate.display().to_string(), why };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refused(told(error)))?;
    if chain.is_empty() {
        return Err(refused("there is none in it, in PEM".into()));
    }
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| TlsError::Key { path: key.display().to_string(), why: told(error) })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Pair(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::Pair(error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
