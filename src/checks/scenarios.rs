//! One fault each, from objects to the first cause: checks, edits and diagnosis together.

use serde_json::{Value, json};

use super::staging::{NODES, by_pod_ip, client, container, leaf, live, named, nodes, ray_cluster, set, strip, tls};
use super::testing::{Ca, Scene, cluster_with, unexplained};
use super::{Severity, examine};
use crate::diagnose::causes::causes;
use crate::evidence::{Client, Outcome, Settings};
use crate::judge::Verdict;

const NAMES: [&str; 3] = ["ray-head-svc", "ray-worker", "127.0.0.1"];
const PODS: [(&str, &str, &str); 2] =
    [("ray-head", "ray-head-0", "10.0.0.5"), ("ray-worker", "ray-worker-0", "10.0.0.6")];

/// Codes of the causes in order.
fn diagnosed(scene: &Scene) -> Vec<&'static str> {
    let findings = examine(&scene.case());
    let causes = causes(&scene.model, &scene.evidence, scene.now, &scene.matrix, &findings);
    assert_eq!(unexplained(scene), Vec::<String>::new());
    causes.iter().map(|cause| findings[cause.finding].code).collect()
}

fn with_client(names: &[&str], change: impl FnOnce(&mut Vec<Value>)) -> Scene {
    let mut objects = cluster_with(named(names));
    objects.push(client("app", "ray://ray-head-svc:10001"));
    change(&mut objects);
    Scene::manifests(objects)
}

fn kuberay(change: impl FnOnce(&mut Value)) -> Scene {
    let mut cluster = ray_cluster();
    change(&mut cluster);
    let ca = Ca::new("ca");
    let pair = leaf(&ca, &["demo-head-svc.ray.svc.cluster.local", "127.0.0.1", "10.0.0.9"]);
    Scene::manifests(vec![cluster, super::testing::tls_secret("ray-tls", &pair, &ca.pem)])
}

#[test]
fn healthy() {
    let scene = with_client(&NAMES, |_| ());
    let errors: Vec<_> =
        examine(&scene.case()).into_iter().filter(|f| f.severity == Severity::Error).map(|f| f.message).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(diagnosed(&scene), Vec::<&str>::new());
    assert_eq!(diagnosed(&kuberay(|_| ())), Vec::<&str>::new());
}

#[test]
fn names() {
    let one = diagnosed(&with_client(&["ray-head", "ray-worker", "127.0.0.1"], |_| ()));
    assert!(one == ["NAM01"] || one == ["NAM02"], "{one:?}: one new certificate mends both");
    assert_eq!(diagnosed(&with_client(&["ray-head-svc", "ray-worker"], |_| ())), ["NAM11"]);
    let mut objects = by_pod_ip();
    objects.push(named(&["ray-head-svc", "127.0.0.1"]));
    assert_eq!(diagnosed(&Scene::manifests(objects.clone())), ["NAM03"]);
    assert_eq!(diagnosed(&live(objects.clone(), &PODS)), ["NAM03"]);
    let stuck = live(objects, &PODS).see("ray-head-0", 10001, Outcome::Refused);
    assert_eq!(diagnosed(&stuck), ["NAM03"]);
}

#[test]
fn settings() {
    assert_eq!(diagnosed(&with_client(&NAMES, |o| set(&mut o[1], "RAY_USE_TLS", Some(json!("yes"))))), ["ENV02"]);
    assert_eq!(diagnosed(&with_client(&NAMES, |o| set(&mut o[1], "RAY_USE_TLS", None))), ["ENV01"]);
    assert_eq!(diagnosed(&with_client(&NAMES, |o| strip(&mut o[1]))), ["ENV01"]);
    assert_eq!(diagnosed(&with_client(&NAMES, |o| strip(&mut o[0]))), ["ENV01"]);
    assert_eq!(diagnosed(&with_client(&NAMES, |o| set(&mut o[1], "RAY_TLS_CA_CERT", None))), ["ENV04"]);
    let misspelt = |right: &'static str, wrong: &'static str, value: &'static str| {
        with_client(&NAMES, move |o| {
            set(&mut o[1], right, None);
            set(&mut o[1], wrong, Some(json!(value)));
        })
    };
    assert_eq!(diagnosed(&misspelt("RAY_TLS_CA_CERT", "RAY_TLS_CA_CERTS", "/etc/ray/tls/ca.crt")), ["ENV07"]);
    assert_eq!(diagnosed(&misspelt("RAY_USE_TLS", "RAY_USE_TSL", "1")), ["ENV07"]);
    assert_eq!(diagnosed(&with_client(&NAMES, |o| container(&mut o[1])["volumeMounts"] = json!([]))), ["MNT01"]);
    let items = json!([{"key": "tls.crt", "path": "tls.crt"}, {"key": "tls.key", "path": "tls.key"}]);
    let without_ca = with_client(&NAMES, |o| {
        o[0]["spec"]["template"]["spec"]["volumes"][0]["secret"]["items"] = items;
    });
    assert_eq!(diagnosed(&without_ca), ["MNT05"]);
}

