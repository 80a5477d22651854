//! The nouns: what may be known of a Ray cluster, redacted, serialisable, with no Kubernetes types.
//!
//! An [`Evidence`] written to disk and read back gives the same report byte for byte.

mod file;
mod handshake;
mod inside;
pub mod issuance;
mod object;
mod policy;
mod seen;
mod workload;

pub use file::{Content, FileFacts, KeyFacts, KeyForm, Misplaced, Shape};
pub use handshake::{Client, Handshake, Outcome, Settings, Step, Target, Tls, Vantage};
pub use inside::{Answer, Clock, DialInside, FileInside, Inside, Process};
pub use object::{ConfigMap, ObjectRef, RayResource, Secret, Service, ServicePort, TrustBundle};
pub use policy::{Ingress, NetworkPolicy, Peer, Ports, Selector};
pub use seen::{Gap, Origin, Problem, Seen, Why};
pub use workload::{
    Container, EnvFrom, EnvSource, EnvVariable, KeyPath, Mount, Pod, PodContainer, RayGroup, Security, SourceKind,
    Traces, Volume, VolumeSource, Workload,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the snapshot format written by this program. 1 knew no cert-manager, nothing from inside of pods and no
/// modes of files; what came after it has defaults.
pub const FORMAT: u32 = 2;

/// All that was seen, at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Version of this structure, [`FORMAT`].
    pub format: u32,
    /// When it was taken, UTC. Every judgement about dates uses this time.
    pub taken_at: Timestamp,
    /// Where it came from.
    pub mode: Mode,
    /// One line for people: `context kind-a, namespace ray` or `2 files`.
    pub source: String,
    /// Whether pods and Services outside the collected objects may exist: true for manifests, where a
    /// referenced object that is not in the render may still be in the cluster.
    pub partial: bool,
    /// Pod templates and pods of equal template, sorted by namespace, kind, name.
    pub workloads: Vec<Workload>,
    /// Secrets that something in the evidence refers to (live) or that were given (manifests), sorted. Manifests may give
    /// one twice: the later one, which the cluster ends up with, stands first.
    ///
    /// A file of this machine is one of kind `File`, with no namespace, the path as its name and its bytes under the
    /// empty key; this shell is a workload of kind `Shell`.
    pub secrets: Vec<Secret>,
    /// ConfigMaps, as [`Evidence::secrets`].
    pub config_maps: Vec<ConfigMap>,
    /// Services of the namespaces looked at.
    pub services: Vec<Service>,
    /// NetworkPolicies of the namespaces looked at that say something of ingress.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_policies: Vec<NetworkPolicy>,
    /// ClusterTrustBundles, where a volume mounts one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust_bundles: Vec<TrustBundle>,
    /// RayCluster, RayJob and RayService objects, without their templates, which are in `workloads`.
    pub ray_resources: Vec<RayResource>,
    /// cert-manager's and trust-manager's objects.
    #[serde(default)]
    pub issuance: issuance::Issuance,
    /// Objects that were asked for and could not be had or do not exist.
    pub lookups: Vec<Lookup>,
    /// What the prober saw.
    pub handshakes: Vec<Handshake>,
    /// What containers told of themselves (`--inside`), sorted by namespace, pod and container.
    #[serde(default)]
    pub inside: Vec<Inside>,
    /// The API server's clock, which tells whose is wrong where those of pods differ from this machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_clock: Option<Clock>,
    /// Evidence that could not be had, and what would give it.
    pub gaps: Vec<Gap>,
    /// Documents and files that could not be read.
    pub problems: Vec<Problem>,
    /// Whether a deadline or an interruption ended the collection early.
    pub incomplete: bool,
}

/// The kind of source an [`Evidence`] came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// PEM files and folders only.
    Files,
    /// The API server of a cluster.
    Live,
    /// Manifests.
    Manifests,
    /// This shell's own environment and files.
    Shell,
}

/// The answer to one look-up of a named Secret or ConfigMap that is not in the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// `Secret` or `ConfigMap`, namespace and name.
    pub object: ObjectRef,
    /// Why it is not there: `None` means that the API server said it does not exist.
    pub unseen: Option<Why>,
}

impl Evidence {
    /// An empty evidence taken at `taken_at`.
    pub fn new(mode: Mode, source: impl Into<String>, taken_at: Timestamp) -> Self {
        Evidence {
            format: FORMAT,
            taken_at,
            mode,
            source: source.into(),
            partial: mode != Mode::Live,
            workloads: Vec::new(),
            secrets: Vec::new(),
            config_maps: Vec::new(),
            services: Vec::new(),
            network_policies: Vec::new(),
            trust_bundles: Vec::new(),
            ray_resources: Vec::new(),
            issuance: issuance::Issuance::default(),
            lookups: Vec::new(),
            handshakes: Vec::new(),
            inside: Vec::new(),
            server_clock: None,
            gaps: Vec::new(),
            problems: Vec::new(),
            incomplete: false,
        }
    }

    /// The Secret of this name. `Absent` only when the source could have shown it.
    pub fn secret(&self, namespace: &str, name: &str) -> Seen<&Secret> {
        let found = self.secrets.iter().find(|s| s.object.kind != "File" && s.object.is(namespace, name));
        found.map_or_else(|| self.lost("Secret", namespace, name), Seen::Found)
    }

    /// The ConfigMap of this name, as [`Evidence::secret`].
    pub fn config_map(&self, namespace: &str, name: &str) -> Seen<&ConfigMap> {
        let found = self.config_maps.iter().find(|c| c.object.is(namespace, name));
        found.map_or_else(|| self.lost("ConfigMap", namespace, name), Seen::Found)
    }

    /// The ClusterTrustBundles of a projection: the one of a name, or those of a signer that a selector chooses. The list of all
    /// has a look-up without a name.
    pub fn trust_bundles_of(&self, name: &str, signer: &str, selector: Option<&Selector>) -> Seen<Vec<&TrustBundle>> {
        let chosen = |bundle: &&TrustBundle| match name {
            "" => bundle.signer == signer && selector.is_some_and(|selector| selector.chooses(&bundle.labels)),
            name => bundle.object.name == name,
        };
        let found: Vec<&TrustBundle> = self.trust_bundles.iter().filter(chosen).collect();
        // Of a signer's the unseen ones count as well.
        let listed = self.lookups.iter().find(|lookup| lookup.object.kind == "ClusterTrustBundle");
        match listed.and_then(|lookup| lookup.unseen.clone()) {
            Some(why) if name.is_empty() => Seen::Unseen(why),
            _ if found.is_empty() => self.lost("ClusterTrustBundle", "", ""),
            _ => Seen::Found(found),
        }
    }

    /// The file of this path, where files were read.
    pub fn file(&self, path: &str) -> Seen<&Content> {
        let found = self.secrets.iter().find(|s| s.object.kind == "File" && s.object.name == path);
        match found.and_then(|s| s.data.values().next()) {
            Some(content) => Seen::Found(content),
            None => self.lost("File", "", path),
        }
    }

    fn lost<T>(&self, kind: &str, namespace: &str, name: &str) -> Seen<T> {
        match self.lookups.iter().find(|l| l.object.kind == kind && l.object.is(namespace, name)) {
            Some(Lookup { unseen: None, .. }) => Seen::Absent,
            Some(Lookup { unseen: Some(why), .. }) => Seen::Unseen(why.clone()),
            None if self.mode == Mode::Manifests && kind != "File" => Seen::Unseen(Why::NotInManifests),
            None => Seen::Unseen(Why::NotAsked),
        }
    }
}
