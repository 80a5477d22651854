//! NAM08: does a wildcard look as if it covered a dialled name, and does not?

use crate::checks::{Case, Check, Findings, Severity};

/// The check.
pub static CHECK: Check = Check {
    code: "NAM08",
    name: "wildcard-does-not-cover",
    severity: Severity::Error,
    help: "\
The certificate has a wildcard that looks as if it covered a dialled name, but gRPC's rule does not let it.

Why it matters: gRPC takes `*.` only as the whole first label, for exactly one label, and not as the only label: a bare `*` matches nothing,
`*.svc.cluster.local` does not match `ray-head-svc.ray.svc.cluster.local`, and `*.ray.svc.cluster.local` does not match the short name `ray-head-svc`. A wildcard never covers an IP address.

Mend it: Put the exact dialled names in the certificate.

Authority: gRPC `src/core/tsi/ssl_transport_security.cc`, `does_entry_match_name`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for served in super::served(case) {
        for missed in super::missed(case, &served, super::typed) {
            let namespaces: Vec<&str> =
                served.parties.iter().map(|&p| case.model.parties[p].namespace.as_str()).collect();
            let Some((wildcard, why)) = super::dns(&served.leaf)
                .find_map(|san| misled(san, &missed.name, &namespaces).map(|why| (san.to_string(), why)))
            else {
                continue;
            };
            let finding = findings.add(
                served.subject.clone(),
                format!(
                    "the wildcard {wildcard} of certificate {} does not cover the dialled name {}: {why}",
                    served.leaf.subject, missed.name
                ),
            );
            finding.breaks = super::broken(
                case,
                &served,
                |c| matches!(&c.address, crate::ray::Address::Typed(host) if *host == missed.name),
            );
        }
    }
}

/// Why a wildcard that people would expect to cover the host does not; none where nobody would expect it.
fn misled(san: &str, host: &str, namespaces: &[&str]) -> Option<&'static str> {
    if !san.contains('*') {
        return None;
    }
    if san == "*" {
        return Some("a bare * matches nothing");
    }
    let (san, host) = (san.to_ascii_lowercase(), host.trim_end_matches('.').to_ascii_lowercase());
    let Some(rest) = san.strip_prefix("*.") else {
        return glob(&san, &host).then_some("* is only taken as the whole first label");
    };
    if host.ends_with(&format!(".{rest}")) {
        return Some("a wildcard stands for exactly one label");
    }
    let in_namespace = |ns: &str| rest == ns || rest.starts_with(&format!("{ns}.svc"));
    if !host.contains('.') && namespaces.iter().any(|ns| in_namespace(ns)) {
        return Some("it covers full names, not the short one");
    }
    None
}

/// Whether a pattern with one star, as shells read it, matches.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => {
            !end.contains('*')
                && text.len() >= start.len() + end.len()
                && text.starts_with(start)
                && text.ends_with(end)
        }
        None => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use super::misled;

    #[test]
    fn only_wildcards_that_mislead() {
        assert!(misled("*", "ray-head-svc", &["ray"]).is_some());
        assert!(misled("*.svc.cluster.local", "head.ray.svc.cluster.local", &["ray"]).is_some());
        assert!(misled("*.ray.svc.cluster.local", "ray-head-svc", &["ray"]).is_some());
        assert!(misled("ray-*.example.org", "ray-head.example.org", &["ray"]).is_some());
        assert!(misled("*.other.svc.cluster.local", "ray-head-svc", &["ray"]).is_none());
        assert!(misled("*.example.org", "ray-head-svc.ray", &["ray"]).is_none());
        assert!(misled("ray-head", "ray-head-svc", &["ray"]).is_none());
    }
}
