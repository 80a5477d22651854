//! Names and addresses that are dialled and are not in the certificate.

use crate::manifest::{Manifest, client, head, worker};
use crate::pki::{Ca, NAMES};
use crate::row::{CLIENT, CLIENT_FAILS, Cause, Expect, HEAD, NO_GCS, Row, STARTED, Symptom, WORKER, cause};
use crate::scene::Scene;

/// A second name of the head, that no certificate has.
const ALIAS: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: ray-gcs, labels: {app: ray}}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {app: ray, ray: head}
  ports:
  - {name: gcs, port: 6379}
  - {name: client, port: 10001}
"#;

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "head-pod-ip-missing",
        short: true,
        what: "the head's pod IP is not in the certificate",
        made: "the head without `--node-ip-address`, so that Ray takes the pod IP",
        make: |scene| start(scene, &NAMES, &[head().by_pod_ip(), worker()]),
        shows: &[
            Symptom::Log(HEAD, NO_GCS),
            Symptom::File(HEAD, "gcs_server.err", "No match found for server name: 10."),
        ],
        expect: Expect::Causes(&[cause!("NAM03", "ray-tls")]),
    },
    Row {
        name: "worker-pod-ip-missing",
        short: false,
        what: "the worker's pod IP is not in the certificate",
        made: "the worker without `--node-ip-address`",
        make: |scene| start(scene, &NAMES, &[head(), worker().by_pod_ip()]),
        shows: &[Symptom::Log(WORKER, STARTED), Symptom::File(HEAD, "gcs_server.out", "has been marked dead")],
        expect: Expect::Causes(&[cause!("NAM04", "ray-tls")]),
    },
    Row {
        name: "loopback-missing",
        short: true,
        what: "127.0.0.1 is not in the certificate of a head that serves Ray Client",
        made: "a leaf without the address, and a client",
        make: |scene| start(scene, &["ray-head", "ray-worker", "localhost"], &[head(), worker(), client()]),
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::File(HEAD, "ray_client_server.err", "Timeout waiting for channel"),
            Symptom::Log(CLIENT, "Proxy failed to Connect to backend!"),
        ],
        expect: Expect::Causes(&[cause!("NAM11", "ray-tls")]),
    },
    Row {
        name: "worker-dials-another-name",
        short: false,
        what: "the worker dials a name that is not in the certificate",
        made: "a further Service `ray-gcs`, and `ray start --address=ray-gcs:6379`",
        make: |scene| {
            let worker = worker().with("--address=ray-head:6379", "--address=ray-gcs:6379");
            start(scene, &NAMES, &[Manifest(ALIAS.into()), head(), worker]);
        },
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::Log(WORKER, NO_GCS),
            Symptom::File(HEAD, "gcs_server.err", "No match found for server name: ray-gcs"),
        ],
        expect: Expect::Causes(&[cause!("NAM02", "ray-tls")]),
    },
    Row {
        name: "client-dials-another-name",
        short: false,
        what: "a client dials a name that is not in the certificate",
        made: "a further Service `ray-gcs`, and `RAY_ADDRESS=ray://ray-gcs:10001`",
        make: |scene| {
            let client = client().with("ray://ray-head:10001", "ray://ray-gcs:10001");
            start(scene, &NAMES, &[Manifest(ALIAS.into()), head(), client]);
        },
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::File(HEAD, "ray_client_server.err", "No match found for server name: ray-gcs"),
            Symptom::Log(CLIENT, CLIENT_FAILS),
        ],
        expect: Expect::Causes(&[cause!("NAM01", "ray-tls")]),
    },
    Row {
        name: "common-name-only",
        short: false,
        what: "the certificate has no SAN; gRPC takes the common name, which is one name only",
        made: "a leaf with CN=ray-head and no SAN: the head works, the worker's own name is missing",
        make: |scene| {
            let ca = Ca::new();
            let leaf = ca.leaf_made(&[], |params| {
                params.distinguished_name.push(rcgen::DnType::CommonName, "ray-head");
            });
            scene.tls("ray-tls", &ca, &leaf);
            scene.apply(&[head(), worker()]);
        },
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::Log(WORKER, STARTED),
            Symptom::File(HEAD, "gcs_server.out", "has been marked dead"),
        ],
        expect: Expect::Causes(&[cause!("NAM02", "ray-tls")]),
    },
    Row {
        name: "common-name-ignored",
        short: false,
        what: "the dialled name is the common name alone, which gRPC ignores beside SANs",
        made: "CN=ray-gcs with the usual SANs, and `ray start --address=ray-gcs:6379`",
        make: |scene| {
            let ca = Ca::new();
            let leaf = ca.leaf_made(&NAMES, |params| {
                params.distinguished_name.push(rcgen::DnType::CommonName, "ray-gcs");
            });
            scene.tls("ray-tls", &ca, &leaf);
            let worker = worker().with("--address=ray-head:6379", "--address=ray-gcs:6379");
            scene.apply(&[Manifest(ALIAS.into()), head(), worker]);
        },
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(WORKER, NO_GCS)],
        expect: Expect::Causes(&[cause!("NAM02", "ray-tls")]),
    },
    Row {
        name: "wildcard-too-short",
        short: false,
        what: "a wildcard covers one label, the dialled name has more",
        made: "`*.svc.cluster.local` as the only SAN for the Service's full name, which the worker dials",
        make: |scene| {
            let full = format!("--address=ray-head.{}.svc.cluster.local:6379", scene.namespace);
            let names: Vec<&str> = NAMES.iter().copied().chain(["*.svc.cluster.local"]).collect();
            start(scene, &names, &[head(), worker().with("--address=ray-head:6379", &full)]);
        },
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(WORKER, NO_GCS)],
        expect: Expect::Causes(&[Cause { codes: &["NAM02", "NAM08"], subject: "ray-tls" }]),
    },
];

fn start(scene: &Scene, names: &[&str], manifests: &[Manifest]) {
    let ca = Ca::new();
    scene.tls("ray-tls", &ca, &ca.leaf(names));
    scene.apply(manifests);
}
