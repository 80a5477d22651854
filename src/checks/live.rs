//! LIV: what the ports of live pods were seen to do.
//!
//! An observation mostly shows a fault that another check explains. Here it is the cause only where the stored files
//! and settings do not explain it: then the process is not what its files say, and a restart mends it.

pub mod chain_not_trusted;
pub mod client_refused;
pub mod clock_differs;
pub mod name_not_covered;
pub mod no_answer;
pub mod not_grpc;
pub mod not_the_stored;
pub mod plaintext;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::lens;
use super::rotation::stale_parties;
use super::{Case, Edits, Finding, Findings, Severity, Subject};
use crate::diagnose::edit::Edit;
use crate::evidence::{Handshake, Outcome, Seen, Tls};
use crate::grpc::certificate::Certificate;
use crate::grpc::verdict::Fault;
use crate::judge::{Failure, Side, Verdict};
use crate::ray::{Party, handshakes};

/// One port of a party, with every dial of it.
pub struct Dialled<'e> {
    /// Index of the party.
    pub party: usize,
    /// Port number.
    pub port: u16,
    /// The dials; never empty.
    pub handshakes: Vec<&'e Handshake>,
}

/// The ports that were dialled, by party and port.
pub fn dialled<'e>(case: &Case<'e>) -> Vec<Dialled<'e>> {
    let mut ports: Vec<(usize, u16)> =
        case.model.connections.iter().filter_map(|c| Some((c.target, c.port.number()?))).collect();
    ports.sort_unstable();
    ports.dedup();
    let all = ports.into_iter().filter_map(|(party, port)| {
        let handshakes = handshakes(case.evidence, case.model.parties.get(party)?, port);
        (!handshakes.is_empty()).then_some(Dialled { party, port, handshakes })
    });
    all.collect()
}

impl<'e> Dialled<'e> {
    /// A finding for this port if any of its dials ended in this way: what was seen, by pod, is its proof.
    pub fn tell<'f>(
        &self,
        case: &Case<'_>,
        findings: &'f mut Findings,
        ended: impl Fn(&Handshake) -> Option<String>,
        say: impl Fn(&str, usize, &str) -> String,
    ) -> Option<&'f mut Finding> {
        let mut seen: Vec<(&str, String)> =
            self.handshakes.iter().filter_map(|h| Some((h.target.pod.as_str(), ended(h)?))).collect();
        // A pod is dialled once per client certificate.
        let mut pods = BTreeSet::new();
        seen.retain(|(pod, _)| pods.insert(*pod));
        let (_, first) = seen.first()?;
        let party = &case.model.parties[self.party];
        let finding = findings.add(self.subject(case), say(&party.id, seen.len(), first));
        for (pod, what) in seen.iter().take(5) {
            let whose = match *pod {
                "" => party.id.clone(),
                pod => format!("pod {}/{pod}", party.namespace),
            };
            finding.fact("seen", what, format!("port {} of {whose}", self.port));
        }
        Some(finding)
    }

    /// The port as the subject of a finding.
    pub fn subject(&self, case: &Case<'_>) -> Subject {
        port_of(&case.model.parties[self.party], &self.port.to_string())
    }

    /// The failing connections that go to this port.
    pub fn failing(&self, case: &Case<'_>) -> Vec<usize> {
        lens::failing_by(case, |b| b.connection.target == self.party && b.connection.port.number() == Some(self.port))
    }
}

/// What a completed handshake showed.
pub fn tls(handshake: &Handshake) -> Option<&Tls> {
    match &handshake.outcome {
        Outcome::Tls(tls) => Some(tls),
        _ => None,
    }
}

/// The chain that was served, leaf first, up to the first certificate that cannot be read.
pub fn chain(handshake: &Handshake) -> Vec<Certificate> {
    tls(handshake).map(|tls| tls.chain.iter().map_while(|der| parse(der)).collect()).unwrap_or_default()
}

/// The leaf that was served.
pub fn leaf(handshake: &Handshake) -> Option<Certificate> {
    parse(tls(handshake)?.chain.first()?)
}

/// A restart of this party, unless a changed Secret already asks for it (ROT01).
pub fn restart(case: &Case<'_>, party: usize) -> Edits {
    match stale_parties(case).contains(&party) {
        true => Vec::new(),
        false => vec![Edit::Restart { party }],
    }
}

/// LIV05 and LIV07: connections whose dialer refuses what the port was seen to serve, for a reason of this kind; one finding for each port. `reissue` mends a served certificate whose file was not seen, for a target and a
/// dialer.
fn refused_by_dialers(
    case: &Case<'_>,
    findings: &mut Findings,
    of_kind: impl Fn(Fault) -> bool,
    reissue: impl Fn(usize, usize) -> Edits,
    say: impl Fn(&str, &str, &str) -> String,
) {
    let mut ports: BTreeMap<(usize, Option<u16>), (Vec<usize>, String)> = BTreeMap::new();
    for (index, (judged, connection)) in case.matrix.iter().zip(&case.model.connections).enumerate() {
        let Some(Verdict::Reject { by: Side::Dialer, reason: Failure::Grpc(reason) }) = &judged.observed else {
            continue;
        };
        if of_kind(reason.fault) {
            let key = (connection.target, connection.port.number());
            ports.entry(key).or_insert_with(|| (Vec::new(), reason.text.clone())).0.push(index);
        }
    }
    for ((target, port), (breaks, reason)) in ports {
        let party = &case.model.parties[target];
        let mut dialers: Vec<usize> = breaks.iter().map(|&c| case.model.connections[c].dialer).collect();
        dialers.sort_unstable();
        dialers.dedup();
        let port = port.map_or_else(|| "node port".into(), |port| format!("port {port}"));
        let subject = port_of(party, port.trim_start_matches("port "));
        let who = format!("{port} of {}", party.id);
        let finding = findings.add(subject, say(&who, &lens::used_by(case.model, &dialers), &reason));
        // Where the stored files are refused as well, the check that reads them carries the fault.
        // Without them only what is served can be judged, and mended by issuing it again.
        let stored_fails = breaks.iter().any(|&c| matches!(case.matrix[c].predicted(), Verdict::Reject { .. }));
        let unseen = matches!(party.certificate.content, Seen::Unseen(_));
        finding.edits = match (unseen, stored_fails) {
            (true, _) => reissue(target, case.model.connections[breaks[0]].dialer),
            (false, true) => Vec::new(),
            (false, false) => restart(case, target),
        };
        finding.breaks = breaks;
    }
}

/// A port as the subject of a finding. The groups of one RayCluster are told apart by the names of their parties.
fn port_of(party: &Party, port: &str) -> Subject {
    let name = party.id.strip_prefix(&format!("{}/", party.namespace)).unwrap_or(&party.id);
    Subject {
        kind: "Port".into(),
        namespace: Some(party.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        name: format!("{name}:{port}"),
        ..Subject::default()
    }
}

fn parse(der: &str) -> Option<Certificate> {
    Certificate::parse(&STANDARD.decode(der).ok()?).ok()
}

/// Makes a finding an error when connections fail by it.
fn error_if_broken(finding: &mut Finding) {
    if !finding.breaks.is_empty() {
        finding.severity = Severity::Error;
    }
}
