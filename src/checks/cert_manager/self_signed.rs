//! CM05: a certificate that is its own CA, and is renewed.

use super::Ordered;
use crate::checks::lens::{self, Use};
use crate::checks::{Case, Check, Confidence, Finding, Findings, Severity, rotation};
use crate::diagnose::edit::{Edit, Slot};
use crate::evidence::Seen;
use crate::evidence::issuance::IssuerKind;
use crate::grpc::verdict::Fault;
use crate::judge::Failure;
use crate::ray::issuance::issuer;
use crate::ray::{Place, Role};

/// The check.
pub static CHECK: Check = Check {
    code: "CM05",
    name: "self-signed-leaf-as-ca",
    severity: Severity::Warning,
    help: "\
A selfSigned issuer makes Ray's certificate itself, and the ca.crt beside it, which every party trusts, is that same certificate.

Why it works today: gRPC takes any certificate of the trust file as an anchor, also one that is no CA.

Why it breaks: cert-manager renews the certificate after two thirds of its life, with a new key (`rotationPolicy: Always`, the default since 1.18). What was
started before trusts the old certificate alone, what starts later the new one alone: new workers, jobs and clients fail, `self signed certificate`, until
everything was started again at once. No overlap of the two is possible.

Mend it: two steps: a Certificate with `isCA: true` and a long duration from the selfSigned issuer, a CA issuer on its Secret, and the leaf from that.

Authority: cert-manager 1.21, *SelfSigned issuer*; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for one in super::ordered(case) {
        let Seen::Found(by) = issuer(case.evidence, one.order) else { continue };
        let trusts = |slot: Slot| one.uses.iter().any(|u| u.slot == slot);
        if by.kind != IssuerKind::SelfSigned || !trusts(Slot::Certificate) || !trusts(Slot::Trust) || !own_anchor(&one)
        {
            continue;
        }
        let when = one.order.renewal_time.or_else(|| {
            let after = one.order.lifetime()?.checked_sub(one.order.renewed_before()?)?;
            case.evidence.taken_at.checked_add(after).ok()
        });
        let renewed = rotation::stale(case)
            .into_iter()
            .any(|stale| stale.namespace == one.namespace && stale.name == one.secret && !stale.old.is_empty());
        let new = if one.order.rotates_key() { "key and a new certificate" } else { "certificate" };
        let date = when.map_or_else(String::new, |when| format!(" at {when}"));
        let consequence = match renewed {
            true => "it was renewed under running pods; once all are started again it works",
            false => "it works",
        };
        let message = format!(
            "{} is signed by itself ({}), and {} trust nothing else: {consequence} until cert-manager renews it{date}, which makes a new {new} that nothing started before then trusts",
            one.order.object,
            by.object,
            lens::used_by(case.model, &one.parties()),
        );
        let finding = findings.add(super::subject(case, &one.order.object), message);
        finding.confidence = if one.order.renewal_time.is_some() { Confidence::Proved } else { Confidence::Predicted };
        if renewed {
            // The renewal has happened, and ROT01 says what to start again.
            finding.severity = Severity::Error;
        } else {
            finding.at = when;
        }
        apart(case, &one, finding);
        finding.fact(
            "rotationPolicy",
            one.order.key.rotation.as_deref().unwrap_or("Always (default)"),
            one.order.object.to_string(),
        );
        finding.fact(
            "trusted",
            "ca.crt, which a selfSigned issuer sets to the certificate itself",
            format!("Secret {}/{}", one.namespace, one.secret),
        );
    }
}

/// Two Secrets of selfSigned issuers have nothing in common: who is not on the head's has to be.
fn apart(case: &Case<'_>, one: &Ordered<'_>, finding: &mut Finding) {
    let parties = one.parties();
    let cluster = parties.first().and_then(|&p| case.model.parties.get(p)).map(|p| p.cluster);
    let head = case.model.parties.iter().position(|p| Some(p.cluster) == cluster && p.role == Role::Head);
    let foretold = one.uses.iter().any(|u| u.file.hypothetical.is_some());
    let Some(head) = head.filter(|head| foretold && !parties.contains(head)) else { return };
    finding.breaks = lens::failing_by(case, |b| {
        let unknown = matches!(b.failure, Failure::Grpc(reason) if reason.fault == Fault::UnknownIssuer);
        unknown && (parties.contains(&b.at) || parties.contains(&b.refuser))
    });
    if !finding.breaks.is_empty() {
        finding.severity = Severity::Error;
        finding.at = None;
        let share = |u: &Use<'_>| Edit::Share { party: u.party, slot: u.slot, from: head };
        finding.edits = one.uses.iter().map(share).collect();
    }
}

/// Whether the trust file is this Secret's ca.crt, or its tls.crt.
fn own_anchor(one: &Ordered<'_>) -> bool {
    one.uses
        .iter()
        .filter(|u| u.slot == Slot::Trust)
        .all(|u| matches!(&u.file.place, Place::Key { key: Some(key), .. } if key == "ca.crt" || key == "tls.crt"))
}
