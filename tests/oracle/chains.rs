//! Random PKI: who signed whom, who is trusted, what is presented. [`crate::faults`] then spoils some of it.

use crate::certificate::{Dn, Facts};
use crate::extensions::{
    self, CERT_SIGN, CLIENT_AUTH, CRL_SIGN, DIGITAL_SIGNATURE, KEY_ENCIPHERMENT, Name, SERVER_AUTH,
};
use crate::keys::{Key, Kind};
use crate::situations::{Draw, Drawn, days, version_3};
use crate::{faults, pem};

/// A certificate of a PKI that is not yet written.
#[derive(Clone)]
pub(crate) struct Planned {
    /// For people: `root`, `leaf`.
    pub(crate) label: String,
    pub(crate) facts: Facts,
    pub(crate) key: KeyRef,
    pub(crate) signer: KeyRef,
}

/// A key of the pool.
pub(crate) type KeyRef = (Kind, usize);

/// Certificates by their place in `all`.
pub(crate) struct Pki {
    pub(crate) all: Vec<Planned>,
    /// Leaf first.
    pub(crate) presented: Vec<usize>,
    pub(crate) trusted: Vec<usize>,
    /// The dialled host.
    pub(crate) name: String,
    /// What was done to it.
    pub(crate) notes: Vec<String>,
}

pub(crate) const HOST: &str = "node1.ray.local";

/// A root, up to three intermediates, a leaf.
pub(crate) fn plain(draw: &mut Draw<'_>) -> Drawn {
    let pki = ladder(draw);
    finish(draw, pki)
}

/// Several trusted CAs of one name, one of which issued the leaf.
pub(crate) fn namesakes(draw: &mut Draw<'_>) -> Drawn {
    let mut pki = ladder(draw);
    let many = draw.rng.chance(30);
    let count = if many { 2 + draw.rng.below(19) } else { 1 + draw.rng.below(3) };
    let original = *draw.rng.pick(&pki.all.iter().enumerate().skip(1).map(|(at, _)| at).collect::<Vec<_>>());
    let all_alike = draw.rng.chance(50);
    for number in 0..count {
        let mut other = pki.all[original].clone();
        other.label = format!("namesake{number}");
        other.key = key(draw, 4 + number);
        if other.facts.issuer == other.facts.subject {
            other.signer = other.key;
        }
        other.facts.spki = draw.key(other.key).spki.clone();
        other.facts.serial = vec![0x40, u8::try_from(number).unwrap_or(0)];
        if !all_alike || other.facts.extensions.iter().any(|found| found.oid == extensions::SUBJECT_KEY_ID) {
            identify(draw, &mut other);
        }
        pki.all.push(other);
        let at = pki.all.len() - 1;
        if draw.rng.chance(85) {
            insert(draw, &mut pki.trusted, at, 0);
        } else {
            insert(draw, &mut pki.presented, at, 1);
        }
    }
    if all_alike {
        // Nothing tells them apart.
        pki.all.iter_mut().for_each(|planned| planned.facts.drop(extensions::AUTHORITY_KEY_ID));
    }
    finish(draw, pki)
}

/// A CA issued again: same key or another, beside the old one, which may have expired.
pub(crate) fn renewed(draw: &mut Draw<'_>) -> Drawn {
    let mut pki = ladder(draw);
    for number in 0..1 + draw.rng.below(2) {
        let original = 1 + draw.rng.below(pki.all.len() - 1);
        let mut other = pki.all[original].clone();
        other.label = format!("{} renewed{number}", other.label);
        other.facts.serial = vec![0x50, u8::try_from(number).unwrap_or(0)];
        if draw.rng.chance(25) {
            other.key = key(draw, 12 + number);
            other.facts.spki = draw.key(other.key).spki.clone();
        }
        if other.facts.issuer == other.facts.subject {
            other.signer = other.key;
        }
        if draw.rng.chance(40) {
            identify(draw, &mut other);
        }
        let expired = draw.rng.chance(55);
        let old = if draw.rng.chance(50) { &mut other } else { &mut pki.all[original] };
        if expired {
            old.facts.not_before = days(draw.now, -900);
            old.facts.not_after = days(draw.now, -30);
            old.label += " expired";
        }
        pki.all.push(other);
        let at = pki.all.len() - 1;
        let trusts_original = pki.trusted.contains(&original);
        if trusts_original && draw.rng.chance(85) || draw.rng.chance(20) {
            insert(draw, &mut pki.trusted, at, 0);
        } else {
            insert(draw, &mut pki.presented, at, 1);
        }
    }
    finish(draw, pki)
}

