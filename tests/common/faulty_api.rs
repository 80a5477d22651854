//! An API server that does what a script says.

use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{Ran, raytls};

pub(crate) const PODS: &str = "/api/v1/namespaces/ray/pods";
pub(crate) const SERVICES: &str = "/api/v1/namespaces/ray/services";

/// What the program asks for.
pub(crate) struct Asked {
    /// Without the query.
    pub(crate) path: String,
    /// The continue token; empty for none.
    pub(crate) next: String,
    pub(crate) limit: usize,
    /// How many requests for this path and token came before.
    pub(crate) nth: usize,
}

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// Status, further headers, body.
    All(u16, String, String),
    /// Nothing, and the connection is reset.
    Reset,
    /// Nothing, and the connection is closed.
    Close,
    /// This, and then nothing more for ever.
    Stall(String),
    /// A good head, and then an octet now and then.
    Drip,
    /// A good head, and then blanks without end.
    Flood,
}

impl Says {
    pub(crate) fn body(status: u16, body: &str) -> Self {
        Says::All(status, String::new(), body.into())
    }

    pub(crate) fn json(value: &Value) -> Self {
        Says::body(200, &value.to_string())
    }

    pub(crate) fn status(code: u16, message: &str) -> Self {
        let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code});
        Says::body(code, &body.to_string())
    }

    pub(crate) fn later(seconds: &str) -> Self {
        Says::All(429, format!("retry-after: {seconds}\r\n"), "{}".into())
    }
}

/// A page of a list.
pub(crate) fn page(kind: &str, items: &[Value], next: &str) -> Says {
    Says::json(&json!({"kind": format!("{kind}List"), "metadata": {"continue": next}, "items": items}))
}

/// A pod of RayCluster `mine`, in plaintext.
pub(crate) fn pod(name: &str) -> Value {
    let head = name == "head";
    let labels = json!({
        "ray.io/cluster": "mine", "ray.io/node-type": if head { "head" } else { "worker" },
        "ray.io/group": if head { "headgroup" } else { "small" },
    });
    let command = if head { "ray start --head --block" } else { "ray start --address=mine-head-svc:6379 --block" };
    json!({
        "metadata": {
            "name": name, "namespace": "ray", "labels": labels,
            "ownerReferences": [{"kind": "RayCluster", "name": "mine", "controller": true}],
        },
        "spec": {"containers": [{"name": "ray", "image": "rayproject/ray", "command": ["bash", "-c", command], "env": []}]},
        "status": {"phase": "Running", "podIPs": [{"ip": if head { "10.0.0.7" } else { "10.0.0.8" }}]},
    })
}

/// The same with TLS from a Secret.
pub(crate) fn tls(mut pod: Value) -> Value {
    pod["spec"]["containers"][0]["env"] = json!([
        {"name": "RAY_USE_TLS", "value": "1"},
        {"name": "RAY_TLS_SERVER_CERT", "value": "/tls/tls.crt"},
        {"name": "RAY_TLS_SERVER_KEY", "value": "/tls/tls.key"},
        {"name": "RAY_TLS_CA_CERT", "value": "/tls/ca.crt"},
    ]);
    pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "tls", "mountPath": "/tls"}]);
    pod["spec"]["volumes"] = json!([{"name": "tls", "secret": {"secretName": "ray-tls"}}]);
    pod
}

pub(crate) type Script = Arc<dyn Fn(&Asked) -> Option<Says> + Send + Sync>;

/// An API server with one namespace that has a head and a worker; the script has the first word.
pub(crate) struct Server {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    pub(crate) fn start(script: impl Fn(&Asked) -> Option<Says> + Send + Sync + 'static) -> Self {
        Self::with(Arc::new(script), pod)
    }

    pub(crate) fn start_tls(script: impl Fn(&Asked) -> Option<Says> + Send + Sync + 'static) -> Self {
        Self::with(Arc::new(script), |name| tls(pod(name)))
    }

