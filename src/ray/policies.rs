//! Does a NetworkPolicy let a dialer in?

use std::collections::BTreeMap;

use crate::evidence::{Evidence, Ingress, NetworkPolicy, ObjectRef, Peer, Ports, Selector, Workload};

/// How wide a range must be for a port that Ray chooses at random to be thought of.
const WIDE: u32 = 100;

/// An answer that may not be had.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    No,
    Unknown,
    Yes,
}

/// Ports that a dialer needs of a target, all of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// This one.
    One(u16),
    /// One that Ray chooses at random.
    Random,
    /// Those of core workers, each of which takes one of these ranges.
    Workers(Vec<(u16, u16)>),
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Need::One(port) => write!(f, "port {port}"),
            Need::Random => write!(f, "the ports of nodes"),
            Need::Workers(ranges) => {
                let ends = ranges.first().zip(ranges.last());
                let (first, last) = ends.map_or((0, 0), |((first, _), (_, last))| (*first, *last));
                write!(f, "the worker ports of nodes, {first} to {last}")
            }
        }
    }
}

/// The policy because of which nobody with the labels of `dialer` gets to these ports of `target`, and the first of them; none when somebody is let in,
/// no policy is about the target, or that cannot be told. Egress is not looked at.
pub(super) fn denied<'e>(
    evidence: &'e Evidence,
    dialer: &Workload,
    target: &Workload,
    needs: Vec<Need>,
) -> Option<(&'e NetworkPolicy, Need)> {
    // A pod on its node's network is no peer of a policy, and not guarded by one.
    if dialer.host_network || target.host_network {
        return None;
    }
    let mut about = evidence.network_policies.iter().filter(|p| p.object.namespace == target.object.namespace);
    let about: Vec<&NetworkPolicy> =
        about.by_ref().filter(|p| chooses(&p.pods, &target.labels) != Answer::No).collect();
    let first = about.iter().find(|p| chooses(&p.pods, &target.labels) == Answer::Yes)?;
    let rules = || about.iter().flat_map(|p| p.ingress.iter().map(move |rule| (&p.object, rule)));
    let shut = |need: &Need| {
        let best = rules().map(|(policy, rule)| lets_in(policy, rule, dialer, target, need)).max();
        best.is_none_or(|answer| answer == Answer::No)
    };
    needs.into_iter().find(shut).map(|need| (*first, need))
}

fn lets_in(policy: &ObjectRef, rule: &Ingress, dialer: &Workload, target: &Workload, need: &Need) -> Answer {
    let who = match &rule.from {
        None => Answer::Yes,
        Some(peers) => peers.iter().map(|peer| is_peer(policy, peer, dialer)).max().unwrap_or(Answer::No),
    };
    let on = match &rule.ports {
        None => Answer::Yes,
        Some(ports) => match need {
            Need::One(number) => ports.iter().map(|ports| has(ports, *number, target)).max().unwrap_or(Answer::No),
            // Which of their ports workers take is not known; where none is open, all are shut.
            Need::Workers(ranges) => {
                let meets = |ports: &Ports| match ports {
                    Ports::Range(first, last) => ranges.iter().any(|(least, most)| first <= most && least <= last),
                    Ports::Named(_) => true,
                };
                if ports.iter().any(meets) { Answer::Unknown } else { Answer::No }
            }
            Need::Random => {
                let width = |ports: &Ports| match ports {
                    Ports::Range(first, last) => u32::from(last.saturating_sub(*first)) + 1,
                    Ports::Named(_) => 1,
                };
                let all: u32 = ports.iter().map(width).sum();
                if all < WIDE { Answer::No } else { Answer::Unknown }
            }
        },
    };
    who.min(on)
}

fn is_peer(policy: &ObjectRef, peer: &Peer, dialer: &Workload) -> Answer {
    if !peer.block.is_empty() {
        // Which addresses pods have is not known beforehand, and some networks change them.
        return if peer.block.ends_with("/0") { Answer::Yes } else { Answer::Unknown };
    }
    let namespace = match &peer.namespaces {
        None if policy.namespace == dialer.object.namespace => Answer::Yes,
        None => Answer::No,
        Some(selector) => {
            // The one label that every namespace has; the others were not seen.
            let name = BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), dialer.object.namespace.clone())]);
            match chooses(selector, &name) {
                Answer::No if selector.labels.keys().any(|label| !name.contains_key(label)) => Answer::Unknown,
                answer => answer,
            }
        }
    };
    let pods = peer.pods.as_ref().map_or(Answer::Yes, |selector| chooses(selector, &dialer.labels));
    namespace.min(pods)
}

/// Whether a selector chooses what has these labels. An empty one chooses all.
fn chooses(selector: &Selector, labels: &BTreeMap<String, String>) -> Answer {
    let all = selector.labels.iter().all(|(key, value)| labels.get(key) == Some(value));
    match (all, selector.expressions) {
        (false, _) => Answer::No,
        (true, true) => Answer::Unknown,
        (true, false) => Answer::Yes,
    }
}

fn has(ports: &Ports, number: u16, target: &Workload) -> Answer {
    let yes = match ports {
        Ports::Range(first, last) => (*first..=*last).contains(&number),
        Ports::Named(name) => {
            target.containers.iter().flat_map(|c| &c.ports).any(|(port, at)| port == name && *at == number)
        }
    };
    if yes { Answer::Yes } else { Answer::No }
}
