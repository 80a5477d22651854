#![allow(clippy::disallowed_methods)]
//! A live cluster, through its API server. Reads only; Secrets only by name.

mod api;
mod config;
mod interrupt;
mod issuance;
mod lists;
mod plugin;
pub mod rights;
mod slim;
mod trust;

pub use interrupt::Interrupt;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

pub use self::api::is_name;
use self::api::{Api, Failed};
pub use self::config::contexts;
use self::lists::{KINDS, lists, place, role_rule};
use self::rights::Rights;
use super::assemble::{Object, assemble, wanted};
use super::keyring::Keyring;
use crate::evidence::{Evidence, Gap, Lookup, Mode, ObjectRef, Origin, Problem, Why};

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A configuration that is there already, instead of any kubeconfig.
    pub config: Option<kube::Config>,
    /// A kubeconfig file instead of the usual ones.
    pub kubeconfig: Option<std::path::PathBuf>,
    /// A context of it instead of the current one.
    pub context: Option<String>,
    /// A namespace instead of the context's.
    pub namespace: Option<String>,
    /// All namespaces.
    pub all_namespaces: bool,
    /// Label selector for pods and workloads. Ray's own resources are also looked at when a pod that matches is theirs.
    pub selector: Option<String>,
    /// Do not read Secrets.
    pub no_secrets: bool,
    /// Time to reach the API server; zero means 10 s.
    pub connect_timeout: Duration,
    /// What ends it before the deadline.
    pub interrupt: Interrupt,
}

/// Why nothing could be collected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No kubeconfig, no such context, or an unreadable one. One sentence with what to do.
    #[error("{0}")]
    Config(String),
    /// The API server did not answer, or not as one. One sentence with what to do.
    #[error("{0}")]
    Unreachable(String),
    /// It was interrupted before the API server had said anything.
    #[error("interrupted before the API server had answered")]
    Interrupted,
}

/// What was collected, and the client to go on with.
pub struct Collected {
    /// Everything seen; what was refused or late is in its gaps and lookups.
    pub evidence: Evidence,
    /// Client identities for the prober.
    pub keys: Keyring,
    /// For port-forwards.
    pub client: kube::Client,
    /// What the user may do, as far as it was told.
    pub rights: Rights,
}

/// Collects until `deadline` or the interrupt of the options; what was had by then is returned with
/// [`Evidence::incomplete`] set.
///
/// # Errors
/// When there is no API server to ask, or it was interrupted before anything was had.
pub async fn collect(options: &Options, deadline: Instant) -> Result<Collected, Error> {
    let given = options.namespace.as_deref().filter(|_| !options.all_namespaces);
    if let Some(name) = given.filter(|name| !is_name(name)) {
        return Err(Error::Config(format!("`{name}` cannot be the name of a namespace")));
    }
    let way = tokio::select! {
        way = config::way(options, deadline) => way?,
        () = options.interrupt.wait() => return Err(Error::Interrupted),
    };
    let namespace = (!options.all_namespaces).then(|| given.unwrap_or(&way.namespace).to_string());
    let api = Api::new(way.client.clone(), deadline, options.interrupt.clone());
    greet(&api, &way).await?;
    let source = format!("{}, {}", way.name, place(namespace.as_deref()));
    let mut evidence = Evidence::new(Mode::Live, source, Timestamp::now());
    if let Some(name) = &namespace {
        exists(&api, name, &way).await?;
    }
    let mut keys = Keyring::default();
    let rights = Rights::ask(&api, namespace.as_deref()).await;
    // Pods that the selector leaves out may be there.
    evidence.partial = options.selector.is_some();
    lists(&api, &rights, namespace.as_deref(), options.selector.as_deref(), &mut evidence).await;
    follow(&api, options.no_secrets, &mut evidence, &mut keys).await;
    issuance::collect(&api, namespace.as_deref(), &mut evidence, &mut keys).await;
    trust::collect(&api, &mut evidence, &mut keys).await;
    evidence.gaps.sort();
    evidence.gaps.dedup();
    tracing::info!(requests = api.requests(), asked_again = api.asked_again(), "collected");
    Ok(Collected { evidence, keys, client: way.client, rights })
}

