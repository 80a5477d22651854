//! From a path to the bytes that Ray will read there: path, mount, volume, key of a Secret.

use std::collections::BTreeMap;

use crate::evidence::{Container, Evidence, FileFacts, KeyPath, Mount, Seen, SourceKind, VolumeSource, Why, Workload};
use crate::grpc::certificate::{Certificate, Purpose, Signed};
use crate::grpc::planned;

use super::{Access, Place, TlsFile, access, settings};

mod trust;

/// The file behind one of the three path variables of a container.
pub fn file(
    evidence: &Evidence,
    workload: &Workload,
    container: &Container,
    variable: &'static str,
    path: Seen<String>,
) -> TlsFile {
    let located = match &path {
        Seen::Found(path) if path.is_empty() => Located::at(Place::NoPath, Seen::Absent),
        Seen::Found(path) if workload.object.kind == "Shell" => {
            Located::at(Place::Local(path.clone()), local(evidence, path))
        }
        Seen::Found(path) if !path.starts_with('/') && !path.starts_with('~') => Located::out_of_reach(
            "relative path",
            format!("{path} is relative to where each process of Ray happens to run"),
        ),
        Seen::Found(path) if path.split('/').any(|part| part == "..") => {
            Located::out_of_reach("path with ..", format!("{path} goes through .."))
        }
        Seen::Found(path) => mounted(evidence, workload, container, path, variable),
        Seen::Absent => Located::at(Place::NoPath, Seen::Absent),
        Seen::Unseen(why) => Located::at(Place::NoPath, Seen::Unseen(why.clone())),
    };
    let Located { place, content, assumed, mode, hypothetical, covers_pods } = located;
    let access = mode.map_or(Access::Allowed, |mode| access::of(workload, container, mode));
    let file = TlsFile {
        variable,
        path,
        place,
        content,
        assumed,
        hypothetical,
        inside: Vec::new(),
        covers_pods,
        mended: false,
        access,
    };
    super::issuance::foretell(evidence, file)
}

/// What a path led to.
struct Located {
    place: Place,
    content: Seen<FileFacts>,
    assumed: Option<String>,
    /// Of a file that the kubelet writes.
    mode: Option<u32>,
    hypothetical: Option<Vec<Certificate>>,
    covers_pods: bool,
}

impl Located {
    fn at(place: Place, content: Seen<FileFacts>) -> Self {
        Located { place, content, assumed: None, mode: None, hypothetical: None, covers_pods: false }
    }

    fn out_of_reach(what: &str, why: String) -> Self {
        Located::at(Place::Volume(what.into()), Seen::Unseen(Why::OutOfReach(why)))
    }
}

/// The mount that a path of a container lies under, and the rest of the path below it.
pub fn mount<'c>(container: &'c Container, path: &str) -> Option<(&'c Mount, String)> {
    let under = container.mounts.iter().filter_map(|mount| Some((mount, below(&mount.path, path)?)));
    under.max_by_key(|(mount, _)| mount.path.trim_end_matches('/').len())
}

fn local(evidence: &Evidence, path: &str) -> Seen<FileFacts> {
    if let Some(secret) = evidence.secrets.iter().find(|s| s.object.kind == "File" && s.object.name == path) {
        return secret.data.values().next().map_or(Seen::Absent, |c| Seen::Found(c.facts.clone()));
    }
    match evidence.lookups.iter().find(|l| l.object.kind == "File" && l.object.name == path) {
        Some(lookup) => lookup.unseen.clone().map_or(Seen::Absent, Seen::Unseen),
        None => Seen::Unseen(Why::NotAsked),
    }
}

fn mounted(evidence: &Evidence, workload: &Workload, container: &Container, path: &str, variable: &str) -> Located {
    let Some((mount, rest)) = mount(container, path) else {
        return Located::at(Place::NoMount, unmounted(evidence, workload, container));
    };
    through(evidence, workload, container, mount, &rest, path, variable)
}

/// A mount that would lead to the file of a path, were it not hidden by a mount further down: the hidden one and the one
/// that hides it.
pub fn hidden<'c>(
    evidence: &Evidence,
    workload: &Workload,
    container: &'c Container,
    path: &str,
    variable: &str,
) -> Option<(&'c Mount, &'c Mount)> {
    let (top, _) = mount(container, path)?;
    let others = container.mounts.iter().filter(|other| !std::ptr::eq(*other, top));
    let would = others.filter_map(|other| Some((other, below(&other.path, path)?))).find(|(other, rest)| {
        through(evidence, workload, container, other, rest, path, variable).content.found().is_some()
    });
    would.map(|(other, _)| (other, top))
}

