//! A Kubernetes API server as small as a reading client allows: discovery, get and list with selectors and pages,
//! and `SelfSubjectAccessReview`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::objects;
use super::query::Query;
use super::scene::Scene;

/// What the API server knows.
pub(super) struct Api {
    objects: BTreeMap<&'static Kind, Vec<Value>>,
    secrets_forbidden: bool,
    resource_version: String,
}

/// A kind it serves.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// Empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub kind: &'static str,
    pub namespaced: bool,
}

const KINDS: &[Kind] = &[
    Kind::core("configmaps", "ConfigMap"),
    Kind { group: "", version: "v1", plural: "namespaces", kind: "Namespace", namespaced: false },
    Kind::core("pods", "Pod"),
    Kind::core("secrets", "Secret"),
    Kind::core("services", "Service"),
    Kind::of("apps", "v1", "deployments", "Deployment"),
    Kind::of("apps", "v1", "replicasets", "ReplicaSet"),
    Kind::of("apps", "v1", "statefulsets", "StatefulSet"),
    Kind::of("apps", "v1", "daemonsets", "DaemonSet"),
    Kind::of("batch", "v1", "cronjobs", "CronJob"),
    Kind::of("batch", "v1", "jobs", "Job"),
    Kind::of("ray.io", "v1", "rayclusters", "RayCluster"),
    Kind::of("ray.io", "v1", "raycronjobs", "RayCronJob"),
    Kind::of("ray.io", "v1", "rayjobs", "RayJob"),
    Kind::of("ray.io", "v1", "rayservices", "RayService"),
];

/// Connections at once.
const AT_ONCE: usize = 64;
/// A request body is one small review.
const LARGEST_BODY: usize = 64 * 1024;

/// Answers until it is dropped.
pub(super) async fn serve(listener: TcpListener, api: Api) {
    let api = Arc::new(api);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < AT_ONCE => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                let api = api.clone();
                let service = service_fn(move |request| {
                    let api = api.clone();
                    async move { Ok::<_, Infallible>(api.respond(request).await) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(Duration::from_secs(30))
                    .serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move {
                    // A client that breaks off has had its answer or wants none.
                    let _ = connection.await;
                });
            }
        }
    }
}

/// An answer and its status.
type Answer = (StatusCode, Value);

impl Api {
    /// The objects of the scene.
    pub(super) fn new(scene: &Scene) -> Self {
        let mut objects: BTreeMap<&'static Kind, Vec<Value>> = KINDS.iter().map(|kind| (kind, Vec::new())).collect();
        for object in objects::of(scene) {
            let list = objects.iter_mut().find(|(kind, _)| object["kind"] == kind.kind);
            if let Some((_, list)) = list {
                list.push(object);
            }
        }
        let resource_version = objects::version_at(scene.now);
        Api { objects, secrets_forbidden: scene.secrets_forbidden, resource_version }
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let path: Vec<&str> = parts.uri.path().split('/').filter(|part| !part.is_empty()).collect();
        let (status, value) = match (&parts.method, path.as_slice()) {
            (&Method::GET, path) => self.get(path, parts.uri.query().unwrap_or_default()),
            (&Method::POST, ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"]) => {
                match Limited::new(body, LARGEST_BODY).collect().await {
                    Ok(body) => self.review(&body.to_bytes()),
                    Err(e) => failure(StatusCode::BAD_REQUEST, "BadRequest", &e.to_string()),
                }
            }
            _ => failure(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "the demo's API server only reads: the server does not allow this method on the requested resource",
            ),
        };
        let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        response
    }

    fn get(&self, path: &[&str], query: &str) -> Answer {
        match path {
            ["version"] => (
                StatusCode::OK,
                json!({"major": "1", "minor": "34", "gitVersion": "v1.34.0", "platform": "linux/amd64"}),
            ),
            ["healthz" | "livez" | "readyz"] => (StatusCode::OK, json!("ok")),
            ["api"] => (StatusCode::OK, json!({"kind": "APIVersions", "versions": ["v1"]})),
            ["apis"] => (StatusCode::OK, groups()),
            ["api", version, rest @ ..] => self.resource("", version, rest, query),
            ["apis", group, version, rest @ ..] => self.resource(group, version, rest, query),
            _ => not_found("the server could not find the requested resource"),
        }
    }

    fn resource(&self, group: &str, version: &str, rest: &[&str], query: &str) -> Answer {
        let kind = |plural: &str| {
            self.objects.iter().find(|(k, _)| k.group == group && k.version == version && k.plural == plural)
        };
        let (namespace, plural, name) = match *rest {
            [] => return resources(group, version),
            ["namespaces"] => (None, "namespaces", None),
            ["namespaces", name] => (None, "namespaces", Some(name)),
            ["namespaces", namespace, plural] => (Some(namespace), plural, None),
            ["namespaces", namespace, plural, name] => (Some(namespace), plural, Some(name)),
            [plural] => (None, plural, None),
            _ => return not_found("the server could not find the requested resource"),
        };
        let Some((kind, objects)) = kind(plural) else {
            return not_found("the server could not find the requested resource");
        };
        if plural == "secrets" && self.secrets_forbidden {
            return forbidden(if name.is_some() { "get" } else { "list" }, kind, namespace, name);
        }
        let query = match Query::parse(query) {
            Ok(query) if query.watch => {
                return failure(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "MethodNotAllowed",
                    "the demo's API server has no watch",
                );
            }
            Ok(query) => query,
            Err(message) => return failure(StatusCode::BAD_REQUEST, "BadRequest", &message),
        };
        let here = objects.iter().filter(|o| namespace.is_none_or(|ns| o["metadata"]["namespace"] == ns));
        match name {
            Some(name) => match here.into_iter().find(|o| o["metadata"]["name"] == name) {
                Some(object) => (StatusCode::OK, object.clone()),
                None => missing(kind, name),
            },
            None => self.list(kind, here, &query),
        }
    }

