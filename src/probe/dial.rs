#![allow(clippy::disallowed_methods)]
//! The first rung: a stream to a port, directly or through the API server.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::Portforwarder;
use kube::client::UpgradeConnectionError;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::ladder::{step, within};
use crate::evidence::{Outcome, Step, Target, Why};

/// How long a TCP connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long the API server and the kubelet may take to open a port-forward.
const FORWARD: Duration = Duration::from_secs(8);
/// How long the kubelet's reason for a dead forward is waited for.
const REASON: Duration = Duration::from_secs(1);

/// A port-forward, open as long as this lives.
pub(super) struct Forward {
    forwarder: Portforwarder,
    error: Option<Pin<Box<dyn Future<Output = Option<String>> + Send>>>,
}

/// Connects by TCP.
pub(super) async fn direct(target: &Target, deadline: Instant, steps: &mut Vec<Step>) -> Result<TcpStream, Outcome> {
    let connecting = TcpStream::connect((target.host.as_str(), target.port));
    match within(CONNECT, deadline, connecting).await {
        Ok(Ok(stream)) => {
            let peer = stream.peer_addr().map_or_else(|_| String::new(), |peer| format!(" to {peer}"));
            steps.push(step("tcp", true, format!("connected{peer}")));
            Ok(stream)
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            steps.push(step("tcp", false, "connection refused: nothing listens on this port".into()));
            Err(Outcome::Refused)
        }
        Ok(Err(error)) => {
            steps.push(step("tcp", false, error.to_string()));
            Err(Outcome::Unreachable(error.to_string()))
        }
        Err(late) => {
            let outcome = late.outcome("tcp");
            steps.push(step("tcp", false, "no answer in time".into()));
            Err(outcome)
        }
    }
}

/// Opens a port-forward into the pod.
pub(super) async fn forward(
    client: &kube::Client,
    target: &Target,
    deadline: Instant,
    steps: &mut Vec<Step>,
) -> Result<(DuplexStream, Forward), Outcome> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &target.namespace);
    let opening = async {
        match pods.portforward(&target.pod, &[target.port]).await {
            // The upgrade went wrong on the way; the port was not dialled, so a second try hides nothing of it.
            Err(error) if is_5xx(&error) => pods.portforward(&target.pod, &[target.port]).await,
            other => other,
        }
    };
    let mut forwarder = match within(FORWARD, deadline, opening).await {
        Ok(Ok(forwarder)) => forwarder,
        Ok(Err(error)) => {
            let outcome = refusal(&error, target);
            steps.push(step("port-forward", false, outcome_text(&outcome)));
            return Err(outcome);
        }
        Err(late) => {
            steps.push(step("port-forward", false, "no answer of the API server in time".into()));
            return Err(match late {
                super::ladder::Late::Rung => {
                    Outcome::Unreachable("the API server opened no port-forward in time".into())
                }
                late @ super::ladder::Late::Deadline => late.outcome("port-forward"),
            });
        }
    };
    let Some(stream) = forwarder.take_stream(target.port) else {
        return Err(Outcome::Unreachable("the port-forward has no stream".into()));
    };
    let error = forwarder.take_error(target.port).map(|error| Box::pin(error) as Pin<Box<_>>);
    Ok((stream, Forward { forwarder, error }))
}

impl Forward {
    /// What really happened to a forward whose stream ended without a byte: the kubelet tells it beside the stream.
    pub(super) async fn reason(&mut self, deadline: Instant) -> Option<Outcome> {
        let error = self.error.take()?;
        let text = within(REASON, deadline, error).await.ok().flatten()?;
        meaning(&text)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

/// What the kubelet says of a forward that ended; none when the port itself ended it, which the ladder tells better.
fn meaning(text: &str) -> Option<Outcome> {
    if text.contains("connection refused") {
        return Some(Outcome::Refused);
    }
    if text.contains("connection reset by peer") || text.contains("broken pipe") {
        return None;
    }
    // containerd's own words come after the quoted network namespace.
    let words = text.rsplit_once("\": ").map_or(text, |(_, words)| words);
    Some(Outcome::Unreachable(words.trim().chars().filter(|c| !c.is_control()).take(300).collect()))
}

fn is_5xx(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code >= 500,
        kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => status.is_server_error(),
        _ => false,
    }
}

fn refusal(error: &kube::Error, target: &Target) -> Outcome {
    let code = match error {
        kube::Error::Api(status) => status.code,
        kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => status.as_u16(),
        _ => 0,
    };
    match (code, error) {
        (403, error) => {
            // A WebSocket upgrade is a GET; newer API servers ask for `create` too and say which one is missing.
            let create = error.to_string().contains("cannot create");
            Outcome::NotPossible(Why::Forbidden {
                verb: if create { "create" } else { "get" }.into(),
                resource: "pods/portforward".into(),
                namespace: Some(target.namespace.clone()),
            })
        }
        (404, _) => Outcome::Unreachable(format!("pod {}/{} is not there any more", target.namespace, target.pod)),
        (_, kube::Error::Api(status)) => {
            Outcome::Unreachable(status.message.chars().filter(|c| !c.is_control()).take(300).collect())
        }
        (_, error) => Outcome::Unreachable(format!("port-forward: {error}")),
    }
}

fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::NotPossible(why) => why.to_string(),
        Outcome::Unreachable(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // As containerd 1.6 behind a 1.34 kubelet writes them.
    const REFUSED: &str = "error forwarding port 10001 to pod ac2f8d, uid : failed to execute portforward in network namespace \"/run/netns/cni-fe9e\": failed to connect to localhost:10001 inside namespace \"ac2f8d\", IPv4: dial tcp4 127.0.0.1:10001: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address found ";
    const RESET: &str = "error forwarding port 7000 to pod ac2f8d, uid : failed to execute portforward in network namespace \"/run/netns/cni-fe9e\": read tcp4 127.0.0.1:41422->127.0.0.1:7000: read: connection reset by peer";

    #[test]
    fn the_kubelet_tells_refused_from_reset() {
        assert_eq!(meaning(REFUSED), Some(Outcome::Refused));
        assert_eq!(meaning(RESET), None);
        let other = "error forwarding port 1 to pod a, uid : failed in network namespace \"/run/x\": i/o timeout\n";
        assert_eq!(meaning(other), Some(Outcome::Unreachable("i/o timeout".into())));
        assert_eq!(meaning("no socat"), Some(Outcome::Unreachable("no socat".into())));
    }
}
