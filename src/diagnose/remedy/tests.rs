//! What steps say, from objects to text.

use serde_json::json;

use super::*;
use crate::checks::names::head_pod_address::CHECK;
use crate::checks::staging::{by_pod_ip, client, live, named, ray_cluster, strip, trust_from_bundle};
use crate::checks::testing::{Ca, Scene, cluster, cluster_with, head, service, tls_secret, worker};

#[test]
fn no_step_asks_for_the_ip_of_a_pod_that_another_step_restarts() {
    let mut objects = by_pod_ip();
    objects.push(named(&["ray-head-svc", "127.0.0.1"]));
    let scene = live(objects, &[("ray-head", "ray-head-0", "10.0.0.5")]);
    let edits: Vec<Edit> = scene.run(&CHECK).into_iter().flat_map(|finding| finding.edits).collect();
    let remedy = of(&scene.model, &scene.evidence, &edits);
    let all = format!("{:?}", remedy.steps);
    assert!(all.contains("status.podIP") && all.contains("rollout restart"), "{all}");
    assert!(!all.contains("10.0.0.5"), "{all}");
}

/// The steps of the first cause, as text.
fn first_cause(scene: &Scene) -> String {
    let findings = crate::checks::examine(&scene.case());
    let causes = super::super::causes::causes(&scene.model, &scene.evidence, scene.now, &scene.matrix, &findings);
    format!("{} {:?}", findings[causes[0].finding].code, causes[0].remedy.steps)
}

#[test]
fn a_missing_secret_may_be_cert_managers_where_its_objects_were_not_seen() {
    let scene = Scene::live(cluster(), vec![("ray-tls", None)]);
    let told = first_cause(&scene);
    assert!(told.contains("SEC01") && told.contains("create secret generic ray-tls"), "{told}");
    assert!(told.contains("mend the Certificate with this spec.secretName"), "{told}");
    let mut evidence = scene.evidence;
    evidence.issuance.listed = vec!["ray".into()];
    let told = first_cause(&Scene::of(evidence, scene.now));
    assert!(told.contains("create secret generic ray-tls") && !told.contains("mend the Certificate"), "{told}");
}

#[test]
fn what_trust_manager_writes_is_mended_in_its_bundle() {
    let told = first_cause(&trust_from_bundle());
    assert!(told.contains("SEC01") && told.contains("kubectl describe bundle ray-ca"), "{told}");
    assert!(told.contains("Synced is False (SourceNotFound: no such Secret)"), "{told}");
}

#[test]
fn two_designs_are_one_too_many() {
    let mut both = ray_cluster();
    both["spec"]["tlsOptions"] = json!({"enabled": true});
    let told = first_cause(&Scene::manifests(vec![both]));
    assert!(told.contains("KBR04") && told.contains("Or take spec.tlsOptions out"), "{told}");
    assert!(told.contains("RAY_USE_TLS in the head group") && !told.contains("started again"), "{told}");
}

#[test]
fn a_client_of_the_operators_tls_mounts_the_operators_secret() {
    let mut made = ray_cluster();
    made["spec"]["tlsOptions"] = json!({"enabled": true});
    made["spec"]["autoscalerOptions"] = json!({});
    for at in ["/spec/headGroupSpec", "/spec/workerGroupSpecs/0"] {
        let container = &mut made.pointer_mut(at).unwrap()["template"]["spec"]["containers"][0];
        container["env"] = json!([]);
        container["volumeMounts"] = json!([]);
    }
    let mut app = client("app", "ray://demo-head-svc.ray.svc.cluster.local:10001");
    strip(&mut app);
    let told = first_cause(&Scene::manifests(vec![made, app]));
    assert!(told.contains("CLI01") && told.contains("secretName: ray-worker-secret-demo"), "{told}");
    assert!(!told.contains("Put the"), "{told}");
}

#[test]
fn a_file_that_is_not_readable_wants_a_group() {
    let mut objects = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
    objects[0]["spec"]["template"]["spec"]["volumes"][0]["secret"]["defaultMode"] = json!(0o400);
    let told = first_cause(&Scene::live(objects, vec![]));
    assert!(
        told.contains("KEY06") && told.contains("fsGroup: 1000") && told.contains("patch deployment ray-head"),
        "{told}"
    );
}

#[test]
fn both_cas_are_put_into_a_trust_file_by_commands() {
    let (ca, other) = (Ca::new("ray-ca"), Ca::new("other-ca"));
    let objects = || {
        vec![
            head("head-tls"),
            worker("worker-tls"),
            service(),
            tls_secret("head-tls", &ca.leaf(), &ca.pem),
            tls_secret("worker-tls", &ca.leaf(), &other.pem),
        ]
    };
    let told = first_cause(&Scene::live(objects(), vec![]));
    assert!(told.contains("CHN02"), "{told}");
    for part in ["get secret worker-tls", "awk 1 has.pem added.pem > both.pem", "patch secret worker-tls"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = first_cause(&Scene::manifests(objects()));
    assert!(!told.contains("kubectl -n ray patch") && !told.contains("rollout restart"), "{told}");
    assert!(told.contains("After the next apply see that the pods are started again"), "{told}");
}
