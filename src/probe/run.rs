//! Climbing the ladder: TCP or port-forward, first bytes, TLS, HTTP/2 SETTINGS.

use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::Instant;

use super::dial;
use super::ladder::{climb, step, within};
use super::plan::Dial;
use super::record::{Recorder, presentable};
use crate::collect::keyring::{Identity, Keyring};
use crate::evidence::{Client, Handshake, Outcome, Step, Target, Vantage};

/// The way to the ports.
#[derive(Clone)]
pub enum Route {
    /// TCP from this machine to `host:port`.
    Direct,
    /// Through the API server into the pod.
    PortForward(kube::Client),
}

/// Dials that are open at one time.
const AT_ONCE: usize = 16;
/// How long a name may take to become addresses.
const DNS: Duration = Duration::from_secs(3);

/// Makes every dial, some at a time, until `deadline`. Handshakes go to `seen` in the order of the dials, so that those
/// already made are there when the caller stops waiting.
pub async fn run(dials: Vec<Dial>, keys: &Keyring, route: &Route, deadline: Instant, seen: &mut Vec<Handshake>) {
    let climbs = dials.into_iter().map(|dial| {
        let identity = dial.identity.as_deref().and_then(|leaf| keys.identity(leaf));
        handshake(dial.target, dial.server_name, identity, route, Vec::new(), deadline)
    });
    let mut climbs = futures::stream::iter(climbs).buffered(AT_ONCE);
    while let Some(handshake) = climbs.next().await {
        seen.push(handshake);
    }
}

/// Dials one address that somebody typed: the name is looked up first, as a step of its own.
pub async fn probe_address(
    host: &str,
    port: u16,
    identity: Option<&Identity>,
    server_name: Option<String>,
    deadline: Instant,
) -> Handshake {
    let target = Target { host: host.into(), port, ..Target::default() };
    let name = server_name.or_else(|| host.parse::<IpAddr>().is_err().then(|| host.to_string()));
    let mut steps = Vec::new();
    if host.parse::<IpAddr>().is_err() {
        let failed = match within(DNS, deadline, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(found)) => {
                let mut found: Vec<String> = found.map(|address| address.ip().to_string()).collect();
                found.dedup();
                let ok = !found.is_empty();
                steps.push(step("dns", ok, if ok { found.join(", ") } else { "no address".into() }));
                (!ok).then(|| Outcome::Unreachable(format!("the name {host} has no address")))
            }
            Ok(Err(error)) => {
                steps.push(step("dns", false, error.to_string()));
                Some(Outcome::Unreachable(format!("the name {host} cannot be looked up: {error}")))
            }
            Err(late) => {
                steps.push(step("dns", false, "no answer in time".into()));
                Some(late.outcome("dns"))
            }
        };
        if let Some(outcome) = failed {
            return Handshake { target, vantage: Vantage::Direct, server_name: name, client: None, steps, outcome };
        }
    }
    handshake(target, name, identity, &Route::Direct, steps, deadline).await
}

async fn handshake(
    target: Target,
    server_name: Option<String>,
    identity: Option<&Identity>,
    route: &Route,
    mut steps: Vec<Step>,
    deadline: Instant,
) -> Handshake {
    let offered = identity.and_then(|identity| match presentable(identity) {
        Ok(key) => Some((identity, key)),
        Err(why) => {
            steps.push(step("identity", false, format!("no client certificate is offered: {} {why}", identity.from)));
            None
        }
    });
    let client = offered
        .as_ref()
        .map(|(identity, _)| Client { certificate: identity.certificate.clone(), from: identity.from.clone() });
    let recorder = Recorder::new(offered.map(|(_, key)| key));
    let name = server_name.as_deref().unwrap_or(&target.host);
    let (vantage, outcome) = match route {
        Route::Direct => (
            Vantage::Direct,
            match dial::direct(&target, deadline, &mut steps).await {
                Ok(stream) => climb(stream, name, &recorder, deadline, &mut steps).await,
                Err(outcome) => outcome,
            },
        ),
        Route::PortForward(client) => (
            Vantage::PortForward,
            match dial::forward(client, &target, deadline, &mut steps).await {
                Ok((stream, forward)) => forwarded(stream, forward, name, &recorder, deadline, &mut steps).await,
                Err(outcome) => outcome,
            },
        ),
    };
    Handshake { target, vantage, server_name, client, steps, outcome }
}

/// Climbs through a port-forward. The forward opens before the port is dialled, so a port that refuses looks like
/// one that hangs up until the kubelet's reason is asked for.
async fn forwarded(
    stream: tokio::io::DuplexStream,
    mut forward: dial::Forward,
    name: &str,
    recorder: &std::sync::Arc<Recorder>,
    deadline: Instant,
    steps: &mut Vec<Step>,
) -> Outcome {
    let mut climbed = Vec::new();
    let outcome = climb(stream, name, recorder, deadline, &mut climbed).await;
    let early = matches!(outcome, Outcome::Closed { .. } | Outcome::TimedOut { .. });
    let reason = if early { forward.reason(deadline).await } else { None };
    let Some(reason) = reason else {
        steps.push(step("port-forward", true, "opened".into()));
        steps.append(&mut climbed);
        return outcome;
    };
    let seen = match &reason {
        Outcome::Unreachable(text) => text.clone(),
        _ => "connection refused in the pod: nothing listens on this port".into(),
    };
    steps.push(step("port-forward", false, seen));
    reason
}
