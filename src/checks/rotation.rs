//! ROT: files that changed under running processes.

pub mod differs_in_pod;
pub mod not_restarted;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Case;
use super::lens;
use super::live;
use crate::evidence::SourceKind;
use crate::grpc::certificate::Certificate;
use crate::judge::Verdict;
use crate::ray::{Place, handshakes};

/// A Secret or ConfigMap that changed after pods that use it had started.
pub struct Stale<'a> {
    /// Secret or ConfigMap.
    pub kind: SourceKind,
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// When it changed, UTC.
    pub changed_at: Timestamp,
    /// Who runs since before, by index.
    pub parties: Vec<usize>,
    /// The pods, each with the start of its container.
    pub pods: Vec<(&'a str, Timestamp)>,
    /// Chains that were seen to be served and are not the stored one, by party.
    pub old: Vec<(usize, Vec<Certificate>)>,
}

/// Every such object that shows, or may show, in what its users do.
pub fn stale<'a>(case: &Case<'a>) -> Vec<Stale<'a>> {
    let mut list: Vec<Stale<'a>> = Vec::new();
    for one in lens::uses(case) {
        let Place::Key { kind, namespace, name, .. } = &one.file.place else { continue };
        let Some(changed_at) = changed_at(case, *kind, namespace, name) else { continue };
        let pods = started_before(case, one.party, changed_at);
        if pods.is_empty() {
            continue;
        }
        let at = list.iter().position(|s| s.kind == *kind && s.namespace == namespace && s.name == name);
        let at = at.unwrap_or_else(|| {
            list.push(Stale { kind: *kind, namespace, name, changed_at, parties: vec![], pods: vec![], old: vec![] });
            list.len() - 1
        });
        if let Some(known) = list.get_mut(at).filter(|known| !known.parties.contains(&one.party)) {
            known.parties.push(one.party);
            known.pods.extend(pods);
            known.old.extend(served_old(case, one.party).into_iter().map(|chain| (one.party, chain)));
        }
    }
    list.retain(|stale| !stale.old.is_empty() || stale.parties.iter().any(|&p| in_doubt(case, p)));
    for stale in &mut list {
        stale.pods.sort_unstable();
        stale.pods.dedup();
    }
    list
}

/// The parties whose restart such an object proves to be needed.
pub fn stale_parties(case: &Case<'_>) -> BTreeSet<usize> {
    stale(case).into_iter().filter(|s| !s.old.is_empty()).flat_map(|s| s.parties).collect()
}

fn changed_at(case: &Case<'_>, kind: SourceKind, namespace: &str, name: &str) -> Option<Timestamp> {
    match kind {
        SourceKind::Secret => case.evidence.secret(namespace, name).found()?.changed_at,
        SourceKind::ConfigMap => case.evidence.config_map(namespace, name).found()?.changed_at,
    }
}

fn started_before<'a>(case: &Case<'a>, party: usize, changed_at: Timestamp) -> Vec<(&'a str, Timestamp)> {
    let party = &case.model.parties[party];
    let starts = party.pods.iter().flat_map(|pod| {
        let of_party = pod.containers.iter().filter(|c| c.name == party.container);
        of_party.filter_map(|c| Some((pod.name.as_str(), c.started_at?)))
    });
    starts.filter(|(_, started)| *started < changed_at).collect()
}

/// The chains that ports of this party serve in place of the stored one.
fn served_old(case: &Case<'_>, index: usize) -> Vec<Vec<Certificate>> {
    let party = &case.model.parties[index];
    let Some(stored) = lens::leaf(party).filter(|_| party.certificate.assumed.is_none()) else { return Vec::new() };
    let chains = live_chains(case, index);
    chains.into_iter().filter(|chain| chain.first().is_some_and(|leaf| leaf.sha256 != stored.sha256)).collect()
}

/// Whether a party that started before the change may still run on old files: nothing was seen of what it serves, or
/// the stored files do not work.
fn in_doubt(case: &Case<'_>, index: usize) -> bool {
    let stored_fails = (case.model.connections.iter().zip(case.matrix))
        .filter(|(c, _)| c.dialer == index || c.target == index)
        .any(|(_, judged)| matches!(judged.predicted(), Verdict::Reject { .. }));
    let serves = case.model.connections.iter().any(|c| c.target == index);
    stored_fails || serves && live_chains(case, index).is_empty()
}

fn live_chains(case: &Case<'_>, index: usize) -> Vec<Vec<Certificate>> {
    let party = &case.model.parties[index];
    let mut ports: Vec<u16> =
        case.model.connections.iter().filter(|c| c.target == index).filter_map(|c| c.port.number()).collect();
    ports.sort_unstable();
    ports.dedup();
    let seen = ports.into_iter().flat_map(|port| handshakes(case.evidence, party, port));
    seen.map(live::chain).filter(|chain| !chain.is_empty()).collect()
}
