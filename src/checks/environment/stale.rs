//! ENV10: do pods run with variables that their template no longer gives?

use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::diagnose::edit::Edit;

/// The check.
pub static CHECK: Check = Check {
    code: "ENV10",
    name: "pod-older-than-its-variables",
    severity: Severity::Warning,
    help: "\
A pod was started with another value of `RAY_USE_TLS` or of a `RAY_TLS_*` path than its ConfigMap, Secret or template gives now. Only `--inside` sees it.

Why it matters: A container gets its variables once, when it starts; a ConfigMap that changes later changes nothing in it, and Kubernetes restarts nothing. Pods of before and after the change then differ: one
speaks TLS and the other plaintext, or one reads another certificate. It is an error when connections fail by it.

Mend it: Restart the workload.

Authority: Kubernetes documentation *ConfigMaps* (\"ConfigMaps consumed as environment variables are not updated automatically and require a pod restart\"); seen in `/proc` of the pod.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for (index, party) in case.model.parties.iter().enumerate() {
        let Some(next) = &party.next else { continue };
        let quoted = |value: &Option<String>| value.as_ref().map_or_else(|| "unset".into(), |v| format!("{v:?}"));
        let changes: Vec<String> = next
            .changed
            .iter()
            .map(|(name, had, gets)| format!("{name} {} where the next pod gets {gets:?}", quoted(had)))
            .collect();
        let message = format!("{} was started with {}: restart it", party.id, changes.join(", "));
        let finding = findings.add(lens::workload(party), message);
        for (name, had, _) in &next.changed {
            finding.fact(name, quoted(had), format!("pod {}/{}", party.namespace, next.pod));
        }
        finding.edits = vec![Edit::Restart { party: index }];
        finding.breaks = lens::failing_at(case, &[index]);
        if !finding.breaks.is_empty() {
            finding.severity = Severity::Error;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{ENV, NODES, leaf, nodes};
    use crate::checks::testing::{Ca, assert_mends, only};

    #[test]
    fn a_worker_of_before_the_switch_is_restarted_not_rewritten() {
        let ca = Ca::new("ca");
        let mut old = ENV;
        old[0].1 = "0";
        let scene = nodes(&leaf(&ca, &NODES), &ca).within("ray-worker-0", &old, &[], Vec::new());
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.message.contains(r#"RAY_USE_TLS "0" where the next pod gets "1""#), "{}", finding.message);
        assert_mends(&scene, &finding);
        assert_eq!(scene.codes(), ["ENV10"], "ENV01 leaves it to this one");
    }

    #[test]
    fn equal_variables_are_silent() {
        let ca = Ca::new("ca");
        let scene = nodes(&leaf(&ca, &NODES), &ca).within("ray-worker-0", &ENV, &[], Vec::new());
        assert_eq!(scene.codes(), Vec::<&str>::new());
    }
}
