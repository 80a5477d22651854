//! CHN: the way from a certificate to what the other side trusts.

pub mod block_ignored;
pub mod ca_cannot_sign;
pub mod ca_expired;
pub mod intermediate_missing;
pub mod trust_differs;
pub mod unknown_issuer;

use std::collections::BTreeMap;

use super::Case;
use super::lens;
use crate::grpc::certificate::Certificate;
use crate::grpc::profile::Profile;
use crate::grpc::verdict::{self, Fault, Role, Verdict};
use crate::judge::Verdict as Judgement;

/// What the parties that speak TLS present and trust, as far as it was seen.
struct Chains {
    /// Party to the chain it presents, leaf first.
    presented: BTreeMap<usize, Vec<Certificate>>,
    /// Party to its trust file; one without a readable certificate is left to the checks of files.
    trusted: BTreeMap<usize, Vec<Certificate>>,
}

/// A party that does not know the issuer of another, on connections that fail.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Distrust {
    verifier: usize,
    presenter: usize,
    connections: Vec<usize>,
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
        }
    }

    /// Who refuses whom because nothing it trusts signed the other's certificate. Another fault may show first
    /// on the connection; this one would break it as well.
    fn distrusts(&self, case: &Case<'_>) -> Vec<Distrust> {
        let mut known: BTreeMap<(usize, usize), bool> = BTreeMap::new();
        let mut list: Vec<Distrust> = Vec::new();
        for (index, (judged, connection)) in case.matrix.iter().zip(&case.model.connections).enumerate() {
            if !matches!(judged.effective(), Judgement::Reject { .. }) {
                continue;
            }
            for (verifier, presenter) in
                [(connection.dialer, connection.target), (connection.target, connection.dialer)]
            {
                let (Some(trust), Some(chain)) = (self.trusted.get(&verifier), self.presented.get(&presenter)) else {
                    continue;
                };
                let ask = || !knows(case, trust, chain).unwrap_or(true);
                if !*known.entry((verifier, presenter)).or_insert_with(ask) {
                    continue;
                }
                match list.iter_mut().find(|d| (d.verifier, d.presenter) == (verifier, presenter)) {
                    Some(distrust) if distrust.connections.last() == Some(&index) => {}
                    Some(distrust) => distrust.connections.push(index),
                    None => list.push(Distrust { verifier, presenter, connections: vec![index] }),
                }
            }
        }
        list
    }

    /// A party of the presenter's cluster whose trust file knows the presenter's issuer, first itself.
    fn known_to(&self, case: &Case<'_>, presenter: usize) -> Option<usize> {
        let chain = self.presented.get(&presenter)?;
        let cluster = case.model.parties[presenter].cluster;
        let here = self.trusted.iter().filter(|(party, _)| case.model.parties[**party].cluster == cluster);
        let own = self.trusted.get_key_value(&presenter);
        own.into_iter().chain(here).find(|(_, trust)| knows(case, trust, chain) == Some(true)).map(|(&party, _)| party)
    }
}

/// Whether one of the trusted certificates vouches for a chain by both gRPCs' rules, whatever else is wrong with
/// the chain; none where the rules do not decide it.
fn knows(case: &Case<'_>, trust: &[Certificate], chain: &[Certificate]) -> Option<bool> {
    let ask = |profile| {
        // A client's certificate is not asked for names.
        verdict::peer(verdict::Case { presented: chain, trust, name: None, role: Role::Client, now: case.now, profile })
    };
    for verdict in [ask(Profile::Core), ask(Profile::Python)] {
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