/// Requests that are open at one time.
const AT_ONCE: usize = 8;
/// The most rounds of look-ups: an object found can name further ones, a handful of steps deep.
const ROUNDS: usize = 8;

/// Makes sure that a Kubernetes API server answers, and that it takes the credentials, within the time to connect.
async fn greet(api: &Api, way: &config::Way) -> Result<(), Error> {
    let (name, url) = (&way.name, &way.url);
    let failed = match api.get_within("/version", way.connect).await {
        // A hardened cluster may forbid or hide `/version`; it is an API server all the same.
        Ok(_) | Err(Failed::Forbidden | Failed::NotFound { status: true }) => return Ok(()),
        Err(failed) => failed,
    };
    let check =
        "check that the cluster runs and that this machine reaches it (VPN, tunnel, proxy), or use another context";
    let text = match failed {
        Failed::Interrupted => return Err(Error::Interrupted),
        Failed::Unauthorized => {
            format!(
                "the API server {url} refused the credentials of {name} (401): log in again, or use another context"
            )
        }
        Failed::Credentials(why) => {
            format!("the credentials of {name} could not be had: {why}; log in again, or use another context")
        }
        Failed::TimedOut => {
            let seconds = (way.connect.as_secs_f32() * 10.0).round() / 10.0;
            match way.connect.as_millis() {
                short @ 0..100 => format!(
                    "the API server {url} of {name} did not answer within {} ms: give it more time by --timeout",
                    short.max(1)
                ),
                _ => format!("the API server {url} of {name} did not answer within {seconds} s: {check}"),
            }
        }
        Failed::Connect(why) if why.contains("ertificate") => {
            format!(
                "the API server {url} of {name} is not trusted: {why}; get a new kubeconfig, or mend its certificate-authority"
            )
        }
        Failed::Connect(why) if why.contains("lookup") || why.contains("dns") => {
            format!("the name of the API server {url} of {name} cannot be resolved: {why}; {check}")
        }
        Failed::Connect(why) => format!("the API server {url} of {name} cannot be reached: {why}; {check}"),
        Failed::Status(code, message) => {
            format!(
                "the API server {url} of {name} answered {code} ({message}): wait until it is well, or use another context"
            )
        }
        Failed::NotFound { .. } | Failed::Forbidden => {
            format!(
                "{url} of {name} is no Kubernetes API server: it does not know /version; mend the server of the kubeconfig"
            )
        }
        Failed::TooLarge => {
            format!("{url} of {name} is no Kubernetes API server: {failed}; mend the server of the kubeconfig")
        }
        Failed::Nonsense(what) => {
            format!(
                "{url} of {name} is no Kubernetes API server: {what}; mend the server of the kubeconfig, or log in to the proxy before it"
            )
        }
    };
    Err(Error::Unreachable(text))
}

