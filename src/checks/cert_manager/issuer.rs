//! CM04: the issuer of a Certificate is missing, of another kind, or not Ready.

use crate::checks::{Case, Check, Confidence, Findings, Severity};
use crate::evidence::{Mode, ObjectRef, Seen};
use crate::ray::issuance::{Red, Trouble, issuer};

/// The check.
pub static CHECK: Check = Check {
    code: "CM04",
    name: "issuer-missing-or-not-ready",
    severity: Severity::Error,
    help: "\
A cert-manager Certificate that makes a Secret of Ray refers to an Issuer or ClusterIssuer that does not exist or is not Ready.

Why it matters: cert-manager waits, and asks again later and later. The Secret is not made, so the pods that mount it stay in ContainerCreating; one that
exists is not renewed. `issuerRef.kind` is `Issuer` unless it is written, and an Issuer serves its own namespace only: a ClusterIssuer has to be named as
such.

Mend it: create the issuer, correct `issuerRef` (`name`, `kind`, `group`), or mend what the issuer says of itself.

Authority: cert-manager 1.21, *Issuer configuration*; seen: `Referenced \"ClusterIssuer\" not found`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::links(case, findings, &[Trouble::IssuerMissing, Trouble::IssuerNotReady], |red| what(case, red));
    if case.evidence.mode == Mode::Manifests {
        misnamed(case, findings);
    }
}

fn what(case: &Case<'_>, red: &Red<'_>) -> String {
    let Red { link, order, words, .. } = red;
    match (red.trouble, namesake(case, link, &order.object.namespace)) {
        (Trouble::IssuerNotReady, _) if words.is_empty() => format!("{link} has no Ready condition yet"),
        (Trouble::IssuerNotReady, _) => format!("{link} is not Ready ({words})"),
        (_, Some(other)) => format!("{} asks for {link}, which does not exist, while {other} does", order.object),
        (_, None) => format!("{link}, which {} asks for, does not exist", order.object),
    }
}

/// Manifests need not hold the issuer, but one of its name that the Certificate cannot use is most likely the one that is meant.
fn misnamed(case: &Case<'_>, findings: &mut Findings) {
    for one in super::ordered(case) {
        if !one.order.issuer.is_own() || !matches!(issuer(case.evidence, one.order), Seen::Unseen(_)) {
            continue;
        }
        let wanted = one.order.issuer.object(&one.order.object.namespace);
        let Some(other) = namesake(case, &wanted, &one.order.object.namespace) else { continue };
        let message = format!(
            "{} asks for {wanted}, which is not in these manifests, while {other} is: a Certificate uses ClusterIssuers, and Issuers of its own namespace",
            one.order.object
        );
        let finding = findings.add(super::subject(case, &one.order.object), message);
        finding.severity = Severity::Warning;
        finding.confidence = Confidence::Suspected;
    }
}

/// Another issuer of this name: of another kind in reach, else of another namespace.
fn namesake<'a>(case: &Case<'a>, wanted: &ObjectRef, namespace: &str) -> Option<&'a ObjectRef> {
    let others =
        || case.evidence.issuance.issuers.iter().map(|i| &i.object).filter(|o| o.name == wanted.name && *o != wanted);
    others().find(|o| o.namespace.is_empty() || o.namespace == namespace).or_else(|| others().next())
}