#[test]
fn clients() {
    assert_eq!(diagnosed(&with_client(&NAMES, |o| strip(&mut o[4]))), ["CLI01"]);
    let two = with_client(&NAMES, |o| {
        let mut other = client("app-ml", "ray://ray-head-svc:10001");
        strip(&mut other);
        o.push(other);
    });
    assert_eq!(diagnosed(&two), ["CLI02"]);
}

#[test]
fn operator() {
    let group =
        |c: &mut Value| c["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["env"] = json!([]);
    assert_eq!(diagnosed(&kuberay(group)), ["KBR03"]);
    let scaler = |c: &mut Value| _ = c["spec"].as_object_mut().unwrap().remove("autoscalerOptions");
    assert_eq!(diagnosed(&kuberay(scaler)), ["KBR02"]);
    let env_from = |c: &mut Value| {
        let container = &mut c["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0];
        container["env"] = json!([]);
        container["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    };
    let mut objects = vec![
        ray_cluster(),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "ray"},
            "data": {
                "RAY_USE_TLS": "1", "RAY_TLS_SERVER_CERT": "/etc/ray/tls/tls.crt",
                "RAY_TLS_SERVER_KEY": "/etc/ray/tls/tls.key", "RAY_TLS_CA_CERT": "/etc/ray/tls/ca.crt",
            },
        }),
    ];
    env_from(&mut objects[0]);
    objects.push(named(&["demo-head-svc.ray.svc.cluster.local", "127.0.0.1", "10.0.0.9"]));
    assert_eq!(diagnosed(&Scene::manifests(objects)), ["KBR01"]);
}

#[test]
fn ports() {
    let ca = Ca::new("ca");
    let pair = leaf(&ca, &NODES);
    assert_eq!(diagnosed(&nodes(&pair, &ca).see("ray-head-0", 6379, Outcome::Refused)), ["LIV01"]);
    assert_eq!(diagnosed(&nodes(&pair, &ca).see("ray-head-0", 6379, Outcome::PlainGrpc)), ["LIV02"]);
    assert_eq!(diagnosed(&nodes(&pair, &ca).see("ray-head-0", 6379, Outcome::PlainHttp)), ["LIV08"]);
    let strange = leaf(&Ca::new("other"), &NODES);
    let served = tls(&strange.certificate, Settings::TimedOut);
    let one = diagnosed(&nodes(&pair, &ca).see("ray-head-0", 6379, served));
    assert!(one == ["LIV04"] || one == ["LIV05"], "{one:?}: nothing says that the Secret changed");
}

#[test]
fn rotation() {
    let (old_ca, new_ca) = (Ca::new("ca"), Ca::new("ca"));
    let (old, new) = (leaf(&old_ca, &NODES), leaf(&new_ca, &NODES));
    let scene = nodes(&new, &new_ca).changed("ray-tls", "2026-05-20T00:00:00Z");
    let scene = scene.see("ray-head-0", 6379, tls(&old.certificate, Settings::TimedOut));
    assert_eq!(diagnosed(&scene), ["ROT01"]);
    // The same when the new certificate was offered and refused.
    let mut scene = scene;
    scene.evidence.handshakes.clear();
    let mut scene = scene.see("ray-head-0", 6379, tls(&old.certificate, Settings::Closed));
    let certificate = super::lens::leaf(&scene.model.parties[0]).unwrap().sha256;
    scene.evidence.handshakes[0].client = Some(Client { certificate, from: "Secret ray/ray-tls".into() });
    assert_eq!(diagnosed(&scene.again()), ["ROT01"]);
}

#[test]
fn only_a_settings_frame_to_the_dialers_own_certificate_is_an_observed_acceptance() {
    let ca = Ca::new("ray-ca");
    let pair = leaf(&ca, &NODES);
    let observed = |settings: Settings, own: bool| {
        let scene = nodes(&pair, &ca).see("ray-head-0", 6379, tls(&pair.certificate, settings));
        let mut evidence = scene.evidence.clone();
        if own {
            let certificate = crate::checks::lens::leaf(&scene.model.parties[0]).unwrap().sha256;
            evidence.handshakes[0].client = Some(Client { certificate, from: "Secret ray/ray-tls".into() });
        }
        let scene = Scene::of(evidence, scene.now);
        let at = scene
            .model
            .connections
            .iter()
            .position(|c| c.id.starts_with("ray/ray-head>ray/ray-head@10.0.0.5"))
            .unwrap();
        scene.matrix[at].observed.clone()
    };
    assert_eq!(observed(Settings::Received, true), Some(Verdict::Accept));
    assert!(matches!(observed(Settings::Closed, true), Some(Verdict::Reject { .. })));
    // Nothing was offered: the port closes on everybody then.
    assert!(matches!(observed(Settings::Closed, false), Some(Verdict::CannotTell(_))));
    assert!(matches!(observed(Settings::TimedOut, true), Some(Verdict::CannotTell(_))));
}

/// The objects of a good cluster with a client, changed, and what is then rejected and not judged.
fn wired(change: impl FnOnce(&mut Vec<Value>)) -> (Vec<String>, Vec<String>) {
    let scene = with_client(&NAMES, change);
    let rejected = scene.matrix.iter().filter_map(|j| match j.effective() {
        Verdict::Reject { reason, .. } => Some(reason.text()),
        Verdict::Accept | Verdict::CannotTell(_) => None,
    });
    (rejected.collect(), scene.model.not_judged.iter().map(|(_, why)| why.clone()).collect())
}

fn service(objects: &mut [Value]) -> &mut Value {
    objects.iter_mut().find(|o| o["kind"] == "Service").unwrap()
}

#[test]
fn a_service_that_leads_nowhere_is_not_called_healthy() {
    assert_eq!(wired(|_| ()), (vec![], vec![]));
    let (rejected, not_judged) = wired(|objects| service(objects)["spec"]["selector"] = json!({"app": "other"}));
    assert_eq!(rejected, Vec::<String>::new());
    assert!(not_judged.iter().any(|why| why.contains("selects no Ray head")), "{not_judged:?}");
}

#[test]
fn a_worker_that_types_a_wrong_port_is_told() {
    // A headless Service maps nothing, and one that was not seen may lead anywhere but to Ray's other port.
    for (headless, port) in [(true, "6380"), (true, "10001"), (false, "10001")] {
        let scene = with_client(&NAMES, |objects| {
            if headless {
                service(objects)["spec"]["clusterIP"] = json!("None");
            } else {
                objects.retain(|o| o["kind"] != "Service");
            }
            let text = objects[1].to_string().replace("ray-head-svc:6379", &format!("ray-head-svc:{port}"));
            objects[1] = serde_json::from_str(&text).unwrap();
        });
        assert_eq!(diagnosed(&scene), ["WIR02"], "{headless} {port}");
        let finding = examine(&scene.case()).into_iter().find(|f| f.code == "WIR02").unwrap();
        assert_eq!((finding.subject.kind.as_str(), finding.subject.name.as_str()), ("Deployment", "ray-worker"));
        assert!(finding.message.contains(&format!("dials ray-head-svc:{port}")), "{}", finding.message);
        assert!(finding.message.contains("6379"), "{}", finding.message);
    }
}

#[test]
fn who_has_no_pods_is_named_and_errors_come_first() {
    let scene = with_client(&NAMES, |objects| {
        objects[1]["spec"]["replicas"] = json!(0);
        set(&mut objects[1], "RAY_USE_TLS", None);
        strip(&mut objects[4]);
    });
    let findings = examine(&scene.case());
    let worker = findings.iter().find(|f| f.code == "ENV01").unwrap();
    assert_eq!(worker.severity, Severity::Warning);
    assert!(
        worker.message.ends_with("(ray/ray-worker has no pods now: this breaks when it is scaled up)"),
        "{}",
        worker.message
    );
    assert_eq!(findings[0].code, "CLI01", "an error comes before the warning of a check that stands before it");
    assert!(findings.is_sorted_by_key(|f| f.severity));
}

#[test]
fn ports_of_the_groups_of_one_cluster_are_told_apart() {
    let ca = Ca::new("ca");
    let pair = leaf(&ca, &["demo-head-svc.ray.svc.cluster.local", "127.0.0.1", "10.0.0.5", "10.0.0.6"]);
    let mut cluster = ray_cluster();
    cluster["spec"]["headGroupSpec"]["rayStartParams"] = json!({"node-manager-port": "6400"});
    cluster["spec"]["workerGroupSpecs"][0]["rayStartParams"] = json!({"node-manager-port": "6400"});
    let objects = vec![cluster, super::testing::tls_secret("ray-tls", &pair, &ca.pem)];
    let mut scene = live(objects, &[("demo", "demo-head-0", "10.0.0.5")]);
    let pod = scene.evidence.workloads.iter().find_map(|w| w.pods.first().cloned()).unwrap();
    let group = scene.evidence.workloads.iter_mut().find(|w| w.group.as_ref().is_some_and(|g| !g.head)).unwrap();
    let ips = vec!["10.0.0.6".parse().unwrap()];
    group.pods.push(crate::evidence::Pod { name: "demo-small-0".into(), ips, ..pod });
    let scene = scene.again().see("demo-head-0", 6400, Outcome::Refused).see("demo-small-0", 6400, Outcome::Refused);
    let findings: Vec<_> = examine(&scene.case()).into_iter().filter(|f| f.code == "LIV01").collect();
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert_ne!(findings[0].subject, findings[1].subject);
    assert!(findings.iter().any(|f| f.subject.name.contains("small")), "{findings:#?}");
}

#[test]
fn two_secrets_that_changed_are_two_causes() {
    let (old_ca, new_ca) = (Ca::new("ca"), Ca::new("ca"));
    let (old, new) = (leaf(&old_ca, &NODES), leaf(&new_ca, &NODES));
    let mut objects = by_pod_ip();
    let text = objects[1].to_string().replace("ray-tls", "worker-tls");
    objects[1] = serde_json::from_str(&text.replace("--block", "--node-manager-port=6400 --block")).unwrap();
    objects.push(super::testing::tls_secret("ray-tls", &new, &new_ca.pem));
    objects.push(super::testing::tls_secret("worker-tls", &new, &new_ca.pem));
    let scene = live(objects, &PODS).changed("ray-tls", CHANGED).changed("worker-tls", CHANGED);
    let served = || tls(&old.certificate, Settings::TimedOut);
    let scene = scene.see("ray-head-0", 6379, served()).see("ray-worker-0", 6400, served());
    assert_eq!(diagnosed(&scene), ["ROT01", "ROT01"]);
    assert_eq!(diagnosed(&scene.restarted("ray-head-0", &new)), ["ROT01"], "what is left after the first is mended");
}

const CHANGED: &str = "2026-05-20T00:00:00Z";

#[test]
fn a_port_that_the_service_does_not_have_fails() {
    let ports = json!([{"port": 6379}, {"port": 10001, "targetPort": 8265}]);
    let (rejected, _) = wired(|objects| service(objects)["spec"]["ports"] = ports);
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    assert!(rejected[0].contains("leads to port 8265"), "{rejected:?}");
    let (rejected, _) = wired(|objects| service(objects)["spec"]["ports"] = json!([{"port": 6379}]));
    assert!(rejected[0].contains("has no port 10001; it has 6379"), "{rejected:?}");
}

#[test]
fn a_command_that_unsets_the_switch_is_plaintext() {
    let scene = with_client(&NAMES, |objects| {
        let worker =
            objects.iter_mut().find(|o| o["metadata"]["name"] == "ray-worker" && o["kind"] == "Deployment").unwrap();
        container(worker)["command"] = json!([
            "bash",
            "-c",
            "unset RAY_USE_TLS; ray start --address=ray-head-svc:6379 --node-ip-address=ray-worker --block"
        ]);
    });
    assert_eq!(diagnosed(&scene), ["ENV01"]);
}
