//! What a process says of its own files, before any peer sees them.

use super::certificate::{Certificate, Name, PublicKey, Trust};
use super::chain;
use super::der::{self, OCTET_STRING, OID, Reader, SEQUENCE, UTF8_STRING};
use super::extensions::KEY_USAGE_MALFORMED;
use super::parse::EXPLICIT_CURVE;
use super::pem::{Block, Reading};
use super::profile::{Profile, Stack};
use super::verdict::{Fault, Key, Loading, Reason, Role};
use super::{signature, value};

/// See [`super::verdict::load_identity`].
pub(super) fn identity(chain: &Reading, is_empty: bool, key: Key<'_>, role: Role, profile: Profile) -> Loading {
    load_chain(chain.by(profile), is_empty, key, role, profile).unwrap_or_else(|loading| *loading)
}

/// See [`super::verdict::load_trust`].
pub(super) fn trust(bundle: &Reading, is_empty: bool, profile: Profile) -> Loading {
    match (is_empty, profile.loads_empty_trust) {
        (true, true) => Loading::Loads { certificates: Vec::new(), ignored: None },
        (true, false) => *refuse(TRUST, None, "the CA file is empty".into()),
        (false, _) => load_bundle(bundle.by(profile), profile).unwrap_or_else(|loading| *loading),
    }
}

type Failed = Box<Loading>;

fn load_chain(chain: &Reading, is_empty: bool, key: Key<'_>, role: Role, profile: Profile) -> Result<Loading, Failed> {
    if is_empty {
        return Err(abort("certificate", CERTIFICATE, "cert_chain != nullptr", profile));
    }
    let Some((first, rest)) = chain.blocks.split_first() else {
        return Err(refuse(CERTIFICATE, None, format!("the certificate file {}", why_empty(chain))));
    };
    let leaf = read(first, profile)?.and_then(with_attributes).map_err(|error| {
        refuse(CERTIFICATE, None, format!("the first certificate, line {}, is not readable: {error}", first.line))
    })?;
    key_kind_fits(&leaf, profile)?;
    // A client takes no names out of its own certificate, but its peer does.
    if role == Role::Server {
        names_fit(&named(&leaf, chain, profile)?, profile)?;
    }
    let mut certificates = vec![leaf];
    let mut ignored = None;
    for block in rest {
        // Only the first certificate may be of the TRUSTED kind; the others are skipped.
        if block.label == TRUSTED {
            ignored.get_or_insert(format!("the {TRUSTED} block of line {} is skipped", block.line));
            continue;
        }
        match read(block, profile)? {
            // What follows it in its block is not looked at.
            Ok((certificate, _)) => certificates.push(certificate),
            Err(error) => {
                ignored = Some(unreadable(block, &error));
                break;
            }
        }
    }
    key_fits(&certificates, key, profile)?;
    let ignored = ignored.or_else(|| unread(chain));
    Ok(Loading::Loads { certificates, ignored })
}

fn load_bundle(bundle: &Reading, profile: Profile) -> Result<Loading, Failed> {
    let mut certificates = Vec::new();
    let mut ignored = None;
    for block in &bundle.blocks {
        match read(block, profile)?.and_then(with_attributes) {
            Ok(certificate) => certificates.push(certificate),
            Err(error) if certificates.is_empty() => {
                let text =
                    format!("the first certificate of the CA file, line {}, is not readable: {error}", block.line);
                return Err(refuse(TRUST, None, text));
            }
            Err(error) => {
                ignored = Some(unreadable(block, &error));
                break;
            }
        }
    }
    if certificates.is_empty() {
        return Err(refuse(TRUST, None, format!("the CA file {}", why_empty(bundle))));
    }
    let ignored = ignored.or_else(|| unread(bundle));
    Ok(Loading::Loads { certificates, ignored })
}

const CERTIFICATE: Option<&str> = Some("Invalid cert chain file.");
const PRIVATE_KEY: Option<&str> = Some("Invalid private key.");
const TRUST: Option<&str> = Some("Could not load any root certificate.");
const TRUSTED: &str = "TRUSTED CERTIFICATE";

fn unreadable(block: &Block, error: &str) -> String {
    format!("the certificate of line {} is not readable ({error}), so it and all that follows is ignored", block.line)
}

