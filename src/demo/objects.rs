//! The scene as Kubernetes objects, with the fields a real API server fills in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::NAMESPACE;
use super::scene::{MOUNT, Party, Pod, SERVICE, Scene, Secret, State, days};

/// Every object.
pub(super) fn of(scene: &Scene) -> Vec<Value> {
    let mut objects = vec![namespace(scene), service(scene)];
    objects.extend(scene.secrets.iter().map(secret));
    for party in scene.parties() {
        objects.push(deployment(scene, party));
        objects.push(replica_set(scene, party));
    }
    objects.extend(scene.pods().map(|(pod, party)| live_pod(scene, &pod, party)));
    objects
}

/// A `resourceVersion` that grows with time.
pub(super) fn version_at(at: Timestamp) -> String {
    at.as_second().unsigned_abs().rem_euclid(100_000_000).to_string()
}

fn namespace(scene: &Scene) -> Value {
    let at = scene.now - days(60);
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": NAMESPACE, "uid": uid("Namespace", NAMESPACE), "resourceVersion": version_at(at),
            "creationTimestamp": time(at), "labels": {"kubernetes.io/metadata.name": NAMESPACE},
        },
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
    })
}

fn service(scene: &Scene) -> Value {
    let port = |name: &str, port: u16| json!({"name": name, "protocol": "TCP", "port": port, "targetPort": port});
    let [gcs, client] = [scene.block.gcs, scene.block.client];
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": metadata("Service", SERVICE, scene.now - days(30), "f:spec"),
        "spec": {
            "type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"], "sessionAffinity": "None",
            "selector": {"app": scene.head.name},
            "ports": [port("gcs", gcs), port("client", client), port("dashboard", 8265)],
        },
        "status": {"loadBalancer": {}},
    })
}

fn secret(secret: &Secret) -> Value {
    let data: serde_json::Map<String, Value> =
        secret.data.iter().map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value)))).collect();
    let fields: serde_json::Map<String, Value> =
        secret.data.keys().map(|key| (format!("f:{key}"), json!({}))).collect();
    let mut metadata = metadata("Secret", secret.name, secret.changed_at, "f:data");
    metadata["creationTimestamp"] = json!(time(secret.created_at));
    metadata["managedFields"][0]["fieldsV1"] = json!({"f:data": fields, "f:type": {}});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data})
}

fn deployment(scene: &Scene, party: &Party) -> Value {
    let ready = if matches!(scene.state(party), State::Runs(_)) { party.pods.len() } else { 0 };
    let mut metadata = metadata("Deployment", party.name, party.started_at, "f:spec");
    metadata["generation"] = json!(1);
    metadata["labels"] = json!({"app": party.name});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
        "spec": {
            "replicas": party.pods.len(), "selector": {"matchLabels": {"app": party.name}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {"metadata": {"labels": {"app": party.name}}, "spec": pod_spec(scene, party)},
        },
        "status": {
            "observedGeneration": 1, "replicas": party.pods.len(), "updatedReplicas": party.pods.len(),
            "readyReplicas": ready, "availableReplicas": ready,
        },
    })
}

fn replica_set(scene: &Scene, party: &Party) -> Value {
    let hash = party.template_hash();
    let labels = json!({"app": party.name, "pod-template-hash": hash});
    let mut metadata = metadata("ReplicaSet", &format!("{}-{hash}", party.name), party.started_at, "f:spec");
    metadata["labels"] = labels.clone();
    metadata["ownerReferences"] = owner("apps/v1", "Deployment", party.name);
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata,
        "spec": {
            "replicas": party.pods.len(), "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(scene, party)},
        },
        "status": {"replicas": party.pods.len()},
    })
}

