//! What the prober's handshakes say of a connection.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::evidence::{Evidence, Handshake, Outcome, Settings, Tls};
use crate::grpc::verdict::{Fault, Reason, Role, Verdict as Grpc};
use crate::ray::ports::is_plain_by_design;
use crate::ray::{self, Address, Connection, Model, Party, Switch};

use super::known::Rules;
use super::predict::{self, combine};
use super::side::{self, Chain, Loaded, Side};
use super::{Failure, Side as By, Verdict};

/// Whether an edit made void what was seen of a connection. That the dialer starts again changes nothing of what the target serves:
/// a dialer reads its files anew for each channel.
pub(super) fn is_void(model: &Model, index: usize) -> bool {
    let (Some(before), Some(at)) = (&model.before, model.connections.get(index)) else { return false };
    let (dialer, target) = (&model.parties[at.dialer], &model.parties[at.target]);
    let touched = dialer.touched || target.touched;
    target.restarted || (touched && before.explained[index])
}

/// Whether an edit lets the target of a connection get up, so that its closed ports say nothing.
pub(super) fn is_freed(model: &Model, index: usize, stuck: &[bool]) -> bool {
    let target = model.connections[index].target;
    model.before.as_ref().is_some_and(|before| before.stuck[target] && !stuck[target])
}

/// The verdict by the prober's handshakes; none when nothing was seen. Pods in `told` are left out. `freed` as [`is_freed`].
pub(super) fn connection(
    evidence: &Evidence,
    model: &Model,
    index: usize,
    sides: &[Rc<Side>],
    freed: bool,
    told: &BTreeSet<&str>,
    rules: Rules<'_>,
) -> Option<Verdict> {
    let at = &model.connections[index];
    let (dialer, target) = (&model.parties[at.dialer], &model.parties[at.target]);
    // A handshake does not tell which service answered.
    let port = at.port.number().filter(|_| at.misdirected.is_none())?;
    let leaf = match &*sides[at.dialer].identity {
        Loaded::Ready(chain, _) => chain.leaf(),
        Loaded::Fails(_) | Loaded::Unknown(_) => None,
    };
    let mut seen = by_pod(ray::handshakes(evidence, target, port), leaf);
    seen.retain(|handshake| !told.contains(handshake.target.pod.as_str()));
    let mut worst: Option<Verdict> = None;
    for handshake in seen {
        let verdict = match closed(handshake) {
            Some(_) if freed => continue,
            Some(text) => Verdict::Reject { by: By::Target, reason: Failure::Port(text) },
            None => spoken(at, handshake, dialer, target, &sides[at.dialer], &sides[at.target], rules)?,
        };
        match (&worst, &verdict) {
            (_, Verdict::Reject { .. }) => return Some(verdict),
            (None | Some(Verdict::Accept), _) => worst = Some(verdict),
            _ => {}
        }
    }
    worst
}

/// One handshake per pod, the one made with the dialer's own certificate before others.
fn by_pod<'h>(handshakes: Vec<&'h Handshake>, leaf: Option<&str>) -> Vec<&'h Handshake> {
    let offers = |h: &Handshake| leaf.is_some() && h.client.as_ref().map(|c| c.certificate.as_str()) == leaf;
    let mut chosen: Vec<&Handshake> = Vec::new();
    for handshake in handshakes {
        match chosen.iter_mut().find(|c| c.target.pod == handshake.target.pod) {
            None => chosen.push(handshake),
            Some(before) if !offers(before) && offers(handshake) => *before = handshake,
            Some(_) => {}
        }
    }
    chosen
}

/// Whose port was dialled: `pod ray-head-0`, or the host that was typed.
fn whose(handshake: &Handshake) -> String {
    match handshake.target.pod.as_str() {
        "" => handshake.target.host.clone(),
        pod => format!("pod {pod}"),
    }
}

/// Why a port did not speak at all.
fn closed(handshake: &Handshake) -> Option<String> {
    let port = handshake.target.port;
    let whose = whose(handshake);
    match &handshake.outcome {
        Outcome::Refused => Some(format!("port {port} of {whose} refuses connections: nothing listens there")),
        Outcome::TimedOut { step } => Some(format!("port {port} of {whose} did not answer ({step})")),
        Outcome::Closed { step } => Some(format!("port {port} of {whose} closed the connection at once ({step})")),
        Outcome::Unreachable(why) => Some(format!("port {port} of {whose} cannot be reached: {why}")),
        Outcome::Garbage(_)
        | Outcome::PlainHttp
        | Outcome::PlainGrpc
        | Outcome::Tls(_)
        | Outcome::TlsFailed(_)
        | Outcome::NotPossible(_) => None,
    }
}

