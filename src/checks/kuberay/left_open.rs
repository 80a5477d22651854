//! KBR18: does `tlsOptions` say `enabled`?

use crate::checks::environment::is_off;
use crate::checks::{Case, Check, Findings, Severity, Subject};

/// The check.
pub static CHECK: Check = Check {
    code: "KBR18",
    name: "tls-options-without-enabled",
    severity: Severity::Warning,
    help: "\
A RayCluster has `spec.tlsOptions`, and does not say `enabled` in it.

Why it matters: KubeRay takes it for `enabled: false`: it makes no certificates and the cluster runs in plaintext, while the field looks as if
it were encrypted. Where the feature gate `RayClusterMTLS` is off, which is the default, the object is refused for having `tlsOptions` at all.

Mend it: Write `tlsOptions: {enabled: true}`, or take `tlsOptions` away.

Authority: KubeRay 1.7 `apis/ray/v1/raycluster_types.go` (\"When TLSOptions is nil or Enabled is nil/false, TLS is disabled\") and
`controllers/ray/utils/validation.go` (`spec.tlsOptions requires the RayClusterMTLS feature gate to be enabled`).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for resource in case.evidence.ray_resources.iter().filter(|resource| resource.tls_left_open) {
        let theirs = |party: &&crate::ray::Party| party.object == resource.object;
        let plain = case.model.parties.iter().filter(theirs).any(is_off);
        let so = if plain { ", and it runs in plaintext" } else { "" };
        let subject = Subject {
            kind: resource.object.kind.clone(),
            namespace: Some(resource.object.namespace.clone()),
            name: resource.object.name.clone(),
            key: None,
            file: resource.origin.file.clone(),
            line: resource.origin.line,
        };
        let message =
            format!("{} has tlsOptions without enabled: true: KubeRay makes no TLS for it{so}", resource.object);
        findings.add(subject, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::ray_cluster;
    use crate::checks::testing::*;
    use serde_json::{Value, json};

    fn scene(options: Value) -> Scene {
        let mut cluster = ray_cluster();
        cluster["spec"]["tlsOptions"] = options;
        cluster["spec"]["autoscalerOptions"] = json!({});
        for at in ["/spec/headGroupSpec", "/spec/workerGroupSpecs/0"] {
            cluster.pointer_mut(at).unwrap()["template"]["spec"]["containers"][0]["env"] = json!([]);
            cluster.pointer_mut(at).unwrap()["template"]["spec"]["containers"][0]["volumeMounts"] = json!([]);
        }
        Scene::manifests(vec![cluster])
    }

    #[test]
    fn an_empty_tls_options_is_told_and_one_that_says_no_is_not() {
        let finding = only(&scene(json!({})), &CHECK);
        assert!(finding.message.contains("ray/demo has tlsOptions without enabled"), "{}", finding.message);
        assert!(finding.message.ends_with("it runs in plaintext"), "{}", finding.message);
        for options in [json!({"enabled": false}), json!({"enabled": true}), Value::Null] {
            assert_eq!(scene(options.clone()).run(&CHECK), [], "{options}");
        }
        assert_quiet(&CHECK);
    }
}
