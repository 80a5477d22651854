//! SEC03: one of Ray's TLS files is empty.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::evidence::Shape;

/// The check.
pub static CHECK: Check = Check {
    code: "SEC03",
    name: "file-empty",
    severity: Severity::Error,
    help: "\
One of Ray's three TLS files is empty or blank.

Why it matters: gRPC cannot load an empty certificate or key: gcs_server ends with `Failed to start the grpc server`, and a client process
aborts. With an empty trust file Ray trusts none of its peers. Kubernetes checks nothing here, so an empty value in a manifest passes, and
replaces a good one.

Mend it: store the real certificate, key and CA; take placeholders with empty values out of the manifests that are applied.

Authority: gRPC `ssl_transport_security.cc`; measured with Ray 2.60 (`Invalid cert chain file`, exit 1).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::unloadable(case, findings, |shared| {
        (shared.facts.shape == Shape::Empty).then(|| {
            format!(
                "{} is empty ({} bytes), so Ray of {} has nothing for {}",
                lens::opening(&shared.subject),
                shared.facts.size,
                lens::used_by(case.model, &shared.parties()),
                shared.uses[0].file.variable,
            )
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn each_empty_value_is_one_finding_for_all_its_users() {
        let empty = secret("ray-tls", &[("tls.crt", ""), ("tls.key", "\n"), ("ca.crt", "")]);
        let scene = Scene::manifests(cluster_with(empty));
        let findings = scene.run(&CHECK);
        let keys: Vec<_> = findings.iter().filter_map(|f| f.subject.key.as_deref()).collect();
        assert_eq!(keys, ["tls.crt", "tls.key", "ca.crt"]);
        for finding in findings {
            assert_eq!(finding.edits.len(), 2);
            assert!(!finding.breaks.is_empty());
            assert!(finding.facts.iter().any(|f| f.value == "ray/ray-head, ray/ray-worker"));
        }
    }

    #[test]
    fn a_secret_that_ray_does_not_use_is_no_matter() {
        let ca = Ca::new("ray-ca");
        let mut objects = cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem));
        objects.push(secret("other", &[("tls.crt", "")]));
        assert_eq!(Scene::manifests(objects).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
