//! CHN16: several trusted certificates fit as the issuer, and the order in which gRPC holds them decides.

use std::collections::{BTreeMap, BTreeSet};

use super::{Chains, Distrust};
use crate::checks::lens;
use crate::checks::{Case, Check, Edits, Findings, Severity};
use crate::diagnose::edit::{Edit, Fix, Slot};
use crate::grpc::certificate::Certificate;
use crate::grpc::fragile::{self, Fragile};
use crate::grpc::path;
use crate::grpc::verdict::{self, Fault, Role, Verdict};
use crate::judge::Failure;

/// The check.
pub static CHECK: Check = Check {
    code: "CHN16",
    name: "ca-order-decides",
    severity: Severity::Error,
    help: "\
Two or more certificates of a trust file fit by name as the issuer of a certificate that Ray presents, and not each of them vouches
for it: a CA of the same name with another key, or an old CA beside the one that renewed it.

Why it matters: gRPC takes the first that fits and never tries another. Which one is first differs between the two gRPCs of a Ray cluster:
with the right CA first in the file Python accepts and the C++ core refuses, the other way round the core accepts and Python refuses. No
order works for both. It is a warning while every connection works all the same.

Mend it: take the CA that is no longer used out of every trust file, and restart. While both are in use, issue the certificates again with
an authorityKeyIdentifier, by CAs that have a subjectKeyIdentifier of their own: then no CA fits but the right one.

Authority: BoringSSL `x509_lu.c` sorts the trusted certificates (heap sort from gRPC 1.57 to 1.84, else the order of the file) and
`x509_vfy.c` takes the first issuer (measured with gRPC 1.49 to 1.85, a real gcs_server and a real GcsClient).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let chains = Chains::of(case);
    for shared in lens::shared(case, &[Slot::Trust]) {
        let users = shared.parties();
        let trust = lens::parsed(shared.facts);
        let here: Vec<(usize, Doubt)> = presenters(case, &chains, &users)
            .into_iter()
            .filter_map(|presenter| Some((presenter, doubt(case, &trust, chains.presented.get(&presenter)?)?)))
            .collect();
        let Some((presenter, first)) = here.first() else { continue };
        let presenters: Vec<usize> = here.iter().map(|(presenter, _)| *presenter).collect();
        let broken = lens::failing_by(case, |blame| {
            let by_order = matches!(blame.failure, Failure::Grpc(reason) if is_of_a_ca(reason.fault));
            by_order && users.contains(&blame.refuser) && presenters.contains(&blame.at)
        });
        let issuer = trust.iter().find(|ca| ca.sha256 == first.right).map_or("", |ca| ca.subject.as_str());
        let message = format!(
            "{}, the trust file of {}, has {} certificates of {issuer} that fit as the issuer of the certificate of {}, and only some of them are: {}",
            lens::opening(&shared.subject),
            lens::used_by(case.model, &users),
            first.wrong.len() + 1,
            lens::used_by(case.model, &presenters),
            match broken.is_empty() {
                true => "that it works is luck of their order, which differs between the gRPCs",
                false => "gRPC takes the first, and its order differs between the C++ core and Python",
            },
        );
        let finding = findings.add(shared.subject.clone(), message);
        if broken.is_empty() {
            finding.severity = Severity::Warning;
        }
        finding.breaks = broken;
        finding.edits = edits(&chains, &here, &trust);
        let origin = lens::phrase(&shared.subject);
        let about = |ca: &Certificate| format!("SHA-256 {}…, until {}", super::short(&ca.sha256), ca.not_after);
        for ca in trust.iter().filter(|ca| ca.sha256 == first.right) {
            finding.fact("the issuer", about(ca), &origin);
        }
        for (ca, why) in &first.wrong {
            finding.fact("fits too, but fails", format!("{}: {why}", about(ca)), &origin);
        }
        let tried = chains.presented.get(presenter).map(|chain| fragile::facts(chain, &trust, case.model.profiles));
        for fact in tried.unwrap_or_default() {
            if matches!(fact, Fragile::EqualNames(_) | Fragile::RenewedBeside(_)) {
                finding.fact("which is tried", fact.to_string(), &origin);
            }
        }
        shared.tell(case, finding);
    }
}

