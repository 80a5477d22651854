//! What is accepted today and hangs by a thread: facts about a presented chain and a trust file. (A leaf without names, whose
//! common name is all there is, is seen from the leaf alone.)

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;

use super::certificate::{Certificate, Name};
use super::path::{self, Path};
use super::profile::Profiles;
use super::signature::{self, Outcome};

/// One fact, whatever the verdict is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fragile {
    /// Several trusted CAs of one name fit as the issuer, with different keys: gRPC tries one and never another, and which one
    /// follows from the order of the file, by each gRPC in its own way.
    EqualNames(Namesakes),
    /// As [`Fragile::EqualNames`], with one key: a CA that was renewed stands beside the old one.
    RenewedBeside(Namesakes),
    /// A CA on the path ends before the leaf, or in the same second.
    EndsFirst {
        /// Subject of the CA.
        subject: String,
        /// When it ends, UTC.
        not_after: Timestamp,
        /// Whether it is from the trust file.
        trusted: bool,
    },
    /// An address is written as a DNS name, which other software than gRPC does not take for one.
    AddressAsDns(String),
    /// A certificate below the anchor is signed with an old hash.
    OldHash {
        /// Its subject.
        subject: String,
        /// SHA-256 of its DER, lower-case hex.
        sha256: String,
        /// `sha1WithRSAEncryption`.
        algorithm: String,
    },
    /// A certificate on the path has an RSA key of less than 2048 bits.
    SmallKey {
        /// Its subject.
        subject: String,
        /// SHA-256 of its DER, lower-case hex.
        sha256: String,
        /// Size.
        bits: u32,
    },
}

/// Trusted CAs that fit equally well as the issuer of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namesakes {
    /// Their name.
    pub subject: String,
    /// Subject of the certificate that they may have issued.
    pub issued: String,
    /// In the order of the file.
    pub candidates: Vec<Candidate>,
    /// SHA-256 of the one that Ray's C++ core tries; none when that is not known.
    pub core: Option<String>,
    /// SHA-256 of the one that the grpcio wheel tries.
    pub python: Option<String>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where it stands among all certificates of the trust file, from 1.
    pub place: usize,
    /// SHA-256 of its DER, lower-case hex.
    pub sha256: String,
    /// When it begins, UTC.
    pub not_before: Timestamp,
    /// When it ends, UTC.
    pub not_after: Timestamp,
    /// Whether its key signed the certificate; none when that is not known.
    pub signed: Option<bool>,
}

/// The facts, in the order of [`Fragile`], each once.
pub fn facts(presented: &[Certificate], trust: &[Certificate], profiles: Profiles) -> Vec<Fragile> {
    let Some(leaf) = presented.first() else { return Vec::new() };
    let path = |profile| path::build(presented, trust, profile).ok().flatten();
    let (core, python) = (path(profiles.core), path(profiles.python));
    let mut all = namesakes(trust, core.as_ref(), python.as_ref());
    for path in [&core, &python].into_iter().flatten() {
        for (at, ca) in path.certificates.iter().enumerate().skip(1).filter(|(_, ca)| ca.not_after <= leaf.not_after) {
            all.push(Fragile::EndsFirst {
                subject: ca.subject.clone(),
                not_after: ca.not_after,
                trusted: at >= path.untrusted,
            });
        }
    }
    all.extend(names(leaf));
    for path in [&core, &python].into_iter().flatten() {
        all.extend(path.certificates.iter().take(path.untrusted).filter_map(|c| old_hash(c)));
        all.extend(path.certificates.iter().filter_map(|c| small_key(c)));
    }
    let mut once: Vec<Fragile> = Vec::new();
    for fact in all {
        if !once.contains(&fact) {
            once.push(fact);
        }
    }
    once
}

impl Namesakes {
    /// Whether the two gRPCs of a cluster try different ones.
    pub fn differ(&self) -> bool {
        self.core != self.python
    }

    fn tried(&self, sha256: Option<&String>) -> String {
        let found = self.candidates.iter().find(|c| Some(&c.sha256) == sha256);
        found.map_or_else(|| "one that cannot be told".into(), |c| format!("number {} of the file", c.place))
    }
}

