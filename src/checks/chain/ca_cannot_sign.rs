//! CHN05: the CA may not sign certificates by its keyUsage.

use super::{Chains, Distrust};
use crate::checks::lens;
use crate::checks::{Case, Check, Findings, Severity};
use crate::diagnose::edit::Slot;
use crate::grpc::certificate::Certificate;

/// The check.
pub static CHECK: Check = Check {
    code: "CHN05",
    name: "ca-cannot-sign",
    severity: Severity::Error,
    help: "\
The CA that is named as the issuer of a certificate is in the trust file, but its keyUsage does not list keyCertSign.

Why it matters: gRPC then does not count it as an issuer at all, and says `unable to get local issuer certificate` although the CA is there.
basicConstraints of a trusted CA do not matter to gRPC; keyUsage does.

Mend it: issue the CA again with `keyUsage = critical, keyCertSign, cRLSign`, store it in every trust file, and restart. With the same key
and name what it signed stays good.

Authority: RFC 5280 section 4.2.1.3; BoringSSL `X509_check_issued` (measured).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let chains = Chains::of(case);
    let distrusts: Vec<Distrust> = chains.distrusts(case).into_iter().filter(|d| explains(&chains, d)).collect();
    for shared in lens::shared(case, &[Slot::Trust]) {
        let users = shared.parties();
        let refused: Vec<&Distrust> = distrusts.iter().filter(|d| users.contains(&d.verifier)).collect();
        let Some(ca) = refused.first().and_then(|d| barred(&chains, d)) else { continue };
        let presenters = super::merged([refused.iter().map(|d| d.presenter).collect()]);
        let message = format!(
            "CA {} in {} has a keyUsage without keyCertSign, so {} does not take it as the issuer of the certificate of {}",
            ca.subject,
            lens::phrase(&shared.subject),
            lens::used_by(case.model, &users),
            lens::used_by(case.model, &presenters),
        );
        let finding = findings.add(shared.subject.clone(), message);
        finding.breaks = super::merged(refused.iter().map(|d| d.connections.clone()));
        // A renewal keeps the uses of a CA; what is needed is another file.
        finding.edits = lens::provide(&shared.uses);
        finding.fact("SHA-256 of the CA", ca.sha256.as_str(), lens::phrase(&shared.subject));
        shared.tell(case, finding);
    }
}

/// Whether a distrust is this check's.
pub(super) fn explains(chains: &Chains, distrust: &Distrust) -> bool {
    barred(chains, distrust).is_some()
}

fn barred<'c>(chains: &'c Chains, distrust: &Distrust) -> Option<&'c Certificate> {
    let top = super::top(chains.presented.get(&distrust.presenter)?)?;
    let bars =
        |ca: &&Certificate| super::named_as_issuer(ca, top) && ca.key_usage.is_some_and(|usage| !usage.cert_sign);
    chains.trusted.get(&distrust.verifier)?.iter().find(bars)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use crate::checks::chain::unknown_issuer;
    use rcgen::KeyUsagePurpose;

    #[test]
    fn a_ca_without_key_cert_sign_is_told_instead_of_an_unknown_issuer() {
        let ca = Ca::new("ray-ca");
        let barred = ca.again("ray-ca", |p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
        let scene = Scene::manifests(cluster_with(tls_secret("ray-tls", &ca.leaf(), &barred)));
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.subject.key.as_deref(), Some("ca.crt"));
        assert_mends(&scene, &finding);
        assert_eq!(scene.run(&unknown_issuer::CHECK), []);
    }

    #[test]
    fn a_ca_without_key_usage_may_sign() {
        let ca = Ca::new("ray-ca");
        let free = ca.again("ray-ca", |p| p.key_usages = vec![]);
        assert_eq!(Scene::manifests(cluster_with(tls_secret("ray-tls", &ca.leaf(), &free))).run(&CHECK), []);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
