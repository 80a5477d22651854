use std::collections::BTreeMap;

use super::{Cause, Connection, RayCluster, Word};
use crate::evidence::Evidence;
use crate::ray::{Model, Role};

/// The name of each Ray cluster of the model, by its index: `namespace/name` of the RayCluster, else the id of the head, else of
/// any party.
pub(super) fn names(evidence: &Evidence, model: &Model) -> BTreeMap<usize, String> {
    let mut names: BTreeMap<usize, (bool, String)> = BTreeMap::new();
    for party in &model.parties {
        let group = party.workload.and_then(|at| evidence.workloads.get(at)).and_then(|w| w.group.as_ref());
        let head = party.role == Role::Head;
        let name = group.map_or_else(|| party.id.clone(), |group| format!("{}/{}", party.namespace, group.cluster));
        match names.get(&party.cluster) {
            Some((true, _)) => {}
            Some((false, _)) if !head => {}
            _ => {
                names.insert(party.cluster, (head, name));
            }
        }
    }
    names.into_iter().map(|(index, (_, name))| (index, name)).collect()
}

/// The clusters that have a connection, in numbers.
pub(super) fn clusters(connections: &[Connection], causes: &[Cause]) -> Vec<RayCluster> {
    let mut clusters: BTreeMap<&str, RayCluster> = BTreeMap::new();
    for c in connections {
        let cluster = clusters.entry(&c.ray_cluster).or_default();
        cluster.connections += c.count;
        match c.effective.verdict {
            Word::Accept => {}
            Word::Reject => cluster.failing += c.count,
            Word::CannotTell => cluster.not_judged += c.count,
        }
    }
    let home: BTreeMap<&str, &str> = connections.iter().map(|c| (c.id.as_str(), c.ray_cluster.as_str())).collect();
    for cause in causes {
        for name in cause.mends.iter().filter_map(|id| home.get(id.as_str())) {
            if let Some(cluster) = clusters.get_mut(name)
                && !cluster.causes.contains(&cause.code)
            {
                cluster.causes.push(cause.code);
            }
        }
    }
    clusters.into_iter().map(|(name, cluster)| RayCluster { name: name.into(), ..cluster }).collect()
}
