//! CM: what cert-manager was told to make, and why it has not.
//!
//! A chain that is not fulfilled is one finding, of its first red link: the checks of links share one walk and differ in the
//! trouble that they tell.

pub mod acme;
pub mod ca_secret;
pub mod durations;
pub mod issuer;
pub mod key;
pub mod not_issued;
pub mod not_ready;
pub mod outdated;
pub mod request;
pub mod secret_name;
pub mod self_signed;
pub mod two_certificates;
pub mod usages;

use jiff::Timestamp;

use super::lens::{self, Use};
use super::{Case, Finding, Findings, Severity, Subject};
use crate::diagnose::edit::{self, Edit};
use crate::evidence::issuance::Certificate as Order;
use crate::evidence::{ObjectRef, Origin, Seen, SourceKind};
use crate::judge::{Judged, Verdict, matrix};
use crate::ray::Place;
use crate::ray::issuance::{Red, Trouble, first_red, owner};

/// A Secret that Ray's files come from, and the Certificate that makes it.
struct Ordered<'a> {
    order: &'a Order,
    namespace: &'a str,
    secret: &'a str,
    /// Who has a file from it.
    uses: Vec<Use<'a>>,
}

impl Ordered<'_> {
    /// Indices of the parties that use it, each once.
    fn parties(&self) -> Vec<usize> {
        let mut parties: Vec<usize> = self.uses.iter().map(|u| u.party).collect();
        parties.dedup();
        parties
    }

    fn edit(&self) -> Edit {
        Edit::Issue { namespace: self.namespace.into(), name: self.secret.into() }
    }
}

/// Every Secret of Ray's files that a Certificate makes.
fn ordered<'a>(case: &Case<'a>) -> Vec<Ordered<'a>> {
    let mut list: Vec<Ordered<'a>> = Vec::new();
    for one in lens::uses(case) {
        let Place::Key { kind: SourceKind::Secret, namespace, name, .. } = &one.file.place else { continue };
        match list.iter_mut().find(|o| o.namespace == namespace && o.secret == name) {
            Some(known) => known.uses.push(one),
            None => {
                let evidence = case.evidence;
                let Some(order) = owner(evidence, namespace, name) else { continue };
                list.push(Ordered { order, namespace, secret: name, uses: vec![one] });
            }
        }
    }
    list
}

/// A finding for each first red link of one of these troubles, for all that wait for it. `what` says what is wrong with it: one
/// clause.
fn links(case: &Case<'_>, findings: &mut Findings, troubles: &[Trouble], what: impl Fn(&Red<'_>) -> String) {
    let mut told: Vec<(Red<'_>, Vec<Ordered<'_>>)> = Vec::new();
    // A Ready ACME issuer would still give no CA: CM10.
    for one in ordered(case).into_iter().filter(|one| acme::gives_no_ca(case, one).is_none()) {
        let Some(red) = first_red(case.evidence, one.order).filter(|red| troubles.contains(&red.trouble)) else {
            continue;
        };
        match told.iter_mut().find(|(known, _)| known.link == red.link && known.trouble == red.trouble) {
            Some((_, waiting)) => waiting.push(one),
            None => told.push((red, vec![one])),
        }
    }
    for (red, waiting) in told {
        let (consequence, missing) = consequence(case, &waiting);
        let finding = findings.add(subject(case, &red.link), format!("{}, so {consequence}", what(&red)));
        if !red.words.is_empty() {
            finding.fact("cert-manager says", &red.words, red.link.to_string());
        }
        if let Some(since) = red.since {
            finding.fact("since", since.to_string(), red.link.to_string());
        }
        for one in &waiting {
            finding.fact(
                "waits for it",
                one.order.object.to_string(),
                format!("Secret {}/{}", one.namespace, one.secret),
            );
        }
        let parties: Vec<usize> = waiting.iter().flat_map(Ordered::parties).collect();
        finding.edits = waiting.iter().map(Ordered::edit).collect();
        if missing {
            finding.breaks = lens::failing_at(case, &parties);
        } else {
            weigh(case, finding, waiting.iter().filter_map(|one| one.order.not_after).min());
        }
    }
}

