//! SEC05: applying these manifests replaces the data of a Secret that Ray needs.

use crate::checks::lens::{self, Use};
use crate::checks::{Case, Check, Findings, Severity};
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
        if wiped(secret) {
            let mut parties: Vec<usize> = uses.iter().map(|u| u.party).collect();
            parties.dedup();
            let message = format!(
                "Applying these manifests overwrites {} with empty or placeholder values, and with it the certificates of {}: take it out of what is applied.",
                secret.object,
                lens::used_by(case.model, &parties),
            );
            let finding = findings.add(subject.clone(), message);
            finding.breaks = lens::failing_at(case, &parties);
            finding.edits = lens::provide(&uses);
            for (key, content) in &secret.data {
                finding.fact("value", format!("{} bytes", content.facts.size), format!("{} key {key}", secret.object));
            }
        }
        let rival = case.evidence.secrets[..index].iter().find(|s| s.object == secret.object && s.data != secret.data);
        if let Some(rival) = rival {
            let message = format!(
                "{} is twice in the manifests with different data: the last one that is applied wins.",
                secret.object
            );
            let finding = findings.add(subject, message);
            finding.severity = Severity::Warning;
            for one in [rival, secret] {
                finding.fact("defined in", place(one), secret.object.to_string());
            }
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
