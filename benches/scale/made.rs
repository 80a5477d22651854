//! The objects of the API server, as KubeRay makes them: RayClusters with a head, worker groups and a Secret each.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use serde_json::{Value, json};

/// RayClusters where there is not only one.
pub(crate) const CLUSTERS: usize = 20;

/// What is served.
pub(crate) struct Shape {
    /// Ray pods, heads included.
    pub(crate) pods: usize,
    pub(crate) clusters: usize,
    /// Worker groups of each cluster.
    pub(crate) groups: usize,
    pub(crate) fault: Fault,
    /// Pods that have nothing to do with Ray, ten to a Deployment.
    pub(crate) strangers: usize,
}

/// What is wrong with every cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    ExpiredCa,
}

impl Fault {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Fault::None => "good certificates",
            Fault::ExpiredCa => "an expired CA each",
        }
    }

    pub(crate) fn exit_code(self) -> i32 {
        match self {
            Fault::None => 0,
            Fault::ExpiredCa => 1,
        }
    }
}

/// The objects; pods are written when they are asked for.
pub(crate) struct Made {
    pods: usize,
    per_cluster: usize,
    groups: usize,
    strangers: usize,
    clusters: Vec<Cluster>,
}

struct Cluster {
    name: String,
    namespace: String,
    resource: String,
    secret: String,
    /// A pod of the head, then one of each worker group, with `@NAME@`, `@IP@`, `@TOKEN@` and `@UID@` to fill in.
    pods: Vec<String>,
}

/// Pods of a Deployment that is not Ray's.
const REPLICAS: usize = 10;

impl Made {
    pub(crate) fn new(shape: &Shape) -> Self {
        let per_cluster = shape.pods.div_ceil(shape.clusters).max(1);
        let cluster = |at: usize| {
            let of = at * per_cluster;
            let here = shape.pods.saturating_sub(of).min(per_cluster);
            // One for the next pod: without pods it is open which addresses they will have.
            let spare = address(200_000 + at);
            Cluster::new(at, (of..of + here).map(address).chain([spare]), shape)
        };
        Made {
            pods: shape.pods,
            per_cluster,
            groups: shape.groups,
            strangers: shape.strangers,
            clusters: (0..shape.clusters).map(cluster).collect(),
        }
    }

    /// How many objects of a kind there are; none for a kind that the API server does not know.
    pub(crate) fn count(&self, plural: &str) -> Option<usize> {
        match plural {
            "pods" => Some(self.pods + self.strangers),
            "deployments" => Some(self.strangers / REPLICAS),
            "services" => Some(self.clusters.len() + self.strangers / REPLICAS),
            "rayclusters" => Some(self.clusters.len()),
            "cronjobs" | "daemonsets" | "jobs" | "raycronjobs" | "rayjobs" | "rayservices" | "statefulsets" => Some(0),
            _ => None,
        }
    }

    /// One object of a list, as JSON.
    pub(crate) fn object(&self, plural: &str, at: usize) -> String {
        match plural {
            "pods" if at < self.pods => self.ray_pod(at),
            "pods" => stranger(at - self.pods),
            "services" if at < self.clusters.len() => service(&self.clusters[at]),
            "services" => {
                let name = format!("web-{:04}", at - self.clusters.len());
                json!({"metadata": metadata("shop", &name, json!({"app": name})), "spec": {
                    "type": "ClusterIP", "clusterIP": "10.97.0.1", "selector": {"app": name},
                    "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
                }, "status": {"loadBalancer": {}}})
                .to_string()
            }
            "deployments" => deployment(&format!("web-{at:04}")),
            _ => self.clusters[at].resource.clone(),
        }
    }

    /// A Secret of a cluster.
    pub(crate) fn secret(&self, namespace: &str, name: &str) -> Option<String> {
        let of = |cluster: &&Cluster| cluster.namespace == namespace && format!("{}-tls", cluster.name) == name;
        self.clusters.iter().find(of).map(|cluster| cluster.secret.clone())
    }

