//! Certificates as no CA should write them: one of a PKI in good order is odd, at any place of its DER.

use jiff::{SignedDuration, Timestamp};

use crate::certificate::{Attribute, COMMON_NAME, Dn, Facts, Time};
use crate::der::{
    BIT_STRING, BOOLEAN, GENERALIZED_TIME, IA5_STRING, INTEGER, NULL, SEQUENCE, UTC_TIME, UTF8_STRING, oid, sequence,
    wrap,
};
use crate::extensions::{self, Extension};
use crate::odd_extensions;
use crate::pem;
use crate::scene::Scene;
use crate::situations::{Draw, Drawn, days};
use crate::tree::Node;

type Oddity = fn(&mut Draw<'_>, &mut Facts);

const ODDITIES: [(usize, (&str, Oddity)); 10] = [
    (4, ("serial", serial)),
    (5, ("version", version)),
    (10, ("time", time)),
    (10, ("name", name)),
    (4, ("unique ids", unique_ids)),
    (5, ("algorithms", algorithms)),
    (6, ("public key", public_key)),
    (6, ("critical flag", critical)),
    (8, ("repeated extension", repeated)),
    (42, ("extension", odd_extensions::odd)),
];

/// One odd certificate, mostly one that is needed.
pub(crate) fn odd(draw: &mut Draw<'_>) -> Drawn {
    let mut scene = Scene::new(draw);
    let at = if draw.rng.chance(45) { 0 } else { draw.rng.below(scene.all.len()) };
    let is_extra = draw.rng.chance(12);
    let mut facts = scene.all[at].0.clone();
    let signer = draw.key(scene.signer(at));
    let mut what = String::new();
    let in_tree = draw.rng.chance(35);
    if !in_tree {
        let (name, function) = *draw.rng.weighted(&ODDITIES);
        what += name;
        function(draw, &mut facts);
    }
    // Those it issued, itself perhaps included, follow its name.
    let is_root = at + 1 == scene.all.len();
    if !is_extra && facts.subject != scene.all[at].0.subject && draw.rng.chance(85) {
        if is_root {
            facts.issuer = facts.subject.clone();
        }
        if at > 0 {
            scene.all[at - 1].0.issuer = facts.subject.clone();
        }
    }
    let mut tbs = facts.to_be_signed(signer);
    if in_tree {
        tbs = in_some_element(draw, &tbs, &mut what);
    } else if draw.rng.chance(6) {
        tbs = around(draw, &tbs, &mut what);
    }
    let mut der = facts.seal(&tbs, signer);
    if draw.rng.chance(6) {
        der = behind(draw, der, &mut what);
    }
    let mut ders = scene.ders(draw);
    let place = ["leaf", "CA", "root"][if is_root { 2 } else { at.min(1) }];
    if !is_extra {
        ders[at] = der;
        return scene.drawn(draw, &ders, format!("{place}: {what}"));
    }
    let mut drawn = scene.drawn(draw, &ders, format!("a {place} more: {what}"));
    let extra = pem::certificates([&der]);
    match draw.rng.below(3) {
        0 => drawn.chain_pem += &extra,
        1 => drawn.ca_pem += &extra,
        _ => drawn.ca_pem = extra + &drawn.ca_pem,
    }
    drawn
}

fn in_some_element(draw: &mut Draw<'_>, tbs: &[u8], what: &mut String) -> Vec<u8> {
    let Some(mut tree) = Node::read(tbs) else { return tbs.to_vec() };
    for _ in 0..*draw.rng.weighted(&[(85, 1), (15, 2)]) {
        *what += &format!("{}; ", tree.spoil(&mut draw.rng));
    }
    tree.write()
}

/// At the end of what is signed.
fn around(draw: &mut Draw<'_>, tbs: &[u8], what: &mut String) -> Vec<u8> {
    let Some(start) = tbs.len().checked_sub(content(tbs).len()) else { return tbs.to_vec() };
    let more: [&[u8]; 4] = [&[5, 0], &[0], &[0xa3, 2, 0x30, 0], &[0xa4, 0]];
    let more = *draw.rng.pick(&more);
    *what += &format!("; {more:02x?} at the end of what is signed");
    wrap(SEQUENCE, &[&tbs[start..], more].concat())
}

fn behind(draw: &mut Draw<'_>, der: Vec<u8>, what: &mut String) -> Vec<u8> {
    let start = der.len() - content(&der).len();
    let mut outer = der[start..].to_vec();
    match draw.rng.below(4) {
        0 => {
            *what += "; a NULL inside behind the signature";
            outer.extend([5, 0]);
            wrap(SEQUENCE, &outer)
        }
        1 => {
            *what += "; an octet behind the certificate";
            [der, vec![0]].concat()
        }
        2 => {
            *what += "; a NULL behind the certificate";
            [der, vec![5, 0]].concat()
        }
        _ => {
            *what += "; another count of unused bits in the signature";
            let count = *draw.rng.pick(&[1, 3, 7, 8]);
            // The signature is the last element, of fewer than 128 octets.
            let at = outer.windows(2).rposition(|part| part == [0, 0x30]).unwrap_or(0);
            outer[at] = count;
            wrap(SEQUENCE, &outer)
        }
    }
}

fn content(der: &[u8]) -> &[u8] {
    match der[1] {
        short @ 0..=0x7f => &der[der.len() - usize::from(short)..],
        long => &der[2 + usize::from(long & 0x7f)..],
    }
}

fn serial(draw: &mut Draw<'_>, facts: &mut Facts) {
    let all: [&[u8]; 10] =
        [&[0], &[0xff], &[0x80], &[0, 1], &[0, 0x80], &[0xff, 0x80], &[0xff, 0x7f], &[], &[0x7f; 40], &[0x7f; 200]];
    facts.serial = draw.rng.pick::<&[u8]>(&all).to_vec();
}

fn version(draw: &mut Draw<'_>, facts: &mut Facts) {
    facts.version = *draw.rng.pick(&[None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(0x7f), Some(0x80)]);
    if draw.rng.chance(65) {
        facts.extensions.clear();
    }
    if draw.rng.chance(50) {
        facts.subject = Dn::new("Ray", crate::chains::HOST);
    }
}

fn time(draw: &mut Draw<'_>, facts: &mut Facts) {
    let now = draw.now;
    let hours = |hours: i64| now + SignedDuration::from_hours(hours);
    let utc =
        |time: Timestamp, end: &str| Time { tag: UTC_TIME, text: format!("{}{end}", time.strftime("%y%m%d%H%M%S")) };
    let raw = |tag: u8, text: &str| Time { tag, text: text.into() };
    let starts = [
        raw(UTC_TIME, "2401010000Z"),
        raw(UTC_TIME, "240229000000Z"),
        raw(UTC_TIME, "230229000000Z"),
        raw(UTC_TIME, "240101000060Z"),
        raw(UTC_TIME, "240101240000Z"),
        raw(UTC_TIME, "241301000000Z"),
        raw(UTC_TIME, "240001000000Z"),
        raw(UTC_TIME, "240100000000Z"),
        raw(UTC_TIME, "240431000000Z"),
        raw(UTC_TIME, "240101000000.5Z"),
        raw(UTC_TIME, "240101000000"),
        raw(UTC_TIME, "240101000000z"),
        raw(UTC_TIME, "500101000000Z"),
        raw(UTC_TIME, "700101000000Z"),
        raw(UTC_TIME, ""),
        raw(UTC_TIME, "240101000000+0000"),
        raw(UTC_TIME, "240101000000-2359"),
        raw(UTC_TIME, "240101000000+2400"),
        raw(UTC_TIME, "240101000000+0060"),
        raw(UTC_TIME, "240101000000+00"),
        raw(UTC_TIME, "2401010000+0100"),
        raw(GENERALIZED_TIME, "20240101000000Z"),
        raw(GENERALIZED_TIME, "202401010000Z"),
        raw(GENERALIZED_TIME, "20240101000000.5Z"),
        raw(GENERALIZED_TIME, "20240101000000.0Z"),
        raw(GENERALIZED_TIME, "20240101000000+0100"),
        raw(GENERALIZED_TIME, "00000101000000Z"),
        raw(GENERALIZED_TIME, "00010101000000Z"),
        raw(GENERALIZED_TIME, "19000229000000Z"),
        raw(GENERALIZED_TIME, "16010101000000Z"),
        raw(GENERALIZED_TIME, "20240101000000"),
        raw(IA5_STRING, "240101000000Z"),
        raw(UTF8_STRING, "20240101000000Z"),
        utc(hours(-3), "+0200"),
        utc(hours(-3), "-0200"),
        utc(hours(1), "+0500"),
        utc(hours(1), "-0500"),
        utc(hours(-1), "-0500"),
    ];
    let ends = [
        raw(GENERALIZED_TIME, "99991231235959Z"),
        raw(GENERALIZED_TIME, "99991231235960Z"),
        raw(GENERALIZED_TIME, "20400101000000Z"),
        raw(UTC_TIME, "491231235959Z"),
        raw(UTC_TIME, "491231235959+0000"),
        raw(UTC_TIME, "400229235959Z"),
        raw(UTC_TIME, "410229235959Z"),
        raw(GENERALIZED_TIME, "21000229000000Z"),
        raw(GENERALIZED_TIME, "20400101000000.5Z"),
        raw(GENERALIZED_TIME, "100000101000000Z"),
        utc(hours(2), "+0500"),
        utc(hours(2), "-0500"),
        utc(hours(-2), "-0500"),
        utc(hours(-2), "+0500"),
        utc(hours(1), "Z"),
        utc(hours(0), "Z"),
        days(now, -1),
    ];
    if draw.rng.chance(60) {
        facts.not_before = draw.rng.pick(&starts).clone();
    } else {
        facts.not_after = draw.rng.pick(&ends).clone();
    }
}

const TAGS: [u8; 30] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d,
    0x1e, 0x30, 0x31, 0x2c, 0x80, 0xa0,
];

