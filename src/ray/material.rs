//! From a path to the bytes that Ray will read there: path, mount, volume, key of a Secret.

use crate::evidence::{Container, Evidence, FileFacts, KeyPath, Mount, Seen, SourceKind, VolumeSource, Why, Workload};

use super::{Place, TlsFile};

/// The file behind one of the three path variables of a container.
pub fn file(
    evidence: &Evidence,
    workload: &Workload,
    container: &Container,
    variable: &'static str,
    path: Seen<String>,
) -> TlsFile {
    let (place, content, assumed) = match &path {
        Seen::Found(path) if path.is_empty() => (Place::NoPath, Seen::Absent, None),
        Seen::Found(path) if workload.object.kind == "Shell" => {
            (Place::Local(path.clone()), local(evidence, path), None)
        }
        Seen::Found(path) if !path.starts_with('/') && !path.starts_with('~') => {
            let why = Why::OutOfReach(format!("{path} is relative to where each process of Ray happens to run"));
            (Place::Volume("relative path".into()), Seen::Unseen(why), None)
        }
        Seen::Found(path) if path.split('/').any(|part| part == "..") => {
            let why = Why::OutOfReach(format!("{path} goes through .."));
            (Place::Volume("path with ..".into()), Seen::Unseen(why), None)
        }
        Seen::Found(path) => mounted(evidence, workload, container, path, variable),
        Seen::Absent => (Place::NoPath, Seen::Absent, None),
        Seen::Unseen(why) => (Place::NoPath, Seen::Unseen(why.clone()), None),
    };
    TlsFile {
        variable,
        path,
        place,
        content,
        assumed,
        hypothetical: None,
        inside: Vec::new(),
        denied: None,
        covers_pods: false,
        mended: false,
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

type Located = (Place, Seen<FileFacts>, Option<String>);

fn mounted(evidence: &Evidence, workload: &Workload, container: &Container, path: &str, variable: &str) -> Located {
    let Some((mount, rest)) = mount(container, path) else {
        return (Place::NoMount, unmounted(evidence, workload, container), None);
    };
    let Some(volume) = workload.volumes.iter().find(|v| v.name == mount.volume) else {
        return (Place::NoVolume(mount.volume.clone()), Seen::Absent, None);
    };
    let inside = match (mount.sub_path.trim_matches('/'), rest.as_str()) {
        ("", rest) => rest.to_owned(),
        (sub, "") => sub.to_owned(),
        (sub, rest) => format!("{sub}/{rest}"),
    };
    match &volume.source {
        VolumeSource::EmptyDir => made_in_pod(evidence, workload, &volume.name, path, variable == "RAY_TLS_CA_CERT"),
        VolumeSource::Other(kind) => {
            let why = Why::OutOfReach(format!("{kind} volume {}", volume.name));
            (Place::Volume(kind.clone()), Seen::Unseen(why), None)
        }
        source => {
            let (place, content) =
                in_objects(evidence, &workload.object.namespace, source, &inside, !mount.sub_path.is_empty());
            (place, content, None)
        }
    }
}

fn in_objects(
    evidence: &Evidence,
    namespace: &str,
    source: &VolumeSource,
    path: &str,
    sub_path: bool,
) -> (Place, Seen<FileFacts>) {
    match source {
        VolumeSource::Object { kind, name, items, .. } => {
            let key = key_of(items, path);
            let content = match &key {
                Some(key) => value(evidence, *kind, namespace, name, key),
                None => Seen::Absent,
            };
            let place = Place::Key { kind: *kind, namespace: namespace.into(), name: name.clone(), key, sub_path };
            (place, content)
        }
        VolumeSource::Projected(sources) => {
            let all: Vec<_> = sources.iter().map(|s| in_objects(evidence, namespace, s, path, sub_path)).collect();
            let best = all.iter().position(|(_, c)| c.found().is_some());
            let best = best.or_else(|| all.iter().position(|(_, c)| matches!(c, Seen::Unseen(_))));
            let nothing = || (Place::Volume("projected".into()), Seen::Absent);
            all.into_iter().nth(best.unwrap_or(0)).unwrap_or_else(nothing)
        }
        VolumeSource::EmptyDir | VolumeSource::Other(_) => {
            let why = Why::OutOfReach("another source of a projected volume".into());
            (Place::Volume("projected".into()), Seen::Unseen(why))
        }
    }
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
fn made_in_pod(evidence: &Evidence, workload: &Workload, volume: &str, path: &str, trust: bool) -> Located {
    let producer =
        workload.init_containers.iter().find(|c| c.mounts.iter().any(|m| m.volume == volume && !m.read_only));
    let Some(producer) = producer else {
        let why = Why::OutOfReach("an emptyDir that no init container writes".into());
        return (Place::MadeInPod(None), Seen::Unseen(why), None);
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
            (place, Seen::Found(facts.clone()), Some(from))
        }
        _ => (place, Seen::Unseen(Why::MadeInPod { by: producer.name.clone() }), None),
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
    use super::*;

    #[test]
    fn the_longest_mount_wins_by_components() {
        let mount_at = |path: &str, volume: &str| Mount {
            volume: volume.into(),
            path: path.into(),
            sub_path: String::new(),
            read_only: false,
        };
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
        let items = [KeyPath { key: "cert".into(), path: "tls.crt".into() }];
        assert_eq!(key_of(&items, "tls.crt").as_deref(), Some("cert"));
        assert_eq!(key_of(&items, "cert"), None);
        assert_eq!(key_of(&[], "a/b"), None);
    }
}
