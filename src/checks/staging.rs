//! More for the tests of checks: clients, KubeRay clusters, live pods and what their ports were seen to do.

use jiff::Timestamp;
use rcgen::CertificateParams;
use serde_json::{Value, json};

use super::testing::{Ca, Pair, Scene, cluster, facts, tls_secret, worker};
use crate::evidence::issuance::{Bundle, Condition};
use crate::evidence::{
    DialInside, FileInside, Handshake, Inside, Lookup, ObjectRef, Outcome, Pod, PodContainer, Process, Seen, Settings,
    Target, Tls, Vantage, Why,
};

/// `cluster()` without fixed node addresses: its nodes dial each other by pod IP.
pub(crate) fn by_pod_ip() -> Vec<Value> {
    let plain = |value: &Value| {
        let text = value.to_string();
        let text = text.replace(" --node-ip-address=ray-head-svc", "").replace(" --node-ip-address=ray-worker", "");
        serde_json::from_str(&text).unwrap()
    };
    cluster().iter().map(plain).collect()
}

/// Deployment `name` with TLS on, which dials `address`.
pub(crate) fn client(name: &str, address: &str) -> Value {
    let text = worker("ray-tls").to_string().replace("ray-worker", name);
    let mut object: Value = serde_json::from_str(&text).unwrap();
    container(&mut object)["command"] = json!(["python", "app.py"]);
    set(&mut object, "RAY_ADDRESS", Some(json!(address)));
    object["spec"]["replicas"] = json!(1);
    object
}

/// A head whose trust file comes from a ConfigMap that is not there: trust-manager's Bundle says why.
pub(crate) fn trust_from_bundle() -> Scene {
    let mut objects = cluster();
    set(&mut objects[0], "RAY_TLS_CA_CERT", Some(json!("/etc/ray/ca/ca.crt")));
    let mounts = container(&mut objects[0])["volumeMounts"].as_array_mut().unwrap();
    mounts.push(json!({"name": "ca", "mountPath": "/etc/ray/ca"}));
    let volumes = objects[0]["spec"]["template"]["spec"]["volumes"].as_array_mut().unwrap();
    volumes.push(json!({"name": "ca", "configMap": {"name": "ray-ca"}}));
    let Scene { mut evidence, now, .. } = Scene::live(objects, vec![("ray-tls", Some(Why::TimedOut))]);
    let object = ObjectRef::new("ConfigMap", "ray", "ray-ca");
    evidence.lookups.retain(|lookup| lookup.object != object);
    evidence.lookups.push(Lookup { object, unseen: None });
    evidence.issuance.bundles.push(Bundle {
        object: ObjectRef::new("Bundle", "", "ray-ca"),
        config_map_key: Some("ca.crt".into()),
        conditions: vec![Condition {
            kind: "Synced".into(),
            status: "False".into(),
            reason: "SourceNotFound".into(),
            message: "no such Secret".into(),
            ..Condition::default()
        }],
        ..Bundle::default()
    });
    Scene::of(evidence, now)
}

/// Sets or removes a variable of the first container.
pub(crate) fn set(object: &mut Value, name: &str, value: Option<Value>) {
    let env = container(object)["env"].as_array_mut().unwrap();
    env.retain(|v| v["name"] != name);
    env.extend(value.map(|value| json!({"name": name, "value": value})));
}

/// Takes every TLS variable, the mount and the volume away.
pub(crate) fn strip(object: &mut Value) {
    container(object)["env"].as_array_mut().unwrap().retain(|v| v["name"] == "RAY_ADDRESS");
    container(object)["volumeMounts"] = json!([]);
    object["spec"]["template"]["spec"]["volumes"] = json!([]);
}

/// The first container of a Deployment.
pub(crate) fn container(object: &mut Value) -> &mut Value {
    &mut object["spec"]["template"]["spec"]["containers"][0]
}

/// RayCluster `demo` with a head, worker group `small` and an autoscaler, all with TLS from Secret `ray-tls`.
pub(crate) fn ray_cluster() -> Value {
    let mut pod = worker("ray-tls")["spec"]["template"].clone();
    pod["spec"]["containers"][0].as_object_mut().unwrap().remove("command");
    let container = pod["spec"]["containers"][0].clone();
    json!({
        "apiVersion": "ray.io/v1", "kind": "RayCluster",
        "metadata": {"name": "demo", "namespace": "ray"},
        "spec": {
            "rayVersion": "2.60.0", "enableInTreeAutoscaling": true,
            "autoscalerOptions": {"env": container["env"], "volumeMounts": container["volumeMounts"]},
            "headGroupSpec": {"rayStartParams": {}, "template": pod},
            "workerGroupSpecs": [{"groupName": "small", "replicas": 1, "rayStartParams": {}, "template": pod}],
        },
    })
}

/// Secret `ray-tls` with a CA and a leaf of these names.
pub(crate) fn named(names: &[&str]) -> Value {
    let ca = Ca::new("ray-ca");
    tls_secret("ray-tls", &leaf(&ca, names), &ca.pem)
}

/// A leaf of these names.
pub(crate) fn leaf(ca: &Ca, names: &[&str]) -> Pair {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    ca.leaf_with(|params| params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names)
}

/// What the certificate of [`nodes`] has to name.
pub(crate) const NODES: [&str; 4] = ["ray-head-svc", "127.0.0.1", "10.0.0.5", "10.0.0.6"];

