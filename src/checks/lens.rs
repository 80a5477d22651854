//! What many checks ask of a case: who reads which file, what is in it, which connections fail through whom.
//!
//! Only parties whose Ray speaks TLS read files, so a Secret that nothing uses is never met here. What was
//! not seen is never met either: it is a gap, told elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Case, Confidence, Edits, Finding, Subject};
use crate::diagnose::edit::{Edit, Slot};
use crate::evidence::{FileFacts, Origin, Seen, SourceKind};
use crate::grpc::certificate::Certificate;
use crate::grpc::verdict::Role;
use crate::judge::{Failure, Side, Verdict};
use crate::ray::{Connection, Model, Party, Place, Switch, TlsFile, inside};

/// The three files of a party.
pub const SLOTS: [Slot; 3] = [Slot::Certificate, Slot::Key, Slot::Trust];

/// One of the three files of one party whose Ray speaks TLS.
#[derive(Clone, Copy)]
pub struct Use<'a> {
    /// Index of the party.
    pub party: usize,
    /// Which file.
    pub slot: Slot,
    /// The file.
    pub file: &'a TlsFile,
}

/// One stored file (a key of a Secret, a path) that was seen, with everyone who uses it.
#[derive(Clone)]
pub struct Shared<'a> {
    /// The Secret and key, the path, or the workload where the file is its own.
    pub subject: Subject,
    /// What is in it.
    pub facts: &'a FileFacts,
    /// Who uses it as what; never empty.
    pub uses: Vec<Use<'a>>,
    /// The pod it was read in, where each pod of its one user has its own.
    pub pod: Option<&'a str>,
}

/// A side of a failing connection at which a reason was found.
#[derive(Clone, Copy)]
pub struct Blame<'a> {
    /// Index of the connection.
    pub index: usize,
    /// The connection.
    pub connection: &'a Connection,
    /// Index of the party that refuses.
    pub refuser: usize,
    /// Index of the party whose file or certificate is refused: the refuser itself when it cannot load its own.
    pub at: usize,
    /// Why.
    pub failure: &'a Failure,
}

/// Whether Ray of this party speaks TLS, as far as was seen.
pub fn speaks_tls(party: &Party) -> bool {
    matches!(party.switch, Seen::Found(Switch::On))
}

/// The parties whose Ray speaks TLS, with their index.
pub fn speakers<'a>(case: &Case<'a>) -> impl Iterator<Item = (usize, &'a Party)> + use<'a> {
    case.model.parties.iter().enumerate().filter(|(_, party)| speaks_tls(party))
}

/// Every file of every party whose Ray speaks TLS.
pub fn uses<'a>(case: &Case<'a>) -> Vec<Use<'a>> {
    let of = |(index, party): (usize, &'a Party)| SLOTS.map(|slot| Use { party: index, slot, file: party.file(slot) });
    speakers(case).flat_map(of).collect()
}

/// The files of these slots that were seen, each stored file once, in the order of its first user; certificates and keys
/// that each pod has for itself by pod.
pub fn shared<'a>(case: &Case<'a>, slots: &[Slot]) -> Vec<Shared<'a>> {
    let mut list: Vec<Shared<'a>> = Vec::new();
    let mut places: BTreeMap<Subject, Vec<usize>> = BTreeMap::new();
    for one in uses(case).into_iter().filter(|u| slots.contains(&u.slot)) {
        let own = if one.slot == Slot::Trust { &[] } else { one.file.inside.as_slice() };
        list.extend(own.iter().filter_map(|(pod, content)| {
            let subject = in_pod(case, one, pod)?;
            Some(Shared { subject, facts: content.found()?, uses: vec![one], pod: Some(pod) })
        }));
        let Seen::Found(facts) = &one.file.content else { continue };
        let subject = stored(case, one);
        let here = places.entry(subject.clone()).or_default();
        match here.iter().find(|at| list.get(**at).is_some_and(|known| known.facts == facts)) {
            Some(&at) => list[at].uses.push(one),
            None => {
                here.push(list.len());
                list.push(Shared { subject, facts, uses: vec![one], pod: None });
            }
        }
    }
    list
}

