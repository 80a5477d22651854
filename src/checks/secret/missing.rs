//! SEC01: a Secret that a Ray pod needs does not exist, or a ConfigMap with one of its files.

use crate::checks::lens::{self, Use, kind_name};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Edit;
use crate::evidence::{Container, EnvSource, Seen, SourceKind};
use crate::ray::issuance::{bundle_of, synced};
use crate::ray::{Party, Place};

/// The check.
pub static CHECK: Check = Check {
    code: "SEC01",
    name: "secret-missing",
    severity: Severity::Error,
    help: "\
A Ray pod mounts a Secret, or takes variables from one, and the API server says that there is no such Secret in the pod's namespace. The same of a
ConfigMap that one of the three TLS files comes from, as trust-manager writes them.

Why it matters: the pod stays in ContainerCreating (`FailedMount`) or CreateContainerConfigError, so Ray never starts in it. With
`optional: true` the pod starts with an empty folder and Ray fails on the missing file.

Mend it: create the Secret in the namespace of the pod, or correct the name. A Secret cannot be used across namespaces. What cert-manager or
trust-manager should write is mended there: see why the Certificate is not Ready, or the Bundle not Synced.

Authority: Kubernetes, Secrets: \"Using Secrets\" (a Secret must exist before a Pod that depends on it starts).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let mut missing: Vec<(String, Source)> = Vec::new();
    for party in &case.model.parties {
        for source in wanted(case, party) {
            let id = (party.namespace.clone(), source);
            if is_absent(case, &id.0, &id.1) && !missing.contains(&id) {
                missing.push(id);
            }
        }
    }
    for (namespace, source) in &missing {
        let (kind, name) = source;
        let what = format!("{} {namespace}/{name}", kind_name(*kind));
        let files: Vec<Use<'_>> = lens::uses(case).into_iter().filter(|u| feeds(u, namespace, source)).collect();
        let of = |(index, party): (usize, &Party)| {
            (party.namespace == *namespace && wanted(case, party).contains(source)).then_some(index)
        };
        let parties: Vec<usize> = case.model.parties.iter().enumerate().filter_map(of).collect();
        let message = format!(
            "{what} does not exist, but {} cannot start without it: create it in namespace {namespace} or correct the name",
            lens::used_by(case.model, &parties)
        );
        let finding = findings.add(lens::object(case, *kind, namespace, name, None), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = lens::provide(&files);
        finding.edits.extend(parties.iter().map(|&party| Edit::Start { party }));
        finding.fact("looked for", format!("{} {name} in namespace {namespace}", kind_name(*kind)), "API server");
        if let Some(bundle) = bundle_of(case.evidence, *kind, name) {
            let value = format!("trust-manager's Bundle {name}: {}", synced(bundle));
            finding.fact("written by", value, bundle.object.to_string());
        }
        for one in &files {
            let path = one.file.path.found().map_or("", String::as_str);
            let reader = &case.model.parties[one.party];
            finding.fact(one.file.variable, path, format!("{} container {}", reader.object, reader.container));
        }
    }
}

/// What a pod refers to in its namespace, by name.
type Source = (SourceKind, String);

fn is_absent(case: &Case<'_>, namespace: &str, (kind, name): &Source) -> bool {
    match kind {
        SourceKind::Secret => matches!(case.evidence.secret(namespace, name), Seen::Absent),
        SourceKind::ConfigMap => matches!(case.evidence.config_map(namespace, name), Seen::Absent),
    }
}

fn feeds(one: &Use<'_>, of_namespace: &str, (of_kind, of_name): &Source) -> bool {
    matches!(&one.file.place, Place::Key { kind, namespace, name, .. }
        if kind == of_kind && namespace == of_namespace && name == of_name)
}

/// The objects without which Ray of this party does not run: those behind its three files, and the Secrets that its
/// container takes variables from.
fn wanted(case: &Case<'_>, party: &Party) -> Vec<Source> {
    let mut sources = Vec::new();
    if lens::speaks_tls(party) {
        for slot in lens::SLOTS {
            if let Place::Key { kind, name, .. } = &party.file(slot).place {
                sources.push((*kind, name.clone()));
            }
        }
    }
    let workload = party.workload.and_then(|index| case.evidence.workloads.get(index));
    let containers = workload.iter().flat_map(|w| w.init_containers.iter().chain(&w.containers));
    for container in containers.filter(|c| c.name == party.container) {
        sources.extend(variables_from(container).into_iter().map(|name| (SourceKind::Secret, name)));
    }
    sources.sort();
    sources.dedup();
    sources
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
    use crate::checks::staging::trust_from_bundle;
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
    fn a_config_map_that_trust_manager_has_not_written_is_missing() {
        let scene = trust_from_bundle();
        let finding = only(&scene, &CHECK);
        assert_eq!((finding.subject.kind.as_str(), finding.subject.name.as_str()), ("ConfigMap", "ray-ca"));
        let written = finding.facts.iter().find(|fact| fact.what == "written by").unwrap();
        assert!(written.value.contains("Synced is False (SourceNotFound: no such Secret)"), "{}", written.value);
        assert_mends(&scene, &finding);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
