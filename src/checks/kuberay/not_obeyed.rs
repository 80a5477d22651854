//! KBR05: did the operator do what `tlsOptions` asks for?

use crate::checks::environment::is_off;
use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::diagnose::edit::Edit;
use crate::ray::kuberay::resource_of;
use crate::ray::{Party, Role};

/// The check.
pub static CHECK: Check = Check {
    code: "KBR05",
    name: "tls-options-not-obeyed",
    severity: Severity::Error,
    help: "\
A RayCluster has `tlsOptions.enabled: true`, and its running pods have no TLS.

Why it matters: Operator-made TLS exists from KubeRay 1.7 on, behind the feature gate `RayClusterMTLS`, which is off, and needs cert-manager. An older CRD drops the field in silence, and the cluster runs in plaintext
while everyone believes it encrypted. Pods that were there before the field was set keep running without TLS until they are deleted.

Mend it: Run KubeRay 1.7 or later with `--feature-gates=RayClusterMTLS=true`, install cert-manager, look at the events of the RayCluster (`MTLSCertsNotReady`, `MTLSFailedToReconcile`), then delete its pods.

Authority: kuberay#4566; KubeRay 1.7 `helm-chart/kuberay-operator`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for workload in &case.evidence.workloads {
        let Some(resource) = resource_of(case.evidence, workload).filter(|r| r.operator_tls) else { continue };
        let at = case.evidence.workloads.iter().position(|other| std::ptr::eq(other, workload));
        let plain = |(_, party): &(usize, &Party)| {
            party.workload == at && matches!(party.role, Role::Head | Role::Worker(_)) && is_off(party)
        };
        let Some((index, party)) = case.model.parties.iter().enumerate().find(plain) else { continue };
        let Some(pod) = party.pods.first() else { continue };
        let message = format!(
            "{} asks the operator for TLS (tlsOptions), but its pod {} runs without: it takes KubeRay 1.7 with the feature gate RayClusterMTLS, and cert-manager",
            resource.object, pod.name
        );
        let finding = findings.add(lens::workload(party), message);
        finding.edits = vec![Edit::SetSwitch { party: index, on: true }];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{live, ray_cluster};
    use crate::checks::testing::*;
    use serde_json::json;

    #[test]
    fn pods_in_plaintext_are_told() {
        let mut object = ray_cluster();
        object["spec"]["tlsOptions"] = json!({"enabled": true});
        for at in ["/spec/headGroupSpec", "/spec/workerGroupSpecs/0"] {
            object.pointer_mut(at).unwrap()["template"]["spec"]["containers"][0]["env"] = json!([]);
        }
        object["spec"]["autoscalerOptions"] = json!({});
        assert_eq!(Scene::manifests(vec![object.clone()]).run(&CHECK), [], "before there are pods it is believed");
        let scene = live(vec![object], &[("demo", "demo-head-0", "10.0.0.5")]);
        let finding = only(&scene, &CHECK);
        assert!(finding.message.contains("its pod demo-head-0 runs without"), "{}", finding.message);
        assert_quiet(&CHECK);
    }
}
