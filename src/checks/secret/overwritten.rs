//! SEC05: applying these manifests replaces the data of a Secret that Ray needs.

use crate::checks::lens::{self, Use};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Edit;
use crate::evidence::{Mode, Secret, Shape, SourceKind};
use crate::ray::Place;

/// The check.
pub static CHECK: Check = Check {
    code: "SEC05",
    name: "secret-overwritten",
    severity: Severity::Error,
    help: "\
The manifests hold a Secret that Ray's pods mount, with empty or placeholder values only, or twice with different data.

Why it matters: whoever created the real Secret first loses it at the next `kubectl apply`, because an apply sends these values too. Running
pods go on with what they read at start and the cluster breaks at the next restart, far from the change. Of two Secrets of one name the last
that is applied wins.

Mend it: take the Secret out of what is applied (out of `kustomization.yaml`), and create it once by other means: cert-manager, an external
secret, or `kubectl create secret`.

Authority: Kubernetes, declarative management: apply sets every field that the manifest has.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    if case.evidence.mode != Mode::Manifests {
        return;
    }
    for (index, secret) in case.evidence.secrets.iter().enumerate() {
        let uses = used(case, secret);
        if uses.is_empty() {
            continue;
        }
        let subject = lens::object(case, SourceKind::Secret, &secret.object.namespace, &secret.object.name, None);
        // Of Secrets of one name the first in the evidence is the one that is applied last.
        let rival = case.evidence.secrets[..index].iter().find(|s| s.object == secret.object);
        if rival.is_none() && wiped(secret) {
            let mut parties: Vec<usize> = uses.iter().map(|u| u.party).collect();
            parties.dedup();
            let message = format!(
                "Applying these manifests overwrites {} with empty or placeholder values, and with it the certificates of {}: take it out of what is applied",
                secret.object,
                lens::used_by(case.model, &parties),
            );
            let finding = findings.add(subject.clone(), message);
            finding.breaks = lens::failing_at(case, &parties);
            let (namespace, name) = (secret.object.namespace.clone(), secret.object.name.clone());
            finding.edits = vec![Edit::Withdraw { namespace, name }];
            for (key, content) in &secret.data {
                finding.fact("value", format!("{} bytes", content.facts.size), format!("{} key {key}", secret.object));
            }
        }
        if let Some(rival) = rival.filter(|rival| rival.data != secret.data) {
            let message = format!(
                "{} is twice in the manifests with different data: the last one that is applied wins",
                secret.object
            );
            let finding = findings.add(subject, message);
            finding.severity = Severity::Warning;
            finding.fact("applied last", place(rival), secret.object.to_string());
            finding.fact("replaced", place(secret), secret.object.to_string());
        }
    }
}

fn used<'a>(case: &Case<'a>, secret: &Secret) -> Vec<Use<'a>> {
    let reads = |u: &Use<'_>| matches!(&u.file.place, Place::Key { kind: SourceKind::Secret, namespace, name, .. } if secret.object.is(namespace, name));
    lens::uses(case).into_iter().filter(reads).collect()
}

fn wiped(secret: &Secret) -> bool {
    let no_value = |shape: &Shape| matches!(shape, Shape::Empty | Shape::Text { placeholder: true });
    !secret.data.is_empty() && secret.invalid.is_empty() && secret.data.values().all(|c| no_value(&c.facts.shape))
}

fn place(secret: &Secret) -> String {
    let line = secret.origin.line.map_or(String::new(), |line| format!(":{line}"));
    format!("{}{line}", secret.origin.file.as_deref().unwrap_or("-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn empty_and_placeholder_values_wipe_the_real_ones() {
        let wiped = secret("ray-tls", &[("tls.crt", ""), ("tls.key", "REPLACE_ME"), ("ca.crt", "")]);
        let scene = Scene::manifests(cluster_with(wiped.clone()));
        let finding = only(&scene, &CHECK);
        assert_eq!((finding.subject.name.as_str(), finding.severity), ("ray-tls", Severity::Error));
        assert_eq!(finding.edits, [Edit::Withdraw { namespace: "ray".into(), name: "ray-tls".into() }]);
        assert_mends(&scene, &finding);
        // In a live cluster nothing is about to be applied.
        assert_eq!(Scene::live(cluster_with(wiped), vec![]).run(&CHECK), []);
    }

    #[test]
    fn one_real_value_is_no_template() {
        let half = secret("ray-tls", &[("tls.crt", ""), ("tls.key", ""), ("ca.crt", &Ca::new("ray-ca").pem)]);
        assert_eq!(Scene::manifests(cluster_with(half)).run(&CHECK), []);
    }

    #[test]
    fn two_secrets_of_one_name_with_different_data_are_told() {
        let ca = Ca::new("ray-ca");
        let good = healthy().evidence;
        let other = Scene::manifests(cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem))).evidence;
        let twice = |second: &crate::evidence::Evidence| {
            let mut evidence = good.clone();
            evidence.secrets.extend(second.secrets.clone());
            Scene::of(evidence, NOW.parse().unwrap())
        };
        assert_eq!(only(&twice(&other), &CHECK).severity, Severity::Warning);
        assert_eq!(twice(&good).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
