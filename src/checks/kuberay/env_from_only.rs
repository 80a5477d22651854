//! KBR01: do the TLS variables of a worker group reach `wait-gcs-ready`?

use crate::checks::environment::{Kind, switch_text, tell_odd};
use crate::checks::{Case, Check, Findings, Severity};

/// The check.
pub static CHECK: Check = Check {
    code: "KBR01",
    name: "tls-only-in-env-from",
    severity: Severity::Error,
    help: "\
A worker group gets its TLS variables by `envFrom`, and KubeRay's init container `wait-gcs-ready` does not get them.

Why it matters: The operator adds `wait-gcs-ready` to every worker pod and copies `env` and `volumeMounts` of the Ray container to it, but not
`envFrom`. It then asks the head's TLS port in plaintext, for ever: workers stay in `Init:0/1`, and its first 120 seconds of output are thrown away.

Mend it: Write the four variables in `env` of the group's Ray container (literally, or with `valueFrom`).

Authority: KubeRay v1.6.2 and master, `ray-operator/controllers/ray/common/pod.go`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::Waiter, |party, _| {
        format!(
            "{} waits for the GCS in plaintext ({}): KubeRay gives it the env of its group, but not the envFrom",
            party.id,
            switch_text(party)
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
    fn env_from_does_not_reach_wait_gcs_ready() {
        let mut cluster = ray_cluster();
        assert_eq!(Scene::manifests(vec![cluster.clone()]).run(&CHECK), []);
        let container = &mut cluster["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0];
        let data: serde_json::Map<String, serde_json::Value> = (container["env"].as_array().unwrap().iter())
            .map(|v| (v["name"].as_str().unwrap().to_owned(), v["value"].clone()))
            .collect();
        container["env"] = json!([]);
        container["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
        let settings = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "ray"}, "data": data,
        });
        let scene = Scene::manifests(vec![cluster, settings]);
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("wait-gcs-ready"), "{}", findings[0].message);
        assert!(matches!(findings[0].edits[0], Edit::SetSwitch { on: true, .. }));
        assert_eq!(scene.run(&super::super::worker_group::CHECK), []);
    }
}
