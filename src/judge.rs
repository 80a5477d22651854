//! The connection matrix: for every connection what both gRPCs will say (predicted) and what was seen (observed). Pure.

pub mod files;
mod inside;
mod known;
pub mod matrix;
mod observe;
mod predict;
mod side;

use serde::{Deserialize, Serialize};

use crate::grpc::verdict::Reason;

/// A connection of the model, judged. Same order as [`crate::ray::Model::connections`].
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// By the C++ core's rules.
    pub core: Verdict,
    /// By Python's rules.
    pub python: Verdict,
    /// By what the prober saw; none when nothing was seen of this connection.
    pub observed: Option<Verdict>,
    /// From where it was observed, where that was inside a pod: `inside pod ray/ray-worker-0`.
    pub vantage: Option<String>,
    /// Whether only Python's gRPC stands on both ends, so that the C++ core's opinion does not count.
    pub python_only: bool,
}

/// What becomes of a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It works.
    Accept,
    /// It fails.
    Reject {
        /// The side that refuses.
        by: Side,
        /// Why.
        reason: Failure,
    },
    /// Not decided: why, one clause.
    CannotTell(String),
}

/// The side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The one that dials.
    Dialer,
    /// The one that is dialled.
    Target,
}

/// Why a connection fails.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// gRPC refuses a file or certificate.
    Grpc(Reason),
    /// One side speaks TLS, the other plaintext. `tls` is the side with TLS.
    Switches {
        /// The side that speaks TLS.
        tls: Side,
    },
    /// The side that has TLS on cannot read one of its files.
    File {
        /// The variable.
        variable: &'static str,
        /// One clause.
        text: String,
    },
    /// The port did not answer as Ray does: refused, silent, garbage, no ALPN.
    Port(String),
    /// The party is not there: its pod cannot start.
    NotRunning(String),
}

impl Failure {
    /// One sentence for people.
    pub fn text(&self) -> String {
        match self {
            Failure::Grpc(reason) => reason.text.clone(),
            Failure::Switches { tls: Side::Dialer } => "the dialer speaks TLS, the target plaintext".into(),
            Failure::Switches { tls: Side::Target } => "the dialer speaks plaintext, the target TLS".into(),
            Failure::File { variable, text } => format!("{variable}: {text}"),
            Failure::Port(text) | Failure::NotRunning(text) => text.clone(),
        }
    }
}

impl Judged {
    /// The verdict that counts: what was seen before what was predicted; a rejection by either gRPC before an acceptance.
    pub fn effective(&self) -> &Verdict {
        match &self.observed {
            Some(verdict @ (Verdict::Accept | Verdict::Reject { .. })) => verdict,
            _ => self.predicted(),
        }
    }

    /// The prediction that counts: Python's on Ray Client's ports, the worse of both elsewhere.
    pub fn predicted(&self) -> &Verdict {
        if self.python_only {
            return &self.python;
        }
        match (&self.core, &self.python) {
            (reject @ Verdict::Reject { .. }, _) => reject,
            (_, reject @ Verdict::Reject { .. }) => reject,
            (unknown @ Verdict::CannotTell(_), _) => unknown,
            (_, unknown @ Verdict::CannotTell(_)) => unknown,
            _ => &self.core,
        }
    }
}
