//! KBR03: does every worker group of a KubeRay cluster speak TLS?

use crate::checks::environment::{Kind, switch_text, tell_odd};
use crate::checks::{Case, Check, Findings, Severity, lens};

/// The check.
pub static CHECK: Check = Check {
    code: "KBR03",
    name: "worker-group-without-tls",
    severity: Severity::Error,
    help: "\
The Ray cluster has TLS on, and a worker group of it does not.

Why it matters: Every group of a RayCluster has a pod template of its own; nothing is inherited from the head. The group's pods stay in
`wait-gcs-ready`, or never register, while the other groups work.

Mend it: Put the four variables and the mount into the Ray container of this group too.

Authority: KubeRay `RayCluster` API reference (`workerGroupSpecs[].template`).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::Group, |party, odd| {
        format!(
            "worker group {} speaks plaintext ({}) while TLS is on in {}: it never joins",
            party.id,
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
    use serde_json::json;

    #[test]
    fn a_group_without_variables() {
        let mut cluster = ray_cluster();
        assert_eq!(Scene::manifests(vec![cluster.clone()]).run(&CHECK), []);
        cluster["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["env"] = json!([]);
        let scene = Scene::manifests(vec![cluster]);
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("small"), "{}", findings[0].message);
        let switched = findings[0].edits.iter().filter(|e| matches!(e, Edit::SetSwitch { on: true, .. })).count();
        assert_eq!(switched, 2, "the group and its wait-gcs-ready");
        assert_eq!(scene.run(&super::super::env_from_only::CHECK), []);
    }
}
