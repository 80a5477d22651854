//! The two gRPCs of a Ray cluster.

use serde::{Deserialize, Serialize};

/// Which gRPC judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Ray's C++ core: gRPC 1.58 in Ray 2.60.
    Core,
    /// Ray's Python processes: the grpcio wheel, 1.85.1 in Ray 2.60.
    Python,
}
