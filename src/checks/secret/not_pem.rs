//! SEC07: one of Ray's TLS files is DER, a key store or other binary data.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::evidence::Shape;

/// The check.
pub static CHECK: Check = Check {
    code: "SEC07",
    name: "binary-instead-of-pem",
    severity: Severity::Error,
    help: "\
One of Ray's three TLS files is binary: DER, PKCS#12, a Java key store, or something else.

Why it matters: gRPC reads PEM only, and does not start with anything else.

Mend it: convert it: `openssl x509 -inform der -in f -out f.pem`, `openssl pkcs12 -in f.p12 -nodes -out f.pem`.

Authority: RFC 7468; gRPC `ssl_transport_security.cc` uses PEM_read_bio.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::unloadable(case, findings, |shared| {
        let what = match shared.facts.shape {
            Shape::Der => "DER",
            Shape::Jks => "a Java key store",
            Shape::Pkcs12 => "a PKCS#12 store",
            Shape::Binary => "binary data",
            _ => return None,
        };
        Some(format!(
            "{} is {what}, but gRPC reads PEM only, so Ray of {} cannot load its {}.",
            lens::phrase(&shared.subject),
            lens::used_by(case.model, &shared.parties()),
            shared.uses[0].file.variable,
        ))
    });
}
