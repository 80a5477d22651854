//! MNT08: can the init container that makes the certificate know the pod's IP?

use crate::checks::{Case, Check, Confidence, Findings, Severity, lens};
use crate::evidence::{Container, EnvSource, Evidence, Seen, SourceKind, Traces, VolumeSource, Workload};
use crate::ray::{NodeAddress, Place, Role};

/// The check.
pub static CHECK: Check = Check {
    code: "MNT08",
    name: "certificate-made-without-pod-address",
    severity: Severity::Error,
    help: "\
An init container makes the certificate of a Ray node, and nothing gives it the pod's IP: it has no variable from `status.podIP`, and neither its command nor its script finds the address out.

Why it matters: Ray nodes dial each other by pod IP. KubeRay's script writes `IP.2 = $POD_IP`; without the variable the certificate has an empty or no such name, and the head cannot reach itself: `Failed to connect to
GCS at address <pod IP>:6379`.

Mend it: Give the init container `env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]` and let its script put that into subjectAltName.

Authority: KubeRay `ray-cluster.tls.yaml`; Ray documentation *TLS authentication*.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for (index, party) in lens::speakers(case) {
        let Some(workload) = party.workload.and_then(|at| case.evidence.workloads.get(at)) else { continue };
        let Place::MadeInPod(Some(by)) = &party.certificate.place else { continue };
        // A native sidecar stands among the containers.
        let mut all = workload.init_containers.iter().chain(&workload.containers);
        let Some(producer) = all.find(|c| c.name == *by) else { continue };
        let node = matches!(party.role, Role::Head | Role::Worker(_)) && party.node_address == NodeAddress::PodIp;
        if !node || knows_address(producer) || super::serves_tls(case, index) {
            continue;
        }
        // A script that was not seen may find the address out in any way.
        let Some(scripts) = scripts(case.evidence, workload, producer) else { continue };
        let traces = || scripts.iter().chain([&producer.traces]);
        if !traces().any(|t| t.makes_certificate) || traces().any(|t| t.finds_address) {
            continue;
        }
        let message = format!(
            "init container {by} of {} makes the certificate, and nothing tells it the pod's IP, by which {} is dialled: give it POD_IP from status.podIP",
            party.object, party.id
        );
        let finding = findings.add(lens::workload(party), message);
        finding.confidence = Confidence::Predicted;
        finding.fact("variables from status.podIP", "none", format!("init container {by}"));
    }
}

fn knows_address(container: &Container) -> bool {
    container.env.iter().any(|v| matches!(&v.source, EnvSource::Field(path) if path.starts_with("status.podIP")))
}

/// What the scripts of the ConfigMaps that a container mounts do; none when one was not seen.
fn scripts(evidence: &Evidence, workload: &Workload, container: &Container) -> Option<Vec<Traces>> {
    let mut all = Vec::new();
    for mount in &container.mounts {
        let volume = workload.volumes.iter().find(|v| v.name == mount.volume);
        let Some(VolumeSource::Object { kind: SourceKind::ConfigMap, name, .. }) = volume.map(|v| &v.source) else {
            continue;
        };
        let Seen::Found(map) = evidence.config_map(&workload.object.namespace, name) else { return None };
        all.extend(map.data.values().filter_map(|content| content.traces.clone()));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::by_pod_ip;
    use crate::checks::testing::*;
    use serde_json::{Value, json};

    fn made(script: &str, env: Value, map: bool) -> Scene {
        let mut objects = by_pod_ip();
        objects[0]["spec"]["template"]["spec"]["volumes"] =
            json!([{"name": "tls", "emptyDir": {}}, {"name": "gen", "configMap": {"name": "gen"}}]);
        objects[0]["spec"]["template"]["spec"]["initContainers"] = json!([{
            "name": "gencert", "image": "x", "command": ["/gen/gencert.sh"], "env": env,
            "volumeMounts": [{"name": "tls", "mountPath": "/etc/ray/tls"}, {"name": "gen", "mountPath": "/gen"}],
        }]);
        if map {
            objects.push(json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "gen", "namespace": "ray"}, "data": {"gencert.sh": script}}));
        }
        Scene::manifests(objects)
    }

    const SCRIPT: &str =
        "#!/bin/sh\nopenssl req -x509 -out /etc/ray/tls/tls.crt -addext subjectAltName=DNS:ray-head-svc";

    #[test]
    fn a_script_without_the_address_is_told() {
        let finding = only(&made(SCRIPT, json!([]), true), &CHECK);
        assert!(finding.message.contains("init container gencert of Deployment ray/ray-head"), "{}", finding.message);
    }

    #[test]
    fn a_script_that_gets_or_finds_the_address_or_was_not_seen_is_not() {
        let field = json!([{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]);
        assert_eq!(made(SCRIPT, field, true).run(&CHECK), []);
        assert_eq!(made(&format!("{SCRIPT},IP:$(hostname -i)"), json!([]), true).run(&CHECK), []);
        assert_eq!(made("#!/bin/sh\ncp /x /y", json!([]), true).run(&CHECK), []);
        assert_eq!(made(SCRIPT, json!([]), false).run(&CHECK), []);
        assert_quiet(&CHECK);
    }
}
