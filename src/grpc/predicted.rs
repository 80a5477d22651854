//! Certificates that nobody has made yet: facts by what was ordered, an assumed key and an assumed signature.

use jiff::Timestamp;

use super::certificate::{Certificate, KeyUsage, Name, PublicKey, Purpose, Signed, sha256};
use super::constraints::Constrained;
use super::distinguished;
use super::policies::Policies;

/// What is ordered.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// Tells one certificate from all others: `Certificate ray/ray-tls`. Equal ids are the same certificate with the same key.
    pub id: &'a str,
    /// Common name, where there is one; the only attribute of the subject.
    pub common_name: Option<&'a str>,
    /// Subject alternative names; empty for no such extension.
    pub names: Vec<Name>,
    /// Valid from, UTC.
    pub not_before: Timestamp,
    /// Valid until, UTC.
    pub not_after: Timestamp,
    /// `RSA`, `P-256`, …, as in [`PublicKey::algorithm`].
    pub algorithm: &'a str,
    /// Bits.
    pub bits: u32,
    /// keyUsage; none for no such extension.
    pub key_usage: Option<KeyUsage>,
    /// extendedKeyUsage; none for no such extension.
    pub purposes: Option<Vec<Purpose>>,
    /// basicConstraints cA.
    pub ca: bool,
    /// Who signs it; none where it signs itself.
    pub issuer: Option<&'a Certificate>,
    /// Whether this is a CA of which nothing was seen.
    pub is_stranger: bool,
}

impl Certificate {
    /// The certificate that an order comes to. Its hash and its key are made of its id, so that the same order gives the same
    /// certificate.
    pub fn predicted(order: Order<'_>) -> Certificate {
        let subject = distinguished::of_common_name(order.common_name);
        let key = PublicKey {
            algorithm: order.algorithm.into(),
            bits: order.bits,
            spki_sha256: sha256(format!("the key of {}", order.id).as_bytes()),
            spki: Vec::new(),
        };
        let own = (&subject.text, &subject.canonical, &key.spki_sha256);
        let (issuer, issuer_canonical, issuer_spki) =
            order.issuer.map_or(own, |ca| (&ca.subject, &ca.subject_canonical, &ca.key.spki_sha256));
        Certificate {
            der: Vec::new(),
            sha256: sha256(order.id.as_bytes()),
            version: 3,
            serial: String::new(),
            issuer: issuer.clone(),
            issuer_canonical: issuer_canonical.clone(),
            signature: match order.issuer.map(|ca| &ca.signature) {
                Some(Signed::Stranger { .. }) => Signed::Stranger { issuer_spki_sha256: issuer_spki.clone() },
                None if order.is_stranger => Signed::Stranger { issuer_spki_sha256: issuer_spki.clone() },
                _ => Signed::Assumed { issuer_spki_sha256: issuer_spki.clone() },
            },
            authority_key_id: order.issuer.and_then(|ca| ca.subject_key_id.clone()),
            subject: subject.text,
            subject_canonical: subject.canonical,
            common_name: order.common_name.map(str::to_owned),
            not_before: order.not_before,
            not_after: order.not_after,
            names: Some(order.names).filter(|names| !names.is_empty()),
            key,
            key_usage: order.key_usage,
            purposes: order.purposes,
            ca: Some(order.ca),
            path_len: None,
            subject_key_id: None,
            authority_serial: None,
            authority_issuer: None,
            netscape_type: None,
            constraints: None,
            constrained: Constrained {
                attributes: subject.attributes,
                common_names: subject.common_names,
                ..Constrained::default()
            },
            policies: Policies::default(),
            unknown_critical: Vec::new(),
            malformed: Vec::new(),
            signature_algorithm: "not signed yet".into(),
            has_bad_dates: false,
            trust: None,
            undecided: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;
    use crate::grpc::profile::Profile;
    use crate::grpc::verdict::{self, Case, Role, Verdict};

    fn order<'a>(id: &'a str, name: &'a str, issuer: Option<&'a Certificate>) -> Order<'a> {
        Order {
            id,
            common_name: Some(name),
            names: vec![Name::Dns("ray-head-svc".into())],
            not_before: Timestamp::UNIX_EPOCH,
            not_after: "2030-01-01T00:00:00Z".parse().unwrap(),
            algorithm: "RSA",
            bits: 2048,
            key_usage: None,
            purposes: None,
            ca: issuer.is_none(),
            issuer,
            is_stranger: false,
        }
    }

    fn judged(presented: &Certificate, trust: &Certificate, name: &str) -> bool {
        verdicts(presented, trust, name) == [Verdict::Accept, Verdict::Accept]
    }

    fn verdicts(presented: &Certificate, trust: &Certificate, name: &str) -> [Verdict; 2] {
        [Profile::core(), Profile::python()].map(|profile| {
            verdict::peer(Case {
                presented: std::slice::from_ref(presented),
                trust: std::slice::from_ref(trust),
                name: Some(name),
                role: Role::Server,
                now: "2026-06-01T00:00:00Z".parse().unwrap(),
                profile,
            })
        })
    }

    #[test]
    fn who_signs_it_vouches_for_it_and_nobody_else() {
        let (ca, other) =
            (Certificate::predicted(order("ca", "ray-ca", None)), Certificate::predicted(order("b", "ray-ca", None)));
        let leaf = Certificate::predicted(order("leaf", "ray", Some(&ca)));
        assert!(judged(&leaf, &ca, "ray-head-svc"));
        assert!(!judged(&leaf, &ca, "ray-worker"));
        assert!(!judged(&leaf, &other, "ray-head-svc"));
        let own = Certificate::predicted(Order { ca: false, ..order("own", "ray", None) });
        assert!(judged(&own, &own.clone(), "ray-head-svc"));
        assert!(!judged(&own, &leaf, "ray-head-svc"));
    }

    #[test]
    fn a_ca_that_was_not_seen_may_be_any_but_vouches_for_its_own() {
        let ca = Certificate::predicted(Order { is_stranger: true, ..order("ca", "the CA of Issuer ray/ca", None) });
        let leaf = Certificate::predicted(order("leaf", "ray", Some(&ca)));
        let other = Certificate::predicted(order("b", "ray-ca", None));
        assert!(judged(&leaf, &ca, "ray-head-svc"));
        assert!(
            matches!(&verdicts(&leaf, &other, "ray-head-svc")[0], Verdict::CannotTell(why) if why.contains("Issuer ray/ca"))
        );
        let stranger = Certificate::predicted(order("leaf", "ray", Some(&other)));
        assert!(matches!(verdicts(&stranger, &ca, "ray-head-svc")[1], Verdict::CannotTell(_)));
    }

    #[test]
    fn a_name_is_as_it_is_read() {
        let mut params = CertificateParams::new(vec!["x".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Ray  CA");
        let real = Certificate::parse(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap();
        let made = Certificate::predicted(order("ca", "Ray  CA", None));
        assert_eq!((made.subject_canonical, made.subject), (real.subject_canonical, real.subject));
    }
}
