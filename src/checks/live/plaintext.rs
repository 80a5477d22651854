//! LIV02: does a port speak plaintext although its settings say TLS?

use crate::checks::live::{dialled, restart};
use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::diagnose::edit::Edit;
use crate::evidence::{Outcome, Seen};
use crate::ray::Switch;

/// The check.
pub static CHECK: Check = Check {
    code: "LIV02",
    name: "port-speaks-plaintext",
    severity: Severity::Error,
    help: "\
A Ray port answers in plaintext gRPC, and by its settings it should speak TLS.

Why it matters: A gRPC server without TLS sends its SETTINGS first; that was seen. The process has not got the setting: it was started before the change, or by something that does not pass the environment on, or
it set `RAY_USE_TLS` after `import ray`, which the C++ part no longer sees. A port that is plaintext by its settings is told by ENV01.

Mend it: Restart the pods; if it stays so, look at `/proc/1/environ` in the container.

Authority: RFC 9113 section 3.4; Ray `src/ray/common/ray_config.h`; ray#26338.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for port in dialled(case) {
        let party = &case.model.parties[port.party];
        let others_on = || lens::speakers(case).any(|(_, other)| other.cluster == party.cluster);
        let expected = match &party.switch {
            Seen::Found(Switch::On) => "RAY_USE_TLS is on in its settings",
            Seen::Unseen(_) if port_was_typed(case, port.party) => "it was dialled with TLS",
            Seen::Unseen(_) if others_on() => "the rest of its cluster has TLS on",
            _ => continue,
        };
        let plain = |h: &crate::evidence::Handshake| {
            matches!(h.outcome, Outcome::PlainGrpc).then(|| "SETTINGS in clear before any TLS".to_string())
        };
        let say = |id: &str, _: usize, _: &str| format!("port {} of {id} speaks plaintext, but {expected}", port.port);
        if let Some(finding) = port.tell(case, findings, plain, say) {
            finding.breaks = port.failing(case);
            finding.edits = match &party.switch {
                Seen::Found(_) => restart(case, port.party),
                _ => vec![Edit::SetSwitch { party: port.party, on: true }],
            };
        }
    }
}

/// Whether the party is known by nothing but a port that somebody typed.
fn port_was_typed(case: &Case<'_>, party: usize) -> bool {
    case.model.parties[party].object.kind == "Port"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{by_pod_ip, live, named, set};

    const PODS: [(&str, &str, &str); 1] = [("ray-head", "ray-head-0", "10.0.0.5")];

    #[test]
    fn a_port_in_clear_though_the_switch_is_on() {
        let mut objects = by_pod_ip();
        objects.push(named(&["ray-head-svc", "127.0.0.1", "10.0.0.5"]));
        let findings = live(objects.clone(), &PODS).see("ray-head-0", 6379, Outcome::PlainGrpc).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(matches!(findings[0].edits[..], [Edit::Restart { .. }]));
        assert!(!findings[0].breaks.is_empty());
        set(&mut objects[0], "RAY_USE_TLS", None);
        let by_its_settings = live(objects, &PODS).see("ray-head-0", 6379, Outcome::PlainGrpc);
        assert_eq!(by_its_settings.run(&CHECK), []);
    }
}
