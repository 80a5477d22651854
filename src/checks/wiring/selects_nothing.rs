//! WIR01: does the Service that is dialled select the head's pod?

use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Edit;
use crate::ray;

/// The check.
pub static CHECK: Check = Check {
    code: "WIR01",
    name: "service-selects-no-pod",
    severity: Severity::Error,
    help: "\
A node or client of Ray dials a Service whose selector no pod meets, or only pods that are no head.

Why it matters: Such a Service has no endpoints. Its address refuses or swallows connections, a headless one has no address at all; Ray Client says
`ray client connection timeout` after 30 s and nodes `Failed to connect to GCS`, as they do when TLS fails, and the certificate is suspected in vain.

Mend it: Give the Service the labels of the head's pods as its selector: `kubectl set selector service NAME 'app=ray,component=head'`. Where a
templating tool adds labels, it must add them to the selector and to the pods.

Authority: Kubernetes documentation *Service*, section *Services without selectors* and what a selector does; seen on real Ray 2.60.0.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for (service, connections) in super::astray(case).into_values() {
        let past = |&at: &usize| {
            case.model.connections.get(at).is_some_and(|c| ray::leads_past(case.evidence, case.model, service, c))
        };
        if !connections.iter().any(past) {
            continue;
        }
        let selector = ray::words(&service.selector);
        let who = super::dialers(case, &connections);
        let message = match ray::selects_nothing(case.evidence, service) {
            true => format!("{}, which {who} dials, selects no pod: none has the labels {selector}", service.object),
            false => format!("{}, which {who} dials, selects other pods than the head's: {selector}", service.object),
        };
        let finding = findings.add(super::subject(service), message);
        let origin = service.object.to_string();
        finding.fact("selector", selector, &origin);
        let head = connections.first().and_then(|&at| case.model.connections.get(at)).map(|c| c.target);
        let labels = head
            .and_then(|head| case.model.parties.get(head)?.workload)
            .and_then(|at| case.evidence.workloads.get(at))
            .map(|workload| (ray::words(&workload.labels), workload.object.to_string()));
        if let Some((labels, origin)) = labels {
            finding.fact("labels of the head's pods", labels, &origin);
        }
        let (namespace, name) = (service.object.namespace.clone(), service.object.name.clone());
        finding.edits = vec![Edit::Aim { namespace, name }];
        finding.breaks = connections;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::checks::staging::{client, live};
    use crate::checks::testing::{Scene, cluster};

    fn service(selector: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ray-api", "namespace": "ray"},
            "spec": {"selector": selector, "ports": [{"port": 10001}]}})
    }

    fn objects(selector: Value) -> Vec<Value> {
        let mut objects = cluster();
        objects.extend([service(selector), client("app", "ray://ray-api:10001")]);
        objects
    }

    fn found(selector: Value) -> Vec<crate::checks::Finding> {
        live(objects(selector), &[("ray-head", "ray-head-0", "10.0.0.5")]).run(&CHECK)
    }

    #[test]
    fn a_selector_that_no_pod_meets() {
        let findings = found(json!({"app": "rays"}));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("which ray/app dials"), "{}", findings[0].message);
        assert_eq!((findings[0].subject.name.as_str(), findings[0].breaks.len()), ("ray-api", 1));
        assert!(matches!(&findings[0].edits[..], [Edit::Aim { name, .. }] if name == "ray-api"));
    }

    #[test]
    fn a_selector_of_other_pods() {
        let findings = found(json!({"app": "ray-worker"}));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("selects other pods than the head's"), "{}", findings[0].message);
        assert_eq!(findings[0].breaks.len(), 1);
    }

    #[test]
    fn a_selector_of_the_head_or_none() {
        for selector in [json!({"app": "ray-head"}), json!({})] {
            assert_eq!(found(selector.clone()), [], "{selector}");
        }
    }

    #[test]
    fn manifests_do_not_show_all_pods() {
        assert_eq!(Scene::manifests(objects(json!({"app": "rays"}))).run(&CHECK), []);
    }
}
