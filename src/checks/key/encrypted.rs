//! KEY02: the private key is encrypted.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Slot;
use crate::evidence::KeyForm;

/// The check.
pub static CHECK: Check = Check {
    code: "KEY02",
    name: "key-encrypted",
    severity: Severity::Error,
    help: "\
The private key is encrypted with a pass phrase.

Why it matters: Ray has no way to give gRPC a pass phrase, so the key cannot be loaded and the process does not start.

Mend it: store it decrypted (`openssl pkey -in tls.key -out plain.key`), and let the Secret and its permissions guard it.

Authority: gRPC `ssl_transport_security.cc` reads the key without a password callback (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for shared in lens::shared(case, &[Slot::Key]) {
        if shared.facts.keys.first().is_none_or(|key| key.form != KeyForm::Encrypted) {
            continue;
        }
        let parties = shared.parties();
        let message = format!(
            "{} is encrypted with a pass phrase, which Ray of {} cannot give: store it decrypted",
            lens::opening(&shared.subject),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(shared.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = lens::provide(&shared.uses);
        shared.tell(case, finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn an_encrypted_key_cannot_be_loaded() {
        let ca = Ca::new("ray-ca");
        let key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIBBg==\n-----END ENCRYPTED PRIVATE KEY-----\n".to_owned();
        let pair = Pair { key, ..ca.leaf() };
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &ca.pem)));
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.subject.key.as_deref(), Some("tls.key"));
        assert_eq!(finding.edits.len(), 2);
        assert_mends(&scene, &finding);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
