#![allow(clippy::disallowed_methods)] // a test dials the demo itself

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::scene::{SECRET, State};
use super::*;

/// Far more than anything here takes; only so that a fault in the demo fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(30);

async fn demo(name: &str) -> Demo {
    start(find(name).unwrap()).await.unwrap()
}

async fn json_at(demo: &Demo, path: &str) -> Result<Value, kube::Error> {
    let client = kube::Client::try_from(demo.client_config().unwrap()).unwrap();
    client.request(http::Request::get(path).body(Vec::new()).unwrap()).await
}

fn code(result: Result<Value, kube::Error>) -> u16 {
    match result {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_kubernetes_client_reads_the_objects() {
    let demo = demo("healthy").await;
    let client = kube::Client::try_from(demo.client_config().unwrap()).unwrap();
    assert_eq!(client.apiserver_version().await.unwrap().major, "1");

    let pods = Api::<Pod>::default_namespaced(client.clone());
    let list = pods.list(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), 4);
    for pod in &list.items {
        let ip = pod.status.as_ref().unwrap().pod_ip.as_ref().unwrap();
        assert!(demo.pods().iter().any(|(name, at)| Some(name) == pod.metadata.name.as_ref() && at.to_string() == *ip));
        assert_eq!(pod.metadata.owner_references.as_ref().unwrap()[0].kind, "ReplicaSet");
    }
    let workers = pods.list(&ListParams::default().labels("app=ray-worker")).await.unwrap();
    assert_eq!(workers.items.len(), 2);

    let secret = Api::<Secret>::default_namespaced(client.clone()).get(SECRET).await.unwrap();
    let data = secret.data.unwrap();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["ca.crt", "tls.crt", "tls.key"]);
    assert!(data["tls.crt"].0.starts_with(b"-----BEGIN CERTIFICATE-----"));
    assert!(secret.metadata.managed_fields.unwrap()[0].time.is_some());

    let all: Api<k8s_openapi::api::apps::v1::Deployment> = Api::all(client.clone());
    assert_eq!(all.list(&ListParams::default()).await.unwrap().items.len(), 3);
    assert_eq!(client.list_api_groups().await.unwrap().groups.len(), 4);
    assert!(client.list_core_api_resources("v1").await.unwrap().resources.iter().any(|r| r.name == "secrets"));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let demo = demo("healthy").await;
    let client = kube::Client::try_from(demo.client_config().unwrap()).unwrap();
    let pods: Api<Pod> = Api::default_namespaced(client);
    let mut names = Vec::new();
    let mut params = ListParams::default().limit(3);
    loop {
        let page = pods.list(&params).await.unwrap();
        names.extend(page.items.into_iter().filter_map(|pod| pod.metadata.name));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    let mut all: Vec<String> = demo.pods().into_iter().map(|(name, _)| name).collect();
    names.sort();
    all.sort();
    assert_eq!(names, all);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_forbidden_403() {
    let healthy = demo("healthy").await;
    for path in [
        "/api/v1/namespaces/ray-demo/secrets/other",
        "/api/v1/namespaces/other/secrets/ray-tls-certs",
        "/apis/cert-manager.io/v1/certificates",
        "/api/v2/pods",
        "/nothing",
    ] {
        assert_eq!(code(json_at(&healthy, path).await), 404, "{path}");
    }
    assert_eq!(json_at(&healthy, "/apis/ray.io/v1/namespaces/ray-demo/rayclusters").await.unwrap()["items"], json!([]));
    assert_eq!(code(json_at(&healthy, "/api/v1/pods?limit=x").await), 400);
    assert_eq!(code(json_at(&healthy, "/api/v1/pods?watch=1").await), 405);

    let forbidden = demo("forbidden").await;
    for path in ["/api/v1/namespaces/ray-demo/secrets/ray-tls-certs", "/api/v1/secrets"] {
        assert_eq!(code(json_at(&forbidden, path).await), 403, "{path}");
    }
    for (demo, allowed) in [(&healthy, true), (&forbidden, false)] {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"namespace": NAMESPACE, "verb": "get", "resource": "secrets"}},
        });
        let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .body(review.to_string().into_bytes())
            .unwrap();
        let client = kube::Client::try_from(demo.client_config().unwrap()).unwrap();
        assert_eq!(client.request::<Value>(request).await.unwrap()["status"]["allowed"], allowed);
    }
}

#[tokio::test]
async fn writing_is_refused() {
    let demo = demo("healthy").await;
    let client = kube::Client::try_from(demo.client_config().unwrap()).unwrap();
    let request = http::Request::delete("/api/v1/namespaces/ray-demo/secrets/ray-tls-certs").body(Vec::new()).unwrap();
    assert_eq!(code(client.request(request).await), 405);
}

#[tokio::test]
async fn every_fault_starts_and_none_leaves_its_ports_open() {
    for fault in all() {
        assert!(!fault.about.ends_with('.') && fault.about.len() < 120, "{}", fault.about);
        let demo = start(fault).await.unwrap();
        assert_eq!(json_at(&demo, "/api/v1/pods").await.unwrap()["items"].as_array().unwrap().len(), 4, "{fault:?}");
        let gcs = (demo.scene.block.address(10), demo.scene.block.gcs);
        let loaded = matches!(demo.scene.state(&demo.scene.head), State::Runs(_));
        assert_eq!(TcpStream::connect(gcs).await.is_ok(), loaded, "{fault:?}");
        drop(demo);
        // Tasks are dropped by the runtime when it next runs.
        tokio::time::timeout(PATIENCE, async {
            while TcpStream::connect(gcs).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
    assert!(find(DEFAULT).is_some());
}
