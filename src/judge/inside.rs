//! What dials made inside the dialer's pods say of a connection: the verdict from where Ray dials.
//!
//! They were made by Python's gRPC. What the server did is what it does to everyone with these files; what the dialer's
//! side said is the rule of Python, which tells of the C++ core only where both predict the same.

use std::collections::BTreeSet;

use crate::evidence::{Answer, DialInside, Evidence};
use crate::grpc::verdict::{Fault, Reason};
use crate::ray::inside::{Dialled, dials};
use crate::ray::{Connection, Model, Switch};

use super::{Failure, Judged, Side, Verdict};

/// What was observed of a connection from inside.
pub(super) struct Observed<'e> {
    /// The verdict.
    pub(super) verdict: Verdict,
    /// `inside pod ray/ray-worker-0`.
    pub(super) vantage: String,
    /// The pods of the target that it tells of.
    pub(super) pods: BTreeSet<&'e str>,
}

/// The verdict of the dials of one connection, the worst one first. `freed` when an edit lets a closed port open.
pub(super) fn connection<'e>(
    evidence: &'e Evidence,
    model: &'e Model,
    connection: &Connection,
    judged: &Judged,
    freed: bool,
) -> Option<Observed<'e>> {
    if connection.misdirected.is_some() {
        return None;
    }
    let mut worst: Option<Observed<'e>> = None;
    let mut pods = BTreeSet::new();
    for dialled in dials(evidence, model, connection) {
        let Some(verdict) = verdict(model, connection, judged, &dialled, freed) else { continue };
        pods.extend(dialled.to);
        let heavier = match (&worst, &verdict) {
            (None, _) => true,
            (Some(known), Verdict::Reject { .. }) => known.verdict == Verdict::Accept,
            _ => false,
        };
        if heavier {
            let vantage = format!("inside pod {}/{}", dialled.from.namespace, dialled.from.pod);
            worst = Some(Observed { verdict, vantage, pods: BTreeSet::new() });
        }
    }
    worst.map(|worst| Observed { pods, ..worst })
}

fn verdict(
    model: &Model,
    connection: &Connection,
    judged: &Judged,
    dialled: &Dialled<'_>,
    freed: bool,
) -> Option<Verdict> {
    let dial = dialled.dial;
    if let Answer::Impossible(why) = &dial.answer {
        // Ray's Python processes fail so too; of the C++ core its files tell.
        let predicted = Some(&judged.python).filter(|v| matches!(v, Verdict::Reject { by: Side::Dialer, .. }));
        return judged.python_only.then(|| {
            predicted.cloned().unwrap_or_else(|| Verdict::Reject {
                by: Side::Dialer,
                reason: Failure::Port(format!("Python in pod {} cannot open a channel: {why}", dialled.from.pod)),
            })
        });
    }
    let by_dialer =
        |verdict: &Verdict| matches!(verdict, Verdict::Reject { by: Side::Dialer, reason: Failure::Grpc(_) });
    let core_differs = !judged.python_only && by_dialer(&judged.core) != by_dialer(&judged.python);
    if dial.accepted()? {
        return (!(core_differs && by_dialer(&judged.core))).then_some(Verdict::Accept);
    }
    let (by, failure) = refusal(model, connection, dialled);
    if matches!(failure, Failure::Port(_)) && freed {
        return None;
    }
    if by == Side::Dialer && core_differs && by_dialer(&judged.python) && matches!(failure, Failure::Grpc(_)) {
        return None;
    }
    Some(Verdict::Reject { by, reason: explained(judged, by, failure, dialled) })
}

