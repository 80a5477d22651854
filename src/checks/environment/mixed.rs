//! ENV01: do all parties of a cluster agree on TLS?

use crate::checks::environment::{Kind, switch_text, tell_odd};
use crate::checks::{Case, Check, Findings, Severity, lens};

/// The check.
pub static CHECK: Check = Check {
    code: "ENV01",
    name: "tls-on-some-parties-only",
    severity: Severity::Error,
    help: "\
A part of a Ray cluster has `RAY_USE_TLS` on and another has it off.

Why it matters: The switch changes every gRPC port and every gRPC client of a process at once; there is no port that takes both. A plain client at a TLS port sees `Socket closed`; a TLS client at a plain port
sees `WRONG_VERSION_NUMBER`; people see `ray client connection timeout` or `Failed to connect to GCS`. The head is taken as the measure, unless it is the only
one that differs.

Mend it: Set the four variables (`RAY_USE_TLS`, `RAY_TLS_SERVER_CERT`, `RAY_TLS_SERVER_KEY`, `RAY_TLS_CA_CERT`) and the mount in every part, or in none, and restart.

Authority: Ray `src/ray/rpc/grpc_server.cc`, `python/ray/_private/grpc_utils.py`; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::Other, |party, odd| match odd.on {
        true => format!(
            "{} speaks plaintext ({}) while TLS is on in {}",
            party.id,
            switch_text(party),
            lens::used_by(case.model, &odd.others)
        ),
        false => {
            format!("{} has RAY_USE_TLS on while {} speaks plaintext", party.id, lens::used_by(case.model, &odd.others))
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{named, set, strip};
    use crate::checks::testing::{Scene, cluster_with};
    use crate::diagnose::edit::{Edit, Slot};
    use serde_json::{Value, json};

    fn scene(change: impl FnOnce(&mut Vec<Value>)) -> Scene {
        let mut objects = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
        change(&mut objects);
        Scene::manifests(objects)
    }

    #[test]
    fn a_worker_without_the_switch() {
        let scene = scene(|o| set(&mut o[1], "RAY_USE_TLS", None));
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("ray/ray-worker speaks plaintext"), "{}", findings[0].message);
        let worker = scene.model.parties.iter().position(|p| p.id == "ray/ray-worker").unwrap();
        assert_eq!(findings[0].edits, [Edit::SetSwitch { party: worker, on: true }]);
        assert!(findings[0].breaks.len() >= 3);
    }

    #[test]
    fn a_worker_without_anything_shares_the_files() {
        let findings = scene(|o| strip(&mut o[1])).run(&CHECK);
        assert_eq!(findings[0].edits.len(), 4);
        assert!(matches!(findings[0].edits[1], Edit::Share { slot: Slot::Certificate, .. }));
    }

    #[test]
    fn the_head_is_odd_when_all_others_have_tls() {
        let findings = scene(|o| set(&mut o[0], "RAY_USE_TLS", Some(json!("0")))).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject.name, "ray-head");
        assert!(matches!(findings[0].edits[..], [Edit::SetSwitch { on: true, .. }]));
    }

    #[test]
    fn all_on_all_off_and_unseen_are_silent() {
        assert_eq!(scene(|_| ()).run(&CHECK), []);
        assert_eq!(scene(|o| o[..2].iter_mut().for_each(strip)).run(&CHECK), []);
        let elsewhere = json!([{"configMapRef": {"name": "elsewhere"}}]);
        let unseen = scene(|o| {
            set(&mut o[1], "RAY_USE_TLS", None);
            crate::checks::staging::container(&mut o[1])["envFrom"] = elsewhere;
        });
        assert_eq!(unseen.run(&CHECK), []);
    }
}
