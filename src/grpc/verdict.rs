//! The one entry: presented certificates, trusted certificates, dialled name, role, time, profile.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::certificate::{Certificate, Signed};
use super::pem::Reading;
use super::profile::Profile;
use super::{chain, load};

/// Whether a connection passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It passes.
    Accept,
    /// It does not, and this is why.
    Reject(Reason),
    /// The rules here do not decide it; one clause.
    CannotTell(String),
}

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The kind of fault.
    pub fault: Fault,
    /// Subject of the certificate that is at fault, where one is.
    pub certificate: Option<String>,
    /// One sentence with the facts.
    pub text: String,
    /// What gRPC or BoringSSL prints, where known: `certificate has expired`.
    pub words: Option<String>,
}

/// Kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// A signature does not verify.
    BadSignature,
    /// A CA on the path is expired or not yet valid.
    CaDates,
    /// A certificate on the path may not sign certificates.
    CaUse,
    /// notAfter has passed.
    Expired,
    /// A key kind gRPC never takes as a leaf.
    KeyKind,
    /// keyUsage without digitalSignature.
    KeyUsage,
    /// The process cannot load its own files.
    Load,
    /// The dialled name is not in the certificate.
    Name,
    /// notBefore is to come.
    NotYetValid,
    /// The extended key usage forbids the role.
    Purpose,
    /// The chain or the CA names are too long for TLS messages or for gRPC's buffer.
    TooLong,
    /// No certificate in the trust file signed it.
    UnknownIssuer,
    /// Another rule of the chain.
    Other,
}

/// Which part the presenter of the certificate plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It dialled.
    Client,
    /// It was dialled.
    Server,
}

/// What the loader needs to know of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// The file has no bytes.
    Empty,
    /// No private key block was found.
    Missing,
    /// Encrypted, OpenSSH or damaged: gRPC cannot load it.
    Unusable,
    /// A key whose public half has this SPKI SHA-256 (hex); none when it could not be computed.
    Usable(Option<&'a str>),
}

/// What becomes of a process that loads one of its own files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loading {
    /// It goes on.
    Loads {
        /// The certificates that it reads, in their order.
        certificates: Vec<Certificate>,
        /// What of the file it leaves out in silence, and why; one clause.
        ignored: Option<String>,
    },
    /// It says so and does not start, or does not connect.
    Refuses(Reason),
    /// The whole process ends, with SIGABRT.
    Aborts(Reason),
    /// The rules here do not decide it; one clause.
    CannotTell(String),
}

impl Loading {
    /// What was read, or the verdict on all that needs it.
    ///
    /// # Errors
    /// [`Verdict::Reject`] with [`Fault::Load`], or [`Verdict::CannotTell`].
    pub fn certificates(self) -> Result<Vec<Certificate>, Verdict> {
        match self {
            Loading::Loads { certificates, .. } => Ok(certificates),
            Loading::Refuses(reason) | Loading::Aborts(reason) => Err(Verdict::Reject(reason)),
            Loading::CannotTell(why) => Err(Verdict::CannotTell(why)),
        }
    }
}

/// One question to [`peer`].
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The chain the presenter sends, leaf first.
    pub presented: &'a [Certificate],
    /// The verifier's trust file.
    pub trust: &'a [Certificate],
    /// The host that was dialled, without port; only the [`Role::Server`] is judged by it.
    pub name: Option<&'a str>,
    /// Part of the presenter.
    pub role: Role,
    /// The time to judge at, UTC.
    pub now: Timestamp,
    /// Whose rules.
    pub profile: Profile,
}

/// Whether a process can load its certificate chain and key, and the chain it will present. `is_empty` says that the
/// chain's file has no bytes. A process that also serves, as those of Ray do, loads as [`Role::Server`].
pub fn load_identity(chain: &Reading, is_empty: bool, key: Key<'_>, role: Role, profile: Profile) -> Loading {
    load::identity(chain, is_empty, key, role, profile)
}

/// Whether a process can load its trust file, and what is in it. An empty one loads in Ray's core, and then nothing is trusted.
pub fn load_trust(bundle: &Reading, is_empty: bool, profile: Profile) -> Loading {
    load::trust(bundle, is_empty, profile)
}

/// Whether the peer accepts the presented chain. The names are judged too when the presenter is the server.
pub fn peer(case: Case<'_>) -> Verdict {
    match chain::judge(case) {
        Err(reason) if matches!(reason.fault, Fault::BadSignature | Fault::UnknownIssuer) => match stranger(&case) {
            Some(ca) => Verdict::CannotTell(format!("the certificate of {ca} was not seen")),
            None => Verdict::Reject(*reason),
        },
        Err(reason) => Verdict::Reject(*reason),
        Ok(Some(why)) => Verdict::CannotTell(why),
        Ok(None) => Verdict::Accept,
    }
}

/// A CA of which nothing was seen, on either side: it may be any that the other side has.
fn stranger<'a>(case: &Case<'a>) -> Option<&'a str> {
    let mut all = case.presented.iter().chain(case.trust);
    all.find(|c| matches!(c.signature, Signed::Stranger { .. })).map(|c| c.issuer.as_str())
}
