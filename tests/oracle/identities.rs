//! Names of a server: what its certificate says, and what is dialled.

use crate::certificate::{Attribute, COMMON_NAME, Dn};
use crate::der::{IA5_STRING, PRINTABLE_STRING, UTF8_STRING, wrap};
use crate::extensions::{self, Extension, Name};
use crate::scene::Scene;
use crate::situations::{Draw, Drawn};

/// Dialled hosts. None with a port, and none with a character that no authority may have.
const HOSTS: [&str; 60] = [
    "node1.ray.local",
    "node1.ray.local",
    "ray-head.default.svc.cluster.local",
    "ray-head",
    "head.local",
    "localhost",
    "a.b.ray.local",
    "ray.local",
    "node1.ray.local.",
    "head.",
    "NODE1.Ray.LOCAL",
    "RAY-HEAD",
    "node_1.ray.local",
    "_node1.ray.local",
    "node1-.ray.local",
    "-node1.ray.local",
    "xn--nde-sna.ray.local",
    "XN--NDE-SNA.ray.local",
    "1.ray.local",
    "a.1",
    "1.2.3",
    "1.2.3.4a",
    "10.0.0.5",
    "10.0.0.5",
    "127.0.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "010.0.0.5",
    "999.1.1.1",
    "9999.1.1.1",
    "12345.1.1.1",
    "1.2.3.4.5",
    "1.2.3.4.5.6",
    "1.2.3.",
    "10.0.0.5.",
    "1..2.3",
    "0x0a.0.0.5",
    "10.0.5",
    "167772165",
    "::1",
    "[::1]",
    "::",
    "fd00::a",
    "[fd00::a]",
    "FD00::A",
    "[FD00::A]",
    "fd00:0:0:0:0:0:0:a",
    "fd00:0000::000a",
    "fd00::1:0:0:a",
    "fe80::1%eth0",
    "[fe80::1%eth0]",
    "::ffff:10.0.0.5",
    "::ffff:a00:5",
    "[::FFFF:10.0.0.5]",
    "::10.0.0.5",
    "::a00:5",
    "::5",
    "64:ff9b::a00:5",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.ray.local",
    "*.ray.local",
];

/// What belongs to other hosts, or to none.
const OTHERS: [&str; 20] = [
    "",
    ".",
    "*",
    "*.",
    "*.local",
    "*.ray.local",
    "*.*.local",
    "*.*.ray.local",
    "n*.ray.local",
    "*1.ray.local",
    "node1.*.local",
    "node1.ray.*",
    "*.cluster.local",
    "*.0.0.5",
    ".ray.local",
    "other.ray.local",
    "*",
    "other types of SAN",
    "node1.ray.local\0.other",
    "node1..ray.local",
];

const ODD: [&[u8]; 8] = [b"\0", b"\xc3\xb6", b"\xff", b" ", b"\n", b"\x7f", b"%", b"\0.evil"];

const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

