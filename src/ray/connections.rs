//! Who dials whom by which name on which port: `ray start`, GCS, raylets, Ray Client (Ray 2.60, measured).

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::evidence::{Evidence, ObjectRef, Seen, ServicePort};

use super::parties::{Draft, is_idle};
use super::policies::Need;
use super::{Address, Connection, Misdirected, NodeAddress, Port, Role, command, policies, services};

/// Every kind of connection between the parties of each cluster, in the order of its id.
pub(super) fn between(evidence: &Evidence, drafts: &[Draft]) -> Vec<Connection> {
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
            all.push(connection(evidence, drafts, dialer, target, address, port, why, needed, count));
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
                    for (address, port) in typed(member) {
                        add(index, head_index, address, Port::Gcs(port), "registers at the GCS", true, count);
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
                    for (address, port) in typed(member) {
                        add(
                            index,
                            head_index,
                            address,
                            Port::Gcs(port),
                            "waits for the GCS before the worker starts",
                            true,
                            member.party.count,
                        );
                    }
                }
                Role::Client | Role::Laptop => {
                    for dial in member.dials.iter().filter_map(Seen::found) {
                        let (host, port) = command::host_port(dial);
                        // A loopback address of this shell is the near end of a port-forward, whose number says nothing.
                        let near = member.party.role == Role::Laptop
                            && (host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()));
                        let port = port.filter(|_| !near).or_else(|| {
                            near.then_some(if dial.starts_with("ray://") { head.client_port } else { head.gcs_port })
                        });
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
            Address::PodIps(ips) => match ips.as_ref() {
                [ip] => write!(f, "{ip}"),
                _ => write!(f, "pod-ip"),
            },
            Address::Unnamed => write!(f, "any-name"),
        }
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Port::Gcs(port) | Port::Client(port) | Port::Node(Some(port)) => write!(f, "{port}"),
            Port::Node(None) => write!(f, "node"),
            Port::Session => write!(f, "session"),
            Port::Any => write!(f, "any"),
        }
    }
}

impl Port {
    /// The number, where it is known beforehand.
    pub fn number(self) -> Option<u16> {
        match self {
            Port::Gcs(port) | Port::Client(port) | Port::Node(Some(port)) => Some(port),
            Port::Node(None) | Port::Session | Port::Any => None,
        }
    }

    /// Whether Python's gRPC stands on both ends, and not the C++ core.
    pub fn is_python(self) -> bool {
        matches!(self, Port::Client(_) | Port::Session)
    }
}