/// A CA of the path also signed by another root, which is trusted instead or too.
pub(crate) fn crossed(draw: &mut Draw<'_>) -> Drawn {
    let mut pki = ladder(draw);
    let own = key(draw, 10);
    let other_root = ca(draw, "other-root", &Dn::new("Ray", "Other Root"), own, None);
    let crossed = 1 + draw.rng.below(pki.all.len() - 1);
    let mut cross = pki.all[crossed].clone();
    cross.label += " crossed";
    cross.facts.issuer = other_root.facts.subject.clone();
    cross.facts.serial = vec![0x60];
    cross.signer = other_root.key;
    authority(draw, &mut cross, &other_root);
    pki.all.extend([other_root, cross]);
    let (root, cross) = (pki.all.len() - 2, pki.all.len() - 1);
    insert(draw, &mut pki.presented, cross, 1);
    match draw.rng.below(4) {
        0 => pki.trusted = vec![root],
        1 => insert(draw, &mut pki.trusted, root, 0),
        2 => pki.trusted = vec![root, cross],
        _ => {}
    }
    finish(draw, pki)
}

/// A leaf that signed itself.
pub(crate) fn self_signed(draw: &mut Draw<'_>) -> Drawn {
    let mut pki = ladder(draw);
    let mut own = pki.all[0].clone();
    own.label = "self-signed leaf".into();
    own.facts.issuer = own.facts.subject.clone();
    own.signer = own.key;
    own.facts.serial = vec![0x70];
    own.facts.drop(extensions::AUTHORITY_KEY_ID);
    if draw.rng.chance(50) {
        own.facts.set(extensions::basic_constraints(draw.rng.chance(60), None));
    }
    if draw.rng.chance(30) {
        own.facts.set(extensions::key_usage(DIGITAL_SIGNATURE | if draw.rng.chance(50) { CERT_SIGN } else { 0 }));
    }
    if draw.rng.chance(40) {
        let issuer = own.clone();
        authority(draw, &mut own, &issuer);
    }
    let mut again = own.clone();
    again.facts.serial = vec![0x71];
    again.label += " again";
    if draw.rng.chance(40) {
        again.key = key(draw, 16);
        again.signer = again.key;
        again.facts.spki = draw.key(again.key).spki.clone();
    }
    pki.all.extend([own, again]);
    let (own, again) = (pki.all.len() - 2, pki.all.len() - 1);
    pki.presented[0] = own;
    if draw.rng.chance(60) {
        pki.presented.truncate(1);
    }
    let trusts = draw.rng.chance(70);
    if trusts {
        insert(draw, &mut pki.trusted, own, 0);
    }
    if !trusts || draw.rng.chance(25) {
        insert(draw, &mut pki.trusted, again, 0);
    }
    finish(draw, pki)
}

/// The very leaf, or its intermediate, is in the trust file.
pub(crate) fn trusted_leaf(draw: &mut Draw<'_>) -> Drawn {
    let mut pki = ladder(draw);
    if draw.rng.chance(60) {
        pki.trusted.clear();
    }
    let trusted = if draw.rng.chance(70) { 0 } else { draw.rng.below(pki.all.len()) };
    insert(draw, &mut pki.trusted, trusted, 0);
    if draw.rng.chance(50) {
        pki.presented.truncate(1);
    }
    finish(draw, pki)
}

