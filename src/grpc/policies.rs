//! Certificate policies (RFC 9618): they matter only below a CA that requires an explicit one.

use std::collections::BTreeSet;

use super::certificate::Certificate;
use super::der::{self, INTEGER, OID, Reader, SEQUENCE};
use super::path;
use super::value::{self, Notes};

/// What the extensions of a certificate say on policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// OIDs of certificatePolicies, where present.
    pub named: Option<Vec<String>>,
    /// requireExplicitPolicy: certificates below that need none yet.
    pub require_explicit: Option<u64>,
    /// inhibitAnyPolicy: certificates below in which anyPolicy still counts.
    pub inhibit_any: Option<u64>,
    /// Whether there are policyMappings.
    pub maps: bool,
    /// Whether the policyMappings are malformed, empty, repeated or about anyPolicy; only those of a CA below the last count.
    pub has_broken_mappings: bool,
    /// Whether one of the other extensions is malformed, empty, repeated or names a policy twice.
    pub is_broken: bool,
}

/// Why the policies of a path refuse it.
pub(super) enum Violation<'a> {
    /// The extensions of this certificate are broken.
    Broken(&'a Certificate),
    /// A policy is required and none is common to the path.
    NoExplicitPolicy,
}

/// Whether the verdict may depend on policy mappings, which [`check`] takes for absent: they matter only where a policy is
/// required.
pub(super) fn depends_on_mappings(path: &[&Certificate]) -> bool {
    let Some((_, below)) = path.split_last() else { return false };
    let policies = || below.iter().map(|certificate| &certificate.policies);
    policies().skip(1).any(|policies| policies.maps)
        && policies().any(|policies| policies.require_explicit.is_some_and(|skipped| skipped < below.len() as u64))
}

/// Judges a path, leaf first. Its last certificate takes no part; policy mappings are taken for absent.
pub(super) fn check<'a>(path: &[&'a Certificate]) -> Result<(), Violation<'a>> {
    let Some((_, below)) = path.split_last() else { return Ok(()) };
    let mut explicit = u64::MAX;
    let mut inhibit = u64::MAX;
    let mut valid = BTreeSet::new();
    let mut any_is_valid = true;
    for (at, &certificate) in below.iter().enumerate().rev() {
        let policies = &certificate.policies;
        if policies.is_broken || at > 0 && policies.has_broken_mappings {
            return Err(Violation::Broken(certificate));
        }
        let is_self_issued = path::is_self_issued(certificate);
        let named = policies.named.iter().flatten().collect::<BTreeSet<_>>();
        let names_any =
            policies.named.iter().flatten().any(|oid| oid == ANY_POLICY) && (inhibit > 0 || at > 0 && is_self_issued);
        valid.retain(|oid| names_any || named.contains(oid));
        valid.extend(named.into_iter().filter(|oid| any_is_valid && *oid != ANY_POLICY));
        any_is_valid &= names_any;
        if explicit == 0 && valid.is_empty() && !any_is_valid {
            return Err(Violation::NoExplicitPolicy);
        }
        if at == 0 || !is_self_issued {
            explicit = explicit.saturating_sub(1);
            inhibit = inhibit.saturating_sub(1);
        }
        explicit = explicit.min(policies.require_explicit.unwrap_or(u64::MAX));
        inhibit = inhibit.min(policies.inhibit_any.unwrap_or(u64::MAX));
    }
    if explicit == 0 && valid.is_empty() && !any_is_valid {
        return Err(Violation::NoExplicitPolicy);
    }
    Ok(())
}