    fn ray_pod(&self, at: usize) -> String {
        let cluster = &self.clusters[at / self.per_cluster];
        let ordinal = at % self.per_cluster;
        let (template, name) = match ordinal {
            0 => (0, format!("{}-head-x7k2p", cluster.name)),
            _ => {
                let group = (ordinal - 1) % self.groups;
                (group + 1, format!("{}-group-{group}-worker-{ordinal:05}", cluster.name))
            }
        };
        cluster.pods[template]
            .replace("@NAME@", &name)
            .replace("@IP@", &address(at).to_string())
            .replace("@TOKEN@", &format!("{at:05x}"))
            .replace("@UID@", &format!("7d0f1f0e-0000-4000-8000-{at:012x}"))
    }
}

impl Cluster {
    fn new(at: usize, ips: impl Iterator<Item = Ipv4Addr>, shape: &Shape) -> Cluster {
        let (name, namespace) = (format!("ray-{at:02}"), format!("team-{}", at % 4));
        let head_service = format!("{name}-head-svc.{namespace}.svc.cluster.local");
        let templates: Vec<Value> = (0..=shape.groups).map(|group| template(&name, &head_service, group)).collect();
        let workers: Vec<Value> = templates[1..]
            .iter()
            .enumerate()
            .map(|(group, template)| {
                json!({
                    "groupName": format!("group-{group}"), "replicas": 1, "minReplicas": 0, "maxReplicas": 10_000,
                    "rayStartParams": {"num-cpus": "8"}, "template": raw(template),
                })
            })
            .collect();
        let mut of_cluster = metadata(&namespace, &name, json!({}));
        of_cluster["managedFields"] = managed(&templates[0]);
        let resource = json!({
            "apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": of_cluster,
            "spec": {
                "rayVersion": "2.60.0", "enableInTreeAutoscaling": false, "workerGroupSpecs": workers,
                "headGroupSpec": {"rayStartParams": {"dashboard-host": "0.0.0.0"}, "template": raw(&templates[0])},
            },
            "status": {"state": "ready", "head": {"serviceName": format!("{name}-head-svc")}},
        });
        let pods = (0..=shape.groups).map(|group| pod(&name, &namespace, group, &templates[group])).collect();
        Cluster {
            resource: resource.to_string(),
            secret: secret(&name, &namespace, ips, shape.fault),
            pods,
            name,
            namespace,
        }
    }
}

fn address(pod: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x0a10_0000 + u32::try_from(pod).unwrap())
}

