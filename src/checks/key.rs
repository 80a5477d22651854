//! KEY: the private key, by its public half.

pub mod encrypted;
pub mod mismatch;
pub mod swapped;
pub mod unreadable;
pub mod unusable;

use super::Case;
use super::lens::{self, Shared, Use};
use crate::diagnose::edit::Slot;
use crate::evidence::{KeyForm, Seen};

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
        let (Seen::Found(certificate), Seen::Found(key)) = (&party.certificate.content, &party.key.content) else {
            continue;
        };
        let Some(spki) = key.keys.first().filter(|k| loadable(&k.form)).and_then(|k| k.spki_sha256.clone()) else {
            continue;
        };
        let one = |slot| Use { party: index, slot, file: party.file(slot) };
        let uses = (one(Slot::Certificate), one(Slot::Key));
        let subjects = (lens::subject(case, uses.0), lens::subject(case, uses.1));
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
                certificate: Shared { subject: subjects.0, facts: certificate, uses: vec![uses.0] },
                key: Shared { subject: subjects.1, facts: key, uses: vec![uses.1] },
                spki,
            }),
        }
    }
    list
}

fn loadable(form: &KeyForm) -> bool {
    matches!(form, KeyForm::Pkcs1 | KeyForm::Pkcs8 | KeyForm::Sec1)
}
