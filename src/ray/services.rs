//! Which Service a host name means.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::evidence::{Evidence, Mode, Pod, Service, Workload};

use super::{Address, Connection, Model, Party};

/// The Service that a host means for a dialler: by its pods' `hostAliases`, by an IP, or by the cluster's DNS (`svc`, `svc.ns`,
/// `svc.ns.svc`, `svc.ns.svc.<domain>`).
pub(super) fn service<'e>(evidence: &'e Evidence, dialer: &Party, host: &str) -> Option<&'e Service> {
    if let Some(ip) = address(evidence, dialer, host) {
        return with_ip(evidence, ip);
    }
    let (name, namespace) = name_of(&dialer.namespace, host)?;
    evidence.services.iter().find(|s| s.object.is(namespace, name))
}

/// The IP that a host is for a dialler without asking DNS: it is one, or its pods' `hostAliases` have it, which come first.
pub(super) fn address(evidence: &Evidence, dialer: &Party, host: &str) -> Option<IpAddr> {
    host.parse().ok().or_else(|| alias(evidence, dialer, host))
}

/// Why it cannot be told where a dial ends: `hostAliases` send the host to an IP of no Service and of none of these pods.
pub(super) fn unled<'p>(
    evidence: &Evidence,
    dialer: &Party,
    host: &str,
    mut pods: impl Iterator<Item = &'p Pod>,
) -> Option<String> {
    let ip = alias(evidence, dialer, host)?;
    let known = with_ip(evidence, ip).is_some() || pods.any(|pod| pod.ips.contains(&ip));
    (!known).then(|| {
        format!(
            "hostAliases of {} send {host} to {ip}, which no Service and no pod of Ray that was looked at has",
            dialer.object
        )
    })
}

/// That no Service of this name is in a live namespace whose Services were seen.
pub(super) fn missing(evidence: &Evidence, dialer: &Party, host: &str) -> Option<String> {
    let (name, ns) = name_of(&dialer.namespace, host)?;
    let seen = evidence.mode == Mode::Live
        && !evidence.incomplete
        && evidence.services.iter().any(|s| s.object.namespace == ns);
    let none = seen && address(evidence, dialer, host).is_none() && service(evidence, dialer, host).is_none();
    none.then(|| format!("namespace {ns} has no Service {name}"))
}

/// The Service by whose name a connection is dialled.
pub fn service_dialled<'e>(evidence: &'e Evidence, model: &Model, connection: &Connection) -> Option<&'e Service> {
    let Address::Typed(host) = &connection.address else { return None };
    service(evidence, model.parties.get(connection.dialer)?, host)
}

/// Whether a Service has a selector that no pod of its namespace meets. Where pods may be that were not looked at,
/// that is not known.
pub fn selects_nothing(evidence: &Evidence, service: &Service) -> bool {
    let mut near = evidence.workloads.iter().filter(|w| w.object.namespace == service.object.namespace);
    let whole = !evidence.partial && !evidence.incomplete && near.clone().any(|w: &Workload| !w.pods.is_empty());
    whole && !service.selector.is_empty() && !near.any(|w| selects(&service.selector, &w.labels))
}

/// Whether a Service has a selector and its whole namespace was looked at: what it does not select it does not lead to.
pub(super) fn selects_others(evidence: &Evidence, service: &Service) -> bool {
    let near = evidence.workloads.iter().filter(|w| w.object.namespace == service.object.namespace);
    let whole = !evidence.partial && !evidence.incomplete && near.clone().any(|w| !w.pods.is_empty());
    whole && !service.selector.is_empty()
}

/// As [`missing`].
pub fn is_missing(evidence: &Evidence, dialer: &Party, host: &str) -> bool {
    missing(evidence, dialer, host).is_some()
}

/// The name of a Service that selects the pods of a party, of its own namespace.
pub fn service_of(evidence: &Evidence, model: &Model, party: usize) -> Option<String> {
    let party = model.parties.get(party)?;
    let labels = &evidence.workloads.get(party.workload?)?.labels;
    let mut near = evidence.services.iter().filter(|service| service.object.namespace == party.namespace);
    near.find(|service| selects(&service.selector, labels)).map(|service| service.object.name.clone())
}

/// Whether a Service leads past the party for which a connection by its name is meant.
pub fn leads_past(evidence: &Evidence, model: &Model, service: &Service, connection: &Connection) -> bool {
    let target = model.parties.get(connection.target).and_then(|party| party.workload);
    let workload = target.and_then(|at| evidence.workloads.get(at)).filter(|workload| workload.group.is_none());
    let labels = workload.map(|workload| &workload.labels);
    selects_nothing(evidence, service)
        || selects_others(evidence, service) && labels.is_some_and(|labels| !selects(&service.selector, labels))
}

/// Labels for people and kubectl: `app=ray,ray=head`.
pub fn words(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

fn alias(evidence: &Evidence, dialer: &Party, host: &str) -> Option<IpAddr> {
    let aliases = &evidence.workloads.get(dialer.workload?)?.host_aliases;
    aliases.iter().find(|(name, _)| name.eq_ignore_ascii_case(host)).map(|(_, ip)| *ip)
}

fn with_ip(evidence: &Evidence, ip: IpAddr) -> Option<&Service> {
    let is = |service: &&Service| service.cluster_ip.as_deref().and_then(|text| text.parse().ok()) == Some(ip);
    evidence.services.iter().find(is)
}

/// Name and namespace of the Service that a host would mean.
pub(super) fn name_of<'h>(namespace: &'h str, host: &'h str) -> Option<(&'h str, &'h str)> {
    if host.is_empty() || host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let mut labels = host.trim_end_matches('.').split('.');
    let name = labels.next()?;
    match (labels.next(), labels.next()) {
        (None, _) => Some((name, namespace)),
        (Some(ns), None | Some("svc")) => Some((name, ns)),
        _ => None,
    }
}

/// Whether a selector chooses pods of these labels. An empty one chooses none.
pub(super) fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_mean_services() {
        assert_eq!(name_of("ray", "head"), Some(("head", "ray")));
        assert_eq!(name_of("ray", "head.prod"), Some(("head", "prod")));
        assert_eq!(name_of("ray", "head.prod.svc.cluster.local"), Some(("head", "prod")));
        assert_eq!(name_of("ray", "ray.example.com"), None);
        assert_eq!(name_of("ray", "10.0.0.1"), None);
    }
}
