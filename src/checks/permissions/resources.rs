//! PRM03: could RayClusters and the other custom resources be read?

use crate::checks::{Case, Check, Findings, Severity};

/// The check.
pub static CHECK: Check = Check {
    code: "PRM03",
    name: "ray-resources-not-readable",
    severity: Severity::Info,
    help: "\
RayCluster, RayJob or RayService objects could not be read.

Why it matters: Pods are still judged as they are. What the operator will make next (groups with no pod yet, the autoscaler, `tlsOptions`) is not.

Mend it: Allow `get` and `list` on `rayclusters`, `rayjobs`, `rayservices` of `ray.io` in the namespace.

Authority: KubeRay API reference; Kubernetes documentation *Using RBAC Authorization*.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::tell(case, findings, "PRM03", "what the operator makes of them is not judged");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{Scene, cluster};
    use crate::evidence::Gap;

    #[test]
    fn a_gap_of_this_code() {
        let mut scene = Scene::live(cluster(), vec![]);
        assert_eq!(scene.run(&CHECK), []);
        let what = "rayclusters.ray.io in namespace ray".to_owned();
        scene.evidence.gaps.push(Gap { what, why: "forbidden".into(), needs: None, code: Some("PRM03".into()) });
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Info);
    }
}
