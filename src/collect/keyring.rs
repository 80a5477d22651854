//! Private keys, for the prober alone. They never enter the evidence, a log or a report.

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use zeroize::{Zeroize, Zeroizing};

use super::tlsfile::sha256;
use super::tlskey::Key;
use crate::evidence::FileFacts;

/// Client identities found while collecting. No `Debug`, no `Display`, no `Serialize`.
#[derive(Default)]
pub struct Keyring {
    identities: Vec<Identity>,
}

/// A certificate chain with its key, which is overwritten when dropped.
pub struct Identity {
    /// SHA-256 of the leaf's DER, lower-case hex.
    pub certificate: String,
    /// `Secret ray/ray-tls`, or a path.
    pub from: String,
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Chains and keys on their way to each other.
#[derive(Default)]
pub(crate) struct Pairing {
    chains: Vec<Chain>,
    keys: Vec<Key>,
}

struct Chain {
    from: String,
    spki_sha256: String,
    chain: Vec<CertificateDer<'static>>,
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
        let known = self.identities.iter().any(|old| old.certificate == certificate && old.chain == chain);
        let new = Identity { certificate, from, chain, key };
        if !known {
            self.identities.push(new);
        }
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

impl Drop for Identity {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Pairing {
    /// Notes what one file holds.
    pub(crate) fn add(&mut self, from: &str, facts: &FileFacts, keys: Vec<Key>) {
        self.keys.extend(keys);
        let blocks = facts.certificates.blocks.iter();
        let chain: Vec<_> = blocks.filter_map(|block| block.to_der().ok()).map(CertificateDer::from).collect();
        let spki = chain.first().and_then(|leaf| X509Certificate::from_der(leaf).ok());
        if let Some(spki_sha256) = spki.map(|(_, leaf)| sha256(leaf.tbs_certificate.subject_pki.raw)) {
            self.chains.push(Chain { from: from.into(), spki_sha256, chain });
        }
    }

    /// Every chain whose leaf has one of the keys becomes an identity.
    pub(crate) fn finish(self, keyring: &mut Keyring) {
        for Chain { from, spki_sha256, chain } in self.chains {
            let Some(leaf) = chain.first().map(|leaf| sha256(leaf)) else { continue };
            if let Some(key) = self.keys.iter().find(|key| key.spki_sha256 == spki_sha256) {
                let key: &Zeroizing<PrivateKeyDer<'static>> = &key.der;
                keyring.add(leaf, from, chain, key.clone_key());
            }
        }
    }
}
