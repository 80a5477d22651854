use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ObjectRef, Origin, Selector};

/// A pod template, with the pods that were made from it. Pods of equal template are one workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// The controller people know: Deployment, StatefulSet, Job, RayCluster, …, or the Pod itself.
    pub object: ObjectRef,
    /// Where it was read; for a custom resource the line of the template.
    pub origin: Origin,
    /// KubeRay's group, from the custom resource or the pod's `ray.io/*` labels.
    pub group: Option<RayGroup>,
    /// Wanted pods, where the manifest says.
    pub replicas: Option<u32>,
    /// Labels of the pods.
    pub labels: BTreeMap<String, String>,
    /// Init containers in order, but for native sidecars (`restartPolicy: Always`).
    pub init_containers: Vec<Container>,
    /// Containers in order, and behind them the native sidecars, which run as long as these.
    pub containers: Vec<Container>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// `hostNetwork`: the pod's address is the node's.
    pub host_network: bool,
    /// `hostAliases`: the names in the pods' `/etc/hosts`, in order, each with its IP.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_aliases: Vec<(String, IpAddr)>,
    /// Live pods, sorted by name; empty offline.
    pub pods: Vec<Pod>,
    /// `securityContext` of the pod.
    #[serde(default)]
    pub security: Security,
}

/// Who the processes of a pod or container are: what decides which files they can read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// `runAsUser`.
    pub user: Option<u32>,
    /// `runAsGroup`.
    pub group: Option<u32>,
    /// `fsGroup`, of a pod only.
    pub fs_group: Option<u32>,
    /// `supplementalGroups`, of a pod only.
    pub groups: Vec<u32>,
}

/// The place of a pod in a KubeRay cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RayGroup {
    /// Name of the RayCluster (of the RayJob or RayService where no RayCluster is known yet).
    pub cluster: String,
    /// Whether this is the head group.
    pub head: bool,
    /// Name of the worker group; empty for the head.
    pub name: String,
    /// `rayStartParams`.
    pub start_params: BTreeMap<String, String>,
}

/// One container. Only what matters to Ray's TLS is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Image as written.
    pub image: String,
    /// Words of command and args that say what Ray does here (`ray start …`, addresses, exported TLS
    /// variables); every other word is dropped, so that no token or password is kept.
    pub command: Vec<String>,
    /// `env`, in order. Values of names that are neither Ray's nor referred to by a kept one are dropped.
    pub env: Vec<EnvVariable>,
    /// `envFrom`, in order.
    pub env_from: Vec<EnvFrom>,
    /// Mounts in order.
    pub mounts: Vec<Mount>,
    /// Container ports of TCP by name (empty name for none).
    pub ports: Vec<(String, u16)>,
    /// `securityContext`; what it leaves open the pod's decides.
    #[serde(default)]
    pub security: Security,
    /// What command and args have to do with making certificates.
    #[serde(default = "Traces::unknown")]
    pub traces: Traces,
    /// Names of variables that the command changes in a way that is not read: under a condition, by `eval`, ….
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// What a command or a script has to do with making certificates, seen in words that are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    /// Whether it runs more than `ray`: a program that may write files.
    pub runs_more: bool,
    /// Whether it makes a certificate (`openssl req`, `x509`, `cfssl`, `step`, `certtool`, `kubectl`).
    pub makes_certificate: bool,
    /// Whether it finds out the pod's own IP (`POD_IP`, `hostname -i`, `ip addr`).
    pub finds_address: bool,
}

impl Traces {
    /// Of a command that nobody looked at: it may do all of it.
    pub fn unknown() -> Self {
        Traces { runs_more: true, makes_certificate: true, finds_address: true }
    }
}

/// One entry of `env`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvVariable {
    /// Name as written.
    pub name: String,
    /// Where the value comes from.
    pub source: EnvSource,
}

