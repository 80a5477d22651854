//! NAM03: does the head's certificate name the head pod's own IP?

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::Role;

/// The check.
pub static CHECK: Check = Check {
    code: "NAM03",
    name: "head-pod-address-not-in-certificate",
    severity: Severity::Error,
    help: "\
The certificate that the head presents does not name the IP of the head's pod.

Why it matters: Every Ray node is dialled by its IP, and the head dials itself that way first. Without its own IP in the certificate the GCS
starts, nothing of the head can reach it, and `ray start --head` repeats `Failed to connect to GCS at address <pod IP>:6379` for minutes. The
raylet, the dashboard and Ray Client never start, while a TCP probe on 6379 is green. This is the most common fault of Ray clusters with TLS.

A certificate in a Secret is made before the pod has an address, so offline it is enough that the certificate names no address but loopback: it
can never hold the pod's.

Mend it: Make a certificate per pod in an init container that knows `status.podIP` (Ray's and KubeRay's own way), or let KubeRay 1.7 manage them
(`tlsOptions`), or give the node a fixed name with `--node-ip-address` and put that name in the certificate. Adding today's IP to a shared
certificate lasts until the pod is replaced.

Authority: Ray documentation *TLS authentication*; measured with Ray 2.60 (`No match found for server name: 10.99.0.5`); ray#53651, kuberay#889.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::pod_addresses(case, findings, "head", |party| party.role == Role::Head);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Confidence;
    use crate::checks::staging::{by_pod_ip, live, named};
    use crate::checks::testing::Scene;
    use crate::diagnose::edit::Edit;

    const PODS: [(&str, &str, &str); 2] =
        [("ray-head", "ray-head-0", "10.0.0.5"), ("ray-worker", "ray-worker-0", "10.0.0.6")];

    fn objects(names: &[&str]) -> Vec<serde_json::Value> {
        let mut objects = by_pod_ip();
        objects.push(named(names));
        objects
    }

    #[test]
    fn the_ip_of_a_live_pod_is_missing() {
        let scene = live(objects(&["ray-head-svc", "127.0.0.1", "10.0.0.6"]), &PODS);
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("10.0.0.5"), "{}", findings[0].message);
        assert_eq!(findings[0].confidence, Confidence::Proved);
        assert!(!findings[0].breaks.is_empty());
        assert!(
            matches!(&findings[0].edits[..], [Edit::AddNames { pod_addresses: true, names, .. }] if *names == ["10.0.0.5"])
        );
        assert_eq!(live(objects(&["ray-head-svc", "10.0.0.5"]), &PODS).run(&CHECK), []);
    }

    #[test]
    fn a_stored_certificate_without_addresses_can_never_hold_it() {
        let findings = Scene::manifests(objects(&["ray-head-svc", "127.0.0.1"])).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].confidence, Confidence::Predicted);
        assert!(!findings[0].breaks.is_empty());
    }

    #[test]
    fn an_address_in_a_stored_certificate_may_be_the_pods() {
        assert_eq!(Scene::manifests(objects(&["ray-head-svc", "10.0.0.5"])).run(&CHECK), []);
        assert_eq!(Scene::manifests(by_pod_ip()).run(&CHECK), []);
    }
}
