//! CRT: the certificate a party presents, and how it is written.

pub mod expired;
pub mod expires_soon;
pub mod leaf_key;
pub mod leaf_not_first;
pub mod malformed;
pub mod no_client_auth;
pub mod no_digital_signature;
pub mod no_server_auth;
pub mod not_yet_valid;
pub mod outlives_ca;
pub mod too_long;
pub mod weak;

use super::lens::{self, Shared};
use super::{Case, Edits};
use crate::diagnose::edit::{Edit, Fix, Slot};
use crate::grpc::certificate::{Certificate, Purpose};
use crate::ray::Role;

/// A certificate file that was seen, with the certificate in it that is meant to be presented.
struct Leaf<'a> {
    shared: Shared<'a>,
    certificate: Certificate,
}

fn leaves<'a>(case: &Case<'a>) -> Vec<Leaf<'a>> {
    let of = |shared: Shared<'a>| {
        let user = case.model.parties.get(shared.uses.first()?.party)?;
        let certificate = match shared.pod {
            Some(pod) => lens::meant_in(user, shared.facts, pod),
            None => lens::meant(user),
        }?;
        Some(Leaf { shared, certificate })
    };
    lens::shared(case, &[Slot::Certificate]).into_iter().filter_map(of).collect()
}

impl Leaf<'_> {
    /// `Certificate CN=ray-head in key tls.crt of Secret ray/ray-tls`.
    fn phrase(&self) -> String {
        format!("Certificate {} in {}", self.certificate.subject, lens::phrase(&self.shared.subject))
    }

    fn reissue(&self, fix: Fix) -> Edits {
        vec![Edit::Reissue { certificate: self.certificate.sha256.clone(), fixes: vec![fix] }]
    }

    /// Parties that present it in a role for which its extended key usage is judged: the rule does not apply
    /// to a certificate that the verifier has in its trust file.
    fn judged_for(&self, case: &Case<'_>, plays: impl Fn(&Role) -> bool) -> Vec<usize> {
        let verified = |party: &usize| {
            let cluster = case.model.parties[*party].cluster;
            let mut verifiers = lens::speakers(case).filter(|(_, p)| p.cluster == cluster);
            verifiers.any(|(_, verifier)| match lens::trust(verifier) {
                Some(trust) => trust.iter().all(|anchor| anchor.sha256 != self.certificate.sha256),
                None => self.certificate.subject_canonical != self.certificate.issuer_canonical,
            })
        };
        let plays = |party: &usize| plays(&case.model.parties[*party].role);
        self.shared.parties().into_iter().filter(plays).filter(verified).collect()
    }
}

/// Whether the extended key usage excludes a role. Absent, it excludes none; `anyExtendedKeyUsage` helps neither.
fn excludes(certificate: &Certificate, role: &Purpose) -> bool {
    certificate.purposes.as_ref().is_some_and(|purposes| !purposes.contains(role))
}