/// Lists of a namespace that does not exist are empty, which would look like a healthy nothing.
async fn exists(api: &Api, namespace: &str, way: &config::Way) -> Result<(), Error> {
    match api.get(&format!("/api/v1/namespaces/{namespace}")).await {
        Err(Failed::NotFound { status: true }) => Err(Error::Config(format!(
            "{} has no namespace {namespace}: name one with -n, or use -A for all of them",
            way.name
        ))),
        // Whatever else is wrong is told by the lists.
        _ => Ok(()),
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Reads the Secrets and ConfigMaps that the evidence names, until none is left that was not asked for.
async fn follow(api: &Api, no_secrets: bool, evidence: &mut Evidence, keys: &mut Keyring) {
    let mut asked: BTreeSet<ObjectRef> = BTreeSet::new();
    for _ in 0..ROUNDS {
        let fresh: Vec<ObjectRef> =
            wanted(evidence).into_iter().filter(|object| asked.insert(object.clone())).collect();
        if fresh.is_empty() {
            return;
        }
        let lookups = fresh.into_iter().map(|object| async move {
            let answer = look_up(api, no_secrets, &object).await;
            (object, answer)
        });
        let found: Vec<(ObjectRef, Result<Value, Look>)> = in_order(lookups).await;
        let mut objects = Vec::new();
        for (object, answer) in found {
            match answer {
                Ok(value) => objects.push(Object::live(value)),
                Err(look) => lost(object, look, evidence),
            }
        }
        assemble(objects, evidence, keys);
    }
    evidence.problems.push(Problem {
        origin: Origin::default(),
        object: None,
        message: format!("references lead on and on: the search for Secrets ended after {ROUNDS} rounds"),
    });
}

/// What all of them give, in their order. One that stalls holds up none of the others.
async fn in_order<T>(asked: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let numbered = asked.into_iter().enumerate().map(|(at, asked)| async move { (at, asked.await) });
    let mut answers: Vec<(usize, T)> = futures::stream::iter(numbered).buffer_unordered(AT_ONCE).collect().await;
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Why a look-up gave no object.
enum Look {
    NotAsked,
    NoName,
    Failed(Failed),
}

async fn look_up(api: &Api, no_secrets: bool, object: &ObjectRef) -> Result<Value, Look> {
    let plural = match object.kind.as_str() {
        "Secret" if no_secrets => return Err(Look::NotAsked),
        "Secret" => "secrets",
        _ => "configmaps",
    };
    if !is_name(&object.namespace) || !is_name(&object.name) {
        return Err(Look::NoName);
    }
    let path = format!("/api/v1/namespaces/{}/{plural}/{}", object.namespace, object.name);
    let mut value = api.get(&path).await.map_err(Look::Failed)?;
    // An answer about another object would be taken for this one.
    let own = text(&value, "/kind");
    let of_kind = own.is_empty() || own == object.kind;
    if !of_kind
        || text(&value, "/metadata/name") != object.name
        || text(&value, "/metadata/namespace") != object.namespace
    {
        return Err(Look::Failed(Failed::Nonsense("the API server answered with another object".into())));
    }
    if let Value::Object(fields) = &mut value {
        fields.entry("apiVersion").or_insert_with(|| "v1".into());
        fields.entry("kind").or_insert_with(|| object.kind.as_str().into());
    }
    Ok(value)
}

fn lost(object: ObjectRef, look: Look, evidence: &mut Evidence) {
    let resource = if object.kind == "Secret" { "secrets" } else { "configmaps" };
    let mut needs = None;
    let mut code = None;
    let why = match look {
        Look::NotAsked => {
            needs = Some("run without --no-secrets".into());
            Why::NotAsked
        }
        Look::NoName => Why::Unreadable("its name is none that Kubernetes allows".into()),
        Look::Failed(Failed::NotFound { status: true }) => {
            evidence.lookups.push(Lookup { object, unseen: None });
            return;
        }
        Look::Failed(failed) => {
            if failed == Failed::Forbidden {
                let name = &object.name;
                needs = Some(format!(
                    r#"Role rule: apiGroups [""], resources ["{resource}"], resourceNames ["{name}"], verbs ["get"]"#
                ));
                code = Some("PRM01".into());
            }
            evidence.incomplete |= failed.is_late();
            why(&failed, "get", resource, Some(&object.namespace))
        }
    };
    evidence.gaps.push(Gap { what: object.to_string(), why: why.to_string(), needs, code });
    evidence.lookups.push(Lookup { object, unseen: Some(why) });
}

fn why(failed: &Failed, verb: &str, resource: &str, namespace: Option<&str>) -> Why {
    match failed {
        Failed::Forbidden => {
            Why::Forbidden { verb: verb.into(), resource: resource.into(), namespace: namespace.map(str::to_string) }
        }
        Failed::Interrupted => Why::Interrupted,
        Failed::TimedOut => Why::TimedOut,
        other => Why::Unreadable(other.to_string()),
    }
}