/// Which side refused, by gRPC's words.
fn refusal(model: &Model, connection: &Connection, dialled: &Dialled<'_>) -> (Side, Failure) {
    let dial = dialled.dial;
    let (code, words) = match &dial.answer {
        Answer::Status(code, details) => (code.as_str(), details.as_str()),
        Answer::Impossible(why) => ("", why.as_str()),
    };
    let all = format!("{words} {}", dial.words.join(" "));
    let has = |part: &str| all.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
    let port =
        |what: &str| Failure::Port(format!("{}, dialled inside pod {}, {what}", address(dial), dialled.from.pod));
    let target_on = model.parties.get(connection.target).is_some_and(|p| p.switch.found() == Some(&Switch::On));
    let fault = if has("Hostname Verification") || has("No match found for server name") {
        Some(Fault::Name)
    } else if has("certificate has expired") {
        Some(Fault::Expired)
    } else if has("not yet valid") {
        Some(Fault::NotYetValid)
    } else if has("unable to get local issuer") || has("self signed certificate") || has("self-signed certificate") {
        Some(Fault::UnknownIssuer)
    } else if has("CERTIFICATE_VERIFY_FAILED") {
        Some(Fault::Other)
    } else {
        None
    };
    if dial.tls && has("WRONG_VERSION_NUMBER") {
        return (Side::Dialer, Failure::Switches { tls: Side::Dialer });
    }
    if let Some(fault) = fault.filter(|_| dial.tls) {
        let text = format!("gRPC in pod {} refuses what {} serves", dialled.from.pod, address(dial));
        return (Side::Dialer, Failure::Grpc(Reason { fault, certificate: None, text, words: Some(last(words)) }));
    }
    if has("resolving") || has("DNS resolution failed") || has("Domain name not found") {
        return (Side::Dialer, port("has a name that cannot be resolved there"));
    }
    if has("Connection refused") {
        return (Side::Target, port("refuses connections: nothing listens there, or nothing behind the name"));
    }
    if code == "DEADLINE_EXCEEDED" || has("timed out") || has("timeout") {
        return (Side::Target, port("does not answer: a NetworkPolicy or a firewall may drop it"));
    }
    if has("unreachable") || has("No route") {
        return (Side::Target, port("cannot be reached"));
    }
    if !dial.tls && target_on {
        return (Side::Target, Failure::Switches { tls: Side::Target });
    }
    if dial.tls {
        let text = format!("{} refuses the client certificate of pod {}", address(dial), dialled.from.pod);
        let reason = Reason { fault: Fault::Other, certificate: None, text, words: Some(last(words)) };
        return (Side::Target, Failure::Grpc(reason));
    }
    (Side::Target, port(&format!("ends the connection: {}", last(words))))
}

/// The predicted reason where the same side refuses, for it knows the certificates; with gRPC's words.
fn explained(judged: &Judged, by: Side, failure: Failure, dialled: &Dialled<'_>) -> Failure {
    let Failure::Grpc(seen) = failure else { return failure };
    let words = seen.words.clone().unwrap_or_default();
    let said = |reason: Reason| {
        let text = format!("{} (gRPC in pod {} says: {words})", reason.text, dialled.from.pod);
        Failure::Grpc(Reason { text, ..reason })
    };
    for predicted in [&judged.python, &judged.core] {
        match predicted {
            Verdict::Reject { by: side, reason: Failure::Grpc(reason) } if *side == by => return said(reason.clone()),
            Verdict::Reject { by: side, reason: reason @ Failure::File { .. } } if *side == by => {
                return reason.clone();
            }
            _ => {}
        }
    }
    said(seen)
}

fn address(dial: &DialInside) -> String {
    if dial.host.contains(':') {
        format!("[{}]:{}", dial.host, dial.port)
    } else {
        format!("{}:{}", dial.host, dial.port)
    }
}

