//! A certificate as the rules need it.

use std::fmt;
use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};

use super::constraints::{Constrained, Constraints};
use super::names;
use super::policies::Policies;
use super::profile::Profile;

/// A certificate: its facts, and the bytes they came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The DER; empty for a hypothetical certificate, whose facts an edit made up.
    pub der: Vec<u8>,
    /// SHA-256 of the DER, lower-case hex; for a hypothetical certificate of the one it replaces.
    pub sha256: String,
    /// X.509 version, 1 to 3.
    pub version: u8,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// Subject for people, `CN=ray-head,O=x`.
    pub subject: String,
    /// Issuer for people.
    pub issuer: String,
    /// Subject in the form in which gRPC compares names (case, blanks and string types folded).
    pub subject_canonical: Vec<u8>,
    /// Issuer in that form.
    pub issuer_canonical: Vec<u8>,
    /// First common name of the subject.
    pub common_name: Option<String>,
    /// Valid from, UTC.
    pub not_before: Timestamp,
    /// Valid until (exclusive), UTC.
    pub not_after: Timestamp,
    /// Subject alternative names in order; none when the extension is absent.
    pub names: Option<Vec<Name>>,
    /// Subject public key.
    pub key: PublicKey,
    /// keyUsage, where present.
    pub key_usage: Option<KeyUsage>,
    /// extendedKeyUsage, where present.
    pub purposes: Option<Vec<Purpose>>,
    /// basicConstraints cA, where present.
    pub ca: Option<bool>,
    /// basicConstraints pathLenConstraint.
    pub path_len: Option<u32>,
    /// Subject key identifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// Authority key identifier: the key id.
    pub authority_key_id: Option<Vec<u8>>,
    /// Authority key identifier: the serial number of the issuer, lower-case hex.
    pub authority_serial: Option<String>,
    /// Authority key identifier: the canonical name of the issuer's issuer.
    pub authority_issuer: Option<Vec<u8>>,
    /// nsCertType, its first octet, where present: only the core of 2023 looks at it.
    pub netscape_type: Option<u8>,
    /// nameConstraints, where present.
    pub constraints: Option<Constraints>,
    /// What else the nameConstraints of a CA above look at.
    pub constrained: Constrained,
    /// What the extensions about policies say.
    pub policies: Policies,
    /// OIDs of critical extensions that gRPC does not know.
    pub unknown_critical: Vec<String>,
    /// Known extensions that are malformed, contradict themselves or occur twice: `keyUsage is malformed`, `keyUsage is repeated`.
    pub malformed: Vec<String>,
    /// Signature algorithm for people, `sha256WithRSAEncryption`.
    pub signature_algorithm: String,
    /// Whether a date is written with an offset from UTC, or for older gRPCs malformed: every path with such a certificate is
    /// refused.
    pub has_bad_dates: bool,
    /// The trust attributes that a PEM block had after a trusted certificate (`openssl x509 -trustout`).
    pub trust: Option<Trust>,
    /// Features that the rules here do not decide: `policy mappings`.
    pub undecided: Vec<String>,
    /// How it is signed.
    pub signature: Signed,
}

/// Trust attributes: purposes for which a trusted certificate may be used, and may not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// OIDs of purposes.
    pub trusted: Vec<String>,
    /// OIDs of purposes.
    pub rejected: Vec<String>,
}

/// How a certificate is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// By the bytes in the DER.
    Really,
    /// A hypothetical certificate, by assumption signed with the key of this SPKI (SHA-256, hex).
    Assumed {
        /// SHA-256 of the issuer's DER SubjectPublicKeyInfo, lower-case hex.
        issuer_spki_sha256: String,
    },
    /// A hypothetical certificate of a CA of which nothing was seen, or this CA itself: whether another certificate is of the
    /// same CA is not known.
    Stranger {
        /// As above, of a key that stands for the CA's.
        issuer_spki_sha256: String,
    },
}

/// One subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// dNSName, as written.
    Dns(String),
    /// rfc822Name.
    Email(String),
    /// iPAddress: 4 or 16 octets (another length makes gRPC refuse the certificate).
    Ip(Vec<u8>),
    /// Any other kind.
    Other,
    /// uniformResourceIdentifier.
    Uri(String),
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// `RSA`, `P-256`, `P-384`, `P-521`, `P-224`, `secp256k1`, `Ed25519`, `Ed448`, `DSA`, `RSA-PSS` or the OID.
    pub algorithm: String,
    /// Bits; 0 when unknown.
    pub bits: u32,
    /// SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex.
    pub spki_sha256: String,
    /// The DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
}

/// The keyUsage bits that gRPC looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage {
    /// digitalSignature.
    pub digital_signature: bool,
    /// keyCertSign.
    pub cert_sign: bool,
    /// keyEncipherment.
    pub key_encipherment: bool,
}

