//! What each party brings to a connection: the chain it presents and the certificates it trusts.

use std::rc::Rc;

use crate::evidence::{Evidence, FileFacts, KeyFacts, KeyForm, Outcome, Seen};
use crate::grpc::certificate::Certificate;
use crate::grpc::pem::Block;
use crate::grpc::profile::Profile;
use crate::grpc::verdict::{self, Fault, Key, Reason, Role};
use crate::grpc::{names, verdict::Verdict as Grpc};
use crate::ray::{Access, Party, TlsFile};

use super::Failure;
use super::known::Rules;

/// What a party can do with its own files, by one gRPC.
pub(super) struct Side {
    /// The chain it presents.
    pub(super) identity: Rc<Loaded<Chain>>,
    /// What it trusts.
    pub(super) trust: Loaded<Vec<Certificate>>,
    /// Whether an edit made the certificate hold each pod's address.
    pub(super) covers_pods: bool,
}

/// The presented chain: one for all pods, or one per pod as it was served.
#[derive(Clone)]
pub(super) enum Chain {
    /// The same in every pod.
    Shared(Vec<Certificate>),
    /// By pod name.
    PerPod(Vec<(String, Vec<Certificate>)>),
}

/// What loading a file came to.
pub(super) enum Loaded<T> {
    /// It is there, and this is in it. The clause says what could not be seen of it (its key).
    Ready(T, Option<String>),
    /// The process cannot load it.
    Fails(Failure),
    /// Not seen.
    Unknown(String),
}

impl Side {
    /// Reads the files of a party as its process would.
    pub(super) fn of(evidence: &Evidence, party: &Party, profile: Profile) -> Side {
        Side {
            identity: Rc::new(identity(evidence, party, profile)),
            trust: trust(&party.trust, profile),
            covers_pods: party.certificate.covers_pods,
        }
    }

    /// [`Side::of`] a party that an edit changed; what it left is not read again.
    pub(super) fn edited(&self, evidence: &Evidence, before: &Party, party: &Party, profile: Profile) -> Side {
        let same = party.certificate == before.certificate && party.key == before.key;
        // A certificate that was only seen on a port is not presented any more after an edit.
        if !same || party.certificate.content.found().is_none() {
            return Side::of(evidence, party, profile);
        }
        let (identity, covers_pods) = (self.identity.clone(), self.covers_pods);
        Side { identity, trust: trust(&party.trust, profile), covers_pods }
    }
}

impl Chain {
    /// Every chain there is, each with the pod it belongs to.
    pub(super) fn all(&self) -> Vec<(Option<&str>, &[Certificate])> {
        match self {
            Chain::Shared(chain) => vec![(None, chain)],
            Chain::PerPod(chains) => chains.iter().map(|(pod, chain)| (Some(pod.as_str()), chain.as_slice())).collect(),
        }
    }

    /// SHA-256 of the shared leaf, hex.
    pub(super) fn leaf(&self) -> Option<&str> {
        match self {
            Chain::Shared(chain) => chain.first().map(|leaf| leaf.sha256.as_str()),
            Chain::PerPod(_) => None,
        }
    }
}

/// Whether the verifier with this trust file takes the chain in this role, names aside.
///
/// Where the trust file was not seen, what is wrong with the leaf under every trust file (dates, key kind) still
/// rejects; otherwise it cannot be told.
pub(super) fn chain(presented: &[Certificate], trust: &Loaded<Vec<Certificate>>, role: Role, rules: Rules<'_>) -> Grpc {
    match trust {
        Loaded::Ready(trust, _) => rules.peer(presented, trust, role),
        Loaded::Fails(failure) => Grpc::CannotTell(failure.text()),
        Loaded::Unknown(why) => match rules.peer(presented, presented.get(..1).unwrap_or_default(), role) {
            Grpc::Accept => Grpc::CannotTell(format!("trust file: {why}")),
            other => other,
        },
    }
}

/// Whether the leaf covers every one of these hosts.
pub(super) fn covers(leaf: &Certificate, hosts: &[String], profile: Profile) -> Grpc {
    let missing = names::uncovered(leaf, hosts, profile);
    let Some(first) = missing.first() else { return Grpc::Accept };
    let more = match missing.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    Grpc::Reject(name_reason(leaf, &format!("{first}{more}"), Some(first), profile))
}

/// A rejection because `what` is not in the leaf.
pub(super) fn name_reason(leaf: &Certificate, what: &str, dialled: Option<&str>, profile: Profile) -> Reason {
    let words = match (profile.tls_name_rule, dialled) {
        (false, Some(host)) => format!("No match found for server name: {host}"),
        (false, None) => "No match found for server name".to_owned(),
        (true, _) => "Hostname Verification Check failed".to_owned(),
    };
    Reason {
        fault: Fault::Name,
        certificate: Some(leaf.subject.clone()),
        text: format!("{what} is not in the certificate {} ({})", leaf.subject, listed(leaf)),
        words: Some(words),
    }
}