fn purposes(certificate: &Certificate) -> String {
    let name = |purpose: &Purpose| match purpose {
        Purpose::Any => "anyExtendedKeyUsage".to_owned(),
        Purpose::ClientAuth => "clientAuth".to_owned(),
        Purpose::Other(oid) => oid.clone(),
        Purpose::ServerAuth => "serverAuth".to_owned(),
    };
    let names: Vec<String> = certificate.purposes.iter().flatten().map(name).collect();
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;
    use crate::checks::staging::{ENV, NODES, by_pod_ip, leaf, live};
    use crate::checks::testing::{Ca, Pair, Scene, assert_mends, only};
    use crate::checks::{Check, Severity, key};
    use crate::ray::Place;

    /// A head and two workers, whose pods make files of their own in an emptyDir: these pairs, those of the workers in order.
    fn scene(ca: &Ca, head: &Pair, workers: [&Pair; 2]) -> Scene {
        let mut objects = by_pod_ip();
        for object in &mut objects[..2] {
            let spec = &mut object["spec"]["template"]["spec"];
            spec["volumes"] = json!([{"name": "tls", "emptyDir": {}}]);
            spec["initContainers"] = json!([{
                "name": "gen", "image": "x", "command": ["sh", "/gen/gencert.sh"],
                "volumeMounts": [{"name": "tls", "mountPath": "/etc/ray/tls"}],
            }]);
        }
        let scene = live(
            objects,
            &[
                ("ray-head", "ray-head-0", "10.0.0.5"),
                ("ray-worker", "ray-worker-0", "10.0.0.6"),
                ("ray-worker", "ray-worker-1", "10.0.0.7"),
            ],
        );
        let files = |pair: &Pair| [pair.certificate.clone(), pair.key.clone(), ca.pem.clone()];
        let within = |scene: Scene, pod: &str, pair: &Pair| {
            let files = files(pair);
            let names = ["RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"];
            let files: Vec<(&str, &str)> = names.into_iter().zip(files.iter().map(String::as_str)).collect();
            scene.within(pod, &ENV, &files, Vec::new())
        };
        let scene = within(scene, "ray-head-0", head);
        let scene = within(scene, "ray-worker-0", workers[0]);
        within(scene, "ray-worker-1", workers[1])
    }

    /// Of December.
    const LATE: u8 = 30;

    fn until(ca: &Ca, ip: &str, day: u8) -> Pair {
        let names =
            rcgen::CertificateParams::new(["127.0.0.1".to_owned(), ip.to_owned(), "ray-head-svc".into()]).unwrap();
        ca.leaf_with(|params| {
            params.subject_alt_names = names.subject_alt_names;
            params.not_after = rcgen::date_time_ymd(2026, if day == LATE { 12 } else { 6 }, day);
        })
    }

    fn subjects(scene: &Scene, check: &'static Check) -> Vec<String> {
        scene.run(check).iter().map(|finding| lens::phrase(&finding.subject)).collect()
    }

    #[test]
    fn files_that_pods_make_for_themselves_are_examined() {
        let ca = Ca::new("ca");
        // The scene is of June 1st.
        let late = |ip| until(&ca, ip, LATE);
        let good = scene(&ca, &late("10.0.0.5"), [&late("10.0.0.6"), &late("10.0.0.7")]);
        assert!(matches!(good.model.parties[1].certificate.place, Place::MadeInPod(_)));
        assert_eq!(good.run(&expired::CHECK), []);
        let soon = scene(&ca, &until(&ca, "10.0.0.5", 4), [&late("10.0.0.6"), &until(&ca, "10.0.0.7", 5)]);
        assert_eq!(
            subjects(&soon, &expires_soon::CHECK),
            ["file /etc/ray/tls/tls.crt in pod ray/ray-head-0", "file /etc/ray/tls/tls.crt in pod ray/ray-worker-1"]
        );
        let past = scene(&ca, &late("10.0.0.5"), [&late("10.0.0.6"), &until(&ca, "10.0.0.7", 1)]);
        let finding = only(&past, &expired::CHECK);
        assert_eq!((finding.severity, finding.breaks.is_empty()), (Severity::Error, false));
        assert!(
            finding.message.starts_with("Certificate CN=ray-node in file /etc/ray/tls/tls.crt in pod ray/ray-worker-1")
        );
        assert_mends(&past, &finding);
    }

    #[test]
    fn a_certificate_made_in_a_pod_without_its_address_is_not_mended_by_new_dates() {
        let ca = Ca::new("ca");
        let good = until(&ca, "10.0.0.5", LATE);
        let (one, other) = (until(&ca, "10.9.9.9", 1), until(&ca, "10.0.0.7", LATE));
        let scene = scene(&ca, &good, [&one, &other]);
        let finding = only(&scene, &expired::CHECK);
        let edits: Vec<&Edit> = finding.edits.iter().collect();
        let edited = crate::diagnose::edit::apply(&scene.evidence, &scene.model, scene.now, &edits);
        assert!(!edited.parties[1].certificate.covers_pods);
    }

    #[test]
    fn a_key_of_another_certificate_in_a_pod_is_told() {
        let ca = Ca::new("ca");
        let pair = |ip| until(&ca, ip, LATE);
        let wrong = Pair { key: pair("10.0.0.8").key, ..pair("10.0.0.7") };
        let scene = scene(&ca, &pair("10.0.0.5"), [&pair("10.0.0.6"), &wrong]);
        assert_eq!(subjects(&scene, &key::mismatch::CHECK), ["file /etc/ray/tls/tls.key in pod ray/ray-worker-1"]);
    }

    #[test]
    fn a_secret_that_is_seen_is_told_once() {
        let ca = Ca::new("ca");
        let pair = leaf(&ca, &NODES);
        let files = [("RAY_TLS_SERVER_CERT", pair.certificate.as_str()), ("RAY_TLS_SERVER_KEY", pair.key.as_str())];
        let mut scene = crate::checks::staging::nodes(&pair, &ca).within("ray-head-0", &ENV, &files, Vec::new());
        scene.now += SignedDuration::from_hours(24 * 300);
        scene.evidence.taken_at = scene.now;
        assert_eq!(subjects(&scene.again(), &expired::CHECK), ["key tls.crt of Secret ray/ray-tls"]);
    }
}
