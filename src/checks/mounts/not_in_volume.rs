//! MNT05: does the mounted volume make the file that the path names?

use std::collections::BTreeSet;

use crate::checks::{Case, Check, Confidence, Findings, Severity, lens};
use crate::evidence::{VolumeSource, Workload};
use crate::ray::{Party, Place, TlsFile};

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
        Confidence::Proved,
        |file| matches!(file.place, Place::Key { key: None, .. }) && super::unread(file),
        |party, slots| {
            let files: Vec<&TlsFile> = slots.iter().map(|&slot| lens::file(party, slot)).collect();
            let paths: Vec<String> = (files.iter())
                .map(|file| format!("{} ({})", file.path.found().map_or("", String::as_str), file.variable))
                .collect();
            let made = files.first().map(|file| made(case, party, &file.place)).unwrap_or_default();
            format!("no file {} in {}: {made}", paths.join(", "), party.id)
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
