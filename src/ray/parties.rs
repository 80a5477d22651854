//! Who takes part in a Ray cluster: found by what containers do, not by what they are called.

use crate::evidence::{Container, Evidence, Mode, Seen, Service, Why, Workload};

use super::settings::{self, Setting};
use super::{
    Address, Model, NodeAddress, Party, Role, Slot, Switch, command, connections, inside, kuberay, material, services,
    versions,
};

/// What a party does with the network; kept beside it while the model is built.
pub(super) struct Draft {
    pub(super) party: Party,
    /// `--port` of the head, `--node-manager-port`, `--ray-client-server-port`.
    pub(super) gcs_port: u16,
    pub(super) client_port: u16,
    pub(super) node_port: Option<u16>,
    /// `--object-manager-port`.
    pub(super) object_port: Option<u16>,
    /// Where its core workers listen: any port of one of these ranges, any port at all when there is none.
    pub(super) worker_ports: Vec<(u16, u16)>,
    /// What is dialled, as `host[:port]` or `ray://host[:port]`, expanded.
    pub(super) dials: Vec<Seen<String>>,
    /// KubeRay's cluster name, where it is one.
    pub(super) group: Option<String>,
}

/// The parties and connections in the evidence.
pub fn model(evidence: &Evidence) -> Model {
    let mut not_judged = Vec::new();
    let mut drafts = Vec::new();
    for (index, workload) in evidence.workloads.iter().enumerate() {
        drafts.extend(of_workload(evidence, index, workload, &mut not_judged));
    }
    for resource in &evidence.ray_resources {
        drafts.extend(kuberay::injected(evidence, resource, &drafts));
        if resource.operator_tls && evidence.mode == Mode::Manifests {
            let what = format!("whether the operator obeys tlsOptions of {}", resource.object);
            let why = "it takes KubeRay 1.7 with the feature gate RayClusterMTLS on, and cert-manager, which only the cluster shows";
            not_judged.push((what, why.into()));
        }
    }
    assign(evidence, &mut drafts, &mut not_judged);
    drafts.sort_by(|a, b| key(&a.party).cmp(&key(&b.party)));
    let mut connections = connections::between(evidence, &drafts);
    connections.retain(|connection| {
        let Address::Typed(host) = &connection.address else { return true };
        let (dialer, target) = (&drafts[connection.dialer].party, &drafts[connection.target].party);
        let unled = services::unled(evidence, dialer, host, target.pods.iter());
        not_judged.extend(unled.clone().map(|why| (format!("what {} dials as {host}", dialer.id), why)));
        unled.is_none()
    });
    let versions::Named { profiles, cores, unknown } = versions::profiles(evidence, &drafts);
    not_judged.extend(unknown);
    not_judged.sort();
    not_judged.dedup();
    let parties = drafts.into_iter().map(|d| d.party).collect();
    Model { parties, connections, not_judged, profiles, cores, before: None }
}

/// Whether a party has no pods and is to have none: what is wrong with it breaks when it is scaled up.
pub fn is_idle(evidence: &Evidence, party: &Party) -> bool {
    let workload = party.workload.and_then(|at| evidence.workloads.get(at));
    workload.is_some_and(|w| w.replicas == Some(0) && w.pods.is_empty())
}

fn key(party: &Party) -> (usize, &Role, &str) {
    (party.cluster, &party.role, party.id.as_str())
}

fn of_workload(
    evidence: &Evidence,
    index: usize,
    workload: &Workload,
    not_judged: &mut Vec<(String, String)>,
) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let ray_container = |at: usize| workload.group.is_some() && at == 0;
    for (at, container) in workload.containers.iter().enumerate() {
        let found = match command::start(&container.command) {
            Some(start) => Some(node(evidence, workload, container, &start)),
            None if ray_container(at) => Some(kuberay_node(evidence, workload, container)),
            None if workload.group.is_some() && container.name == "autoscaler" => {
                Some(draft(evidence, workload, container, Role::Autoscaler))
            }
            None => client(evidence, workload, container, not_judged),
        };
        drafts.extend(found);
    }
    for container in &workload.init_containers {
        if let Some(address) = command::health_check(&container.command) {
            let mut waiter = draft(evidence, workload, container, Role::Waiter);
            let address = address.or_else(|| workload.group.as_ref().map(|_| "$FQ_RAY_IP".to_owned()));
            waiter.dials.extend(address.map(|a| dialled(evidence, workload, container, &a)));
            drafts.push(waiter);
        }
    }
    let several = drafts.len() > 1;
    for draft in &mut drafts {
        draft.party.workload = Some(index);
        if several && !matches!(draft.party.role, Role::Head | Role::Worker(_)) {
            draft.party.id = format!("{}:{}", draft.party.id, draft.party.container);
        }
    }
    drafts
}

