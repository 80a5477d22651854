//! NAM04: do the workers' certificates name their pods' IPs?

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::Role;

/// The check.
pub static CHECK: Check = Check {
    code: "NAM04",
    name: "worker-pod-address-not-in-certificate",
    severity: Severity::Error,
    help: "\
A certificate that workers present does not name the IPs of their pods.

Why it matters: The GCS and every other node dial a worker by its pod IP. The worker registers and looks alive; then the GCS's health
check dials it back, fails five times, and after about 17 seconds declares it dead: `missed too many heartbeats`, and on the worker `mistakenly been marked as dead
… machine or raylet has become overloaded`. It restarts, and the same happens again. One certificate for all workers cannot keep up with pods that come and go.

Mend it: As for the head: a certificate per pod made in an init container from `status.podIP`, or KubeRay 1.7's `tlsOptions`.

Authority: Ray `src/ray/gcs/gcs_health_check_manager.cc`; measured with Ray 2.60 (`Peer name 127.0.0.2 is not in peer certificate`).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::pod_addresses(case, findings, "worker", |party| party.role != Role::Head);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{by_pod_ip, live, named, tls};
    use crate::checks::testing::{Ca, Scene};
    use crate::diagnose::edit::Edit;
    use crate::evidence::{Settings, Why};

    const PODS: [(&str, &str, &str); 3] = [
        ("ray-head", "ray-head-0", "10.0.0.5"),
        ("ray-worker", "ray-worker-0", "10.0.0.6"),
        ("ray-worker", "ray-worker-1", "10.0.0.7"),
    ];

    #[test]
    fn one_of_two_workers_is_missing() {
        let objects = |names: &[&str]| {
            let mut objects = by_pod_ip();
            objects.push(named(names));
            objects
        };
        let findings = live(objects(&["ray-head-svc", "10.0.0.5", "10.0.0.6"]), &PODS).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("10.0.0.7"), "{}", findings[0].message);
        assert!(!findings[0].breaks.is_empty());
        assert_eq!(live(objects(&["ray-head-svc", "10.0.0.5", "10.0.0.6", "10.0.0.7"]), &PODS).run(&CHECK), []);
    }

    #[test]
    fn what_the_head_serves_counts_where_its_file_was_not_seen() {
        let why = Why::Forbidden { verb: "get".into(), resource: "secrets".into(), namespace: Some("ray".into()) };
        let mut scene = live(by_pod_ip(), &PODS[..2]);
        scene.evidence.lookups.push(crate::evidence::Lookup {
            object: crate::evidence::ObjectRef::new("Secret", "ray", "ray-tls"),
            unseen: Some(why),
        });
        let scene = scene.again();
        assert_eq!(scene.run(&super::super::head_pod_address::CHECK), []);
        let pair = crate::checks::staging::leaf(&Ca::new("ca"), &["ray-head-svc"]);
        let scene: Scene = scene.see("ray-head-0", 6379, tls(&pair.certificate, Settings::TimedOut));
        let findings = scene.run(&super::super::head_pod_address::CHECK);
        assert_eq!(findings.len(), 1);
        assert!(matches!(&findings[0].edits[..], [Edit::AddNames { names, .. }] if *names == ["10.0.0.5"]));
        assert_eq!(scene.run(&CHECK), []);
    }
}