fn through(
    evidence: &Evidence,
    workload: &Workload,
    container: &Container,
    mount: &Mount,
    rest: &str,
    path: &str,
    variable: &str,
) -> Located {
    let Some(volume) = workload.volumes.iter().find(|v| v.name == mount.volume) else {
        return Located::at(Place::NoVolume(mount.volume.clone()), Seen::Absent);
    };
    let namespace = &workload.object.namespace;
    let sub_path = match settings::substituted(evidence, namespace, container, &mount.sub_path) {
        Seen::Found(sub_path) => sub_path,
        _ => return Located::out_of_reach("subPathExpr", format!("subPathExpr {}", mount.sub_path)),
    };
    let inside = match (sub_path.trim_matches('/'), rest) {
        ("", rest) => rest.to_owned(),
        (sub, "") => sub.to_owned(),
        (sub, rest) => format!("{sub}/{rest}"),
    };
    let name = &volume.name;
    let trust = variable == "RAY_TLS_CA_CERT";
    match &volume.source {
        VolumeSource::EmptyDir => made_in_pod(evidence, workload, container, &volume.name, path, trust),
        VolumeSource::Csi { driver, attributes } if driver == "csi.cert-manager.io" => {
            by_csi_driver(workload, attributes, &inside, variable)
        }
        VolumeSource::Csi { driver, attributes } => {
            let class = attributes.get("secretProviderClass").map_or(String::new(), |c| format!(", class {c}"));
            let why = format!("volume {name} is filled by the CSI driver {driver}{class} when the pod starts");
            Located::out_of_reach(&format!("csi {driver}"), why)
        }
        VolumeSource::HostPath(path) => Located::out_of_reach(
            &format!("hostPath {path}"),
            format!("volume {name} is {path} of the node that the pod runs on"),
        ),
        VolumeSource::Claim(claim) => Located::out_of_reach(
            &format!("PersistentVolumeClaim {claim}"),
            format!("volume {name} is PersistentVolumeClaim {claim}"),
        ),
        VolumeSource::Other(kind) => Located::out_of_reach(kind, format!("{kind} volume {name}")),
        source => {
            let found = in_objects(evidence, namespace, source, &inside, !mount.sub_path.is_empty());
            found.unwrap_or_else(|| Located::at(Place::Volume(format!("volume {name}")), Seen::Absent))
        }
    }
}

/// The file of this path in a volume of objects; none when the source makes no such file.
fn in_objects(
    evidence: &Evidence,
    namespace: &str,
    source: &VolumeSource,
    path: &str,
    sub_path: bool,
) -> Option<Located> {
    match source {
        VolumeSource::Object { kind, name, items, mode, .. } => {
            let item = items.iter().find(|item| item.path.trim_matches('/') == path);
            let key = key_of(items, path);
            let content = match &key {
                Some(key) => value(evidence, *kind, namespace, name, key),
                None => Seen::Absent,
            };
            let place = Place::Key { kind: *kind, namespace: namespace.into(), name: name.clone(), key, sub_path };
            let mode = item.and_then(|item| item.mode).or(*mode).unwrap_or(0o644);
            Some(Located { mode: Some(mode), ..Located::at(place, content) })
        }
        VolumeSource::Projected(sources) => {
            // A later source wins where it has the file, and may win where that was not seen.
            let all: Vec<Located> =
                sources.iter().rev().filter_map(|s| in_objects(evidence, namespace, s, path, sub_path)).collect();
            let best = all.iter().position(|one| one.content != Seen::Absent);
            // The first of those that lack it is the one it was most likely meant to be in.
            let best = best.or_else(|| all.iter().position(|one| matches!(one.place, Place::Key { key: Some(_), .. })));
            all.into_iter().nth(best.unwrap_or(0))
        }
        VolumeSource::TrustBundle { path: made, .. } => {
            (made.trim_matches('/') == path).then(|| trust::of_bundles(evidence, source))
        }
        VolumeSource::Made { what, files } => files
            .iter()
            .any(|file| file.trim_matches('/') == path)
            .then(|| Located::out_of_reach(what, format!("the kubelet makes it when the pod starts ({what})"))),
        _ => Some(Located::out_of_reach("projected", "another source of a projected volume".into())),
    }
}

