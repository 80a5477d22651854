//! Requests to the API server, bounded in time and size. Bodies never reach a log: kube's own typed requests write
//! one that does not parse to `warn`, a Secret included.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::interrupt::Interrupt;
use super::lists::Kind;
use super::slim;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(15);
/// Pauses before an overloaded API server is asked again. kube's own policy goes on for minutes and hides the reason.
const RETRIES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// The most bytes of one answer. etcd takes objects of 1.5 MiB; a page that is larger is asked for in smaller ones.
const BODY: usize = 16 << 20;
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
    /// Ctrl-C.
    Interrupted,
    /// No answer in time.
    TimedOut,
    /// More bytes than are read.
    TooLarge,
    /// No connection.
    Connect(String),
    /// The credentials of the kubeconfig could not be had.
    Credentials(String),
    /// An answer that is no Kubernetes answer.
    Nonsense(String),
}

/// The API server.
pub(super) struct Api {
    client: kube::Client,
    deadline: Instant,
    interrupt: Interrupt,
    requests: AtomicUsize,
    again: AtomicUsize,
}

/// What a list gives, bit by bit.
pub(super) enum Page {
    /// The next items.
    Items(Vec<Value>),
    /// What came before is void: the list begins anew.
    Anew,
}

/// A failure, and whether the same may be asked again.
struct Refused {
    failed: Failed,
    again: Again,
}

enum Again {
    No,
    /// The API server is overloaded; so long it asks to be left alone.
    Later(Option<Duration>),
    /// The connection ended before a byte of the answer, as one does on which the server had just given up.
    Once,
}

type Parse = fn(&[u8]) -> serde_json::Result<Value>;

impl Api {
    pub(super) fn new(client: kube::Client, deadline: Instant, interrupt: Interrupt) -> Self {
        Api { client, deadline, interrupt, requests: AtomicUsize::new(0), again: AtomicUsize::new(0) }
    }

    /// Requests that were made so far.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Those of them that were made for the second or third time.
    pub(super) fn asked_again(&self) -> usize {
        self.again.load(Ordering::Relaxed)
    }

