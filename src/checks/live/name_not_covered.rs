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
        |port, dialers, reason| format!("{port} serves a certificate without the name that {dialers} dials: {reason}"),
    );
}
