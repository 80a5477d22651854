//! What is told: one [`Report`] for every format. Pure.
//!
//! The serialised form is the contract for scripts, and its keys only grow.

mod build;
mod clusters;
mod passed;
pub mod verification;
mod words;

pub mod fleet;
pub mod json;
pub mod short;
pub mod table;

pub use words::{Place, clean};

use jiff::Timestamp;
use serde::Serialize;

use crate::checks::Severity;

/// Version of the JSON report.
pub const API_VERSION: &str = "raytls.dev/v1";

/// What was asked of the report.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time everything was judged at, UTC.
    pub now: Timestamp,
    /// The least severity that makes the exit code 1; none for never.
    pub fail_on: Option<Severity>,
    /// Whether anything that was not judged makes the exit code 3.
    pub inconclusive_fails: bool,
    /// Whether nothing of what was given could be read: exit code 2.
    pub nothing_read: bool,
}

/// Everything a format may show. Lists are in a fixed order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`API_VERSION`].
    pub api_version: &'static str,
    /// `Report`.
    pub kind: &'static str,
    /// The time everything was judged at, UTC.
    pub taken_at: Timestamp,
    /// Exit code of the program: 0 to 4.
    pub exit_code: u8,
    /// The gRPCs by whose rules connections were judged.
    pub judged_by: JudgedBy,
    /// Whether a deadline or an interruption cut the evidence.
    pub incomplete: bool,
    /// One word.
    pub verdict: Verdict,
    /// The first date to come at which a finding says that something breaks.
    pub time_to_outage: Option<Outage>,
    /// Root causes, the one that mends most first.
    pub causes: Vec<Cause>,
    /// Every finding, errors first.
    pub findings: Vec<Finding>,
    /// The Ray clusters, sorted by name.
    pub ray_clusters: Vec<RayCluster>,
    /// Every connection.
    pub connections: Vec<Connection>,
    /// What was not judged.
    pub not_judged: Vec<NotJudged>,
    /// How much was seen from inside of pods, where one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside: Option<Inside>,
    /// Codes of the checks that looked at something and found nothing.
    pub passed: Vec<&'static str>,
    /// The answers about files, where files alone were asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<verification::Verification>,
    /// Where the evidence came from, one line for people.
    #[serde(skip)]
    pub source: String,
    /// Ladders of ports that were dialled by address, for people.
    #[serde(skip)]
    pub ladders: Vec<Ladder>,
}

/// What was seen from inside of pods, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Inside {
    /// Pods that answered.
    pub pods: usize,
    /// Running pods that could have been asked.
    pub of: usize,
    /// Connections of the report whose observed verdict is the one of a dial inside of a pod.
    pub connections: usize,
}

/// One Ray cluster, in numbers. Counts are of single connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RayCluster {
    /// `namespace/name` of the RayCluster, else the id of the head.
    pub name: String,
    /// Every connection.
    pub connections: usize,
    /// Those that fail.
    pub failing: usize,
    /// Those that were not judged.
    pub not_judged: usize,
    /// Codes of the causes that mend one of its connections, in the order of the causes.
    pub causes: Vec<&'static str>,
}

/// The gRPCs of Ray's processes, and how their rules are known: `grpcio 1.85.1 (measured)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JudgedBy {
    /// Of the C++ core.
    pub core: String,
    /// Of Python.
    pub python: String,
}

/// One word about the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything judged works and nothing is at risk.
    Healthy,
    /// Everything judged works, but there are warnings or an outage with a date.
    AtRisk,
    /// A needed connection fails, or there is an error.
    Broken,
    /// No connection could be judged.
    Unknown,
}

/// When it breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// UTC.
    pub at: Timestamp,
    /// Code of the finding.
    pub because: &'static str,
}

