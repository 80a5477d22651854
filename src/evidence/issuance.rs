//! What cert-manager and trust-manager were told and what they say of it: who makes a Secret, and why it is not there.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ObjectRef, Origin};

/// cert-manager's and trust-manager's objects that have to do with the Secrets and ConfigMaps of the evidence, each list sorted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Issuance {
    /// Certificates.
    pub certificates: Vec<Certificate>,
    /// CertificateRequests.
    pub requests: Vec<CertificateRequest>,
    /// Issuers and ClusterIssuers.
    pub issuers: Vec<Issuer>,
    /// trust-manager's Bundles.
    pub bundles: Vec<Bundle>,
    /// ClusterIssuers that were asked for and do not exist.
    pub no_issuers: Vec<ObjectRef>,
    /// Namespaces whose Certificates, CertificateRequests and Issuers were all listed, so that one which is not here does not exist.
    pub listed: Vec<String>,
}

/// A `Certificate` of cert-manager.io/v1: the order for a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Certificate {
    /// Which.
    pub object: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// `metadata.generation`.
    pub generation: Option<u64>,
    /// `spec.secretName`.
    pub secret: String,
    /// `spec.commonName`, or that of `spec.literalSubject`.
    pub common_name: Option<String>,
    /// `spec.dnsNames`.
    pub dns_names: Vec<String>,
    /// `spec.ipAddresses`.
    pub ip_addresses: Vec<String>,
    /// `spec.uris`.
    pub uris: Vec<String>,
    /// `spec.usages` as written: `digital signature`, `server auth`; empty for the default.
    pub usages: Vec<String>,
    /// `spec.duration` as written.
    pub duration: Option<String>,
    /// `spec.renewBefore` as written.
    pub renew_before: Option<String>,
    /// `spec.renewBeforePercentage`.
    pub renew_before_percentage: Option<u64>,
    /// `spec.isCA`.
    pub is_ca: bool,
    /// `spec.privateKey`.
    pub key: PrivateKey,
    /// `spec.issuerRef`.
    pub issuer: IssuerRef,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
    /// `status.notBefore`, UTC.
    pub not_before: Option<Timestamp>,
    /// `status.notAfter`, UTC.
    pub not_after: Option<Timestamp>,
    /// `status.renewalTime`, UTC.
    pub renewal_time: Option<Timestamp>,
    /// `status.revision`: how often it was issued.
    pub revision: Option<u64>,
    /// `status.failedIssuanceAttempts`.
    pub failed_attempts: Option<u64>,
    /// `status.lastFailureTime`, UTC.
    pub last_failure: Option<Timestamp>,
}

/// `spec.privateKey`, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrivateKey {
    /// `RSA` (the default), `ECDSA`, `Ed25519`.
    pub algorithm: Option<String>,
    /// Bits; 2048 for RSA and 256 for ECDSA by default.
    pub size: Option<u64>,
    /// `PKCS1` (the default) or `PKCS8`.
    pub encoding: Option<String>,
    /// `Always` (the default since cert-manager 1.18) or `Never`.
    pub rotation: Option<String>,
}

/// `spec.issuerRef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct IssuerRef {
    /// `Issuer` (the default), `ClusterIssuer`, or the kind of an external issuer.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// API group, `cert-manager.io` by default.
    pub group: String,
}

/// A `CertificateRequest`: one try to issue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CertificateRequest {
    /// Which.
    pub object: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// Name of the Certificate that it is for; empty for none.
    pub certificate: String,
    /// The Certificate's revision that it is for.
    pub revision: Option<u64>,
    /// `metadata.creationTimestamp`, UTC.
    pub created_at: Option<Timestamp>,
    /// `spec.issuerRef`.
    pub issuer: IssuerRef,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
    /// `status.failureTime`, UTC.
    pub failure_time: Option<Timestamp>,
}

/// An `Issuer` or `ClusterIssuer`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Issuer {
    /// Which.
    pub object: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// How it signs.
    pub kind: IssuerKind,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
}

/// How an issuer signs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerKind {
    /// By an ACME server, such as Let's Encrypt.
    Acme,
    /// With the CA in this Secret, of its own namespace, or of cert-manager's for a ClusterIssuer.
    Ca {
        /// `spec.ca.secretName`.
        secret: String,
    },
    /// Each certificate with its own key.
    SelfSigned,
    /// By Vault.
    Vault,
    /// By Venafi.
    Venafi,
    /// By something else, or by nothing.
    #[default]
    Other,
}

/// A `Bundle` of trust.cert-manager.io.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bundle {
    /// Which.
    pub object: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// Key of the ConfigMap of its name in every namespace that it is synced to.
    pub config_map_key: Option<String>,
    /// Key of the Secret of its name.
    pub secret_key: Option<String>,
    /// What goes into it: `Secret ray-ca key ca.crt`, `default CAs`, `inline`.
    pub sources: Vec<String>,
    /// `spec.target.namespaceSelector.matchLabels`; empty for all namespaces.
    pub namespace_labels: BTreeMap<String, String>,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
}

