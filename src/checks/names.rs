//! NAM: the names in a certificate against the names that are dialled.
//!
//! A fault of names stays a fault while another one (dates, issuer) shows first on the same connection, so the
//! names are read here, and the matrix says only which connections they break.

pub mod address_as_dns;
pub mod client_address;
pub mod cluster_address;
pub mod common_name_ignored;
pub mod common_name_only;
pub mod head_pod_address;
pub mod loopback;
pub mod unknown_service;
pub mod wildcard;
pub mod worker_pod_address;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::lens::{self, Use};
use super::{Case, Confidence, Finding, Findings, Subject};
use crate::diagnose::edit::{Edit, Slot};
use crate::evidence::Seen;
use crate::grpc::certificate::{Certificate, Name};
use crate::grpc::names;
use crate::grpc::profile::{Profile, Profiles};
use crate::grpc::verdict::Fault;
use crate::judge::Failure;
use crate::ray::{Address, Connection, Party, Place, Port};

/// A leaf that servers of a cluster present, or mean to, with all who present it.
pub struct Served {
    /// The leaf.
    pub leaf: Certificate,
    /// The file it was read from.
    pub subject: Subject,
    /// Indices of the parties that present it.
    pub parties: Vec<usize>,
    /// Whether its bytes were read, not concluded.
    pub read: bool,
    /// The pods that were seen to serve it, by party, where its file was not seen; else empty.
    pods: Vec<(usize, String)>,
}

/// A dialled name that a leaf does not cover.
pub struct Missed {
    /// The name or IP.
    pub name: String,
    /// Indices of the connections that dial it.
    pub connections: Vec<usize>,
}

/// Every leaf that is presented by a party that someone dials, each once: as stored, or as its ports serve it where the
/// file was not seen.
pub fn served(case: &Case<'_>) -> Vec<Served> {
    let mut list: Vec<Served> = Vec::new();
    for (index, party) in lens::speakers(case) {
        if !case.model.connections.iter().any(|c| c.target == index) {
            continue;
        }
        let subject = || lens::subject(case, Use { party: index, slot: Slot::Certificate, file: &party.certificate });
        let stored = lens::meant(party);
        let seen = match (&stored, &party.certificate.content) {
            (None, Seen::Unseen(_)) => on_ports(case, index),
            _ => Vec::new(),
        };
        for (pod, leaf) in stored.map(|leaf| (None, leaf)).into_iter().chain(seen) {
            let at = list.iter().position(|s| s.leaf.sha256 == leaf.sha256).unwrap_or_else(|| {
                let read = party.certificate.assumed.is_none();
                list.push(Served { leaf, subject: subject(), parties: Vec::new(), read, pods: Vec::new() });
                list.len() - 1
            });
            if let Some(known) = list.get_mut(at) {
                known.parties.push(index);
                known.parties.dedup();
                known.pods.extend(pod.map(|pod| (index, pod)));
            }
        }
    }
    list
}

/// The names that connections of this kind dial and the leaf does not cover by the rules of their gRPC, sorted.
pub fn missed(case: &Case<'_>, served: &Served, of_kind: impl Fn(&Connection) -> bool) -> Vec<Missed> {
    let mut missed: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, connection) in case.model.connections.iter().enumerate() {
        if !served.parties.contains(&connection.target) || !of_kind(connection) {
            continue;
        }
        let hosts = served.dialled(case, connection);
        for name in uncovered(&served.leaf, &hosts, connection.port, case.model.profiles_of(connection.target)) {
            missed.entry(name.clone()).or_default().push(index);
        }
    }
    missed.into_iter().map(|(name, connections)| Missed { name, connections }).collect()
}

/// Whether a host was typed by someone.
pub fn typed(connection: &Connection) -> bool {
    matches!(connection.address, Address::Typed(_))
}

/// The connections of this kind to a presenter of the leaf that fail by their name.
pub fn broken(case: &Case<'_>, served: &Served, of_kind: impl Fn(&Connection) -> bool) -> Vec<usize> {
    lens::failing_by(case, |b| {
        matches!(b.failure, Failure::Grpc(reason) if reason.fault == Fault::Name)
            && served.parties.contains(&b.connection.target)
            && of_kind(b.connection)
    })
}