fn node(evidence: &Evidence, workload: &Workload, container: &Container, start: &command::Start) -> Draft {
    let group = workload.group.as_ref().map_or(String::new(), |g| g.name.clone());
    let role = if start.head { Role::Head } else { Role::Worker(group) };
    let mut draft = draft(evidence, workload, container, role);
    let expand = |word: &str| settings::expand(evidence, &workload.object.namespace, container, word);
    let port = |word: &Option<String>| word.as_deref().and_then(|w| expand(w).found().and_then(|p| p.parse().ok()));
    draft.gcs_port = port(&start.port).unwrap_or(6379);
    draft.client_port = port(&start.client_port).unwrap_or(10001);
    draft.node_port = port(&start.node_manager_port);
    draft.object_port = port(&start.object_manager_port);
    draft.worker_ports = match &start.worker_port_list {
        Some(list) => list.split(',').filter_map(|one| one.trim().parse().ok()).map(|one| (one, one)).collect(),
        // `ray start` has 10002 to 19999 (scripts.py); 0 is any.
        None => {
            let [least, most] = &start.worker_ports;
            let of = |word: &Option<String>, usual| if word.is_some() { port(word).unwrap_or(0) } else { usual };
            let (least, most) = (of(least, 10002), of(most, 19999));
            if least == 0 || most == 0 { Vec::new() } else { vec![(least, most)] }
        }
    };
    draft.party.node_address = node_address(evidence, workload, container, start.node_ip.as_deref());
    if !start.head {
        let typed = start.address.clone().or_else(|| {
            let set = settings::variable(evidence, &workload.object.namespace, container, "RAY_ADDRESS");
            set.found().map(|s| s.value.clone())
        });
        draft.dials.extend(typed.map(|a| dialled(evidence, workload, container, &a)));
    }
    draft
}

/// KubeRay writes the command itself; its words are in `rayStartParams`, and a worker dials `FQ_RAY_IP`.
fn kuberay_node(evidence: &Evidence, workload: &Workload, container: &Container) -> Draft {
    let Some(group) = &workload.group else { return draft(evidence, workload, container, Role::Client) };
    let param = |name: &str| group.start_params.get(name).cloned();
    let start = command::Start {
        head: group.head,
        address: (!group.head).then(|| param("address").unwrap_or_else(|| "$FQ_RAY_IP".into())),
        port: param("port"),
        client_port: param("ray-client-server-port"),
        node_ip: param("node-ip-address"),
        node_manager_port: param("node-manager-port"),
        object_manager_port: param("object-manager-port"),
        worker_ports: ["min-worker-port", "max-worker-port"].map(param),
        worker_port_list: param("worker-port-list"),
    };
    node(evidence, workload, container, &start)
}

fn node_address(evidence: &Evidence, workload: &Workload, container: &Container, written: Option<&str>) -> NodeAddress {
    let Some(written) = written else { return NodeAddress::PodIp };
    if settings::is_pod_ip(container, written) {
        return NodeAddress::PodIp;
    }
    match settings::expand(evidence, &workload.object.namespace, container, written) {
        // Ray replaces loopback by the node's real address (scripts.py, `resolve_ip_for_localhost`).
        Seen::Found(host) if matches!(host.as_str(), "" | "127.0.0.1" | "localhost" | "::1") => NodeAddress::PodIp,
        Seen::Found(host) => NodeAddress::Fixed(host),
        Seen::Absent | Seen::Unseen(_) => NodeAddress::PodIp,
    }
}

