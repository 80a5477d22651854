//! SEC17: a value of a Secret is not base64.

use crate::checks::lens::{self, Use};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Edit;
use crate::evidence::SourceKind;
use crate::ray::Place;

/// The check.
pub static CHECK: Check = Check {
    code: "SEC17",
    name: "invalid-base64",
    severity: Severity::Error,
    help: "\
A value under `data` of a Secret in the manifests is not valid base64.

Why it matters: the API server refuses the whole Secret, so the pods that need it keep the old one or never start.

Mend it: write plain PEM under `stringData`, or encode again: `base64 -w0 FILE`.

Authority: Kubernetes API, core/v1 Secret: `data` holds base64 (RFC 4648 section 4).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for secret in &case.evidence.secrets {
        let object = &secret.object;
        let reads = |u: &Use<'_>| matches!(&u.file.place, Place::Key { kind: SourceKind::Secret, namespace, name, .. } if object.is(namespace, name));
        let uses: Vec<Use<'_>> = lens::uses(case).into_iter().filter(reads).collect();
        let mut parties: Vec<usize> = uses.iter().map(|u| u.party).collect();
        parties.dedup();
        if parties.is_empty() {
            continue;
        }
        for (key, found) in &secret.invalid {
            let subject = lens::object(case, SourceKind::Secret, &object.namespace, &object.name, Some(key));
            let message = format!(
                "{} is not base64 ({found}), so the API server refuses the Secret that {} needs",
                lens::opening(&subject),
                lens::used_by(case.model, &parties),
            );
            let finding = findings.add(subject, message);
            finding.breaks = lens::failing_at(case, &parties);
            finding.edits = lens::provide(&uses);
            finding.edits.extend(parties.iter().map(|&party| Edit::Start { party }));
            finding.fact("found", found, format!("{object} key {key}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn a_refused_secret_is_told_with_its_key() {
        let mut secret = secret("ray-tls", &[]);
        secret["data"] = serde_json::json!({"tls.crt": "not*base64", "tls.key": "", "ca.crt": ""});
        let scene = Scene::manifests(cluster_with(secret));
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.subject.key.as_deref(), Some("tls.crt"));
        assert!(finding.edits.contains(&Edit::Start { party: party(&scene, "ray/ray-head") }));
    }

    #[test]
    fn a_secret_that_ray_does_not_use_is_no_matter() {
        let mut other = secret("other", &[]);
        other["data"] = serde_json::json!({"x": "not*base64"});
        assert_eq!(Scene::manifests(cluster_with(other)).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
