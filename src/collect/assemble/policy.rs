//! NetworkPolicies.

use serde_json::Value;

use super::field::{Field, Reading};
use crate::evidence::{Ingress, NetworkPolicy, Peer, Ports, Selector};

/// Reads a NetworkPolicy; none when it says nothing of ingress.
pub(crate) fn policy(root: &Field<'_>, reading: &mut Reading<'_>) -> Option<NetworkPolicy> {
    let spec = root.get(reading, "spec");
    let types: Vec<String> =
        spec.get(reading, "policyTypes").items(reading).iter().filter_map(|kind| kind.text(reading)).collect();
    // Without types it is about ingress (networking/v1 NetworkPolicySpec).
    if !types.is_empty() && !types.iter().any(|kind| kind == "Ingress") {
        return None;
    }
    let rules = spec.get(reading, "ingress").items(reading);
    Some(NetworkPolicy {
        object: reading.object.clone(),
        origin: reading.origin.clone(),
        pods: selector(&spec.get(reading, "podSelector"), reading),
        ingress: rules.iter().map(|rule| ingress(rule, reading)).collect(),
    })
}

fn ingress(rule: &Field<'_>, reading: &mut Reading<'_>) -> Ingress {
    let peers = rule.get(reading, "from").items(reading);
    let listed = rule.get(reading, "ports").items(reading);
    let ports: Vec<Ports> = listed.iter().filter_map(|item| port(item, reading)).collect();
    let every = listed.iter().any(|item| is_tcp(item, reading) && !item.get(reading, "port").present());
    Ingress {
        from: (!peers.is_empty()).then(|| peers.iter().map(|item| peer(item, reading)).collect()),
        // A list of ports of other protocols lets no TCP in.
        ports: (!listed.is_empty() && !every).then_some(ports),
    }
}

fn peer(item: &Field<'_>, reading: &mut Reading<'_>) -> Peer {
    let chosen = |key: &str, reading: &mut Reading<'_>| {
        let field = item.get(reading, key);
        field.present().then(|| selector(&field, reading))
    };
    Peer {
        pods: chosen("podSelector", reading),
        namespaces: chosen("namespaceSelector", reading),
        block: item.at(reading, &["ipBlock", "cidr"]).text_or_empty(reading),
    }
}

pub(crate) fn selector(field: &Field<'_>, reading: &mut Reading<'_>) -> Selector {
    Selector {
        labels: field.get(reading, "matchLabels").texts(reading),
        expressions: !field.get(reading, "matchExpressions").items(reading).is_empty(),
    }
}

fn is_tcp(item: &Field<'_>, reading: &mut Reading<'_>) -> bool {
    item.get(reading, "protocol").text(reading).is_none_or(|protocol| protocol == "TCP")
}

fn port(item: &Field<'_>, reading: &mut Reading<'_>) -> Option<Ports> {
    if !is_tcp(item, reading) {
        return None;
    }
    let port = item.get(reading, "port");
    match port.value()? {
        Value::String(name) => Some(Ports::Named(name.clone())),
        _ => {
            let first: u16 = port.number(reading)?;
            Some(Ports::Range(first, item.get(reading, "endPort").number(reading).unwrap_or(first)))
        }
    }
}