/// Few names, few keys and few key ids, put together at random.
pub(crate) fn tangle(draw: &mut Draw<'_>) -> Drawn {
    let names = [Dn::new("Ray", "A"), Dn::new("Ray", "B"), Dn::new("Ray", "C")];
    let names = &names[..2 + draw.rng.below(2)];
    let mut pki =
        Pki { all: Vec::new(), presented: vec![0], trusted: Vec::new(), name: HOST.into(), notes: Vec::new() };
    pki.all.push(leaf(draw, &names[0].clone(), (Kind::P256, 20)));
    for number in 0..2 + draw.rng.below(5) {
        let subject = draw.rng.pick(names).clone();
        let own = (Kind::P256, 20 + draw.rng.below(3));
        let mut made = ca(draw, &format!("ca{number}"), &subject, own, None);
        made.facts.serial =
            vec![0x30 + u8::try_from(draw.rng.below(3)).unwrap_or(0), u8::try_from(number).unwrap_or(0)];
        if draw.rng.chance(10) {
            made.facts.not_after = days(draw.now, -40);
            made.label += " expired";
        }
        pki.all.push(made);
    }
    for at in 0..pki.all.len() {
        let issuer = if draw.rng.chance(25) { at } else { 1 + draw.rng.below(pki.all.len() - 1) };
        let issuer = if at == 0 { issuer.max(1) } else { issuer };
        let from = pki.all[issuer].clone();
        let planned = &mut pki.all[at];
        planned.facts.issuer = from.facts.subject.clone();
        planned.signer = if draw.rng.chance(90) { from.key } else { (Kind::P256, 20 + draw.rng.below(3)) };
        planned.facts.drop(extensions::AUTHORITY_KEY_ID);
        if draw.rng.chance(40) {
            authority(draw, planned, &from);
        }
        planned.label += &format!(" by {}", from.label.split(' ').next().unwrap_or_default());
    }
    for at in 1..pki.all.len() {
        if draw.rng.chance(55) {
            insert(draw, &mut pki.trusted, at, 0);
        }
        if draw.rng.chance(45) {
            insert(draw, &mut pki.presented, at, 1);
        }
    }
    if pki.trusted.is_empty() {
        pki.trusted.push(1);
    }
    finish(draw, pki)
}

/// `all[0]` is the leaf, the last one the root, which is trusted; what is between is presented.
fn ladder(draw: &mut Draw<'_>) -> Pki {
    let height = *draw.rng.weighted(&[(45, 0), (35, 1), (15, 2), (5, 3)]);
    let number = draw.rng.below(2);
    let root_key = key(draw, number);
    let mut all = vec![ca(draw, "root", &Dn::new("Ray", "Ray Root"), root_key, None)];
    for number in 0..height {
        let issuer = all[0].clone();
        let name = if draw.rng.chance(6) {
            issuer.facts.subject.clone()
        } else {
            Dn::new("Ray", &format!("Ray Sub {number}"))
        };
        let own = key(draw, 2 + number);
        all.insert(0, ca(draw, &format!("sub{number}"), &name, own, Some(&issuer)));
    }
    let issuer = all[0].clone();
    let own = leaf_key(draw);
    let mut made = leaf(draw, &issuer.facts.subject, own);
    made.signer = issuer.key;
    if draw.rng.chance(65) {
        authority(draw, &mut made, &issuer);
    }
    all.insert(0, made);
    let root = all.len() - 1;
    Pki { presented: (0..root).collect(), trusted: vec![root], all, name: HOST.into(), notes: Vec::new() }
}

fn key(draw: &mut Draw<'_>, number: usize) -> KeyRef {
    (
        *draw.rng.weighted(&[
            (80, Kind::P256),
            (8, Kind::P384),
            (6, Kind::Rsa2048),
            (3, Kind::P521),
            (3, Kind::Ed25519),
        ]),
        number,
    )
}

fn leaf_key(draw: &mut Draw<'_>) -> KeyRef {
    (
        *draw.rng.weighted(&[
            (78, Kind::P256),
            (8, Kind::P384),
            (12, Kind::Rsa2048),
            (1, Kind::P521),
            (1, Kind::Ed25519),
        ]),
        8,
    )
}

/// A CA as one may be, in good order; without an issuer it signs itself.
fn ca(draw: &mut Draw<'_>, label: &str, subject: &Dn, own: KeyRef, issuer: Option<&Planned>) -> Planned {
    let issuer_name = issuer.map_or(subject, |issuer| &issuer.facts.subject);
    let issuer_name = if draw.rng.chance(6) { issuer_name.respelled() } else { issuer_name.clone() };
    let mut facts = version_3(&issuer_name, subject, draw.key(own), draw.now);
    facts.serial = serial(draw);
    let constraints = extensions::basic_constraints(true, draw.rng.chance(12).then_some(3));
    facts.extensions.push(constraints);
    if draw.rng.chance(60) {
        let more = *draw.rng.pick(&[0, CRL_SIGN, CRL_SIGN | DIGITAL_SIGNATURE]);
        facts.extensions.push(extensions::key_usage(CERT_SIGN | more));
    }
    if draw.rng.chance(8) {
        facts.extensions.push(extensions::ext_key_usage(&[CLIENT_AUTH, SERVER_AUTH]));
    }
    let mut planned = Planned { label: label.into(), facts, key: own, signer: issuer.map_or(own, |issuer| issuer.key) };
    if draw.rng.chance(70) {
        identify(draw, &mut planned);
    }
    if draw.rng.chance(50) {
        let issuer = issuer.cloned().unwrap_or_else(|| planned.clone());
        authority(draw, &mut planned, &issuer);
    }
    planned
}