/// The leaf's names and the dialled name.
pub(crate) fn identities(draw: &mut Draw<'_>) -> Drawn {
    let mut host = (*draw.rng.pick(&HOSTS)).to_string();
    if draw.rng.chance(2) {
        host = ["a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(60), "local".into()].join(".");
    }
    let mut scene = Scene::new(draw);
    let facts = &mut scene.all[0].0;
    facts.drop(extensions::SUBJECT_ALT_NAME);
    let count = *draw.rng.weighted(&[(14, 0), (50, 1), (20, 2), (10, 3), (4, 5), (2, 40)]);
    let list = (0..count).map(|_| general_name(draw, &host)).collect::<Vec<_>>();
    let shown = list.iter().map(|(tag, octets)| format!("{tag:02x} {:?}", String::from_utf8_lossy(octets)));
    let mut description = format!("dialled {host:?}; names: {}", shown.collect::<Vec<_>>().join(", "));
    if count > 0 || draw.rng.chance(15) {
        let list = list.iter().flat_map(|(tag, octets)| wrap(*tag, octets)).collect::<Vec<_>>();
        let extension = Extension::new(extensions::SUBJECT_ALT_NAME, wrap(crate::der::SEQUENCE, &list));
        facts.set(if draw.rng.chance(10) { extension.critical() } else { extension });
    } else {
        description += "no SAN";
    }
    if draw.rng.chance(if count == 0 { 85 } else { 25 }) {
        facts.subject = common_names(draw, &host, &mut description);
    }
    let ders = scene.ders(draw);
    Drawn { name: host, ..scene.drawn(draw, &ders, description) }
}

/// Common names as of several string types.
fn common_names(draw: &mut Draw<'_>, host: &str, description: &mut String) -> Dn {
    let mut names = Vec::new();
    for _ in 0..*draw.rng.weighted(&[(8, 0), (60, 1), (25, 2), (7, 3)]) {
        let text = spelling(draw, host);
        let wide = |size: usize| {
            let widen = |c: char| u32::from(c).to_be_bytes()[4 - size..].to_vec();
            text.chars().flat_map(widen).collect::<Vec<_>>()
        };
        let (tag, value) = match draw.rng.below(9) {
            0 => (0x1e, wide(2)),
            1 => (0x1c, wide(4)),
            2 => (IA5_STRING, text.clone().into_bytes()),
            3 => (0x14, text.clone().into_bytes()),
            4 => (*draw.rng.pick(&[0x1a, 0x12, 0x19, 0x1b, 0x04]), text.clone().into_bytes()),
            5 => (PRINTABLE_STRING, text.clone().into_bytes()),
            _ => (UTF8_STRING, text.clone().into_bytes()),
        };
        *description += &format!("; CN {tag:02x} {text:?}");
        let attribute = Attribute { oid: COMMON_NAME, tag, value };
        match names.last_mut() {
            Some(last) if draw.rng.chance(20) => Vec::push(last, attribute),
            _ => names.push(vec![attribute]),
        }
    }
    if names.is_empty() || draw.rng.chance(40) {
        let own = draw.rng.below(names.len() + 1);
        names.insert(own, Dn::new("Ray", "").0[0].clone());
    }
    Dn(names)
}

/// A GeneralName that has to do with the host, mostly.
fn general_name(draw: &mut Draw<'_>, host: &str) -> (u8, Vec<u8>) {
    match draw.rng.below(22) {
        0 => (EMAIL, spelling(draw, host).into_bytes()),
        1 => (URI, spelling(draw, host).into_bytes()),
        2 => (URI, format!("https://{host}/").into_bytes()),
        3 => (EMAIL, format!("ray@{host}").into_bytes()),
        4 => (IP, vec![10; *draw.rng.pick(&[0, 1, 3, 4, 5, 8, 15, 16, 17, 32])]),
        5..=8 => (IP, address(draw, host)),
        9 => {
            let all: [(u8, &[u8]); 5] =
                [(0x88, &[0x2a, 3, 4]), (0x88, &[0x80]), (0xa3, &[]), (0xa5, &[]), (0xa3, &[0x30, 0])];
            let (tag, content) = *draw.rng.pick(&all);
            (tag, content.to_vec())
        }
        10 => {
            let name = Name::Directory(Dn::new("Ray", &spelling(draw, host))).write();
            let head = if name[1] < 0x80 { 2 } else { 3 };
            (0xa4, name[head..].to_vec())
        }
        11 => {
            let value = [crate::der::oid("1.3.6.1.4.1.311.20.2.3"), wrap(0xa0, &wrap(UTF8_STRING, host.as_bytes()))];
            (0xa0, value.concat())
        }
        12 => {
            let mut octets = spelling(draw, host).into_bytes();
            let at = draw.rng.below(octets.len() + 1);
            let odd = *draw.rng.pick(&ODD);
            octets.splice(at..at, odd.iter().copied());
            (*draw.rng.pick(&[DNS, DNS, EMAIL, URI]), octets)
        }
        _ => (DNS, spelling(draw, host).into_bytes()),
    }
}

/// The host, or nearly.
fn spelling(draw: &mut Draw<'_>, host: &str) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.split('%').next().unwrap_or_default();
    match draw.rng.below(20) {
        0..=5 => host.into(),
        6 => host.to_ascii_uppercase(),
        7 => host.to_ascii_lowercase(),
        8 => format!("{host}."),
        9 => host.trim_end_matches('.').into(),
        10 => address.into(),
        11 => address.to_ascii_lowercase(),
        12..=14 => host.split_once('.').map_or_else(|| "*".into(), |(_, rest)| format!("*.{rest}")),
        15 => address.parse::<std::net::IpAddr>().map_or_else(|_| host.into(), |ip| ip.to_string()),
        16 => format!(" {host}"),
        _ => (*draw.rng.pick(&OTHERS)).into(),
    }
}

/// The octets of the host as an address, also in the other family, or of another.
fn address(draw: &mut Draw<'_>, host: &str) -> Vec<u8> {
    use std::net::IpAddr;
    let bare = host.trim_start_matches('[').trim_end_matches(']').split('%').next().unwrap_or_default();
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) if draw.rng.chance(15) => ip.to_ipv6_mapped().octets().to_vec(),
        Ok(IpAddr::V4(ip)) => ip.octets().to_vec(),
        Ok(IpAddr::V6(ip)) if draw.rng.chance(15) => ip.to_ipv4().map_or(vec![10, 0, 0, 5], |ip| ip.octets().to_vec()),
        Ok(IpAddr::V6(ip)) => ip.octets().to_vec(),
        Err(_) if bare.starts_with("010.") || draw.rng.chance(50) => vec![10, 0, 0, 5],
        Err(_) => vec![1, 2, 3, 4],
    }
}
