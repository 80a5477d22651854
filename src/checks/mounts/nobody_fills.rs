//! MNT07: does anybody write the emptyDir that Ray reads?

use crate::checks::{Case, Check, Confidence, Findings, Severity};
use crate::evidence::Seen;
use crate::ray::{Place, TlsFile};

/// The check.
pub static CHECK: Check = Check {
    code: "MNT07",
    name: "empty-dir-without-producer",
    severity: Severity::Error,
    help: "\
A path of Ray's files lies in an `emptyDir`, and nothing in the pod writes there: no init container and no other container mounts it for writing, and Ray's own container runs nothing but Ray.

Why it matters: An emptyDir is empty when the pod starts. KubeRay's sample fills it in an init container (`ray-head-tls`, `ray-worker-tls`) that each pod template needs; a worker group that was added
later, or a patch that replaced the list of init containers, lacks it. Ray finds no file.

Mend it: Add the init container that makes the certificate to this pod template too, or mount the Secret itself.

Authority: Kubernetes documentation *Volumes*, emptyDir; KubeRay `ray-cluster.tls.yaml`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let empty = |file: &TlsFile| file.place == Place::MadeInPod(None) && file.content == Seen::Absent;
    super::tell(
        case,
        findings,
        |_, _| (Severity::Error, Confidence::Predicted),
        |_, file| empty(file),
        |party, slots| {
            format!(
                "{} of {} is in an emptyDir that no init container and no other container of its pod writes",
                super::paths(party, slots),
                party.id
            )
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::container;
    use crate::checks::testing::*;
    use serde_json::{Value, json};

    fn objects() -> Vec<Value> {
        let ca = Ca::new("ray-ca");
        let mut objects = cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem));
        container(&mut objects[1])["volumeMounts"] = json!([{"name": "tls", "mountPath": "/etc/ray/tls"}]);
        objects[1]["spec"]["template"]["spec"]["volumes"] = json!([{"name": "tls", "emptyDir": {}}]);
        objects
    }

    #[test]
    fn an_empty_folder_stays_empty() {
        let scene = Scene::manifests(objects());
        let finding = only(&scene, &CHECK);
        assert!(finding.message.contains("of ray/ray-worker is in an emptyDir"), "{}", finding.message);
        assert_mends(&scene, &finding);
        assert_quiet(&CHECK);
    }

    #[test]
    fn whoever_may_write_it_is_believed_to() {
        let quiet = |change: &dyn Fn(&mut Value)| {
            let mut objects = objects();
            change(&mut objects[1]);
            assert_eq!(Scene::manifests(objects).run(&CHECK), []);
        };
        let writer = json!({"name": "gen", "image": "x", "volumeMounts": [{"name": "tls", "mountPath": "/out"}]});
        quiet(&|worker| worker["spec"]["template"]["spec"]["initContainers"] = json!([writer]));
        quiet(&|worker| {
            worker["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().push(writer.clone());
        });
        quiet(&|worker| {
            let script = "make-certs.sh && ray start --address=ray-head-svc:6379 --node-ip-address=ray-worker --block";
            container(worker)["command"] = json!(["bash", "-c", script]);
        });
    }
}
