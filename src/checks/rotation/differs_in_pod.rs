//! ROT02: do pods have the files that their Secret holds?

use jiff::SignedDuration;

use crate::checks::{Case, Check, Findings, Severity, lens, live};
use crate::evidence::{FileFacts, FileInside, Inside, Seen};
use crate::judge::{Failure, Verdict};
use crate::ray::{Place, inside};

/// The check.
pub static CHECK: Check = Check {
    code: "ROT02",
    name: "file-in-pod-differs-from-secret",
    severity: Severity::Warning,
    help: "\
A running pod has another file at the path than the Secret or ConfigMap that it mounts there holds now. Only `--inside` sees it.

Why it matters: The kubelet copies a changed Secret into running pods, but late (its sync period and cache, mostly within two minutes), and never into a mount with `subPath`. Until then every new process and channel in the pod reads the old
certificate, whatever the Secret holds. It is an error when connections were seen to fail while the stored files would work.

Mend it: Restart the pods; mount the Secret as a folder instead of by `subPath`, so that the next renewal arrives.

Authority: Kubernetes documentation *Secrets* (\"A container using a Secret as a subPath volume mount does not receive automated Secret updates\").",
    run,
};

/// How long the kubelet may take.
const LAG: SignedDuration = SignedDuration::from_mins(3);

fn run(case: &Case<'_>, findings: &mut Findings) {
    for one in lens::uses(case) {
        let Place::Key { kind, namespace, name, sub_path, .. } = &one.file.place else { continue };
        let party = &case.model.parties[one.party];
        let stored = &one.file.content;
        let told = inside::all(case.evidence, party);
        let other: Vec<(&Inside, &FileInside)> = told
            .into_iter()
            .filter_map(|told| Some((told, told.file(one.file.variable)?)))
            .filter(|(_, file)| Some(&file.path) == one.file.path.found() && is_other(&file.content, stored))
            .collect();
        let Some((first, file)) = other.first() else { continue };
        let subject = lens::subject(case, one);
        let finding = findings.add(
            subject.clone(),
            format!(
                "{} has another file at {} than {}{}",
                party.id,
                file.path,
                lens::phrase(&subject),
                if *sub_path { ", which a subPath mounts: it never changes in a running pod" } else { "" }
            ),
        );
        for (told, file) in other.iter().take(5) {
            finding.fact("in the pod", described(&file.content), format!("pod {}/{}", told.namespace, told.pod));
        }
        finding.fact("stored", described(stored), lens::phrase(&subject));
        let changed = super::changed_at(case, *kind, namespace, name);
        if !sub_path && changed.is_some_and(|at| first.asked_at.duration_since(at) < LAG) {
            finding.severity = Severity::Info;
            continue;
        }
        let failing = |index: &usize| {
            let (connection, judged) = (&case.model.connections[*index], &case.matrix[*index]);
            let seen = matches!(
                &judged.observed,
                Some(Verdict::Reject { reason: Failure::Grpc(_) | Failure::Port(_) | Failure::File { .. }, .. })
            );
            seen && !matches!(judged.predicted(), Verdict::Reject { .. })
                && (connection.dialer == one.party || connection.target == one.party)
        };
        finding.breaks = (0..case.matrix.len().min(case.model.connections.len())).filter(failing).collect();
        finding.edits = live::restart(case, one.party);
        if !finding.breaks.is_empty() {
            finding.severity = Severity::Error;
        }
    }
}

/// Whether both were seen and are not the same.
fn is_other(pod: &Seen<FileFacts>, stored: &Seen<FileFacts>) -> bool {
    let seen = |content: &Seen<_>| !matches!(content, Seen::Unseen(_));
    seen(pod) && seen(stored) && !inside::same(pod, stored)
}

fn described(content: &Seen<FileFacts>) -> String {
    let Seen::Found(facts) = content else { return "no file".into() };
    if let Some(certificate) = lens::parsed(facts).first() {
        return format!("{} until {} (SHA-256 {})", certificate.subject, certificate.not_after, certificate.sha256);
    }
    match facts.keys.first() {
        Some(key) => {
            format!("{} key with the public half {}", key.algorithm, key.spki_sha256.as_deref().unwrap_or("unknown"))
        }
        None => format!("{} bytes without a certificate or key", facts.size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{ENV, NODES, leaf, nodes};
    use crate::checks::testing::{Ca, Pair, Scene, only};

    fn scene(ca: &Ca, stored: &Pair, found: &Pair) -> Scene {
        let files = [("RAY_TLS_SERVER_CERT", found.certificate.as_str()), ("RAY_TLS_SERVER_KEY", found.key.as_str())];
        nodes(stored, ca).within("ray-head-0", &ENV, &files, Vec::new())
    }

    #[test]
    fn an_old_pair_in_the_pod_is_told_for_each_file() {
        let ca = Ca::new("ca");
        let findings = scene(&ca, &leaf(&ca, &NODES), &leaf(&ca, &NODES)).run(&CHECK);
        assert_eq!(findings.len(), 2);
        assert!(findings.iter().all(|f| f.severity == Severity::Warning && f.breaks.is_empty() && f.edits.len() == 1));
    }

    #[test]
    fn the_stored_files_and_those_of_a_moment_ago_are_no_warning() {
        let ca = Ca::new("ca");
        let pair = leaf(&ca, &NODES);
        assert_eq!(scene(&ca, &pair, &pair).run(&CHECK), []);
        let files = [("RAY_TLS_CA_CERT", Ca::new("other").pem)];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        let scene = nodes(&pair, &ca).within("ray-head-0", &ENV, &files, Vec::new());
        let at = (scene.now - SignedDuration::from_secs(30)).to_string();
        assert_eq!(only(&scene.changed("ray-tls", &at), &CHECK).severity, Severity::Info);
    }
}
