//! CRT05: the extended key usage forbids the server role.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Fix;
use crate::grpc::certificate::Purpose;
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
    for leaf in super::leaves(case) {
        let parties = leaf.judged_for(case, |role| matches!(role, Role::Head | Role::Worker(_)));
        if !super::excludes(&leaf.certificate, &Purpose::ServerAuth) || parties.is_empty() {
            continue;
        }
        let has = super::purposes(&leaf.certificate);
        let message = format!(
            "{} allows {has} by its extended key usage, not serverAuth, so who dials {} refuses it.",
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
