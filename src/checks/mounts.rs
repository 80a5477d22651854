//! MNT: do the paths lead to files?

pub mod hidden;
pub mod no_mount;
pub mod no_pod_address;
pub mod nobody_fills;
pub mod not_in_volume;
pub mod optional;
pub mod sub_path;

use super::environment::{supply, told_by_group, waiters};
use super::lens::{self, SLOTS};
use super::{Case, Confidence, Findings, Severity, Subject};
use crate::diagnose::edit::Slot;
use crate::evidence::{Outcome, Seen};
use crate::ray::{Party, Role, TlsFile, handshakes};

/// A finding for each party whose files have this fault, its `wait-gcs-ready` included.
pub fn tell(
    case: &Case<'_>,
    findings: &mut Findings,
    weight: impl Fn(&Party, &[Slot]) -> (Severity, Confidence),
    faulty: impl Fn(&Party, &TlsFile) -> bool,
    say: impl Fn(&Party, &[Slot]) -> String,
) {
    let slots_of =
        |party: &Party| -> Vec<Slot> { SLOTS.into_iter().filter(|&slot| faulty(party, party.file(slot))).collect() };
    for (index, party) in lens::speakers(case) {
        let slots = slots_of(party);
        let same = |other: &Party| lens::speaks_tls(other) && slots_of(other) == slots;
        if slots.is_empty() || serves_tls(case, index) || told_by_group(case, index, same) {
            continue;
        }
        let mut parties = waiters(case, index);
        parties.retain(|&w| same(&case.model.parties[w]));
        parties.insert(0, index);
        let finding = findings.add(
            Subject { key: Some(party.file(slots[0]).variable.into()), ..lens::workload(party) },
            say(party, &slots),
        );
        (finding.severity, finding.confidence) = weight(party, &slots);
        for &slot in &slots {
            let file = party.file(slot);
            let path = file.path.found().cloned().unwrap_or_default();
            finding.fact(file.variable, path, &party.id);
        }
        finding.edits = parties.iter().flat_map(|&p| slots.iter().map(move |&slot| supply(case, p, slot))).collect();
        finding.breaks = lens::failing_at(case, &parties);
    }
}

/// A finding that breaks nothing for each party with files of which something is to be said; `say` gets their paths.
fn remark(
    case: &Case<'_>,
    findings: &mut Findings,
    of: impl Fn(&Party, &TlsFile) -> bool,
    say: impl Fn(&Party, &str) -> String,
) {
    for (_, party) in lens::speakers(case).filter(|(_, party)| party.role != Role::Waiter) {
        let slots: Vec<Slot> = SLOTS.into_iter().filter(|&slot| of(party, party.file(slot))).collect();
        if !slots.is_empty() {
            let message = say(party, &paths(party, &slots));
            findings.add(lens::workload(party), message);
        }
    }
}

/// The paths of these files in a sentence: `/etc/ray/tls/tls.crt (RAY_TLS_SERVER_CERT), …`.
pub fn paths(party: &Party, slots: &[Slot]) -> String {
    let path = |&slot: &Slot| {
        let file = party.file(slot);
        format!("{} ({})", file.path.found().map_or("", String::as_str), file.variable)
    };
    slots.iter().map(path).collect::<Vec<_>>().join(", ")
}

/// Whether a port of this party was seen to speak TLS: then its files exist, whatever the mounts say.
fn serves_tls(case: &Case<'_>, index: usize) -> bool {
    let party = &case.model.parties[index];
    let mut ports = case.model.connections.iter().filter(|c| c.target == index).filter_map(|c| c.port.number());
    ports.any(|port| handshakes(case.evidence, party, port).iter().any(|h| matches!(h.outcome, Outcome::Tls(_))))
}

fn unread(file: &TlsFile) -> bool {
    !matches!(file.content, Seen::Found(_))
}
