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
            "{} holds {what} ({} bytes), so Ray of {} cannot load its {}",
            lens::opening(&shared.subject),
            shared.facts.size,
            lens::used_by(case.model, &shared.parties()),
            shared.uses[0].file.variable,
        ))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn text_is_no_pem() {
        let ca = Ca::new("ray-ca");
        let pair = ca.leaf();
        let secret =
            secret("ray-tls", &[("tls.crt", &pair.certificate), ("tls.key", "REPLACE_ME"), ("ca.crt", "see the wiki")]);
        let findings = Scene::manifests(cluster_with(secret)).run(&CHECK);
        let messages: Vec<_> = findings.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].starts_with("Key tls.key of Secret ray/ray-tls holds a placeholder"), "{messages:?}");
        assert!(messages[1].contains("text without any PEM"), "{messages:?}");
        assert!(findings.iter().all(|f| !f.breaks.is_empty()));
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
