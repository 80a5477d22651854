//! Chains from objects as cert-manager 1.21.2 wrote them, and manifests of which only the order is known.

use std::path::Path;

use serde_json::{Value, json};

use crate::checks::testing::{Scene, cluster, secret};
use crate::checks::{Confidence, Finding, Severity, examine};
use crate::collect::manifests;
use crate::diagnose::causes::{Cause, causes};
use crate::evidence::issuance::Issuance;
use crate::evidence::{ObjectRef, Why};
use crate::judge::Verdict;

/// A cluster whose Secret `ray-tls` does not exist, with what was behind it.
fn missing(case: &str) -> Scene {
    with(case, Scene::live(cluster(), vec![("ray-tls", None)]))
}

fn with(case: &str, mut scene: Scene) -> Scene {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cert-manager").join(format!("{case}.yaml"));
    let (evidence, _) = manifests::collect(&[path], &mut std::io::empty(), scene.now).unwrap();
    assert_eq!(evidence.problems, []);
    scene.evidence.issuance = Issuance { listed: vec!["ray".into()], ..evidence.issuance };
    scene.again()
}

fn diagnosed(scene: &Scene) -> (Vec<Finding>, Vec<Cause>) {
    let findings = examine(&scene.case());
    let causes = causes(&scene.model, &scene.evidence, scene.now, &scene.matrix, &findings);
    (findings, causes)
}

/// The one cause: its code and subject, and its first step.
fn cause(scene: &Scene) -> (&'static str, String, String) {
    let (findings, causes) = diagnosed(scene);
    let codes: Vec<_> = causes.iter().map(|c| findings[c.finding].code).collect();
    assert_eq!(codes.len(), 1, "{codes:?}");
    let finding = &findings[causes[0].finding];
    let subject = format!("{} {}", finding.subject.kind, finding.subject.name);
    let step = causes[0].remedy.steps.first().unwrap();
    (finding.code, subject, format!("{} {:?} {:?}", step.text, step.command, step.patch))
}

#[test]
fn a_chain_is_one_cause_at_its_first_red_link() {
    let (code, subject, step) = cause(&missing("issuer-missing"));
    assert_eq!((code, subject.as_str()), ("CM04", "ClusterIssuer ray-ca-issuer-nope"));
    assert!(step.contains("kubectl get clusterissuers"), "{step}");
    let (code, subject, step) = cause(&missing("ca-secret-missing"));
    assert_eq!((code, subject.as_str()), ("CM16", "Secret ray-ca"));
    assert!(step.contains("create secret tls ray-ca"), "{step}");
    assert_eq!(cause(&missing("no-controller")).0, "CM03");
    let (code, subject, step) = cause(&missing("denied"));
    assert_eq!((code, subject.as_str()), ("CM14", "CertificateRequest ray-tls-1"));
    assert!(step.contains("cmctl renew -n ray ray-tls"), "{step}");
    let (code, _, step) = cause(&missing("acme"));
    assert_eq!(code, "CM10");
    assert!(step.contains("CA issuer of your own"), "{step}");
}

#[test]
fn what_follows_from_the_link_is_no_cause_of_its_own() {
    let (findings, causes) = diagnosed(&missing("issuer-missing"));
    let lost = findings.iter().find(|f| f.code == "SEC01").unwrap();
    assert!(lost.breaks.iter().all(|b| causes[0].mends.contains(b)) && !lost.breaks.is_empty());
    let owner = lost.facts.iter().find(|f| f.what == "made by cert-manager from").unwrap();
    assert_eq!(owner.value, "Certificate ray/ray-tls");
    assert!(findings.iter().any(|f| f.code == "CM04" && f.message.contains("does not make Secret ray/ray-tls")));
}

#[test]
fn a_secret_that_may_not_be_read_does_not_hide_the_link() {
    let why = Why::Forbidden { verb: "get".into(), resource: "secrets".into(), namespace: Some("ray".into()) };
    let scene = with("issuer-missing", Scene::live(cluster(), vec![("ray-tls", Some(why))]));
    assert_eq!(cause(&scene).0, "CM04");
}

