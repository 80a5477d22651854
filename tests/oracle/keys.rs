//! The keys of a run, made once, because RSA keys take long. What a seed stands for does not depend on them.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::der::{NULL, SEQUENCE, bits, number, oid, sequence, wrap};
use crate::pem;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ed25519,
    P256,
    P384,
    P521,
    Rsa2048,
    Rsa3072,
}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// As [`Key::algorithm`] says.
    Usual,
    /// RSA PKCS#1 with this size of SHA-2.
    Rsa(u16),
    /// RSA-PSS with this size of SHA-2, for the mask too, and a salt of its length.
    RsaPss(u16),
    /// P-521 with this size of SHA-2.
    P521(u16),
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
pub(crate) struct Pool {
    keys: Vec<Key>,
    rsa_1024: (Vec<u8>, Vec<u8>),
}

impl Pool {
    pub(crate) fn new() -> Pool {
        let counts = [
            (Kind::P256, 24),
            (Kind::P384, 3),
            (Kind::Rsa2048, 3),
            (Kind::P521, 2),
            (Kind::Ed25519, 2),
            (Kind::Rsa3072, 1),
        ];
        let keys = counts.iter().flat_map(|(kind, count)| (0..*count).map(|_| Key::new(*kind))).collect();
        Pool { keys, rsa_1024: rsa_1024() }
    }

    /// SubjectPublicKeyInfo and PKCS#1 of a key that is too small to be made here or to sign anything.
    pub(crate) fn rsa_1024(&self) -> &(Vec<u8>, Vec<u8>) {
        &self.rsa_1024
    }

    /// The `number`th key of a kind; they repeat when there are fewer.
    pub(crate) fn key(&self, kind: Kind, number: usize) -> &Key {
        let of_kind = self.keys.iter().filter(|key| key.kind == kind).collect::<Vec<_>>();
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
            Kind::Rsa2048 | Kind::Rsa3072 => {
                let size = if kind == Kind::Rsa2048 { KeySize::Rsa2048 } else { KeySize::Rsa3072 };
                let pair = RsaKeyPair::generate(size).unwrap();
                let spki = AsDer::as_der(pair.public_key()).unwrap().as_ref().to_vec();
                let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec();
                ("1.2.840.113549.1.1.11", (spki, pkcs8, Signer::Rsa(Box::new(pair))))
            }
        };
        let parameters = if matches!(kind, Kind::Rsa2048 | Kind::Rsa3072) { wrap(NULL, &[]) } else { Vec::new() };
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

    /// The ways in which it can sign.
    pub(crate) fn schemes(&self) -> Vec<Scheme> {
        match self.kind {
            Kind::Rsa2048 | Kind::Rsa3072 => {
                [256, 384, 512].iter().flat_map(|hash| [Scheme::Rsa(*hash), Scheme::RsaPss(*hash)]).collect()
            }
            Kind::P521 => [224, 256, 384, 512].map(Scheme::P521).to_vec(),
            _ => vec![Scheme::Usual],
        }
    }

    pub(crate) fn sign_as(&self, scheme: Scheme, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |padding| {
            let Signer::Rsa(pair) = &self.signer else { panic!("{scheme:?} by {:?}", self.kind) };
            let mut made = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &random, message, &mut made).unwrap();
            made
        };
        let p521 = |rules| {
            let pair = EcdsaKeyPair::from_pkcs8(rules, &self.pkcs8).unwrap();
            pair.sign(&random, message).unwrap().as_ref().to_vec()
        };
        match scheme {
            Scheme::Usual => self.sign(message),
            Scheme::Rsa(256) => rsa(&signature::RSA_PKCS1_SHA256),
            Scheme::Rsa(384) => rsa(&signature::RSA_PKCS1_SHA384),
            Scheme::Rsa(_) => rsa(&signature::RSA_PKCS1_SHA512),
            Scheme::RsaPss(256) => rsa(&signature::RSA_PSS_SHA256),
            Scheme::RsaPss(384) => rsa(&signature::RSA_PSS_SHA384),
            Scheme::RsaPss(_) => rsa(&signature::RSA_PSS_SHA512),
            Scheme::P521(224) => p521(&signature::ECDSA_P521_SHA224_ASN1_SIGNING),
            Scheme::P521(256) => p521(&signature::ECDSA_P521_SHA256_ASN1_SIGNING),
            Scheme::P521(384) => p521(&signature::ECDSA_P521_SHA384_ASN1_SIGNING),
            Scheme::P521(_) => p521(&signature::ECDSA_P521_SHA512_ASN1_SIGNING),
        }
    }

    pub(crate) fn pem(&self) -> String {
        pem::block("PRIVATE KEY", &self.pkcs8)
    }
}

impl Scheme {
    /// DER AlgorithmIdentifier.
    pub(crate) fn algorithm(self, key: &Key) -> Vec<u8> {
        let null = || wrap(NULL, &[]);
        let arc = |hash: u16| match hash {
            256 => 1,
            384 => 2,
            512 => 3,
            _ => 4,
        };
        match self {
            Scheme::Usual => key.algorithm.clone(),
            Scheme::Rsa(hash) => sequence(&[oid(&format!("1.2.840.113549.1.1.{}", 10 + arc(hash))), null()]),
            Scheme::P521(hash) => sequence(&[oid(&format!("1.2.840.10045.4.3.{}", 1 + arc(hash) % 4))]),
            Scheme::RsaPss(hash) => {
                let sha = sequence(&[oid(&format!("2.16.840.1.101.3.4.2.{}", arc(hash))), null()]);
                let mask = sequence(&[oid("1.2.840.113549.1.1.8"), sha.clone()]);
                let salt = number(u8::try_from(hash / 8).unwrap());
                let parts = [wrap(0xa0, &sha), wrap(0xa1, &mask), wrap(0xa2, &salt)];
                sequence(&[oid("1.2.840.113549.1.1.10"), sequence(&parts)])
            }
        }
    }
}

/// The key of `fixtures/keys`: what is public of it, and all.
fn rsa_1024() -> (Vec<u8>, Vec<u8>) {
    let text = include_str!("../../fixtures/keys/rsa1024-pkcs1.key");
    let body = text.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
    let der = STANDARD.decode(body).unwrap();
    // SEQUENCE, version 0, modulus of 129 octets, exponent 65537.
    let start = der.windows(3).position(|part| part == [2, 0x81, 129]).unwrap();
    let numbers = &der[start..start + 132 + 5];
    let rsa = sequence(&[oid("1.2.840.113549.1.1.1"), wrap(NULL, &[])]);
    (sequence(&[rsa, bits(&wrap(SEQUENCE, numbers))]), der)
}