/// Whether an order of trusted certificates is why a verifier does not know a presenter's issuer.
pub(super) fn explains(case: &Case<'_>, chains: &Chains, distrust: &Distrust) -> bool {
    let (trust, chain) = (chains.trusted.get(&distrust.verifier), chains.presented.get(&distrust.presenter));
    trust.zip(chain).is_some_and(|(trust, chain)| doubt(case, trust, chain).is_some())
}

/// SHA-256 of the trusted certificates that this check tells of.
pub(super) fn told(case: &Case<'_>, chains: &Chains, users: &[usize], trust: &[Certificate]) -> BTreeSet<String> {
    let of = |presenter: usize| doubt(case, trust, chains.presented.get(&presenter)?);
    let doubts = presenters(case, chains, users).into_iter().filter_map(of);
    doubts.flat_map(|doubt| doubt.wrong.into_iter().map(|(ca, _)| ca.sha256)).collect()
}

/// What could be taken for the issuer of a chain.
struct Doubt {
    /// SHA-256 of one that vouches for it.
    right: String,
    /// Those that do not, with gRPC's reason.
    wrong: Vec<(Certificate, String)>,
}

/// The parties that the users of a trust file verify.
fn presenters(case: &Case<'_>, chains: &Chains, users: &[usize]) -> Vec<usize> {
    let dials = |a: usize, b: usize| case.model.connections.iter().any(|c| c.dialer == a && c.target == b);
    let met = |party: usize| users.iter().any(|&user| dials(user, party) || dials(party, user));
    chains.presented.keys().copied().filter(|&party| met(party)).collect()
}

fn doubt(case: &Case<'_>, trust: &[Certificate], chain: &[Certificate]) -> Option<Doubt> {
    let fitting = fitting(trust, chain);
    if fitting.len() < 2 {
        return None;
    }
    let mut right = None;
    let mut wrong = Vec::new();
    for ca in &fitting {
        // Each alone among the others that do not fit.
        let rest = |other: &&Certificate| other.sha256 == ca.sha256 || fitting.iter().all(|f| f.sha256 != other.sha256);
        let alone: Vec<Certificate> = trust.iter().filter(rest).cloned().collect();
        match verdict::peer(verdict::Case {
            presented: chain,
            trust: &alone,
            // The server's role without a name asks of the chain alone.
            name: None,
            role: Role::Server,
            now: case.now,
            profile: case.model.profiles.python,
        }) {
            Verdict::Reject(reason) if is_of_a_ca(reason.fault) => wrong.push(((*ca).clone(), reason.text)),
            Verdict::CannotTell(_) => return None,
            Verdict::Accept | Verdict::Reject(_) => _ = right.get_or_insert_with(|| ca.sha256.clone()),
        }
    }
    right.filter(|_| !wrong.is_empty()).map(|right| Doubt { right, wrong })
}

/// The trusted certificates, each once, that may have issued the first certificate on a chain's way that any of them may have.
fn fitting<'a>(trust: &'a [Certificate], chain: &[Certificate]) -> Vec<&'a Certificate> {
    let mut at = chain.first();
    // Each certificate is used at most once, so that a circle ends.
    for _ in 0..chain.len() {
        let Some(certificate) = at.filter(|c| !path::is_self_signed(c)) else { break };
        let found: BTreeMap<&str, &Certificate> =
            trust.iter().filter(|ca| path::may_issue(ca, certificate)).map(|ca| (ca.sha256.as_str(), ca)).collect();
        if !found.is_empty() {
            let mut all: Vec<&Certificate> = found.into_values().collect();
            all.sort_by_key(|ca| trust.iter().position(|other| other.sha256 == ca.sha256));
            return all;
        }
        at = chain.iter().find(|other| path::may_issue(other, certificate));
    }
    Vec::new()
}

fn is_of_a_ca(fault: Fault) -> bool {
    matches!(fault, Fault::BadSignature | Fault::CaDates)
}

