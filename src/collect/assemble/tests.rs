use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::evidence::{EnvSource, Lookup, Mode, Shape, Why, Workload};

fn evidence_of(objects: Vec<Value>) -> Evidence {
    let mut evidence = Evidence::new(Mode::Live, "test", "2026-12-01T00:00:00Z".parse().unwrap());
    assemble(objects.into_iter().map(Object::live).collect(), &mut evidence, &mut Keyring::default());
    evidence
}

fn fixture(name: &str) -> Evidence {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let now = "2026-12-01T00:00:00Z".parse().unwrap();
    crate::collect::manifests::collect(&[path], &mut std::io::empty(), now).unwrap().0
}

fn pod(name: &str, owner: Value, labels: Value, ip: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "ray", "labels": labels, "ownerReferences": [owner]},
        "spec": {
            "containers": [{"name": "ray", "image": "ray:1", "args": ["ray start --head --block"],
                "volumeMounts": [{"name": format!("kube-api-access-{ip}"), "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}],
            "volumes": [{"name": format!("kube-api-access-{ip}"), "projected": {"sources": []}}],
        },
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "containerStatuses": [
            {"name": "ray", "restartCount": 2, "state": {"running": {"startedAt": "2026-11-30T10:00:00Z"}}}]},
    })
}

fn replica_set(name: &str) -> Value {
    json!({"kind": "ReplicaSet", "name": name, "controller": true})
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "head", "namespace": "ray"},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "ray", "image": "ray:2"}]}}},
    })
}

fn names(workload: &Workload) -> Vec<&str> {
    workload.pods.iter().map(|pod| pod.name.as_str()).collect()
}

