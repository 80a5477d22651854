use serde::{Deserialize, Serialize};

use super::ObjectRef;

/// The three answers to "what is there?". Forbidden, timed out and unreadable are never `Absent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen<T> {
    /// It is there.
    Found(T),
    /// It was looked for in the place where it would be, and is not there.
    Absent,
    /// It was not seen, and this is why.
    Unseen(Why),
}

/// Why something was not seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The API server said 403.
    Forbidden {
        /// `get`, `list`, `create`.
        verb: String,
        /// `secrets`, `pods/portforward`, `rayclusters.ray.io`.
        resource: String,
        /// The namespace, where there is one.
        namespace: Option<String>,
    },
    /// It is made inside the pod at start, by this init container; no manifest or Secret holds it.
    MadeInPod {
        /// Name of the init container.
        by: String,
    },
    /// It does not exist yet: an edit of the diagnosis would make it.
    NotYetMade,
    /// The option that would fetch it was off, or nothing asked for it.
    NotAsked,
    /// The render does not hold the object; the cluster may.
    NotInManifests,
    /// Ctrl-C came before the answer.
    Interrupted,
    /// No answer within the time that was given.
    TimedOut,
    /// An answer that makes no sense, or an I/O error.
    Unreadable(String),
    /// The kind of source cannot be read from here: CSI, hostPath, image, ….
    OutOfReach(String),
}

/// Where a fact comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The file, `-` for standard input; none for an object of the API server.
    pub file: Option<String>,
    /// 1-based line of the object's first key.
    pub line: Option<u32>,
}

/// Evidence that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// What was not seen: `Secret ray/ray-tls`, `port 6379 of pod ray/ray-head-0`.
    pub what: String,
    /// Why, one clause.
    pub why: String,
    /// What would show it: `Role rule: apiGroups [""], resources ["secrets"], resourceNames ["ray-tls"], verbs ["get"]`.
    pub needs: Option<String>,
    /// The code of the check that speaks of such gaps: `PRM01`, `PRM02`, `PRM03`.
    pub code: Option<String>,
}

/// A document or file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// The object, where one is known.
    pub object: Option<ObjectRef>,
    /// What was found instead, and what to do. One sentence, never a byte of a private key.
    pub message: String,
}

impl<T> Seen<T> {
    /// The value, if it was found.
    pub fn found(&self) -> Option<&T> {
        match self {
            Seen::Found(value) => Some(value),
            Seen::Absent | Seen::Unseen(_) => None,
        }
    }

    /// A reference inside.
    pub fn as_ref(&self) -> Seen<&T> {
        match self {
            Seen::Found(value) => Seen::Found(value),
            Seen::Absent => Seen::Absent,
            Seen::Unseen(why) => Seen::Unseen(why.clone()),
        }
    }

    /// The same seeing of another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Seen::Found(value) => Seen::Found(f(value)),
            Seen::Absent => Seen::Absent,
            Seen::Unseen(why) => Seen::Unseen(why),
        }
    }

    /// As `Option::and_then`.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Seen<U>) -> Seen<U> {
        match self {
            Seen::Found(value) => f(value),
            Seen::Absent => Seen::Absent,
            Seen::Unseen(why) => Seen::Unseen(why),
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Why::Forbidden { verb, resource, namespace: Some(ns) } => {
                write!(f, "forbidden: may not {verb} {resource} in namespace {ns}")
            }
            Why::Forbidden { verb, resource, namespace: None } => write!(f, "forbidden: may not {verb} {resource}"),
            Why::MadeInPod { by } => write!(f, "made inside the pod by init container {by}"),
            Why::NotYetMade => write!(f, "not made yet"),
            Why::NotAsked => write!(f, "not asked for"),
            Why::NotInManifests => write!(f, "not in the given manifests"),
            Why::Interrupted => write!(f, "interrupted before it was there"),
            Why::TimedOut => write!(f, "no answer in time"),
            Why::Unreadable(what) => write!(f, "unreadable: {what}"),
            Why::OutOfReach(what) => write!(f, "cannot be read from here: {what}"),
        }
    }
}
