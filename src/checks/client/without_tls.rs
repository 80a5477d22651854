//! CLI01: does the Ray Client workload speak TLS?

use crate::checks::environment::{Kind, switch_text, tell_odd};
use crate::checks::{Case, Check, Findings, Severity, lens};

/// The check.
pub static CHECK: Check = Check {
    code: "CLI01",
    name: "client-without-tls",
    severity: Severity::Error,
    help: "\
The Ray cluster has TLS on, and a workload that dials it (`ray://`, `RAY_ADDRESS`) does not.

Why it matters: The workload speaks plaintext to a TLS port. It tries for 5, 10 and 15 seconds in silence and says `ray client connection
timeout`; the head logs `WRONG_VERSION_NUMBER`. Probes of such a workload mostly stay green. TLS in Ray is mutual: the client needs a certificate
and a key of its own, not only the CA.

Mend it: Give the workload the four variables and the mount, and restart it. They must be in the environment before `import ray`.

Authority: Ray `python/ray/util/client/worker.py`; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::Client, |party, odd| {
        format!(
            "{} dials Ray in plaintext ({}) while TLS is on in {}",
            party.id,
            switch_text(party),
            lens::used_by(case.model, &odd.others)
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{client, named, strip};
    use crate::checks::testing::{Scene, cluster_with};
    use crate::diagnose::edit::Edit;

    #[test]
    fn a_plain_client_of_a_tls_cluster() {
        let mut objects = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
        objects.push(client("app", "ray://ray-head-svc:10001"));
        assert_eq!(Scene::manifests(objects.clone()).run(&CHECK), []);
        strip(&mut objects[4]);
        let scene = Scene::manifests(objects);
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject.name, "app");
        assert_eq!(findings[0].breaks.len(), 1);
        assert!(matches!(
            findings[0].edits[..],
            [Edit::SetSwitch { on: true, .. }, Edit::Share { .. }, Edit::Share { .. }, Edit::Share { .. }]
        ));
        assert_eq!(scene.run(&crate::checks::environment::mixed::CHECK), []);
    }

    #[test]
    fn who_only_inherits_the_address_is_no_client() {
        let mut objects = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
        let mut web = client("web", "ray://ray-head-svc:10001");
        strip(&mut web);
        crate::checks::staging::set(&mut web, "RAY_ADDRESS", None);
        crate::checks::staging::container(&mut web)["envFrom"] =
            serde_json::json!([{"configMapRef": {"name": "settings"}}]);
        objects.push(web);
        objects.push(serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "ray"},
            "data": {"RAY_ADDRESS": "ray://ray-head-svc:10001"},
        }));
        assert_eq!(Scene::manifests(objects).run(&CHECK), []);
    }
}
