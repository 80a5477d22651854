//! RayClusters under the real operator.

use crate::manifest::{Manifest, client, gencert};
use crate::pki::Ca;
use crate::row::{ANSWERED, CLIENT, Cause, Expect, HEAD, NO_GCS, Row, STARTED, Symptom, WORKER, cause};
use crate::scene::Scene;

const CLUSTER: &str = include_str!("../manifests/raycluster.yaml");

/// The TLS variables of the worker in `raycluster.yaml`.
const WORKER_VARIABLES: &str = r#"        - name: ray-worker
          image: ray.local/ray:2.60.0
          imagePullPolicy: IfNotPresent
          env:
          - {name: RAY_USE_TLS, value: "1"}
          - {name: RAY_TLS_SERVER_CERT, value: /etc/ray/tls/tls.crt}
          - {name: RAY_TLS_SERVER_KEY, value: /etc/ray/tls/tls.key}
          - {name: RAY_TLS_CA_CERT, value: /etc/ray/tls/ca.crt}
"#;

/// The same by envFrom.
const WORKER_BY_ENV_FROM: &str = r#"        - name: ray-worker
          image: ray.local/ray:2.60.0
          imagePullPolicy: IfNotPresent
          envFrom:
          - configMapRef: {name: ray-tls-variables}
          env:
"#;

const VARIABLES: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: ray-tls-variables}
data:
  RAY_USE_TLS: "1"
  RAY_TLS_SERVER_CERT: /etc/ray/tls/tls.crt
  RAY_TLS_SERVER_KEY: /etc/ray/tls/tls.key
  RAY_TLS_CA_CERT: /etc/ray/tls/ca.crt
"#;

/// A second group of workers, without TLS.
const PLAIN_GROUP: &str = r#"  - groupName: plain
    replicas: 1
    minReplicas: 1
    maxReplicas: 1
    rayStartParams: {num-cpus: "1", object-store-memory: "100000000"}
    template:
      metadata: {labels: {ray: plain}}
      spec:
        terminationGracePeriodSeconds: 0
        containers:
        - name: ray-worker
          image: ray.local/ray:2.60.0
          imagePullPolicy: IfNotPresent
          resources: *resources
"#;

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "healthy-kuberay",
        short: true,
        what: "a RayCluster whose pods have leaves of their own",
        made: "an init container makes them from the CA's key; a client dials the head's Service by its short name",
        make: |scene| start(scene, &[cluster(), own_client()]),
        shows: &[Symptom::Log(WORKER, STARTED), Symptom::Log(CLIENT, ANSWERED)],
        expect: Expect::Healthy,
    },
    Row {
        name: "kuberay-variables-by-env-from",
        short: true,
        what: "KubeRay does not copy envFrom to the init container that waits for the GCS",
        made: "the worker's TLS variables come from a ConfigMap by envFrom",
        make: |scene| {
            start(scene, &[Manifest(VARIABLES.into()), cluster().with(WORKER_VARIABLES, WORKER_BY_ENV_FROM)]);
        },
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::Log(WORKER, "Waiting for GCS to be ready"),
            Symptom::File(HEAD, "gcs_server.err", "WRONG_VERSION_NUMBER"),
        ],
        expect: Expect::Causes(&[cause!("KBR01", "ray")]),
    },
    Row {
        name: "kuberay-group-without-tls",
        short: false,
        what: "one of two groups of workers has no TLS",
        made: "a second group without variables and mounts",
        make: |scene| start(scene, &[cluster().and(PLAIN_GROUP)]),
        shows: &[
            Symptom::Log(HEAD, STARTED),
            Symptom::Log("ray=plain", "Waiting for GCS to be ready"),
            Symptom::File(HEAD, "gcs_server.err", "WRONG_VERSION_NUMBER"),
        ],
        expect: Expect::Causes(&[cause!("KBR03", "ray")]),
    },
    Row {
        name: "kuberay-autoscaler-without-tls",
        short: false,
        what: "the autoscaler's container has no TLS",
        made: "`enableInTreeAutoscaling: true` without `autoscalerOptions.env` and `volumeMounts`",
        make: |scene| {
            let options = "spec:\n  enableInTreeAutoscaling: true\n  autoscalerOptions: {imagePullPolicy: IfNotPresent}\n  rayVersion";
            start(scene, &[cluster().with("spec:\n  rayVersion", options)]);
        },
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(HEAD, NO_GCS)],
        expect: Expect::Causes(&[Cause { codes: &["KBR02"], subject: "ray" }]),
    },
];

fn start(scene: &Scene, manifests: &[Manifest]) {
    let ca = Ca::new();
    scene.secret("ray-ca", &[("ca.crt", &ca.certificate), ("ca.key", &ca.key)]);
    scene.apply(&[gencert().with("ray-head", "ray-head-svc")]);
    scene.apply(manifests);
}

fn cluster() -> Manifest {
    Manifest(CLUSTER.into())
}

fn own_client() -> Manifest {
    client().with("ray://ray-head:10001", "ray://ray-head-svc:10001").own_leaf()
}