#[test]
fn pods_of_a_deployment_are_one_workload_with_their_own_template() {
    let labels = json!({"app": "ray", "pod-template-hash": "abc"});
    let pods = |name, ip| pod(name, replica_set("head-abc"), labels.clone(), ip);
    let expected = evidence_of(vec![deployment(), pods("head-abc-1", "10.0.0.1"), pods("head-abc-2", "10.0.0.2")]);
    let [workload] = expected.workloads.as_slice() else { panic!("{:?}", expected.workloads) };
    assert_eq!(workload.object, ObjectRef::new("Deployment", "ray", "head"));
    assert_eq!((names(workload), workload.replicas), (vec!["head-abc-1", "head-abc-2"], Some(3)));
    assert_eq!(workload.containers[0].image, "ray:1");
    assert_eq!(workload.labels.keys().collect::<Vec<_>>(), ["app"]);
    assert_eq!(workload.volumes, []);
    assert_eq!(workload.pods[0].containers[0].restarts, 2);
    assert_eq!(workload.pods[0].ips, ["10.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    // The order of objects, and in how many calls they come, makes no difference.
    let other = evidence_of(vec![pods("head-abc-2", "10.0.0.2"), pods("head-abc-1", "10.0.0.1"), deployment()]);
    assert_eq!(expected, other);
    let mut twice = evidence_of(vec![deployment()]);
    let rest = vec![Object::live(pods("head-abc-1", "10.0.0.1")), Object::live(pods("head-abc-2", "10.0.0.2"))];
    assemble(rest, &mut twice, &mut Keyring::default());
    assert_eq!(expected, twice);
}

#[test]
fn a_native_sidecar_runs_beside_the_containers() {
    let mut value = pod("head-0", replica_set("head-a"), json!({}), "10.0.0.1");
    value["spec"]["initContainers"] = json!([
        {"name": "first", "image": "x"},
        {"name": "beside", "image": "x", "restartPolicy": "Always", "env": [{"name": "RAY_USE_TLS", "value": "1"}]},
        {"name": "second", "image": "x", "restartPolicy": "OnFailure"},
    ]);
    value["status"]["initContainerStatuses"] =
        json!([{"name": "beside", "state": {"running": {"startedAt": "2026-11-30T09:00:00Z"}}}]);
    let evidence = evidence_of(vec![value]);
    let named = |list: &[Container]| list.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    let workload = &evidence.workloads[0];
    assert_eq!(
        (named(&workload.init_containers), named(&workload.containers)),
        (vec!["first".to_owned(), "second".into()], vec!["ray".to_owned(), "beside".into()],)
    );
    let state = workload.pods[0].containers.iter().find(|c| c.name == "beside").unwrap();
    assert_eq!(state.started_at.unwrap().to_string(), "2026-11-30T09:00:00Z");
}

#[test]
fn pods_of_unequal_templates_are_two_workloads_of_one_object() {
    let mut new = pod("head-b-1", replica_set("head-b"), json!({"pod-template-hash": "b"}), "10.0.0.2");
    new["spec"]["containers"][0]["image"] = json!("ray:2");
    let old = pod("head-a-1", replica_set("head-a"), json!({"pod-template-hash": "a"}), "10.0.0.1");
    let evidence = evidence_of(vec![deployment(), old, new]);
    assert_eq!(evidence.workloads.iter().map(names).collect::<Vec<_>>(), [["head-a-1"], ["head-b-1"]]);
    assert!(evidence.workloads.iter().all(|w| w.object.kind == "Deployment" && w.replicas == Some(3)));
}

#[test]
fn pods_that_are_over_or_going_do_not_count() {
    let owner = replica_set("head-a");
    let mut done = pod("a", owner.clone(), json!({}), "10.0.0.1");
    done["status"]["phase"] = json!("Succeeded");
    let mut failed = pod("b", owner.clone(), json!({}), "10.0.0.1");
    failed["status"]["phase"] = json!("Failed");
    let mut going = pod("c", owner, json!({}), "10.0.0.1");
    going["metadata"]["deletionTimestamp"] = json!("2026-11-30T10:00:00Z");
    assert_eq!(evidence_of(vec![done, failed, going]).workloads, []);
}

#[test]
fn pods_of_a_ray_cluster_take_the_place_of_its_template() {
    let cluster = json!({"apiVersion": "ray.io/v1", "kind": "RayCluster",
        "metadata": {"name": "c-x1", "namespace": "ray",
            "ownerReferences": [{"kind": "RayJob", "name": "j", "controller": true}]},
        "spec": {"rayVersion": "2.60.0",
            "headGroupSpec": {"rayStartParams": {"port": "6380", "redis-password": "canary"},
                "template": {"spec": {"containers": [{"name": "ray", "image": "ray:2"}]}}},
            "workerGroupSpecs": [{"groupName": "g", "replicas": 0, "rayStartParams": {},
                "template": {"spec": {"containers": [{"name": "ray", "image": "ray:2"}]}}}]}});
    let mut job = cluster.clone();
    job["kind"] = json!("RayJob");
    job["metadata"] = json!({"name": "j", "namespace": "ray"});
    job["spec"] = json!({"rayClusterSpec": cluster["spec"]});
    let owner = json!({"kind": "RayCluster", "name": "c-x1", "controller": true});
    let labels = json!({"ray.io/cluster": "c-x1", "ray.io/node-type": "head", "ray.io/group": "headgroup"});
    let evidence = evidence_of(vec![job, pod("c-x1-head", owner, labels, "10.0.0.1"), cluster]);
    let [head, worker] = evidence.workloads.as_slice() else { panic!("{:?}", evidence.workloads) };
    assert_eq!((names(head), head.containers[0].image.as_str()), (vec!["c-x1-head"], "ray:1"));
    let group = head.group.as_ref().unwrap();
    assert_eq!((group.cluster.as_str(), group.head), ("c-x1", true));
    assert_eq!(group.start_params.iter().collect::<Vec<_>>(), [(&"port".into(), &"6380".into())]);
    assert_eq!(worker.group.as_ref().unwrap().name, "g");
    let heads: Vec<_> =
        evidence.ray_resources.iter().map(|r| (r.object.kind.as_str(), r.head_service.clone())).collect();
    assert_eq!(heads, [("RayCluster", Some("c-x1-head-svc".into())), ("RayJob", None)]);
}

#[test]
fn every_group_of_a_ray_cluster_is_a_workload_with_its_line() {
    let evidence = fixture("kuberay/init-container.yaml");
    assert_eq!(evidence.problems, []);
    let [head, worker] = evidence.workloads.as_slice() else { panic!("{:?}", evidence.workloads) };
    assert!(head.group.as_ref().unwrap().head);
    assert_eq!(head.labels["ray.io/group"], "headgroup");
    assert_eq!(worker.replicas, Some(2));
    assert_eq!((head.init_containers.len(), head.volumes.len(), head.containers[0].mounts.len()), (1, 3, 3));
    assert!(head.origin.line < worker.origin.line && head.origin.line > Some(20), "{:?}", head.origin);
    assert_eq!(evidence.ray_resources[0].head_service.as_deref(), Some("raycluster-tls-head-svc"));
    assert_eq!(evidence.ray_resources[0].autoscaler.as_ref().unwrap().env.len(), 4);
    assert_eq!(head.group.as_ref().unwrap().start_params.len(), 1);
    let text = serde_json::to_string(&evidence).unwrap();
    assert!(!text.contains("canary"), "{text}");
    let wanted: Vec<_> = wanted(&evidence).iter().map(ToString::to_string).collect();
    assert_eq!(wanted, ["ConfigMap ray/tls", "Secret ray/ca-tls"]);
}

#[test]
fn settings_that_come_from_a_config_map_keep_their_text() {
    let evidence = fixture("kuberay/env-from.yaml");
    let map = evidence.config_map("ray", "ray-settings").found().copied().unwrap();
    assert_eq!(map.data["RAY_USE_TLS"].text.as_deref(), Some("1"));
    assert_eq!(map.data["DEBUG"].text, None);
    assert_eq!(evidence.ray_resources[0].head_service.as_deref(), Some("my-head"));
    assert_eq!(wanted(&evidence), [ObjectRef::new("Secret", "ray", "ray-tls")]);
}

#[test]
fn ray_jobs_and_ray_services_have_their_clusters_read() {
    let job = fixture("kuberay/ray-job.yaml");
    assert_eq!(job.workloads.iter().filter(|w| w.group.is_some()).count(), 2);
    assert_eq!(job.workloads.iter().filter(|w| w.group.is_none()).count(), 1);
    let service = fixture("kuberay/ray-service.yaml");
    assert_eq!((service.workloads.len(), service.ray_resources[0].head_service.clone()), (2, None));
}

#[test]
fn wrong_types_are_problems_that_name_the_field() {
    let mut object = deployment();
    object["spec"]["template"]["spec"]["containers"][0]["env"] = json!({"RAY_USE_TLS": "1"});
    object["spec"]["template"]["spec"]["volumes"] = json!("none");
    let evidence = evidence_of(vec![object, json!({"kind": "Deployment", "metadata": {}}), json!(["x"])]);
    let told: Vec<_> = evidence.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.iter().any(|m| m.starts_with("spec.template.spec.containers[0].env is a mapping, not a list")));
    assert!(told.iter().any(|m| m.starts_with("spec.template.spec.volumes is a string, not a list")));
    assert_eq!(evidence.workloads.len(), 1);
}

#[test]
fn unquoted_values_are_told_with_their_spelling() {
    let text = "kind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    env:\n    - name: RAY_USE_TLS\n      value: yes\n    - name: PIN\n      value: 123456\n";
    let (evidence, _) = crate::collect::manifests::collect(
        &["-".into()],
        &mut text.as_bytes(),
        "2026-12-01T00:00:00Z".parse().unwrap(),
    )
    .unwrap();
    let env = &evidence.workloads[0].containers[0].env;
    assert_eq!(env[0].source, EnvSource::NotAString("yes".into()));
    assert_eq!(env[1].source, EnvSource::Dropped);
    assert_eq!(evidence.problems.len(), 1);
    assert_eq!(evidence.problems[0].origin.line, Some(10));
    assert!(!serde_json::to_string(&evidence).unwrap().contains("123456"));
}

#[test]
fn secrets_say_what_is_wrong_with_their_base64() {
    let evidence = evidence_of(vec![json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "s", "namespace": "ray", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [
            {"time": "2026-02-02T00:00:00Z", "fieldsV1": {"f:data": {"f:a": {}}}},
            {"time": "2026-03-03T00:00:00Z", "fieldsV1": {"f:metadata": {}}}]},
        "data": {"a": "!!!", "b": "MQ==", "c": 7, "d": null, "e": "!"}, "stringData": {"e": "TODO"}})]);
    let secret = &evidence.secrets[0];
    assert_eq!(secret.invalid.keys().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(secret.data["d"].facts.shape, Shape::Empty);
    assert_eq!(secret.data["e"].facts.shape, Shape::Text { placeholder: true });
    assert_eq!(secret.changed_at, Some("2026-02-02T00:00:00Z".parse().unwrap()));
    assert_eq!((secret.data["b"].facts.size, secret.data["b"].text.clone()), (1, None));
}

