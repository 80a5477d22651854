//! SEC02: the Secret is there, but not the key that one of Ray's TLS files comes from.

use crate::checks::lens::{self, Use};
use crate::checks::{Case, Check, Findings, Severity, Subject};
use crate::evidence::{Seen, SourceKind};
use crate::ray::Place;

/// The check.
pub static CHECK: Check = Check {
    code: "SEC02",
    name: "secret-key-missing",
    severity: Severity::Error,
    help: "\
One of Ray's three TLS files comes from a key of a Secret, and the Secret exists but does not have that key.

Why it matters: without `items` the pod starts and Ray fails on the missing file (`FileNotFoundError`, CrashLoopBackOff). With `items` or
`subPath` the pod does not even start.

Mend it: add the key, or point RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY or RAY_TLS_CA_CERT at a key the Secret has.

Authority: Kubernetes, Secrets: \"Projection of Secret keys to specific paths\"; Ray, `_private/tls_utils.py` opens the three files at start.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for (subject, has, uses) in absent_keys(case) {
        if super::no_ca::explains(case, &uses) {
            continue;
        }
        let parties: Vec<usize> = uses.iter().map(|u| u.party).collect();
        let message = format!(
            "{} is missing: {} of {} leads to it, and the Secret has {has}",
            lens::opening(&subject),
            uses[0].file.variable,
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = lens::provide(&uses);
        finding.fact("keys of the Secret", has, lens::phrase(&Subject { key: None, ..subject }));
        let path = uses[0].file.path.found().map_or("", String::as_str);
        finding.fact(uses[0].file.variable, path, case.model.parties[parties[0]].id.as_str());
    }
}

/// Keys of existing Secrets that a TLS file comes from and that are not there, with the keys that are, and who
/// wants them. A key whose base64 is invalid is not missing.
pub(super) fn absent_keys<'a>(case: &Case<'a>) -> Vec<(Subject, String, Vec<Use<'a>>)> {
    let mut list: Vec<(Subject, String, Vec<Use<'a>>)> = Vec::new();
    for one in lens::uses(case) {
        let Place::Key { kind: SourceKind::Secret, namespace, name, key: Some(key), .. } = &one.file.place else {
            continue;
        };
        let (Seen::Absent, Seen::Found(secret)) = (&one.file.content, case.evidence.secret(namespace, name)) else {
            continue;
        };
        if secret.data.contains_key(key) || secret.invalid.contains_key(key) {
            continue;
        }
        let subject = lens::subject(case, one);
        let keys: Vec<&str> = secret.data.keys().chain(secret.invalid.keys()).map(String::as_str).collect();
        let has = if keys.is_empty() { "no keys".into() } else { keys.join(", ") };
        match list.iter_mut().find(|(known, ..)| *known == subject) {
            Some((.., uses)) => uses.push(one),
            None => list.push((subject, has, vec![one])),
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn a_key_that_is_not_there_is_named_with_those_that_are() {
        let ca = Ca::new("ray-ca");
        let pair = ca.leaf();
        let secret = secret("ray-tls", &[("tls.crt", &pair.certificate), ("key.pem", &pair.key), ("ca.crt", &ca.pem)]);
        let scene = Scene::manifests(cluster_with(secret));
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.subject.key.as_deref(), Some("tls.key"));
        assert_eq!(finding.subject.file.as_deref(), Some("ray.yaml"));
        assert!(finding.message.contains("ca.crt, key.pem, tls.crt"), "{}", finding.message);
        assert_eq!(finding.edits.len(), 2);
        assert_mends(&scene, &finding);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
