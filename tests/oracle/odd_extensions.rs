//! Extensions that gRPC knows, in forms that are rare or wrong.

use crate::certificate::{Dn, Facts};
use crate::der::{
    BIT_STRING, BOOLEAN, IA5_STRING, INTEGER, NULL, OCTET_STRING, SEQUENCE, UTF8_STRING, oid, sequence, wrap,
};
use crate::extensions::{self, Extension, Name};
use crate::situations::Draw;
use crate::tree::Node;

type Value = fn(&mut Draw<'_>) -> Vec<u8>;

/// Puts one in, or in the place of the one that is there.
pub(crate) fn odd(draw: &mut Draw<'_>, facts: &mut Facts) {
    let all: [(usize, (&'static str, Value)); 16] = [
        (6, (extensions::BASIC_CONSTRAINTS, basic_constraints)),
        (6, (extensions::KEY_USAGE, key_usage)),
        (5, (extensions::EXT_KEY_USAGE, ext_key_usage)),
        (6, (extensions::SUBJECT_ALT_NAME, subject_alt_name)),
        (3, (extensions::SUBJECT_KEY_ID, subject_key_id)),
        (7, (extensions::AUTHORITY_KEY_ID, authority_key_id)),
        (8, (extensions::NAME_CONSTRAINTS, name_constraints)),
        (7, (extensions::POLICIES, policies)),
        (4, ("2.5.29.33", mappings)),
        (4, (extensions::POLICY_CONSTRAINTS, policy_constraints)),
        (3, (extensions::INHIBIT_ANY, inhibit_any)),
        (4, (extensions::NETSCAPE_TYPE, key_usage)),
        (3, (extensions::AUTHORITY_INFO, authority_info)),
        (8, ("2.5.29.31", distribution_points)),
        (2, ("2.5.29.46", distribution_points)),
        (3, ("2.5.29.18", subject_alt_name)),
    ];
    let (oid, function) = *draw.rng.weighted(&all);
    let mut value = function(draw);
    if draw.rng.chance(15) {
        if let Some(mut tree) = Node::read(&value) {
            tree.spoil(&mut draw.rng);
            value = tree.write();
        }
    } else if draw.rng.chance(8) {
        value.extend([5, 0]);
    }
    let extension = Extension::new(oid, value);
    facts.set(if draw.rng.chance(20) { extension.critical() } else { extension });
}

fn one(draw: &mut Draw<'_>, all: &[Vec<u8>]) -> Vec<u8> {
    draw.rng.pick(all).clone()
}

fn flag(octets: &[u8]) -> Vec<u8> {
    wrap(BOOLEAN, octets)
}

fn integer(octets: &[u8]) -> Vec<u8> {
    wrap(INTEGER, octets)
}

fn basic_constraints(draw: &mut Draw<'_>) -> Vec<u8> {
    let yes = flag(&[0xff]);
    let all = [
        sequence(&[]),
        sequence(&[flag(&[0])]),
        sequence(&[flag(&[1])]),
        sequence(&[flag(&[0x80])]),
        sequence(&[flag(&[])]),
        sequence(&[yes.clone(), integer(&[0])]),
        sequence(&[yes.clone(), integer(&[0x7f])]),
        sequence(&[yes.clone(), integer(&[0, 0xff])]),
        sequence(&[yes.clone(), integer(&[0x7f, 0xff, 0xff, 0xff])]),
        sequence(&[yes.clone(), integer(&[0, 0x80, 0, 0, 0])]),
        sequence(&[yes.clone(), integer(&[1, 0, 0, 0, 0])]),
        sequence(&[yes.clone(), integer(&[0x7f; 9])]),
        sequence(&[yes.clone(), integer(&[0x7f; 30])]),
        sequence(&[yes.clone(), integer(&[0xff])]),
        sequence(&[yes.clone(), integer(&[0, 1])]),
        sequence(&[yes.clone(), integer(&[])]),
        sequence(&[integer(&[0])]),
        sequence(&[flag(&[0]), integer(&[1])]),
        sequence(&[integer(&[0]), yes.clone()]),
        sequence(&[yes, wrap(NULL, &[])]),
        Vec::new(),
    ];
    one(draw, &all)
}

fn key_usage(draw: &mut Draw<'_>) -> Vec<u8> {
    let all: [&[u8]; 16] = [
        &[],
        &[0],
        &[0, 0],
        &[7, 0x80],
        &[0, 0x80],
        &[2, 0x84],
        &[2, 0x85],
        &[1, 0x86],
        &[0, 0x86, 0],
        &[7, 0x86, 0x80],
        &[0, 0xff, 0xff, 0xff],
        &[8, 0x80],
        &[1],
        &[5, 0xe0],
        &[5, 0xa0],
        &[6, 0xc0],
    ];
    wrap(BIT_STRING, draw.rng.pick::<&[u8]>(&all))
}

fn ext_key_usage(draw: &mut Draw<'_>) -> Vec<u8> {
    let [server, client] = [extensions::SERVER_AUTH, extensions::CLIENT_AUTH].map(oid);
    let all = [
        sequence(&[]),
        sequence(&[server.clone()]),
        sequence(&[client.clone(), server.clone()]),
        sequence(&[server.clone(), server.clone(), client.clone()]),
        sequence(&[wrap(6, &[]), server.clone(), client.clone()]),
        sequence(&[wrap(6, &[0x80, 1]), server.clone(), client.clone()]),
        sequence(&[wrap(6, &[0x2a, 0x80]), server.clone(), client.clone()]),
        sequence(&[wrap(6, &[0xff; 12]), server.clone(), client.clone()]),
        sequence(&[wrap(6, &[&[0x2a][..], &[0xff; 12], &[0x7f]].concat()), server.clone(), client.clone()]),
        sequence(&[oid(extensions::ANY_PURPOSE)]),
        sequence(&[oid("2.16.840.1.113730.4.1"), oid("1.3.6.1.4.1.311.10.3.3")]),
        sequence(&[wrap(NULL, &[])]),
        server,
        Vec::new(),
    ];
    one(draw, &all)
}

fn subject_alt_name(draw: &mut Draw<'_>) -> Vec<u8> {
    let host = Name::Dns(crate::chains::HOST.into()).write();
    let all = [
        sequence(&[]),
        sequence(&[host.clone(), host.clone()]),
        sequence(&[host.clone(), wrap(0x82, &[])]),
        sequence(&[host.clone(), wrap(0x81, &[0xff])]),
        sequence(&[host.clone(), wrap(0x86, "\u{e9}".as_bytes())]),
        sequence(&[host.clone(), wrap(0x87, &[1, 2, 3])]),
        sequence(&[host.clone(), wrap(0x88, &[0x2a])]),
        sequence(&[host.clone(), wrap(0x88, &[])]),
        sequence(&[host.clone(), wrap(0x88, &[0x80, 1])]),
        sequence(&[host.clone(), wrap(0xa3, &[])]),
        sequence(&[host.clone(), wrap(0xa3, &[5, 0])]),
        sequence(&[host.clone(), wrap(0xa3, &[1, 2, 3])]),
        sequence(&[host.clone(), wrap(0xa5, &[])]),
        sequence(&[host.clone(), wrap(0xa5, &wrap(0xa1, &wrap(UTF8_STRING, b"x")))]),
        sequence(&[host.clone(), wrap(0xa5, &[wrap(0xa0, &wrap(0x13, b"x")), wrap(0xa1, &wrap(0x1e, b"x"))].concat())]),
        sequence(&[host.clone(), wrap(0xa0, &[])]),
        sequence(&[host.clone(), wrap(0xa0, &oid("1.2.3"))]),
        sequence(&[host.clone(), wrap(0xa0, &[oid("1.2.3"), wrap(0xa0, &[])].concat())]),
        sequence(&[host.clone(), wrap(0xa0, &[oid("1.2.3"), wrap(0xa0, &[5, 0, 5, 0])].concat())]),
        sequence(&[host.clone(), wrap(0xa0, &[oid("1.2.3"), wrap(0xa0, &[0x0c, 1, 0xff])].concat())]),
        sequence(&[host.clone(), wrap(0xa0, &[oid("1.2.3"), wrap(0xa0, &[0x24, 0x80, 0, 0])].concat())]),
        sequence(&[host.clone(), wrap(0xa4, &[])]),
        sequence(&[host.clone(), wrap(0xa4, &sequence(&[]))]),
        sequence(&[host.clone(), wrap(0xa4, &[sequence(&[]), sequence(&[])].concat())]),
        sequence(&[host.clone(), wrap(0xa2, &wrap(IA5_STRING, b"x"))]),
        sequence(&[host.clone(), wrap(0x89, &[])]),
        sequence(&[host.clone(), wrap(IA5_STRING, b"x")]),
        sequence(&[host.clone(), wrap(NULL, &[])]),
        host,
        Vec::new(),
    ];
    one(draw, &all)
}

fn subject_key_id(draw: &mut Draw<'_>) -> Vec<u8> {
    let all = [
        wrap(OCTET_STRING, &[]),
        wrap(OCTET_STRING, &[1]),
        wrap(OCTET_STRING, &[1; 300]),
        wrap(0x24, &wrap(OCTET_STRING, &[1])),
        wrap(BIT_STRING, &[0, 1]),
        vec![1; 20],
        Vec::new(),
    ];
    one(draw, &all)
}

fn authority_key_id(draw: &mut Draw<'_>) -> Vec<u8> {
    let root = Name::Directory(Dn::new("Ray", "Ray Root")).write();
    let other = Name::Directory(Dn::new("Ray", "Other")).write();
    let dns = Name::Dns("x".into()).write();
    let all = [
        sequence(&[]),
        sequence(&[wrap(0x80, &[])]),
        sequence(&[wrap(0x80, &[1])]),
        sequence(&[wrap(0x82, &[0x12])]),
        sequence(&[wrap(0x82, &[0x11])]),
        sequence(&[wrap(0x82, &[0, 0x11])]),
        sequence(&[wrap(0x82, &[])]),
        sequence(&[wrap(0x82, &[0xee])]),
        sequence(&[wrap(0xa1, &root)]),
        sequence(&[wrap(0xa1, &root), wrap(0x82, &[0x11])]),
        sequence(&[wrap(0xa1, &root), wrap(0x82, &[0x77])]),
        sequence(&[wrap(0xa1, &other), wrap(0x82, &[0x11])]),
        sequence(&[wrap(0xa1, &[dns.clone(), root.clone()].concat()), wrap(0x82, &[0x11])]),
        sequence(&[wrap(0xa1, &[root.clone(), other.clone()].concat()), wrap(0x82, &[0x11])]),
        sequence(&[wrap(0xa1, &[other, root].concat()), wrap(0x82, &[0x11])]),
        sequence(&[wrap(0xa1, &dns), wrap(0x82, &[0x11])]),
        sequence(&[wrap(0xa1, &[]), wrap(0x82, &[0x11])]),
        sequence(&[wrap(0x82, &[0x11]), wrap(0x80, &[1])]),
        sequence(&[wrap(0xa0, &wrap(OCTET_STRING, &[1]))]),
        sequence(&[wrap(OCTET_STRING, &[1])]),
        Vec::new(),
    ];
    one(draw, &all)
}

fn name_constraints(draw: &mut Draw<'_>) -> Vec<u8> {
    let bases = [
        wrap(0x82, b"ray.local"),
        wrap(0x82, b"other.local"),
        wrap(0x82, b""),
        wrap(0x82, b"\xc3\xa9"),
        wrap(0x81, b"ray.local"),
        wrap(0x86, b"ray.local"),
        wrap(0x87, &[10, 0, 0, 0, 255, 0, 0, 0]),
        wrap(0x87, &[10]),
        wrap(0x88, &[0x2a]),
        wrap(0xa4, &Dn::new("Ray", "x").write()[..]),
        wrap(0xa4, &sequence(&[])),
        wrap(0xa4, &Dn(Dn::new("Ray", "x").0[..1].to_vec()).write()),
        wrap(0xa0, &[oid("1.2.3"), wrap(0xa0, &[5, 0])].concat()),
        wrap(0xa3, &[]),
        wrap(0xa5, &wrap(0xa1, &wrap(UTF8_STRING, b"x"))),
        wrap(0x89, &[]),
    ];
    let bounds: [&[u8]; 9] = [
        &[],
        &[],
        &[],
        &[0x80, 1, 0],
        &[0x80, 1, 1],
        &[0x81, 1, 5],
        &[0x80, 1, 0, 0x81, 1, 5],
        &[0x80, 2, 0, 0],
        &[0x80, 0],
    ];
    let subtree = |draw: &mut Draw<'_>| {
        let base = one(draw, &bases);
        sequence(&[base, draw.rng.pick::<&[u8]>(&bounds).to_vec()])
    };
    let (first, second) = (subtree(draw), subtree(draw));
    let all = [
        sequence(&[wrap(0xa0, &first)]),
        sequence(&[wrap(0xa1, &first)]),
        sequence(&[wrap(0xa0, &first), wrap(0xa1, &second)]),
        sequence(&[wrap(0xa1, &first), wrap(0xa0, &second)]),
        sequence(&[wrap(0xa0, &[first, second].concat())]),
        sequence(&[]),
        sequence(&[wrap(0xa0, &[])]),
        Vec::new(),
    ];
    let at = *draw.rng.weighted(&[(30, 0), (20, 1), (20, 2), (2, 3), (15, 4), (4, 5), (4, 6), (1, 7)]);
    all[at].clone()
}

fn policies(draw: &mut Draw<'_>) -> Vec<u8> {
    let id = oid("1.2.3");
    let qualified = |qualifier: Vec<u8>| sequence(&[sequence(&[id.clone(), sequence(&[qualifier])])]);
    let [cps, notice] = ["1.3.6.1.5.5.7.2.1", "1.3.6.1.5.5.7.2.2"].map(oid);
    let text = wrap(UTF8_STRING, b"x");
    let reference = sequence(&[text.clone(), sequence(&[integer(&[1])])]);
    let all = [
        sequence(&[]),
        sequence(&[sequence(&[id.clone()])]),
        sequence(&[sequence(&[oid("2.5.29.32.0")])]),
        sequence(&[sequence(&[id.clone()]), sequence(&[id.clone()])]),
        sequence(&[sequence(&[id.clone(), sequence(&[])])]),
        sequence(&[sequence(&[])]),
        sequence(&[id.clone()]),
        sequence(&[sequence(&[id.clone(), wrap(NULL, &[])])]),
        qualified(sequence(&[cps.clone(), wrap(IA5_STRING, b"http://x")])),
        qualified(sequence(&[cps.clone(), wrap(UTF8_STRING, b"http://x")])),
        qualified(sequence(&[cps])),
        qualified(sequence(&[notice.clone(), sequence(&[])])),
        qualified(sequence(&[notice.clone(), sequence(&[text.clone()])])),
        qualified(sequence(&[notice.clone(), sequence(&[wrap(0x1a, b"x")])])),
        qualified(sequence(&[notice.clone(), sequence(&[wrap(IA5_STRING, b"x")])])),
        qualified(sequence(&[notice.clone(), sequence(&[reference.clone(), text.clone()])])),
        qualified(sequence(&[notice.clone(), sequence(&[text, reference])])),
        qualified(sequence(&[notice, wrap(NULL, &[])])),
        qualified(sequence(&[oid("1.2.3.4"), wrap(NULL, &[])])),
        qualified(sequence(&[oid("1.2.3.4")])),
        qualified(sequence(&[oid("1.2.3.4"), wrap(NULL, &[]), wrap(NULL, &[])])),
        Vec::new(),
    ];
    one(draw, &all)
}

fn mappings(draw: &mut Draw<'_>) -> Vec<u8> {
    let [a, b, any] = ["1.2.3", "1.2.4", "2.5.29.32.0"].map(oid);
    let all = [
        sequence(&[]),
        sequence(&[sequence(&[a.clone(), b.clone()])]),
        sequence(&[sequence(&[a.clone(), any.clone()])]),
        sequence(&[sequence(&[any, b.clone()])]),
        sequence(&[sequence(&[a.clone(), b.clone()]), sequence(&[a.clone(), b.clone()])]),
        sequence(&[sequence(&[a.clone()])]),
        sequence(&[sequence(&[a.clone(), b, a])]),
        wrap(NULL, &[]),
    ];
    one(draw, &all)
}

fn policy_constraints(draw: &mut Draw<'_>) -> Vec<u8> {
    let all: [&[u8]; 11] = [
        &[],
        &[0x80, 1, 0],
        &[0x80, 1, 1],
        &[0x80, 1, 5],
        &[0x81, 1, 0],
        &[0x80, 1, 3, 0x81, 1, 0],
        &[0x81, 1, 0, 0x80, 1, 3],
        &[0x80, 1, 0xff],
        &[0x80, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        &[0x80, 2, 0, 3],
        &[0x80, 0],
    ];
    wrap(SEQUENCE, draw.rng.pick::<&[u8]>(&all))
}

fn inhibit_any(draw: &mut Draw<'_>) -> Vec<u8> {
    let all = [
        integer(&[0]),
        integer(&[1]),
        integer(&[0xff]),
        integer(&[]),
        integer(&[0, 1]),
        integer(&[0x7f; 12]),
        wrap(NULL, &[]),
    ];
    one(draw, &all)
}

fn authority_info(draw: &mut Draw<'_>) -> Vec<u8> {
    let uri = Name::Uri("http://x/".into()).write();
    let all = [
        sequence(&[]),
        sequence(&[sequence(&[oid("1.3.6.1.5.5.7.48.1"), uri.clone()])]),
        sequence(&[sequence(&[uri])]),
        wrap(NULL, &[]),
        Vec::new(),
    ];
    one(draw, &all)
}

fn distribution_points(draw: &mut Draw<'_>) -> Vec<u8> {
    let uri = Name::Uri("http://x/crl".into()).write();
    let full = wrap(0xa0, &wrap(0xa0, &uri));
    let directory = Name::Directory(Dn::new("Ray", "Ray Root")).write();
    let relative = Dn::new("Ray", "x").write()[4..].to_vec();
    let all = [
        sequence(&[]),
        sequence(&[sequence(&[])]),
        sequence(&[sequence(&[full.clone()])]),
        sequence(&[sequence(&[full.clone()]), sequence(&[full.clone()])]),
        sequence(&[sequence(&[full.clone(), wrap(0x81, &[1, 2])])]),
        sequence(&[sequence(&[full.clone(), wrap(0x81, &[9, 2])])]),
        sequence(&[sequence(&[full.clone(), wrap(0xa2, &directory)])]),
        sequence(&[sequence(&[full.clone(), wrap(0x81, &[1, 2]), wrap(0xa2, &directory)])]),
        sequence(&[sequence(&[wrap(0xa2, &directory)])]),
        sequence(&[sequence(&[wrap(0x81, &[1, 2])])]),
        sequence(&[sequence(&[wrap(0xa2, &[])])]),
        sequence(&[sequence(&[wrap(0xa0, &wrap(0xa0, &[]))])]),
        sequence(&[sequence(&[wrap(0xa0, &wrap(0xa0, &directory))])]),
        sequence(&[sequence(&[wrap(0xa0, &[])])]),
        sequence(&[sequence(&[wrap(0xa0, &wrap(0xa1, &relative))])]),
        sequence(&[sequence(&[wrap(0xa0, &wrap(0xa1, &[]))])]),
        sequence(&[sequence(&[wrap(0xa0, &wrap(0xa1, &[5, 0]))])]),
        sequence(&[sequence(&[wrap(0xa1, &uri), full.clone()])]),
        sequence(&[sequence(&[full, wrap(0xa3, &[])])]),
        sequence(&[wrap(NULL, &[])]),
        wrap(NULL, &[]),
        Vec::new(),
    ];
    one(draw, &all)
}
