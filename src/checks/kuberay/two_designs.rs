//! KBR04: do a RayCluster's templates set TLS up by hand beside `tlsOptions`?

use crate::checks::environment::VARIABLES;
use crate::checks::{Case, Check, Findings, Severity, Subject};
use crate::diagnose::edit::Edit;
use crate::evidence::{Container, Evidence, RayResource};

/// The check.
pub static CHECK: Check = Check {
    code: "KBR04",
    name: "tls-options-and-own-tls",
    severity: Severity::Error,
    help: "\
A RayCluster has `tlsOptions.enabled: true`, and its templates or `autoscalerOptions` set `RAY_USE_TLS` or `RAY_TLS_*` themselves, or mount something named `ray-tls` or at `/etc/ray/tls`.

Why it matters: KubeRay's validation refuses such a RayCluster (`cannot set RAY_USE_TLS environment variable in head Pod when tlsOptions is set`), and makes no pods.

Mend it: Choose one of the two: take the variables and the mount out of every template, or take `tlsOptions` away.

Authority: KubeRay 1.7 `ray-operator/controllers/ray/utils/validation.go`; kuberay#4566.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for resource in case.evidence.ray_resources.iter().filter(|resource| resource.operator_tls) {
        let places = places(case.evidence, resource);
        if places.is_empty() {
            continue;
        }
        let origin = resource.origin.clone();
        let subject = Subject {
            kind: resource.object.kind.clone(),
            namespace: Some(resource.object.namespace.clone()),
            name: resource.object.name.clone(),
            key: None,
            file: origin.file,
            line: origin.line,
        };
        let told: Vec<&str> = places.iter().take(3).map(String::as_str).collect();
        let more = if places.len() > 3 { format!("; and {} more", places.len() - 3) } else { String::new() };
        let finding = findings.add(
            subject,
            format!(
                "{} has tlsOptions and sets up TLS itself ({}{more}): KubeRay refuses it; take one of the two away",
                resource.object,
                told.join("; ")
            ),
        );
        let theirs = |(_, party): &(usize, &crate::ray::Party)| party.object == resource.object;
        let parties = case.model.parties.iter().enumerate().filter(theirs);
        finding.edits = parties.map(|(party, _)| Edit::Start { party }).collect();
    }
}

/// What is set by hand, each with where.
pub(crate) fn places(evidence: &Evidence, resource: &RayResource) -> Vec<String> {
    let of = |container: &Container, whose: &str| {
        let variables = container.env.iter().map(|v| v.name.as_str()).filter(|name| VARIABLES.contains(name));
        let mut all: Vec<String> = variables.map(|name| format!("{name} in {whose}")).collect();
        let mounts =
            container.mounts.iter().filter(|m| m.volume == "ray-tls" || m.path.trim_end_matches('/') == "/etc/ray/tls");
        all.extend(mounts.map(|m| format!("mount {} in {whose}", m.path)));
        all
    };
    let mut all = Vec::new();
    for workload in &evidence.workloads {
        // Pods that are there have what the operator gave them.
        let Some(group) = workload.group.as_ref().filter(|_| workload.pods.is_empty()) else { continue };
        if !resource.object.is(&workload.object.namespace, &group.cluster) {
            continue;
        }
        let whose = if group.head { "the head group".to_owned() } else { format!("group {}", group.name) };
        all.extend(workload.containers.first().into_iter().flat_map(|container| of(container, &whose)));
    }
    all.extend(resource.autoscaler.iter().flat_map(|container| of(container, "autoscalerOptions")));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::ray_cluster;
    use crate::checks::testing::*;
    use serde_json::json;

    #[test]
    fn both_designs_are_refused_and_one_is_not() {
        let mut both = ray_cluster();
        assert_eq!(Scene::manifests(vec![both.clone()]).run(&CHECK), []);
        both["spec"]["tlsOptions"] = json!({"enabled": true});
        let finding = only(&Scene::manifests(vec![both.clone()]), &CHECK);
        assert!(finding.message.contains("RAY_USE_TLS in the head group"), "{}", finding.message);
        assert!(!finding.edits.is_empty());
        for at in ["/spec/headGroupSpec", "/spec/workerGroupSpecs/0"] {
            let pod = both.pointer_mut(at).unwrap();
            pod["template"]["spec"]["containers"][0]["env"] = json!([]);
            pod["template"]["spec"]["containers"][0]["volumeMounts"] = json!([]);
        }
        let finding = only(&Scene::manifests(vec![both.clone()]), &CHECK);
        assert!(finding.message.contains("in autoscalerOptions"), "{}", finding.message);
        both["spec"]["autoscalerOptions"] = json!({});
        let clean = Scene::manifests(vec![both]);
        assert_eq!(clean.codes(), Vec::<&str>::new());
        assert!(clean.matrix.iter().all(|j| *j.effective() == crate::judge::Verdict::Accept), "{:#?}", clean.matrix);
    }
}