/// What of a file gRPC does not come to see, though it has read other certificates in it.
fn unread(reading: &Reading) -> Option<String> {
    if let Some(stop) = &reading.stopped {
        return Some(format!(
            "the block of line {} is malformed ({}), so it and all that follows is ignored",
            stop.line, stop.found
        ));
    }
    let unseen = reading.begun.saturating_sub(reading.blocks.len());
    (unseen > 0).then(|| format!("{unseen} of {} certificates do not start at the beginning of a line", reading.begun))
}

/// The certificate of a block, and the bytes after it. The outer error is for what is not decided.
fn read(block: &Block, profile: Profile) -> Result<Result<(Certificate, Vec<u8>), String>, Failed> {
    let der = block.to_der().map_err(cannot)?;
    let mut reader = Reader::new(&der);
    let parsed = reader.any().and_then(|element| Certificate::parse_as(element.whole, profile));
    Ok(parsed.map(|certificate| (certificate, reader.rest().to_vec())))
}

/// The first certificate of a chain and those of a trust file may have trust attributes after them, whatever their label is;
/// other bytes may not follow, though they may follow the attributes.
fn with_attributes((certificate, rest): (Certificate, Vec<u8>)) -> Result<Certificate, String> {
    if rest.is_empty() {
        return Ok(certificate);
    }
    let mut attributes = Reader::new(Reader::new(&rest).expect(SEQUENCE, "trust attributes")?.content);
    let mut purposes = |tag| {
        let list = attributes.optional(tag, "trust attributes")?;
        let mut list = Reader::new(list.map_or(&[], |list| list.content));
        let mut purposes = Vec::new();
        while !list.is_empty() {
            purposes.push(der::oid(list.expect(OID, "trust attributes")?.content)?);
        }
        Ok::<_, String>(purposes)
    };
    let trust = Trust { trusted: purposes(SEQUENCE)?, rejected: purposes(0xa0)? };
    if let Some(alias) = attributes.optional(UTF8_STRING, "an alias")? {
        value::text(alias)?;
    }
    attributes.optional(OCTET_STRING, "a key id")?;
    attributes.end("trust attributes")?;
    Ok(Certificate { trust: Some(trust), ..certificate })
}

/// The certificate out of which a server takes its names: not one of a TRUSTED CERTIFICATE block, but the first of another
/// label.
fn named(leaf: &Certificate, chain: &Reading, profile: Profile) -> Result<Certificate, Failed> {
    let refused = |why: &str| {
        let text =
            format!("the first certificate is a {TRUSTED} block, out of which gRPC servers take no names, and {why}");
        refuse(None, Some(leaf), text)
    };
    match chain.blocks.iter().position(|block| block.label != TRUSTED) {
        Some(0) => Ok(leaf.clone()),
        None => Err(refused("no CERTIFICATE block follows")),
        Some(at) => match chain.blocks.get(at).map(|block| read(block, profile)).transpose()? {
            Some(Ok((certificate, _))) => Ok(certificate),
            _ => Err(refused("the next one is not readable")),
        },
    }
}

fn key_kind_fits(leaf: &Certificate, profile: Profile) -> Result<(), Failed> {
    let subject = &leaf.subject;
    let refused =
        |kind: &str| Err(refuse(CERTIFICATE, Some(leaf), format!("gRPC does not load {kind}, which {subject} has")));
    let is_ec = match leaf.key.algorithm.as_str() {
        "P-256" | "P-384" | "P-521" => true,
        "P-224" if profile.loads_p224 => true,
        "Ed25519" => false,
        "RSA" if (768..=8192).contains(&leaf.key.bits) || !signature::is_issuer_key(&leaf.key) => false,
        "P-224" | "secp256k1" | "Ed448" | "RSA-PSS" => return refused(&format!("{} keys", leaf.key.algorithm)),
        EXPLICIT_CURVE => return refused("an EC key that spells its curve out"),
        "RSA" => return Err(cannot(format!("the key of {subject} is RSA of {} bits", leaf.key.bits))),
        other => return refused(&format!("keys of the kind {other}")),
    };
    if !signature::is_issuer_key(&leaf.key) {
        return refused("an ill-formed key");
    }
    if is_ec && leaf.malformed.iter().any(|what| what == KEY_USAGE_MALFORMED) {
        return Err(refuse(CERTIFICATE, Some(leaf), format!("{subject} has an EC key and an unreadable keyUsage")));
    }
    if is_ec && leaf.key_usage.is_some_and(|usage| !usage.digital_signature) {
        let text = format!("{subject} has an EC key and a keyUsage without digitalSignature, which gRPC does not load");
        return Err(refuse(CERTIFICATE, Some(leaf), text));
    }
    Ok(())
}