/// One extended key usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// anyExtendedKeyUsage.
    Any,
    /// clientAuth.
    ClientAuth,
    /// Another, by OID.
    Other(String),
    /// serverAuth.
    ServerAuth,
}

impl Certificate {
    /// Reads a certificate; `Err` is one clause on what makes gRPC refuse it as no certificate.
    ///
    /// # Errors
    /// When the bytes are not exactly one DER certificate.
    pub fn parse(der: &[u8]) -> Result<Certificate, String> {
        Certificate::parse_as(der, Profile::python())
    }

    /// Reads a certificate as the gRPC of a profile does; [`Certificate::parse`] is for Ray 2.60's grpcio.
    ///
    /// # Errors
    /// When the bytes are not exactly one DER certificate for it.
    pub fn parse_as(der: &[u8], profile: Profile) -> Result<Certificate, String> {
        super::parse::certificate(der, profile)
    }

    /// Whether an edit made it up.
    pub fn is_hypothetical(&self) -> bool {
        self.signature != Signed::Really
    }

    /// This certificate issued again with these names added: IPs become IP names, all else DNS names; those it has are not
    /// added twice. As all `with_` functions it assumes a signature by the key with this SPKI SHA-256 (hex).
    #[must_use]
    pub fn with_names(&self, extra: &[String], issuer_spki_sha256: &str) -> Certificate {
        let mut names = self.names.clone().unwrap_or_default();
        for name in extra.iter().map(|text| Name::from_text(text)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Certificate { names: Some(names), ..self.issued_again(issuer_spki_sha256) }
    }

    /// This certificate issued again, valid from an hour before `now` for a year.
    #[must_use]
    pub fn with_dates(&self, now: Timestamp, issuer_spki_sha256: &str) -> Certificate {
        Certificate {
            not_before: now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN),
            not_after: now.saturating_add(SignedDuration::from_hours(365 * 24)).unwrap_or(Timestamp::MAX),
            ..self.issued_again(issuer_spki_sha256)
        }
    }

    /// This certificate issued again for both TLS roles: serverAuth, clientAuth and digitalSignature, where it restricts them.
    #[must_use]
    pub fn with_uses_for_both_roles(&self, issuer_spki_sha256: &str) -> Certificate {
        Certificate {
            purposes: self.purposes.as_ref().map(|_| vec![Purpose::ServerAuth, Purpose::ClientAuth]),
            key_usage: self.key_usage.map(|usage| KeyUsage { digital_signature: true, ..usage }),
            netscape_type: None,
            ..self.issued_again(issuer_spki_sha256)
        }
    }

    /// This certificate issued again for a new P-256 key, which nothing else has.
    #[must_use]
    pub fn with_key_p256(&self, issuer_spki_sha256: &str) -> Certificate {
        Certificate {
            key: PublicKey {
                algorithm: "P-256".into(),
                bits: 256,
                spki_sha256: sha256(format!("a P-256 key instead of {}", self.key.spki_sha256).as_bytes()),
                spki: Vec::new(),
            },
            ..self.issued_again(issuer_spki_sha256)
        }
    }

    /// This certificate issued again by another CA.
    #[must_use]
    pub fn issued_by(&self, issuer: &Certificate) -> Certificate {
        Certificate {
            issuer: issuer.subject.clone(),
            issuer_canonical: issuer.subject_canonical.clone(),
            authority_key_id: issuer.subject_key_id.clone(),
            authority_serial: None,
            authority_issuer: None,
            ..self.issued_again(&issuer.key.spki_sha256)
        }
    }

    fn issued_again(&self, issuer_spki_sha256: &str) -> Certificate {
        Certificate {
            der: Vec::new(),
            signature: Signed::Assumed { issuer_spki_sha256: issuer_spki_sha256.into() },
            ..self.clone()
        }
    }
}

impl Name {
    /// The name that this text, an IP or a host, stands for.
    pub fn from_text(text: &str) -> Name {
        match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => Name::Ip(ip.octets().to_vec()),
            Ok(IpAddr::V6(ip)) => Name::Ip(ip.octets().to_vec()),
            Err(_) => Name::Dns(text.into()),
        }
    }
}

/// `DNS:ray-head`, `IP:10.0.0.1`, `email:a@b`, `URI:spiffe://c`, `other`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Dns(text) => write!(f, "DNS:{}", text.escape_debug()),
            Name::Email(text) => write!(f, "email:{}", text.escape_debug()),
            Name::Uri(text) => write!(f, "URI:{}", text.escape_debug()),
            Name::Ip(octets) => match names::ip_text(octets) {
                Some(text) => write!(f, "IP:{text}"),
                None => write!(f, "IP:<{} octets>", octets.len()),
            },
            Name::Other => f.write_str("other"),
        }
    }
}

/// SHA-256, lower-case hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
