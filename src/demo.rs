//! An embedded Ray cluster on loopback, broken in one known way: for people who want to see the doctor at
//! work, and for tests.
//!
//! A small Kubernetes API ([`api`]) shows the objects of namespace `ray-demo`; real TLS servers ([`ports`]) stand where
//! its pods' Ray ports would be, on addresses of 127.0.0.0/8, and answer as Ray's do. Nothing is written to disk,
//! nothing leaves the machine, and all of it stops when the [`Demo`] is dropped.

mod address;
mod api;
mod faults;
mod objects;
mod pki;
mod ports;
mod query;
mod scene;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use faults::{DEFAULT, Fault, all, find};

/// Namespace of everything in the demo.
pub const NAMESPACE: &str = "ray-demo";

/// A running demo. Dropping it stops every server at once.
pub struct Demo {
    /// The fault it shows.
    pub fault: Fault,
    url: String,
    scene: scene::Scene,
    _reserved: address::Reserved,
    _tasks: JoinSet<()>,
}

/// Why a demo could not be raised.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No loopback addresses could be had. One sentence with what to do.
    #[error("{0}")]
    Loopback(String),
    /// A certificate could not be made.
    #[error("cannot make the demo's certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// A server could not be set up.
    #[error("cannot raise the demo's servers: {0}")]
    Servers(String),
}

/// Raises a cluster with this fault. Must be called inside a Tokio runtime with I/O and time.
///
/// # Errors
/// When loopback addresses, ports or certificates cannot be had.
#[allow(clippy::disallowed_methods)] // the demo lives now: its certificates and pods are dated by this clock
pub async fn start(fault: &Fault) -> Result<Demo, Error> {
    let now = Timestamp::now();
    let reserved = address::reserve(now)?;
    let mut scene = scene::Scene::healthy(reserved.block, now)?;
    fault.apply(&mut scene)?;

    let mut tasks = JoinSet::new();
    for port in ports::of(&scene, &reserved)? {
        tasks.spawn(port.serve());
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|e| Error::Servers(e.to_string()))?;
    let address = listener.local_addr().map_err(|e| Error::Servers(e.to_string()))?;
    tasks.spawn(api::serve(listener, api::Api::new(&scene)));
    Ok(Demo { fault: *fault, url: format!("http://{address}"), scene, _reserved: reserved, _tasks: tasks })
}

impl Demo {
    /// The address of the Kubernetes API, `http://127.0.0.1:PORT`. It needs no credentials.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A kube configuration for that API, with the demo's namespace as the default one.
    ///
    /// # Errors
    /// When the URL does not parse, which would be a bug here.
    pub fn client_config(&self) -> Result<kube::Config, Error> {
        let uri: http::Uri = self.url.parse().map_err(|e| Error::Servers(format!("{}: {e}", self.url)))?;
        let mut config = kube::Config::new(uri);
        config.default_namespace = NAMESPACE.into();
        Ok(config)
    }

    /// The pods' names and addresses, for people: `("ray-head-7c9d8f5b6d-x2x4k", 127.93.7.10)`.
    pub fn pods(&self) -> Vec<(String, std::net::IpAddr)> {
        self.scene.pods().map(|(pod, _)| (pod.name, pod.ip.into())).collect()
    }
}

#[cfg(test)]
mod tests;