    /// One object or document.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failed> {
        self.get_within(path, ANSWER).await
    }

    /// As [`Api::get`], with its own limit.
    pub(super) async fn get_within(&self, path: &str, limit: Duration) -> Result<Value, Failed> {
        self.read(path, limit, |bytes| serde_json::from_slice(bytes)).await
    }

    /// Every object of a kind, page by page. `query` is empty, or an encoded selector. What came is whole when this
    /// gives none, and the part before the failure otherwise.
    ///
    /// The token of a page expires after minutes, and then the list begins anew, once.
    pub(super) async fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        query: &str,
        mut each: impl FnMut(Page),
    ) -> Option<Failed> {
        let path = &kind.path(namespace);
        let parse: Parse = if kind.kind == "Pod" { slim::pods } else { slim::from_slice };
        let mut tokens = BTreeSet::new();
        let mut next = String::new();
        let mut size = PAGE;
        let mut anew = false;
        for _ in 0..PAGES {
            let mut page = format!("{path}?limit={size}");
            if !query.is_empty() {
                page = format!("{page}&{query}");
            }
            if !next.is_empty() {
                page = format!("{page}&continue={}", encoded(&next));
            }
            let mut list = match self.read(&page, ANSWER, parse).await {
                Ok(list) => list,
                Err(Failed::TooLarge) if size > 1 => {
                    size = (size / 10).max(1);
                    tracing::info!(path, size, "the page is too large: asking for smaller ones");
                    continue;
                }
                Err(Failed::Status(410, _)) if !next.is_empty() && !anew => {
                    tracing::info!(path, "the page has expired: the list begins anew");
                    anew = true;
                    next.clear();
                    tokens.clear();
                    each(Page::Anew);
                    continue;
                }
                Err(failed) => return Some(failed),
            };
            let wanted = format!("{}List", kind.kind);
            if let Some(other) = list["kind"].as_str().filter(|other| ![wanted.as_str(), "List"].contains(other)) {
                return Some(Failed::Nonsense(format!("it answered with a {}, not a {wanted}", plain(other))));
            }
            next = list.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default().to_string();
            match list.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => each(Page::Items(items)),
                // As Go writes a list that was never filled.
                Some(Value::Null) if list["kind"].is_string() => {}
                _ => return Some(Failed::Nonsense("the answer to a list has no items".into())),
            }
            if next.is_empty() {
                return None;
            }
            if !tokens.insert(next.clone()) {
                return Some(Failed::Nonsense("its pages go in a circle: a continue token came twice".into()));
            }
        }
        Some(Failed::Nonsense(format!("the list has more than {PAGES} pages")))
    }

    /// Asks, and asks again where that cannot hide a fault: at most twice, and never beyond the time that is left.
    async fn read(&self, path: &str, limit: Duration, parse: Parse) -> Result<Value, Failed> {
        let end = (Instant::now() + limit).min(self.deadline);
        let patient = async {
            let mut pauses = RETRIES.iter();
            loop {
                let Refused { failed, again } = match self.ask(path, parse).await {
                    Ok(value) => return Ok(value),
                    Err(refused) => refused,
                };
                let pause = match (again, pauses.next()) {
                    (Again::No, _) | (_, None) => return Err(failed),
                    (Again::Once, Some(pause)) => {
                        pauses = [].iter();
                        *pause
                    }
                    (Again::Later(asked), Some(pause)) => asked.unwrap_or(*pause).max(*pause),
                };
                if Instant::now().checked_add(pause).is_none_or(|then| then >= end) {
                    return Err(failed);
                }
                self.again.fetch_add(1, Ordering::Relaxed);
                tracing::info!(path, %failed, ?pause, "asking again");
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            biased;
            () = self.interrupt.wait() => Err(Failed::Interrupted),
            answer = timeout_at(end, patient) => answer.unwrap_or(Err(Failed::TimedOut)),
        }
    }

    /// Posts a review of rights, which is answered and not stored.
    pub(super) async fn review(&self, path: &str, review: &Value) -> Result<Value, Failed> {
        let request = Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
        let asked = self.answer(path, request, review.to_string().into_bytes(), |bytes| serde_json::from_slice(bytes));
        let end = (Instant::now() + ANSWER).min(self.deadline);
        tokio::select! {
            biased;
            () = self.interrupt.wait() => Err(Failed::Interrupted),
            answer = timeout_at(end, asked) => {
                answer.map_or(Err(Failed::TimedOut), |answer| answer.map_err(|refused| refused.failed))
            }
        }
    }

    async fn ask(&self, path: &str, parse: Parse) -> Result<Value, Refused> {
        self.answer(path, Request::get(path), Vec::new(), parse).await
    }

    async fn answer(
        &self,
        path: &str,
        request: http::request::Builder,
        body: Vec<u8>,
        parse: Parse,
    ) -> Result<Value, Refused> {
        let for_good = |failed: Failed| Refused { failed, again: Again::No };
        let request = request
            .header(http::header::ACCEPT, "application/json")
            .body(kube::client::Body::from(body))
            .map_err(|error| for_good(Failed::Nonsense(format!("{path} cannot be asked for: {error}"))))?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let response = self.client.send(request).await.map_err(|error| {
            let again = if is_cut_off(&error) { Again::Once } else { Again::No };
            Refused { failed: not_sent(&error), again }
        })?;
        let status = response.status();
        let after = retry_after(response.headers());
        let body = match Limited::new(response.into_body(), BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => return Err(for_good(Failed::TooLarge)),
            Err(error) => {
                let text = format!("the answer broke off: {}", root_cause(error.as_ref()));
                return Err(for_good(Failed::Connect(text)));
            }
        };
        let value = parse(&body);
        let again = match status.as_u16() {
            429 | 503 | 504 => Again::Later(after),
            _ => Again::No,
        };
        let failed = match (status, value) {
            // A gateway may hide the code of a failure.
            (StatusCode::OK | StatusCode::CREATED, Ok(value)) if is_status(&value) => {
                let message = value.get("message").and_then(Value::as_str).unwrap_or("no message");
                Failed::Nonsense(format!(
                    "it answered {} with a Status and no object: {}",
                    status.as_u16(),
                    plain(message)
                ))
            }
            (StatusCode::OK | StatusCode::CREATED, Ok(value)) if value.is_object() => return Ok(value),
            (StatusCode::OK, _) => Failed::Nonsense(format!("it answered with {}", kind_of(&body))),
            (StatusCode::UNAUTHORIZED, _) => Failed::Unauthorized,
            (StatusCode::FORBIDDEN, Ok(_)) => Failed::Forbidden,
            (StatusCode::NOT_FOUND, value) => {
                // JSON of a gateway says nothing of what is in the cluster.
                Failed::NotFound { status: value.is_ok_and(|value| is_status(&value)) }
            }
            (status, Ok(value)) => {
                let message = value.get("message").and_then(Value::as_str).unwrap_or("no message");
                Failed::Status(status.as_u16(), plain(message))
            }
            (status, Err(_)) => Failed::Status(status.as_u16(), kind_of(&body)),
        };
        Err(Refused { failed, again })
    }
}

impl Failed {
    /// Whether time or patience ended before an answer.
    pub(super) fn is_late(&self) -> bool {
        matches!(self, Failed::Interrupted | Failed::TimedOut)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::Forbidden => f.write_str("forbidden"),
            Failed::NotFound { .. } => f.write_str("the API server does not know it"),
            Failed::Unauthorized => f.write_str("the API server refused the credentials"),
            Failed::Status(code, message) => write!(f, "the API server answered {code}: {message}"),
            Failed::Interrupted => f.write_str("interrupted"),
            Failed::TimedOut => f.write_str("no answer in time"),
            Failed::TooLarge => write!(f, "the answer is larger than {} MiB", BODY >> 20),
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

/// Whether this is what the API server says of a request, and no object.
fn is_status(value: &Value) -> bool {
    value.get("kind").and_then(Value::as_str) == Some("Status")
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

/// Whether the connection ended before a byte of the answer.
fn is_cut_off(error: &kube::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    for _ in 0..16 {
        let Some(inner) = cause else { break };
        if inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message) {
            return true;
        }
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return matches!(io.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe);
        }
        cause = inner.source();
    }
    false
}

/// Seconds of a `Retry-After`; a date there is passed over.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
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
