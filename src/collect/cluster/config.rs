#![allow(clippy::disallowed_methods)]
//! Which API server, as whom: kubeconfig, context, or the service account of the pod.

use std::io;
use std::path::Path;
use std::time::Duration;

use futures::channel::oneshot;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use tokio::time::{Instant, timeout_at};

use super::plugin::{Guard, Starter};
use super::{Error, Options};

/// Time to reach the API server when none is given.
const CONNECT: Duration = Duration::from_secs(10);

/// The way to one API server.
pub(super) struct Way {
    pub(super) client: kube::Client,
    /// `context kind-a` or `service account of this pod`.
    pub(super) name: String,
    /// URL of the API server.
    pub(super) url: String,
    /// Namespace of the context.
    pub(super) namespace: String,
    /// Time to reach it.
    pub(super) connect: Duration,
}

/// The contexts of the kubeconfig, sorted. May block, when it is a pipe.
///
/// # Errors
/// When there is no kubeconfig, none that can be read, or none with a context.
pub fn contexts(path: Option<&Path>) -> Result<Vec<String>, Error> {
    let read = path.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let kubeconfig = read.map_err(|error| Error::Config(unreadable(&error, path)))?;
    let mut names: Vec<String> = kubeconfig.contexts.into_iter().map(|context| context.name).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Err(Error::Config("the kubeconfig has no context at all; name another with --kubeconfig".into()));
    }
    Ok(names)
}

/// Reads the configuration and makes a client; nothing is asked of the API server yet.
pub(super) async fn way(options: &Options, deadline: Instant) -> Result<Way, Error> {
    let (mut config, name) = config(options, deadline).await?;
    let connect = if options.connect_timeout.is_zero() { CONNECT } else { options.connect_timeout };
    config.connect_timeout = Some(connect);
    config.default_retry = false;
    let url = config.cluster_url.to_string().trim_end_matches('/').to_string();
    let namespace = config.default_namespace.clone();
    let mut plugin = Guard::default();
    let made = timeout_at(deadline, client(config, plugin.starter())).await;
    if made.is_ok() {
        plugin.disarm();
    }
    let failed = |why: String| Error::Config(format!("{name}: {why}"));
    let client = match made {
        Ok(Ok(Ok(client))) => client,
        Ok(Ok(Err(kube::Error::Auth(error)))) => {
            return Err(failed(format!(
                "its credentials could not be had: {error}; log in again, or use another context"
            )));
        }
        Ok(Ok(Err(error))) => return Err(failed(format!("no client can be made of it: {error}"))),
        Ok(Err(oneshot::Canceled)) => return Err(failed("no client can be made of it".into())),
        Err(_) => {
            let why = "its credential plugin did not end in time; run `kubectl get pods` to see what it waits for";
            return Err(failed(why.into()));
        }
    };
    Ok(Way { client, name, url, namespace, connect })
}

/// Making a client runs the credential plugin of the kubeconfig, and waits for it: a thread of its own may be left
/// behind at the deadline, and the runtime does not wait for it.
fn client(config: Config, starter: Starter) -> oneshot::Receiver<kube::Result<kube::Client>> {
    let (done, made) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        starter.here();
        let _inside = runtime.enter();
        let _ = done.send(kube::Client::try_from(config));
    });
    made
}

async fn config(options: &Options, deadline: Instant) -> Result<(Config, String), Error> {
    if let Some(config) = &options.config {
        return Ok((config.clone(), format!("the API server at {}", config.cluster_url)));
    }
    let path = options.kubeconfig.clone();
    // It may be a pipe that nobody closes.
    let read = tokio::task::spawn_blocking(move || path.map_or_else(Kubeconfig::read, Kubeconfig::read_from));
    let Ok(Ok(read)) = timeout_at(deadline, read).await else {
        return Err(Error::Config("the kubeconfig could not be read in time; name another with --kubeconfig".into()));
    };
    let kubeconfig = match read {
        Ok(kubeconfig) => kubeconfig,
        Err(error) => {
            let nothing = match &error {
                KubeconfigError::FindPath => true,
                KubeconfigError::ReadConfig(error, _) => error.kind() == io::ErrorKind::NotFound,
                _ => false,
            };
            if nothing && options.kubeconfig.is_none() && options.context.is_none() {
                return in_cluster(&error);
            }
            return Err(Error::Config(unreadable(&error, options.kubeconfig.as_deref())));
        }
    };
    let mut known: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
    known.sort_unstable();
    let known =
        if known.is_empty() { "it has no context at all".into() } else { format!("it has {}", known.join(", ")) };
    let name = match options.context.clone().or_else(|| kubeconfig.current_context.clone()) {
        Some(name) if kubeconfig.contexts.iter().any(|context| context.name == name) => name,
        Some(name) => {
            return Err(Error::Config(format!(
                "the kubeconfig has no context {name}: {known}; name one with --context"
            )));
        }
        None if kubeconfig.contexts.is_empty() && options.kubeconfig.is_none() => {
            return in_cluster(&KubeconfigError::CurrentContextNotSet);
        }
        None => {
            let text = format!("the kubeconfig has no current context: {known}; name one with --context");
            return Err(Error::Config(text));
        }
    };
    let chosen = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    match Config::from_custom_kubeconfig(kubeconfig, &chosen).await {
        Ok(config) => Ok((config, format!("context {name}"))),
        Err(error) => Err(Error::Config(format!("context {name} of the kubeconfig cannot be used: {error}"))),
    }
}

fn in_cluster(missing: &KubeconfigError) -> Result<(Config, String), Error> {
    let looked = match missing {
        KubeconfigError::ReadConfig(_, path) => format!("there is no kubeconfig at {}", path.display()),
        KubeconfigError::CurrentContextNotSet => "the kubeconfig is empty".into(),
        _ => "there is no kubeconfig".into(),
    };
    match Config::incluster() {
        Ok(config) => Ok((config, "service account of this pod".into())),
        Err(_) if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() => Err(Error::Config(format!(
            "{looked}, and the service account token of this pod cannot be read; mount it (automountServiceAccountToken) or give a kubeconfig with --kubeconfig"
        ))),
        Err(_) => Err(Error::Config(format!(
            "{looked}, and this is no pod with a service account; give one with --kubeconfig or KUBECONFIG, or judge manifests with `raytls gate -f`"
        ))),
    }
}

/// Why a kubeconfig cannot be read. YAML errors quote lines of the file, which may hold keys: only the place is told.
fn unreadable(error: &KubeconfigError, path: Option<&Path>) -> String {
    let file = path.map_or_else(|| "the kubeconfig".into(), |path| format!("the kubeconfig {}", path.display()));
    match error {
        KubeconfigError::ReadConfig(error, path) => {
            format!("the kubeconfig {} cannot be read: {error}; name another with --kubeconfig", path.display())
        }
        KubeconfigError::Parse(error) => {
            let line = error.location().map_or_else(String::new, |place| format!(", see line {}", place.line()));
            format!("{file} is no kubeconfig: it is not the YAML of one{line}; name another with --kubeconfig")
        }
        error => format!("{file} cannot be used: {error}"),
    }
}
