//! What both sides will say, from their files.

use std::rc::Rc;

use crate::grpc::certificate::{Certificate, Name};
use crate::grpc::profile::Profile;
use crate::grpc::verdict::{Fault, Reason, Role, Verdict as Grpc};
use crate::ray::{Address, Connection, Party, Switch};

use super::known::Rules;
use super::side::{self, Chain, Loaded, Side};
use super::{Failure, Side as By, Verdict};

/// The verdict on a connection by one gRPC.
pub(super) fn connection(connection: &Connection, parties: &[Party], sides: &[Rc<Side>], rules: Rules<'_>) -> Verdict {
    let (dialer, target) = (&parties[connection.dialer], &parties[connection.target]);
    if let Some(other) = &connection.misdirected {
        return Verdict::Reject { by: By::Target, reason: Failure::Port(other.text.clone()) };
    }
    match switches(dialer, target) {
        Switches::Both => {}
        Switches::Neither => return Verdict::Accept,
        Switches::Mixed { tls } => {
            // The side with TLS prints WRONG_VERSION_NUMBER and ends it.
            return Verdict::Reject { by: tls, reason: Failure::Switches { tls } };
        }
        Switches::Unknown(why) => return Verdict::CannotTell(why),
    }
    let (ours, theirs) = (&sides[connection.dialer], &sides[connection.target]);
    for (by, failure) in [
        (By::Target, failure(&theirs.identity)),
        (By::Target, failure(&theirs.trust)),
        (By::Dialer, failure(&ours.identity)),
        (By::Dialer, failure(&ours.trust)),
    ] {
        if let Some(reason) = failure {
            return Verdict::Reject { by, reason: reason.clone() };
        }
    }
    let server = match connection.only {
        Some(Role::Client) => Grpc::Accept,
        _ => server(connection, target, theirs, &ours.trust, rules.by_clock(dialer.clock)),
    };
    let client = match connection.only {
        Some(Role::Server) => Grpc::Accept,
        _ => client(ours, &theirs.trust, rules.by_clock(target.clock)),
    };
    combine(server, client)
}

/// Which sides speak TLS.
pub(super) enum Switches {
    /// Both.
    Both,
    /// None.
    Neither,
    /// One.
    Mixed {
        /// The one.
        tls: By,
    },
    /// One of them was not seen.
    Unknown(String),
}

/// Compares the switches of both sides.
pub(super) fn switches(dialer: &Party, target: &Party) -> Switches {
    match (dialer.switch.found(), target.switch.found()) {
        (Some(Switch::On), Some(Switch::On)) => Switches::Both,
        (Some(Switch::Off { .. }), Some(Switch::Off { .. })) => Switches::Neither,
        (Some(Switch::On), Some(Switch::Off { .. })) => Switches::Mixed { tls: By::Dialer },
        (Some(Switch::Off { .. }), Some(Switch::On)) => Switches::Mixed { tls: By::Target },
        (None, _) => Switches::Unknown(unseen(dialer)),
        (_, None) => Switches::Unknown(unseen(target)),
    }
}

/// Whether the target takes what the dialer presents.
pub(super) fn client(dialer: &Side, trust: &Loaded<Vec<Certificate>>, rules: Rules<'_>) -> Grpc {
    let (chains, note) = match &*dialer.identity {
        Loaded::Ready(chains, note) => (chains, note),
        Loaded::Fails(failure) => return Grpc::CannotTell(failure.text()),
        Loaded::Unknown(why) => return unknown(trust, why),
    };
    let verdicts = chains.all().into_iter().map(|(_, chain)| side::chain(chain, trust, Role::Client, rules));
    noted(worst(verdicts), note)
}

/// A rejection before an open question, an open question before an acceptance.
pub(super) fn combine(server: Grpc, client: Grpc) -> Verdict {
    match (server, client) {
        (Grpc::Reject(reason), _) => Verdict::Reject { by: By::Dialer, reason: Failure::Grpc(reason) },
        (_, Grpc::Reject(reason)) => Verdict::Reject { by: By::Target, reason: Failure::Grpc(reason) },
        (Grpc::CannotTell(why), _) | (_, Grpc::CannotTell(why)) => Verdict::CannotTell(why),
        (Grpc::Accept, Grpc::Accept) => Verdict::Accept,
    }
}

/// The worst of several.
pub(super) fn worst(verdicts: impl Iterator<Item = Grpc>) -> Grpc {
    let mut worst = Grpc::Accept;
    for verdict in verdicts {
        match verdict {
            Grpc::Reject(_) => return verdict,
            Grpc::CannotTell(_) if worst == Grpc::Accept => worst = verdict,
            _ => {}
        }
    }
    worst
}

