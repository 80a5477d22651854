//! NAM09: does a served certificate have no subjectAltName at all?

use crate::checks::{Case, Check, Findings, Severity, lens};

/// The check.
pub static CHECK: Check = Check {
    code: "NAM09",
    name: "common-name-only",
    severity: Severity::Warning,
    help: "\
A certificate that a Ray server presents has no subjectAltName extension, only a common name.

Why it matters: gRPC falls back to the common name when there is no subjectAltName at all, and only for host names, never for IP addresses. Ray's nodes dial each
other by IP, so such a certificate serves a Ray Client port at best. Other software (Go, rustls, browsers) refuses it altogether.

Mend it: Issue it again by the same CA with every dialled name and address as subjectAltName.

Authority: gRPC `tsi_ssl_peer_matches_name`; RFC 9525 section 2 (common names are no longer looked at).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for served in super::served(case).into_iter().filter(|s| s.leaf.names.as_ref().is_none_or(Vec::is_empty)) {
        let origin = lens::phrase(&served.subject);
        findings
            .add(
                served.subject.clone(),
                format!(
                    "the certificate {} of {} has no subjectAltName: gRPC takes its common name for host names, and nothing for IP addresses",
                    served.leaf.subject,
                    lens::used_by(case.model, &served.parties)
                ),
            )
            .fact("common name", served.leaf.common_name.as_deref().unwrap_or("none"), origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::named;
    use crate::checks::testing::{Scene, cluster, cluster_with};

    #[test]
    fn no_names_at_all() {
        let findings = Scene::manifests(cluster_with(named(&[]))).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("no subjectAltName"));
        assert_eq!(Scene::manifests(cluster_with(named(&["x"]))).run(&CHECK), []);
        assert_eq!(Scene::manifests(cluster()).run(&CHECK), []);
    }
}
