//! CHN02: parties of one cluster trust different CAs.

use super::{Chains, Distrust};
use crate::checks::lens::{self, Shared};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::{Edit, Slot};

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
        .collect();
    let mut clusters: Vec<usize> = distrusts.iter().map(|d| case.model.parties[d.presenter].cluster).collect();
    clusters.sort_unstable();
    clusters.dedup();
    let files = lens::shared(case, &[Slot::Trust]);
    for cluster in clusters {
        let here: Vec<&Distrust> =
            distrusts.iter().filter(|d| case.model.parties[d.presenter].cluster == cluster).collect();
        let lacking = |shared: &&Shared<'_>| here.iter().any(|d| shared.parties().contains(&d.verifier));
        // The file with the fewest users is most likely the one that was forgotten.
        let Some(odd) = files.iter().filter(lacking).min_by_key(|s| s.uses.len()) else { continue };
        let users = odd.parties();
        let of_odd: Vec<usize> = here.iter().filter(|d| users.contains(&d.verifier)).map(|d| d.presenter).collect();
        let issuer =
            of_odd.first().and_then(|p| super::top(chains.presented.get(p)?)).map_or("", |top| top.issuer.as_str());
        let others = lens::used_by(case.model, &super::merged([of_odd.clone()]));
        let message = format!(
            "{}, the trust file of {}, does not have CA {issuer}, which signed the certificate of {others} and is trusted elsewhere in the cluster.",
            lens::phrase(&odd.subject),
            lens::used_by(case.model, &users),
        );
        let finding = findings.add(odd.subject.clone(), message);
        finding.confidence = odd.confidence();
        finding.breaks = super::merged(here.iter().map(|d| d.connections.clone()));
        finding.edits = here.iter().map(|d| Edit::Trust { party: d.verifier, issuer_of: d.presenter }).collect();
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
