//! Steps about CAs.

use super::super::causes::RemedyStep;
use super::super::edit::{Slot, certificates};
use super::{place_of, restart, runs, text_step};
use crate::evidence::{Evidence, SourceKind};
use crate::ray::issuance::owner;
use crate::ray::{Model, Party, Place};

/// Both CAs in the trust file of a party: its own, and those that another has.
pub(super) fn both(evidence: &Evidence, party: &Party, other: &Party) -> RemedyStep {
    let text = format!(
        "Put the CA of {} into the trust file of {} ({}), beside what is there: one PEM block after the other, each with its final newline",
        other.id,
        party.id,
        place_of(party, Slot::Trust)
    );
    let Place::Key { kind, namespace, name, key: Some(key), .. } = &party.trust.place else {
        return text_step(text);
    };
    if let Some(order) = owner(evidence, namespace, name).filter(|_| *kind == SourceKind::Secret) {
        let text = format!(
            "{text}. {} writes that Secret and would take it out again: keep both CAs in a Secret or ConfigMap of your own (trust-manager's Bundle does that), and let RAY_TLS_CA_CERT name it",
            order.object
        );
        return text_step(text);
    }
    let command = read(&party.trust.place, "has.pem").zip(read(&other.trust.place, "added.pem")).map(|(has, added)| {
        // `awk 1` ends the last line of each file, which `cat` would join with the next.
        let write = match kind {
            SourceKind::Secret => format!(
                "kubectl -n {namespace} patch secret {name} --type=merge -p \"{{\\\"data\\\":{{\\\"{key}\\\":\\\"$(base64 < both.pem | tr -d '\\n')\\\"}}}}\""
            ),
            // Server-side, so that its other keys stay.
            SourceKind::ConfigMap => format!(
                "kubectl -n {namespace} create configmap {name} --from-file={key}=both.pem --dry-run=client -o yaml | kubectl apply --server-side --force-conflicts -f -"
            ),
        };
        format!("{has}\n{added}\nawk 1 has.pem added.pem > both.pem\n{write}")
    });
    RemedyStep { text, command, patch: None }
}

/// The line that writes a stored file to disk.
fn read(place: &Place, to: &str) -> Option<String> {
    let Place::Key { kind, namespace, name, key: Some(key), .. } = place else { return None };
    let field = key.replace('.', "\\.");
    Some(match kind {
        SourceKind::Secret => {
            format!("kubectl -n {namespace} get secret {name} -o jsonpath='{{.data.{field}}}' | base64 -d > {to}")
        }
        SourceKind::ConfigMap => {
            format!("kubectl -n {namespace} get configmap {name} -o jsonpath='{{.data.{field}}}' > {to}")
        }
    })
}

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

/// The leaf itself is good, so it stays: the intermediate goes behind it.
pub(super) fn append_chain(holders: &[&Party]) -> RemedyStep {
    let stored = holders.iter().find_map(|p| match &p.certificate.place {
        Place::Key { kind: SourceKind::Secret, namespace, name, key: Some(key), .. } => Some((namespace, name, key)),
        _ => None,
    });
    // `awk 1` ends the last line of each file, which `cat` would join with the next.
    let command = stored.map(|(namespace, name, key)| {
        format!(
            "kubectl -n {namespace} get secret {name} -o jsonpath='{{.data.{}}}' | base64 -d > leaf.pem\n\
             awk 1 leaf.pem intermediate.pem > chain.pem\n\
             kubectl -n {namespace} patch secret {name} --type=merge -p \"{{\\\"data\\\":{{\\\"{key}\\\":\\\"$(base64 < chain.pem | tr -d '\\n')\\\"}}}}\"",
            key.replace('.', "\\.")
        )
    });
    RemedyStep {
        text: "Append the intermediate certificate (intermediate.pem here) to the certificate file: the leaf first, then the intermediate".into(),
        command,
        patch: None,
    }
}
