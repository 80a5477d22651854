//! A TLS client that says yes to everything and remembers what it was shown.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, InconsistentKeys, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::collect::keyring::Identity;

/// What a server showed in its handshake, bad or not.
#[derive(Default)]
pub(super) struct Noted {
    /// Presented chain, leaf first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Whether a client certificate was asked for.
    pub(super) requested: bool,
    /// Names of the CAs that came with the request.
    pub(super) ca_names: Vec<String>,
}

/// Verifier of servers and chooser of the client certificate in one. No `Debug` of what it holds.
pub(super) struct Recorder {
    noted: Mutex<Noted>,
    identity: Option<Arc<CertifiedKey>>,
}

impl Recorder {
    /// A recorder that offers `identity` when asked for a certificate.
    pub(super) fn new(identity: Option<Arc<CertifiedKey>>) -> Arc<Self> {
        Arc::new(Recorder { noted: Mutex::default(), identity })
    }

    /// What was seen so far.
    pub(super) fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A TLS 1.2 and 1.3 client with ALPN `h2` that reports to this recorder.
    pub(super) fn client(self: &Arc<Self>) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(self.clone())
            .with_client_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// The identity in the form the handshake needs, or why it cannot be presented.
///
/// gRPC refuses to load a key that does not belong to its certificate, so such a pair is never offered.
pub(super) fn presentable(identity: &Identity) -> Result<Arc<CertifiedKey>, String> {
    let key = provider()
        .key_provider
        .load_private_key(identity.key().clone_key())
        .map_err(|_| "its private key cannot be used here (encrypted, unreadable, or RSA below 2048 bits)")?;
    let certified = CertifiedKey::new(identity.chain.clone(), key);
    match certified.keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err("its private key does not belong to the certificate".into())
        }
        Err(Error::NoCertificatesPresented) => Err("it holds no certificate".into()),
        _ => Ok(Arc::new(certified)),
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        self.noted().chain = chain.map(|der| der.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    // Signatures are not checked: webpki would stop at v1, P-521 or compressed-point leaves, which are to be shown.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::RSA_PKCS1_SHA1,
            SignatureScheme::ECDSA_SHA1_Legacy,
        ]
    }
}

impl ResolvesClientCert for Recorder {
    fn resolve(&self, hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut noted = self.noted();
        noted.requested = true;
        noted.ca_names = hints.iter().take(CA_NAMES).map(|der| name_text(der)).collect();
        self.identity.clone()
    }

    /// Always, so that a request for a certificate is seen even when there is none to offer.
    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

/// The most CA names that are kept of one handshake.
const CA_NAMES: usize = 100;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A DER name as `CN=ray-ca,O=x`, in the order of the DER.
fn name_text(der: &[u8]) -> String {
    let Ok((_, name)) = X509Name::from_der(der) else {
        return "a name that cannot be read".into();
    };
    let attributes = name.iter_attributes().map(|attribute| {
        let oid = attribute.attr_type();
        let value = attribute.as_str().map_or_else(|_| String::from_utf8_lossy(attribute.as_slice()), |s| s.into());
        let kind = oid2abbrev(oid, oid_registry()).map_or_else(|_| oid.to_id_string(), str::to_string);
        format!("{kind}={}", value.chars().filter(|c| !c.is_control()).collect::<String>())
    });
    attributes.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cas_are_text() {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "ray-ca");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "x");
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate.der()).unwrap();
        assert_eq!(name_text(parsed.subject().as_raw()), "CN=ray-ca,O=x");
    }

    #[test]
    fn a_broken_name_is_no_panic() {
        for der in [&b""[..], b"\x30", b"\x30\x82\xff\xff", b"garbage"] {
            assert_eq!(name_text(der), "a name that cannot be read", "{der:?}");
        }
    }
}
