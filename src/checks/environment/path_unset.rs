//! ENV04: is TLS on without all three paths?

use crate::checks::environment::unknown_variable::stands_for;
use crate::checks::environment::{lacks_path, supply, told_by_group, waiters};
use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::ray::Party;

/// The check.
pub static CHECK: Check = Check {
    code: "ENV04",
    name: "path-variable-unset",
    severity: Severity::Error,
    help: "\
`RAY_USE_TLS` is on, and one of `RAY_TLS_SERVER_CERT`, `RAY_TLS_SERVER_KEY`, `RAY_TLS_CA_CERT` is not set.

Why it matters: TLS in Ray is always mutual, so every process needs all three. Python stops: `If the environment variable RAY_USE_TLS is set to true then RAY_TLS_SERVER_CERT,
RAY_TLS_SERVER_KEY and RAY_TLS_CA_CERT must also be set.` C++ does not: without certificate or key it aborts with a message about `Address already in use`, without the CA it starts and then
refuses every client.

Mend it: Set all three to files of a mounted volume.

Authority: Ray `python/ray/_common/tls_utils.py`, `src/ray/rpc/grpc_server.cc`; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let unset =
        |party: &Party| -> Vec<_> { lens::SLOTS.into_iter().filter(|&slot| lacks_path(party.file(slot))).collect() };
    for (index, party) in lens::speakers(case) {
        let slots = unset(party);
        if slots.is_empty() || told_by_group(case, index, |group| lens::speaks_tls(group) && unset(group) == slots) {
            continue;
        }
        let names: Vec<&str> = slots.iter().map(|&slot| party.file(slot).variable).collect();
        let mut parties = waiters(case, index);
        parties.retain(|&w| lens::speaks_tls(&case.model.parties[w]) && unset(&case.model.parties[w]) == slots);
        parties.insert(0, index);
        let finding = findings.add(
            lens::workload(party),
            format!("{} has RAY_USE_TLS on, but {} is not set", party.id, names.join(" and ")),
        );
        finding.edits = parties.iter().flat_map(|&p| slots.iter().map(move |&slot| supply(case, p, slot))).collect();
        finding.breaks = lens::failing_at(case, &parties);
        let instead: Vec<String> = names.iter().filter_map(|name| stands_for(case, index, name)).collect();
        if !instead.is_empty() {
            finding.fact("set instead", instead.join(", "), &party.id);
        }
        if instead.len() == names.len() {
            finding.edits.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{container, named, ray_cluster, set};
    use crate::checks::testing::{Scene, cluster_with};
    use crate::diagnose::edit::{Edit, Slot};
    use serde_json::json;

    #[test]
    fn no_path_for_the_ca() {
        let mut objects = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
        assert_eq!(Scene::manifests(objects.clone()).run(&CHECK), []);
        set(&mut objects[1], "RAY_TLS_CA_CERT", None);
        let findings = Scene::manifests(objects.clone()).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("RAY_TLS_CA_CERT is not set"), "{}", findings[0].message);
        assert!(matches!(findings[0].edits[..], [Edit::Share { slot: Slot::Trust, .. }]));
        assert!(!findings[0].breaks.is_empty());
        container(&mut objects[1])["envFrom"] = json!([{"configMapRef": {"name": "elsewhere"}}]);
        assert_eq!(Scene::manifests(objects).run(&CHECK), []);
    }

    #[test]
    fn a_worker_group_speaks_for_its_init_container() {
        let mut cluster = ray_cluster();
        let env = &mut cluster["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["env"];
        env.as_array_mut().unwrap().retain(|v| v["name"] != "RAY_TLS_CA_CERT");
        let scene = Scene::manifests(vec![cluster]);
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].edits.len(), 2);
        assert_eq!(
            crate::checks::testing::unexplained(&scene),
            Vec::<String>::new(),
            "neither lends the other what it lacks"
        );
    }
}