fn name(draw: &mut Draw<'_>, facts: &mut Facts) {
    let attribute = |tag: u8, value: &[u8]| Attribute { oid: COMMON_NAME, tag, value: value.to_vec() };
    let common = |tag: u8, value: &[u8]| Dn(vec![vec![attribute(tag, value)]]);
    facts.subject = match draw.rng.below(10) {
        0 => Dn(Vec::new()),
        1 => Dn(vec![Vec::new()]),
        2 => Dn(vec![Dn::new("Ray", "x").0.remove(0), Vec::new()]),
        3 => {
            let mut all = vec![attribute(UTF8_STRING, b"b"), attribute(UTF8_STRING, b"a"), attribute(0x13, b"A")];
            draw.rng.shuffle(&mut all);
            Dn(vec![all])
        }
        4 | 5 => {
            let tag = *draw.rng.pick(&TAGS);
            let values: [&[u8]; 6] = [b"ray", b"", &[0], &[0, 0x72, 0, 0x61], &[5, 0], &[0xff, 0xfe]];
            let dn = common(tag, *draw.rng.pick(&values));
            if draw.rng.chance(60) { dn } else { Dn([Dn::new("Ray", "x").0, dn.0].concat()) }
        }
        6 => {
            let values: [&[u8]; 9] = [
                &[0xff],
                &[0xc0, 0x80],
                &[0xed, 0xa0, 0x80],
                &[0xf4, 0x90, 0x80, 0x80],
                "\u{e9}\u{130}\u{212a}".as_bytes(),
                "\u{ffff}\u{fdd0}".as_bytes(),
                b"a\0b",
                b"\xef\xbb\xbfray",
                b"\xe3\x80\x80ray\xc2\xa0",
            ];
            common(UTF8_STRING, *draw.rng.pick(&values))
        }
        7 => {
            let values: [&[u8]; 7] = [
                &[0, 0x72, 0, 0x61, 0, 0x79],
                &[0, 0x72, 0],
                &[0xd8, 0, 0xdc, 0],
                &[0xff, 0xff],
                &[0, 0, 0, 0x72],
                &[0, 0x11, 0, 0],
                &[],
            ];
            common(*draw.rng.pick(&[0x1e, 0x1c]), *draw.rng.pick(&values))
        }
        8 => common(UTF8_STRING, &vec![b'a'; *draw.rng.pick(&[64, 65, 200, 3000, 70_000])]),
        _ => {
            let tag = *draw.rng.pick(&[0x13, 0x14, 0x16]);
            let values: [&[u8]; 6] = [b"Ray \xe9\xc9 x", b"*@&_", b"a\0b", b"  ", b"a \t\n\x0b b", b"\x80"];
            common(tag, *draw.rng.pick(&values))
        }
    };
}

