//! Steps that let a Service lead where its dialers want to go.

use std::collections::BTreeSet;

use crate::evidence::Evidence;
use crate::ray::{self, Model};

use super::RemedyStep;

/// Another selector, or other ports, for the Service.
pub(super) fn aim(model: &Model, evidence: &Evidence, namespace: &str, name: &str) -> Vec<RemedyStep> {
    let mut steps: Vec<RemedyStep> = Vec::new();
    let mut ports = BTreeSet::new();
    for connection in &model.connections {
        let service = ray::service_dialled(evidence, model, connection).filter(|s| s.object.is(namespace, name));
        let (Some(service), Some(other), Some(target)) =
            (service, &connection.misdirected, model.parties.get(connection.target))
        else {
            continue;
        };
        let labels = target.workload.and_then(|at| evidence.workloads.get(at)).map(|w| ray::words(&w.labels));
        if ray::leads_past(evidence, model, service, connection) {
            let with = labels.as_ref().map_or_else(String::new, |labels| format!(": {labels}"));
            let command = labels.map(|labels| format!("kubectl -n {namespace} set selector service {name} '{labels}'"));
            let text = format!("Let {} select the pods of {}{with}", service.object, target.id);
            let step = RemedyStep { text, command, patch: None };
            if !steps.contains(&step) {
                steps.push(step);
            }
        } else if let Some(typed) = connection.port.number() {
            ports.insert((typed, other.wanted, target.id.as_str()));
        }
    }
    steps.extend(ports.into_iter().map(|(port, wanted, target)| RemedyStep {
        text: format!("Let port {port} of Service {namespace}/{name} lead to port {wanted} of {target}"),
        command: Some(format!(
            "kubectl -n {namespace} patch service {name} -p '{{\"spec\":{{\"ports\":[{{\"name\":\"ray-{port}\",\"port\":{port},\"protocol\":\"TCP\",\"targetPort\":{wanted}}}]}}}}'"
        )),
        patch: None,
    }));
    steps
}
