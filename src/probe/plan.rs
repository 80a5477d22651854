//! Which ports are worth dialling, with which client certificate. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::evidence::{Evidence, Target};
use crate::ray::{Address, Connection, Model, Party, Port};

/// One dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// What to dial.
    pub target: Target,
    /// SNI; none for an IP address.
    pub server_name: Option<String>,
    /// Leaf (SHA-256, hex) of the identity to present; none for no client certificate.
    pub identity: Option<String>,
}

/// The most pods of one party that are dialled on one port; equal pods answer equally.
pub const PODS: usize = 4;
/// The most client certificates that one port is shown.
pub const IDENTITIES: usize = 3;

/// The dials for the connections of the model. `identities` are the leaves (SHA-256, hex) whose keys are at hand.
///
/// Every port with a known number is dialled in at most [`PODS`] running pods of the party, once per distinct
/// certificate of its dialers; dialers whose key is not at hand share one dial without a certificate. A party whose
/// switch is off is dialled too, to see what it really speaks. Loopback connections add nothing: the port is the same.
pub fn plan(_evidence: &Evidence, model: &Model, identities: &[String]) -> Vec<Dial> {
    let mut wanted: BTreeMap<(usize, u16), Vec<Shown>> = BTreeMap::new();
    for connection in &model.connections {
        let (Some(port), Some(name)) = (number(connection.port), sent_name(connection)) else {
            continue;
        };
        let identity = model.parties.get(connection.dialer).and_then(leaf).filter(|leaf| identities.contains(leaf));
        let shown = wanted.entry((connection.target, port)).or_default();
        match shown.iter_mut().find(|(known, _)| *known == identity) {
            Some((_, known)) => *known = known.take().or(name),
            None => shown.push((identity, name)),
        }
    }
    let mut dials = Vec::new();
    for ((party, port), mut shown) in wanted {
        // With a certificate first: only such a dial can show that the port accepts.
        shown.sort_by_key(|(identity, _)| identity.is_none());
        shown.truncate(IDENTITIES);
        for target in model.parties.get(party).map(|party| targets(party, port)).unwrap_or_default() {
            dials.extend(shown.iter().map(|(identity, server_name)| Dial {
                target: target.clone(),
                server_name: server_name.clone(),
                identity: identity.clone(),
            }));
        }
    }
    let mut distinct: Vec<Dial> = Vec::with_capacity(dials.len());
    let mut known = BTreeSet::new();
    for dial in dials {
        if known.insert((dial.target.clone(), dial.identity.clone())) {
            distinct.push(dial);
        }
    }
    distinct
}

/// An identity (SHA-256 of its leaf) and the SNI sent with it.
type Shown = (Option<String>, Option<String>);

fn number(port: Port) -> Option<u16> {
    match port {
        Port::Gcs(number) | Port::Client(number) | Port::Node(Some(number)) => Some(number),
        Port::Node(None) | Port::Session | Port::Any => None,
    }
}

/// The SNI a dialer of this connection sends; the outer `None` is a connection that is not dialled.
#[allow(clippy::option_option)]
fn sent_name(connection: &Connection) -> Option<Option<String>> {
    match &connection.address {
        Address::Loopback | Address::Unnamed => None,
        Address::PodIps(_) => Some(None),
        Address::Typed(host) => Some(host.parse::<IpAddr>().is_err().then(|| host.clone())),
    }
}

/// SHA-256 of the first certificate of the party's certificate file.
fn leaf(party: &Party) -> Option<String> {
    let block = party.certificate.content.found()?.certificates.blocks.first()?;
    let der = STANDARD.decode(&block.der).ok()?;
    Some(digest(&SHA256, &der).as_ref().iter().map(|b| format!("{b:02x}")).collect())
}

