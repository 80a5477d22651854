//! CM02: a Certificate is not Ready.

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::issuance::Trouble;

/// The check.
pub static CHECK: Check = Check {
    code: "CM02",
    name: "certificate-not-ready",
    severity: Severity::Error,
    help: "\
The Certificate that makes a Secret of Ray is not Ready, and no issuer or request behind it says why.

Why it matters: the Secret is missing, or not what is ordered. Where a link behind the Certificate is at fault, that link is told instead (CM03, CM04, CM14,
CM16).

Mend it: by the reason in the message; without a CertificateRequest, see whether cert-manager runs.

Authority: cert-manager 1.21, *Certificate resource*: conditions Ready and Issuing.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::links(case, findings, &[Trouble::NotReady], |red| format!("{} is not Ready ({})", red.link, red.words));
}
