//! What is between the pods.

use crate::manifest::{Manifest, client, head};
use crate::pki::{Ca, NAMES};
use crate::row::{CLIENT, CLIENT_FAILS, Expect, HEAD, Row, STARTED, Symptom, cause};
use crate::scene::Scene;

/// A Service for clients, as it should be.
const SERVICE: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: ray-api, labels: {app: ray}}
spec:
  selector: {app: ray, ray: head}
  ports:
  - {name: client, port: 10001, targetPort: 10001}
"#;

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "service-selects-nothing",
        short: true,
        what: "the Service that the client dials selects no pod",
        made: "a Service with the selector `ray: heads`",
        make: |scene| start(scene, "ray: head}", "ray: heads}"),
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(CLIENT, CLIENT_FAILS)],
        expect: Expect::Causes(&[cause!("WIR01", "ray-api")]),
    },
    Row {
        name: "service-leads-to-another-port",
        short: false,
        what: "the Service that the client dials leads to a port where nothing listens",
        made: "a Service with `targetPort: 10002`",
        make: |scene| start(scene, "targetPort: 10001", "targetPort: 10002"),
        shows: &[Symptom::Log(HEAD, STARTED), Symptom::Log(CLIENT, CLIENT_FAILS)],
        expect: Expect::Causes(&[cause!("WIR02", "ray-api")]),
    },
];

fn start(scene: &Scene, old: &str, new: &str) {
    let ca = Ca::new();
    let names: Vec<&str> = NAMES.iter().copied().chain(["ray-api"]).collect();
    scene.tls("ray-tls", &ca, &ca.leaf(&names));
    let service = Manifest(SERVICE.into()).with(old, new);
    scene.apply(&[service, head(), client().with("ray://ray-head:10001", "ray://ray-api:10001")]);
}
