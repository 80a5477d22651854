//! CON01: a connection fails, and no other check says why.

use std::collections::BTreeMap;

use crate::checks::{Case, Check, Confidence, Finding, Findings, Severity, lens};
use crate::judge::Verdict;

/// The check.
pub static CHECK: Check = Check {
    code: "CON01",
    name: "connection-fails",
    severity: Severity::Error,
    help: "\
A connection of Ray fails, by what was seen or by what both gRPCs would say of the files, and no other check is about the reason.

Why it matters: It fails all the same. What is told is the reason of the side that ends it; how to mend it is not known to this program.

Mend it: Read the reason, and look at the side that it names: its gRPC log, its files, the way between the two. Please report it with a snapshot
(`raytls snapshot`), so that it gets a check of its own.

Authority: the verdict on the connection itself.",
    // It is about what the others leave over: see [`tell`].
    run: |_, _| {},
};

/// Adds a finding for failing connections that are in none of these findings, one for each target and reason.
pub(in crate::checks) fn tell(case: &Case<'_>, all: &mut Vec<Finding>) {
    let mut left: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
    for (at, (judged, connection)) in case.matrix.iter().zip(&case.model.connections).enumerate() {
        let Verdict::Reject { reason, .. } = judged.effective() else { continue };
        let counts = |finding: &&Finding| {
            finding.severity == Severity::Error || !connection.needed && finding.severity == Severity::Warning
        };
        if !all.iter().any(|finding| counts(&finding) && finding.breaks.contains(&at)) {
            left.entry((connection.target, reason.text())).or_default().push(at);
        }
    }
    let mut findings = Findings::of(&CHECK);
    for ((target, reason), breaks) in left {
        let Some(party) = case.model.parties.get(target) else { continue };
        let connections: Vec<_> = breaks.iter().filter_map(|&at| case.model.connections.get(at)).collect();
        let dialers: std::collections::BTreeSet<usize> = connections.iter().map(|c| c.dialer).collect();
        let dialers: Vec<usize> = dialers.into_iter().collect();
        let message = format!("{} cannot connect to {}: {reason}", lens::used_by(case.model, &dialers), party.id);
        let finding = findings.add(lens::workload(party), message);
        if !connections.iter().any(|connection| connection.needed) {
            finding.severity = Severity::Warning;
        }
        let seen =
            |at: &usize| matches!(case.matrix.get(*at).and_then(|j| j.observed.as_ref()), Some(Verdict::Reject { .. }));
        finding.confidence = if breaks.iter().any(seen) { Confidence::Proved } else { Confidence::Predicted };
        finding.breaks = breaks;
    }
    all.extend(findings.into_vec());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{NODES, leaf, nodes};
    use crate::checks::testing::{Ca, Scene};
    use crate::judge::{Failure, Side};

    #[test]
    fn a_failure_that_no_check_knows_is_told_once_for_each_reason() {
        let ca = Ca::new("ray-ca");
        let healthy = nodes(&leaf(&ca, &NODES), &ca);
        let told = |scene: &Scene| -> Vec<Finding> {
            crate::checks::examine(&scene.case()).into_iter().filter(|f| f.code == "CON01").collect()
        };
        assert_eq!(told(&healthy), []);
        let mut scene = healthy;
        let to_head = |c: &&crate::ray::Connection| scene.model.parties[c.target].id == "ray/ray-head";
        let all = scene.model.connections.iter().filter(to_head).count();
        for (judged, connection) in scene.matrix.iter_mut().zip(&scene.model.connections) {
            if scene.model.parties[connection.target].id == "ray/ray-head" {
                judged.observed =
                    Some(Verdict::Reject { by: Side::Target, reason: Failure::NotRunning("a strange thing".into()) });
            }
        }
        let findings = told(&scene);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!((findings[0].severity, findings[0].breaks.len()), (Severity::Error, all));
        assert!(
            findings[0].message.ends_with("cannot connect to ray/ray-head: a strange thing"),
            "{}",
            findings[0].message
        );
    }
}