#[allow(clippy::too_many_arguments, reason = "one call site")]
fn spoken(
    at: &Connection,
    handshake: &Handshake,
    dialer: &Party,
    target: &Party,
    ours: &Side,
    theirs: &Side,
    rules: Rules<'_>,
) -> Option<Verdict> {
    let port = handshake.target.port;
    let whose = whose(handshake);
    let tls_on = match dialer.switch.found() {
        Some(switch) => *switch == Switch::On,
        None => return None,
    };
    let reject = |by, reason| Some(Verdict::Reject { by, reason });
    match &handshake.outcome {
        Outcome::PlainGrpc if tls_on => reject(By::Dialer, Failure::Switches { tls: By::Dialer }),
        Outcome::PlainGrpc => Some(Verdict::Accept),
        Outcome::Tls(_) if !tls_on => reject(By::Target, Failure::Switches { tls: By::Target }),
        outcome @ Outcome::PlainHttp if is_plain_by_design(target, port, outcome) => Some(Verdict::Accept),
        Outcome::PlainHttp => {
            reject(By::Dialer, Failure::Port(format!("port {port} of {whose} speaks HTTP/1, not gRPC")))
        }
        Outcome::Garbage(hex) => reject(
            By::Dialer,
            Failure::Port(format!("port {port} of {whose} sends {hex}, which is neither TLS nor gRPC")),
        ),
        Outcome::Tls(tls) => {
            let rules = [rules.by_clock(dialer.clock), rules.by_clock(target.clock)];
            tls_verdict(at, handshake, tls, target, ours, theirs, rules)
        }
        Outcome::TlsFailed(why) => {
            Some(Verdict::CannotTell(format!("the TLS handshake with port {port} of {whose} failed: {why}")))
        }
        Outcome::NotPossible(_)
        | Outcome::Refused
        | Outcome::Closed { .. }
        | Outcome::TimedOut { .. }
        | Outcome::Unreachable(_) => None,
    }
}

#[allow(clippy::too_many_arguments, reason = "one call site")]
fn tls_verdict(
    at: &Connection,
    handshake: &Handshake,
    tls: &Tls,
    target: &Party,
    ours: &Side,
    theirs: &Side,
    [by_dialer, by_target]: [Rules<'_>; 2],
) -> Option<Verdict> {
    let Some(served) = side::presented(&tls.chain) else {
        return Some(Verdict::CannotTell("the served certificate cannot be read".into()));
    };
    if let Loaded::Fails(failure) = &ours.trust {
        return Some(Verdict::Reject { by: By::Dialer, reason: failure.clone() });
    }
    let host = match &at.address {
        Address::Typed(host) => Some(host.clone()),
        Address::Loopback => Some("127.0.0.1".into()),
        Address::Unnamed => None,
        Address::PodIps(_) => {
            let pod = target.pods.iter().find(|pod| pod.name == handshake.target.pod);
            pod.and_then(|pod| pod.ips.first()).map(ToString::to_string)
        }
    };
    let hosts: Vec<String> = host.into_iter().collect();
    let chain = side::chain(&served, &ours.trust, Role::Server, by_dialer);
    let named = served.first().map_or(Grpc::Accept, |leaf| side::covers(leaf, &hosts, by_dialer.profile));
    let server = predict::worst([chain, named].into_iter());
    if tls.alpn.as_deref() != Some("h2") {
        let text = format!("port {} of {} does not choose ALPN h2", handshake.target.port, whose(handshake));
        return Some(Verdict::Reject { by: By::Dialer, reason: Failure::Port(text) });
    }
    Some(combine(server, accepted(handshake, tls, ours, theirs, by_target)))
}

/// Whether the target took the dialer's certificate. Only a SETTINGS frame to that very certificate is an acceptance; when another
/// one or none was offered, nothing was observed of it.
fn accepted(handshake: &Handshake, tls: &Tls, ours: &Side, theirs: &Side, rules: Rules<'_>) -> Grpc {
    let predicted = || predict::client(ours, &theirs.trust, rules);
    let own = match &*ours.identity {
        Loaded::Ready(chain @ Chain::Shared(_), _) => chain.leaf(),
        _ => None,
    };
    let offered = handshake.client.as_ref().map(|c| c.certificate.as_str());
    match &tls.settings {
        Settings::Received if !tls.client_certificate_requested => Grpc::Accept,
        Settings::Received if own.is_some() && own == offered => Grpc::Accept,
        Settings::Closed | Settings::Alert(_) if own.is_some() && own == offered => match predicted() {
            Grpc::Reject(reason) => Grpc::Reject(reason),
            Grpc::Accept | Grpc::CannotTell(_) => Grpc::Reject(Reason {
                fault: Fault::Other,
                certificate: None,
                text: format!("{} refuses the client certificate; its gRPC log says why", whose(handshake)),
                words: Some("Socket closed".into()),
            }),
        },
        _ => Grpc::CannotTell(format!("what {} says to the dialer's own certificate was not seen", whose(handshake))),
    }
}
