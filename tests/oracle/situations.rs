//! The kinds of random situations. A further kind is a function and a line in [`KINDS`].

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::certificate::{Dn, Facts, Time};
use crate::chains::KeyRef;
use crate::corpus::Situation;
use crate::extensions::{self, CERT_SIGN, CRL_SIGN, DIGITAL_SIGNATURE, Name};
use crate::keys::{Key, Kind, Pool};
use crate::rng::Rng;
use crate::runner::Good;
use crate::{algorithms, chains, damage, identities, names, odd, pem};

/// What a kind of situation is drawn from.
pub(crate) struct Draw<'a> {
    pub(crate) rng: Rng,
    pub(crate) pool: &'a Pool,
    /// Judged at; whole hours.
    pub(crate) now: Timestamp,
}

impl<'a> Draw<'a> {
    /// A key by its kind and number.
    pub(crate) fn key(&self, (kind, number): KeyRef) -> &'a Key {
        self.pool.key(kind, number)
    }
}

/// What a kind of situation draws.
pub(crate) struct Drawn {
    /// The dialled host.
    pub(crate) name: String,
    pub(crate) chain_pem: String,
    pub(crate) key_pem: String,
    pub(crate) ca_pem: String,
    /// For people: what is odd.
    pub(crate) description: String,
}

type Generator = fn(&mut Draw<'_>) -> Drawn;

/// Weight, name, function. New ones go to the end, and a weight that changes makes old seeds mean other situations.
const KINDS: [(usize, (&str, Generator)); 12] = [
    (30, ("plain", chains::plain)),
    (14, ("namesakes", chains::namesakes)),
    (10, ("renewed", chains::renewed)),
    (10, ("crossed", chains::crossed)),
    (6, ("self-signed", chains::self_signed)),
    (6, ("trusted-leaf", chains::trusted_leaf)),
    (14, ("tangle", chains::tangle)),
    (20, ("names", names::names)),
    (12, ("identities", identities::identities)),
    (14, ("damage", damage::damage)),
    (20, ("odd", odd::odd)),
    (10, ("algorithms", algorithms::algorithms)),
];

/// The cases of a run.
pub(crate) struct Rounds<'a> {
    pub(crate) seed: u64,
    pub(crate) pool: &'a Pool,
    pub(crate) now: Timestamp,
    /// Name of the only kind that is drawn.
    pub(crate) only: Option<&'a str>,
}

impl Rounds<'_> {
    /// Case `number`, without verdicts.
    pub(crate) fn situation(&self, number: u64) -> Situation {
        let mut draw = Draw { rng: Rng::of_case(self.seed, number), pool: self.pool, now: self.now };
        let drawn_kind = *draw.rng.weighted(&KINDS);
        let (kind, function) = match self.only {
            None => drawn_kind,
            Some(only) => {
                KINDS.iter().find(|(_, (kind, _))| *kind == only).expect("RAYTLS_ORACLE_ONLY names no kind").1
            }
        };
        let drawn = function(&mut draw);
        Situation {
            id: format!("{}-{number}-{kind}", self.seed),
            group: kind.into(),
            description: drawn.description,
            name: drawn.name,
            chain_pem: drawn.chain_pem,
            key_pem: drawn.key_pem,
            ca_pem: drawn.ca_pem,
            verdicts: BTreeMap::new(),
        }
    }
}

/// What is not in question: a CA, and a certificate for both roles.
pub(crate) fn good(pool: &Pool, now: Timestamp) -> Good {
    let (ca, leaf) = (pool.key(Kind::P256, 0), pool.key(Kind::P256, 1));
    let issuer = Dn::new("Oracle", "Good CA");
    let mut root = version_3(&issuer, &issuer, ca, now);
    root.extensions = vec![extensions::basic_constraints(true, None), extensions::key_usage(CERT_SIGN | CRL_SIGN)];
    let name = "good.oracle.local";
    let mut facts = version_3(&issuer, &Dn::new("Oracle", name), leaf, now);
    facts.extensions = vec![
        extensions::subject_alt_name(&[Name::Dns(name.into())]),
        extensions::key_usage(DIGITAL_SIGNATURE),
        extensions::ext_key_usage(&[extensions::SERVER_AUTH, extensions::CLIENT_AUTH]),
    ];
    Good {
        chain: pem::certificates([&facts.write(ca)]),
        key: leaf.pem(),
        ca: pem::certificates([&root.write(ca)]),
        name: name.into(),
    }
}

/// A certificate without extensions, valid for ten years from two days ago.
pub(crate) fn version_3(issuer: &Dn, subject: &Dn, key: &Key, now: Timestamp) -> Facts {
    Facts {
        version: Some(2),
        serial: vec![1],
        inner_algorithm: None,
        outer_algorithm: None,
        issuer: issuer.clone(),
        subject: subject.clone(),
        not_before: days(now, -2),
        not_after: days(now, 3650),
        spki: key.spki.clone(),
        unique_ids: Vec::new(),
        extensions: Vec::new(),
        is_spoiled: false,
    }
}

/// Days from now, as RFC 5280 writes them.
pub(crate) fn days(now: Timestamp, days: i64) -> Time {
    Time::of(now + SignedDuration::from_hours(24 * days))
}