#[allow(clippy::too_many_arguments, reason = "one call site, one row of a table")]
fn connection(
    evidence: &Evidence,
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
    let mut misdirected = misdirected(evidence, &drafts[dialer], &drafts[target], &address, port);
    let mut denied_by = None;
    if misdirected.is_none()
        && address != Address::Loopback
        && let Some((policy, denied)) = denied(evidence, &drafts[dialer], &drafts[target], port)
    {
        (misdirected, denied_by) = (Some(denied), Some(policy));
    }
    let idle = |draft: &Draft| is_idle(evidence, &draft.party);
    let needed = needed && !idle(&drafts[dialer]) && !idle(&drafts[target]);
    Connection { id, dialer, target, address, port, why, misdirected, denied_by, needed, count, only: None }
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

/// Where a typed address leads instead of to what is wanted; none when it leads there or that is not known.
fn misdirected(
    evidence: &Evidence,
    dialer: &Draft,
    target: &Draft,
    address: &Address,
    port: Port,
) -> Option<Misdirected> {
    let Address::Typed(host) = address else { return None };
    let (typed, wanted, name) = match port {
        Port::Client(typed) => (typed, target.client_port, "Ray Client"),
        Port::Gcs(typed) => (typed, target.gcs_port, "the GCS"),
        Port::Node(_) | Port::Session | Port::Any => return None,
    };
    let other = match port.is_python() {
        true => (target.gcs_port, "the GCS"),
        false => (target.client_port, "Ray Client"),
    };
    let id = &target.party.id;
    let service = services::service(evidence, &dialer.party, host);
    let elsewhere = |text: String| Some(Misdirected { text, wanted });
    if let Some(service) = service.filter(|service| services::selects_nothing(evidence, service)) {
        return elsewhere(format!(
            "{} selects no pod: none has {}",
            service.object,
            services::words(&service.selector)
        ));
    }
    // KubeRay adds labels to its pods, and makes the Service that selects them.
    let workload = target.party.workload.and_then(|at| evidence.workloads.get(at)).filter(|w| w.group.is_none());
    let labels = workload.map(|workload| &workload.labels);
    if let (Some(service), Some(labels)) = (service, labels)
        && services::selects_others(evidence, service)
        && !services::selects(&service.selector, labels)
    {
        let selector = services::words(&service.selector);
        return elsewhere(format!("{} does not select {id}: it looks for {selector}", service.object));
    }
    if let Some(missing) = services::missing(evidence, &dialer.party, host) {
        return elsewhere(missing);
    }
    let reached = match service {
        // The name of a headless Service is the pod itself.
        Some(service) if !service.headless && !service.ports.is_empty() => {
            let Some(found) = service.tcp(typed) else {
                let port = |p: &ServicePort| match p.protocol.as_str() {
                    "TCP" => p.port.to_string(),
                    protocol => format!("{}/{protocol}", p.port),
                };
                let ports: Vec<String> = service.ports.iter().map(port).collect();
                let kind = if service.ports.iter().any(|p| p.protocol != "TCP") { "TCP port" } else { "port" };
                return elsewhere(format!("{} has no {kind} {typed}; it has {}", service.object, ports.join(", ")));
            };
            match found.target.parse().ok().or_else(|| container_port(evidence, target, &found.target)) {
                Some(reached) => reached,
                None => {
                    let text = format!(
                        "{} sends port {typed} to the port named {}, and no container of {id} has one of that name",
                        service.object, found.target
                    );
                    return elsewhere(text);
                }
            }
        }
        Some(service) if service.headless => typed,
        // Where the name leads is not known: only Ray's other port is plainly the wrong one.
        _ if typed == other.0 && typed != wanted => typed,
        _ => return None,
    };
    match reached {
        reached if reached == wanted => None,
        reached if reached == other.0 => elsewhere(format!("port {typed} of {id} is {}, not {name}", other.1)),
        reached => elsewhere(format!(
            "port {typed} leads to port {reached} of {id}, where {name} does not listen: it is at {wanted}"
        )),
    }
}

/// The NetworkPolicy that does not let it in, and what it says.
fn denied(evidence: &Evidence, dialer: &Draft, target: &Draft, port: Port) -> Option<(ObjectRef, Misdirected)> {
    let workload = |draft: &Draft| draft.party.workload.and_then(|at| evidence.workloads.get(at));
    let (from, to) = (workload(dialer)?, workload(target)?);
    // What a pod sends to itself passes no policy.
    if std::ptr::eq(from, to) && target.party.role == Role::Head {
        return None;
    }
    // A policy is about the port of the pod, which a Service may have by another number.
    let port = match port {
        Port::Gcs(_) => Port::Gcs(target.gcs_port),
        Port::Client(_) => Port::Client(target.client_port),
        port => port,
    };
    let one = |port: Option<u16>| port.map_or(Need::Random, Need::One);
    let needs = match port {
        // A node is dialled at its node manager, its object manager and its workers.
        Port::Node(number) => {
            let workers = match target.worker_ports.as_slice() {
                [] => Need::Random,
                ranges => Need::Workers(ranges.to_vec()),
            };
            vec![one(number), one(target.object_port), workers]
        }
        Port::Gcs(number) | Port::Client(number) => vec![Need::One(number)],
        Port::Session | Port::Any => return None,
    };
    let (policy, need) = policies::denied(evidence, from, to, needs)?;
    let text = format!("{} lets nobody like {} in on {need} of {}", policy.object, dialer.party.id, target.party.id);
    Some((policy.object.clone(), Misdirected { text, wanted: port.number().unwrap_or_default() }))
}

/// The container port of this name in the pods of a party.
fn container_port(evidence: &Evidence, draft: &Draft, name: &str) -> Option<u16> {
    let workload = evidence.workloads.get(draft.party.workload?)?;
    let mut ports = workload.containers.iter().flat_map(|c| &c.ports);
    ports.find(|(port, _)| port == name).map(|(_, number)| *number)
}

/// What a party dials, by host and port as they were typed. Loopback becomes the node's own address
/// (`canonicalize_bootstrap_address`), which for a worker cannot be the head: it is left out.
pub(super) fn typed(draft: &Draft) -> Vec<(Address, u16)> {
    let hosts = draft.dials.iter().filter_map(Seen::found).map(|dial| command::host_port(dial));
    hosts
        .filter(|(host, _)| !matches!(host.as_str(), "" | "auto" | "localhost" | "127.0.0.1" | "::1"))
        .map(|(host, port)| (Address::Typed(host), port.unwrap_or(6379)))
        .collect()
}
