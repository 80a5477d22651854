//! CRT09: a short RSA key or an old signature hash.

use crate::checks::chain::pairings;
use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Fix;
use crate::grpc::certificate::Certificate;
use crate::grpc::fragile::Fragile;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT09",
    name: "weak-certificate",
    severity: Severity::Warning,
    help: "\
The certificate that Ray presents, or a CA between it and the trust file, has an RSA key of less than 2048 bits, or is signed with SHA-1 or MD5.

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
        let message = format!("{} {weakness}", leaf.phrase());
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
    above(case, findings);
}

/// The CAs on the way from what is presented to the trust file. Whether a root is signed with an old hash matters to nobody.
fn above(case: &Case<'_>, findings: &mut Findings) {
    let mut told: Vec<String> = Vec::new();
    for pairing in pairings(case) {
        let leaf = lens::parsed(pairing.presented.facts).into_iter().next().map(|leaf| leaf.sha256);
        for fact in &pairing.facts {
            let (Fragile::OldHash { sha256, .. } | Fragile::SmallKey { sha256, .. }) = fact else { continue };
            if Some(sha256) == leaf.as_ref() || told.contains(sha256) {
                continue;
            }
            told.push(sha256.clone());
            let message = format!(
                "CA {fact}, which can be forged: it stands between {} and the trust file of {}",
                lens::phrase(&pairing.presented.subject),
                lens::used_by(case.model, &pairing.trust.parties()),
            );
            let sent = lens::parsed(pairing.presented.facts).iter().any(|c| c.sha256 == *sha256);
            let file = if sent { &pairing.presented } else { &pairing.trust };
            let finding = findings.add(file.subject.clone(), message);
            finding.fact("SHA-256 of the CA", sha256, lens::phrase(&file.subject));
            file.tell(case, finding);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    fn certificate(algorithm: &str, bits: u32, signature: &str) -> Certificate {
        let scene = healthy();
        let mut certificate = lens::leaf(&scene.model.parties[0]).unwrap();
        certificate.key.algorithm = algorithm.into();
        certificate.key.bits = bits;
        certificate.signature_algorithm = signature.into();
        certificate
    }

    /// `openssl req -x509 -newkey rsa:1024 -sha1 -subj /CN=ray-weak -addext subjectAltName=DNS:ray-head-svc`
    const WEAK: &str = "\
-----BEGIN CERTIFICATE-----
MIICHTCCAYagAwIBAgIUcM6EZpIJld26evHHrZpkAPfdZnUwDQYJKoZIhvcNAQEF
BQAwEzERMA8GA1UEAwwIcmF5LXdlYWswIBcNMjYxMTI0MDYwNDIzWhgPMjA3NjEx
MTEwNjA0MjNaMBMxETAPBgNVBAMMCHJheS13ZWFrMIGfMA0GCSqGSIb3DQEBAQUA
A4GNADCBiQKBgQDQiFKtzsFeIJJZgMsdrzPWuT+FHnCcjzLWzzBKryipZpHGLsCg
ksaBLJseDmXBl9n3P6/F8GTQ6qPCQnio6mzlWD8jxZZjNGD7K1UHQfvdr+SJyg0h
gkBBYs+mfyc/nAQZj7T73KRgqbaD2Zf8jhR6gzJnlJKT5zLx5DQuJjTxhwIDAQAB
o2wwajAdBgNVHQ4EFgQUn061pMta1GClKs8w+b5C8a62so4wHwYDVR0jBBgwFoAU
n061pMta1GClKs8w+b5C8a62so4wDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAO
ggxyYXktaGVhZC1zdmMwDQYJKoZIhvcNAQEFBQADgYEAqIFBghBxYoUQjmn3ZBTX
GpUkYAoIO/uL7BdUGzRP1k1Jc17eNQb5C/ZTgPsYjSCBd52Cypup6HKe98W8sso3
BDMi0yeTiP2l3w+dEmO1nZhtr6joeAYfRhd2qrAX+VdXq0puuPi3AcLltwGyqJEg
TJCB61e/smtHlACfNhbmYoI=
-----END CERTIFICATE-----
";

    #[test]
    fn a_weak_certificate_in_use_is_a_warning() {
        let pair = Pair { certificate: WEAK.into(), key: Ca::new("ray-ca").leaf().key };
        let finding = only(&Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, WEAK))), &CHECK);
        assert_eq!((finding.severity, &finding.breaks[..]), (Severity::Warning, &[][..]));
        assert!(finding.message.ends_with("has an RSA key of 1024 bits, less than 2048"), "{}", finding.message);
    }

    #[test]
    fn short_rsa_keys_and_old_hashes_are_weak() {
        let short = weakness(&certificate("RSA", 1024, "sha256WithRSAEncryption"));
        assert_eq!(short.as_deref(), Some("has an RSA key of 1024 bits, less than 2048"));
        assert!(weakness(&certificate("RSA", 2048, "sha1WithRSAEncryption")).is_some());
        assert!(weakness(&certificate("RSA", 4096, "md5WithRSAEncryption")).is_some());
        assert_eq!(weakness(&certificate("RSA", 2048, "sha256WithRSAEncryption")), None);
        assert_eq!(weakness(&certificate("P-256", 256, "ecdsa-with-SHA256")), None);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