/// A Ray Client workload says so itself: by its own `RAY_ADDRESS`, by `ray://` or `--cluster` in its command, or by
/// TLS settings of its own. Inheriting `RAY_ADDRESS` from a shared ConfigMap is not enough.
fn client(
    evidence: &Evidence,
    workload: &Workload,
    container: &Container,
    not_judged: &mut Vec<(String, String)>,
) -> Option<Draft> {
    let submitter = workload.object.kind == "RayJob" && workload.group.is_none();
    if submitter || command::submits_job(&container.command) {
        let what = format!("{} container {}", workload.object, container.name);
        not_judged.push((what, "it submits jobs over the dashboard's plaintext HTTP, and dials no TLS port".into()));
        return None;
    }
    let namespace = &workload.object.namespace;
    let address = settings::variable(evidence, namespace, container, "RAY_ADDRESS");
    let own_tls = container.env.iter().any(|v| v.name == "RAY_USE_TLS" || v.name.starts_with("RAY_TLS_"))
        || command::changes(container, "RAY_USE_TLS");
    let mut dials: Vec<Seen<String>> =
        command::addresses(&container.command).iter().map(|a| dialled(evidence, workload, container, a)).collect();
    match &address {
        Seen::Found(Setting { value, own, .. }) if is_address(value) => {
            if *own || own_tls || !dials.is_empty() {
                let value = Seen::Found(value.clone());
                if !dials.contains(&value) {
                    dials.push(value);
                }
            } else {
                let what = format!("{} container {}", workload.object, container.name);
                let why = format!("it only inherits RAY_ADDRESS={value}; nothing in it says that it connects to Ray");
                not_judged.push((what, why));
                return None;
            }
        }
        Seen::Unseen(why) if container.env.iter().any(|v| v.name == "RAY_ADDRESS") => {
            dials.push(Seen::Unseen(why.clone()))
        }
        _ => {}
    }
    if dials.is_empty() && !own_tls && workload.object.kind != "Shell" {
        return None;
    }
    let role = if workload.object.kind == "Shell" { Role::Laptop } else { Role::Client };
    let mut draft = draft(evidence, workload, container, role);
    draft.dials = dials;
    Some(draft)
}

fn is_address(value: &str) -> bool {
    !value.is_empty() && value != "auto" && value != "local" && !value.starts_with("http")
}

pub(super) fn dialled(evidence: &Evidence, workload: &Workload, container: &Container, written: &str) -> Seen<String> {
    if let Some(group) = &workload.group
        && let Some(port) = written.strip_prefix("$FQ_RAY_IP")
        && !container.env.iter().any(|v| v.name == "FQ_RAY_IP")
    {
        let resource = evidence.ray_resources.iter().find(|r| r.object.is(&workload.object.namespace, &group.cluster));
        return match resource.map_or_else(|| Some(format!("{}-head-svc", group.cluster)), |r| r.head_service.clone()) {
            Some(service) => Seen::Found(format!("{service}.{}.svc.cluster.local{port}", workload.object.namespace)),
            None => Seen::Unseen(Why::OutOfReach("KubeRay adds a random suffix to the cluster's name".into())),
        };
    }
    settings::expand(evidence, &workload.object.namespace, container, written)
}

pub(super) fn draft(evidence: &Evidence, workload: &Workload, container: &Container, role: Role) -> Draft {
    let namespace = workload.object.namespace.clone();
    let read = |name: &str| settings::variable(evidence, &namespace, container, name);
    let switch = match read("RAY_USE_TLS") {
        Seen::Found(setting) => Seen::Found(settings::switch(Some(&setting.value))),
        Seen::Absent => Seen::Found(Switch::Off { written: None }),
        Seen::Unseen(why) => Seen::Unseen(why),
    };
    let file = |variable: &'static str| {
        let path = read(variable).map(|setting| setting.value);
        material::file(evidence, workload, container, variable, path)
    };
    let id = match (namespace.as_str(), &workload.group) {
        ("", _) => workload.object.name.clone(),
        (ns, Some(group)) if group.head => format!("{ns}/{}:head", workload.object.name),
        (ns, Some(group)) => format!("{ns}/{}:{}", workload.object.name, group.name),
        (ns, None) => format!("{ns}/{}", workload.object.name),
    };
    let node_address = match role {
        Role::Head | Role::Worker(_) => NodeAddress::PodIp,
        _ => NodeAddress::None,
    };
    let mut party = Party {
        id,
        role,
        cluster: usize::MAX,
        namespace: namespace.clone(),
        object: workload.object.clone(),
        origin: workload.origin.clone(),
        workload: None,
        container: container.name.clone(),
        switch,
        certificate: file("RAY_TLS_SERVER_CERT"),
        key: file("RAY_TLS_SERVER_KEY"),
        trust: file("RAY_TLS_CA_CERT"),
        node_address,
        pods: workload.pods.iter().filter(|pod| pod.phase == "Running" || pod.phase == "Pending").cloned().collect(),
        count: (workload.replicas.unwrap_or(1) as usize).max(workload.pods.len()).max(1),
        next: None,
        clock: Default::default(),
        touched: false,
        restarted: false,
    };
    // Own settings beside it are refused (KBR04), and mended they are the operator's.
    if kuberay::makes_tls(evidence, workload) {
        kuberay::give_tls(evidence, workload, &mut party);
    }
    for slot in [Slot::Certificate, Slot::Trust] {
        kuberay::predict(evidence, party.file_mut(slot));
    }
    inside::overlay(evidence, container, &mut party, |variable, path| {
        material::file(evidence, workload, container, variable, path)
    });
    Draft {
        party,
        gcs_port: 6379,
        client_port: 10001,
        node_port: None,
        object_port: None,
        worker_ports: Vec::new(),
        dials: Vec::new(),
        group: workload.group.as_ref().map(|g| g.cluster.clone()),
    }
}

