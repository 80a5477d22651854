//! CRT04: a certificate is valid for as long as its CA or longer.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};

/// The check.
pub static CHECK: Check = Check {
    code: "CRT04",
    name: "certificate-outlives-ca",
    severity: Severity::Warning,
    help: "\
The CA ends before the certificate that it issued, or in the same second.

Why it matters: gRPC checks the dates of every certificate on the path, the trusted CA too. The certificate is worthless when its CA ends,
whatever its own date says, and monitoring that looks at the certificate alone does not see it.

Mend it: make the CA live longer than what it issues (10 years against 90 days is usual), and renew the CA well before.

Authority: RFC 5280 section 6.1.3; BoringSSL checks the dates of trust anchors (measured: an expired root is refused).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let trusted: Vec<_> =
        lens::speakers(case).filter_map(|(index, party)| Some((index, lens::trust(party)?))).collect();
    for leaf in super::leaves(case) {
        let clusters: Vec<usize> = leaf.shared.parties().iter().map(|&p| case.model.parties[p].cluster).collect();
        let of_cluster = trusted.iter().filter(|(party, _)| clusters.contains(&case.model.parties[*party].cluster));
        let issuers = of_cluster.flat_map(|(_, trust)| trust).filter(|ca| {
            ca.subject_canonical == leaf.certificate.issuer_canonical && ca.sha256 != leaf.certificate.sha256
        });
        let Some(ca) = issuers.max_by_key(|ca| ca.not_after) else { continue };
        if ca.not_after > leaf.certificate.not_after || ca.not_after <= case.now {
            continue;
        }
        let message = format!(
            "{} is valid until {}, but its CA {} only until {}: it fails with the CA",
            leaf.phrase(),
            leaf.certificate.not_after,
            ca.subject,
            ca.not_after,
        );
        let finding = findings.add(leaf.shared.subject.clone(), message);
        finding.at = Some(ca.not_after);
        finding.fact("not after", leaf.certificate.not_after.to_string(), lens::phrase(&leaf.shared.subject));
        finding.fact("not after of the CA", ca.not_after.to_string(), ca.subject.as_str());
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
        let own = Pair { certificate: ca.pem.clone(), key: shorter.key };
        assert_eq!(scene(&own, &ca.pem).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
