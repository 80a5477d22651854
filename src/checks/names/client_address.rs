//! NAM01: does the head's certificate name the host that Ray Client dials?

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::{Connection, Port};

/// The check.
pub static CHECK: Check = Check {
    code: "NAM01",
    name: "client-address-not-in-certificate",
    severity: Severity::Error,
    help: "\
The host of a `ray://host:10001` address (`RAY_ADDRESS`, `--cluster`) is not among the names of the certificate that the head presents.

Why it matters: gRPC compares the host exactly as it was typed with the certificate: no DNS search domains, no
reverse look-up, and Ray offers no override. `ray-head-svc` and `ray-head-svc.ray.svc.cluster.local` are two different names. The client
retries for 30 seconds and then says only `ray client connection timeout`. A frequent cause: the certificate was made for
the name of the Deployment (`ray-head`), but clients dial the Service (`ray-head-svc`).

Mend it: Issue the head's certificate again by the same CA with the dialled host as a DNS name (or IP for an address), and restart the head. Or dial
a name the certificate has, if a Service of that name exists.

Authority: gRPC `src/core/tsi/ssl_transport_security.cc`, `tsi_ssl_peer_matches_name`; Ray 2.60: `Hostname Verification Check failed`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::typed_names(case, findings, |c: &Connection| super::typed(c) && matches!(c.port, Port::Client(_)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{client, named};
    use crate::checks::testing::{Scene, cluster};
    use crate::diagnose::edit::Edit;

    fn scene(secret: Option<&[&str]>) -> Scene {
        let mut objects = cluster();
        objects.push(client("app", "ray://ray-head-svc:10001"));
        objects.extend(secret.map(named));
        Scene::manifests(objects)
    }

    #[test]
    fn the_dialled_service_is_missing() {
        let scene = scene(Some(&["ray-head", "localhost", "127.0.0.1"]));
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].message.contains("does not name ray-head-svc, dialled by ray/app"),
            "{}",
            findings[0].message
        );
        let ids: Vec<&str> = findings[0].breaks.iter().map(|&c| scene.model.connections[c].id.as_str()).collect();
        assert_eq!(ids, ["ray/app>ray/ray-head@ray-head-svc:10001"]);
        assert!(
            matches!(&findings[0].edits[..], [Edit::AddNames { names, pod_addresses: false, .. }] if *names == ["ray-head-svc"])
        );
    }

    #[test]
    fn a_covered_name_and_an_unseen_secret_are_silent() {
        assert_eq!(scene(Some(&["ray-head-svc"])).run(&CHECK), []);
        assert_eq!(scene(None).run(&CHECK), []);
    }
}