/// A leaf for [`HOST`] as one may be, in good order; who signs it is left open.
fn leaf(draw: &mut Draw<'_>, issuer: &Dn, own: KeyRef) -> Planned {
    let issuer = if draw.rng.chance(6) { issuer.respelled() } else { issuer.clone() };
    let mut facts = version_3(&issuer, &Dn::new("Ray", "ray-head"), draw.key(own), draw.now);
    facts.serial = serial(draw);
    let names = [Name::Dns(HOST.into()), Name::Dns("ray-head".into()), Name::Ip(vec![10, 0, 0, 5])];
    facts.extensions.push(extensions::subject_alt_name(&names[..1 + draw.rng.below(3)]));
    if draw.rng.chance(50) {
        let more = *draw.rng.pick(&[0, KEY_ENCIPHERMENT]);
        facts.extensions.push(extensions::key_usage(DIGITAL_SIGNATURE | more));
    }
    if draw.rng.chance(60) {
        facts.extensions.push(extensions::ext_key_usage(&[SERVER_AUTH, CLIENT_AUTH]));
    }
    if draw.rng.chance(30) {
        facts.extensions.push(extensions::basic_constraints(false, None));
    }
    let mut planned = Planned { label: "leaf".into(), facts, key: own, signer: own };
    if draw.rng.chance(40) {
        identify(draw, &mut planned);
    }
    planned
}

fn serial(draw: &mut Draw<'_>) -> Vec<u8> {
    let length = *draw.rng.pick(&[1, 2, 8, 20]);
    let mut octets = vec![1 + u8::try_from(draw.rng.below(100)).unwrap_or(0)];
    octets.extend((1..length).map(|_| u8::try_from(draw.rng.below(256)).unwrap_or(0)));
    octets
}

/// Gives it the key id of its key.
fn identify(draw: &mut Draw<'_>, planned: &mut Planned) {
    let id = key_id(draw.key(planned.key));
    planned.facts.set(extensions::subject_key_id(&id));
}

/// Names the issuer by key id, mostly by the one it has; now and then also or only by name and serial number.
fn authority(draw: &mut Draw<'_>, planned: &mut Planned, issuer: &Planned) {
    let id = key_id(draw.key(issuer.key));
    let certificate = (&issuer.facts.issuer, issuer.facts.serial.as_slice());
    planned.facts.set(match draw.rng.below(10) {
        0 => extensions::authority_key_id(Some(&id), Some(certificate)),
        1 => extensions::authority_key_id(None, Some(certificate)),
        _ => extensions::authority_key_id(Some(&id), None),
    });
}

/// Any 20 octets of the key do.
pub(crate) fn key_id(key: &Key) -> Vec<u8> {
    key.spki[key.spki.len() - 20..].to_vec()
}

/// Somewhere from `first` on.
pub(crate) fn insert(draw: &mut Draw<'_>, list: &mut Vec<usize>, at: usize, first: usize) {
    let place = first + draw.rng.below(list.len() + 1 - first);
    list.insert(place, at);
}

/// Lets some faults in, and writes it all.
fn finish(draw: &mut Draw<'_>, mut pki: Pki) -> Drawn {
    let faults = *draw.rng.weighted(&[(50, 0), (35, 1), (12, 2), (3, 3)]);
    for _ in 0..faults {
        faults::spoil(draw, &mut pki);
    }
    let ders = pki.all.iter().map(|planned| planned.facts.write(draw.key(planned.signer))).collect::<Vec<_>>();
    let labels = |list: &[usize]| list.iter().map(|at| pki.all[*at].label.as_str()).collect::<Vec<_>>().join(", ");
    Drawn {
        description: format!(
            "presented: {}; trusted: {}; {}",
            labels(&pki.presented),
            labels(&pki.trusted),
            pki.notes.join("; ")
        ),
        chain_pem: pem::certificates(pki.presented.iter().map(|at| &ders[*at])),
        key_pem: draw.key(pki.all[pki.presented[0]].key).pem(),
        ca_pem: pem::certificates(pki.trusted.iter().map(|at| &ders[*at])),
        name: pki.name,
    }
}
