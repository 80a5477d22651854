//! Addresses of 127.0.0.0/8 that no other demo uses.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;

use super::Error;

/// A /24 of the loopback network, and the ports Ray uses in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    second: u8,
    third: u8,
    /// The GCS: 6379.
    pub gcs: u16,
    /// Ray Client: 10001.
    pub client: u16,
    /// `--node-manager-port` of every node.
    pub node_manager: u16,
}

/// A block, held so that no other demo takes it, with its listening sockets.
pub(super) struct Reserved {
    pub block: Block,
    _hold: UdpSocket,
}

/// Where no pod is: held by a UDP socket as the sign that the block is taken.
const HOLD: u8 = 1;
/// Where the head will be.
const HEAD: u8 = 10;
/// Blocks tried before the error.
const TRIES: u32 = 24;
/// From this try on, other ports: something may listen on 0.0.0.0:6379.
const OTHER_PORTS: u32 = 12;
/// The one block tried where only aliases of the loopback interface exist (macOS).
const ALIASED: (u8, u8) = (77, 0);

static STARTED: AtomicU32 = AtomicU32::new(0);

/// Takes a free block.
///
/// # Errors
/// When the system has no loopback addresses but 127.0.0.1, or all ports are taken.
pub(super) fn reserve(now: Timestamp) -> Result<Reserved, Error> {
    let seed = u64::from(std::process::id())
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(u64::from(now.subsec_nanosecond().unsigned_abs()))
        .wrapping_add(u64::from(STARTED.fetch_add(1, Ordering::Relaxed)).wrapping_mul(0xD6E8_FEB8_6659_FD93));
    let mut last = None;
    for attempt in 0..TRIES {
        let mixed =
            (seed ^ (seed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9).wrapping_add(u64::from(attempt) * 0x1_0101);
        let [second, third, ..] = (mixed >> 16).to_le_bytes();
        match take(Block::new(64 + second % 180, third, attempt >= OTHER_PORTS)) {
            Ok(reserved) => return Ok(reserved),
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return aliased(),
            Err(error) => last = Some(error),
        }
    }
    let why = last.map_or_else(String::new, |e| format!(" ({e})"));
    Err(Error::Loopback(format!(
        "no free ports 6379 and 10001 on the loopback addresses 127.64.0.0 to 127.243.255.0{why}; stop what listens on 0.0.0.0 there, such as a Ray head or Redis"
    )))
}

fn aliased() -> Result<Reserved, Error> {
    let block = Block::new(ALIASED.0, ALIASED.1, false);
    take(block).map_err(|e| {
        let [hold, head] = [block.address(HOLD), block.address(HEAD)];
        Error::Loopback(format!(
            "cannot listen on {head}: {e}; this system answers on 127.0.0.1 only, so add the demo's addresses first: for i in {hold} {head} {} {}; do sudo ifconfig lo0 alias $i; done",
            block.address(11), block.address(12),
        ))
    })
}

fn take(block: Block) -> std::io::Result<Reserved> {
    let hold = UdpSocket::bind((block.address(HOLD), block.gcs))?;
    for port in [block.gcs, block.client, block.node_manager] {
        drop(TcpListener::bind((block.address(HEAD), port))?);
    }
    Ok(Reserved { block, _hold: hold })
}

impl Block {
    fn new(second: u8, third: u8, other_ports: bool) -> Self {
        let shift = if other_ports { 10_000 } else { 0 };
        Block { second, third, gcs: 6379 + shift, client: 10001 + shift, node_manager: 9381 + shift }
    }

    /// The address with this last octet.
    pub(super) fn address(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.second, self.third, last)
    }
}
