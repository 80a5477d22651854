//! What containers told of themselves, as it belongs to parties and connections.

use crate::evidence::{Container, DialInside, Evidence, FileFacts, FileInside, Inside, KeyFacts, KeyForm, Seen, Why};

use super::{Access, Address, Connection, Model, Next, Party, Place, Port, Slot, TlsFile, command, settings};

/// What the container of a party in one of its pods told.
pub fn of<'e>(evidence: &'e Evidence, party: &Party, pod: &str) -> Option<&'e Inside> {
    evidence
        .inside
        .iter()
        .find(|told| told.namespace == party.namespace && told.pod == pod && told.container == party.container)
}

/// What the containers of a party told.
pub fn all<'e>(evidence: &'e Evidence, party: &Party) -> Vec<&'e Inside> {
    party.pods.iter().filter_map(|pod| of(evidence, party, &pod.name)).collect()
}

/// The ports of a pod to which a connection of unknown port goes: both of a raylet speak gRPC (node manager and object
/// manager).
pub fn ports(told: &Inside, connection: &Connection) -> Vec<u16> {
    let kind = match (connection.port, &connection.address) {
        (Port::Session, _) => "session",
        (Port::Node(None), Address::PodIps(_) | Address::Typed(_)) => "raylet",
        _ => return Vec::new(),
    };
    told.ports(kind).collect()
}

/// A dial made by a party's pod, and the one pod of the target that it reached, where that is known.
pub struct Dialled<'e> {
    /// Who dialled.
    pub from: &'e Inside,
    /// The dial.
    pub dial: &'e DialInside,
    /// The pod that was dialled; none for a name that leads to several.
    pub to: Option<&'e str>,
}

/// The dials that were made inside of the dialer's pods for a connection.
pub fn dials<'e>(evidence: &'e Evidence, model: &'e Model, connection: &Connection) -> Vec<Dialled<'e>> {
    let (Some(dialer), Some(target)) = (model.parties.get(connection.dialer), model.parties.get(connection.target))
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for from in all(evidence, dialer) {
        for dial in &from.dials {
            let to = match &connection.address {
                Address::Typed(host) if *host == dial.host => match target.pods.as_ref() {
                    [only] => Some(Some(only.name.as_str())),
                    _ => Some(None),
                },
                Address::Loopback if dial.host == "127.0.0.1" => Some(Some(from.pod.as_str())),
                Address::PodIps(_) => {
                    let is = |pod: &&crate::evidence::Pod| pod.ips.iter().any(|ip| ip.to_string() == dial.host);
                    target.pods.iter().find(is).map(|pod| Some(pod.name.as_str()))
                }
                _ => None,
            };
            let Some(to) = to else { continue };
            let at_port = match connection.port.number() {
                Some(number) => number == dial.port,
                None => {
                    let told = all(evidence, target).into_iter().filter(|told| to.is_none_or(|pod| told.pod == pod));
                    told.flat_map(|told| ports(told, connection)).any(|port| port == dial.port)
                }
            };
            if at_port {
                found.push(Dialled { from, dial, to });
            }
        }
    }
    found
}

/// Puts what a party's processes really have in the place of what its template says: the switch, the paths, and the files
/// that are in no Secret or ConfigMap or were not seen there.
///
/// A file that was read in a Secret stays: it is what the next pod gets. Where a pod has another one, that is a finding.
pub(super) fn overlay(
    evidence: &Evidence,
    container: &Container,
    party: &mut Party,
    locate: impl Fn(&'static str, Seen<String>) -> TlsFile,
) {
    let told = all(evidence, party);
    if told.is_empty() {
        return;
    }
    party.clock = told.iter().filter_map(|one| one.ahead()).max_by_key(|ahead| ahead.abs()).unwrap_or_default();
    party.next = next(evidence, container, party, &told).map(Box::new);
    match in_processes(&told, container, "RAY_USE_TLS") {
        Some(Ok(value)) => party.switch = Seen::Found(settings::switch(value)),
        Some(Err(why)) => party.switch = Seen::Unseen(why),
        None => {}
    }
    let several = party.pods.iter().filter(|pod| pod.phase == "Running").count() > 1;
    for slot in [Slot::Certificate, Slot::Key, Slot::Trust] {
        let variable = slot.variable();
        let path = match in_processes(&told, container, variable) {
            Some(Ok(Some(path))) => Some(Seen::Found(path.to_owned())),
            Some(Ok(None)) => Some(Seen::Absent),
            Some(Err(why)) => Some(Seen::Unseen(why)),
            None => None,
        };
        if let Some(path) = path.filter(|path| *path != party.file(slot).path) {
            *party.file_mut(slot) = locate(variable, path);
        }
        let files: Vec<(&Inside, &FileInside)> =
            told.iter().filter_map(|told| Some((*told, told.file(variable)?))).collect();
        take(party.file_mut(slot), slot, &files, several);
    }
}

/// What the template says now, where a pod was started with something else. A value that the command exports, and one that the
/// template does not name (the image may), say nothing.
fn next(evidence: &Evidence, container: &Container, party: &Party, told: &[&Inside]) -> Option<Next> {
    let mut changed = Vec::new();
    let mut pod = None;
    for name in ["RAY_USE_TLS", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"] {
        let Seen::Found(setting) = settings::variable(evidence, &party.namespace, container, name) else { continue };
        let other = |one: &&&Inside| one.given(name).is_some_and(|given| given != Some(setting.value.as_str()));
        if !command::changes(container, name)
            && let Some(one) = told.iter().find(other)
        {
            changed.push((name, one.given(name).flatten().map(str::to_owned), setting.value));
            pod = pod.or(Some(one.pod.clone()));
        }
    }
    let files = [Slot::Certificate, Slot::Key, Slot::Trust].map(|slot| party.file(slot).clone());
    Some(Next { switch: party.switch.clone(), files, changed, pod: pod? })
}

/// The value that the processes of every pod have; an error where they differ, none where it is not known: the shell
/// of a container may export it to Ray only, which the first process does not show.
fn in_processes<'e>(told: &[&'e Inside], container: &Container, name: &str) -> Option<Result<Option<&'e str>, Why>> {
    let mut values = Vec::new();
    for one in told {
        let is_ray = one.reader().is_some_and(|reader| !matches!(reader.kind.as_str(), "first" | "exec"));
        if is_ray || !command::changes(container, name) {
            values.push((one, one.variable(name)?));
        }
    }
    let (first, value) = values.first()?;
    if let Some((other, _)) = values.iter().find(|(_, other)| other != value) {
        let why = format!("pods {} and {} have different values of {name}", first.pod, other.pod);
        return Some(Err(Why::OutOfReach(why)));
    }
    Some(Ok(*value))
}

