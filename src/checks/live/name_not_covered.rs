//! LIV07: does the served certificate cover the names by which the port is dialled?

use crate::checks::{Case, Check, Findings, Severity};
use crate::grpc::verdict::Fault;

/// The check.
pub static CHECK: Check = Check {
    code: "LIV07",
    name: "served-certificate-lacks-dialled-name",
    severity: Severity::Error,
    help: "\
The certificate that a port serves does not have the name or IP by which others dial it.

Why it matters: gRPC compares the dialled host with what is served, not with what is stored. If the stored certificate lacks the name as well, NAM01 to NAM04 carry the fault; if it has the name, the process
serves an older one.

Mend it: Add the name to the certificate, or restart the pods that serve the old one.

Authority: gRPC `src/core/tsi/ssl_transport_security.cc`, `tsi_ssl_peer_matches_name`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::refused_by_dialers(
        case,
        findings,
        |fault| fault == Fault::Name,
        // NAM01 to NAM04 read what is served in that case.
        |_, _| Vec::new(),
        |port, dialers, reason| format!("{port} serves a certificate without the name dialled by {dialers}: {reason}"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{NODES, leaf, nodes, tls};
    use crate::checks::testing::Ca;
    use crate::diagnose::edit::Edit;
    use crate::evidence::Settings;

    #[test]
    fn an_older_leaf_lacks_the_name() {
        let ca = Ca::new("ca");
        let (stored, served) = (leaf(&ca, &NODES), leaf(&ca, &["ray-head-svc", "127.0.0.1"]));
        let findings =
            nodes(&stored, &ca).see("ray-head-0", 6379, tls(&served.certificate, Settings::TimedOut)).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(matches!(findings[0].edits[..], [Edit::Restart { .. }]), "{:?}", findings[0].edits);
        let good = nodes(&stored, &ca).see("ray-head-0", 6379, tls(&stored.certificate, Settings::TimedOut));
        assert_eq!(good.run(&CHECK), []);
    }

    #[test]
    fn no_edit_where_the_stored_leaf_lacks_it_too() {
        let ca = Ca::new("ca");
        let pair = leaf(&ca, &["ray-head-svc", "127.0.0.1", "10.0.0.6"]);
        let findings =
            nodes(&pair, &ca).see("ray-head-0", 6379, tls(&pair.certificate, Settings::TimedOut)).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].edits, []);
    }
}