#[test]
fn an_issuer_that_was_not_looked_for_is_missing_by_cert_managers_word_only() {
    let mut scene = missing("issuer-missing");
    scene.evidence.issuance.listed.clear();
    assert_eq!(cause(&scene.again()).0, "CM04");
    let mut scene = missing("ca-secret-missing");
    scene.evidence.issuance.issuers.clear();
    scene.evidence.issuance.listed.clear();
    assert_eq!(cause(&scene.again()).0, "CM03");
}

#[test]
fn a_cluster_issuer_that_is_called_an_issuer() {
    let mut scene = missing("ca-secret-missing");
    let issuer = &mut scene.evidence.issuance.issuers[0];
    issuer.object = ObjectRef::new("ClusterIssuer", "", "ray-ca");
    let (code, _, step) = cause(&scene.again());
    assert_eq!(code, "CM04");
    assert!(step.contains(r#"patch certificate ray-tls"#) && step.contains(r#"\"kind\":\"ClusterIssuer\""#), "{step}");
}

#[test]
fn two_certificates_for_one_secret() {
    let scene = missing("two");
    let findings = scene.run(&super::two_certificates::CHECK);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.contains("Certificate ray/one and Certificate ray/two both make Secret ray/ray-tls"));
    assert!(findings[0].facts.iter().any(|f| f.value.contains("IncorrectCertificate")));
}

#[test]
fn a_self_signed_leaf_is_an_outage_at_its_renewal() {
    let ca = crate::checks::testing::Ca::new("x");
    let pair = ca.leaf();
    let objects =
        crate::checks::testing::cluster_with(crate::checks::testing::tls_secret("ray-tls", &pair, &pair.certificate));
    let scene = with("self-signed", Scene::live(objects, vec![]));
    let findings = scene.run(&super::self_signed::CHECK);
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].severity, findings[0].confidence), (Severity::Warning, Confidence::Proved));
    assert_eq!(findings[0].at, scene.evidence.issuance.certificates[0].renewal_time);
    assert!(findings[0].at.is_some());
    let healthy = with("healthy", scene);
    assert_eq!(healthy.run(&super::self_signed::CHECK), []);
}

/// Manifests with a Certificate for `ray-tls` of a CA issuer, and its CA.
fn ordered(change: impl FnOnce(&mut Value)) -> Vec<Value> {
    let object = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "ray"}, "spec": spec});
    let mut leaf = object(
        "Certificate",
        "ray-tls",
        json!({"secretName": "ray-tls", "dnsNames": ["ray-head-svc", "ray-worker"], "ipAddresses": ["127.0.0.1"], "issuerRef": {"name": "ray-ca"}}),
    );
    change(&mut leaf);
    let mut objects = cluster();
    objects.extend([
        leaf,
        object("Issuer", "boot", json!({"selfSigned": {}})),
        object("Certificate", "ray-ca", json!({"isCA": true, "commonName": "ray-ca", "secretName": "ray-ca", "issuerRef": {"name": "boot", "kind": "Issuer"}})),
        object("Issuer", "ray-ca", json!({"ca": {"secretName": "ray-ca"}})),
    ]);
    objects
}

fn gated(change: impl FnOnce(&mut Value)) -> Scene {
    Scene::manifests(ordered(change))
}

#[test]
fn what_is_ordered_is_judged_as_if_it_were_there() {
    let scene = gated(|_| ());
    assert!(scene.matrix.iter().all(|j| *j.effective() == Verdict::Accept), "{:#?}", scene.matrix);
    assert_eq!(scene.codes(), Vec::<&str>::new());
    let trust = crate::checks::lens::trust(&scene.model.parties[0]).unwrap();
    assert_eq!(trust[0].subject, "CN=ray-ca");
}