/// The names of a certificate in a sentence.
pub fn listed(leaf: &Certificate) -> String {
    const SHOWN: usize = 8;
    let names: Vec<String> = leaf.names.iter().flatten().filter_map(written).collect();
    match names.len().saturating_sub(SHOWN) {
        _ if names.is_empty() => "no names".into(),
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

/// A name as people write it; none for kinds that are never compared.
pub fn written(name: &Name) -> Option<String> {
    match name {
        Name::Dns(text) | Name::Email(text) | Name::Uri(text) => Some(text.clone()),
        Name::Ip(octets) => address(octets).map(|ip| ip.to_string()),
        Name::Other => None,
    }
}

/// The DNS names of a certificate.
pub fn dns(leaf: &Certificate) -> impl Iterator<Item = &str> {
    leaf.names.iter().flatten().filter_map(|name| match name {
        Name::Dns(text) => Some(text.as_str()),
        _ => None,
    })
}

/// The facts of every finding about names, and the edit that adds those that are missing.
pub fn tell(finding: &mut Finding, served: &Served, missing: Vec<String>, pod_addresses: bool) {
    let origin = lens::phrase(&finding.subject);
    finding.fact("names in the certificate", listed(&served.leaf), &origin);
    finding.fact("SHA-256 of the certificate", &served.leaf.sha256, &origin);
    if !served.read {
        finding.confidence = Confidence::Predicted;
    }
    finding.edits = vec![Edit::AddNames { certificate: served.leaf.sha256.clone(), names: missing, pod_addresses }];
}

impl Served {
    /// The hosts of a connection that this leaf has to name: of the pods' IPs those of the pods that serve it.
    fn dialled(&self, case: &Case<'_>, connection: &Connection) -> Vec<String> {
        let pods: Vec<&str> =
            self.pods.iter().filter(|(party, _)| *party == connection.target).map(|(_, pod)| pod.as_str()).collect();
        match &connection.address {
            Address::PodIps(_) if !pods.is_empty() => {
                let target = case.model.parties.get(connection.target);
                let own =
                    target.into_iter().flat_map(|p| p.pods.iter()).filter(|pod| pods.contains(&pod.name.as_str()));
                own.filter_map(|pod| pod.ips.first()).map(ToString::to_string).collect()
            }
            address => dialled(address),
        }
    }
}

/// The leaves that the ports of a party serve, with the pod.
fn on_ports(case: &Case<'_>, index: usize) -> Vec<(Option<String>, Certificate)> {
    let ports = super::live::dialled(case).into_iter().filter(|port| port.party == index);
    let mut seen: Vec<(Option<String>, Certificate)> = ports
        .flat_map(|port| port.handshakes)
        .filter_map(|h| Some((Some(h.target.pod.clone()), super::live::leaf(h)?)))
        .collect();
    seen.sort_by(|a, b| (&a.0, &a.1.sha256).cmp(&(&b.0, &b.1.sha256)));
    seen.dedup();
    seen
}

/// NAM01 and NAM02: a finding for each leaf that lacks hosts which were typed.
fn typed_names(case: &Case<'_>, findings: &mut Findings, of_kind: impl Fn(&Connection) -> bool) {
    for served in served(case) {
        let missed = missed(case, &served, &of_kind);
        let Some(first) = missed.first() else { continue };
        // No names can be added to what KubeRay issues: KBR06 tells.
        if super::kuberay::operator_names::operators(case, &served.parties, &served.leaf).is_some() {
            continue;
        }
        let names: Vec<String> = missed.iter().map(|m| m.name.clone()).collect();
        let mut dialers: Vec<usize> =
            missed.iter().flat_map(|m| &m.connections).map(|&c| case.model.connections[c].dialer).collect();
        dialers.sort_unstable();
        dialers.dedup();
        let finding = findings.add(
            served.subject.clone(),
            format!(
                "the certificate {} does not name {}, dialled by {} (it has {})",
                served.leaf.subject,
                names.join(", "),
                lens::used_by(case.model, &dialers),
                listed(&served.leaf)
            ),
        );
        for &index in &first.connections {
            let connection = &case.model.connections[index];
            finding.fact("dialled", dial_text(connection), &case.model.parties[connection.dialer].id);
        }
        tell(finding, &served, names, false);
        finding.breaks = broken(case, &served, &of_kind);
    }
}

/// NAM03 and NAM04: a finding for each leaf that lacks IPs of the pods that present it.
fn pod_addresses(case: &Case<'_>, findings: &mut Findings, whose: &str, of_role: impl Fn(&Party) -> bool) {
    let of_kind = |c: &Connection| matches!(c.address, Address::PodIps(_)) && of_role(&case.model.parties[c.target]);
    for served in served(case) {
        let missing: Vec<String> = missed(case, &served, of_kind).into_iter().map(|m| m.name).collect();
        let dialled: Vec<&Connection> =
            (case.model.connections.iter()).filter(|c| served.parties.contains(&c.target) && of_kind(c)).collect();
        // Without pods their addresses are not known, but a stored certificate that names no address at all
        // can hold none of them.
        let unknown = dialled.iter().any(|c| matches!(&c.address, Address::PodIps(ips) if ips.is_empty()));
        let never = unknown && dialled.iter().any(|c| stored(&case.model.parties[c.target])) && nowhere(&served.leaf);
        if missing.is_empty() && !never {
            continue;
        }
        let targets: Vec<usize> = {
            let mut list: Vec<usize> = dialled.iter().map(|c| c.target).collect();
            list.sort_unstable();
            list.dedup();
            list
        };
        let lacks = match missing.len() {
            0 => "names no pod IP, and Ray dials it by that".to_string(),
            1 => format!("does not name its pod IP {}", missing[0]),
            n @ 2..=4 => format!("does not name {n} of its pod IPs: {}", missing.join(", ")),
            n => format!("does not name {n} of its pod IPs: {}, …", missing[..3].join(", ")),
        };
        let finding = findings.add(
            served.subject.clone(),
            format!(
                "the certificate {} of {whose} {} {lacks} (it has {})",
                served.leaf.subject,
                lens::used_by(case.model, &targets),
                listed(&served.leaf)
            ),
        );
        if missing.is_empty() {
            finding.confidence = Confidence::Predicted;
        }
        tell(finding, &served, missing, true);
        finding.breaks = broken(case, &served, of_kind);
    }
}

/// Whether the leaf comes from an object or file that is the same for every pod.
fn stored(party: &Party) -> bool {
    party.certificate.assumed.is_none() && matches!(party.certificate.place, Place::Key { .. } | Place::Local(_))
}

/// Whether no name of the certificate can be a pod's address.
fn nowhere(leaf: &Certificate) -> bool {
    let addresses = leaf.names.iter().flatten().filter_map(|name| match name {
        Name::Ip(octets) => address(octets),
        Name::Dns(text) => text.parse().ok(),
        _ => None,
    });
    addresses.into_iter().all(|ip: IpAddr| ip.is_loopback() || ip.is_unspecified())
}

fn dialled(address: &Address) -> Vec<String> {
    match address {
        Address::Typed(host) => vec![host.clone()],
        Address::Loopback => vec!["127.0.0.1".into()],
        Address::PodIps(ips) => ips.iter().map(ToString::to_string).collect(),
        Address::Unnamed => Vec::new(),
    }
}

/// The hosts that one of the port's gRPCs does not find in the leaf.
fn uncovered<'h>(leaf: &Certificate, hosts: &'h [String], port: Port, profiles: Profiles) -> BTreeSet<&'h String> {
    let asked: &[Profile] = match port {
        Port::Client(_) | Port::Session => &[profiles.python],
        Port::Gcs(_) | Port::Node(_) => &[profiles.core],
        Port::Any => &[profiles.core, profiles.python],
    };
    asked.iter().flat_map(|profile| names::uncovered(leaf, hosts, *profile)).collect()
}

fn dial_text(connection: &Connection) -> String {
    let host = dialled(&connection.address).join(", ");
    match connection.port {
        Port::Client(port) => format!("ray://{host}:{port}"),
        Port::Gcs(port) | Port::Node(Some(port)) => format!("{host}:{port}"),
        Port::Node(None) => format!("{host} (node ports)"),
        Port::Session => format!("{host} (Ray Client session)"),
        Port::Any => host,
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        _ => None,
    }
}
