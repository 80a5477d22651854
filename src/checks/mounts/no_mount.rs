//! MNT01: do the paths lie under a mount?

use crate::checks::environment::has_path;
use crate::checks::{Case, Check, Confidence, Findings, Severity};
use crate::diagnose::edit::Slot;
use crate::evidence::Seen;
use crate::ray::{Party, Place, TlsFile};

/// The check.
pub static CHECK: Check = Check {
    code: "MNT01",
    name: "path-under-no-mount",
    severity: Severity::Error,
    help: "\
A path of `RAY_TLS_SERVER_CERT`, `RAY_TLS_SERVER_KEY` or `RAY_TLS_CA_CERT` lies under no mount of the container, so that only the image could hold the file, or under the mount of a volume that the pod does not have.
It is a warning where no member of the cluster mounts such a file: the image may hold it then.

Why it matters: Python stops with `FileNotFoundError`. C++ reads a missing file as empty: without a certificate or key it aborts with a text about `Address already in use`; without the CA it starts
and refuses every client.

Mend it: Mount the Secret's volume in this very container at the folder of the path. Certificates baked into an image are possible, but a private key does not belong there.

Authority: Ray `src/ray/rpc/grpc_server.cc`; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let under = |_: &Party, file: &TlsFile| has_path(file) && file.place == Place::NoMount && super::unread(file);
    // An image that brings its own files is a choice when all of a cluster make it.
    let weight = |party: &Party, slots: &[Slot]| match slots.iter().any(|&slot| mounted_elsewhere(case, party, slot)) {
        true => (Severity::Error, Confidence::Predicted),
        false => (Severity::Warning, Confidence::Suspected),
    };
    super::tell(case, findings, weight, under, |party, slots| {
        format!("nothing is mounted in {} at {}", party.id, super::paths(party, slots))
    });
    let gone = |_: &Party, file: &TlsFile| has_path(file) && matches!(file.place, Place::NoVolume(_));
    super::tell(
        case,
        findings,
        |_, _| (Severity::Error, Confidence::Proved),
        gone,
        |party, slots| {
            let volume = slots.iter().find_map(|&slot| match &party.file(slot).place {
                Place::NoVolume(volume) => Some(volume.as_str()),
                _ => None,
            });
            format!(
                "the mount in {} at {} names volume {}, which the pod does not have: the API server refuses it",
                party.id,
                super::paths(party, slots),
                volume.unwrap_or_default(),
            )
        },
    );
}

/// Whether this container mounts certificates at another path, or a member of its cluster mounts this file.
fn mounted_elsewhere(case: &Case<'_>, party: &Party, slot: Slot) -> bool {
    let mounts = |other: &Party| !matches!(other.file(slot).place, Place::NoPath | Place::NoMount | Place::NoVolume(_));
    matches!(party.file(slot).content, Seen::Absent)
        || case.model.parties.iter().any(|other| other.cluster == party.cluster && mounts(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{container, live, named, tls};
    use crate::checks::testing::{Ca, Scene, cluster_with};
    use crate::diagnose::edit::Edit;
    use crate::evidence::Settings;

    fn unmounted() -> Vec<serde_json::Value> {
        let mut objects = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
        container(&mut objects[1])["volumeMounts"] = serde_json::json!([]);
        objects
    }

    #[test]
    fn nothing_is_mounted() {
        let scene = Scene::manifests(unmounted());
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("/etc/ray/tls/ca.crt"), "{}", findings[0].message);
        assert_eq!(findings[0].edits.len(), 3);
        assert!(findings[0].edits.iter().all(|e| matches!(e, Edit::Share { .. })), "{:?}", findings[0].edits);
        let healthy = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
        assert_eq!(Scene::manifests(healthy).run(&CHECK), []);
    }

    #[test]
    fn files_of_the_image_are_possible_where_nobody_mounts_any() {
        let mut objects = unmounted();
        for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
            container(object)["volumeMounts"] = serde_json::json!([]);
        }
        let findings = Scene::manifests(objects).run(&CHECK);
        assert!(!findings.is_empty());
        assert!(findings.iter().all(|f| f.severity == Severity::Warning), "{findings:?}");
    }

    #[test]
    fn a_mount_of_no_volume() {
        let mut objects = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
        objects[1]["spec"]["template"]["spec"]["volumes"] = serde_json::json!([]);
        let findings = Scene::manifests(objects).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(
            findings[0].message.contains("names volume tls, which the pod does not have"),
            "{}",
            findings[0].message
        );
    }

    #[test]
    fn a_port_that_speaks_tls_proves_the_files() {
        let mut objects = unmounted();
        objects.swap(0, 1);
        container(&mut objects[1])["volumeMounts"] = serde_json::json!([]);
        let pods = [("ray-head", "ray-head-0", "10.0.0.5")];
        let scene = live(objects, &pods);
        assert_eq!(scene.run(&CHECK).len(), 2);
        let leaf = Ca::new("ca").leaf();
        assert_eq!(scene.see("ray-head-0", 6379, tls(&leaf.certificate, Settings::TimedOut)).run(&CHECK).len(), 1);
    }
}
