//! What Ray does: settings as Ray reads them, parties, and who dials whom. Pure.

mod access;
pub mod command;
pub mod connections;
pub mod files;
pub mod focus;
pub mod inside;
pub mod issuance;
pub mod kuberay;
pub mod material;
pub mod parties;
mod policies;
pub mod ports;
mod services;
pub mod settings;
mod versions;

pub use services::{is_missing, leads_past, selects_nothing, service_dialled, service_of, words};

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::evidence::{Evidence, FileFacts, Handshake, ObjectRef, Origin, Pod, Seen, SourceKind};
use crate::grpc::certificate::Certificate;
use crate::grpc::profile::{Profile, Profiles};
use crate::grpc::verdict;

/// The parties of every Ray cluster in the evidence and the connections between them.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Every party, sorted by cluster, role, id.
    pub parties: Vec<Party>,
    /// Every connection, in the order of its id.
    pub connections: Vec<Connection>,
    /// Workloads that have to do with Ray but are not judged, and why.
    pub not_judged: Vec<(String, String)>,
    /// The gRPCs of the clusters.
    pub profiles: Profiles,
    /// The core's gRPC by cluster, where it is not the one of `profiles`.
    pub cores: BTreeMap<usize, Profile>,
    /// Set in a what-if: what was known before the edit.
    pub before: Option<Before>,
}

/// What was known before an edit; it decides which observations the edit makes void.
#[derive(Clone, Debug)]
pub struct Before {
    /// By party: it could not get up, so that its closed ports say nothing once its own way is free.
    pub stuck: Vec<bool>,
    /// By connection: the rejection was predicted from files, so that other files make the observation void. A rejection
    /// that no file explains goes away by a restart only.
    pub explained: Vec<bool>,
    /// By connection: it went astray, so that what pods saw of it says nothing once it is led right.
    pub astray: Vec<bool>,
}

/// One kind of process that speaks Ray's gRPC: a container of a workload, or this shell.
#[derive(Clone, Debug)]
pub struct Party {
    /// `ray/ray-head`, `ray/ray-worker`; with `:container` where a pod holds two parties.
    pub id: String,
    /// Its part.
    pub role: Role,
    /// Index of its Ray cluster; parties of one cluster have to reach each other.
    pub cluster: usize,
    /// Namespace.
    pub namespace: String,
    /// The workload.
    pub object: ObjectRef,
    /// Where that was read.
    pub origin: Origin,
    /// Index in [`Evidence::workloads`]; none for this shell.
    pub workload: Option<usize>,
    /// Name of the container; empty for this shell.
    pub container: String,
    /// `RAY_USE_TLS` as Ray reads it.
    pub switch: Seen<Switch>,
    /// `RAY_TLS_SERVER_CERT`.
    pub certificate: TlsFile,
    /// `RAY_TLS_SERVER_KEY`.
    pub key: TlsFile,
    /// `RAY_TLS_CA_CERT`.
    pub trust: TlsFile,
    /// How its node is addressed by others.
    pub node_address: NodeAddress,
    /// Live pods.
    pub pods: Arc<[Pod]>,
    /// Wanted or live number of processes, at least 1.
    pub count: usize,
    /// What the next pod gets, where a running one was started with other variables.
    pub next: Option<Box<Next>>,
    /// How far the clock of its pods is ahead of ours: the one that is farthest off, zero where they agree or were not asked.
    pub clock: SignedDuration,
    /// Set by an edit: something of it has changed.
    pub touched: bool,
    /// Set by an edit: its pods were started again, so that nothing observed of them holds.
    pub restarted: bool,
}

