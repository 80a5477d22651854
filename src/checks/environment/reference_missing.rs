//! ENV09: do the objects and keys exist that TLS variables come from?

use std::collections::BTreeSet;

use crate::checks::environment::{VARIABLES, container};
use crate::checks::{Case, Check, Findings, Severity, Subject, lens};
use crate::diagnose::edit::{Edit, Slot};
use crate::evidence::{EnvSource, Seen, SourceKind};
use crate::judge::Failure;

/// The check.
pub static CHECK: Check = Check {
    code: "ENV09",
    name: "referenced-value-missing",
    severity: Severity::Error,
    help: "\
A variable comes from a ConfigMap or Secret (`valueFrom`, `envFrom`) that does not exist or does not have the key.

Why it matters: Unless the reference is `optional`, the container does not start: `CreateContainerConfigError`. If it is optional, the variable is simply not set, and Ray
speaks plaintext without a word.

Mend it: Create the object or the key, or correct the name.

Authority: Kubernetes documentation *Configure a Pod to Use a ConfigMap*.",
    run,
};

/// A reference that leads nowhere.
struct Lost {
    subject: Subject,
    variable: Option<String>,
    optional: bool,
}

fn run(case: &Case<'_>, findings: &mut Findings) {
    let mut told: BTreeSet<(Subject, Option<usize>)> = BTreeSet::new();
    for (index, party) in case.model.parties.iter().enumerate() {
        for lost in lost(case, index) {
            if !told.insert((lost.subject.clone(), party.workload)) {
                continue;
            }
            let missing = lens::phrase(&lost.subject);
            let needed_for = match &lost.variable {
                Some(variable) => format!("{} of {}", variable, party.id),
                None => format!("envFrom of {}", party.id),
            };
            let message = match lost.optional {
                false => format!("{missing} does not exist, but {needed_for} needs it: the container cannot start"),
                true => format!("{missing} does not exist, so that {needed_for} is not set (optional)"),
            };
            let finding = findings.add(lost.subject, message);
            if lost.optional {
                finding.severity = Severity::Warning;
                continue;
            }
            finding.edits = edits(index, lost.variable.as_deref());
            finding.breaks = lens::failing_by(case, |b| {
                matches!(b.failure, Failure::NotRunning(_))
                    && (b.connection.dialer == index || b.connection.target == index)
            });
        }
    }
}

fn lost(case: &Case<'_>, index: usize) -> Vec<Lost> {
    let party = &case.model.parties[index];
    let Some(container) = container(case, party) else { return Vec::new() };
    let mut list = Vec::new();
    for variable in container.env.iter().filter(|v| VARIABLES.contains(&v.name.as_str())) {
        let EnvSource::Key { kind, name, key, optional } = &variable.source else { continue };
        let at = match keys(case, *kind, &party.namespace, name) {
            Seen::Found(keys) if !keys.contains(key.as_str()) => Some(key.as_str()),
            // SEC01 tells of Secrets that do not exist and are needed.
            Seen::Absent if *optional || *kind == SourceKind::ConfigMap => None,
            Seen::Absent | Seen::Found(_) | Seen::Unseen(_) => continue,
        };
        list.push(Lost {
            subject: lens::object(case, *kind, &party.namespace, name, at),
            variable: Some(variable.name.clone()),
            optional: *optional,
        });
    }
    for from in container.env_from.iter().filter(|f| !f.optional && f.kind == SourceKind::ConfigMap) {
        if matches!(keys(case, from.kind, &party.namespace, &from.name), Seen::Absent) {
            let subject = lens::object(case, from.kind, &party.namespace, &from.name, None);
            list.push(Lost { subject, variable: None, optional: false });
        }
    }
    list
}

fn keys<'a>(case: &Case<'a>, kind: SourceKind, namespace: &str, name: &str) -> Seen<BTreeSet<&'a str>> {
    match kind {
        SourceKind::ConfigMap => {
            case.evidence.config_map(namespace, name).map(|c| c.data.keys().map(String::as_str).collect())
        }
        SourceKind::Secret => (case.evidence.secret(namespace, name))
            .map(|s| s.data.keys().chain(s.invalid.keys()).map(String::as_str).collect()),
    }
}

fn edits(party: usize, variable: Option<&str>) -> Vec<Edit> {
    let mut edits = vec![Edit::Start { party }];
    edits.extend(match variable {
        Some("RAY_USE_TLS") => Some(Edit::SetSwitch { party, on: true }),
        Some("RAY_TLS_SERVER_CERT") => Some(Edit::Provide { party, slot: Slot::Certificate }),
        Some("RAY_TLS_SERVER_KEY") => Some(Edit::Provide { party, slot: Slot::Key }),
        Some("RAY_TLS_CA_CERT") => Some(Edit::Provide { party, slot: Slot::Trust }),
        _ => None,
    });
    edits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{container, set};
    use crate::checks::testing::{Scene, cluster};
    use serde_json::{Value, json};

    fn objects(optional: bool) -> Vec<Value> {
        let mut objects = cluster();
        set(&mut objects[1], "RAY_USE_TLS", None);
        container(&mut objects[1])["env"].as_array_mut().unwrap().push(json!({
            "name": "RAY_USE_TLS",
            "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "tls", "optional": optional}},
        }));
        objects
    }

    fn settings(key: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "ray"},
            "data": {key: "1"},
        })
    }

    #[test]
    fn a_key_that_is_not_there() {
        let with = |optional, key| {
            let mut objects = objects(optional);
            objects.push(settings(key));
            Scene::manifests(objects).run(&CHECK)
        };
        let findings = with(false, "RAY_USE_TLS");
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].message.contains("key tls of ConfigMap ray/settings does not exist"),
            "{}",
            findings[0].message
        );
        assert!(matches!(findings[0].edits[..], [Edit::Start { .. }, Edit::SetSwitch { on: true, .. }]));
        assert_eq!(with(true, "RAY_USE_TLS")[0].severity, Severity::Warning);
        assert_eq!(with(false, "tls"), []);
    }

    #[test]
    fn an_object_that_is_not_rendered_may_exist() {
        assert_eq!(Scene::manifests(objects(false)).run(&CHECK), []);
    }

    #[test]
    fn an_object_that_the_api_server_does_not_have() {
        let mut scene = Scene::live(objects(false), vec![]);
        scene.evidence.lookups.push(crate::evidence::Lookup {
            object: crate::evidence::ObjectRef::new("ConfigMap", "ray", "settings"),
            unseen: None,
        });
        assert_eq!(scene.again().run(&CHECK).len(), 1);
    }
}
