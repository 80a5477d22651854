//! CHN02: parties of one cluster trust different CAs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Chains, Distrust};
use crate::checks::lens::{self, Shared};
use crate::checks::{Case, Check, Finding, Findings, Severity};
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
    let clusters: BTreeSet<usize> = distrusts.iter().map(|d| case.model.parties[d.presenter].cluster).collect();
    for cluster in clusters {
        let here: Vec<&Distrust> =
            distrusts.iter().filter(|d| case.model.parties[d.presenter].cluster == cluster).collect();
        let camps = camps(case, &chains, cluster);
        let Some(first) = camps.first() else { continue };
        let Some(&right) = first.members.first() else { continue };
        let (most, odd): (Vec<&Camp>, Vec<&Camp>) = camps.iter().partition(|camp| camp.rank() == first.rank());
        let odd: Vec<Camp> = odd.into_iter().flat_map(|camp| camp.by_file(&chains)).collect();
        let is_odd = |party: usize| odd.iter().position(|camp| camp.members.contains(&party));
        for (at, camp) in odd.iter().enumerate() {
            let of_camp = |d: &&&Distrust| is_odd(d.verifier).or_else(|| is_odd(d.presenter)) == Some(at);
            let theirs: Vec<&Distrust> = here.iter().filter(of_camp).copied().collect();
            if !theirs.is_empty() {
                tell_odd(case, findings, &chains, &theirs, camp, right);
            }
        }
        let others = |d: &&&Distrust| is_odd(d.verifier).is_none() && is_odd(d.presenter).is_none();
        let others: Vec<&Distrust> = here.iter().filter(others).copied().collect();
        match most.as_slice() {
            _ if others.is_empty() => {}
            [_] => tell_presenters(case, findings, &chains, &others),
            camps => tell_camps(case, findings, &chains, &others, camps),
        }
    }
}

/// Parties whose trust files vouch for the same certificates of a cluster.
struct Camp {
    /// Their indices, in order.
    members: Vec<usize>,
    /// For how many parties of the cluster their trust files vouch.
    known: usize,
}

impl Camp {
    /// What speaks for a camp: whom it knows, then how many it is.
    fn rank(&self) -> (usize, usize) {
        (self.known, self.members.len())
    }
}

impl Camp {
    /// One for each set of trusted CAs: who knows nobody may do so for reasons of its own.
    fn by_file(&self, chains: &Chains) -> Vec<Camp> {
        let mut camps: BTreeMap<BTreeSet<&str>, Camp> = BTreeMap::new();
        for &party in &self.members {
            let trusted = chains.trusted.get(&party).into_iter().flatten().map(|ca| ca.sha256.as_str()).collect();
            camps.entry(trusted).or_insert(Camp { members: Vec::new(), known: self.known }).members.push(party);
        }
        let mut camps: Vec<Camp> = camps.into_values().collect();
        camps.sort_by_key(|camp| camp.members.first().copied());
        camps
    }
}

/// The camps of a cluster, the one that most speaks for first, between equals that of the head.
fn camps(case: &Case<'_>, chains: &Chains, cluster: usize) -> Vec<Camp> {
    let of = |party: &usize| case.model.parties[*party].cluster == cluster;
    let presenters: Vec<usize> = chains.presented.keys().copied().filter(of).collect();
    let mut camps: BTreeMap<Vec<Option<bool>>, Camp> = BTreeMap::new();
    for &party in chains.trusted.keys().filter(|party| of(party)) {
        let verdicts: Vec<Option<bool>> = presenters.iter().map(|&p| chains.knows(case, party, p)).collect();
        let known = verdicts.iter().filter(|verdict| **verdict != Some(false)).count();
        camps.entry(verdicts).or_insert(Camp { members: Vec::new(), known }).members.push(party);
    }
    let of_head = |camp: &Camp| camp.members.iter().any(|&p| case.model.parties[p].role == Role::Head);
    let mut camps: Vec<Camp> = camps.into_values().collect();
    camps.sort_by_key(|camp| (Reverse(camp.rank()), !of_head(camp), camp.members.first().copied()));
    camps
}