    fn list<'a>(&self, kind: &Kind, objects: impl Iterator<Item = &'a Value>, query: &Query) -> Answer {
        let mut items = Vec::new();
        for object in objects {
            match query.selects(object) {
                Ok(true) => items.push(object),
                Ok(false) => {}
                Err(message) => return failure(StatusCode::BAD_REQUEST, "BadRequest", &message),
            }
        }
        let end = if query.limit == 0 { items.len() } else { items.len().min(query.skip.saturating_add(query.limit)) };
        let page = items.get(query.skip.min(end)..end).unwrap_or_default();
        let mut metadata = json!({"resourceVersion": self.resource_version});
        if end < items.len() {
            metadata["continue"] = json!(end.to_string());
            metadata["remainingItemCount"] = json!(items.len() - end);
        }
        let items: Vec<Value> = page.iter().map(|object| listed(kind, object)).collect();
        let list = json!({
            "kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(), "metadata": metadata, "items": items,
        });
        (StatusCode::OK, list)
    }

    fn review(&self, body: &[u8]) -> Answer {
        let Ok(mut review) = serde_json::from_slice::<Value>(body) else {
            return failure(StatusCode::BAD_REQUEST, "BadRequest", "the body is not JSON");
        };
        let asked = &review["spec"]["resourceAttributes"];
        let text = |field: &str| asked[field].as_str().unwrap_or_default();
        let secret = text("resource") == "secrets" && text("group").is_empty();
        let forward = text("resource") == "pods" && matches!(text("subresource"), "portforward" | "exec");
        let allowed = !(secret && self.secrets_forbidden)
            && (matches!(text("verb"), "get" | "list") || forward && text("verb") == "create");
        if !review.is_object() {
            return failure(StatusCode::BAD_REQUEST, "BadRequest", "the body is not an object");
        }
        review["status"] = json!({"allowed": allowed});
        (StatusCode::CREATED, review)
    }
}

impl Kind {
    const fn of(group: &'static str, version: &'static str, plural: &'static str, kind: &'static str) -> Self {
        Kind { group, version, plural, kind, namespaced: true }
    }

    const fn core(plural: &'static str, kind: &'static str) -> Self {
        Kind::of("", "v1", plural, kind)
    }

    fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// Built-in kinds have no kind and apiVersion inside a list, custom resources do.
fn listed(kind: &Kind, object: &Value) -> Value {
    let mut object = object.clone();
    if let (false, Some(fields)) = (kind.group == "ray.io", object.as_object_mut()) {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    object
}

fn groups() -> Value {
    let version = |group: &str| json!({"groupVersion": format!("{group}/v1"), "version": "v1"});
    let groups: Vec<Value> = ["apps", "authorization.k8s.io", "batch", "ray.io"]
        .map(|group| json!({"name": group, "versions": [version(group)], "preferredVersion": version(group)}))
        .into();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn resources(group: &str, version: &str) -> Answer {
    let of_group: Vec<&Kind> = KINDS.iter().filter(|kind| kind.group == group && kind.version == version).collect();
    let Some(first) = of_group.first() else {
        return not_found("the server could not find the requested resource");
    };
    let resource = |kind: &&Kind| {
        json!({
            "name": kind.plural, "singularName": kind.kind.to_lowercase(), "namespaced": kind.namespaced,
            "kind": kind.kind, "verbs": ["get", "list"],
        })
    };
    let resources: Vec<Value> = of_group.iter().map(resource).collect();
    let list = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": first.api_version(), "resources": resources,
    });
    (StatusCode::OK, list)
}

fn failure(code: StatusCode, reason: &str, message: &str) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code.as_u16(),
    });
    (code, status)
}

fn not_found(message: &str) -> Answer {
    failure(StatusCode::NOT_FOUND, "NotFound", message)
}

fn missing(kind: &Kind, name: &str) -> Answer {
    let resource = match kind.group {
        "" => kind.plural.to_owned(),
        group => format!("{}.{group}", kind.plural),
    };
    let (code, mut status) = not_found(&format!("{resource} {name:?} not found"));
    status["details"] = json!({"name": name, "group": kind.group, "kind": kind.plural});
    (code, status)
}

fn forbidden(verb: &str, kind: &Kind, namespace: Option<&str>, name: Option<&str>) -> Answer {
    let (plural, group) = (kind.plural, kind.group);
    let what = name.map_or_else(|| plural.to_owned(), |name| format!("{plural} {name:?}"));
    let scope = namespace.map_or_else(|| "at the cluster scope".to_owned(), |ns| format!("in the namespace {ns:?}"));
    let message =
        format!("{what} is forbidden: User \"demo\" cannot {verb} resource {plural:?} in API group {group:?} {scope}");
    let (code, mut status) = failure(StatusCode::FORBIDDEN, "Forbidden", &message);
    status["details"] = json!({"name": name, "group": group, "kind": plural});
    (code, status)
}
