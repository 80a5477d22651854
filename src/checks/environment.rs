//! ENV: what the variables of each party say, alone and compared with the rest of its cluster.
//!
//! A party whose switch differs from its cluster is one fault, told by the check that knows it best: [`odd`] decides
//! which.

pub mod mixed;
pub mod not_a_string;
pub mod path_unset;
pub mod paths_without_switch;
pub mod reference_missing;
pub mod spelling;
pub mod stale;
pub mod unknown_variable;

use std::collections::BTreeMap;

use super::lens;
use super::{Case, Edits, Finding, Findings};
use crate::diagnose::edit::{Edit, Slot};
use crate::evidence::{Container, EnvSource, EnvVariable, Seen};
use crate::judge::Failure;
use crate::ray::{Access, Party, Place, Role, Switch, TlsFile};

/// The four variables Ray reads.
pub const VARIABLES: [&str; 4] = ["RAY_USE_TLS", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"];

/// A party whose switch is not as its cluster's.
pub struct Odd {
    /// Index of the party.
    pub party: usize,
    /// What its switch should be.
    pub on: bool,
    /// Which check tells it.
    pub kind: Kind,
    /// The others, whose switch is as it should be.
    pub others: Vec<usize>,
}

/// Why a party is odd, most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its value means on to people and off to Ray: ENV02.
    Misspelt,
    /// `wait-gcs-ready` did not get what its group has: KBR01.
    Waiter,
    /// KubeRay's autoscaler: KBR02.
    Autoscaler,
    /// A worker group of a KubeRay cluster: KBR03.
    Group,
    /// A Ray Client workload, and no other one of this cluster has TLS: CLI01.
    Client,
    /// A Ray Client workload, and another one has TLS: CLI02.
    OneClient,
    /// Any other: ENV01.
    Other,
}

/// Every party whose switch differs from its cluster's, where the cluster has TLS on somewhere, and every party
/// whose value is misspelt.
pub fn odd(case: &Case<'_>) -> Vec<Odd> {
    let mut clusters: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, party) in case.model.parties.iter().enumerate() {
        if matches!(party.switch, Seen::Found(_)) {
            clusters.entry(party.cluster).or_default().push(index);
        }
    }
    clusters.values().flat_map(|members| odd_in(case, members)).collect()
}

/// Adds a finding for each odd party of one kind, with the edits that bring it in line.
pub fn tell_odd(case: &Case<'_>, findings: &mut Findings, kind: Kind, say: impl Fn(&Party, &Odd) -> String) {
    for odd in odd(case).into_iter().filter(|o| o.kind == kind) {
        let party = &case.model.parties[odd.party];
        let finding = findings.add(lens::workload(party), say(party, &odd));
        tell_switch(case, finding, &odd);
        if let Some(name) = unknown_variable::stands_for(case, odd.party, "RAY_USE_TLS") {
            finding.fact("set instead", name, &party.id);
            finding.edits.clear();
        }
    }
}

/// How the switch of a party is written, in a sentence.
pub fn switch_text(party: &Party) -> String {
    match &party.switch {
        Seen::Found(Switch::Off { written: None }) | Seen::Absent => "RAY_USE_TLS is not set".into(),
        Seen::Found(Switch::Off { written: Some(value) }) => format!("RAY_USE_TLS is {value:?}"),
        Seen::Found(Switch::On) => "RAY_USE_TLS is on".into(),
        Seen::Unseen(why) => format!("RAY_USE_TLS was not seen ({why})"),
    }
}

/// Whether TLS is off, as far as was seen.
pub fn is_off(party: &Party) -> bool {
    matches!(party.switch, Seen::Found(Switch::Off { .. }))
}

/// The value, where it means on to people and off to Ray.
pub fn misspelt(party: &Party) -> Option<&str> {
    let Seen::Found(Switch::Off { written: Some(value) }) = &party.switch else { return None };
    let plain = value.trim().trim_matches(['"', '\'']).trim().to_ascii_lowercase();
    let means_on = ["1", "01", "true", "t", "yes", "y", "on", "enable", "enabled"].contains(&plain.as_str());
    means_on.then_some(value.as_str())
}

/// The container of a party, where it is a container.
pub fn container<'a>(case: &Case<'a>, party: &Party) -> Option<&'a Container> {
    let workload = case.evidence.workloads.get(party.workload?)?;
    workload.containers.iter().chain(&workload.init_containers).find(|c| c.name == party.container)
}

/// What would put a good file in this slot of a party: the file that another party of its cluster mounts from the
/// same namespace, one of the same part first, or else a new one.
pub fn supply(case: &Case<'_>, party: usize, slot: Slot) -> Edit {
    let here = &case.model.parties[party];
    let same_pod = |other: &Party| here.workload.is_some() && other.workload == here.workload;
    let lends = |(index, other): &(usize, &Party)| {
        let file = other.file(slot);
        *index != party
            && other.cluster == here.cluster
            && has_path(file)
            && !matches!(file.content, Seen::Absent)
            && !matches!(file.access, Access::Denied(_))
            && (same_pod(other)
                || matches!(file.content, Seen::Found(_))
                    && matches!(&file.place, Place::Key { namespace, .. } if *namespace == here.namespace))
    };
    let donors = lens::speakers(case).filter(lends);
    let nearest = donors.min_by_key(|(index, other)| (!same_pod(other), part(&other.role) != part(&here.role), *index));
    match nearest {
        Some((from, _)) => Edit::Share { party, slot, from },
        None => Edit::Provide { party, slot },
    }
}

