//! CRT02: the certificate that is presented is not valid yet.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Fix;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT02",
    name: "certificate-not-yet-valid",
    severity: Severity::Error,
    help: "\
The notBefore of the certificate that Ray presents is still to come.

Why it matters: every peer refuses it until then. Mostly a clock is wrong: that of the machine that issued it, of a node, or of this one.

Mend it: compare the clocks (`date -u`); if they agree, issue the certificate again with a notBefore in the past.

Authority: RFC 5280 section 4.1.2.5; BoringSSL: `certificate is not yet valid`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for leaf in super::leaves(case) {
        if case.now >= leaf.certificate.not_before {
            continue;
        }
        let parties = leaf.shared.parties();
        let message = format!(
            "{} is valid only from {}, in {}: until then every peer of {} refuses it",
            leaf.phrase(),
            leaf.certificate.not_before,
            lens::span(case.now, leaf.certificate.not_before),
            lens::used_by(case.model, &parties),
        );
        let finding = findings.add(leaf.shared.subject.clone(), message);
        finding.breaks = lens::failing_at(case, &parties);
        finding.edits = leaf.reissue(Fix::Dates);
        finding.fact("not before", leaf.certificate.not_before.to_string(), lens::phrase(&leaf.shared.subject));
        leaf.shared.tell(case, finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    fn from(day: u8) -> Scene {
        let ca = Ca::new("ray-ca");
        let pair = ca.leaf_with(|p| p.not_before = rcgen::date_time_ymd(2026, 6, day));
        Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &ca.pem)))
    }

    #[test]
    fn valid_from_the_second_of_not_before() {
        assert_eq!(from(1).run(&CHECK), []);
        let scene = from(2);
        let finding = only(&scene, &CHECK);
        assert!(finding.message.contains("valid only from 2026-06-02T00:00:00Z, in 24 hours"), "{}", finding.message);
        assert_mends(&scene, &finding);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
