//! CM03: an issuer does not sign.

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::issuance::Trouble;

/// The check.
pub static CHECK: Check = Check {
    code: "CM03",
    name: "issuing-is-stuck",
    severity: Severity::Error,
    help: "\
The issuer behind a Secret of Ray is asked, and does not sign: it failed, or nobody answers.

Why it matters: after a failure cert-manager waits for an hour, then for two, up to 32. The Secret is not made; one that exists stays as it is until it
expires. A request that no controller answers (an external issuer whose controller is not installed) waits for ever without a word.

Mend it: what the CertificateRequest says; the controller of an external issuer has to run. `cmctl renew` tries again at once.

Authority: cert-manager 1.21, *CertificateRequest*; seen: an approved request for an issuer of another group stays without any Ready condition.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::links(case, findings, &[Trouble::NoAnswer, Trouble::NotSigned], |red| {
        let issuer = red.order.issuer.object(&red.order.object.namespace);
        let attempts = match red.order.failed_attempts {
            Some(n) if n > 1 => format!(", {n} times"),
            _ => String::new(),
        };
        match red.trouble {
            Trouble::NoAnswer => {
                format!("no controller of {} answers {} for {issuer}", red.order.issuer.group, red.link)
            }
            _ => format!("{issuer} did not sign {}{attempts} ({})", red.link, red.words),
        }
    });
}
