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
            "{} is {what}, but gRPC reads PEM only, so Ray of {} cannot load its {}",
            lens::opening(&shared.subject),
            lens::used_by(case.model, &shared.parties()),
            shared.uses[0].file.variable,
        ))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use base64::Engine as _;

    #[test]
    fn der_and_stores_are_told_by_what_they_are() {
        let der = "MIIBBjCBuaADAgECAgEBMAUGAytlcDAAMB4XDTI2MDEwMTAwMDAwMFoXDTI3MDEwMTAwMDAwMFowADAqMAUGAytlcAMhAA==";
        let jks = base64::engine::general_purpose::STANDARD.encode([0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 0]);
        let mut secret = secret("ray-tls", &[("ca.crt", "")]);
        secret["stringData"] = serde_json::json!({});
        secret["data"] = serde_json::json!({"tls.crt": der, "tls.key": jks, "ca.crt": "AAECAwQFBgcI"});
        let findings = Scene::manifests(cluster_with(secret)).run(&CHECK);
        let keys: Vec<_> = findings.iter().filter_map(|f| f.subject.key.as_deref()).collect();
        assert_eq!(keys, ["tls.crt", "tls.key", "ca.crt"]);
        assert!(findings[1].message.contains("a Java key store"), "{}", findings[1].message);
        assert!(findings.iter().all(|f| !f.breaks.is_empty()));
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
