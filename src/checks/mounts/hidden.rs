//! MNT06: does another mount hide the file?

use crate::checks::environment::container;
use crate::checks::{Case, Check, Confidence, Findings, Severity};
use crate::ray::{Party, TlsFile, material};

/// The check.
pub static CHECK: Check = Check {
    code: "MNT06",
    name: "file-hidden-by-mount",
    severity: Severity::Error,
    help: "\
The file that a path names is in one mounted volume, and another volume is mounted over it.

Why it matters: Of mounts inside of each other the inner one shows; what the outer one has below that folder cannot be seen by any process. Ray finds no file, or another one.
Two mounts at one path are refused by the API server.

Mend it: Mount the volumes at separate folders, or take the inner mount away.

Authority: Kubernetes API reference, VolumeMount; mount(2).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::tell(
        case,
        findings,
        |_, _| (Severity::Error, Confidence::Proved),
        |party, file| super::unread(file) && hidden(case, party, file).is_some(),
        |party, slots| {
            let told = slots.iter().find_map(|&slot| {
                let file = party.file(slot);
                let (outer, inner) = hidden(case, party, file)?;
                Some(format!(
                    "volume {outer} has {} for {}, but volume {inner} is mounted over it",
                    path(file),
                    party.id
                ))
            });
            told.unwrap_or_default()
        },
    );
}

fn path(file: &TlsFile) -> &str {
    file.path.found().map_or("", String::as_str)
}

/// Volume and path of the outer mount, and of the inner one.
fn hidden(case: &Case<'_>, party: &Party, file: &TlsFile) -> Option<(String, String)> {
    let workload = case.evidence.workloads.get(party.workload?)?;
    let (outer, inner) = material::hidden(case.evidence, workload, container(case, party)?, path(file), file.variable)?;
    let told = |mount: &crate::evidence::Mount| format!("{} at {}", mount.volume, mount.path);
    Some((told(outer), told(inner)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::container;
    use crate::checks::testing::*;
    use serde_json::json;

    #[test]
    fn an_empty_folder_over_the_secret_is_the_cause() {
        let ca = Ca::new("ray-ca");
        let mut objects = cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem));
        container(&mut objects[0])["volumeMounts"] = json!([
            {"name": "tls", "mountPath": "/etc/ray"}, {"name": "tls", "mountPath": "/etc/ray/tls"},
        ]);
        assert_eq!(Scene::manifests(objects.clone()).run(&CHECK), [], "the inner one has it too");
        container(&mut objects[0])["volumeMounts"] = json!([
            {"name": "tls", "mountPath": "/etc/ray/tls"}, {"name": "scratch", "mountPath": "/etc/ray/tls/ca.crt"},
        ]);
        let volumes = &mut objects[0]["spec"]["template"]["spec"]["volumes"];
        volumes.as_array_mut().unwrap().push(json!({"name": "scratch", "emptyDir": {}}));
        let scene = Scene::manifests(objects);
        let finding = only(&scene, &CHECK);
        assert!(finding.message.contains("scratch at /etc/ray/tls/ca.crt is mounted over it"), "{}", finding.message);
        assert_mends(&scene, &finding);
        assert_quiet(&CHECK);
    }
}