/// A CA that vouches for nothing here is taken out. One that does stays, and the certificates are issued again so that only
/// the right one fits.
fn edits(chains: &Chains, here: &[(usize, Doubt)], trust: &[Certificate]) -> Edits {
    let wrong: BTreeSet<&str> = here.iter().flat_map(|(_, d)| &d.wrong).map(|(ca, _)| ca.sha256.as_str()).collect();
    let in_use = |sha256: &str| here.iter().any(|(_, doubt)| doubt.right == sha256);
    if !wrong.iter().any(|sha256| in_use(sha256)) {
        let order = trust.iter().map(|ca| ca.sha256.as_str()).collect::<Vec<_>>();
        let mut wrong: Vec<&str> = wrong.into_iter().collect();
        wrong.sort_by_key(|sha256| order.iter().position(|other| other == sha256));
        return wrong.into_iter().map(|ca| Edit::Distrust { certificate: ca.to_owned() }).collect();
    }
    let leaves: BTreeSet<&str> = here
        .iter()
        .filter_map(|(presenter, _)| chains.presented.get(presenter)?.first())
        .map(|leaf| leaf.sha256.as_str())
        .collect();
    let again = |leaf: &str| Edit::Reissue { certificate: leaf.to_owned(), fixes: vec![Fix::KeyId] };
    leaves.into_iter().map(again).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::chain::{ca_expired, trust_differs, unknown_issuer};
    use crate::checks::testing::*;
    use crate::grpc::profile::Profile;

    /// A leaf that does not name its issuer's key.
    fn without_key_id(ca: &Ca) -> Pair {
        ca.leaf_with(|p| p.use_authority_key_identifier_extension = false)
    }

    fn scene(pair: &Pair, bundle: &[&str]) -> Scene {
        Scene::manifests(cluster_with(tls_secret("ray-tls", pair, &bundle.concat())))
    }

    #[test]
    fn two_cas_of_one_name_break_one_of_the_grpcs_in_any_order() {
        let (right, other) = (Ca::new("ray-ca"), Ca::new("ray-ca"));
        let pair = without_key_id(&right);
        for bundle in [[&*right.pem, &*other.pem], [&*other.pem, &*right.pem]] {
            let scene = scene(&pair, &bundle);
            let finding = only(&scene, &CHECK);
            assert_eq!(finding.severity, Severity::Error);
            assert!(matches!(finding.edits[..], [Edit::Distrust { .. }]), "{:?}", finding.edits);
            assert_mends(&scene, &finding);
            assert_eq!(scene.codes(), ["CHN16"]);
        }
    }

    #[test]
    fn an_expired_ca_beside_the_one_that_renewed_it() {
        let ca = Ca::new("ray-ca");
        let old = ca.again("ray-ca", |p| p.not_after = rcgen::date_time_ymd(2026, 5, 1));
        let scene = scene(&ca.leaf(), &[&old, &ca.pem]);
        assert_mends(&scene, &only(&scene, &CHECK));
        assert_eq!(scene.run(&ca_expired::CHECK), [], "it is told once");
    }

    #[test]
    fn where_both_are_in_use_the_leaves_get_key_ids() {
        let (a, b) = (Ca::new("ray-ca"), Ca::new("ray-ca"));
        let bundle = format!("{}{}", a.pem, b.pem);
        let scene = Scene::manifests(vec![
            head("head-tls"),
            worker("worker-tls"),
            service(),
            tls_secret("head-tls", &without_key_id(&a), &bundle),
            tls_secret("worker-tls", &without_key_id(&b), &bundle),
        ]);
        let found = scene.run(&CHECK);
        assert!(found.iter().all(|f| f.edits.iter().all(|e| matches!(e, Edit::Reissue { .. }))), "{found:#?}");
        let breaks: BTreeSet<usize> = found.iter().flat_map(|f| f.breaks.clone()).collect();
        assert!(!breaks.is_empty());
        assert_mends(&scene, &found[0]);
        assert_eq!((scene.run(&unknown_issuer::CHECK), scene.run(&trust_differs::CHECK)), (vec![], vec![]));
    }

    #[test]
    fn it_is_a_warning_while_every_grpc_of_the_cluster_takes_the_right_one() {
        let (right, other) = (Ca::new("ray-ca"), Ca::new("ray-ca"));
        let mut scene = scene(&without_key_id(&right), &[&other.pem, &right.pem]);
        scene.model.profiles.python = Profile::of_grpcio("1.76.0").unwrap();
        scene.matrix = crate::judge::matrix::judge(&scene.evidence, &scene.model, scene.now);
        let finding = only(&scene, &CHECK);
        assert_eq!((finding.severity, finding.breaks.len()), (Severity::Warning, 0));
    }

    #[test]
    fn key_ids_leave_no_doubt() {
        let (right, other) = (Ca::new("ray-ca"), Ca::new("ray-ca"));
        assert_eq!(scene(&right.leaf(), &[&other.pem, &right.pem]).run(&CHECK), []);
        assert_eq!(scene(&right.leaf(), &[&right.pem, &right.pem]).run(&CHECK), [], "the same twice");
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
