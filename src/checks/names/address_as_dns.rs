//! NAM07: is an address written as a DNS name?

use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::grpc::fragile::{Fragile, facts};

/// The check.
pub static CHECK: Check = Check {
    code: "NAM07",
    name: "address-as-dns-name",
    severity: Severity::Info,
    help: "\
A certificate has an IP address as a DNS name in its subjectAltName, and not as an IP address.

Why it matters: both gRPCs of a Ray cluster compare the text and accept it (Ray's own helper writes it that way), so nothing fails today. Every other
TLS software (openssl, Go, rustls, Python's ssl) refuses it, and for IPv6 the text has to be spelled exactly as it is dialled.

Mend it: issue the certificate again with `IP:10.0.0.7` in place of `DNS:10.0.0.7`.

Authority: RFC 5280 section 4.2.1.6; gRPC `tsi_ssl_peer_matches_name` (measured with both gRPCs).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for served in super::served(case) {
        let found = facts(std::slice::from_ref(&served.leaf), &[], case.model.profiles);
        let addresses: Vec<String> = found
            .into_iter()
            .filter_map(|fact| match fact {
                Fragile::AddressAsDns(address) => Some(address),
                _ => None,
            })
            .collect();
        let Some(first) = addresses.first() else { continue };
        let more = match addresses.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let message = format!(
            "the certificate {} of {} has the address {first}{more} as a DNS name: gRPC accepts that, other software does not",
            served.leaf.subject,
            lens::used_by(case.model, &served.parties),
        );
        let origin = lens::phrase(&served.subject);
        findings.add(served.subject.clone(), message).fact(
            "names in the certificate",
            super::listed(&served.leaf),
            origin,
        );
    }
}

#[cfg(test)]
mod tests {
    use rcgen::SanType;

    use super::*;
    use crate::checks::testing::*;

    #[test]
    fn an_address_that_is_no_ip_name() {
        let ca = Ca::new("ray-ca");
        let scene = |extra: &[&str]| {
            let leaf = ca.leaf_with(|p| {
                p.subject_alt_names.extend(extra.iter().map(|n| SanType::DnsName((*n).try_into().unwrap())));
            });
            Scene::manifests(cluster_with(tls_secret("ray-tls", &leaf, &ca.pem)))
        };
        let finding = only(&scene(&["10.0.0.7"]), &CHECK);
        assert!(finding.message.contains("10.0.0.7 as a DNS name"), "{}", finding.message);
        // The leaf has this one as an address too.
        assert_eq!(scene(&["127.0.0.1"]).run(&CHECK), []);
        assert_eq!(scene(&["ray-x"]).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