/// A camp that stands against the rest of its cluster, of which `right` is one.
fn tell_odd(
    case: &Case<'_>,
    findings: &mut Findings,
    chains: &Chains,
    distrusts: &[&Distrust],
    camp: &Camp,
    right: usize,
) {
    let refused =
        super::merged([distrusts.iter().filter(|d| camp.members.contains(&d.verifier)).map(|d| d.presenter).collect()]);
    let files = files_of(case, &camp.members);
    let Some(file) = files.first() else { return };
    let users = lens::used_by(case.model, &camp.members);
    let message = match refused.first().and_then(|p| super::top(chains.presented.get(p)?)) {
        Some(top) => {
            let namesake = match lens::parsed(file.facts).iter().any(|ca| ca.subject == top.issuer) {
                true => " (it has another of the same name)",
                false => "",
            };
            format!(
                "{}, the trust file of {users}, does not have the CA {} which signed the certificate of {} and is trusted elsewhere in the cluster{namesake}",
                lens::opening(&file.subject),
                top.issuer,
                lens::used_by(case.model, &refused),
            )
        }
        None => {
            let presenters = super::merged([distrusts.iter().map(|d| d.presenter).collect()]);
            let issuer = presenters.first().and_then(|p| super::top(chains.presented.get(p)?));
            format!(
                "{} refuses {}, whose certificate is issued by {}: of its cluster only {users} trusts that ({})",
                lens::used_by(case.model, &super::merged([distrusts.iter().map(|d| d.verifier).collect()])),
                lens::used_by(case.model, &presenters),
                issuer.map_or("", |top| top.issuer.as_str()),
                lens::phrase(&file.subject)
            )
        }
    };
    let finding = findings.add(file.subject.clone(), message);
    finding.confidence = file.confidence();
    finding.breaks = super::merged(distrusts.iter().map(|d| d.connections.clone()));
    finding.edits = edits(case, chains, distrusts, &camp.members, right);
    tell_trusted(case, finding, right);
}

/// Camps of which none is more than another: whose file is the wrong one is not said.
fn tell_camps(case: &Case<'_>, findings: &mut Findings, chains: &Chains, distrusts: &[&Distrust], camps: &[&Camp]) {
    let told: Vec<String> = camps
        .iter()
        .map(|camp| {
            let trusted: BTreeSet<String> = camp
                .members
                .iter()
                .flat_map(|p| chains.trusted.get(p).into_iter().flatten())
                .map(|ca| ca.subject.clone())
                .collect();
            format!(
                "{} {} {}",
                lens::used_by(case.model, &camp.members),
                if camp.members.len() == 1 { "trusts" } else { "trust" },
                trusted.into_iter().collect::<Vec<_>>().join(" and ")
            )
        })
        .collect();
    let rest: Vec<usize> = camps.iter().skip(1).flat_map(|camp| camp.members.iter().copied()).collect();
    let Some(file) = files_of(case, &rest).into_iter().next() else { return };
    let Some(&right) = camps.first().and_then(|camp| camp.members.first()) else { return };
    let namesakes = |ca: &Certificate| {
        let all = camps.iter().flat_map(|camp| &camp.members).flat_map(|p| chains.trusted.get(p).into_iter().flatten());
        all.into_iter()
            .any(|other| other.subject_canonical == ca.subject_canonical && other.key.spki_sha256 != ca.key.spki_sha256)
    };
    let mut first =
        camps.iter().flat_map(|camp| &camp.members).flat_map(|p| chains.trusted.get(p).into_iter().flatten());
    let namesake = if first.any(namesakes) { " (their CAs are another each, of the same name)" } else { "" };
    let message = format!(
        "The trust files of this cluster are in {} camps, and none is more than another: {}{namesake}; each refuses certificates that another accepts",
        camps.len(),
        told.join("; ")
    );
    let finding = findings.add(file.subject.clone(), message);
    finding.confidence = file.confidence();
    finding.breaks = super::merged(distrusts.iter().map(|d| d.connections.clone()));
    finding.edits = edits(case, chains, distrusts, &rest, right);
    tell_trusted(case, finding, right);
}

