//! CM10: an ACME issuer, which gives no CA.

use super::Ordered;
use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::diagnose::edit::Slot;
use crate::evidence::Seen;
use crate::evidence::issuance::{Issuer, IssuerKind};
use crate::ray::issuance::issuer;

/// The check.
pub static CHECK: Check = Check {
    code: "CM10",
    name: "acme-issuer",
    severity: Severity::Error,
    help: "\
An ACME issuer (Let's Encrypt) makes the Secret that Ray's ca.crt comes from.

Why it matters: cert-manager stores no ca.crt for ACME, and Ray does not start without one. A public CA also issues no names of a cluster
(`*.svc.cluster.local`, `ray-head-svc`, IPs of pods) and, since 2026, no clientAuth, which every Ray node needs.

Mend it: a CA of your own: a selfSigned issuer, a Certificate with `isCA: true` from it, a CA issuer on its Secret, and Ray's Certificate from that.

Authority: cert-manager 1.21, *ACME* and *Certificate resource: ca.crt*; Let's Encrypt, *Ending TLS Client Authentication Certificate Support in 2026*.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for one in super::ordered(case) {
        let Some(by) = gives_no_ca(case, &one) else { continue };
        let trusting: Vec<usize> = one.uses.iter().filter(|u| u.slot == Slot::Trust).map(|u| u.party).collect();
        let message = format!(
            "{} is an ACME issuer: it gives Secret {}/{} no ca.crt, without which {} cannot start, and a public CA vouches for no name inside of a cluster",
            by.object,
            one.namespace,
            one.secret,
            lens::used_by(case.model, &trusting),
        );
        let finding = findings.add(super::subject(case, &one.order.object), message);
        finding.breaks = lens::failing_at(case, &one.parties());
        finding.edits = vec![one.edit()];
        finding.fact("issuer", by.object.to_string(), one.order.object.to_string());
    }
}

/// The ACME issuer of a Secret that somebody's ca.crt should come from.
pub(super) fn gives_no_ca<'a>(case: &Case<'a>, one: &Ordered<'_>) -> Option<&'a Issuer> {
    let mut trust = one.uses.iter().filter(|u| u.slot == Slot::Trust).peekable();
    trust.peek()?;
    let order = case.evidence.issuance.certificate(&one.order.object.namespace, &one.order.object.name)?;
    let Seen::Found(by) = issuer(case.evidence, order) else { return None };
    (by.kind == IssuerKind::Acme && trust.all(|u| u.file.content.found().is_none())).then_some(by)
}
