//! CRT18: the chain is too long for the session tickets of gRPC's servers.

use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Slot;
use crate::grpc::verdict::Fault;
use crate::judge::Failure;

/// The check.
pub static CHECK: Check = Check {
    code: "CRT18",
    name: "chain-too-long-for-clients",
    severity: Severity::Error,
    help: "\
The certificates that Ray presents are together longer than about 8,400 octets of DER, or soon will be.

Why it matters: a gRPC server writes the chain of a client into two session tickets, which have to fit into a buffer of 17 KiB with its first
data. They do not, and it ends the connection (`SSL_write failed with error SSL_ERROR_WANT_WRITE`, in the server's log alone). Every
Ray process is a client too. About 1,250 IPs in one certificate are enough, or a bundle of CAs behind the leaf; servers have no
such limit, so openssl and other tools are content. It is a warning from 7,000 octets on.

Mend it: leave out of the file what is no intermediate of the leaf, use a wildcard or a Service name in the place of many names, or give
each node a certificate of its own.

Authority: measured with grpcio 1.49 to 1.85 as client and server, and against gcs_server of Ray 2.60.",
    run,
};

/// Octets from which a list of names that grows is worth a warning.
const NEAR: usize = 7_000;

/// From about here on the chain is left out of the tickets.
const LEFT_OUT: usize = 65_201;

fn run(case: &Case<'_>, findings: &mut Findings) {
    for shared in lens::shared(case, &[Slot::Certificate]) {
        let chain = lens::parsed(shared.facts);
        let octets = chain.iter().map(|certificate| certificate.der.len()).sum::<usize>();
        if !(NEAR..LEFT_OUT).contains(&octets) {
            continue;
        }
        let parties = shared.parties();
        let broken = lens::failing_by(case, |blame| {
            matches!(blame.failure, Failure::Grpc(reason) if reason.fault == Fault::TooLong)
                && parties.contains(&blame.at)
        });
        let names = chain.first().and_then(|leaf| leaf.names.as_ref()).map_or(0, Vec::len);
        let message = format!(
            "{} of {} has {} and is {octets} octets long (the leaf has {names} names); gRPC servers end the connections of clients whose chain is longer than about 8400",
            lens::opening(&shared.subject),
            lens::used_by(case.model, &parties),
            match chain.len() {
                1 => "1 certificate".to_owned(),
                many => format!("{many} certificates"),
            },
        );
        let finding = findings.add(shared.subject.clone(), message);
        if broken.is_empty() {
            finding.severity = Severity::Warning;
        } else {
            finding.edits = lens::provide(&shared.uses);
        }
        finding.breaks = broken;
        finding.fact("octets", octets.to_string(), lens::phrase(&shared.subject));
        shared.tell(case, finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use rcgen::SanType;

    fn with_ips(count: u32) -> Scene {
        let ca = Ca::new("ray-ca");
        let pair = ca.leaf_with(|params| {
            let ips = (0..count).map(|n| SanType::IpAddress(std::net::Ipv4Addr::from(0x0a00_0000 + n).into()));
            params.subject_alt_names.extend(ips);
        });
        Scene::manifests(cluster_with(tls_secret("ray-tls", &pair, &ca.pem)))
    }

    #[test]
    fn many_ips_are_an_error_and_fewer_a_warning() {
        let finding = only(&with_ips(1_500), &CHECK);
        assert!(finding.severity == Severity::Error && !finding.breaks.is_empty());
        assert_eq!(unexplained(&with_ips(1_500)), Vec::<String>::new());
        let near = only(&with_ips(1_200), &CHECK);
        assert_eq!((near.severity, near.breaks.len()), (Severity::Warning, 0));
        assert_eq!(with_ips(1_000).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