/// Puts every party into the cluster of the head it dials.
fn assign(evidence: &Evidence, drafts: &mut Vec<Draft>, not_judged: &mut Vec<(String, String)>) {
    let mut clusters: Vec<(String, String)> = Vec::new();
    let heads: Vec<usize> = (0..drafts.len()).filter(|&at| drafts[at].party.role == Role::Head).collect();
    for &head in &heads {
        let name = drafts[head].group.clone().unwrap_or_else(|| drafts[head].party.id.clone());
        let cluster = (drafts[head].party.namespace.clone(), name);
        let at = clusters.iter().position(|c| *c == cluster).unwrap_or_else(|| {
            clusters.push(cluster);
            clusters.len() - 1
        });
        drafts[head].party.cluster = at;
    }
    for at in 0..drafts.len() {
        if drafts[at].party.role == Role::Head {
            continue;
        }
        match head_of(evidence, drafts, &heads, at) {
            Ok(head) => drafts[at].party.cluster = drafts[head].party.cluster,
            Err(why) if drafts[at].party.role == Role::Laptop => {
                let _ = why;
                drafts[at].party.cluster = clusters.len();
            }
            Err(why) => {
                not_judged.push((format!("{} container {}", drafts[at].party.object, drafts[at].party.container), why))
            }
        }
    }
    drafts.retain(|d| d.party.cluster != usize::MAX);
    for draft in drafts.iter() {
        for dial in &draft.dials {
            let own =
                matches!(draft.party.role, Role::Worker(_) | Role::Waiter) && connections::typed(draft).is_empty();
            if own && dial.found().is_some() {
                let why = "a loopback address is its own node's, where no GCS listens".to_owned();
                not_judged.push((format!("the address that {} dials", draft.party.id), why));
            }
            if let Seen::Unseen(why) = dial {
                not_judged.push((format!("the address that {} dials", draft.party.id), why.to_string()));
            }
        }
        if draft.dials.is_empty() && matches!(draft.party.role, Role::Client | Role::Worker(_)) {
            let why = "neither its command nor its environment names one: what it dials is not judged";
            not_judged.push((format!("the address that {} dials", draft.party.id), why.into()));
        }
    }
}

