//! Judging by classes: equal certificates, equal trust and equal names are judged once, however many parties have them.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::grpc::certificate::Certificate;
use crate::grpc::profile::Profile;
use crate::grpc::verdict::{self, Role, Verdict as Grpc};
use crate::ray::Address;

/// One gRPC and one time, with all that was worked out by them before.
#[derive(Clone, Copy)]
pub(super) struct Rules<'k> {
    /// The time to judge at, UTC.
    pub(super) now: Timestamp,
    /// Whose rules.
    pub(super) profile: Profile,
    known: &'k Known,
}

/// Answers by class of certificates.
#[derive(Default)]
pub(super) struct Known(RefCell<Answers>);

#[derive(Default)]
struct Answers {
    /// The classes of lists of certificates, by their hashes: hypothetical certificates have the hash of the one that
    /// they replace, so that lists of equal hashes are compared.
    classes: HashMap<Vec<String>, Vec<(Vec<Certificate>, Class)>>,
    count: Class,
    /// Classes of lists that stay where they are in memory for now, by place and length.
    places: HashMap<(usize, usize), Class>,
    /// The gRPCs that were asked; a number is an index in it.
    profiles: Vec<Profile>,
    peers: BTreeMap<(Timestamp, usize, Class, Class, Role), Grpc>,
    names: HashMap<(usize, Class), HashMap<Address, Grpc>>,
}

type Class = usize;

impl Known {
    /// Rules that answer from what is known, and add to it.
    pub(super) fn rules(&self, now: Timestamp, profile: Profile) -> Rules<'_> {
        Rules { now, profile, known: self }
    }

    /// Lists that are not moved or changed until the next call: their class is found without comparing them.
    pub(super) fn place<'c>(&self, lists: impl Iterator<Item = &'c [Certificate]>) {
        let mut answers = self.0.borrow_mut();
        answers.places.clear();
        let found: Vec<_> = lists.map(|list| (place_of(list), answers.class(list))).collect();
        answers.places.extend(found);
    }
}

impl Rules<'_> {
    /// As a clock judges that is so far ahead of ours.
    pub(super) fn by_clock(self, ahead: SignedDuration) -> Self {
        Rules { now: self.now.checked_add(ahead).unwrap_or(self.now), ..self }
    }

    /// Whether a verifier with this trust accepts the chain in this role, names aside.
    pub(super) fn peer(self, presented: &[Certificate], trust: &[Certificate], role: Role) -> Grpc {
        let asked = {
            let mut answers = self.known.0.borrow_mut();
            let profile = answers.profile(self.profile);
            let key = (self.now, profile, answers.class(presented), answers.class(trust), role);
            if let Some(verdict) = answers.peers.get(&key) {
                return verdict.clone();
            }
            key
        };
        let case = verdict::Case { presented, trust, name: None, role, now: self.now, profile: self.profile };
        let verdict = verdict::peer(case);
        self.known.0.borrow_mut().peers.insert(asked, verdict.clone());
        verdict
    }

    /// What `judge` says of the leaf of a chain that is dialled at this address.
    pub(super) fn named(self, chain: &[Certificate], address: &Address, judge: impl FnOnce() -> Grpc) -> Grpc {
        let asked = {
            let mut answers = self.known.0.borrow_mut();
            let key = (answers.profile(self.profile), answers.class(chain));
            if let Some(verdict) = answers.names.get(&key).and_then(|of| of.get(address)) {
                return verdict.clone();
            }
            key
        };
        let verdict = judge();
        self.known.0.borrow_mut().names.entry(asked).or_default().insert(address.clone(), verdict.clone());
        verdict
    }
}

impl Answers {
    fn profile(&mut self, profile: Profile) -> usize {
        self.profiles.iter().position(|known| *known == profile).unwrap_or_else(|| {
            self.profiles.push(profile);
            self.profiles.len() - 1
        })
    }

    fn class(&mut self, list: &[Certificate]) -> Class {
        if let Some(class) = self.places.get(&place_of(list)) {
            return *class;
        }
        let hashes: Vec<String> = list.iter().map(|certificate| certificate.sha256.clone()).collect();
        let same = self.classes.entry(hashes).or_default();
        if let Some((_, class)) = same.iter().find(|(known, _)| known == list) {
            return *class;
        }
        self.count += 1;
        same.push((list.to_vec(), self.count));
        self.count
    }
}

fn place_of(list: &[Certificate]) -> (usize, usize) {
    (list.as_ptr().addr(), list.len())
}
