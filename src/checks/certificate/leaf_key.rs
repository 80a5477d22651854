//! CRT08: the key of the certificate is of a kind gRPC never takes.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Fix;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT08",
    name: "leaf-key-kind",
    severity: Severity::Error,
    help: "\
The certificate that Ray presents has a key that gRPC never accepts of a peer: Ed25519, P-521, DSA, ….

Why it matters: gRPC offers signatures with RSA, P-256 and P-384 keys only. Such a certificate loads, the ports open, openssl and curl are
content, and every Ray process refuses it (`NO_COMMON_SIGNATURE_ALGORITHMS`, `Socket closed`). As the key of a CA these kinds are fine.

Mend it: issue it again with an RSA key of 2048 bits or more, or a P-256 key, replace the key file too, and restart.

Authority: gRPC and BoringSSL `kVerifySignatureAlgorithms` (measured with grpcio 1.58 and 1.85).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for leaf in super::leaves(case) {
        let kind = leaf.certificate.key.algorithm.as_str();
        if matches!(kind, "RSA" | "P-256" | "P-384") {
            continue;
        }
        let parties = leaf.shared.parties();
        let message = format!(
            "{} has a key of kind {kind}, which gRPC never accepts of a peer, so every peer of {} refuses it: use RSA or P-256",
            leaf.phrase(),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(leaf.shared.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = leaf.reissue(Fix::Key);
        finding.fact("key", kind, lens::phrase(&leaf.shared.subject));
        leaf.shared.tell(case, finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use rcgen::KeyPair;

    fn scene(algorithm: &'static rcgen::SignatureAlgorithm) -> Scene {
        let ca = Ca::new("ray-ca");
        let pair = ca.leaf_of(KeyPair::generate_for(algorithm).unwrap(), |_| {});
        Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &ca.pem)))
    }

    #[test]
    fn ed25519_and_p521_never_work_and_p384_does() {
        for algorithm in [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P521_SHA512] {
            let scene = scene(algorithm);
            let finding = only(&scene, &CHECK);
            assert_mends(&scene, &finding);
            assert!(
                matches!(&finding.edits[..], [crate::diagnose::edit::Edit::Reissue { fixes, .. }] if fixes == &[Fix::Key])
            );
        }
        assert_eq!(scene(&rcgen::PKCS_ECDSA_P384_SHA384).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
