//! CHN04: the CA that vouches for a certificate is expired or not valid yet.

use super::Chains;
use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::{Edit, Slot};
use crate::grpc::certificate::Certificate;
use crate::grpc::verdict::Fault;
use crate::judge::Failure;

/// The check.
pub static CHECK: Check = Check {
    code: "CHN04",
    name: "ca-expired",
    severity: Severity::Error,
    help: "\
A CA in a trust file, on the path of a certificate that Ray presents, is past its notAfter or before its notBefore.

Why it matters: gRPC checks the dates of trusted certificates too, so everything the CA issued is refused, however fresh it is:
`certificate has expired`. rustls and webpki do not look, so other tools may be content.

Mend it: renew the CA (with the same key what it issued stays good), store it in every trust file in place of the old one, not beside it
when they share a key, and restart.

Authority: RFC 5280 section 6.1.3; BoringSSL `x509_vfy.c` `check_chain_times` (measured: an expired root rejects).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let chains = Chains::of(case);
    for shared in lens::shared(case, &[Slot::Trust]) {
        let users = shared.parties();
        let trust = lens::parsed(shared.facts);
        let told = super::order_decides::told(case, &chains, &users, &trust);
        for (number, ca) in trust.iter().enumerate().filter(|(_, ca)| outside(ca, case)) {
            if trust[..number].contains(ca) || told.contains(&ca.sha256) {
                continue;
            }
            let issued = issued(&chains, case, &users, ca);
            let alone = trust.iter().filter(|c| c.subject_canonical == ca.subject_canonical).all(|c| outside(c, case));
            let broken = lens::failing_by(case, |blame| {
                let at_dates = matches!(blame.failure, Failure::Grpc(reason)
                    if reason.fault == Fault::CaDates && reason.certificate.as_deref().is_none_or(|name| name == ca.subject));
                let verified = users.contains(&blame.refuser) && issued.contains(&blame.at);
                // With no valid namesake to take over it breaks these even where another fault shows first.
                let both = |a, b| users.contains(&a) && issued.contains(&b);
                let hidden = both(blame.connection.dialer, blame.connection.target)
                    || both(blame.connection.target, blame.connection.dialer);
                (at_dates && verified) || (alone && hidden)
            });
            // Where no certificate is there to be refused, a trust file of such CAs alone still trusts nobody.
            let useless = chains.presented.is_empty() && trust.iter().all(|c| outside(c, case));
            if !useless && (issued.is_empty() || (!alone && broken.is_empty())) {
                continue;
            }
            let when = match ca.not_after <= case.now {
                true => format!("expired at {}, {} ago", ca.not_after, lens::span(ca.not_after, case.now)),
                false => format!("is valid only from {}", ca.not_before),
            };
            let refused = match issued.as_slice() {
                [] => String::new(),
                parties => format!(", the certificate of {} too", lens::used_by(case.model, parties)),
            };
            let message = format!(
                "CA {} in {}, the trust file of {}, {when}: all it issued is refused{refused}",
                ca.subject,
                lens::phrase(&shared.subject),
                lens::used_by(case.model, &users),
            );
            let finding = findings.add(shared.subject.clone(), message);
            finding.breaks = broken;
            finding.edits = vec![Edit::RenewCa { certificate: ca.sha256.clone() }];
            let (what, date) = match ca.not_after <= case.now {
                true => ("not after of the CA", ca.not_after),
                false => ("not before of the CA", ca.not_before),
            };
            // The outage is there already, also where the CA has yet to begin.
            finding.at = Some(ca.not_after.min(case.now));
            finding.fact(what, date.to_string(), lens::phrase(&shared.subject));
            finding.fact("SHA-256 of the CA", ca.sha256.as_str(), lens::phrase(&shared.subject));
            shared.tell(case, finding);
        }
    }
}

fn outside(certificate: &Certificate, case: &Case<'_>) -> bool {
    case.now >= certificate.not_after || case.now < certificate.not_before
}

/// Parties of the users' clusters whose chain ends at this CA. A leaf that is its own CA is told by CRT01.
fn issued(chains: &Chains, case: &Case<'_>, users: &[usize], ca: &Certificate) -> Vec<usize> {
    let clusters: Vec<usize> = users.iter().map(|&p| case.model.parties[p].cluster).collect();
    let ends_here = |party: &usize, chain: &[Certificate]| {
        let leaf_itself = chain.first().is_some_and(|leaf| leaf.sha256 == ca.sha256);
        clusters.contains(&case.model.parties[*party].cluster)
            && !leaf_itself
            && chain.iter().any(|c| super::named_as_issuer(ca, c))
    };
    chains.presented.iter().filter(|(party, chain)| ends_here(party, chain)).map(|(&party, _)| party).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use crate::checks::certificate::expired;

    #[test]
    fn an_expired_ca_on_the_path() {
        let ca = Ca::with("ray-ca", |p| p.not_after = rcgen::date_time_ymd(2026, 5, 1));
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem)));
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.subject.key.as_deref(), Some("ca.crt"));
        assert_eq!(finding.at, Some("2026-05-01T00:00:00Z".parse().unwrap()));
        assert!(matches!(finding.edits[..], [Edit::RenewCa { .. }]));
        assert_mends(&scene, &finding);
        assert_eq!(scene.run(&expired::CHECK), []);
    }

    #[test]
    fn an_expired_leaf_does_not_hide_it() {
        let end = rcgen::date_time_ymd(2026, 5, 1);
        let ca = Ca::with("ray-ca", |p| p.not_after = end);
        let pair = ca.leaf_with(|p| p.not_after = end);
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &ca.pem)));
        assert!(!only(&scene, &CHECK).breaks.is_empty());
        assert!(!only(&scene, &expired::CHECK).breaks.is_empty());
    }

    #[test]
    fn an_expired_ca_that_issued_nothing_here_is_harmless() {
        let ca = Ca::new("ray-ca");
        let old = Ca::with("old-ca", |p| p.not_after = rcgen::date_time_ymd(2026, 5, 1));
        let bundle = format!("{}{}", old.pem, ca.pem);
        assert_eq!(Scene::manifests(cluster_with(tls_secret("ray-tls", &ca.leaf(), &bundle))).run(&CHECK), []);
    }

    #[test]
    fn a_trust_file_that_trusts_nobody_any_more() {
        let ca = Ca::with("ray-ca", |p| p.not_after = rcgen::date_time_ymd(2026, 5, 1));
        let alone = |pem: &str| {
            let pair = Pair { certificate: String::new(), key: ca.leaf().key };
            Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, pem)))
        };
        let finding = only(&alone(&ca.pem), &CHECK);
        assert!(finding.message.ends_with("all it issued is refused"), "{}", finding.message);
        assert_eq!(alone(&format!("{}{}", ca.pem, Ca::new("other").pem)).run(&CHECK), []);
    }

    #[test]
    fn a_ca_that_has_not_begun_is_no_outage_to_come() {
        let ca = Ca::with("ray-ca", |p| p.not_before = rcgen::date_time_ymd(2039, 5, 1));
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &ca.leaf(), &ca.pem)));
        let finding = only(&scene, &CHECK);
        assert!(finding.at.unwrap() < "2039-01-01T00:00:00Z".parse().unwrap());
        assert!(finding.facts.iter().any(|f| f.what == "not before of the CA" && f.value.starts_with("2039")));
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
