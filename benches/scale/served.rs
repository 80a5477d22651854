//! The API server: lists in pages that are made when they are asked for, Secrets by name.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::made::{Made, Shape};

/// A server that ends with its runtime.
pub(crate) struct Served {
    pub(crate) url: String,
    calls: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

impl Served {
    /// Requests so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

/// Serves the objects on loopback, in plain HTTP.
pub(crate) fn start(shape: &Shape) -> Served {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let made = Arc::new(Made::new(shape));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let counted = calls.clone();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (made, calls) = (made.clone(), counted.clone());
            let service = service_fn(move |request| {
                calls.fetch_add(1, Ordering::Relaxed);
                let answer = respond(&made, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Served { url, calls, _runtime: runtime }
}

fn respond(made: &Made, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path: Vec<&str> = request.uri().path().split('/').filter(|part| !part.is_empty()).collect();
    let query = request.uri().query().unwrap_or_default();
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| parameter(name).and_then(|value| value.parse::<usize>().ok());
    let all = number("limit").filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let skip = number("continue").unwrap_or(0);
    let body = match path.as_slice() {
        ["version"] => Some(r#"{"major":"1","minor":"34","gitVersion":"v1.34.0"}"#.to_owned()),
        ["api", "v1", "namespaces", namespace, "secrets", name] => made.secret(namespace, name),
        ["api", "v1", plural] | ["apis", _, "v1", plural] => made.count(plural).map(|count| {
            let end = count.min(skip.saturating_add(all));
            let items: Vec<String> = (skip..end).map(|at| made.object(plural, at)).collect();
            let more = if end < count {
                format!(r#","continue":"{end}","remainingItemCount":{}"#, count - end)
            } else {
                String::new()
            };
            format!(
                r#"{{"kind":"List","apiVersion":"v1","metadata":{{"resourceVersion":"7"{more}}},"items":[{}]}}"#,
                items.join(",")
            )
        }),
        _ => None,
    };
    let (status, body) = match body {
        Some(body) => (StatusCode::OK, body),
        None => (
            StatusCode::NOT_FOUND,
            r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","message":"not found","code":404}"#.into(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
