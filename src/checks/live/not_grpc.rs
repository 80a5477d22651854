//! LIV08: is it gRPC that answers?

use crate::checks::live::{dialled, tls};
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Edit;
use crate::evidence::{Handshake, Outcome, Settings};
use crate::ray::ports::is_plain_by_design;

/// The check.
pub static CHECK: Check = Check {
    code: "LIV08",
    name: "port-is-not-grpc",
    severity: Severity::Error,
    help: "\
Something answers on a Ray port, but not as gRPC does: no ALPN `h2`, a TLS alert, HTTP/1, or bytes of another protocol.

Why it matters: gRPC requires ALPN `h2` and never sends an alert when it refuses a client certificate. So another process has the port, or a proxy, ingress or service mesh stands in front and ends
TLS itself. Ray's mutual TLS cannot pass through that.

Mend it: Point the port at Ray itself: TLS passthrough instead of termination, no mesh on Ray's ports, the right `targetPort`.

Authority: RFC 7301; gRPC over HTTP2 specification; `docs` of gRPC on ALPN enforcement.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for port in dialled(case) {
        let say =
            |id: &str, _: usize, seen: &str| format!("port {} of {id} does not answer as gRPC does: {seen}", port.port);
        let party = &case.model.parties[port.party];
        let strange = |h: &Handshake| strange(h).filter(|_| !is_plain_by_design(party, port.port, &h.outcome));
        if let Some(finding) = port.tell(case, findings, strange, say) {
            finding.breaks = port.failing(case);
            finding.edits = vec![Edit::Open { party: port.party, port: port.port }];
        }
    }
}

fn strange(handshake: &Handshake) -> Option<String> {
    match &handshake.outcome {
        Outcome::Garbage(hex) => return Some(format!("unknown bytes {hex}")),
        Outcome::PlainHttp => return Some("HTTP/1 in clear".into()),
        Outcome::TlsFailed(what) => return Some(format!("TLS failed: {what}")),
        _ => {}
    }
    let tls = tls(handshake)?;
    match (&tls.settings, tls.alpn.as_deref()) {
        (Settings::Alert(alert), _) => Some(format!("TLS alert {alert}")),
        (Settings::Other(what), _) => Some(format!("no SETTINGS frame but {what}")),
        (_, Some("h2")) => None,
        (_, Some(other)) => Some(format!("ALPN chose {other}, not h2")),
        (_, None) => Some("no ALPN protocol chosen".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{NODES, leaf, nodes, tls};
    use crate::checks::testing::Ca;
    use crate::evidence::Settings;

    #[test]
    fn something_else_answers() {
        let ca = Ca::new("ca");
        let pair = leaf(&ca, &NODES);
        let ended = |outcome: Outcome| nodes(&pair, &ca).see("ray-head-0", 6379, outcome).run(&CHECK);
        let mut no_alpn = tls(&pair.certificate, Settings::TimedOut);
        if let Outcome::Tls(tls) = &mut no_alpn {
            tls.alpn = None;
        }
        for outcome in [no_alpn, Outcome::PlainHttp, Outcome::Garbage("5353482d".into())] {
            let findings = ended(outcome.clone());
            assert_eq!(findings.len(), 1, "{outcome:?}");
            assert!(!findings[0].breaks.is_empty(), "{outcome:?}");
        }
        for outcome in [tls(&pair.certificate, Settings::Received), Outcome::Refused, Outcome::PlainGrpc] {
            assert_eq!(ended(outcome.clone()), [], "{outcome:?}");
        }
    }
}