/// The OIDs of certificatePolicies.
pub(super) fn named(value: &[u8], notes: &mut Notes) -> Result<Vec<String>, String> {
    let mut policies = der::only(value, SEQUENCE, "certificatePolicies")?;
    let mut named = Vec::new();
    let mut seen = BTreeSet::new();
    while !policies.is_empty() {
        let mut policy = Reader::new(policies.expect(SEQUENCE, "a policy")?.content);
        let oid = der::oid(policy.expect(OID, "a policy")?.content)?;
        if !seen.insert(oid.clone()) {
            return Err("certificatePolicies names a policy twice".into());
        }
        named.push(oid);
        qualifiers(policy, notes)?;
    }
    if named.is_empty() { Err("certificatePolicies is empty".into()) } else { Ok(named) }
}

/// Whether policyMappings is in good order: not empty, and without anyPolicy.
pub(super) fn mappings(value: &[u8]) -> Result<(), String> {
    let mut list = der::only(value, SEQUENCE, "policyMappings")?;
    if list.is_empty() {
        return Err("policyMappings is empty".into());
    }
    while !list.is_empty() {
        let mut mapping = Reader::new(list.expect(SEQUENCE, "a policy mapping")?.content);
        for _ in 0..2 {
            if der::oid(mapping.expect(OID, "a policy mapping")?.content)? == ANY_POLICY {
                return Err("policyMappings maps anyPolicy".into());
            }
        }
        mapping.end("a policy mapping")?;
    }
    Ok(())
}

/// requireExplicitPolicy of policyConstraints.
pub(super) fn require_explicit(value: &[u8]) -> Result<Option<u64>, String> {
    let mut reader = der::only(value, SEQUENCE, "policyConstraints")?;
    let explicit = reader.optional(0x80, "requireExplicitPolicy")?;
    let mapping = reader.optional(0x81, "inhibitPolicyMapping")?;
    reader.end("policyConstraints")?;
    if explicit.is_none() && mapping.is_none() {
        return Err("policyConstraints is empty".into());
    }
    mapping.map(skipped).transpose()?;
    explicit.map(skipped).transpose()
}

/// inhibitAnyPolicy.
pub(super) fn inhibit_any(value: &[u8]) -> Result<u64, String> {
    let mut reader = Reader::new(value);
    let element = reader.expect(INTEGER, "inhibitAnyPolicy")?;
    reader.end("inhibitAnyPolicy")?;
    skipped(element)
}

const ANY_POLICY: &str = "2.5.29.32.0";

/// A number of certificates; huge ones are as good as infinite.
fn skipped(element: der::Element<'_>) -> Result<u64, String> {
    match der::integer(element, "a number of certificates")? {
        [0x80..=0xff, ..] => Err("a negative number of certificates".into()),
        octets if octets.len() <= 8 => Ok(octets.iter().fold(0, |value, octet| (value << 8) | u64::from(*octet))),
        _ => Ok(u64::MAX),
    }
}

/// RFC 5280, section 4.2.1.4: a CPS address, a notice, or any value for another kind.
fn qualifiers(mut policy: Reader<'_>, notes: &mut Notes) -> Result<(), String> {
    let Some(list) = policy.optional(SEQUENCE, "qualifiers")? else { return policy.end("a policy") };
    policy.end("a policy")?;
    let mut list = Reader::new(list.content);
    while !list.is_empty() {
        let mut qualifier = Reader::new(list.expect(SEQUENCE, "a qualifier")?.content);
        match der::oid(qualifier.expect(OID, "a qualifier")?.content)?.as_str() {
            "1.3.6.1.5.5.7.2.1" => _ = qualifier.expect(0x16, "a CPS address")?,
            "1.3.6.1.5.5.7.2.2" => notice(Reader::new(qualifier.expect(SEQUENCE, "a notice")?.content))?,
            _ => value::any(qualifier.any()?, notes)?,
        }
        qualifier.end("a qualifier")?;
    }
    Ok(())
}

/// A reference and a text, both optional.
fn notice(mut notice: Reader<'_>) -> Result<(), String> {
    if let Some(reference) = notice.optional(SEQUENCE, "a reference")? {
        let mut reference = Reader::new(reference.content);
        display_text(reference.any()?)?;
        let mut numbers = Reader::new(reference.expect(SEQUENCE, "a reference")?.content);
        reference.end("a reference")?;
        while !numbers.is_empty() {
            der::integer(numbers.expect(INTEGER, "a reference")?, "a reference")?;
        }
    }
    if !notice.is_empty() {
        display_text(notice.any()?)?;
    }
    notice.end("a notice")
}

