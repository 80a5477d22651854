//! What a peer says of a presented chain.

use jiff::Timestamp;

use super::certificate::{Certificate, Purpose};
use super::path::{self, Broken, Path};
use super::profile::Profile;
use super::signature::{self, Outcome};
use super::verdict::{Case, Fault, Reason, Role};
use super::{constraints, load, names, policies, wire};

/// `Err` when the chain is refused, `Ok(Some)` with one clause when that is not known. What is undecided can only add a
/// refusal, so a refusal that is certain comes first.
pub(super) fn judge(case: Case<'_>) -> Result<Option<String>, Box<Reason>> {
    let Some(leaf) = case.presented.first() else {
        return reject(Fault::Other, None, "no certificate is presented".into(), Some(NO_CERTIFICATE.into()));
    };
    let mut cannot = wire::messages(&case)?;
    key_kind(leaf)?;
    let path = match path::build(case.presented, case.trust, case.profile) {
        Ok(Some(path)) => path,
        Ok(None) => return Ok(cannot),
        Err(why) => return wire::tickets(&case).map(|_| Some(why)),
    };
    cannot = undecided(&case, leaf, &path).or(cannot);
    if let Some(broken) = path.broken {
        issuer_missing(&case, &path, broken)?;
    }
    uses(&case, &path)?;
    trusted_for(&case, &path)?;
    cannot = signatures_and_dates(&case, &path)?.or(cannot);
    cannot = constrained(case.profile, &path)?.or(cannot);
    policed(case.profile, &path)?;
    if leaf.key_usage.is_some_and(|usage| !usage.digital_signature) {
        let text = format!("the keyUsage of {} lacks digitalSignature", leaf.subject);
        return reject(Fault::KeyUsage, Some(leaf), text, Some("KEY_USAGE_BIT_INCORRECT".into()));
    }
    if let Some(octets) = load::bad_ip(leaf) {
        let text = format!("{} has an IP name of {octets} octets, which must be 4 or 16", leaf.subject);
        return reject(Fault::Other, Some(leaf), text, None);
    }
    if load::has_odd_common_name(leaf) {
        let text = format!("the first common name of {} is no text", leaf.subject);
        return reject(Fault::Other, Some(leaf), text, None);
    }
    if let (Role::Server, Some(host)) = (case.role, case.name) {
        name(leaf, host, case.profile)?;
    }
    cannot = wire::tickets(&case)?.or(cannot);
    Ok(cannot)
}

const NO_CERTIFICATE: &str = "PEER_DID_NOT_RETURN_A_CERTIFICATE";

fn reject<T>(
    fault: Fault,
    certificate: Option<&Certificate>,
    text: String,
    words: Option<String>,
) -> Result<T, Box<Reason>> {
    let certificate = certificate.map(|certificate| certificate.subject.clone());
    Err(Box::new(Reason { fault, certificate, text, words }))
}

/// The core of 2023 prints no reason.
fn failed(profile: Profile, reason: &str) -> Option<String> {
    Some(match profile.prints_reason {
        false => "CERTIFICATE_VERIFY_FAILED".into(),
        true => format!("CERTIFICATE_VERIFY_FAILED: {reason}"),
    })
}

/// Whether a leaf with a key of this kind is refused by every gRPC peer: the signature schemes that gRPC offers are for RSA,
/// P-256 and P-384.
pub(super) fn never_agrees(algorithm: &str) -> bool {
    matches!(algorithm, "P-521" | "Ed25519" | "Ed448" | "P-224" | "secp256k1" | "RSA-PSS")
}

fn key_kind(leaf: &Certificate) -> Result<(), Box<Reason>> {
    if never_agrees(&leaf.key.algorithm) {
        let text = format!(
            "{} has a key of kind {}, with which no gRPC peer agrees on a signature; RSA, P-256 and P-384 work",
            leaf.subject, leaf.key.algorithm
        );
        return reject(Fault::KeyKind, Some(leaf), text, Some("NO_COMMON_SIGNATURE_ALGORITHMS".into()));
    }
    Ok(())
}