/// What a template says now, and running pods do not have: a ConfigMap or Secret of variables changed after their start.
#[derive(Clone, Debug)]
pub struct Next {
    /// The switch.
    pub switch: Seen<Switch>,
    /// The three files, in the order of [`Slot`].
    pub files: [TlsFile; 3],
    /// Name, the value that pods were started with, and the one they would get now.
    pub changed: Vec<(&'static str, Option<String>, String)>,
    /// A pod that shows it.
    pub pod: String,
}

/// The part of a party.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Runs GCS, a raylet and the Ray Client proxy.
    Head,
    /// Runs a raylet; the name of its KubeRay group, or empty.
    Worker(String),
    /// KubeRay's autoscaler sidecar: dials the GCS by the head's pod IP.
    Autoscaler,
    /// KubeRay's `wait-gcs-ready` init container of a worker group: dials the GCS.
    Waiter,
    /// Dials `ray://`.
    Client,
    /// This shell.
    Laptop,
}

/// `RAY_USE_TLS` as Ray parses it: `1` or `true` in any case, nothing else, no trimming
/// (`ray_config.h` `ConvertValue<bool>`, `_common/tls_utils.py`; measured on 2.60).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off; what was written, when something was.
    Off {
        /// The value, `yes`, `"1\n"`.
        written: Option<String>,
    },
}

/// One of the three files.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsFile {
    /// `RAY_TLS_SERVER_CERT`, `RAY_TLS_SERVER_KEY` or `RAY_TLS_CA_CERT`.
    pub variable: &'static str,
    /// The value of the variable.
    pub path: Seen<String>,
    /// What the path leads to.
    pub place: Place,
    /// What is there.
    pub content: Seen<FileFacts>,
    /// Set when the content is not read but concluded: `init container gencert copies it from Secret ray/ray-ca`.
    pub assumed: Option<String>,
    /// A certificate an edit made up, instead of the one in `content`.
    pub hypothetical: Option<Vec<Certificate>>,
    /// What is there in each pod that was asked, by pod name, where pods have files of their own.
    pub inside: Vec<(String, Seen<FileFacts>)>,
    /// Set by an edit: the certificate in this slot holds each pod's own address.
    pub covers_pods: bool,
    /// Set by an edit: the file is good, its bytes are not known yet.
    pub mended: bool,
    /// Whether Ray's user may read it.
    pub access: Access,
}

/// Whether the user that Ray runs as may read a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Nothing forbids it.
    #[default]
    Allowed,
    /// Its mode forbids it: one clause.
    Denied(String),
    /// That depends on what was not seen: one clause.
    Unknown(String),
}

/// Which of the three files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// `RAY_TLS_SERVER_CERT`.
    Certificate,
    /// `RAY_TLS_SERVER_KEY`.
    Key,
    /// `RAY_TLS_CA_CERT`.
    Trust,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// No path.
    NoPath,
    /// No mount covers the path: a file of the image, if any.
    NoMount,
    /// A mount names a volume that the pod does not have.
    NoVolume(String),
    /// A key of a Secret or ConfigMap.
    Key {
        /// Secret or ConfigMap.
        kind: SourceKind,
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// The key that becomes the file; none when no key or item of the volume has this path.
        key: Option<String>,
        /// Whether a `subPath` mounts it: it never changes in a running pod.
        sub_path: bool,
    },
    /// An emptyDir; the init container that writes it, if one mounts it.
    MadeInPod(Option<String>),
    /// CSI, hostPath, …: what it is, `hostPath /certs`.
    Volume(String),
    /// A file of this machine.
    Local(String),
}

/// How the node of a party is addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAddress {
    /// By the pod's IP.
    PodIp,
    /// By `--node-ip-address`, a fixed name or IP.
    Fixed(String),
    /// It has none: nobody dials it.
    None,
}

/// Who dials whom by which name on which port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// `ray/ray-worker>ray/ray-head@ray-head-svc:6379`: stable, used in reports.
    pub id: String,
    /// Index of the dialling party.
    pub dialer: usize,
    /// Index of the dialled party.
    pub target: usize,
    /// By which name.
    pub address: Address,
    /// On which port.
    pub port: Port,
    /// Why it is dialled, for people: `registers at the GCS`.
    pub why: &'static str,
    /// Set when it goes to a port where what it wants does not listen, or nowhere.
    pub misdirected: Option<Misdirected>,
    /// The NetworkPolicy that does not let it in; it is misdirected, then.
    pub denied_by: Option<ObjectRef>,
    /// Whether Ray works without it (metrics) or not.
    pub needed: bool,
    /// How many connections of this kind there are.
    pub count: usize,
    /// The one part in which what is presented is judged, where nothing is known of the other side; none for both.
    pub only: Option<verdict::Role>,
}

