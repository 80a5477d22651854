//! CM18: a Certificate orders a key that gRPC never takes.

use crate::checks::{Case, Check, Confidence, Findings, Severity, lens};
use crate::diagnose::edit::{Edit, Fix, Slot};
use crate::grpc::verdict::Fault;
use crate::judge::Failure;
use crate::ray::issuance::key_of;

/// The check.
pub static CHECK: Check = Check {
    code: "CM18",
    name: "certificate-key-kind",
    severity: Severity::Error,
    help: "\
The `privateKey` of a Certificate is Ed25519, or ECDSA of 521 bits.

Why it matters: no gRPC peer agrees on a signature by such a key, so every handshake with the certificate fails.

Mend it: `privateKey: {algorithm: RSA, size: 2048}`, or ECDSA of 256 bits.

Authority: BoringSSL's signature schemes in gRPC: NO_COMMON_SIGNATURE_ALGORITHMS (measured).",
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
            matches!(b.failure, Failure::Grpc(reason) if reason.fault == Fault::KeyKind) && parties.contains(&b.at)
        });
        if breaks.is_empty() {
            continue;
        }
        let (kind, _) = key_of(one.order);
        let message =
            format!("{} orders a key of kind {kind}, with which no gRPC peer agrees on a signature", one.order.object);
        let finding = findings.add(super::subject(case, &one.order.object), message);
        finding.confidence = Confidence::Predicted;
        finding.edits = vec![Edit::Reissue { certificate: leaf.sha256, fixes: vec![Fix::Key] }];
        finding.breaks = breaks;
        finding.fact("key", kind, one.order.object.to_string());
    }
}