fn targets(party: &Party, port: u16) -> Vec<Target> {
    let running = party.pods.iter().filter(|pod| pod.phase == "Running");
    let targets = running.filter_map(|pod| {
        Some(Target {
            namespace: party.namespace.clone(),
            pod: pod.name.clone(),
            host: pod.ips.first()?.to_string(),
            port,
        })
    });
    targets.take(PODS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{FileFacts, Mode, ObjectRef, Origin, Pod, Seen, Shape, Why};
    use crate::grpc::pem::{Block, Reading};
    use crate::ray::{NodeAddress, Place, Role, Switch, TlsFile};

    #[test]
    fn each_port_is_dialled_once_per_certificate_of_its_dialers() {
        let head = party("head", b"head", 1);
        let worker = party("worker", b"worker", 6);
        let model = Model {
            parties: vec![head, worker],
            connections: vec![
                connection(1, 0, Address::Typed("ray-head-svc".into()), Port::Gcs(6379)),
                connection(0, 0, Address::PodIps([].into()), Port::Gcs(6379)),
                connection(0, 0, Address::Loopback, Port::Client(10001)),
                connection(0, 1, Address::PodIps([].into()), Port::Node(None)),
                connection(0, 1, Address::PodIps([].into()), Port::Node(Some(7000))),
            ],
            ..Model::default()
        };
        let dials = plan(&evidence(), &model, &[sha256(b"head")]);
        let shown: Vec<(&str, u16, Option<&str>, bool)> = dials
            .iter()
            .map(|d| (d.target.pod.as_str(), d.target.port, d.server_name.as_deref(), d.identity.is_some()))
            .collect();
        assert_eq!(
            shown,
            [
                ("head-0", 6379, None, true),
                ("head-0", 6379, Some("ray-head-svc"), false),
                ("worker-0", 7000, None, true),
                ("worker-1", 7000, None, true),
                ("worker-2", 7000, None, true),
                ("worker-3", 7000, None, true),
            ],
            "the key of the worker is not at hand, loopback and unknown ports are not dialled, four pods stand for six"
        );
    }

    #[test]
    fn only_running_pods_with_an_address_are_dialled_and_only_three_certificates_shown() {
        let mut head = party("head", b"head", 3);
        let mut pods = head.pods.to_vec();
        pods[0].phase = "Pending".into();
        pods[1].ips.clear();
        head.pods = pods.into();
        let mut parties = vec![head];
        let mut connections = Vec::new();
        let mut identities = Vec::new();
        for client in 1..=5_u8 {
            parties.push(party("client", &[client], 0));
            identities.push(sha256(&[client]));
            connections.push(connection(client.into(), 0, Address::Typed("10.0.0.7".into()), Port::Client(10001)));
        }
        let model = Model { parties, connections, ..Model::default() };
        let dials = plan(&evidence(), &model, &identities);
        assert_eq!(dials.len(), IDENTITIES);
        assert!(dials.iter().all(|d| d.target.pod == "head-2" && d.server_name.is_none() && d.identity.is_some()));
    }

    fn evidence() -> Evidence {
        Evidence::new(Mode::Live, "test", jiff::Timestamp::UNIX_EPOCH)
    }

    fn sha256(der: &[u8]) -> String {
        digest(&SHA256, der).as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }

    fn connection(dialer: usize, target: usize, address: Address, port: Port) -> Connection {
        Connection {
            id: String::new(),
            dialer,
            target,
            address,
            port,
            why: "",
            misdirected: None,
            denied_by: None,
            needed: true,
            count: 1,
            only: None,
        }
    }

    fn party(name: &str, leaf: &[u8], pods: u8) -> Party {
        let block = Block { label: "CERTIFICATE".into(), line: 1, der: STANDARD.encode(leaf) };
        let facts = FileFacts {
            size: 1,
            sha256: None,
            shape: Shape::Pem,
            certificates: Reading { blocks: vec![block], begun: 1, ..Reading::default() },
            keys: Vec::new(),
        };
        let file = |variable, content| TlsFile {
            variable,
            path: Seen::Absent,
            place: Place::NoPath,
            content,
            assumed: None,
            hypothetical: None,
            inside: Vec::new(),
            covers_pods: false,
            mended: false,
            access: Default::default(),
        };
        let pod = |i: u8| Pod {
            name: format!("{name}-{i}"),
            ips: vec![IpAddr::from([10, 0, 0, i])],
            phase: "Running".into(),
            containers: Vec::new(),
        };
        Party {
            id: name.into(),
            role: Role::Head,
            cluster: 0,
            namespace: "ray".into(),
            object: ObjectRef::new("Pod", "ray", name),
            origin: Origin::default(),
            workload: None,
            container: String::new(),
            switch: Seen::Found(Switch::Off { written: None }),
            certificate: file("RAY_TLS_SERVER_CERT", Seen::Found(facts)),
            key: file("RAY_TLS_SERVER_KEY", Seen::Unseen(Why::NotAsked)),
            trust: file("RAY_TLS_CA_CERT", Seen::Unseen(Why::NotAsked)),
            node_address: NodeAddress::PodIp,
            pods: (0..pods).map(pod).collect(),
            count: 1,
            next: None,
            clock: Default::default(),
            touched: false,
            restarted: false,
        }
    }
}
