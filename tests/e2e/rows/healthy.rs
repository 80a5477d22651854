//! Clusters that work. Each runs a task for a Ray Client on the worker: the head has no CPUs to give.

use crate::manifest::{client, gencert, head, worker};
use crate::pki::{Ca, Leaf, NAMES, openssl};
use crate::row::{ANSWERED, CLIENT, Expect, Row, Symptom, WORKER};
use crate::scene::Scene;

const WORKS: &[Symptom] = &[Symptom::Log(WORKER, "Ray runtime started."), Symptom::Log(CLIENT, ANSWERED)];

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "healthy-plaintext",
        short: true,
        what: "no TLS anywhere",
        made: "no variable of TLS, with the dashboard",
        make: |scene| {
            scene.tls("ray-tls", &Ca::new(), &Ca::new().leaf(&NAMES));
            let head = head().plaintext().by_pod_ip().with("--include-dashboard=false", "--dashboard-host=0.0.0.0");
            scene.apply(&[head, worker().plaintext().by_pod_ip(), client().plaintext()]);
        },
        shows: WORKS,
        expect: Expect::Healthy,
    },
    Row {
        name: "healthy-leaf-per-pod",
        short: true,
        what: "every pod has a leaf of its own",
        made: "an init container makes it, with the pod IP, from the CA's key",
        make: |scene| {
            let ca = Ca::new();
            scene.secret("ray-ca", &[("ca.crt", &ca.certificate), ("ca.key", &ca.key)]);
            let pods = [head().by_pod_ip(), worker().by_pod_ip(), client()].map(|pod| pod.own_leaf());
            scene.apply(&[gencert()]);
            scene.apply(&pods);
        },
        shows: WORKS,
        expect: Expect::Healthy,
    },
    Row {
        name: "healthy-names",
        short: true,
        what: "one leaf with the names of all nodes",
        made: "the nodes are started under the names of headless Services (`--node-ip-address=ray-head`)",
        make: |scene| {
            let ca = Ca::new();
            start(scene, &ca.certificate, &ca.leaf(&NAMES));
        },
        shows: WORKS,
        expect: Expect::Healthy,
    },
    Row {
        name: "healthy-files-of-a-group",
        short: false,
        what: "the files are root's with mode 0400, and `fsGroup` lets Ray's user read them",
        made: "`defaultMode: 0400` and `fsGroup: 1000`",
        make: |scene| {
            let ca = Ca::new();
            scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
            scene.apply(&[head(), worker(), client()].map(|pod| pod.mode(0o400).security("{fsGroup: 1000}")));
        },
        shows: WORKS,
        expect: Expect::Healthy,
    },
    Row {
        name: "healthy-two-authorities",
        short: false,
        what: "ca.crt has two CAs of one name, as in the middle of a rotation",
        made: "the worker's leaf is of the new CA, the head's and the client's of the old",
        make: |scene| {
            let (old, new) = (Ca::new(), Ca::new());
            let both = format!("{}{}", old.certificate, new.certificate);
            let (leaf, newer) = (old.leaf(&NAMES), new.leaf(&NAMES));
            scene.files("ray-tls", &both, &leaf.certificate, &leaf.key);
            scene.files("ray-tls-worker", &both, &newer.certificate, &newer.key);
            scene.apply(&[head(), worker().secret("ray-tls-worker"), client()]);
        },
        shows: WORKS,
        expect: Expect::Healthy,
    },
    Row {
        name: "healthy-intermediate",
        short: false,
        what: "an intermediate in tls.crt, the root alone in ca.crt",
        made: "leaf, then intermediate",
        make: |scene| {
            let root = Ca::new();
            let between = root.intermediate();
            let leaf = between.leaf(&NAMES);
            let certificate = format!("{}{}", leaf.certificate, between.certificate);
            start(scene, &root.certificate, &Leaf { certificate, key: leaf.key });
        },
        shows: WORKS,
        expect: Expect::Healthy,
    },
    Row {
        name: "healthy-sidecar",
        short: false,
        what: "a sidecar with Ray's image that does not speak Ray",
        made: "a second container in the head's pod, without a variable of TLS",
        make: |scene| {
            let ca = Ca::new();
            scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
            let sidecar = "      - name: exporter\n        image: ray.local/ray:2.60.0\n        \
                           imagePullPolicy: IfNotPresent\n        command: [sleep, infinity]\n      volumes:\n";
            scene.apply(&[head().with("      volumes:\n", sidecar), worker(), client()]);
        },
        shows: WORKS,
        expect: Expect::Healthy,
    },
    Row {
        name: "healthy-client-with-its-own-leaf",
        short: false,
        what: "the client has a certificate of its own, for a client only",
        made: "a leaf of the same CA with clientAuth alone and none of Ray's names",
        make: |scene| {
            let ca = Ca::new();
            scene.tls("ray-tls", &ca, &ca.leaf(&NAMES));
            let only = |params: &mut rcgen::CertificateParams| {
                params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
            };
            scene.tls("ray-tls-client", &ca, &ca.leaf_made(&["django"], only));
            scene.apply(&[head(), worker(), client().secret("ray-tls-client")]);
        },
        shows: WORKS,
        expect: Expect::Healthy,
    },
    Row {
        name: "healthy-self-signed",
        short: false,
        what: "a self-signed leaf (CA:FALSE) is its own CA",
        made: "ca.crt and tls.crt are the same certificate, as cert-manager's SelfSigned issuer writes them",
        make: |scene| {
            let (certificate, key) = self_signed(&["-newkey", "rsa:2048", "-sha256"]);
            start(scene, &certificate.clone(), &Leaf { certificate, key });
        },
        shows: WORKS,
        expect: Expect::Healthy,
    },
    Row {
        name: "healthy-weak",
        short: false,
        what: "RSA with 1024 bits and SHA-1, which gRPC takes and openssl does not",
        made: "as healthy-self-signed",
        make: |scene| {
            let (certificate, key) = self_signed(&["-newkey", "rsa:1024", "-sha1"]);
            start(scene, &certificate.clone(), &Leaf { certificate, key });
        },
        shows: WORKS,
        expect: Expect::Warned(&["CRT09"]),
    },
];

fn start(scene: &Scene, ca: &str, leaf: &Leaf) {
    scene.files("ray-tls", ca, &leaf.certificate, &leaf.key);
    scene.apply(&[head(), worker(), client()]);
}

/// Certificate and key of a self-signed leaf.
fn self_signed(kind: &[&str]) -> (String, String) {
    let names = "subjectAltName=DNS:ray-head,DNS:ray-worker,DNS:localhost,IP:127.0.0.1";
    let args: Vec<&str> = ["req", "-x509", "-nodes", "-days", "300", "-subj", "/CN=ray", "-addext", names]
        .into_iter()
        .chain(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "-", "-out", "-"])
        .chain(kind.iter().copied())
        .collect();
    let both = openssl(&args, "");
    let certificate = both.find("-----BEGIN CERTIFICATE-----").unwrap();
    let key = both.find("-----BEGIN PRIVATE KEY-----").unwrap();
    match key < certificate {
        true => (both[certificate..].into(), both[key..certificate].into()),
        false => (both[certificate..key].into(), both[key..].into()),
    }
}