    pub(crate) fn with(script: Script, pod: fn(&str) -> Value) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{}", listener.local_addr().unwrap())}}],
            "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u", "namespace": "ray"}}],
            "users": [{"name": "u", "user": {"token": "SESAME"}}],
        });
        std::fs::write(folder.path().join("kubeconfig"), config.to_string()).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), pod, seen.clone()));
            }
        });
        Server { folder, asked, _runtime: runtime }
    }

    pub(crate) fn child(&self, args: &[&str]) -> Command {
        let config = self.folder.path().join("kubeconfig");
        let mut command = raytls(&["doctor", "-o", "json", "--kubeconfig", config.to_str().unwrap()]);
        command.args(args);
        command
    }

    pub(crate) fn doctor(&self, args: &[&str]) -> Ran {
        Ran::of(self.child(args).arg("--no-probe"))
    }

    /// How often a path was asked for.
    pub(crate) fn times(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.split('?').next() == Some(path)).count()
    }

    pub(crate) fn until_asked(&self, path: &str) {
        while self.times(path) == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Ran {
    /// That the report has both pods, each once.
    pub(crate) fn whole(&self) {
        let report = self.json();
        let counts: Vec<(&str, u64)> = report["connections"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|c| c["dialer"] == "ray/mine:small" && c["target"] == "ray/mine:head")
            .map(|c| (c["dialer"].as_str().unwrap(), c["count"].as_u64().unwrap()))
            .collect();
        assert!(!counts.is_empty() && counts.iter().all(|(_, count)| *count == 1), "{}", self.stdout);
    }

    /// `what: why` of all that was not judged, single connections aside.
    pub(crate) fn gaps(&self) -> Vec<String> {
        let report = self.json();
        let text = |gap: &Value| format!("{}: {}", gap["what"].as_str().unwrap(), gap["why"].as_str().unwrap());
        let all = report["notJudged"].as_array().unwrap().iter().map(text);
        all.filter(|gap| !gap.starts_with("connection ")).collect()
    }
}

/// Waits for a process; what it left, and the most memory that it had, KiB.
pub(crate) fn watched(child: Child) -> (Ran, u64) {
    let status = format!("/proc/{}/status", child.id());
    let waiting = std::thread::spawn(move || Ran::from(child.wait_with_output().unwrap()));
    let mut peak = 0;
    while !waiting.is_finished() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0);
        peak = peak.max(now);
        std::thread::sleep(Duration::from_millis(1));
    }
    (waiting.join().unwrap(), peak)
}

pub(crate) async fn serve(
    mut stream: TcpStream,
    script: Script,
    pod: fn(&str) -> Value,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let Ok(n @ 1..) = stream.read(&mut buffer).await else { return };
        request.extend(&buffer[..n]);
    }
    let text = String::from_utf8_lossy(&request).to_lowercase();
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let mut rest = text.split("\r\n\r\n").next().map_or(0, str::len) + 4 + length.unwrap_or(0);
    rest = rest.saturating_sub(request.len());
    while rest > 0 {
        let Ok(n @ 1..) = stream.read(&mut buffer).await else { return };
        rest = rest.saturating_sub(n);
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let Some(target) = text.split(' ').nth(1) else { return };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let of = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap_or_default();
    let nth = {
        let mut seen = seen.lock().unwrap();
        let next = of("continue=");
        let same = |other: &&String| {
            let (other_path, other_query) = other.split_once('?').unwrap_or((other.as_str(), ""));
            other_path == path
                && other_query.split('&').find_map(|pair| pair.strip_prefix("continue=")).unwrap_or_default() == next
        };
        let nth = seen.iter().filter(same).count();
        seen.push(target.to_owned());
        nth
    };
    let asked =
        Asked { path: path.into(), next: of("continue=").into(), limit: of("limit=").parse().unwrap_or(0), nth };
    let says = script(&asked).unwrap_or_else(|| usual(&asked.path, pod));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    match says {
        Says::All(status, headers, body) => {
            let head =
                format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Says::Reset => {
            let _ = stream.set_zero_linger();
        }
        Says::Close => {}
        Says::Stall(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            while let Ok(1..) = stream.read(&mut buffer).await {}
        }
        Says::Drip => {
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(b"1\r\n \r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Says::Flood => {
            let _ = stream.write_all(head.as_bytes()).await;
            let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, " ".repeat(1 << 16));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
        }
    }
}

pub(crate) fn usual(path: &str, pod: fn(&str) -> Value) -> Says {
    match path {
        "/version" => Says::body(200, r#"{"gitVersion":"v1.34.4"}"#),
        "/api/v1/namespaces/ray" => Says::body(200, r#"{"kind":"Namespace","metadata":{"name":"ray"}}"#),
        PODS => page("Pod", &[pod("head"), pod("worker")], ""),
        SERVICES => {
            let selector = json!({"ray.io/cluster": "mine", "ray.io/node-type": "head"});
            let service = json!({
                "metadata": {"name": "mine-head-svc", "namespace": "ray"},
                "spec": {"clusterIP": "None", "selector": selector, "ports": [{"name": "gcs", "port": 6379}]},
            });
            page("Service", &[service], "")
        }
        path if path.starts_with("/apis/authorization.k8s.io/") => Says::status(404, "NotFound"),
        path if path.split('/').next_back().is_some_and(|last| last.ends_with('s')) && !path.contains("/secrets/") => {
            page("", &[], "")
        }
        _ => Says::status(404, "NotFound"),
    }
}
