//! The smallest set of edits.

use jiff::Timestamp;

use crate::checks::Finding;
use crate::evidence::Evidence;
use crate::judge::Judged;
use crate::ray::Model;

/// A finding whose edits make connections work.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// Index in the list of findings.
    pub finding: usize,
    /// Indices of the connections that work after its edits.
    pub mends: Vec<usize>,
    /// What does not work because of it, one sentence for people.
    pub impact: String,
    /// How to mend it.
    pub remedy: Remedy,
}

/// Steps that mend a cause, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedy {
    /// The steps.
    pub steps: Vec<RemedyStep>,
}

/// One step, with real names in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemedyStep {
    /// What to do, one sentence.
    pub text: String,
    /// A shell command that does it, ready to paste.
    pub command: Option<String>,
    /// What to change in a manifest, as YAML or a unified diff.
    pub patch: Option<String>,
}

/// The causes, the one that mends most first.
pub fn causes(
    _model: &Model,
    _evidence: &Evidence,
    _now: Timestamp,
    _matrix: &[Judged],
    _findings: &[Finding],
) -> Vec<Cause> {
    Vec::new()
}
