//! What the KubeRay operator adds to the pods of a RayCluster.

use crate::evidence::{Container, Evidence, RayResource, Seen, SourceKind, Why, Workload};
use crate::grpc::certificate::Purpose;
use crate::grpc::planned;

use super::parties::{Draft, dialled, draft};
use super::{Access, Party, Place, Role, Slot, Switch, TlsFile};

/// What KubeRay adds to pods that do not exist yet: `wait-gcs-ready` in every worker, which gets the Ray container's
/// `env` and mounts but not its `envFrom` (`pod.go`), and the autoscaler sidecar, which gets nothing.
pub(super) fn injected(evidence: &Evidence, resource: &RayResource, drafts: &[Draft]) -> Vec<Draft> {
    let namespace = &resource.object.namespace;
    let mut made = Vec::new();
    let has = |role: &Role, made: &[Draft]| {
        drafts.iter().chain(made).any(|d| {
            d.group.as_deref() == Some(&resource.object.name)
                && d.party.role == *role
                && d.party.namespace == *namespace
        })
    };
    for (index, workload) in evidence.workloads.iter().enumerate() {
        let Some(group) = workload.group.as_ref().filter(|g| g.cluster == resource.object.name) else { continue };
        let Some(ray) = workload.containers.first().filter(|_| workload.object.namespace == *namespace) else {
            continue;
        };
        if !workload.pods.is_empty() {
            continue;
        }
        if !group.head {
            let container =
                Container { name: "wait-gcs-ready".into(), env_from: Vec::new(), command: Vec::new(), ..ray.clone() };
            let mut waiter = draft(evidence, workload, &container, Role::Waiter);
            waiter.dials.push(dialled(evidence, workload, &container, "$FQ_RAY_IP"));
            waiter.party.id = format!("{}:wait-gcs-ready", waiter.party.id);
            waiter.party.workload = Some(index);
            made.push(waiter);
        } else if resource.autoscaling && !has(&Role::Autoscaler, &made) {
            let container =
                resource.autoscaler.clone().unwrap_or(Container { name: "autoscaler".into(), ..Container::default() });
            let container = Container { name: "autoscaler".into(), ..container };
            let mut scaler = draft(evidence, workload, &container, Role::Autoscaler);
            scaler.party.id = format!("{namespace}/{}:autoscaler", resource.object.name);
            scaler.party.workload = Some(index);
            made.push(scaler);
        }
    }
    made
}

/// Whether the operator itself will give the pods of this template TLS (`tlsOptions`), before there are any.
pub(super) fn makes_tls(evidence: &Evidence, workload: &Workload) -> bool {
    workload.pods.is_empty() && resource_of(evidence, workload).is_some_and(|resource| resource.operator_tls)
}

/// Gives a party what KubeRay 1.7 puts into its container: the switch, and the three files of its Secret at `/etc/ray/tls`
/// (kuberay#4566).
pub(super) fn give_tls(evidence: &Evidence, workload: &Workload, party: &mut Party) {
    let Some(group) = &workload.group else { return };
    party.switch = Seen::Found(Switch::On);
    let named = resource_of(evidence, workload).is_some_and(|resource| resource.object.kind == "RayCluster");
    let part = if group.head { "head" } else { "worker" };
    let secret = format!("ray-{part}-secret-{}", group.cluster);
    for (slot, key) in [(Slot::Certificate, "tls.crt"), (Slot::Key, "tls.key"), (Slot::Trust, "ca.crt")] {
        let namespace = workload.object.namespace.clone();
        let file = party.file_mut(slot);
        file.path = Seen::Found(format!("/etc/ray/tls/{key}"));
        file.content = Seen::Unseen(Why::MadeInPod { by: "the KubeRay operator (tlsOptions)".into() });
        file.access = Access::Allowed;
        if !named {
            // A RayJob's or RayService's cluster gets a random suffix, and so do its Secrets.
            file.place = Place::MadeInPod(Some("the KubeRay operator".into()));
            continue;
        }
        file.content = match evidence.secret(&namespace, &secret) {
            Seen::Found(found) => found.data.get(key).map_or(Seen::Absent, |c| Seen::Found(c.facts.clone())),
            Seen::Absent => Seen::Unseen(Why::NotYetMade),
            Seen::Unseen(why) => Seen::Unseen(why),
        };
        let name = secret.clone();
        file.place = Place::Key { kind: SourceKind::Secret, namespace, name, key: Some(key.into()), sub_path: false };
    }
}

/// Puts in what KubeRay 1.7 will issue into a Secret of its own which is not there yet. Its certificates name the pods' IPs
/// and are issued again whenever pods come and go.
pub(super) fn predict(evidence: &Evidence, file: &mut TlsFile) {
    let Place::Key { kind: SourceKind::Secret, namespace, name, key: Some(key), .. } = &file.place else { return };
    if !matches!(file.content, Seen::Unseen(Why::NotInManifests | Why::NotYetMade)) {
        return;
    }
    let Some((resource, head)) = issued_for(evidence, namespace, name) else { return };
    let cluster = &resource.object.name;
    let authority = planned::authority(&format!("ray-ca-certificate-{cluster} of {namespace}"));
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    if head {
        names.extend(resource.head_service.as_ref().map(|svc| format!("{svc}.{namespace}.svc.cluster.local")));
    }
    let purposes = vec![Purpose::ServerAuth, Purpose::ClientAuth];
    file.hypothetical = match (file.variable, key.as_str()) {
        ("RAY_TLS_SERVER_CERT", "tls.crt") => {
            Some(vec![planned::leaf(&format!("{namespace}/{name}"), &names, Some(purposes), &authority)])
        }
        ("RAY_TLS_CA_CERT", "ca.crt") => Some(vec![authority]),
        _ => return,
    };
    file.covers_pods = true;
    file.assumed = Some(format!("the KubeRay operator issues it for {} (tlsOptions)", resource.object));
}

/// The RayCluster for which the operator makes this Secret, and whether it is the head's; none when it is no such Secret.
pub fn issued_for<'e>(evidence: &'e Evidence, namespace: &str, secret: &str) -> Option<(&'e RayResource, bool)> {
    let (head, cluster) = match secret.strip_prefix("ray-head-secret-") {
        Some(cluster) => (true, cluster),
        None => (false, secret.strip_prefix("ray-worker-secret-")?),
    };
    let theirs = |r: &&RayResource| r.operator_tls && r.object.is(namespace, cluster) && r.object.kind == "RayCluster";
    evidence.ray_resources.iter().find(theirs).map(|resource| (resource, head))
}

/// The custom resource that a workload is a group of.
pub fn resource_of<'e>(evidence: &'e Evidence, workload: &Workload) -> Option<&'e RayResource> {
    let group = workload.group.as_ref()?;
    let mut all = evidence.ray_resources.iter();
    all.find(|resource| resource.object.is(&workload.object.namespace, &group.cluster))
}
