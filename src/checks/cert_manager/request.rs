//! CM14: a CertificateRequest was denied, or nobody approves it.

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::issuance::Trouble;

/// The check.
pub static CHECK: Check = Check {
    code: "CM14",
    name: "request-not-approved",
    severity: Severity::Error,
    help: "\
The CertificateRequest behind a Secret of Ray was denied, or waits for an approval.

Why it matters: nothing is signed before a request is approved. cert-manager approves by itself unless that is switched off in favour of an approver such as
approver-policy, which denies what no policy allows.

Mend it: have a policy allow what the Certificate asks for, or change the Certificate; `cmctl approve` approves by hand.

Authority: cert-manager 1.21, *CertificateRequest: Approval*.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::links(case, findings, &[Trouble::Denied, Trouble::NotApproved], |red| match red.trouble {
        Trouble::Denied => format!("{} was denied ({})", red.link, red.words),
        _ => format!("nobody has approved {}", red.link),
    });
}