fn take(file: &mut TlsFile, slot: Slot, files: &[(&Inside, &FileInside)], several: bool) {
    let Some((_, first)) = files.first() else { return };
    if let Some((told, one)) = files.iter().find(|(_, one)| one.readable == Some(false)) {
        file.access = Access::Denied(clause(told, one));
    } else if files.iter().all(|(_, one)| one.readable == Some(true)) {
        file.access = Access::Allowed;
    }
    let stored = matches!(file.place, Place::Key { .. }) && file.assumed.is_none();
    if stored && !matches!(file.content, Seen::Unseen(_)) {
        return;
    }
    // What is there is known now, and need not be concluded.
    file.hypothetical = None;
    // Ray reads its files once.
    let newer = |told: &Inside, one: &FileInside| {
        let started = told.processes.iter().find(|process| process.pid == one.pid).and_then(|p| p.started_at);
        one.changed_at.zip(started).is_some_and(|(changed, started)| changed.as_second() > started.as_second() + 2)
    };
    let newer = files.iter().find(|(told, one)| newer(told, one));
    let assumed = newer.map(|(told, _)| format!("it changed in pod {} after the process had started", told.pod));
    let alike = files.iter().all(|(_, one)| same(&one.content, &first.content));
    // A file that each pod makes for itself tells nothing of the next pod's.
    if alike && (stored || slot == Slot::Trust || !several || files.len() > 1) {
        file.content = first.content.clone();
        file.assumed = assumed;
        return;
    }
    file.assumed = assumed;
    file.content = Seen::Unseen(Why::OutOfReach("each pod has its own".into()));
    file.inside = files.iter().map(|(told, one)| (told.pod.clone(), one.content.clone())).collect();
}

/// Why a process may not read its file.
fn clause(told: &Inside, file: &FileInside) -> String {
    let process = told.processes.iter().find(|process| process.pid == file.pid);
    let who = process.and_then(|process| process.uid).map_or_else(|| "its user".into(), |uid| format!("user {uid}"));
    let owner = match file.owner {
        Some((uid, gid, mode)) => format!("its mode is {mode:04o} and it is of {uid}:{gid} in pod {}", told.pod),
        None => format!("it is there in pod {}", told.pod),
    };
    format!("{owner}, so that {who} cannot read it")
}

/// Whether two pods, or a pod and a Secret, have the same file as far as gRPC reads it.
pub fn same(one: &Seen<FileFacts>, other: &Seen<FileFacts>) -> bool {
    match (one, other) {
        (Seen::Found(one), Seen::Found(other)) => {
            let ders = |facts: &FileFacts| -> Vec<String> {
                facts.certificates.blocks.iter().map(|block| block.der.clone()).collect()
            };
            let alike = match (one.keys.first(), other.keys.first()) {
                (Some(one), Some(other)) => same_key(one, other),
                (one, other) => one.is_none() && other.is_none(),
            };
            ders(one) == ders(other) && alike && (one.size == 0) == (other.size == 0)
        }
        (Seen::Absent, Seen::Absent) => true,
        _ => false,
    }
}

/// Where the public half of one is not known (sh without openssl), only what keeps gRPC from loading it tells them apart.
fn same_key(one: &KeyFacts, other: &KeyFacts) -> bool {
    let usable = |key: &KeyFacts| !matches!(key.form, KeyForm::Encrypted | KeyForm::OpenSsh | KeyForm::Unreadable);
    match (&one.spki_sha256, &other.spki_sha256) {
        (Some(one), Some(other)) => one == other,
        _ => usable(one) == usable(other),
    }
}