/// One of `status.conditions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// `Ready`, `Issuing`, `Approved`, `Denied`, `InvalidRequest`, `Synced`.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// One line, cut after some hundred characters.
    pub message: String,
    /// Generation of the object that it speaks of.
    pub observed_generation: Option<u64>,
    /// `lastTransitionTime`, UTC.
    pub since: Option<Timestamp>,
}

/// The lifetime of a certificate where none is asked for: 90 days.
const LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

impl Issuance {
    /// The Certificates that are orders for this Secret.
    pub fn orders<'a>(&'a self, namespace: &'a str, secret: &'a str) -> impl Iterator<Item = &'a Certificate> {
        self.certificates.iter().filter(move |c| c.object.namespace == namespace && c.secret == secret)
    }

    /// The Certificate of this name.
    pub fn certificate(&self, namespace: &str, name: &str) -> Option<&Certificate> {
        self.certificates.iter().find(|c| c.object.is(namespace, name))
    }

    /// The issuer that a reference from this namespace leads to.
    pub fn issuer(&self, reference: &IssuerRef, namespace: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| issuer.object == reference.object(namespace))
    }

    /// The newest request for a Certificate.
    pub fn request(&self, certificate: &Certificate) -> Option<&CertificateRequest> {
        let of = |r: &&CertificateRequest| {
            r.object.namespace == certificate.object.namespace && r.certificate == certificate.object.name
        };
        self.requests.iter().filter(of).max_by_key(|r| (r.revision, r.created_at))
    }
}

impl Certificate {
    /// The lifetime that is asked for; none where it is no duration of Go's.
    pub fn lifetime(&self) -> Option<SignedDuration> {
        self.duration.as_deref().map_or(Some(LIFETIME), go_duration)
    }

    /// How long before the end cert-manager renews it: a third of the lifetime where nothing is said; none where it is no
    /// duration.
    pub fn renewed_before(&self) -> Option<SignedDuration> {
        let lifetime = self.lifetime()?;
        match (&self.renew_before, self.renew_before_percentage) {
            (Some(written), _) => go_duration(written),
            (None, Some(percent)) => Some(SignedDuration::from_secs(
                lifetime.as_secs().saturating_mul(i64::try_from(percent).unwrap_or(100).min(100)) / 100,
            )),
            (None, None) => Some(lifetime / 3),
        }
    }

    /// Whether a renewal makes a new key. So it is by default since cert-manager 1.18.
    pub fn rotates_key(&self) -> bool {
        self.key.rotation.as_deref() != Some("Never")
    }

    /// A condition.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        condition(&self.conditions, kind)
    }
}

impl CertificateRequest {
    /// A condition.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        condition(&self.conditions, kind)
    }
}

impl Issuer {
    /// A condition.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        condition(&self.conditions, kind)
    }
}

impl IssuerRef {
    /// What is referred to from this namespace.
    pub fn object(&self, namespace: &str) -> ObjectRef {
        let cluster_wide = self.kind == "ClusterIssuer";
        ObjectRef::new(&self.kind, if cluster_wide { "" } else { namespace }, &self.name)
    }

    /// Whether it is one of cert-manager's own kinds.
    pub fn is_own(&self) -> bool {
        self.group == "cert-manager.io" && matches!(self.kind.as_str(), "ClusterIssuer" | "Issuer")
    }
}

impl Condition {
    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.status == "True"
    }
}

/// A duration as Go writes it, `2160h`, `1h30m0s`; none for anything else, `90d` among it.
pub fn go_duration(text: &str) -> Option<SignedDuration> {
    let (mut rest, mut nanoseconds) = (text, 0f64);
    if rest.is_empty() || rest == "0" {
        return (rest == "0").then_some(SignedDuration::ZERO);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        let size = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        nanoseconds += number.parse::<f64>().ok()? * size;
        rest = after;
    }
    // Go's durations end after 292 years.
    (nanoseconds < 9.2e18).then(|| SignedDuration::from_nanos(nanoseconds as i64))
}

fn condition<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        let hours = |text| go_duration(text).map(|d| d.as_secs() as f64 / 3600.0);
        assert_eq!(hours("2160h"), Some(2160.0));
        assert_eq!(hours("2160h0m0s"), Some(2160.0));
        assert_eq!(hours("1h30m"), Some(1.5));
        assert_eq!(hours("1.5h"), Some(1.5));
        for wrong in ["90d", "", "h", "90", "1h ", "-1h", "1y", "..h"] {
            assert_eq!(go_duration(wrong), None, "{wrong}");
        }
        assert_eq!(go_duration("99999999999h"), None);
    }

    #[test]
    fn a_third_of_the_lifetime_is_left_at_renewal() {
        let hours = |certificate: &Certificate| certificate.renewed_before().map(|d| d.as_hours());
        assert_eq!(hours(&Certificate::default()), Some(720));
        let short = Certificate { duration: Some("3h".into()), ..Certificate::default() };
        assert_eq!(hours(&short), Some(1));
        assert_eq!(hours(&Certificate { renew_before_percentage: Some(50), ..Certificate::default() }), Some(1080));
        assert_eq!(hours(&Certificate { renew_before: Some("2h".into()), ..short.clone() }), Some(2));
        assert_eq!(hours(&Certificate { duration: Some("90d".into()), ..short }), None);
    }
}
