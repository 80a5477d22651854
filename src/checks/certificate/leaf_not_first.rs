//! CRT12: the first certificate of the file is not the one of the key.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::{Edit, Slot};

/// The check.
pub static CHECK: Check = Check {
    code: "CRT12",
    name: "leaf-not-first",
    severity: Severity::Error,
    help: "\
The certificate file starts with another certificate than the one that belongs to the key: mostly the CA stands before the leaf.

Why it matters: gRPC presents the first certificate, finds that the key is not its key, and does not start.

Mend it: write the leaf first, then the intermediates, each signed by the next: `cat leaf.pem intermediate.pem > tls.crt`.

Authority: RFC 8446 section 4.4.2; BoringSSL `SSL_CTX_use_certificate_chain` (measured: key mismatch at load).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for pair in crate::checks::key::pairs(case) {
        let chain = lens::parsed(pair.certificate.facts);
        let Some(position) = chain.iter().position(|c| c.key.spki_sha256 == pair.spki) else { continue };
        let (Some(first), Some(own)) = (chain.first(), chain.get(position)) else { continue };
        if position == 0 {
            continue;
        }
        let parties = pair.parties();
        let message = format!(
            "{} starts with {}, but the key of {} belongs to certificate {} of the file, {}: put it first",
            lens::opening(&pair.certificate.subject),
            first.subject,
            lens::used_by(case.model, &parties),
            position + 1,
            own.subject,
        );
        let finding = findings.add(pair.certificate.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = parties.iter().map(|&party| Edit::Provide { party, slot: Slot::Certificate }).collect();
        let origin = lens::phrase(&pair.certificate.subject);
        for (number, certificate) in chain.iter().enumerate() {
            finding.fact("certificate", format!("{}: {}", number + 1, certificate.subject), &origin);
        }
        pair.certificate.tell(case, finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn the_ca_before_the_leaf() {
        let ca = Ca::new("ray-ca");
        let leaf = ca.leaf();
        let scene = |certificate: String| {
            let pair = Pair { certificate, key: leaf.key.clone() };
            Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &ca.pem)))
        };
        let reversed = scene(format!("{}{}", ca.pem, leaf.certificate));
        let finding = only(&reversed, &CHECK);
        assert!(finding.message.contains("belongs to certificate 2 of the file, CN=ray-node"), "{}", finding.message);
        assert_eq!(finding.edits.len(), 2);
        assert_mends(&reversed, &finding);
        assert_eq!(reversed.run(&crate::checks::key::mismatch::CHECK), []);
        assert_eq!(scene(format!("{}{}", leaf.certificate, ca.pem)).run(&CHECK), []);
    }

    #[test]
    fn what_stands_first_is_not_judged_as_a_leaf() {
        let ca = Ca::new("ray-ca");
        let leaf = ca.leaf();
        let pair = Pair { certificate: format!("{}{}", ca.pem, leaf.certificate), key: leaf.key };
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &ca.pem)));
        only(&scene, &CHECK);
        for other in [
            &crate::checks::certificate::no_digital_signature::CHECK,
            &crate::checks::certificate::no_client_auth::CHECK,
            &crate::checks::names::common_name_only::CHECK,
        ] {
            assert_eq!(scene.run(other), [], "{}", other.code);
        }
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