fn server(
    connection: &Connection,
    target: &Party,
    theirs: &Side,
    trust: &Loaded<Vec<Certificate>>,
    rules: Rules<'_>,
) -> Grpc {
    let (chains, note) = match &*theirs.identity {
        Loaded::Ready(chains, note) => (chains, note),
        Loaded::Fails(failure) => return Grpc::CannotTell(failure.text()),
        Loaded::Unknown(why) => return unknown(trust, why),
    };
    let verdicts = chains.all().into_iter().flat_map(|(pod, chain)| {
        let named = match chain.first() {
            // By the pod's own address, or one that an edit puts in, it is not the same for all.
            Some(leaf) if pod.is_some() || theirs.covers_pods => {
                names(connection, target, theirs, pod, leaf, rules.profile)
            }
            Some(leaf) => {
                rules.named(chain, &connection.address, || names(connection, target, theirs, pod, leaf, rules.profile))
            }
            None => Grpc::CannotTell("the chain is empty".into()),
        };
        [side::chain(chain, trust, Role::Server, rules), named]
    });
    let verdict = worst(verdicts.collect::<Vec<_>>().into_iter());
    match (verdict, unserved(chains, target)) {
        (Grpc::Accept, Some(why)) => Grpc::CannotTell(why),
        (verdict, _) => noted(verdict, note),
    }
}

fn names(
    connection: &Connection,
    target: &Party,
    theirs: &Side,
    pod: Option<&str>,
    leaf: &Certificate,
    profile: Profile,
) -> Grpc {
    let hosts: Vec<String> = match &connection.address {
        Address::Typed(host) => vec![host.clone()],
        Address::Loopback => vec!["127.0.0.1".into()],
        Address::Unnamed => Vec::new(),
        Address::PodIps(_) if theirs.covers_pods => Vec::new(),
        Address::PodIps(ips) if ips.is_empty() => return beforehand(leaf, profile),
        Address::PodIps(ips) => match pod.and_then(|pod| target.pods.iter().find(|p| p.name == pod)) {
            Some(pod) => pod.ips.first().map(ToString::to_string).into_iter().collect(),
            None => ips.iter().map(ToString::to_string).collect(),
        },
    };
    side::covers(leaf, &hosts, profile)
}

/// Pod IPs that are not known yet: a certificate without any address but loopback cannot hold them.
fn beforehand(leaf: &Certificate, profile: Profile) -> Grpc {
    let is_address = |name: &Name| match name {
        Name::Ip(octets) => !matches!(octets.as_slice(), [127, ..] | [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        Name::Dns(text) => text.parse::<std::net::IpAddr>().is_ok_and(|ip| !ip.is_loopback()),
        Name::Email(_) | Name::Other | Name::Uri(_) => false,
    };
    if leaf.names.iter().flatten().any(is_address) {
        return Grpc::CannotTell("the pods' IPs are not known beforehand".into());
    }
    Grpc::Reject(side::name_reason(leaf, "the pod's own IP", None, profile))
}

/// A chain that was not seen: refused all the same by whoever trusts nothing.
fn unknown(trust: &Loaded<Vec<Certificate>>, why: &str) -> Grpc {
    match trust {
        Loaded::Ready(trust, _) if trust.is_empty() => Grpc::Reject(Reason {
            fault: Fault::UnknownIssuer,
            certificate: None,
            text: "the trust file holds no certificate, so every peer is refused".into(),
            words: Some("CERTIFICATE_VERIFY_FAILED".into()),
        }),
        _ => Grpc::CannotTell(why.to_owned()),
    }
}

fn unserved(chains: &Chain, target: &Party) -> Option<String> {
    let Chain::PerPod(seen) = chains else { return None };
    // Files that were read in pods stand for those of pods of equal template; what is left out is told as a gap.
    if !target.certificate.inside.is_empty() {
        return None;
    }
    let all = target.pods.iter().filter(|pod| pod.phase == "Running").count();
    (seen.len() < all).then(|| format!("the certificate of {} of {all} pods was not seen", all - seen.len()))
}

fn noted(verdict: Grpc, note: &Option<String>) -> Grpc {
    match (verdict, note) {
        (Grpc::Accept, Some(why)) => Grpc::CannotTell(why.clone()),
        (verdict, _) => verdict,
    }
}

fn failure<T>(loaded: &Loaded<T>) -> Option<&Failure> {
    match loaded {
        Loaded::Fails(failure) => Some(failure),
        Loaded::Ready(..) | Loaded::Unknown(_) => None,
    }
}

fn unseen(party: &Party) -> String {
    let why = match &party.switch {
        crate::evidence::Seen::Unseen(why) => why.to_string(),
        _ => "not seen".into(),
    };
    format!("RAY_USE_TLS of {}: {why}", party.id)
}
