//! CRT01: the certificate that is presented has expired.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Fix;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT01",
    name: "certificate-expired",
    severity: Severity::Error,
    help: "\
The certificate that Ray presents is past its notAfter.

Why it matters: every peer refuses it in both roles. Processes that are connected go on until a connection is made anew, so a cluster
often breaks long after the date, at the first restart.

Mend it: issue it again and restart every Ray pod that uses it: Ray reads its files once, at start.

Authority: RFC 5280 section 4.1.2.5; gRPC counts the second of notAfter itself as expired (BoringSSL `X509_cmp_time`; measured:
`certificate has expired`).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for leaf in super::leaves(case) {
        if case.now < leaf.certificate.not_after {
            continue;
        }
        let parties = leaf.shared.parties();
        let message = format!(
            "{} expired at {}, {} ago: every peer of {} refuses it.",
            leaf.phrase(),
            leaf.certificate.not_after,
            lens::span(leaf.certificate.not_after, case.now),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(leaf.shared.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = leaf.reissue(Fix::Dates);
        finding.at = Some(leaf.certificate.not_after);
        finding.fact("not after", leaf.certificate.not_after.to_string(), lens::phrase(&leaf.shared.subject));
        leaf.shared.tell(case, finding);
    }
}