/// The names of a leaf for people, at most eight.
fn listed(leaf: &Certificate) -> String {
    let Some(names) = &leaf.names else {
        return format!("no SAN, CN {}", leaf.common_name.as_deref().unwrap_or("none"));
    };
    let shown: Vec<String> = names.iter().take(8).map(ToString::to_string).collect();
    let more = match names.len() {
        n if n > 8 => format!(" and {} more", n - 8),
        _ => String::new(),
    };
    format!("its names: {}{more}", if shown.is_empty() { "none".to_owned() } else { shown.join(", ") })
}

fn identity(evidence: &Evidence, party: &Party, profile: Profile) -> Loaded<Chain> {
    let file = &party.certificate;
    if let Some(made) = &file.hypothetical {
        return Loaded::Ready(Chain::Shared(made.clone()), None);
    }
    if file.mended {
        // A new certificate helps nothing while its key cannot be loaded.
        return match &party.key.content {
            _ if party.key.mended => Loaded::Unknown("the certificate is yet to be made".into()),
            Seen::Absent => Loaded::Fails(absent(&party.key)),
            Seen::Found(key) if !matches!(usable(key), Key::Usable(_)) => Loaded::Fails(no_key(&party.key)),
            Seen::Found(_) | Seen::Unseen(_) => Loaded::Unknown("the certificate is yet to be made".into()),
        };
    }
    if let Some(failure) = [file, &party.key].into_iter().find_map(shut_out) {
        return Loaded::Fails(failure);
    }
    if !file.inside.is_empty() {
        return in_pods(party, profile);
    }
    let facts = match &file.content {
        Seen::Found(facts) => facts,
        Seen::Absent => return Loaded::Fails(absent(file)),
        Seen::Unseen(why) => {
            let served = served(evidence, party);
            if !served.is_empty() && !party.touched {
                return Loaded::Ready(Chain::PerPod(served), None);
            }
            return Loaded::Unknown(format!("{}: {why}", file.variable));
        }
    };
    let fits = own_key(facts);
    let (key, note) = match &party.key.content {
        _ if party.key.mended => (Key::Usable(fits.as_deref()), None),
        Seen::Found(key) => (usable(key), None),
        Seen::Absent => return Loaded::Fails(absent(&party.key)),
        Seen::Unseen(why) => (Key::Usable(fits.as_deref()), Some(format!("{}: {why}", party.key.variable))),
    };
    let note = note.or_else(|| [file, &party.key].into_iter().find_map(doubtful));
    match verdict::load_identity(&facts.certificates, facts.size == 0, key, Role::Server, profile).certificates() {
        Ok(chain) => Loaded::Ready(Chain::Shared(chain), note),
        Err(Grpc::Reject(reason)) => Loaded::Fails(Failure::Grpc(reason)),
        Err(Grpc::CannotTell(why)) => Loaded::Unknown(why),
        Err(Grpc::Accept) => Loaded::Unknown("the files load, but nothing was read".into()),
    }
}

/// The chains that the pods which were asked present, each with its own key. Equal templates make equal files, so that
/// these stand for pods that were not asked.
fn in_pods(party: &Party, profile: Profile) -> Loaded<Chain> {
    let mut chains = Vec::new();
    let mut unknown = format!("{}: not seen in any pod", party.certificate.variable);
    let mut note = None;
    for (pod, content) in &party.certificate.inside {
        let facts = match content {
            Seen::Found(facts) => facts,
            Seen::Absent => return Loaded::Fails(in_pod(absent(&party.certificate), pod)),
            Seen::Unseen(why) => {
                unknown = format!("{} in pod {pod}: {why}", party.certificate.variable);
                continue;
            }
        };
        let fits = own_key(facts);
        let own = party.key.inside.iter().find(|(of, _)| of == pod).map_or(&party.key.content, |(_, key)| key);
        let key = match own {
            _ if party.key.mended => Key::Usable(fits.as_deref()),
            Seen::Found(key) => usable(key),
            Seen::Absent => return Loaded::Fails(in_pod(absent(&party.key), pod)),
            Seen::Unseen(why) => {
                note = Some(format!("{} in pod {pod}: {why}", party.key.variable));
                Key::Usable(fits.as_deref())
            }
        };
        match verdict::load_identity(&facts.certificates, facts.size == 0, key, Role::Server, profile).certificates() {
            Ok(chain) => chains.push((pod.clone(), chain)),
            Err(Grpc::Reject(reason)) => return Loaded::Fails(in_pod(Failure::Grpc(reason), pod)),
            Err(Grpc::CannotTell(why)) => unknown = format!("pod {pod}: {why}"),
            Err(Grpc::Accept) => {}
        }
    }
    if chains.is_empty() { Loaded::Unknown(unknown) } else { Loaded::Ready(Chain::PerPod(chains), note) }
}