#[test]
fn only_secrets_of_ray_workloads_are_wanted() {
    let other = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "ray"},
        "spec": {"template": {"spec": {
            "containers": [{"name": "web", "envFrom": [{"secretRef": {"name": "db"}}, {"configMapRef": {"name": "web"}}],
                "env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "pw", "key": "p"}}}],
                "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
            "volumes": [{"name": "v", "secret": {"secretName": "web-tls"}}]}}}});
    let mut ray = other.clone();
    ray["metadata"]["name"] = json!("ray");
    ray["metadata"]["namespace"] = json!("r");
    ray["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["ray", "start", "--head"]);
    let mut evidence = evidence_of(vec![other, ray]);
    let texts = |evidence: &Evidence| wanted(evidence).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(texts(&evidence), ["ConfigMap r/web", "ConfigMap ray/web", "Secret r/db", "Secret r/web-tls"]);
    let object = ObjectRef::new("Secret", "r", "db");
    evidence.lookups.push(Lookup { object, unseen: Some(Why::TimedOut) });
    assert_eq!(texts(&evidence), ["ConfigMap r/web", "ConfigMap ray/web", "Secret r/web-tls"]);
}

/// Nothing private may pass: keys in every place where one can stand, tokens, passwords.
#[test]
fn no_canary_gets_into_the_evidence() {
    let pair = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["h".into()]).unwrap().self_signed(&pair).unwrap();
    let key = pair.serialize_pem();
    let body: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
    let half = &key[..key.len() / 2];
    let value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ray"},
        "data": {"tls.key": STANDARD.encode(&key), "tls.crt": STANDARD.encode(certificate.pem()),
            "twice": STANDARD.encode(STANDARD.encode(&key)), "der": body, "half": STANDARD.encode(half),
            "mislabelled": STANDARD.encode(key.replace("PRIVATE KEY", "CERTIFICATE")), "raw": key, (body.as_str()): "MQ==", (format!("{key} ")): "MQ==",
            "RAY_AUTH_TOKEN": STANDARD.encode("canary-token"), "RAY_TLS_SERVER_KEY": STANDARD.encode(&key),
            "RAY_ADDRESS": STANDARD.encode(&body)},
        "stringData": {"RAY_REDIS_PASSWORD": "canary-password", "other": "canary-other", "RAY_JOB": key.replace('\n', "\\n")}});
    let mut map = value.clone();
    map["kind"] = json!("ConfigMap");
    map["data"] =
        json!({"tls.key": key, "RAY_TLS_SERVER_KEY": body, "app.conf": "canary-conf", "RAY_X": format!(" {key}")});
    let workload = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ray",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "canary-annotation"}},
        "spec": {"containers": [{"name": "c", "image": "i",
            "command": ["sh", "-c", "TOKEN=canary-shell ray start --head --redis-password canary-flag --address=canary@h:1 && echo canary-echo"],
            "args": [key, "--auth-token=canary-arg"],
            "env": [{"name": "RAY_TLS_SERVER_KEY", "value": key}, {"name": "RAY_TLS_CA_CERT", "value": body},
                {"name": "RAY_AUTH_TOKEN", "value": "canary-env"}, {"name": "AWS_SECRET_ACCESS_KEY", "value": "canary-aws"},
                {"name": "RAY_ADDRESS", "value": "ray://u:canary-url@h:10001?x=$(DB_PASSWORD)"},
                {"name": "DB_PASSWORD", "value": "canary-db"}, {"name": "RAY_RUNTIME_ENV", "value": "{\"a\": \"canary-json\"}"}]}]}});
    let mut evidence = Evidence::new(Mode::Live, "test", "2026-12-01T00:00:00Z".parse().unwrap());
    let mut keys = Keyring::default();
    assemble(vec![Object::live(value), Object::live(map), Object::live(workload)], &mut evidence, &mut keys);
    let text = serde_json::to_string(&evidence).unwrap() + &format!("{evidence:?}");
    assert_eq!(keys.identities().len(), 1);
    assert_eq!(evidence.secrets[0].data["tls.key"].facts.keys.len(), 1);
    assert!(!text.contains("canary"), "{text}");
    let bodies = [body.clone(), STANDARD.encode(&key), STANDARD.encode(STANDARD.encode(&key))];
    for body in bodies {
        // Any 16 characters of it, but for the first ones, which every key of the kind has.
        for part in body.as_bytes()[56..].chunks(16).filter(|part| part.len() == 16) {
            let part = std::str::from_utf8(part).unwrap();
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
    let private = pair.serialize_der();
    let hex: String = private[36..52].iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!text.contains(&hex));
}

#[test]
fn a_prefix_makes_settings_of_keys_and_no_secrets() {
    let objects = vec![
        json!({"kind": "Deployment", "metadata": {"name": "head", "namespace": "ray"}, "spec": {"template": {"spec": {
            "containers": [{"name": "ray", "args": ["ray start --head"],
                "envFrom": [{"prefix": "RAY_", "configMapRef": {"name": "tls"}}]}]}}}}),
        json!({"kind": "ConfigMap", "metadata": {"name": "tls", "namespace": "ray"}, "data": {
            "USE_TLS": "1", "TLS_SERVER_KEY": "/etc/ray/tls/tls.key", "AUTH_TOKEN": "hunter2", "REDIS_PASSWORD": "hunter2"}}),
    ];
    let evidence = evidence_of(objects);
    let text = |key: &str| evidence.config_maps[0].data[key].text.as_deref();
    assert_eq!((text("USE_TLS"), text("TLS_SERVER_KEY")), (Some("1"), Some("/etc/ray/tls/tls.key")));
    assert_eq!((text("AUTH_TOKEN"), text("REDIS_PASSWORD")), (None, None));
}
