use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Content, FileFacts, Origin};

/// Kind, namespace and name of a Kubernetes object. The namespace is empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    /// `Secret`, `Deployment`, `RayCluster`, ….
    pub kind: String,
    /// Namespace; empty for none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// A Secret, without its private halves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// Which.
    pub object: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// `Opaque`, `kubernetes.io/tls`, ….
    pub kind: String,
    /// Key to what its value is. Values that are neither certificates nor one of Ray's TLS settings are only sized.
    pub data: BTreeMap<String, Content>,
    /// Keys whose base64 is invalid, with what is wrong; they are not in `data`.
    pub invalid: BTreeMap<String, String>,
    /// Newest change of the data as the API server's managedFields tell, UTC; creation when they do not.
    pub changed_at: Option<Timestamp>,
    /// `metadata.creationTimestamp`.
    pub created_at: Option<Timestamp>,
    /// Annotations of cert-manager.io only.
    pub annotations: BTreeMap<String, String>,
}

/// A ConfigMap, reduced as [`Secret`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigMap {
    /// Which.
    pub object: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// Key to what its value is.
    pub data: BTreeMap<String, Content>,
    /// As [`Secret::changed_at`].
    pub changed_at: Option<Timestamp>,
}

/// A ClusterTrustBundle of certificates.k8s.io: CA certificates that pods can mount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrustBundle {
    /// Which; it has no namespace.
    pub object: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// `spec.signerName`; empty for none.
    pub signer: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `spec.trustBundle`.
    pub facts: FileFacts,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Which.
    pub object: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// Empty selects nothing.
    pub selector: BTreeMap<String, String>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// `None` for a headless Service or when not known.
    pub cluster_ip: Option<String>,
    /// `ClusterIP`, `NodePort`, ….
    pub kind: String,
    /// Whether it is headless (`clusterIP: None`).
    pub headless: bool,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePort {
    /// Name, may be empty.
    pub name: String,
    /// Port of the Service.
    pub port: u16,
    /// Port number or container port name; the Service's port when not given.
    pub target: String,
    /// `TCP`, `UDP` or `SCTP`; everything of Ray is TCP.
    #[serde(default = "tcp")]
    pub protocol: String,
}

fn tcp() -> String {
    "TCP".into()
}

/// What a RayCluster, RayJob or RayService says beside its pod templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RayResource {
    /// Which.
    pub object: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// `spec.rayVersion`.
    pub ray_version: Option<String>,
    /// Name of the head Service: `headGroupSpec.headService.metadata.name` or `<name>-head-svc`.
    /// `None` when it carries a random suffix (RayJob and RayService before their RayCluster exists).
    pub head_service: Option<String>,
    /// `spec.enableInTreeAutoscaling`.
    pub autoscaling: bool,
    /// `spec.autoscalerOptions` as a container named `autoscaler`, with its env and mounts.
    pub autoscaler: Option<super::Container>,
    /// `spec.tlsOptions.enabled`.
    pub operator_tls: bool,
    /// Whether there is a `spec.tlsOptions` that does not say `enabled`, which KubeRay takes for no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls_left_open: bool,
}

impl Service {
    /// Its TCP port of this number.
    pub fn tcp(&self, port: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|p| p.port == port && p.protocol == "TCP")
    }
}

impl ObjectRef {
    /// A reference.
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        ObjectRef { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    /// Whether it has this namespace and name.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }
}

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            ns => write!(f, "{} {ns}/{}", self.kind, self.name),
        }
    }
}
