//! PRM: what could not be judged for want of rights.

pub mod pods;
pub mod resources;
pub mod secrets;

use super::{Case, Findings, Subject};

/// A finding for each gap of this code.
fn tell(case: &Case<'_>, findings: &mut Findings, code: &str, lost: &str) {
    for gap in case.evidence.gaps.iter().filter(|gap| gap.code.as_deref() == Some(code)) {
        let (kind, name) = gap.what.split_once(' ').unwrap_or(("", &gap.what));
        let (namespace, name) = match name.split_once('/') {
            Some((namespace, name)) if !namespace.contains(' ') => (Some(namespace.to_string()), name),
            _ => (None, name),
        };
        let finding = findings.add(
            Subject { kind: kind.into(), namespace, name: name.into(), ..Subject::default() },
            format!("{} was not seen ({}): {lost}", gap.what, gap.why),
        );
        if let Some(needs) = &gap.needs {
            finding.fact("needs", needs, "");
        }
    }
}
