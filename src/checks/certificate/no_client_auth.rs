//! CRT06: the extended key usage forbids the client role.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Fix;
use crate::grpc::certificate::Purpose;
use crate::grpc::verdict::Role as Presenter;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT06",
    name: "no-client-auth",
    severity: Severity::Error,
    help: "\
Ray presents a certificate with an extended key usage that does not list clientAuth.

Why it matters: Ray's TLS is always mutual and uses one certificate for both roles: every node dials others, the head even itself. The
server refuses the certificate and says nothing, so the dialling side sees only `Socket closed`. Public CAs no longer issue clientAuth.

Mend it: issue it again with `extendedKeyUsage = serverAuth, clientAuth` from a private CA, and restart.

Authority: RFC 5280 section 4.2.1.12; BoringSSL purpose `ssl_client`: `unsupported certificate purpose` (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    if !lens::asked(case, Presenter::Client) {
        return;
    }
    for leaf in super::leaves(case) {
        let parties = leaf.judged_for(case, |_| true);
        if !super::excludes(&leaf.certificate, &Purpose::ClientAuth) || parties.is_empty() {
            continue;
        }
        let has = super::purposes(&leaf.certificate);
        let message = format!(
            "{} allows {has} by its extended key usage, not clientAuth, so it is refused on every connection from {}",
            leaf.phrase(),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(leaf.shared.subject.clone(), message);
        finding.breaks = lens::failing_from(case, &parties);
        finding.edits = leaf.reissue(Fix::Uses);
        finding.fact("extended key usage", has, lens::phrase(&leaf.shared.subject));
        leaf.shared.tell(case, finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use rcgen::ExtendedKeyUsagePurpose as Eku;

    fn scene(purposes: &[Eku]) -> Scene {
        let ca = Ca::new("ray-ca");
        let pair = ca.leaf_with(|p| p.extended_key_usages = purposes.to_vec());
        Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &ca.pem)))
    }

    #[test]
    fn without_client_auth() {
        let refused = scene(&[Eku::ServerAuth]);
        let finding = only(&refused, &CHECK);
        assert_mends(&refused, &finding);
        assert!(
            matches!(&finding.edits[..], [crate::diagnose::edit::Edit::Reissue { fixes, .. }] if fixes == &[Fix::Uses])
        );
        assert!(finding.message.contains("allows serverAuth by"), "{}", finding.message);
        only(&scene(&[Eku::Any]), &CHECK);
        // Absent it excludes nothing; with the role beside others it is fine.
        assert_eq!(scene(&[]).run(&CHECK), []);
        assert_eq!(scene(&[Eku::ClientAuth, Eku::EmailProtection]).run(&CHECK), []);
    }

    #[test]
    fn a_certificate_that_is_its_own_anchor_is_exempt() {
        let pair = Ca::new("ray-ca").leaf_with(|p| p.extended_key_usages = vec![Eku::ServerAuth]);
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &pair.certificate)));
        assert_eq!(scene.run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
