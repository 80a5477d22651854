//! CHN01: no trust file of the cluster knows who signed a certificate.

use super::{Chains, Distrust};
use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::{Edit, Slot};
use crate::grpc::certificate::Certificate;

/// The check.
pub static CHECK: Check = Check {
    code: "CHN01",
    name: "issuer-not-trusted",
    severity: Severity::Error,
    help: "\
Nothing in any trust file (RAY_TLS_CA_CERT) of the cluster signed the certificate that a Ray process presents.

Why it matters: every peer refuses it: `unable to get local issuer certificate`, `self signed certificate`, or only
`CERTIFICATE_VERIFY_FAILED`; the refused client sees `Socket closed`. A CA of the same name with another key does not count: a script that
is run twice makes a new CA under the old name.

Mend it: issue the certificate by the CA that is trusted, or store the CA that signed it as RAY_TLS_CA_CERT of every Ray process, and
restart. Where an intermediate signed it, the intermediate belongs behind the leaf in the certificate file.

Authority: RFC 5280 section 6.1; gRPC `ssl_transport_security.cc` trusts the given file and nothing else (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let chains = Chains::of(case);
    let strangers: Vec<Distrust> = chains
        .distrusts(case)
        .into_iter()
        .filter(|d| chains.known_to(case, d.presenter).is_none())
        .filter(|d| !super::intermediate_missing::explains(case, &chains, d))
        .filter(|d| !super::ca_cannot_sign::explains(&chains, d))
        .filter(|d| !super::order_decides::explains(case, &chains, d))
        .collect();
    for shared in lens::shared(case, &[Slot::Certificate]) {
        let users = shared.parties();
        let refused: Vec<&Distrust> = strangers.iter().filter(|d| users.contains(&d.presenter)).collect();
        let Some(first) = refused.first() else { continue };
        let (Some(chain), Some(trust)) = (chains.presented.get(&first.presenter), chains.trusted.get(&first.verifier))
        else {
            continue;
        };
        let (Some(leaf), Some(top)) = (chain.first(), super::top(chain)) else { continue };
        let message = format!(
            "Certificate {} in {} is {}, and no trust file has that: {} refuses {}{}",
            leaf.subject,
            lens::phrase(&shared.subject),
            issued(leaf, top),
            lens::used_by(case.model, &[first.verifier]),
            lens::used_by(case.model, &users),
            namesake(trust, top),
        );
        let finding = findings.add(shared.subject.clone(), message);
        finding.breaks = super::merged(refused.iter().map(|d| d.connections.clone()));
        finding.edits = edits(&refused);
        let origin = lens::phrase(&shared.subject);
        finding.fact("issuer", top.issuer.as_str(), &origin);
        for ca in trust {
            let value = format!("{} (SHA-256 {}…)", ca.subject, super::short(&ca.sha256));
            finding.fact("trusted", value, format!("trust file of {}", case.model.parties[first.verifier].id));
        }
        shared.tell(case, finding);
    }
}

/// One new leaf per presenter, by the CA of the first party that refuses it.
fn edits(refused: &[&Distrust]) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut done: Vec<usize> = Vec::new();
    for distrust in refused {
        if !done.contains(&distrust.presenter) {
            done.push(distrust.presenter);
            edits.push(Edit::IssueBy { party: distrust.presenter, trusted_by: distrust.verifier });
        }
    }
    edits
}

fn issued(leaf: &Certificate, top: &Certificate) -> String {
    match (leaf.subject_canonical == leaf.issuer_canonical, top.sha256 == leaf.sha256) {
        (true, _) => "signed by itself".into(),
        (false, true) => format!("issued by {}", leaf.issuer),
        (false, false) => format!("issued, through {}, by {}", top.subject, top.issuer),
    }
}

fn namesake(trust: &[Certificate], top: &Certificate) -> &'static str {
    match trust.iter().any(|ca| ca.subject_canonical == top.issuer_canonical) {
        true => ", whose trusted CA has the same name but another key",
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use crate::checks::chain::trust_differs;

    #[test]
    fn a_leaf_of_a_ca_that_nobody_has() {
        let (ca, other) = (Ca::new("ray-ca"), Ca::new("other-ca"));
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &other.leaf(), &ca.pem)));
        let finding = only(&scene, &CHECK);
        assert!(finding.message.contains("issued by CN=other-ca"), "{}", finding.message);
        assert_eq!(finding.subject.key.as_deref(), Some("tls.crt"));
        assert_eq!(finding.edits.len(), 2);
        assert!(finding.edits.iter().all(|e| matches!(e, Edit::IssueBy { .. })));
        assert_mends(&scene, &finding);
        assert_eq!(scene.run(&trust_differs::CHECK), []);
    }

    #[test]
    fn a_new_ca_under_the_old_name() {
        let (old, new) = (Ca::new("ray-ca"), Ca::new("ray-ca"));
        let finding = only(&Scene::manifests(cluster_with(tls_secret("ray-tls", &new.leaf(), &old.pem))), &CHECK);
        assert!(finding.message.contains("same name but another key"), "{}", finding.message);
    }

    #[test]
    fn it_shows_behind_another_fault() {
        let (ca, other) = (Ca::new("ray-ca"), Ca::new("other-ca"));
        let expired = other.leaf_with(|p| p.not_after = rcgen::date_time_ymd(2026, 2, 1));
        only(&Scene::manifests(cluster_with(tls_secret("ray-tls", &expired, &ca.pem))), &CHECK);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
