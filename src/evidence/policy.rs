use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ObjectRef, Origin};

/// A NetworkPolicy, of which only what it says of ingress is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkPolicy {
    /// Which.
    pub object: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// The pods it is about.
    pub pods: Selector,
    /// What it lets in; empty lets nothing in.
    pub ingress: Vec<Ingress>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ingress {
    /// Who; none for everybody.
    pub from: Option<Vec<Peer>>,
    /// On which TCP ports, each a first and a last number or a name; none for all.
    pub ports: Option<Vec<Ports>>,
}

/// Who is let in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// `podSelector`; none for all pods.
    pub pods: Option<Selector>,
    /// `namespaceSelector`; none for the policy's own namespace.
    pub namespaces: Option<Selector>,
    /// `ipBlock.cidr`; empty for none.
    pub block: String,
}

/// A label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// `matchLabels`.
    pub labels: BTreeMap<String, String>,
    /// Whether it has `matchExpressions` too, which are not kept.
    pub expressions: bool,
}

impl Selector {
    /// Whether it chooses an object of these labels, by what is kept of it.
    pub fn chooses(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

/// TCP ports of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ports {
    /// From the first to the last.
    Range(u16, u16),
    /// The container port of this name.
    Named(String),
}
