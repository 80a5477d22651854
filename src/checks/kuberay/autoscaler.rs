//! KBR02: does KubeRay's autoscaler speak TLS?

use crate::checks::environment::{Kind, switch_text, tell_odd};
use crate::checks::{Case, Check, Findings, Severity, lens};

/// The check.
pub static CHECK: Check = Check {
    code: "KBR02",
    name: "autoscaler-without-tls",
    severity: Severity::Error,
    help: "\
The Ray cluster has TLS on, and KubeRay's autoscaler sidecar does not.

Why it matters: The operator puts the autoscaler next to the head and gives it none of the head's variables and mounts. It dials the GCS at the head's own
pod IP, in plaintext, and never gets an answer: the cluster does not scale, and nothing else looks wrong.

Mend it: Set `spec.autoscalerOptions.env` (the four variables) and `spec.autoscalerOptions.volumeMounts`.

Authority: KubeRay `ray-operator/controllers/ray/common/pod.go` (`BuildAutoscalerContainer`); kuberay#1119.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::Autoscaler, |party, odd| {
        format!(
            "the autoscaler of {} speaks plaintext ({}) while TLS is on in {}: it cannot reach the GCS",
            party.object,
            switch_text(party),
            lens::used_by(case.model, &odd.others)
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::ray_cluster;
    use crate::checks::testing::Scene;
    use crate::diagnose::edit::Edit;

    #[test]
    fn options_without_env() {
        let mut cluster = ray_cluster();
        assert_eq!(Scene::manifests(vec![cluster.clone()]).run(&CHECK), []);
        cluster["spec"].as_object_mut().unwrap().remove("autoscalerOptions");
        let findings = Scene::manifests(vec![cluster.clone()]).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(matches!(findings[0].edits[0], Edit::SetSwitch { on: true, .. }));
        assert_eq!(findings[0].breaks.len(), 1);
        cluster["spec"]["enableInTreeAutoscaling"] = serde_json::json!(false);
        assert_eq!(Scene::manifests(vec![cluster]).run(&CHECK), []);
    }
}