/// What the rules here do not decide.
fn undecided(case: &Case<'_>, leaf: &Certificate, path: &Path<'_>) -> Option<String> {
    if !leaf.key.spki.is_empty() && !load::has_one_encoding(&leaf.key) {
        return Some(format!(
            "the key of {} is {} of {} bits in an unusual form",
            leaf.subject, leaf.key.algorithm, leaf.key.bits
        ));
    }
    if case.profile.judges_policies && policies::depends_on_mappings(&path.certificates) {
        return Some("a policy is required, and a CA of the path maps policies".into());
    }
    let everything = case.presented.iter().chain(case.trust);
    everything
        .flat_map(|certificate| certificate.undecided.iter().map(move |what| (certificate, what)))
        .next()
        .map(|(certificate, what)| format!("{} has {what}", certificate.subject))
}

fn issuer_missing(case: &Case<'_>, path: &Path<'_>, broken: Broken) -> Result<(), Box<Reason>> {
    let Some(last) = path.certificates.last() else { return Ok(()) };
    let words = match broken {
        Broken::SelfSignedLeaf => "self signed certificate",
        Broken::SelfSignedTop => "self signed certificate in certificate chain",
        Broken::NoIssuer => "unable to get local issuer certificate",
    };
    let namesake = |issuer: &str| {
        let same = case.trust.iter().any(|trusted| trusted.subject == issuer);
        if same { "; the one trusted under that name has another key id or may not sign certificates" } else { "" }
    };
    let text = match broken {
        _ if case.trust.is_empty() => format!("the trust file is empty, so nothing vouches for {}", last.subject),
        Broken::SelfSignedLeaf if case.trust.iter().any(|trusted| trusted.subject == last.subject) => {
            format!("{} is signed by itself; the trust file has another certificate of that name", last.subject)
        }
        Broken::SelfSignedLeaf => format!("{} is signed by itself and not in the trust file", last.subject),
        Broken::SelfSignedTop => {
            format!("the presented chain ends in {}, which is not in the trust file", last.subject)
        }
        Broken::NoIssuer => format!(
            "{} is signed by {}, which is neither in the trust file nor presented{}",
            last.subject,
            last.issuer,
            namesake(&last.issuer)
        ),
    };
    if !last.malformed.is_empty() {
        return malformed(case.profile, last);
    }
    reject(Fault::UnknownIssuer, Some(last), text, failed(case.profile, words))
}

fn malformed(profile: Profile, certificate: &Certificate) -> Result<(), Box<Reason>> {
    let text = format!("in {} {}", certificate.subject, certificate.malformed.join(", "));
    let words = profile.prints_reason.then(|| "invalid or inconsistent certificate extension".into());
    reject(Fault::Other, Some(certificate), text, words)
}

/// The rules for what is not from the trust file: critical extensions, CA use, purposes, path lengths. Only that the
/// extensions of the leaf are in order is asked of a trusted one too; no other certificate gets on a path without that.
fn uses(case: &Case<'_>, path: &Path<'_>) -> Result<(), Box<Reason>> {
    if let Some(leaf) = path.certificates.first()
        && !leaf.malformed.is_empty()
    {
        return malformed(case.profile, leaf);
    }
    let mut below = 0u32;
    for (at, certificate) in path.certificates.iter().take(path.untrusted).enumerate() {
        let subject = &certificate.subject;
        if let Some(oid) = certificate.unknown_critical.first() {
            let text = format!("{subject} has the critical extension {oid}, which gRPC does not know");
            let words = failed(case.profile, "unhandled critical extension");
            return reject(Fault::Other, Some(certificate), text, words);
        }
        if at > 0 {
            may_sign(case.profile, certificate)?;
        }
        purpose(case, at, certificate)?;
        if at > 1
            && !path::is_self_issued(certificate)
            && let Some(limit) = certificate.path_len
            && below > limit.saturating_add(1)
        {
            let text = format!("{subject} allows {limit} CAs below it, and the path has more");
            return reject(
                Fault::CaUse,
                Some(certificate),
                text,
                failed(case.profile, "path length constraint exceeded"),
            );
        }
        below += u32::from(!path::is_self_issued(certificate));
    }
    Ok(())
}

