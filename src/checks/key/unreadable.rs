//! KEY06: may the user that Ray runs as read the files?

use crate::checks::{Case, Check, Confidence, Findings, Severity, mounts};
use crate::evidence::Inside;
use crate::ray::{Access, Party, inside};

/// The check.
pub static CHECK: Check = Check {
    code: "KEY06",
    name: "file-not-readable",
    severity: Severity::Error,
    help: "\
The mode of a mounted file keeps the user that Ray runs as from reading it: mostly `defaultMode: 0400` without `fsGroup`.

Why it matters: The kubelet writes files of Secrets as root's. Ray's images run as user 1000, which may then not read them: Python stops with `PermissionError`, and C++ reads an unreadable file as empty and does not start its server.
With `fsGroup` the files belong to that group, and the kubelet lets the group read them, whatever the mode says.

Where the image's user is not known and no `runAsUser` names it, this is not decided.

Mend it: Set `securityContext.fsGroup: 1000` in the pod, or `defaultMode: 0444`. In JSON modes are decimal: 0400 is 256, 0440 is 288.

Authority: Kubernetes documentation *Secrets* and *Configure a Security Context*; `pkg/volume/volume_linux.go`; Ray's Dockerfile (`USER ray`, 1000).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    mounts::tell(
        case,
        findings,
        |party, _| (Severity::Error, confidence(case, party)),
        |_, file| matches!(file.access, Access::Denied(_)) && !file.mended,
        |party, slots| {
            let why = slots.iter().find_map(|&slot| match &party.file(slot).access {
                Access::Denied(why) => Some(why.as_str()),
                _ => None,
            });
            format!(
                "{} may not read {}: {}; set fsGroup, or a mode that lets it",
                party.id,
                mounts::paths(party, slots),
                why.unwrap_or_default()
            )
        },
    );
}

/// Proved where a pod said so or the user is written, predicted where it is that of Ray's own image.
fn confidence(case: &Case<'_>, party: &Party) -> Confidence {
    let refused = |told: &Inside| told.files.iter().any(|f| f.pid == told.reader && f.readable == Some(false));
    if inside::all(case.evidence, party).into_iter().any(refused) {
        return Confidence::Proved;
    }
    let workload = party.workload.and_then(|at| case.evidence.workloads.get(at));
    let written = |w: &crate::evidence::Workload| {
        let own = w.containers.iter().find(|c| c.name == party.container).and_then(|c| c.security.user);
        own.or(w.security.user).is_some()
    };
    if workload.is_some_and(written) { Confidence::Proved } else { Confidence::Predicted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;
    use crate::ray::Slot;
    use serde_json::{Value, json};

    fn scene(change: impl Fn(&mut Value)) -> Scene {
        let ca = Ca::new("ray-ca");
        let mut objects = cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem));
        let spec = &mut objects[0]["spec"]["template"]["spec"];
        spec["volumes"][0]["secret"]["defaultMode"] = json!(0o400);
        change(spec);
        Scene::manifests(objects)
    }

    #[test]
    fn a_mode_that_shuts_ray_out_is_the_cause() {
        let scene = scene(|_| {});
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.confidence, Confidence::Predicted, "the user is the image's");
        assert!(finding.message.contains("0400") && finding.message.contains("user 1000"), "{}", finding.message);
        assert_eq!(finding.edits.len(), [Slot::Certificate, Slot::Key, Slot::Trust].len());
        assert_mends(&scene, &finding);
        assert_eq!(scene.codes(), ["KEY06"]);
    }

    #[test]
    fn groups_and_root_may_read() {
        assert_eq!(scene(|spec| spec["securityContext"] = json!({"fsGroup": 1000})).codes(), Vec::<&str>::new());
        assert_eq!(scene(|spec| spec["securityContext"] = json!({"runAsUser": 0})).run(&CHECK), []);
        let stranger = scene(|spec| spec["containers"][0]["image"] = json!("me/ray:1"));
        assert_eq!(stranger.run(&CHECK), []);
        let doubt = |j: &crate::judge::Judged| matches!(j.effective(), crate::judge::Verdict::CannotTell(_));
        assert!(stranger.matrix.iter().any(doubt), "it is not decided, and not called good");
        assert_quiet(&CHECK);
    }
}
