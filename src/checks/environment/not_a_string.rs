//! ENV03: is a variable written as a number or boolean?

use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::diagnose::edit::Edit;
use crate::evidence::EnvSource;

/// The check.
pub static CHECK: Check = Check {
    code: "ENV03",
    name: "variable-not-a-string",
    severity: Severity::Error,
    help: "\
A variable's `value` is a number or a boolean in the manifest (`value: 1`, `value: true`).

Why it matters: Kubernetes takes only strings there and refuses the whole object: `cannot unmarshal number into Go struct field EnvVar.value of type string`. The pods
of the last good version keep running, with their old settings.

Mend it: Put it in quotes: `value: \"1\"`.

Authority: Kubernetes API reference, EnvVar.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for (index, workload) in case.evidence.workloads.iter().enumerate() {
        let parties: Vec<usize> =
            (0..case.model.parties.len()).filter(|&p| case.model.parties[p].workload == Some(index)).collect();
        let Some(&first) = parties.first() else { continue };
        let wrong: Vec<String> = (workload.init_containers.iter().chain(&workload.containers))
            .flat_map(|c| c.env.iter().map(move |v| (c, v)))
            .filter_map(|(c, v)| match &v.source {
                EnvSource::NotAString(text) => Some(format!("{} = {text} in container {}", v.name, c.name)),
                _ => None,
            })
            .collect();
        if wrong.is_empty() {
            continue;
        }
        let finding = findings.add(
            lens::workload(&case.model.parties[first]),
            format!(
                "{} has variables that are no strings ({}): the API server refuses it",
                workload.object,
                wrong.join("; ")
            ),
        );
        finding.edits = parties.iter().map(|&party| Edit::Start { party }).collect();
        finding.breaks = lens::failing_by(case, |b| {
            matches!(b.failure, crate::judge::Failure::NotRunning(_))
                && (parties.contains(&b.connection.dialer) || parties.contains(&b.connection.target))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{named, set};
    use crate::checks::testing::{Scene, cluster_with};
    use serde_json::json;

    #[test]
    fn a_number_is_refused() {
        let mut objects = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
        assert_eq!(Scene::manifests(objects.clone()).run(&CHECK), []);
        set(&mut objects[1], "RAY_USE_TLS", Some(json!(1)));
        let findings = Scene::manifests(objects).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("RAY_USE_TLS = 1 in container ray"), "{}", findings[0].message);
        assert!(matches!(findings[0].edits[..], [Edit::Start { .. }]));
    }
}