/// The pod spec of a group as KubeRay runs it; 0 is the head.
fn template(cluster: &str, head_service: &str, group: usize) -> Value {
    let start = match group {
        0 => "ulimit -n 65536; ray start --head  --dashboard-agent-listen-port=52365  --dashboard-host=0.0.0.0  --memory=8000000000  --metrics-export-port=8080  --num-cpus=4 ".to_owned(),
        _ => format!("ulimit -n 65536; ray start  --address={head_service}:6379  --block  --dashboard-agent-listen-port=52365  --memory=16000000000  --metrics-export-port=8080  --num-cpus=8 "),
    };
    let mut env = vec![
        json!({"name": "RAY_USE_TLS", "value": "1"}),
        json!({"name": "RAY_TLS_SERVER_CERT", "value": "/etc/ray/tls/tls.crt"}),
        json!({"name": "RAY_TLS_SERVER_KEY", "value": "/etc/ray/tls/tls.key"}),
        json!({"name": "RAY_TLS_CA_CERT", "value": "/etc/ray/tls/ca.crt"}),
        json!({"name": "FQ_RAY_IP", "value": head_service}),
        json!({"name": "RAY_IP", "value": head_service.split('.').next()}),
        json!({"name": "RAY_CLUSTER_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['ray.io/cluster']"}}}),
        json!({"name": "RAY_CLOUD_INSTANCE_ID", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}),
        json!({"name": "RAY_NODE_TYPE_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['ray.io/group']"}}}),
        json!({"name": "KUBERAY_GEN_RAY_START_CMD", "value": start}),
        json!({"name": "RAY_PORT", "value": "6379"}),
        json!({"name": "RAY_ADDRESS", "value": format!("{head_service}:6379")}),
        json!({"name": "RAY_USAGE_STATS_KUBERAY_IN_USE", "value": "1"}),
        json!({"name": "RAY_DASHBOARD_ENABLE_K8S_DISK_USAGE", "value": "1"}),
    ];
    // What teams put beside.
    env.extend((0..6).map(|at| json!({"name": format!("APP_SETTING_{at}"), "value": format!("value-{group}-{at}")})));
    let ports: Vec<Value> = [("gcs", 6379), ("dashboard", 8265), ("client", 10001), ("metrics", 8080)]
        .map(|(name, port)| json!({"name": name, "containerPort": port, "protocol": "TCP"}))
        .into();
    let check = |delay: u32| {
        json!({
            "exec": {"command": ["bash", "-c", "wget --tries 1 -T 2 -q -O- http://localhost:52365/api/local_raylet_healthz | grep success && wget --tries 1 -T 10 -q -O- http://localhost:8265/api/gcs_healthz | grep success"]},
            "initialDelaySeconds": delay, "timeoutSeconds": 5, "periodSeconds": 5, "successThreshold": 1, "failureThreshold": 120,
        })
    };
    let mounts = json!([
        {"name": "tls", "readOnly": true, "mountPath": "/etc/ray/tls"},
        {"name": "shared-mem", "mountPath": "/dev/shm"},
        {"name": "log-volume", "mountPath": "/tmp/ray"},
        {"name": "kube-api-access-@TOKEN@", "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
    ]);
    let mut spec = json!({
        "containers": [{
            "name": if group == 0 { "ray-head" } else { "ray-worker" }, "image": "rayproject/ray:2.60.0",
            "command": ["/bin/bash", "-c", "--"], "args": [start], "ports": ports, "env": env,
            "resources": {"limits": {"cpu": "8", "memory": "16Gi"}, "requests": {"cpu": "8", "memory": "16Gi"}},
            "volumeMounts": mounts, "livenessProbe": check(30), "readinessProbe": check(10),
            "lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", "ray stop"]}}},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent",
        }],
        "volumes": [
            {"name": "tls", "secret": {"secretName": format!("{cluster}-tls"), "defaultMode": 420}},
            {"name": "shared-mem", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}},
            {"name": "log-volume", "emptyDir": {}},
            {"name": "kube-api-access-@TOKEN@", "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
            ]}},
        ],
        "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default", "serviceAccount": "default", "securityContext": {}, "schedulerName": "default-scheduler",
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
        ],
        "priority": 0, "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority",
    });
    if group > 0 {
        spec["initContainers"] = json!([{
            "name": "wait-gcs-ready", "image": "rayproject/ray:2.60.0", "command": ["/bin/bash", "-c", "--"],
            "args": ["\n\t\t\t\t\tSECONDS=0\n\t\t\t\t\twhile true; do\n\t\t\t\t\t\tif (( SECONDS <= 120 )); then\n\t\t\t\t\t\t\tif ray health-check --address $FQ_RAY_IP:6379 > /dev/null 2>&1; then\n\t\t\t\t\t\t\t\techo \"GCS is ready.\"\n\t\t\t\t\t\t\t\tbreak\n\t\t\t\t\t\t\tfi\n\t\t\t\t\t\tfi\n\t\t\t\t\t\tsleep 5\n\t\t\t\t\tdone\n\t\t\t\t"],
            "env": spec["containers"][0]["env"], "volumeMounts": spec["containers"][0]["volumeMounts"],
            "resources": {"limits": {"cpu": "200m", "memory": "256Mi"}, "requests": {"cpu": "200m", "memory": "256Mi"}},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent",
        }]);
    }
    spec
}

