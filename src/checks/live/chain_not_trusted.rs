//! LIV05: do those who dial a port trust the chain it serves?

use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Edit;
use crate::grpc::verdict::Fault;

/// The check.
pub static CHECK: Check = Check {
    code: "LIV05",
    name: "served-chain-not-trusted",
    severity: Severity::Error,
    help: "\
A port serves a chain that no certificate in the dialer's `RAY_TLS_CA_CERT` signed.

Why it matters: The dialer ends the handshake with `CERTIFICATE_VERIFY_FAILED`. If the stored files are no better, a CHN finding tells why; if they are good, the process still serves what it read when it
started, or something else answers on this port.

Mend it: Put the CA that signed the served chain into the dialers' trust file, or restart the pods that serve an old chain.

Authority: gRPC `src/core/tsi/ssl_transport_security.cc`; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::refused_by_dialers(
        case,
        findings,
        |fault| matches!(fault, Fault::UnknownIssuer | Fault::BadSignature),
        |party, trusted_by| vec![Edit::IssueBy { party, trusted_by }],
        |port, dialers, reason| format!("{port} serves a chain that is not trusted by {dialers}: {reason}"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{NODES, leaf, nodes, tls};
    use crate::checks::testing::Ca;
    use crate::evidence::Settings;

    #[test]
    fn a_chain_of_another_ca_is_served() {
        let (ca, other) = (Ca::new("ca"), Ca::new("other"));
        let (stored, served) = (leaf(&ca, &NODES), leaf(&other, &NODES));
        let findings =
            nodes(&stored, &ca).see("ray-head-0", 6379, tls(&served.certificate, Settings::TimedOut)).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].breaks.len() >= 2);
        assert!(matches!(findings[0].edits[..], [Edit::Restart { .. }]), "{:?}", findings[0].edits);
        let good = nodes(&stored, &ca).see("ray-head-0", 6379, tls(&stored.certificate, Settings::TimedOut));
        assert_eq!(good.run(&CHECK), []);
    }
}
