//! The keys of a run, made once, because RSA keys take long. What a seed stands for does not depend on them.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};

use crate::der::{NULL, oid, sequence, wrap};
use crate::pem;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ed25519,
    P256,
    P384,
    P521,
    Rsa2048,
}

/// A key pair that can sign and be presented.
pub(crate) struct Key {
    pub(crate) kind: Kind,
    /// DER SubjectPublicKeyInfo.
    pub(crate) spki: Vec<u8>,
    /// DER PKCS#8.
    pub(crate) pkcs8: Vec<u8>,
    /// DER AlgorithmIdentifier of the signatures it makes.
    pub(crate) algorithm: Vec<u8>,
    signer: Signer,
}

enum Signer {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// All keys of a run.
pub(crate) struct Pool(Vec<Key>);

impl Pool {
    pub(crate) fn new() -> Pool {
        let counts = [(Kind::P256, 24), (Kind::P384, 3), (Kind::Rsa2048, 3), (Kind::P521, 2), (Kind::Ed25519, 2)];
        Pool(counts.iter().flat_map(|(kind, count)| (0..*count).map(|_| Key::new(*kind))).collect())
    }

    /// The `number`th key of a kind; they repeat when there are fewer.
    pub(crate) fn key(&self, kind: Kind, number: usize) -> &Key {
        let of_kind = self.0.iter().filter(|key| key.kind == kind).collect::<Vec<_>>();
        of_kind[number % of_kind.len()]
    }
}

impl Key {
    fn new(kind: Kind) -> Key {
        let ec = |rules| {
            let pair = EcdsaKeyPair::generate(rules).unwrap();
            let spki = AsDer::as_der(pair.public_key()).unwrap().as_ref().to_vec();
            (spki, pair.to_pkcs8v1().unwrap().as_ref().to_vec(), Signer::Ec(pair))
        };
        let (algorithm, (spki, pkcs8, signer)) = match kind {
            Kind::P256 => ("1.2.840.10045.4.3.2", ec(&signature::ECDSA_P256_SHA256_ASN1_SIGNING)),
            Kind::P384 => ("1.2.840.10045.4.3.3", ec(&signature::ECDSA_P384_SHA384_ASN1_SIGNING)),
            Kind::P521 => ("1.2.840.10045.4.3.4", ec(&signature::ECDSA_P521_SHA512_ASN1_SIGNING)),
            Kind::Ed25519 => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let spki = AsDer::as_der(pair.public_key()).unwrap().as_ref().to_vec();
                ("1.3.101.112", (spki, pair.to_pkcs8v1().unwrap().as_ref().to_vec(), Signer::Ed(pair)))
            }
            Kind::Rsa2048 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let spki = AsDer::as_der(pair.public_key()).unwrap().as_ref().to_vec();
                let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec();
                ("1.2.840.113549.1.1.11", (spki, pkcs8, Signer::Rsa(Box::new(pair))))
            }
        };
        let parameters = if kind == Kind::Rsa2048 { wrap(NULL, &[]) } else { Vec::new() };
        Key { kind, spki, pkcs8, algorithm: sequence(&[oid(algorithm), parameters]), signer }
    }

    /// With the hash that [`Key::algorithm`] names.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.signer {
            Signer::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Signer::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Signer::Rsa(pair) => {
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut made).unwrap();
                made
            }
        }
    }

    pub(crate) fn pem(&self) -> String {
        pem::block("PRIVATE KEY", &self.pkcs8)
    }
}
