use jiff::Timestamp;

use super::Edits;
use crate::evidence::Evidence;
use crate::judge::Judged;
use crate::ray::Model;

/// One question.
pub struct Check {
    /// `NAM03`.
    pub code: &'static str,
    /// `pod-address-not-in-certificate`.
    pub name: &'static str,
    /// What a finding weighs when the check does not say otherwise.
    pub severity: Severity,
    /// Documentation in Markdown: what it means, why it matters to Ray, how to mend it, and the authority
    /// (RFC section, Ray or gRPC file, experiment).
    pub help: &'static str,
    /// The logic.
    pub run: fn(&Case<'_>, &mut Findings),
}

/// What a check sees, all borrowed.
pub struct Case<'a> {
    /// What was collected.
    pub evidence: &'a Evidence,
    /// Parties and connections.
    pub model: &'a Model,
    /// One per connection of the model.
    pub matrix: &'a [Judged],
    /// The time to judge at, UTC.
    pub now: Timestamp,
}

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Breaks now, or provably within a day.
    Error,
    /// Will break, or is unsafe.
    Warning,
    /// Good to know.
    Info,
}

/// How sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Observed, or follows from real bytes.
    Proved,
    /// Follows from what manifests say.
    Predicted,
    /// Likely.
    Suspected,
}

/// What a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// `Secret`, `Deployment`, `File`, `Port`, ….
    pub kind: String,
    /// Namespace.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// Key of a Secret or ConfigMap.
    pub key: Option<String>,
    /// File of the manifest.
    pub file: Option<String>,
    /// 1-based line in it.
    pub line: Option<u32>,
}

/// One proof.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// `not after`, `dialled`, `names in the certificate`.
    pub what: String,
    /// The value.
    pub value: String,
    /// Where it was read: `Secret ray/ray-tls key tls.crt`.
    pub origin: String,
}

/// A fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Code of the check.
    pub code: &'static str,
    /// Name of the check.
    pub name: &'static str,
    /// Weight.
    pub severity: Severity,
    /// Certainty.
    pub confidence: Confidence,
    /// About what.
    pub subject: Subject,
    /// One sentence with real names.
    pub message: String,
    /// Proofs.
    pub facts: Vec<Fact>,
    /// Indices of the connections it breaks.
    pub breaks: Vec<usize>,
    /// What would mend it, all of them together; empty when this finding cannot be a cause.
    pub edits: Edits,
    /// When it will break, for faults to come, UTC.
    pub at: Option<Timestamp>,
    /// How many equal ones it stands for.
    pub count: usize,
}

/// Where a check puts what it finds; stamps code and name, so that a finding cannot carry a wrong one.
pub struct Findings {
    check: &'static Check,
    list: Vec<Finding>,
}

impl Findings {
    /// An empty list for one check.
    pub fn of(check: &'static Check) -> Self {
        Findings { check, list: Vec::new() }
    }

    /// Adds a finding with the check's own severity, proved, with no facts, and returns it for more.
    pub fn add(&mut self, subject: Subject, message: impl Into<String>) -> &mut Finding {
        self.list.push(Finding {
            code: self.check.code,
            name: self.check.name,
            severity: self.check.severity,
            confidence: Confidence::Proved,
            subject,
            message: message.into(),
            facts: Vec::new(),
            breaks: Vec::new(),
            edits: Vec::new(),
            at: None,
            count: 1,
        });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// The findings.
    pub fn into_vec(self) -> Vec<Finding> {
        self.list
    }
}

impl Finding {
    /// Adds a proof.
    pub fn fact(&mut self, what: &str, value: impl Into<String>, origin: impl Into<String>) -> &mut Self {
        self.facts.push(Fact { what: what.into(), value: value.into(), origin: origin.into() });
        self
    }
}
