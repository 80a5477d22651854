//! KEY07: a key where the certificate belongs, a certificate where the key belongs.

use crate::checks::lens::{self, Use};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Slot;
use crate::evidence::FileFacts;

/// The check.
pub static CHECK: Check = Check {
    code: "KEY07",
    name: "certificate-and-key-swapped",
    severity: Severity::Error,
    help: "\
The file of RAY_TLS_SERVER_CERT or RAY_TLS_CA_CERT holds a private key and no certificate, or that of RAY_TLS_SERVER_KEY a certificate and
no private key.

Why it matters: gRPC finds nothing it can use in such a file, and the process does not start. Where the private key stands in for the
certificate it may also have been handed to people who should not have it.

Mend it: swap the two values, or correct the two paths, and restart.

Authority: Ray, `RAY_TLS_SERVER_CERT` and `RAY_TLS_SERVER_KEY`; BoringSSL skips PEM blocks of another kind (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let key_only = |facts: &FileFacts| !facts.keys.is_empty() && facts.certificates.begun == 0;
    let certificate_only = |facts: &FileFacts| facts.keys.is_empty() && !facts.certificates.blocks.is_empty();
    for shared in lens::shared(case, &lens::SLOTS) {
        let wrong = |u: &&Use<'_>| match u.slot {
            Slot::Certificate | Slot::Trust => key_only(shared.facts),
            Slot::Key => certificate_only(shared.facts),
        };
        let uses: Vec<Use<'_>> = shared.uses.iter().filter(wrong).copied().collect();
        let Some(first) = uses.first() else { continue };
        let parties: Vec<usize> = uses.iter().map(|u| u.party).collect();
        let (holds, other) = match first.slot {
            Slot::Certificate | Slot::Trust => ("a private key and no certificate", Slot::Key),
            Slot::Key => ("a certificate and no private key", Slot::Certificate),
        };
        let counterpart = case.model.parties[first.party].file(other).content.found();
        let swapped = first.slot != Slot::Trust
            && counterpart
                .is_some_and(|facts| if other == Slot::Key { certificate_only(facts) } else { key_only(facts) });
        // Told once, of the certificate file; its edits mend both, since one alone mends nothing.
        if swapped && first.slot == Slot::Key {
            continue;
        }
        let end = if swapped { ": it and the file of RAY_TLS_SERVER_KEY are swapped" } else { "" };
        let message = format!(
            "{} holds {holds}, but {} of {} leads to it{end}",
            lens::opening(&shared.subject),
            first.file.variable,
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(shared.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = lens::provide(&uses);
        finding.fact("holds", holds, lens::phrase(&shared.subject));
        shared.tell(case, finding);
        if swapped {
            let both = uses.iter().map(|u| Use { slot: other, ..*u }).collect::<Vec<_>>();
            finding.edits.extend(lens::provide(&both));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn a_swap_is_one_finding_that_mends_both_files() {
        let ca = Ca::new("ray-ca");
        let pair = ca.leaf();
        let swapped = Pair { certificate: pair.key, key: pair.certificate };
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &swapped, &ca.pem)));
        let finding = only(&scene, &CHECK);
        assert!(finding.message.ends_with("are swapped"), "{}", finding.message);
        assert_eq!(finding.edits.len(), 4);
        assert_mends(&scene, &finding);
        assert_eq!(scene.run(&crate::checks::key::unusable::CHECK), []);
        assert_eq!(scene.run(&crate::checks::certificate::malformed::CHECK), []);
    }

    #[test]
    fn a_certificate_in_the_place_of_the_key_alone() {
        let ca = Ca::new("ray-ca");
        let pair = ca.leaf();
        let wrong = Pair { key: pair.certificate.clone(), certificate: pair.certificate };
        let finding = only(&Scene::manifests(cluster_with(tls_secret("ray-tls", &wrong, &ca.pem))), &CHECK);
        assert!(finding.message.contains("a certificate and no private key"), "{}", finding.message);
        assert_eq!(finding.edits.len(), 2);
    }

    #[test]
    fn both_in_one_file_is_fine() {
        let ca = Ca::new("ray-ca");
        let pair = ca.leaf();
        let both = format!("{}{}", pair.key, pair.certificate);
        let one = Pair { certificate: both.clone(), key: both };
        assert_eq!(Scene::manifests(cluster_with(tls_secret("ray-tls", &one, &ca.pem))).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