/// Certificates by a CA that only a minority of the cluster trusts, of parties that trust what all trust.
fn tell_presenters(case: &Case<'_>, findings: &mut Findings, chains: &Chains, distrusts: &[&Distrust]) {
    for shared in lens::shared(case, &[Slot::Certificate]) {
        let users = shared.parties();
        let theirs: Vec<&Distrust> = distrusts.iter().filter(|d| users.contains(&d.presenter)).copied().collect();
        let Some(first) = theirs.first() else { continue };
        let issuer = chains.presented.get(&first.presenter).and_then(|chain| super::top(chain));
        let knower = chains.known_to(case, first.presenter);
        let message = format!(
            "The certificate in {} is issued by {}, which of its cluster only {} trusts: {} refuses {}",
            lens::phrase(&shared.subject),
            issuer.map_or("", |top| top.issuer.as_str()),
            lens::used_by(case.model, &knower.into_iter().collect::<Vec<_>>()),
            lens::used_by(case.model, &super::merged([theirs.iter().map(|d| d.verifier).collect()])),
            lens::used_by(case.model, &users),
        );
        let finding = findings.add(shared.subject.clone(), message);
        finding.breaks = super::merged(theirs.iter().map(|d| d.connections.clone()));
        let by = |&party: &usize| Edit::IssueBy { party, trusted_by: first.verifier };
        finding.edits = super::merged([theirs.iter().map(|d| d.presenter).collect()]).iter().map(by).collect();
        shared.tell(case, finding);
        tell_trusted(case, finding, first.presenter);
    }
}

/// The trust files of these parties.
fn files_of<'a>(case: &Case<'a>, parties: &[usize]) -> Vec<Shared<'a>> {
    let mut files = lens::shared(case, &[Slot::Trust]);
    files.retain(|file| file.parties().iter().any(|party| parties.contains(party)));
    files
}

