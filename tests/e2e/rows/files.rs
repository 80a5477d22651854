//! Leaves and keys that gRPC does not take.

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

use crate::manifest::{client, head, worker};
use crate::pki::{self, Ca, NAMES, openssl};
use crate::row::{CLIENT, CLIENT_FAILS, Expect, HEAD, NO_GCS, Row, STARTED, Symptom, cause};
use crate::scene::Scene;

const NOT_VERIFIED: &str = "CERTIFICATE_VERIFY_FAILED";

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "leaf-expired",
        short: true,
        what: "the certificate has ended",
        made: "a leaf that ended in 2024",
        make: |scene| with_leaf(scene, pki::expired),
        shows: &[Symptom::Log(HEAD, NOT_VERIFIED), Symptom::Log(HEAD, NO_GCS)],
        expect: Expect::Causes(&[cause!("CRT01", "ray-tls")]),
    },
    Row {
        name: "leaf-not-yet-valid",
        short: false,
        what: "the certificate has not begun",
        made: "a leaf that begins next year",
        make: |scene| with_leaf(scene, pki::not_yet_valid),
        shows: &[Symptom::Log(HEAD, NOT_VERIFIED), Symptom::Log(HEAD, NO_GCS)],
        expect: Expect::Causes(&[cause!("CRT02", "ray-tls")]),
    },
    Row {
        name: "client-leaf-expired",
        short: false,
        what: "the client's certificate has ended",
        made: "a Secret of its own for the client, with a leaf that ended in 2024",
        make: |scene| {
            let ca = Ca::new();
            scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
            scene.tls("ray-tls-client", &ca, &ca.leaf_made(&NAMES, pki::expired));
            scene.apply(&[head(), client().secret("ray-tls-client")]);
        },
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::File(HEAD, "ray_client_server.err", "certificate has expired"),
            Symptom::Log(CLIENT, CLIENT_FAILS),
        ],
        expect: Expect::Causes(&[cause!("CRT01", "ray-tls-client")]),
    },
    Row {
        name: "server-auth-only",
        short: false,
        what: "the extended key usage lacks clientAuth",
        made: "serverAuth alone",
        make: |scene| with_leaf(scene, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        shows: &[Symptom::Log(HEAD, NO_GCS), Symptom::File(HEAD, "gcs_server.err", NOT_VERIFIED)],
        expect: Expect::Causes(&[cause!("CRT06", "ray-tls")]),
    },
    Row {
        name: "client-auth-only",
        short: false,
        what: "the extended key usage lacks serverAuth",
        made: "clientAuth alone",
        make: |scene| with_leaf(scene, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        shows: &[Symptom::Log(HEAD, NOT_VERIFIED), Symptom::Log(HEAD, NO_GCS)],
        expect: Expect::Causes(&[cause!("CRT05", "ray-tls")]),
    },
    Row {
        name: "no-digital-signature",
        short: false,
        what: "the key usage of an EC leaf lacks digitalSignature",
        made: "keyAgreement alone",
        make: |scene| with_leaf(scene, |params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement]),
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Invalid cert chain file.")],
        expect: Expect::Causes(&[cause!("CRT07", "ray-tls")]),
    },
    Row {
        name: "ed25519-leaf",
        short: false,
        what: "an Ed25519 leaf, which openssl takes and gRPC does not",
        made: "a leaf with an Ed25519 key",
        make: |scene| with_key(scene, KeyPair::from_pem(&openssl(&["genpkey", "-algorithm", "ed25519"], "")).unwrap()),
        shows: &[Symptom::Log(HEAD, NO_GCS), Symptom::File(HEAD, "gcs_server.err", "NO_COMMON_SIGNATURE_ALGORITHMS")],
        expect: Expect::Causes(&[cause!("CRT08", "ray-tls")]),
    },
    Row {
        name: "p521-leaf",
        short: false,
        what: "a P-521 leaf, which openssl takes and gRPC does not",
        made: "a leaf with a P-521 key",
        make: |scene| with_key(scene, KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap()),
        shows: &[Symptom::Log(HEAD, NO_GCS), Symptom::File(HEAD, "gcs_server.err", "NO_COMMON_SIGNATURE_ALGORITHMS")],
        expect: Expect::Causes(&[cause!("CRT08", "ray-tls")]),
    },
    Row {
        name: "head-key-of-another-certificate",
        short: true,
        what: "tls.key does not belong to tls.crt",
        made: "the key of another leaf in the Secret",
        make: |scene| {
            let ca = Ca::new();
            scene.files("ray-tls", &ca.certificate, &ca.leaf(&NAMES).certificate, &ca.leaf(&NAMES).key);
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Invalid private key.")],
        expect: Expect::Causes(&[cause!("KEY01", "ray-tls")]),
    },
    Row {
        name: "client-key-of-another-certificate",
        short: false,
        what: "the client's tls.key does not belong to its tls.crt",
        made: "a Secret of its own for the client, with the key of another leaf",
        make: |scene| {
            let ca = Ca::new();
            let leaf = ca.leaf(&NAMES);
            scene.tls("ray-tls", &ca, &leaf);
            scene.files("ray-tls-client", &ca.certificate, &leaf.certificate, &ca.leaf(&NAMES).key);
            scene.apply(&[head(), client().secret("ray-tls-client")]);
        },
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(CLIENT, "Invalid private key.")],
        expect: Expect::Causes(&[cause!("KEY01", "ray-tls-client")]),
    },
    Row {
        name: "files-not-readable",
        short: true,
        what: "Ray's user may not read the files: they are root's with mode 0400",
        made: "`defaultMode: 0400` and `runAsUser: 1000` without `fsGroup`",
        make: |scene| {
            let ca = Ca::new();
            scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
            scene.apply(&[head(), worker()].map(|pod| pod.mode(0o400).security("{runAsUser: 1000}")));
        },
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Invalid cert chain file.")],
        expect: Expect::Causes(&[cause!("KEY06", "ray-worker"), cause!("KEY06", "ray-head")]),
    },
    Row {
        name: "key-encrypted",
        short: false,
        what: "tls.key is encrypted",
        made: "the right key under a password",
        make: |scene| {
            let ca = Ca::new();
            let leaf = ca.leaf(&NAMES);
            let key = openssl(&["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:ray"], &leaf.key);
            scene.files("ray-tls", &ca.certificate, &leaf.certificate, &key);
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Invalid private key.")],
        expect: Expect::Causes(&[cause!("KEY02", "ray-tls")]),
    },
    Row {
        name: "files-swapped",
        short: false,
        what: "certificate and key are swapped",
        made: "the key under tls.crt, the certificate under tls.key",
        make: |scene| {
            let ca = Ca::new();
            let leaf = ca.leaf(&NAMES);
            scene.files("ray-tls", &ca.certificate, &leaf.key, &leaf.certificate);
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Handshaker factory creation failed")],
        expect: Expect::Causes(&[cause!("KEY07", "ray-tls")]),
    },
    Row {
        name: "ca-with-byte-order-mark",
        short: false,
        what: "ca.crt begins with a byte order mark",
        made: "U+FEFF before the first line, as some editors write it",
        make: |scene| {
            let ca = Ca::new();
            let leaf = ca.leaf(&NAMES);
            scene.files("ray-tls", &format!("\u{feff}{}", ca.certificate), &leaf.certificate, &leaf.key);
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Could not load any root certificate.")],
        expect: Expect::Causes(&[cause!("CRT11", "ray-tls")]),
    },
    Row {
        name: "ca-empty",
        short: false,
        what: "ca.crt is empty",
        made: "a Secret with an empty value",
        make: |scene| {
            let leaf = Ca::new().leaf(&NAMES);
            scene.files("ray-tls", "", &leaf.certificate, &leaf.key);
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::Log(HEAD, "Could not get default pem root certs."), Symptom::Log(HEAD, NO_GCS)],
        expect: Expect::Causes(&[cause!("SEC03", "ray-tls")]),
    },
    Row {
        name: "placeholder-secret",
        short: true,
        what: "the Secret is a placeholder: all three values are empty",
        made: "a Secret with three empty values, as a render with a placeholder leaves it",
        make: |scene| {
            scene.files("ray-tls", "", "", "");
            scene.apply(&[head(), worker()]);
        },
        shows: &[Symptom::File(HEAD, "gcs_server.err", "Invalid cert chain file.")],
        expect: Expect::Causes(&[cause!("SEC03", "ray-tls")]),
    },
];

fn with_leaf(scene: &Scene, change: fn(&mut CertificateParams)) {
    let ca = Ca::new();
    scene.tls("ray-tls", &ca, &ca.leaf_made(&NAMES, change));
    scene.apply(&[head(), worker()]);
}

fn with_key(scene: &Scene, key: KeyPair) {
    let ca = Ca::new();
    scene.tls("ray-tls", &ca, &ca.leaf_of(key, &NAMES, |_| {}));
    scene.apply(&[head(), worker()]);
}