/// A root cause.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// Code of its finding.
    pub code: &'static str,
    /// Name of its finding.
    pub name: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// One sentence.
    pub message: String,
    /// What does not work because of it.
    pub impact: String,
    /// Ids of the connections that work once it is mended.
    pub mends: Vec<String>,
    /// How to mend it.
    pub remedy: Remedy,
    /// Index of its finding in [`Report::findings`].
    #[serde(skip)]
    pub finding: usize,
    /// Whether the connections only work once other causes are mended too.
    #[serde(skip)]
    pub together: bool,
}

/// How to mend it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Remedy {
    /// Steps in order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// One sentence.
    pub text: String,
    /// A command to paste.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// A change of a manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subject {
    /// `Secret`, `Deployment`, `File`, `Port`, ….
    pub kind: String,
    /// Namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// Key of a Secret or ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// File of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// 1-based line in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// `NAM03`.
    pub code: &'static str,
    /// `pod-address-not-in-certificate`.
    pub name: &'static str,
    /// `error`, `warning`, `info`.
    pub severity: &'static str,
    /// `proved`, `predicted`, `suspected`.
    pub confidence: &'static str,
    /// About what.
    pub subject: Subject,
    /// One sentence.
    pub message: String,
    /// Proofs.
    pub facts: Vec<Fact>,
    /// Ids of the connections it breaks.
    pub breaks: Vec<String>,
    /// Index of the cause it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<usize>,
    /// How many equal ones it stands for.
    pub count: usize,
}

/// One proof.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fact {
    /// `not after`, `dialled`, ….
    pub what: String,
    /// The value.
    pub value: String,
    /// Where it was read.
    pub origin: String,
}

/// A judged connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Stable id.
    pub id: String,
    /// Id of the dialling party.
    pub dialer: String,
    /// Id of the dialled party.
    pub target: String,
    /// The host that is dialled.
    pub address: String,
    /// The port where it has one number; null where Ray picks it.
    pub port: Option<u16>,
    /// How many equal ones it stands for.
    pub count: usize,
    /// Name of its Ray cluster.
    pub ray_cluster: String,
    /// What the rules say.
    pub predicted: Predicted,
    /// What the prober saw.
    pub observed: Option<Judgement>,
    /// From where it was observed, where that was inside a pod: `inside pod ray/ray-worker-0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vantage: Option<String>,
    /// The verdict that counts.
    #[serde(skip)]
    pub effective: Judgement,
    /// Whether Ray does not work without it.
    #[serde(skip)]
    pub needed: bool,
    /// The port for people: `6379`, `node ports`.
    #[serde(skip)]
    pub port_text: String,
}

/// By the rules of both gRPCs of a Ray cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Predicted {
    /// Ray's C++ core.
    pub core: Judgement,
    /// The grpcio wheel.
    pub python: Judgement,
}

/// What becomes of a connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// The word.
    pub verdict: Word,
    /// `dialer` or `target`: who refuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
    /// Why, one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in one to three words for a cell of a table.
    #[serde(skip)]
    pub short: &'static str,
}

/// One word about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// It works.
    Accept,
    /// It fails.
    Reject,
    /// It was not decided.
    CannotTell,
}

/// Something that was not judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotJudged {
    /// What.
    pub what: String,
    /// Why, one clause.
    pub why: String,
    /// What would change that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
}

/// The rungs that were climbed on one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// `host:port`.
    pub target: String,
    /// Name of the rung, passed or not, what was seen.
    pub rungs: Vec<(String, bool, String)>,
}

impl Report {
    /// Number of single connections, and of those that fail and that are not judged.
    pub fn totals(&self) -> Totals {
        let sum = |word: Option<Word>| {
            let of = |c: &&Connection| word.is_none_or(|w| c.effective.verdict == w);
            self.connections.iter().filter(of).map(|c| c.count).sum()
        };
        Totals { all: sum(None), failing: sum(Some(Word::Reject)), open: sum(Some(Word::CannotTell)) }
    }
}

/// Counts of single connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Every connection.
    pub all: usize,
    /// Those that fail.
    pub failing: usize,
    /// Those that are not judged.
    pub open: usize,
}

#[cfg(test)]
mod tests;
