//! CM08: the usages of a Certificate exclude one of Ray's two roles.

use crate::checks::{Case, Check, Confidence, Findings, Severity, lens};
use crate::diagnose::edit::{Edit, Fix, Slot};
use crate::grpc::verdict::Fault;
use crate::judge::Failure;

/// The check.
pub static CHECK: Check = Check {
    code: "CM08",
    name: "certificate-usages",
    severity: Severity::Error,
    help: "\
The `usages` of a Certificate leave out server auth, client auth or digital signature.

Why it matters: cert-manager's issuers write exactly what is asked for. With `server auth` alone the certificate is refused wherever Ray dials, which every
node does; and a keyUsage without digital signature is refused in both roles. Without any `usages` there is no extended key usage, which is fine.

Mend it: `usages: [digital signature, key encipherment, server auth, client auth]`.

Authority: cert-manager 1.21, `KeyUsagesForCertificateOrCertificateRequest`; RFC 5280 section 4.2.1.12; BoringSSL purposes (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for one in super::ordered(case) {
        let Some(user) = one.uses.iter().find(|u| u.slot == Slot::Certificate && u.file.hypothetical.is_some()) else {
            continue;
        };
        let Some(leaf) = lens::certificates(user.file).into_iter().next() else { continue };
        let parties = one.parties();
        let breaks = lens::failing_by(case, |b| {
            let uses =
                matches!(b.failure, Failure::Grpc(reason) if matches!(reason.fault, Fault::KeyUsage | Fault::Purpose));
            uses && parties.contains(&b.at)
        });
        if breaks.is_empty() {
            continue;
        }
        let message = format!(
            "{} asks for the usages {}, which will be refused: Ray needs digital signature, server auth and client auth in one certificate",
            one.order.object,
            one.order.usages.join(", ")
        );
        let finding = findings.add(super::subject(case, &one.order.object), message);
        finding.confidence = Confidence::Predicted;
        finding.edits = vec![Edit::Reissue { certificate: leaf.sha256, fixes: vec![Fix::Uses] }];
        finding.breaks = breaks;
        finding.fact("usages", one.order.usages.join(", "), one.order.object.to_string());
    }
}
