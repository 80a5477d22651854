//! CHN: the way from a certificate to what the other side trusts.

pub mod block_ignored;
pub mod ca_cannot_sign;
pub mod ca_expired;
pub mod intermediate_missing;
pub mod order_decides;
pub mod renewed_beside;
pub mod trust_differs;
pub mod unknown_issuer;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::Case;
use super::lens::{self, Shared};
use crate::diagnose::edit::Slot;
use crate::grpc::certificate::Certificate;
use crate::grpc::fragile::{self, Fragile};
use crate::grpc::verdict::{self, Fault, Role, Verdict};
use crate::judge::Verdict as Judgement;

/// What the parties that speak TLS present and trust, as far as it was seen.
struct Chains {
    /// Party to the chain it presents, leaf first.
    presented: BTreeMap<usize, Vec<Certificate>>,
    /// Party to its trust file; one without a readable certificate is left to the checks of files.
    trusted: BTreeMap<usize, Vec<Certificate>>,
    /// Answers by the hashes of a trust file and a chain: parties mostly share their files.
    answers: RefCell<BTreeMap<[String; 2], Option<bool>>>,
    /// Every certificate of the evidence and where it is, once asked for.
    stored: OnceCell<Vec<(Certificate, String)>>,
}

/// A party that does not know the issuer of another, on connections that fail.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Distrust {
    verifier: usize,
    presenter: usize,
    connections: Vec<usize>,
}

/// What one certificate file presents to those with one trust file of the same cluster.
pub(super) struct Pairing<'a> {
    /// The certificate file.
    pub(super) presented: Shared<'a>,
    /// The trust file.
    pub(super) trust: Shared<'a>,
    /// What hangs by a thread between them.
    pub(super) facts: Vec<Fragile>,
}

/// Every certificate file with every trust file that somebody of its cluster has.
pub(super) fn pairings<'a>(case: &Case<'a>) -> Vec<Pairing<'a>> {
    let clusters = |shared: &Shared<'_>| -> Vec<usize> {
        let of = |party: usize| case.model.parties.get(party).map(|party| party.cluster);
        let all: BTreeSet<usize> = shared.parties().into_iter().filter_map(of).collect();
        all.into_iter().collect()
    };
    let read = |slot: Slot| -> Vec<(Shared<'a>, Vec<Certificate>, Vec<usize>)> {
        let each = |shared: Shared<'a>| {
            let (certificates, clusters) = (lens::parsed(shared.facts), clusters(&shared));
            (shared, certificates, clusters)
        };
        lens::shared(case, &[slot]).into_iter().map(each).collect()
    };
    let hashes = |list: &[Certificate]| list.iter().map(|c| c.sha256.clone()).collect::<Vec<_>>();
    let trusts = read(Slot::Trust);
    // Files mostly hold the same as others: paths are built once for what is equal.
    let mut known: BTreeMap<[Vec<String>; 2], Vec<Fragile>> = BTreeMap::new();
    let mut list = Vec::new();
    for (presented, chain, here) in read(Slot::Certificate) {
        for (trust, trusted, there) in &trusts {
            if there.iter().any(|cluster| here.contains(cluster)) {
                let facts = known
                    .entry([hashes(&chain), hashes(trusted)])
                    .or_insert_with(|| fragile::facts(&chain, trusted, case.model.profiles));
                let facts = facts.clone();
                list.push(Pairing { presented: presented.clone(), trust: trust.clone(), facts });
            }
        }
    }
    list
}

impl Chains {
    fn of(case: &Case<'_>) -> Self {
        let full = |chain: Vec<Certificate>| Some(chain).filter(|c| !c.is_empty());
        Chains {
            presented: lens::speakers(case)
                .filter_map(|(index, party)| Some((index, full(lens::certificates(&party.certificate))?)))
                .collect(),
            trusted: lens::speakers(case)
                .filter_map(|(index, party)| Some((index, full(lens::trust(party)?)?)))
                .collect(),
            answers: RefCell::default(),
            stored: OnceCell::new(),
        }
    }