impl Shared<'_> {
    /// The parties that use it, each once, in order.
    pub fn parties(&self) -> Vec<usize> {
        let mut parties: Vec<usize> = self.uses.iter().map(|u| u.party).collect();
        parties.dedup();
        parties
    }

    /// Proved when the bytes were read where Ray reads them; predicted when that is concluded.
    pub fn confidence(&self) -> Confidence {
        match self.uses.iter().all(|u| u.file.assumed.is_some()) {
            true => Confidence::Predicted,
            false => Confidence::Proved,
        }
    }

    /// Adds who uses it, and on what ground that is believed, to a finding.
    pub fn tell(&self, case: &Case<'_>, finding: &mut Finding) {
        let origin = phrase(&self.subject);
        finding.confidence = self.confidence();
        finding.fact("used by", used_by(case.model, &self.parties()), &origin);
        if let Some(ground) = self.uses.iter().find_map(|u| u.file.assumed.as_deref()) {
            finding.fact("assumed", ground, &origin);
        }
    }
}

/// Whether anybody asks for what is presented in this role: where files alone are judged it may be one role only.
pub fn asked(case: &Case<'_>, role: Role) -> bool {
    let connections = &case.model.connections;
    connections.is_empty() || connections.iter().any(|c| c.only.is_none_or(|only| only == role))
}

/// The certificates of a file as gRPC meets them, hypothetical ones where an edit made them. A block that is no
/// certificate ends the list, as it ends gRPC's reading.
pub fn certificates(file: &TlsFile) -> Vec<Certificate> {
    match (&file.hypothetical, &file.content) {
        (Some(made_up), _) => made_up.clone(),
        (None, Seen::Found(facts)) => parsed(facts),
        (None, _) => Vec::new(),
    }
}

/// The certificates in these bytes, up to the first that cannot be read.
pub fn parsed(facts: &FileFacts) -> Vec<Certificate> {
    facts.certificates.parsed().to_vec()
}

/// The certificate a party presents: the first of its certificate file.
pub fn leaf(party: &Party) -> Option<Certificate> {
    certificates(&party.certificate).into_iter().next()
}

/// The certificate a party means to present: the one of its key. Where another stands first CRT12 tells, and the questions
/// about a leaf are not asked of what was never meant to be one.
pub fn meant(party: &Party) -> Option<Certificate> {
    owned(certificates(&party.certificate), party.key.content.found())
}

/// As [`meant`], of the files of one pod.
pub fn meant_in(party: &Party, certificate: &FileFacts, pod: &str) -> Option<Certificate> {
    owned(parsed(certificate), key_in(party, pod))
}

/// The key file of a party in one of its pods.
pub fn key_in<'a>(party: &'a Party, pod: &str) -> Option<&'a FileFacts> {
    let own = party.key.inside.iter().find(|(of, _)| of == pod).map(|(_, content)| content);
    own.unwrap_or(&party.key.content).found()
}

fn owned(mut chain: Vec<Certificate>, key: Option<&FileFacts>) -> Option<Certificate> {
    let own = key.and_then(|facts| facts.keys.first()).and_then(|key| key.spki_sha256.as_deref());
    let at = chain.iter().position(|c| Some(c.key.spki_sha256.as_str()) == own).unwrap_or(0);
    (at < chain.len()).then(|| chain.swap_remove(at))
}

/// What a party trusts; none when its trust file was not seen.
pub fn trust(party: &Party) -> Option<Vec<Certificate>> {
    match (&party.trust.hypothetical, &party.trust.content) {
        (None, Seen::Absent | Seen::Unseen(_)) => None,
        _ => Some(certificates(&party.trust)),
    }
}