/// The part of gRPC's details that says something.
fn last(words: &str) -> String {
    let telling = words.rsplit_once("last error: ").map_or(words, |(_, last)| last);
    let telling = telling.rsplit_once("OPENSSL_internal:").map_or(telling, |(_, last)| last);
    let telling = telling.rsplit_once("failed with error: ").map_or(telling, |(_, last)| last);
    telling.trim_end_matches(']').trim_end_matches(": OK").chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{ENV, NODES, leaf, nodes, tls};
    use crate::checks::testing::{Ca, Scene};
    use crate::evidence::Settings;

    const GCS: &str = "ray/ray-worker>ray/ray-head@ray-head-svc:6379";

    fn dial(status: &str, details: &str) -> DialInside {
        DialInside {
            host: "ray-head-svc".into(),
            port: 6379,
            tls: true,
            answer: Answer::Status(status.into(), details.into()),
            words: Vec::new(),
        }
    }

    /// The verdict on the worker's way to the GCS after one dial of it.
    fn judged(scene: Scene, dial: DialInside) -> Judged {
        let scene = scene.within("ray-worker-0", &ENV, &[], vec![dial]);
        let at = scene.model.connections.iter().position(|c| c.id == GCS).expect("a connection");
        scene.matrix[at].clone()
    }

    fn healthy() -> Scene {
        let ca = Ca::new("ca");
        nodes(&leaf(&ca, &NODES), &ca)
    }

    #[test]
    fn any_answer_of_a_grpc_server_is_an_acceptance() {
        for status in ["OK", "UNIMPLEMENTED", "UNAUTHENTICATED"] {
            let judged = judged(healthy(), dial(status, ""));
            assert_eq!(judged.observed, Some(Verdict::Accept), "{status}");
            assert_eq!(judged.vantage.as_deref(), Some("inside pod ray/ray-worker-0"));
        }
        let proxy = judged(healthy(), dial("UNIMPLEMENTED", "Received http2 header with status: 404"));
        assert_eq!(proxy.observed, None, "a proxy may have answered");
    }

    #[test]
    fn grpcs_words_tell_who_refuses() {
        let of = |details: &str| match judged(healthy(), dial("UNAVAILABLE", details)).observed {
            Some(Verdict::Reject { by, reason }) => (by, reason),
            other => panic!("{details}: {other:?}"),
        };
        let last = "failed to connect to all addresses; last error: ";
        let (by, reason) = of(&format!(
            "{last}UNKNOWN: ipv4:1.2.3.4:6379: Custom verification check failed with error: UNAUTHENTICATED: Hostname Verification Check failed."
        ));
        assert!(by == Side::Dialer && matches!(&reason, Failure::Grpc(r) if r.fault == Fault::Name), "{reason:?}");
        let (by, reason) = of(&format!(
            "{last}UNKNOWN: SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate: OK"
        ));
        assert!(
            by == Side::Dialer
                && reason.text().contains("CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate)"),
            "{reason:?}"
        );
        assert_eq!(
            of(&format!("{last}SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER")),
            (Side::Dialer, Failure::Switches { tls: Side::Dialer })
        );
        let (by, reason) = of(&format!("{last}UNAVAILABLE: ipv4:1.2.3.4:6379: Socket closed"));
        assert!(
            by == Side::Target && reason.text().contains("refuses the client certificate of pod ray-worker-0"),
            "{reason:?}"
        );
        let (by, reason) =
            of("errors resolving ray-head-svc:6379: [field:hostname lookup error: Domain name not found]");
        assert!(by == Side::Dialer && matches!(reason, Failure::Port(_)));
        let (by, reason) = of("Connection refused");
        assert!(by == Side::Target && matches!(reason, Failure::Port(_)));
    }

    #[test]
    fn a_port_that_ray_reaches_is_not_closed_because_port_forward_says_so() {
        let scene = healthy().see("ray-head-0", 6379, crate::evidence::Outcome::Unreachable("x".into()));
        assert_eq!(judged(scene, dial("OK", "")).observed, Some(Verdict::Accept));
        let scene = healthy().see("ray-head-0", 6379, tls("", Settings::Closed));
        assert_eq!(judged(scene, dial("OK", "")).observed, Some(Verdict::Accept));
    }

    #[test]
    fn what_only_the_core_refuses_is_not_accepted_for_it() {
        // The core of Ray 2.60 compares names as text, so an IPv4 address must stand as it is dialled; both agree here, and
        // the prediction of the core is put in by hand.
        let scene = healthy().within("ray-worker-0", &ENV, &[], vec![dial("OK", "")]);
        let at = scene.model.connections.iter().position(|c| c.id == GCS).expect("a connection");
        let mut judged = scene.matrix[at].clone();
        let reason = Reason { fault: Fault::Name, certificate: None, text: String::new(), words: None };
        judged.core = Verdict::Reject { by: Side::Dialer, reason: Failure::Grpc(reason) };
        assert!(connection(&scene.evidence, &scene.model, &scene.model.connections[at], &judged, false).is_none());
    }
}