/// What people write of it in the RayCluster: KubeRay adds the command and the init container.
fn raw(template: &Value) -> Value {
    let mut spec = template.clone();
    spec.as_object_mut().unwrap().retain(|field, _| matches!(field.as_str(), "containers" | "volumes"));
    let container = spec["containers"][0].as_object_mut().unwrap();
    container
        .retain(|field, _| matches!(field.as_str(), "env" | "image" | "name" | "ports" | "resources" | "volumeMounts"));
    let own =
        |env: &Value| !matches!(env["name"].as_str().unwrap(), "FQ_RAY_IP" | "RAY_ADDRESS" | "RAY_IP" | "RAY_PORT");
    let env: Vec<Value> = container["env"].as_array().unwrap().iter().filter(|env| own(env)).cloned().collect();
    container.insert("env".into(), env.into());
    json!({"metadata": {}, "spec": spec})
}

fn pod(cluster: &str, namespace: &str, group: usize, spec: &Value) -> String {
    let name = if group == 0 { "headgroup".to_owned() } else { format!("group-{}", group - 1) };
    let labels = json!({
        "app.kubernetes.io/created-by": "kuberay-operator", "app.kubernetes.io/name": "kuberay", "ray.io/cluster": cluster,
        "ray.io/group": name, "ray.io/identifier": format!("{cluster}-{}", if group == 0 { "head" } else { "worker" }),
        "ray.io/is-ray-node": "yes", "ray.io/node-type": if group == 0 { "head" } else { "worker" },
    });
    let mut of_pod = metadata(namespace, "@NAME@", labels);
    of_pod["annotations"] = json!({"ray.io/ft-enabled": "false"});
    of_pod["ownerReferences"] = json!([{
        "apiVersion": "ray.io/v1", "kind": "RayCluster", "name": cluster, "uid": "5b6d1c7e-0000-4000-8000-000000000001",
        "controller": true, "blockOwnerDeletion": true,
    }]);
    of_pod["managedFields"] = managed(spec);
    let mut spec = spec.clone();
    spec["nodeName"] = json!("node-0017");
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-11-20T09:00:00Z"});
    let state = |name: &Value, state: Value| {
        json!([{
            "name": name, "image": "rayproject/ray:2.60.0", "ready": true, "started": true, "restartCount": 0, "lastState": {}, "state": state,
            "imageID": "rayproject/ray@sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "containerID": "containerd://0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
        }])
    };
    let conditions =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition);
    let mut status = json!({
        "phase": "Running", "hostIP": "192.168.4.17", "hostIPs": [{"ip": "192.168.4.17"}], "podIP": "@IP@", "podIPs": [{"ip": "@IP@"}],
        "startTime": "2026-11-20T09:00:00Z", "qosClass": "Guaranteed",
        "conditions": conditions,
        "containerStatuses": state(&spec["containers"][0]["name"], json!({"running": {"startedAt": "2026-11-20T09:01:00Z"}})),
    });
    if group > 0 {
        let over = json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": "2026-11-20T09:00:10Z", "finishedAt": "2026-11-20T09:00:40Z"}});
        status["initContainerStatuses"] = state(&json!("wait-gcs-ready"), over);
    }
    json!({"metadata": of_pod, "spec": spec, "status": status}).to_string()
}

/// `managedFields` as the API server keeps them: a field for each field that the manager set.
fn managed(spec: &Value) -> Value {
    fn fields(value: &Value) -> Value {
        match value {
            Value::Object(map) => map.iter().map(|(key, value)| (format!("f:{key}"), fields(value))).collect(),
            Value::Array(items) if items.iter().all(Value::is_object) => {
                let key = |item: &Value| format!("k:{{\"name\":{}}}", item["name"]);
                items.iter().map(|item| (key(item), fields(item))).collect()
            }
            _ => json!({}),
        }
    }
    let mut list = vec![json!({
        "manager": "manager", "operation": "Update", "apiVersion": "v1", "time": "2026-11-20T09:00:00Z", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {}, "f:ownerReferences": {}}, "f:spec": fields(spec)},
    })];
    list.push(json!({
        "manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": "2026-11-20T09:01:00Z", "fieldsType": "FieldsV1",
        "subresource": "status", "fieldsV1": {"f:status": {"f:conditions": {}, "f:containerStatuses": {}, "f:podIP": {}, "f:podIPs": {}}},
    }));
    list.into()
}

