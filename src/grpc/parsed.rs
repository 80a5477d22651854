//! Certificates of a file, parsed once.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, OnceLock};

use super::certificate::Certificate;
use super::pem::Block;

/// The certificates of the blocks that it was first asked for. It is no part of what was read: all of them are equal.
#[derive(Clone, Default)]
pub struct Parsed(OnceLock<(u64, Arc<[Certificate]>)>);

impl Parsed {
    /// The certificates of these blocks, up to the first that is none.
    pub(super) fn of(&self, blocks: &[Block]) -> Arc<[Certificate]> {
        let hash = hash(blocks);
        let (known, certificates) = self.0.get_or_init(|| (hash, parse(blocks)));
        // Blocks may have been changed since.
        if *known == hash { certificates.clone() } else { parse(blocks) }
    }
}

impl PartialEq for Parsed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Parsed {}

impl std::fmt::Debug for Parsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parsed")
    }
}

fn parse(blocks: &[Block]) -> Arc<[Certificate]> {
    blocks.iter().map_while(|block| Certificate::parse(&block.to_der().ok()?).ok()).collect()
}

fn hash(blocks: &[Block]) -> u64 {
    let mut hasher = DefaultHasher::new();
    blocks.iter().for_each(|block| block.der.hash(&mut hasher));
    hasher.finish()
}
