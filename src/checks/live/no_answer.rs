//! LIV01: do the ports answer?

use crate::checks::live::{Dialled, dialled};
use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::diagnose::edit::Edit;
use crate::evidence::{Handshake, Outcome};
use crate::grpc::verdict::Fault;
use crate::judge::Failure;
use crate::ray::{self, Port};

/// The check.
pub static CHECK: Check = Check {
    code: "LIV01",
    name: "port-does-not-answer",
    severity: Severity::Error,
    help: "\
A Ray port refuses connections, closes them without a byte, or stays silent.

Why it matters: Either the process is not there, or something on the way drops the traffic (Service, NetworkPolicy). With TLS it is often only a consequence: a process that cannot load its files aborts,
and `ray start --head` opens 10001 only after it has reached its own GCS by pod IP. A refused 10001 with an open 6379 therefore points to the head's certificate (NAM03), not to the network.

Mend it: Mend the certificate or files if another finding names them. Otherwise look at the pod's state and its `gcs_server.err`, then at the Service and the NetworkPolicies.

Authority: Measured with Ray 2.60; Ray `src/ray/rpc/grpc_server.cc`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for port in dialled(case) {
        let say = |id: &str, count: usize, seen: &str| match count {
            1 => format!("port {} of {id} does not answer: {seen}", port.port),
            n => format!("port {} of {id} does not answer on {n} pods: {seen}", port.port),
        };
        let Some(finding) = port.tell(case, findings, silence, say) else { continue };
        finding.breaks = port.failing(case);
        if ray::is_starting(case.evidence, &case.model.parties[port.party]) {
            finding.severity = Severity::Warning;
            finding.message.push_str("; it was started less than two minutes ago, so look again soon");
        } else if !is_consequence(case, &port) {
            finding.edits = vec![Edit::Open { party: port.party, port: port.port }];
        }
    }
}

fn silence(handshake: &Handshake) -> Option<String> {
    match &handshake.outcome {
        Outcome::Refused => Some("connection refused".into()),
        Outcome::Closed { step } => Some(format!("closed at step {step}")),
        Outcome::TimedOut { step } => Some(format!("no answer at step {step}")),
        Outcome::Unreachable(what) => Some(what.clone()),
        _ => None,
    }
}

/// Whether the process cannot listen here for a reason that another check tells: files that do not load, a pod that does
/// not start, or a GCS that its own start-up cannot reach.
fn is_consequence(case: &Case<'_>, port: &Dialled<'_>) -> bool {
    lens::blames(case).iter().any(|b| match b.failure {
        Failure::File { .. } | Failure::NotRunning(_) => b.at == port.party,
        Failure::Grpc(reason) if reason.fault == Fault::Load => b.at == port.party,
        Failure::Grpc(_) | Failure::Switches { .. } => {
            b.connection.dialer == port.party
                && matches!(b.connection.port, Port::Gcs(gcs) if b.connection.target != port.party || gcs != port.port)
        }
        Failure::Port(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{by_pod_ip, client, live, named};
    use crate::checks::testing::Scene;
    use crate::evidence::Why;

    fn scene(names: &[&str]) -> Scene {
        let mut objects = by_pod_ip();
        objects.push(client("app", "ray://ray-head-svc:10001"));
        objects.push(named(names));
        let pods = [("ray-head", "ray-head-0", "10.0.0.5"), ("ray-worker", "ray-worker-0", "10.0.0.6")];
        live(objects, &pods)
    }

    #[test]
    fn a_pod_that_has_just_started_may_open_its_ports_yet() {
        for (age, severity, edits) in [(30, Severity::Warning, 0), (600, Severity::Error, 1)] {
            let mut scene = scene(&["ray-head-svc", "127.0.0.1", "10.0.0.5", "10.0.0.6"]);
            let started = scene.evidence.taken_at - jiff::SignedDuration::from_secs(age);
            let pods = scene.evidence.workloads.iter_mut().flat_map(|w| &mut w.pods);
            pods.flat_map(|pod| &mut pod.containers).for_each(|container| container.started_at = Some(started));
            let findings = scene.see("ray-head-0", 10001, Outcome::Refused).run(&CHECK);
            assert_eq!((findings[0].severity, findings[0].edits.len()), (severity, edits), "{age}");
        }
    }

    #[test]
    fn a_refused_port() {
        let scene = scene(&["ray-head-svc", "127.0.0.1", "10.0.0.5", "10.0.0.6"]);
        assert_eq!(scene.run(&CHECK), []);
        let findings = scene.see("ray-head-0", 10001, Outcome::Refused).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject.name, "ray-head:10001");
        assert!(matches!(findings[0].edits[..], [Edit::Open { port: 10001, .. }]));
        assert_eq!(findings[0].breaks.len(), 1);
    }

    #[test]
    fn a_head_that_cannot_reach_itself_never_opens_ray_client() {
        let findings = scene(&["ray-head-svc", "127.0.0.1"]).see("ray-head-0", 10001, Outcome::Refused).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].edits.is_empty());
    }

    #[test]
    fn a_dial_that_was_not_possible_says_nothing() {
        let scene = scene(&["ray-head-svc"]).see("ray-head-0", 10001, Outcome::NotPossible(Why::TimedOut));
        assert_eq!(scene.run(&CHECK), []);
    }
}
