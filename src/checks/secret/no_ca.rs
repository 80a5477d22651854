//! SEC10: a Secret of type kubernetes.io/tls has no CA for RAY_TLS_CA_CERT.

use crate::checks::lens::{self, Use};
use crate::checks::{Case, Check, Findings, Severity, Subject};
use crate::diagnose::edit::Slot;
use crate::evidence::Seen;
use crate::ray::Place;

/// The check.
pub static CHECK: Check = Check {
    code: "SEC10",
    name: "tls-secret-without-ca",
    severity: Severity::Error,
    help: "\
RAY_TLS_CA_CERT comes from a Secret of type `kubernetes.io/tls`, which has tls.crt and tls.key but no CA.

Why it matters: Ray's TLS is always mutual, each process needs the CA of the others, and fails at start without the file.
`kubectl create secret tls` never stores a CA, and cert-manager stores ca.crt only when its issuer knows one: an ACME issuer never does.

Mend it: add ca.crt to the Secret (`kubectl create secret generic` with three `--from-file`, or `kubectl patch`), issue from a CA issuer, or
mount the CA from an object of its own and point RAY_TLS_CA_CERT there.

Authority: Kubernetes, Secrets: \"TLS Secrets\"; cert-manager, Certificate resource: \"ca.crt\".",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for (subject, has, uses) in super::key_missing::absent_keys(case) {
        if !explains(case, &uses) {
            continue;
        }
        let parties: Vec<usize> = uses.iter().map(|u| u.party).collect();
        let secret = lens::phrase(&Subject { key: None, ..subject.clone() });
        let message = format!(
            "{secret} is of type kubernetes.io/tls and has {has}, but no {}, which RAY_TLS_CA_CERT of {} leads to",
            subject.key.as_deref().unwrap_or("ca.crt"),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(subject, message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = lens::provide(&uses);
        finding.fact("keys of the Secret", has, &secret);
        if let Some(by) = annotation(case, &uses, "cert-manager.io/issuer-name") {
            finding.fact("cert-manager issuer", by, secret);
        }
    }
}

/// Whether a missing key is this check's: the trust file, in a Secret of type kubernetes.io/tls.
pub(super) fn explains(case: &Case<'_>, uses: &[Use<'_>]) -> bool {
    uses.iter().all(|u| u.slot == Slot::Trust)
        && uses.iter().all(|u| stored(case, u).is_some_and(|s| s.kind == "kubernetes.io/tls"))
}

fn annotation(case: &Case<'_>, uses: &[Use<'_>], name: &str) -> Option<String> {
    stored(case, uses.first()?)?.annotations.get(name).cloned()
}

fn stored<'a>(case: &Case<'a>, one: &Use<'_>) -> Option<&'a crate::evidence::Secret> {
    let Place::Key { namespace, name, .. } = &one.file.place else { return None };
    match case.evidence.secret(namespace, name) {
        Seen::Found(secret) => Some(secret),
        Seen::Absent | Seen::Unseen(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    fn scene(kind: &str) -> Scene {
        let pair = Ca::new("ray-ca").leaf();
        let mut secret = secret("ray-tls", &[("tls.crt", &pair.certificate), ("tls.key", &pair.key)]);
        secret["type"] = kind.into();
        Scene::manifests(cluster_with(secret))
    }

    #[test]
    fn a_tls_secret_without_ca_is_told_here_and_any_other_by_sec02() {
        let tls = scene("kubernetes.io/tls");
        let finding = only(&tls, &CHECK);
        assert_eq!(finding.subject.key.as_deref(), Some("ca.crt"));
        assert!(
            finding.edits.iter().all(|e| matches!(e, crate::diagnose::edit::Edit::Provide { slot: Slot::Trust, .. }))
        );
        assert_mends(&tls, &finding);
        assert_eq!(tls.run(&crate::checks::secret::key_missing::CHECK), []);
        let opaque = scene("Opaque");
        assert_eq!(opaque.run(&CHECK), []);
        only(&opaque, &crate::checks::secret::key_missing::CHECK);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
