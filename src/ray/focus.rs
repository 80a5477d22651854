//! One Ray cluster out of many.

use std::collections::BTreeSet;

use crate::evidence::Evidence;

use super::{Model, Party, Role};

/// The evidence of the Ray clusters of this name: a RayCluster's, or that of the Deployment or StatefulSet that runs a head.
/// `namespace/name` tells equal names apart.
///
/// # Errors
/// When there is none; the names there are, sorted.
pub fn focus(evidence: &Evidence, model: &Model, name: &str) -> Result<Evidence, Vec<String>> {
    let named = |p: &Party| names(evidence, p).into_iter().any(|n| n == name || n == format!("{}/{name}", p.namespace));
    let clusters: BTreeSet<usize> = model.parties.iter().filter(|p| named(p)).map(|p| p.cluster).collect();
    if clusters.is_empty() {
        let all: BTreeSet<String> = model.parties.iter().flat_map(|p| names(evidence, p)).collect();
        return Err(all.into_iter().collect());
    }
    let kept = || model.parties.iter().filter(|p| clusters.contains(&p.cluster));
    let workloads: BTreeSet<usize> = kept().filter_map(|p| p.workload).collect();
    let names: BTreeSet<String> = kept().flat_map(|p| names(evidence, p)).collect();
    let mut one = evidence.clone();
    one.workloads = workloads.iter().filter_map(|&at| evidence.workloads.get(at).cloned()).collect();
    one.ray_resources.retain(|r| {
        names.contains(&format!("{}/{}", r.object.namespace, r.object.name)) || kept().any(|p| p.object == r.object)
    });
    Ok(one)
}

/// `namespace/name` of the cluster, as far as this party tells it.
fn names(evidence: &Evidence, party: &Party) -> Vec<String> {
    let group = party.workload.and_then(|at| evidence.workloads.get(at)).and_then(|w| w.group.as_ref());
    let head = (party.role == Role::Head).then_some(&party.object.name);
    let both = group.map(|g| &g.cluster).into_iter().chain(head);
    both.map(|name| format!("{}/{name}", party.namespace)).collect()
}
