//! MNT01: do the paths lie under a mount?

use crate::checks::environment::has_path;
use crate::checks::{Case, Check, Confidence, Findings, Severity};
use crate::ray::Place;

/// The check.
pub static CHECK: Check = Check {
    code: "MNT01",
    name: "path-under-no-mount",
    severity: Severity::Error,
    help: "\
A path of `RAY_TLS_SERVER_CERT`, `RAY_TLS_SERVER_KEY` or `RAY_TLS_CA_CERT` lies under no mount of the container, so that only the image could hold the file.

Why it matters: Python stops with `FileNotFoundError`. C++ reads a missing file as empty: without a certificate or key it aborts with a text about `Address already in use`; without the CA it starts
and refuses every client.

Mend it: Mount the Secret's volume in this very container at the folder of the path. Certificates baked into an image are possible, but a private key does not belong there.

Authority: Ray `src/ray/rpc/grpc_server.cc`; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::tell(
        case,
        findings,
        Confidence::Predicted,
        |file| has_path(file) && file.place == Place::NoMount && super::unread(file),
        |party, slots| {
            let paths: Vec<String> = slots
                .iter()
                .map(|&slot| party.file(slot))
                .map(|file| format!("{} ({})", file.path.found().map_or("", String::as_str), file.variable))
                .collect();
            format!("nothing is mounted in {} at {}", party.id, paths.join(", "))
        },
    );
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
