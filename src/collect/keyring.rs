//! Private keys, for the prober alone. They never enter the evidence, a log or a report.

use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Client identities found while collecting. No `Debug`, no `Display`, no `Serialize`.
#[derive(Default)]
pub struct Keyring {
    identities: Vec<Identity>,
}

/// A certificate chain with its key.
pub struct Identity {
    /// SHA-256 of the leaf's DER, lower-case hex.
    pub certificate: String,
    /// `Secret ray/ray-tls`, or a path.
    pub from: String,
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Keyring {
    /// Adds an identity.
    pub fn add(
        &mut self,
        certificate: String,
        from: String,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) {
        self.identities.push(Identity { certificate, from, chain, key });
    }

    /// The identity of this leaf (SHA-256, hex).
    pub fn identity(&self, certificate: &str) -> Option<&Identity> {
        self.identities.iter().find(|i| i.certificate == certificate)
    }

    /// Every identity.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }
}

impl Identity {
    /// The key, for the handshake.
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }
}
