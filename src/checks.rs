//! Many small questions. One file per question: documentation, code, logic, edits, tests.
//!
//! To add a check, copy a file of its group, and add one line to the group's module and one to [`CHECKS`].

mod check;
pub mod lens;

pub use check::{Case, Check, Confidence, Fact, Finding, Findings, Severity, Subject};

use crate::diagnose::edit::Edit;

/// THE table. Codes and names are for ever.
pub static CHECKS: &[&Check] = &[];

/// Runs every check. Findings come sorted by severity, table order and subject; equal ones are merged by the runner.
pub fn examine(case: &Case<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    for check in CHECKS {
        let mut findings = Findings::of(check);
        (check.run)(case, &mut findings);
        all.extend(findings.into_vec());
    }
    all
}

/// The edits of a finding; here so that check authors need one import.
pub type Edits = Vec<Edit>;
