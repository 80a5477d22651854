//! A PKI in good order, of which the caller spoils one thing: a root that is trusted, perhaps a CA between, a leaf.

use crate::certificate::{Dn, Facts};
use crate::chains::{HOST, KeyRef, key_id};
use crate::extensions::{self, CERT_SIGN, CLIENT_AUTH, CRL_SIGN, DIGITAL_SIGNATURE, Name, SERVER_AUTH};
use crate::keys::Kind;
use crate::pem;
use crate::situations::{Draw, Drawn, version_3};

/// The certificates, leaf first; each but the last is signed by the next, and the last, which is trusted, by itself.
pub(crate) struct Scene {
    pub(crate) all: Vec<(Facts, KeyRef)>,
}

impl Scene {
    /// Mostly without a CA between.
    pub(crate) fn new(draw: &mut Draw<'_>) -> Scene {
        let keys = [(Kind::P256, 0), (Kind::P256, 2), (Kind::P256, 8)];
        let first = usize::from(!draw.rng.chance(35));
        Scene::with_keys(draw, &keys[first..])
    }

    /// Keys from the root's to the leaf's.
    pub(crate) fn with_keys(draw: &Draw<'_>, keys: &[KeyRef]) -> Scene {
        let names = ["Ray Root", "Ray Sub", "Ray Sub Sub"];
        let mut all: Vec<(Facts, KeyRef)> = Vec::new();
        for (at, own) in keys.iter().enumerate() {
            let is_leaf = at + 1 == keys.len();
            let subject = Dn::new("Ray", if is_leaf { "ray-head" } else { names[at] });
            let issuer = all.first().map_or_else(|| subject.clone(), |(facts, _)| facts.subject.clone());
            let mut facts = version_3(&issuer, &subject, draw.key(*own), draw.now);
            facts.serial = vec![0x11 + u8::try_from(at).unwrap()];
            facts.extensions = if is_leaf { leaf_extensions() } else { ca_extensions() };
            facts.extensions.push(extensions::subject_key_id(&key_id(draw.key(*own))));
            if let Some((_, issuer)) = all.first() {
                facts.extensions.push(extensions::authority_key_id(Some(&key_id(draw.key(*issuer))), None));
            }
            all.insert(0, (facts, *own));
        }
        Scene { all }
    }

    pub(crate) fn signer(&self, at: usize) -> KeyRef {
        self.all[(at + 1).min(self.all.len() - 1)].1
    }

    /// All as they stand.
    pub(crate) fn ders(&self, draw: &Draw<'_>) -> Vec<Vec<u8>> {
        (0..self.all.len()).map(|at| self.all[at].0.write(draw.key(self.signer(at)))).collect()
    }

    pub(crate) fn drawn(&self, draw: &Draw<'_>, ders: &[Vec<u8>], description: String) -> Drawn {
        let (trusted, presented) = ders.split_last().unwrap();
        Drawn {
            name: HOST.into(),
            chain_pem: pem::certificates(presented),
            key_pem: draw.key(self.all[0].1).pem(),
            ca_pem: pem::certificates([trusted]),
            description,
        }
    }
}

fn leaf_extensions() -> Vec<extensions::Extension> {
    vec![
        extensions::subject_alt_name(&[Name::Dns(HOST.into())]),
        extensions::key_usage(DIGITAL_SIGNATURE),
        extensions::ext_key_usage(&[SERVER_AUTH, CLIENT_AUTH]),
    ]
}

fn ca_extensions() -> Vec<extensions::Extension> {
    vec![extensions::basic_constraints(true, None), extensions::key_usage(CERT_SIGN | CRL_SIGN)]
}
