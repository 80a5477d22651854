//! KBR08: does an IPv6 pod wait for ever for its address in the operator's certificate?

use std::net::{IpAddr, Ipv6Addr};

use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::ray::kuberay::resource_of;

/// The check.
pub static CHECK: Check = Check {
    code: "KBR08",
    name: "waits-for-ipv6-address",
    severity: Severity::Error,
    help: "\
A pod of a RayCluster with `tlsOptions` has an IPv6 address and does not get past KubeRay's init container `wait-for-tls-ip-san`.

Why it matters: The container looks in what `openssl x509 -text` prints for the pod's address as Kubernetes writes it, `fd00::2`. openssl prints it
in capitals and in full, `FD00:0:0:0:0:0:0:2`, so that the container waits for ever and Ray never starts.

Mend it: Give the pods IPv4 addresses first, or make the certificates without the operator (an init container that signs for POD_IP).

Authority: KubeRay 1.7, `wait-for-tls-ip-san`; the output of OpenSSL 3.0.19.",
    run,
};

/// KubeRay's init container.
const WAITER: &str = "wait-for-tls-ip-san";

fn run(case: &Case<'_>, findings: &mut Findings) {
    for (at, workload) in case.evidence.workloads.iter().enumerate() {
        let Some(resource) = resource_of(case.evidence, workload).filter(|resource| resource.operator_tls) else {
            continue;
        };
        if !workload.init_containers.iter().any(|container| container.name == WAITER) {
            continue;
        }
        let stuck = workload.pods.iter().filter(|pod| pod.phase == "Pending").find_map(|pod| {
            let Some(IpAddr::V6(ip)) = pod.ips.first() else { return None };
            (printed(*ip) != ip.to_string()).then_some((pod, *ip))
        });
        let Some((pod, ip)) = stuck else { continue };
        let Some(party) = case.model.parties.iter().position(|party| party.workload == Some(at)) else { continue };
        let message = format!(
            "Pod {}/{} of {} has the address {ip}, which its init container {WAITER} never finds: openssl prints it as {}",
            workload.object.namespace,
            pod.name,
            resource.object,
            printed(ip)
        );
        let finding = findings.add(lens::workload(&case.model.parties[party]), message);
        finding.breaks = lens::failing_at(case, &[party]);
    }
}

/// An address as openssl prints it in a certificate.
fn printed(ip: Ipv6Addr) -> String {
    ip.segments().map(|segment| format!("{segment:X}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{live, ray_cluster};
    use crate::checks::testing::*;
    use serde_json::json;

    fn found(ip: &str, phase: &str) -> Vec<crate::checks::Finding> {
        let mut object = ray_cluster();
        object["spec"]["tlsOptions"] = json!({"enabled": true});
        let spec = &mut object["spec"]["headGroupSpec"]["template"]["spec"];
        spec["initContainers"] = json!([{"name": WAITER, "image": "rayproject/ray:2.60.0"}]);
        let mut scene = live(vec![object], &[("demo", "demo-head-0", ip)]);
        scene.evidence.workloads.iter_mut().flat_map(|w| &mut w.pods).for_each(|pod| pod.phase = phase.into());
        scene.again().run(&CHECK)
    }

    #[test]
    fn an_ipv6_pod_that_does_not_start_is_told() {
        let findings = found("fd00::2", "Pending");
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("openssl prints it as FD00:0:0:0:0:0:0:2"), "{}", findings[0].message);
        assert_eq!(found("fd00::2", "Running"), []);
        assert_eq!(found("10.0.0.5", "Pending"), []);
        assert_quiet(&CHECK);
    }
}
