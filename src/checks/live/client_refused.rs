//! LIV03: does a port refuse a client certificate that Ray's own processes present?

use std::collections::BTreeMap;

use crate::checks::live::{dialled, restart, tls};
use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::evidence::{Client, Settings};
use crate::judge::{Side, Verdict};

/// The check.
pub static CHECK: Check = Check {
    code: "LIV03",
    name: "client-certificate-refused",
    severity: Severity::Error,
    help: "\
A Ray port closed the connection after a client certificate was presented to it.

Why it matters: Every Ray server asks for a client certificate and verifies it. With TLS 1.3 the handshake looks complete to the client, and the refusal is only an end of file on the first read: `Socket closed`. gRPC
sends no alert; the reason stands in the server's `.err` file. If the stored files say that the certificate should be accepted, the process still trusts what it read when it started.

Mend it: Sign the client's certificate by a CA in the server's `RAY_TLS_CA_CERT`, with the use clientAuth or none; or restart the server if its trust file was changed.

Authority: Ray `src/ray/rpc/grpc_server.cc` (`REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY`); measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for port in dialled(case) {
        let mut refused: BTreeMap<&str, (&Client, Vec<&str>)> = BTreeMap::new();
        for handshake in &port.handshakes {
            if let (Some(client), Some(tls)) = (&handshake.client, tls(handshake))
                && tls.settings == Settings::Closed
            {
                refused.entry(&client.certificate).or_insert((client, Vec::new())).1.push(&handshake.target.pod);
            }
        }
        let party = &case.model.parties[port.party];
        for (certificate, (client, pods)) in refused {
            let presents = |dialer: usize| {
                case.model.parties.get(dialer).and_then(lens::leaf).is_some_and(|leaf| leaf.sha256 == certificate)
            };
            let breaks: Vec<usize> =
                port.failing(case).into_iter().filter(|&c| presents(case.model.connections[c].dialer)).collect();
            let explained =
                breaks.iter().any(|&c| matches!(case.matrix[c].predicted(), Verdict::Reject { by: Side::Target, .. }));
            let finding = findings.add(
                port.subject(case),
                format!("port {} of {} refuses the client certificate of {}", port.port, party.id, client.from),
            );
            for pod in pods.iter().take(5) {
                let seen = "closed after the handshake, no SETTINGS";
                finding.fact("seen", seen, format!("port {} of pod {}/{pod}", port.port, party.namespace));
            }
            finding.fact("SHA-256 of the client certificate", certificate, &client.from);
            if breaks.is_empty() {
                finding.severity = Severity::Warning;
            } else if !explained {
                finding.edits = restart(case, port.party);
            }
            finding.breaks = breaks;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{NODES, leaf, nodes, tls};
    use crate::checks::testing::{Ca, Pair, Scene};
    use crate::diagnose::edit::Edit;
    use crate::evidence::Settings;

    fn offered(mut scene: Scene, pair: &Pair, settings: Settings) -> Scene {
        let sha256 = crate::checks::lens::leaf(&scene.model.parties[0]).unwrap().sha256;
        scene = scene.see("ray-head-0", 6379, tls(&pair.certificate, settings));
        let last = scene.evidence.handshakes.last_mut().unwrap();
        last.client = Some(Client { certificate: sha256, from: "Secret ray/ray-tls".into() });
        scene.again()
    }

    #[test]
    fn closed_after_the_handshake() {
        let ca = Ca::new("ca");
        let pair = leaf(&ca, &NODES);
        assert_eq!(offered(nodes(&pair, &ca), &pair, Settings::Received).run(&CHECK), []);
        let findings = offered(nodes(&pair, &ca), &pair, Settings::Closed).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(!findings[0].breaks.is_empty());
        assert!(matches!(findings[0].edits[..], [Edit::Restart { .. }]), "the files would be accepted");
    }

    #[test]
    fn without_an_offer_a_closed_connection_is_right() {
        let ca = Ca::new("ca");
        let pair = leaf(&ca, &NODES);
        let scene = nodes(&pair, &ca).see("ray-head-0", 6379, tls(&pair.certificate, Settings::Closed));
        assert_eq!(scene.run(&CHECK), []);
    }
}
