//! CM16: the Secret with the CA of an issuer is missing, or holds no CA.

use super::Ordered;
use crate::checks::{Case, Check, Confidence, Findings, Severity, lens};
use crate::evidence::SourceKind;
use crate::ray::issuance::{CLUSTER_NAMESPACE, NoCa, Trouble, first_red, no_ca};

/// The check.
pub static CHECK: Check = Check {
    code: "CM16",
    name: "issuer-ca-secret-unusable",
    severity: Severity::Error,
    help: "\
A CA issuer that makes a Secret of Ray cannot read its CA: the Secret that `spec.ca.secretName` names is missing, or has no usable tls.crt and tls.key.

The same where what is there is no CA: a Certificate without `isCA: true` makes it.

Why it matters: the issuer is not Ready, and signs nothing.

Mend it: put the CA's certificate and key there under tls.crt and tls.key. An Issuer reads it in its own namespace, a ClusterIssuer in cert-manager's
(`--cluster-resource-namespace`, by default `cert-manager`). A CA that cert-manager makes itself is a Certificate with `isCA: true` of a selfSigned issuer.

Authority: cert-manager 1.21, *CA issuer*; seen: `ErrGetKeyPair`: `secrets \"ray-ca\" not found`; `pkg/issuer/ca/setup.go`: `certificate is not a CA`.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    super::links(case, findings, &[Trouble::CaSecret], |red| {
        let place = match red.order.issuer.kind.as_str() {
            "ClusterIssuer" if red.link.namespace == CLUSTER_NAMESPACE => " in cert-manager's namespace",
            _ => "",
        };
        let issuer = red.order.issuer.object(&red.order.object.namespace);
        format!("{issuer} has no CA to sign with in {}{place} ({})", red.link, red.words)
    });
    foretold(case, findings);
}

/// Orders that are not filled yet, over what will be no CA.
fn foretold(case: &Case<'_>, findings: &mut Findings) {
    let mut told: Vec<(NoCa<'_>, Vec<Ordered<'_>>)> = Vec::new();
    for one in super::ordered(case) {
        if one.uses.iter().all(|u| u.file.assumed.is_none()) || first_red(case.evidence, one.order).is_some() {
            continue;
        }
        let Some(ca) = no_ca(case.evidence, one.order) else { continue };
        match told.iter_mut().find(|(known, _)| *known == ca) {
            Some((_, waiting)) => waiting.push(one),
            None => told.push((ca, vec![one])),
        }
    }
    for (ca, waiting) in told {
        let orders: Vec<String> = waiting.iter().map(|one| one.order.object.to_string()).collect();
        let orders = orders.join(", ");
        let (subject, message) = match ca {
            NoCa::Ordered(maker) => (
                super::subject(case, &maker.object),
                format!(
                    "{} makes the CA that has to sign {orders}, and does not say isCA: true, so that cert-manager does not sign with it",
                    maker.object
                ),
            ),
            NoCa::Stored(secret) => (
                lens::object(case, SourceKind::Secret, &secret.namespace, &secret.name, Some("tls.crt")),
                format!(
                    "{secret} has to sign {orders}, and its certificate is no CA, so that cert-manager does not sign with it"
                ),
            ),
        };
        let finding = findings.add(subject, message);
        finding.confidence = Confidence::Predicted;
        finding.edits = waiting.iter().map(Ordered::edit).collect();
        let parties: Vec<usize> = waiting.iter().flat_map(Ordered::parties).collect();
        finding.breaks = lens::failing_at(case, &parties);
    }
}
