//! What a process says of its own files, before any peer sees them.

use super::certificate::{Certificate, Name, PublicKey};
use super::extensions::KEY_USAGE_MALFORMED;
use super::parse::EXPLICIT_CURVE;
use super::pem::{Block, Reading};
use super::profile::Profile;
use super::verdict::{Fault, Key, Reason, Verdict};

/// See [`super::verdict::load_identity`].
pub(super) fn identity(chain: &Reading, key: Key<'_>, profile: Profile) -> Result<Vec<Certificate>, Verdict> {
    let Some((first, rest)) = chain.blocks.split_first() else {
        return Err(refuse(CERTIFICATE, None, format!("the certificate file {}", why_empty(chain))));
    };
    let leaf = read(first)?.map_err(|error| {
        refuse(CERTIFICATE, None, format!("the first certificate, line {}, is not readable: {error}", first.line))
    })?;
    leaf_fits(&leaf, profile)?;
    let mut certificates = vec![leaf];
    for block in rest {
        // Only the first certificate may be of the TRUSTED kind; the others are skipped.
        if block.label == TRUSTED {
            continue;
        }
        match read(block)? {
            Ok(certificate) => certificates.push(certificate),
            Err(error) if error.ends_with("bytes left over") => {
                return Err(Verdict::CannotTell(format!("the certificate of line {} has bytes after it", block.line)));
            }
            // gRPC stops here in silence.
            Err(_) => break,
        }
    }
    key_fits(&certificates, key)?;
    Ok(certificates)
}

/// See [`super::verdict::load_trust`], for a file that is not empty.
pub(super) fn trust(bundle: &Reading) -> Result<Vec<Certificate>, Verdict> {
    let mut certificates = Vec::new();
    for block in &bundle.blocks {
        match read(block)? {
            Ok(certificate) => certificates.push(certificate),
            Err(error) if certificates.is_empty() => {
                let text =
                    format!("the first certificate of the CA file, line {}, is not readable: {error}", block.line);
                return Err(refuse(TRUST, None, text));
            }
            // gRPC stops here in silence.
            Err(_) => break,
        }
    }
    if certificates.is_empty() {
        return Err(refuse(TRUST, None, format!("the CA file {}", why_empty(bundle))));
    }
    Ok(certificates)
}

const CERTIFICATE: Option<&str> = Some("Invalid cert chain file.");
const PRIVATE_KEY: Option<&str> = Some("Invalid private key.");
const TRUST: Option<&str> = Some("Could not load any root certificate.");
const TRUSTED: &str = "TRUSTED CERTIFICATE";

/// The outer error is for what is not decided.
fn read(block: &Block) -> Result<Result<Certificate, String>, Verdict> {
    let der = block.to_der().map_err(Verdict::CannotTell)?;
    match Certificate::parse(&der) {
        Err(_) if block.label == TRUSTED => {
            Err(Verdict::CannotTell(format!("the {TRUSTED} block of line {} has trust attributes", block.line)))
        }
        parsed => Ok(parsed),
    }
}

fn leaf_fits(leaf: &Certificate, profile: Profile) -> Result<(), Verdict> {
    let subject = &leaf.subject;
    let refused =
        |kind: &str| Err(refuse(CERTIFICATE, Some(leaf), format!("gRPC does not load {kind}, which {subject} has")));
    let is_ec = match (leaf.key.algorithm.as_str(), profile) {
        ("P-256" | "P-384" | "P-521", _) | ("P-224", Profile::Core) => true,
        ("Ed25519", _) => false,
        ("RSA", _) if (1024..=8192).contains(&leaf.key.bits) => false,
        ("P-224" | "secp256k1" | "Ed448" | "RSA-PSS", _) => return refused(&format!("{} keys", leaf.key.algorithm)),
        (EXPLICIT_CURVE, _) => return refused("an EC key that spells its curve out"),
        (other, _) => {
            return Err(Verdict::CannotTell(format!("the key of {subject} is {other} of {} bits", leaf.key.bits)));
        }
    };
    if is_ec && leaf.malformed.iter().any(|what| what == KEY_USAGE_MALFORMED) {
        return Err(refuse(CERTIFICATE, Some(leaf), format!("{subject} has an EC key and an unreadable keyUsage")));
    }
    if is_ec && leaf.key_usage.is_some_and(|usage| !usage.digital_signature) {
        let text = format!("{subject} has an EC key and a keyUsage without digitalSignature, which gRPC does not load");
        return Err(refuse(CERTIFICATE, Some(leaf), text));
    }
    if let Some(octets) = bad_ip(leaf) {
        let words = match profile {
            Profile::Core => None,
            Profile::Python => Some("SAN IP Address contained invalid IP"),
        };
        let text = format!("{subject} has an IP name of {octets} octets, which must be 4 or 16");
        return Err(refuse(words, Some(leaf), text));
    }
    Ok(())
}

/// Octets of an iPAddress name that is no address.
pub(super) fn bad_ip(leaf: &Certificate) -> Option<usize> {
    leaf.names.iter().flatten().find_map(|name| match name {
        Name::Ip(octets) if !matches!(octets.len(), 4 | 16) => Some(octets.len()),
        _ => None,
    })
}

fn key_fits(certificates: &[Certificate], key: Key<'_>) -> Result<(), Verdict> {
    let Some(leaf) = certificates.first() else { return Ok(()) };
    let subject = &leaf.subject;
    let spki = match key {
        Key::Missing => return Err(refuse(PRIVATE_KEY, None, "the key file holds no private key".into())),
        Key::Unusable => {
            let text = "the private key is encrypted, damaged or of a form that gRPC does not read";
            return Err(refuse(PRIVATE_KEY, None, text.into()));
        }
        Key::Usable(None) => return Err(Verdict::CannotTell("the public half of the private key is not known".into())),
        Key::Usable(Some(spki)) => spki,
    };
    if leaf.key.spki_sha256 == spki {
        return Ok(());
    }
    if !has_one_encoding(&leaf.key) {
        return Err(Verdict::CannotTell(format!("the public key of {subject} is written in an unusual form")));
    }
    let text = match certificates.iter().find(|other| other.key.spki_sha256 == spki) {
        Some(other) => format!(
            "the private key belongs to {}, which must be the first certificate of the file; the first is {subject}",
            other.subject
        ),
        None => format!("the private key does not belong to {subject}"),
    };
    Err(refuse(PRIVATE_KEY, Some(leaf), text))
}

/// Whether equal keys have equal bytes: an EC point may also be compressed, and RSA parameters left out.
pub(super) fn has_one_encoding(key: &PublicKey) -> bool {
    let Ok((algorithm, Some(bits))) = super::parse::subject_public_key_info(&key.spki) else { return false };
    match key.algorithm.as_str() {
        "RSA" => algorithm.parameters == [5, 0],
        "Ed25519" => algorithm.parameters.is_empty(),
        _ => bits.first() == Some(&4),
    }
}

fn why_empty(reading: &Reading) -> String {
    if let Some(stop) = &reading.stopped {
        return format!("holds no certificate before line {}, where the block is malformed: {}", stop.line, stop.found);
    }
    if reading.begun > 0 {
        return "holds no certificate that starts at the beginning of a line: look for indentation, a byte order mark, \
                or line ends written as \\n"
            .into();
    }
    "holds no PEM certificate".into()
}

fn refuse(words: Option<&str>, certificate: Option<&Certificate>, text: String) -> Verdict {
    Verdict::Reject(Reason {
        fault: Fault::Load,
        certificate: certificate.map(|certificate| certificate.subject.clone()),
        text,
        words: words.map(Into::into),
    })
}
