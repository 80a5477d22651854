//! CRT09: a short RSA key or an old signature hash.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Fix;
use crate::grpc::certificate::Certificate;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT09",
    name: "weak-certificate",
    severity: Severity::Warning,
    help: "\
The certificate that Ray presents has an RSA key of less than 2048 bits, or is signed with SHA-1 or MD5.

Why it matters: gRPC still takes short keys and SHA-1 (MD5 it refuses, which makes this an error), but anyone with patience can forge the
certificate, and the next gRPC or a strict client may refuse it.

Mend it: issue it again with RSA 2048 or P-256 and SHA-256, and restart.

Authority: NIST SP 800-131A; BoringSSL's signature algorithms (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for leaf in super::leaves(case) {
        let Some(weakness) = weakness(&leaf.certificate) else { continue };
        let broken = lens::failing_by(case, |blame| {
            leaf.shared.parties().contains(&blame.at)
                && matches!(blame.failure, crate::judge::Failure::Grpc(reason) if reason.fault == crate::grpc::verdict::Fault::BadSignature)
        });
        let message = format!("{} {weakness}.", leaf.phrase());
        let finding = findings.add(leaf.shared.subject.clone(), message);
        if is_md5(&leaf.certificate) && !broken.is_empty() {
            finding.severity = Severity::Error;
            finding.breaks = broken;
        }
        finding.edits = leaf.reissue(Fix::Key);
        let origin = lens::phrase(&leaf.shared.subject);
        let key = &leaf.certificate.key;
        finding.fact("key", format!("{} {} bits", key.algorithm, key.bits), &origin);
        finding.fact("signature algorithm", leaf.certificate.signature_algorithm.as_str(), &origin);
        leaf.shared.tell(case, finding);
    }
}

fn weakness(certificate: &Certificate) -> Option<String> {
    let key = &certificate.key;
    if key.algorithm == "RSA" && (1..2048).contains(&key.bits) {
        return Some(format!("has an RSA key of {} bits, less than 2048", key.bits));
    }
    let algorithm = certificate.signature_algorithm.to_ascii_lowercase();
    if is_md5(certificate) || algorithm.contains("sha1") || algorithm.contains("sha-1") {
        return Some(format!("is signed with {}, which can be forged", certificate.signature_algorithm));
    }
    None
}

fn is_md5(certificate: &Certificate) -> bool {
    certificate.signature_algorithm.to_ascii_lowercase().contains("md5")
}
