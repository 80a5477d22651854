//! What-if: an edit of the model, after which every connection is judged again.

use jiff::Timestamp;

use crate::evidence::{Evidence, FileFacts, ObjectRef, Outcome, Seen, SourceKind, Why};
use crate::grpc::certificate::Certificate;
use crate::grpc::names;
use crate::grpc::pem::Block;
use crate::grpc::profile::Profile;
use crate::grpc::verdict::{self, Case, Fault, Role as Presenter, Verdict};
pub use crate::ray::Slot;
use crate::ray::issuance::{self, Contents};
use crate::ray::{Access, Address, Connection, Model, Party, Place, Port, Role, Switch, TlsFile, command};

/// A change of what is deployed, applied to the model.
///
/// Edits name parties by index, files by party and slot. The certificate that an edit makes is hypothetical: it
/// has facts and an assumed signature.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Set `RAY_USE_TLS` of this party to `1` (or remove it).
    SetSwitch {
        /// Index of the party.
        party: usize,
        /// On or off.
        on: bool,
    },
    /// Put a good file in this slot: a value for an empty key, a mount for a path. Its bytes are not known yet.
    Provide {
        /// Index of the party.
        party: usize,
        /// Which file.
        slot: Slot,
    },
    /// Point this slot at the file another party of the cluster uses in the same slot.
    Share {
        /// Index of the party.
        party: usize,
        /// Which file.
        slot: Slot,
        /// Index of the party whose file it is.
        from: usize,
    },
    /// Issue the leaf of this party again by the same CA, with names added.
    AddNames {
        /// SHA-256 of the leaf, hex; every party that presents it gets the new one.
        certificate: String,
        /// Names and IPs to add.
        names: Vec<String>,
        /// Whether every pod gets its own address in its certificate (a certificate per pod).
        pod_addresses: bool,
    },
    /// Issue the leaf again by the same CA, mended in these ways.
    Reissue {
        /// SHA-256 of the leaf, hex.
        certificate: String,
        /// What changes.
        fixes: Vec<Fix>,
    },
    /// Add the CA that signed this party's leaf to the trust files of the others, or replace them.
    Trust {
        /// Index of the party that trusts too little.
        party: usize,
        /// Index of the party whose issuer is to be trusted.
        issuer_of: usize,
    },
    /// Issue this party's leaf by the CA that another party trusts, and give it that party's trust file.
    IssueBy {
        /// Index of the party that gets the leaf.
        party: usize,
        /// Index of the party that trusts the CA.
        trusted_by: usize,
    },
    /// Take this certificate out of every trust file.
    Distrust {
        /// SHA-256 of the certificate, hex.
        certificate: String,
    },
    /// Renew a CA in this trust file: same name and key, new dates.
    RenewCa {
        /// SHA-256 of the CA certificate, hex.
        certificate: String,
    },
    /// Start the pods of this party again: they present what is stored.
    Restart {
        /// Index of the party.
        party: usize,
    },
    /// Make this port answer (Service, policy, process).
    Open {
        /// Index of the party.
        party: usize,
        /// Port.
        port: u16,
    },
    /// Take this Secret out of the manifests: the cluster keeps the one it has.
    Withdraw {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Let this NetworkPolicy let in what it keeps out.
    LetIn {
        /// The policy.
        policy: ObjectRef,
    },
    /// Mend what keeps cert-manager from issuing this Secret as it is ordered.
    Issue {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Make the object exist or valid, so that the pods of this party start.
    Start {
        /// Index of the party.
        party: usize,
    },
    /// Let this Service lead to the pods and ports that are wanted of it.
    Aim {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Set the clock of the nodes of this party's pods right.
    SetClock {
        /// Index of the party.
        party: usize,
    },
    /// Dial by this host instead.
    Dial {
        /// Index of the dialling party.
        party: usize,
        /// The host dialled now.
        from: String,
        /// The host to dial.
        to: String,
    },
}

/// What a reissue changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fix {
    /// The missing intermediates are added.
    Chain,
    /// New dates.
    Dates,
    /// RSA or P-256 key, and its key file.
    Key,
    /// The key id of its issuer as authorityKeyIdentifier.
    KeyId,
    /// keyUsage and extendedKeyUsage for both roles.
    Uses,
}

/// The model after these edits. `evidence` gives the served certificates of parties whose files were not seen.
pub fn apply(evidence: &Evidence, model: &Model, now: Timestamp, edits: &[&Edit]) -> Model {
    let mut edited = model.clone();
    for edit in edits {
        one(evidence, &mut edited, now, edit);
    }
    edited
}

fn one(evidence: &Evidence, model: &mut Model, now: Timestamp, edit: &Edit) {
    match edit {
        Edit::SetSwitch { party, on } => set_switch(model, *party, *on),
        Edit::Provide { party, slot } => touch(model, *party, |p| {
            let file = p.file_mut(*slot);
            file.mended = true;
            file.hypothetical = None;
            file.access = Access::Allowed;
        }),
        Edit::Share { party, slot, from } => {
            let Some(given) = model.parties.get(*from).cloned() else { return };
            let given = given.file(*slot).clone();
            touch(model, *party, |p| *p.file_mut(*slot) = given);
        }
        Edit::AddNames { certificate, names, pod_addresses } => {
            reissue(evidence, model, certificate, |leaf, issuer| leaf.with_names(names, &issuer.key.spki_sha256));
            for party in model.parties.iter_mut().filter(|p| holds(p, certificate)) {
                party.certificate.covers_pods |= pod_addresses;
            }
        }
        Edit::Reissue { certificate, fixes } => {
            reissue(evidence, model, certificate, |leaf, issuer| {
                fixes.iter().fold(leaf.clone(), |leaf, fix| mend(&leaf, *fix, issuer, now))
            });
            if fixes.contains(&Fix::Key) {
                for party in model.parties.iter_mut().filter(|p| holds(p, certificate)) {
                    party.key.mended = true;
                }
            }
        }
        Edit::Trust { party, issuer_of } => {
            let Some(other) = model.parties.get(*issuer_of) else { return };
            let added = certificates(&other.trust);
            touch(model, *party, |p| extend(&mut p.trust, added));
        }
        Edit::IssueBy { party, trusted_by } => {
            let Some(other) = model.parties.get(*trusted_by) else { return };
            let trust = other.trust.clone();
            let Some(issuer) = certificates(&trust).into_iter().next() else { return };
            let leaf = model.parties.get(*party).and_then(|p| leaf(evidence, p));
            touch(model, *party, |p| {
                p.trust = trust;
                if let Some(leaf) = leaf {
                    p.certificate.hypothetical = Some(vec![leaf.issued_by(&issuer)]);
                    p.key.mended = true;
                }
            });
        }
        Edit::RenewCa { certificate } => {
            for party in &mut model.parties {
                let mut trust = certificates(&party.trust);
                let old = trust.iter_mut().filter(|ca| ca.sha256 == *certificate);
                if old.map(|ca| *ca = ca.with_dates(now, &ca.key.spki_sha256)).count() > 0 {
                    party.trust.hypothetical = Some(trust);
                    party.touched = true;
                }
            }
        }
        Edit::Distrust { certificate } => {
            for party in &mut model.parties {
                let mut trust = certificates(&party.trust);
                let before = trust.len();
                trust.retain(|ca| ca.sha256 != *certificate);
                if trust.len() < before {
                    party.trust.hypothetical = Some(trust);
                    party.touched = true;
                }
            }
        }
        Edit::Withdraw { namespace, name } => {
            let stored = |place: &Place| matches!(place, Place::Key { kind: SourceKind::Secret, namespace: ns, name: n, .. } if ns == namespace && n == name);
            for party in &mut model.parties {
                for slot in [Slot::Certificate, Slot::Key, Slot::Trust] {
                    if stored(&party.file(slot).place) {
                        party.file_mut(slot).content = Seen::Unseen(Why::NotInManifests);
                        party.touched = true;
                    }
                }
            }
        }
        Edit::Issue { namespace, name } => issue(evidence, model, namespace, name),
        Edit::Restart { party } | Edit::Open { party, .. } | Edit::Start { party } => touch(model, *party, |p| {
            p.restarted = true;
            if let Some(next) = p.next.take() {
                p.switch = next.switch;
                [p.certificate, p.key, p.trust] = next.files;
            }
        }),
        Edit::SetClock { party } => touch(model, *party, |p| p.clock = Default::default()),
        Edit::Aim { namespace, name } => {
            let by_it = |c: &Connection| {
                let service = crate::ray::service_dialled(evidence, model, c);
                service.is_some_and(|service| service.object.is(namespace, name))
            };
            let aimed: Vec<usize> = (0..model.connections.len()).filter(|&at| by_it(&model.connections[at])).collect();
            for at in aimed {
                model.connections[at].misdirected = None;
            }
        }
        Edit::LetIn { policy } => {
            for connection in model.connections.iter_mut().filter(|c| c.denied_by.as_ref() == Some(policy)) {
                connection.misdirected = None;
                connection.denied_by = None;
            }
        }
        Edit::Dial { party, from, to } => {
            let ((host, port), (new_host, new_port)) = (command::host_port(from), command::host_port(to));
            for connection in model.connections.iter_mut().filter(|c| c.dialer == *party) {
                let same_port = port.is_none() || connection.port.number() == port;
                if connection.address == Address::Typed(host.clone()) && same_port {
                    connection.address = Address::Typed(new_host.clone());
                    connection.misdirected = None;
                    connection.denied_by = None;
                    connection.port = match (connection.port, new_port) {
                        (_, Some(port)) if to.starts_with("ray://") => Port::Client(port),
                        (_, Some(port)) => Port::Gcs(port),
                        (port, None) => port,
                    };
                }
            }
            touch(model, *party, |_| {});
        }
    }
}

fn touch(model: &mut Model, party: usize, change: impl FnOnce(&mut Party)) {
    if let Some(party) = model.parties.get_mut(party) {
        change(party);
        party.touched = true;
    }
}

/// Switching TLS on goes with the three files: those it does not name yet become the head's.
fn set_switch(model: &mut Model, party: usize, on: bool) {
    let cluster = model.parties.get(party).map(|p| p.cluster);
    let head = model.parties.iter().find(|p| Some(p.cluster) == cluster && p.role == Role::Head).cloned();
    touch(model, party, |p| {
        p.switch = Seen::Found(if on { Switch::On } else { Switch::Off { written: None } });
        p.restarted = true;
        let Some(head) = head.filter(|_| on) else { return };
        for slot in [Slot::Certificate, Slot::Key, Slot::Trust] {
            if p.file_mut(slot).path == Seen::Absent {
                *p.file_mut(slot) = head.file(slot).clone();
            }
        }
    });
}

/// Puts a new leaf in the place of the one with this hash, in every party that presents it.
fn reissue(
    evidence: &Evidence,
    model: &mut Model,
    sha256: &str,
    make: impl Fn(&Certificate, &Certificate) -> Certificate,
) {
    let authorities: Vec<Certificate> = model.parties.iter().flat_map(|p| certificates(&p.trust)).collect();
    for party in &mut model.parties {
        let Some(chain) = chain(evidence, party, sha256) else { continue };
        let Some((leaf, rest)) = chain.split_first() else { continue };
        let issuer = issuer(leaf, rest, &authorities).unwrap_or(leaf);
        let mut made = vec![make(leaf, issuer)];
        made.extend(rest.iter().cloned());
        // Whatever makes a certificate in each pod puts the pod's own address in it again.
        party.certificate.covers_pods |= holds_own_address(party, sha256);
        party.certificate.hypothetical = Some(made);
        party.touched = true;
    }
}

/// Whether the leaf with this hash was read in one pod, and holds that pod's address.
fn holds_own_address(party: &Party, sha256: &str) -> bool {
    let leaf = |facts: &FileFacts| facts.certificates.parsed().first().filter(|leaf| leaf.sha256 == sha256).cloned();
    let found = party.certificate.inside.iter().find_map(|(pod, content)| Some((pod, leaf(content.found()?)?)));
    let Some((pod, leaf)) = found else { return false };
    let address = party.pods.iter().find(|other| other.name == *pod).and_then(|pod| pod.ips.first());
    address.is_some_and(|ip| names::covers(&leaf, &ip.to_string(), Profile::core()))
}

/// A Secret that is there becomes what its Certificate orders; of one that is not it is known only that it will be good.
fn issue(evidence: &Evidence, model: &mut Model, namespace: &str, name: &str) {
    let order = issuance::owner(evidence, namespace, name);
    for party in &mut model.parties {
        for slot in [Slot::Certificate, Slot::Key, Slot::Trust] {
            let file = party.file_mut(slot);
            let Place::Key { kind: SourceKind::Secret, namespace: ns, name: n, key, .. } = &file.place else {
                continue;
            };
            if ns != namespace || n != name {
                continue;
            }
            let ordered = match (order, key, &file.content) {
                (Some(order), Some(key), Seen::Found(_)) => Some(issuance::contents(evidence, order, key)),
                (Some(order), Some(key), _) if issuance::no_ca(evidence, order).is_some() => {
                    Some(issuance::contents_by_ca(evidence, order, key))
                }
                _ => None,
            };
            match ordered {
                Some(Contents::Certificates(made)) => file.hypothetical = Some(made),
                _ => file.mended = true,
            }
            party.touched = true;
            party.restarted = true;
        }
    }
}

fn mend(leaf: &Certificate, fix: Fix, issuer: &Certificate, now: Timestamp) -> Certificate {
    let spki = &issuer.key.spki_sha256;
    match fix {
        // With its intermediates sent along, the leaf is as good as one issued by what is trusted.
        Fix::Chain | Fix::KeyId => leaf.issued_by(issuer),
        Fix::Dates => leaf.with_dates(now, spki),
        Fix::Key => leaf.with_key_p256(spki),
        Fix::Uses => leaf.with_uses_for_both_roles(spki),
    }
}

/// The certificate that signed the leaf; where none did that is known, the first authority.
fn issuer<'c>(
    leaf: &'c Certificate,
    rest: &'c [Certificate],
    authorities: &'c [Certificate],
) -> Option<&'c Certificate> {
    let signed = |candidate: &&Certificate| {
        candidate.subject_canonical == leaf.issuer_canonical
            && {
                let case = Case {
                    presented: std::slice::from_ref(leaf),
                    trust: std::slice::from_ref(*candidate),
                    name: None,
                    role: Presenter::Server,
                    now: leaf.not_before,
                    profile: Profile::core(),
                };
                !matches!(verdict::peer(case), Verdict::Reject(reason) if matches!(reason.fault, Fault::UnknownIssuer | Fault::BadSignature))
            }
    };
    let all = || rest.iter().chain(authorities);
    all()
        .find(signed)
        .or_else(|| (leaf.subject_canonical != leaf.issuer_canonical).then(|| authorities.first()).flatten())
}

