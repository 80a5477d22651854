//! What may be wrong with a PKI, one thing at a time; much of it does no harm, depending on where it strikes.

use crate::certificate::{Attribute, COMMON_NAME, Dn, EMAIL_ADDRESS, Extension, Time};
use crate::chains::{HOST, Pki, insert};
use crate::der::{IA5_STRING, NULL, SEQUENCE, UTF8_STRING, wrap};
use crate::extensions::{
    self, ANY_PURPOSE, AUTHORITY_INFO, CERT_SIGN, CLIENT_AUTH, CODE_SIGNING, CRL_SIGN, DIGITAL_SIGNATURE,
    KEY_ENCIPHERMENT, Name, SERVER_AUTH,
};
use crate::keys::Kind;
use crate::situations::{Draw, days};

/// The number is the place of a certificate in [`Pki::all`].
type Fault = fn(&mut Draw<'_>, &mut Pki, usize);

/// Weight, name, function.
const FAULTS: [(usize, (&str, Fault)); 20] = [
    (8, ("dates", dates)),
    (6, ("basicConstraints", basic_constraints)),
    (6, ("keyUsage", key_usage)),
    (7, ("extKeyUsage", ext_key_usage)),
    (5, ("critical extension", critical)),
    (2, ("nsCertType", netscape_type)),
    (5, ("policies", policies)),
    (12, ("nameConstraints", name_constraints)),
    (6, ("repeated extension", repeated)),
    (5, ("malformed extension", malformed)),
    (4, ("version", version)),
    (6, ("authority key id", authority_key_id)),
    (4, ("subject key id", subject_key_id)),
    (3, ("spoiled signature", spoiled)),
    (3, ("another signer", signer)),
    (4, ("another name", dn)),
    (6, ("presented chain", presented)),
    (6, ("trust file", trusted)),
    (4, ("order of extensions", order)),
    (4, ("dialled name", name)),
];

/// Does one thing to one certificate, mostly one that is presented or trusted.
pub(crate) fn spoil(draw: &mut Draw<'_>, pki: &mut Pki) {
    let (what, function) = *draw.rng.weighted(&FAULTS);
    let used = pki.presented.iter().chain(&pki.trusted).copied().collect::<Vec<_>>();
    let at = *draw.rng.pick(&used);
    function(draw, pki, at);
    pki.notes.push(format!("{what} of {}", pki.all[at].label));
}

fn dates(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let facts = &mut pki.all[at].facts;
    let far = 3 + i64::try_from(draw.rng.below(500)).unwrap_or(0);
    match draw.rng.below(5) {
        0 | 1 => {
            facts.not_before = days(draw.now, -far - 400);
            facts.not_after = days(draw.now, -far);
        }
        2 => {
            facts.not_before = days(draw.now, far);
            facts.not_after = days(draw.now, far + 400);
        }
        3 => facts.not_after = Time { tag: crate::der::GENERALIZED_TIME, text: "99991231235959Z".into() },
        _ => {
            let start = draw.now - jiff::SignedDuration::from_hours(24 * far);
            facts.not_before = Time::generalized(start);
        }
    }
}

fn basic_constraints(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let facts = &mut pki.all[at].facts;
    match draw.rng.below(5) {
        0 => facts.drop(extensions::BASIC_CONSTRAINTS),
        1 => facts.set(extensions::basic_constraints(false, None)),
        2 => facts.set(extensions::basic_constraints(false, Some(0))),
        3 => facts.set(extensions::basic_constraints(true, Some(0))),
        _ => facts.set(extensions::basic_constraints(true, Some(1))),
    }
}

fn key_usage(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let bits = [0, CRL_SIGN, CERT_SIGN, DIGITAL_SIGNATURE, KEY_ENCIPHERMENT, DIGITAL_SIGNATURE | CERT_SIGN];
    let usage = extensions::key_usage(*draw.rng.pick(&bits));
    pki.all[at].facts.set(usage);
}

fn ext_key_usage(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let purposes: [&[&str]; 8] = [
        &[SERVER_AUTH],
        &[CLIENT_AUTH],
        &[ANY_PURPOSE],
        &[CODE_SIGNING],
        &[],
        &[SERVER_AUTH, ANY_PURPOSE],
        &[CODE_SIGNING, CLIENT_AUTH],
        &[SERVER_AUTH, SERVER_AUTH, CLIENT_AUTH],
    ];
    let purposes: &[&str] = purposes[draw.rng.below(purposes.len())];
    let usage = extensions::ext_key_usage(purposes);
    let usage = if draw.rng.chance(20) { usage.critical() } else { usage };
    pki.all[at].facts.set(usage);
}

fn critical(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let facts = &mut pki.all[at].facts;
    if draw.rng.chance(40) && !facts.extensions.is_empty() {
        // One that it has, made critical or not.
        let place = draw.rng.below(facts.extensions.len());
        let extension = &mut facts.extensions[place];
        extension.critical = if extension.critical.is_empty() { wrap(1, &[0xff]) } else { Vec::new() };
        return;
    }
    let oid = *draw.rng.pick(&["1.2.3.4", AUTHORITY_INFO, "1.3.6.1.4.1.11129.2.4.3", "2.5.29.9"]);
    let extension = Extension::new(oid, wrap(NULL, &[]));
    facts.set(if draw.rng.chance(80) { extension.critical() } else { extension });
}

fn netscape_type(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let kind = extensions::netscape_type(*draw.rng.pick(&[0x80, 0x40, 0xc0, 0x20, 0x04, 0x07]));
    pki.all[at].facts.set(kind);
}

fn policies(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let facts = &mut pki.all[at].facts;
    let lists: [&[&str]; 6] = [&["1.2.3"], &["1.2.4"], &["1.2.3", "1.2.4"], &["2.5.29.32.0"], &["1.2.3", "1.2.3"], &[]];
    match draw.rng.below(5) {
        0 | 1 => facts.set(extensions::policies(lists[draw.rng.below(lists.len())])),
        2 => facts.set(extensions::require_explicit_policy(u8::try_from(draw.rng.below(3)).unwrap_or(0))),
        3 => facts.set(extensions::inhibit_any_policy(u8::try_from(draw.rng.below(2)).unwrap_or(0))),
        _ => {
            // A policy that everyone names, and one that somebody requires.
            let policies = extensions::policies(lists[0]);
            facts.set(extensions::require_explicit_policy(0));
            pki.all.iter_mut().for_each(|planned| planned.facts.set(policies.clone()));
        }
    }
}

/// On a CA, with a name of the leaf that may meet them.
fn name_constraints(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let leaf = pki.presented[0];
    let dns =
        ["ray.local", ".ray.local", "node1.ray.local", "other.local", "", "LOCAL", ".local", "1.ray.local", "ray-head"];
    let emails = ["ray@ray.local", "ray.local", ".local", "RAY.LOCAL", "other@ray.local"];
    let uris = ["ray.local", ".local", "node1.ray.local", "other"];
    let (base, of_leaf) = match draw.rng.below(10) {
        0..=4 => (Name::Dns((*draw.rng.pick(&dns)).into()), None),
        5 => (
            Name::Email((*draw.rng.pick(&emails)).into()),
            Some(Name::Email((*draw.rng.pick(&["ray@ray.local", "Ray@sub.ray.local", "ray@other"])).into())),
        ),
        6 => (
            Name::Uri((*draw.rng.pick(&uris)).into()),
            Some(Name::Uri((*draw.rng.pick(&["spiffe://ray.local/a", "https://node1.ray.local:80/", "urn:x"])).into())),
        ),
        7 => (Name::Ip(vec![10, 0, 0, 0, 255, 0, 0, 0]), draw.rng.chance(60).then(|| Name::Ip(vec![10, 0, 0, 7]))),
        _ => {
            let all = [
                Dn(Vec::new()),
                Dn(Dn::new("Ray", "x").0[..1].to_vec()),
                Dn::new("RAY", "ray-head"),
                Dn::new("x", "y"),
            ];
            let of_leaf = draw.rng.chance(40).then(|| Name::Directory(draw.rng.pick(&all).clone()));
            (Name::Directory(draw.rng.pick(&all).clone()), of_leaf)
        }
    };
    let more = Name::Dns((*draw.rng.pick(&dns)).into());
    let constraints = match draw.rng.below(4) {
        0 | 1 => extensions::name_constraints(&[base], &[]),
        2 => extensions::name_constraints(&[], &[base]),
        _ => extensions::name_constraints(&[base], &[more]),
    };
    if at != leaf || draw.rng.chance(10) {
        pki.all[at].facts.set(constraints);
    } else if let Some(top) = pki.trusted.first() {
        pki.all[*top].facts.set(constraints);
    }
    let facts = &mut pki.all[leaf].facts;
    match draw.rng.below(8) {
        0 => facts.drop(extensions::SUBJECT_ALT_NAME),
        1 => facts.set(extensions::subject_alt_name(&[Name::Dns("*.ray.local".into())])),
        _ => {
            let mut names = vec![Name::Dns(HOST.into())];
            names.extend(of_leaf);
            facts.set(extensions::subject_alt_name(&names));
        }
    }
    if draw.rng.chance(10) {
        let (oid, tag, value) = match draw.rng.below(3) {
            0 => (EMAIL_ADDRESS, IA5_STRING, "ray@ray.local"),
            1 => (EMAIL_ADDRESS, UTF8_STRING, "ray@ray.local"),
            _ => (COMMON_NAME, UTF8_STRING, "not dns like"),
        };
        facts.subject.0.push(vec![Attribute { oid, tag, value: value.into() }]);
    }
}

fn repeated(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let facts = &mut pki.all[at].facts;
    if draw.rng.chance(20) {
        let unknown = Extension::new("1.2.3.5", wrap(NULL, &[]));
        facts.extensions.extend([unknown.clone(), unknown]);
    } else if !facts.extensions.is_empty() {
        let again = draw.rng.pick(&facts.extensions).clone();
        facts.extensions.push(again);
    }
}

fn malformed(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let facts = &mut pki.all[at].facts;
    let known = [
        extensions::SUBJECT_KEY_ID,
        extensions::KEY_USAGE,
        extensions::SUBJECT_ALT_NAME,
        extensions::BASIC_CONSTRAINTS,
        extensions::NAME_CONSTRAINTS,
        extensions::POLICIES,
        extensions::AUTHORITY_KEY_ID,
        extensions::EXT_KEY_USAGE,
        AUTHORITY_INFO,
    ];
    let oid = *draw.rng.pick(&known);
    let value = draw.rng.pick(&[wrap(NULL, &[]), wrap(SEQUENCE, &[5]), Vec::new()]).clone();
    facts.set(Extension::new(oid, value));
}

fn version(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let facts = &mut pki.all[at].facts;
    facts.version = *draw.rng.pick(&[None, None, Some(1)]);
    if draw.rng.chance(85) {
        facts.extensions.clear();
    }
    if draw.rng.chance(30) {
        facts.subject.0.last_mut().into_iter().flatten().for_each(|attribute| attribute.value = HOST.into());
    }
}

fn authority_key_id(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let issuer = draw.rng.below(pki.all.len());
    let (name, serial) = (pki.all[issuer].facts.issuer.clone(), pki.all[issuer].facts.serial.clone());
    let facts = &mut pki.all[at].facts;
    facts.set(match draw.rng.below(5) {
        0 => return facts.drop(extensions::AUTHORITY_KEY_ID),
        1 => extensions::authority_key_id(Some(b"another key"), None),
        2 => extensions::authority_key_id(None, Some((&name, &serial))),
        3 => extensions::authority_key_id(None, Some((&name.respelled(), &[9]))),
        _ => extensions::authority_key_id(None, None),
    });
}

fn subject_key_id(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let facts = &mut pki.all[at].facts;
    match draw.rng.below(3) {
        0 => facts.drop(extensions::SUBJECT_KEY_ID),
        1 => facts.set(extensions::subject_key_id(b"another key")),
        _ => facts.set(extensions::subject_key_id(&[])),
    }
}

fn spoiled(_: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    pki.all[at].facts.is_spoiled = true;
}

fn signer(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    pki.all[at].signer = (*draw.rng.pick(&[Kind::P256, Kind::P384, Kind::Rsa2048, Kind::Ed25519]), 23);
}

fn dn(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    let facts = &mut pki.all[at].facts;
    match draw.rng.below(5) {
        0 => facts.issuer = Dn::new("Ray", "Nobody"),
        1 => facts.issuer = facts.issuer.respelled(),
        2 => facts.subject = facts.subject.respelled(),
        3 => facts.issuer.0.reverse(),
        _ => facts.subject = Dn(Vec::new()),
    }
}

fn presented(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    match draw.rng.below(5) {
        0 if pki.presented.len() > 1 => _ = pki.presented.remove(1),
        1 => draw.rng.shuffle(&mut pki.presented[1..]),
        2 => pki.presented.push(at),
        3 => pki.presented.extend(pki.trusted.clone()),
        _ => {
            let extra = draw.rng.below(pki.all.len());
            insert(draw, &mut pki.presented, extra, 1);
        }
    }
}

fn trusted(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    match draw.rng.below(5) {
        0 if pki.trusted.len() > 1 => _ = pki.trusted.remove(0),
        1 => draw.rng.shuffle(&mut pki.trusted),
        2 => pki.trusted.insert(0, at),
        3 => pki.trusted.push(at),
        _ => pki.trusted.reverse(),
    }
}

fn order(draw: &mut Draw<'_>, pki: &mut Pki, at: usize) {
    draw.rng.shuffle(&mut pki.all[at].facts.extensions);
}

fn name(draw: &mut Draw<'_>, pki: &mut Pki, _: usize) {
    pki.name =
        (*draw.rng.pick(&["other.ray.local", "NODE1.ray.LOCAL", "node1.ray.local.", "10.0.0.5", "ray-head"])).into();
}
