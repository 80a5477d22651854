//! ROT01: do pods still run on the files of before a change?

use crate::checks::rotation::{Stale, stale};
use crate::checks::{Case, Check, Confidence, Findings, Severity, lens};
use crate::diagnose::edit::Edit;
use crate::grpc::verdict::{self, Role};
use crate::judge::{Failure, Verdict};

/// The check.
pub static CHECK: Check = Check {
    code: "ROT01",
    name: "not-restarted-after-rotation",
    severity: Severity::Warning,
    help: "\
A Secret or ConfigMap with Ray's TLS files changed after containers that use it had started.

Why it matters: A running Ray server keeps the certificate and the CA that it read at start. Every new process and every new channel in the same pod reads the new files. If the same CA renewed the leaf, nothing shows
until the old leaf, which is still served, expires. If the CA changed, new workers, jobs and sessions cannot talk to the old servers of their own pod: `CERTIFICATE_VERIFY_FAILED`. Kubernetes
restarts nothing when a Secret changes.

Mend it: Restart what uses the Secret: the head first, then workers, then clients. To change a CA without an outage: first a bundle of old and new CA everywhere and a restart, then the new leaves and a
restart, then drop the old CA.

Authority: ray#65365; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for stale in stale(case) {
        let subject = lens::object(case, stale.kind, stale.namespace, stale.name, None);
        let users = lens::used_by(case.model, &stale.parties);
        let proved = !stale.old.is_empty();
        let message = format!(
            "{} changed at {}, after {users} had started: {}",
            lens::phrase(&subject),
            stale.changed_at,
            match proved {
                true => "the old certificate is still served",
                false => "they may still run on the old files",
            }
        );
        let finding = findings.add(subject, message);
        for (pod, started) in stale.pods.iter().take(5) {
            finding.fact("started", started.to_string(), format!("pod {}/{pod}", stale.namespace));
        }
        if let Some((_, leaf)) = stale.old.iter().find_map(|(p, chain)| Some((p, chain.first()?))) {
            finding.fact(
                "served",
                format!("{} until {} (SHA-256 {})", leaf.subject, leaf.not_after, leaf.sha256),
                &users,
            );
        }
        finding.edits = stale.parties.iter().map(|&party| Edit::Restart { party }).collect();
        finding.breaks = breaks(case, &stale);
        if !proved {
            finding.confidence = Confidence::Suspected;
        } else if !finding.breaks.is_empty() || split(case, &stale) {
            finding.severity = Severity::Error;
        } else {
            finding.at = stale.old.iter().filter_map(|(_, chain)| chain.first()).map(|leaf| leaf.not_after).min();
        }
    }
}

/// The connections at these parties that were seen to fail, though the stored files let them work.
fn breaks(case: &Case<'_>, stale: &Stale<'_>) -> Vec<usize> {
    let failing = |index: &usize| {
        let (connection, judged) = (&case.model.connections[*index], &case.matrix[*index]);
        let seen =
            matches!(&judged.observed, Some(Verdict::Reject { reason: Failure::Grpc(_) | Failure::Port(_), .. }));
        let stored_works = !matches!(judged.predicted(), Verdict::Reject { .. });
        let here = stale.parties.contains(&connection.dialer) || stale.parties.contains(&connection.target);
        seen && stored_works && here
    };
    (0..case.matrix.len().min(case.model.connections.len())).filter(failing).collect()
}

/// Whether a process that reads the stored trust file refuses what the old ones serve.
fn split(case: &Case<'_>, stale: &Stale<'_>) -> bool {
    stale.old.iter().any(|(party, chain)| {
        let Some(trust) = case.model.parties.get(*party).and_then(lens::trust) else { return false };
        let judged = verdict::peer(verdict::Case {
            presented: chain,
            trust: &trust,
            name: None,
            role: Role::Server,
            now: case.now,
            profile: case.model.profiles.core,
        });
        matches!(judged, verdict::Verdict::Reject(_))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{NODES, leaf, nodes, tls};
    use crate::checks::testing::{Ca, Pair, Scene};
    use crate::evidence::Settings;

    const CHANGED: &str = "2026-05-20T00:00:00Z";

    fn seen(scene: Scene, served: &Pair) -> Scene {
        scene.see("ray-head-0", 6379, tls(&served.certificate, Settings::TimedOut))
    }

    #[test]
    fn another_ca_splits_old_and_new_processes() {
        let (old_ca, new_ca) = (Ca::new("ca"), Ca::new("ca"));
        let (old, new) = (leaf(&old_ca, &NODES), leaf(&new_ca, &NODES));
        let scene = seen(nodes(&new, &new_ca).changed("ray-tls", CHANGED), &old);
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].severity, findings[0].confidence), (Severity::Error, Confidence::Proved));
        assert_eq!(findings[0].subject.name, "ray-tls");
        assert_eq!(findings[0].edits.len(), 2, "head and workers");
        assert!(!findings[0].breaks.is_empty());
        for check in [&crate::checks::live::not_the_stored::CHECK, &crate::checks::live::chain_not_trusted::CHECK] {
            assert!(scene.run(check).iter().all(|f| f.edits.is_empty()), "{}", check.code);
        }
    }

    #[test]
    fn a_renewed_leaf_shows_when_the_old_one_expires() {
        let ca = Ca::new("ca");
        let (old, new) = (leaf(&ca, &NODES), leaf(&ca, &NODES));
        let findings = seen(nodes(&new, &ca).changed("ray-tls", CHANGED), &old).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert_eq!(findings[0].at, Some("2027-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn not_dialled_is_suspected() {
        let ca = Ca::new("ca");
        let pair = leaf(&ca, &NODES);
        let findings = nodes(&pair, &ca).changed("ray-tls", CHANGED).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].severity, findings[0].confidence), (Severity::Warning, Confidence::Suspected));
    }

    #[test]
    fn pods_started_after_the_change_are_silent() {
        let ca = Ca::new("ca");
        let pair = leaf(&ca, &NODES);
        assert_eq!(nodes(&pair, &ca).changed("ray-tls", "2026-04-01T00:00:00Z").run(&CHECK), []);
        assert_eq!(nodes(&pair, &ca).run(&CHECK), []);
    }
}