fn head_of(evidence: &Evidence, drafts: &[Draft], heads: &[usize], at: usize) -> Result<usize, String> {
    let draft = &drafts[at];
    let namespace = &draft.party.namespace;
    if let Some(group) = &draft.group
        && let Some(&head) =
            heads.iter().find(|&&h| drafts[h].group.as_ref() == Some(group) && drafts[h].party.namespace == *namespace)
    {
        return Ok(head);
    }
    let labels = |head: usize| drafts[head].party.workload.and_then(|w| evidence.workloads.get(w)).map(|w| &w.labels);
    let mut dialled = Vec::new();
    for address in draft.dials.iter().filter_map(Seen::found) {
        let (host, _) = command::host_port(address);
        if let Some(why) =
            services::unled(evidence, &draft.party, &host, heads.iter().flat_map(|&h| drafts[h].party.pods.iter()))
        {
            return Err(why);
        }
        if let Some(service) = services::service(evidence, &draft.party, &host) {
            let selected = |&&h: &&usize| {
                drafts[h].party.namespace == service.object.namespace
                    && labels(h).is_some_and(|l| services::selects(&service.selector, l))
            };
            let only = |service: &Service| match heads
                .iter()
                .filter(|&&h| drafts[h].party.namespace == service.object.namespace)
                .collect::<Vec<_>>()[..]
            {
                [&head] => Some(head),
                _ => None,
            };
            return match heads.iter().find(selected) {
                Some(&head) => Ok(head),
                None if service.selector.is_empty() => {
                    Err(format!("it dials {address}, and {} has no selector that says where it leads", service.object))
                }
                // It is meant for the only head that is there.
                None if only(service).is_some_and(|head| {
                    services::selects_nothing(evidence, service)
                        || services::selects_others(evidence, service) && drafts[head].group.is_none()
                }) =>
                {
                    only(service).ok_or_else(String::new)
                }
                None => {
                    Err(format!("it dials {address}, and {} selects no Ray head that was looked at", service.object))
                }
            };
        }
        let aliased = services::address(evidence, &draft.party, &host).map(|ip| ip.to_string());
        let host = aliased.unwrap_or(host);
        let named = |&&h: &&usize| {
            let party = &drafts[h].party;
            let same_place = services::name_of(namespace, &host).is_none_or(|(_, ns)| ns == party.namespace);
            (party.node_address == NodeAddress::Fixed(host.clone()) && same_place)
                || party.pods.iter().any(|pod| pod.ips.iter().any(|ip| ip.to_string() == host))
                || drafts[h].group.as_ref().is_some_and(|g| {
                    services::name_of(namespace, &host)
                        == Some((format!("{g}-head-svc").as_str(), party.namespace.as_str()))
                })
        };
        if let Some(&head) = heads.iter().find(named) {
            return Ok(head);
        }
        if let Some(missing) = services::missing(evidence, &draft.party, &host) {
            // It is meant for the only head that is there.
            let mut near = heads.iter().filter(|&&h| drafts[h].party.namespace == *namespace);
            return match (near.next(), near.next()) {
                (Some(&head), None) => Ok(head),
                _ => Err(format!("it dials {address}, and {missing}")),
            };
        }
        dialled.push(address.clone());
    }
    let near: Vec<usize> = heads.iter().copied().filter(|&h| drafts[h].party.namespace == *namespace).collect();
    let far = draft.party.role == Role::Laptop || dialled.iter().any(|a| elsewhere(namespace, a));
    match (near.as_slice(), heads) {
        ([head], _) if !far || draft.party.role == Role::Laptop => Ok(*head),
        (_, [head]) if draft.party.role == Role::Laptop => Ok(*head),
        ([], _) if dialled.is_empty() => {
            Err("no Ray head is in its namespace, and no address says which one it dials".into())
        }
        _ if dialled.is_empty() => {
            Err("several Ray heads are in its namespace, and no address says which one it dials".into())
        }
        _ => Err(format!("it dials {}, which is no Ray head in what was looked at", dialled.join(", "))),
    }
}

/// Whether an address names another namespace or a host outside the cluster.
fn elsewhere(namespace: &str, address: &str) -> bool {
    let (host, _) = command::host_port(address);
    match services::name_of(namespace, &host) {
        Some((_, ns)) => ns != namespace,
        None => host.contains('.'),
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::evidence::{EnvFrom, EnvSource, EnvVariable, ObjectRef, Origin};

    /// A plain workload with one container.
    pub(crate) fn workload(name: &str, command: &str, env: &[(&str, &str)]) -> Workload {
        let variable = |(name, value): &(&str, &str)| EnvVariable {
            name: (*name).into(),
            source: EnvSource::Value((*value).into()),
        };
        Workload {
            object: ObjectRef::new("Deployment", "ray", name),
            origin: Origin::default(),
            group: None,
            replicas: None,
            labels: [("app".to_owned(), name.to_owned())].into(),
            init_containers: Vec::new(),
            containers: vec![Container {
                name: "main".into(),
                command: command.split_whitespace().map(String::from).collect(),
                env: env.iter().map(variable).collect(),
                ..Container::default()
            }],
            volumes: Vec::new(),
            ..Workload::default()
        }
    }

    /// An `envFrom` of a ConfigMap.
    pub(crate) fn env_from(name: &str) -> EnvFrom {
        EnvFrom {
            kind: crate::evidence::SourceKind::ConfigMap,
            name: name.into(),
            prefix: String::new(),
            optional: false,
        }
    }
}

#[cfg(test)]
mod tests;
