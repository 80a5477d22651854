//! NAM02: do certificates name the hosts that Ray's own nodes were told to dial?

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::{Connection, Port};

/// The check.
pub static CHECK: Check = Check {
    code: "NAM02",
    name: "cluster-address-not-in-certificate",
    severity: Severity::Error,
    help: "\
The host that workers were given for the head (`ray start --address`, KubeRay's `FQ_RAY_IP`) or a fixed
`--node-ip-address` is not among the names of the certificate that is presented there.

Why it matters: A worker's raylet, its agents and each of its worker processes dial the GCS by the host as it was
typed, and gRPC compares exactly that text with the certificate. The worker never registers: `Failed to connect to GCS`, and under KubeRay the init
container `wait-gcs-ready` waits for ever. The reason is printed by the head (`No match found for server name: …`), not by the worker.

Mend it: Issue the certificate again by the same CA with the dialled host as a DNS name, and restart the pods that present it.
For KubeRay that is `<cluster>-head-svc.<namespace>.svc.cluster.local`.

Authority: gRPC `src/core/tsi/ssl_transport_security.cc`; KubeRay `ray-operator/controllers/ray/common/pod.go` (`FQ_RAY_IP`).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::typed_names(case, findings, |c: &Connection| {
        super::typed(c) && matches!(c.port, Port::Gcs(_) | Port::Node(_))
    });
}