/// cert-manager's CSI driver makes key and certificate when the pod starts, by what the volume asks for
/// (cert-manager/csi-driver, "Supported Volume Attributes").
fn by_csi_driver(workload: &Workload, attributes: &BTreeMap<String, String>, inside: &str, variable: &str) -> Located {
    let of = |name: &str| attributes.get(&format!("csi.cert-manager.io/{name}")).map_or("", String::as_str);
    let or = |name: &str, usual: &'static str| -> String {
        Some(of(name)).filter(|text| !text.is_empty()).unwrap_or(usual).to_owned()
    };
    let by = "cert-manager's CSI driver".to_owned();
    let place = Place::Volume("csi csi.cert-manager.io".into());
    let files = [or("certificate-file", "tls.crt"), or("privatekey-file", "tls.key"), or("ca-file", "ca.crt")];
    if !files.iter().any(|file| file == inside) {
        return Located::at(place, Seen::Absent);
    }
    let unread = Located::at(place, Seen::Unseen(Why::MadeInPod { by }));
    let namespace = &workload.object.namespace;
    let scope = if or("issuer-kind", "Issuer") == "ClusterIssuer" { "" } else { namespace.as_str() };
    let issuer = format!("{} {scope}/{}", or("issuer-kind", "Issuer"), of("issuer-name"));
    // Which CA the issuer has is not seen: it may be any that others trust.
    let unseen = |made: Certificate| Certificate {
        signature: Signed::Stranger {
            issuer_spki_sha256: match &made.signature {
                Signed::Assumed { issuer_spki_sha256 } | Signed::Stranger { issuer_spki_sha256 } => {
                    issuer_spki_sha256.clone()
                }
                Signed::Really => made.key.spki_sha256.clone(),
            },
        },
        ..made
    };
    let authority = unseen(planned::authority(&issuer));
    let list = |name: &str| -> Vec<String> {
        let parts = of(name).split(',').map(|part| part.trim().replace("${POD_NAMESPACE}", namespace));
        parts.filter(|part| !part.is_empty()).collect()
    };
    let addresses = list("ip-sans");
    let covers_pods = addresses.iter().any(|ip| ip.contains("${POD_IP}"));
    // What differs from pod to pod is in the certificate of each, but not known.
    let names: Vec<String> = list("dns-names").into_iter().chain(addresses).filter(|n| !n.contains("${")).collect();
    let usages = list("key-usages");
    let purposes = usages.iter().filter_map(|usage| match usage.as_str() {
        "server auth" => Some(Purpose::ServerAuth),
        "client auth" => Some(Purpose::ClientAuth),
        "any" => Some(Purpose::Any),
        _ => None,
    });
    let purposes: Vec<Purpose> = purposes.collect();
    let id = format!("{} (cert-manager's CSI driver)", workload.object);
    let leaf = unseen(planned::leaf(&id, &names, (!purposes.is_empty()).then_some(purposes), &authority));
    let made = match variable {
        "RAY_TLS_SERVER_CERT" if inside == files[0] => Some(vec![leaf]),
        "RAY_TLS_CA_CERT" if inside == files[2] => Some(vec![authority]),
        _ => None,
    };
    let assumed = made.is_some().then(|| format!("cert-manager's CSI driver has it made by {issuer}"));
    Located { hypothetical: made, assumed, covers_pods, ..unread }
}

/// Without `items` every key is a file of its own name; with them only the listed ones are there.
fn key_of(items: &[KeyPath], path: &str) -> Option<String> {
    if items.is_empty() {
        return (!path.is_empty() && !path.contains('/')).then(|| path.to_owned());
    }
    items.iter().find(|item| item.path.trim_matches('/') == path).map(|item| item.key.clone())
}

fn value(evidence: &Evidence, kind: SourceKind, namespace: &str, name: &str, key: &str) -> Seen<FileFacts> {
    match kind {
        SourceKind::Secret => evidence.secret(namespace, name).and_then(|secret| {
            if let Some(problem) = secret.invalid.get(key) {
                return Seen::Unseen(Why::Unreadable(problem.clone()));
            }
            secret.data.get(key).map_or(Seen::Absent, |c| Seen::Found(c.facts.clone()))
        }),
        SourceKind::ConfigMap => evidence
            .config_map(namespace, name)
            .and_then(|map| map.data.get(key).map_or(Seen::Absent, |c| Seen::Found(c.facts.clone()))),
    }
}

