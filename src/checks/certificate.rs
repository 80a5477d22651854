//! CRT: the certificate a party presents, and how it is written.

pub mod expired;
pub mod expires_soon;
pub mod leaf_key;
pub mod leaf_not_first;
pub mod malformed;
pub mod no_client_auth;
pub mod no_digital_signature;
pub mod no_server_auth;
pub mod not_yet_valid;
pub mod outlives_ca;
pub mod too_long;
pub mod weak;

use super::lens::{self, Shared};
use super::{Case, Edits};
use crate::diagnose::edit::{Edit, Fix, Slot};
use crate::grpc::certificate::{Certificate, Purpose};
use crate::ray::Role;

/// A certificate file that was seen, with the certificate in it that is meant to be presented.
struct Leaf<'a> {
    shared: Shared<'a>,
    certificate: Certificate,
}

fn leaves<'a>(case: &Case<'a>) -> Vec<Leaf<'a>> {
    let of = |shared: Shared<'a>| {
        let user = case.model.parties.get(shared.uses.first()?.party)?;
        let certificate = lens::meant(user)?;
        Some(Leaf { shared, certificate })
    };
    lens::shared(case, &[Slot::Certificate]).into_iter().filter_map(of).collect()
}

impl Leaf<'_> {
    /// `Certificate CN=ray-head in key tls.crt of Secret ray/ray-tls`.
    fn phrase(&self) -> String {
        format!("Certificate {} in {}", self.certificate.subject, lens::phrase(&self.shared.subject))
    }

    fn reissue(&self, fix: Fix) -> Edits {
        vec![Edit::Reissue { certificate: self.certificate.sha256.clone(), fixes: vec![fix] }]
    }

    /// Parties that present it in a role for which its extended key usage is judged: the rule does not apply
    /// to a certificate that the verifier has in its trust file.
    fn judged_for(&self, case: &Case<'_>, plays: impl Fn(&Role) -> bool) -> Vec<usize> {
        let verified = |party: &usize| {
            let cluster = case.model.parties[*party].cluster;
            let mut verifiers = lens::speakers(case).filter(|(_, p)| p.cluster == cluster);
            verifiers.any(|(_, verifier)| match lens::trust(verifier) {
                Some(trust) => trust.iter().all(|anchor| anchor.sha256 != self.certificate.sha256),
                None => self.certificate.subject_canonical != self.certificate.issuer_canonical,
            })
        };
        let plays = |party: &usize| plays(&case.model.parties[*party].role);
        self.shared.parties().into_iter().filter(plays).filter(verified).collect()
    }
}

/// Whether the extended key usage excludes a role. Absent, it excludes none; `anyExtendedKeyUsage` helps neither.
fn excludes(certificate: &Certificate, role: &Purpose) -> bool {
    certificate.purposes.as_ref().is_some_and(|purposes| !purposes.contains(role))
}

fn purposes(certificate: &Certificate) -> String {
    let name = |purpose: &Purpose| match purpose {
        Purpose::Any => "anyExtendedKeyUsage".to_owned(),
        Purpose::ClientAuth => "clientAuth".to_owned(),
        Purpose::Other(oid) => oid.clone(),
        Purpose::ServerAuth => "serverAuth".to_owned(),
    };
    let names: Vec<String> = certificate.purposes.iter().flatten().map(name).collect();
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}
