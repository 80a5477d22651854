//! CRT07: keyUsage is there, without digitalSignature.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Fix;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT07",
    name: "no-digital-signature",
    severity: Severity::Error,
    help: "\
The certificate that Ray presents has a keyUsage without digitalSignature.

Why it matters: TLS 1.3, and every suite gRPC takes in TLS 1.2, signs the handshake with this key. With an elliptic curve key the process
does not even start; with an RSA key it starts and every peer refuses it (`KEY_USAGE_BIT_INCORRECT`).

Mend it: issue it again with `keyUsage = digitalSignature, keyEncipherment`, and restart.

Authority: RFC 5280 section 4.2.1.3; BoringSSL `ssl_cert_check_key_usage` (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for leaf in super::leaves(case) {
        if leaf.certificate.key_usage.is_none_or(|usage| usage.digital_signature) {
            continue;
        }
        let parties = leaf.shared.parties();
        let effect = match leaf.certificate.key.algorithm.as_str() {
            "RSA" => "every peer refuses it",
            _ => "Ray does not start with it",
        };
        let message = format!(
            "{} of {} has a keyUsage without digitalSignature: {effect}",
            leaf.phrase(),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(leaf.shared.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = leaf.reissue(Fix::Uses);
        finding.fact("key", leaf.certificate.key.algorithm.as_str(), lens::phrase(&leaf.shared.subject));
        leaf.shared.tell(case, finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use rcgen::KeyUsagePurpose;

    fn scene(usages: &[KeyUsagePurpose]) -> Scene {
        let ca = Ca::new("ray-ca");
        let pair = ca.leaf_with(|p| p.key_usages = usages.to_vec());
        Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &ca.pem)))
    }

    #[test]
    fn key_encipherment_alone_is_not_enough_and_no_extension_is() {
        let barred = scene(&[KeyUsagePurpose::KeyEncipherment]);
        let finding = only(&barred, &CHECK);
        assert!(finding.message.contains("Ray does not start with it"), "{}", finding.message);
        assert_mends(&barred, &finding);
        assert_eq!(scene(&[]).run(&CHECK), []);
        assert_eq!(scene(&[KeyUsagePurpose::DigitalSignature]).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
