use serde::{Deserialize, Serialize};

/// What one dial of one port showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshake {
    /// Who was dialled.
    pub target: Target,
    /// From where.
    pub vantage: Vantage,
    /// The name sent as SNI; none when it was an IP address.
    pub server_name: Option<String>,
    /// The client certificate that was offered.
    pub client: Option<Client>,
    /// The rungs of the ladder that were climbed, in order.
    pub steps: Vec<Step>,
    /// Where it ended.
    pub outcome: Outcome,
}

/// A port that was dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// Namespace of the pod; empty when an address was dialled.
    pub namespace: String,
    /// Pod name; empty when an address was dialled.
    pub pod: String,
    /// The host that was dialled: IP of the pod or the name typed.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// From where a port was dialled, which says what the result cannot show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vantage {
    /// TCP from this machine.
    Direct,
    /// Through the API server into the pod's network namespace: shows nothing of Services, DNS and
    /// NetworkPolicies.
    PortForward,
}

/// A client certificate that was offered, by the file it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// SHA-256 of the leaf's DER, lower-case hex.
    pub certificate: String,
    /// `Secret ray/ray-tls`, or a path.
    pub from: String,
}

/// One rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `identity` (only when it cannot be offered), `dns`, `tcp`, `port-forward`, `first-bytes`, `tls`, `settings`.
    pub name: String,
    /// Whether it was passed.
    pub ok: bool,
    /// What was seen, one clause.
    pub seen: String,
}

/// Where a dial ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Bytes that are neither TLS, HTTP/2 nor HTTP/1, first 16 in hex.
    Garbage(String),
    /// HTTP/1 in clear.
    PlainHttp,
    /// A gRPC server without TLS: it spoke SETTINGS first.
    PlainGrpc,
    /// Connection refused.
    Refused,
    /// Connected, and then closed without a byte at this step.
    Closed {
        /// The step.
        step: String,
    },
    /// Nothing came at this step.
    TimedOut {
        /// The step.
        step: String,
    },
    /// TLS was spoken.
    Tls(Box<Tls>),
    /// A handshake that failed in TLS itself, with the alert or error.
    TlsFailed(String),
    /// The dial was not possible, and says nothing of the port.
    NotPossible(super::Why),
    /// DNS, routing or port-forward error.
    Unreachable(String),
}

/// What a TLS handshake showed: a completed one, or one of TLS 1.2 that the server ended after it asked for a client
/// certificate (where TLS 1.2 refuses; `settings` is then [`Settings::Closed`] or [`Settings::Alert`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// `TLS 1.3` or `TLS 1.2`.
    pub version: String,
    /// ALPN answer; none when the server chose none.
    pub alpn: Option<String>,
    /// Presented chain, each DER as base64.
    pub chain: Vec<String>,
    /// Whether a client certificate was asked for.
    pub client_certificate_requested: bool,
    /// Names of the CAs the server said it trusts (`CN=ray-ca`); gRPC's C++ core sends them, new grpcio does not.
    pub ca_names: Vec<String>,
    /// Key exchange group: `secp256r1`, `X25519`, ….
    pub group: String,
    /// What came after the HTTP/2 preface.
    pub settings: Settings,
}

/// What came after the HTTP/2 preface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settings {
    /// A SETTINGS frame: the client certificate is accepted.
    Received,
    /// The connection was closed: refused, without a word (gRPC sends no alert).
    Closed,
    /// A TLS alert, which gRPC never sends: another kind of server.
    Alert(String),
    /// Something that is not a SETTINGS frame.
    Other(String),
    /// Nothing in time.
    TimedOut,
}

impl std::fmt::Display for Target {
    /// `port 6379 of pod ray-head-0`, or the `host:port` that was dialled.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.pod.as_str(), self.host.contains(':')) {
            ("", true) => write!(f, "[{}]:{}", self.host, self.port),
            ("", false) => write!(f, "{}:{}", self.host, self.port),
            (pod, _) => write!(f, "port {} of pod {pod}", self.port),
        }
    }
}
