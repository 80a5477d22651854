//! CM06: a Certificate makes another Secret than the one that is mounted.

use crate::checks::{Case, Check, Confidence, Findings, Severity, lens};
use crate::evidence::issuance::Certificate as Order;
use crate::evidence::{Evidence, Seen, SourceKind, Volume, VolumeSource};
use crate::ray::Place;

/// The check.
pub static CHECK: Check = Check {
    code: "CM06",
    name: "certificate-makes-another-secret",
    severity: Severity::Warning,
    help: "\
A Secret that Ray mounts was not found, and a Certificate makes one that nobody mounts, or one of the same name in another namespace.

Why it matters: a pod mounts Secrets of its own namespace only. It stays in ContainerCreating.

Mend it: the same name in `secretName` of the Certificate and in the volume, and the same namespace for both.

Authority: Kubernetes, Secrets; cert-manager 1.21, *Certificate resource: secretName*.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let evidence = case.evidence;
    let mut told: Vec<(&str, &str)> = Vec::new();
    for one in lens::uses(case) {
        let Place::Key { kind: SourceKind::Secret, namespace, name, .. } = &one.file.place else { continue };
        if matches!(evidence.secret(namespace, name), Seen::Found(_))
            || evidence.issuance.orders(namespace, name).next().is_some()
            || told.contains(&(namespace, name))
        {
            continue;
        }
        told.push((namespace, name));
        let absent = matches!(evidence.secret(namespace, name), Seen::Absent);
        let idle = |order: &&Order| {
            absent && order.object.namespace == *namespace && !order.is_ca && !mounted(evidence, order)
        };
        let elsewhere =
            |order: &&Order| order.object.namespace != *namespace && order.secret == *name && !mounted(evidence, order);
        let all = || evidence.issuance.certificates.iter();
        let mut candidates = all().filter(elsewhere).chain(all().filter(idle));
        let (Some(order), None) = (candidates.next(), candidates.next()) else { continue };
        let message = format!(
            "{} makes Secret {}/{}, which nobody mounts, while Secret {namespace}/{name}, which {} mounts, {}",
            order.object,
            order.object.namespace,
            order.secret,
            case.model.parties[one.party].id,
            if absent { "does not exist" } else { "is made by nothing that is known" },
        );
        let finding = findings.add(super::subject(case, &order.object), message);
        finding.confidence = Confidence::Suspected;
        finding.fact("secretName", &order.secret, order.object.to_string());
    }
}

fn mounted(evidence: &Evidence, order: &Order) -> bool {
    fn holds(source: &VolumeSource, secret: &str) -> bool {
        match source {
            VolumeSource::Object { kind: SourceKind::Secret, name, .. } => name == secret,
            VolumeSource::Projected(sources) => sources.iter().any(|source| holds(source, secret)),
            _ => false,
        }
    }
    let here = evidence.workloads.iter().filter(|w| w.object.namespace == order.object.namespace);
    here.flat_map(|w| &w.volumes).any(|Volume { source, .. }| holds(source, &order.secret))
}
