//! CHN02: parties of one cluster trust different CAs.

use super::{Chains, Distrust};
use crate::checks::lens::{self, Shared};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::{Edit, Slot};
use crate::grpc::certificate::Certificate;
use crate::ray::Role;

/// The check.
pub static CHECK: Check = Check {
    code: "CHN02",
    name: "trust-files-differ",
    severity: Severity::Error,
    help: "\
Parties of one Ray cluster have different trust files (RAY_TLS_CA_CERT), and at least one refuses a certificate that another accepts.

Why it matters: TLS in Ray is mutual, so one side that does not know the other's CA is enough. It often works in one direction only, or
between some nodes only: `unable to get local issuer certificate` on one side, `Socket closed` on the other.

Mend it: give every Ray process the same trust file. In a change of CA first give all of them both CAs (in any order, one PEM after the
other), restart, then issue the certificates by the new CA, restart, then take the old one out.

Authority: Ray, `RAY_TLS_CA_CERT`; gRPC trusts the given file and nothing else (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let chains = Chains::of(case);
    let distrusts: Vec<Distrust> = chains
        .distrusts(case)
        .into_iter()
        .filter(|d| chains.known_to(case, d.presenter).is_some())
        .filter(|d| !super::intermediate_missing::explains(case, &chains, d))
        .filter(|d| !super::ca_cannot_sign::explains(&chains, d))
        .filter(|d| !super::order_decides::explains(case, &chains, d))
        .collect();
    let mut clusters: Vec<usize> = distrusts.iter().map(|d| case.model.parties[d.presenter].cluster).collect();
    clusters.sort_unstable();
    clusters.dedup();
    let files = lens::shared(case, &[Slot::Trust]);
    for cluster in clusters {
        let here: Vec<&Distrust> =
            distrusts.iter().filter(|d| case.model.parties[d.presenter].cluster == cluster).collect();
        let lacking = |shared: &&Shared<'_>| here.iter().any(|d| shared.parties().contains(&d.verifier));
        // The file with the fewest users is most likely the one that was forgotten; between equals, not the head's.
        let of_head = |s: &Shared<'_>| s.parties().iter().any(|&p| case.model.parties[p].role == Role::Head);
        let Some(odd) = files.iter().filter(lacking).min_by_key(|s| (s.uses.len(), of_head(s))) else { continue };
        let users = odd.parties();
        let of_odd: Vec<usize> = here.iter().filter(|d| users.contains(&d.verifier)).map(|d| d.presenter).collect();
        let issuer =
            of_odd.first().and_then(|p| super::top(chains.presented.get(p)?)).map_or("", |top| top.issuer.as_str());
        let others = lens::used_by(case.model, &super::merged([of_odd.clone()]));
        let namesake = match lens::parsed(odd.facts).iter().any(|ca| ca.subject == issuer) {
            true => " (it has another of the same name)",
            false => "",
        };
        let message = format!(
            "{}, the trust file of {}, does not have the CA {issuer} which signed the certificate of {others} and is trusted elsewhere in the cluster{namesake}",
            lens::opening(&odd.subject),
            lens::used_by(case.model, &users),
        );
        let finding = findings.add(odd.subject.clone(), message);
        finding.confidence = odd.confidence();
        finding.breaks = super::merged(here.iter().map(|d| d.connections.clone()));
        finding.edits = edits(case, &chains, &here, &users);
        for file in files.iter().filter(|f| f.parties().iter().any(|&p| case.model.parties[p].cluster == cluster)) {
            for ca in lens::parsed(file.facts) {
                let value = format!(
                    "{} (SHA-256 {}…), by {}",
                    ca.subject,
                    super::short(&ca.sha256),
                    lens::used_by(case.model, &file.parties())
                );
                finding.fact("trusted", value, lens::phrase(&file.subject));
            }
        }
    }
}

/// Every trust file gets the CA it lacks. Where two CAs of one name would then stand side by side, which the two
/// gRPCs resolve differently, the odd parties get certificates of the others' CA instead.
fn edits(case: &Case<'_>, chains: &Chains, distrusts: &[&Distrust], odd: &[usize]) -> Vec<Edit> {
    let known = |d: &Distrust| chains.known_to(case, d.presenter);
    let clash = |d: &&Distrust| {
        let (Some(has), Some(knower)) = (chains.trusted.get(&d.verifier), known(d)) else { return false };
        let added = chains.trusted.get(&knower).map_or(&[][..], Vec::as_slice);
        let namesakes = |ca: &Certificate, other: &Certificate| {
            ca.subject_canonical == other.subject_canonical && ca.key.spki_sha256 != other.key.spki_sha256
        };
        has.iter().any(|ca| added.iter().any(|other| namesakes(ca, other)))
    };
    if !distrusts.iter().any(clash) {
        let trust = |d: &&Distrust| Some(Edit::Trust { party: d.verifier, issuer_of: known(d)? });
        return distrusts.iter().filter_map(trust).collect();
    }
    let other = chains.trusted.keys().find(|party| {
        !odd.contains(party)
            && odd.iter().any(|&o| case.model.parties[o].cluster == case.model.parties[**party].cluster)
    });
    let issue = |&party: &usize| other.map(|&trusted_by| Edit::IssueBy { party, trusted_by });
    odd.iter().filter_map(issue).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use crate::checks::chain::unknown_issuer;

    fn scene(worker_trust: &[&Ca], worker_ca: &Ca, ca: &Ca) -> Scene {
        let trust: String = worker_trust.iter().map(|c| c.pem.as_str()).collect();
        Scene::manifests(vec![
            head("head-tls"),
            worker("worker-tls"),
            service(),
            tls_secret("head-tls", &ca.leaf(), &ca.pem),
            tls_secret("worker-tls", &worker_ca.leaf(), &trust),
        ])
    }

    #[test]
    fn a_worker_that_trusts_another_ca() {
        let (ca, other) = (Ca::new("ray-ca"), Ca::new("other-ca"));
        let scene = scene(&[&other], &ca, &ca);
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.subject.name, "worker-tls");
        let worker = party(&scene, "ray/ray-worker");
        assert!(finding.edits.iter().all(|e| matches!(e, Edit::Trust { party, .. } if *party == worker)));
        assert_mends(&scene, &finding);
        assert_eq!(scene.run(&unknown_issuer::CHECK), []);
    }

    #[test]
    fn two_islands_are_one_finding_with_the_edits_of_both_sides() {
        let (ca, other) = (Ca::new("ray-ca"), Ca::new("other-ca"));
        let scene = scene(&[&other], &other, &ca);
        let finding = only(&scene, &CHECK);
        let (head, worker) = (party(&scene, "ray/ray-head"), party(&scene, "ray/ray-worker"));
        assert!(finding.edits.contains(&Edit::Trust { party: head, issuer_of: worker }));
        assert!(finding.edits.contains(&Edit::Trust { party: worker, issuer_of: head }));
        assert_mends(&scene, &finding);
        assert_eq!(scene.run(&unknown_issuer::CHECK), []);
    }

    #[test]
    fn islands_whose_cas_have_one_name_get_one_ca() {
        let (ca, other) = (Ca::new("ray-ca"), Ca::new("ray-ca"));
        let scene = scene(&[&other], &other, &ca);
        let finding = only(&scene, &CHECK);
        let (head, worker) = (party(&scene, "ray/ray-head"), party(&scene, "ray/ray-worker"));
        assert_eq!(finding.edits, [Edit::IssueBy { party: worker, trusted_by: head }]);
        assert_eq!(finding.subject.name, "worker-tls");
        assert!(finding.message.contains("another of the same name"), "{}", finding.message);
        assert_mends(&scene, &finding);
    }

    #[test]
    fn a_bundle_of_both_is_fine() {
        let (ca, other) = (Ca::new("ray-ca"), Ca::new("other-ca"));
        assert_eq!(scene(&[&other, &ca], &ca, &ca).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