/// Where the value of a variable comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvSource {
    /// A literal; `$(VAR)` not yet expanded.
    Value(String),
    /// A literal that is not kept.
    Dropped,
    /// `configMapKeyRef` or `secretKeyRef`.
    Key {
        /// `ConfigMap` or `Secret`.
        kind: SourceKind,
        /// Name of the object, in the namespace of the workload.
        name: String,
        /// Key in it.
        key: String,
        /// `optional`.
        optional: bool,
    },
    /// `fieldRef`: the path, `status.podIP`.
    Field(String),
    /// A literal that is no string in the manifest (`value: 1`), as written; the API server refuses it.
    NotAString(String),
    /// `resourceFieldRef` and whatever else.
    Other,
}

/// ConfigMap or Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SourceKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

/// One entry of `envFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvFrom {
    /// ConfigMap or Secret.
    pub kind: SourceKind,
    /// Its name.
    pub name: String,
    /// `prefix`, mostly empty.
    pub prefix: String,
    /// `optional`.
    pub optional: bool,
}

/// One entry of `volumeMounts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Name of the volume.
    pub volume: String,
    /// `mountPath`.
    pub path: String,
    /// `subPath`, or `subPathExpr` as written; empty for none.
    pub sub_path: String,
    /// `readOnly`.
    pub read_only: bool,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Name.
    pub name: String,
    /// What it is.
    pub source: VolumeSource,
}

/// What a volume is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeSource {
    /// A Secret or ConfigMap.
    Object {
        /// Which kind.
        kind: SourceKind,
        /// Name.
        name: String,
        /// `items`; empty means every key under its own name.
        items: Vec<KeyPath>,
        /// `optional`.
        optional: bool,
        /// `defaultMode`, of a projection that of its volume.
        #[serde(default)]
        mode: Option<u32>,
    },
    /// Several objects in one directory, in order: a later one wins.
    Projected(Vec<VolumeSource>),
    /// `emptyDir`.
    EmptyDir,
    /// `csi`.
    Csi {
        /// `csi.cert-manager.io`, `secrets-store.csi.k8s.io`, ….
        driver: String,
        /// Those of cert-manager's driver, and `secretProviderClass`.
        attributes: BTreeMap<String, String>,
    },
    /// `hostPath`: the path on the node.
    HostPath(String),
    /// `persistentVolumeClaim`: its name.
    Claim(String),
    /// `clusterTrustBundle` of a projection: certificates of a signer, in one file.
    TrustBundle {
        /// `name`; empty when chosen by signer.
        name: String,
        /// `signerName`; empty when chosen by name.
        signer: String,
        /// `labelSelector` of those of the signer; none chooses none.
        #[serde(default)]
        selector: Option<Selector>,
        /// The file.
        path: String,
        /// `optional`.
        optional: bool,
    },
    /// What the kubelet itself makes in a projection, and nothing but these files.
    Made {
        /// `serviceAccountToken`, `downwardAPI`, `podCertificate`.
        what: String,
        /// Relative paths of the files.
        files: Vec<String>,
    },
    /// Whatever else: the name of the field.
    Other(String),
}

/// A key of an object and the file it becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPath {
    /// Key.
    pub key: String,
    /// Relative path of the file.
    pub path: String,
    /// `mode`, before the volume's `defaultMode`.
    #[serde(default)]
    pub mode: Option<u32>,
}

/// A live pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Name.
    pub name: String,
    /// `status.podIPs`, first the primary one.
    pub ips: Vec<IpAddr>,
    /// `status.phase`.
    pub phase: String,
    /// Every container's state.
    pub containers: Vec<PodContainer>,
}

/// State of one container of a live pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodContainer {
    /// Name.
    pub name: String,
    /// When the running container started, UTC.
    pub started_at: Option<Timestamp>,
    /// Reason and message when it waits (`CreateContainerConfigError`, …).
    pub waiting: Option<String>,
    /// Restarts so far.
    pub restarts: u32,
}
