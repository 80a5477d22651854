//! Which pods are asked from inside, and what is dialled there. Pure.

use std::collections::BTreeMap;

use crate::evidence::{Evidence, Gap, Inside, Pod};
use crate::ray::{Address, Connection, Model, Party, Port, Role, inside};

/// One container to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// Hosts and ports to dial there, sorted.
    pub dials: Vec<(String, u16)>,
}

/// The most dials of one visit.
pub const DIALS: usize = 24;

/// The containers to ask: of each party the first `sample` of its running pods, in the order of their names. Those that
/// were asked before are asked again only for dials that have become known since.
pub fn plan(evidence: &Evidence, model: &Model, sample: usize) -> Vec<Visit> {
    let mut visits: BTreeMap<(String, String, String), Vec<(String, u16)>> = BTreeMap::new();
    for (index, party) in model.parties.iter().enumerate().filter(|(_, party)| is_asked(party)) {
        for pod in running(party).take(sample) {
            let asked = inside::of(evidence, party, &pod.name);
            let made = |host: &str, port: u16| {
                asked.is_some_and(|told| told.dials.iter().any(|dial| dial.host == host && dial.port == port))
            };
            let own = model.connections.iter().filter(|connection| connection.dialer == index);
            let mut dials: Vec<(String, u16)> =
                own.flat_map(|connection| addresses(evidence, model, connection, pod, sample)).collect();
            dials.sort();
            dials.dedup();
            dials.retain(|(host, port)| !made(host, *port));
            if asked.is_none() || !dials.is_empty() {
                let key = (party.namespace.clone(), pod.name.clone(), party.container.clone());
                visits.entry(key).or_default().extend(dials);
            }
        }
    }
    let visit = |((namespace, pod, container), mut dials): ((String, String, String), Vec<(String, u16)>)| {
        dials.sort();
        dials.dedup();
        dials.truncate(DIALS);
        Visit { namespace, pod, container, dials }
    };
    visits.into_iter().map(visit).collect()
}

/// What is not asked though it could be: pods beyond the sample, and parties without a running pod.
pub fn left_out(model: &Model, sample: usize) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for party in model.parties.iter().filter(|party| is_asked(party)) {
        let all = running(party).count();
        if all > sample {
            gaps.push(Gap {
                what: format!("the inside of {} of {all} pods of {}", all - sample, party.id),
                why: format!("{sample} of pods of equal template were asked"),
                needs: Some(format!("--sample {all}")),
                code: None,
            });
        }
        if all == 0 && !party.pods.is_empty() {
            gaps.push(Gap {
                what: format!("the inside of {}", party.id),
                why: format!("container {} runs in none of its pods", party.container),
                needs: None,
                code: None,
            });
        }
    }
    gaps
}

/// Whether pods of a party can be asked: an init container is over, and this shell is no pod.
pub fn is_asked(party: &Party) -> bool {
    !matches!(party.role, Role::Waiter | Role::Laptop) && party.workload.is_some()
}

/// The pods of a party whose container runs.
pub fn running(party: &Party) -> impl Iterator<Item = &Pod> {
    let started = |pod: &Pod| {
        let own = pod.containers.iter().find(|container| container.name == party.container);
        own.is_none_or(|container| container.started_at.is_some())
    };
    party.pods.iter().filter(move |pod| pod.phase == "Running" && started(pod))
}

/// The hosts and ports of a connection, as far as they are known, from one pod.
fn addresses(
    evidence: &Evidence,
    model: &Model,
    connection: &Connection,
    from: &Pod,
    sample: usize,
) -> Vec<(String, u16)> {
    let Some(target) = model.parties.get(connection.target) else { return Vec::new() };
    let number = connection.port.number();
    let ports = |told: Option<&Inside>| match (number, told) {
        (Some(number), _) => vec![number],
        (None, Some(told)) => inside::ports(told, connection),
        (None, None) => Vec::new(),
    };
    match &connection.address {
        Address::Typed(host) => {
            let pods = running(target).take(if number.is_some() { 1 } else { sample });
            let told = pods.filter_map(|pod| inside::of(evidence, target, &pod.name));
            let known = match number {
                Some(number) => vec![number],
                None => told.flat_map(|told| inside::ports(told, connection)).collect(),
            };
            known.into_iter().map(|port| (host.clone(), port)).collect()
        }
        Address::Loopback => {
            let own = ports(inside::of(evidence, target, &from.name));
            own.into_iter().map(|port| ("127.0.0.1".to_owned(), port)).collect()
        }
        Address::PodIps(_) => {
            // A pod that dials its like does not dial itself, but the head does dial its own GCS.
            let itself = |pod: &&Pod| {
                connection.dialer == connection.target
                    && !matches!(connection.port, Port::Gcs(_))
                    && pod.name == from.name
            };
            let peers = running(target).filter(|pod| !itself(pod)).take(sample);
            let each = peers.filter_map(|pod| Some((pod.ips.first()?, ports(inside::of(evidence, target, &pod.name)))));
            each.flat_map(|(ip, ports)| ports.into_iter().map(move |port| (ip.to_string(), port))).collect()
        }
        Address::Unnamed => Vec::new(),
    }
}