fn live_pod(scene: &Scene, pod: &Pod, party: &Party) -> Value {
    let hash = party.template_hash();
    let mut metadata = metadata("Pod", &pod.name, party.started_at - SignedDuration::from_secs(20), "f:spec");
    metadata["generateName"] = json!(format!("{}-{hash}-", party.name));
    metadata["labels"] = json!({"app": party.name, "pod-template-hash": hash});
    metadata["ownerReferences"] = owner("apps/v1", "ReplicaSet", &format!("{}-{hash}", party.name));
    let mut spec = pod_spec(scene, party);
    spec["nodeName"] = json!("demo-node");
    // The service account's token is mounted by the API server, not by the template.
    if let Some(volumes) = spec["volumes"].as_array_mut() {
        volumes.push(json!({"name": "kube-api-access-7kq2w", "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        ]}}));
    }
    if let Some(mounts) = spec["containers"][0]["volumeMounts"].as_array_mut() {
        mounts.push(json!({
            "name": "kube-api-access-7kq2w", "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        }));
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status(scene, pod, party)})
}

fn status(scene: &Scene, pod: &Pod, party: &Party) -> Value {
    let container = |ready: bool, restarts: u32, state: Value| {
        json!([{
            "name": party.name, "image": party.image, "imageID": "", "ready": ready, "started": ready,
            "restartCount": restarts, "state": state,
        }])
    };
    let scheduled_at = time(party.started_at - SignedDuration::from_secs(20));
    match scene.state(party) {
        State::Runs(_) => json!({
            "phase": "Running", "hostIP": "127.0.0.1", "podIP": pod.ip, "podIPs": [{"ip": pod.ip}],
            "startTime": scheduled_at, "qosClass": "BestEffort",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": time(party.started_at)}],
            "containerStatuses": container(true, 0, json!({"running": {"startedAt": time(party.started_at)}})),
        }),
        State::Crashes => json!({
            "phase": "Running", "hostIP": "127.0.0.1", "podIP": pod.ip, "podIPs": [{"ip": pod.ip}],
            "startTime": scheduled_at, "qosClass": "BestEffort",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
            "containerStatuses": container(false, 14, json!({"waiting": {
                "reason": "CrashLoopBackOff",
                "message": format!("back-off 5m0s restarting failed container={} pod={}", party.name, pod.name),
            }})),
        }),
        State::WaitsForSecret => json!({
            "phase": "Pending", "hostIP": "127.0.0.1", "startTime": scheduled_at, "qosClass": "BestEffort",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
            "containerStatuses": container(false, 0, json!({"waiting": {"reason": "ContainerCreating"}})),
        }),
    }
}

fn pod_spec(scene: &Scene, party: &Party) -> Value {
    let env: Vec<Value> = party.env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let (volumes, mounts) = match party.secret {
        Some(name) => (
            json!([{"name": "tls", "secret": {"secretName": name, "defaultMode": 420}}]),
            json!([{"name": "tls", "mountPath": MOUNT, "readOnly": true}]),
        ),
        None => (json!([]), json!([])),
    };
    let mut container = json!({
        "name": party.name, "image": party.image, "imagePullPolicy": "IfNotPresent",
        "command": party.command, "env": env, "volumeMounts": mounts, "resources": {},
    });
    if party.name == scene.head.name {
        container["ports"] = json!([
            {"name": "gcs", "containerPort": scene.block.gcs, "protocol": "TCP"},
            {"name": "client", "containerPort": scene.block.client, "protocol": "TCP"},
        ]);
        container["readinessProbe"] = json!({"tcpSocket": {"port": scene.block.gcs}, "periodSeconds": 5});
    }
    json!({
        "containers": [container], "volumes": volumes, "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default", "terminationGracePeriodSeconds": 30,
    })
}

fn metadata(kind: &str, name: &str, at: Timestamp, field: &str) -> Value {
    json!({
        "name": name, "namespace": NAMESPACE, "uid": uid(kind, name), "resourceVersion": version_at(at),
        "creationTimestamp": time(at),
        "managedFields": [{
            "manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "v1", "time": time(at),
            "fieldsType": "FieldsV1", "fieldsV1": {field: {}},
        }],
    })
}

fn owner(api_version: &str, kind: &str, name: &str) -> Value {
    json!([{
        "apiVersion": api_version, "kind": kind, "name": name, "uid": uid(kind, name),
        "controller": true, "blockOwnerDeletion": true,
    }])
}

/// The same object has the same uid wherever it is named.
fn uid(kind: &str, name: &str) -> String {
    let fold = |seed: u64| {
        kind.bytes()
            .chain([b'/'])
            .chain(name.bytes())
            .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
    };
    let [a, b] = [fold(0xcbf2_9ce4_8422_2325), fold(0x9E37_79B9_7F4A_7C15)];
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        (b >> 48) & 0xfff,
        b & 0xffff_ffff_ffff
    )
}

/// As the API server writes times: whole seconds, UTC.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