/// What every trust file of a party's cluster has.
fn tell_trusted(case: &Case<'_>, finding: &mut Finding, of: usize) {
    let cluster = case.model.parties[of].cluster;
    let here = |file: &&Shared<'_>| file.parties().iter().any(|&p| case.model.parties[p].cluster == cluster);
    for file in lens::shared(case, &[Slot::Trust]).iter().filter(here) {
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

/// Every trust file gets the CA it lacks. Where two CAs of one name would then stand side by side, which the two
/// gRPCs resolve differently, the odd parties get certificates of the CA that `right` trusts instead.
fn edits(case: &Case<'_>, chains: &Chains, distrusts: &[&Distrust], odd: &[usize], right: usize) -> Vec<Edit> {
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
    odd.iter().map(|&party| Edit::IssueBy { party, trusted_by: right }).collect()
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
        assert!(finding.message.contains("another each, of the same name"), "{}", finding.message);
        assert_mends(&scene, &finding);
    }

    /// Head and workers by one CA, and further workers `name` whose certificate and trust are given.
    fn wider(others: &[(&str, &Ca, &Ca)], ca: &Ca) -> Scene {
        let mut objects =
            vec![head("head-tls"), worker("worker-tls"), service(), tls_secret("head-tls", &ca.leaf(), &ca.pem)];
        objects.push(tls_secret("worker-tls", &ca.leaf(), &ca.pem));
        for (name, by, trusted) in others {
            let secret = format!("{name}-tls");
            // The names of all nodes are those of the leaf.
            let text = worker(&secret).to_string().replace("\"name\":\"ray-worker\"", &format!("\"name\":\"{name}\""));
            objects.push(serde_json::from_str(&text).unwrap());
            objects.push(tls_secret(&secret, &by.leaf(), &trusted.pem));
        }
        Scene::manifests(objects)
    }

    fn told(scene: &Scene) -> Vec<String> {
        scene.run(&CHECK).into_iter().map(|finding| finding.subject.name).collect()
    }

    #[test]
    fn each_odd_trust_is_a_finding_of_its_own() {
        let (ca, second, third) = (Ca::new("ray-ca"), Ca::new("second-ca"), Ca::new("third-ca"));
        let scene = wider(&[("large", &ca, &second), ("small", &ca, &third), ("other", &ca, &ca)], &ca);
        assert_eq!(told(&scene), ["large-tls", "small-tls"]);
        scene.run(&CHECK).iter().for_each(|finding| {
            assert!(finding.message.contains("CN=ray-ca which signed"), "{}", finding.message);
            assert!(!finding.breaks.is_empty());
        });
        assert!(crate::checks::testing::unexplained(&scene).is_empty());
        let islands = wider(&[("large", &second, &second), ("small", &third, &third)], &ca);
        assert_eq!(told(&islands), ["large-tls", "small-tls"]);
        assert_eq!(crate::checks::testing::unexplained(&islands), Vec::<String>::new());
        let edits: Vec<Edit> = islands.run(&CHECK).into_iter().flat_map(|finding| finding.edits).collect();
        let edited = crate::diagnose::edit::apply(
            &islands.evidence,
            &islands.model,
            islands.now,
            &edits.iter().collect::<Vec<_>>(),
        );
        let judged = crate::judge::matrix::judge(&islands.evidence, &edited, islands.now);
        assert!(judged.iter().all(|j| *j.effective() == crate::judge::Verdict::Accept), "{judged:#?}");
    }

    #[test]
    fn a_head_that_is_alone_is_the_odd_one() {
        let (ca, other) = (Ca::new("ray-ca"), Ca::new("other-ca"));
        let scene = wider(&[("large", &ca, &ca)], &ca);
        assert_eq!(told(&scene), Vec::<String>::new());
        let mut objects = vec![head("head-tls"), worker("worker-tls"), service()];
        objects.push(
            serde_json::from_str(
                &worker("worker-tls").to_string().replace("\"name\":\"ray-worker\"", "\"name\":\"large\""),
            )
            .unwrap(),
        );
        objects.push(tls_secret("head-tls", &other.leaf(), &other.pem));
        objects.push(tls_secret("worker-tls", &ca.leaf(), &ca.pem));
        assert_eq!(told(&Scene::manifests(objects)), ["head-tls"]);
    }

    #[test]
    fn two_camps_of_one_size_are_not_blamed() {
        let (ca, other) = (Ca::new("ray-ca"), Ca::new("other-ca"));
        let finding = only(&scene(&[&other], &other, &ca), &CHECK);
        assert!(
            finding.message.contains("in 2 camps, and none is more than another: ray/ray-head trusts CN=ray-ca; ray/ray-worker trusts CN=other-ca"),
            "{}",
            finding.message
        );
        assert!(!finding.message.contains("does not have"), "{}", finding.message);
    }

    #[test]
    fn a_certificate_by_a_ca_that_one_other_alone_trusts() {
        let (ca, other) = (Ca::new("ray-ca"), Ca::new("other-ca"));
        let scene = wider(&[("large", &other, &ca), ("small", &ca, &other), ("more", &ca, &ca)], &ca);
        assert_eq!(told(&scene), ["small-tls", "large-tls"]);
        assert!(scene.run(&CHECK)[1].message.contains("only ray/small trusts"), "{:?}", scene.run(&CHECK)[1]);
        assert_eq!(crate::checks::testing::unexplained(&scene), Vec::<String>::new());
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
