//! Requests to the API server, bounded in time and size. Bodies never reach a log: kube's own typed requests write
//! one that does not parse to `warn`, a Secret included.

use std::io;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(15);
/// Pauses before an overloaded API server is asked again. kube's own policy goes on for minutes and hides the reason.
const RETRIES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// The most bytes of one answer.
const BODY: usize = 64 << 20;
/// Objects per page of a list.
const PAGE: usize = 500;
/// The most pages of one list.
const PAGES: usize = 400;

/// Why the API server did not give what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// 403.
    Forbidden,
    /// 404.
    NotFound {
        /// Whether a Kubernetes `Status` said so, not some other server.
        status: bool,
    },
    /// 401.
    Unauthorized,
    /// Another error status, with the server's message.
    Status(u16, String),
    /// No answer in time.
    TimedOut,
    /// No connection.
    Connect(String),
    /// The credentials of the kubeconfig could not be had.
    Credentials(String),
    /// An answer that is no Kubernetes answer.
    Nonsense(String),
}

/// The API server.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) client: kube::Client,
    pub(super) deadline: Instant,
}

/// What a list gave: all, or the part that came before the failure.
pub(super) struct Listed {
    pub(super) items: Vec<Value>,
    pub(super) failed: Option<Failed>,
}

impl Api {
    /// One object or document.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failed> {
        self.get_within(path, ANSWER).await
    }

    /// As [`Api::get`], with its own limit.
    pub(super) async fn get_within(&self, path: &str, limit: Duration) -> Result<Value, Failed> {
        let end = (Instant::now() + limit).min(self.deadline);
        let patient = async {
            for pause in RETRIES {
                match self.ask(path).await {
                    Err(Failed::Status(429 | 503 | 504, _)) => tokio::time::sleep(pause).await,
                    answer => return answer,
                }
            }
            self.ask(path).await
        };
        timeout_at(end, patient).await.unwrap_or(Err(Failed::TimedOut))
    }

    /// Every object of a list, page by page. `query` is empty or `labelSelector=…`, encoded.
    pub(super) async fn list(&self, path: &str, api_version: &str, kind: &str, query: &str) -> Listed {
        let mut items = Vec::new();
        let mut next = String::new();
        for _ in 0..PAGES {
            let mut page = format!("{path}?limit={PAGE}");
            if !query.is_empty() {
                page = format!("{page}&{query}");
            }
            if !next.is_empty() {
                page = format!("{page}&continue={}", encoded(&next));
            }
            let mut list = match self.get(&page).await {
                Ok(list) => list,
                Err(failed) => return Listed { items, failed: Some(failed) },
            };
            let Some(Value::Array(found)) = list.get_mut("items").map(Value::take) else {
                let failed = Failed::Nonsense("the answer to a list has no items".into());
                return Listed { items, failed: Some(failed) };
            };
            items.extend(found.into_iter().map(|item| typed(item, api_version, kind)));
            next = list.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default().to_string();
            if next.is_empty() {
                return Listed { items, failed: None };
            }
        }
        Listed { items, failed: Some(Failed::Nonsense(format!("the list has more than {PAGES} pages"))) }
    }

    /// Posts a review of rights, which is answered and not stored.
    pub(super) async fn review(&self, path: &str, review: &Value) -> Result<Value, Failed> {
        let request = Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
        let asked = self.answer(path, request, review.to_string().into_bytes());
        timeout_at((Instant::now() + ANSWER).min(self.deadline), asked).await.unwrap_or(Err(Failed::TimedOut))
    }

    async fn ask(&self, path: &str) -> Result<Value, Failed> {
        self.answer(path, Request::get(path), Vec::new()).await
    }

    async fn answer(&self, path: &str, request: http::request::Builder, body: Vec<u8>) -> Result<Value, Failed> {
        let request = request
            .header(http::header::ACCEPT, "application/json")
            .body(kube::client::Body::from(body))
            .map_err(|error| Failed::Nonsense(format!("{path} cannot be asked for: {error}")))?;
        let response = self.client.send(request).await.map_err(|error| not_sent(&error))?;
        let status = response.status();
        let body = match Limited::new(response.into_body(), BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                return Err(Failed::Nonsense(format!("the answer is larger than {} MiB", BODY >> 20)));
            }
            Err(error) => return Err(Failed::Connect(format!("the answer broke off: {}", root_cause(error.as_ref())))),
        };
        let value = serde_json::from_slice::<Value>(&body);
        match (status, value) {
            (StatusCode::OK | StatusCode::CREATED, Ok(value)) if value.is_object() => Ok(value),
            (StatusCode::OK, _) => Err(Failed::Nonsense(format!("it answered with {}", kind_of(&body)))),
            (StatusCode::UNAUTHORIZED, _) => Err(Failed::Unauthorized),
            (StatusCode::FORBIDDEN, Ok(_)) => Err(Failed::Forbidden),
            (StatusCode::NOT_FOUND, value) => Err(Failed::NotFound { status: value.is_ok() }),
            (status, Ok(value)) => {
                let message = value.get("message").and_then(Value::as_str).unwrap_or("no message");
                Err(Failed::Status(status.as_u16(), plain(message)))
            }
            (status, Err(_)) => Err(Failed::Status(status.as_u16(), kind_of(&body))),
        }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::Forbidden => f.write_str("forbidden"),
            Failed::NotFound { .. } => f.write_str("the API server does not know it"),
            Failed::Unauthorized => f.write_str("the API server refused the credentials"),
            Failed::Status(code, message) => write!(f, "the API server answered {code}: {message}"),
            Failed::TimedOut => f.write_str("no answer in time"),
            Failed::Connect(text) => write!(f, "the connection failed: {text}"),
            Failed::Credentials(text) => write!(f, "the credentials could not be had: {text}"),
            Failed::Nonsense(text) => f.write_str(text),
        }
    }
}

/// Percent-encodes a value for a query.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// Whether this can be the name of an object, and so stand in a path.
pub fn is_name(text: &str) -> bool {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    !text.is_empty() && text.len() <= 253 && text.chars().all(ok) && text != "." && text != ".."
}

/// Items of typed lists come without `apiVersion` and `kind`.
fn typed(mut item: Value, api_version: &str, kind: &str) -> Value {
    if let Value::Object(fields) = &mut item {
        fields.entry("apiVersion").or_insert_with(|| api_version.into());
        fields.entry("kind").or_insert_with(|| kind.into());
    }
    item
}

fn not_sent(error: &kube::Error) -> Failed {
    if let kube::Error::Auth(error) = error {
        return Failed::Credentials(plain(&error.to_string()));
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    // Errors of the stack are nested a handful deep; a cycle would never end.
    for _ in 0..16 {
        let Some(inner) = cause else { break };
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::ConnectionRefused => return Failed::Connect("connection refused".into()),
                io::ErrorKind::TimedOut => return Failed::TimedOut,
                _ => {}
            }
        }
        cause = inner.source();
    }
    Failed::Connect(plain(&root_cause(error)))
}

fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    for _ in 0..16 {
        match cause.source() {
            Some(inner) => cause = inner,
            None => break,
        }
    }
    cause.to_string()
}

/// What a body that is no JSON object is, without quoting it.
fn kind_of(body: &[u8]) -> String {
    let start = body.trim_ascii_start();
    match start {
        [] => "an empty body".into(),
        [b'<', ..] => "HTML".into(),
        [b'{' | b'[', ..] => "broken JSON".into(),
        _ => "something that is no JSON".into(),
    }
}

/// One line of at most 300 characters.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