    /// Who refuses whom because nothing it trusts signed the other's certificate. Another fault may show first
    /// on the connection; this one would break it as well.
    fn distrusts(&self, case: &Case<'_>) -> Vec<Distrust> {
        let mut list: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (index, (judged, connection)) in case.matrix.iter().zip(&case.model.connections).enumerate() {
            if !matches!(judged.effective(), Judgement::Reject { .. }) {
                continue;
            }
            let (dialer, target) = (connection.dialer, connection.target);
            for (verifier, presenter) in [(dialer, target), (target, dialer)] {
                if self.knows(case, verifier, presenter) == Some(false) {
                    list.entry((verifier, presenter)).or_default().push(index);
                }
            }
        }
        let distrust = |((verifier, presenter), mut connections): ((usize, usize), Vec<usize>)| {
            connections.dedup();
            Distrust { verifier, presenter, connections }
        };
        list.into_iter().map(distrust).collect()
    }

    /// Whether a verifier's trust file vouches for what a presenter sends; none where that was not seen or is not
    /// decided.
    fn knows(&self, case: &Case<'_>, verifier: usize, presenter: usize) -> Option<bool> {
        let (trust, chain) = (self.trusted.get(&verifier)?, self.presented.get(&presenter)?);
        let hashes = |list: &[Certificate]| list.iter().map(|c| c.sha256.as_str()).collect::<Vec<_>>().join(" ");
        let mut answers = self.answers.borrow_mut();
        *answers.entry([hashes(trust), hashes(chain)]).or_insert_with(|| knows(case, trust, chain))
    }

    /// A party of the presenter's cluster whose trust file knows the presenter's issuer, first itself.
    fn known_to(&self, case: &Case<'_>, presenter: usize) -> Option<usize> {
        let cluster = case.model.parties[presenter].cluster;
        let here = self.trusted.keys().copied().filter(|party| case.model.parties[*party].cluster == cluster);
        std::iter::once(presenter).chain(here).find(|party| self.knows(case, *party, presenter) == Some(true))
    }
}

/// Whether one of the trusted certificates vouches for a chain by both gRPCs' rules, whatever else is wrong with
/// the chain; none where the rules do not decide it.
fn knows(case: &Case<'_>, trust: &[Certificate], chain: &[Certificate]) -> Option<bool> {
    let ask = |profile| {
        // A client's certificate is not asked for names.
        verdict::peer(verdict::Case { presented: chain, trust, name: None, role: Role::Client, now: case.now, profile })
    };
    for verdict in [ask(case.model.profiles.core), ask(case.model.profiles.python)] {
        match verdict {
            Verdict::Reject(reason) if matches!(reason.fault, Fault::UnknownIssuer | Fault::BadSignature) => {
                return Some(false);
            }
            Verdict::CannotTell(_) => return None,
            Verdict::Accept | Verdict::Reject(_) => {}
        }
    }
    Some(true)
}

/// The last certificate of the way a chain goes by names: the one whose issuer the verifier has to know.
fn top(chain: &[Certificate]) -> Option<&Certificate> {
    let mut top = chain.first()?;
    // Each certificate is used at most once, so that a circle ends.
    for _ in 0..chain.len() {
        let next = chain.iter().find(|c| {
            c.subject_canonical == top.issuer_canonical
                && c.sha256 != top.sha256
                && top.subject_canonical != top.issuer_canonical
        });
        match next {
            Some(issuer) => top = issuer,
            None => break,
        }
    }
    Some(top)
}

/// Whether a CA's name and key id are those a certificate names as its issuer's.
fn named_as_issuer(ca: &Certificate, of: &Certificate) -> bool {
    let ids_differ = matches!((&ca.subject_key_id, &of.authority_key_id), (Some(own), Some(wanted)) if own != wanted);
    ca.subject_canonical == of.issuer_canonical && !ids_differ
}

/// First 16 hex digits, enough for people to compare.
fn short(sha256: &str) -> &str {
    sha256.get(..16).unwrap_or(sha256)
}

fn merged(lists: impl IntoIterator<Item = Vec<usize>>) -> Vec<usize> {
    let mut all: Vec<usize> = lists.into_iter().flatten().collect();
    all.sort_unstable();
    all.dedup();
    all
}