fn metadata(namespace: &str, name: &str, labels: Value) -> Value {
    json!({
        "name": name, "namespace": namespace, "labels": labels, "uid": "@UID@", "resourceVersion": "48151623",
        "creationTimestamp": "2026-11-20T09:00:00Z",
    })
}

fn service(cluster: &Cluster) -> String {
    let name = format!("{}-head-svc", cluster.name);
    let port = |(name, port): (&str, u16)| json!({"name": name, "port": port, "targetPort": port, "protocol": "TCP", "appProtocol": "tcp"});
    let ports = [("gcs-server", 6379), ("dashboard", 8265), ("client", 10001)].map(port);
    json!({"metadata": metadata(&cluster.namespace, &name, json!({"ray.io/cluster": cluster.name})), "spec": {
        "type": "ClusterIP", "clusterIP": "None", "selector": {"ray.io/cluster": cluster.name, "ray.io/node-type": "head"},
        "ports": ports,
    }, "status": {"loadBalancer": {}}})
    .to_string()
}

fn deployment(name: &str) -> String {
    json!({"metadata": metadata("shop", name, json!({"app": name})), "spec": {
        "replicas": REPLICAS, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": web(name)},
    }, "status": {"replicas": REPLICAS}})
    .to_string()
}

fn stranger(at: usize) -> String {
    let name = format!("web-{:04}", at / REPLICAS);
    let mut of_pod =
        metadata("shop", &format!("{name}-5d4f8c7b9-{at:05}"), json!({"app": name, "pod-template-hash": "5d4f8c7b9"}));
    of_pod["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{name}-5d4f8c7b9"), "controller": true}]);
    of_pod["managedFields"] = managed(&web(&name));
    json!({"metadata": of_pod, "spec": web(&name), "status": {"phase": "Running", "podIPs": [{"ip": address(100_000 + at).to_string()}]}})
        .to_string()
}

fn web(name: &str) -> Value {
    json!({
        "containers": [{
            "name": "web", "image": "shop/web:7", "ports": [{"name": "http", "containerPort": 8080}],
            "env": (0..20).map(|at| json!({"name": format!("SHOP_{at}"), "value": format!("{name}-{at}")})).collect::<Vec<_>>(),
            "envFrom": [{"secretRef": {"name": format!("{name}-env")}}],
        }],
        "restartPolicy": "Always",
    })
}

/// A Secret of a CA and one leaf with every name and address of the cluster.
fn secret(cluster: &str, namespace: &str, ips: impl Iterator<Item = Ipv4Addr>, fault: Fault) -> String {
    let mut ca = params(&format!("{cluster}-ca"), Vec::new());
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    if fault == Fault::ExpiredCa {
        ca.not_after = date_time_ymd(2026, 6, 1);
    }
    let ca_key = KeyPair::generate().unwrap();
    let root = ca.self_signed(&ca_key).unwrap();
    let service = format!("{cluster}-head-svc");
    let hosts = [
        service.clone(),
        format!("{service}.{namespace}"),
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.cluster.local"),
        "localhost".into(),
    ];
    let mut names: Vec<SanType> = hosts.into_iter().map(|host| SanType::DnsName(host.try_into().unwrap())).collect();
    names.extend(std::iter::once(Ipv4Addr::LOCALHOST).chain(ips).map(|ip| SanType::IpAddress(IpAddr::V4(ip))));
    let mut leaf = params(cluster, names);
    leaf.not_after = date_time_ymd(2028, 1, 1);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    leaf.use_authority_key_identifier_extension = true;
    let leaf_key = KeyPair::generate().unwrap();
    let signed = leaf.signed_by(&leaf_key, &Issuer::new(ca, ca_key)).unwrap();
    let value = |text: String| STANDARD.encode(text);
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata(namespace, &format!("{cluster}-tls"), json!({})),
        "data": {"ca.crt": value(root.pem()), "tls.crt": value(signed.pem()), "tls.key": value(leaf_key.serialize_pem())},
    })
    .to_string()
}

fn params(name: &str, names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = names;
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2036, 1, 1);
    params
}
