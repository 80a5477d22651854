//! CRT02: the certificate that is presented is not valid yet.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Fix;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT02",
    name: "certificate-not-yet-valid",
    severity: Severity::Error,
    help: "\
The notBefore of the certificate that Ray presents is still to come.

Why it matters: every peer refuses it until then. Mostly a clock is wrong: that of the machine that issued it, of a node, or of this one.

Mend it: compare the clocks (`date -u`); if they agree, issue the certificate again with a notBefore in the past.

Authority: RFC 5280 section 4.1.2.5; BoringSSL: `certificate is not yet valid`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for leaf in super::leaves(case) {
        if case.now >= leaf.certificate.not_before {
            continue;
        }
        let parties = leaf.shared.parties();
        let message = format!(
            "{} is valid only from {}, in {}: until then every peer of {} refuses it.",
            leaf.phrase(),
            leaf.certificate.not_before,
            lens::span(case.now, leaf.certificate.not_before),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(leaf.shared.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = leaf.reissue(Fix::Dates);
        finding.fact("not before", leaf.certificate.not_before.to_string(), lens::phrase(&leaf.shared.subject));
        leaf.shared.tell(case, finding);
    }
}
