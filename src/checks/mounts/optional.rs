//! MNT04: is the volume of Ray's files optional?

use crate::checks::{Case, Check, Findings, Severity};
use crate::evidence::VolumeSource;
use crate::ray::{Party, Place, TlsFile};

/// The check.
pub static CHECK: Check = Check {
    code: "MNT04",
    name: "tls-volume-optional",
    severity: Severity::Warning,
    help: "\
The Secret or ConfigMap that holds a TLS file is mounted with `optional: true`.

Why it matters: When it is missing, the pod starts with an empty folder instead of waiting for it: Python stops with `FileNotFoundError`, and C++ reads a missing file as empty. A Secret that cert-manager makes a
moment later then comes too late, because Ray reads its files once.

Mend it: Take `optional: true` away. The kubelet then holds the container back until the Secret is there.

Authority: Kubernetes API reference, SecretVolumeSource.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::remark(
        case,
        findings,
        |party, file| is_optional(case, party, file),
        |party, files| {
            format!(
                "{files} of {} is in an optional volume: without its Secret the pod starts with an empty folder",
                party.id
            )
        },
    );
}

fn is_optional(case: &Case<'_>, party: &Party, file: &TlsFile) -> bool {
    let Place::Key { kind, name, .. } = &file.place else { return false };
    let workload = party.workload.and_then(|index| case.evidence.workloads.get(index));
    let mut open: Vec<&VolumeSource> = workload.iter().flat_map(|w| w.volumes.iter().map(|v| &v.source)).collect();
    while let Some(source) = open.pop() {
        match source {
            VolumeSource::Object { kind: of, name: named, optional: true, .. } if of == kind && named == name => {
                return true;
            }
            VolumeSource::Projected(sources) => open.extend(sources),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;
    use serde_json::json;

    #[test]
    fn an_optional_secret_is_told() {
        let mut objects = cluster();
        objects[0]["spec"]["template"]["spec"]["volumes"][0]["secret"]["optional"] = json!(true);
        let finding = only(&Scene::manifests(objects), &CHECK);
        assert!(finding.message.contains("of ray/ray-head is in an optional volume"), "{}", finding.message);
        assert_quiet(&CHECK);
    }
}
