//! Who dials whom by which name on which port: `ray start`, GCS, raylets, Ray Client (Ray 2.60, measured).

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::evidence::{Evidence, Seen};

use super::parties::Draft;
use super::{Address, Connection, NodeAddress, Port, Role, command};

/// Every kind of connection between the parties of each cluster, in the order of its id.
pub(super) fn between(_evidence: &Evidence, drafts: &[Draft]) -> Vec<Connection> {
    let mut all = Vec::new();
    for (head_index, head) in drafts.iter().enumerate().filter(|(_, d)| d.party.role == Role::Head) {
        let members = || drafts.iter().enumerate().filter(|(_, d)| d.party.cluster == head.party.cluster);
        let clients = members().any(|(_, d)| matches!(d.party.role, Role::Client | Role::Laptop));
        let mut add = |dialer: usize,
                       target: usize,
                       address: Address,
                       port: Port,
                       why: &'static str,
                       needed: bool,
                       count: usize| {
            all.push(connection(drafts, dialer, target, address, port, why, needed, count));
        };
        let gcs = Port::Gcs(head.gcs_port);
        // On the head the GCS is always dialled by the node's address (node.py).
        add(head_index, head_index, node(head), gcs, "starts its own raylet, dashboard and Ray Client", true, 1);
        add(
            head_index,
            head_index,
            Address::Loopback,
            Port::Session,
            "serves Ray Client sessions, exports metrics",
            clients,
            1,
        );
        for (index, member) in members() {
            match &member.party.role {
                Role::Worker(_) => {
                    let count = member.party.count;
                    for address in typed(member) {
                        add(index, head_index, address, gcs, "registers at the GCS", true, count);
                    }
                    add(
                        head_index,
                        index,
                        node(member),
                        Port::Node(member.node_port),
                        "health check, tasks, objects",
                        true,
                        count,
                    );
                    add(index, head_index, node(head), Port::Node(head.node_port), "tasks, objects", true, count);
                    add(
                        index,
                        index,
                        Address::Loopback,
                        Port::Node(None),
                        "exports metrics to its own agent",
                        false,
                        count,
                    );
                    for (other, peer) in members().filter(|(_, d)| matches!(d.party.role, Role::Worker(_))) {
                        let pairs =
                            if other == index { count.saturating_sub(1) * count } else { count * peer.party.count };
                        if pairs > 0 {
                            add(index, other, node(peer), Port::Node(peer.node_port), "tasks, objects", true, pairs);
                        }
                    }
                }
                Role::Autoscaler => add(index, head_index, node(head), gcs, "reads the load from the GCS", true, 1),
                Role::Waiter => {
                    for address in typed(member) {
                        add(
                            index,
                            head_index,
                            address,
                            gcs,
                            "waits for the GCS before the worker starts",
                            true,
                            member.party.count,
                        );
                    }
                }
                Role::Client | Role::Laptop => {
                    for dial in member.dials.iter().filter_map(Seen::found) {
                        let (host, port) = command::host_port(dial);
                        let (port, why) = if dial.starts_with("ray://") {
                            (Port::Client(port.unwrap_or(10001)), "Ray Client session")
                        } else {
                            (Port::Gcs(port.unwrap_or(6379)), "connects to the GCS as a driver")
                        };
                        add(index, head_index, Address::Typed(host), port, why, true, member.party.count);
                    }
                }
                Role::Head => {}
            }
        }
    }
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all.dedup_by(|a, b| a.id == b.id);
    all
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Typed(host) => write!(f, "{host}"),
            Address::Loopback => write!(f, "127.0.0.1"),
            Address::PodIps(ips) => match ips.as_slice() {
                [ip] => write!(f, "{ip}"),
                _ => write!(f, "pod-ip"),
            },
        }
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Port::Gcs(port) | Port::Client(port) | Port::Node(Some(port)) => write!(f, "{port}"),
            Port::Node(None) => write!(f, "node"),
            Port::Session => write!(f, "session"),
        }
    }
}

impl Port {
    /// The number, where it is known beforehand.
    pub fn number(self) -> Option<u16> {
        match self {
            Port::Gcs(port) | Port::Client(port) | Port::Node(Some(port)) => Some(port),
            Port::Node(None) | Port::Session => None,
        }
    }

    /// Whether Python's gRPC stands on both ends, and not the C++ core.
    pub fn is_python(self) -> bool {
        matches!(self, Port::Client(_) | Port::Session)
    }
}

#[allow(clippy::too_many_arguments, reason = "one call site, one row of a table")]
fn connection(
    drafts: &[Draft],
    dialer: usize,
    target: usize,
    address: Address,
    port: Port,
    why: &'static str,
    needed: bool,
    count: usize,
) -> Connection {
    let id = format!("{}>{}@{address}:{port}", drafts[dialer].party.id, drafts[target].party.id);
    let misdirected = match port {
        Port::Client(port) => port == drafts[target].gcs_port && port != drafts[target].client_port,
        Port::Gcs(port) => port == drafts[target].client_port && port != drafts[target].gcs_port,
        Port::Node(_) | Port::Session => false,
    };
    Connection { id, dialer, target, address, port, why, misdirected, needed, count }
}

/// The address by which others dial the node of a party.
fn node(draft: &Draft) -> Address {
    match &draft.party.node_address {
        NodeAddress::Fixed(host) => Address::Typed(host.clone()),
        NodeAddress::PodIp | NodeAddress::None => {
            let primary: BTreeSet<IpAddr> =
                draft.party.pods.iter().filter_map(|pod| pod.ips.first().copied()).collect();
            Address::PodIps(primary.into_iter().collect())
        }
    }
}

/// What a party dials, by the hosts that were typed. Loopback becomes the node's own address
/// (`canonicalize_bootstrap_address`), which for a worker cannot be the head: it is left out.
fn typed(draft: &Draft) -> Vec<Address> {
    let hosts = draft.dials.iter().filter_map(Seen::found).map(|dial| command::host_port(dial).0);
    hosts
        .filter(|host| !matches!(host.as_str(), "" | "auto" | "localhost" | "127.0.0.1" | "::1"))
        .map(Address::Typed)
        .collect()
}
