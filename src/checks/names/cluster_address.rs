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
        super::typed(c) && matches!(c.port, Port::Gcs(_) | Port::Node(_) | Port::Any)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{by_pod_ip, named};
    use crate::checks::testing::Scene;
    use crate::diagnose::edit::Edit;

    fn scene(secret: Option<&[&str]>) -> Scene {
        let mut objects = by_pod_ip();
        objects.extend(secret.map(named));
        Scene::manifests(objects)
    }

    #[test]
    fn the_address_of_workers_is_missing() {
        let scene = scene(Some(&["ray-head", "127.0.0.1"]));
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].message.contains("does not name ray-head-svc, dialled by ray/ray-worker"),
            "{}",
            findings[0].message
        );
        assert_eq!(findings[0].breaks.len(), 1);
        assert!(matches!(&findings[0].edits[..], [Edit::AddNames { names, .. }] if *names == ["ray-head-svc"]));
    }

    #[test]
    fn a_covered_name_and_an_unseen_secret_are_silent() {
        assert_eq!(scene(Some(&["ray-head-svc"])).run(&CHECK), []);
        assert_eq!(scene(None).run(&CHECK), []);
    }
}