/// A Secret that is there but of an older order is an error where the new one would make connections work.
fn weigh(case: &Case<'_>, finding: &mut Finding, end: Option<Timestamp>) {
    let edits: Vec<&Edit> = finding.edits.iter().collect();
    let failing = |matrix: &[Judged]| -> Vec<usize> {
        (0..matrix.len()).filter(|&at| matches!(matrix[at].predicted(), Verdict::Reject { .. })).collect()
    };
    let before = failing(case.matrix);
    if !before.is_empty() {
        let edited = edit::apply(case.evidence, case.model, case.now, &edits);
        let after = failing(&matrix::judge(case.evidence, &edited, case.now));
        finding.breaks = before.into_iter().filter(|at| !after.contains(at)).collect();
    }
    if finding.breaks.is_empty() {
        finding.severity = Severity::Warning;
        finding.at = end;
    } else {
        finding.severity = Severity::Error;
    }
}

/// What waits, and whether pods cannot start for want of it.
fn consequence(case: &Case<'_>, waiting: &[Ordered<'_>]) -> (String, bool) {
    let missing = |one: &&Ordered<'_>| match case.evidence.secret(one.namespace, one.secret) {
        Seen::Absent => true,
        // cert-manager has looked.
        Seen::Unseen(_) => one.order.condition("Ready").is_some_and(|ready| ready.reason == "DoesNotExist"),
        Seen::Found(_) => false,
    };
    let lost: Vec<&Ordered<'_>> = waiting.iter().filter(missing).collect();
    let names = |list: &[&Ordered<'_>]| -> String {
        let names: Vec<String> = list.iter().map(|one| format!("Secret {}/{}", one.namespace, one.secret)).collect();
        names.join(", ")
    };
    if !lost.is_empty() {
        return (format!("cert-manager does not make {}", names(&lost)), true);
    }
    let all: Vec<&Ordered<'_>> = waiting.iter().collect();
    let end = waiting.iter().filter_map(|one| one.order.not_after).min();
    let end = end.map_or_else(String::new, |end| format!(", which ends at {end}"));
    (format!("cert-manager cannot issue {} again{end}", names(&all)), false)
}

/// An object of cert-manager's as a subject, with its file and line where it was read.
fn subject(case: &Case<'_>, object: &ObjectRef) -> Subject {
    let issuance = &case.evidence.issuance;
    let certificates = issuance.certificates.iter().map(|c| (&c.object, &c.origin));
    let requests = issuance.requests.iter().map(|r| (&r.object, &r.origin));
    let issuers = issuance.issuers.iter().map(|i| (&i.object, &i.origin));
    let origin = certificates.chain(requests).chain(issuers).find(|(known, _)| *known == object);
    let Origin { file, line } = origin.map(|(_, origin)| origin.clone()).unwrap_or_default();
    Subject {
        kind: object.kind.clone(),
        namespace: Some(object.namespace.clone()).filter(|ns| !ns.is_empty()),
        name: object.name.clone(),
        key: None,
        file,
        line,
    }
}

/// Names the Certificate that makes the Secret which a finding is about.
pub(super) fn tell_owner(case: &Case<'_>, finding: &mut Finding) {
    let Subject { kind, namespace: Some(namespace), name, .. } = &finding.subject else { return };
    if kind != "Secret" {
        return;
    }
    let by = match owner(case.evidence, namespace, name) {
        Some(order) => order.object.to_string(),
        None => match crate::ray::issuance::written_by(case.evidence, namespace, name) {
            Some(order) => format!("Certificate {namespace}/{order}"),
            None => return,
        },
    };
    let origin = format!("Secret {namespace}/{name}");
    finding.fact("made by cert-manager from", by, origin);
}

#[cfg(test)]
mod tests;
