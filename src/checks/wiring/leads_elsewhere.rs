//! WIR02: does the port of the Service that is dialled lead to Ray's?

use crate::checks::client::wrong_port;
use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::diagnose::edit::Edit;
use crate::evidence::Service;
use crate::ray::{self, Address, Port};

/// The check.
pub static CHECK: Check = Check {
    code: "WIR02",
    name: "service-port-leads-elsewhere",
    severity: Severity::Error,
    help: "\
A node or client of Ray dials a port of a Service that does not lead to Ray's port, or that the Service does not have.

Why it matters: The connection is refused, or ends at another server. Ray Client says `ray client connection timeout` after 30 s and nodes
`Failed to connect to GCS`, as they do when TLS fails, and the certificate is suspected in vain.

Mend it: `targetPort` is the port (or the name of a container port) at which Ray listens: `--port` of the head, 6379 by default, for the GCS;
`--ray-client-server-port`, 10001 by default, for `ray://`. A headless Service does not map ports: there the dialled port itself
counts, and it is the node or client that has to dial another.

Authority: Kubernetes documentation *Service*, field `targetPort`; seen on real Ray 2.60.0.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for (service, mut connections) in super::astray(case).into_values() {
        // What goes straight to the wrong port is the dialer's mistake, not the Service's.
        connections.retain(|&at| {
            let typed = case.model.connections.get(at).and_then(|c| c.port.number());
            let past = |c| ray::leads_past(case.evidence, case.model, service, c);
            typed.is_some_and(|typed| maps(service, typed)) && !case.model.connections.get(at).is_some_and(past)
        });
        let text = connections.first().and_then(|&at| case.model.connections.get(at)?.misdirected.as_ref());
        let Some(text) = text.map(|other| other.text.clone()) else { continue };
        let who = super::dialers(case, &connections);
        let finding = findings.add(super::subject(service), format!("{}, which {who} dials: {text}", service.object));
        let origin = service.object.to_string();
        let ports: Vec<String> = service.ports.iter().map(|p| format!("{} to {}", p.port, p.target)).collect();
        finding.fact("ports", ports.join(", "), &origin);
        let (namespace, name) = (service.object.namespace.clone(), service.object.name.clone());
        finding.edits = vec![Edit::Aim { namespace, name }];
        finding.breaks = connections;
    }
    mistyped(case, findings);
}

/// Nodes and clients that go straight to a port where what they want does not listen. Where the scheme does not fit the port, CLI03
/// tells it.
fn mistyped(case: &Case<'_>, findings: &mut Findings) {
    for (index, connection) in case.model.connections.iter().enumerate() {
        let (Some(other), Some(typed), Address::Typed(host)) =
            (&connection.misdirected, connection.port.number(), &connection.address)
        else {
            continue;
        };
        let Some(dialer) = case.model.parties.get(connection.dialer) else { continue };
        let told = match ray::service_dialled(case.evidence, case.model, connection) {
            Some(service) => maps(service, typed) || ray::leads_past(case.evidence, case.model, service, connection),
            None => ray::is_missing(case.evidence, dialer, host),
        };
        if told || connection.denied_by.is_some() || wrong_port::meant(case, connection).is_some() {
            continue;
        }
        let scheme = if matches!(connection.port, Port::Client(_)) { "ray://" } else { "" };
        let from = format!("{scheme}{host}:{typed}");
        let to = format!("{scheme}{host}:{}", other.wanted);
        let message = format!("{} dials {from}: {}; {to} is meant", dialer.id, other.text);
        let finding = findings.add(lens::workload(dialer), message);
        finding.edits = vec![Edit::Dial { party: connection.dialer, from, to }];
        finding.breaks = vec![index];
    }
}

/// Whether it is the Service that sends this port elsewhere.
fn maps(service: &Service, typed: u16) -> bool {
    !service.headless && service.tcp(typed).is_none_or(|p| p.target != typed.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::checks::staging::client;
    use crate::checks::testing::{Scene, cluster};

    fn found(ports: Value, address: &str) -> Vec<crate::checks::Finding> {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ray-api", "namespace": "ray"},
            "spec": {"selector": {"app": "ray-head"}, "ports": ports}});
        let mut objects = cluster();
        objects.extend([service, client("app", address)]);
        Scene::manifests(objects).run(&CHECK)
    }

    #[test]
    fn a_target_port_where_nothing_listens() {
        let findings = found(json!([{"port": 10001, "targetPort": 10002}]), "ray://ray-api:10001");
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("port 10001 leads to port 10002"), "{}", findings[0].message);
        assert_eq!((findings[0].subject.name.as_str(), findings[0].breaks.len()), ("ray-api", 1));
    }

    #[test]
    fn a_port_that_the_service_does_not_have() {
        let findings = found(json!([{"port": 6379}]), "ray://ray-api:10001");
        assert!(findings[0].message.contains("has no port 10001; it has 6379"), "{}", findings[0].message);
    }

    #[test]
    fn a_port_of_udp_is_none() {
        let udp = json!([{"port": 6379}, {"port": 10001, "protocol": "UDP"}]);
        let findings = found(udp, "ray://ray-api:10001");
        assert!(findings[0].message.contains("no TCP port 10001; it has 6379, 10001/UDP"), "{}", findings[0].message);
        let both = json!([{"name": "u", "port": 10001, "targetPort": 9, "protocol": "UDP"},
            {"name": "t", "port": 10001, "protocol": "TCP"}]);
        assert_eq!(found(both, "ray://ray-api:10001"), []);
        let sctp = json!([{"port": 10001, "protocol": "SCTP"}]);
        assert_eq!(found(sctp, "ray://ray-api:10001").len(), 1);
    }

    #[test]
    fn a_port_that_leads_there_or_is_the_dialers_mistake() {
        assert_eq!(found(json!([{"port": 443, "targetPort": 10001}]), "ray://ray-api:443"), []);
        assert_eq!(found(json!([{"port": 6379}]), "ray://ray-api:6379"), []);
    }
}
