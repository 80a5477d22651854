//! CRT05: the extended key usage forbids the server role.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Fix;
use crate::grpc::certificate::Purpose;
use crate::grpc::verdict::Role as Presenter;
use crate::ray::Role;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT05",
    name: "no-server-auth",
    severity: Severity::Error,
    help: "\
A Ray node presents a certificate with an extended key usage that does not list serverAuth.

Why it matters: every Ray node is a server (GCS, raylet, workers), and who dials it refuses the certificate. gRPC wants serverAuth itself:
anyExtendedKeyUsage is not enough. A certificate without the extension may do everything.

Mend it: issue it again with `extendedKeyUsage = serverAuth, clientAuth` (cert-manager: usages `server auth` and `client auth`), and restart.

Authority: RFC 5280 section 4.2.1.12; BoringSSL purpose `ssl_server`: `unsupported certificate purpose` (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    if !lens::asked(case, Presenter::Server) {
        return;
    }
    for leaf in super::leaves(case) {
        let parties = leaf.judged_for(case, |role| matches!(role, Role::Head | Role::Worker(_)));
        if !super::excludes(&leaf.certificate, &Purpose::ServerAuth) || parties.is_empty() {
            continue;
        }
        let has = super::purposes(&leaf.certificate);
        let message = format!(
            "{} allows {has} by its extended key usage, not serverAuth, so it is refused on every connection to {}",
            leaf.phrase(),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(leaf.shared.subject.clone(), message);
        finding.breaks = lens::failing_to(case, &parties);
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
    fn without_server_auth() {
        let refused = scene(&[Eku::ClientAuth]);
        let finding = only(&refused, &CHECK);
        assert_mends(&refused, &finding);
        assert!(
            matches!(&finding.edits[..], [crate::diagnose::edit::Edit::Reissue { fixes, .. }] if fixes == &[Fix::Uses])
        );
        assert!(finding.message.contains("allows clientAuth by"), "{}", finding.message);
        only(&scene(&[Eku::Any]), &CHECK);
        // Absent it excludes nothing; with the role beside others it is fine.
        assert_eq!(scene(&[]).run(&CHECK), []);
        assert_eq!(scene(&[Eku::ServerAuth, Eku::EmailProtection]).run(&CHECK), []);
    }

    #[test]
    fn a_certificate_that_is_its_own_anchor_is_exempt() {
        let pair = Ca::new("ray-ca").leaf_with(|p| p.extended_key_usages = vec![Eku::ClientAuth]);
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &pair.certificate)));
        assert_eq!(scene.run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
