//! PRM01: could the Secrets with certificates be read?

use crate::checks::{Case, Check, Findings, Severity};

/// The check.
pub static CHECK: Check = Check {
    code: "PRM01",
    name: "secret-not-readable",
    severity: Severity::Info,
    help: "\
A Secret or ConfigMap with Ray's TLS files could not be read.

Why it matters: Dates, names, keys and issuers in it are not judged. That is said under \"not judged\"; it never counts as missing or as good. Certificates
that are served on a port are still judged.

Mend it: Allow `get` on this one name: a Role rule with `resources: [\"secrets\"]`, `resourceNames: [\"<name>\"]`, `verbs: [\"get\"]`. Neither `list` nor
`watch` is needed.

Authority: Kubernetes documentation *Using RBAC Authorization*.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::tell(case, findings, "PRM01", "what is in it is not judged");
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
        scene.evidence.gaps.push(Gap {
            what: "Secret ray/ray-tls".into(),
            why: "forbidden".into(),
            needs: Some("get secrets".into()),
            code: Some("PRM01".into()),
        });
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        let subject = &findings[0].subject;
        assert_eq!(
            (subject.kind.as_str(), subject.namespace.as_deref(), subject.name.as_str()),
            ("Secret", Some("ray"), "ray-tls")
        );
        assert_eq!(scene.run(&super::super::resources::CHECK), []);
    }
}
