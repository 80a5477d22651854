use super::testing::*;
use super::*;
use crate::evidence::{ConfigMap, Content, FileFacts, Mode, ObjectRef, Origin, Shape};
use crate::ray::{Place, TlsFile};

fn evidence(workloads: Vec<Workload>) -> Evidence {
    let mut evidence = Evidence::new(Mode::Manifests, "test", jiff::Timestamp::UNIX_EPOCH);
    evidence.workloads = workloads;
    evidence
}

fn address_map() -> ConfigMap {
    let facts = FileFacts {
        size: 1,
        sha256: None,
        shape: Shape::Text { placeholder: false },
        certificates: Default::default(),
        keys: Vec::new(),
    };
    let content = Content { facts, text: Some("ray://head-svc:10001".into()), traces: None };
    ConfigMap {
        object: ObjectRef::new("ConfigMap", "ray", "shared"),
        origin: Origin::default(),
        data: [("RAY_ADDRESS".to_owned(), content)].into(),
        changed_at: None,
    }
}

#[test]
fn inheriting_an_address_makes_no_client() {
    let mut web = workload("web", "", &[]);
    web.containers[0].env_from.push(env_from("shared"));
    let mut evidence = evidence(vec![workload("head", "ray start --head", &[]), web]);
    evidence.config_maps.push(address_map());
    let model = model(&evidence);
    assert_eq!(model.parties.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["ray/head"]);
    assert_eq!(model.not_judged.len(), 1);
}

#[test]
fn an_address_of_its_own_makes_a_client() {
    let client = workload("app", "", &[("RAY_ADDRESS", "ray://head-svc:10001")]);
    let model = model(&evidence(vec![workload("head", "ray start --head", &[]), client]));
    assert_eq!(model.parties[1].role, Role::Client);
    assert_eq!(model.parties[1].cluster, model.parties[0].cluster);
}

#[test]
fn a_sidecar_that_speaks_no_ray_is_no_party() {
    let mut head = workload("head", "ray start --head", &[]);
    head.containers.push(Container { name: "importer".into(), ..Container::default() });
    assert_eq!(model(&evidence(vec![head])).parties.len(), 1);
}

#[test]
fn what_names_no_address_is_listed() {
    let client = workload("app", "", &[("RAY_USE_TLS", "1")]);
    let worker = workload("worker", "ray start --address=$RAY_HEAD_SERVICE_HOST:6379", &[]);
    let model = model(&evidence(vec![workload("head", "ray start --head", &[]), client, worker]));
    let listed: Vec<&str> = model.not_judged.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(listed, ["the address that ray/app dials", "the address that ray/worker dials"]);
}

#[test]
fn a_bare_name_means_the_own_namespace() {
    let head = workload("head", "ray start --head --node-ip-address=head", &[]);
    let mut worker = workload("worker", "ray start --address=head:6379", &[]);
    worker.object.namespace = "jobs".into();
    let model = model(&evidence(vec![head, worker]));
    assert_eq!(model.parties.len(), 1);
    assert!(model.not_judged[0].1.contains("head:6379"), "{:?}", model.not_judged);
}

#[test]
fn a_workload_that_dials_another_namespace_is_not_judged_here() {
    let client = workload("app", "", &[("RAY_ADDRESS", "ray://head.prod:10001")]);
    let model = model(&evidence(vec![workload("head", "ray start --head", &[]), client]));
    assert_eq!(model.parties.len(), 1);
    assert!(model.not_judged[0].1.contains("head.prod"));
}

#[test]
fn place_of_a_party_without_paths() {
    let model = model(&evidence(vec![workload("head", "ray start --head", &[])]));
    assert_eq!(model.parties[0].certificate.place, Place::NoPath);
    let TlsFile { content, .. } = &model.parties[0].certificate;
    assert_eq!(*content, Seen::Absent);
}

#[test]
fn a_native_sidecar_dials_as_any_container() {
    let mut app = crate::checks::staging::client("app", "ray://ray-head-svc:10001");
    let spec = &mut app["spec"]["template"]["spec"];
    let mut sidecar = spec["containers"][0].clone();
    sidecar["restartPolicy"] = serde_json::json!("Always");
    spec["containers"] = serde_json::json!([{"name": "web", "image": "nginx"}]);
    spec["initContainers"] = serde_json::json!([sidecar]);
    let mut objects = crate::checks::testing::cluster();
    objects.push(app);
    let scene = crate::checks::testing::Scene::manifests(objects);
    let party = scene.model.parties.iter().find(|p| p.id == "ray/app").unwrap();
    assert_eq!((&party.role, party.container.as_str()), (&Role::Client, "ray"));
    assert!(scene.model.connections.iter().any(|c| c.id == "ray/app>ray/ray-head@ray-head-svc:10001"));
}

#[test]
fn a_command_that_takes_tls_away_or_may_do_so() {
    let of = |before: &str| {
        let ca = crate::checks::testing::Ca::new("ray-ca");
        let mut objects =
            crate::checks::testing::cluster_with(crate::checks::testing::tls_secret("ray-tls", &ca.leaf(), &ca.pem));
        let container = crate::checks::staging::container(&mut objects[1]);
        let script = container["command"][2].as_str().unwrap().replace("ray start", &format!("{before} ray start"));
        container["command"][2] = script.into();
        let scene = crate::checks::testing::Scene::manifests(objects);
        let verdicts = scene.matrix.iter().map(|judged| judged.effective().clone());
        let rejected = verdicts.clone().any(|verdict| matches!(verdict, crate::judge::Verdict::Reject { .. }));
        (rejected, verdicts.filter(|verdict| matches!(verdict, crate::judge::Verdict::CannotTell(_))).count() > 0)
    };
    assert_eq!(of("env -u RAY_USE_TLS"), (true, false));
    assert_eq!(of("RAY_USE_TLS=0 python check.py;"), (false, false));
    assert_eq!(of("if test -f /x; then unset RAY_USE_TLS; fi;"), (false, true));
}
