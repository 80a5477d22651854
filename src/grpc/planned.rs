//! Certificates that somebody will make: what is known of them beforehand, signed by assumption.

use jiff::Timestamp;

use super::certificate::{Certificate, KeyUsage, Name, PublicKey, Purpose, Signed, sha256};
use super::constraints::Constrained;
use super::policies::Policies;

/// A CA that will be made. Two calls with the same `id` give the same CA, another id another one. Its dates bound nothing.
pub fn authority(id: &str) -> Certificate {
    let subject = format!("CN={id}");
    let spki = sha256(format!("the key of {id}").as_bytes());
    Certificate { ca: Some(true), not_after: Timestamp::MAX, ..blank(id, &subject, &spki, &subject, &spki) }
}

/// A leaf of these names that `issuer` will sign for the one who goes by `id`. Without `purposes` it is good for all.
pub fn leaf(id: &str, names: &[String], purposes: Option<Vec<Purpose>>, issuer: &Certificate) -> Certificate {
    let (subject, spki) = (format!("CN={id}"), sha256(format!("the key of {id}").as_bytes()));
    Certificate {
        names: (!names.is_empty()).then(|| names.iter().map(|name| Name::from_text(name)).collect()),
        key_usage: Some(KeyUsage { digital_signature: true, cert_sign: false, key_encipherment: true }),
        purposes,
        ca: Some(false),
        ..blank(id, &subject, &spki, &issuer.subject, &issuer.key.spki_sha256)
    }
}

fn blank(id: &str, subject: &str, spki: &str, issuer: &str, issuer_spki: &str) -> Certificate {
    Certificate {
        der: Vec::new(),
        sha256: sha256(format!("certificate {id}").as_bytes()),
        version: 3,
        serial: String::new(),
        subject: subject.into(),
        issuer: issuer.into(),
        subject_canonical: subject.to_lowercase().into_bytes(),
        issuer_canonical: issuer.to_lowercase().into_bytes(),
        common_name: subject.strip_prefix("CN=").map(Into::into),
        not_before: Timestamp::MIN,
        // Before its CA, so that nobody takes it for one that outlives it.
        not_after: Timestamp::MAX.saturating_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX),
        names: None,
        key: PublicKey { algorithm: "RSA".into(), bits: 2048, spki_sha256: spki.into(), spki: Vec::new() },
        key_usage: None,
        purposes: None,
        ca: None,
        path_len: None,
        subject_key_id: None,
        authority_key_id: None,
        authority_serial: None,
        authority_issuer: None,
        netscape_type: None,
        constraints: None,
        constrained: Constrained::default(),
        policies: Policies::default(),
        unknown_critical: Vec::new(),
        malformed: Vec::new(),
        signature_algorithm: "sha256WithRSAEncryption".into(),
        has_bad_dates: false,
        trust: None,
        undecided: Vec::new(),
        signature: Signed::Assumed { issuer_spki_sha256: issuer_spki.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::covers;
    use super::super::profile::Profile;
    use super::super::verdict::{Case, Role, Verdict, peer};
    use super::*;

    #[test]
    fn a_planned_leaf_is_taken_by_who_trusts_its_issuer_and_by_nobody_else() {
        let (ours, theirs) = (authority("issuer ray/a"), authority("issuer ray/b"));
        let leaf = leaf("ray/head", &["head.ray".into(), "127.0.0.1".into()], None, &ours);
        for profile in [Profile::core(), Profile::python()] {
            let ask = |trust: &Certificate, role| {
                peer(Case {
                    presented: std::slice::from_ref(&leaf),
                    trust: std::slice::from_ref(trust),
                    name: None,
                    role,
                    now: "2026-06-01T00:00:00Z".parse().unwrap(),
                    profile,
                })
            };
            assert_eq!(ask(&ours, Role::Server), Verdict::Accept);
            assert_eq!(ask(&ours, Role::Client), Verdict::Accept);
            assert!(matches!(ask(&theirs, Role::Server), Verdict::Reject(_)));
            assert!(covers(&leaf, "head.ray", profile) && covers(&leaf, "127.0.0.1", profile));
            assert!(!covers(&leaf, "head", profile));
        }
        assert_eq!(authority("x"), authority("x"));
    }
}