/// What a finding about this file is about: the key of a Secret or ConfigMap, the path, or else the workload.
pub fn subject(case: &Case<'_>, one: Use<'_>) -> Subject {
    match &one.file.place {
        Place::Key { kind, namespace, name, key, .. } => object(case, *kind, namespace, name, key.as_deref()),
        Place::Local(path) => Subject { kind: "File".into(), name: path.clone(), ..Subject::default() },
        Place::NoPath | Place::NoMount | Place::NoVolume(_) | Place::MadeInPod(_) | Place::Volume(_) => {
            let party = &case.model.parties[one.party];
            Subject { key: Some(one.file.variable.into()), ..workload(party) }
        }
    }
}

/// As [`subject`], or the file of the one pod that showed what is in it.
pub fn stored(case: &Case<'_>, one: Use<'_>) -> Subject {
    if let Place::MadeInPod(_) | Place::NoMount | Place::Volume(_) = one.file.place
        && let [told] = inside::all(case.evidence, &case.model.parties[one.party]).as_slice()
        && told.file(one.file.variable).is_some_and(|file| file.content == one.file.content)
        && let Some(subject) = in_pod(case, one, &told.pod)
    {
        return subject;
    }
    subject(case, one)
}

/// A file of a party in one of its pods as a subject.
pub fn in_pod(case: &Case<'_>, one: Use<'_>, pod: &str) -> Option<Subject> {
    let party = &case.model.parties[one.party];
    let file = inside::of(case.evidence, party, pod)?.file(one.file.variable)?;
    Some(Subject {
        kind: "Pod".into(),
        namespace: Some(party.namespace.clone()),
        name: pod.into(),
        key: Some(if file.resolved.is_empty() { file.path.clone() } else { file.resolved.clone() }),
        ..Subject::default()
    })
}

/// A Secret or ConfigMap as a subject, with its file and line where it was read.
pub fn object(case: &Case<'_>, kind: SourceKind, namespace: &str, name: &str, key: Option<&str>) -> Subject {
    let origin = match kind {
        SourceKind::Secret => case.evidence.secret(namespace, name).found().map(|s| s.origin.clone()),
        SourceKind::ConfigMap => case.evidence.config_map(namespace, name).found().map(|c| c.origin.clone()),
    };
    let Origin { file, line } = origin.unwrap_or_default();
    Subject {
        kind: kind_name(kind).into(),
        namespace: Some(namespace.into()),
        name: name.into(),
        key: key.map(Into::into),
        file,
        line,
    }
}

/// The workload of a party as a subject.
pub fn workload(party: &Party) -> Subject {
    Subject {
        kind: party.object.kind.clone(),
        namespace: Some(party.object.namespace.clone()).filter(|ns| !ns.is_empty()),
        name: party.object.name.clone(),
        key: None,
        file: party.origin.file.clone(),
        line: party.origin.line,
    }
}

/// `Secret` or `ConfigMap`.
pub fn kind_name(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::ConfigMap => "ConfigMap",
        SourceKind::Secret => "Secret",
    }
}

/// A subject in a sentence: `key tls.crt of Secret ray/ray-tls`, `ca.pem`, `file /tls/tls.crt in pod ray/ray-head-0`.
pub fn phrase(subject: &Subject) -> String {
    let name = match (&subject.namespace, subject.kind.as_str()) {
        (_, "File") => return subject.name.clone(),
        (Some(namespace), kind) => format!("{kind} {namespace}/{}", subject.name),
        (None, kind) => format!("{kind} {}", subject.name),
    };
    match (&subject.key, subject.kind.as_str()) {
        (Some(key), "Secret" | "ConfigMap") => format!("key {key} of {name}"),
        (Some(path), "Pod") if path.starts_with('/') => {
            format!("file {path} in {}", name.replacen("Pod", "pod", 1))
        }
        (Some(variable), _) => format!("{variable} of {name}"),
        (None, _) => name,
    }
}

