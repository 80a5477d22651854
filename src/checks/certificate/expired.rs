//! CRT01: the certificate that is presented has expired.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Fix;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT01",
    name: "certificate-expired",
    severity: Severity::Error,
    help: "\
The certificate that Ray presents is past its notAfter.

Why it matters: every peer refuses it in both roles. Processes that are connected go on until a connection is made anew, so a cluster
often breaks long after the date, at the first restart.

Mend it: issue it again and restart every Ray pod that uses it: Ray reads its files once, at start.

Authority: RFC 5280 section 4.1.2.5; gRPC counts the second of notAfter itself as expired (BoringSSL `X509_cmp_time`; measured:
`certificate has expired`).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for leaf in super::leaves(case) {
        if case.now < leaf.certificate.not_after {
            continue;
        }
        let parties = leaf.shared.parties();
        let message = format!(
            "{} expired at {}, {} ago: every peer of {} refuses it",
            leaf.phrase(),
            leaf.certificate.not_after,
            lens::span(leaf.certificate.not_after, case.now),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(leaf.shared.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = leaf.reissue(Fix::Dates);
        finding.at = Some(leaf.certificate.not_after);
        finding.fact("not after", leaf.certificate.not_after.to_string(), lens::phrase(&leaf.shared.subject));
        leaf.shared.tell(case, finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use crate::diagnose::edit::Edit;
    use crate::evidence::Mode;

    fn at(now: &str) -> Scene {
        let ca = Ca::new("ray-ca");
        Scene::at(now, Mode::Manifests, cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem)), vec![])
    }

    #[test]
    fn the_second_of_not_after_is_too_late() {
        assert_eq!(at("2026-12-31T23:59:59Z").run(&CHECK), []);
        let scene = at("2027-01-01T00:00:00Z");
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.at, Some("2027-01-01T00:00:00Z".parse().unwrap()));
        assert!(matches!(&finding.edits[..], [Edit::Reissue { fixes, .. }] if fixes == &[Fix::Dates]));
        let every: Vec<usize> = (0..scene.model.connections.len()).collect();
        assert_eq!(finding.breaks, every);
        assert_mends(&scene, &finding);
    }

    #[test]
    fn the_message_has_names_and_dates() {
        let finding = only(&at("2027-01-13T00:00:00Z"), &CHECK);
        assert_eq!(
            finding.message,
            "Certificate CN=ray-node in key tls.crt of Secret ray/ray-tls expired at 2027-01-01T00:00:00Z, 12 days ago: \
             every peer of ray/ray-head, ray/ray-worker refuses it"
        );
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
