//! Certificates by the real cert-manager.

use crate::manifest::{Manifest, client, head, worker};
use crate::row::{ANSWERED, CLIENT, Expect, HEAD, Row, STARTED, Symptom, WORKER, cause};
use crate::scene::Scene;

/// A CA by a self-signed issuer, and an issuer of that CA.
const AUTHORITY: &str = r#"
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: self-signed}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: ray-ca}
spec:
  isCA: true
  duration: 87600h
  commonName: ray-ca
  secretName: ray-ca
  issuerRef: {name: self-signed, kind: Issuer}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: ray-ca}
spec: {ca: {secretName: ray-ca}}
"#;

/// The leaf of all nodes.
const LEAF: &str = r#"
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: ray-tls}
spec:
  secretName: ray-tls
  commonName: ray
  dnsNames: [ray-head, ray-worker, localhost]
  ipAddresses: [127.0.0.1]
  usages: [digital signature, key encipherment, server auth, client auth]
  privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
  issuerRef: {name: ray-ca, kind: Issuer}
"#;

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "healthy-cert-manager",
        short: true,
        what: "cert-manager's CA issuer makes the leaf of all nodes",
        made: "self-signed issuer, CA, CA issuer, leaf",
        make: |scene| scene.apply(&[Manifest(AUTHORITY.into()), Manifest(LEAF.into()), head(), worker(), client()]),
        shows: &[Symptom::Log(WORKER, STARTED), Symptom::Log(CLIENT, ANSWERED)],
        expect: Expect::Healthy,
    },
    Row {
        name: "cert-manager-leaf-renewed",
        short: false,
        what: "cert-manager renewed the leaf under the same CA; nothing is restarted, and all goes on working until the old leaf ends",
        made: "the Secret of the leaf is deleted, so that cert-manager issues again; a client is started afterwards",
        make: |scene| {
            scene.apply(&[Manifest(AUTHORITY.into()), Manifest(LEAF.into()), head(), worker()]);
            renewed(scene);
        },
        shows: &[Symptom::Log(CLIENT, ANSWERED)],
        expect: Expect::Warned(&["LIV04", "ROT01"]),
    },
    Row {
        name: "cert-manager-self-signed-renewed",
        short: false,
        what: "a self-signed leaf is its own CA: its renewal replaces both under running pods",
        made: "a Certificate of the selfSigned issuer; its Secret is deleted, so that cert-manager issues again; a client is started afterwards",
        make: |scene| {
            let leaf = Manifest(LEAF.into()).with("issuerRef: {name: ray-ca,", "issuerRef: {name: self-signed,");
            scene.apply(&[Manifest(AUTHORITY.into()), leaf, head(), worker()]);
            renewed(scene);
        },
        shows: &[Symptom::Log(CLIENT, "CERTIFICATE_VERIFY_FAILED")],
        expect: Expect::Differs(&[cause!("ROT01", "ray-tls")]),
    },
    Row {
        name: "cert-manager-issuer-missing",
        short: true,
        what: "the Certificate names an issuer that does not exist, so that the Secret is never made",
        made: "the leaf's Certificate without the issuers",
        make: |scene| scene.apply(&[Manifest(LEAF.into()), head(), worker()]),
        shows: &[Symptom::Event("secret \"ray-tls\" not found"), Symptom::Event("Referenced \"Issuer\" not found")],
        expect: Expect::Causes(&[cause!("CM04", "ray-ca")]),
    },
];

/// Waits until the cluster works, makes cert-manager issue again, and starts a client when the pods have the new files.
fn renewed(scene: &Scene) {
    scene.wait(Symptom::Log(HEAD, STARTED));
    scene.wait(Symptom::Log(WORKER, STARTED));
    let before = scene.secret_of("ray-tls", "tls.crt");
    scene.kubectl(&["delete", "secret", "ray-tls"]);
    let after = scene.other_secret("ray-tls", "tls.crt", &before);
    for selector in [HEAD, WORKER] {
        scene.wait_for_file(selector, "/etc/ray/tls/tls.crt", &after);
    }
    scene.apply(&[client()]);
}
