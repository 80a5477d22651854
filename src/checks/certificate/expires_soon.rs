//! CRT03: a certificate that connections rest on expires soon.

use jiff::{SignedDuration, Timestamp};

use crate::checks::lens::{self, Shared};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::{Edit, Fix, Slot};
use crate::grpc::certificate::Certificate;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT03",
    name: "certificate-expires-soon",
    severity: Severity::Warning,
    help: "\
A certificate that Ray presents, or the CA that vouches for one, expires within 30 days. Within 24 hours it is an error.

Why it matters: from that second every new connection is refused, and Ray goes on using what it read at start: renewing the Secret is not
enough.

Mend it: issue it again now, and restart the Ray pods before the date.

Authority: RFC 5280 section 4.1.2.5; Ray reads its files once at start (ray#65365).",
    run,
};

/// From when on an expiry is told.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);
/// From when on it counts as an outage.
const NOW: SignedDuration = SignedDuration::from_hours(24);

fn run(case: &Case<'_>, findings: &mut Findings) {
    for leaf in super::leaves(case) {
        let edit = Edit::Reissue { certificate: leaf.certificate.sha256.clone(), fixes: vec![Fix::Dates] };
        tell(case, findings, &leaf.shared, &leaf.certificate, edit);
    }
    let leaves: Vec<Certificate> = lens::speakers(case).filter_map(|(_, party)| lens::meant(party)).collect();
    for shared in lens::shared(case, &[Slot::Trust]) {
        let trust = lens::parsed(shared.facts);
        let vouches = |ca: &&Certificate| {
            // Another certificate of the same name and a later date takes over.
            let replaced =
                trust.iter().any(|c| c.subject_canonical == ca.subject_canonical && c.not_after > ca.not_after);
            let issued = |leaf: &Certificate| leaf.issuer_canonical == ca.subject_canonical && leaf.sha256 != ca.sha256;
            !replaced && leaves.iter().any(issued)
        };
        for ca in trust.iter().filter(vouches) {
            tell(case, findings, &shared, ca, Edit::RenewCa { certificate: ca.sha256.clone() });
        }
    }
}

fn tell(case: &Case<'_>, findings: &mut Findings, shared: &Shared<'_>, certificate: &Certificate, edit: Edit) {
    let left = certificate.not_after.duration_since(case.now);
    if left <= SignedDuration::ZERO || left > SOON {
        return;
    }
    let message = format!(
        "Certificate {} in {} expires at {}, in {}: renew it and restart {} before",
        certificate.subject,
        lens::phrase(&shared.subject),
        certificate.not_after,
        lens::span(case.now, certificate.not_after),
        lens::used_by(case.model, &shared.parties()),
    );
    let finding = findings.add(shared.subject.clone(), message);
    finding.severity = severity(case.now, certificate.not_after);
    finding.edits = vec![edit];
    finding.at = Some(certificate.not_after);
    finding.fact("not after", certificate.not_after.to_string(), lens::phrase(&shared.subject));
    shared.tell(case, finding);
}

fn severity(now: Timestamp, end: Timestamp) -> Severity {
    if end.duration_since(now) < NOW { Severity::Error } else { Severity::Warning }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use crate::evidence::Mode;

    fn at(now: &str) -> Scene {
        let ca = Ca::new("ray-ca");
        Scene::at(now, Mode::Manifests, cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem)), vec![])
    }

    #[test]
    fn a_warning_within_30_days_and_an_error_within_a_day() {
        assert_eq!(at("2026-12-01T00:00:00Z").run(&CHECK), []);
        let warned = only(&at("2026-12-02T00:00:00Z"), &CHECK);
        assert_eq!((warned.severity, &warned.breaks[..]), (Severity::Warning, &[][..]));
        assert_eq!(only(&at("2026-12-31T00:00:00Z"), &CHECK).severity, Severity::Warning);
        assert_eq!(only(&at("2026-12-31T00:00:01Z"), &CHECK).severity, Severity::Error);
        // What has expired is CRT01's.
        assert_eq!(at("2027-01-01T00:00:00Z").run(&CHECK), []);
    }

    #[test]
    fn the_ca_counts_unless_a_later_one_of_its_name_is_beside_it() {
        let ca = Ca::with("ray-ca", |p| p.not_after = rcgen::date_time_ymd(2026, 6, 11));
        let scene = |trust: &str| Scene::manifests(cluster_with(tls_secret("ray-tls", &ca.leaf(), trust)));
        let finding = only(&scene(&ca.pem), &CHECK);
        assert_eq!(finding.subject.key.as_deref(), Some("ca.crt"));
        assert!(matches!(finding.edits[..], [Edit::RenewCa { .. }]));
        let renewed = ca.again("ray-ca", |_| {});
        assert_eq!(scene(&format!("{}{renewed}", ca.pem)).run(&CHECK), []);
        // A CA that issued nothing here.
        let stranger = Ca::with("old-ca", |p| p.not_after = rcgen::date_time_ymd(2026, 6, 11));
        let good = Ca::new("ray-ca");
        let both = format!("{}{}", good.pem, stranger.pem);
        assert_eq!(Scene::manifests(cluster_with(tls_secret("ray-tls", &good.leaf(), &both))).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
