//! ENV05: are the paths set while TLS is off?

use crate::checks::environment::{has_path, is_off, misspelt, switch_text, told_by_group};
use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::evidence::Seen;
use crate::ray::{Party, Switch};

/// The check.
pub static CHECK: Check = Check {
    code: "ENV05",
    name: "paths-without-switch",
    severity: Severity::Warning,
    help: "\
`RAY_TLS_SERVER_CERT`, `RAY_TLS_SERVER_KEY` or `RAY_TLS_CA_CERT` are set, and `RAY_USE_TLS` is unset or off.

Why it matters: Without the switch Ray never looks at the paths. Everything works, in clear, and the mounted certificates suggest that it does not. Where the
rest of the cluster has TLS on, this party cannot connect; ENV01 (or CLI01, KBR03) carries that fault.

Mend it: Set `RAY_USE_TLS: \"1\"` in every part of the cluster, or remove the paths.

Authority: Ray `python/ray/_common/tls_utils.py`; a manifest met in the wild with just this.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let faulty = |party: &Party| {
        is_off(party) && misspelt(party).is_none() && lens::SLOTS.into_iter().any(|slot| has_path(party.file(slot)))
    };
    for (index, party) in case.model.parties.iter().enumerate().filter(|(_, party)| faulty(party)) {
        // ENV10 tells of pods that are older than their switch.
        if told_by_group(case, index, faulty)
            || party.next.as_ref().is_some_and(|n| n.switch == Seen::Found(Switch::On))
        {
            continue;
        }
        let set: Vec<&str> = (lens::SLOTS.into_iter().map(|slot| party.file(slot)))
            .filter(|file| has_path(file))
            .map(|file| file.variable)
            .collect();
        findings.add(
            lens::workload(party),
            format!("{} sets {}, but {}: it speaks plaintext", party.id, set.join(", "), switch_text(party)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::set;
    use crate::checks::testing::{Scene, cluster};
    use serde_json::json;

    #[test]
    fn paths_alone_do_nothing() {
        let mut objects = cluster();
        assert_eq!(Scene::manifests(objects.clone()).run(&CHECK), []);
        set(&mut objects[0], "RAY_USE_TLS", None);
        set(&mut objects[1], "RAY_USE_TLS", Some(json!("0")));
        let findings = Scene::manifests(objects.clone()).run(&CHECK);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].message.contains("RAY_USE_TLS is not set"), "{}", findings[0].message);
        set(&mut objects[1], "RAY_USE_TLS", Some(json!("yes")));
        assert_eq!(Scene::manifests(objects).run(&CHECK).len(), 1, "ENV02 tells of yes");
    }
}
