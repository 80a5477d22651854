//! SEC04: one of Ray's TLS files is text, not PEM.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::evidence::Shape;

/// The check.
pub static CHECK: Check = Check {
    code: "SEC04",
    name: "placeholder-instead-of-pem",
    severity: Severity::Error,
    help: "\
One of Ray's three TLS files holds text that is no PEM, such as `REPLACE_ME` or `<base64 of ca.crt>`.

Why it matters: gRPC finds no certificate or key in it and does not start: `Invalid cert chain file`, `Invalid private key`.

Mend it: store the real PEM, or remove the template from what is applied and create the Secret by other means.

Authority: RFC 7468; gRPC `ssl_transport_security.cc`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::unloadable(case, findings, |shared| {
        let what = match shared.facts.shape {
            Shape::Text { placeholder: true } => "a placeholder",
            Shape::Text { placeholder: false } => "text without any PEM",
            _ => return None,
        };
        Some(format!(
            "{} holds {what} ({} bytes), so Ray of {} cannot load its {}.",
            lens::phrase(&shared.subject),
            shared.facts.size,
            lens::used_by(case.model, &shared.parties()),
            shared.uses[0].file.variable,
        ))
    });
}
