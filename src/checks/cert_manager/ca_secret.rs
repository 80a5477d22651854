//! CM16: the Secret with the CA of an issuer is missing, or holds no CA.

use crate::checks::{Case, Check, Findings, Severity};
use crate::ray::issuance::{CLUSTER_NAMESPACE, Trouble};

/// The check.
pub static CHECK: Check = Check {
    code: "CM16",
    name: "issuer-ca-secret-unusable",
    severity: Severity::Error,
    help: "\
A CA issuer that makes a Secret of Ray cannot read its CA: the Secret that `spec.ca.secretName` names is missing, or has no usable tls.crt and tls.key.

Why it matters: the issuer is not Ready, and signs nothing.

Mend it: put the CA's certificate and key there under tls.crt and tls.key. An Issuer reads it in its own namespace, a ClusterIssuer in cert-manager's
(`--cluster-resource-namespace`, by default `cert-manager`). A CA that cert-manager makes itself is a Certificate with `isCA: true` of a selfSigned issuer.

Authority: cert-manager 1.21, *CA issuer*; seen: `ErrGetKeyPair`: `secrets \"ray-ca\" not found`.",
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
}