#[test]
fn an_issuer_over_what_is_no_ca_signs_nothing() {
    let mut objects = ordered(|_| ());
    let at = objects.iter().position(|o| o["kind"] == "Certificate" && o["metadata"]["name"] == "ray-ca").unwrap();
    objects[at]["spec"].as_object_mut().unwrap().remove("isCA");
    let scene = Scene::manifests(objects.clone());
    let (code, subject, step) = cause(&scene);
    assert_eq!((code, subject.as_str()), ("CM16", "Certificate ray-ca"));
    assert!(step.contains("isCA: true"), "{step}");
    assert_eq!(crate::checks::testing::unexplained(&scene), Vec::<String>::new());
    // Its uses let gRPC take it for a CA; cert-manager does not.
    objects[at]["spec"]["usages"] = json!(["cert sign"]);
    assert_eq!(cause(&Scene::manifests(objects)).0, "CM16");
    // A leaf that is stored already.
    let pair = crate::checks::testing::Ca::new("x").leaf();
    let mut objects = ordered(|_| ());
    objects.retain(|o| o["kind"] != "Certificate" || o["metadata"]["name"] != "ray-ca");
    objects.push(secret("ray-ca", &[("tls.crt", &pair.certificate), ("tls.key", &pair.key)]));
    let (code, subject, step) = cause(&Scene::manifests(objects));
    assert_eq!((code, subject.as_str()), ("CM16", "Secret ray-ca"));
    assert!(step.contains("CA:TRUE"), "{step}");
}

