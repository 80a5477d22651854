//! Random names in the certificate, and random hosts that are dialled.

use std::net::IpAddr;

use crate::certificate::{Attribute, COMMON_NAME, Dn, Extension};
use crate::der::{PRINTABLE_STRING, UTF8_STRING, oid, sequence, wrap};
use crate::extensions::{self, CERT_SIGN, DIGITAL_SIGNATURE, Name};
use crate::keys::Kind;
use crate::pem;
use crate::situations::{Draw, Drawn, version_3};

/// A root and a leaf in good order but for the names.
pub(crate) fn names(draw: &mut Draw<'_>) -> Drawn {
    let host = (*draw.rng.pick(&HOSTS)).to_string();
    let (root_key, leaf_key) = (draw.pool.key(Kind::P256, 0), draw.pool.key(Kind::P256, 1));
    let issuer = Dn::new("Ray", "Ray Root");
    let mut root = version_3(&issuer, &issuer, root_key, draw.now);
    root.extensions = vec![extensions::basic_constraints(true, None), extensions::key_usage(CERT_SIGN)];

    let mut leaf = version_3(&issuer, &subject(draw, &host), leaf_key, draw.now);
    leaf.extensions = vec![extensions::key_usage(DIGITAL_SIGNATURE)];
    let count = *draw.rng.weighted(&[(15, 0), (45, 1), (25, 2), (10, 3), (5, 4)]);
    let alternatives = (0..count).map(|_| alternative(draw, &host)).collect::<Vec<_>>();
    if count > 0 || draw.rng.chance(15) {
        let value = sequence(&alternatives.iter().map(|(_, der)| der.clone()).collect::<Vec<_>>());
        let extension = Extension::new(extensions::SUBJECT_ALT_NAME, value);
        leaf.extensions.push(if draw.rng.chance(10) { extension.critical() } else { extension });
    }
    let shown = alternatives.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>();
    let common_names = leaf.subject.0.iter().flatten().filter(|attribute| attribute.oid == COMMON_NAME);
    let common_names = common_names.map(|attribute| String::from_utf8_lossy(&attribute.value).into_owned());
    Drawn {
        description: format!("CN {:?}, names {shown:?}", common_names.collect::<Vec<_>>()),
        name: host,
        chain_pem: pem::certificates([&leaf.write(root_key)]),
        key_pem: leaf_key.pem(),
        ca_pem: pem::certificates([&root.write(root_key)]),
    }
}

const HOSTS: [&str; 40] = [
    "node1.ray.local",
    "NODE1.ray.Local",
    "node1.ray.local.",
    "ray-head",
    "ray-head.",
    "head-svc.ray.svc.cluster.local",
    "local",
    "a.b",
    "a.b.",
    "x.local",
    "a_b.ray.local",
    "-a-.ray.local",
    "xn--bcher-kva.ray.local",
    "localhost",
    "*.ray.local",
    "10.0.0.5",
    "010.0.0.5",
    "10.0.0.5.",
    "10.0.5",
    "1.2.3.4.5",
    "1.2.3.4.5.6",
    "999.1.1.1",
    "12345.1.1.1",
    "10.0.0.x",
    "167772165",
    "0x0a.0.0.5",
    "::1",
    "[::1]",
    "0:0:0:0:0:0:0:1",
    "fd00::a",
    "FD00::A",
    "[fd00::a]",
    "fd00:0::a",
    "fe80::1%eth0",
    "[fe80::1%eth0]",
    "::ffff:10.0.0.5",
    "::10.0.0.5",
    "::ffff:a00:5",
    "1.ray.local",
    "5.0.0.10.in-addr.arpa",
];