fn unique_ids(draw: &mut Draw<'_>, facts: &mut Facts) {
    let id = |tag: u8, content: &[u8]| wrap(tag, content);
    facts.unique_ids = match draw.rng.below(10) {
        0 => id(0x81, &[0, 1]),
        1 => id(0x82, &[0, 1]),
        2 => [id(0x81, &[0, 1]), id(0x82, &[0, 1])].concat(),
        3 => [id(0x82, &[0, 1]), id(0x81, &[0, 1])].concat(),
        4 => id(0xa1, &[3, 2, 0, 1]),
        5 => id(0xa2, &wrap(BIT_STRING, &[0, 1])),
        6 => id(0x81, &[]),
        7 => id(0x81, &[0]),
        8 => id(0x82, &[3, 1]),
        _ => id(0x81, &[9, 1]),
    };
    if draw.rng.chance(30) {
        facts.version = *draw.rng.pick(&[None, Some(1)]);
        facts.extensions.clear();
        facts.subject = Dn::new("Ray", crate::chains::HOST);
    }
}

fn algorithms(draw: &mut Draw<'_>, facts: &mut Facts) {
    let ecdsa = oid("1.2.840.10045.4.3.2");
    let all = [
        sequence(&[ecdsa.clone(), wrap(NULL, &[])]),
        sequence(&[ecdsa.clone(), wrap(INTEGER, &[1])]),
        sequence(&[ecdsa.clone(), wrap(NULL, &[0])]),
        sequence(&[ecdsa.clone(), wrap(NULL, &[]), wrap(NULL, &[])]),
        sequence(&[ecdsa.clone(), sequence(&[])]),
        sequence(&[ecdsa.clone(), oid("1.2.840.10045.3.1.7")]),
        sequence(&[oid("1.2.840.10045.4.3.3")]),
        sequence(&[oid("1.2.840.10045.4.3.1")]),
        sequence(&[oid("1.2.840.10045.4.1")]),
        sequence(&[oid("1.2.840.10045.2.1")]),
        sequence(&[oid("1.2.840.113549.1.1.11"), wrap(NULL, &[])]),
        sequence(&[oid("1.3.101.112")]),
        sequence(&[oid("1.2.3.4")]),
        sequence(&[oid("1.2.840.10040.4.3")]),
        sequence(&[oid("2.16.840.1.101.3.4.3.10")]),
        sequence(&[oid("1.3.101.113")]),
        sequence(&[]),
    ];
    let algorithm = draw.rng.pick(&all).clone();
    match draw.rng.below(4) {
        0 => facts.inner_algorithm = Some(algorithm),
        1 => facts.outer_algorithm = Some(algorithm),
        _ => (facts.inner_algorithm, facts.outer_algorithm) = (Some(algorithm.clone()), Some(algorithm)),
    }
}

