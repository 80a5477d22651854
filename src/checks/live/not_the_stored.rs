//! LIV04: do the ports serve the certificate that is stored?

use crate::checks::live::{dialled, error_if_broken, leaf, restart, tls};
use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::evidence::Handshake;
use crate::grpc::certificate::Certificate;

/// The check.
pub static CHECK: Check = Check {
    code: "LIV04",
    name: "served-certificate-not-the-stored",
    severity: Severity::Warning,
    help: "\
A port serves another certificate than the file which `RAY_TLS_SERVER_CERT` names.

Why it matters: A Ray server reads its certificate once, at start, and keeps it until it ends. What counts for expiry and names is what is served. New processes in the same pod read the new files, so old and new
live side by side; if the CA changed too, they do not trust each other. A proxy in between shows in the same way.

Mend it: Restart the pods that serve the old certificate: the head first, then workers, then clients.

Authority: ray#65365; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for port in dialled(case) {
        let party = &case.model.parties[port.party];
        let Some(stored) = lens::leaf(party).filter(|_| party.certificate.assumed.is_none()) else { continue };
        let other = |h: &Handshake| {
            let served = leaf(h).filter(|served| served.sha256 != stored.sha256)?;
            Some(described(&served))
        };
        let say = |id: &str, count: usize, seen: &str| {
            let pods = if count == 1 { String::new() } else { format!(" on {count} pods") };
            format!("port {} of {id} serves {seen}{pods}, not the stored {}", port.port, described(&stored))
        };
        if let Some(finding) = port.tell(case, findings, other, say) {
            finding.fact("stored", format!("SHA-256 {}", stored.sha256), &party.id);
            finding.breaks = lens::failing_by(case, |b| {
                b.connection.target == port.party
                    && b.connection.port.number() == Some(port.port)
                    && matches!(b.failure, crate::judge::Failure::Grpc(_))
                    && port.handshakes.iter().any(|h| tls(h).is_some())
            });
            finding.edits = restart(case, port.party);
            error_if_broken(finding);
        }
    }
}

/// A certificate in a clause; two of equal subject differ in the first digits of their hash.
fn described(certificate: &Certificate) -> String {
    let digits = certificate.sha256.get(..8).unwrap_or_default();
    format!("{} ({digits}, until {})", certificate.subject, certificate.not_after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{NODES, leaf, nodes, tls};
    use crate::checks::testing::Ca;
    use crate::diagnose::edit::Edit;
    use crate::evidence::Settings;

    #[test]
    fn an_older_leaf_is_served() {
        let ca = Ca::new("ca");
        let (old, new) = (leaf(&ca, &NODES), leaf(&ca, &NODES));
        let stored = nodes(&new, &ca);
        let findings = nodes(&new, &ca).see("ray-head-0", 6379, tls(&old.certificate, Settings::TimedOut)).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(matches!(findings[0].edits[..], [Edit::Restart { .. }]));
        assert_eq!(stored.see("ray-head-0", 6379, tls(&new.certificate, Settings::TimedOut)).run(&CHECK), []);
    }

    #[test]
    fn no_edit_where_the_changed_secret_is_the_cause() {
        let ca = Ca::new("ca");
        let (old, new) = (leaf(&ca, &NODES), leaf(&ca, &NODES));
        let scene = nodes(&new, &ca).changed("ray-tls", "2026-05-20T00:00:00Z").see(
            "ray-head-0",
            6379,
            tls(&old.certificate, Settings::TimedOut),
        );
        assert_eq!(scene.run(&CHECK)[0].edits, []);
    }
}
