//! PRM02: could the pods' ports be reached through the API server?

use std::collections::BTreeMap;

use crate::checks::{Case, Check, Findings, Severity, Subject};
use crate::evidence::{Outcome, Why};

/// The check.
pub static CHECK: Check = Check {
    code: "PRM02",
    name: "pods-not-reachable",
    severity: Severity::Info,
    help: "\
Port-forward (or exec) into the Ray pods is not allowed.

Why it matters: What the ports really serve was not seen: a certificate that was renewed in the Secret but not in the process, a plaintext port, a
refused client certificate. The verdicts then rest on the stored files alone.

Mend it: Allow `create` and `get` on `pods/portforward` in the namespace: SPDY clients need the one, websocket clients the other.

Authority: Kubernetes documentation *Authorization overview*; KEP-4006.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for gap in case.evidence.gaps.iter().filter(|gap| gap.code.as_deref() == Some("PRM02")) {
        let name = gap.what.rsplit(' ').next().unwrap_or_default();
        let subject = Subject { kind: "Namespace".into(), name: name.into(), ..Subject::default() };
        let finding = findings.add(subject, format!("the {} were not dialled: {}", gap.what, gap.why));
        if let Some(needs) = &gap.needs {
            finding.fact("needs", needs, "");
        }
    }
    if case.evidence.gaps.iter().any(|gap| gap.code.as_deref() == Some("PRM02")) {
        return;
    }
    let mut forbidden: BTreeMap<&str, (Vec<&str>, &Why)> = BTreeMap::new();
    for handshake in &case.evidence.handshakes {
        if let Outcome::NotPossible(why @ Why::Forbidden { .. }) = &handshake.outcome {
            let (pods, _) = forbidden.entry(&handshake.target.namespace).or_insert((Vec::new(), why));
            pods.push(&handshake.target.pod);
        }
    }
    for (namespace, (mut pods, why)) in forbidden {
        pods.sort_unstable();
        pods.dedup();
        findings.add(
            Subject { kind: "Namespace".into(), name: namespace.into(), ..Subject::default() },
            format!("the ports of {} in namespace {namespace} were not dialled: {why}", pods.join(", ")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::live;
    use crate::checks::testing::cluster;

    #[test]
    fn forbidden_port_forwards_are_one_finding() {
        let pods = [("ray-head", "ray-head-0", "10.0.0.5"), ("ray-worker", "ray-worker-0", "10.0.0.6")];
        let scene = live(cluster(), &pods);
        assert_eq!(scene.run(&CHECK), []);
        let forbidden = || {
            let resource = "pods/portforward".into();
            Outcome::NotPossible(Why::Forbidden { verb: "create".into(), resource, namespace: Some("ray".into()) })
        };
        let scene = scene.see("ray-head-0", 6379, forbidden()).see("ray-worker-0", 10002, forbidden());
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("ray-head-0, ray-worker-0"), "{}", findings[0].message);
        assert_eq!(scene.see("ray-head-0", 10001, Outcome::Refused).run(&CHECK).len(), 1);
    }
}
