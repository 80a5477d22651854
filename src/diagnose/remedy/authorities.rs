//! Steps about CAs.

use super::super::causes::RemedyStep;
use super::super::edit::{Slot, certificates};
use super::{place_of, restart, runs, text_step};
use crate::ray::{Model, Party};

/// What signed a leaf may be an intermediate of the trusted CA that was left out of the file; with a trusted namesake it is not.
pub(super) fn intermediate(party: &Party, verifier: &Party) -> Option<RemedyStep> {
    let chain = certificates(&party.certificate);
    let last = chain.last()?;
    let trusted = certificates(&verifier.trust).iter().any(|ca| ca.subject_canonical == last.issuer_canonical);
    if trusted || last.subject_canonical == last.issuer_canonical {
        return None;
    }
    Some(text_step(format!(
        "Or, where {} is an intermediate below that CA, keep the certificate, and put the intermediate's PEM block behind it in {}",
        last.issuer,
        place_of(party, Slot::Certificate)
    )))
}

/// Signs a root again as it is, with its own key and a later end. An intermediate is signed by the CA above it.
pub(super) fn renewal(model: &Model, sha256: &str) -> Option<String> {
    let trusted = model.parties.iter().flat_map(|party| certificates(&party.trust));
    trusted
        .into_iter()
        .find(|ca| ca.sha256 == sha256)
        .filter(|ca| ca.subject_canonical == ca.issuer_canonical)
        .map(|_| "openssl x509 -in ca.crt -signkey ca.key -sha256 -days 3650 -out ca-new.crt".to_owned())
}

/// The certificate goes from every file that has it, and who reads those starts again.
pub(super) fn distrust(model: &Model, sha256: &str) -> Vec<RemedyStep> {
    let has = |party: &&Party| runs(party) && certificates(&party.trust).iter().any(|ca| ca.sha256 == sha256);
    let readers: Vec<&Party> = model.parties.iter().filter(has).collect();
    let Some(ca) = readers.iter().flat_map(|p| certificates(&p.trust)).find(|ca| ca.sha256 == sha256) else {
        return Vec::new();
    };
    let mut places: Vec<String> = readers.iter().map(|p| place_of(p, Slot::Trust)).collect();
    places.sort();
    places.dedup();
    let text = format!(
        "Take {} with SHA-256 {}… (until {}) out of {}",
        ca.subject,
        sha256.get(..16).unwrap_or(sha256),
        ca.not_after,
        places.join(" and ")
    );
    std::iter::once(text_step(text)).chain(readers.into_iter().map(restart)).collect()
}
