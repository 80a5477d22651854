//! A certificate as the rules need it.

use jiff::Timestamp;

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
    /// Signature algorithm for people, `sha256WithRSAEncryption`.
    pub signature_algorithm: String,
    /// Features the first cut of the rules does not decide: `name constraints`, `policies`, `unknown critical extension 1.2.3`.
    pub undecided: Vec<String>,
    /// How it is signed.
    pub signature: Signed,
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
