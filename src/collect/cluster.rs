//! A live cluster, through its API server. Reads only.

use std::time::Duration;

use tokio::time::Instant;

use super::keyring::Keyring;
use crate::evidence::Evidence;

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A kubeconfig file instead of the usual ones.
    pub kubeconfig: Option<std::path::PathBuf>,
    /// A context of it instead of the current one.
    pub context: Option<String>,
    /// A namespace instead of the context's.
    pub namespace: Option<String>,
    /// All namespaces.
    pub all_namespaces: bool,
    /// Label selector for pods and workloads.
    pub selector: Option<String>,
    /// Do not read Secrets.
    pub no_secrets: bool,
    /// Time to reach the API server.
    pub connect_timeout: Duration,
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
}

/// What was collected, and the client to go on with.
pub struct Collected {
    /// Everything seen; what was refused or late is in its gaps and lookups.
    pub evidence: Evidence,
    /// Client identities for the prober.
    pub keys: Keyring,
    /// For port-forwards.
    pub client: kube::Client,
}

/// Collects until `deadline`; what was had by then is returned with [`Evidence::incomplete`] set.
///
/// # Errors
/// When there is no API server to ask.
pub async fn collect(_options: &Options, _deadline: Instant) -> Result<Collected, Error> {
    Err(Error::Config("not built".into()))
}
