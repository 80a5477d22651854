//! CHN03: an intermediate is neither sent with the certificate nor trusted.

use super::{Chains, Distrust};
use crate::checks::lens::{self, Shared};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::{Edit, Fix, Slot};
use crate::evidence::Content;
use crate::grpc::certificate::Certificate;

/// The check.
pub static CHECK: Check = Check {
    code: "CHN03",
    name: "intermediate-missing",
    severity: Severity::Error,
    help: "\
The certificate was signed by an intermediate CA that the trusted CA vouches for, but the intermediate is neither in the certificate file
behind the leaf nor in the trust file. It was found elsewhere among what was read, which proves it; without that, CHN01 is told.

Why it matters: gRPC uses what the peer sends and what the trust file holds, and fetches nothing: `unable to get local issuer certificate`.

Mend it: append the intermediate to the certificate file, leaf first (`cat leaf.pem intermediate.pem > tls.crt`), and restart.

Authority: RFC 8446 section 4.4.2; BoringSSL follows no authorityInfoAccess.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let chains = Chains::of(case);
    let distrusts = chains.distrusts(case);
    for shared in lens::shared(case, &[Slot::Certificate]) {
        let users = shared.parties();
        let of_file = distrusts.iter().filter(|d| users.contains(&d.presenter));
        let proofs: Vec<_> = of_file.filter_map(|d| Some((d, missing(case, &chains, d)?))).collect();
        let Some((first, (intermediate, place))) = proofs.first() else { continue };
        let Some(leaf) = lens::parsed(shared.facts).into_iter().next() else { continue };
        tell(
            case,
            findings,
            &shared,
            &leaf,
            intermediate,
            place,
            first,
            &proofs.iter().map(|(d, _)| *d).collect::<Vec<_>>(),
        );
    }
}

#[allow(clippy::too_many_arguments)]
fn tell(
    case: &Case<'_>,
    findings: &mut Findings,
    shared: &Shared<'_>,
    leaf: &Certificate,
    intermediate: &Certificate,
    place: &str,
    first: &Distrust,
    refused: &[&Distrust],
) {
    let message = format!(
        "{} holds certificate {} without the intermediate {} that signed it, which {} does not have either",
        lens::opening(&shared.subject),
        leaf.subject,
        intermediate.subject,
        lens::used_by(case.model, &[first.verifier]),
    );
    let finding = findings.add(shared.subject.clone(), message);
    finding.breaks = super::merged(refused.iter().map(|d| d.connections.clone()));
    finding.edits = vec![Edit::Reissue { certificate: leaf.sha256.clone(), fixes: vec![Fix::Chain] }];
    finding.fact("intermediate", intermediate.subject.as_str(), place);
    finding.fact("signed by", intermediate.issuer.as_str(), place);
    shared.tell(case, finding);
}

/// Whether a distrust is this check's.
pub(super) fn explains(case: &Case<'_>, chains: &Chains, distrust: &Distrust) -> bool {
    missing(case, chains, distrust).is_some()
}

/// A certificate, found anywhere in the evidence, with which the verifier would know the presented chain though
/// it does not trust it itself, and where it was found.
fn missing(case: &Case<'_>, chains: &Chains, distrust: &Distrust) -> Option<(Certificate, String)> {
    let trust = chains.trusted.get(&distrust.verifier)?;
    let chain = chains.presented.get(&distrust.presenter)?;
    let top = super::top(chain)?;
    if top.subject_canonical == top.issuer_canonical {
        return None;
    }
    let stored = chains.stored.get_or_init(|| everywhere(case)).iter();
    let proves = |(candidate, _): &&(Certificate, String)| {
        let is_intermediate = candidate.subject_canonical != candidate.issuer_canonical;
        if !is_intermediate || !super::named_as_issuer(candidate, top) {
            return false;
        }
        let longer: Vec<Certificate> = chain.iter().chain([candidate]).cloned().collect();
        super::knows(case, trust, &longer) == Some(true)
    };
    stored.into_iter().find(proves).cloned()
}

fn everywhere(case: &Case<'_>) -> Vec<(Certificate, String)> {
    let secrets = case.evidence.secrets.iter().map(|s| (&s.object, &s.data));
    let maps = case.evidence.config_maps.iter().map(|c| (&c.object, &c.data));
    let mut list = Vec::new();
    for (object, data) in secrets.chain(maps) {
        for (key, Content { facts, .. }) in data {
            let found = lens::parsed(facts).into_iter();
            list.extend(found.map(|certificate| (certificate, format!("{object} key {key}"))));
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use crate::checks::chain::unknown_issuer;

    #[test]
    fn proved_when_the_intermediate_is_stored_elsewhere() {
        let root = Ca::new("ray-root");
        let intermediate = root.intermediate("ray-intermediate");
        let mut objects = cluster_with(tls_secret("ray-tls", &intermediate.leaf(), &root.pem));
        // Without it nobody can know that there is one.
        let unproved = Scene::manifests(objects.clone());
        assert_eq!(unproved.run(&CHECK), []);
        only(&unproved, &unknown_issuer::CHECK);
        objects.push(secret("issuer", &[("ca.crt", &intermediate.pem)]));
        let scene = Scene::manifests(objects);
        let finding = only(&scene, &CHECK);
        assert!(finding.facts.iter().any(|f| f.value == "CN=ray-intermediate" && f.origin.contains("ray/issuer")));
        assert!(matches!(&finding.edits[..], [Edit::Reissue { fixes, .. }] if fixes == &[Fix::Chain]));
        assert_mends(&scene, &finding);
        assert_eq!(scene.run(&unknown_issuer::CHECK), []);
    }

    #[test]
    fn sent_or_trusted_it_is_not_missing() {
        let root = Ca::new("ray-root");
        let intermediate = root.intermediate("ray-intermediate");
        let leaf = intermediate.leaf();
        let sent = Pair { certificate: format!("{}{}", leaf.certificate, intermediate.pem), key: leaf.key.clone() };
        let spare = secret("issuer", &[("ca.crt", &intermediate.pem)]);
        for secret in [tls_secret("ray-tls", &sent, &root.pem), tls_secret("ray-tls", &leaf, &intermediate.pem)] {
            let mut objects = cluster_with(secret);
            objects.push(spare.clone());
            assert_eq!(Scene::manifests(objects).run(&CHECK), []);
        }
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
