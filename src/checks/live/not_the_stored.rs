//! LIV04: do the ports serve the certificate that is stored?

use crate::checks::live::{dialled, error_if_broken, leaf, restart, tls};
use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::evidence::Handshake;

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
            Some(format!("{} until {} (SHA-256 {})", served.subject, served.not_after, served.sha256))
        };
        let say = |id: &str, count: usize, seen: &str| {
            let pods = if count == 1 { String::new() } else { format!(" on {count} pods") };
            format!("port {} of {id} serves {seen}{pods}, not the stored {}", port.port, stored.subject)
        };
        if let Some(finding) = port.tell(case, findings, other, say) {
            finding.fact(
                "stored",
                format!("{} until {} (SHA-256 {})", stored.subject, stored.not_after, stored.sha256),
                &party.id,
            );
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
