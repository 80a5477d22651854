//! CHN17: a CA that was renewed with the same key stands beside the old one.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::grpc::fragile::{Candidate, Fragile};

/// The check.
pub static CHECK: Check = Check {
    code: "CHN17",
    name: "renewed-ca-beside-old",
    severity: Severity::Warning,
    help: "\
A trust file holds a CA and its renewal: one name, one key, different dates.

Why it matters: both fit what the CA issued, and gRPC takes one of them and never the other. Which one follows from the order of the file, by the C++ core
and by Python's gRPC in opposite ways. On the day the older one expires, one of the two gRPCs refuses everything: `certificate has
expired` (CHN16 tells it then).

Mend it: keep the renewed CA alone. It vouches for all that the old one issued, for the key is the same.

Authority: BoringSSL `x509_vfy.c`: no backtracking, and trust anchors are checked for dates (measured with both gRPCs).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let mut told = Vec::new();
    for pairing in super::pairings(case) {
        for fact in &pairing.facts {
            let Fragile::RenewedBeside(same) = fact else { continue };
            let key = (pairing.trust.subject.clone(), same.subject.clone());
            // Where one of them is outside its dates, the order decides: CHN16.
            let outside = |ca: &Candidate| case.now >= ca.not_after || case.now < ca.not_before;
            if told.contains(&key) || same.candidates.iter().any(outside) {
                continue;
            }
            told.push(key);
            let finding = findings
                .add(pairing.trust.subject.clone(), format!("{}: {fact}", lens::opening(&pairing.trust.subject)));
            let first = same.candidates.iter().map(|ca| ca.not_after).min();
            finding.at = first.filter(|at| *at > case.now);
            let origin = lens::phrase(&pairing.trust.subject);
            for ca in &same.candidates {
                let value = format!("number {}, SHA-256 {}…", ca.place, super::short(&ca.sha256));
                finding.fact("CA", format!("{value}, until {}", ca.not_after), &origin);
            }
            pairing.trust.tell(case, finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::chain::order_decides;
    use crate::checks::testing::*;

    fn renewed(end: i32) -> (Ca, String) {
        let new = Ca::new("ray-ca");
        let old = new.again("ray-ca", |p| p.not_after = rcgen::date_time_ymd(end, 5, 1));
        let trust = format!("{old}{}", new.pem);
        (new, trust)
    }

    #[test]
    fn both_valid_is_a_warning_with_a_date() {
        let (ca, trust) = renewed(2030);
        let finding = only(&Scene::manifests(cluster_with(tls_secret("ray-tls", &ca.leaf(), &trust))), &CHECK);
        assert_eq!((finding.severity, &finding.breaks[..]), (Severity::Warning, &[][..]));
        assert_eq!(finding.at, Some("2030-05-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn once_the_old_one_is_expired_the_order_is_the_finding() {
        let (ca, trust) = renewed(2026);
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &ca.leaf(), &trust)));
        assert_eq!(scene.run(&CHECK), []);
        assert!(!only(&scene, &order_decides::CHECK).breaks.is_empty());
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
