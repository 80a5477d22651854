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
            "{} is encrypted with a pass phrase, which Ray of {} cannot give: store it decrypted.",
            lens::phrase(&shared.subject),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(shared.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = lens::provide(&shared.uses);
        shared.tell(case, finding);
    }
}
