//! SEC06: one of Ray's TLS files is base64 of PEM.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::evidence::Shape;

/// The check.
pub static CHECK: Check = Check {
    code: "SEC06",
    name: "encoded-twice",
    severity: Severity::Error,
    help: "\
One of Ray's three TLS files is base64 of PEM: it was encoded once by hand and once more by the tool that made the Secret.

Why it matters: Kubernetes decodes `data` once, so the pod sees base64 text, in which gRPC finds no certificate and no key.

Mend it: put plain PEM under `stringData`, or base64 of it exactly once under `data`. `kubectl create secret --from-file` encodes by itself.

Authority: Kubernetes, Secrets: `data` and `stringData`; RFC 7468.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::unloadable(case, findings, |shared| {
        (shared.facts.shape == Shape::Base64OfPem).then(|| {
            format!(
                "{} is encoded twice: after decoding it is still base64 of PEM, so Ray of {} cannot load its {}",
                lens::opening(&shared.subject),
                lens::used_by(case.model, &shared.parties()),
                shared.uses[0].file.variable,
            )
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use base64::Engine as _;

    #[test]
    fn base64_of_pem_is_told() {
        let ca = Ca::new("ray-ca");
        let pair = ca.leaf();
        let again = base64::engine::general_purpose::STANDARD.encode(&ca.pem);
        let secret = secret("ray-tls", &[("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", &again)]);
        let scene = Scene::manifests(cluster_with(secret));
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.subject.key.as_deref(), Some("ca.crt"));
        assert_eq!(finding.edits.len(), 2);
        assert_mends(&scene, &finding);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
