//! KBR06: do clients dial the head by a name that the operator's certificate has?

use crate::checks::names::{listed, missed, served, typed};
use crate::checks::{Case, Check, Confidence, Findings, Severity, lens, names};
use crate::diagnose::edit::Edit;
use crate::evidence::{RayResource, Seen};
use crate::grpc::certificate::Certificate;
use crate::ray::kuberay::issued_for;
use crate::ray::{Party, Place, Port};

/// The check.
pub static CHECK: Check = Check {
    code: "KBR06",
    name: "operator-certificate-lacks-client-name",
    severity: Severity::Error,
    help: "\
Somebody dials the head of a RayCluster with `tlsOptions` by another name than the one full name that the operator puts into the head's certificate.

Why it matters: KubeRay issues the head's certificate for `localhost`, 127.0.0.1, the head pod's IPs and `<cluster>-head-svc.<namespace>.svc.cluster.local`. The short name `<cluster>-head-svc`, a Service
of one's own, an Ingress and a RayService's stable Service are not in it, and there is no field to add names. gRPC compares the name exactly as it was dialled.

Mend it: Dial the full name of the head's Service.

Authority: kuberay#4566, `ray-operator/controllers/ray/common/mtls.go`; KubeRay 1.7.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for served in served(case) {
        let Some(resource) = operators(case, &served.parties, &served.leaf) else { continue };
        for missed in missed(case, &served, typed) {
            for &index in &missed.connections {
                let connection = &case.model.connections[index];
                let dialer = &case.model.parties[connection.dialer];
                let number = connection.port.number().map_or_else(String::new, |port| format!(":{port}"));
                let scheme = if matches!(connection.port, Port::Client(_)) { "ray://" } else { "" };
                let from = format!("{scheme}{}{number}", missed.name);
                let mut message = format!(
                    "{} dials {from}, and the certificate that KubeRay issues for the head of {} has only {}",
                    dialer.id,
                    resource.object,
                    listed(&served.leaf)
                );
                let full = full_name(resource).filter(|full| names::dns(&served.leaf).any(|name| name == full));
                if let Some(full) = &full {
                    message.push_str(&format!(": dial {full}"));
                }
                let finding = findings.add(lens::workload(dialer), message);
                if !served.read {
                    finding.confidence = Confidence::Predicted;
                }
                finding.fact("dialled", &from, &dialer.id);
                finding.breaks = lens::failing_by(case, |b| b.index == index);
                finding.edits = full
                    .map(|full| Edit::Dial { party: connection.dialer, from, to: format!("{scheme}{full}{number}") })
                    .into_iter()
                    .collect();
            }
        }
    }
}

fn full_name(resource: &RayResource) -> Option<String> {
    let service = resource.head_service.as_ref()?;
    Some(format!("{service}.{}.svc.cluster.local", resource.object.namespace))
}

/// The RayCluster for whose head the operator issues this leaf.
pub fn operators<'a>(case: &Case<'a>, parties: &[usize], leaf: &Certificate) -> Option<&'a RayResource> {
    parties.iter().find_map(|&index| of_party(case, &case.model.parties[index], leaf))
}

fn of_party<'a>(case: &Case<'a>, party: &Party, leaf: &Certificate) -> Option<&'a RayResource> {
    let Place::Key { namespace, name, .. } = &party.certificate.place else { return None };
    let (resource, _) = issued_for(case.evidence, namespace, name)?;
    // A port may serve what is not stored.
    let stored = party.certificate.hypothetical.is_some() || matches!(party.certificate.content, Seen::Found(_));
    (stored && lens::meant(party).is_some_and(|own| own.sha256 == leaf.sha256)).then_some(resource)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{client, ray_cluster};
    use crate::checks::testing::*;
    use serde_json::{Value, json};

    fn objects(address: &str) -> Vec<Value> {
        let mut cluster = ray_cluster();
        cluster["spec"]["tlsOptions"] = json!({"enabled": true});
        cluster["spec"]["autoscalerOptions"] = json!({});
        for at in ["/spec/headGroupSpec", "/spec/workerGroupSpecs/0"] {
            let container = &mut cluster.pointer_mut(at).unwrap()["template"]["spec"]["containers"][0];
            container["env"] = json!([]);
            container["volumeMounts"] = json!([]);
        }
        let mut app = client("app", address);
        app["spec"]["template"]["spec"]["volumes"][0]["secret"]["secretName"] = json!("ray-worker-secret-demo");
        vec![cluster, app]
    }

    #[test]
    fn a_short_name_is_not_in_it() {
        let scene = Scene::manifests(objects("ray://demo-head-svc:10001"));
        let finding = only(&scene, &CHECK);
        assert!(finding.message.ends_with(": dial demo-head-svc.ray.svc.cluster.local"), "{}", finding.message);
        assert_eq!(finding.confidence, Confidence::Predicted);
        assert_mends(&scene, &finding);
        assert_eq!(scene.codes(), ["KBR06"]);
    }

    #[test]
    fn the_full_name_is() {
        let scene = Scene::manifests(objects("ray://demo-head-svc.ray.svc.cluster.local:10001"));
        assert_eq!(scene.codes(), Vec::<&str>::new());
        assert!(scene.matrix.iter().all(|j| *j.effective() == crate::judge::Verdict::Accept), "{:#?}", scene.matrix);
        assert_quiet(&CHECK);
    }
}
