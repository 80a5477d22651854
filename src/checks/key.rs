//! KEY: the private key, by its public half.

pub mod encrypted;
pub mod mismatch;
pub mod swapped;
pub mod unreadable;
pub mod unusable;

use super::Case;
use super::lens::{self, Shared, Use};
use crate::diagnose::edit::Slot;
use crate::evidence::{FileFacts, KeyForm, Seen};

/// A certificate file with a key file that were both seen, as some parties use them together.
pub(super) struct Pair<'a> {
    pub(super) certificate: Shared<'a>,
    pub(super) key: Shared<'a>,
    /// SHA-256 of the public half of the first key of the key file, which is the one gRPC loads.
    pub(super) spki: String,
}

impl Pair<'_> {
    /// The parties that use both together.
    pub(super) fn parties(&self) -> Vec<usize> {
        self.certificate.parties()
    }
}

/// Pairs of which the public halves can be compared, each once.
pub(super) fn pairs<'a>(case: &Case<'a>) -> Vec<Pair<'a>> {
    let mut list: Vec<Pair<'a>> = Vec::new();
    for (index, party) in lens::speakers(case) {
        let one = |slot| Use { party: index, slot, file: party.file(slot) };
        for (pod, content) in &party.certificate.inside {
            let (Some(certificate), Some(key)) = (content.found(), lens::key_in(party, pod)) else { continue };
            let Some(spki) = half(key) else { continue };
            let file = |slot, facts| {
                Some(Shared {
                    subject: lens::in_pod(case, one(slot), pod)?,
                    facts,
                    uses: vec![one(slot)],
                    pod: Some(pod.as_str()),
                })
            };
            let files = file(Slot::Certificate, certificate).zip(file(Slot::Key, key));
            list.extend(files.map(|(certificate, key)| Pair { certificate, key, spki }));
        }
        let (Seen::Found(certificate), Seen::Found(key)) = (&party.certificate.content, &party.key.content) else {
            continue;
        };
        let Some(spki) = half(key) else {
            continue;
        };
        let uses = (one(Slot::Certificate), one(Slot::Key));
        let subjects = (lens::stored(case, uses.0), lens::stored(case, uses.1));
        let same = |p: &&mut Pair<'a>| {
            p.certificate.subject == subjects.0
                && p.key.subject == subjects.1
                && p.certificate.facts == certificate
                && p.key.facts == key
        };
        match list.iter_mut().find(same) {
            Some(known) => {
                known.certificate.uses.push(uses.0);
                known.key.uses.push(uses.1);
            }
            None => list.push(Pair {
                certificate: Shared { subject: subjects.0, facts: certificate, uses: vec![uses.0], pod: None },
                key: Shared { subject: subjects.1, facts: key, uses: vec![uses.1], pod: None },
                spki,
            }),
        }
    }
    list
}

/// The public half of the key that gRPC loads.
fn half(key: &FileFacts) -> Option<String> {
    key.keys.first().filter(|key| loadable(&key.form)).and_then(|key| key.spki_sha256.clone())
}

fn loadable(form: &KeyForm) -> bool {
    matches!(form, KeyForm::Pkcs1 | KeyForm::Pkcs8 | KeyForm::Sec1)
}
