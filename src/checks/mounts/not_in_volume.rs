//! MNT05: does the mounted volume make the file that the path names?

use std::collections::BTreeSet;

use crate::checks::{Case, Check, Confidence, Findings, Severity, lens};
use crate::evidence::{VolumeSource, Workload};
use crate::ray::{Party, Place};

/// The check.
pub static CHECK: Check = Check {
    code: "MNT05",
    name: "path-not-in-volume",
    severity: Severity::Error,
    help: "\
The path lies in a mounted Secret or ConfigMap, but its `items` (or `subPath`) make no file of that name.

Why it matters: With `items` only the listed keys become files, under the listed names. A renamed or forgotten key is a missing file: `FileNotFoundError` in Python, an empty file
to C++.

Mend it: Make the last part of the path and `items[].path` the same, or drop `items` so that every key becomes a file of its own name.

Authority: Kubernetes API reference, KeyToPath.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::tell(
        case,
        findings,
        |_, _| (Severity::Error, Confidence::Proved),
        |_, file| matches!(file.place, Place::Key { key: None, .. }) && super::unread(file),
        |party, slots| {
            let made = slots.first().map(|&slot| made(case, party, &party.file(slot).place)).unwrap_or_default();
            format!("no file {} in {}: {made}", super::paths(party, slots), party.id)
        },
    );
}

/// What the volume makes, in a clause.
fn made(case: &Case<'_>, party: &Party, place: &Place) -> String {
    let Place::Key { kind, name, .. } = place else { return String::new() };
    let workload = party.workload.and_then(|w| case.evidence.workloads.get(w));
    let files = workload.map(|w| files(w, name)).unwrap_or_default();
    let object = format!("{} {name}", lens::kind_name(*kind));
    match files.is_empty() {
        true => format!("the volume of {object} does not make it"),
        false => format!("the volume of {object} makes {}", files.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

fn files(workload: &Workload, object: &str) -> BTreeSet<String> {
    let mut stack: Vec<&VolumeSource> = workload.volumes.iter().map(|v| &v.source).collect();
    let mut files = BTreeSet::new();
    while let Some(source) = stack.pop() {
        match source {
            VolumeSource::Object { name, items, .. } if name == object => {
                files.extend(items.iter().map(|item| item.path.clone()));
            }
            VolumeSource::Projected(sources) => stack.extend(sources),
            _ => {}
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::named;
    use crate::checks::testing::{Scene, cluster, cluster_with};
    use serde_json::json;

    fn scene(path: &str) -> Scene {
        let mut objects = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
        objects[0]["spec"]["template"]["spec"]["volumes"][0]["secret"]["items"] = json!([
            {"key": "tls.crt", "path": "tls.crt"}, {"key": "tls.key", "path": "tls.key"}, {"key": "ca.crt", "path": path}
        ]);
        Scene::manifests(objects)
    }

    #[test]
    fn a_renamed_item_misses_the_path() {
        let findings = scene("ca.pem").run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("/etc/ray/tls/ca.crt"), "{}", findings[0].message);
        assert!(findings[0].message.contains("makes ca.pem, tls.crt, tls.key"), "{}", findings[0].message);
        assert_eq!(findings[0].subject.key.as_deref(), Some("RAY_TLS_CA_CERT"));
        assert!(!findings[0].breaks.is_empty() && findings[0].edits.len() == 1);
    }

    #[test]
    fn matching_items_and_unseen_secrets_are_silent() {
        assert_eq!(scene("ca.crt").run(&CHECK), []);
        assert_eq!(Scene::manifests(cluster()).run(&CHECK), []);
    }
}
