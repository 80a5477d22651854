//! Properties of `Certificate::parse` and of what is made from a certificate.

use crate::grpc::certificate::Certificate;
use crate::grpc::{path, signature};

/// The input is DER.
pub fn check(der: &[u8]) {
    let parsed = Certificate::parse(der);
    assert_eq!(parsed, Certificate::parse(der), "one input, two readings");
    let mut longer = der.to_vec();
    longer.push(0);
    let Ok(certificate) = parsed else { return };
    assert!(Certificate::parse(&longer).is_err(), "a byte after the certificate is taken");
    if let Some((_, shorter)) = der.split_last() {
        assert!(Certificate::parse(shorter).is_err(), "a certificate without its last byte is taken");
    }
    assert_eq!(certificate.der, der, "the bytes are not kept");
    assert_eq!(Certificate::parse(&certificate.der).as_ref(), Ok(&certificate));
    assert!((1..=3).contains(&certificate.version));
    assert_eq!((certificate.sha256.len(), certificate.key.spki_sha256.len()), (64, 64));
    assert!(certificate.path_len.is_none() || certificate.ca.is_some(), "a path length without basicConstraints");
    assert!(!certificate.is_hypothetical());

    signature::verify(&certificate, &certificate);
    // gRPC calls a certificate signed by itself by the rules by which it may be its own issuer.
    if path::may_issue(&certificate, &certificate) {
        assert!(path::is_self_signed(&certificate));
    }
    let extra = ["ray-head".to_string(), "10.0.0.1".into(), "fd00::1".into()];
    let again =
        certificate.with_names(&extra, "").issued_by(&certificate).with_uses_for_both_roles("").with_key_p256("");
    assert!(again.is_hypothetical());
    let names = again.names.unwrap_or_default();
    assert!(names.len() >= extra.len() && certificate.names.iter().flatten().all(|name| names.contains(name)));
    for name in &names {
        assert!(!name.to_string().is_empty());
    }
}