/// An emptyDir holds what an init container writes. Its trust file is nearly always a copy of the CA in the one
/// Secret or ConfigMap which that init container mounts; this is concluded, and said so.
fn made_in_pod(
    evidence: &Evidence,
    workload: &Workload,
    container: &Container,
    volume: &str,
    path: &str,
    trust: bool,
) -> Located {
    let writes = |c: &Container| c.mounts.iter().any(|m| m.volume == volume && !m.read_only);
    let Some(producer) = workload.init_containers.iter().find(|c| writes(c)) else {
        if let Some(sidecar) = workload.containers.iter().find(|c| c.name != container.name && writes(c)) {
            let place = Place::MadeInPod(Some(sidecar.name.clone()));
            return Located::at(place, Seen::Unseen(Why::MadeInPod { by: sidecar.name.clone() }));
        }
        let content = match container.traces.runs_more && writes(container) {
            true => Seen::Unseen(Why::OutOfReach("an emptyDir that only the container's own command can fill".into())),
            false => Seen::Absent,
        };
        return Located::at(Place::MadeInPod(None), content);
    };
    let place = Place::MadeInPod(Some(producer.name.clone()));
    let file_name = path.rsplit('/').next().unwrap_or(path);
    let mut sources = Vec::new();
    for mount in &producer.mounts {
        let volume = workload.volumes.iter().find(|v| v.name == mount.volume);
        let Some(VolumeSource::Object { kind, name, .. }) = volume.map(|v| &v.source) else { continue };
        if let Seen::Found(facts) = value(evidence, *kind, &workload.object.namespace, name, file_name)
            && !facts.certificates.blocks.is_empty()
            && facts.keys.is_empty()
        {
            sources.push((kind, name, facts));
        }
    }
    match sources.as_slice() {
        [(kind, name, facts)] if trust => {
            let from =
                format!("init container {} has it from {kind:?} {}/{name}", producer.name, workload.object.namespace);
            Located { assumed: Some(from), ..Located::at(place, Seen::Found(facts.clone())) }
        }
        _ => Located::at(place, Seen::Unseen(Why::MadeInPod { by: producer.name.clone() })),
    }
}

/// A path under no mount may be a file of the image. It is called absent only where the container mounts
/// certificates somewhere else, so that the path is plainly wrong.
fn unmounted(evidence: &Evidence, workload: &Workload, container: &Container) -> Seen<FileFacts> {
    let holds_certificates = |mount: &Mount| {
        let volume = workload.volumes.iter().find(|v| v.name == mount.volume);
        match volume.map(|v| &v.source) {
            Some(VolumeSource::Object { kind: SourceKind::Secret, name, .. }) => {
                let secret = evidence.secret(&workload.object.namespace, name);
                secret.found().is_none_or(|s| s.data.keys().any(|k| k.ends_with(".crt") || k.ends_with(".pem")))
            }
            _ => false,
        }
    };
    if container.mounts.iter().any(holds_certificates) {
        return Seen::Absent;
    }
    Seen::Unseen(Why::OutOfReach("no volume is mounted there; the image may hold the file".into()))
}