/// A live cluster of pods `ray-head-0` and `ray-worker-0`, dialled by IP, with this certificate and CA in Secret `ray-tls`.
pub(crate) fn nodes(pair: &Pair, ca: &Ca) -> Scene {
    let mut objects = by_pod_ip();
    objects.push(tls_secret("ray-tls", pair, &ca.pem));
    live(objects, &[("ray-head", "ray-head-0", "10.0.0.5"), ("ray-worker", "ray-worker-0", "10.0.0.6")])
}

/// These objects in a live cluster, with one running pod for each `(workload, pod, IP)`, started at the beginning of May 2026.
pub(crate) fn live(objects: Vec<Value>, pods: &[(&str, &str, &str)]) -> Scene {
    let mut scene = Scene::live(objects, Vec::new());
    for (workload, name, ip) in pods {
        let workload = scene.evidence.workloads.iter_mut().find(|w| w.object.name == *workload).unwrap();
        let state = |name: &str| PodContainer {
            name: name.into(),
            started_at: Some("2026-05-01T00:00:00Z".parse().unwrap()),
            waiting: None,
            restarts: 0,
        };
        workload.pods.push(Pod {
            name: (*name).into(),
            ips: vec![ip.parse().unwrap()],
            phase: "Running".into(),
            containers: workload.containers.iter().map(|c| state(&c.name)).collect(),
        });
    }
    scene.again()
}

impl Scene {
    /// The scene after a change of its evidence.
    pub(crate) fn again(self) -> Scene {
        Scene::of(self.evidence, self.now)
    }

    /// What a dial of a pod's port ended in.
    pub(crate) fn see(mut self, pod: &str, port: u16, outcome: Outcome) -> Scene {
        let target = Target { namespace: "ray".into(), pod: pod.into(), host: pod.into(), port };
        self.evidence.handshakes.push(Handshake {
            target,
            vantage: Vantage::PortForward,
            server_name: None,
            client: None,
            steps: Vec::new(),
            outcome,
        });
        self.again()
    }

    /// What the container of a pod of Deployment `workload` told: its GCS or raylet runs with these variables and has this
    /// file for each, and these dials were made.
    pub(crate) fn within(
        mut self,
        pod: &str,
        env: &[(&str, &str)],
        files: &[(&str, &str)],
        dials: Vec<DialInside>,
    ) -> Scene {
        let process = |pid, kind: &str| Process {
            pid,
            kind: kind.into(),
            started_at: None,
            uid: Some(1000),
            variables: Some(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()),
            withheld: Vec::new(),
            ports: None,
        };
        let file = |(variable, text): &(&str, &str)| FileInside {
            variable: (*variable).into(),
            path: env.iter().find(|(name, _)| name == variable).map_or_else(String::new, |(_, path)| (*path).into()),
            resolved: String::new(),
            pid: 7,
            content: Seen::Found(facts(text)),
            readable: Some(true),
            owner: None,
            changed_at: None,
        };
        self.evidence.inside.push(Inside {
            namespace: "ray".into(),
            pod: pod.into(),
            container: "ray".into(),
            asked_at: self.now,
            clock: None,
            interpreter: "Python 3.11.2".into(),
            ray: None,
            grpcio: None,
            reader: 7,
            processes: vec![process(7, "raylet"), process(9, "exec")],
            counts: Default::default(),
            files: files.iter().map(file).collect(),
            dials,
        });
        self.again()
    }

    /// The pod was started again today, and its ports serve this.
    pub(crate) fn restarted(mut self, pod: &str, served: &Pair) -> Scene {
        let started = self.now - jiff::SignedDuration::from_hours(1);
        let pods = self.evidence.workloads.iter_mut().flat_map(|w| &mut w.pods).filter(|p| p.name == pod);
        pods.flat_map(|pod| &mut pod.containers).for_each(|container| container.started_at = Some(started));
        let own = |h: &&mut Handshake| h.target.pod == pod;
        let outcome = tls(&served.certificate, Settings::TimedOut);
        self.evidence.handshakes.iter_mut().filter(own).for_each(|h| h.outcome = outcome.clone());
        self.again()
    }

    /// The Secret changed at this time.
    pub(crate) fn changed(mut self, secret: &str, at: &str) -> Scene {
        let at: Timestamp = at.parse().unwrap();
        self.evidence.secrets.iter_mut().filter(|s| s.object.name == secret).for_each(|s| s.changed_at = Some(at));
        self.again()
    }
}

/// The variables of [`nodes`].
pub(crate) const ENV: [(&str, &str); 4] = [
    ("RAY_USE_TLS", "1"),
    ("RAY_TLS_SERVER_CERT", "/etc/ray/tls/tls.crt"),
    ("RAY_TLS_SERVER_KEY", "/etc/ray/tls/tls.key"),
    ("RAY_TLS_CA_CERT", "/etc/ray/tls/ca.crt"),
];

/// TLS as a Ray port speaks it, with this certificate.
pub(crate) fn tls(pem: &str, settings: Settings) -> Outcome {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    Outcome::Tls(Box::new(Tls {
        version: "TLS 1.3".into(),
        alpn: Some("h2".into()),
        chain: vec![body],
        client_certificate_requested: true,
        ca_names: Vec::new(),
        group: "X25519".into(),
        settings,
    }))
}
