//! Pod specs: containers, their environment and mounts, and volumes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::field::{Field, Reading};
use super::redact;
use super::volume::volume;
use crate::evidence::{Container, EnvFrom, EnvSource, EnvVariable, Mount, Security, SourceKind, Volume};

/// What is kept of a pod spec.
#[derive(Clone, Default)]
pub(crate) struct Template {
    pub(crate) init_containers: Vec<Container>,
    pub(crate) containers: Vec<Container>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) host_network: bool,
    pub(crate) host_aliases: Vec<(String, IpAddr)>,
    pub(crate) security: Security,
}

/// Reads a PodSpec.
pub(crate) fn template(spec: &Field<'_>, reading: &mut Reading<'_>) -> Template {
    let containers = |list: Field<'_>, reading: &mut Reading<'_>| -> Vec<Container> {
        let items = list.items(reading);
        items.iter().map(|item| container(item, reading)).collect()
    };
    let volumes = spec.get(reading, "volumes").items(reading);
    let started = spec.get(reading, "initContainers").items(reading);
    let (beside, before): (Vec<_>, Vec<_>) = started.iter().partition(|item| runs_on(item, reading));
    let mut main = containers(spec.get(reading, "containers"), reading);
    main.extend(beside.into_iter().map(|item| container(item, reading)));
    let mut template = Template {
        init_containers: before.into_iter().map(|item| container(item, reading)).collect(),
        containers: main,
        volumes: volumes.iter().map(|item| volume(item, reading)).collect(),
        host_network: spec.get(reading, "hostNetwork").flag(reading),
        host_aliases: aliases(spec, reading),
        security: security(spec, reading),
    };
    drop_token(&mut template);
    template
}

/// Reads a Container, or what KubeRay lets one say about its autoscaler.
pub(crate) fn container(field: &Field<'_>, reading: &mut Reading<'_>) -> Container {
    let mut arguments = Vec::new();
    for part in ["command", "args"] {
        let words = field.get(reading, part).items(reading);
        arguments.extend(words.iter().filter_map(|word| word.text(reading)));
    }
    let (command, unread) = redact::kept_words(&arguments);
    let traces = redact::traces(&arguments);
    let env = variables(&field.get(reading, "env"), &command, reading);
    let env_from = field.get(reading, "envFrom").items(reading);
    let mounts = field.get(reading, "volumeMounts").items(reading);
    let ports = field.get(reading, "ports").items(reading);
    Container {
        name: field.get(reading, "name").text_or_empty(reading),
        image: field.get(reading, "image").text_or_empty(reading),
        command,
        env,
        env_from: env_from.iter().filter_map(|item| source(item, reading)).collect(),
        mounts: mounts.iter().map(|item| mount(item, reading)).collect(),
        ports: ports.iter().filter_map(|item| port(item, reading)).collect(),
        security: security(field, reading),
        traces,
        unread,
    }
}

/// The lines that `hostAliases` add to `/etc/hosts`, a name at a time.
fn aliases(spec: &Field<'_>, reading: &mut Reading<'_>) -> Vec<(String, IpAddr)> {
    let mut all = Vec::new();
    for item in spec.get(reading, "hostAliases").items(reading) {
        let field = item.get(reading, "ip");
        let text = field.text_or_empty(reading);
        let Ok(ip) = text.parse::<IpAddr>() else {
            reading.problem(field.path(), format!("{} is {text:?}, no IP; the API server refuses it", field.path()));
            continue;
        };
        let names = item.get(reading, "hostnames").items(reading);
        all.extend(names.iter().filter_map(|name| Some((name.text(reading)?, ip))));
    }
    all
}

/// Whether an init container is a native sidecar: started before the containers, it runs as long as they do
/// (Kubernetes documentation *Sidecar Containers*).
fn runs_on(item: &Field<'_>, reading: &mut Reading<'_>) -> bool {
    item.get(reading, "restartPolicy").text(reading).as_deref() == Some("Always")
}

fn security(of: &Field<'_>, reading: &mut Reading<'_>) -> Security {
    let context = of.get(reading, "securityContext");
    let groups = context.get(reading, "supplementalGroups").items(reading);
    Security {
        user: context.get(reading, "runAsUser").number(reading),
        group: context.get(reading, "runAsGroup").number(reading),
        fs_group: context.get(reading, "fsGroup").number(reading),
        groups: groups.iter().filter_map(|group| group.number(reading)).collect(),
    }
}

/// The names whose values a container's kept values and words refer to.
pub(crate) fn references(container: &Container) -> BTreeSet<String> {
    let values = container.env.iter().filter_map(|variable| match &variable.source {
        EnvSource::Value(value) => Some(redact::kubernetes_references(value)),
        _ => None,
    });
    let words = container.command.iter().map(|word| redact::shell_references(word));
    values.chain(words).flatten().filter(|name| !redact::private_name(name)).collect()
}