fn display_text(text: der::Element<'_>) -> Result<(), String> {
    match text.tag {
        0x0c | 0x16 | 0x1a | 0x1e => value::text(text).map(|_| ()),
        tag => Err(format!("a notice of the type {tag:#04x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::profile::Profile;
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate(subject: &str, issuer: &str, policies: Policies) -> Certificate {
        let params = CertificateParams::new(Vec::<String>::new()).unwrap();
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        let (subject_canonical, issuer_canonical) = (subject.into(), issuer.into());
        Certificate { subject_canonical, issuer_canonical, policies, ..Certificate::parse(&der).unwrap() }
    }

    fn named(oids: &[&str]) -> Policies {
        Policies { named: Some(oids.iter().map(ToString::to_string).collect()), ..Policies::default() }
    }

    fn passes(leaf: Policies, ca: Policies, root: Policies) -> bool {
        let path = [certificate("leaf", "ca", leaf), certificate("ca", "root", ca), certificate("root", "root", root)];
        check(&path.iter().collect::<Vec<_>>()).is_ok()
    }

    #[test]
    fn a_policy_is_needed_only_where_one_is_required() {
        let required = |oids: &[&str]| Policies { require_explicit: Some(0), ..named(oids) };
        let none = Policies::default;
        assert!(passes(none(), none(), none()));
        assert!(passes(none(), none(), required(&[])), "the last certificate takes no part");
        assert!(!passes(none(), Policies { require_explicit: Some(0), ..none() }, none()));
        assert!(passes(none(), Policies { require_explicit: Some(2), ..none() }, none()));
        assert!(passes(named(&["1.2.3"]), required(&["1.2.3"]), none()));
        assert!(!passes(named(&["1.2.4"]), required(&["1.2.3"]), none()));
        assert!(passes(named(&["1.2.3"]), required(&[ANY_POLICY]), none()));
        assert!(passes(named(&[ANY_POLICY]), required(&["1.2.3"]), none()));
        let inhibited = Policies { inhibit_any: Some(0), ..required(&["1.2.3"]) };
        assert!(!passes(named(&[ANY_POLICY]), inhibited, none()));
        assert!(!passes(required(&[]), none(), none()), "a leaf can require one of itself");
    }

    #[test]
    fn broken_policies_refuse_below_the_top() {
        let broken = Policies { is_broken: true, ..Policies::default() };
        assert!(!passes(broken.clone(), Policies::default(), Policies::default()));
        assert!(passes(Policies::default(), Policies::default(), broken));
    }

    #[test]
    fn the_extensions_are_read() {
        let policy = der::wrap(SEQUENCE, &der::wrap(OID, &[0x2a, 3]));
        let read = super::named(&der::wrap(SEQUENCE, &policy), &mut Notes::new(Profile::core()));
        assert_eq!(read, Ok(vec!["1.2.3".to_string()]));
        assert!(
            super::named(&der::wrap(SEQUENCE, &[policy.clone(), policy].concat()), &mut Notes::new(Profile::core()))
                .is_err()
        );
        assert!(super::named(&der::wrap(SEQUENCE, &[]), &mut Notes::new(Profile::core())).is_err());
        assert_eq!(require_explicit(&[0x30, 3, 0x80, 1, 0]), Ok(Some(0)));
        assert_eq!(require_explicit(&[0x30, 3, 0x81, 1, 0]), Ok(None));
        assert!(require_explicit(&[0x30, 0]).is_err() && require_explicit(&[0x30, 3, 0x80, 1, 0xff]).is_err());
        assert_eq!(inhibit_any(&[2, 1, 3]), Ok(3));
    }
}
