use serde::{Deserialize, Serialize};

use crate::grpc::pem::Reading;

/// What one value of a Secret or ConfigMap, or one file, is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The bytes, described; no private half.
    pub facts: FileFacts,
    /// The text, only where it may be one of Ray's TLS settings (a value of a `RAY_*` name that is no
    /// secret, at most 1,024 characters, no PEM in it).
    pub text: Option<String>,
    /// For a script of a ConfigMap: what it has to do with making certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<super::Traces>,
}

/// What a TLS file is, without its private halves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the bytes, lower-case hex. Absent where a private key or another secret is in them.
    pub sha256: Option<String>,
    /// What kind of bytes.
    pub shape: Shape,
    /// Certificates as gRPC's PEM reader meets them, and where it stops.
    pub certificates: Reading,
    /// Private keys in the order of the file.
    pub keys: Vec<KeyFacts>,
}

/// What kind of bytes a file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Base64 of PEM: encoded twice.
    Base64OfPem,
    /// A DER certificate or key.
    Der,
    /// Nothing, or blanks only.
    Empty,
    /// A Java key store.
    Jks,
    /// At least one `-----BEGIN` that gRPC can find.
    Pem,
    /// PEM that gRPC cannot find: `-----BEGIN` is there, but not in column 0 of a line.
    PemOutOfPlace(Misplaced),
    /// A PKCS#12 store.
    Pkcs12,
    /// Text that is no PEM: a placeholder when it looks like one. The text itself is not kept.
    Text {
        /// `REPLACE_ME`, `<…>`, `changeme`, `TODO`, ….
        placeholder: bool,
    },
    /// Anything else.
    Binary,
}

/// Why gRPC does not find a PEM block that people see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Misplaced {
    /// A UTF-8 byte order mark stands before it.
    ByteOrderMark,
    /// Each line is indented.
    Indented,
    /// Line ends are the two characters `\n`.
    LiteralNewlines,
    /// Line ends became blanks.
    OneLine,
}

/// A private key, without the private part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// `RSA`, `P-256`, `P-384`, `P-521`, `Ed25519`, or `unknown`.
    pub algorithm: String,
    /// Size of the key in bits; 0 when unknown.
    pub bits: u32,
    /// SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex; none when it cannot be computed.
    pub spki_sha256: Option<String>,
    /// How it is written.
    pub form: KeyForm,
}

/// How a private key is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyForm {
    /// `BEGIN ENCRYPTED PRIVATE KEY`, or PKCS#1/SEC1 with `Proc-Type: 4,ENCRYPTED`.
    Encrypted,
    /// `BEGIN OPENSSH PRIVATE KEY`.
    OpenSsh,
    /// `BEGIN RSA PRIVATE KEY`.
    Pkcs1,
    /// `BEGIN PRIVATE KEY`.
    Pkcs8,
    /// `BEGIN EC PRIVATE KEY`.
    Sec1,
    /// A key label with a body that cannot be read: truncated, not base64, not DER.
    Unreadable,
}
