//! DER as a tree that can be changed and written again with right lengths.

/// An element; the contents of an OCTET STRING that are DER themselves are a tree too.
#[derive(Clone, Debug)]
pub struct Node {
    /// Identifier octet.
    pub tag: u8,
    /// What is inside.
    pub content: Content,
}

/// The contents of an element.
#[derive(Clone, Debug)]
pub enum Content {
    /// Octets.
    Bytes(Vec<u8>),
    /// Elements.
    Nodes(Vec<Node>),
}

/// The elements in a row; none when they are not DER to the last byte.
pub fn read(mut bytes: &[u8], depth: usize) -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    while !bytes.is_empty() {
        let (tag, rest) = bytes.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x83 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 3))?;
                (octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let is_nested = (tag & 0x20 != 0 || *tag == 4) && depth < 24;
        let inner =
            is_nested.then(|| read(content, depth + 1)).flatten().filter(|inner| *tag != 4 || !inner.is_empty());
        let content = inner.map_or_else(|| Content::Bytes(content.to_vec()), Content::Nodes);
        nodes.push(Node { tag: *tag, content });
        bytes = rest;
    }
    Some(nodes)
}

/// The bytes of elements in a row.
pub fn write(nodes: &[Node]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for node in nodes {
        let content = match &node.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Nodes(nodes) => write(nodes),
        };
        bytes.push(node.tag);
        match content.len() {
            length @ 0..=0x7f => bytes.push(length as u8),
            length @ 0x80..=0xff => bytes.extend([0x81, length as u8]),
            length @ 0x100..=0xffff => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
            length => bytes.extend([0x83, (length >> 16) as u8, (length >> 8) as u8, length as u8]),
        }
        bytes.extend(content);
    }
    bytes
}

/// How many elements there are, at any depth.
pub fn count(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| 1 + inner(node).map_or(0, count)).sum()
}

/// The list that holds the `at`th element (in the order in which they are written), and its place there.
pub fn find(nodes: &mut Vec<Node>, at: usize) -> Option<(&mut Vec<Node>, usize)> {
    let mut left = at;
    let mut place = 0;
    loop {
        let node = nodes.get(place)?;
        if left == 0 {
            return Some((nodes, place));
        }
        let below = inner(node).map_or(0, count);
        if left <= below {
            let Content::Nodes(nodes) = &mut nodes[place].content else { return None };
            return find(nodes, left - 1);
        }
        left -= below + 1;
        place += 1;
    }
}

fn inner(node: &Node) -> Option<&[Node]> {
    match &node.content {
        Content::Nodes(nodes) => Some(nodes),
        Content::Bytes(_) => None,
    }
}