fn public_key(draw: &mut Draw<'_>, facts: &mut Facts) {
    let ec = oid("1.2.840.10045.2.1");
    let p256 = oid("1.2.840.10045.3.1.7");
    let point = facts.spki[facts.spki.len() - 65..].to_vec();
    let bits = |octets: &[u8]| wrap(BIT_STRING, &[&[0], octets].concat());
    let compressed = |first: u8| [&[first], &point[1..33]].concat();
    let mut off = point.clone();
    off[64] ^= 1;
    let right = 2 | point[64] & 1;
    facts.spki = match draw.rng.below(14) {
        0 => sequence(&[sequence(&[ec, p256]), bits(&compressed(right))]),
        1 => sequence(&[sequence(&[ec, p256]), bits(&compressed(right ^ 1))]),
        2 => sequence(&[sequence(&[ec, p256]), bits(&off)]),
        3 => sequence(&[sequence(&[ec, p256]), bits(&[0])]),
        4 => sequence(&[sequence(&[ec, p256]), bits(&[&[6 | right & 1], &point[1..]].concat())]),
        5 => sequence(&[sequence(&[ec, p256]), bits(&[&point[..], &[0]].concat())]),
        6 => sequence(&[sequence(&[ec, p256]), bits(&[])]),
        7 => sequence(&[sequence(&[ec]), bits(&point)]),
        8 => sequence(&[sequence(&[ec, wrap(NULL, &[])]), bits(&point)]),
        9 => sequence(&[
            sequence(&[ec, oid(*draw.rng.pick(&["1.3.132.0.34", "1.3.132.0.33", "1.3.132.0.10", "1.2.3.4"]))]),
            bits(&point),
        ]),
        10 => sequence(&[sequence(&[ec, p256]), wrap(BIT_STRING, &[&[1], &point[..]].concat())]),
        11 => sequence(&[sequence(&[ec, p256]), bits(&point), wrap(NULL, &[])]),
        12 => sequence(&[sequence(&[oid("1.2.3.4")]), bits(&point)]),
        _ => sequence(&[
            sequence(&[oid(*draw.rng.pick(&[
                "1.3.101.112",
                "1.2.840.113549.1.1.1",
                "1.3.101.110",
                "1.2.840.10040.4.1",
            ]))]),
            bits(&point),
        ]),
    };
}

