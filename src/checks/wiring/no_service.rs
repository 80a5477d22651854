//! WIR09: is there a Service of the name that is dialled?

use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::diagnose::edit::Edit;
use crate::ray::{self, Address, Port};

/// The check.
pub static CHECK: Check = Check {
    code: "WIR09",
    name: "dialled-service-missing",
    severity: Severity::Error,
    help: "\
A node or client of Ray dials a name of the cluster's DNS that no Service has.

Why it matters: The name has no address. Nodes repeat `Failed to connect to GCS at address`, Ray Client says `ray client connection timeout` after 30 s,
as they do when TLS fails, and the certificate is suspected in vain. Said only where the Services of the namespace were all seen and one Ray head is in it.

Mend it: Dial the Service that selects the head, or give it the name that is dialled. A name that the pod's `hostAliases` have needs none.

Authority: Kubernetes documentation *DNS for Services and Pods*; seen on real Ray 2.60.0.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for (index, connection) in case.model.connections.iter().enumerate() {
        let Address::Typed(host) = &connection.address else { continue };
        let Some(missing) = connection.misdirected.as_ref() else { continue };
        let Some(dialer) = case.model.parties.get(connection.dialer) else { continue };
        if !ray::is_missing(case.evidence, dialer, host) {
            continue;
        }
        let message = format!("{} dials {host}, and {}", dialer.id, missing.text);
        let finding = findings.add(lens::workload(dialer), message);
        let scheme = if matches!(connection.port, Port::Client(_)) { "ray://" } else { "" };
        let from = connection.port.number().map_or_else(|| host.clone(), |port| format!("{scheme}{host}:{port}"));
        let to = ray::service_of(case.evidence, case.model, connection.target);
        finding.edits = to
            .map(|name| Edit::Dial {
                party: connection.dialer,
                from,
                to: connection.port.number().map_or_else(|| name.clone(), |port| format!("{scheme}{name}:{port}")),
            })
            .into_iter()
            .collect();
        finding.breaks = vec![index];
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checks::staging::{client, live};
    use crate::checks::testing::{Scene, cluster, head, service};

    fn scene(address: &str) -> Scene {
        let mut objects = cluster();
        objects.push(client("app", address));
        live(objects, &[("ray-head", "ray-head-0", "10.0.0.5")])
    }

    #[test]
    fn a_misspelt_service() {
        let findings = scene("ray://ray-hed-svc:10001").run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("has no Service ray-hed-svc"), "{}", findings[0].message);
        assert!(matches!(&findings[0].edits[..], [Edit::Dial { to, .. }] if to == "ray://ray-head-svc:10001"));
    }

    #[test]
    fn a_name_of_host_aliases_goes_to_its_ip() {
        let of = |ip: &str| {
            let mut app = client("app", "ray://ray-hed-svc:10001");
            app["spec"]["template"]["spec"]["hostAliases"] = json!([{"ip": ip, "hostnames": ["x", "ray-hed-svc"]}]);
            let mut service = service();
            service["spec"]["clusterIP"] = json!("10.96.0.7");
            let scene = live(vec![head("ray-tls"), service, app], &[("ray-head", "ray-head-0", "10.0.0.5")]);
            assert_eq!(scene.run(&CHECK), []);
            let dials: Vec<String> = scene.model.connections.iter().map(|c| c.id.clone()).collect();
            let told = scene.model.not_judged.iter().any(|(_, why)| why.contains("send ray-hed-svc to 10.9.9.9"));
            (dials.contains(&"ray/app>ray/ray-head@ray-hed-svc:10001".to_owned()), told)
        };
        // The IP of the head's Service, of the head's pod, and of something else.
        assert_eq!(of("10.96.0.7"), (true, false));
        assert_eq!(of("10.0.0.5"), (true, false));
        assert_eq!(of("10.9.9.9"), (false, true));
    }

    #[test]
    fn a_service_that_is_there_and_a_name_of_another_domain() {
        for address in ["ray://ray-head-svc:10001", "ray://ray-hed.example.com:10001"] {
            assert_eq!(scene(address).run(&CHECK), [], "{address}");
        }
        let mut objects = cluster();
        objects.push(client("app", "ray://ray-hed-svc:10001"));
        assert_eq!(Scene::manifests(objects).run(&CHECK), [], "manifests may leave a Service out");
    }
}