/// One clause.
impl fmt::Display for Fragile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fragile::EqualNames(same) | Fragile::RenewedBeside(same) => {
                let keys = if matches!(self, Fragile::EqualNames(_)) { "different keys" } else { "one key" };
                write!(f, "{} trusted CAs are named {}, with {keys}, and ", same.candidates.len(), same.subject)?;
                write!(f, "nothing in {} says which of them issued it: ", same.issued)?;
                match same.differ() {
                    false => write!(f, "both gRPCs try {} and no other", same.tried(same.core.as_ref())),
                    true => write!(
                        f,
                        "the core tries {}, Python {}, and neither another",
                        same.tried(same.core.as_ref()),
                        same.tried(same.python.as_ref())
                    ),
                }
            }
            Fragile::EndsFirst { subject, not_after, trusted } => {
                let what = if *trusted { "trusted CA" } else { "intermediate CA" };
                write!(f, "the {what} {subject} ends at {not_after}, no later than the certificate itself")
            }
            Fragile::AddressAsDns(address) => write!(f, "the address {address} is written as a DNS name"),
            Fragile::OldHash { subject, algorithm, .. } => write!(f, "{subject} is signed with {algorithm}"),
            Fragile::SmallKey { subject, bits, .. } => write!(f, "{subject} has an RSA key of {bits} bits"),
        }
    }
}

fn namesakes(trust: &[Certificate], core: Option<&Path<'_>>, python: Option<&Path<'_>>) -> Vec<Fragile> {
    let mut children: Vec<&Certificate> = Vec::new();
    for child in [core, python].into_iter().flatten().flat_map(|path| &path.certificates) {
        if !path::is_self_signed(child) && !children.contains(child) {
            children.push(child);
        }
    }
    children.into_iter().filter_map(|child| beside(trust, child, core, python)).collect()
}

fn beside(
    trust: &[Certificate],
    child: &Certificate,
    core: Option<&Path<'_>>,
    python: Option<&Path<'_>>,
) -> Option<Fragile> {
    let mut fitting: Vec<(usize, &Certificate)> = Vec::new();
    for (at, ca) in trust.iter().enumerate().filter(|(_, ca)| path::may_issue(ca, child)) {
        if fitting.iter().all(|(_, known)| *known != ca) {
            fitting.push((at + 1, ca));
        }
    }
    let (_, first) = fitting.first().filter(|_| fitting.len() > 1)?;
    let one_key = fitting.iter().all(|(_, ca)| ca.key.spki_sha256 == first.key.spki_sha256);
    let above = |path: Option<&Path<'_>>| {
        let certificates = &path?.certificates;
        let at = certificates.iter().position(|c| *c == child)?;
        certificates.get(at + 1).map(|ca| ca.sha256.clone())
    };
    let same = Namesakes {
        subject: first.subject.clone(),
        issued: child.subject.clone(),
        core: above(core),
        python: above(python),
        candidates: fitting
            .iter()
            .map(|(place, ca)| Candidate {
                place: *place,
                sha256: ca.sha256.clone(),
                not_before: ca.not_before,
                not_after: ca.not_after,
                signed: match signature::verify(ca, child) {
                    Outcome::Yes => Some(true),
                    Outcome::No(_) => Some(false),
                    Outcome::Cannot(_) => None,
                },
            })
            .collect(),
    };
    Some(if one_key { Fragile::RenewedBeside(same) } else { Fragile::EqualNames(same) })
}

fn names(leaf: &Certificate) -> Vec<Fragile> {
    let names = leaf.names.as_deref().unwrap_or_default();
    let as_dns = |name: &Name| match name {
        Name::Dns(text) if text.parse::<IpAddr>().is_ok() && !names.contains(&Name::from_text(text)) => {
            Some(Fragile::AddressAsDns(text.clone()))
        }
        _ => None,
    };
    names.iter().filter_map(as_dns).collect()
}

