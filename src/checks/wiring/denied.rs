//! WIR08: does a NetworkPolicy let the dialer in?

use std::collections::BTreeMap;

use crate::checks::{Case, Check, Confidence, Findings, Severity, Subject};
use crate::diagnose::edit::Edit;
use crate::evidence::{Mode, ObjectRef};

/// The check.
pub static CHECK: Check = Check {
    code: "WIR08",
    name: "network-policy-denies",
    severity: Severity::Error,
    help: "\
A NetworkPolicy that chooses the pods of a Ray node lets nobody with the dialer's labels in on the port that is dialled.

Why it matters: Where the network enforces policies, the dial is dropped in silence and ends in a time-out. Ray needs more ports than 6379 and 10001: every node dials every other one on its node manager, object manager and worker ports, which
are random unless they are pinned (`--node-manager-port`, `--object-manager-port`, `--min-worker-port`, `--max-worker-port`).

A port-forward does not pass through policies, so that the port looks well from outside. Rules by `ipBlock`, by expressions or by labels of namespaces that were not seen are not decided.

Mend it: Allow ingress among all pods of the Ray cluster on all ports, and from the clients on 10001.

Authority: Kubernetes documentation *Network Policies*; Ray documentation *Configuring Ray*, ports.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let mut denied: BTreeMap<&ObjectRef, Vec<usize>> = BTreeMap::new();
    for (index, connection) in case.model.connections.iter().enumerate() {
        if let Some(policy) = &connection.denied_by {
            denied.entry(policy).or_default().push(index);
        }
    }
    for (policy, connections) in denied {
        let first = connections.first().and_then(|&at| case.model.connections.get(at)?.misdirected.as_ref());
        let text = first.map(|other| other.text.as_str()).unwrap_or_default();
        let who = super::dialers(case, &connections);
        let given = case.evidence.network_policies.iter().find(|given| given.object == *policy);
        let origin = given.map(|given| given.origin.clone()).unwrap_or_default();
        let subject = Subject {
            kind: policy.kind.clone(),
            namespace: Some(policy.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            name: policy.name.clone(),
            key: None,
            file: origin.file,
            line: origin.line,
        };
        let finding = findings.add(subject, format!("{text}: {who} cannot get there, where policies are enforced"));
        // Which networks enforce policies is not seen.
        finding.confidence = Confidence::Predicted;
        if case.evidence.mode == Mode::Live {
            finding.fact("enforced", "not seen: it takes a network plugin that does so", policy.to_string());
        }
        finding.edits = vec![Edit::LetIn { policy: policy.clone() }];
        finding.breaks = connections;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::client;
    use crate::checks::testing::*;
    use serde_json::{Value, json};

    fn scene(ingress: Value) -> Scene {
        let ca = Ca::new("ray-ca");
        let mut objects = cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem));
        objects.push(client("app", "ray://ray-head-svc:10001"));
        objects.push(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "head", "namespace": "ray"},
            "spec": {"podSelector": {"matchLabels": {"app": "ray-head"}}, "policyTypes": ["Ingress"], "ingress": ingress},
        }));
        Scene::manifests(objects)
    }

    fn from(app: &str, ports: &[u32]) -> Value {
        let ports: Vec<Value> = ports.iter().map(|port| json!({"protocol": "TCP", "port": port})).collect();
        json!({"from": [{"podSelector": {"matchLabels": {"app": app}}}], "ports": ports})
    }

    #[test]
    fn a_dialer_without_a_rule_is_denied() {
        let scene = scene(json!([from("ray-worker", &[])]));
        let finding = only(&scene, &CHECK);
        assert!(finding.message.contains("NetworkPolicy ray/head"), "{}", finding.message);
        assert!(finding.message.contains("ray/app cannot get there"), "{}", finding.message);
        assert_mends(&scene, &finding);
        assert_eq!(scene.codes(), ["WIR08"]);
    }

    #[test]
    fn a_list_of_two_ports_leaves_out_the_nodes_random_ones() {
        let scene = scene(json!([from("ray-worker", &[6379, 10001]), from("app", &[10001])]));
        let finding = only(&scene, &CHECK);
        assert!(finding.message.contains("node"), "{}", finding.message);
        assert!(finding.message.contains("ray/ray-worker cannot get there"), "{}", finding.message);
    }

    #[test]
    fn pinned_ports_need_those_of_workers_too() {
        let pinned = |flags: &str, ports: &[u32]| {
            let ca = Ca::new("ray-ca");
            let objects = cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem));
            let pin = |object: Value| -> Value {
                let text = object.to_string().replace("ray start", &format!("ray start {flags}"));
                serde_json::from_str(&text).unwrap()
            };
            let mut objects: Vec<Value> = objects.into_iter().map(pin).collect();
            objects.push(json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": "head", "namespace": "ray"},
                "spec": {"podSelector": {"matchLabels": {"app": "ray-head"}}, "policyTypes": ["Ingress"],
                    "ingress": [from("ray-worker", ports)]},
            }));
            Scene::manifests(objects)
        };
        let both = "--node-manager-port=7001 --object-manager-port=7002";
        let told = |scene: &Scene| scene.run(&CHECK).into_iter().map(|finding| finding.message).collect::<Vec<_>>();
        let shut = told(&pinned(both, &[6379, 7001, 7002]));
        assert!(matches!(&shut[..], [one] if one.contains("the worker ports of nodes, 10002 to 19999")), "{shut:?}");
        let objects = told(&pinned("--node-manager-port=7001", &[6379, 7001]));
        assert!(matches!(&objects[..], [one] if one.contains("the ports of nodes")), "{objects:?}");
        let list = format!("{both} --worker-port-list=7003,7004");
        assert_eq!(told(&pinned(&list, &[6379, 7001, 7002, 7003, 7004])), [""; 0]);
        let range = format!("{both} --min-worker-port=7003 --max-worker-port=7009");
        assert_eq!(told(&pinned(&range, &[6379, 7001, 7002, 7004])), [""; 0], "which one is taken is not known");
        assert!(told(&pinned(&range, &[6379, 7001, 7002]))[0].contains("7003 to 7009"));
    }

    #[test]
    fn what_is_allowed_or_not_decided_is_quiet() {
        let any_namespace = json!({"from": [{"namespaceSelector": {}}]});
        let labelled = json!({"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]});
        let block = json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]});
        let ours = json!({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ray"}}}]});
        for rule in [json!({}), any_namespace, labelled, block, ours] {
            assert_eq!(scene(json!([rule])).run(&CHECK), [], "{rule}");
        }
        let wide = json!({"from": [{"podSelector": {}}], "ports": [{"port": 1024, "endPort": 65535}]});
        assert_eq!(scene(json!([wide])).run(&CHECK), []);
        assert_quiet(&CHECK);
    }
}
