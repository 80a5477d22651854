//! KEY01: the key is not the key of the certificate.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::{Edit, Slot};

/// The check.
pub static CHECK: Check = Check {
    code: "KEY01",
    name: "key-mismatch",
    severity: Severity::Error,
    help: "\
The private key is not the one of the certificate: their public halves differ.

Why it matters: gRPC refuses the pair when it loads it. The server does not start (`Invalid private key`), a client fails with
`Failed to create security handshaker`.

Mend it: store the key and the certificate of one issuance together, and restart. This shows both:
`openssl x509 -in tls.crt -noout -pubkey | sha256sum; openssl pkey -in tls.key -pubout | sha256sum`.

Authority: BoringSSL `X509_check_private_key` (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for pair in super::pairs(case) {
        let chain = lens::parsed(pair.certificate.facts);
        let Some(leaf) = chain.first() else { continue };
        // Of a later certificate of the file: CRT12.
        if chain.iter().any(|c| c.key.spki_sha256 == pair.spki) {
            continue;
        }
        let parties = pair.parties();
        let key = lens::phrase(&pair.key.subject);
        let certificate = lens::phrase(&pair.certificate.subject);
        let message = format!(
            "{} is not the key of certificate {} in {certificate}, so Ray of {} cannot load the pair",
            lens::opening(&pair.key.subject),
            leaf.subject,
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(pair.key.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = parties.iter().map(|&party| Edit::Provide { party, slot: Slot::Key }).collect();
        finding.fact("public key of the certificate, SHA-256", leaf.key.spki_sha256.as_str(), certificate);
        finding.fact("public key of the key file, SHA-256", pair.spki.as_str(), key);
        pair.key.tell(case, finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn the_key_of_another_certificate() {
        let ca = Ca::new("ray-ca");
        let pair = Pair { key: ca.leaf().key, ..ca.leaf() };
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &ca.pem)));
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.subject.key.as_deref(), Some("tls.key"));
        assert_eq!(finding.edits.len(), 2);
        assert_mends(&scene, &finding);
        assert_eq!(finding.breaks.len(), scene.model.connections.len());
        assert!(finding.facts.iter().any(|f| f.what.starts_with("public key of the key file")));
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
