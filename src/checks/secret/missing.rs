//! SEC01: a Secret that a Ray pod needs does not exist.

use crate::checks::lens::{self, Use};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Edit;
use crate::evidence::{Container, EnvSource, Seen, SourceKind};
use crate::ray::{Party, Place};

/// The check.
pub static CHECK: Check = Check {
    code: "SEC01",
    name: "secret-missing",
    severity: Severity::Error,
    help: "\
A Ray pod mounts a Secret, or takes variables from one, and the API server says that there is no such Secret in the pod's namespace.

Why it matters: the pod stays in ContainerCreating (`FailedMount`) or CreateContainerConfigError, so Ray never starts in it. With
`optional: true` the pod starts with an empty folder and Ray fails on the missing file.

Mend it: create the Secret in the namespace of the pod, or correct the name. A Secret cannot be used across namespaces.

Authority: Kubernetes, Secrets: \"Using Secrets\" (a Secret must exist before a Pod that depends on it starts).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let mut missing: Vec<(String, String)> = Vec::new();
    for party in &case.model.parties {
        for name in wanted(case, party) {
            let id = (party.namespace.clone(), name);
            if matches!(case.evidence.secret(&id.0, &id.1), Seen::Absent) && !missing.contains(&id) {
                missing.push(id);
            }
        }
    }
    for (namespace, name) in &missing {
        let files: Vec<Use<'_>> = lens::uses(case).into_iter().filter(|u| feeds(u, namespace, name)).collect();
        let of = |(index, party): (usize, &Party)| {
            (party.namespace == *namespace && wanted(case, party).contains(name)).then_some(index)
        };
        let parties: Vec<usize> = case.model.parties.iter().enumerate().filter_map(of).collect();
        let message = format!(
            "Secret {namespace}/{name} does not exist, but {} cannot start without it: create it in namespace {namespace} or correct the name",
            lens::used_by(case.model, &parties)
        );
        let finding = findings.add(lens::object(case, SourceKind::Secret, namespace, name, None), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = lens::provide(&files);
        finding.edits.extend(parties.iter().map(|&party| Edit::Start { party }));
        finding.fact("looked for", format!("Secret {name} in namespace {namespace}"), "API server");
        for one in &files {
            let path = one.file.path.found().map_or("", String::as_str);
            let reader = &case.model.parties[one.party];
            finding.fact(one.file.variable, path, format!("{} container {}", reader.object, reader.container));
        }
    }
}

fn feeds(one: &Use<'_>, of_namespace: &str, of_name: &str) -> bool {
    matches!(&one.file.place, Place::Key { kind: SourceKind::Secret, namespace, name, .. }
        if namespace == of_namespace && name == of_name)
}

/// Names of the Secrets without which Ray of this party does not run: those behind its three files, and those
/// its container takes variables from.
fn wanted(case: &Case<'_>, party: &Party) -> Vec<String> {
    let mut names = Vec::new();
    if lens::speaks_tls(party) {
        for slot in lens::SLOTS {
            if let Place::Key { kind: SourceKind::Secret, name, .. } = &party.file(slot).place {
                names.push(name.clone());
            }
        }
    }
    let workload = party.workload.and_then(|index| case.evidence.workloads.get(index));
    let containers = workload.iter().flat_map(|w| w.init_containers.iter().chain(&w.containers));
    for container in containers.filter(|c| c.name == party.container) {
        names.extend(variables_from(container));
    }
    names.sort();
    names.dedup();
    names
}

fn variables_from(container: &Container) -> Vec<String> {
    let from = container.env_from.iter().filter(|f| f.kind == SourceKind::Secret && !f.optional);
    let keys = container.env.iter().filter_map(|variable| match &variable.source {
        EnvSource::Key { kind: SourceKind::Secret, name, optional: false, .. } => Some(name.clone()),
        _ => None,
    });
    from.map(|f| f.name.clone()).chain(keys).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use crate::diagnose::edit::Slot;

    #[test]
    fn a_secret_that_does_not_exist_stops_every_pod_that_mounts_it() {
        let scene = Scene::live(cluster(), vec![("ray-tls", None)]);
        let finding = only(&scene, &CHECK);
        assert_eq!((finding.subject.kind.as_str(), finding.subject.name.as_str()), ("Secret", "ray-tls"));
        assert!(finding.message.contains("ray/ray-head, ray/ray-worker"), "{}", finding.message);
        assert_mends(&scene, &finding);
        for party in [party(&scene, "ray/ray-head"), party(&scene, "ray/ray-worker")] {
            assert!(finding.edits.contains(&Edit::Start { party }));
            for slot in [Slot::Certificate, Slot::Key, Slot::Trust] {
                assert!(finding.edits.contains(&Edit::Provide { party, slot }));
            }
        }
    }

    #[test]
    fn a_secret_of_variables_counts_unless_it_is_optional() {
        let scene = |optional: bool| {
            let mut objects = cluster();
            objects[0]["spec"]["template"]["spec"]["containers"][0]["envFrom"] =
                serde_json::json!([{"secretRef": {"name": "settings", "optional": optional}}]);
            let why = crate::evidence::Why::TimedOut;
            Scene::live(objects, vec![("settings", None), ("ray-tls", Some(why))])
        };
        assert_eq!(only(&scene(false), &CHECK).subject.name, "settings");
        assert_eq!(scene(true).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