/// The chain of a party whose leaf has this hash: of its file, or as its pods were seen to serve it.
fn chain(evidence: &Evidence, party: &Party, sha256: &str) -> Option<Vec<Certificate>> {
    let is = |chain: &Vec<Certificate>| chain.first().is_some_and(|leaf| leaf.sha256 == sha256);
    let stored = Some(certificates(&party.certificate)).filter(is);
    stored.or_else(|| served(evidence, party).into_iter().find(is))
}

/// Whether a party presents the leaf with this hash, by its file or as it was seen to.
pub(super) fn presents(evidence: &Evidence, party: &Party, sha256: &str) -> bool {
    chain(evidence, party, sha256).is_some()
}

fn holds(party: &Party, sha256: &str) -> bool {
    certificates(&party.certificate).first().is_some_and(|leaf| leaf.sha256 == sha256)
}

fn leaf(evidence: &Evidence, party: &Party) -> Option<Certificate> {
    let stored = certificates(&party.certificate).into_iter().next();
    stored.or_else(|| served(evidence, party).into_iter().next().and_then(|chain| chain.into_iter().next()))
}

fn served(evidence: &Evidence, party: &Party) -> Vec<Vec<Certificate>> {
    let ours = |pod: &str| party.pods.iter().any(|p| p.name == pod);
    let chains = evidence.handshakes.iter().filter(|h| h.target.namespace == party.namespace && ours(&h.target.pod));
    let parsed = chains.filter_map(|h| match &h.outcome {
        Outcome::Tls(tls) => Some(tls.chain.iter().map_while(|der| parse(der)).collect()),
        _ => None,
    });
    let found = party.certificate.inside.iter().filter_map(|(_, content)| content.found());
    let inside = found.map(|facts| facts.certificates.blocks.iter().map_while(|block| parse(&block.der)).collect());
    inside.chain(parsed).collect()
}

pub(super) fn certificates(file: &TlsFile) -> Vec<Certificate> {
    match (&file.hypothetical, &file.content) {
        (Some(made), _) => made.clone(),
        (None, Seen::Found(FileFacts { certificates, .. })) => certificates.parsed().to_vec(),
        (None, Seen::Absent | Seen::Unseen(_)) => Vec::new(),
    }
}

fn parse(der: &str) -> Option<Certificate> {
    let block = Block { label: "CERTIFICATE".into(), line: 0, der: der.to_owned() };
    Certificate::parse(&block.to_der().ok()?).ok()
}

fn extend(file: &mut TlsFile, added: Vec<Certificate>) {
    let mut all = certificates(file);
    all.extend(added);
    file.hypothetical = Some(all);
}
