//! CM08: the usages of a Certificate exclude one of Ray's two roles.

use crate::checks::{Case, Check, Confidence, Findings, Severity, lens};
use crate::diagnose::edit::{Edit, Fix, Slot};
use crate::grpc::verdict::Fault;
use crate::judge::Failure;
use crate::ray::Place;

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
    by_csi_driver(case, findings);
}

/// Certificates that cert-manager's CSI driver will make by what a volume asks for.
fn by_csi_driver(case: &Case<'_>, findings: &mut Findings) {
    for one in lens::uses(case).into_iter().filter(|u| u.slot == Slot::Certificate) {
        let Some(leaf) = one.file.hypothetical.as_ref().and_then(|chain| chain.first()) else { continue };
        let breaks = lens::failing_by(case, |b| {
            b.at == one.party
                && matches!(b.failure, Failure::Grpc(reason) if matches!(reason.fault, Fault::KeyUsage | Fault::Purpose))
        });
        if breaks.is_empty() || !matches!(one.file.place, Place::Volume(_)) {
            continue;
        }
        let message = format!(
            "The volume of {} asks cert-manager's CSI driver for usages that will be refused: csi.cert-manager.io/key-usages has to name digital signature, server auth and client auth, or be left out",
            case.model.parties[one.party].id
        );
        let finding = findings.add(lens::workload(&case.model.parties[one.party]), message);
        finding.confidence = Confidence::Predicted;
        finding.edits = vec![Edit::Reissue { certificate: leaf.sha256.clone(), fixes: vec![Fix::Uses] }];
        finding.breaks = breaks;
    }
}
