//! MNT03: does a file that Ray reads come by `subPath`?

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::Place;

/// The check.
pub static CHECK: Check = Check {
    code: "MNT03",
    name: "mounted-by-sub-path",
    severity: Severity::Warning,
    help: "\
A TLS file is mounted by `subPath` out of a Secret or ConfigMap.

Why it matters: Such a file is copied once, when the container starts. When the Secret is renewed, the mounted file stays the old one for the whole life of the container, so that even a
Ray that is started again inside of it reads the expired certificate.

Mend it: Mount the volume as a folder, without `subPath`, and point the three variables into it.

Authority: Kubernetes documentation *Secrets*: a container using a Secret as a subPath volume mount does not receive updates; kubernetes#50345.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::remark(
        case,
        findings,
        |_, file| matches!(file.place, Place::Key { sub_path: true, key: Some(_), .. }),
        |party, files| format!("{files} of {} is mounted by subPath: a renewed Secret never reaches it", party.id),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::container;
    use crate::checks::testing::*;
    use serde_json::json;

    #[test]
    fn a_sub_path_is_told_once_for_all_three_files_and_breaks_nothing() {
        let ca = Ca::new("ray-ca");
        let mut objects = cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem));
        let mount = |key: &str| json!({"name": "tls", "mountPath": format!("/etc/ray/tls/{key}"), "subPath": key});
        container(&mut objects[0])["volumeMounts"] = json!([mount("tls.crt"), mount("tls.key"), mount("ca.crt")]);
        let scene = Scene::manifests(objects);
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.breaks.is_empty() && finding.message.contains("/etc/ray/tls/tls.key"), "{}", finding.message);
        assert!(scene.matrix.iter().all(|j| *j.effective() == crate::judge::Verdict::Accept));
        assert_quiet(&CHECK);
    }
}