fn variables(list: &Field<'_>, command: &[String], reading: &mut Reading<'_>) -> Vec<EnvVariable> {
    let read: Vec<(EnvVariable, String)> = list
        .items(reading)
        .iter()
        .map(|item| {
            let path = item.get(reading, "value").path().to_owned();
            (variable(item, reading), path)
        })
        .collect();
    let mut names: BTreeSet<String> = command.iter().flat_map(|word| redact::shell_references(word)).collect();
    // A kept value may refer to a name that refers to another.
    loop {
        let before = names.len();
        for (variable, _) in &read {
            if let EnvSource::Value(value) = &variable.source
                && (redact::kept_name(&variable.name) || names.contains(&variable.name))
            {
                names.extend(redact::kubernetes_references(value));
            }
        }
        if names.len() == before {
            break;
        }
    }
    let mut kept = Vec::new();
    for (EnvVariable { name, source }, path) in read {
        let keep = redact::kept_name(&name) || names.contains(&name) && !redact::private_name(&name);
        let source = match source {
            EnvSource::Value(value) if keep => redact::kept_value(&value).map_or(EnvSource::Dropped, EnvSource::Value),
            EnvSource::NotAString(value) if keep => EnvSource::NotAString(value),
            EnvSource::NotAString(_) => {
                reading.problem(
                    &path,
                    format!("{path} (variable {name}) is no string; the API server refuses it: quote it"),
                );
                EnvSource::Dropped
            }
            EnvSource::Value(_) => EnvSource::Dropped,
            other => other,
        };
        kept.push(EnvVariable { name, source });
    }
    kept
}

fn variable(item: &Field<'_>, reading: &mut Reading<'_>) -> EnvVariable {
    let name = item.get(reading, "name").text_or_empty(reading);
    let value = item.get(reading, "value");
    let from = item.get(reading, "valueFrom");
    let source = if from.present() {
        value_from(&from, reading)
    } else {
        match value.value() {
            None => EnvSource::Value(String::new()),
            Some(serde_json::Value::String(text)) => EnvSource::Value(text.clone()),
            Some(_) => value.written(reading).map_or_else(
                || {
                    value.text(reading);
                    EnvSource::Dropped
                },
                EnvSource::NotAString,
            ),
        }
    };
    EnvVariable { name, source }
}

fn value_from(from: &Field<'_>, reading: &mut Reading<'_>) -> EnvSource {
    for (field, kind) in [("configMapKeyRef", SourceKind::ConfigMap), ("secretKeyRef", SourceKind::Secret)] {
        let reference = from.get(reading, field);
        if reference.present() {
            return EnvSource::Key {
                kind,
                name: reference.get(reading, "name").text_or_empty(reading),
                key: reference.get(reading, "key").text_or_empty(reading),
                optional: reference.get(reading, "optional").flag(reading),
            };
        }
    }
    let path = from.at(reading, &["fieldRef", "fieldPath"]).text(reading);
    path.map_or(EnvSource::Other, EnvSource::Field)
}

fn source(item: &Field<'_>, reading: &mut Reading<'_>) -> Option<EnvFrom> {
    for (field, kind) in [("configMapRef", SourceKind::ConfigMap), ("secretRef", SourceKind::Secret)] {
        let reference = item.get(reading, field);
        if reference.present() {
            return Some(EnvFrom {
                kind,
                name: reference.get(reading, "name").text_or_empty(reading),
                prefix: item.get(reading, "prefix").text_or_empty(reading),
                optional: reference.get(reading, "optional").flag(reading),
            });
        }
    }
    let path = item.path().to_owned();
    reading.problem(&path, format!("{path} has neither configMapRef nor secretRef; the API server refuses it"));
    None
}

fn mount(item: &Field<'_>, reading: &mut Reading<'_>) -> Mount {
    let sub_path = item.get(reading, "subPath").text(reading);
    Mount {
        volume: item.get(reading, "name").text_or_empty(reading),
        path: item.get(reading, "mountPath").text_or_empty(reading),
        sub_path: sub_path.unwrap_or_else(|| item.get(reading, "subPathExpr").text_or_empty(reading)),
        read_only: item.get(reading, "readOnly").flag(reading),
    }
}

/// None for another protocol: a Service's TCP port never leads there, even by its name.
fn port(item: &Field<'_>, reading: &mut Reading<'_>) -> Option<(String, u16)> {
    if item.get(reading, "protocol").text(reading).is_some_and(|protocol| protocol != "TCP") {
        return None;
    }
    let name = item.get(reading, "name").text_or_empty(reading);
    Some((name, item.get(reading, "containerPort").number(reading)?))
}

/// Where the API server mounts the token of the service account.
const TOKENS: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Forgets the service account's token, which the API server adds to each pod under a name of its own.
fn drop_token(template: &mut Template) {
    let named = |name: &str| name.starts_with("kube-api-access-") || name.starts_with("default-token-");
    // One that people named so is mounted elsewhere.
    let all = template.init_containers.iter().chain(&template.containers).flat_map(|container| &container.mounts);
    let elsewhere = all.filter(|mount| named(&mount.volume) && !mount.path.starts_with(TOKENS));
    let elsewhere: BTreeSet<String> = elsewhere.map(|mount| mount.volume.clone()).collect();
    let is_token = |name: &str| named(name) && !elsewhere.contains(name);
    template.volumes.retain(|volume| !is_token(&volume.name));
    for container in template.init_containers.iter_mut().chain(&mut template.containers) {
        container.mounts.retain(|mount| !is_token(&mount.volume));
    }
}