fn in_pod(failure: Failure, pod: &str) -> Failure {
    match failure {
        Failure::Grpc(reason) => Failure::Grpc(Reason { text: format!("in pod {pod}: {}", reason.text), ..reason }),
        Failure::File { variable, text } => Failure::File { variable, text: format!("{text} in pod {pod}") },
        other => other,
    }
}

fn trust(file: &TlsFile, profile: Profile) -> Loaded<Vec<Certificate>> {
    if let Some(made) = &file.hypothetical {
        return Loaded::Ready(made.clone(), None);
    }
    if file.mended {
        return Loaded::Unknown("the trust file is yet to be made".into());
    }
    if let Some(failure) = shut_out(file) {
        return Loaded::Fails(failure);
    }
    match &file.content {
        Seen::Found(facts) => match verdict::load_trust(&facts.certificates, facts.size == 0, profile).certificates() {
            Ok(trust) => Loaded::Ready(trust, None),
            Err(Grpc::Reject(reason)) => Loaded::Fails(Failure::Grpc(reason)),
            Err(Grpc::CannotTell(why)) => Loaded::Unknown(why),
            Err(Grpc::Accept) => Loaded::Unknown("the file loads, but nothing was read".into()),
        },
        Seen::Absent => Loaded::Fails(absent(file)),
        Seen::Unseen(why) => Loaded::Unknown(format!("{}: {why}", file.variable)),
    }
}

/// Python raises, and the C++ core takes a file that it may not read for a missing one.
fn shut_out(file: &TlsFile) -> Option<Failure> {
    let Access::Denied(why) = &file.access else { return None };
    (!file.mended).then(|| Failure::File { variable: file.variable, text: why.clone() })
}

fn doubtful(file: &TlsFile) -> Option<String> {
    let Access::Unknown(why) = &file.access else { return None };
    (!file.mended).then(|| format!("{}: {why}", file.variable))
}

fn absent(file: &TlsFile) -> Failure {
    let text = match file.path.found() {
        Some(path) => format!("{path} does not exist"),
        None => "it is not set".to_owned(),
    };
    Failure::File { variable: file.variable, text }
}

fn no_key(file: &TlsFile) -> Failure {
    Failure::File { variable: file.variable, text: "it holds no private key that gRPC can load".into() }
}

/// The public half that the key of the first certificate has, SHA-256, hex.
pub(super) fn own_key(facts: &FileFacts) -> Option<String> {
    facts.certificates.parsed().first().map(|leaf| leaf.key.spki_sha256.clone())
}

/// The certificates of a file, up to the first block that is none.
pub(super) fn certificates(facts: &FileFacts) -> Vec<Certificate> {
    facts.certificates.parsed().to_vec()
}

/// gRPC reads the first private key of the file.
pub(super) fn usable(file: &FileFacts) -> Key<'_> {
    match file.keys.first() {
        None if file.size == 0 => Key::Empty,
        None => Key::Missing,
        Some(KeyFacts { form: KeyForm::Encrypted | KeyForm::OpenSsh | KeyForm::Unreadable, .. }) => Key::Unusable,
        Some(key) => Key::Usable(key.spki_sha256.as_deref()),
    }
}

/// The chains the pods of a party were seen to serve.
fn served(evidence: &Evidence, party: &Party) -> Vec<(String, Vec<Certificate>)> {
    let mut chains: Vec<(String, Vec<Certificate>)> = Vec::new();
    for handshake in &evidence.handshakes {
        let ours =
            handshake.target.namespace == party.namespace && party.pods.iter().any(|p| p.name == handshake.target.pod);
        if let Outcome::Tls(tls) = &handshake.outcome
            && ours
            && !chains.iter().any(|(pod, _)| *pod == handshake.target.pod)
            && let Some(chain) = presented(&tls.chain)
        {
            chains.push((handshake.target.pod.clone(), chain));
        }
    }
    chains
}

/// A chain as it was presented, each DER as base64; none when the leaf cannot be read.
pub(super) fn presented(chain: &[String]) -> Option<Vec<Certificate>> {
    let block = |der: &String| Block { label: "CERTIFICATE".into(), line: 0, der: der.clone() };
    let parsed: Vec<_> = chain.iter().map(block).map_while(|block| parse(&block).ok()).collect();
    (!parsed.is_empty()).then_some(parsed)
}

fn parse(block: &Block) -> Result<Certificate, String> {
    Certificate::parse(&block.to_der()?)
}
