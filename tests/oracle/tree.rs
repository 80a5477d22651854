//! DER taken apart, so that any element in it can be spoiled and the rest still fits.

use crate::der::{BIT_STRING, OCTET_STRING, wrap};
use crate::rng::Rng;

/// An element. Contents of OCTET STRINGs and BIT STRINGs that are elements are taken apart too.
#[derive(Clone)]
pub(crate) struct Node {
    tag: Vec<u8>,
    length: Length,
    /// What stands before the parts: the octet that counts unused bits.
    head: Vec<u8>,
    parts: Vec<Node>,
    /// Contents when there are no parts.
    octets: Vec<u8>,
}

#[derive(Clone)]
enum Length {
    Shortest,
    /// With that many octets.
    Long(usize),
    Indefinite,
    /// More or less than there is.
    Off(isize),
}

impl Node {
    /// Reads one element in good order.
    pub(crate) fn read(der: &[u8]) -> Option<Node> {
        let (node, rest) = Node::first(der)?;
        rest.is_empty().then_some(node)
    }

    fn first(der: &[u8]) -> Option<(Node, &[u8])> {
        let (&tag, rest) = der.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (octets.iter().fold(0, |value, octet| value << 8 | usize::from(*octet)), rest)
            }
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        let mut node = Node {
            tag: vec![tag],
            length: Length::Shortest,
            head: Vec::new(),
            parts: Vec::new(),
            octets: content.into(),
        };
        let inner = match tag {
            BIT_STRING => content.strip_prefix(&[0]).filter(|inner| inner.first() == Some(&0x30)),
            OCTET_STRING => Some(content),
            _ if tag & 0x20 != 0 => Some(content),
            _ => None,
        };
        if let Some(inner) = inner.filter(|inner| !inner.is_empty())
            && let Some(parts) = Node::all(inner)
        {
            node.head = content[..content.len() - inner.len()].to_vec();
            node.parts = parts;
        }
        Some((node, after))
    }

    fn all(mut der: &[u8]) -> Option<Vec<Node>> {
        let mut parts = Vec::new();
        while !der.is_empty() {
            let (node, rest) = Node::first(der)?;
            parts.push(node);
            der = rest;
        }
        Some(parts)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut content = self.head.clone();
        if self.parts.is_empty() {
            content = self.octets.clone();
        }
        content.extend(self.parts.iter().flat_map(Node::write));
        let plain = wrap(0, &content);
        let mut out = self.tag.clone();
        match self.length {
            Length::Shortest => out.extend(&plain[1..plain.len() - content.len()]),
            Length::Long(octets) => {
                out.push(0x80 | u8::try_from(octets).unwrap());
                out.extend(&content.len().to_be_bytes()[8 - octets..]);
            }
            Length::Indefinite => out.push(0x80),
            Length::Off(more) => out.push(u8::try_from(content.len().saturating_add_signed(more).min(127)).unwrap()),
        }
        out.extend(content);
        if let Length::Indefinite = self.length {
            out.extend([0, 0]);
        }
        out
    }

    fn count(&self) -> usize {
        1 + self.parts.iter().map(Node::count).sum::<usize>()
    }

    fn nth(&mut self, mut at: usize) -> &mut Node {
        if at == 0 {
            return self;
        }
        at -= 1;
        for part in &mut self.parts {
            let count = part.count();
            if at < count {
                return part.nth(at);
            }
            at -= count;
        }
        unreachable!("the place is below the count")
    }

    /// Spoils one element somewhere, and says how.
    pub(crate) fn spoil(&mut self, rng: &mut Rng) -> String {
        let at = rng.below(self.count());
        let node = self.nth(at);
        let tag = node.tag.clone();
        let what = node.change(rng);
        format!("{what} at element {at}, tag {tag:02x?}")
    }

    fn change(&mut self, rng: &mut Rng) -> String {
        let octet = |rng: &mut Rng| u8::try_from(rng.below(256)).unwrap();
        match rng.below(14) {
            0 => {
                let needed = wrap(0, &self.write()).len();
                self.length = Length::Long(if needed > 200 { 3 } else { *rng.pick(&[1, 2, 4, 5]) });
                "a long length".into()
            }
            1 => {
                self.length = Length::Indefinite;
                "an indefinite length".into()
            }
            2 => {
                self.length = Length::Off(*rng.pick(&[-1, 1, 5]));
                "a wrong length".into()
            }
            3 => {
                self.tag = vec![*rng.pick(&[
                    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x14, 0x16, 0x1e, 0x30, 0x31, 0x80, 0x82,
                    0xa0,
                ])];
                format!("tag {:02x?}", self.tag)
            }
            4 => {
                self.tag = if rng.chance(50) {
                    vec![self.tag[0] ^ 0x20]
                } else {
                    vec![self.tag[0] | 0x1f, self.tag[0] & 0x1f]
                };
                format!("tag {:02x?}", self.tag)
            }
            5 => {
                self.parts.clear();
                self.octets.clear();
                "no content".into()
            }
            6 if !self.parts.is_empty() => {
                let at = rng.below(self.parts.len());
                let again = self.parts[at].clone();
                self.parts.insert(at, again);
                format!("part {at} twice")
            }
            7 if !self.parts.is_empty() => {
                let at = rng.below(self.parts.len());
                self.parts.remove(at);
                format!("no part {at}")
            }
            8 if self.parts.len() > 1 => {
                rng.shuffle(&mut self.parts);
                "parts shuffled".into()
            }
            9 if !self.parts.is_empty() => {
                let node = Node {
                    tag: vec![5],
                    length: Length::Shortest,
                    head: Vec::new(),
                    parts: Vec::new(),
                    octets: Vec::new(),
                };
                self.parts.push(node);
                "a NULL behind".into()
            }
            10 if self.parts.is_empty() => {
                self.octets.pop();
                "the last octet gone".into()
            }
            11 if self.parts.is_empty() => {
                self.octets.push(octet(rng));
                "an octet behind".into()
            }
            12 if self.parts.is_empty() => {
                self.octets.insert(0, *rng.pick(&[0, 0xff, 0x80, 1]));
                "an octet before".into()
            }
            _ => {
                let text = if self.parts.is_empty() { self.octets.clone() } else { self.write() };
                if self.parts.is_empty() && !text.is_empty() {
                    let at = rng.below(text.len());
                    self.octets[at] = octet(rng);
                    return format!("octet {at} is {:02x}", self.octets[at]);
                }
                self.octets = vec![octet(rng)];
                self.parts.clear();
                format!("content {:02x?}", self.octets)
            }
        }
    }
}
