//! NAM11: do certificates name 127.0.0.1?

use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::ray::{Address, Connection};

/// The check.
pub static CHECK: Check = Check {
    code: "NAM11",
    name: "loopback-not-in-certificate",
    severity: Severity::Error,
    help: "\
A certificate does not name 127.0.0.1, which processes of the same pod dial.

Why it matters: Ray Client's proxy on the head starts a server per session and dials it at 127.0.0.1:23000 and up. Without the address in the head's certificate every
`ray://` session fails after about 70 seconds with `Proxy failed to Connect to backend!`: an error where a Ray Client workload uses the head. Everywhere
else only metrics and event export go to 127.0.0.1 (`Metrics will not be exported`): a warning.

Mend it: Issue the certificate again by the same CA with IP address 127.0.0.1, and restart the pods that present it.

Authority: Measured with Ray 2.60; Ray `python/ray/util/client/server/proxier.py`; ray#39191.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let of_kind = |c: &Connection| c.address == Address::Loopback;
    for served in super::served(case) {
        let missed = super::missed(case, &served, of_kind);
        let connections: Vec<&Connection> =
            missed.iter().flat_map(|m| &m.connections).map(|&c| &case.model.connections[c]).collect();
        if connections.is_empty() {
            continue;
        }
        let needed = connections.iter().any(|c| c.needed);
        let consequence = match needed {
            true => "every ray:// session fails",
            false => "metrics and events are not exported",
        };
        let mut targets: Vec<usize> = connections.iter().map(|c| c.target).collect();
        targets.sort_unstable();
        targets.dedup();
        let finding = findings.add(
            served.subject.clone(),
            format!(
                "the certificate {} of {} does not name 127.0.0.1 (it has {}): {consequence}",
                served.leaf.subject,
                lens::used_by(case.model, &targets),
                super::listed(&served.leaf)
            ),
        );
        if !needed {
            finding.severity = Severity::Warning;
        }
        super::tell(finding, &served, vec!["127.0.0.1".into()], false);
        finding.breaks = super::broken(case, &served, of_kind);
    }
}