/// What the trust attributes beside the certificates of the trust file say.
fn trusted_for(case: &Case<'_>, path: &Path<'_>) -> Result<(), Box<Reason>> {
    let purpose = match case.role {
        Role::Client => "1.3.6.1.5.5.7.3.2",
        Role::Server => "1.3.6.1.5.5.7.3.1",
    };
    let has = |purposes: &[String]| purposes.iter().any(|other| other == purpose);
    for certificate in path.certificates.iter().skip(path.untrusted) {
        match &certificate.trust {
            Some(trust) if has(&trust.rejected) => {
                let text = format!("the trust attributes of {} reject this use", certificate.subject);
                return reject(Fault::Purpose, Some(certificate), text, failed(case.profile, "certificate rejected"));
            }
            Some(trust) if has(&trust.trusted) => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

fn may_sign(profile: Profile, certificate: &Certificate) -> Result<(), Box<Reason>> {
    let by_version = certificate.version == 1 && certificate.ca.is_none() && path::is_self_signed(certificate);
    let what = if certificate.key_usage.is_some_and(|usage| !usage.cert_sign) {
        "its keyUsage lacks keyCertSign"
    } else if certificate.ca == Some(false) {
        "its basicConstraints say CA:FALSE"
    } else if certificate.ca.is_none() && !by_version {
        "it has no basicConstraints"
    } else {
        return Ok(());
    };
    let text = format!("{} may not sign certificates: {what}", certificate.subject);
    reject(Fault::CaUse, Some(certificate), text, failed(profile, "invalid CA certificate"))
}

fn purpose(case: &Case<'_>, at: usize, certificate: &Certificate) -> Result<(), Box<Reason>> {
    let words = failed(case.profile, "unsupported certificate purpose");
    let (wanted, wanted_name, bit) = match case.role {
        Role::Client => (Purpose::ClientAuth, "clientAuth", 0x80),
        Role::Server => (Purpose::ServerAuth, "serverAuth", 0x40),
    };
    if let Some(purposes) = &certificate.purposes
        && !purposes.contains(&wanted)
    {
        let has = purposes.iter().map(purpose_name).collect::<Vec<_>>();
        let has = if has.is_empty() { "nothing".into() } else { has.join(", ") };
        let text = format!("the extended key usage of {} is {has}; {wanted_name} is needed here", certificate.subject);
        return reject(Fault::Purpose, Some(certificate), text, words);
    }
    if at == 0
        && case.profile.netscape_type
        && let Some(kind) = certificate.netscape_type
        && kind & bit == 0
    {
        let text = format!("the nsCertType of {} does not allow this role", certificate.subject);
        return reject(Fault::Purpose, Some(certificate), text, words);
    }
    Ok(())
}

fn purpose_name(purpose: &Purpose) -> &str {
    match purpose {
        Purpose::Any => "anyExtendedKeyUsage",
        Purpose::ClientAuth => "clientAuth",
        Purpose::Other(oid) => oid,
        Purpose::ServerAuth => "serverAuth",
    }
}

/// From the top down, as gRPC does: the signature of each certificate below the top, and the dates of each.
fn signatures_and_dates(case: &Case<'_>, path: &Path<'_>) -> Result<Option<String>, Box<Reason>> {
    let mut cannot = None;
    let mut issuer: Option<&Certificate> = None;
    for (at, certificate) in path.certificates.iter().enumerate().rev() {
        if let Some(issuer) = issuer {
            cannot = signed(case.profile, issuer, certificate)?.or(cannot);
        }
        dates(case, at, certificate)?;
        issuer = Some(certificate);
    }
    Ok(cannot)
}

fn signed(profile: Profile, issuer: &Certificate, certificate: &Certificate) -> Result<Option<String>, Box<Reason>> {
    if !signature::is_issuer_key(&issuer.key) {
        let text = format!(
            "{} is signed with a key of kind {}, which gRPC does not read",
            certificate.subject, issuer.key.algorithm
        );
        let words = profile.prints_reason.then(|| "PUBLIC_KEY_DECODE_ERROR: unable to decode issuer public key".into());
        return reject(Fault::Other, Some(issuer), text, words);
    }
    let code = match signature::verify(issuer, certificate) {
        Outcome::Yes => return Ok(None),
        Outcome::Cannot(why) => return Ok(Some(format!("the signature of {}: {why}", certificate.subject))),
        Outcome::No(code) => code,
    };
    let code = match code {
        Some(signature::OFF_CURVE) if profile.prints_reason => {
            let text = format!("the public key of {} is no point of its curve", issuer.subject);
            let words = Some("PUBLIC_KEY_DECODE_ERROR: unable to decode issuer public key".into());
            return reject(Fault::Other, Some(issuer), text, words);
        }
        code => code,
    };
    let why = match code {
        Some("DIGEST_AND_KEY_TYPE_NOT_SUPPORTED") => "gRPC does not take its algorithm",
        Some("SIGNATURE_ALGORITHM_MISMATCH") => "it names two different algorithms",
        _ => "it was made with another key, or the certificate was changed",
    };
    let text = format!(
        "the signature of {} does not verify with the key of {} ({} …): {why}",
        certificate.subject,
        issuer.subject,
        issuer.sha256.get(..12).unwrap_or_default()
    );
    let words = match (profile.prints_reason, code) {
        (false, code) => code.map(Into::into),
        (true, Some(code)) => Some(format!("{code}: certificate signature failure")),
        (true, None) => Some("certificate signature failure".into()),
    };
    reject(Fault::BadSignature, Some(certificate), text, words)
}

fn constrained(profile: Profile, path: &Path<'_>) -> Result<Option<String>, Box<Reason>> {
    constraints::check(&path.certificates, profile).or_else(|found| {
        let text = format!(
            "the name constraints of {} refuse {}: {}",
            found.ca.subject, found.certificate.subject, found.what
        );
        let words = match profile.prints_reason {
            false => failed(profile, ""),
            true => found.words.and_then(|words| failed(profile, words)),
        };
        reject(Fault::Other, Some(found.certificate), text, words)
    })
}

fn policed(profile: Profile, path: &Path<'_>) -> Result<(), Box<Reason>> {
    match policies::check(&path.certificates) {
        Ok(()) => Ok(()),
        Err(_) if !profile.judges_policies => Ok(()),
        Err(policies::Violation::Broken(certificate)) => {
            let text =
                format!("an extension of {} about policies is malformed, empty or repeated", certificate.subject);
            reject(
                Fault::Other,
                Some(certificate),
                text,
                // Older ones print what is wrong with the extension instead.
                profile.prints_reason.then(|| "invalid or inconsistent certificate policy extension".into()),
            )
        }
        // That one is undecided.
        Err(policies::Violation::NoExplicitPolicy) if policies::depends_on_mappings(&path.certificates) => Ok(()),
        Err(policies::Violation::NoExplicitPolicy) => {
            let text = "a CA of the path requires an explicit policy, and the certificates have none in common".into();
            reject(Fault::Other, path.certificates.first().copied(), text, failed(profile, "no explicit policy"))
        }
    }
}

fn dates(case: &Case<'_>, at: usize, certificate: &Certificate) -> Result<(), Box<Reason>> {
    let subject = &certificate.subject;
    if certificate.has_bad_dates {
        let text = format!("a date of {subject} is malformed or has an offset from UTC, which gRPC does not take");
        let fault = if at == 0 { Fault::Other } else { Fault::CaDates };
        return reject(fault, Some(certificate), text, failed(case.profile, "format error in certificate's not"));
    }
    let moment = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let which = if at == 0 { "" } else { "the CA " };
    let (fault, text, words) = if case.now < certificate.not_before {
        let text = format!("{which}{subject} is valid only from {}", moment(certificate.not_before));
        (Fault::NotYetValid, text, "certificate is not yet valid")
    } else if certificate.not_after <= case.now {
        let text = format!("{which}{subject} expired at {}", moment(certificate.not_after));
        (Fault::Expired, text, "certificate has expired")
    } else {
        return Ok(());
    };
    let fault = if at == 0 { fault } else { Fault::CaDates };
    reject(fault, Some(certificate), text, failed(case.profile, words))
}

fn name(leaf: &Certificate, dialled: &str, profile: Profile) -> Result<(), Box<Reason>> {
    let host = names::bare(dialled);
    if names::covers(leaf, host, profile) {
        return Ok(());
    }
    let words = match profile.tls_name_rule {
        _ if host.len() > names::LONGEST => "Invalid server name indication".into(),
        false => format!("Peer name {} is not in peer certificate", names::printed(dialled)),
        true if names::tls(leaf, host) => "call host does not match SSL server name".into(),
        true => "Hostname Verification Check failed.".into(),
    };
    let text = format!("{host} is not in the certificate {}, which has {}", leaf.subject, presented_names(leaf));
    reject(Fault::Name, Some(leaf), text, Some(words))
}

/// `DNS:ray-head, IP:10.0.0.1`, shortened after some.
fn presented_names(leaf: &Certificate) -> String {
    const SHOWN: usize = 12;
    let names = leaf.names.as_deref().unwrap_or_default();
    if names.is_empty() {
        return "no subject alternative names".into();
    }
    let mut text = names.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}
