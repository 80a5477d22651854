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