fn old_hash(certificate: &Certificate) -> Option<Fragile> {
    let algorithm = certificate.signature_algorithm.to_ascii_lowercase();
    ["md5", "sha1", "sha-1"].iter().any(|hash| algorithm.contains(hash)).then(|| Fragile::OldHash {
        subject: certificate.subject.clone(),
        sha256: certificate.sha256.clone(),
        algorithm: certificate.signature_algorithm.clone(),
    })
}

fn small_key(certificate: &Certificate) -> Option<Fragile> {
    let key = &certificate.key;
    (key.algorithm == "RSA" && (1..2048).contains(&key.bits)).then(|| Fragile::SmallKey {
        subject: certificate.subject.clone(),
        sha256: certificate.sha256.clone(),
        bits: key.bits,
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    fn params(name: &str, end: i32) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = date_time_ymd(end, 1, 1);
        params
    }

    fn ca(key: &KeyPair, end: i32) -> Certificate {
        let mut params = params("ca", end);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Certificate::parse(params.self_signed(key).unwrap().der()).unwrap()
    }

    /// A leaf of the CA with this key, with or without the key id of its issuer.
    fn leaf(ca_key: &KeyPair, key_id: bool, names: &[&str]) -> Certificate {
        let mut own = params("leaf", 2030);
        own.subject_alt_names = names.iter().map(|n| rcgen::SanType::DnsName((*n).try_into().unwrap())).collect();
        own.use_authority_key_identifier_extension = key_id;
        let issuer = Issuer::new(params("ca", 2040), ca_key);
        let signed = own.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        Certificate::parse(signed.der()).unwrap()
    }

    fn of(leaf: &Certificate, trust: &[&Certificate]) -> Vec<Fragile> {
        let trust: Vec<Certificate> = trust.iter().map(|c| (*c).clone()).collect();
        facts(std::slice::from_ref(leaf), &trust, Profiles::default())
    }

    #[test]
    fn equal_names_are_told_apart_by_key_ids_only() {
        let (a, b) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let (one, two) = (ca(&a, 2040), ca(&b, 2040));
        assert_eq!(of(&leaf(&a, true, &["x"]), &[&one, &two]), []);
        let bare = leaf(&a, false, &["x"]);
        for trust in [[&one, &two], [&two, &one]] {
            let found = of(&bare, &trust);
            let [Fragile::EqualNames(same)] = found.as_slice() else { panic!("{found:?}") };
            assert!(same.differ());
            assert_eq!(same.python.as_ref(), Some(&trust[0].sha256), "Python keeps the order of the file");
            assert_eq!(same.core.as_ref(), Some(&trust[1].sha256));
            let signer = same.candidates.iter().find(|c| c.signed == Some(true)).unwrap();
            assert_eq!(signer.sha256, one.sha256);
        }
        assert_eq!(of(&bare, &[&one, &one]), [], "the same certificate twice is one");
    }

    #[test]
    fn a_renewed_ca_beside_the_old_one() {
        let key = KeyPair::generate().unwrap();
        let (old, new) = (ca(&key, 2035), ca(&key, 2045));
        let found = of(&leaf(&key, true, &["x"]), &[&old, &new]);
        let [Fragile::RenewedBeside(same)] = found.as_slice() else { panic!("{found:?}") };
        assert!(same.differ() && same.candidates.iter().all(|c| c.signed == Some(true)));
        assert!(
            found[0]
                .to_string()
                .ends_with("the core tries number 2 of the file, Python number 1 of the file, and neither another")
        );
    }

    #[test]
    fn what_ends_first_and_names() {
        let key = KeyPair::generate().unwrap();
        let short = ca(&key, 2030);
        let found = of(&leaf(&key, true, &["10.0.0.7", "fd00::7", "ray-head"]), &[&short]);
        assert!(matches!(&found[0], Fragile::EndsFirst { trusted: true, .. }), "{found:?}");
        assert_eq!(found[1..], [Fragile::AddressAsDns("10.0.0.7".into()), Fragile::AddressAsDns("fd00::7".into())]);
    }
}
