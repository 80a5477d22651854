//! PEM as gRPC (BoringSSL) reads it.

use serde::{Deserialize, Serialize};

/// Certificates in the order gRPC meets them, up to the first block it cannot read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Readable certificate blocks.
    pub blocks: Vec<Block>,
    /// Where and why the reading ended early. gRPC says nothing of it: what comes after is ignored.
    pub stopped: Option<Stop>,
    /// `-----BEGIN … CERTIFICATE` lines in the whole text, readable or not.
    pub begun: usize,
}

/// One readable certificate block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// `CERTIFICATE`, `X509 CERTIFICATE` or `TRUSTED CERTIFICATE`.
    pub label: String,
    /// 1-based line of its BEGIN.
    pub line: u32,
    /// The DER, as base64.
    pub der: String,
}

/// The block that ended the reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// 1-based line.
    pub line: u32,
    /// What was found, one clause: `no END line`, `two blocks joined without a newline`, `not base64`.
    pub found: String,
}
