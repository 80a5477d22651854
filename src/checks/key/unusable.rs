//! KEY03: a private key in a form gRPC cannot read.

use crate::checks::lens::{self, Shared};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Slot;
use crate::evidence::{KeyForm, Shape};

/// The check.
pub static CHECK: Check = Check {
    code: "KEY03",
    name: "key-unusable",
    severity: Severity::Error,
    help: "\
The key file is PEM, but holds no private key that gRPC can read: an OpenSSH key, a damaged block, or only `EC PARAMETERS`.

Why it matters: the process cannot load its key and does not start (`Invalid private key`).

Mend it: store the key as PKCS#8 (`openssl pkcs8 -topk8 -nodes -in old.key -out tls.key`; for an OpenSSH key
`ssh-keygen -p -m PEM -f FILE` first), or issue a new pair.

Authority: RFC 5958, RFC 5915, RFC 8017; BoringSSL `PEM_read_bio_PrivateKey` (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for shared in lens::shared(case, &[Slot::Key]) {
        let Some(found) = found(&shared) else { continue };
        let parties = shared.parties();
        let message = format!(
            "{} {found}, so Ray of {} cannot load its key",
            lens::opening(&shared.subject),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(shared.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = lens::provide(&shared.uses);
        shared.tell(case, finding);
    }
}

fn found(shared: &Shared<'_>) -> Option<&'static str> {
    match shared.facts.keys.first().map(|key| &key.form) {
        Some(KeyForm::OpenSsh) => Some("is an OpenSSH key, which gRPC does not read"),
        Some(KeyForm::Unreadable) => Some("holds a private key that is damaged"),
        Some(KeyForm::Encrypted | KeyForm::Pkcs1 | KeyForm::Pkcs8 | KeyForm::Sec1) => None,
        // With a certificate in it the two files are swapped: KEY07.
        None => (shared.facts.shape == Shape::Pem && shared.facts.certificates.begun == 0)
            .then_some("is PEM without a private key"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    fn scene(key: &str) -> Scene {
        let ca = Ca::new("ray-ca");
        let pair = Pair { key: key.into(), ..ca.leaf() };
        Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &ca.pem)))
    }

    #[test]
    fn openssh_damaged_and_absent_keys_are_told_apart() {
        let cases = [
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "OpenSSH"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "damaged"),
            ("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", "without a private key"),
        ];
        for (key, found) in cases {
            let scene = scene(key);
            let finding = only(&scene, &CHECK);
            assert!(finding.message.contains(found), "{found}: {}", finding.message);
            assert_eq!(finding.edits.len(), 2);
            assert_mends(&scene, &finding);
        }
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
