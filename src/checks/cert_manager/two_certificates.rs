//! CM07: two Certificates for one Secret.

use crate::checks::{Case, Check, Findings, Severity};

/// The check.
pub static CHECK: Check = Check {
    code: "CM07",
    name: "two-certificates-one-secret",
    severity: Severity::Warning,
    help: "\
Two Certificates have the same secretName in one namespace.

Why it matters: one of them writes the Secret, and the other is refused (reason IncorrectCertificate) or, with older cert-managers, writes it in turn: the
certificate, its key and its CA change under Ray's running pods. Which one wins is chance.

Mend it: a Secret of its own for each.

Authority: cert-manager 1.21, reason IncorrectCertificate; seen: `Secret was issued for \"one\"`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for one in super::ordered(case) {
        let all: Vec<String> =
            case.evidence.issuance.orders(one.namespace, one.secret).map(|o| o.object.to_string()).collect();
        if all.len() < 2 {
            continue;
        }
        let message =
            format!("{} all make Secret {}/{}: one of them wins", all.join(" and "), one.namespace, one.secret)
                .replace("all make", if all.len() == 2 { "both make" } else { "all make" });
        let finding = findings.add(super::subject(case, &one.order.object), message);
        for other in case.evidence.issuance.orders(one.namespace, one.secret) {
            if let Some(ready) = other.condition("Ready").filter(|ready| !ready.holds()) {
                finding.fact(
                    "cert-manager says",
                    format!("{}: {}", ready.reason, ready.message),
                    other.object.to_string(),
                );
            }
        }
    }
}
