//! Mutations that keep DER well-formed, so that the fuzzer gets past the lengths.

use crate::tree::{self, Content, Node};

/// Changes one element of DER; `bytes` changes the octets of a primitive one. None when the input is not DER.
pub fn der(der: &[u8], seed: u32, bytes: &mut dyn FnMut(&mut Vec<u8>)) -> Option<Vec<u8>> {
    let mut random = Random(u64::from(seed) << 1 | 1);
    let mut nodes = tree::read(der, 0)?;
    let count = tree::count(&nodes);
    let other = random.below(count);
    let (list, place) = tree::find(&mut nodes, other)?;
    let other = list[place].clone();
    let at = random.below(count);
    let (list, place) = tree::find(&mut nodes, at)?;
    match random.below(12) {
        0 => drop(list.remove(place)),
        1 => list.insert(place, list[place].clone()),
        2 => list[place] = other,
        3 => list.insert(place, other),
        4 => {
            let with = random.below(list.len());
            list.swap(place, with);
        }
        5 => list[place].tag = TAGS[random.below(TAGS.len())],
        6 => extension(&mut nodes, &mut random),
        7 => list[place].content = Content::Nodes(Vec::new()),
        _ => match &mut list[place].content {
            Content::Bytes(content) => bytes(content),
            Content::Nodes(_) => {
                // The next primitive element below.
                let mut below = at;
                while let Some((list, place)) = tree::find(&mut nodes, below) {
                    if let Content::Bytes(content) = &mut list[place].content {
                        bytes(content);
                        break;
                    }
                    below += 1;
                }
            }
        },
    }
    Some(tree::write(&nodes))
}

/// Numbers that depend on a seed only.
pub struct Random(pub u64);

impl Random {
    /// A number below `end`; 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        if end == 0 { 0 } else { (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end }
    }
}

const TAGS: [u8; 24] = [
    1, 2, 3, 4, 5, 6, 0x0c, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1e, 0x30, 0x31, 0x80, 0x81, 0x82, 0x85, 0x86, 0x87, 0xa0,
    0xa3, 0xa4,
];

/// Puts an extension that the rules know, or not, into the list of extensions.
fn extension(nodes: &mut [Node], random: &mut Random) {
    let oid: &[u8] = OIDS[random.below(OIDS.len())];
    let value = VALUES[random.below(VALUES.len())];
    let mut parts = vec![Node { tag: 6, content: Content::Bytes(oid.to_vec()) }];
    if random.below(3) == 0 {
        parts.push(Node { tag: 1, content: Content::Bytes(vec![0xff]) });
    }
    parts.push(Node { tag: 4, content: Content::Bytes(value.to_vec()) });
    let extension = Node { tag: 0x30, content: Content::Nodes(parts) };
    let Some(Content::Nodes(certificate)) = nodes.first_mut().map(|node| &mut node.content) else { return };
    let Some(Content::Nodes(tbs)) = certificate.first_mut().map(|node| &mut node.content) else { return };
    match tbs.iter_mut().find(|node| node.tag == 0xa3).map(|node| &mut node.content) {
        Some(Content::Nodes(outer)) => {
            if let Some(Content::Nodes(list)) = outer.first_mut().map(|node| &mut node.content) {
                let place = random.below(list.len() + 1);
                list.insert(place, extension);
            }
        }
        _ => {
            let list = Node { tag: 0x30, content: Content::Nodes(vec![extension]) };
            tbs.push(Node { tag: 0xa3, content: Content::Nodes(vec![list]) });
        }
    }
}

/// subjectKeyIdentifier, keyUsage, subjectAltName, basicConstraints, nameConstraints, certificatePolicies, policyMappings,
/// authorityKeyIdentifier, policyConstraints, extendedKeyUsage, inhibitAnyPolicy, nsCertType, cRLDistributionPoints, one
/// that nobody knows.
const OIDS: [&[u8]; 14] = [
    &[0x55, 0x1d, 14],
    &[0x55, 0x1d, 15],
    &[0x55, 0x1d, 17],
    &[0x55, 0x1d, 19],
    &[0x55, 0x1d, 30],
    &[0x55, 0x1d, 32],
    &[0x55, 0x1d, 33],
    &[0x55, 0x1d, 35],
    &[0x55, 0x1d, 36],
    &[0x55, 0x1d, 37],
    &[0x55, 0x1d, 54],
    &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 1, 1],
    &[0x55, 0x1d, 31],
    &[0x2a, 3, 4],
];

/// Values that fit one of them or none.
const VALUES: [&[u8]; 16] = [
    &[],
    &[0x30, 0],
    &[5, 0],
    &[4, 2, 1, 2],
    &[3, 2, 5, 0xa0],
    &[3, 2, 1, 6],
    &[0x30, 3, 1, 1, 0xff],
    &[0x30, 6, 1, 1, 0xff, 2, 1, 0],
    &[2, 1, 0],
    &[0x30, 3, 0x80, 1, 0],
    &[0x30, 6, 0x82, 1, b'a', 0x82, 1, b'b'],
    &[0x30, 6, 0x87, 4, 10, 0, 0, 1],
    &[0x30, 9, 0xa0, 7, 0x30, 5, 0x82, 3, b'r', b'a', b'y'],
    &[0x30, 9, 0xa1, 7, 0x30, 5, 0x86, 3, b'r', b'a', b'y'],
    &[0x30, 8, 0x30, 6, 6, 4, 0x55, 0x1d, 0x20, 0],
    &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1],
];
