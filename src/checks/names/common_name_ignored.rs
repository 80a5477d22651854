//! NAM10: is a dialled name the common name of a certificate whose other names hide it?

use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::ray::Address;

/// The check.
pub static CHECK: Check = Check {
    code: "NAM10",
    name: "common-name-ignored",
    severity: Severity::Info,
    help: "\
A dialled name is the common name of the certificate, but not among its subjectAltNames.

Why it matters: Once a certificate has any subjectAltName, gRPC does not look at the common name. The certificate looks right in `openssl x509 -subject`, and is refused. NAM01 and
NAM02 carry the fault itself; this says why it is easily missed.

Mend it: Put the name in the subjectAltNames as well.

Authority: gRPC `src/core/tsi/ssl_transport_security.cc`; RFC 9525 section 6.3.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for served in super::served(case).into_iter().filter(|s| s.leaf.names.as_ref().is_some_and(|n| !n.is_empty())) {
        let Some(common_name) = served.leaf.common_name.clone() else { continue };
        let missed = super::missed(case, &served, super::typed);
        if !missed.iter().any(|m| m.name.eq_ignore_ascii_case(&common_name)) {
            continue;
        }
        let finding = findings.add(
            served.subject.clone(),
            format!(
                "{common_name} is only the common name of the certificate, which gRPC ignores next to the subjectAltNames {}",
                super::listed(&served.leaf)
            ),
        );
        let origin = lens::phrase(&served.subject);
        finding.fact("subject", &served.leaf.subject, origin);
        finding.breaks = super::broken(
            case,
            &served,
            |c| matches!(&c.address, Address::Typed(host) if host.eq_ignore_ascii_case(&common_name)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::named;
    use crate::checks::testing::{Scene, cluster};

    #[test]
    fn the_common_name_is_dialled_and_no_other_name_is() {
        // The leaf's common name is ray-node.
        let scene = |secret: Option<&[&str]>| {
            let text = serde_json::to_string(&cluster()).unwrap().replace("ray-head-svc", "ray-node");
            let mut objects: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            objects.extend(secret.map(named));
            Scene::manifests(objects)
        };
        let findings = scene(Some(&["ray-worker"])).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].edits.is_empty() && !findings[0].breaks.is_empty());
        assert_eq!(scene(Some(&["ray-node", "ray-worker"])).run(&CHECK), []);
        assert_eq!(scene(None).run(&CHECK), []);
    }
}
