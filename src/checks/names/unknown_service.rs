//! NAM05: does a certificate name Services that do not exist?

use std::collections::BTreeSet;

use crate::checks::{Case, Check, Confidence, Findings, Severity, lens};
use crate::evidence::Mode;
use crate::ray::{Address, Connection};

/// The check.
pub static CHECK: Check = Check {
    code: "NAM05",
    name: "certificate-names-unknown-service",
    severity: Severity::Warning,
    help: "\
A certificate names `X`, `X.namespace` or `X.namespace.svc…`, and there is no Service X in that namespace.

Why it matters: Pods are reached by the names of Services, not of Deployments. A certificate for `ray-head` where the Service is called `ray-head-svc` looks right and fits
nothing that is dialled. Offline it is only told when a dialled name is missing too, because the cluster may hold Services the manifests do not.

Mend it: Replace the names by those of the Service that is dialled.

Authority: Kubernetes documentation *DNS for Services and Pods*.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for served in super::served(case) {
        let namespaces: BTreeSet<&str> =
            served.parties.iter().map(|&p| case.model.parties[p].namespace.as_str()).collect();
        let certain = case.evidence.mode == Mode::Live && !case.evidence.partial;
        if !certain && super::missed(case, &served, super::typed).is_empty() {
            continue;
        }
        let mut unknown: Vec<&str> =
            super::dns(&served.leaf).filter(|san| is_unknown(case, &namespaces, san)).collect();
        unknown.dedup();
        if unknown.is_empty() {
            continue;
        }
        let services: Vec<&str> = known(case, &namespaces).into_iter().collect();
        let finding = findings.add(
            served.subject.clone(),
            format!(
                "the certificate {} names {}, but the Services here are {}",
                served.leaf.subject,
                unknown.join(", "),
                services.join(", ")
            ),
        );
        finding.confidence = if certain { Confidence::Proved } else { Confidence::Suspected };
        let origin = lens::phrase(&served.subject);
        finding.fact("names in the certificate", super::listed(&served.leaf), origin);
    }
}

/// Whether the name is of a Service's form in one of the namespaces whose Services were seen, and of no Service there.
fn is_unknown(case: &Case<'_>, namespaces: &BTreeSet<&str>, san: &str) -> bool {
    let bare = san.strip_prefix("*.").unwrap_or(san).to_ascii_lowercase();
    if bare == "localhost" || bare.contains('*') || bare.parse::<std::net::IpAddr>().is_ok() {
        return false;
    }
    let dialled = |c: &Connection| matches!(&c.address, Address::Typed(host) if host.eq_ignore_ascii_case(&bare));
    let mut aliases = case.evidence.workloads.iter().flat_map(|workload| &workload.host_aliases);
    if case.model.connections.iter().any(dialled) || aliases.any(|(name, _)| name.eq_ignore_ascii_case(&bare)) {
        return false;
    }
    let labels: Vec<&str> = bare.split('.').collect();
    let namespace = match labels.as_slice() {
        [_] if !san.starts_with("*.") => None,
        [_, namespace] => Some(*namespace),
        [_, namespace, "svc", ..] => Some(*namespace),
        _ => return false,
    };
    let places: BTreeSet<&str> = match namespace {
        Some(one) if namespaces.contains(one) => BTreeSet::from([one]),
        Some(_) => return false,
        None => namespaces.clone(),
    };
    let known = known(case, &places);
    !known.is_empty() && labels.first().is_some_and(|first| !known.contains(first) && !is_pod(case, first))
}

fn known<'a>(case: &Case<'a>, namespaces: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    let services = case.evidence.services.iter().map(|s| (&s.object.namespace, s.object.name.as_str()));
    let heads =
        (case.evidence.ray_resources.iter()).filter_map(|r| Some((&r.object.namespace, r.head_service.as_deref()?)));
    services.chain(heads).filter(|(ns, _)| namespaces.contains(ns.as_str())).map(|(_, name)| name).collect()
}

fn is_pod(case: &Case<'_>, name: &str) -> bool {
    case.model.parties.iter().flat_map(|p| p.pods.iter()).any(|pod| pod.name == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checks::staging::named;
    use crate::checks::testing::{Scene, cluster, cluster_with};

    #[test]
    fn the_name_of_the_deployment_is_no_service() {
        let names = ["ray-head", "ray-head.ray.svc.cluster.local", "ray-worker", "localhost"];
        let findings = Scene::manifests(cluster_with(named(&names))).run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].message.contains("names ray-head, ray-head.ray.svc.cluster.local, but"),
            "{}",
            findings[0].message
        );
        assert!(findings[0].message.contains("ray-head-svc"), "{}", findings[0].message);
    }

    #[test]
    fn known_and_foreign_names_are_silent() {
        let names =
            ["ray-head-svc", "ray-head-svc.ray.svc", "ray.example.org", "x.other.svc.cluster.local", "10.0.0.1"];
        assert_eq!(Scene::live(cluster_with(named(&names)), vec![]).run(&CHECK), []);
        assert_eq!(Scene::manifests(cluster()).run(&CHECK), []);
    }

    #[test]
    fn a_name_of_host_aliases_needs_no_service() {
        let mut objects = cluster_with(named(&["ray-head-svc", "gcs"]));
        assert_eq!(Scene::live(objects.clone(), vec![]).run(&CHECK).len(), 1);
        objects[1]["spec"]["template"]["spec"]["hostAliases"] = json!([{"ip": "10.0.0.5", "hostnames": ["gcs"]}]);
        assert_eq!(Scene::live(objects, vec![]).run(&CHECK), []);
    }
}