/// Where a connection goes instead of where it wants to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misdirected {
    /// What is wrong, one sentence.
    pub text: String,
    /// The port of the target at which it would find what it wants.
    pub wanted: u16,
}

/// The host part of what is dialled: what gRPC compares with the certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A name or IP that was typed.
    Typed(String),
    /// 127.0.0.1.
    Loopback,
    /// The target pods' own IPs. Empty when they are not known (offline, or no pod yet).
    PodIps(Arc<[IpAddr]>),
    /// No name is asked for: the certificate is judged by everything else.
    Unnamed,
}

/// A Ray port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// GCS, mostly 6379. Served by the C++ core.
    Gcs(u16),
    /// Ray Client, mostly 10001. Served by Python.
    Client(u16),
    /// Node manager, object manager and core workers; the number where it is pinned. C++ core.
    Node(Option<u16>),
    /// Ray Client's per-session servers, 23000 to 23999 on 127.0.0.1. Python.
    Session,
    /// Whichever: files alone are judged, for both gRPCs.
    Any,
}

impl Model {
    /// The gRPCs by which a party judges and is judged.
    pub fn profiles_of(&self, party: usize) -> Profiles {
        let cluster = self.parties.get(party).map(|party| party.cluster);
        let core = cluster.and_then(|cluster| self.cores.get(&cluster)).copied();
        Profiles { core: core.unwrap_or(self.profiles.core), ..self.profiles }
    }
}

impl Slot {
    /// The variable that holds the path of this file.
    pub fn variable(self) -> &'static str {
        match self {
            Slot::Certificate => "RAY_TLS_SERVER_CERT",
            Slot::Key => "RAY_TLS_SERVER_KEY",
            Slot::Trust => "RAY_TLS_CA_CERT",
        }
    }
}

impl Party {
    /// The file in a slot.
    pub fn file(&self, slot: Slot) -> &TlsFile {
        match slot {
            Slot::Certificate => &self.certificate,
            Slot::Key => &self.key,
            Slot::Trust => &self.trust,
        }
    }

    /// The file in a slot, for an edit.
    pub fn file_mut(&mut self, slot: Slot) -> &mut TlsFile {
        match slot {
            Slot::Certificate => &mut self.certificate,
            Slot::Key => &mut self.key,
            Slot::Trust => &mut self.trust,
        }
    }
}

/// How long a container of Ray may take to open its ports: 15 s on an idle machine, over a minute on a busy one (seen on 2.60).
const START: SignedDuration = SignedDuration::from_secs(120);

/// Whether every pod of a party has started so lately that a closed port says nothing yet.
pub fn is_starting(evidence: &Evidence, party: &Party) -> bool {
    let young = |pod: &Pod| {
        let container = pod.containers.iter().find(|container| container.name == party.container);
        let started = container.and_then(|container| container.started_at);
        started.is_some_and(|at| evidence.taken_at.duration_since(at) < START)
    };
    !party.pods.is_empty() && party.pods.iter().all(young)
}

/// The handshakes that were made with a party's pods on a port of this number.
pub fn handshakes<'e>(evidence: &'e Evidence, party: &Party, port: u16) -> Vec<&'e Handshake> {
    let of_pod = |h: &&Handshake| {
        let theirs = || match h.target.pod.as_str() {
            "" => h.target.host == party.id,
            name => h.target.namespace == party.namespace && party.pods.iter().any(|pod| pod.name == name),
        };
        h.target.port == port && theirs()
    };
    evidence.handshakes.iter().filter(of_pod).collect()
}
