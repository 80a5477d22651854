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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{client, named};
    use crate::checks::testing::{Scene, cluster};

    fn scene(names: &[&str], with_client: bool) -> Scene {
        let mut objects = cluster();
        objects.push(named(names));
        objects.extend(with_client.then(|| client("app", "ray://ray-head-svc:10001")));
        Scene::manifests(objects)
    }

    #[test]
    fn an_error_where_ray_client_is_used() {
        let names = ["ray-head-svc", "ray-worker", "localhost"];
        let findings = scene(&names, true).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(!findings[0].breaks.is_empty());
        assert_eq!(scene(&names, false).run(&CHECK)[0].severity, Severity::Warning);
    }

    #[test]
    fn named_or_unseen_is_silent() {
        assert_eq!(scene(&["127.0.0.1"], true).run(&CHECK), []);
        assert_eq!(Scene::manifests(cluster()).run(&CHECK), []);
    }
}