#[test]
fn names_that_are_not_ordered_are_missing() {
    let (code, _, step) = cause(&gated(|c| c["spec"]["dnsNames"] = json!(["ray-worker"])));
    assert_eq!(code, "NAM02");
    assert!(step.contains(r#"dnsNames: [\"ray-worker\",\"ray-head-svc\"]"#), "{step}");
    assert!(step.contains("Certificate ray/ray-tls"), "{step}");
    let (findings, _) = diagnosed(&gated(|c| c["spec"]["dnsNames"] = json!(["ray-worker"])));
    assert!(findings.iter().filter(|f| f.code == "NAM02").all(|f| f.confidence == Confidence::Predicted));
}

#[test]
fn usages_and_keys_that_grpc_refuses() {
    let (code, _, step) = cause(&gated(|c| c["spec"]["usages"] = json!(["digital signature", "server auth"])));
    assert_eq!(code, "CM08");
    assert!(step.contains("client auth"), "{step}");
    assert_eq!(cause(&gated(|c| c["spec"]["usages"] = json!(["key encipherment"]))).0, "CM08");
    let fine = gated(|c| c["spec"]["usages"] = json!(["server auth", "client auth"]));
    assert_eq!(fine.codes(), Vec::<&str>::new());
    assert_eq!(cause(&gated(|c| c["spec"]["privateKey"] = json!({"algorithm": "Ed25519"}))).0, "CM18");
    assert_eq!(cause(&gated(|c| c["spec"]["privateKey"] = json!({"algorithm": "ECDSA", "size": 521}))).0, "CM18");
}

#[test]
fn durations_that_cert_manager_refuses() {
    let (code, _, step) = cause(&gated(|c| c["spec"]["duration"] = json!("90d")));
    assert_eq!(code, "CM12");
    assert!(step.contains("2160h"), "{step}");
    assert_eq!(cause(&gated(|c| c["spec"]["renewBefore"] = json!("2160h"))).0, "CM12");
    assert_eq!(cause(&gated(|c| c["spec"]["duration"] = json!("10m"))).0, "CM12");
    assert_eq!(gated(|c| c["spec"]["duration"] = json!("1h")).codes(), Vec::<&str>::new());
}

#[test]
fn an_acme_issuer_gives_no_ca() {
    let mut objects = ordered(|_| ());
    objects.last_mut().unwrap()["spec"] = json!({"acme": {"server": "https://acme.example"}});
    assert_eq!(cause(&Scene::manifests(objects)).0, "CM10");
}

#[test]
fn an_issuer_that_is_not_rendered_leaves_open_who_signs_but_not_the_names() {
    let alone = |change: &dyn Fn(&mut Value)| {
        let mut objects = ordered(change);
        objects.truncate(4);
        Scene::manifests(objects)
    };
    let open = alone(&|_| ());
    assert!(open.matrix.iter().all(|j| matches!(j.effective(), Verdict::CannotTell(_))), "{:#?}", open.matrix);
    assert_eq!(cause(&alone(&|c| c["spec"]["dnsNames"] = json!(["ray-worker"]))).0, "NAM02");
    // A CA that is not rendered either may be any that somebody trusts.
    let mut objects = ordered(|_| ());
    objects.retain(|o| o["metadata"]["name"] != "ray-ca" || o["kind"] != "Certificate");
    let ca = crate::checks::testing::Ca::new("ray-ca");
    objects.push(secret("elsewhere", &[("ca.crt", &ca.pem)]));
    let mounts = &mut objects[1]["spec"]["template"]["spec"];
    mounts["volumes"] = json!([{"name": "tls", "projected": {"sources": [
        {"secret": {"name": "ray-tls", "items": [{"key": "tls.crt", "path": "tls.crt"}, {"key": "tls.key", "path": "tls.key"}]}},
        {"secret": {"name": "elsewhere"}},
    ]}}]);
    let scene = Scene::manifests(objects);
    assert!(scene.matrix.iter().all(|j| !matches!(j.effective(), Verdict::Reject { .. })), "{:#?}", scene.matrix);
}

#[test]
fn two_self_signed_certificates_do_not_know_each_other() {
    let mut objects = ordered(|c| c["spec"]["issuerRef"] = json!({"name": "boot"}));
    let mut other = objects[3].clone();
    other["metadata"]["name"] = json!("worker-tls");
    other["spec"]["secretName"] = json!("worker-tls");
    objects.push(other);
    objects[1]["spec"]["template"]["spec"]["volumes"][0]["secret"]["secretName"] = json!("worker-tls");
    let scene = Scene::manifests(objects);
    assert!(scene.matrix.iter().any(|j| matches!(j.effective(), Verdict::Reject { .. })));
    let (findings, causes) = diagnosed(&scene);
    assert!(!causes.is_empty(), "{findings:#?}");
    assert!(findings.iter().any(|f| f.code == "CM05" && f.confidence == Confidence::Predicted && f.at.is_some()));
}

#[test]
fn an_order_that_is_stuck_is_the_cause_where_the_secret_lacks_what_it_adds() {
    let ca = crate::checks::testing::Ca::new("ray-ca");
    let pair = ca.leaf_with(|p| p.subject_alt_names = vec![rcgen::SanType::DnsName("ray-worker".try_into().unwrap())]);
    let mut stored = crate::checks::testing::tls_secret("ray-tls", &pair, &ca.pem);
    stored["metadata"]["annotations"] = json!({"cert-manager.io/certificate-name": "ray-tls"});
    let mut objects = crate::checks::testing::cluster_with(stored);
    objects.extend(ordered(|_| ()).into_iter().skip(3));
    let mut scene = Scene::live(objects, vec![]);
    let names = |scene: &Scene| cause(scene);
    let (code, _, step) = names(&scene);
    assert!(matches!(code, "NAM02" | "NAM11"), "{code}");
    assert!(step.contains("orders") && step.contains("already"), "{step}");
    // cert-manager has not looked at the new order yet.
    let order = scene.evidence.issuance.certificates.iter_mut().find(|c| c.object.name == "ray-tls").unwrap();
    order.generation = Some(2);
    order.conditions = vec![crate::evidence::issuance::Condition {
        kind: "Ready".into(),
        status: "True".into(),
        observed_generation: Some(1),
        ..Default::default()
    }];
    let (code, _, _) = cause(&scene.again());
    assert_eq!(code, "CM15");
}

#[test]
fn a_secret_of_another_name() {
    let mut scene = missing("healthy");
    scene.evidence.issuance.certificates.iter_mut().for_each(|c| c.secret = c.secret.replace("ray-tls", "ray-tsl"));
    let findings = scene.again().run(&super::secret_name::CHECK);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.contains("ray/ray-tsl"), "{}", findings[0].message);
}
