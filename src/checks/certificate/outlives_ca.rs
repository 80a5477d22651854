//! CRT04: a certificate is valid for as long as its CA or longer.

use crate::checks::chain::pairings;
use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::grpc::fragile::Fragile;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT04",
    name: "certificate-outlives-ca",
    severity: Severity::Warning,
    help: "\
A CA on the way from the certificate to the trust file, trusted or sent along, ends before the certificate, or in the same second.

Why it matters: gRPC checks the dates of every certificate on the path, the trusted CA too. The certificate is worthless when its CA ends,
whatever its own date says, and monitoring that looks at the certificate alone does not see it.

Mend it: make the CA live longer than what it issues (10 years against 90 days is usual), and renew the CA well before.

Authority: RFC 5280 section 6.1.3; BoringSSL checks the dates of trust anchors (measured: an expired root is refused).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let pairings = pairings(case);
    for leaf in super::leaves(case) {
        let ends = pairings.iter().filter(|p| p.presented.subject == leaf.shared.subject).flat_map(|p| &p.facts);
        let first = ends.filter_map(|fact| match fact {
            Fragile::EndsFirst { subject, not_after, .. } if *not_after > case.now => Some((*not_after, subject)),
            _ => None,
        });
        let Some((not_after, ca)) = first.min() else { continue };
        let until = leaf.certificate.not_after;
        let message = if until == not_after {
            format!(
                "{} and its CA {ca} both end at {not_after}: whoever renews it before has to renew the CA too",
                leaf.phrase()
            )
        } else {
            format!(
                "{} is valid until {until}, but its CA {ca} only until {not_after}: it fails with the CA",
                leaf.phrase()
            )
        };
        let finding = findings.add(leaf.shared.subject.clone(), message);
        finding.at = Some(not_after);
        finding.fact("not after", leaf.certificate.not_after.to_string(), lens::phrase(&leaf.shared.subject));
        finding.fact("not after of the CA", not_after.to_string(), ca.as_str());
        leaf.shared.tell(case, finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn the_same_second_is_told_and_a_self_signed_certificate_is_not() {
        let ca = Ca::with("ray-ca", |p| p.not_after = rcgen::date_time_ymd(2027, 1, 1));
        let scene = |pair: &Pair, trust: &str| Scene::manifests(cluster_with(tls_secret("ray-tls", pair, trust)));
        let finding = only(&scene(&ca.leaf(), &ca.pem), &CHECK);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.at, Some("2027-01-01T00:00:00Z".parse().unwrap()));
        let shorter = ca.leaf_with(|p| p.not_after = rcgen::date_time_ymd(2026, 12, 31));
        assert_eq!(scene(&shorter, &ca.pem).run(&CHECK), []);
        let below = ca.intermediate("ray-below");
        let pair = below.leaf_with(|p| p.not_after = rcgen::date_time_ymd(2036, 1, 1));
        let chain = Pair { certificate: format!("{}{}", pair.certificate, below.pem), key: pair.key };
        assert!(only(&scene(&chain, &ca.pem), &CHECK).message.contains("CA CN=ray-"), "an intermediate counts too");
        let own = Pair { certificate: ca.pem.clone(), key: shorter.key };
        assert_eq!(scene(&own, &ca.pem).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
