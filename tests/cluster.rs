//! The live collector against API servers that are well, strict, broken, or no API servers at all.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use raytls::collect::cluster::{Collected, Error, Options, collect};
use raytls::evidence::{Gap, Lookup, ObjectRef, Why};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

#[tokio::test]
async fn an_empty_namespace_is_collected_without_gaps() {
    let server = Server::start(Server::empty("ray")).await;
    let seen = server.collect(Options::default()).await.unwrap();
    assert_eq!(seen.evidence.source, "context test, namespace ray");
    assert!(!seen.evidence.incomplete && !seen.evidence.partial);
    assert_eq!(seen.evidence.gaps, []);
    let asked = server.asked();
    assert!(asked.iter().all(|path| !path.contains("/secrets")), "Secrets are never listed: {asked:?}");
}

#[tokio::test]
async fn forbidden_lists_are_gaps_with_the_rule_that_helps() {
    let mut answers = Server::empty("ray");
    for path in ["/api/v1/namespaces/ray/pods", "/apis/ray.io/v1/namespaces/ray/rayclusters"] {
        answers.insert(path.into(), status(403, "Forbidden"));
    }
    answers.insert("/apis/ray.io/v1/namespaces/ray/rayjobs".into(), status(404, "NotFound"));
    answers.insert("/apis/ray.io/v1/namespaces/ray/rayservices".into(), status(403, "Forbidden"));
    let seen = Server::start(answers).await.collect(Options::default()).await.unwrap();
    assert_eq!(
        seen.evidence.gaps,
        [
            Gap {
                what: "Pod objects of namespace ray".into(),
                why: "forbidden: may not list pods in namespace ray".into(),
                needs: Some(r#"Role rule: apiGroups [""], resources ["pods"], verbs ["list"]"#.into()),
                code: None,
            },
            Gap {
                what: "RayCluster objects (and RayService) of namespace ray".into(),
                why: "forbidden: may not list rayclusters.ray.io, rayservices.ray.io in namespace ray".into(),
                needs: Some(
                    r#"Role rule: apiGroups ["ray.io"], resources ["rayclusters", "rayservices"], verbs ["list"]"#
                        .into()
                ),
                code: Some("PRM03".into()),
            },
        ]
    );
    assert!(!seen.evidence.incomplete);
}

#[tokio::test]
async fn pages_are_followed_and_a_broken_one_is_a_gap() {
    let mut answers = Server::empty("ray");
    let page = |next: &str| json!({"kind": "ServiceList", "metadata": {"continue": next}, "items": []});
    answers.insert("/api/v1/namespaces/ray/services".into(), Answer::json(page("second page")));
    answers.insert("/api/v1/namespaces/ray/services?continue=second%20page".into(), status(410, "Expired"));
    let server = Server::start(answers).await;
    let seen = server.collect(Options::default()).await.unwrap();
    let gaps: Vec<&str> = seen.evidence.gaps.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(gaps, ["Service objects of namespace ray"]);
    assert!(seen.evidence.gaps[0].why.contains("410"), "{:?}", seen.evidence.gaps);
    assert!(server.asked().iter().any(|path| path.contains("limit=500")));
}

#[tokio::test]
async fn every_kind_of_broken_answer_to_a_list_leaves_the_rest_judged() {
    let broken = [
        (Answer { status: 200, body: "<html>log in</html>".into() }, "HTML"),
        (Answer { status: 200, body: "{\"items\": [".into() }, "broken JSON"),
        (Answer { status: 200, body: "{\"items\": 7}".into() }, "no items"),
        (Answer { status: 200, body: String::new() }, "an empty body"),
        (Answer { status: 500, body: "<html>oops</html>".into() }, "500: HTML"),
        (status(500, "InternalError"), "500: InternalError"),
        (status(401, "Unauthorized"), "refused the credentials"),
    ];
    for (answer, why) in broken {
        let mut answers = Server::empty("ray");
        answers.insert("/apis/apps/v1/namespaces/ray/deployments".into(), answer);
        let seen = Server::start(answers).await.collect(Options::default()).await.unwrap();
        assert_eq!(seen.evidence.gaps.len(), 1, "{why}");
        assert!(seen.evidence.gaps[0].why.contains(why), "{why}: {:?}", seen.evidence.gaps);
    }
}

#[tokio::test]
async fn a_list_that_never_ends_is_incomplete_at_the_deadline() {
    let mut answers = Server::empty("ray");
    answers.remove("/api/v1/namespaces/ray/pods");
    answers.insert("/api/v1/namespaces/ray/pods".into(), Answer { status: 0, body: String::new() });
    let server = Server::start(answers).await;
    let soon = Instant::now() + Duration::from_secs(4);
    let seen = collect(&server.options(Options::default()), soon).await.unwrap();
    assert!(seen.evidence.incomplete);
    assert_eq!(seen.evidence.gaps.len(), 1);
    assert_eq!(seen.evidence.gaps[0].why, Why::TimedOut.to_string());
}

#[tokio::test]
async fn a_server_that_is_no_api_server_is_said_in_one_sentence() {
    let cases = [
        (
            Answer { status: 200, body: "<html>welcome</html>".into() },
            "is no Kubernetes API server: it answered with HTML",
        ),
        (Answer { status: 404, body: "not here".into() }, "is no Kubernetes API server"),
        (Answer { status: 500, body: "boom".into() }, "answered 500"),
        (status(503, "ServiceUnavailable"), "answered 503 (ServiceUnavailable)"),
        (status(401, "Unauthorized"), "refused the credentials of context test (401): log in again"),
        (Answer { status: 0, body: String::new() }, "did not answer within 1 s"),
    ];
    for (answer, expected) in cases {
        let mut answers = Server::empty("ray");
        answers.insert("/version".into(), answer);
        let server = Server::start(answers).await;
        let options = Options { connect_timeout: Duration::from_secs(1), ..Options::default() };
        // 503 is asked again twice before it is told.
        let options = if expected.contains("503") { Options::default() } else { options };
        let text = unreachable(server.collect(options).await);
        assert!(text.contains(expected), "{text}");
        assert!(text.contains(&server.url), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_with_its_url() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://127.0.0.1:{port}");
        let folder = tempfile::tempdir().unwrap();
        let options = Options { kubeconfig: Some(kubeconfig(folder.path(), &url, "ray")), ..Options::default() };
        let text = unreachable(collect(&options, later()).await);
        assert!(text.contains(&url) && text.contains("connection refused"), "{text}");
    }
}

#[tokio::test]
async fn a_tls_server_that_is_none_does_not_hold_the_collector() {
    let server = Server::start(Server::empty("ray")).await;
    let folder = tempfile::tempdir().unwrap();
    let url = server.url.replace("http://", "https://");
    let options = Options { kubeconfig: Some(kubeconfig(folder.path(), &url, "ray")), ..Options::default() };
    let text = unreachable(collect(&options, later()).await);
    assert!(text.contains("cannot be reached") && text.contains(&url), "{text}");
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_is_said() {
    let server = Server::start(Server::empty("ray")).await;
    let options = Options { namespace: Some("rya".into()), ..Options::default() };
    let text = config_error(server.collect(options).await);
    assert!(text.starts_with("context test has no namespace rya"), "{text}");
    let options = Options { namespace: Some("../../etc".into()), ..Options::default() };
    let text = config_error(server.collect(options).await);
    assert!(text.contains("cannot be the name of a namespace"), "{text}");
}

#[tokio::test]
async fn all_namespaces_are_one_list_each() {
    let server = Server::start(Server::empty("ray")).await;
    let options =
        Options { all_namespaces: true, selector: Some("app=ray,tier in (head)".into()), ..Options::default() };
    let seen = server.collect(options).await.unwrap();
    assert_eq!(seen.evidence.source, "context test, all namespaces");
    let asked = server.asked();
    assert!(
        asked.contains(
            &"/api/v1/pods?limit=500&labelSelector=app%3Dray%2Ctier%20in%20%28head%29\
              &fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed"
                .into()
        ),
        "{asked:?}"
    );
    assert!(asked.contains(&"/api/v1/services?limit=500".into()), "{asked:?}");
}

#[tokio::test]
async fn kubeconfigs_that_cannot_be_used_are_said_without_quoting_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let good = kubeconfig(folder.path(), "http://127.0.0.1:1", "ray");
    let cases = [
        (folder.path().join("nowhere"), None, "cannot be read"),
        (file("broken", "users: [{name: a, user: {token: SESAME\n  x"), None, "is no kubeconfig"),
        (file("binary", "\u{0}\u{1}\u{2}SESAME"), None, "is no kubeconfig"),
        (file("none", "apiVersion: v1\nkind: Config\n"), None, "it has no context at all"),
        (good.clone(), Some("prod"), "no context prod: it has other, test"),
        (good, Some("other"), "context other of the kubeconfig cannot be used"),
    ];
    for (path, context, expected) in cases {
        let options = Options { kubeconfig: Some(path), context: context.map(str::to_string), ..Options::default() };
        let text = config_error(collect(&options, later()).await);
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(!text.contains("SESAME"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[tokio::test]
async fn each_way_a_secret_is_not_seen_is_told_apart() {
    let another = json!({"kind": "Secret", "metadata": {"name": "other", "namespace": "ray"}, "data": {}});
    let forbidden = Why::Forbidden { verb: "get".into(), resource: "secrets".into(), namespace: Some("ray".into()) };
    let garbage = Answer { status: 200, body: "{\"data\": {\"tls.key\": SESAME".into() };
    let cases = [
        (status(403, "Forbidden"), Some(forbidden)),
        (status(404, "NotFound"), None),
        (Answer { status: 404, body: "proxy".into() }, Some(Why::Unreadable("the API server does not know it".into()))),
        (Answer::json(another), Some(Why::Unreadable("the API server answered with another object".into()))),
        (garbage, Some(Why::Unreadable("it answered with broken JSON".into()))),
    ];
    for (answer, unseen) in cases {
        let mut answers = Server::with_pod();
        answers.insert("/api/v1/namespaces/ray/secrets/ray-tls".into(), answer);
        let server = Server::start(answers).await;
        let seen = server.collect(Options::default()).await.unwrap();
        let object = ObjectRef::new("Secret", "ray", "ray-tls");
        assert_eq!(seen.evidence.lookups, [Lookup { object, unseen: unseen.clone() }]);
        let gaps: Vec<Gap> = unseen
            .map(|why| Gap {
                what: "Secret ray/ray-tls".into(),
                why: why.to_string(),
                needs: matches!(why, Why::Forbidden { .. }).then(|| {
                    r#"Role rule: apiGroups [""], resources ["secrets"], resourceNames ["ray-tls"], verbs ["get"]"#
                        .into()
                }),
                code: matches!(why, Why::Forbidden { .. }).then(|| "PRM01".into()),
            })
            .into_iter()
            .collect();
        assert_eq!(seen.evidence.gaps, gaps);
        assert_eq!(server.asked().iter().filter(|path| path.contains("secrets")).count(), 1);
    }
}

#[tokio::test]
async fn a_secret_that_is_readable_is_reduced_and_asked_for_by_name() {
    let mut answers = Server::with_pod();
    let value = json!({
        "kind": "Secret", "metadata": {"name": "ray-tls", "namespace": "ray"}, "type": "Opaque",
        "data": {"password": "U0VTQU1F", "tls.crt": ""},
    });
    answers.insert("/api/v1/namespaces/ray/secrets/ray-tls".into(), Answer::json(value));
    let seen = Server::start(answers).await.collect(Options::default()).await.unwrap();
    assert_eq!(seen.evidence.secrets.len(), 1);
    assert_eq!(seen.evidence.workloads.len(), 1);
    let written = serde_json::to_string(&seen.evidence).unwrap();
    assert!(!written.contains("SESAME") && !written.contains("U0VTQU1F"), "{written}");
}

#[tokio::test]
async fn without_leave_no_secret_is_asked_for() {
    let server = Server::start(Server::with_pod()).await;
    let seen = server.collect(Options { no_secrets: true, ..Options::default() }).await.unwrap();
    let object = ObjectRef::new("Secret", "ray", "ray-tls");
    assert_eq!(seen.evidence.lookups, [Lookup { object, unseen: Some(Why::NotAsked) }]);
    assert!(server.asked().iter().all(|path| !path.contains("secrets")));
}

#[tokio::test]
async fn a_selector_keeps_the_ray_clusters_of_the_pods() {
    let mut answers = Server::with_pod();
    let cluster = |name: &str| {
        let template = json!({"spec": {"containers": [{"name": "ray-head", "image": "rayproject/ray"}]}});
        json!({"metadata": {"name": name, "namespace": "ray"}, "spec": {"headGroupSpec": {"rayStartParams": {}, "template": template}}})
    };
    let list = json!({"metadata": {}, "items": [cluster("mine"), cluster("other")]});
    answers.insert("/apis/ray.io/v1/namespaces/ray/rayclusters".into(), Answer::json(list));
    let server = Server::start(answers).await;
    let names = |seen: Collected| -> Vec<String> {
        seen.evidence.ray_resources.into_iter().map(|resource| resource.object.name).collect()
    };
    let all = names(server.collect(Options::default()).await.unwrap());
    assert_eq!(all, ["mine", "other"]);
    let options = Options { selector: Some("ray.io/cluster=mine".into()), ..Options::default() };
    assert_eq!(names(server.collect(options).await.unwrap()), ["mine"]);
}

/// An HTTP answer. Status 0 never comes.
#[derive(Clone)]
struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn json(value: Value) -> Self {
        Answer { status: 200, body: value.to_string() }
    }
}

/// A `Status` object as the API server gives it.
fn status(code: u16, reason: &str) -> Answer {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason, "reason": reason, "code": code});
    Answer { status: code, body: body.to_string() }
}

/// A small API server: answers by path; `limit` is no part of the key, `continue` is.
struct Server {
    url: String,
    folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers of a cluster with one empty namespace.
    fn empty(namespace: &str) -> BTreeMap<String, Answer> {
        let mut answers = BTreeMap::from([("/version".to_string(), Answer::json(json!({"gitVersion": "v1.34.4"})))]);
        let own = format!("/api/v1/namespaces/{namespace}");
        answers.insert(own.clone(), Answer::json(json!({"kind": "Namespace", "metadata": {"name": namespace}})));
        for (group, plural) in [
            ("/api/v1", "pods"),
            ("/api/v1", "services"),
            ("/apis/apps/v1", "deployments"),
            ("/apis/apps/v1", "statefulsets"),
            ("/apis/apps/v1", "daemonsets"),
            ("/apis/batch/v1", "cronjobs"),
            ("/apis/batch/v1", "jobs"),
        ] {
            let empty = Answer::json(json!({"kind": "List", "metadata": {}, "items": []}));
            answers.insert(format!("{group}/{plural}"), empty.clone());
            answers.insert(format!("{group}/namespaces/{namespace}/{plural}"), empty);
        }
        answers
    }

    /// The same with a pod that mounts Secret `ray-tls`.
    fn with_pod() -> BTreeMap<String, Answer> {
        let mut answers = Server::empty("ray");
        let labels = json!({"ray.io/cluster": "mine", "ray.io/node-type": "head", "ray.io/group": "headgroup", "ray.io/is-ray-node": "yes"});
        let pod = json!({
            "metadata": {"name": "head", "namespace": "ray", "labels": labels},
            "spec": {
                "containers": [{
                    "name": "ray-head",
                    "image": "rayproject/ray",
                    "command": ["ray", "start", "--head"],
                    "env": [
                        {"name": "RAY_USE_TLS", "value": "1"},
                        {"name": "RAY_TLS_SERVER_CERT", "value": "/tls/tls.crt"},
                    ],
                    "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
                }],
                "volumes": [{"name": "tls", "secret": {"secretName": "ray-tls"}}],
            },
            "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.7"}]},
        });
        answers.insert("/api/v1/namespaces/ray/pods".into(), Answer::json(json!({"metadata": {}, "items": [pod]})));
        answers
    }

    async fn start(answers: BTreeMap<String, Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen) = (Arc::new(answers), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, answers.clone(), seen.clone()));
            }
        });
        Server { url, folder: tempfile::tempdir().unwrap(), asked }
    }

    fn options(&self, options: Options) -> Options {
        Options { kubeconfig: Some(kubeconfig(self.folder.path(), &self.url, "ray")), ..options }
    }

    async fn collect(&self, options: Options) -> Result<Collected, Error> {
        collect(&self.options(options), later()).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, answers: Arc<BTreeMap<String, Answer>>, asked: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let Ok(n @ 1..) = stream.read(&mut buffer).await else { return };
        request.extend(&buffer[..n]);
        if !request.starts_with(b"GET ") {
            let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await;
            return;
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let Some(path) = text.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()) else {
        return;
    };
    asked.lock().unwrap().push(path.into());
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let next = query.split('&').find(|part| part.starts_with("continue="));
    let key = next.map_or_else(|| bare.to_string(), |next| format!("{bare}?{next}"));
    let Answer { status, body } = answers.get(&key).cloned().unwrap_or_else(|| self::status(404, "NotFound"));
    if status == 0 {
        while let Ok(1..) = stream.read(&mut buffer).await {}
        return;
    }
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn kubeconfig(folder: &Path, url: &str, namespace: &str) -> PathBuf {
    let path = folder.join("kubeconfig");
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "contexts": [
            {"name": "test", "context": {"cluster": "c", "user": "u", "namespace": namespace}},
            {"name": "other", "context": {"cluster": "gone", "user": "u"}},
        ],
        "users": [{"name": "u", "user": {"token": "SESAME"}}],
    });
    std::fs::write(&path, text.to_string()).unwrap();
    path
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn unreachable(answer: Result<Collected, Error>) -> String {
    match answer {
        Err(Error::Unreachable(text)) => text,
        Err(error) => panic!("told in another way: {error}"),
        Ok(_) => panic!("collected"),
    }
}

fn config_error(answer: Result<Collected, Error>) -> String {
    match answer {
        Err(Error::Config(text)) => text,
        Err(error) => panic!("told in another way: {error}"),
        Ok(_) => panic!("collected"),
    }
}