/// The `wait-gcs-ready` parties of the same worker group: KubeRay copies the group's variables and mounts to them.
pub fn waiters(case: &Case<'_>, party: usize) -> Vec<usize> {
    let here = &case.model.parties[party];
    let is_waiter = |(_, other): &(usize, &Party)| {
        other.role == Role::Waiter && here.workload.is_some() && other.workload == here.workload
    };
    match here.role {
        Role::Worker(_) => case.model.parties.iter().enumerate().filter(is_waiter).map(|(index, _)| index).collect(),
        _ => Vec::new(),
    }
}

/// Whether this party is a waiter that has the same fault as its group, which tells it for both.
pub fn told_by_group(case: &Case<'_>, party: usize, faulty: impl Fn(&Party) -> bool) -> bool {
    let here = &case.model.parties[party];
    here.role == Role::Waiter
        && case
            .model
            .parties
            .iter()
            .any(|other| matches!(other.role, Role::Worker(_)) && other.workload == here.workload && faulty(other))
}

/// Whether the variable of this file is set to something.
pub fn has_path(file: &TlsFile) -> bool {
    matches!(&file.path, Seen::Found(path) if !path.is_empty())
}

/// Whether the variable of this file is known to be unset or empty.
pub fn lacks_path(file: &TlsFile) -> bool {
    matches!(&file.path, Seen::Absent) || matches!(&file.path, Seen::Found(path) if path.is_empty())
}

fn tell_switch(case: &Case<'_>, finding: &mut Finding, odd: &Odd) {
    let party = &case.model.parties[odd.party];
    finding.fact("RAY_USE_TLS", switch_text(party).trim_start_matches("RAY_USE_TLS is "), &party.id);
    finding.fact(if odd.on { "on in" } else { "off in" }, lens::used_by(case.model, &odd.others), "the same cluster");
    let mut changed = vec![odd.party];
    changed
        .extend(waiters(case, odd.party).into_iter().filter(|&w| lens::speaks_tls(&case.model.parties[w]) != odd.on));
    finding.edits = changed.iter().flat_map(|&p| switch_edits(case, p, odd.on)).collect();
    finding.breaks = lens::failing_by(case, |b| {
        matches!(b.failure, Failure::Switches { .. })
            && (changed.contains(&b.connection.dialer) || changed.contains(&b.connection.target))
    });
}

/// Turning TLS on takes the switch and whichever of the three files are not there yet.
fn switch_edits(case: &Case<'_>, party: usize, on: bool) -> Edits {
    let mut edits = vec![Edit::SetSwitch { party, on }];
    if on {
        let here = &case.model.parties[party];
        let missing = |slot: &Slot| {
            let file = here.file(*slot);
            lacks_path(file) || matches!(file.place, Place::NoMount | Place::NoVolume(_))
        };
        edits.extend(lens::SLOTS.into_iter().filter(missing).map(|slot| supply(case, party, slot)));
    }
    edits
}

fn odd_in(case: &Case<'_>, members: &[usize]) -> Vec<Odd> {
    let party = |index: usize| &case.model.parties[index];
    let any_on = members.iter().any(|&m| lens::speaks_tls(party(m)));
    let means_on = |index: usize| lens::speaks_tls(party(index)) || misspelt(party(index)).is_some();
    let is_helper = |index: &usize| matches!(party(*index).role, Role::Waiter | Role::Autoscaler);
    let head = members.iter().copied().find(|&m| party(m).role == Role::Head);
    // The head decides, unless it is alone against all others.
    let mut others = members.iter().copied().filter(|m| Some(*m) != head && !is_helper(m)).peekable();
    let all_others = others.peek().is_some() && others.all(means_on);
    let on = match head {
        Some(head) => means_on(head) || all_others,
        None => members.iter().any(|&m| means_on(m)),
    };
    let clients_on = members.iter().any(|&m| is_client(party(m)) && lens::speaks_tls(party(m)));
    let right: Vec<usize> = members.iter().copied().filter(|&m| lens::speaks_tls(party(m)) == on).collect();
    let mut list = Vec::new();
    for &index in members {
        let here = party(index);
        let kind = match &here.role {
            _ if told_by_group(case, index, |group| is_off(group) && is_off(here)) => continue,
            // ENV10 tells it: the template is right, and its pods are older.
            _ if here.next.as_ref().is_some_and(|next| (next.switch == Seen::Found(Switch::On)) == on) => continue,
            _ if misspelt(here).is_some() => Kind::Misspelt,
            _ if !any_on || lens::speaks_tls(here) == on => continue,
            Role::Waiter if on => Kind::Waiter,
            Role::Autoscaler if on => Kind::Autoscaler,
            Role::Worker(_) if on && in_kuberay(case, here) => Kind::Group,
            Role::Client | Role::Laptop if on && clients_on => Kind::OneClient,
            Role::Client | Role::Laptop if on => Kind::Client,
            _ => Kind::Other,
        };
        list.push(Odd { party: index, on: on || kind == Kind::Misspelt, kind, others: right.clone() });
    }
    list
}

fn is_client(party: &Party) -> bool {
    matches!(party.role, Role::Client | Role::Laptop)
}

fn in_kuberay(case: &Case<'_>, party: &Party) -> bool {
    party.workload.and_then(|w| case.evidence.workloads.get(w)).is_some_and(|w| w.group.is_some())
}

fn part(role: &Role) -> u8 {
    match role {
        Role::Head => 0,
        Role::Worker(_) => 1,
        Role::Autoscaler => 2,
        Role::Waiter => 3,
        Role::Client => 4,
        Role::Laptop => 5,
    }
}

/// The literal of a variable, where it has one.
fn literal(variable: &EnvVariable) -> Option<&str> {
    match &variable.source {
        EnvSource::Value(value) | EnvSource::NotAString(value) => Some(value),
        _ => None,
    }
}