fn subject(draw: &mut Draw<'_>, host: &str) -> Dn {
    let mut subject = Dn::new("Ray", "ray-head");
    let last = subject.0.len() - 1;
    match draw.rng.below(8) {
        0 | 1 => subject.0[last] = vec![common_name(draw, host)],
        2 => subject.0[last][0].value = draw.variant(host).into_bytes(),
        3 => {
            // The first or the last of two counts.
            let other = vec![common_name(draw, host)];
            let place = draw.rng.below(subject.0.len() + 1);
            subject.0.insert(place, other);
        }
        4 => _ = subject.0.remove(last),
        _ => {}
    }
    subject
}

fn common_name(draw: &mut Draw<'_>, text: &str) -> Attribute {
    Attribute { oid: COMMON_NAME, tag: *draw.rng.pick(&[UTF8_STRING, PRINTABLE_STRING]), value: text.into() }
}

/// One alternative name, often about the host: for people, and in DER.
fn alternative(draw: &mut Draw<'_>, host: &str) -> (String, Vec<u8>) {
    let text = draw.variant(host);
    let name = match draw.rng.below(20) {
        0..=8 => Name::Dns(text),
        9..=13 => Name::Ip(draw.octets(host)),
        14 => Name::Uri(text),
        15 => Name::Email(text),
        16 => Name::Directory(Dn::new("Ray", host)),
        17 => return ("registered id".into(), [&[0x88], &oid("1.2.3")[1..]].concat()),
        18 => {
            let value = wrap(0xa0, &wrap(UTF8_STRING, host.as_bytes()));
            return ("another kind".into(), wrap(0xa0, &[oid("1.3.6.1.4.1.311.20.2.3"), value].concat()));
        }
        _ => Name::Dns("other types of SAN".into()),
    };
    (format!("{name:?}"), name.write())
}

impl Draw<'_> {
    /// The host, or something like it.
    fn variant(&mut self, host: &str) -> String {
        let bare = host.trim_start_matches('[').split(['%', ']']).next().unwrap_or_default();
        let parent = host.split_once('.').map_or(host, |(_, parent)| parent);
        match self.rng.below(24) {
            0..=5 => host.into(),
            6 | 7 => bare.into(),
            8 => bare.to_ascii_uppercase(),
            9 => format!("{bare}."),
            10 => bare.trim_end_matches('.').into(),
            11..=13 => format!("*.{parent}"),
            14 => format!("*.{parent}."),
            15 => format!("*.{}", parent.split_once('.').map_or(parent, |(_, parent)| parent)),
            16 => format!("{}*.{parent}", &host[..1]),
            17 => format!("*.{host}"),
            18 => format!("{bare}\0.example"),
            19 => String::new(),
            20 => (*self.rng.pick(&["*", "*.", ".", "*.*.local", "**.ray.local", "*.RAY.LOCAL"])).into(),
            21 => bare.parse::<IpAddr>().map_or_else(|_| format!(".{host}"), |ip| ip.to_string()),
            22 => format!(" {bare}"),
            _ => (*self.rng.pick(&HOSTS)).into(),
        }
    }

    /// The host as an address, or some other address.
    fn octets(&mut self, host: &str) -> Vec<u8> {
        let bare = host.trim_start_matches('[').split(['%', ']']).next().unwrap_or_default();
        let address = match self.rng.below(10) {
            0..=6 => bare.trim_end_matches('.').parse::<IpAddr>().ok(),
            7 => HOSTS[self.rng.below(HOSTS.len())].parse().ok(),
            8 => return vec![10, 0, 0, 5],
            _ => None,
        };
        match address {
            Some(IpAddr::V4(ip)) => ip.octets().to_vec(),
            Some(IpAddr::V6(ip)) => ip.octets().to_vec(),
            // An address that is none ends the process of the core, which takes a second.
            None if self.rng.chance(4) => self.rng.pick(&[vec![10, 0, 0, 5, 255, 255, 255, 0], Vec::new()]).clone(),
            None => self.rng.pick(&[vec![10, 0, 0, 5], vec![0; 16], vec![0; 4]]).clone(),
        }
    }
}
