//! `raytls doctor` against API servers that stall, break off, lie or flood: what is judged, what is told, which exit code.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Ran, raytls};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const PODS: &str = "/api/v1/namespaces/ray/pods";
const SERVICES: &str = "/api/v1/namespaces/ray/services";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/ray/deployments";
const SECRET: &str = "/api/v1/namespaces/ray/secrets/ray-tls";

#[test]
fn a_good_server_gives_a_healthy_cluster() {
    let seen = Server::start(|_| None).doctor(&[]);
    assert_eq!(seen.code, 0, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert_eq!(seen.json()["verdict"], "healthy");
    assert_eq!(seen.json()["notJudged"], json!([]));
}

#[test]
fn a_list_that_fails_is_named_and_the_rest_is_judged() {
    let long = "x".repeat(5_000);
    let cases = [
        (Says::status(500, "InternalError"), "the API server answered 500: InternalError", 1),
        (Says::status(403, "Forbidden"), "forbidden: may not list services in namespace ray", 1),
        (Says::status(404, "NotFound"), "does not know it", 1),
        (Says::status(410, "Expired"), "answered 410", 1),
        (Says::status(429, &long), "answered 429: xxx", 3),
        (Says::status(503, "ServiceUnavailable"), "answered 503", 3),
        (Says::body(200, "<html>log in</html>"), "HTML", 1),
        (Says::body(200, r#"{"kind":"ServiceList","items":[{"metadata":{"#), "broken JSON", 1),
        (Says::body(200, r#"{"kind":"ServiceList","items":{}}"#), "no items", 1),
        (Says::body(200, r#"{"kind":"Status","items":null}"#), "no items", 1),
        (Says::body(200, "[]"), "broken JSON", 1),
        (Says::Reset, "the connection failed", 2),
        (Says::Close, "the connection failed", 2),
    ];
    for (says, why, times) in cases {
        let named = format!("{says:?}").chars().take(80).collect::<String>();
        let server = Server::start(move |asked| (asked.path == SERVICES).then(|| says.clone()));
        let seen = server.doctor(&[]);
        assert_eq!(seen.code, 0, "{named}: {}{}", seen.stdout, seen.stderr);
        seen.whole();
        let gaps = seen.gaps();
        assert_eq!(gaps.len(), 1, "{named}: {gaps:?}");
        assert!(
            gaps[0].starts_with("Service objects of namespace ray: ") && gaps[0].contains(why),
            "{named}: {gaps:?}"
        );
        assert!(gaps[0].len() < 500, "{named}");
        assert_eq!(server.times(SERVICES), times, "{named}");
    }
}

#[test]
fn what_stalls_is_left_at_the_deadline() {
    let halves = [
        Says::Stall(String::new()),
        Says::Stall("HTTP/1.1 200 OK\r\nconte".into()),
        Says::Stall("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"kind\":\"ServiceList\",\"items\":[".into()),
        Says::Drip,
    ];
    for says in halves {
        let named = format!("{says:?}");
        let server = Server::start(move |asked| (asked.path == SERVICES).then(|| says.clone()));
        let seen = server.doctor(&["--timeout", "2s"]);
        assert_eq!(seen.code, 3, "{named}: {}{}", seen.stdout, seen.stderr);
        seen.whole();
        assert_eq!(seen.json()["incomplete"], true, "{named}");
        assert_eq!(seen.gaps(), ["Service objects of namespace ray: no answer in time"], "{named}");
        assert_eq!(server.times(SERVICES), 1, "{named}");
    }
}

#[test]
fn a_server_that_stalls_from_the_start_ends_with_the_deadline() {
    let server = Server::start(|_| Some(Says::Stall(String::new())));
    let seen = server.doctor(&["--timeout", "1s"]);
    assert_eq!(seen.code, 3, "{}", seen.stderr);
    assert!(seen.stderr.contains("did not answer within 1 s"), "{}", seen.stderr);
}

#[test]
fn a_connection_that_is_reset_once_is_no_gap() {
    for says in [Says::Reset, Says::Close, Says::status(429, "TooManyRequests"), Says::later("1")] {
        let named = format!("{says:?}");
        let server = Server::start(move |asked| (asked.path == PODS && asked.nth == 0).then(|| says.clone()));
        let seen = server.doctor(&["-v"]);
        assert_eq!(seen.code, 0, "{named}: {}{}", seen.stdout, seen.stderr);
        seen.whole();
        assert_eq!(seen.gaps(), [""; 0], "{named}");
        assert_eq!(server.times(PODS), 2, "{named}");
        assert!(seen.stderr.contains("asked_again=1"), "{named}: {}", seen.stderr);
    }
}

#[test]
fn a_server_that_asks_for_more_time_than_there_is_is_not_waited_for() {
    let server = Server::start(|asked| (asked.path == SERVICES).then(|| Says::later("3600")));
    let seen = server.doctor(&["--timeout", "100s"]);
    assert_eq!(seen.code, 0, "{}", seen.stderr);
    assert!(seen.gaps()[0].contains("429"), "{:?}", seen.gaps());
    assert_eq!(server.times(SERVICES), 1);
}

#[test]
fn an_expired_page_begins_the_list_anew_without_loss_or_double() {
    let pages = |asked: &Asked, expires: usize| {
        let (head, worker) = (pod("head"), pod("worker"));
        match (asked.path.as_str(), asked.next.as_str()) {
            (PODS, "") => Some(page("Pod", &[head], "second")),
            (PODS, "second") if asked.nth < expires => Some(Says::status(410, "Expired")),
            (PODS, "second") => Some(page("Pod", &[worker], "")),
            _ => None,
        }
    };
    let server = Server::start(move |asked| pages(asked, 1));
    let seen = server.doctor(&[]);
    assert_eq!(seen.code, 0, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert_eq!(seen.gaps(), [""; 0]);
    assert_eq!(server.times(PODS), 4);

    // One that always expires: what came is kept, and said to be a part.
    let server = Server::start(move |asked| pages(asked, usize::MAX));
    let seen = server.doctor(&[]);
    assert_eq!(seen.code, 3, "{}{}", seen.stdout, seen.stderr);
    assert_eq!(seen.json()["incomplete"], true);
    assert!(seen.gaps().iter().any(|gap| gap.contains("only the first part of the list came") && gap.contains("410")));
    assert_eq!(server.times(PODS), 4);
    assert!(seen.stdout.contains("ray/mine:head"), "{}", seen.stdout);
}

#[test]
fn pages_in_a_circle_end() {
    let server = Server::start(|asked| (asked.path == SERVICES).then(|| page("Service", &[], "again")));
    let seen = server.doctor(&[]);
    assert_eq!(seen.code, 3, "{}", seen.stderr);
    assert!(seen.gaps()[0].contains("in a circle"), "{:?}", seen.gaps());
    assert_eq!(server.times(SERVICES), 2);
}

#[test]
fn items_of_other_kinds_are_left_out_and_named() {
    let strange = [
        json!({"kind": "Secret", "metadata": {"name": "s", "namespace": "ray"}, "data": {"tls.key": "U0VTQU1F"}}),
        json!(7),
        json!({"kind": 7, "metadata": {}}),
    ];
    for item in strange {
        let items = [pod("head"), item.clone(), pod("worker")];
        let seen = Server::start(move |asked| (asked.path == PODS).then(|| page("Pod", &items, ""))).doctor(&[]);
        assert_eq!(seen.code, 0, "{item}: {}{}", seen.stdout, seen.stderr);
        seen.whole();
        assert!(seen.gaps()[0].starts_with("Pod objects of namespace ray: the API server's list has an item that"));
        assert!(!seen.stdout.contains("U0VTQU1F"), "{}", seen.stdout);
    }
}

#[test]
fn items_that_are_null_are_none() {
    let empty = Says::body(200, r#"{"kind":"DeploymentList","metadata":{},"items":null}"#);
    let seen = Server::start(move |asked| (asked.path == DEPLOYMENTS).then(|| empty.clone())).doctor(&[]);
    assert_eq!(seen.code, 0, "{}", seen.stderr);
    seen.whole();
    assert_eq!(seen.gaps(), [""; 0]);
}

#[test]
fn a_page_that_is_too_large_is_asked_for_in_smaller_ones() {
    let server = Server::start(|asked| match (asked.path.as_str(), asked.limit) {
        (PODS, 500) => Some(Says::Flood),
        (PODS, limit) => {
            assert!(limit < 500);
            None
        }
        _ => None,
    });
    let seen = server.doctor(&[]);
    assert_eq!(seen.code, 0, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert_eq!(seen.gaps(), [""; 0]);
}

#[test]
fn a_flood_is_cut_off_in_little_memory() {
    let server = Server::start(|asked| (asked.path == SERVICES).then_some(Says::Flood));
    let child = server.child(&["--no-probe"]).spawn().unwrap();
    let (seen, peak) = watched(child);
    assert_eq!(seen.code, 0, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert!(seen.gaps()[0].contains("larger than 16 MiB"), "{:?}", seen.gaps());
    assert!(peak < 160 << 10, "{peak} KiB");
}

#[test]
fn a_secret_that_stalls_is_not_missing_and_an_interrupt_keeps_the_rest() {
    let stall = |asked: &Asked| (asked.path == SECRET).then(|| Says::Stall(String::new()));
    let seen = Server::start_tls(stall).doctor(&["--timeout", "2s"]);
    assert_eq!(seen.code, 3, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert_eq!(seen.json()["incomplete"], true);
    assert!(seen.gaps().contains(&"Secret ray/ray-tls: no answer in time".to_owned()), "{:?}", seen.gaps());
    for signal in ["-INT", "-TERM"] {
        let server = Server::start_tls(stall);
        let child = server.child(&["--no-probe", "--timeout", "100s"]).spawn().unwrap();
        // Every list has been read when a Secret is asked for.
        server.until_asked(SECRET);
        assert!(Command::new("sh").args(["-c", &format!("kill {signal} {}", child.id())]).status().unwrap().success());
        let seen = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(seen.code, 3, "{signal}: {}{}", seen.stdout, seen.stderr);
        seen.whole();
        assert_eq!(seen.json()["incomplete"], true);
        let told = "Secret ray/ray-tls: interrupted before it was there".to_owned();
        assert!(seen.gaps().contains(&told), "{signal}: {:?}", seen.gaps());
        assert!(seen.stderr.contains("interrupted"), "{}", seen.stderr);
    }
}

#[test]
fn an_interrupt_before_anything_was_told_ends_it() {
    let server = Server::start(|asked| (asked.path == "/version").then(|| Says::Stall(String::new())));
    let child = server.child(&["--no-probe", "--timeout", "100s"]).spawn().unwrap();
    server.until_asked("/version");
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
    let seen = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(seen.code, 3, "{}", seen.stderr);
    assert_eq!(seen.json()["incomplete"], true);
    assert_eq!(seen.json()["connections"], json!([]));
}

#[test]
fn a_pod_that_is_gone_when_its_port_is_dialled_is_no_good_one() {
    let server = Server::start_tls(|asked| {
        asked.path.ends_with("/portforward").then(|| Says::status(404, "pods \"head\" not found"))
    });
    let seen = Ran::of(&mut server.child(&[]));
    assert!(seen.code == 3 || seen.code == 1, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert!(!seen.stdout.contains("\"verdict\":\"accept\""), "{}", seen.stdout);
}

/// The plugin and what it starts end with the wait for them.
#[cfg(target_os = "linux")]
#[test]
fn a_credential_plugin_that_hangs_does_not_outlive_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!("echo $$ > {0}; sleep 300 & echo $! >> {0}; wait", pids.display());
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": ["-c", script], "interactiveMode": "Never",
        }}}],
    });
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    for interrupts in [false, true] {
        let _ = std::fs::remove_file(&pids);
        let timeout = if interrupts { "100s" } else { "2s" };
        let mut command =
            raytls(&["doctor", "--no-probe", "--timeout", timeout, "--kubeconfig", path.to_str().unwrap()]);
        let child = command.env("PATH", "/usr/bin:/bin").spawn().unwrap();
        let started = || std::fs::read_to_string(&pids).unwrap_or_default();
        if interrupts {
            while started().lines().count() < 2 {
                std::thread::sleep(Duration::from_millis(10));
            }
            assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
        }
        let seen = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(seen.code, 3, "{}", seen.stderr);
        assert_eq!(started().lines().count(), 2, "{}", seen.stderr);
        for pid in started().lines() {
            let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let ended = || state().is_empty() || state().contains(") Z ");
            // The system may take a moment to end what was killed.
            for _ in 0..500 {
                if ended() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            assert!(ended(), "{interrupts}: {}", state());
        }
    }
}

/// What the program asks for.
struct Asked {
    /// Without the query.
    path: String,
    /// The continue token; empty for none.
    next: String,
    limit: usize,
    /// How many requests for this path and token came before.
    nth: usize,
}

/// What the server does with one request.
#[derive(Clone, Debug)]
enum Says {
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
    fn body(status: u16, body: &str) -> Self {
        Says::All(status, String::new(), body.into())
    }

    fn json(value: &Value) -> Self {
        Says::body(200, &value.to_string())
    }

    fn status(code: u16, message: &str) -> Self {
        let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code});
        Says::body(code, &body.to_string())
    }

    fn later(seconds: &str) -> Self {
        Says::All(429, format!("retry-after: {seconds}\r\n"), "{}".into())
    }
}

/// A page of a list.
fn page(kind: &str, items: &[Value], next: &str) -> Says {
    Says::json(&json!({"kind": format!("{kind}List"), "metadata": {"continue": next}, "items": items}))
}

/// A pod of RayCluster `mine`, in plaintext.
fn pod(name: &str) -> Value {
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
fn tls(mut pod: Value) -> Value {
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

type Script = Arc<dyn Fn(&Asked) -> Option<Says> + Send + Sync>;

/// An API server with one namespace that has a head and a worker; the script has the first word.
struct Server {
    folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start(script: impl Fn(&Asked) -> Option<Says> + Send + Sync + 'static) -> Self {
        Self::with(Arc::new(script), |name| pod(name))
    }

    fn start_tls(script: impl Fn(&Asked) -> Option<Says> + Send + Sync + 'static) -> Self {
        Self::with(Arc::new(script), |name| tls(pod(name)))
    }

    fn with(script: Script, pod: fn(&str) -> Value) -> Self {
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

    fn child(&self, args: &[&str]) -> Command {
        let config = self.folder.path().join("kubeconfig");
        let mut command = raytls(&["doctor", "-o", "json", "--kubeconfig", config.to_str().unwrap()]);
        command.args(args);
        command
    }

    fn doctor(&self, args: &[&str]) -> Ran {
        Ran::of(self.child(args).arg("--no-probe"))
    }

    /// How often a path was asked for.
    fn times(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.split('?').next() == Some(path)).count()
    }

    fn until_asked(&self, path: &str) {
        while self.times(path) == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Ran {
    /// That the report has both pods, each once.
    fn whole(&self) {
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
    fn gaps(&self) -> Vec<String> {
        let report = self.json();
        let text = |gap: &Value| format!("{}: {}", gap["what"].as_str().unwrap(), gap["why"].as_str().unwrap());
        let all = report["notJudged"].as_array().unwrap().iter().map(text);
        all.filter(|gap| !gap.starts_with("connection ")).collect()
    }
}

/// Waits for a process; what it left, and the most memory that it had, KiB.
fn watched(child: Child) -> (Ran, u64) {
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

async fn serve(mut stream: TcpStream, script: Script, pod: fn(&str) -> Value, seen: Arc<Mutex<Vec<String>>>) {
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

fn usual(path: &str, pod: fn(&str) -> Value) -> Says {
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