/// The part of `path` below `directory`, component by component; empty when they are the same.
fn below(directory: &str, path: &str) -> Option<String> {
    let directory: Vec<&str> = directory.split('/').filter(|c| !c.is_empty()).collect();
    let parts: Vec<&str> = path.split('/').filter(|c| !c.is_empty() && *c != ".").collect();
    parts.strip_prefix(directory.as_slice()).map(|rest| rest.join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checks::testing::{Ca, Scene, cluster_with, tls_secret};

    #[test]
    fn the_longest_mount_wins_by_components() {
        let mount_at =
            |path: &str, volume: &str| Mount { volume: volume.into(), path: path.into(), ..Mount::default() };
        let container = Container {
            mounts: vec![mount_at("/etc", "etc"), mount_at("/etc/ray/tls/", "tls"), mount_at("/etc/ray/t", "t")],
            ..Container::default()
        };
        let (found, rest) = mount(&container, "/etc/ray/tls/tls.crt").unwrap();
        assert_eq!((found.volume.as_str(), rest.as_str()), ("tls", "tls.crt"));
        assert_eq!(mount(&container, "/etcetera/x").map(|(m, _)| m.volume.clone()), None);
    }

    #[test]
    fn a_path_that_depends_on_the_process_is_not_known() {
        let evidence = Evidence::new(crate::evidence::Mode::Manifests, "", jiff::Timestamp::UNIX_EPOCH);
        let workload = crate::ray::parties::testing::workload("head", "", &[]);
        for path in ["tls/ca.crt", "./ca.crt", "/etc/ray/x/../ca.crt"] {
            let path = Seen::Found(path.to_owned());
            let file = file(&evidence, &workload, &workload.containers[0], "RAY_TLS_CA_CERT", path);
            assert!(matches!(file.content, Seen::Unseen(_)) && file.place != Place::NoMount, "{file:?}");
        }
    }

    #[test]
    fn items_replace_the_keys() {
        let items = [KeyPath { key: "cert".into(), path: "tls.crt".into(), mode: None }];
        assert_eq!(key_of(&items, "tls.crt").as_deref(), Some("cert"));
        assert_eq!(key_of(&items, "cert"), None);
        assert_eq!(key_of(&[], "a/b"), None);
    }

    fn scene(volume: serde_json::Value) -> Scene {
        let (old, new) = (Ca::new("old-ca"), Ca::new("new-ca"));
        let mut objects = cluster_with(tls_secret("old", &old.leaf(), &old.pem));
        objects.push(tls_secret("new", &new.leaf(), &new.pem));
        for object in &mut objects[..2] {
            object["spec"]["template"]["spec"]["volumes"][0] = volume.clone();
        }
        Scene::manifests(objects)
    }

    fn accepted(scene: &Scene) -> bool {
        scene.matrix.iter().all(|judged| *judged.effective() == crate::judge::Verdict::Accept)
    }

    #[test]
    fn of_a_projection_the_later_source_wins_and_an_unseen_one_may() {
        let of = |sources: serde_json::Value| scene(json!({"name": "tls", "projected": {"sources": sources}}));
        let from = |scene: &Scene| match &scene.model.parties[0].trust.place {
            Place::Key { name, .. } => name.clone(),
            other => panic!("{other:?}"),
        };
        let both = of(json!([{"secret": {"name": "old"}}, {"secret": {"name": "new"}},
            {"serviceAccountToken": {"path": "token"}}, {"downwardAPI": {"items": [{"path": "labels"}]}}]));
        assert_eq!(from(&both), "new");
        assert!(accepted(&both));
        let unseen = of(json!([{"secret": {"name": "old"}}, {"secret": {"name": "elsewhere"}}]));
        assert!(matches!(unseen.model.parties[0].trust.content, Seen::Unseen(_)));
        let renamed = json!([{"key": "ca.crt", "path": "other.crt"}]);
        let listed = of(json!([{"secret": {"name": "old"}}, {"secret": {"name": "elsewhere", "items": renamed}}]));
        assert_eq!(from(&listed), "old", "its items make another file");
        let bundle = json!({"clusterTrustBundle": {"signerName": "example.com/ray", "path": "ca.crt"}});
        let file = &of(json!([{"secret": {"name": "old"}}, bundle])).model.parties[0].trust.content.clone();
        assert!(matches!(file, Seen::Unseen(why) if why.to_string().contains("of signer example.com/ray")), "{file:?}");
    }

    #[test]
    fn cert_managers_csi_driver_makes_what_the_volume_asks_for() {
        let of = |names: &str, usages: &str| {
            let attributes = json!({
                "csi.cert-manager.io/issuer-name": "ray-ca", "csi.cert-manager.io/dns-names": names,
                "csi.cert-manager.io/ip-sans": "127.0.0.1", "csi.cert-manager.io/key-usages": usages,
            });
            let driver = "csi.cert-manager.io";
            scene(json!({"name": "tls", "csi": {"driver": driver, "readOnly": true, "volumeAttributes": attributes}}))
        };
        let good = of("ray-head-svc,ray-worker", "digital signature,server auth,client auth");
        assert!(accepted(&good), "{:#?}", good.matrix);
        assert_eq!(good.codes(), Vec::<&str>::new());
        assert_eq!(of("ray-head-svc", "digital signature").codes(), ["NAM02"]);
        let one_sided = of("ray-head-svc,ray-worker", "digital signature,server auth");
        assert!(!accepted(&one_sided), "it is no client's");
        assert_eq!(one_sided.codes(), ["CM08"]);
        assert_eq!(crate::checks::testing::unexplained(&one_sided), Vec::<String>::new());
    }

    #[test]
    fn volumes_that_only_the_pod_can_read_are_named() {
        for (volume, told) in [
            (json!({"hostPath": {"path": "/certs"}}), "/certs of the node"),
            (json!({"persistentVolumeClaim": {"claimName": "certs"}}), "PersistentVolumeClaim certs"),
            (
                json!({"csi": {"driver": "secrets-store.csi.k8s.io", "volumeAttributes": {"secretProviderClass": "vault"}}}),
                "class vault",
            ),
            (json!({"ephemeral": {}}), "ephemeral volume tls"),
        ] {
            let mut volume = volume;
            volume["name"] = json!("tls");
            let scene = scene(volume);
            let content = &scene.model.parties[0].key.content;
            assert!(matches!(content, Seen::Unseen(why) if why.to_string().contains(told)), "{content:?}");
            assert_eq!(scene.codes(), Vec::<&str>::new());
        }
    }
}