fn names_fit(leaf: &Certificate, profile: Profile) -> Result<(), Failed> {
    let subject = &leaf.subject;
    if let Some(octets) = bad_ip(leaf) {
        let text = format!("{subject} has an IP name of {octets} octets, which must be 4 or 16");
        if profile.aborts_on_bad_ip {
            return Err(Box::new(Loading::Aborts(reason(None, Some(leaf), text))));
        }
        return Err(refuse(Some("SAN IP Address contained invalid IP"), Some(leaf), text));
    }
    if has_odd_common_name(leaf) {
        let text = format!("the first common name of {subject} is no text");
        if profile.aborts_on_bad_ip {
            return Err(Box::new(Loading::Aborts(reason(None, Some(leaf), text))));
        }
        return Err(refuse(Some("Could not extract utf8 from asn1 string."), Some(leaf), text));
    }
    Ok(())
}

/// Whether the first common name, which gRPC takes out of its own certificate and its peer's, is of a type without text.
pub(super) fn has_odd_common_name(leaf: &Certificate) -> bool {
    matches!(leaf.constrained.common_names.first(), Some(None))
}

/// Octets of an iPAddress name that is no address.
pub(super) fn bad_ip(leaf: &Certificate) -> Option<usize> {
    leaf.names.iter().flatten().find_map(|name| match name {
        Name::Ip(octets) if !matches!(octets.len(), 4 | 16) => Some(octets.len()),
        _ => None,
    })
}

fn key_fits(certificates: &[Certificate], key: Key<'_>, profile: Profile) -> Result<(), Failed> {
    let Some(leaf) = certificates.first() else { return Ok(()) };
    let subject = &leaf.subject;
    let spki = match key {
        Key::Empty => return Err(abort("key", PRIVATE_KEY, "private_key != nullptr", profile)),
        Key::Missing => return Err(refuse(PRIVATE_KEY, None, "the key file holds no private key".into())),
        Key::Unusable => {
            let text = "the private key is encrypted, damaged or of a form that gRPC does not read";
            return Err(refuse(PRIVATE_KEY, None, text.into()));
        }
        // No peer takes such a leaf, whether the key fits or not.
        Key::Usable(None) if chain::never_agrees(&leaf.key.algorithm) => return Ok(()),
        Key::Usable(None) => return Err(cannot("the public half of the private key is not known".into())),
        Key::Usable(Some(spki)) => spki,
    };
    if leaf.key.spki_sha256 == spki {
        return Ok(());
    }
    if !has_one_encoding(&leaf.key) {
        return Err(cannot(format!("the public key of {subject} is written in an unusual form")));
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

/// Python's clients, and every Ray process is one, end on a failed check of gRPC. Ray's core ends too, once its server says
/// that it does not read the file. `check` is the part of the failed check that every version prints.
fn abort(file: &str, server: Option<&str>, check: &str, profile: Profile) -> Failed {
    let words = match profile.stack {
        Stack::Core => server,
        Stack::Python => Some(check),
    };
    Box::new(Loading::Aborts(reason(words, None, format!("the {file} file is empty"))))
}

fn refuse(words: Option<&str>, certificate: Option<&Certificate>, text: String) -> Failed {
    Box::new(Loading::Refuses(reason(words, certificate, text)))
}

fn cannot(why: String) -> Failed {
    Box::new(Loading::CannotTell(why))
}

fn reason(words: Option<&str>, certificate: Option<&Certificate>, text: String) -> Reason {
    Reason {
        fault: Fault::Load,
        certificate: certificate.map(|certificate| certificate.subject.clone()),
        text,
        words: words.map(Into::into),
    }
}