fn critical(draw: &mut Draw<'_>, facts: &mut Facts) {
    if draw.rng.chance(40) {
        facts.extensions.push(Extension::new("1.2.3.4.5", vec![5, 0]));
    }
    if draw.rng.chance(12) {
        facts.extensions.clear();
        return;
    }
    let at = draw.rng.below(facts.extensions.len());
    let flags = [
        wrap(BOOLEAN, &[0]),
        wrap(BOOLEAN, &[0xff]),
        wrap(BOOLEAN, &[1]),
        wrap(BOOLEAN, &[0x80]),
        wrap(BOOLEAN, &[]),
        wrap(BOOLEAN, &[0xff, 0xff]),
        [wrap(BOOLEAN, &[0xff]), wrap(BOOLEAN, &[0xff])].concat(),
        wrap(INTEGER, &[1]),
        wrap(NULL, &[]),
        Vec::new(),
    ];
    facts.extensions[at].critical = draw.rng.pick(&flags).clone();
}

fn repeated(draw: &mut Draw<'_>, facts: &mut Facts) {
    if draw.rng.chance(60) {
        odd_extensions::odd(draw, facts);
    }
    let again = draw.rng.pick(&facts.extensions).clone();
    let again = match draw.rng.below(3) {
        0 => Extension { value: vec![5, 0], ..again },
        1 if again.oid != extensions::SUBJECT_ALT_NAME => Extension { critical: Vec::new(), ..again },
        _ => again,
    };
    let at = draw.rng.below(facts.extensions.len() + 1);
    facts.extensions.insert(at, again);
}
