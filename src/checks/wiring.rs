//! WIR: what is between the pods.

pub mod denied;
pub mod leads_elsewhere;
pub mod no_service;
pub mod selects_nothing;

use std::collections::BTreeMap;

use super::Case;
use crate::evidence::{ObjectRef, Service};
use crate::ray;

/// The Services by whose names connections go astray, with the indices of these connections.
fn astray<'a>(case: &Case<'a>) -> BTreeMap<ObjectRef, (&'a Service, Vec<usize>)> {
    let mut found: BTreeMap<ObjectRef, (&Service, Vec<usize>)> = BTreeMap::new();
    for (index, connection) in
        case.model.connections.iter().enumerate().filter(|(_, c)| c.misdirected.is_some() && c.denied_by.is_none())
    {
        if let Some(service) = ray::service_dialled(case.evidence, case.model, connection) {
            found.entry(service.object.clone()).or_insert((service, Vec::new())).1.push(index);
        }
    }
    found
}

/// The dialers of these connections, each once, for people.
fn dialers(case: &Case<'_>, connections: &[usize]) -> String {
    let party = |&index: &usize| case.model.connections.get(index).and_then(|c| case.model.parties.get(c.dialer));
    let ids: std::collections::BTreeSet<&str> = connections.iter().filter_map(party).map(|p| p.id.as_str()).collect();
    ids.into_iter().collect::<Vec<_>>().join(", ")
}

/// A Service as the subject of a finding.
fn subject(service: &Service) -> super::Subject {
    super::Subject {
        kind: service.object.kind.clone(),
        namespace: Some(service.object.namespace.clone()).filter(|ns| !ns.is_empty()),
        name: service.object.name.clone(),
        key: None,
        file: service.origin.file.clone(),
        line: service.origin.line,
    }
}