/// A subject at the start of a sentence: `Key tls.crt of Secret ray/ray-tls`, `ca.pem`.
pub fn opening(subject: &Subject) -> String {
    let phrase = phrase(subject);
    match (phrase.split_once(' '), subject.kind.as_str()) {
        (Some(("key", rest)), kind) if kind != "File" => format!("Key {rest}"),
        (Some(("file", rest)), "Pod") => format!("File {rest}"),
        _ => phrase,
    }
}

/// Names of parties in a sentence: `ray/ray-head, ray/ray-worker and 3 more`.
pub fn used_by(model: &Model, parties: &[usize]) -> String {
    const SHOWN: usize = 4;
    let names: Vec<&str> = parties.iter().take(SHOWN).map(|&p| model.parties[p].id.as_str()).collect();
    match parties.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Every reason for which a connection fails, those of both gRPCs and what was seen. A connection that was seen
/// to work has none, whatever was predicted.
pub fn blames<'a>(case: &Case<'a>) -> Vec<Blame<'a>> {
    let mut list = Vec::new();
    for (index, (judged, connection)) in case.matrix.iter().zip(&case.model.connections).enumerate() {
        if !matches!(judged.effective(), Verdict::Reject { .. }) {
            continue;
        }
        let core = (!judged.python_only).then_some(&judged.core);
        for verdict in [judged.observed.as_ref(), core, Some(&judged.python)].into_iter().flatten() {
            let Verdict::Reject { by, reason } = verdict else { continue };
            let (refuser, other) = match by {
                Side::Dialer => (connection.dialer, connection.target),
                Side::Target => (connection.target, connection.dialer),
            };
            let own = match reason {
                Failure::Grpc(reason) => reason.fault == crate::grpc::verdict::Fault::Load,
                Failure::File { .. } => true,
                Failure::Switches { .. } | Failure::Port(_) | Failure::NotRunning(_) => false,
            };
            list.push(Blame { index, connection, refuser, at: if own { refuser } else { other }, failure: reason });
        }
    }
    list
}

/// The failing connections of which a reason matches, sorted, each once.
pub fn failing_by(case: &Case<'_>, matches: impl Fn(&Blame<'_>) -> bool) -> Vec<usize> {
    let mut indices: Vec<usize> = blames(case).iter().filter(|b| matches(b)).map(|b| b.index).collect();
    indices.dedup();
    indices
}

/// The failing connections that end at or start from one of these parties: what a fault breaks that makes a
/// party useless in both roles. Another fault may show first on them; this one alone would break them too.
pub fn failing_at(case: &Case<'_>, parties: &[usize]) -> Vec<usize> {
    let parties: BTreeSet<usize> = parties.iter().copied().collect();
    failing_by(case, |b| parties.contains(&b.connection.dialer) || parties.contains(&b.connection.target))
}

/// The failing connections that one of these parties dials.
pub fn failing_from(case: &Case<'_>, parties: &[usize]) -> Vec<usize> {
    let parties: BTreeSet<usize> = parties.iter().copied().collect();
    failing_by(case, |b| parties.contains(&b.connection.dialer))
}

/// The failing connections that go to one of these parties.
pub fn failing_to(case: &Case<'_>, parties: &[usize]) -> Vec<usize> {
    let parties: BTreeSet<usize> = parties.iter().copied().collect();
    failing_by(case, |b| parties.contains(&b.connection.target))
}

/// Edits that put a good file in each of these places.
pub fn provide(uses: &[Use<'_>]) -> Edits {
    uses.iter().map(|u| Edit::Provide { party: u.party, slot: u.slot }).collect()
}

/// A span of time in a sentence, rounded down: `12 days`, `90 minutes`, `less than a minute`.
pub fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = (to.as_second() - from.as_second()).abs();
    let (number, unit) = match seconds {
        0..60 => return "less than a minute".into(),
        // Up to two hours, for "1 hour" would be said of 119 minutes.
        60..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}
